//! Heads and chunk framing to bytes. Everything is appended to a buffer of the caller's.

use super::reason;
use crate::http::{BodyLength, RequestHead, ResponseHead, Upgrade, Version};

/// How a body that follows an encoded head is framed, and so what its writer must add to the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Nothing follows the head.
    None,
    /// The data alone.
    Sized,
    /// Each piece between [`chunk_head`] and [`CHUNK_END`], and [`LAST_CHUNK`] after them.
    Chunked,
    /// The data alone, and the connection closes after them.
    UntilClose,
}

/// Who a response is for.
#[derive(Clone, Copy, Debug)]
pub struct Recipient<'a> {
    /// The method of the request: the answer to HEAD has no body.
    pub method: &'a [u8],
    /// The version the client speaks: HTTP/1.0 knows no chunks.
    pub version: Version,
    /// What becomes of the client's connection.
    pub connection: KeepAlive,
}

/// What becomes of a connection after a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepAlive {
    /// It waits for the next request.
    Keep,
    /// It closes.
    Close,
}

/// What follows the data of a chunk.
pub const CHUNK_END: &[u8] = b"\r\n";
/// What ends a chunked body after the last chunk's [`CHUNK_END`].
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";
/// The most bytes that [`chunk_head`] appends.
pub const CHUNK_HEAD_BYTES_MAX: usize = 18;

/// Appends a request head for an origin. `body` is how the body will be sent, which need not be how it came.
pub fn request(head: &RequestHead, body: BodyLength, out: &mut Vec<u8>) -> Framing {
    out.extend_from_slice(&head.method);
    out.push(b' ');
    out.extend_from_slice(&head.target);
    out.extend_from_slice(b" HTTP/1.1\r\nhost: ");
    out.extend_from_slice(&head.authority);
    out.extend_from_slice(b"\r\n");
    head.fields.write_lines(out);
    if head.upgrade == Upgrade::WebSocket {
        out.extend_from_slice(WEBSOCKET);
    }
    let framing = match body {
        // A method that calls for a body says when there is none (RFC 9110 section 8.6).
        BodyLength::None if matches!(head.method.as_slice(), b"POST" | b"PUT" | b"PATCH") => {
            out.extend_from_slice(b"content-length: 0\r\n");
            Framing::None
        }
        BodyLength::None => Framing::None,
        BodyLength::Sized(length) => sized(length, out),
        // A request cannot end with its connection (RFC 9112 section 6.3), so what has no length is chunked.
        BodyLength::Unknown | BodyLength::UntilClose => chunked(out),
    };
    out.extend_from_slice(b"\r\n");
    framing
}

/// Appends a response head for a client. `body` is how the body will be sent; where the framing that is returned is
/// [`Framing::UntilClose`], the connection must close whatever `recipient` said.
pub fn response(
    head: &ResponseHead,
    body: BodyLength,
    recipient: Recipient<'_>,
    out: &mut Vec<u8>,
) -> Framing {
    status_line(head.status, out);
    head.fields.write_lines(out);
    if head.status < 200 {
        if head.status == 101 {
            out.extend_from_slice(WEBSOCKET);
        }
        out.extend_from_slice(b"\r\n");
        return Framing::None;
    }
    let framing = response_framing(head, body, &recipient, out);
    if recipient.connection == KeepAlive::Close || framing == Framing::UntilClose {
        out.extend_from_slice(b"connection: close\r\n");
    } else if recipient.version == Version::Http10 {
        out.extend_from_slice(b"connection: keep-alive\r\n");
    }
    out.extend_from_slice(b"\r\n");
    framing
}

/// Appends what comes before the data of a chunk. A chunk of no data would end the body: `len` is never zero.
pub fn chunk_head(len: usize, out: &mut Vec<u8>) {
    debug_assert!(len > 0, "the last chunk has its own constant");
    let mut digits = [0u8; 16];
    let mut at = digits.len();
    let mut rest = len;
    while rest > 0 {
        at -= 1;
        digits[at] = b"0123456789abcdef"[rest & 15];
        rest >>= 4;
    }
    out.extend_from_slice(&digits[at..]);
    out.extend_from_slice(b"\r\n");
}

const WEBSOCKET: &[u8] = b"connection: Upgrade\r\nupgrade: websocket\r\n";

fn status_line(status: u16, out: &mut Vec<u8>) {
    if status == 200 {
        return out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
    }
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(itoa::Buffer::new().format(status).as_bytes());
    out.push(b' ');
    out.extend_from_slice(reason::phrase(status).as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Appends the framing fields of a final response (RFC 9112 section 6, RFC 9110 section 8.6).
fn response_framing(
    head: &ResponseHead,
    body: BodyLength,
    recipient: &Recipient<'_>,
    out: &mut Vec<u8>,
) -> Framing {
    if head.status == 204 {
        return Framing::None;
    }
    if head.status == 304 || recipient.method == b"HEAD" {
        // The length is the one that a GET would have had, if the origin said so.
        match head.content_length {
            Some(length) => drop(sized(length, out)),
            // A GET would have got chunks: the origin said no length, and we frame anew (RFC 9110 section 9.3.2).
            None if head.status != 304 && recipient.version != Version::Http10 => drop(chunked(out)),
            None => {}
        }
        return Framing::None;
    }
    match body {
        BodyLength::None => {
            sized(0, out);
            Framing::None
        }
        BodyLength::Sized(length) => sized(length, out),
        BodyLength::Unknown | BodyLength::UntilClose if recipient.version == Version::Http10 => {
            Framing::UntilClose
        }
        BodyLength::Unknown | BodyLength::UntilClose => chunked(out),
    }
}

fn sized(length: u64, out: &mut Vec<u8>) -> Framing {
    out.extend_from_slice(b"content-length: ");
    out.extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
    out.extend_from_slice(b"\r\n");
    Framing::Sized
}

fn chunked(out: &mut Vec<u8>) -> Framing {
    out.extend_from_slice(b"transfer-encoding: chunked\r\n");
    Framing::Chunked
}

#[cfg(test)]
mod tests;
