//! Local replies that gRPC clients understand.

use super::Kind;
use crate::http::{BodyLength, Name, ResponseHead};

/// The most bytes of text that become a `grpc-message`; the rest is cut. Each may take three, and clients take no more
/// than 8 KiB of fields unless told otherwise.
pub const MESSAGE_BYTES_MAX: usize = 2048;

/// The names of gRPC's status codes (`statuscodes.md`), in the order of their numbers, from 0.
pub const STATUS_NAMES: &[&str] = &[
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// The status code for an answer that has none: for the HTTP status of a local reply, or of an upstream that does not
/// speak gRPC.
///
/// That is the table in gRPC's `http-grpc-status-mapping.md`, which Envoy uses too, but for 408 and 504. These
/// are deadlines that the gateway or an upstream's proxy held, so they are `DEADLINE_EXCEEDED` (4): the client gave a
/// deadline to have it told apart, and `UNAVAILABLE` would invite it to try again at once.
pub fn status_of_http(status: u16) -> u8 {
    match status {
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        408 | 504 => 4,
        429 | 502 | 503 => 14,
        _ => 2,
    }
}

/// The status of HTTP that a `grpc-status` stands for, by `google.rpc.Code`; nothing for what is no status. Envoy's outlier
/// detection counts calls by it.
pub fn http_of_status(grpc_status: &[u8]) -> Option<u16> {
    let number: usize = std::str::from_utf8(grpc_status).ok()?.parse().ok()?;
    const HTTP: [u16; STATUS_NAMES.len()] =
        [200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401];
    HTTP.get(number).copied()
}

/// Appends a text as a `grpc-message` (`PROTOCOL-HTTP2.md`, `Percent-Encoded`): bytes below 0x20, above 0x7e and `%`
/// are escaped.
///
/// So is a space at either end, for no field value keeps its outer white space (RFC 9110 section 5.5), and
/// HTTP/2 refuses it (RFC 9113 section 8.2.1).
pub fn encode_message(text: &str, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let last = text.len().saturating_sub(1);
    for (at, byte) in text.bytes().enumerate() {
        let is_outer = byte == b' ' && (at == 0 || at == last);
        if matches!(byte, b' '..=b'~') && byte != b'%' && !is_outer {
            out.push(byte);
        } else {
            out.extend([b'%', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        }
    }
}

/// Makes a response head one of gRPC that ends the call: "trailers-only", with HTTP status 200 and no body
/// (`PROTOCOL-HTTP2.md`, `PROTOCOL-WEB.md`). `grpc-status` comes from the HTTP status that it would have had
/// ([`status_of_http`]), `grpc-message` is at most [`MESSAGE_BYTES_MAX`] bytes of `message`, and absent where that is
/// empty.
///
/// `kind` is what the client gets: for a gRPC-Web client that is
/// [`Translation::answer_kind`](super::Translation::answer_kind). Fields that have nothing to do with a body stay.
pub fn local_reply(head: &mut ResponseHead, kind: Kind, http_status: u16, message: &str) {
    let content_type: &[u8] = match kind {
        Kind::Grpc => b"application/grpc",
        Kind::Web => b"application/grpc-web+proto",
        Kind::WebText => b"application/grpc-web-text+proto",
    };
    head.fields.remove(Name::ContentType);
    head.fields.push_known(Name::ContentType, "content-type", content_type);
    drop_body(head);
    set_status(head, status_of_http(http_status), message);
}

/// Makes the head one without a body, and with the HTTP status of all gRPC.
pub(super) fn drop_body(head: &mut ResponseHead) {
    head.status = 200;
    head.body = BodyLength::None;
    head.content_length = None;
    head.fields.remove(Name::ContentLength);
    head.fields.remove(Name::Trailer);
    head.fields.remove_text(b"content-encoding");
}

/// Puts a status and a message into the head.
pub(super) fn set_status(head: &mut ResponseHead, status: u8, message: &str) {
    head.fields.set(b"grpc-status", status.to_string().as_bytes());
    head.fields.remove_text(b"grpc-message");
    let end = (0..=MESSAGE_BYTES_MAX.min(message.len())).rev().find(|at| message.is_char_boundary(*at));
    let message = &message[..end.unwrap_or(0)];
    if !message.is_empty() {
        let mut encoded = Vec::with_capacity(message.len());
        encode_message(message, &mut encoded);
        head.fields.push(b"grpc-message", &encoded);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(text: &str) -> String {
        let mut out = b">".to_vec();
        encode_message(text, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn statuses_follow_the_table() {
        let wanted =
            [(400, 13), (401, 16), (403, 7), (404, 12), (408, 4), (504, 4), (429, 14), (502, 14), (503, 14)];
        for status in 100..=999 {
            let grpc = wanted.iter().find(|(http, _)| *http == status).map_or(2, |(_, grpc)| *grpc);
            assert_eq!(status_of_http(status), grpc, "{status}");
        }
    }

    #[test]
    fn statuses_of_grpc_stand_for_some_of_http() {
        let all = [&b"0"[..], b"4", b"7", b"14", b"16", b"17", b"-1", b"x", b""].map(http_of_status);
        assert_eq!(all[..5], [200, 504, 403, 503, 401].map(Some));
        assert_eq!(all[5..], [None; 4]);
    }

    #[test]
    fn messages_are_escaped() {
        assert_eq!(encoded(""), ">");
        assert_eq!(encoded("no such host: a~b!"), ">no such host: a~b!");
        assert_eq!(encoded("100%\r\n\t\0\u{1f}\u{7f}"), ">100%25%0D%0A%09%00%1F%7F");
        assert_eq!(encoded("grün \u{20ac}"), ">gr%C3%BCn %E2%82%AC");
        assert_eq!(encoded("  a b "), ">%20 a b%20");
        assert_eq!(encoded(" "), ">%20");
    }

    #[test]
    fn every_byte_comes_back() {
        let text: String = (0..=0x17f).filter_map(char::from_u32).collect();
        let escaped = encoded(&text).into_bytes();
        assert!(escaped.iter().all(|byte| matches!(byte, 0x20..=0x7e)));
        let (mut rest, mut decoded) = (&escaped[1..], Vec::new());
        while let [first, after @ ..] = rest {
            let is_escape = *first == b'%';
            let digits = || std::str::from_utf8(&after[..2]).unwrap();
            decoded.push(if is_escape { u8::from_str_radix(digits(), 16).unwrap() } else { *first });
            rest = if is_escape { &after[2..] } else { after };
        }
        assert_eq!(decoded, text.as_bytes());
    }

    /// The head of an answer with a body, as a local reply has it.
    fn with_body() -> ResponseHead {
        let mut head = ResponseHead { status: 503, body: BodyLength::Sized(9), ..ResponseHead::default() };
        head.content_length = Some(9);
        for (name, value) in [
            ("content-type", "text/plain"),
            ("server", "a"),
            ("content-encoding", "gzip"),
            ("grpc-message", "old"),
            ("x-a", "1"),
        ] {
            head.fields.push(name.as_bytes(), value.as_bytes());
        }
        head
    }

    fn lines(head: &ResponseHead) -> String {
        let mut out = Vec::new();
        head.fields.write_lines(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn local_replies_end_the_call() {
        for (kind, content_type) in [
            (Kind::Grpc, "application/grpc"),
            (Kind::Web, "application/grpc-web+proto"),
            (Kind::WebText, "application/grpc-web-text+proto"),
        ] {
            let mut head = with_body();
            local_reply(&mut head, kind, 503, "no healthy upstream");
            assert_eq!((head.status, head.body, head.content_length), (200, BodyLength::None, None));
            let wanted = format!(
                "server: a\r\nx-a: 1\r\ncontent-type: {content_type}\r\ngrpc-status: 14\r\n\
                 grpc-message: no healthy upstream\r\n"
            );
            assert_eq!(lines(&head), wanted);
            local_reply(&mut head, kind, 504, "");
            assert_eq!(
                lines(&head),
                format!("server: a\r\nx-a: 1\r\ncontent-type: {content_type}\r\ngrpc-status: 4\r\n")
            );
        }
    }

    #[test]
    fn long_messages_are_cut_between_characters() {
        let mut head = ResponseHead::default();
        local_reply(&mut head, Kind::Grpc, 500, &"a".repeat(MESSAGE_BYTES_MAX));
        assert_eq!(head.fields.get_text(b"grpc-message").map(<[u8]>::len), Some(MESSAGE_BYTES_MAX));
        let text = format!("{}\u{20ac}", "a".repeat(MESSAGE_BYTES_MAX - 2));
        local_reply(&mut head, Kind::Grpc, 500, &text);
        assert_eq!(head.fields.get_text(b"grpc-message"), Some("a".repeat(MESSAGE_BYTES_MAX - 2).as_bytes()));
    }
}
