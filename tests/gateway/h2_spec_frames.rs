//! Section 6 of h2spec 2.6: every type of frame, and what is wrong with it.

use super::{
    h2_cases::{Case, Expect, H2spec, all_hold, h2spec},
    h2_frames::*,
    h2_hpack::literal,
    h2_peer::Peer,
    h2_spec_streams::{connection, dummy, either, stream},
};

const DATA_TO_RST_STREAM: &[Case] = &[
    connection("http2/6.1/1", "DATA on stream 0", &[PROTOCOL_ERROR], |p| {
        p.send(&data(0, END_STREAM, b"test"));
    }),
    either("http2/6.1/2", "DATA on a stream that takes none", &[STREAM_CLOSED], |p| {
        let block = p.fields("POST").block();
        p.send(&[headers(1, END, &block), data(1, END_STREAM, b"test")].concat());
    }),
    connection("http2/6.1/3", "DATA with more padding than payload", &[PROTOCOL_ERROR], |p| {
        let block = p.fields("POST").add("content-length", "4").block();
        p.send(&headers(1, END_HEADERS, &block));
        p.send(&frame(DATA, END_STREAM | PADDED, 1, b"\x06Test"));
    }),
    connection("http2/6.2/1", "HEADERS, not ended, and PRIORITY", &[PROTOCOL_ERROR], |p| {
        let block = p.fields("GET").block();
        p.send(
            &[headers(1, 0, &block), priority(1, 0, 255), continuation(1, END_HEADERS, &dummy())].concat(),
        );
    }),
    connection("http2/6.2/2", "HEADERS, not ended, and HEADERS of another stream", &[PROTOCOL_ERROR], |p| {
        let block = p.fields("GET").block();
        p.send(
            &[headers(1, 0, &block), headers(3, END, &block), continuation(1, END_HEADERS, &dummy())]
                .concat(),
        );
    }),
    connection("http2/6.2/3", "HEADERS on stream 0", &[PROTOCOL_ERROR], |p| {
        let block = p.fields("GET").block();
        p.send(&headers(0, END, &block));
    }),
    h2spec(
        "http2/6.2/4",
        "HEADERS with more padding than payload",
        H2spec::Stream(&[PROTOCOL_ERROR]),
        Expect::Connection(&[PROTOCOL_ERROR]),
        |p| {
            let block = p.fields("GET").block();
            let too_long = u8::try_from(block.len() + 2).unwrap();
            p.send(&frame(HEADERS, END | PADDED, 1, &[&[too_long], &block[..]].concat()));
        },
    ),
    connection("http2/6.3/1", "PRIORITY on stream 0", &[PROTOCOL_ERROR], |p| p.send(&priority(0, 0, 255))),
    either("http2/6.3/2", "PRIORITY that is too short", &[FRAME_SIZE_ERROR], |p| {
        p.get(1);
        p.send(&frame(PRIORITY, 0, 1, b"\x80\x00\x00\x01"));
    }),
    connection("http2/6.4/1", "RST_STREAM on stream 0", &[PROTOCOL_ERROR], |p| {
        p.send(&rst_stream(0, CANCEL));
    }),
    connection("http2/6.4/2", "RST_STREAM on an idle stream", &[PROTOCOL_ERROR], |p| {
        p.send(&rst_stream(1, CANCEL));
    }),
    h2spec(
        "http2/6.4/3",
        "RST_STREAM that is too short",
        H2spec::Stream(&[FRAME_SIZE_ERROR]),
        Expect::Connection(&[FRAME_SIZE_ERROR]),
        |p| {
            p.get(1);
            p.send(&frame(RST_STREAM, 0, 1, &[0; 3]));
        },
    ),
];

const SETTINGS_CASES: &[Case] = &[
    connection("http2/6.5/1", "an acknowledgement with a payload", &[FRAME_SIZE_ERROR], |p| {
        p.send(&frame(SETTINGS, ACK, 0, &[0]));
    }),
    connection("http2/6.5/2", "SETTINGS on a stream", &[PROTOCOL_ERROR], |p| {
        p.send(&frame(SETTINGS, 0, 1, b"\x00\x03\x00\x00\x00\x64"));
    }),
    h2spec(
        "http2/6.5/3",
        "SETTINGS with a part of one",
        H2spec::Stream(&[PROTOCOL_ERROR, FRAME_SIZE_ERROR]),
        Expect::Connection(&[FRAME_SIZE_ERROR]),
        |p| p.send(&frame(SETTINGS, 0, 0, &[0, 3, 0])),
    ),
    connection("http2/6.5.2/1", "ENABLE_PUSH of 2", &[PROTOCOL_ERROR], |p| {
        p.send(&settings(&[(ENABLE_PUSH, 2)]));
    }),
    connection("http2/6.5.2/2", "INITIAL_WINDOW_SIZE that is too large", &[FLOW_CONTROL_ERROR], |p| {
        p.send(&settings(&[(INITIAL_WINDOW_SIZE, WINDOW_MAX + 1)]));
    }),
    connection("http2/6.5.2/3", "MAX_FRAME_SIZE that is too small", &[PROTOCOL_ERROR], |p| {
        p.send(&settings(&[(MAX_FRAME_SIZE, (1 << 14) - 1)]));
    }),
    connection("http2/6.5.2/4", "MAX_FRAME_SIZE that is too large", &[PROTOCOL_ERROR], |p| {
        p.send(&settings(&[(MAX_FRAME_SIZE, 1 << 24)]));
    }),
    h2spec("http2/6.5.2/5", "an unknown setting", H2spec::Pong, Expect::Alive, |p| {
        p.send(&settings(&[(0xff, 1)]));
    }),
    h2spec("http2/6.5.3/1", "one setting with two values", H2spec::DataOfOne, Expect::Answer(200), |p| {
        p.send(&settings(&[(INITIAL_WINDOW_SIZE, 100), (INITIAL_WINDOW_SIZE, 1)]));
        p.until_acknowledged();
        p.get(1);
        p.until_body(1, 1);
    }),
    h2spec("http2/6.5.3/2", "SETTINGS are acknowledged", H2spec::Acknowledged, Expect::Alive, |p| {
        p.send(&settings(&[(ENABLE_PUSH, 0)]));
        p.until_acknowledged();
    }),
];

const PING_AND_GOAWAY: &[Case] = &[
    h2spec("http2/6.7/1", "PING", H2spec::Pong, Expect::Alive, |p| {
        p.send(&ping(0, b"h2spec\0\0"));
        assert!(p.until(|p| p.has_pong(b"h2spec\0\0")));
    }),
    h2spec("http2/6.7/2", "an answer to a PING that nobody sent", H2spec::Pong, Expect::Alive, |p| {
        p.send(&[ping(ACK, b"invalid\0"), ping(0, b"h2spec\0\0")].concat());
        assert!(p.until(|p| p.has_pong(b"h2spec\0\0")) && !p.has_pong(b"invalid\0"));
    }),
    connection("http2/6.7/3", "PING on a stream", &[PROTOCOL_ERROR], |p| p.send(&frame(PING, 0, 1, &[0; 8]))),
    // h2spec speaks of the length, sends it on a stream, and wants what that is.
    h2spec(
        "http2/6.7/4",
        "PING that is too short",
        H2spec::Connection(&[PROTOCOL_ERROR, FRAME_SIZE_ERROR]),
        Expect::Connection(&[PROTOCOL_ERROR, FRAME_SIZE_ERROR]),
        |p| p.send(&frame(PING, 0, 0, &[0; 6])),
    ),
    connection("http2/6.8/1", "GOAWAY on a stream", &[PROTOCOL_ERROR], |p| {
        p.send(&frame(GOAWAY, 0, 1, &[0; 8]));
    }),
];

const WINDOWS: &[Case] = &[
    connection("http2/6.9/1", "WINDOW_UPDATE of 0", &[PROTOCOL_ERROR], |p| p.send(&window_update(0, 0))),
    stream("http2/6.9/2", "WINDOW_UPDATE of 0 on a stream", &[PROTOCOL_ERROR], |p| {
        p.post(1);
        p.send(&window_update(1, 0));
    }),
    connection("http2/6.9/3", "WINDOW_UPDATE that is too short", &[FRAME_SIZE_ERROR], |p| {
        p.send(&frame(WINDOW_UPDATE, 0, 0, b"\x00\x00\x01"));
    }),
    h2spec("http2/6.9.1/1", "a window of 1", H2spec::DataOfOne, Expect::Answer(200), |p| {
        p.send(&settings(&[(INITIAL_WINDOW_SIZE, 1)]));
        p.until_acknowledged();
        p.get(1);
        p.until_body(1, 1);
    }),
    h2spec(
        "http2/6.9.1/2",
        "the connection's window beyond its maximum",
        H2spec::GoAway(FLOW_CONTROL_ERROR),
        Expect::Connection(&[FLOW_CONTROL_ERROR]),
        |p| p.send(&[window_update(0, WINDOW_MAX), window_update(0, WINDOW_MAX)].concat()),
    ),
    h2spec(
        "http2/6.9.1/3",
        "a stream's window beyond its maximum",
        H2spec::Reset(FLOW_CONTROL_ERROR),
        Expect::Stream(1, &[FLOW_CONTROL_ERROR]),
        |p| {
            p.post(1);
            p.send(&[window_update(1, WINDOW_MAX), window_update(1, WINDOW_MAX)].concat());
        },
    ),
    h2spec(
        "http2/6.9.2/1",
        "INITIAL_WINDOW_SIZE opens the window of an open stream",
        H2spec::DataOfOne,
        Expect::Answer(200),
        |p| {
            p.send(&settings(&[(INITIAL_WINDOW_SIZE, 0)]));
            p.until_acknowledged();
            p.get(1);
            p.send(&settings(&[(INITIAL_WINDOW_SIZE, 1)]));
            p.until_acknowledged();
            p.until_body(1, 1);
        },
    ),
    h2spec("http2/6.9.2/2", "a window below 0", H2spec::DataOfOne, Expect::Answer(200), |p| {
        p.send(&settings(&[(INITIAL_WINDOW_SIZE, 3)]));
        p.until_acknowledged();
        p.get(1);
        p.until_body(1, 3);
        p.send(&settings(&[(INITIAL_WINDOW_SIZE, 2)]));
        p.until_acknowledged();
        p.send(&window_update(1, 2));
        p.until_body(1, 4);
    }),
    connection("http2/6.9.2/3", "INITIAL_WINDOW_SIZE beyond the maximum", &[FLOW_CONTROL_ERROR], |p| {
        p.send(&settings(&[(INITIAL_WINDOW_SIZE, 1 << 31)]));
    }),
];

/// A request's head that is not ended, with what follows it.
fn unfinished(p: &mut Peer, method: &str, flags: u8, behind: &[Vec<u8>]) {
    let block = p.fields(method).block();
    p.send(&[headers(1, flags, &block), behind.concat()].concat());
}

const CONTINUATIONS: &[Case] = &[
    h2spec("http2/6.10/1", "HEADERS and two of CONTINUATION", H2spec::Headers, Expect::Answer(200), |p| {
        let behind = [continuation(1, 0, &dummy()), continuation(1, END_HEADERS, &dummy())];
        unfinished(p, "GET", END_STREAM, &behind);
    }),
    connection("http2/6.10/2", "CONTINUATION, not ended, and DATA", &[PROTOCOL_ERROR], |p| {
        unfinished(p, "POST", 0, &[continuation(1, 0, &dummy()), data(1, END_STREAM, b"test")]);
    }),
    connection("http2/6.10/3", "CONTINUATION on stream 0", &[PROTOCOL_ERROR], |p| {
        unfinished(p, "GET", END_STREAM, &[continuation(0, END_HEADERS, &dummy())]);
    }),
    connection("http2/6.10/4", "CONTINUATION after HEADERS that were ended", &[PROTOCOL_ERROR], |p| {
        unfinished(p, "GET", END, &[continuation(1, END_HEADERS, &dummy())]);
    }),
    connection("http2/6.10/5", "CONTINUATION after one that was ended", &[PROTOCOL_ERROR], |p| {
        let last = continuation(1, END_HEADERS, &dummy());
        unfinished(p, "GET", END_STREAM, &[last.clone(), last]);
    }),
    connection("http2/6.10/6", "CONTINUATION after DATA", &[PROTOCOL_ERROR], |p| {
        let behind = [
            data(1, END_STREAM, b"test"),
            continuation(1, 0, &literal("x-dummy0", "x")),
            continuation(0, END_HEADERS, &dummy()),
        ];
        unfinished(p, "POST", 0, &behind);
    }),
];

#[test]
fn data_headers_priority_and_rst_stream() {
    all_hold("http2/6.1 to 6.4", DATA_TO_RST_STREAM);
}

#[test]
fn settings_frames() {
    all_hold("http2/6.5", SETTINGS_CASES);
}

#[test]
fn ping_and_goaway() {
    all_hold("http2/6.7 and 6.8", PING_AND_GOAWAY);
}

#[test]
fn windows() {
    all_hold("http2/6.9", WINDOWS);
}

#[test]
fn continuations() {
    all_hold("http2/6.10", CONTINUATIONS);
}
