//! Resets, and connections that end.

use super::*;
use crate::http2::ErrorCode;

/// A stream is reset in the middle of something.
fn interrupted(stage: usize, by_client: bool) {
    let mut pair = Pair::narrow(100);
    let (here, there, _) = pair.request(&post());
    let keys = (here, there);
    if stage >= 1 {
        pair.send(Way::Up, keys, b"some", Then::More);
    }
    if stage >= 2 {
        pair.server.connection.send_response(there, &response(200), BodyLength::Unknown, Then::More);
        pair.pass();
    }
    if stage >= 3 {
        // More than the windows allow, and nobody takes it.
        for (connection, key) in [(&mut pair.client.connection, here), (&mut pair.server.connection, there)] {
            assert!(connection.send_data(key, &[b'x'; 1000], Then::End, Waker::noop()).is_ready());
        }
        pair.pass();
    }
    if stage >= 4 {
        // Both have data under way when the reset comes.
        take_all(&mut pair.client.connection, here);
        take_all(&mut pair.server.connection, there);
        let (mut up, mut down) = (Vec::new(), Vec::new());
        for (one, other) in [(&mut pair.client.connection, &mut up), (&mut pair.server.connection, &mut down)]
        {
            other.extend(one.take_out(Vec::new()));
        }
        pair.server.receive(&up, 0).unwrap();
        pair.client.receive(&down, 0).unwrap();
        for (connection, key) in [(&mut pair.client.connection, here), (&mut pair.server.connection, there)] {
            assert!(connection.send_data(key, &[b'x'; 50], Then::More, Waker::noop()).is_ready());
        }
    }
    let bell = Bell::new();
    let (resets, key, hears, other) = match by_client {
        true => (&mut pair.client.connection, here, &mut pair.server.connection, there),
        false => (&mut pair.server.connection, there, &mut pair.client.connection, here),
    };
    assert!(!hears.watch(other, &bell.waker));
    resets.reset(key, ErrorCode::Cancel);
    assert_eq!(resets.end_of(key), Some(StreamEnd::Reset(ErrorCode::Cancel)));
    assert!(matches!(resets.send_data(key, b"x", Then::More, Waker::noop()), Poll::Ready(Err(_))));
    resets.send_trailers(key, &Fields::default());
    pair.pass();
    assert_eq!(bell.rung(), 1, "stage {stage}");
    let (hears, other) = match by_client {
        true => (&mut pair.server.connection, there),
        false => (&mut pair.client.connection, here),
    };
    let end = StreamEnd::Reset(ErrorCode::Cancel);
    assert_eq!(hears.end_of(other), Some(end));
    assert_eq!(take_all(hears, other).1.map(Result::err), Some(Some(end)));
    hears.send_response(other, &response(500), BodyLength::None, Then::End);
    assert!(!hears.has_out());
    pair.abandon(keys);
    pair.assert_whole();
}

#[test]
fn resets_at_every_stage_from_both_sides() {
    for stage in 0..5 {
        interrupted(stage, true);
        interrupted(stage, false);
    }
}

#[test]
fn an_answer_that_is_whole_outlives_the_request() {
    let mut pair = Pair::new();
    let (here, there, _) = pair.request(&post());
    pair.server.connection.send_response(there, &response(413), BodyLength::None, Then::End);
    pair.server.connection.abandon(there);
    pair.pass();
    let client = &mut pair.client.connection;
    // RFC 9113 section 8.1: only the rest of the request is not wanted.
    assert_eq!(client.end_of(here), Some(StreamEnd::Reset(ErrorCode::NoError)));
    assert_eq!(next_response(client, here).unwrap().unwrap().status, 413);
    assert!(matches!(take_all(client, here).1, Some(Ok(None))));
    client.abandon(here);
    pair.assert_whole();
}

#[test]
fn an_answer_that_is_whole_outlives_the_connection() {
    let mut pair = Pair::new();
    let (here, there, _) = pair.request(&post());
    let (partial, cut, _) = pair.request(&post());
    let server = &mut pair.server.connection;
    server.send_response(there, &response(413), BodyLength::Unknown, Then::More);
    assert!(server.send_data(there, b"too large", Then::End, Waker::noop()).is_ready());
    server.send_response(cut, &response(200), BodyLength::Unknown, Then::More);
    assert!(server.send_data(cut, b"half", Then::More, Waker::noop()).is_ready());
    pair.pass();
    let client = &mut pair.client.connection;
    client.ended();
    assert_eq!(client.end_of(partial), Some(StreamEnd::Closed));
    assert!(matches!(client.send_data(here, b"x", Then::End, Waker::noop()), Poll::Ready(Err(_))));
    assert_eq!(next_response(client, here).unwrap().unwrap().status, 413);
    let (data, end) = take_all(client, here);
    assert_eq!(data, b"too large");
    assert!(matches!(end, Some(Ok(None))));
    client.abandon(here);
    client.abandon(partial);
    assert_eq!((client.streams(), client.has_out()), (0, false));
}

#[test]
fn a_server_that_leaves_serves_what_has_begun_and_nothing_else() {
    let mut pair = Pair::new();
    let (first, serving, _) = pair.request(&post());
    pair.server.connection.leave_now();
    // These were begun before the client knew, and one of them sends a body.
    let client = &mut pair.client.connection;
    let second = client.send_request(&post(), 0);
    let third = client.send_request(&get(), 0);
    assert!(client.send_data(second, &[b'x'; 30_000], Then::More, Waker::noop()).is_ready());
    client.send_trailers(second, &fields(&[("x-a", "b")]));
    pair.pass();
    let client = &mut pair.client.connection;
    for key in [second, third] {
        assert_eq!(client.end_of(key), Some(StreamEnd::Unprocessed));
        client.abandon(key);
    }
    assert!(client.is_leaving() && !client.can_open(100));
    assert_eq!(client.end_of(first), None);
    assert!(pair.server.connection.next_arrival().is_none());
    let keys = (first, serving);
    assert_eq!(pair.send(Way::Up, keys, b"still", Then::End), b"still");
    pair.server.connection.send_response(serving, &response(200), BodyLength::None, Then::End);
    pair.pass();
    assert!(!pair.server.connection.is_over());
    assert_eq!(next_response(&mut pair.client.connection, first).unwrap().unwrap().status, 200);
    pair.abandon(keys);
    assert!(pair.server.connection.is_over() && !pair.server.connection.is_dead());
    // Nothing can begin on it any more, so nobody has a use for it.
    assert!(pair.client.connection.is_over());
    pair.assert_whole();
}

#[test]
fn frames_for_streams_that_were_not_looked_at_are_passed_over() {
    let mut raw = Raw::new(|_| {});
    raw.say(&headers(1, 0)).unwrap();
    let _held = raw.arrival();
    raw.server.connection.leave_now();
    raw.answers();
    let later = [
        headers(7, 0),
        frame(frame::DATA, 0, 7, b"body"),
        frame(frame::WINDOW_UPDATE, 0, 7, &[0, 0, 0, 1]),
        frame(frame::HEADERS, frame::END_HEADERS | frame::END_STREAM, 7, &block(&[("x-a", "b")])),
        frame(frame::RST_STREAM, 0, 7, &[0, 0, 0, 8]),
    ];
    raw.say(&later.concat()).unwrap();
    assert!(raw.answers().is_empty() && raw.server.connection.next_arrival().is_none());
    let error = raw.say(&frame(frame::DATA, 0, 9, b"body")).unwrap_err();
    assert_eq!(error.reason, "data_on_idle_stream");
}

#[test]
fn a_warned_client_is_heard_until_it_knows() {
    let mut pair = Pair::new();
    pair.server.connection.leave(0);
    let first = pair.client.connection.send_request(&get(), 0);
    // On its way when the client is warned; the answer to the ping comes behind it.
    pair.pass();
    let serving = pair.server.connection.next_arrival().unwrap().stream.unwrap();
    assert_eq!(pair.client.connection.end_of(first), None);
    assert!(!pair.client.connection.can_open(100));
    pair.server.connection.send_response(serving, &response(200), BodyLength::None, Then::End);
    pair.pass();
    pair.abandon((first, serving));
    assert!(pair.server.connection.is_over());
    pair.assert_whole();
}

#[test]
fn a_client_that_was_quiet_for_long_has_its_time_to_hear_of_the_warning() {
    let mut pair = Pair::new();
    let (here, there, _) = pair.request(&get());
    // A request that takes long, and then a warning.
    pair.server.connection.leave(60_000);
    let late = pair.client.connection.send_request(&get(), 0);
    let sent = pair.client.connection.take_out(Vec::new());
    pair.server.receive(&sent, 60_001).unwrap();
    let serving = pair.server.connection.next_arrival().expect("the late request is taken").stream.unwrap();
    pair.abandon((here, there));
    pair.abandon((late, serving));
}

#[test]
fn what_a_peer_does_wrong_ends_all_streams() {
    let mut pair = Pair::new();
    let (here, there, _) = pair.request(&post());
    let bell = Bell::new();
    let server = &mut pair.server.connection;
    assert!(server.receive_body(there, &bell.waker).is_pending());
    let bad = frame(frame::PING, 0, 1, &[0; 8]);
    let error = pair.server.receive(&bad, 0).unwrap_err();
    assert_eq!((error.code, error.reason), (ErrorCode::ProtocolError, "ping_on_a_stream"));
    assert_eq!(bell.rung(), 1);
    let server = &mut pair.server.connection;
    assert_eq!(server.end_of(there), Some(StreamEnd::Closed));
    // Nothing is said behind GOAWAY.
    server.send_response(there, &response(500), BodyLength::None, Then::End);
    server.release(there, 100);
    server.leave(0);
    server.ping();
    server.abandon(there);
    let sent = frames(&server.take_out(Vec::new()));
    let (last, payload) = sent.last().unwrap();
    assert_eq!((last.kind, &payload[..8]), (frame::GOAWAY, &[0, 0, 0, 1, 0, 0, 0, 1][..]));
    assert_eq!(&payload[8..], b"ping_on_a_stream");
    assert_eq!((server.streams(), server.is_over()), (0, true));
    assert_eq!(server.receive(&frame(frame::PING, 0, 0, &[0; 8]), 0), Ok(0));
    pair.client.connection.abandon(here);
}

#[test]
fn streams_beyond_the_limit_are_refused_and_others_go_on() {
    let mut pair = Pair::with(|_| {}, |config| config.max_concurrent_streams = 1);
    let (here, there, _) = pair.request(&post());
    let client = &mut pair.client.connection;
    let refused = client.send_request(&post(), 0);
    assert!(client.send_data(refused, &[b'x'; 40_000], Then::More, Waker::noop()).is_ready());
    client.send_trailers(refused, &fields(&[("x-a", "b")]));
    pair.pass();
    let client = &mut pair.client.connection;
    assert_eq!(client.end_of(refused), Some(StreamEnd::Reset(ErrorCode::RefusedStream)));
    client.abandon(refused);
    assert_eq!(pair.server.connection.tally().refused, 1);
    assert_eq!(pair.send(Way::Up, (here, there), b"fine", Then::End), b"fine");
    pair.abandon((here, there));
    pair.assert_whole();
}
