//! Sections 5.1.2, 5.2, 6.5 and 6.9 of RFC 9113, beyond h2spec: settings, windows, and how many streams there may be.

use super::{
    h2_cases::{Case, Expect, all_hold, beyond},
    h2_frames::*,
    h2_hpack::{literal, string},
    h2_peer::Peer,
    h2_site::LARGE,
};

/// What a window is before anybody says anything.
const FIRST: usize = 65_535;

/// An error of the connection.
const fn connection(
    id: &'static str,
    title: &'static str,
    codes: &'static [u32],
    run: fn(&mut Peer),
) -> Case {
    beyond(id, title, Expect::Connection(codes), run)
}

const SETTINGS_CASES: &[Case] = &[
    beyond("6.5", "SETTINGS without any", Expect::Alive, |p| {
        p.send(&settings(&[]));
        p.until_acknowledged();
    }),
    beyond("6.5.3", "each SETTINGS is acknowledged", Expect::Alive, |p| {
        (0..10).for_each(|number| p.send(&settings(&[(MAX_CONCURRENT_STREAMS, number)])));
        p.until_acknowledged();
        let acks = p.seen.iter().filter(|frame| frame.kind == SETTINGS && frame.has(ACK));
        assert_eq!(acks.count(), 11);
    }),
    beyond("6.5.2", "values at the limits", Expect::Answer(200), |p| {
        p.send(&settings(&[(MAX_FRAME_SIZE, 1 << 14), (INITIAL_WINDOW_SIZE, 0), (ENABLE_PUSH, 1)]));
        p.send(&settings(&[
            (MAX_FRAME_SIZE, (1 << 24) - 1),
            (INITIAL_WINDOW_SIZE, WINDOW_MAX),
            (ENABLE_PUSH, 0),
        ]));
        p.send(&settings(&[(MAX_CONCURRENT_STREAMS, 0), (MAX_HEADER_LIST_SIZE, u32::MAX)]));
        p.get(1);
        p.until_end_of(1);
    }),
    beyond("6.5.2", "many that nobody knows", Expect::Alive, |p| {
        let unknown: Vec<(u16, u32)> = (0x1000..0x1014).map(|id| (id, u32::MAX)).collect();
        p.send(&settings(&unknown));
        p.until_acknowledged();
    }),
    connection("6.5.2", "a wrong value behind right ones", &[PROTOCOL_ERROR], |p| {
        p.send(&settings(&[(INITIAL_WINDOW_SIZE, 1), (0xff, 1), (ENABLE_PUSH, u32::MAX)]));
    }),
    connection("6.5.2", "MAX_FRAME_SIZE 0", &[PROTOCOL_ERROR], |p| p.send(&settings(&[(MAX_FRAME_SIZE, 0)]))),
    beyond("6.7", "many PINGs at once", Expect::Alive, |p| {
        let pings: Vec<[u8; 8]> = (0..20_u64).map(u64::to_be_bytes).collect();
        p.send(&pings.iter().flat_map(|octets| ping(0, octets)).collect::<Vec<_>>());
        p.until(|p| pings.iter().all(|octets| p.has_pong(octets)));
    }),
];

/// A request for a large answer.
fn large(p: &mut Peer, stream: u32) {
    let block = p.fields("GET").set(":path", "/large").block();
    p.send(&headers(stream, END, &block));
}

/// Reads the answer as far as the first window goes; nothing more may come.
fn first_window(p: &mut Peer, stream: u32) {
    large(p, stream);
    p.until_body(stream, FIRST);
    p.synchronize();
    assert_eq!(p.body(stream).len(), FIRST);
}

const SENDING: &[Case] = &[
    beyond("6.9.1", "both windows hold an answer back", Expect::Answer(200), |p| {
        first_window(p, 1);
        p.send(&window_update(1, 1000));
        p.synchronize();
        assert_eq!(p.body(1).len(), FIRST, "the connection's window is closed");
        p.send(&window_update(0, 1000));
        p.until_body(1, FIRST + 1000);
        p.send(&window_update(0, 1 << 20));
        p.synchronize();
        assert_eq!(p.body(1).len(), FIRST + 1000, "the stream's window is closed");
        p.send(&window_update(1, 1 << 20));
        p.until_end_of(1);
        assert_eq!(p.body(1).len(), LARGE);
    }),
    beyond("6.9", "an answer without a body needs no window", Expect::Answer(200), |p| {
        p.send(&settings(&[(INITIAL_WINDOW_SIZE, 0)]));
        let fields = p.fields("HEAD");
        p.ask(&fields);
        p.until_end_of(1);
    }),
    beyond("6.9.2", "a window far below 0", Expect::Answer(200), |p| {
        p.send(&window_update(0, 1 << 20));
        first_window(p, 1);
        p.send(&settings(&[(INITIAL_WINDOW_SIZE, 0)]));
        p.send(&window_update(1, 65_535));
        p.synchronize();
        assert_eq!(p.body(1).len(), FIRST, "the window is 0");
        p.send(&window_update(1, 1));
        p.until_body(1, FIRST + 1);
        p.synchronize();
        assert_eq!(p.body(1).len(), FIRST + 1);
        p.send(&settings(&[(INITIAL_WINDOW_SIZE, 1 << 20)]));
        p.until_end_of(1);
        assert_eq!(p.body(1).len(), LARGE);
    }),
    beyond("6.9.2", "INITIAL_WINDOW_SIZE is not for the connection", Expect::Answer(200), |p| {
        p.send(&settings(&[(INITIAL_WINDOW_SIZE, 1 << 20)]));
        first_window(p, 1);
        p.send(&window_update(0, 1 << 20));
        p.until_end_of(1);
    }),
    beyond("5.2.1", "streams share the connection's window", Expect::Answer(200), |p| {
        large(p, 1);
        large(p, 3);
        p.until(|p| p.body(1).len() + p.body(3).len() >= FIRST);
        p.synchronize();
        assert_eq!(p.body(1).len() + p.body(3).len(), FIRST);
        // What was taken by a stream that is gone is not given back by that.
        p.send(&rst_stream(3, CANCEL));
        let rest = p.body(1).len();
        p.synchronize();
        assert_eq!(p.body(1).len(), rest);
        p.send(&[window_update(0, 1 << 20), window_update(1, 1 << 20)].concat());
        p.until_end_of(1);
        assert_eq!(p.body(1).len(), LARGE);
    }),
    beyond("6.9.1", "octet by octet", Expect::Answer(200), |p| {
        p.send(&settings(&[(INITIAL_WINDOW_SIZE, 0)]));
        p.get(1);
        for length in 1..20 {
            p.send(&window_update(1, 1));
            p.until_body(1, length);
        }
        p.send(&window_update(1, 1 << 20));
        p.until_end_of(1);
    }),
];

const OVERFLOWS: &[Case] = &[
    beyond("6.9.1", "the connection's window at its maximum", Expect::Answer(200), |p| {
        p.send(&window_update(0, WINDOW_MAX - FIRST as u32));
        p.get(1);
        p.until_end_of(1);
    }),
    connection("6.9.1", "the connection's window one beyond", &[FLOW_CONTROL_ERROR], |p| {
        p.send(&window_update(0, WINDOW_MAX - FIRST as u32 + 1));
    }),
    beyond("6.9.1", "a stream's window at its maximum", Expect::Answer(200), |p| {
        p.post(1);
        p.send(&[window_update(1, WINDOW_MAX - FIRST as u32), data(1, END_STREAM, b"test")].concat());
        p.until_end_of(1);
    }),
    beyond("6.9.1", "a stream's window one beyond", Expect::Stream(1, &[FLOW_CONTROL_ERROR]), |p| {
        p.post(1);
        p.send(&window_update(1, WINDOW_MAX - FIRST as u32 + 1));
    }),
    connection("6.9.2", "a stream's window beyond, by settings", &[FLOW_CONTROL_ERROR], |p| {
        p.post(1);
        p.send(&window_update(1, WINDOW_MAX - FIRST as u32));
        p.send(&settings(&[(INITIAL_WINDOW_SIZE, FIRST as u32 + 1)]));
    }),
    beyond("6.9", "WINDOW_UPDATE of 0 with the reserved bit", Expect::Stream(1, &[PROTOCOL_ERROR]), |p| {
        p.post(1);
        p.send(&window_update(1, 1 << 31));
    }),
];

/// A request to which nobody reads the body.
fn sink(p: &mut Peer, stream: u32) {
    let block = p.fields("POST").set(":path", "/sink").block();
    p.send(&headers(stream, END_HEADERS, &block));
}

/// Sends as much on a stream as there is room for.
fn fill(p: &mut Peer, stream: u32) {
    let most = p.frame_max() as i64;
    while p.room(stream) > 0 {
        let length = usize::try_from(p.room(stream).min(most)).unwrap();
        p.send(&data(stream, 0, &vec![b'x'; length]));
    }
}

/// Whether the connection or stream 1 is gone.
fn is_gone(p: &Peer) -> bool {
    p.is_over || p.seen.iter().any(|frame| frame.kind == GOAWAY || frame.is(RST_STREAM, 1))
}

/// More than all buffers between a client and an origin that does not read.
const BUFFERS_MAX: usize = 64 << 20;

const RECEIVING: &[Case] = &[
    beyond("6.9.1", "more on a stream than its window", Expect::Either(&[FLOW_CONTROL_ERROR]), |p| {
        sink(p, 1);
        let mut sent = 0;
        while !is_gone(p) && sent < BUFFERS_MAX {
            fill(p, 1);
            // One too many, unless room was made meanwhile.
            p.send(&data(1, 0, b"x"));
            p.until(|p| is_gone(p) || p.room(1) > 0);
            sent = p.sent(1);
        }
        assert!(is_gone(p), "{sent} octets were taken");
    }),
    beyond("6.9", "padding is given back, too", Expect::Answer(200), |p| {
        p.post(1);
        // More padding than there was room at first.
        let count = p.room(1) / 256 + 2;
        (0..count).for_each(|_| p.upload(1, &padded(DATA, 1, 0, &[b'x'; 1000], 255)));
        p.send(&data(1, END_STREAM, b""));
        p.until(|p| p.answer(1).is_some());
    }),
    beyond("6.9", "what comes for a stream that was reset is given back", Expect::Alive, |p| {
        let fields = p.fields("POST").add("X-Upper", "case").block();
        let most = vec![b'x'; p.frame_max()];
        for stream in (1..).step_by(2).take(100) {
            p.until(|p| p.room(0) >= most.len() as i64);
            p.send(&[headers(stream, END_HEADERS, &fields), data(stream, END_STREAM, &most)].concat());
            p.until_end_of(stream);
        }
        p.forgiven = 199;
    }),
    beyond("6.9", "a large body", Expect::Answer(200), |p| {
        p.post(1);
        let most = vec![b'x'; p.frame_max()];
        (0..100).for_each(|_| p.upload(1, &data(1, 0, &most)));
        p.send(&data(1, END_STREAM, b""));
        p.until(|p| p.answer(1).is_some());
    }),
];

/// Opens as many streams as there may be, whose answers have no room, and one more, which is refused; what its block adds to
/// the table is known all the same. Returns the stream that was refused.
fn crowd(p: &mut Peer) -> u32 {
    p.send(&settings(&[(INITIAL_WINDOW_SIZE, 0)]));
    let most = p.settings[&MAX_CONCURRENT_STREAMS];
    let block = p.fields("GET").set(":path", "/local").block();
    let all = (0..most).flat_map(|number| headers(number * 2 + 1, END, &block));
    p.send(&all.collect::<Vec<_>>());
    let last = most * 2 + 1;
    let indexed = [vec![0x40], string("x-test"), string("one")].concat();
    p.send(&headers(last, END, &[block, indexed].concat()));
    p.until_end_of(last);
    p.forgiven = last;
    last
}

/// Resets stream 1, and makes requests until one fits in its place; its body. For the client a stream is over when it has
/// reset it; the gateway counts it until nobody works for it any more, and refuses others that long.
fn in_place_of_1(p: &mut Peer, refused: u32) -> String {
    p.send(&rst_stream(1, CANCEL));
    // What the refused one has added to the table is known.
    let block = [p.fields("GET").block(), vec![0xbe]].concat();
    let next = (refused + 2..).step_by(2).take(100).find(|stream| {
        p.send(&[headers(*stream, END, &block), window_update(*stream, 1 << 20)].concat());
        p.until_end_of(*stream);
        p.answer(*stream).is_some()
    });
    let next = next.expect("a stream that fits");
    p.forgiven = next - 2;
    String::from_utf8(p.body(next)).unwrap()
}

const CONCURRENCY: &[Case] = &[
    beyond("5.1.2", "1024 streams may be there", Expect::Alive, |p| {
        assert_eq!(p.settings.get(&MAX_CONCURRENT_STREAMS), Some(&1024));
    }),
    beyond("5.1.2", "a stream too many is refused, and others go on", Expect::Alive, |p| {
        let last = crowd(p);
        let end = p.seen.iter().find(|frame| frame.is(RST_STREAM, last)).map(Frame::code);
        assert_eq!(end, Some(REFUSED_STREAM));
        assert!(in_place_of_1(p, last).contains("\nx-test: one\n"));
    }),
    beyond("5.1.2", "what comes for a stream that was refused is ignored", Expect::Alive, |p| {
        let last = crowd(p);
        p.send(&[window_update(last, 1), rst_stream(last, CANCEL)].concat());
        in_place_of_1(p, last);
    }),
    beyond("5.1.2", "streams that are over do not count", Expect::Answer(200), |p| {
        let most = p.settings[&MAX_CONCURRENT_STREAMS];
        let block = p.fields("GET").set(":path", "/local").block();
        p.send(&window_update(0, 1 << 20));
        for round in 0..3 {
            let first = round * most * 2 + 1;
            let last = first + most;
            p.send(&(first..=last).step_by(2).flat_map(|at| headers(at, END, &block)).collect::<Vec<_>>());
            p.until_end_of(last);
        }
    }),
    beyond("8.1", "trailers of a request among others", Expect::Answer(200), |p| {
        p.post(1);
        p.get(3);
        p.post(5);
        p.send(&[data(5, 0, b"five"), data(1, 0, b"one")].concat());
        p.send(&headers(1, END, &literal("x-test", "ok")));
        p.send(&data(5, END_STREAM, b""));
        [1, 3, 5].into_iter().for_each(|stream| p.until_end_of(stream));
        assert!(p.body(1).ends_with(b"\n\none") && p.body(5).ends_with(b"\n\nfive"));
    }),
];

#[test]
fn settings_and_pings() {
    all_hold("RFC 9113 sections 6.5 and 6.7", SETTINGS_CASES);
}

#[test]
fn windows_of_the_client() {
    all_hold("RFC 9113 section 6.9: sending", SENDING);
}

#[test]
fn windows_that_overflow() {
    all_hold("RFC 9113 section 6.9: overflows", OVERFLOWS);
}

#[test]
fn windows_of_the_gateway() {
    all_hold("RFC 9113 section 6.9: receiving", RECEIVING);
}

#[test]
fn concurrency() {
    all_hold("RFC 9113 section 5.1.2", CONCURRENCY);
}
