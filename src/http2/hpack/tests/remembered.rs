//! What the encoder remembers, and what it never does.

use super::super::{Decoder, Encoder};
use super::{hex, pairs};
use crate::http::Name;

/// The block of one field.
fn block(encoder: &mut Encoder, text: &str, value: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    encoder.begin(&mut out);
    encoder.field(Name::of(text.as_bytes()), text.as_bytes(), value, &mut out);
    out
}

#[test]
fn a_field_that_comes_again_becomes_an_index() {
    let mut encoder = Encoder::new();
    assert_eq!(block(&mut encoder, "x-a", b"v"), hex("00 03 78 2d 61 01 76"));
    assert_eq!(block(&mut encoder, "x-a", b"v"), hex("40 03 78 2d 61 01 76"));
    assert_eq!(block(&mut encoder, "x-a", b"v"), hex("be"));
    assert_eq!(block(&mut encoder, "server", b"v"), hex("0f 27 01 76"));
    assert_eq!(block(&mut encoder, "server", b"v"), hex("76 01 76"));
    assert_eq!(block(&mut encoder, "server", b"v"), hex("be"));
    assert_eq!(block(&mut encoder, "x-a", b"v"), hex("bf"));
}

#[test]
fn the_authority_is_remembered_at_once() {
    let mut encoder = Encoder::new();
    let mut out = Vec::new();
    encoder.authority(b"a.b", &mut out);
    encoder.authority(b"a.b", &mut out);
    assert_eq!(out, hex("41 03 61 2e 62 be"));
}

#[test]
fn static_fields_are_one_byte() {
    let mut encoder = Encoder::new();
    let mut out = Vec::new();
    for status in [200, 204, 206, 304, 400, 404, 500] {
        encoder.status(status, &mut out);
    }
    encoder.method(b"GET", &mut out);
    encoder.method(b"POST", &mut out);
    encoder.path(b"/", &mut out);
    encoder.path(b"/index.html", &mut out);
    encoder.scheme(b"http", &mut out);
    encoder.scheme(b"https", &mut out);
    encoder.field(Name::Other, b"accept-encoding", b"gzip, deflate", &mut out);
    assert_eq!(out, hex("88 89 8a 8b 8c 8d 8e 82 83 84 85 86 87 90"));
}

#[test]
fn other_pseudo_headers_are_what_they_say() {
    let mut encoder = Encoder::new();
    let mut decoder = Decoder::new(4096);
    for _ in 0..3 {
        let mut out = Vec::new();
        encoder.begin(&mut out);
        encoder.status(503, &mut out);
        encoder.method(b"PATCH", &mut out);
        encoder.path(b"/a?b", &mut out);
        encoder.scheme(b"ws", &mut out);
        let expected = [(":status", "503"), (":method", "PATCH"), (":path", "/a?b"), (":scheme", "ws")];
        assert_eq!(super::fields(&mut decoder, &out), Ok(pairs(&expected)));
    }
}

#[test]
fn what_varies_is_not_remembered() {
    let varying =
        "x-request-id content-length etag last-modified location age if-none-match if-modified-since
        grpc-timeout x-envoy-upstream-service-time traceparent x-b3-traceid x-b3-sampled content-range range";
    let mut encoder = Encoder::new();
    for text in varying.split_whitespace() {
        for _ in 0..4 {
            assert_eq!(block(&mut encoder, text, b"v")[0] & 0xf0, 0, "{text}");
        }
    }
    let mut out = Vec::new();
    for _ in 0..4 {
        encoder.path(b"/a", &mut out);
    }
    assert_eq!(out, hex("04 02 2f 61").repeat(4));
    assert_eq!(encoder.table_bytes(), 0);
}

#[test]
fn secrets_are_never_indexed() {
    let mut encoder = Encoder::new();
    for text in ["authorization", "cookie", "set-cookie", "proxy-authorization"] {
        for _ in 0..4 {
            let out = block(&mut encoder, text, b"secret");
            let mut seen = false;
            Decoder::new(0).decode(&out, |header| seen = header.never_indexed).unwrap();
            assert!(seen, "{text}");
        }
    }
    assert_eq!(encoder.table_bytes(), 0);
}

#[test]
fn long_values_and_what_the_peer_has_no_room_for_are_not_remembered() {
    let mut encoder = Encoder::new();
    for _ in 0..4 {
        assert_eq!(block(&mut encoder, "x-long", &[b'v'; 257])[0], 0);
    }
    encoder.set_limit(37);
    let first = block(&mut encoder, "x-a", b"123");
    assert_eq!(first, hex("3f 06 00 03 78 2d 61 03 31 32 33"));
    assert_eq!(block(&mut encoder, "x-a", b"123")[0], 0);
    assert_eq!(block(&mut encoder, "x-a", b"12")[0], 0);
    assert_eq!(block(&mut encoder, "x-a", b"12")[0], 0x40);
    assert_eq!(encoder.table_bytes(), 37);
}

#[test]
fn limits_are_told_at_the_start_of_the_next_block() {
    let begun = |encoder: &mut Encoder| {
        let mut out = Vec::new();
        encoder.begin(&mut out);
        out
    };
    let mut encoder = Encoder::new();
    assert_eq!(begun(&mut encoder), hex(""));
    // What the peer allows beyond what is used changes nothing.
    encoder.set_limit(65536);
    assert_eq!(begun(&mut encoder), hex(""));
    encoder.set_limit(16);
    assert_eq!(begun(&mut encoder), hex("30"));
    assert_eq!(begun(&mut encoder), hex(""));
    encoder.set_limit(65536);
    assert_eq!(begun(&mut encoder), hex("3f e1 1f"));
    // Down and up: the lowest and the last, though the last is what it was.
    encoder.set_limit(8);
    encoder.set_limit(0);
    encoder.set_limit(4096);
    assert_eq!(begun(&mut encoder), hex("20 3f e1 1f"));
    // Up and down: the last alone.
    encoder.set_limit(8);
    assert_eq!(begun(&mut encoder), hex("28"));
    encoder.set_limit(30);
    encoder.set_limit(20);
    encoder.set_limit(25);
    assert_eq!(begun(&mut encoder), hex("39"));
}
