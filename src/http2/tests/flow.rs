//! Windows: they hold senders back, change while data wait, and are whole again when all streams are gone.

use super::*;
use crate::http2::{ErrorCode, stream::Side};

fn settings(entries: &[(u16, u32)]) -> Vec<u8> {
    let mut payload = Vec::new();
    for (id, value) in entries {
        payload.extend_from_slice(&id.to_be_bytes());
        payload.extend_from_slice(&value.to_be_bytes());
    }
    frame(frame::SETTINGS, 0, 0, &payload)
}

/// Bytes of DATA that were sent.
fn data_bytes(raw: &mut Raw) -> usize {
    let data = raw.answers().into_iter().filter(|(header, _)| header.kind == frame::DATA);
    data.map(|(header, _)| header.len).sum()
}

#[test]
fn settings_change_windows_while_data_wait() {
    let mut raw = Raw::new(|_| {});
    raw.say(&settings(&[(4, 10)])).unwrap();
    raw.say(&headers(1, frame::END_STREAM)).unwrap();
    let key = raw.arrival();
    let bell = Bell::new();
    let mut left = 100;
    let mut send = |raw: &mut Raw, bell: &Bell| {
        let server = &mut raw.server.connection;
        while let Poll::Ready(sent) = server.send_data(key, &vec![b'x'; left], Then::More, &bell.waker) {
            left -= sent.unwrap();
        }
        data_bytes(raw)
    };
    raw.server.connection.send_response(key, &response(200), BodyLength::Unknown, Then::More);
    assert_eq!(send(&mut raw, &bell), 10);
    raw.say(&settings(&[(4, 15)])).unwrap();
    assert_eq!((bell.rung(), send(&mut raw, &bell)), (1, 5));
    // Fifteen bytes were sent, so the window is negative now (RFC 9113 section 6.9.2).
    raw.say(&settings(&[(4, 5)])).unwrap();
    raw.say(&frame(frame::WINDOW_UPDATE, 0, 1, &[0, 0, 0, 10])).unwrap();
    assert_eq!((bell.rung(), send(&mut raw, &bell)), (0, 0));
    raw.say(&frame(frame::WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1])).unwrap();
    assert_eq!((bell.rung(), send(&mut raw, &bell)), (1, 1));
    raw.say(&settings(&[(4, 50)])).unwrap();
    assert_eq!((bell.rung(), send(&mut raw, &bell)), (1, 45));
    raw.server.connection.abandon(key);
    assert_eq!(raw.server.connection.streams(), 0);
}

#[test]
fn a_window_that_is_too_large_ends_what_it_is_of() {
    let mut raw = Raw::new(|_| {});
    raw.say(&[headers(1, 0), headers(3, 0)].concat()).unwrap();
    let (first, second) = (raw.arrival(), raw.arrival());
    raw.say(&frame(frame::WINDOW_UPDATE, 0, 1, &[0x7f, 0xff, 0, 0])).unwrap();
    raw.say(&frame(frame::WINDOW_UPDATE, 0, 1, &[0, 0, 0xff, 0xff])).unwrap();
    let end = raw.server.connection.end_of(first);
    assert_eq!(end, Some(StreamEnd::Broken("http2.window_overflow")));
    // The stream is closed, so its window is of no interest any more.
    raw.say(&settings(&[(4, 65_536)])).unwrap();
    raw.say(&frame(frame::WINDOW_UPDATE, 0, 3, &[0x7f, 0xfe, 0xff, 0xff])).unwrap();
    assert_eq!(raw.server.connection.end_of(second), None);
    let error = raw.say(&settings(&[(4, 65_537)])).unwrap_err();
    assert_eq!((error.code, error.reason), (ErrorCode::FlowControlError, "window_overflow"));
}

#[test]
fn what_is_beyond_a_window_is_an_error() {
    let mut raw = Raw::new(|config| config.stream_window = 10);
    raw.say(&headers(1, 0)).unwrap();
    let key = raw.arrival();
    raw.say(&frame(frame::DATA, 0, 1, &[0; 10])).unwrap();
    raw.say(&frame(frame::DATA, 0, 1, &[0; 1])).unwrap();
    assert_eq!(raw.server.connection.end_of(key), Some(StreamEnd::Broken("http2.stream_window")));
    raw.server.connection.abandon(key);
    assert_whole_alone(&raw.server.connection);
    let mut raw = Raw::new(|config| config.connection_window = 70_000);
    raw.say(&headers(1, 0)).unwrap();
    for _ in 0..4 {
        raw.say(&frame(frame::DATA, 0, 1, &[0; 16_384])).unwrap();
    }
    let error = raw.say(&frame(frame::DATA, 0, 1, &[0; 16_384])).unwrap_err();
    assert_eq!((error.code, error.reason), (ErrorCode::FlowControlError, "connection_window"));
}

#[test]
fn padding_is_given_back_although_nobody_takes_it() {
    let mut raw = Raw::new(|config| config.stream_window = 1000);
    raw.say(&headers(1, 0)).unwrap();
    let key = raw.arrival();
    let mut payload = vec![0; 100];
    payload[0] = 99;
    let mut updates = 0;
    for _ in 0..50 {
        raw.say(&frame(frame::DATA, frame::PADDED, 1, &payload)).unwrap();
        let answers = raw.answers();
        updates += answers
            .iter()
            .filter(|(header, _)| header.kind == frame::WINDOW_UPDATE && header.stream == 1)
            .count();
    }
    assert_eq!(updates, 10);
    assert_eq!(raw.server.connection.end_of(key), None);
    raw.server.connection.abandon(key);
    assert_whole_alone(&raw.server.connection);
}

#[test]
fn the_connections_window_grows_with_what_is_taken() {
    let mut pair = Pair::with(|_| {}, |config| config.connection_window_first = 100_000);
    let (here, there, _) = pair.request(&post());
    assert_eq!(pair.server.connection.receive_target, 100_000);
    pair.send(Way::Up, (here, there), &vec![b'x'; 3_000_000], Then::End);
    assert!(pair.server.connection.receive_target > 1_000_000);
    pair.abandon((here, there));
    pair.assert_whole();
}

/// Whatever happens on streams, when they are gone the windows are whole.
#[test]
fn windows_are_whole_after_anything() {
    for seed in 0..40 {
        let mut random = Random(seed);
        let window = 1 + random.below(40_000) as u32;
        let mut pair = Pair::narrow(window);
        let mut keys: Vec<(Key, Option<Key>)> = Vec::new();
        for _ in 0..150 {
            pair.now_ms += 100;
            anything(&mut pair, &mut keys, &mut random);
        }
        pair.pass();
        while let Some(arrival) = pair.server.connection.next_arrival() {
            pair.server.connection.abandon(arrival.stream.unwrap());
        }
        for (here, there) in keys {
            pair.client.connection.abandon(here);
            there.into_iter().for_each(|there| pair.server.connection.abandon(there));
        }
        pair.assert_whole();
    }
}

fn anything(pair: &mut Pair, keys: &mut Vec<(Key, Option<Key>)>, random: &mut Random) {
    if keys.is_empty() || (random.one_in(5) && pair.client.connection.can_open(20)) {
        if !pair.client.connection.can_open(20) {
            return pair.pass();
        }
        let here = pair.client.connection.send_request(&post(), pair.now_ms);
        pair.pass();
        let there = pair.server.connection.next_arrival().and_then(|arrival| arrival.stream);
        keys.push((here, there));
        return;
    }
    let at = random.below(keys.len());
    let (here, Some(there)) = keys[at] else { return };
    let is_up = random.one_in(2);
    let way = if is_up { Way::Up } else { Way::Down };
    let (one, other) = pair.ends(way);
    let (from, to) = if is_up { (here, there) } else { (there, here) };
    let then = Then::end_if(random.one_in(10));
    match random.below(10) {
        0 if !is_up => one.send_response(from, &response(200), BodyLength::Unknown, then),
        0 | 1 => one.reset(from, ErrorCode::Cancel),
        2 => {
            one.abandon(from);
            other.abandon(to);
            keys.swap_remove(at);
        }
        3..=6 if one.streams.get(from).is_some_and(|slot| slot.sending == Side::Body) => {
            let len = random.below(60_000);
            let data = random.body(len);
            let _ = one.send_data(from, &data, then, Waker::noop());
        }
        7 => drop(one.receive_body(from, Waker::noop())),
        8 => drop(take_all(other, to)),
        _ => pair.pass(),
    }
}
