//! Header values with Envoy's substitution commands: `%PROTOCOL%`, `%REQ(x-a?x-b):16%`, `%%`.
//!
//! - `parse`: text to pieces; every mistake is found here
//! - `render`: pieces and a [`Context`] to bytes
//! - `tls`: what is known of the client's TLS

mod parse;
mod render;
mod tls;

pub use tls::{Peer, Tls};

pub(super) use render::Message;

#[cfg(test)]
mod tests;

use crate::{
    http::{Fields, Scheme, Version},
    telemetry::{TimeFormat, TlsFact, ValidityEnd, operator::FieldSource},
};
use std::{fmt, net::SocketAddr, path::Path};

/// A header value, parsed: literal text with commands between (specification section 3.4, "headers").
#[derive(Clone, Debug, Default)]
pub struct Template {
    text: Box<str>,
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug)]
enum Piece {
    Literal(Box<[u8]>),
    Command(Command),
}

/// One command with its arguments.
#[derive(Clone, Debug)]
enum Command {
    Simple(Simple),
    Tls(TlsFact),
    StartTime(TimeFormat),
    Validity(ValidityEnd, TimeFormat),
    RequestField(FieldSource),
    ResponseField(FieldSource),
}

/// A command without arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Simple {
    BytesReceived,
    BytesSent,
    DownstreamLocalAddress(Part),
    DownstreamRemoteAddress(Part),
    DownstreamDirectRemoteAddress(Part),
    Hostname,
    Protocol,
    RequestedServerName,
    ResponseCode,
    ResponseCodeDetails,
    ResponseFlags,
    RouteName,
    UpstreamCluster,
    UpstreamRemoteAddress(Part),
}

/// Which part of an address is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Whole,
    WithoutPort,
    Port,
}

/// The commands that [`Template::parse`] knows, for messages; `(X)` stands where an argument is needed.
pub const SUPPORTED_COMMANDS: &[&str] = &[
    "BYTES_RECEIVED",
    "BYTES_SENT",
    "DOWNSTREAM_DIRECT_REMOTE_ADDRESS",
    "DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT",
    "DOWNSTREAM_DIRECT_REMOTE_PORT",
    "DOWNSTREAM_LOCAL_ADDRESS",
    "DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT",
    "DOWNSTREAM_LOCAL_PORT",
    "DOWNSTREAM_PEER_CERT",
    "DOWNSTREAM_PEER_CERT_V_END",
    "DOWNSTREAM_PEER_CERT_V_START",
    "DOWNSTREAM_PEER_DNS_SAN",
    "DOWNSTREAM_PEER_EMAIL_SAN",
    "DOWNSTREAM_PEER_FINGERPRINT_1",
    "DOWNSTREAM_PEER_FINGERPRINT_256",
    "DOWNSTREAM_PEER_IP_SAN",
    "DOWNSTREAM_PEER_ISSUER",
    "DOWNSTREAM_PEER_SERIAL",
    "DOWNSTREAM_PEER_SUBJECT",
    "DOWNSTREAM_PEER_URI_SAN",
    "DOWNSTREAM_REMOTE_ADDRESS",
    "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT",
    "DOWNSTREAM_REMOTE_PORT",
    "DOWNSTREAM_TLS_CIPHER",
    "DOWNSTREAM_TLS_VERSION",
    "HOSTNAME",
    "PROTOCOL",
    "REQ(X)",
    "REQUESTED_SERVER_NAME",
    "RESP(X)",
    "RESPONSE_CODE",
    "RESPONSE_CODE_DETAILS",
    "RESPONSE_FLAGS",
    "ROUTE_NAME",
    "START_TIME",
    "UPSTREAM_CLUSTER",
    "UPSTREAM_HOST",
    "UPSTREAM_REMOTE_ADDRESS",
    "UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT",
    "UPSTREAM_REMOTE_PORT",
];

/// What the commands read. The data path fills it; nothing in here asks the time or the system. What is not known
/// (yet) is `None`, and its command renders as nothing.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// `START_TIME`: when the request came, in milliseconds of Unix time.
    pub start_time_ms: u64,
    /// `HOSTNAME`: the name of this host.
    pub hostname: &'a str,
    /// `DOWNSTREAM_REMOTE_ADDRESS`: the client, as trusted proxies tell it.
    pub downstream_remote: Option<Address<'a>>,
    /// `DOWNSTREAM_DIRECT_REMOTE_ADDRESS`: the other end of the downstream connection.
    pub downstream_direct_remote: Option<Address<'a>>,
    /// `DOWNSTREAM_LOCAL_ADDRESS`: this end of the downstream connection.
    pub downstream_local: Option<Address<'a>>,
    /// `PROTOCOL`: of the request.
    pub protocol: Version,
    /// `REQ(:SCHEME)`
    pub scheme: Scheme,
    /// `REQ(:METHOD)`
    pub method: &'a [u8],
    /// `REQ(:PATH)`: with the query.
    pub target: &'a [u8],
    /// `REQ(:AUTHORITY)` and `REQ(HOST)`
    pub authority: &'a [u8],
    /// `REQ(x)` in a response. While the request's own fields are changed they are read instead of this.
    pub request_fields: Option<&'a Fields>,
    /// `REQUESTED_SERVER_NAME`: the SNI of the client.
    pub server_name: Option<&'a str>,
    /// `DOWNSTREAM_TLS_*`, `DOWNSTREAM_PEER_*`
    pub tls: Option<Tls<'a>>,
    /// `ROUTE_NAME`
    pub route_name: Option<&'a str>,
    /// `UPSTREAM_CLUSTER`
    pub upstream_cluster: Option<&'a str>,
    /// `UPSTREAM_HOST` and `UPSTREAM_REMOTE_ADDRESS`: the endpoint of the present attempt.
    pub upstream_remote: Option<Address<'a>>,
    /// `RESPONSE_CODE`
    pub response_code: Option<u16>,
    /// `RESPONSE_CODE_DETAILS`
    pub response_code_details: Option<&'a str>,
    /// `RESPONSE_FLAGS`
    pub response_flags: Option<&'a str>,
    /// `BYTES_RECEIVED`: of the request's body so far.
    pub bytes_received: u64,
    /// `BYTES_SENT`: of the response's body so far.
    pub bytes_sent: u64,
}

impl Default for Context<'_> {
    fn default() -> Self {
        Context {
            start_time_ms: 0,
            hostname: "",
            downstream_remote: None,
            downstream_direct_remote: None,
            downstream_local: None,
            protocol: Version::Http11,
            scheme: Scheme::Http,
            method: b"",
            target: b"",
            authority: b"",
            request_fields: None,
            server_name: None,
            tls: None,
            route_name: None,
            upstream_cluster: None,
            upstream_remote: None,
            response_code: None,
            response_code_details: None,
            response_flags: None,
            bytes_received: 0,
            bytes_sent: 0,
        }
    }
}

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address<'a> {
    /// An IP address and port.
    Ip(SocketAddr),
    /// A Unix socket.
    Unix(&'a Path),
}

/// Why a text is not a header value. Positions are in bytes, from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TemplateError {
    /// A `%` at the end: a literal percent sign is written `%%`.
    LonePercent,
    /// What follows a `%` is not a command that ends with `%`.
    Unterminated {
        /// Where its first `%` is.
        at: usize,
    },
    /// A command with a name that is not known; see [`SUPPORTED_COMMANDS`].
    UnknownCommand {
        /// As written.
        name: String,
    },
    /// A command with an argument that it does not take, or without one that it needs.
    BadArgument {
        /// Its name.
        command: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// A control character other than TAB.
    ControlCharacter {
        /// Where it is.
        at: usize,
    },
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TemplateError::LonePercent => {
                f.write_str("ends with a single `%`; a literal percent sign is `%%`")
            }
            TemplateError::Unterminated { at } => {
                write!(f, "the `%` at byte {at} does not begin a command such as `%PROTOCOL%`; ")?;
                f.write_str("a literal percent sign is `%%`")
            }
            TemplateError::UnknownCommand { name } => {
                write!(f, "`%{name}%` is not supported; known are {}", SUPPORTED_COMMANDS.join(", "))
            }
            TemplateError::BadArgument { command, reason } => write!(f, "`%{command}%`: {reason}"),
            TemplateError::ControlCharacter { at } => write!(f, "has a control character at byte {at}"),
        }
    }
}

impl std::error::Error for TemplateError {}

impl Template {
    /// Parses a value as it is written in `headers.request` and `headers.response`.
    pub fn parse(text: &str) -> Result<Template, TemplateError> {
        parse::parse(text)
    }

    /// The value as it is written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The value, if it has no command.
    pub fn as_literal(&self) -> Option<&[u8]> {
        match self.pieces.as_slice() {
            [] => Some(b""),
            [Piece::Literal(text)] => Some(text),
            _ => None,
        }
    }
}
