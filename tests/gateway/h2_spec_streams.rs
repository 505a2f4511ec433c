//! Sections 3.5, 4 and 5 of h2spec 2.6: the preface, frames, and streams.

use super::{
    h2_cases::{Case, Expect, H2spec, all_hold, beyond, h2spec},
    h2_frames::*,
    h2_hpack::{literal, string},
    h2_peer::Peer,
};

/// What h2spec calls a dummy: a field as long as is allowed.
pub(crate) fn dummy() -> Vec<u8> {
    literal("x-dummy0", &"x".repeat(4000))
}

/// An error of the connection.
pub(crate) const fn connection(
    id: &'static str,
    title: &'static str,
    codes: &'static [u32],
    run: fn(&mut Peer),
) -> Case {
    h2spec(id, title, H2spec::Connection(codes), Expect::Connection(codes), run)
}

/// An error of stream 1.
pub(crate) const fn stream(
    id: &'static str,
    title: &'static str,
    codes: &'static [u32],
    run: fn(&mut Peer),
) -> Case {
    h2spec(id, title, H2spec::Stream(codes), Expect::Stream(1, codes), run)
}

/// An error of either.
pub(crate) const fn either(
    id: &'static str,
    title: &'static str,
    codes: &'static [u32],
    run: fn(&mut Peer),
) -> Case {
    h2spec(id, title, H2spec::Stream(codes), Expect::Either(codes), run)
}

const PREFACE_AND_FRAMES: &[Case] = &[
    h2spec("http2/3.5/1", "the server's preface comes first", H2spec::Settings, Expect::Alive, |p| {
        p.handshake(&[(INITIAL_WINDOW_SIZE, 65_535)]);
    })
    .bare(),
    h2spec("http2/3.5/2", "an invalid preface", H2spec::Closed, Expect::End, |p| {
        p.raw(b"INVALID CONNECTION PREFACE\r\n\r\n");
    })
    .bare(),
    h2spec("http2/4.1/1", "a frame of an unknown type", H2spec::Pong, Expect::Alive, |p| {
        p.send(&frame(UNKNOWN, 0, 0, &[0; 8]));
    }),
    h2spec("http2/4.1/2", "flags that nobody has defined", H2spec::Pong, Expect::Alive, |p| {
        p.send(&ping(0x16, b"flagged."));
        assert!(p.until(|p| p.has_pong(b"flagged.")));
    }),
    h2spec("http2/4.1/3", "the reserved bit", H2spec::Pong, Expect::Alive, |p| {
        p.send(&frame(PING, 0x16, 1 << 31, b"reserved"));
        assert!(p.until(|p| p.has_pong(b"reserved")));
    }),
    h2spec("http2/4.2/1", "DATA as long as allowed", H2spec::Headers, Expect::Answer(200), |p| {
        p.post(1);
        let most = p.frame_max();
        p.send(&data(1, END_STREAM, &vec![b'x'; most]));
    }),
    either("http2/4.2/2", "DATA that is too long", &[FRAME_SIZE_ERROR], |p| {
        p.post(1);
        let most = p.frame_max();
        p.send(&data(1, END_STREAM, &vec![b'x'; most + 1]));
    }),
    connection("http2/4.2/3", "HEADERS that are too long", &[FRAME_SIZE_ERROR], |p| {
        let most = p.frame_max();
        let long: Vec<u8> = (0..=most / 4000).flat_map(|_| dummy()).collect();
        p.get_with(b"", &long);
    }),
    connection("http2/4.3/1", "a block that is cut", &[COMPRESSION_ERROR], |p| {
        p.send(&headers(1, END, b"\x40"));
    }),
    connection("http2/4.3/2", "PRIORITY within a block", &[PROTOCOL_ERROR], |p| {
        let block = p.fields("GET").block();
        p.send(
            &[headers(1, 0, &block), priority(1, 0, 255), continuation(1, END_HEADERS, &dummy())].concat(),
        );
    }),
    connection("http2/4.3/3", "HEADERS of another stream within a block", &[PROTOCOL_ERROR], |p| {
        let block = p.fields("GET").block();
        p.send(
            &[headers(1, 0, &block), headers(3, END, &block), continuation(1, END_HEADERS, &dummy())]
                .concat(),
        );
    }),
];

const STATES: &[Case] = &[
    connection("http2/5.1/1", "idle: DATA", &[PROTOCOL_ERROR], |p| p.send(&data(1, END_STREAM, b"test"))),
    connection("http2/5.1/2", "idle: RST_STREAM", &[PROTOCOL_ERROR], |p| p.send(&rst_stream(1, CANCEL))),
    connection("http2/5.1/3", "idle: WINDOW_UPDATE", &[PROTOCOL_ERROR], |p| p.send(&window_update(1, 100))),
    connection("http2/5.1/4", "idle: CONTINUATION", &[PROTOCOL_ERROR], |p| {
        let block = p.fields("GET").block();
        p.send(&continuation(1, END_HEADERS, &block));
    }),
    either("http2/5.1/5", "half-closed (remote): DATA", &[STREAM_CLOSED], |p| {
        p.get(1);
        p.send(&data(1, END_STREAM, b"test"));
    }),
    either("http2/5.1/6", "half-closed (remote): HEADERS", &[STREAM_CLOSED], |p| {
        p.get(1);
        p.get(1);
    }),
    // That no block has begun is the error (section 6.10), whatever the stream is.
    h2spec(
        "http2/5.1/7",
        "half-closed (remote): CONTINUATION",
        H2spec::Stream(&[STREAM_CLOSED, PROTOCOL_ERROR]),
        Expect::Connection(&[PROTOCOL_ERROR]),
        |p| {
            p.get(1);
            let block = p.fields("GET").block();
            p.send(&continuation(1, END_HEADERS, &block));
        },
    ),
    either("http2/5.1/8", "closed: DATA after RST_STREAM", &[STREAM_CLOSED], |p| {
        p.post(1);
        p.send(&[rst_stream(1, CANCEL), data(1, END_STREAM, b"test")].concat());
    }),
    either("http2/5.1/9", "closed: HEADERS after RST_STREAM", &[STREAM_CLOSED], |p| {
        p.post(1);
        p.send(&rst_stream(1, CANCEL));
        p.get(1);
    }),
    h2spec(
        "http2/5.1/10",
        "closed: CONTINUATION after RST_STREAM",
        H2spec::Stream(&[STREAM_CLOSED, PROTOCOL_ERROR]),
        Expect::Connection(&[PROTOCOL_ERROR]),
        |p| {
            p.post(1);
            p.send(&[rst_stream(1, CANCEL), continuation(1, END_HEADERS, &dummy())].concat());
        },
    ),
    either("http2/5.1/11", "closed: DATA", &[STREAM_CLOSED], |p| {
        p.get(1);
        p.until_end_of(1);
        p.send(&data(1, END_STREAM, b"test"));
    }),
    // Sections 5.1 and 5.1.1 say different things of a stream that is not new.
    h2spec(
        "http2/5.1/12",
        "closed: HEADERS",
        H2spec::Connection(&[STREAM_CLOSED]),
        Expect::Connection(&[STREAM_CLOSED, PROTOCOL_ERROR]),
        |p| {
            p.get(1);
            p.until_end_of(1);
            p.get(1);
        },
    ),
    h2spec(
        "http2/5.1/13",
        "closed: CONTINUATION",
        H2spec::Connection(&[STREAM_CLOSED, PROTOCOL_ERROR]),
        Expect::Connection(&[PROTOCOL_ERROR]),
        |p| {
            p.get(1);
            p.until_end_of(1);
            p.send(&continuation(1, END_HEADERS, &dummy()));
        },
    ),
];

const IDENTIFIERS: &[Case] = &[
    connection("http2/5.1.1/1", "an even stream", &[PROTOCOL_ERROR], |p| p.get(2)),
    // The lower one counts as closed.
    h2spec(
        "http2/5.1.1/2",
        "a stream lower than the one before",
        H2spec::Connection(&[PROTOCOL_ERROR]),
        Expect::Connection(&[PROTOCOL_ERROR, STREAM_CLOSED]),
        |p| {
            p.get(5);
            p.get(3);
        },
    ),
    beyond(
        "http2/5.1.1/3",
        "HEADERS on a stream that is half-closed (remote), of h2spec after 2.6",
        Expect::Stream(5, &[STREAM_CLOSED]),
        |p| {
            p.send(&settings(&[(INITIAL_WINDOW_SIZE, 0)]));
            p.get(5);
            p.get(5);
        },
    ),
    h2spec(
        "http2/5.1.2/1",
        "one stream more than there may be",
        H2spec::Stream(&[PROTOCOL_ERROR, REFUSED_STREAM]),
        Expect::Alive,
        |p| {
            let most = *p.settings.get(&MAX_CONCURRENT_STREAMS).expect("a limit of streams");
            p.send(&settings(&[(INITIAL_WINDOW_SIZE, 0)]));
            let last = most * 2 + 1;
            let block = p.fields("GET").set(":path", "/local").block();
            (1..=last).step_by(2).for_each(|stream| p.send(&headers(stream, END, &block)));
            let is_refused =
                |f: &Frame| f.is(RST_STREAM, last) && [PROTOCOL_ERROR, REFUSED_STREAM].contains(&f.code());
            assert!(p.until(|p| p.seen.iter().any(is_refused)), "not refused");
            p.forgiven = last;
            // All others are served, once there is room; the probe is, too.
            p.send(&settings(&[(INITIAL_WINDOW_SIZE, 65_535)]));
            p.until(|p| p.seen.iter().filter(|frame| frame.ends_stream()).count() > most as usize);
        },
    ),
    either("http2/5.3.1/1", "HEADERS that depend on their own stream", &[PROTOCOL_ERROR], |p| {
        let block = [dependency(1, 255), p.fields("GET").block()].concat();
        p.send(&headers(1, END | WITH_PRIORITY, &block));
    }),
    either("http2/5.3.1/2", "PRIORITY that depends on its own stream", &[PROTOCOL_ERROR], |p| {
        p.send(&priority(1, 1, 255));
    }),
];

const ERRORS: &[Case] = &[
    h2spec(
        "http2/5.4.1/1",
        "the connection is closed after an error",
        H2spec::Closed,
        Expect::Connection(&[PROTOCOL_ERROR]),
        |p| p.send(&frame(PING, 0, 3, &[0; 8])),
    ),
    h2spec(
        "http2/5.4.1/2",
        "GOAWAY is sent before that",
        H2spec::GoAway(PROTOCOL_ERROR),
        Expect::Connection(&[PROTOCOL_ERROR]),
        |p| p.send(&frame(PING, 0, 3, &[0; 8])),
    ),
    h2spec("http2/5.5/1", "a frame of an extension", H2spec::Pong, Expect::Alive, |p| {
        p.send(&frame(UNKNOWN, 0, 0, &[0; 8]));
    }),
    connection("http2/5.5/2", "a frame of an extension within a block", &[PROTOCOL_ERROR], |p| {
        let block = p.fields("GET").block();
        p.send(&[headers(1, END_STREAM, &block), frame(UNKNOWN, 0, 0, &[0; 8])].concat());
    }),
];

/// What section 5.2 of RFC 7541 forbids in a Huffman code, behind the fields of a request.
const HPACK: &[Case] = &[
    connection("hpack/2.3.3/1", "an index that is in no table", &[COMPRESSION_ERROR], |p| {
        p.get_with(b"", b"\xfe");
    }),
    connection("hpack/2.3.3/2", "a literal with a name that is in no table", &[COMPRESSION_ERROR], |p| {
        p.get_with(b"", b"\x7f\x07\x00");
    }),
    connection("hpack/4.2/1", "a table size update at the end of a block", &[COMPRESSION_ERROR], |p| {
        p.get_with(b"", b"\x21");
    }),
    connection("hpack/5.2/1", "padding of more than 7 bits", &[COMPRESSION_ERROR], |p| {
        p.get_with(b"", &[&[0], &string("x-test")[..], b"\x84\x49\x50\x9f\xff"].concat());
    }),
    connection("hpack/5.2/2", "padding with zeros", &[COMPRESSION_ERROR], |p| {
        p.get_with(b"", &[&[0], &string("x-test")[..], b"\x83\x49\x50\x90"].concat());
    }),
    connection("hpack/5.2/3", "the symbol of the string's end", &[COMPRESSION_ERROR], |p| {
        p.get_with(b"", &[&[0], &string("x-test")[..], b"\x87\xff\xff\xff\xfd\x25\x42\x7f"].concat());
    }),
    connection("hpack/6.1/1", "index 0", &[COMPRESSION_ERROR], |p| p.get_with(b"", b"\x80")),
    connection("hpack/6.3/1", "a table size update beyond the limit", &[COMPRESSION_ERROR], |p| {
        let update = super::h2_hpack::size_update(p.table_max() + 1);
        p.get_with(&update, b"");
    }),
];

#[test]
fn preface_and_frames() {
    all_hold("http2/3.5 and 4", PREFACE_AND_FRAMES);
}

#[test]
fn stream_states() {
    all_hold("http2/5.1", STATES);
}

#[test]
fn stream_identifiers() {
    all_hold("http2/5.1.1 to 5.3", IDENTIFIERS);
}

#[test]
fn errors_and_extensions() {
    all_hold("http2/5.4 and 5.5", ERRORS);
}

#[test]
fn hpack() {
    all_hold("hpack", HPACK);
}
