//! Bodies that go through pipes: whole, broken off, and followed by others on the same connections.

use super::{
    harness::{Gateway, routed},
    origin::Origin,
    tcp::{Raw, take},
};
use std::io::Write;

const ROUTE: &str = "  - route: [{destination: {host: a.test}}]";

/// Bytes that show where they belong.
fn pattern(len: usize) -> Vec<u8> {
    (0..len as u64).map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
}

/// Answers `GET /<n>` with so many bytes, and any other request with the length of its body. `/<n>/<m>` says it has n bytes,
/// gives m, and closes.
fn origin() -> Origin {
    Origin::serve(|request, stream| {
        if !request.line.starts_with("GET ") {
            let body = format!("{} {}", request.body.len(), request.body == pattern(request.body.len()));
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            return stream.write_all(head.as_bytes()).is_ok();
        }
        let mut numbers = request.target()[1..].split('/').map(|number| number.parse::<usize>().unwrap());
        let len = numbers.next().unwrap();
        let given = numbers.next();
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {len}\r\n\r\n");
        stream.write_all(head.as_bytes()).is_ok()
            && stream.write_all(&pattern(given.unwrap_or(len))).is_ok()
            && given.is_none()
    })
}

#[test]
fn all_sizes_follow_one_another_on_one_connection() {
    let origin = origin();
    let gateway = Gateway::start_with(&[80], &routed(ROUTE, &[origin.port()]), &["--workers", "1"]);
    let mut client = gateway.connect(80);
    for len in [10, 200_000, 20, 131_072, 163_840, 33_000, 5_000_000, 1, 300_000, 131_071] {
        client.send(format!("GET /{len} HTTP/1.1\r\nHost: web.test\r\n\r\n").as_bytes());
        let answer = client.answer("GET");
        assert!(answer.complete && answer.body == pattern(len), "{len}");
        let head = format!("PUT / HTTP/1.1\r\nHost: web.test\r\ncontent-length: {len}\r\n\r\n");
        // The next request stands directly behind the body.
        let next = b"GET /3 HTTP/1.1\r\nHost: web.test\r\n\r\n";
        client.send(&[head.as_bytes(), &pattern(len), next].concat());
        assert_eq!(client.answer("PUT").text(), format!("{len} true"));
        assert_eq!(client.answer("GET").body, pattern(3));
    }
    assert_eq!(origin.connections(), 1);
    gateway.stop();
}

#[test]
fn an_answer_that_breaks_off_is_not_whole() {
    let origin = origin();
    let gateway = Gateway::start(&[80], &routed(ROUTE, &[origin.port()]));
    for (len, given) in [(5_000_000, 1_000_000), (400_000, 399_999), (5_000_000, 0)] {
        let mut client = gateway.connect(80);
        client.send(format!("GET /{len}/{given} HTTP/1.1\r\nHost: web.test\r\n\r\n").as_bytes());
        let answer = client.answer("GET");
        assert!(!answer.complete);
        assert!(answer.body == pattern(given), "{} of {given}", answer.body.len());
        let line = gateway.log_line();
        assert!(line.contains(" UC ") && line.contains(&format!(" 0 {given} ")), "{line}");
    }
    gateway.stop();
}

#[test]
fn a_client_that_leaves_ends_the_exchange() {
    let origin = origin();
    let gateway = Gateway::start(&[80], &routed(ROUTE, &[origin.port()]));
    let mut client = gateway.connect(80);
    client.send(b"GET /50000000 HTTP/1.1\r\nHost: web.test\r\n\r\n");
    assert_eq!(client.raw(1000).len(), 1000);
    drop(client);
    assert!(gateway.log_line().contains(" DC "));
    let mut client = gateway.connect(80);
    client.send(
        &[&b"PUT / HTTP/1.1\r\nHost: web.test\r\ncontent-length: 50000000\r\n\r\n"[..], &pattern(3_000_000)]
            .concat(),
    );
    drop(client);
    assert!(gateway.log_line().contains(" DC "));
    gateway.until("nothing is open upstream", || gateway.metric("envoy_cluster_upstream_cx_active") == 0.0);
    gateway.stop();
}

#[test]
fn an_early_answer_reaches_a_client_that_still_sends_much() {
    // It reads the head, answers, and reads no more.
    let origin = Raw::new();
    let gateway = Gateway::start(&[80], &routed(ROUTE, &[origin.port()]));
    let mut client = gateway.connect(80);
    client.send(b"PUT / HTTP/1.1\r\nHost: web.test\r\ncontent-length: 900000\r\n\r\n");
    let server = origin.accept();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.extend(take(&server, 1));
    }
    (&server).write_all(b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno").unwrap();
    client.try_send(&pattern(900_000));
    let answer = client.answer("PUT");
    assert_eq!((answer.status, answer.text()), (413, "no"));
    drop(server);
    gateway.stop();
}
