//! What reviews found in retries, timeouts and limits, by what clients and origins see of it.

use super::{
    client::Client,
    failing::{Speaks, logged, start, start_with},
    h2_frames::*,
    h2_origin::{Connection, H2Origin, respond},
    h2_peer::Peer,
    harness::{Gateway, PATIENCE, in_time},
    held_origin::HeldOrigin,
    origin::{Origin, converse},
    tcp::{Raw, policy},
};
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::mpsc::{Receiver, Sender, channel},
    thread,
};

/// What is kept of a body for other attempts (specification section 4.3).
const KEPT: usize = 1 << 20;

const UNAVAILABLE: &[u8] = b"HTTP/1.1 503 X\r\ncontent-length: 0\r\n\r\n";

/// A rule before others, which the gateway answers on its own.
const ASIDE: &str = "match: [{uri: {prefix: /aside}}]\n    directResponse: {status: 200}\n  - ";

/// Comes back when the gateway, which has one worker, has seen what was sent to it before: completions come in order, and these
/// exchanges come after them.
fn let_it_see(gateway: &Gateway) {
    for _ in 0..3 {
        assert_eq!(gateway.get(80, "a", "/aside").status, 200);
    }
}

/// Reads until so many bytes of a kind have come that no head has.
fn read_marks(mut stream: &TcpStream, mark: u8, mut count: usize) {
    let mut buffer = vec![0; 65_536];
    while count > 0 {
        let read = stream.read(&mut buffer).unwrap();
        assert!(read > 0, "it ended with {count} to come");
        count = count.saturating_sub(buffer[..read].iter().filter(|byte| **byte == mark).count());
    }
}

/// An origin that answers its first request with 503 when so many bytes `#` of the body have come, says so, and then takes whole
/// requests, whose paths and bodies it tells, and answers 200.
struct InTheMidst {
    port: u16,
    answered: Receiver<()>,
    requests: Receiver<(String, Vec<u8>)>,
}

impl InTheMidst {
    fn new(speaks: Speaks, marks: usize) -> InTheMidst {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let port = listener.local_addr().unwrap().port();
        let ((tell, answered), (sender, requests)) = (channel(), channel());
        thread::spawn(move || {
            for (number, stream) in listener.incoming().map_while(Result::ok).enumerate() {
                stream.set_nodelay(true).unwrap();
                let (tell, sender) = (tell.clone(), sender.clone());
                thread::spawn(move || match speaks {
                    Speaks::Http1 if number == 0 => first(&stream, marks, &tell),
                    Speaks::Http1 => whole(stream, &sender),
                    Speaks::Http2 => frames(stream, (number == 0).then_some(marks), &tell, &sender),
                });
            }
        });
        InTheMidst { port, answered, requests }
    }
}

/// The first connection of HTTP/1.1.
fn first(mut stream: &TcpStream, marks: usize, tell: &Sender<()>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    read_marks(stream, b'#', marks);
    stream.write_all(UNAVAILABLE).unwrap();
    tell.send(()).unwrap();
    // It takes what still comes.
    let _ = std::io::copy(&mut stream, &mut std::io::sink());
}

/// Another one.
fn whole(stream: TcpStream, sender: &Sender<(String, Vec<u8>)>) {
    let (unused, _requests) = channel();
    let answer = |request: &super::origin::Request, stream: &mut TcpStream| {
        let _ = sender.send((request.target().to_owned(), request.body.clone()));
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").is_ok()
    };
    converse(stream, &answer, &unused);
}

/// A connection of HTTP/2; `marks`: its first request is the one that is refused.
fn frames(stream: TcpStream, marks: Option<usize>, tell: &Sender<()>, sender: &Sender<(String, Vec<u8>)>) {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut connection = Connection::new(Box::new(stream));
    connection.begin(&[(INITIAL_WINDOW_SIZE, WINDOW_MAX)]);
    connection.send(&window_update(0, WINDOW_MAX - 65_535));
    let is_request = |frame: &Frame| frame.kind == HEADERS && frame.field(":method").is_some();
    if let Some(marks) = marks {
        let id = connection.request().stream;
        let mut seen = 0;
        while seen < marks {
            let frame = connection.next(|frame| frame.is(DATA, id));
            seen += frame.payload.iter().filter(|byte| **byte == b'#').count();
        }
        connection.send(&respond(id, END, &[(":status", "503")]));
        tell.send(()).unwrap();
    }
    while let Some(head) = connection.find(is_request) {
        let id = head.stream;
        let ends = |frame: &Frame| frame.stream == id && (frame.ends_stream() || frame.kind == RST_STREAM);
        if !head.has(END_STREAM) && connection.find(ends).is_none() {
            return;
        }
        let path = head.field(":path").unwrap_or_default().to_owned();
        let _ = sender.send((path, connection.body(id)));
        connection.answer(id);
    }
}

fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

/// Sends a request in pieces, of which so many come before the 503, and another one behind it. The origin never gets a part of
/// the body as a whole one, nor what is no body.
fn over_the_limit(origin: Speaks, pieces: &[&[u8]], before: usize, is_chunked: bool, is_together: bool) {
    let case = format!("{origin:?}, chunked: {is_chunked}, together: {is_together}");
    let body = pieces.concat();
    let marks = pieces[..before].concat().iter().filter(|byte| **byte == b'#').count();
    let behind = InTheMidst::new(origin, marks);
    let rule = format!("{ASIDE}retries: {{attempts: 2, retryOn: 5xx, backoff: 1ms}}");
    let gateway = start(&rule, origin, &[behind.port]);
    let mut client = gateway.connect(80);
    let framing = if is_chunked {
        "Transfer-Encoding: chunked".to_owned()
    } else {
        format!("Content-Length: {}", body.len())
    };
    client.send(format!("POST /first HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n").as_bytes());
    let mut framed: Vec<Vec<u8>> =
        pieces.iter().map(|piece| if is_chunked { chunk(piece) } else { piece.to_vec() }).collect();
    let last = framed.last_mut().unwrap();
    if is_chunked {
        last.extend_from_slice(b"0\r\n\r\n");
    }
    last.extend_from_slice(b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n");
    framed[..before].iter().for_each(|piece| client.send(piece));
    behind.answered.recv_timeout(PATIENCE).expect("the first attempt");
    let_it_see(&gateway);
    if is_together {
        client.try_send(&framed[before..].concat());
    } else {
        for piece in &framed[before..] {
            client.try_send(piece);
            let_it_see(&gateway);
        }
    }
    let status = client.answer("POST").status;
    let next = client.next("GET");
    let got: Vec<(String, Vec<u8>)> = behind.requests.try_iter().collect();
    let told: Vec<(&str, usize)> = got.iter().map(|(path, body)| (path.as_str(), body.len())).collect();
    let firsts: Vec<_> = got.iter().filter(|(path, _)| path == "/first").collect();
    assert!(firsts.iter().all(|(_, got)| *got == body), "{case}: {told:?} of {}", body.len());
    match status {
        200 => assert_eq!(told, [("/first", body.len()), ("/next", 0)], "{case}"),
        503 => assert!(firsts.is_empty(), "{case}: {told:?}"),
        other => panic!("{case}: {other}"),
    }
    // Where the connection goes on, it goes on with the next request.
    assert!(status == 503 || next.is_some(), "{case}");
    assert!(next.is_none_or(|answer| answer.status == 200), "{case}");
    drop(client);
    gateway.stop();
}

#[test]
fn a_body_that_becomes_too_much_while_its_attempt_fails_is_sent_whole_or_not_at_all() {
    let (much, over) = (vec![b'#'; KEPT - 1000], vec![b'b'; 5000]);
    for origin in [Speaks::Http1, Speaks::Http2] {
        for is_together in [false, true] {
            over_the_limit(origin, &[&much, &over, b"tail"], 1, true, is_together);
            over_the_limit(origin, &[&much, &over], 1, true, is_together);
        }
    }
}

#[test]
fn a_body_that_was_too_much_from_the_start_is_sent_whole_or_not_at_all() {
    let (some, much) = (vec![b'#'; 5000], vec![b'b'; 2 * KEPT]);
    for origin in [Speaks::Http1, Speaks::Http2] {
        for is_together in [false, true] {
            for before in [0, 1] {
                over_the_limit(origin, &[&some, &much], before, false, is_together);
            }
        }
    }
}

#[test]
fn the_time_runs_when_a_request_became_whole_between_two_attempts() {
    let rule = format!("{ASIDE}timeout: 230ms\n    retries: {{attempts: 2, retryOn: 5xx, backoff: 1ms}}");
    let origin = Raw::new();
    let gateway = start(&rule, Speaks::Http1, &[origin.port()]);
    let mut client = gateway.connect(80);
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n#####");
    let first = origin.accept();
    read_marks(&first, b'#', 5);
    (&first).write_all(UNAVAILABLE).unwrap();
    let_it_see(&gateway);
    client.send(b"#####");
    // The second attempt gets all of it, and says nothing.
    let second = origin.accept();
    read_marks(&second, b'#', 10);
    assert_eq!(client.answer("POST").status, 504);
    // After those of what went aside.
    let last = std::iter::repeat_with(|| logged(&gateway)).find(|line| line[0] != "200");
    assert_eq!(last, Some(["504", "UT", "response_timeout"].map(str::to_owned)));
    drop((first, second));
    gateway.stop();
}

#[test]
fn one_connection_of_http2_at_a_time_with_one_request_each_serves_all() {
    let origin = H2Origin::new();
    let policy = policy("{connectionPool: {tcp: {maxConnections: 1}, http: {maxRequestsPerConnection: 1}}}");
    let gateway = start_with("retries: {attempts: 0}", Speaks::Http2, &[origin.port()], &policy);
    let mut clients: [Client; 6] = std::array::from_fn(|_| gateway.connect(80));
    clients.iter_mut().for_each(|client| client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    let mut first = Some(origin.accept());
    gateway.until("five wait", || gateway.metric("envoy_cluster_upstream_cx_overflow") >= 5.0);
    for served in 1..=6 {
        let mut connection = first.take().unwrap_or_else(|| origin.accept());
        let request = connection.request();
        assert!(!origin.has_another(), "a second connection beside number {served}");
        connection.answer(request.stream);
        assert!(connection.ends());
        // Its place is free when the origin, too, has ended it.
    }
    clients.iter_mut().for_each(|client| assert_eq!(client.answer("GET").status, 200));
    gateway.stop();
}

/// Three failures in a row leave an endpoint out for long.
const EASILY_OUT: &str = "outlierDetection: {consecutive5xxErrors: 3, consecutiveGatewayErrors: 3, \
                          maxEjectionPercent: 100, interval: 100ms, baseEjectionTime: 60s}";

fn nobody_is_out(gateway: &Gateway) {
    assert_eq!(gateway.metric("envoy_cluster_outlier_detection_ejections_enforced_total"), 0.0);
    assert_eq!(gateway.metric("envoy_cluster_outlier_detection_ejections_active"), 0.0);
}

#[test]
fn who_waits_in_vain_for_a_connection_says_nothing_of_the_endpoint() {
    let origin = HeldOrigin::new();
    let policy = policy(&format!("{{connectionPool: {{tcp: {{maxConnections: 1}}}}, {EASILY_OUT}}}"));
    let rule = "match: [{uri: {prefix: /slow}}]\n    route: [{destination: {host: a.test}}]\n  - timeout: 130ms\n    \
                retries: {attempts: 0}";
    let gateway = start_with(rule, Speaks::Http1, &[origin.port()], &policy);
    let mut slow = gateway.connect(80);
    slow.send(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    origin.until_held(1);
    let mut waiting: [Client; 4] = std::array::from_fn(|_| gateway.connect(80));
    waiting.iter_mut().for_each(|client| client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    for client in &mut waiting {
        assert_eq!(client.answer("GET").status, 504);
        assert_eq!(logged(&gateway)[..2], ["504", "UT"]);
    }
    origin.answer(2);
    assert_eq!(slow.answer("GET").status, 200);
    assert_eq!(gateway.get(80, "a", "/slow").status, 200);
    nobody_is_out(&gateway);
    gateway.stop();
}

#[test]
fn who_reads_slowly_says_nothing_of_the_endpoint() {
    let origin = Origin::serve(|request, stream| {
        if request.target() == "/after" {
            return stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").is_ok();
        }
        let mut said = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
        while said.is_ok() {
            said = stream.write_all(&[b'a'; 0x4000]);
        }
        false
    });
    in_time(|times| {
        let rule = format!("timeout: {}ms\n    retries: {{attempts: 0}}", 130 * times);
        let policy = policy(&format!("{{{EASILY_OUT}}}"));
        let gateway = start_with(&rule, Speaks::Http1, &[origin.port()], &policy);
        let mut clients: [Client; 4] = std::array::from_fn(|_| gateway.connect(80));
        clients.iter_mut().for_each(|client| client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
        let mut peer = Peer::new(gateway.connect(80), false, "slow".into());
        peer.handshake(&[(INITIAL_WINDOW_SIZE, 1000)]);
        [1, 3, 5, 7].into_iter().for_each(|stream| peer.get(stream));
        // They don't read, and their lines are written all the same.
        let lines: Vec<_> = (0..8).map(|_| logged(&gateway)).collect();
        assert!(lines.iter().all(|line| line[1..] == ["UT", "response_timeout"]), "{lines:?}");
        if lines.iter().any(|line| line[0] == "504") {
            // The origin itself was too slow.
            return None;
        }
        assert!(lines.iter().all(|line| line[0] == "200"), "{lines:?}");
        assert_eq!(gateway.get(80, "a", "/after").status, 200);
        nobody_is_out(&gateway);
        drop((peer, clients));
        gateway.stop();
        Some(())
    });
}

#[test]
fn a_websocket_that_came_by_a_retry_is_no_retry_any_more() {
    let origin = Origin::serve(|request, stream| {
        if request.field("x-envoy-attempt-count") == Some("1") {
            return stream.write_all(UNAVAILABLE).is_ok();
        }
        let head = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
        stream.write_all(head).is_ok() && stream.read(&mut [0; 1]).is_ok_and(|count| count > 0)
    });
    let policy = policy("{connectionPool: {http: {maxRetries: 1}}}");
    let rule = "retries: {attempts: 1, retryOn: 5xx, backoff: 1ms}";
    let gateway = start_with(rule, Speaks::Http1, &[origin.port()], &policy);
    let open: Vec<Client> = (0..3)
        .map(|_| {
            let mut client = gateway.connect(80);
            client.send(
                b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                  Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            );
            assert_eq!(client.answer("GET").status, 101);
            client
        })
        .collect();
    assert_eq!(gateway.metric("envoy_cluster_upstream_rq_retry"), 3.0);
    assert_eq!(gateway.metric("envoy_cluster_upstream_rq_retry_overflow"), 0.0);
    // The client may know of the tunnel first.
    gateway.until("no retry is under way", || {
        gateway.metric("envoy_cluster_circuit_breakers_default_rq_retry_open") == 0.0
    });
    drop(open);
    gateway.stop();
}

#[test]
fn requests_with_bad_chunks_leave_no_connection_that_is_counted() {
    let origin = Origin::echo();
    // What is not used is not kept for long, so that nothing is left of what was opened.
    let policy = policy("{connectionPool: {http: {idleTimeout: 100ms}}}");
    let gateway = start_with("retries: {attempts: 0}", Speaks::Http1, &[origin.port()], &policy);
    let head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    for _ in 0..4 {
        // With the head, and behind it.
        let mut client = gateway.connect(80);
        client.send(&[head.as_slice(), b"ZZ\r\n"].concat());
        assert_eq!(client.answer("POST").status, 400);
        let mut client = gateway.connect(80);
        client.send(head);
        client.send(b"ZZ\r\n");
        assert_eq!(client.answer("POST").status, 400);
    }
    assert!(gateway.metric("envoy_cluster_upstream_cx_total") > 0.0);
    gateway.until("none is open", || gateway.metric("envoy_cluster_upstream_cx_active") == 0.0);
    gateway.stop();
}
