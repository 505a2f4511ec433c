//! `redirect` and `httpsRedirect`: what the `location` of the answer is.

use super::rewrite::escape_from;
use crate::http::{RequestHead, Scheme};
use std::io::Write;

/// `redirect` (specification section 3.4).
#[derive(Clone, Debug)]
pub struct Redirect {
    /// 301, 302, 303, 307 or 308.
    pub status: u16,
    /// `uri` or `prefixRewrite`
    pub path: RedirectPath,
    /// `authority`; the request's host otherwise. A port inside it is kept, and then `port` says nothing.
    pub authority: Option<Box<[u8]>>,
    /// `scheme`; the request's scheme otherwise.
    pub scheme: Option<Scheme>,
    /// `port`, or what `derivePort` makes of the gateway's declared port.
    pub port: RedirectPort,
}

/// The path of a redirect; the query of the request is kept, unless the new path brings one of its own.
#[derive(Clone, Debug)]
pub enum RedirectPath {
    /// The request's own.
    Keep,
    /// `uri`
    Full(Box<[u8]>),
    /// `prefixRewrite`
    Prefix {
        /// Length of the prefix that the route matched.
        matched: usize,
        /// What stands there instead.
        replacement: Box<[u8]>,
    },
}

/// The port of a redirect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedirectPort {
    /// Neither `port` nor `derivePort: FROM_REQUEST_PORT`: that of the Host, unless the scheme changes and it was the
    /// default port of the old scheme.
    Keep,
    /// This one. Where it is the default port of the new scheme, the same as `Keep`: istiod leaves it out.
    Set(u16),
}

impl Redirect {
    /// Appends the `location`. `scheme` is the effective one of the request.
    pub fn location(&self, request: &RequestHead, scheme: Scheme, out: &mut Vec<u8>) {
        let begin = out.len();
        let new_scheme = self.scheme.unwrap_or(scheme);
        let new_port = match self.port {
            RedirectPort::Set(port) if port != default_port(new_scheme) => Some(port),
            RedirectPort::Set(_) | RedirectPort::Keep => None,
        };
        out.extend_from_slice(new_scheme.as_str().as_bytes());
        out.extend_from_slice(b"://");
        let (host, old_port) = split_port(self.authority.as_deref().unwrap_or(&request.authority));
        out.extend_from_slice(host);
        if self.authority.is_some() && !old_port.is_empty() {
            out.extend_from_slice(old_port);
        } else if let Some(port) = new_port {
            // Writing to a Vec does not fail.
            let _ = write!(out, ":{port}");
        } else if new_scheme == scheme || !is_default_port(old_port, scheme) {
            out.extend_from_slice(old_port);
        }
        self.push_path(request, out);
        escape_from(out, begin);
    }

    fn push_path(&self, request: &RequestHead, out: &mut Vec<u8>) {
        let begin = out.len();
        match &self.path {
            RedirectPath::Keep => out.extend_from_slice(request.path()),
            RedirectPath::Full(path) => out.extend_from_slice(path),
            RedirectPath::Prefix { matched, replacement } => {
                out.extend_from_slice(replacement);
                out.extend_from_slice(request.path().get(*matched..).unwrap_or_default());
            }
        }
        if out.get(begin) != Some(&b'/') {
            out.insert(begin, b'/');
        }
        let has_query = out.iter().skip(begin).any(|&b| b == b'?');
        if !has_query {
            out.extend_from_slice(request.query());
        }
    }
}

/// Appends the `location` of `httpsRedirect`: `https://`, the authority exactly as it came (port included), path and
/// query (specification section 2.5).
pub fn https_location(request: &RequestHead, out: &mut Vec<u8>) {
    let begin = out.len();
    out.extend_from_slice(b"https://");
    out.extend_from_slice(&request.authority);
    if !request.target.starts_with(b"/") {
        out.push(b'/');
    }
    out.extend_from_slice(&request.target);
    escape_from(out, begin);
}

/// An authority as host and port, the port with its colon.
fn split_port(authority: &[u8]) -> (&[u8], &[u8]) {
    let after_brackets = authority.iter().rposition(|&b| b == b']').map_or(0, |at| at + 1);
    let tail = authority.get(after_brackets..).unwrap_or_default();
    match tail.iter().rposition(|&b| b == b':') {
        Some(at) => authority.split_at(after_brackets + at),
        None => (authority, b""),
    }
}

fn default_port(scheme: Scheme) -> u16 {
    match scheme {
        Scheme::Http => 80,
        Scheme::Https => 443,
    }
}

fn is_default_port(port: &[u8], scheme: Scheme) -> bool {
    match scheme {
        Scheme::Http => port == b":80",
        Scheme::Https => port == b":443",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEEP: Redirect = Redirect {
        status: 301,
        path: RedirectPath::Keep,
        authority: None,
        scheme: None,
        port: RedirectPort::Keep,
    };

    fn request(authority: &str, target: &str) -> RequestHead {
        RequestHead {
            authority: authority.as_bytes().to_vec(),
            target: target.as_bytes().to_vec(),
            path_len: target.find('?').unwrap_or(target.len()),
            ..RequestHead::default()
        }
    }

    #[track_caller]
    fn goes(redirect: &Redirect, scheme: Scheme, authority: &str, target: &str, expected: &str) {
        let mut out = Vec::new();
        redirect.location(&request(authority, target), scheme, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn case_76_port_and_scheme() {
        let redirect = Redirect { scheme: Some(Scheme::Https), port: RedirectPort::Set(80), ..KEEP };
        goes(&redirect, Scheme::Http, "b", "/foo", "https://b:80/foo");
        goes(&redirect, Scheme::Http, "b:80", "/foo", "https://b:80/foo");
    }

    #[test]
    fn case_77_request_port() {
        let on = |port| Redirect { port: RedirectPort::Set(port), ..KEEP };
        goes(&on(80), Scheme::Http, "b", "/foo", "http://b/foo");
        goes(&on(80), Scheme::Http, "b:80", "/foo", "http://b:80/foo");
        goes(&on(85), Scheme::Http, "b", "/foo", "http://b:85/foo");
        goes(&on(85), Scheme::Http, "b:85", "/foo", "http://b:85/foo");
        goes(&on(443), Scheme::Https, "b", "/foo", "https://b/foo");
    }

    #[test]
    fn the_old_default_port_goes_with_the_old_scheme() {
        let secure = Redirect { scheme: Some(Scheme::Https), ..KEEP };
        goes(&secure, Scheme::Http, "b:80", "/?q", "https://b/?q");
        goes(&secure, Scheme::Http, "b:8080", "/?q", "https://b:8080/?q");
        goes(&secure, Scheme::Http, "[::1]:80", "/", "https://[::1]/");
        goes(&secure, Scheme::Http, "[::1]", "/", "https://[::1]/");
        goes(&secure, Scheme::Https, "b:80", "/", "https://b:80/");
        goes(&KEEP, Scheme::Http, "b:80", "/", "http://b:80/");
    }

    #[test]
    fn authority() {
        let to = |authority: &str| Redirect { authority: Some(authority.as_bytes().into()), ..KEEP };
        goes(&to("new.example"), Scheme::Http, "b:8080", "/x", "http://new.example/x");
        goes(&to("new.example:99"), Scheme::Http, "b", "/x", "http://new.example:99/x");
        let with_port = Redirect { port: RedirectPort::Set(81), ..to("new.example") };
        goes(&with_port, Scheme::Http, "b", "/x", "http://new.example:81/x");
    }

    #[test]
    fn path_and_query() {
        let to = |path| Redirect { path, ..KEEP };
        let full = |path: &[u8]| to(RedirectPath::Full(path.into()));
        goes(&full(b"/new"), Scheme::Http, "b", "/old?a=1", "http://b/new?a=1");
        goes(&full(b"/new?b=2"), Scheme::Http, "b", "/old?a=1", "http://b/new?b=2");
        goes(&full(b"new"), Scheme::Http, "b", "/old", "http://b/new");
        goes(&full(b"/a\r\nset-cookie: x"), Scheme::Http, "b", "/old", "http://b/a%0D%0Aset-cookie:%20x");
        let prefix = to(RedirectPath::Prefix { matched: 4, replacement: b"/new".as_slice().into() });
        goes(&prefix, Scheme::Http, "b", "/old/x?a=1", "http://b/new/x?a=1");
    }

    #[test]
    fn case_26_https_redirect() {
        let location = |authority, target| {
            let mut out = Vec::new();
            https_location(&request(authority, target), &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(location("example.com:8080", "/a?b=c"), "https://example.com:8080/a?b=c");
        assert_eq!(location("b", "*"), "https://b/*");
    }
}
