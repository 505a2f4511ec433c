//! What must hold for any bytes. The corpus tests it here; `fuzz` tests it on bytes made from the corpus.

use super::{CLIENT_CASES, ORIGIN_CASES, cases, expand, text};
use crate::http::{BodyLength, Fields, RequestHead, ResponseHead, Upgrade};
use crate::http1::body::{BadBody, BodyDecoder, Next};
use crate::http1::decode::{self, BadRequest, BadResponse, Decoded, Http10, Limits, Policy};
use crate::http1::encode::{self, Framing};

/// A policy that lets as much pass as any can.
pub(super) const OPEN: Policy = Policy {
    limits: Limits { head_bytes: 60 * 1024, fields: 100 },
    http10: Http10::Accept,
    underscores: decode::Underscores::Allow,
    other_upgrades: decode::OtherUpgrades::Ignore,
};

pub(super) fn request(bytes: &[u8]) -> (Result<Decoded, BadRequest>, RequestHead) {
    let mut head = RequestHead::default();
    (decode::request(bytes, &OPEN, &mut head), head)
}

pub(super) fn response(bytes: &[u8]) -> (Result<Decoded, BadResponse>, ResponseHead) {
    let mut head = ResponseHead::default();
    (decode::response(bytes, &OPEN.limits, b"GET", Upgrade::WebSocket, &mut head), head)
}

#[test]
fn a_beginning_is_incomplete_or_already_decides() {
    for case in cases(CLIENT_CASES) {
        let bytes = expand(text(&case, "request"));
        check_beginnings(&bytes, |bytes| request(bytes).0);
    }
    for case in cases(ORIGIN_CASES) {
        let bytes = expand(text(&case, "response"));
        check_beginnings(&bytes, |bytes| response(bytes).0);
    }
}

/// More bytes turn an incomplete head into anything, but change nothing that is decided. (With fewer bytes a broken
/// line may be refused for another reason.)
pub(super) fn check_beginnings<E: PartialEq + std::fmt::Debug>(
    bytes: &[u8],
    decode: impl Fn(&[u8]) -> Result<Decoded, E>,
) {
    let whole = decode(bytes);
    let step = bytes.len() / 2000 + 1;
    for len in (0..bytes.len()).step_by(step) {
        let holds = match decode(&bytes[..len]) {
            Ok(Decoded::Incomplete) => true,
            Ok(head) => whole == Ok(head),
            Err(_) => whole.is_err(),
        };
        assert!(holds, "{whole:?} is decided otherwise by {}", bytes[..len].escape_ascii());
    }
}

#[test]
fn a_full_buffer_is_never_incomplete() {
    let limits = Limits::default();
    for start in ["GET / HTTP/1.1\r\nA: ", "GET /", "", "GET / HTTP/1.1\r\n"] {
        let mut bytes = start.as_bytes().to_vec();
        bytes.resize(limits.head_bytes - 1, b'a');
        if !start.is_empty() {
            assert_eq!(request(&bytes).0, Ok(Decoded::Incomplete), "{start}");
        }
        bytes.push(b'a');
        assert!(request(&bytes).0.is_err());
    }
    let mut bytes = b"HTTP/1.1 200 OK\r\nA: ".to_vec();
    bytes.resize(limits.head_bytes, b'a');
    assert_eq!(response(&bytes).0, Err(BadResponse::Fields(decode::BadFields::TooLarge)));
}

#[test]
fn the_limits_are_exact() {
    let limits = Limits { head_bytes: 50, fields: 2 };
    let policy = Policy { limits, ..OPEN };
    let mut head = RequestHead::default();
    let mut fits = b"GET / HTTP/1.1\r\nHost: a\r\nB: ".to_vec();
    fits.resize(50 - 4, b'b');
    fits.extend_from_slice(b"\r\n\r\n");
    assert_eq!(decode::request(&fits, &policy, &mut head), Ok(Decoded::Head { len: 50 }));
    fits.insert(30, b'b');
    let too_large = decode::request(&fits, &policy, &mut head).unwrap_err();
    assert_eq!((too_large.status(), too_large.detail()), (431, "request_headers_too_large"));
    let too_many =
        decode::request(b"GET / HTTP/1.1\r\nHost: a\r\nB:\r\nC:\r\n\r\n", &policy, &mut head).unwrap_err();
    assert_eq!((too_many.status(), too_many.detail()), (431, "http1.too_many_headers"));
}

/// All data of a body and how it ended, with the bytes given in pieces that end at `cuts`.
pub(super) fn collect(
    length: BodyLength,
    bytes: &[u8],
    cuts: &[usize],
) -> (Vec<u8>, Result<Option<usize>, BadBody>) {
    let mut decoder = BodyDecoder::new(length);
    let (mut data, mut at) = (Vec::new(), 0);
    for &cut in cuts.iter().chain([&bytes.len()]) {
        loop {
            let piece = match decoder.next(&bytes[at..cut]) {
                Ok(piece) => piece,
                Err(bad) => return (data, Err(bad)),
            };
            assert!(piece.consumed >= piece.data.end && at + piece.consumed <= cut);
            data.extend_from_slice(&bytes[at..cut][piece.data.clone()]);
            at += piece.consumed;
            match piece.next {
                Next::Look => assert!(piece.consumed > 0 && at < cut),
                Next::Read => {
                    assert_eq!(at, cut);
                    break;
                }
                Next::End => return (data, Ok(Some(at))),
            }
        }
    }
    (data, Ok(None))
}

#[test]
fn a_body_is_the_same_however_it_is_cut() {
    for case in cases(CLIENT_CASES) {
        let bytes = expand(text(&case, "request"));
        let (Ok(Decoded::Head { len }), head) = request(&bytes) else { continue };
        check_cuts(head.body, &bytes[len..]);
    }
}

pub(super) fn check_cuts(length: BodyLength, bytes: &[u8]) {
    let whole = collect(length, bytes, &[]);
    let bytewise: Vec<usize> = (0..bytes.len()).collect();
    let mut others = vec![collect(length, bytes, &bytewise)];
    if bytes.len() < 1000 {
        others.extend((0..bytes.len()).map(|cut| collect(length, bytes, &[cut])));
    }
    for other in others {
        assert_eq!(other.1, whole.1, "{}", bytes.escape_ascii());
        // Broken framing behind some data is seen before the data are given out, or after.
        if whole.1.is_ok() {
            assert_eq!(other.0, whole.0, "{}", bytes.escape_ascii());
        }
    }
}

#[test]
fn what_is_sent_reads_as_what_came() {
    for case in cases(CLIENT_CASES) {
        check_request_round_trip(&expand(text(&case, "request")));
    }
    for case in cases(ORIGIN_CASES) {
        check_response_round_trip(&expand(text(&case, "response")));
    }
}

pub(super) fn check_request_round_trip(bytes: &[u8]) {
    let (Ok(Decoded::Head { len }), head) = request(bytes) else { return };
    assert!(len <= bytes.len());
    check_fields(&head.fields);
    let mut sent = Vec::new();
    encode::request(&head, head.body, &mut sent);
    let (decoded, again) = request(&sent);
    assert_eq!(decoded, Ok(Decoded::Head { len: sent.len() }), "{}", sent.escape_ascii());
    assert_eq!(
        (&again.method, &again.target, &again.authority),
        (&head.method, &head.target, &head.authority)
    );
    assert_eq!((again.path_len, again.body, again.upgrade), (head.path_len, head.body, head.upgrade));
    assert_eq!(lines(&again.fields), lines(&head.fields));
}

pub(super) fn check_response_round_trip(bytes: &[u8]) {
    let (Ok(Decoded::Head { len }), head) = response(bytes) else { return };
    assert!(len <= bytes.len());
    check_fields(&head.fields);
    let mut sent = Vec::new();
    let recipient = encode::Recipient {
        method: b"GET",
        version: Default::default(),
        connection: encode::KeepAlive::Keep,
    };
    let framing = encode::response(&head, head.body, recipient, &mut sent);
    let (decoded, again) = response(&sent);
    assert_eq!(decoded, Ok(Decoded::Head { len: sent.len() }), "{}", sent.escape_ascii());
    let sent_as = match framing {
        Framing::None => BodyLength::None,
        Framing::Sized => head.body,
        Framing::Chunked => BodyLength::Unknown,
        Framing::UntilClose => BodyLength::UntilClose,
    };
    assert_eq!((again.status, again.body), (head.status, sent_as));
    assert_eq!(lines(&again.fields), lines(&head.fields));
}

fn lines(fields: &Fields) -> Vec<(Vec<u8>, Vec<u8>)> {
    fields.iter().map(|field| (field.text.to_vec(), field.value.to_vec())).collect()
}

/// No field may look like anything else to whoever reads it next.
fn check_fields(fields: &Fields) {
    for field in fields.iter() {
        assert!(
            !field.text.is_empty()
                && field
                    .text
                    .iter()
                    .all(|byte| byte.is_ascii_graphic() && !byte.is_ascii_uppercase() && *byte != b':')
        );
        assert!(field.value.iter().all(|&byte| byte == b'\t' || (byte >= b' ' && byte != 0x7f)));
        assert_eq!(field.value.trim_ascii().len(), field.value.len());
        let forbidden: [&[u8]; 5] =
            [b"content-length", b"transfer-encoding", b"connection", b"keep-alive", b"upgrade"];
        assert!(!forbidden.contains(&field.text), "{}", field.text.escape_ascii());
    }
}
