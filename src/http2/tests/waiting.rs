//! Who waits to send, who is woken, and in which order.

use super::*;
use crate::http2::connection::OUT_BYTES_MAX;

/// Streams of a server, each with an answer that has begun, and who waits on each.
fn answering(count: u32) -> (Raw, Vec<(Key, Bell)>) {
    let mut raw = Raw::new(|_| {});
    // Windows of streams are as large as can be; the connection's is what it is at first.
    raw.say(&frame(frame::SETTINGS, 0, 0, &[0, 4, 0x7f, 0xff, 0xff, 0xff])).unwrap();
    let mut streams = Vec::new();
    for number in 0..count {
        raw.say(&headers(number * 2 + 1, frame::END_STREAM)).unwrap();
        let key = raw.arrival();
        raw.server.connection.send_response(key, &response(200), BodyLength::Unknown, Then::More);
        streams.push((key, Bell::new()));
    }
    raw.answers();
    (raw, streams)
}

fn widen(raw: &mut Raw, by: u32) {
    raw.say(&frame(frame::WINDOW_UPDATE, 0, 0, &by.to_be_bytes())).unwrap();
}

/// Sends without end, as a task does that was woken. Gives how much that was.
fn pour(raw: &mut Raw, (key, bell): &(Key, Bell)) -> usize {
    let mut sent = 0;
    let data = vec![b'x'; 300_000];
    while let Poll::Ready(count) = raw.server.connection.send_data(*key, &data, Then::More, &bell.waker) {
        sent += count.unwrap();
    }
    sent
}

/// Has those who are woken send, until nobody is. Gives what each sent.
fn turn(raw: &mut Raw, streams: &[(Key, Bell)]) -> Vec<usize> {
    let mut sent = vec![0; streams.len()];
    while let Some(at) = streams.iter().position(|stream| stream.1.rung() > 0) {
        sent[at] += pour(raw, &streams[at]);
    }
    sent
}

#[test]
fn streams_take_turns_with_the_connections_window() {
    let (mut raw, streams) = answering(3);
    assert_eq!(pour(&mut raw, &streams[0]), 65_535);
    assert_eq!((pour(&mut raw, &streams[1]), pour(&mut raw, &streams[2])), (0, 0));
    raw.answers();
    let mut all = [0; 3];
    for _ in 0..30 {
        widen(&mut raw, 1000);
        let sent = turn(&mut raw, &streams);
        all.iter_mut().zip(sent).for_each(|(all, sent)| *all += sent);
        raw.answers();
    }
    assert_eq!(all, [10_000; 3]);
}

#[test]
fn streams_take_turns_with_the_room_for_what_is_sent() {
    let (mut raw, streams) = answering(3);
    widen(&mut raw, 1 << 30);
    for stream in &streams {
        pour(&mut raw, stream);
    }
    let mut all = [0; 3];
    for _ in 0..30 {
        raw.answers();
        let sent = turn(&mut raw, &streams);
        all.iter_mut().zip(sent).for_each(|(all, sent)| *all += sent);
    }
    assert_eq!(all, [10 * OUT_BYTES_MAX; 3]);
}

#[test]
fn nobody_is_woken_for_nothing() {
    let (mut raw, streams) = answering(2);
    assert_eq!(pour(&mut raw, &streams[0]), 65_535);
    assert_eq!(pour(&mut raw, &streams[1]), 0);
    let rung = |streams: &[(Key, Bell)]| streams.iter().map(|stream| stream.1.rung()).collect::<Vec<_>>();
    // Room, but no window.
    raw.answers();
    raw.say(&frame(frame::PING, 0, 0, &[0; 8])).unwrap();
    raw.answers();
    raw.say(&frame(frame::WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1])).unwrap();
    assert_eq!(rung(&streams), [0, 0]);
    // Window and room: one is woken, takes all of the room, and stands behind the other.
    widen(&mut raw, 1 << 20);
    assert_eq!(rung(&streams), [1, 0]);
    assert_eq!(pour(&mut raw, &streams[0]), OUT_BYTES_MAX);
    // Window, but no room.
    widen(&mut raw, 1);
    assert_eq!(rung(&streams), [0, 0]);
    raw.answers();
    assert_eq!(rung(&streams), [0, 1]);
    // What one leaves is the next one's.
    let sent = raw.server.connection.send_data(streams[1].0, b"little", Then::More, &streams[1].1.waker);
    assert_eq!(sent, Poll::Ready(Ok(6)));
    assert_eq!(rung(&streams), [1, 0]);
}

#[test]
fn a_turn_that_nobody_can_use_is_the_next_ones() {
    let (mut raw, streams) = answering(4);
    for stream in &streams {
        pour(&mut raw, stream);
    }
    raw.answers();
    let rung = |streams: &[(Key, Bell)]| streams.iter().map(|stream| stream.1.rung()).collect::<Vec<_>>();
    assert_eq!(raw.server.connection.waiting.len(), 4);
    widen(&mut raw, 10);
    assert_eq!(rung(&streams), [1, 0, 0, 0]);
    // The one that was woken has sent so much already that its own window is closed by this.
    raw.say(&frame(frame::SETTINGS, 0, 0, &[0, 4, 0, 0, 0xff, 0xff])).unwrap();
    assert_eq!(pour(&mut raw, &streams[0]), 0);
    assert_eq!(rung(&streams), [0, 1, 0, 0]);
    assert_eq!(pour(&mut raw, &streams[1]), 10);
    assert_eq!(raw.server.connection.waiting.len(), 3);
}

#[test]
fn a_window_can_be_waited_for_with_nothing_at_hand() {
    let (mut raw, streams) = answering(1);
    let (key, bell) = &streams[0];
    let poll = |raw: &mut Raw| raw.server.connection.poll_window(*key, &bell.waker);
    assert!(poll(&mut raw).is_ready());
    assert_eq!(pour(&mut raw, &streams[0]), 65_535);
    raw.answers();
    assert!(poll(&mut raw).is_pending());
    widen(&mut raw, 1);
    assert_eq!(bell.rung(), 1);
    assert_eq!(poll(&mut raw), Poll::Ready(Ok(())));
    raw.say(&frame(frame::RST_STREAM, 0, 1, &[0, 0, 0, 8])).unwrap();
    assert!(matches!(poll(&mut raw), Poll::Ready(Err(StreamEnd::Reset(_)))));
}

#[test]
fn those_who_are_gone_leave_the_line() {
    let (mut raw, streams) = answering(4);
    for stream in &streams {
        pour(&mut raw, stream);
    }
    raw.answers();
    assert_eq!(raw.server.connection.waiting.len(), 4);
    raw.server.connection.abandon(streams[1].0);
    raw.server.connection.abandon(streams[0].0);
    assert_eq!(raw.server.connection.waiting.len(), 2);
    // They are told, as everybody is whose stream has ended.
    for (_, bell) in &streams {
        bell.rung();
    }
    // Its place belongs to another stream now, which does not wait.
    raw.say(&headers(9, frame::END_STREAM)).unwrap();
    let next = raw.arrival();
    assert_eq!(next, streams[0].0);
    widen(&mut raw, 1);
    let rung: Vec<usize> = streams.iter().map(|stream| stream.1.rung()).collect();
    assert_eq!(rung, [0, 0, 1, 0]);
}

#[test]
fn readers_are_woken_by_what_they_read() {
    let mut raw = Raw::new(|_| {});
    raw.say(&headers(1, 0)).unwrap();
    let key = raw.arrival();
    let bell = Bell::new();
    for (bytes, wakes) in [
        (frame(frame::DATA, 0, 1, b"a"), 1),
        (frame(frame::WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1]), 0),
        (frame(frame::PING, 0, 0, &[0; 8]), 0),
        (frame(frame::DATA, frame::END_STREAM, 1, b""), 1),
    ] {
        take_all(&mut raw.server.connection, key);
        assert!(raw.server.connection.receive_body(key, &bell.waker).is_pending());
        raw.say(&bytes).unwrap();
        assert_eq!(bell.rung(), wakes, "{bytes:?}");
    }
}
