//! It starts, serves and ends.

use super::{
    harness::{Gateway, routed},
    origin::{Origin, dead_port},
};

const TO_A: &str = "  - route: [{destination: {host: a.test}}]";

#[test]
fn it_serves_and_ends() {
    let origin = Origin::echo();
    let gateway = Gateway::start(&[80], &routed(TO_A, &[origin.port()]));
    let answer = gateway.get(80, "any.example", "/path?query");
    assert_eq!((answer.status, answer.complete), (200, true));
    assert!(answer.text().starts_with("GET /path?query HTTP/1.1\nhost: any.example\n"), "{}", answer.text());
    let line = gateway.log_line();
    assert!(line.contains("\"GET /path?query HTTP/1.1\" 200 - via_upstream - \"-\" 0 "), "{line}");
    assert!(line.contains("\"any.example\"") && line.contains(" outbound|80||a.test "), "{line}");
    gateway.stop();
}

#[test]
fn many_requests_on_one_connection_use_one_upstream_connection() {
    let origin = Origin::echo();
    let gateway = Gateway::start(&[80], &routed(TO_A, &[origin.port()]));
    let mut client = gateway.connect(80);
    for number in 0..50 {
        client.send(format!("GET /{number} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes());
        assert!(client.answer("GET").text().starts_with(&format!("GET /{number} ")));
    }
    assert_eq!(origin.connections(), 1);
    gateway.stop();
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let origin = Origin::echo();
    let gateway = Gateway::start(&[80], &routed(TO_A, &[origin.port()]));
    let mut client = gateway.connect(80);
    let requests: String = (0..20).map(|n| format!("GET /{n} HTTP/1.1\r\nHost: a\r\n\r\n")).collect();
    client.send(requests.as_bytes());
    for number in 0..20 {
        assert!(client.answer("GET").text().starts_with(&format!("GET /{number} ")));
    }
    gateway.stop();
}

#[test]
fn a_large_body_passes_both_ways() {
    let origin = Origin::echo();
    let gateway = Gateway::start(&[80], &routed(TO_A, &[origin.port()]));
    let body: String = (0..400_000).map(|n| char::from(b'a' + (n % 26) as u8)).collect();
    let mut client = gateway.connect(80);
    client.send(
        format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len()).as_bytes(),
    );
    let answer = client.answer("POST");
    assert!(answer.complete && answer.text().ends_with(&body));
    let chunked = format!(
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
        body.len()
    );
    client.send(chunked.as_bytes());
    assert!(client.answer("POST").text().ends_with(&body));
    gateway.stop();
}

#[test]
fn a_refused_connect_is_503_uf_and_the_next_endpoint_is_tried_first() {
    let gateway = Gateway::start(&[80], &routed(TO_A, &[dead_port()]));
    let answer = gateway.get(80, "a", "/");
    assert_eq!(answer.status, 503);
    assert!(answer.text().contains("reset reason: connection failure"), "{}", answer.text());
    let line = gateway.log_line();
    assert!(line.contains(" 503 UF upstream_reset_before_response_started{connection_failure} "), "{line}");
    assert!(line.contains("Connection refused"), "{line}");
    gateway.stop();
}

#[test]
fn a_drain_lets_what_is_in_flight_end() {
    let origin = Origin::serve(|request, stream| {
        use std::io::Write;
        // Released by the second request, which comes after the signal.
        if request.target() == "/slow" {
            std::thread::park_timeout(std::time::Duration::from_millis(300));
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").is_ok()
    });
    let mut gateway = Gateway::start(&[80], &routed(TO_A, &[origin.port()]));
    let mut client = gateway.connect(80);
    client.send(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    origin.request();
    gateway.signal("TERM");
    let answer = client.answer("GET");
    assert_eq!((answer.status, answer.text()), (200, "ok"));
    assert_eq!(answer.field("connection"), Some("close"));
    assert!(client.is_closed());
    assert!(gateway.wait().success());
}
