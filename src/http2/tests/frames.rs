//! Frames that no peer of our own would send.

use super::*;
use crate::http2::{ErrorCode, Flood};

/// What a server says of these bytes, behind a request with a body on stream 1 and one without on stream 3.
fn verdict(bytes: &[u8]) -> Result<Option<StreamEnd>, &'static str> {
    let mut raw = Raw::new(|_| {});
    raw.say(&[headers(1, 0), headers(3, frame::END_STREAM)].concat()).unwrap();
    let (key, _) = (raw.arrival(), raw.arrival());
    let said = raw.say(bytes);
    let connection = &mut raw.server.connection;
    let end = connection.end_of(key);
    assert_eq!(said.is_err(), connection.is_dead());
    let sent = frames(&connection.out);
    let last = sent.last().map(|(header, _)| header.kind);
    match said {
        Ok(()) => assert_eq!(last == Some(frame::RST_STREAM), end.is_some()),
        Err(_) => assert_eq!(last, Some(frame::GOAWAY)),
    }
    said.map(|()| end).map_err(|error| error.reason)
}

#[test]
fn what_breaks_a_connection() {
    for (bytes, reason) in [
        (frame(frame::DATA, 0, 0, b"x"), "data_on_stream_0"),
        (frame(frame::DATA, 0, 5, b"x"), "data_on_idle_stream"),
        (frame(frame::DATA, 0, 2, b"x"), "data_on_idle_stream"),
        (frame(frame::DATA, frame::PADDED, 1, &[5, 0, 0]), "data_padding"),
        (frame(frame::HEADERS, 4, 0, &[]), "headers_on_stream_0"),
        (frame(frame::HEADERS, 4, 4, &block(&PSEUDO)), "even_stream"),
        (frame(frame::HEADERS, 4 | frame::PADDED, 5, &[9]), "headers_padding"),
        (frame(frame::HEADERS, 4 | frame::HAS_PRIORITY, 5, &[0; 4]), "headers_priority_length"),
        (frame(frame::HEADERS, 4, 5, &[0x80]), "a header block refers to a field that does not exist"),
        (frame(frame::CONTINUATION, 4, 1, &[]), "continuation_without_headers"),
        (
            [frame(frame::HEADERS, 0, 5, &[]), frame(frame::DATA, 0, 1, b"x")].concat(),
            "frame_within_header_block",
        ),
        (
            [frame(frame::HEADERS, 0, 5, &[]), frame(frame::CONTINUATION, 4, 7, &[])].concat(),
            "continuation_without_headers",
        ),
        (frame(frame::PRIORITY, 0, 0, &[0; 5]), "priority_of_stream_0"),
        (frame(frame::RST_STREAM, 0, 0, &[0; 4]), "reset_of_stream_0"),
        (frame(frame::RST_STREAM, 0, 1, &[0; 5]), "reset_length"),
        (frame(frame::RST_STREAM, 0, 5, &[0; 4]), "reset_of_idle_stream"),
        (frame(frame::SETTINGS, 0, 1, &[]), "settings_on_a_stream"),
        (frame(frame::SETTINGS, frame::ACK, 0, &[0; 6]), "settings_ack_length"),
        (frame(frame::SETTINGS, 0, 0, &[0; 7]), "settings_length"),
        (frame(frame::PUSH_PROMISE, 4, 1, &[0; 4]), "push_promise"),
        (frame(frame::PING, 0, 0, &[0; 7]), "ping_length"),
        (frame(frame::GOAWAY, 0, 1, &[0; 8]), "goaway_on_a_stream"),
        (frame(frame::GOAWAY, 0, 0, &[0; 7]), "goaway_length"),
        (frame(frame::WINDOW_UPDATE, 0, 0, &[0; 4]), "window_update_of_0"),
        (frame(frame::WINDOW_UPDATE, 0, 1, &[0; 3]), "window_update_length"),
        (frame(frame::WINDOW_UPDATE, 0, 5, &[0, 0, 0, 1]), "window_update_on_idle_stream"),
        (frame(frame::WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff]), "window_overflow"),
        (frame::header(16_385, frame::DATA, 0, 1).to_vec(), "frame_too_large"),
        (frame::header(16_385, 0x99, 0, 0).to_vec(), "frame_too_large"),
    ] {
        assert_eq!(verdict(&bytes), Err(reason));
    }
}

#[test]
fn what_breaks_a_stream() {
    for (bytes, reason) in [
        (frame(frame::WINDOW_UPDATE, 0, 1, &[0; 4]), "http2.window_update_of_0"),
        (frame(frame::PRIORITY, 0, 1, &[0; 4]), "http2.priority_length"),
        (frame(frame::PRIORITY, 0, 1, &[0, 0, 0, 1, 0]), "http2.self_dependent_stream"),
        (frame(frame::HEADERS, 4, 1, &block(&[("x-a", "b")])), "http2.trailers_without_end_stream"),
        (frame(frame::HEADERS, 5, 1, &block(&[(":path", "/")])), "http2.pseudo_header_in_trailers"),
        (
            [frame(frame::DATA, frame::END_STREAM, 1, b"x"), frame(frame::DATA, 0, 1, b"x")].concat(),
            "http2.data_after_end_stream",
        ),
        (
            [frame(frame::DATA, frame::END_STREAM, 1, b"x"), headers(1, frame::END_STREAM)].concat(),
            "http2.headers_after_end_stream",
        ),
    ] {
        assert_eq!(verdict(&bytes), Ok(Some(StreamEnd::Broken(reason))));
    }
}

#[test]
fn what_is_passed_over() {
    for bytes in [
        frame(0x99, 0xff, 1, b"anything"),
        frame(frame::PRIORITY, 0, 9, &[0, 0, 0, 1, 0]),
        frame(frame::PRIORITY, 0, 1, &[0, 0, 0, 9, 0]),
        frame(frame::SETTINGS, frame::ACK, 0, &[]),
        frame(frame::GOAWAY, 0, 0, &[0; 8]),
        frame(frame::DATA, 0xf6, 1, b"unknown flags"),
        frame(frame::HEADERS, 5 | frame::PADDED | frame::HAS_PRIORITY, 5, &{
            let mut payload = vec![2, 0, 0, 0, 1, 16];
            payload.extend(block(&PSEUDO));
            payload.extend([0, 0]);
            payload
        }),
    ] {
        assert_eq!(verdict(&bytes), Ok(None), "{bytes:?}");
    }
}

#[test]
fn a_connection_begins_with_its_preface_and_settings() {
    let first = [PREFACE.to_vec(), frame(frame::SETTINGS, 0, 0, &[])].concat();
    let mut server = End::new(Config::server());
    for byte in &first {
        assert!(server.connection.is_within_head() && !server.connection.is_introduced());
        server.receive(&[*byte], 0).unwrap();
    }
    assert!(!server.connection.is_within_head() && server.connection.is_introduced());
    let mut damaged = PREFACE.to_vec();
    damaged[10] ^= 1;
    let ping = frame(frame::PING, 0, 0, &[0; 8]);
    let ack = frame(frame::SETTINGS, frame::ACK, 0, &[]);
    for (bytes, reason) in [
        (damaged, "bad_preface"),
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), "bad_preface"),
        ([PREFACE.to_vec(), ping].concat(), "no_settings_first"),
        ([PREFACE.to_vec(), ack].concat(), "no_settings_first"),
    ] {
        assert_eq!(End::new(Config::server()).receive(&bytes, 0).unwrap_err().reason, reason);
    }
}

#[test]
fn a_head_is_awaited_until_its_last_frame() {
    let mut raw = Raw::new(|_| {});
    let whole = block(&PSEUDO);
    assert!(!raw.server.connection.is_within_head());
    raw.say(&frame(frame::HEADERS, frame::END_STREAM, 1, &whole[..5])).unwrap();
    assert!(raw.server.connection.is_within_head());
    raw.say(&frame(frame::CONTINUATION, 0, 1, &[])).unwrap();
    assert!(raw.server.connection.is_within_head() && raw.server.connection.next_arrival().is_none());
    raw.say(&frame(frame::CONTINUATION, frame::END_HEADERS, 1, &whole[5..])).unwrap();
    assert!(!raw.server.connection.is_within_head());
    let key = raw.arrival();
    assert!(raw.server.connection.is_received(key));
}

#[test]
fn closed_streams_are_remembered_by_how_they_were_closed() {
    let mut raw = Raw::new(|_| {});
    let data = |stream| frame(frame::DATA, 0, stream, b"x");
    raw.say(&[headers(1, 0), headers(3, 0), headers(5, frame::END_STREAM)].concat()).unwrap();
    let (ours, theirs, ended) = (raw.arrival(), raw.arrival(), raw.arrival());
    raw.server.connection.abandon(ours);
    raw.say(&frame(frame::RST_STREAM, 0, 3, &[0, 0, 0, 8])).unwrap();
    raw.server.connection.abandon(theirs);
    raw.server.connection.send_response(ended, &response(200), BodyLength::None, Then::End);
    raw.server.connection.abandon(ended);
    raw.answers();
    // What was on its way when we reset it, trailers too.
    raw.say(&[data(1), frame(frame::HEADERS, 5, 1, &block(&[("x-a", "b")]))].concat()).unwrap();
    assert!(raw.answers().is_empty());
    // Who has reset it sends no more.
    raw.say(&data(3)).unwrap();
    let answers = raw.answers();
    assert_eq!((answers.len(), answers[0].0.kind, answers[0].0.stream), (1, frame::RST_STREAM, 3));
    for kind in [frame::WINDOW_UPDATE, frame::RST_STREAM] {
        [1, 3, 5].iter().for_each(|stream| raw.say(&frame(kind, 0, *stream, &[0, 0, 0, 1])).unwrap());
    }
    assert_whole_alone(&raw.server.connection);
    assert_eq!(raw.say(&data(5)).unwrap_err().code, ErrorCode::StreamClosed);
}

#[test]
fn streams_that_were_passed_over_can_not_begin() {
    let mut raw = Raw::new(|_| {});
    raw.say(&headers(9, 0)).unwrap();
    let error = raw.say(&headers(7, 0)).unwrap_err();
    assert_eq!((error.code, error.reason), (ErrorCode::ProtocolError, "headers_on_unknown_stream"));
}

/// How many of these a server bears, with a stream that is open.
fn borne(count: usize, make: impl Fn(u32) -> Vec<u8>) -> (usize, Option<Flood>) {
    let mut raw = Raw::new(|config| config.max_concurrent_streams = 1000);
    raw.say(&headers(1, 0)).unwrap();
    let key = raw.arrival();
    for number in 0..count {
        let said = raw.say(&make(number as u32));
        while let Some(arrival) = raw.server.connection.next_arrival() {
            arrival.stream.into_iter().for_each(|stream| raw.server.connection.abandon(stream));
        }
        raw.server.connection.release(key, 1 << 20);
        raw.answers();
        if let Err(error) = said {
            assert_eq!(error.code, ErrorCode::EnhanceYourCalm);
            return (number, error.flood);
        }
    }
    (count, None)
}

#[test]
fn floods_end_a_connection() {
    let reset =
        |number| [headers(number * 2 + 3, 0), frame(frame::RST_STREAM, 0, number * 2 + 3, &[0; 4])].concat();
    let malformed = |number| frame(frame::HEADERS, 5, number * 2 + 3, &block(&[(":path", "x")]));
    let update = |_| frame(frame::WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1]);
    assert_eq!(borne(1000, reset), (200, Some(Flood::RapidReset)));
    assert_eq!(borne(1000, malformed), (200, Some(Flood::RapidReset)));
    // One has gone to the introduction.
    assert_eq!(borne(1000, |_| frame(frame::SETTINGS, 0, 0, &[])), (49, Some(Flood::Settings)));
    assert_eq!(borne(1000, |_| frame(frame::PING, 0, 0, &[0; 8])), (100, Some(Flood::Ping)));
    assert_eq!(borne(1000, |_| frame(frame::PRIORITY, 0, 9, &[0; 5])), (100, Some(Flood::Priority)));
    assert_eq!(borne(5000, update), (1000, Some(Flood::WindowUpdate)));
    assert_eq!(borne(1000, |_| frame(frame::DATA, 0, 1, &[])), (100, Some(Flood::EmptyData)));
    assert_eq!(borne(1000, |_| frame(0x42, 0, 1, &[])), (100, Some(Flood::Unknown)));
    let (padded, flood) = borne(9000, |_| {
        frame(frame::DATA, frame::PADDED, 1, &{
            let mut payload = [0; 256];
            payload[0] = 254;
            payload
        })
    });
    assert!((4_000..5_000).contains(&padded) && flood == Some(Flood::Overhead), "{padded}");
}

#[test]
fn ordinary_use_is_no_flood() {
    let whole = |number| headers(number * 2 + 3, frame::END_STREAM);
    assert_eq!(borne(2000, whole), (2000, None));
    let pinged = |_| [frame(frame::DATA, 0, 1, &[0; 100]), frame(frame::PING, 0, 0, &[0; 8])].concat();
    assert_eq!(borne(2000, pinged), (2000, None));
}

#[test]
fn one_header_block_has_limits() {
    let first = frame(frame::HEADERS, 0, 3, &[]);
    let mut raw = Raw::new(|_| {});
    raw.say(&first).unwrap();
    for _ in 0..16 {
        raw.say(&frame(frame::CONTINUATION, 0, 3, &[])).unwrap();
    }
    assert_eq!(raw.say(&frame(frame::CONTINUATION, 0, 3, &[])).unwrap_err().flood, Some(Flood::Continuation));
    let mut raw = Raw::new(|config| config.header_list_bytes = 1000);
    raw.say(&first).unwrap();
    raw.say(&frame(frame::CONTINUATION, 0, 3, &[0; 16_384])).unwrap();
    let error = raw.say(&frame(frame::CONTINUATION, 0, 3, &[0; 1001])).unwrap_err();
    assert_eq!(error.flood, Some(Flood::HeaderList));
}

#[test]
fn refused_streams_are_counted() {
    let mut raw = Raw::new(|config| config.max_concurrent_streams = 1);
    raw.say(&headers(1, 0)).unwrap();
    let _held = raw.arrival();
    for number in 0..200 {
        raw.say(&headers(number * 2 + 3, 0)).unwrap();
    }
    assert_eq!(raw.server.connection.tally().refused, 200);
    assert_eq!(raw.say(&headers(9999, 0)).unwrap_err().flood, Some(Flood::Refused));
}
