//! What a peer can make a connection hold.

use super::*;
use crate::{
    buffer::Class,
    http2::{ErrorCode, Flood, Refused},
};

#[test]
fn a_bomb_of_cookies_costs_no_memory() {
    let mut raw = Raw::new(|_| {});
    // A cookie of 3 KiB that is remembered, and then 10 000 times a byte that stands for it: 30 MB.
    let mut bomb = block(&PSEUDO);
    bomb.push(0x40);
    string(b"cookie", &mut bomb);
    string("c".repeat(3000).as_bytes(), &mut bomb);
    bomb.extend_from_slice(&[0x80 | 62; 10_000]);
    let error = raw.say(&frame(frame::HEADERS, frame::END_HEADERS, 1, &bomb)).unwrap_err();
    assert_eq!((error.code, error.flood), (ErrorCode::EnhanceYourCalm, Some(Flood::HeaderList)));
    // As many as are just not that: refused, and what was taken is within the limit of a list.
    let mut raw = Raw::new(|_| {});
    bomb.truncate(bomb.len() - 10_000 + 70);
    raw.say(&frame(frame::HEADERS, frame::END_HEADERS, 1, &bomb)).unwrap();
    let arrival = raw.server.connection.next_arrival().unwrap();
    assert_eq!(arrival.verdict, Verdict::Refuse(Refused::TooLarge));
    let mut head = arrival.head;
    let kept = head.fields.take_scratch().capacity();
    assert!(kept <= 2 * Config::server().header_list_bytes, "{kept}");
}

#[test]
fn a_list_of_many_fields_is_refused_and_not_kept() {
    let mut raw = Raw::new(|config| config.fields = 10);
    let mut list = block(&PSEUDO);
    list.extend(block(&[("x-a", "b"); 50]));
    raw.say(&frame(frame::HEADERS, frame::END_HEADERS, 1, &list)).unwrap();
    let arrival = raw.server.connection.next_arrival().unwrap();
    assert_eq!(arrival.verdict, Verdict::Refuse(Refused::TooMany));
    assert!(arrival.head.fields.len() <= 10);
}

#[test]
fn buffers_are_not_many_times_what_is_in_them() {
    for size in [1usize, 100, 4097, 5000, 16_384] {
        let mut raw = Raw::new(|_| {});
        raw.say(&headers(1, 0)).unwrap();
        let key = raw.arrival();
        let mut came = 0;
        while came < 200_000.min(size * 3000) {
            raw.say(&frame(frame::DATA, 0, 1, &vec![0; size])).unwrap();
            came += size;
            let slot = raw.server.connection.streams.get(key).unwrap();
            let held: usize = slot.body.iter().map(|buffer| buffer.class().bytes()).sum();
            let limit = Class::Small.bytes() + 9 * came;
            assert!(held <= limit, "{held} bytes for {came}, in frames of {size}");
        }
    }
}

#[test]
fn what_nobody_takes_stays_within_the_windows() {
    let mut raw = Raw::new(|config| {
        config.stream_window = 50_000;
        config.connection_window = 300_000;
        config.connection_window_first = 200_000;
    });
    let mut keys = Vec::new();
    let mut sent = 0;
    // Each stream gets as much as its window admits, as long as the connection's does.
    for number in 0..4 {
        raw.say(&headers(number * 2 + 1, 0)).unwrap();
        keys.push(raw.arrival());
        for _ in 0..5 {
            raw.say(&frame(frame::DATA, 0, number * 2 + 1, &[0; 10_000])).unwrap();
            sent += 10_000;
        }
    }
    let held = |raw: &mut Raw| -> usize {
        raw.server
            .connection
            .streams
            .iter_mut()
            .flat_map(|slot| slot.body.iter())
            .map(|body| body.len())
            .sum()
    };
    assert_eq!((sent, held(&mut raw)), (200_000, 200_000));
    assert!(raw.answers().is_empty());
    let error = raw.say(&frame(frame::DATA, 0, 1, &[0; 1])).unwrap_err();
    assert_eq!(error.reason, "connection_window");
    assert_eq!(held(&mut raw), 0);
}

#[test]
fn what_is_to_be_sent_has_a_limit() {
    use crate::http2::connection::OUT_BYTES_MAX;
    let mut raw = Raw::new(|_| {});
    raw.say(&frame(frame::WINDOW_UPDATE, 0, 0, &[0x10, 0, 0, 0])).unwrap();
    raw.say(&frame(frame::SETTINGS, 0, 0, &[0, 4, 0x7f, 0xff, 0xff, 0xff])).unwrap();
    raw.say(&headers(1, frame::END_STREAM)).unwrap();
    let key = raw.arrival();
    let server = &mut raw.server.connection;
    server.send_response(key, &response(200), BodyLength::Unknown, Then::More);
    while server.send_data(key, &[0; 50_000], Then::More, Waker::noop()).is_ready() {}
    // Headers of frames are beside it.
    assert!(server.out.len() < OUT_BYTES_MAX + 500 && !server.is_clogged());
    // Answers to what comes find room; it is for the caller to read no more.
    raw.say(&frame(frame::PING, 0, 0, &[0; 8])).unwrap();
    assert_eq!(raw.answers().last().unwrap().0.kind, frame::PING);
    assert!(!raw.server.connection.is_clogged());
    raw.server.connection.shrink();
    assert_eq!(raw.server.connection.out.capacity(), 0);
}
