//! What is known of a request or a connection when it is judged.

use super::Identity;
use crate::{
    http::{RequestHead, Scheme},
    jwt::Claims,
};
use std::{borrow::Cow, net::IpAddr};

/// What is known of a connection, and of the request on it. All of it comes from the connection itself or from whom the
/// gateway was told to believe; nothing is what a client merely says of itself, but for the request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts<'a> {
    /// The address at the other end of the connection.
    pub source_ip: Option<IpAddr>,
    /// The client's address, as trusted proxies and PROXY headers tell it.
    pub remote_ip: Option<IpAddr>,
    /// The address that the client connected to.
    pub destination_ip: Option<IpAddr>,
    /// The port that the listener is bound to, whatever a PROXY header says.
    pub port: Option<u16>,
    /// The name that the client asked for (SNI), in lower case; empty if it named none.
    pub server_name: &'a str,
    /// The certificate that the client has shown.
    pub identity: Option<Identity<'a>>,
    /// The request; nothing on connections that are not HTTP.
    pub request: Option<Request<'a>>,
}

/// A request as routing sees it: its path normalized.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The request.
    pub head: &'a RequestHead,
    /// Its authority in lower case, without a dot at the end of the host.
    pub host: &'a [u8],
    /// The scheme that routing goes by.
    pub scheme: Scheme,
    /// What its token says, if one was verified.
    pub claims: Option<&'a Claims>,
}

impl<'a> Request<'a> {
    /// The values of a header field by its name in lower case, pseudo-header fields (`:path`) and those that the head keeps
    /// elsewhere among them: all of them joined by commas, and each by itself. Nothing: there is none.
    pub(super) fn header(&self, lower: &'a [u8]) -> Option<Header<'a>> {
        let one = |value: Cow<'a, [u8]>| Some(Header { joined: value, each: Vec::new() });
        match lower {
            b":authority" | b"host" => {
                let authority = &*self.head.authority;
                return if authority.is_empty() { None } else { one(authority.into()) };
            }
            b":method" => return one(self.head.method.as_slice().into()),
            b":path" => return one(self.head.target.as_slice().into()),
            b":scheme" => return one(self.scheme.as_str().as_bytes().into()),
            b"upgrade" => return one(upgrade(self.head)?.into()),
            b"content-length" => return one(content_length(self.head)?.into()),
            _ => {}
        }
        let mut values = self.head.fields.get_all(lower);
        let first = values.next()?;
        let Some(second) = values.next() else { return one(first.into()) };
        let each: Vec<&[u8]> = [first, second].into_iter().chain(values).collect();
        Some(Header { joined: each.join(&b',').into(), each })
    }
}

fn upgrade(head: &RequestHead) -> Option<&'static [u8]> {
    (head.upgrade == crate::http::Upgrade::WebSocket).then_some(b"websocket")
}

fn content_length(head: &RequestHead) -> Option<Vec<u8>> {
    match head.body {
        crate::http::BodyLength::Sized(length) => Some(length.to_string().into_bytes()),
        _ => None,
    }
}

/// The values of one header field.
pub(super) struct Header<'a> {
    /// As one.
    pub(super) joined: Cow<'a, [u8]>,
    /// By themselves, if there are several.
    pub(super) each: Vec<&'a [u8]>,
}
