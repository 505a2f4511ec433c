//! The generic cases of h2spec 2.6: what every server has to take.

use super::{
    h2_cases::{Case, Expect, H2spec, all_hold, beyond, h2spec},
    h2_frames::*,
    h2_hpack::literal,
    h2_peer::Peer,
};

/// A case that wants an answer.
const fn answered(id: &'static str, title: &'static str, run: fn(&mut Peer)) -> Case {
    h2spec(id, title, H2spec::Headers, Expect::Answer(200), run)
}

const STREAMS: &[Case] = &[
    h2spec("generic/1/1", "the server begins with SETTINGS", H2spec::Settings, Expect::Alive, |p| {
        p.handshake(&[(INITIAL_WINDOW_SIZE, 65_535)]);
    })
    .bare(),
    h2spec("generic/2/1", "PRIORITY on an idle stream", H2spec::Pong, Expect::Alive, |p| {
        p.send(&priority(1, 0, 255));
    }),
    h2spec("generic/2/2", "WINDOW_UPDATE, half-closed (remote)", H2spec::Data, Expect::Answer(200), |p| {
        p.send(&settings(&[(INITIAL_WINDOW_SIZE, 0)]));
        p.get(1);
        p.send(&window_update(1, 1));
        p.until_body(1, 1);
    }),
    h2spec("generic/2/3", "PRIORITY, half-closed (remote)", H2spec::Data, Expect::Answer(200), |p| {
        p.send(&settings(&[(INITIAL_WINDOW_SIZE, 0)]));
        p.get(1);
        p.send(&[priority(1, 0, 255), window_update(1, 1)].concat());
        p.until_body(1, 1);
    }),
    h2spec("generic/2/4", "RST_STREAM, half-closed (remote)", H2spec::PongOrClosed, Expect::Alive, |p| {
        p.get(1);
        p.send(&rst_stream(1, CANCEL));
    }),
    h2spec("generic/2/5", "PRIORITY on a closed stream", H2spec::Pong, Expect::Answer(200), |p| {
        p.get(1);
        p.until_end_of(1);
        p.send(&priority(1, 0, 255));
    }),
];

const FRAMES: &[Case] = &[
    answered("generic/3.1/1", "DATA", |p| {
        p.post(1);
        p.send(&data(1, END_STREAM, b"test"));
        p.until_end_of(1);
        assert!(p.body(1).ends_with(b"\n\ntest"));
    }),
    answered("generic/3.1/2", "DATA twice", |p| {
        p.post(1);
        p.send(&[data(1, 0, b"test"), data(1, END_STREAM, b"test")].concat());
        p.until_end_of(1);
        assert!(p.body(1).ends_with(b"\n\ntesttest"));
    }),
    answered("generic/3.1/3", "DATA with padding", |p| {
        p.post(1);
        p.send(&padded(DATA, 1, END_STREAM, b"test", 6));
        p.until_end_of(1);
        assert!(p.body(1).ends_with(b"\n\ntest"));
    }),
    answered("generic/3.2/1", "HEADERS", |p| p.get(1)),
    answered("generic/3.2/2", "HEADERS with padding", |p| {
        let block = p.fields("GET").block();
        p.send(&padded(HEADERS, 1, END, &block, 8));
    }),
    answered("generic/3.2/3", "HEADERS with a priority", |p| {
        let block = [dependency(0, 255), p.fields("GET").block()].concat();
        p.send(&headers(1, END | WITH_PRIORITY, &block));
    }),
    answered("generic/3.3/1", "PRIORITY with the least weight", |p| {
        p.send(&priority(1, 0, 0));
        p.get(1);
    }),
    answered("generic/3.3/2", "PRIORITY with the greatest weight", |p| {
        p.send(&priority(1, 0, 255));
        p.get(1);
    }),
    answered("generic/3.3/3", "PRIORITY that depends on another stream", |p| {
        p.send(&priority(3, 1, 0));
        p.get(1);
    }),
    answered("generic/3.3/4", "PRIORITY, exclusive", |p| {
        p.send(&priority(1, 1 << 31, 0));
        p.get(1);
    }),
    answered("generic/3.3/5", "PRIORITY on an idle stream, then HEADERS on a lower one", |p| {
        p.send(&priority(3, 0, 255));
        p.get(1);
    }),
    h2spec("generic/3.4/1", "RST_STREAM", H2spec::PongOrClosed, Expect::Alive, |p| {
        p.post(1);
        p.send(&rst_stream(1, CANCEL));
    }),
    h2spec("generic/3.5/1", "SETTINGS", H2spec::Acknowledged, Expect::Alive, |p| {
        p.send(&settings(&[
            (HEADER_TABLE_SIZE, 4096),
            (ENABLE_PUSH, 1),
            (MAX_CONCURRENT_STREAMS, 100),
            (INITIAL_WINDOW_SIZE, 65_535),
            (MAX_FRAME_SIZE, 16_384),
            (MAX_HEADER_LIST_SIZE, 100),
        ]));
        p.until_acknowledged();
    }),
    h2spec("generic/3.7/1", "PING", H2spec::Pong, Expect::Alive, |p| {
        p.send(&ping(0, b"anything"));
        assert!(p.until(|p| p.has_pong(b"anything")));
    }),
    h2spec("generic/3.8/1", "GOAWAY", H2spec::Closed, Expect::End, |p| p.send(&goaway(0, NO_ERROR))),
    h2spec("generic/3.9/1", "WINDOW_UPDATE on the connection", H2spec::Pong, Expect::Alive, |p| {
        p.send(&window_update(0, 1));
    }),
    answered("generic/3.9/2", "WINDOW_UPDATE on a stream", |p| {
        p.get(1);
        p.send(&window_update(1, 1));
    }),
    answered("generic/3.10/1", "CONTINUATION", |p| {
        let block = p.fields("GET").block();
        let (begin, rest) = block.split_at(5);
        p.send(&[headers(1, END_STREAM, begin), continuation(1, END_HEADERS, rest)].concat());
    }),
    answered("generic/3.10/2", "CONTINUATION twice", |p| {
        let block = p.fields("GET").block();
        p.send(&headers(1, END_STREAM, &block[..5]));
        p.send(&[continuation(1, 0, &block[5..10]), continuation(1, END_HEADERS, &block[10..])].concat());
    }),
];

const MESSAGES: &[Case] = &[
    answered("generic/4/1", "GET", |p| p.get(1)),
    answered("generic/4/2", "HEAD", |p| {
        let fields = p.fields("HEAD");
        p.ask(&fields);
        p.until_end_of(1);
        assert!(p.body(1).is_empty());
    }),
    answered("generic/4/3", "POST", |p| {
        p.post(1);
        p.send(&data(1, END_STREAM, b"test"));
    }),
    answered("generic/4/4", "POST with trailers", |p| {
        let fields = p.fields("POST").add("trailer", "x-test");
        p.send(&headers(1, END_HEADERS, &fields.block()));
        p.send(&[data(1, 0, b"test"), headers(1, END, &literal("x-test", "ok"))].concat());
        p.until_end_of(1);
        assert!(p.body(1).ends_with(b"\n\ntest"));
    }),
];

/// The fields that the representations below stand for: with a Huffman code, and without.
const AGENT: &[u8] = b"\x0auser-agent\x06h2spec";
const AGENT_HUFFMAN: &[u8] = b"\x87\xb5\x05\xb1\x61\xcc\x5a\x93\x84\x9c\x48\xac\xa4";
const TEST: &[u8] = b"\x06x-test\x06h2spec";
const TEST_HUFFMAN: &[u8] = b"\x85\xf2\xb2\x4a\x84\xff\x84\x9c\x48\xac\xa4";

/// Sends a request with a field in this representation; the origin has to get `line`.
fn echoed(p: &mut Peer, first: &[u8], field: &[u8], line: &str) {
    p.get_with(b"", &[first, field].concat());
    p.until_end_of(1);
    let body = String::from_utf8(p.body(1)).unwrap();
    assert!(body.lines().any(|l| l == line), "no `{line}` in {body:?}");
}

const HPACK: &[Case] = &[
    answered("generic/5/1", "an indexed field", |p| echoed(p, b"\xba", b"", "user-agent: ")),
    answered("generic/5/2", "a literal, indexed", |p| echoed(p, b"\x40", AGENT, "user-agent: h2spec")),
    answered("generic/5/3", "the same, in a Huffman code", |p| {
        echoed(p, b"\x40", AGENT_HUFFMAN, "user-agent: h2spec");
    }),
    answered("generic/5/4", "a literal, indexed, with a new name", |p| {
        echoed(p, b"\x40", TEST, "x-test: h2spec");
    }),
    answered("generic/5/5", "the same, in a Huffman code", |p| {
        echoed(p, b"\x40", TEST_HUFFMAN, "x-test: h2spec");
    }),
    answered("generic/5/6", "a literal, not indexed", |p| echoed(p, b"\x00", AGENT, "user-agent: h2spec")),
    answered("generic/5/7", "the same, in a Huffman code", |p| {
        echoed(p, b"\x00", AGENT_HUFFMAN, "user-agent: h2spec");
    }),
    answered("generic/5/8", "a literal, not indexed, with a new name", |p| {
        echoed(p, b"\x00", TEST, "x-test: h2spec");
    }),
    answered("generic/5/9", "the same, in a Huffman code", |p| {
        echoed(p, b"\x00", TEST_HUFFMAN, "x-test: h2spec");
    }),
    answered("generic/5/10", "a literal, never indexed", |p| {
        echoed(p, b"\x10", AGENT, "user-agent: h2spec");
    }),
    answered("generic/5/11", "the same, in a Huffman code", |p| {
        echoed(p, b"\x10", AGENT_HUFFMAN, "user-agent: h2spec");
    }),
    answered("generic/5/12", "a literal, never indexed, with a new name", |p| {
        echoed(p, b"\x10", TEST, "x-test: h2spec");
    }),
    answered("generic/5/13", "the same, in a Huffman code", |p| {
        echoed(p, b"\x10", TEST_HUFFMAN, "x-test: h2spec");
    }),
    answered("generic/5/14", "a dynamic table size update", |p| p.get_with(b"\x20", b"")),
    answered("generic/5/15", "two of them: 0 and 4096", |p| p.get_with(b"\x20\x3f\xe1\x1f", b"")),
    // h2spec speaks of indexed names, and spells them out.
    beyond("RFC 7541 6.2.1", "a literal, indexed, with a name of the table", Expect::Answer(200), |p| {
        echoed(p, b"\x7a", &AGENT[11..], "user-agent: h2spec");
    }),
    beyond("RFC 7541 6.2.2", "a literal, not indexed, with a name of the table", Expect::Answer(200), |p| {
        echoed(p, b"\x0f\x2b", &AGENT[11..], "user-agent: h2spec");
    }),
    beyond(
        "RFC 7541 6.2.3",
        "a literal, never indexed, with a name of the table",
        Expect::Answer(200),
        |p| {
            echoed(p, b"\x1f\x2b", &AGENT[11..], "user-agent: h2spec");
        },
    ),
];

#[test]
fn streams() {
    all_hold("generic/1 and 2", STREAMS);
}

#[test]
fn frames() {
    all_hold("generic/3", FRAMES);
}

#[test]
fn messages() {
    all_hold("generic/4", MESSAGES);
}

#[test]
fn field_representations() {
    all_hold("generic/5", HPACK);
}
