//! It starts, serves and ends.

use super::{
    harness::{Gateway, routed},
    held_origin::HeldOrigin,
    origin::{Origin, dead_port},
    tools::{has_for, run},
};
use std::process::Command;

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
    assert!(
        line.contains(" 503 URX,UF upstream_reset_before_response_started{connection_failure} "),
        "{line}"
    );
    assert!(line.contains("Connection refused"), "{line}");
    gateway.stop();
}

#[test]
fn a_drain_lets_what_is_in_flight_end() {
    let origin = HeldOrigin::new();
    let mut gateway = Gateway::start(&[80], &routed(TO_A, &[origin.port()]));
    let mut client = gateway.connect(80);
    client.send(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    origin.until_held(1);
    gateway.signal("TERM");
    gateway.until_doors_are_closed(80);
    origin.answer(1);
    let answer = client.answer("GET");
    assert_eq!((answer.status, answer.text()), (200, "ok"));
    assert_eq!(answer.field("connection"), Some("close"));
    assert!(client.is_closed());
    assert!(gateway.wait().success());
}

#[test]
fn a_client_that_has_said_all_still_gets_its_answer() {
    let origin = Origin::echo();
    let gateway = Gateway::start(&[80], &routed(TO_A, &[origin.port()]));
    let mut client = gateway.connect(80);
    client.send(b"GET /half HTTP/1.1\r\nHost: a\r\n\r\n");
    client.half_close();
    assert!(client.answer("GET").text().starts_with("GET /half "));
    assert!(client.is_closed());
    gateway.stop();
}

#[test]
fn a_reused_connection_that_died_is_replaced_in_silence() {
    // The second request of each connection is never answered: the origin closes, as if it had been idle for too long.
    let turn = std::sync::atomic::AtomicUsize::new(0);
    let origin = Origin::serve(move |_, stream| {
        use std::io::Write;
        let even = turn.fetch_add(1, std::sync::atomic::Ordering::SeqCst).is_multiple_of(2);
        even && stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").is_ok()
    });
    let gateway = Gateway::start(&[80], &routed(TO_A, &[origin.port()]));
    let mut client = gateway.connect(80);
    for _ in 0..10 {
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(client.answer("GET").status, 200);
    }
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx");
    // Not idempotent, and the origin may have seen it: it is not sent twice.
    assert_eq!(client.answer("POST").status, 503);
    gateway.stop();
}

#[test]
fn a_websocket_is_a_tunnel_after_the_origin_agreed() {
    let origin = Origin::serve(|request, stream| {
        use std::io::{Read, Write};
        assert_eq!(request.field("upgrade"), Some("websocket"));
        let agreed =
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello";
        stream.write_all(agreed).unwrap();
        let mut bytes = [0; 4];
        while stream.read_exact(&mut bytes).is_ok() {
            stream.write_all(&bytes).unwrap();
        }
        stream.write_all(b"bye").unwrap();
        false
    });
    let gateway = Gateway::start(&[80], &routed(TO_A, &[origin.port()]));
    let mut client = gateway.connect(80);
    client.send(
        b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
          Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    assert_eq!(client.answer("GET").status, 101);
    assert_eq!(client.raw(5), b"hello");
    for _ in 0..100 {
        client.send(b"ping");
        assert_eq!(client.raw(4), b"ping");
    }
    client.half_close();
    assert_eq!(client.raw(3), b"bye");
    assert!(client.is_closed());
    assert!(gateway.log_line().contains("\"GET /ws HTTP/1.1\" 101 - via_upstream - \"-\" 400 408 "));
    gateway.stop();
}

#[test]
fn an_early_answer_is_delivered_though_the_client_still_sends() {
    let origin =
        Origin::scripted(vec![Some(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".to_vec()), None]);
    let gateway = Gateway::start(&[80], &routed(TO_A, &[origin.port()]));
    let mut client = gateway.connect(80);
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.answer("GET").text(), "ok");
    assert_eq!(origin.request().target(), "/");
    assert!(origin.try_request().is_none());
    gateway.stop();
    // A local reply, while a body of which nothing can be said is on its way.
    let gateway = Gateway::start(&[80], &routed("  - directResponse: {status: 403}", &[]));
    let mut client = gateway.connect(80);
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nbegin");
    let answer = client.answer("POST");
    assert_eq!((answer.status, answer.field("connection")), (403, Some("close")));
    assert!(client.try_send(b"more"));
    gateway.stop();
}

#[test]
fn the_status_port_says_ready_until_it_drains() {
    let gateway = Gateway::start(&[80], &routed("  - directResponse: {status: 200}", &[]));
    let mut client = super::client::Client::connect(gateway.status());
    client.send(b"GET /healthz/ready HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert_eq!(client.answer("GET").status, 200);
    let mut client = super::client::Client::connect(gateway.admin());
    client.send(b"GET /stats/prometheus HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let page = client.answer("GET");
    assert!(page.text().contains("# TYPE envoy_http_downstream_rq_total counter"), "{}", page.text());
    gateway.stop();
}

#[test]
fn a_leak_would_show_in_a_thousand_connections() {
    let origin = Origin::echo();
    let gateway = Gateway::start_with(&[80], &routed(TO_A, &[origin.port()]), &["--access-log", "off"]);
    let descriptors = || std::fs::read_dir(format!("/proc/{}/fd", gateway.pid())).unwrap().count();
    assert_eq!(gateway.get(80, "a", "/").status, 200);
    let before = descriptors();
    for _ in 0..1000 {
        assert_eq!(gateway.get(80, "a", "/").status, 200);
    }
    // The last few may be closing still, and each worker keeps a connection to the origin.
    gateway.until("no more than there were", || descriptors() <= before + 8);
    gateway.stop();
}

/// Sends a request that is the last, reads to the end, and prints how many segments without data came meanwhile: by `tcp_info`
/// of Linux, all segments and those with data.
const SEGMENTS: &str = r#"
import socket, struct, sys
stream = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
stream.sendall(sys.argv[2].encode() + b"\r\nHost: a\r\nConnection: close\r\n\r\n")
answer = b""
while piece := stream.recv(65536):
    answer += piece
info = stream.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
(every,), (data,) = struct.unpack_from("I", info, 140), struct.unpack_from("I", info, 152)
print(answer.split(b" ")[1].decode(), every - data)
"#;

#[test]
fn a_last_answer_and_the_end_of_its_connection_are_one_segment() {
    if !has_for("python3", "a client that counts segments") {
        return;
    }
    let origin = Origin::echo();
    let gateway = Gateway::start(&[80], &routed(TO_A, &[origin.port()]));
    let bare_segments = |request: &str, status: &str| {
        let mut command = Command::new("python3");
        command.args(["-c", SEGMENTS, &gateway.port(80).to_string(), request]);
        let (is_good, said) = run(&mut command, b"");
        let (answered, bare) = said.trim().split_once(' ').unwrap();
        assert!(is_good && answered == status, "{said}");
        bare.parse::<u32>().unwrap()
    };
    // One from the origin, and one of our own, after which the client is waited for.
    for (request, status) in [("GET / HTTP/1.1", "200"), ("GET / HTTP/9.1", "505")] {
        // Two are what opens the connection, and what says that the request has come. On a machine in a hurry the kernel may
        // send more of its own accord, once; a gateway that ends connections in a segment of its own does so every time.
        let mut counts = (0..10).map(|_| bare_segments(request, status));
        assert!(counts.any(|bare| bare <= 2), "{request}: always more than two segments without data");
    }
    gateway.stop();
}
