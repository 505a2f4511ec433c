//! A question to the bytes that a client would send.

use crate::http::{Version, split_port};
use std::{net::IpAddr, path::PathBuf};

/// What somebody wants to know.
#[derive(Clone, Debug)]
pub struct Question {
    /// The request's URL; `tcp://` and `tls://` ask about connections without HTTP.
    pub url: String,
    /// The request's method.
    pub method: String,
    /// Its header fields, such as `Name: value`.
    pub headers: Vec<String>,
    /// It comes as HTTP/2.
    pub http2: bool,
    /// The Unix socket that the client connects to.
    pub unix_socket: Option<PathBuf>,
    /// The name in the TLS handshake; empty: none. Nothing: the URL's host.
    pub sni: Option<String>,
    /// The client's address.
    pub from: IpAddr,
}

impl Question {
    /// A GET of a URL by a client on this host.
    pub fn get(url: impl Into<String>) -> Question {
        Question {
            url: url.into(),
            method: "GET".to_owned(),
            headers: Vec::new(),
            http2: false,
            unix_socket: None,
            sni: None,
            from: IpAddr::from([127, 0, 0, 1]),
        }
    }
}

impl Question {
    /// Whether any client could ask it.
    ///
    /// # Errors
    /// What no client could send, in words.
    pub fn check(&self) -> Result<(), String> {
        Asked::new(self).map(drop)
    }
}

/// The request that is asked about.
#[derive(Debug)]
pub(super) struct Asked {
    /// As given.
    pub(super) method: String,
    /// As given.
    pub(super) url: String,
    /// What the client speaks.
    pub(super) spoken: Spoken,
    /// The URL's host, brackets kept.
    pub(super) host: String,
    /// The port that the client connects to: the URL's, or its scheme's.
    pub(super) port: u16,
    /// Whether the URL says the port.
    pub(super) has_port: bool,
    /// The Unix socket that the client connects to instead.
    pub(super) unix_socket: Option<PathBuf>,
    /// The name in the TLS handshake, if one was given; empty: none is sent.
    pub(super) sni: Option<String>,
    /// The client's address.
    pub(super) from: IpAddr,
    /// The version of HTTP that the client speaks, if it speaks HTTP at all.
    pub(super) version: Option<Version>,
    /// The head of the request as the client sends it in HTTP/1.1. One of HTTP/2 becomes the same when it is decoded.
    pub(super) wire: Vec<u8>,
}

/// What a client speaks, by its URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spoken {
    /// `http`: plain-text HTTP.
    Http,
    /// `https`: HTTP in TLS.
    Https,
    /// `tcp`: bytes.
    Tcp,
    /// `tls`: bytes in TLS.
    Tls,
}

impl Spoken {
    const ALL: [(&'static str, Spoken); 4] =
        [("http", Spoken::Http), ("https", Spoken::Https), ("tcp", Spoken::Tcp), ("tls", Spoken::Tls)];

    /// Whether the client begins with a TLS handshake.
    pub(super) fn is_tls(self) -> bool {
        matches!(self, Spoken::Https | Spoken::Tls)
    }

    /// Whether it then sends a request.
    pub(super) fn is_http(self) -> bool {
        matches!(self, Spoken::Http | Spoken::Https)
    }

    /// The port where the URL says none.
    fn port(self) -> Option<u16> {
        match self {
            Spoken::Http => Some(80),
            Spoken::Https | Spoken::Tls => Some(443),
            Spoken::Tcp => None,
        }
    }
}

impl Asked {
    /// The name in the ClientHello: as given, else the URL's host. Addresses are not sent (RFC 6066 section 3).
    pub(super) fn server_name(&self) -> Option<String> {
        let name = self.sni.as_deref().unwrap_or(&self.host).to_ascii_lowercase();
        let name = name.strip_suffix('.').unwrap_or(&name).to_owned();
        let is_address = name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
        (!name.is_empty() && !is_address).then_some(name)
    }

    /// Reads the options.
    ///
    /// # Errors
    /// What no client could send. What a client could send and the gateway refuses is for the gateway to say.
    pub(super) fn new(question: &Question) -> Result<Asked, String> {
        let url = Url::parse(&question.url)?;
        no_controls("the method", &question.method)?;
        if question.method.is_empty() || question.method.contains(' ') {
            return Err(format!("`{}` is not a method", question.method));
        }
        let version = match (question.http2, url.spoken.is_http()) {
            (true, false) => return Err("--http2 is for http:// and https:// URLs".to_owned()),
            (_, false) => None,
            (true, true) => Some(Version::Http2),
            (false, true) => Some(Version::Http11),
        };
        Ok(Asked {
            method: question.method.clone(),
            url: question.url.clone(),
            spoken: url.spoken,
            host: url.host.to_owned(),
            port: url.port,
            has_port: url.has_port,
            unix_socket: question.unix_socket.clone(),
            sni: question.sni.clone(),
            from: question.from,
            version,
            wire: wire(question, &url)?,
        })
    }
}

/// What is about connections of HTTP/1.1, and makes a request of HTTP/2 malformed (RFC 9113 section 8.2.2).
const OF_CONNECTIONS: [&str; 5] =
    ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"];

/// The head on the wire. As with curl, a `Host` among the headers takes the place of the URL's.
fn wire(question: &Question, url: &Url<'_>) -> Result<Vec<u8>, String> {
    let mut head = format!("{} {} HTTP/1.1\r\n", question.method, url.target);
    let mut fields = Vec::new();
    for field in &question.headers {
        no_controls("a header", field)?;
        let Some((name, value)) = field.split_once(':') else {
            return Err(format!("`{field}` is not a header: expected 'Name: value'"));
        };
        if question.http2 && OF_CONNECTIONS.iter().any(|own| name.trim().eq_ignore_ascii_case(own)) {
            return Err(format!("`{name}` is a header of HTTP/1.1 alone: no client sends it in HTTP/2"));
        }
        fields.push((name, value.trim()));
    }
    if !fields.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        fields.insert(0, ("Host", &url.authority));
    }
    for (name, value) in fields {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    Ok(head.into_bytes())
}

/// TAB may stand in a value.
fn no_controls(what: &str, text: &str) -> Result<(), String> {
    match text.chars().any(|c| c.is_control() && c != '\t') {
        true => Err(format!("{what} has a control character: {text:?}")),
        false => Ok(()),
    }
}

/// What a URL says.
#[derive(Debug, PartialEq, Eq)]
struct Url<'a> {
    spoken: Spoken,
    host: &'a str,
    port: u16,
    has_port: bool,
    /// What stands in `Host`: without the port where it is the scheme's own, as clients do it.
    authority: String,
    /// Path and query.
    target: String,
}

impl<'a> Url<'a> {
    fn parse(text: &'a str) -> Result<Url<'a>, String> {
        if text.chars().any(|c| c.is_control() || c == ' ') {
            return Err(format!("{text:?} is not a URL: blanks and control characters are written %20, %0A"));
        }
        let found = text.split_once("://").and_then(|(scheme, rest)| {
            let known = Spoken::ALL.into_iter().find(|(name, _)| scheme.eq_ignore_ascii_case(name));
            Some((known?.1, rest))
        });
        let Some((spoken, rest)) = found else {
            return Err(format!("`{text}` does not begin with http://, https://, tcp:// or tls://"));
        };
        let rest = rest.split('#').next().unwrap_or(rest);
        let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        // A name and a password go into another header.
        let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let (host, port) = split_port(authority.as_bytes());
        let host = authority.get(..host.len()).unwrap_or(authority);
        if host.is_empty() {
            return Err(format!("`{text}` names no host"));
        }
        let written = port.filter(|port| !port.is_empty());
        let has_port = written.is_some();
        let port = match written.map(|port| String::from_utf8_lossy(port).into_owned()) {
            None => spoken.port().ok_or_else(|| format!("`{text}` names no port"))?,
            Some(digits) => match digits.parse() {
                Ok(port) if port > 0 => port,
                _ => return Err(format!("`{digits}` is not a port")),
            },
        };
        let authority = if Some(port) == spoken.port() { host.to_owned() } else { format!("{host}:{port}") };
        let slash = if target.starts_with('/') { "" } else { "/" };
        Ok(Url { spoken, host, port, has_port, authority, target: format!("{slash}{target}") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn says(text: &str, host: &str, port: u16, authority: &str, target: &str) {
        let url = Url::parse(text).unwrap();
        let got = (url.host, url.port, url.authority.as_str(), url.target.as_str());
        assert_eq!(got, (host, port, authority, target), "{text}");
    }

    #[test]
    fn urls() {
        says("http://a.example", "a.example", 80, "a.example", "/");
        says("HTTP://a.example:80/x", "a.example", 80, "a.example", "/x");
        says("https://a.example:/x?y=1#z", "a.example", 443, "a.example", "/x?y=1");
        says("https://a.example:80?y", "a.example", 80, "a.example:80", "/?y");
        says("http://me:secret@a.example:8080/@", "a.example", 8080, "a.example:8080", "/@");
        says("http://[::1]:8080/", "[::1]", 8080, "[::1]:8080", "/");
        says("tls://a.example", "a.example", 443, "a.example", "/");
        says("tcp://a.example:9000", "a.example", 9000, "a.example:9000", "/");
        assert_eq!(Url::parse("https://a").unwrap().spoken, Spoken::Https);
    }

    #[test]
    fn what_no_client_of_http2_sends() {
        let asked = |url: &str, http2: bool, headers: &[&str]| {
            let headers = headers.iter().map(|field| (*field).to_owned()).collect();
            Asked::new(&Question { http2, headers, ..Question::get(url) })
        };
        assert_eq!(asked("http://a", true, &[]).unwrap().version, Some(Version::Http2));
        assert_eq!(asked("tcp://a:1", false, &[]).unwrap().version, None);
        assert!(asked("tls://a", true, &[]).unwrap_err().contains("http:// and https:// URLs"));
        assert!(asked("http://a", false, &["Upgrade: websocket"]).is_ok());
        let refused = asked("http://a", true, &["Upgrade: websocket"]).unwrap_err();
        assert!(refused.contains("of HTTP/1.1 alone"));
    }

    #[test]
    fn what_is_no_url() {
        for text in [
            "",
            "a.example/x",
            "ftp://a",
            "http://",
            "http:///x",
            "tcp://a",
            "http://a:0/",
            "http://a:x/",
            "http://a/b c",
        ] {
            assert!(Url::parse(text).is_err(), "{text}");
        }
    }
}
