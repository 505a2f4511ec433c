//! What comes is damaged: nothing panics or loops, and a connection that breaks says so last.

use super::*;
use crate::http2::CONNECTION_WINDOW_FIRST;

/// What both sides of a lively connection send: frames of all kinds.
fn recorded() -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let mut pair = Pair { client: End::new(Config::client()), server: End::new(Config::server()), now_ms: 0 };
    let (mut up, mut down) = (Vec::new(), Vec::new());
    let mut exchange = |pair: &mut Pair| {
        for _ in 0..3 {
            let bytes = pair.client.connection.take_out(Vec::new());
            pair.server.receive(&bytes, 0).unwrap();
            up.extend(bytes);
            let bytes = pair.server.connection.take_out(Vec::new());
            pair.client.receive(&bytes, 0).unwrap();
            down.extend(bytes);
        }
    };
    exchange(&mut pair);
    for number in 0..6 {
        let here = pair.client.connection.send_request(&if number == 5 { get() } else { post() }, 0);
        exchange(&mut pair);
        let there = pair.server.connection.next_arrival().unwrap().stream.unwrap();
        let client = &mut pair.client.connection;
        if number < 4 {
            let _ = client.send_data(here, &[b'x'; 3000], Then::More, Waker::noop());
            client.send_trailers(here, &fields(&[("x-a", "b")]));
        }
        let server = &mut pair.server.connection;
        server.send_response(there, &response(103), BodyLength::None, Then::More);
        server.send_response(there, &response(200), BodyLength::Unknown, Then::More);
        let _ = server.send_data(there, &[b'y'; 20_000], Then::More, Waker::noop());
        if number % 2 == 0 {
            server.send_trailers(there, &fields(&[("grpc-status", "0")]));
        }
        exchange(&mut pair);
        take_all(&mut pair.server.connection, there);
        take_all(&mut pair.client.connection, here);
        pair.client.connection.ping();
        exchange(&mut pair);
        pair.client.connection.abandon(here);
        pair.server.connection.abandon(there);
        exchange(&mut pair);
    }
    pair.server.connection.leave(0);
    exchange(&mut pair);
    let split = |bytes: &[u8]| -> Vec<Vec<u8>> {
        let whole = |(header, payload): (FrameHeader, Vec<u8>)| {
            frame(header.kind, header.flags, header.stream, &payload)
        };
        frames(bytes).into_iter().map(whole).collect()
    };
    (split(&up), split(&down))
}

fn damage(frames: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut frames = frames.to_vec();
    for _ in 0..random.below(3) {
        let (one, other) = (random.below(frames.len()), random.below(frames.len()));
        match random.below(3) {
            0 => frames.swap(one, other),
            1 => drop(frames.remove(one)),
            _ => frames.insert(one, frames[other].clone()),
        }
    }
    let mut bytes = frames.concat();
    for _ in 0..random.below(4) {
        // Most of the bytes are data; headers of frames are more telling.
        let from = frames[..random.below(frames.len())].iter().map(Vec::len).sum::<usize>();
        let at = (from + random.below(12)).min(bytes.len() - 1);
        match random.below(4) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = random.next() as u8,
            2 => bytes.insert(at, random.next() as u8),
            _ => drop(bytes.drain(at..(at + 1 + random.below(20)).min(bytes.len()))),
        }
    }
    bytes
}

/// Feeds bytes in pieces, and looks at what the connection makes of them. Says whether it broke.
fn feed(end: &mut End, bytes: &[u8], keys: &mut Vec<Key>, random: &mut Random) -> bool {
    let mut rest = bytes;
    let mut sent = Vec::new();
    let mut is_broken = false;
    while !rest.is_empty() && !is_broken {
        let (piece, behind) = rest.split_at((1 + random.below(8000)).min(rest.len()));
        rest = behind;
        is_broken = end.receive(piece, 0).is_err();
        while let Some(arrival) = end.connection.next_arrival() {
            keys.extend(arrival.stream);
        }
        for key in keys.iter() {
            if random.one_in(3) {
                take_all(&mut end.connection, *key);
                end.connection.send_response(*key, &response(200), BodyLength::Unknown, Then::More);
            }
        }
        let bodies = end.connection.streams.iter_mut().flat_map(|slot| slot.body.iter());
        let held: usize = bodies.map(|buffer| buffer.len()).sum();
        assert!(held <= CONNECTION_WINDOW_FIRST as usize);
        sent.extend(end.connection.take_out(Vec::new()));
    }
    if random.one_in(2) {
        keys.drain(..).for_each(|key| end.connection.abandon(key));
        sent.extend(end.connection.take_out(Vec::new()));
    }
    let last = frames(&sent).last().map(|(header, _)| header.kind);
    assert!(!is_broken || last == Some(frame::GOAWAY), "{last:?}");
    keys.drain(..).for_each(|key| end.connection.abandon(key));
    assert_eq!(end.connection.streams(), 0);
    is_broken
}

#[test]
fn damaged_requests() {
    let (up, _) = recorded();
    let mut random = Random(1);
    let mut broken = 0;
    for _ in 0..1500 {
        let mut server = End::new(Config::server());
        server.receive(PREFACE, 0).unwrap();
        let bytes = damage(&up, &mut random);
        broken += usize::from(feed(&mut server, &bytes, &mut Vec::new(), &mut random));
    }
    assert!((100..1450).contains(&broken), "{broken}");
}

#[test]
fn damaged_responses() {
    let (_, down) = recorded();
    let mut random = Random(2);
    let mut broken = 0;
    for _ in 0..700 {
        let mut client = End::new(Config::client());
        let mut keys: Vec<Key> = (0..6).map(|_| client.connection.send_request(&post(), 0)).collect();
        let bytes = damage(&down, &mut random);
        broken += usize::from(feed(&mut client, &bytes, &mut keys, &mut random));
    }
    assert!((50..680).contains(&broken), "{broken}");
}

#[test]
fn undamaged_ones_are_fine() {
    let (up, down) = recorded();
    let mut server = End::new(Config::server());
    server.receive(PREFACE, 0).unwrap();
    assert!(!feed(&mut server, &up.concat(), &mut Vec::new(), &mut Random(3)));
    let mut client = End::new(Config::client());
    let mut keys: Vec<Key> = (0..6).map(|_| client.connection.send_request(&post(), 0)).collect();
    assert!(!feed(&mut client, &down.concat(), &mut keys, &mut Random(4)));
}

#[test]
fn noise() {
    let mut random = Random(5);
    for _ in 0..300 {
        let mut server = End::new(Config::server());
        server.receive(&[PREFACE.to_vec(), frame(frame::SETTINGS, 0, 0, &[])].concat(), 0).unwrap();
        let mut bytes = Vec::new();
        for _ in 0..40 {
            let (len, kind, flags) = (random.below(30), random.below(11) as u8, random.next() as u8);
            let stream = random.below(8) as u32;
            bytes.extend(frame(kind, flags, stream, &random.body(len)));
        }
        feed(&mut server, &bytes, &mut Vec::new(), &mut random);
    }
}
