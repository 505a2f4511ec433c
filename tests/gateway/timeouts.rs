//! How long a request may take (`timeout`): clients and origins of both versions, origins that hang, dribble, or can't be
//! reached.

use super::{
    access_log::fields,
    client::Client,
    h2_frames::*,
    h2_origin::{H2Origin, ok},
    h2_peer::Peer,
    harness::{Gateway, in_time, routed},
    origin::Origin,
};
use std::{
    io::{Read, Write},
    net::SocketAddr,
    sync::mpsc::channel,
    thread,
};

/// Shorter than three ticks of the gateway's clock, and not a multiple of one.
const SHORT_MS: u32 = 230;

/// A rule with this timeout; `times` as long where something has to be over before it.
fn short(times: u32) -> String {
    format!("  - timeout: {}ms\n    route: [{{destination: {{host: a.test}}}}]", SHORT_MS * times)
}

/// A gateway with one worker and this rule, whose origin speaks this protocol.
fn start(rule: &str, protocol: &str, port: u16) -> Gateway {
    let yaml = routed(rule, &[port]).replace(
        "name: http, protocol: HTTP, targetPort",
        &format!("name: x, protocol: {protocol}, targetPort"),
    );
    Gateway::start_with(&[80], &yaml, &["--workers", "1", "--drain-time", "0s"])
}

/// An origin of HTTP/1.1 that reads requests, says these bytes and then nothing more, until the client is gone.
fn hanging(says: &'static [u8]) -> Origin {
    Origin::serve(move |_, stream| {
        stream.write_all(says).is_ok() && stream.read(&mut [0; 1]).is_ok_and(|count| count > 0)
    })
}

/// The next line of the access log: status, flag, details, and how long it took in milliseconds.
fn logged(gateway: &Gateway) -> ([String; 3], u64) {
    let line = fields(&gateway.log_line());
    let duration = line[9].parse().unwrap_or_else(|_| panic!("{line:?}"));
    ([line[2].clone(), line[3].clone(), line[4].clone()], duration)
}

fn peer(gateway: &Gateway) -> Peer {
    let mut peer = Peer::new(gateway.connect(80), false, "timeouts".into());
    peer.handshake(&[]);
    peer
}

/// A gateway whose origin is the first of these, and the second under `/hang`, both with the same timeout.
fn beside_one_that_hangs(origin: &Origin, hanging: &Origin, times: u32) -> Gateway {
    let rules = format!(
        "  - match: [{{uri: {{prefix: /hang}}}}]\n    timeout: {}ms\n    route: [{{destination: {{host: b.test}}}}]\n{}",
        SHORT_MS * times,
        short(times)
    );
    Gateway::start_with(
        &[80],
        &routed(&rules, &[origin.port(), hanging.port()]),
        &["--workers", "1", "--drain-time", "0s"],
    )
}

/// Comes back when two timeouts have passed, one after the other.
fn let_time_pass(gateway: &Gateway) {
    for _ in 0..2 {
        assert_eq!(gateway.get(80, "a", "/hang").status, 504);
        timed_out(gateway);
    }
}

/// Whether not even the head of an answer came in time, of which more was to come than there is time for.
fn is_late(line: &[String; 3]) -> bool {
    line[..2] == ["504", "UT"]
}

fn timed_out(gateway: &Gateway) {
    let (line, duration) = logged(gateway);
    assert_eq!(line, ["504", "UT", "response_timeout"]);
    // Not before its time; and before the origin, which never answers.
    assert!((u64::from(SHORT_MS)..20_000).contains(&duration), "{duration}");
}

#[test]
fn case_101_a_request_of_http1_that_takes_too_long_is_a_504() {
    let origin = hanging(b"");
    let gateway = start(&short(1), "HTTP", origin.port());
    let mut client = gateway.connect(80);
    for _ in 0..2 {
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        let answer = client.answer("GET");
        assert_eq!((answer.status, answer.text()), (504, "upstream request timeout"));
        timed_out(&gateway);
        assert_eq!(origin.request().field("x-envoy-expected-rq-timeout-ms"), Some("230"));
    }
    // A body that came in pieces, all of it.
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab");
    client.send(b"cd");
    assert_eq!(client.answer("POST").status, 504);
    timed_out(&gateway);
    assert_eq!(gateway.metric("envoy_cluster_upstream_rq_timeout"), 3.0);
    gateway.stop();
}

#[test]
fn case_101_the_same_for_clients_and_origins_of_http2() {
    let old = hanging(b"");
    let new = H2Origin::new();
    for (protocol, port) in [("HTTP", old.port()), ("HTTP2", new.port())] {
        let gateway = start(&short(1), protocol, port);
        let mut peer = peer(&gateway);
        peer.get(1);
        let mut connection = (protocol == "HTTP2").then(|| new.accept());
        if let Some(connection) = &mut connection {
            let request = connection.request();
            assert_eq!(request.field("x-envoy-expected-rq-timeout-ms"), Some("230"));
            // Who answers too late is told so.
            connection.next(|frame| frame.is(RST_STREAM, request.stream));
        }
        peer.until_end_of(1);
        assert_eq!(peer.answer(1).and_then(Frame::status), Some(504));
        assert_eq!(peer.body(1), b"upstream request timeout");
        timed_out(&gateway);
        peer.post(3);
        peer.send(&data(3, END_STREAM, b"whole"));
        peer.until_end_of(3);
        assert_eq!(peer.answer(3).and_then(Frame::status), Some(504));
        timed_out(&gateway);
        if let Some(connection) = &mut connection {
            let mut client = gateway.connect(80);
            client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nabcd");
            connection.request();
            assert_eq!(connection.request().field(":method"), Some("POST"));
            assert_eq!(client.answer("POST").text(), "upstream request timeout");
            timed_out(&gateway);
        }
        drop((peer, connection));
        gateway.stop();
    }
}

#[test]
fn an_answer_that_takes_too_long_is_cut_where_it_is() {
    let old = hanging(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
    let new = H2Origin::new();
    for (protocol, port) in [("HTTP", old.port()), ("HTTP2", new.port())] {
        in_time(|times| {
            let gateway = start(&short(times), protocol, port);
            let mut client = gateway.connect(80);
            client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            let mut connection = (protocol == "HTTP2").then(|| new.accept());
            let mut say = || {
                if let Some(connection) = &mut connection {
                    let stream = connection.request().stream;
                    connection.send(&ok(stream, END_HEADERS));
                    connection.send(&data(stream, 0, b"abc"));
                }
            };
            say();
            let answer = client.answer("GET");
            let (line, _) = logged(&gateway);
            if is_late(&line) {
                return None;
            }
            assert_eq!((answer.status, answer.complete, answer.text()), (200, false, "abc"));
            assert_eq!(line, ["200", "UT", "response_timeout"], "{protocol}");
            let mut peer = peer(&gateway);
            peer.get(1);
            say();
            let ends = |frame: &Frame| frame.is(RST_STREAM, 1) || (frame.stream == 1 && frame.ends_stream());
            peer.until(|peer| peer.seen.iter().any(ends));
            let (line, _) = logged(&gateway);
            if is_late(&line) {
                return None;
            }
            assert!(peer.seen.iter().any(|frame| frame.is(RST_STREAM, 1)), "{}", peer.tell());
            assert_eq!(peer.body(1), b"abc");
            assert_eq!(line, ["200", "UT", "response_timeout"], "{protocol}");
            drop((peer, connection));
            gateway.stop();
            Some(())
        });
    }
}

#[test]
fn a_client_that_takes_nothing_is_cut_too() {
    let origin = Origin::serve(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        while stream
            .write_all(b"4000\r\n")
            .and_then(|()| stream.write_all(&[b'a'; 0x4000]))
            .and_then(|()| stream.write_all(b"\r\n"))
            .is_ok()
        {}
        false
    });
    in_time(|times| {
        let gateway = start(&short(times), "HTTP", origin.port());
        let mut client = gateway.connect(80);
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        // It does not read, and its line is written all the same.
        let (first, _) = logged(&gateway);
        let mut peer = peer(&gateway);
        peer.send(&settings(&[(4, 1000)]));
        peer.get(1);
        let (second, _) = logged(&gateway);
        if is_late(&first) || is_late(&second) {
            return None;
        }
        assert_eq!(first, ["200", "UT", "response_timeout"]);
        assert_eq!(second, ["200", "UT", "response_timeout"]);
        drop((peer, client));
        gateway.stop();
        Some(())
    });
}

#[test]
fn the_time_runs_from_the_end_of_the_request() {
    let (origin, hanging) = (Origin::echo(), hanging(b""));
    in_time(|times| {
        let gateway = beside_one_that_hangs(&origin, &hanging, times);
        let mut client = gateway.connect(80);
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab");
        let mut peer = peer(&gateway);
        peer.post(1);
        peer.send(&data(1, 0, b"ab"));
        let_time_pass(&gateway);
        client.send(b"cd");
        let answer = client.answer("POST");
        peer.send(&data(1, END_STREAM, b"cd"));
        peer.until_end_of(1);
        let lines = [logged(&gateway), logged(&gateway)];
        if lines.iter().any(|(line, _)| line[1] == "UT") {
            // Each of them may take as long as those that hung before.
            return None;
        }
        assert!(answer.text().ends_with("abcd"));
        assert_eq!(peer.answer(1).and_then(Frame::status), Some(200));
        for (line, duration) in lines {
            assert_eq!((line[0].as_str(), line[1].as_str()), ("200", "-"));
            assert!(duration >= u64::from(400 * times), "{duration}");
        }
        drop(peer);
        gateway.stop();
        Some(())
    });
}

#[test]
fn connecting_counts() {
    // Nobody accepts, and the queue is full: who connects gets no answer.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap();
    let _full: Vec<_> = (0..4)
        .map(|_| {
            let client = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
            client.set_nonblocking(true).unwrap();
            let _ = client.connect(&address);
            client
        })
        .collect();
    let port = address.as_socket().unwrap().port();
    for protocol in ["HTTP", "HTTP2"] {
        let gateway = start(&short(1), protocol, port);
        // The second waits for the first one's connection.
        let mut clients: [Client; 2] = std::array::from_fn(|_| gateway.connect(80));
        clients.iter_mut().for_each(|client| client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
        for client in &mut clients {
            assert_eq!(client.answer("GET").text(), "upstream request timeout");
            timed_out(&gateway);
        }
        gateway.stop();
    }
}

#[test]
fn an_origin_that_takes_nothing_more_is_given_up() {
    let (accepted, streams) = channel();
    let listener = std::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || listener.incoming().for_each(|stream| drop(accepted.send(stream))));
    let gateway = start(&short(1), "HTTP", port);
    let mut client = gateway.connect(80);
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
    client.send(&[b'a'; 100_000]);
    assert_eq!(client.answer("POST").status, 504);
    timed_out(&gateway);
    drop(streams);
    gateway.stop();
}

#[test]
fn a_tunnel_has_no_timeout() {
    let origin = Origin::serve(|_, stream| {
        let head = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
        let mut said = [0; 5];
        let _ = stream.write_all(head).and_then(|()| stream.read_exact(&mut said));
        let _ = stream.write_all(&said);
        false
    });
    let hanging = hanging(b"");
    let gateway = beside_one_that_hangs(&origin, &hanging, 1);
    let mut client = gateway.connect(80);
    client.send(
        b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
          Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    assert_eq!(client.answer("GET").status, 101);
    let_time_pass(&gateway);
    client.send(b"hello");
    assert_eq!(client.raw(5), b"hello");
    gateway.stop();
}

#[test]
fn a_time_that_is_not_used_up_changes_nothing() {
    let origin = Origin::echo();
    let gateway =
        start("  - timeout: 30s\n    route: [{destination: {host: a.test}}]", "HTTP", origin.port());
    let mut client = gateway.connect(80);
    for _ in 0..100 {
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(client.answer("GET").echoed("x-envoy-expected-rq-timeout-ms"), Some("30000"));
    }
    assert_eq!(origin.connections(), 1);
    gateway.stop();
}
