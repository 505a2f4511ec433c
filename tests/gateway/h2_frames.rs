//! HTTP/2 frames byte by byte (RFC 9113 section 6), right ones and wrong ones, and the fields that go into them.

use super::h2_hpack::literal;

/// What a client says first (RFC 9113 section 3.4).
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Types of frames.
pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PUSH_PROMISE: u8 = 5;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;
/// A type that nobody has defined.
pub(crate) const UNKNOWN: u8 = 0x16;

/// Flags: of SETTINGS and PING.
pub(crate) const ACK: u8 = 1;
/// Flags: of DATA and HEADERS.
pub(crate) const END_STREAM: u8 = 1;
/// Flags: of HEADERS, PUSH_PROMISE and CONTINUATION.
pub(crate) const END_HEADERS: u8 = 4;
/// Flags: of DATA, HEADERS and PUSH_PROMISE.
pub(crate) const PADDED: u8 = 8;
/// Flags: of HEADERS.
pub(crate) const WITH_PRIORITY: u8 = 0x20;
/// Both that end a request without a body.
pub(crate) const END: u8 = END_STREAM | END_HEADERS;

/// Settings (RFC 9113 section 6.5.2).
pub(crate) const HEADER_TABLE_SIZE: u16 = 1;
pub(crate) const ENABLE_PUSH: u16 = 2;
pub(crate) const MAX_CONCURRENT_STREAMS: u16 = 3;
pub(crate) const INITIAL_WINDOW_SIZE: u16 = 4;
pub(crate) const MAX_FRAME_SIZE: u16 = 5;
pub(crate) const MAX_HEADER_LIST_SIZE: u16 = 6;

/// Error codes (RFC 9113 section 7).
pub(crate) const NO_ERROR: u32 = 0;
pub(crate) const PROTOCOL_ERROR: u32 = 1;
pub(crate) const INTERNAL_ERROR: u32 = 2;
pub(crate) const FLOW_CONTROL_ERROR: u32 = 3;
pub(crate) const STREAM_CLOSED: u32 = 5;
pub(crate) const FRAME_SIZE_ERROR: u32 = 6;
pub(crate) const REFUSED_STREAM: u32 = 7;
pub(crate) const CANCEL: u32 = 8;
pub(crate) const COMPRESSION_ERROR: u32 = 9;
pub(crate) const ENHANCE_YOUR_CALM: u32 = 11;

/// What a window may not exceed (RFC 9113 section 6.9.1).
pub(crate) const WINDOW_MAX: u32 = (1 << 31) - 1;

/// A frame that came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Frame {
    /// Its type.
    pub(crate) kind: u8,
    /// Its flags.
    pub(crate) flags: u8,
    /// Its stream; 0 is the connection.
    pub(crate) stream: u32,
    /// What is behind its head of nine octets.
    pub(crate) payload: Vec<u8>,
    /// The fields, where a block of them begins.
    pub(crate) fields: Vec<(String, String)>,
}

impl Frame {
    /// Whether it is of this type and on this stream.
    pub(crate) fn is(&self, kind: u8, stream: u32) -> bool {
        self.kind == kind && self.stream == stream
    }

    /// Whether it has one of these flags.
    pub(crate) fn has(&self, flags: u8) -> bool {
        self.flags & flags != 0
    }

    /// Whether it ends its stream.
    pub(crate) fn ends_stream(&self) -> bool {
        self.kind == RST_STREAM || matches!(self.kind, DATA | HEADERS) && self.has(END_STREAM)
    }

    /// The 32 bits at this place of its payload; all of them set if there are none.
    pub(crate) fn number(&self, at: usize) -> u32 {
        let octets = self.payload.get(at..at + 4).and_then(|octets| octets.try_into().ok());
        octets.map_or(u32::MAX, u32::from_be_bytes)
    }

    /// The error code of RST_STREAM and GOAWAY.
    pub(crate) fn code(&self) -> u32 {
        self.number(if self.kind == GOAWAY { 4 } else { 0 })
    }

    /// The status of a response's head.
    pub(crate) fn status(&self) -> Option<u16> {
        self.field(":status").and_then(|status| status.parse().ok())
    }

    /// The first value of a field.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// Whether it refuses a request: by a reset, or by a status.
    pub(crate) fn refuses(&self) -> bool {
        self.kind == RST_STREAM && self.code() == PROTOCOL_ERROR
            || self.status().is_some_and(|status| status >= 400)
    }

    /// As short as it can be told.
    pub(crate) fn tell(&self) -> String {
        const NAMES: [&str; 10] = [
            "DATA",
            "HEADERS",
            "PRIORITY",
            "RST_STREAM",
            "SETTINGS",
            "PUSH_PROMISE",
            "PING",
            "GOAWAY",
            "WINDOW_UPDATE",
            "CONTINUATION",
        ];
        let name = NAMES.get(usize::from(self.kind)).copied().unwrap_or("unknown");
        let what = match self.kind {
            HEADERS => format!(" {}", self.field(":status").unwrap_or("trailers")),
            RST_STREAM | GOAWAY => format!(" {}", code_name(self.code())),
            DATA => format!(" of {}", self.payload.len()),
            SETTINGS | PING if self.has(ACK) => " ack".into(),
            _ => String::new(),
        };
        let end = if self.kind != RST_STREAM && self.ends_stream() { ", end" } else { "" };
        format!("{name}[{}]{what}{end}", self.stream)
    }
}

/// The name of an error code.
pub(crate) fn code_name(code: u32) -> String {
    const NAMES: [&str; 14] = [
        "NO_ERROR",
        "PROTOCOL_ERROR",
        "INTERNAL_ERROR",
        "FLOW_CONTROL_ERROR",
        "SETTINGS_TIMEOUT",
        "STREAM_CLOSED",
        "FRAME_SIZE_ERROR",
        "REFUSED_STREAM",
        "CANCEL",
        "COMPRESSION_ERROR",
        "CONNECT_ERROR",
        "ENHANCE_YOUR_CALM",
        "INADEQUATE_SECURITY",
        "HTTP_1_1_REQUIRED",
    ];
    NAMES.get(code as usize).map_or_else(|| code.to_string(), |name| (*name).to_owned())
}

/// The head of a frame: its length is what is said, whatever comes behind it.
pub(crate) fn head(length: usize, kind: u8, flags: u8, stream: u32) -> Vec<u8> {
    let length = u32::try_from(length).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat()
}

/// A frame.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    [head(payload.len(), kind, flags, stream), payload.to_vec()].concat()
}

/// DATA.
pub(crate) fn data(stream: u32, flags: u8, octets: &[u8]) -> Vec<u8> {
    frame(DATA, flags, stream, octets)
}

/// DATA or HEADERS with so many octets of padding behind it.
pub(crate) fn padded(kind: u8, stream: u32, flags: u8, octets: &[u8], padding: u8) -> Vec<u8> {
    let payload = [&[padding], octets, &vec![0; padding.into()]].concat();
    frame(kind, flags | PADDED, stream, &payload)
}

/// HEADERS with a block that is encoded already.
pub(crate) fn headers(stream: u32, flags: u8, block: &[u8]) -> Vec<u8> {
    frame(HEADERS, flags, stream, block)
}

/// CONTINUATION.
pub(crate) fn continuation(stream: u32, flags: u8, block: &[u8]) -> Vec<u8> {
    frame(CONTINUATION, flags, stream, block)
}

/// What PRIORITY consists of: a stream to depend on, and a weight less one (RFC 7540 section 6.3).
pub(crate) fn dependency(on: u32, weight: u8) -> Vec<u8> {
    [&on.to_be_bytes()[..], &[weight]].concat()
}

/// PRIORITY.
pub(crate) fn priority(stream: u32, on: u32, weight: u8) -> Vec<u8> {
    frame(PRIORITY, 0, stream, &dependency(on, weight))
}

/// RST_STREAM.
pub(crate) fn rst_stream(stream: u32, code: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &code.to_be_bytes())
}

/// SETTINGS.
pub(crate) fn settings(settings: &[(u16, u32)]) -> Vec<u8> {
    let payload = settings.iter().flat_map(|(id, value)| {
        let (id, value) = (id.to_be_bytes(), value.to_be_bytes());
        [id[0], id[1], value[0], value[1], value[2], value[3]]
    });
    frame(SETTINGS, 0, 0, &payload.collect::<Vec<_>>())
}

/// PING.
pub(crate) fn ping(flags: u8, octets: &[u8; 8]) -> Vec<u8> {
    frame(PING, flags, 0, octets)
}

/// GOAWAY.
pub(crate) fn goaway(last: u32, code: u32) -> Vec<u8> {
    frame(GOAWAY, 0, 0, &[last.to_be_bytes(), code.to_be_bytes()].concat())
}

/// WINDOW_UPDATE.
pub(crate) fn window_update(stream: u32, increment: u32) -> Vec<u8> {
    frame(WINDOW_UPDATE, 0, stream, &increment.to_be_bytes())
}

/// Fields in their order, pseudo-header fields first.
#[derive(Clone, Debug)]
pub(crate) struct Fields(pub(crate) Vec<(String, String)>);

impl Fields {
    /// One more at the end.
    pub(crate) fn add(mut self, name: &str, value: &str) -> Fields {
        self.0.push((name.to_owned(), value.to_owned()));
        self
    }

    /// One more at the very beginning.
    pub(crate) fn first(mut self, name: &str, value: &str) -> Fields {
        self.0.insert(0, (name.to_owned(), value.to_owned()));
        self
    }

    /// One more behind the last pseudo-header field.
    pub(crate) fn pseudo(mut self, name: &str, value: &str) -> Fields {
        let at = self.0.iter().take_while(|(name, _)| name.starts_with(':')).count();
        self.0.insert(at, (name.to_owned(), value.to_owned()));
        self
    }

    /// With another value.
    pub(crate) fn set(mut self, name: &str, value: &str) -> Fields {
        self.0.iter_mut().filter(|(n, _)| n == name).for_each(|(_, v)| value.clone_into(v));
        self
    }

    /// Without this one.
    pub(crate) fn without(mut self, name: &str) -> Fields {
        self.0.retain(|(n, _)| n != name);
        self
    }

    /// As a block of literals.
    pub(crate) fn block(&self) -> Vec<u8> {
        self.0.iter().flat_map(|(name, value)| literal(name, value)).collect()
    }
}
