//! Frames (RFC 9113 section 4): their header, and how those that are written are laid out.

use super::ErrorCode;

/// The bytes of a frame's header.
pub(super) const HEADER_BYTES: usize = 9;

/// The largest payload that we take: the initial SETTINGS_MAX_FRAME_SIZE, which we leave as it is. Larger frames would
/// only make streams wait for each other.
pub const FRAME_BYTES_MAX: usize = 16_384;

/// What a client's connection begins with (RFC 9113 section 3.4).
pub const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(super) const DATA: u8 = 0x0;
pub(super) const HEADERS: u8 = 0x1;
pub(super) const PRIORITY: u8 = 0x2;
pub(super) const RST_STREAM: u8 = 0x3;
pub(super) const SETTINGS: u8 = 0x4;
pub(super) const PUSH_PROMISE: u8 = 0x5;
pub(super) const PING: u8 = 0x6;
pub(super) const GOAWAY: u8 = 0x7;
pub(super) const WINDOW_UPDATE: u8 = 0x8;
pub(super) const CONTINUATION: u8 = 0x9;

/// END_STREAM of DATA and HEADERS.
pub(super) const END_STREAM: u8 = 0x1;
/// ACK of SETTINGS and PING.
pub(super) const ACK: u8 = 0x1;
/// END_HEADERS of HEADERS and CONTINUATION.
pub(super) const END_HEADERS: u8 = 0x4;
/// PADDED of DATA and HEADERS.
pub(super) const PADDED: u8 = 0x8;
/// PRIORITY of HEADERS.
pub(super) const HAS_PRIORITY: u8 = 0x20;

/// A frame's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FrameHeader {
    pub(super) len: usize,
    pub(super) kind: u8,
    pub(super) flags: u8,
    /// Without the reserved bit.
    pub(super) stream: u32,
}

impl FrameHeader {
    /// The header at the beginning of `bytes`; nothing if it is not whole.
    pub(super) fn parse(bytes: &[u8]) -> Option<FrameHeader> {
        let [l1, l2, l3, kind, flags, s1, s2, s3, s4] = *bytes.first_chunk::<HEADER_BYTES>()?;
        Some(FrameHeader {
            len: u32::from_be_bytes([0, l1, l2, l3]) as usize,
            kind,
            flags,
            stream: u32::from_be_bytes([s1, s2, s3, s4]) & STREAM_MAX,
        })
    }

    pub(super) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// The largest stream identifier, and the largest window.
pub(super) const STREAM_MAX: u32 = (1 << 31) - 1;

/// Appends a frame's header.
pub(super) fn write_header(len: usize, kind: u8, flags: u8, stream: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(&header(len, kind, flags, stream));
}

/// A frame's header.
pub(super) fn header(len: usize, kind: u8, flags: u8, stream: u32) -> [u8; HEADER_BYTES] {
    debug_assert!(len <= 0xff_ffff);
    let [_, l1, l2, l3] = (len as u32).to_be_bytes();
    let [s1, s2, s3, s4] = stream.to_be_bytes();
    [l1, l2, l3, kind, flags, s1, s2, s3, s4]
}

pub(super) fn write_reset(stream: u32, code: ErrorCode, out: &mut Vec<u8>) {
    write_header(4, RST_STREAM, 0, stream, out);
    out.extend_from_slice(&(code as u32).to_be_bytes());
}

pub(super) fn write_window_update(stream: u32, by: u32, out: &mut Vec<u8>) {
    debug_assert!((1..=STREAM_MAX).contains(&by));
    write_header(4, WINDOW_UPDATE, 0, stream, out);
    out.extend_from_slice(&by.to_be_bytes());
}

pub(super) fn write_ping(payload: [u8; 8], flags: u8, out: &mut Vec<u8>) {
    write_header(8, PING, flags, 0, out);
    out.extend_from_slice(&payload);
}

pub(super) fn write_goaway(last_stream: u32, code: ErrorCode, debug: &[u8], out: &mut Vec<u8>) {
    write_header(8 + debug.len(), GOAWAY, 0, 0, out);
    out.extend_from_slice(&last_stream.to_be_bytes());
    out.extend_from_slice(&(code as u32).to_be_bytes());
    out.extend_from_slice(debug);
}

/// The payload of a frame that may be padded, without its padding. Nothing if there is more padding than payload
/// (RFC 9113 section 6.1).
pub(super) fn unpadded<'a>(header: &FrameHeader, payload: &'a [u8]) -> Option<&'a [u8]> {
    if !header.has(PADDED) {
        return Some(payload);
    }
    let (padding, rest) = payload.split_first()?;
    rest.get(..rest.len().checked_sub(usize::from(*padding))?)
}

/// The four bytes of a payload as a number, without the reserved bit.
pub(super) fn number(payload: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(*payload.first_chunk()?) & STREAM_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_as_it_is_written() {
        let bytes = header(0x01_2345, HEADERS, END_STREAM | END_HEADERS, 0x7fff_fffe);
        let read = FrameHeader::parse(&bytes).unwrap();
        assert_eq!((read.len, read.kind, read.flags, read.stream), (0x01_2345, 1, 5, 0x7fff_fffe));
        assert_eq!(FrameHeader::parse(&bytes[..8]), None);
        // The reserved bit says nothing (section 4.1).
        assert_eq!(FrameHeader::parse(&[0, 0, 0, 0, 0, 0x80, 0, 0, 1]).unwrap().stream, 1);
    }

    #[test]
    fn padding_ends_within_the_payload() {
        let padded = FrameHeader { len: 4, kind: DATA, flags: PADDED, stream: 1 };
        assert_eq!(unpadded(&padded, b"\x02a\0\0"), Some(&b"a"[..]));
        assert_eq!(unpadded(&padded, b"\x03\0\0\0"), Some(&b""[..]));
        assert_eq!(unpadded(&padded, b"\x04\0\0\0"), None);
        assert_eq!(unpadded(&padded, b""), None);
    }
}
