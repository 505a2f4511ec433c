//! A header list becomes a request head (RFC 9113 sections 8.2 and 8.3): what is malformed, and what is refused.

use super::hpack::Header;
use crate::http::{
    BodyLength, Name, RequestHead, UnderscoreVerdict, Underscores, Upgrade, Version, is_authority,
    is_token_byte, parse_content_length, same_authority,
};

/// Why a request is answered here instead of being passed on. What is malformed is reset instead (RFC 9113
/// section 8.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The header list is larger than its limit.
    TooLarge,
    /// It has more fields than its limit.
    TooMany,
    /// `CONNECT`, but not for a WebSocket: the gateway is no tunnel.
    Connect,
    /// `TRACE`: it would reflect what the client may not see (RFC 9110 section 9.3.8).
    Trace,
    /// Neither `:authority` nor `host`.
    HostMissing,
    /// The authority is not a host and perhaps a port.
    Authority,
    /// The target begins a fragment right after an empty query.
    Fragment,
    /// A name has an underscore where policy forbids that, or is a framing field's but for its underscore.
    Underscore,
    /// An expectation that is not `100-continue`.
    Expectation,
}

impl Refused {
    /// The status of the answer.
    pub fn status(self) -> u16 {
        match self {
            Refused::TooLarge | Refused::TooMany => 431,
            Refused::Connect => 403,
            Refused::Trace => 405,
            Refused::Expectation => 417,
            Refused::HostMissing | Refused::Authority | Refused::Fragment | Refused::Underscore => 400,
        }
    }

    /// The response code detail for the access log.
    pub fn detail(self) -> &'static str {
        match self {
            Refused::TooLarge => "request_headers_too_large",
            Refused::TooMany => "http2.too_many_headers",
            Refused::Connect => "upgrade_failed",
            Refused::Trace => "http2.trace_rejected",
            Refused::HostMissing => "missing_host_header",
            Refused::Authority => "http2.invalid_authority",
            Refused::Fragment => "path_with_fragment_rejected",
            Refused::Underscore => "http2.unexpected_underscore",
            Refused::Expectation => "http2.unknown_expectation",
        }
    }
}

/// Limits of a header list, and what policy says of its names.
#[derive(Clone, Copy, Debug)]
pub(super) struct ListLimits {
    pub(super) bytes: usize,
    pub(super) fields: usize,
    pub(super) underscores: Underscores,
}

/// What a field costs beside its bytes (RFC 9113 section 6.5.2).
const FIELD_OVERHEAD: usize = 32;

/// Counts a header list against its limits.
#[derive(Default)]
pub(super) struct Meter {
    bytes: usize,
    fields: usize,
}

impl Meter {
    /// Whether there is room for this field, too.
    pub(super) fn admits(&mut self, header: &Header<'_>, limits: &ListLimits) -> Result<(), Refused> {
        self.bytes = self.bytes.saturating_add(header.text.len() + header.value.len() + FIELD_OVERHEAD);
        if self.bytes > limits.bytes {
            return Err(Refused::TooLarge);
        }
        self.fields += 1;
        if self.fields > limits.fields { Err(Refused::TooMany) } else { Ok(()) }
    }

    /// Bytes so far.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// A request head on its way from a header list.
pub(super) struct RequestList<'h> {
    head: &'h mut RequestHead,
    limits: ListLimits,
    meter: Meter,
    seen: Seen,
    cookie: Vec<u8>,
    content_length: Option<u64>,
    malformed: Option<&'static str>,
    refused: Option<Refused>,
}

/// What has come.
#[derive(Default)]
struct Seen {
    method: bool,
    scheme: bool,
    path: bool,
    authority: bool,
    protocol: bool,
    is_websocket: bool,
    regular: bool,
    host: bool,
    expect: bool,
    is_authority_good: bool,
}

/// A request that is not malformed.
pub(super) struct Request {
    pub(super) refused: Option<Refused>,
    /// Bytes of the body, if they were announced.
    pub(super) content_length: Option<u64>,
}

impl<'h> RequestList<'h> {
    /// Decodes into `head`, whose memory is used again.
    pub(super) fn new(head: &'h mut RequestHead, limits: ListLimits) -> RequestList<'h> {
        head.clear();
        head.version = Version::Http2;
        head.keep_alive = true;
        let cookie = head.fields.take_scratch();
        RequestList {
            head,
            limits,
            meter: Meter::default(),
            seen: Seen { is_authority_good: true, ..Seen::default() },
            cookie,
            content_length: None,
            malformed: None,
            refused: None,
        }
    }

    pub(super) fn take(&mut self, header: &Header<'_>) {
        if self.malformed.is_some() {
            return;
        }
        if let Err(refused) = self.meter.admits(header, &self.limits) {
            self.refused.get_or_insert(refused);
        }
        let taken = match header.text.first() {
            _ if !header.is_valid => Err("http2.invalid.header.field"),
            Some(b':') if self.seen.regular => Err("http2.violation.pseudo_header_order"),
            Some(b':') => self.pseudo(header),
            _ => self.field(header),
        };
        self.malformed = taken.err();
    }

    fn pseudo(&mut self, header: &Header<'_>) -> Result<(), &'static str> {
        let head = &mut *self.head;
        let once = |seen: &mut bool| match std::mem::replace(seen, true) {
            true => Err("http2.violation.repeated_pseudo_header"),
            false => Ok(()),
        };
        match header.text {
            b":method" => {
                once(&mut self.seen.method)?;
                head.method.extend_from_slice(header.value);
                match !head.method.is_empty() && head.method.iter().copied().all(is_token_byte) {
                    true => Ok(()),
                    false => Err("http2.invalid_method"),
                }
            }
            b":path" => {
                once(&mut self.seen.path)?;
                self.path(header.value)
            }
            b":authority" => {
                once(&mut self.seen.authority)?;
                head.authority.extend_from_slice(header.value);
                self.seen.is_authority_good = is_authority(header.value);
                Ok(())
            }
            // What the connection is counts: TLS here or not (as for absolute targets in HTTP/1.1).
            b":scheme" => {
                once(&mut self.seen.scheme)?;
                let is_known = [&b"http"[..], b"https"].contains(&header.value);
                if is_known { Ok(()) } else { Err("http2.invalid_scheme") }
            }
            b":protocol" => {
                once(&mut self.seen.protocol)?;
                self.seen.is_websocket = header.value == b"websocket";
                Ok(())
            }
            _ => Err("http2.unknown_pseudo_header"),
        }
    }

    /// RFC 9113 section 8.3.1: not empty, and begins with `/`, but for `OPTIONS *`.
    fn path(&mut self, path: &[u8]) -> Result<(), &'static str> {
        let has_form = matches!(path, [b'/', ..] | b"*");
        if !has_form || !path.iter().all(u8::is_ascii_graphic) {
            return Err("http2.invalid_path");
        }
        if self.head.set_target(path).is_err() {
            self.refused.get_or_insert(Refused::Fragment);
        }
        Ok(())
    }

    fn field(&mut self, header: &Header<'_>) -> Result<(), &'static str> {
        self.seen.regular = true;
        match header.name {
            // Those of HTTP/1.1's connections have no place here (RFC 9113 section 8.2.2).
            Name::Connection
            | Name::KeepAlive
            | Name::ProxyConnection
            | Name::TransferEncoding
            | Name::Upgrade => return Err("http2.connection_specific_header"),
            Name::Te if !header.value.eq_ignore_ascii_case(b"trailers") => return Err("http2.invalid_te"),
            Name::Http2Settings => return Ok(()),
            Name::ContentLength => return self.content_length(header.value),
            Name::Host => return self.host(header.value),
            Name::Expect => self.expectation(header.value),
            Name::Other if header.text == b"cookie" => {
                // One line again (RFC 9113 section 8.2.3). What is refused is not kept.
                if self.refused.is_none() {
                    if !self.cookie.is_empty() {
                        self.cookie.extend_from_slice(b"; ");
                    }
                    self.cookie.extend_from_slice(header.value);
                }
                return Ok(());
            }
            Name::Other | Name::XEnvoy => match self.limits.underscores.judge(header.text) {
                UnderscoreVerdict::Keep => {}
                UnderscoreVerdict::Drop => return Ok(()),
                UnderscoreVerdict::Refuse => {
                    self.refused.get_or_insert(Refused::Underscore);
                }
            },
            _ => {}
        }
        // What is refused is not kept: a bomb costs no memory.
        if self.refused.is_none() {
            self.head.fields.push_lower(header.name, header.text, header.value);
        }
        Ok(())
    }

    fn content_length(&mut self, value: &[u8]) -> Result<(), &'static str> {
        let length = parse_content_length(value).ok_or("http2.invalid_content_length")?;
        match self.content_length.replace(length) {
            Some(_) => Err("http2.invalid_content_length"),
            None => Ok(()),
        }
    }

    fn host(&mut self, value: &[u8]) -> Result<(), &'static str> {
        if std::mem::replace(&mut self.seen.host, true) {
            return Err("http2.multiple_host_headers");
        }
        if !self.seen.authority {
            self.head.authority.extend_from_slice(value);
            self.seen.is_authority_good = is_authority(value);
            return Ok(());
        }
        // They may not differ (RFC 9113 section 8.3.1).
        match same_authority(value, &self.head.authority, b"") {
            true => Ok(()),
            false => Err("http2.host_mismatch"),
        }
    }

    fn expectation(&mut self, value: &[u8]) {
        let is_first = !std::mem::replace(&mut self.seen.expect, true);
        if !is_first || !value.eq_ignore_ascii_case(b"100-continue") {
            self.refused.get_or_insert(Refused::Expectation);
        }
    }

    /// The end of the list. `extended` says whether extended CONNECT was announced.
    pub(super) fn finish(mut self, ends_stream: bool, extended: bool) -> Result<Request, &'static str> {
        let cookie = std::mem::take(&mut self.cookie);
        if !cookie.is_empty() && self.refused.is_none() {
            self.head.fields.push_lower(Name::Other, b"cookie", &cookie);
        }
        self.head.fields.return_scratch(cookie);
        self.head.wire_len = self.meter.bytes() as u32;
        if let Some(malformed) = self.malformed {
            return Err(malformed);
        }
        self.check_pseudo(ends_stream, extended)?;
        self.body(ends_stream)?;
        if self.refused.is_none() {
            self.refused = self.judge();
        }
        Ok(Request { refused: self.refused, content_length: self.content_length })
    }

    /// Which pseudo-header fields there must be (RFC 9113 sections 8.3.1 and 8.5, RFC 8441 section 4).
    fn check_pseudo(&mut self, ends_stream: bool, extended: bool) -> Result<(), &'static str> {
        let Seen { method, scheme, path, authority, protocol, is_websocket, .. } = self.seen;
        // Whose list was cut may lack what came behind.
        if self.refused == Some(Refused::TooLarge) || self.refused == Some(Refused::TooMany) {
            return if method { Ok(()) } else { Err("http2.missing_pseudo_header") };
        }
        let is_connect = self.head.method == b"CONNECT";
        let is_good = match (is_connect, protocol) {
            (_, false) if !is_connect => method && scheme && path,
            (true, false) => authority && !scheme && !path,
            (true, true) => extended && scheme && path && authority,
            _ => false,
        };
        if !is_good {
            return Err("http2.missing_pseudo_header");
        }
        if is_connect && !(protocol && is_websocket) {
            self.refused.get_or_insert(Refused::Connect);
        }
        if is_connect && is_websocket {
            if ends_stream || self.content_length.is_some() {
                return Err("http2.connect_with_body");
            }
            // From here on it is what HTTP/1.1 says: a GET that asks for an upgrade (RFC 8441 section 5).
            self.head.method.clear();
            self.head.method.extend_from_slice(b"GET");
            self.head.upgrade = Upgrade::WebSocket;
        }
        match &*self.head.target {
            b"*" if self.head.method != b"OPTIONS" => Err("http2.invalid_path"),
            _ => Ok(()),
        }
    }

    fn body(&mut self, ends_stream: bool) -> Result<(), &'static str> {
        self.head.body = match self.content_length {
            _ if self.head.upgrade == Upgrade::WebSocket => BodyLength::None,
            Some(1..) if ends_stream => return Err("http2.content_length_mismatch"),
            _ if ends_stream => BodyLength::None,
            Some(length @ 1..) => BodyLength::Sized(length),
            Some(0) | None => BodyLength::Unknown,
        };
        if self.seen.expect && self.head.body == BodyLength::None {
            self.head.fields.remove(Name::Expect);
        } else {
            self.head.expects_continue = self.seen.expect;
        }
        Ok(())
    }

    fn judge(&self) -> Option<Refused> {
        if self.head.method == b"TRACE" {
            return Some(Refused::Trace);
        }
        if self.head.authority.is_empty() {
            return Some(Refused::HostMissing);
        }
        (!self.seen.is_authority_good).then_some(Refused::Authority)
    }
}
