//! Sections 3.4 to 5 of RFC 9113, beyond h2spec: the preface, what frames look like, and the lives of streams.

use super::{
    h2_cases::{Case, Expect, all_hold, beyond},
    h2_frames::*,
    h2_hpack::literal,
    h2_peer::{PROBE, Peer},
};

/// An error of the connection.
const fn connection(
    id: &'static str,
    title: &'static str,
    codes: &'static [u32],
    run: fn(&mut Peer),
) -> Case {
    beyond(id, title, Expect::Connection(codes), run)
}

const PREFACES: &[Case] = &[
    beyond("3.4", "octet by octet", Expect::Answer(200), |p| {
        PREFACE.iter().for_each(|octet| p.raw(&[*octet]));
        p.send(&settings(&[]));
        p.until_acknowledged();
        p.get(1);
    })
    .bare(),
    beyond("3.4", "with a request right behind it", Expect::Answer(200), |p| {
        let block = p.fields("GET").block();
        p.begin(&[settings(&[]), headers(1, END, &block)].concat());
    })
    .bare(),
    beyond("3.4", "with another last octet", Expect::End, |p| {
        p.raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\r");
        p.send(&settings(&[]));
    })
    .bare(),
    beyond("3.4", "of another version", Expect::End, |p| p.raw(b"PRI * HTTP/1.1\r\n\r\nSM\r\n\r\n")).bare(),
    beyond("3.4", "without SETTINGS: PING", Expect::End, |p| p.begin(&ping(0, b"too soon"))).bare(),
    beyond("3.4", "without SETTINGS: HEADERS", Expect::End, |p| {
        let block = p.fields("GET").block();
        p.begin(&headers(1, END, &block));
        p.until(|_| false);
        assert!(p.answer(1).is_none(), "answered");
    })
    .bare(),
    beyond("3.4", "with SETTINGS that are wrong", Expect::Connection(&[PROTOCOL_ERROR]), |p| {
        p.begin(&settings(&[(ENABLE_PUSH, 2)]));
    })
    .bare(),
    beyond("3.4", "twice", Expect::End, |p| p.raw(PREFACE)),
    beyond("3.4", "the server ends after HTTP/1.1, too", Expect::End, |p| {
        p.raw(b"GET /local HTTP/1.1\r\nHost: web.test\r\nX-Case: 0\r\nConnection: close\r\n\r\n");
    })
    .bare(),
];

const FORMAT: &[Case] = &[
    beyond("4.1", "an unknown type between HEADERS and DATA", Expect::Answer(200), |p| {
        p.post(1);
        p.send(&[data(1, 0, b"te"), frame(UNKNOWN, 0xff, 1, b"??"), data(1, END_STREAM, b"st")].concat());
        p.until_end_of(1);
        assert!(p.body(1).ends_with(b"\n\ntest"));
    }),
    beyond("4.1", "an unknown type does not open a stream", Expect::Answer(200), |p| {
        p.send(&frame(UNKNOWN, 0, 7, b"??"));
        p.get(1);
    }),
    beyond("4.1", "unknown types, empty and as long as allowed", Expect::Alive, |p| {
        let long = vec![0; p.frame_max()];
        p.send(&[frame(0xff, 0, 0, b""), frame(0xfe, 0xff, 3, &long)].concat());
    }),
    beyond("4.1", "the reserved bit of HEADERS", Expect::Answer(200), |p| {
        let block = p.fields("GET").block();
        p.send(&headers(1 | 1 << 31, END, &block));
    }),
    beyond("4.1", "flags of HEADERS and DATA that nobody has defined", Expect::Answer(200), |p| {
        let block = p.fields("POST").block();
        p.send(&[headers(1, END_HEADERS | 0xd2, &block), data(1, END_STREAM | 0xf6, b"test")].concat());
        p.until_end_of(1);
        assert!(p.body(1).ends_with(b"\n\ntest"));
    }),
    beyond("4.1", "flags of all others that nobody has defined", Expect::Alive, |p| {
        let ack = frame(SETTINGS, 0xfe, 0, &settings(&[(ENABLE_PUSH, 0)])[9..]);
        p.post(1);
        p.send(
            &[ack, frame(WINDOW_UPDATE, 0xff, 0, &[0, 0, 0, 1]), frame(PRIORITY, 0xff, 1, &[0; 5])].concat(),
        );
        p.send(&frame(RST_STREAM, 0xff, 1, &CANCEL.to_be_bytes()));
    }),
    beyond("4.1", "the reserved bit of WINDOW_UPDATE", Expect::Answer(200), |p| {
        p.send(&settings(&[(INITIAL_WINDOW_SIZE, 0)]));
        p.get(1);
        p.send(&window_update(1, 1 | 1 << 31));
        p.until_body(1, 1);
        p.synchronize();
        assert_eq!(p.body(1).len(), 1);
    }),
    beyond("4.1", "END_STREAM is no flag of CONTINUATION", Expect::Answer(200), |p| {
        let block = p.fields("POST").block();
        p.send(&[headers(1, 0, b""), continuation(1, END, &block), data(1, END_STREAM, b"test")].concat());
        p.until_end_of(1);
        assert!(p.body(1).ends_with(b"\n\ntest"));
    }),
];

/// The head of a frame on a connection on which a request waits for its body, and nothing of its payload.
fn head_alone(p: &mut Peer, length: usize, kind: u8, stream: u32) {
    p.post(1);
    p.cut(&head(length, kind, 0, stream));
}

const SIZES: &[Case] = &[
    connection("4.2", "HEADERS too long, by their head", &[FRAME_SIZE_ERROR], |p| {
        let most = p.frame_max();
        head_alone(p, most + 1, HEADERS, 3);
    }),
    connection("4.2", "SETTINGS too long, by their head", &[FRAME_SIZE_ERROR], |p| {
        let most = p.frame_max().next_multiple_of(6);
        head_alone(p, most + 6, SETTINGS, 0);
    }),
    connection("4.2", "an unknown type too long, by its head", &[FRAME_SIZE_ERROR], |p| {
        head_alone(p, (1 << 24) - 1, UNKNOWN, 0);
    }),
    connection("4.2", "PING too long, by its head", &[FRAME_SIZE_ERROR], |p| {
        head_alone(p, (1 << 24) - 1, PING, 0);
    }),
    connection("4.2", "CONTINUATION too long", &[FRAME_SIZE_ERROR], |p| {
        let (most, block) = (p.frame_max(), p.fields("GET").block());
        p.cut(&[headers(1, END_STREAM, &block), head(most + 1, CONTINUATION, END_HEADERS, 1)].concat());
    }),
    connection("6.7", "PING of nine octets", &[FRAME_SIZE_ERROR], |p| p.send(&frame(PING, 0, 0, &[0; 9]))),
    connection("6.7", "PING without a payload", &[FRAME_SIZE_ERROR], |p| p.send(&frame(PING, 0, 0, b""))),
    connection("6.8", "GOAWAY of seven octets", &[FRAME_SIZE_ERROR], |p| {
        p.send(&frame(GOAWAY, 0, 0, &[0; 7]));
    }),
    connection("6.4", "RST_STREAM of five octets", &[FRAME_SIZE_ERROR], |p| {
        p.post(1);
        p.send(&frame(RST_STREAM, 0, 1, &[0; 5]));
    }),
    connection("6.9", "WINDOW_UPDATE of five octets", &[FRAME_SIZE_ERROR], |p| {
        p.send(&frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1, 0]));
    }),
    connection("6.9", "WINDOW_UPDATE of three octets on a stream", &[FRAME_SIZE_ERROR], |p| {
        p.post(1);
        p.send(&frame(WINDOW_UPDATE, 0, 1, &[0, 0, 1]));
    }),
    connection("6.5", "SETTINGS of five octets", &[FRAME_SIZE_ERROR], |p| {
        p.send(&frame(SETTINGS, 0, 0, &[0; 5]));
    }),
    beyond("6.3", "PRIORITY of six octets", Expect::Either(&[FRAME_SIZE_ERROR]), |p| {
        p.post(1);
        p.send(&frame(PRIORITY, 0, 1, &[0; 6]));
    }),
    connection("6.2", "HEADERS too short for a priority", &[FRAME_SIZE_ERROR, PROTOCOL_ERROR], |p| {
        p.send(&headers(1, END | WITH_PRIORITY, &[0; 4]));
    }),
    connection("6.2", "HEADERS too short for padding", &[FRAME_SIZE_ERROR, PROTOCOL_ERROR], |p| {
        p.send(&headers(1, END | PADDED, b""));
    }),
    connection("6.1", "DATA too short for padding", &[FRAME_SIZE_ERROR, PROTOCOL_ERROR], |p| {
        p.post(1);
        p.send(&data(1, PADDED, b""));
    }),
    connection("6.1", "padding as long as the payload", &[PROTOCOL_ERROR], |p| {
        p.post(1);
        p.send(&data(1, PADDED, b"\x05Test."));
        p.send(&data(1, PADDED, b"\x05Test"));
    }),
    beyond("6.1", "nothing but padding", Expect::Answer(200), |p| {
        p.post(1);
        p.send(&[padded(DATA, 1, 0, b"test", 0), padded(DATA, 1, END_STREAM, b"", 255)].concat());
        p.until_end_of(1);
        assert!(p.body(1).ends_with(b"\n\ntest"));
    }),
    beyond("6.1", "empty DATA", Expect::Answer(200), |p| {
        p.post(1);
        p.send(&[data(1, 0, b""), data(1, 0, b"test"), data(1, END_STREAM, b"")].concat());
        p.until_end_of(1);
        assert!(p.body(1).ends_with(b"\n\ntest"));
    }),
    beyond("6.2", "HEADERS with padding and a priority", Expect::Answer(200), |p| {
        let block = [dependency(3, 7), p.fields("GET").block()].concat();
        p.send(&padded(HEADERS, 1, END | WITH_PRIORITY, &block, 255));
    }),
    beyond("6.2", "HEADERS of nothing but padding", Expect::Malformed, |p| {
        p.send(&padded(HEADERS, 1, END, b"", 9));
    }),
    beyond(
        "5.3.2",
        "HEADERS that depend on their own stream, exclusive",
        Expect::Either(&[PROTOCOL_ERROR]),
        |p| {
            let block = [dependency(1 | 1 << 31, 255), p.fields("GET").block()].concat();
            p.send(&headers(1, END | WITH_PRIORITY, &block));
        },
    ),
];

/// A block that is not ended yet, and a frame within it.
fn within(p: &mut Peer, what: &[u8]) {
    let block = p.fields("GET").block();
    p.send(&[headers(1, END_STREAM, &block), what.to_vec(), continuation(1, END_HEADERS, b"")].concat());
}

const WITHIN_BLOCKS: &[Case] = &[
    connection("4.3", "SETTINGS within a block", &[PROTOCOL_ERROR], |p| within(p, &settings(&[]))),
    connection("4.3", "PING within a block", &[PROTOCOL_ERROR], |p| within(p, &ping(0, b"not now."))),
    connection("4.3", "WINDOW_UPDATE within a block", &[PROTOCOL_ERROR], |p| within(p, &window_update(0, 1))),
    connection("4.3", "RST_STREAM within a block", &[PROTOCOL_ERROR], |p| within(p, &rst_stream(1, CANCEL))),
    connection("4.3", "GOAWAY within a block", &[PROTOCOL_ERROR], |p| within(p, &goaway(0, NO_ERROR))),
    connection("4.3", "DATA within a block", &[PROTOCOL_ERROR], |p| within(p, &data(1, 0, b"test"))),
    connection("4.3", "HEADERS of the same stream within a block", &[PROTOCOL_ERROR], |p| {
        within(p, &headers(1, END, &literal("x-test", "ok")));
    }),
    connection("6.10", "CONTINUATION of another stream within a block", &[PROTOCOL_ERROR], |p| {
        within(p, &continuation(3, END_HEADERS, &literal("x-test", "ok")));
    }),
    connection("6.10", "CONTINUATION of another stream after DATA", &[PROTOCOL_ERROR], |p| {
        p.post(1);
        p.send(&[data(1, 0, b"test"), continuation(1, END_HEADERS, &literal("x-test", "ok"))].concat());
    }),
    beyond("6.10", "CONTINUATION without a payload, a few times", Expect::Answer(200), |p| {
        within(p, &[continuation(1, 0, b""), continuation(1, 0, b""), continuation(1, 0, b"")].concat());
    }),
    beyond("6.10", "trailers with CONTINUATION", Expect::Answer(200), |p| {
        p.post(1);
        let (first, last) = (literal("x-first", "1"), literal("x-last", "2"));
        p.send(&data(1, 0, b"test"));
        p.send(&[headers(1, END_STREAM, &first), continuation(1, END_HEADERS, &last)].concat());
        p.until_end_of(1);
        assert!(p.body(1).ends_with(b"\n\ntest"));
    }),
    connection("8.4", "PUSH_PROMISE on an open stream", &[PROTOCOL_ERROR], |p| {
        p.post(1);
        let block = [2_u32.to_be_bytes().to_vec(), p.fields("GET").block()].concat();
        p.send(&frame(PUSH_PROMISE, END_HEADERS, 1, &block));
    }),
];

#[test]
fn prefaces() {
    all_hold("RFC 9113 section 3.4", PREFACES);
}

#[test]
fn frames() {
    all_hold("RFC 9113 section 4.1", FORMAT);
}

#[test]
fn sizes_and_padding() {
    all_hold("RFC 9113 sections 4.2 and 6", SIZES);
}

#[test]
fn blocks() {
    all_hold("RFC 9113 sections 4.3 and 6.10", WITHIN_BLOCKS);
}

/// A request that is answered, but for its body.
fn held(p: &mut Peer) {
    p.send(&settings(&[(INITIAL_WINDOW_SIZE, 0)]));
    p.get(1);
    p.until(|p| p.answer(1).is_some());
}

/// A malformed request whose body is to come.
fn reset(p: &mut Peer) {
    let block = p.fields("POST").add("X-Upper", "case").block();
    p.send(&headers(1, END_HEADERS, &block));
}

const STATES: &[Case] = &[
    beyond("5.1", "half-closed (remote): DATA", Expect::Stream(1, &[STREAM_CLOSED]), |p| {
        held(p);
        p.send(&data(1, END_STREAM, b"test"));
    }),
    beyond("5.1", "half-closed (remote): empty DATA", Expect::Stream(1, &[STREAM_CLOSED]), |p| {
        held(p);
        p.send(&data(1, END_STREAM, b""));
    }),
    beyond("5.1", "half-closed (remote): HEADERS", Expect::Stream(1, &[STREAM_CLOSED]), |p| {
        held(p);
        p.send(&headers(1, END, &literal("x-test", "ok")));
    }),
    beyond("5.1", "half-closed (remote): DATA after trailers", Expect::Either(&[STREAM_CLOSED]), |p| {
        p.send(&settings(&[(INITIAL_WINDOW_SIZE, 0)]));
        p.post(1);
        p.send(&[headers(1, END, &literal("x-test", "ok")), data(1, END_STREAM, b"test")].concat());
    }),
    beyond("5.1", "half-closed (remote): all that is allowed", Expect::Answer(200), |p| {
        held(p);
        p.send(&[priority(1, 0, 9), window_update(1, 1), frame(UNKNOWN, 0, 1, b"??")].concat());
        p.send(&window_update(1, 1 << 20));
        p.until_end_of(1);
    }),
    beyond("5.1", "closed: WINDOW_UPDATE, RST_STREAM and PRIORITY", Expect::Answer(200), |p| {
        p.get(1);
        p.until_end_of(1);
        p.send(&[window_update(1, 1), priority(1, 0, 9), rst_stream(1, CANCEL)].concat());
        p.send(&[window_update(1, 1), rst_stream(1, CANCEL)].concat());
    }),
    beyond(
        "5.1",
        "closed by us: what was on its way is ignored",
        Expect::Stream(1, &[PROTOCOL_ERROR]),
        |p| {
            reset(p);
            p.send(&[data(1, 0, b"test"), window_update(1, 1), data(1, 0, b"test")].concat());
            p.send(&headers(1, END, &literal("x-test", "ok")));
        },
    ),
    beyond("5.1", "closed by us: RST_STREAM", Expect::Stream(1, &[PROTOCOL_ERROR]), |p| {
        reset(p);
        p.until_end_of(1);
        p.send(&rst_stream(1, CANCEL));
    }),
    beyond("5.4.2", "RST_STREAM is not answered", Expect::Alive, |p| {
        p.post(1);
        p.send(&[data(1, 0, b"test"), rst_stream(1, CANCEL), rst_stream(1, CANCEL)].concat());
    }),
    beyond("5.1", "a stream that was skipped is closed", Expect::Alive, |p| {
        p.get(7);
        p.until_end_of(7);
        p.send(&priority(5, 0, 9));
    }),
    connection("5.1", "idle: WINDOW_UPDATE of 0", &[PROTOCOL_ERROR], |p| p.send(&window_update(1, 0))),
    connection("5.1", "idle, of the server: RST_STREAM", &[PROTOCOL_ERROR], |p| {
        p.send(&rst_stream(2, CANCEL))
    }),
    connection("5.1", "idle, of the server: WINDOW_UPDATE", &[PROTOCOL_ERROR], |p| {
        p.send(&window_update(2, 1))
    }),
    connection("5.1", "idle, of the server: DATA", &[PROTOCOL_ERROR], |p| p.send(&data(2, 0, b"test"))),
    connection("5.1", "idle, after others: DATA", &[PROTOCOL_ERROR], |p| {
        p.get(1);
        p.until_end_of(1);
        p.send(&data(3, 0, b"test"));
    }),
    connection("5.1.1", "an even stream after an odd one", &[PROTOCOL_ERROR], |p| {
        p.get(1);
        p.get(4);
    }),
    beyond("5.1.1", "gaps between streams", Expect::Answer(200), |p| {
        [1, 7, 9, 1001].into_iter().for_each(|stream| p.get(stream));
        [1, 7, 9, 1001].into_iter().for_each(|stream| p.until_end_of(stream));
    }),
    beyond("5.1.1", "the last stream that there is", Expect::End, |p| {
        p.get(WINDOW_MAX);
        p.until_end_of(WINDOW_MAX);
        assert!(p.answer(WINDOW_MAX).is_some(), "not answered");
        p.send(&goaway(0, NO_ERROR));
    }),
    beyond("6.8", "a request in flight is answered after GOAWAY", Expect::End, |p| {
        held(p);
        p.send(&[goaway(0, NO_ERROR), window_update(1, 1 << 20)].concat());
        p.until_end_of(1);
        assert!(p.seen.iter().any(|frame| frame.is(DATA, 1) && frame.ends_stream()), "cut");
    }),
    beyond("6.8", "GOAWAY with more to say", Expect::End, |p| {
        p.send(&frame(GOAWAY, 0, 0, b"\x80\x00\x00\x00\x00\x00\x00\x0bwhy it ends"));
    }),
    connection("6.8", "the last stream in GOAWAY", &[PROTOCOL_ERROR], |p| {
        p.get(1);
        p.get(5);
        [1, 5].into_iter().for_each(|stream| p.until_end_of(stream));
        p.send(&frame(PING, 0, 9, &[0; 8]));
        p.until(|_| false);
        assert_eq!(p.seen.iter().find(|frame| frame.kind == GOAWAY).map(|frame| frame.number(0)), Some(5));
    }),
    beyond("5.5", "a PRIORITY_UPDATE of RFC 9218", Expect::Alive, |p| {
        p.send(&frame(0x10, 0, 0, b"\x00\x00\x00\x01u=3"));
        p.get(PROBE - 2);
    }),
];

#[test]
fn streams() {
    all_hold("RFC 9113 sections 5 and 6.8", STATES);
}
