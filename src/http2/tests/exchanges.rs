//! Requests and responses between two connections of our own.

use super::*;
use crate::http::Upgrade;

#[test]
fn a_request_and_its_answer() {
    let mut pair = Pair::new();
    let mut head = get();
    head.set_path(b"/a");
    head.fields = fields(&[("accept", "*/*"), ("cookie", "a=b")]);
    let (here, there, arrived) = pair.request(&head);
    assert_eq!((&*arrived.method, &*arrived.target), (&b"GET"[..], &b"/a"[..]));
    assert_eq!((&*arrived.authority, arrived.body), (&b"a.example"[..], BodyLength::None));
    assert_eq!(arrived.fields.get_text(b"cookie"), Some(&b"a=b"[..]));
    assert!(pair.server.connection.is_received(there));
    let mut answer = response(404);
    answer.fields = fields(&[("server", "s")]);
    pair.server.connection.send_response(there, &answer, BodyLength::Sized(5), Then::More);
    assert_eq!(pair.send(Way::Down, (here, there), b"hello", Then::End), b"hello");
    let got = next_response(&mut pair.client.connection, here).unwrap().unwrap();
    assert_eq!((got.status, got.body), (404, BodyLength::Sized(5)));
    assert_eq!(got.fields.get(Name::Server), Some(&b"s"[..]));
    assert!(matches!(take_all(&mut pair.client.connection, here).1, Some(Ok(None))));
    pair.abandon((here, there));
    pair.assert_whole();
    assert_eq!(pair.server.connection.tally(), Default::default());
}

#[test]
fn bodies_and_trailers_go_both_ways_through_tiny_windows() {
    for window in [1, 2, 7, 100, 16_384, 70_000] {
        let mut pair = Pair::narrow(window);
        let body = Random(u64::from(window)).body((window as usize * 50).min(200_000));
        let (here, there, _) = pair.request(&post());
        let keys = (here, there);
        pair.server.connection.send_response(there, &response(200), BodyLength::Unknown, Then::More);
        assert!(pair.send(Way::Up, keys, &body, Then::More) == body, "up with {window}");
        assert!(pair.send(Way::Down, keys, &body, Then::More) == body, "down with {window}");
        pair.client.connection.send_trailers(here, &fields(&[("x-sum", "1")]));
        pair.server.connection.send_trailers(there, &fields(&[("grpc-status", "0"), ("x-sum", "2")]));
        pair.pass();
        assert_eq!(next_response(&mut pair.client.connection, here).unwrap().unwrap().status, 200);
        let Some(Ok(Some(up))) = take_all(&mut pair.server.connection, there).1 else {
            panic!("no trailers")
        };
        let Some(Ok(Some(down))) = take_all(&mut pair.client.connection, here).1 else {
            panic!("no trailers")
        };
        assert_eq!(up.get_text(b"x-sum"), Some(&b"1"[..]));
        assert_eq!(down.get_text(b"grpc-status"), Some(&b"0"[..]));
        assert_eq!(down.get_text(b"x-sum"), Some(&b"2"[..]));
        pair.abandon(keys);
        pair.assert_whole();
    }
}

#[test]
fn interim_responses_come_in_order_before_the_final_one() {
    let mut pair = Pair::new();
    let (here, there, _) = pair.request(&get());
    for status in [100, 103, 103, 200] {
        let then = Then::end_if(status == 200);
        pair.server.connection.send_response(there, &response(status), BodyLength::None, then);
    }
    pair.pass();
    let client = &mut pair.client.connection;
    let statuses: Vec<u16> = (0..4).map(|_| next_response(client, here).unwrap().unwrap().status).collect();
    assert_eq!(statuses, [100, 103, 103, 200]);
    assert!(client.is_received(here));
    pair.abandon((here, there));
    pair.assert_whole();
}

#[test]
fn interim_responses_end_somewhere() {
    let mut pair = Pair::new();
    let (here, there, _) = pair.request(&get());
    for _ in 0..17 {
        pair.server.connection.send_response(there, &response(103), BodyLength::None, Then::More);
    }
    pair.pass();
    let end = pair.client.connection.end_of(here);
    assert_eq!(end, Some(StreamEnd::Broken("http2.too_many_interim_responses")));
    assert!(matches!(pair.server.connection.end_of(there), Some(StreamEnd::Reset(_))));
    pair.abandon((here, there));
    pair.assert_whole();
}

#[test]
fn answers_without_a_body_say_what_they_would_have() {
    for (method, status, length, said) in [
        ("HEAD", 200, Some(7), Some(7)),
        ("HEAD", 200, None, None),
        ("GET", 304, Some(7), Some(7)),
        ("GET", 204, Some(7), None),
        ("GET", 200, Some(0), Some(0)),
        ("GET", 200, None, None),
    ] {
        let mut pair = Pair::new();
        let (here, there, _) = pair.request(&request(method.as_bytes(), BodyLength::None));
        let mut answer = response(status);
        answer.content_length = length;
        pair.server.connection.send_response(there, &answer, BodyLength::None, Then::End);
        pair.pass();
        let got = next_response(&mut pair.client.connection, here).unwrap().unwrap();
        assert_eq!((got.content_length, got.body), (said, BodyLength::None), "{method} {status}");
        assert!(pair.client.connection.is_received(here));
        pair.abandon((here, there));
        pair.assert_whole();
    }
}

#[test]
fn a_body_where_none_may_be_breaks_the_stream() {
    for (method, status) in [("HEAD", 200), ("GET", 204), ("GET", 304)] {
        let mut pair = Pair::new();
        let (here, there, _) = pair.request(&request(method.as_bytes(), BodyLength::None));
        let server = &mut pair.server.connection;
        server.send_response(there, &response(status), BodyLength::Unknown, Then::More);
        assert!(server.send_data(there, b"x", Then::End, Waker::noop()).is_ready());
        pair.pass();
        let end = pair.client.connection.end_of(here);
        assert_eq!(end, Some(StreamEnd::Broken("http2.content_length_mismatch")), "{method} {status}");
        pair.abandon((here, there));
        pair.assert_whole();
    }
}

#[test]
fn header_blocks_of_many_frames() {
    let long = "v".repeat(9_000);
    let large: Vec<(String, &str)> = (0..6).map(|number| (format!("x-{number}"), long.as_str())).collect();
    let large: Vec<(&str, &str)> = large.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let mut pair = Pair::new();
    let mut head = post();
    head.fields = fields(&large);
    let (here, there, arrived) = pair.request(&head);
    assert_eq!(arrived.fields.get_text(b"x-5").map(<[u8]>::len), Some(9_000));
    let mut answer = response(200);
    answer.fields = fields(&large);
    let server = &mut pair.server.connection;
    server.send_response(there, &answer, BodyLength::Unknown, Then::More);
    let kinds: Vec<u8> = frames(&server.out).iter().map(|(header, _)| header.kind).collect();
    assert_eq!(kinds, [frame::HEADERS, frame::CONTINUATION, frame::CONTINUATION, frame::CONTINUATION]);
    server.send_trailers(there, &fields(&large));
    pair.client.connection.send_trailers(here, &fields(&large));
    pair.pass();
    let got = next_response(&mut pair.client.connection, here).unwrap().unwrap();
    assert_eq!(got.fields.len(), 6);
    for (connection, key) in [(&mut pair.client.connection, here), (&mut pair.server.connection, there)] {
        let (_, end) = take_all(connection, key);
        assert!(matches!(end, Some(Ok(Some(trailers))) if trailers.len() == 6));
    }
    pair.abandon((here, there));
    pair.assert_whole();
}

#[test]
fn a_websocket_over_a_stream() {
    let mut pair = Pair::new();
    assert!(pair.client.connection.peer().extended_connect);
    let mut head = get();
    head.upgrade = Upgrade::WebSocket;
    let (here, there, arrived) = pair.request(&head);
    assert_eq!((&*arrived.method, arrived.upgrade), (&b"GET"[..], Upgrade::WebSocket));
    assert_eq!((arrived.scheme, arrived.body), (Scheme::default(), BodyLength::None));
    pair.server.connection.send_response(there, &response(200), BodyLength::Unknown, Then::More);
    let keys = (here, there);
    assert_eq!(pair.send(Way::Up, keys, b"ping", Then::More), b"ping");
    assert_eq!(pair.send(Way::Down, keys, b"pong", Then::End), b"pong");
    assert_eq!(pair.send(Way::Up, keys, b"bye", Then::End), b"bye");
    assert_eq!(next_response(&mut pair.client.connection, here).unwrap().unwrap().content_length, None);
    pair.abandon(keys);
    pair.assert_whole();
}

#[test]
fn many_streams_use_the_same_places() {
    let mut pair = Pair::with(|_| {}, |config| config.max_concurrent_streams = 8);
    for round in 0..500u64 {
        pair.now_ms += 1000;
        let keys: Vec<(Key, Key)> =
            (0..8).map(|_| pair.request(&post())).map(|keys| (keys.0, keys.1)).collect();
        assert!(!pair.client.connection.can_open(100));
        for (number, keys) in keys.into_iter().enumerate() {
            pair.server.connection.send_response(keys.1, &response(200), BodyLength::None, Then::End);
            if (round + number as u64).is_multiple_of(3) {
                pair.send(Way::Up, keys, b"body", Then::End);
            }
            pair.abandon(keys);
        }
    }
    pair.assert_whole();
    for connection in [&pair.client.connection, &pair.server.connection] {
        assert!(connection.streams.places() <= 8);
    }
    assert!(pair.client.connection.can_open(100) && !pair.client.connection.can_open(0));
}
