//! HTTP/2 towards origins, frame by frame: what is sent again, what a reset becomes, how requests share connections, and what
//! passes from one side to the other.

use super::{
    access_log::fields,
    h2_frames::*,
    h2_origin::{Connection, H2Origin, launch, ok, respond, to_origin},
    h2_peer::Peer,
    harness::{Gateway, PATIENCE, in_time},
    origin::Origin,
};
use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::{Arc, Barrier, mpsc::channel},
};

/// A client that has begun.
pub(crate) fn client(gateway: &Gateway) -> Peer {
    let mut peer = Peer::new(gateway.connect(80), false, "upstream".into());
    peer.handshake(&[]);
    peer
}

/// The status that came on a stream, when it has ended.
pub(crate) fn status(peer: &mut Peer, stream: u32) -> Option<u16> {
    peer.until_end_of(stream);
    assert_eq!(peer.faults, [""; 0], "{}", peer.tell());
    peer.answer(stream).and_then(Frame::status)
}

/// The code with which a stream was reset.
fn reset(peer: &Peer, stream: u32) -> Option<u32> {
    peer.seen.iter().find(|frame| frame.is(RST_STREAM, stream)).map(Frame::code)
}

/// The next line of the access log: request line, status, flag, details.
fn logged(gateway: &Gateway) -> [String; 4] {
    let line = fields(&gateway.log_line());
    [line[1].clone(), line[2].clone(), line[3].clone(), line[4].clone()]
}

/// A whole `POST` with this body.
fn post(peer: &mut Peer, stream: u32, body: &[u8]) {
    peer.post(stream);
    peer.send(&data(stream, END_STREAM, body));
}

/// Reads the body of a request to its end.
pub(crate) fn whole_body(origin: &mut Connection, stream: u32) -> Vec<u8> {
    origin.next(|frame| frame.is(DATA, stream) && frame.has(END_STREAM));
    origin.body(stream)
}

#[test]
fn a_refused_request_is_sent_again_with_its_body() {
    let origin = H2Origin::new();
    let gateway = origin.gateway("");
    let mut peer = client(&gateway);
    post(&mut peer, 1, b"once more");
    let mut connection = origin.accept();
    for number in ["1", "2"] {
        let request = connection.request();
        assert_eq!(request.field("x-envoy-attempt-count"), Some(number));
        assert_eq!(whole_body(&mut connection, request.stream), b"once more");
        connection.send(&rst_stream(request.stream, REFUSED_STREAM));
    }
    let request = connection.request();
    assert_eq!(whole_body(&mut connection, request.stream), b"once more");
    connection.answer(request.stream);
    assert_eq!(status(&mut peer, 1), Some(200));
    assert_eq!(logged(&gateway), ["POST / HTTP/2", "200", "-", "via_upstream"]);
    drop(peer);
    gateway.stop();
}

#[test]
fn a_request_that_is_refused_again_and_again_is_sent_three_times() {
    let origin = H2Origin::new();
    let gateway = origin.gateway("");
    let mut peer = client(&gateway);
    peer.get(1);
    let mut connection = origin.accept();
    for _ in 0..3 {
        let request = connection.request();
        connection.send(&rst_stream(request.stream, REFUSED_STREAM));
    }
    assert_eq!(status(&mut peer, 1), Some(503));
    let detail = "upstream_reset_before_response_started{http2.remote_refuse|REFUSED_STREAM}";
    assert_eq!(logged(&gateway), ["GET / HTTP/2", "503", "URX,UR", detail]);
    // What comes next is the next request, and no fourth try.
    peer.send(&headers(3, END, &peer.fields("GET").set(":path", "/next").block()));
    let request = connection.request();
    assert_eq!(request.field(":path"), Some("/next"));
    connection.answer(request.stream);
    assert_eq!(status(&mut peer, 3), Some(200));
    drop(peer);
    gateway.stop();
}

#[test]
fn requests_behind_a_goaway_are_sent_again_on_another_connection() {
    let origin = H2Origin::new();
    let gateway = origin.gateway("");
    let mut peer = client(&gateway);
    peer.get(1);
    let mut old = origin.accept();
    assert_eq!(old.request().stream, 1);
    post(&mut peer, 3, b"small");
    assert_eq!(old.request().stream, 3);
    assert_eq!(whole_body(&mut old, 3), b"small");
    old.send(&goaway(1, NO_ERROR));
    let mut new = origin.accept();
    let request = new.request();
    assert_eq!((request.field(":method"), request.field("x-envoy-attempt-count")), (Some("POST"), Some("2")));
    assert_eq!(whole_body(&mut new, request.stream), b"small");
    new.answer(request.stream);
    assert_eq!(status(&mut peer, 3), Some(200));
    // What the origin has looked at is answered where it is, and then that connection ends.
    old.answer(1);
    assert_eq!(status(&mut peer, 1), Some(200));
    assert!(old.ends());
    peer.get(5);
    let request = new.request();
    new.answer(request.stream);
    assert_eq!(status(&mut peer, 5), Some(200));
    drop(peer);
    gateway.stop();
}

#[test]
fn a_reset_before_the_answer_is_a_503_and_one_within_it_resets_the_clients_stream() {
    let origin = H2Origin::new();
    let gateway = origin.gateway("");
    let mut peer = client(&gateway);
    peer.get(1);
    let mut connection = origin.accept();
    let request = connection.request();
    connection.send(&rst_stream(request.stream, CANCEL));
    assert_eq!(status(&mut peer, 1), Some(503));
    let detail = "upstream_reset_before_response_started{http2.remote_reset|CANCEL}";
    assert_eq!(logged(&gateway), ["GET / HTTP/2", "503", "UR", detail]);
    for (stream, code, passed) in
        [(3, CANCEL, CANCEL), (5, INTERNAL_ERROR, INTERNAL_ERROR), (7, PROTOCOL_ERROR, INTERNAL_ERROR)]
    {
        peer.get(stream);
        let request = connection.request();
        connection.send(&[ok(request.stream, END_HEADERS), data(request.stream, 0, b"part")].concat());
        peer.until_body(stream, 4);
        connection.send(&rst_stream(request.stream, code));
        assert_eq!(status(&mut peer, stream), Some(200));
        assert_eq!(reset(&peer, stream), Some(passed), "{}", peer.tell());
        let [line, status, flag, detail] = logged(&gateway);
        assert_eq!([line, status, flag], ["GET / HTTP/2", "200", "UR"]);
        assert!(detail.starts_with("upstream_reset_after_response_started{http2.remote_reset"), "{detail}");
    }
    drop(peer);
    gateway.stop();
}

#[test]
fn a_clients_reset_is_passed_on_to_an_origin_of_http2() {
    let origin = H2Origin::new();
    let gateway = origin.gateway("");
    let mut peer = client(&gateway);
    peer.get(1);
    let mut connection = origin.accept();
    let first = connection.request();
    peer.send(&rst_stream(1, CANCEL));
    let came = connection.next(|frame| frame.is(RST_STREAM, first.stream));
    assert_eq!(came.code(), CANCEL);
    assert_eq!(logged(&gateway), ["GET / HTTP/2", "0", "DR", "http2.remote_reset{CANCEL}"]);
    // The same in the midst of an answer.
    peer.get(3);
    let second = connection.request();
    connection.send(&[ok(second.stream, END_HEADERS), data(second.stream, 0, b"part")].concat());
    peer.until_body(3, 4);
    peer.send(&rst_stream(3, CANCEL));
    let came = connection.next(|frame| frame.is(RST_STREAM, second.stream));
    assert_eq!(came.code(), CANCEL);
    assert_eq!(logged(&gateway), ["GET / HTTP/2", "200", "DR", "http2.remote_reset{CANCEL}"]);
    // Nobody else's connection has ended.
    peer.get(5);
    let third = connection.request();
    connection.answer(third.stream);
    assert_eq!(status(&mut peer, 5), Some(200));
    drop(peer);
    gateway.stop();
}

#[test]
fn a_clients_reset_ends_the_connection_to_an_origin_of_http1() {
    let (ended, ends) = channel();
    let (came, comes) = channel();
    let origin = Origin::serve(move |_, stream| {
        let _ = came.send(());
        let rest = stream.read(&mut [0; 64]);
        let _ = ended.send(matches!(rest, Ok(0) | Err(_)));
        false
    });
    let gateway = launch(&to_origin(origin.port(), "", ""));
    let mut peer = client(&gateway);
    peer.get(1);
    comes.recv_timeout(PATIENCE).unwrap();
    peer.send(&rst_stream(1, CANCEL));
    assert_eq!(ends.recv_timeout(PATIENCE), Ok(true));
    assert_eq!(logged(&gateway), ["GET / HTTP/2", "0", "DR", "http2.remote_reset{CANCEL}"]);
    drop(peer);
    gateway.stop();
}

#[test]
fn a_body_that_an_origin_cuts_short_never_ends_well() {
    let cut = Arc::new(Barrier::new(2));
    let seen = Arc::clone(&cut);
    let origin = Origin::serve(move |request, stream: &mut TcpStream| {
        let head =
            if request.target() == "/length" { "content-length: 9" } else { "transfer-encoding: chunked" };
        let part = if request.target() == "/length" { "part" } else { "4\r\npart\r\n" };
        let answer = format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{part}");
        let is_sent = stream.write_all(answer.as_bytes()).is_ok();
        // Not before the client has seen it: until then there can be another answer.
        seen.wait();
        assert!(is_sent);
        false
    });
    let gateway = launch(&to_origin(origin.port(), "", ""));
    let mut peer = client(&gateway);
    for (stream, path) in [(1, "/chunked"), (3, "/length")] {
        peer.send(&headers(stream, END, &peer.fields("GET").set(":path", path).block()));
        peer.until_body(stream, 4);
        cut.wait();
        assert_eq!(status(&mut peer, stream), Some(200));
        assert_eq!(reset(&peer, stream), Some(INTERNAL_ERROR), "{}", peer.tell());
        let detail = "upstream_reset_after_response_started{connection_termination}";
        assert_eq!(logged(&gateway), [&format!("GET {path} HTTP/2"), "200", "UC", detail]);
    }
    drop(peer);
    gateway.stop();
}

#[test]
fn clients_share_a_connection_and_a_full_one_gets_a_second_beside_it() {
    let origin = H2Origin::new();
    let gateway = origin.gateway("");
    let mut peers = [client(&gateway), client(&gateway), client(&gateway)];
    peers.iter_mut().for_each(|peer| (0..10).for_each(|number| peer.get(2 * number + 1)));
    let mut connection = origin.accept();
    let requests: Vec<Frame> = (0..30).map(|_| connection.request()).collect();
    requests.iter().for_each(|request| connection.answer(request.stream));
    for peer in &mut peers {
        (0..10).for_each(|number| assert_eq!(status(peer, 2 * number + 1), Some(200)));
    }
    assert!(!origin.has_another());
    gateway.stop();

    let origin = H2Origin::new();
    let gateway = origin.gateway(", maxConcurrentStreams: 2");
    let mut peer = client(&gateway);
    [1, 3, 5].iter().for_each(|stream| peer.get(*stream));
    let mut first = origin.accept();
    let held = [first.request(), first.request()];
    let mut second = origin.accept();
    let request = second.request();
    second.answer(request.stream);
    held.iter().for_each(|request| first.answer(request.stream));
    [1, 3, 5].iter().for_each(|stream| assert_eq!(status(&mut peer, *stream), Some(200)));
    assert!(!origin.has_another());
    drop(peer);
    gateway.stop();
}

#[test]
fn an_origins_own_limit_on_streams_is_kept() {
    let origin = H2Origin::new();
    let gateway = origin.gateway("");
    let mut peer = client(&gateway);
    peer.get(1);
    let mut first = origin.accept_with(&[(MAX_CONCURRENT_STREAMS, 1)]);
    let request = first.request();
    first.next(|frame| frame.kind == SETTINGS && frame.has(ACK));
    peer.get(3);
    let mut second = origin.accept();
    let other = second.request();
    second.answer(other.stream);
    assert_eq!(status(&mut peer, 3), Some(200));
    first.answer(request.stream);
    assert_eq!(status(&mut peer, 1), Some(200));
    drop(peer);
    gateway.stop();
}

#[test]
fn an_origin_that_answers_no_ping_is_left() {
    let origin = H2Origin::new();
    in_time(|times| {
        let gateway =
            origin.gateway(&format!(", http2KeepAlive: {{interval: 10ms, timeout: {}ms}}", 200 * times));
        let mut peer = client(&gateway);
        peer.get(1);
        let mut connection = origin.accept();
        connection.request();
        let is_ping = |frame: &Frame| frame.kind == PING && !frame.has(ACK);
        let first = connection.find(is_ping)?;
        connection.send(&ping(ACK, first.payload.as_slice().try_into().unwrap()));
        // That another one comes shows that the answer was one, and came in time.
        connection.find(is_ping)?;
        assert!(connection.ends());
        assert_eq!(status(&mut peer, 1), Some(503));
        let detail = "upstream_reset_before_response_started{connection_termination}";
        assert_eq!(logged(&gateway), ["GET / HTTP/2", "503", "UC", detail]);
        peer.get(3);
        let mut connection = origin.accept();
        let request = connection.request();
        connection.answer(request.stream);
        assert_eq!(status(&mut peer, 3), Some(200));
        drop(peer);
        gateway.stop();
        Some(())
    });
}

#[test]
fn trailers_pass_in_both_directions() {
    let origin = H2Origin::new();
    let gateway = origin.gateway("");
    let mut peer = client(&gateway);
    let head = peer.fields("POST").add("te", "trailers").block();
    let up = Fields(vec![("x-checksum".into(), "up".into())]).block();
    peer.send(&[headers(1, END_HEADERS, &head), data(1, 0, b"body"), headers(1, END, &up)].concat());
    let mut connection = origin.accept();
    let request = connection.request();
    assert_eq!(request.field("te"), Some("trailers"));
    let came = connection.next(|frame| frame.is(HEADERS, request.stream));
    assert!(came.has(END_STREAM), "{}", connection.tell());
    assert_eq!(came.fields, [("x-checksum".to_owned(), "up".to_owned())]);
    assert_eq!(connection.body(request.stream), b"body");
    let down = respond(request.stream, END, &[("x-checksum", "down")]);
    connection.send(&[ok(request.stream, END_HEADERS), data(request.stream, 0, b"answer"), down].concat());
    assert_eq!(status(&mut peer, 1), Some(200));
    let last = peer.seen.iter().rfind(|frame| frame.is(HEADERS, 1)).unwrap();
    assert_eq!(last.fields, [("x-checksum".to_owned(), "down".to_owned())]);
    assert_eq!(peer.body(1), b"answer");
    drop(peer);
    gateway.stop();
}

#[test]
fn early_hints_pass_to_clients_of_http2() {
    let hint = [(":status", "103"), ("link", "</style.css>; rel=preload")];
    let origin = H2Origin::new();
    let gateway = origin.gateway("");
    let mut peer = client(&gateway);
    peer.get(1);
    let mut connection = origin.accept();
    let request = connection.request();
    connection.send(&respond(request.stream, END_HEADERS, &hint));
    // The final answer comes only after the client has the hint.
    assert!(peer.until(|peer| peer.seen.iter().any(|frame| frame.status() == Some(103))));
    connection.answer(request.stream);
    assert_eq!(status(&mut peer, 1), Some(200));
    gateway.stop();

    let go = Arc::new(Barrier::new(2));
    let seen = Arc::clone(&go);
    let origin = Origin::serve(move |_, stream: &mut TcpStream| {
        let hint = b"HTTP/1.1 103 Early Hints\r\nlink: </style.css>; rel=preload\r\n\r\n";
        let is_sent = stream.write_all(hint).is_ok();
        seen.wait();
        is_sent && stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").is_ok()
    });
    let gateway = launch(&to_origin(origin.port(), "", ""));
    let mut other = client(&gateway);
    other.get(1);
    assert!(other.until(|peer| peer.seen.iter().any(|frame| frame.status() == Some(103))));
    go.wait();
    assert_eq!(status(&mut other, 1), Some(200));
    gateway.stop();
    for peer in [&peer, &other] {
        let hint = peer.seen.iter().find(|frame| frame.is(HEADERS, 1)).unwrap();
        assert_eq!(hint.field("link"), Some("</style.css>; rel=preload"));
    }
}

#[test]
fn cookies_of_several_fields_are_one_line_for_an_origin_of_http1() {
    let origin = Origin::echo();
    let gateway = launch(&to_origin(origin.port(), "", ""));
    let mut peer = client(&gateway);
    let fields = peer.fields("GET").add("cookie", "a=1").add("x-other", "between").add("cookie", "b=2; c=3");
    peer.ask(&fields);
    assert_eq!(status(&mut peer, 1), Some(200));
    let request = origin.request();
    let cookies: Vec<_> = request.fields.iter().filter(|(name, _)| name == "cookie").collect();
    assert_eq!(cookies, [&("cookie".to_owned(), "a=1; b=2; c=3".to_owned())]);
    drop(peer);
    gateway.stop();
}

#[test]
fn a_request_that_is_refused_in_the_midst_of_its_body_is_sent_again_whole() {
    let origin = H2Origin::new();
    let gateway = origin.gateway("");
    let mut peer = client(&gateway);
    peer.post(1);
    peer.send(&data(1, 0, b"one, "));
    let mut connection = origin.accept();
    let request = connection.request();
    connection.next(|frame| frame.is(DATA, request.stream));
    connection.send(&rst_stream(request.stream, REFUSED_STREAM));
    let again = connection.request();
    peer.send(&data(1, END_STREAM, b"two"));
    assert_eq!(whole_body(&mut connection, again.stream), b"one, two");
    connection.answer(again.stream);
    assert_eq!(status(&mut peer, 1), Some(200));
    drop(peer);
    gateway.stop();
}

#[test]
fn an_origin_that_wants_no_more_of_a_body_has_its_answer_delivered() {
    let origin = H2Origin::new();
    let gateway = origin.gateway("");
    let mut peer = client(&gateway);
    peer.post(1);
    peer.send(&data(1, 0, b"part"));
    let mut connection = origin.accept();
    let request = connection.request();
    let answer = [ok(request.stream, END_HEADERS), data(request.stream, END_STREAM, b"enough")];
    connection.send(&[&answer.concat()[..], &rst_stream(request.stream, NO_ERROR)].concat());
    assert_eq!(status(&mut peer, 1), Some(200));
    assert_eq!(peer.body(1), b"enough");
    assert!(peer.until(|peer| reset(peer, 1) == Some(NO_ERROR)), "{}", peer.tell());
    assert_eq!(logged(&gateway), ["POST / HTTP/2", "200", "-", "via_upstream"]);
    drop(peer);
    gateway.stop();
}

#[test]
fn a_reused_connection_that_ends_without_a_word_is_tried_again_where_that_is_safe() {
    let origin = H2Origin::new();
    let gateway = origin.gateway("");
    let mut peer = client(&gateway);
    peer.get(1);
    let mut connection = origin.accept();
    let first = connection.request();
    connection.answer(first.stream);
    assert_eq!(status(&mut peer, 1), Some(200));
    peer.get(3);
    post(&mut peer, 5, b"paid");
    connection.request();
    let posted = connection.request();
    assert_eq!(whole_body(&mut connection, posted.stream), b"paid");
    drop(connection);
    let mut connection = origin.accept();
    let again = connection.request();
    assert_eq!(again.field(":method"), Some("GET"));
    connection.answer(again.stream);
    assert_eq!(status(&mut peer, 3), Some(200));
    assert_eq!(status(&mut peer, 5), Some(503));
    let mut lines = [logged(&gateway), logged(&gateway), logged(&gateway)];
    lines.sort();
    let detail = "upstream_reset_before_response_started{connection_termination}";
    assert_eq!(lines[2], ["POST / HTTP/2", "503", "UC", detail]);
    drop(peer);
    gateway.stop();
}

#[test]
fn a_client_of_http1_that_leaves_resets_the_origins_stream() {
    let origin = H2Origin::new();
    let gateway = origin.gateway("");
    let mut client = gateway.connect(80);
    client.send(b"POST / HTTP/1.1\r\nHost: web.test\r\nContent-Length: 9\r\n\r\npart");
    let mut connection = origin.accept();
    let request = connection.request();
    connection.next(|frame| frame.is(DATA, request.stream));
    drop(client);
    let came = connection.next(|frame| frame.is(RST_STREAM, request.stream));
    assert_eq!(came.code(), CANCEL);
    gateway.stop();
}
