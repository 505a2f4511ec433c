//! A header list becomes a response head, or trailers (RFC 9113 sections 8.1, 8.2 and 8.3.2).

use super::{
    hpack::Header,
    request::{ListLimits, Meter},
};
use crate::http::{BodyLength, Fields, Name, ResponseHead, Version, parse_content_length};

/// A response head on its way from a header list.
pub(super) struct ResponseList<'h> {
    head: &'h mut ResponseHead,
    limits: ListLimits,
    meter: Meter,
    has_regular: bool,
    malformed: Option<&'static str>,
}

impl<'h> ResponseList<'h> {
    /// Decodes into `head`, whose memory is used again.
    pub(super) fn new(head: &'h mut ResponseHead, limits: ListLimits) -> ResponseList<'h> {
        head.clear();
        head.version = Version::Http2;
        head.keep_alive = true;
        ResponseList { head, limits, meter: Meter::default(), has_regular: false, malformed: None }
    }

    pub(super) fn take(&mut self, header: &Header<'_>) {
        if self.malformed.is_none() {
            self.malformed = self.try_take(header).err();
        }
    }

    fn try_take(&mut self, header: &Header<'_>) -> Result<(), &'static str> {
        self.meter.admits(header, &self.limits).map_err(|_| "response_headers_too_large")?;
        if !header.is_valid {
            return Err("http2.invalid.header.field");
        }
        if header.text.first() == Some(&b':') {
            let is_status = header.text == b":status" && !self.has_regular && self.head.status == 0;
            let status = is_status.then(|| status(header.value)).flatten();
            self.head.status = status.ok_or("http2.invalid_status")?;
            return Ok(());
        }
        self.has_regular = true;
        match header.name {
            Name::Connection
            | Name::KeepAlive
            | Name::ProxyConnection
            | Name::TransferEncoding
            | Name::Upgrade => Err("http2.connection_specific_header"),
            Name::ContentLength => {
                let length = parse_content_length(header.value).ok_or("http2.invalid_content_length")?;
                match self.head.content_length.replace(length) {
                    Some(before) if before != length => Err("http2.invalid_content_length"),
                    _ => Ok(()),
                }
            }
            _ => {
                self.head.fields.push_lower(header.name, header.text, header.value);
                Ok(())
            }
        }
    }

    /// The end of the list. Gives how many bytes of a body may follow, where that is known.
    pub(super) fn finish(self, ends_stream: bool, is_head: bool) -> Result<Option<u64>, &'static str> {
        if let Some(malformed) = self.malformed {
            return Err(malformed);
        }
        let head = self.head;
        match head.status {
            0 => return Err("http2.invalid_status"),
            // There is no switching of protocols (RFC 9113 section 8.6).
            101 => return Err("http2.switching_protocols"),
            100..=199 if ends_stream => return Err("http2.interim_ends_stream"),
            _ => {}
        }
        let has_none = is_head || matches!(head.status, 100..=199 | 204 | 304);
        let expected = if has_none { Some(0) } else { head.content_length };
        if ends_stream && expected.is_some_and(|length| length > 0) {
            return Err("http2.content_length_mismatch");
        }
        head.body = match head.content_length {
            _ if ends_stream || has_none => BodyLength::None,
            Some(length @ 1..) => BodyLength::Sized(length),
            // Trailers may follow.
            Some(0) | None => BodyLength::Unknown,
        };
        Ok(expected)
    }
}

/// Three digits, from 100 on.
fn status(value: &[u8]) -> Option<u16> {
    let [a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9'] = value else { return None };
    Some(u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0'))
}

/// Trailers on their way from a header list.
pub(super) struct TrailerList {
    pub(super) fields: Fields,
    limits: ListLimits,
    meter: Meter,
    malformed: Option<&'static str>,
}

impl TrailerList {
    pub(super) fn new(limits: ListLimits) -> TrailerList {
        TrailerList { fields: Fields::default(), limits, meter: Meter::default(), malformed: None }
    }

    pub(super) fn take(&mut self, header: &Header<'_>) {
        if self.malformed.is_some() {
            return;
        }
        self.malformed = match header.name {
            _ if self.meter.admits(header, &self.limits).is_err() => Some("trailers_too_large"),
            _ if !header.is_valid => Some("http2.invalid.header.field"),
            _ if header.text.first() == Some(&b':') => Some("http2.pseudo_header_in_trailers"),
            Name::Connection
            | Name::KeepAlive
            | Name::ProxyConnection
            | Name::TransferEncoding
            | Name::Upgrade => Some("http2.connection_specific_header"),
            name => {
                if !is_for_heads(name, header.text) {
                    self.fields.push_lower(name, header.text, header.value);
                }
                None
            }
        };
    }

    pub(super) fn finish(self) -> Result<Fields, &'static str> {
        match self.malformed {
            Some(malformed) => Err(malformed),
            None => Ok(self.fields),
        }
    }
}

/// Fields that mean something only in a head: framing, routing, authentication, what the gateway itself says. Who
/// merges trailers into a head would take them for what was checked here, so they are dropped (RFC 9110 section 6.5.1).
fn is_for_heads(name: Name, text: &[u8]) -> bool {
    const OTHERS: [&[u8]; 14] = [
        b"authorization",
        b"cache-control",
        b"content-encoding",
        b"content-range",
        b"cookie",
        b"forwarded",
        b"max-forwards",
        b"pragma",
        b"proxy-authorization",
        b"range",
        b"set-cookie",
        b"www-authenticate",
        b"x-forwarded-port",
        b"x-real-ip",
    ];
    match name {
        Name::Other => OTHERS.contains(&text),
        // Known names are all of heads.
        _ => true,
    }
}
