//! `connectionPool` limits and `retryBudget`, with one worker, two, and eight: the limits are those of the whole process
//! (specification section 4.4).

use super::{
    access_log::fields,
    client::{Answer, Client},
    h2_frames::{END, headers},
    h2_origin::{H2Origin, launch, to_origin},
    h2_upstream::{client as h2_client, status},
    harness::{Gateway, Launch, routed},
    held_origin::{Counter, HeldOrigin},
    origin::Origin,
    tcp::{Raw, dial, rest, tcp},
};
use std::{io::Write, thread};

const ROUTE: &str = "  - route: [{destination: {host: a.test}}]";

/// What is said where a limit was reached.
const OVERFLOW: &str = "upstream connect error or disconnect/reset before headers. reset reason: overflow";

/// A rule for `a.test` with this policy.
fn rule(policy: &str) -> String {
    format!(
        "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: dr}}\nspec:\n  host: \
         a.test\n  trafficPolicy: {policy}\n"
    )
}

fn gateway(port: u16, policy: &str, workers: &str) -> Gateway {
    let yaml = routed(ROUTE, &[port]) + &rule(policy);
    Gateway::start_with(&[80], &yaml, &["--workers", workers])
}

/// Sends a request on a connection of its own and reads nothing.
fn ask(gateway: &Gateway) -> Client {
    let mut client = gateway.connect(80);
    client.send(b"GET / HTTP/1.1\r\nHost: web.test\r\nConnection: close\r\n\r\n");
    client
}

fn is_overflow(answer: &Answer) -> bool {
    answer.status == 503 && answer.text() == OVERFLOW && answer.field("x-envoy-overloaded") == Some("true")
}

fn workers(each: impl Fn(&str)) {
    ["1", "2", "8"].into_iter().for_each(each);
}

#[test]
fn no_more_connections_are_ever_open_than_may_be_and_everybody_gets_a_turn() {
    workers(|workers| {
        let origin = Origin::echo();
        let counter = Counter::before(origin.port());
        let gateway = gateway(counter.port(), "{connectionPool: {tcp: {maxConnections: 3}}}", workers);
        let port = gateway.port(80);
        thread::scope(|scope| {
            for _ in 0..24 {
                scope.spawn(move || {
                    let mut client = Client::connect(port);
                    for _ in 0..20 {
                        client.send(b"GET / HTTP/1.1\r\nHost: web.test\r\n\r\n");
                        assert_eq!(client.answer("GET").status, 200);
                    }
                });
            }
        });
        assert!(counter.most() <= 3, "{workers} workers: {} connections", counter.most());
        assert!(gateway.metric("envoy_cluster_upstream_cx_overflow") > 0.0);
        gateway.stop();
    });
}

#[test]
fn one_connection_serves_all_workers_in_turn() {
    workers(|workers| {
        let origin = Origin::echo();
        let counter = Counter::before(origin.port());
        let gateway = gateway(counter.port(), "{connectionPool: {tcp: {maxConnections: 1}}}", workers);
        // Each may come to another worker, and the one before has kept its connection.
        for _ in 0..50 {
            assert_eq!(gateway.get(80, "web.test", "/").status, 200);
        }
        assert_eq!(counter.most(), 1);
        gateway.stop();
    });
}

#[test]
fn who_waits_is_served_when_a_connection_comes_back_and_who_is_too_many_is_refused_at_once() {
    workers(|workers| {
        let origin = HeldOrigin::new();
        let policy = "{connectionPool: {tcp: {maxConnections: 1}, http: {http1MaxPendingRequests: 2}}}";
        let gateway = gateway(origin.port(), policy, workers);
        let mut first = ask(&gateway);
        origin.until_held(1);
        let mut waiting = [ask(&gateway), ask(&gateway)];
        gateway.until("two wait", || {
            gateway.metric("envoy_cluster_circuit_breakers_default_remaining_pending") == 0.0
        });
        let answer = ask(&gateway).answer("GET");
        assert!(is_overflow(&answer), "{answer:?}");
        let line = gateway.log_line();
        let fields = fields(&line);
        assert_eq!(fields[2..5], ["503", "UO", "upstream_reset_before_response_started{overflow}"], "{line}");
        assert_eq!(gateway.metric("envoy_cluster_circuit_breakers_default_cx_open"), 1.0);
        assert_eq!(gateway.metric("envoy_cluster_circuit_breakers_default_rq_pending_open"), 1.0);
        assert_eq!(gateway.metric("envoy_cluster_upstream_rq_pending_overflow"), 1.0);
        origin.answer(3);
        assert_eq!(first.answer("GET").status, 200);
        waiting.iter_mut().for_each(|client| assert_eq!(client.answer("GET").status, 200));
        assert_eq!(origin.held_most(), 1);
        gateway.until("nothing is pending", || {
            gateway.metric("envoy_cluster_circuit_breakers_default_rq_pending_open") == 0.0
        });
        gateway.stop();
    });
}

#[test]
fn a_client_that_leaves_the_line_makes_room_in_it() {
    workers(|workers| {
        let origin = HeldOrigin::new();
        let policy = "{connectionPool: {tcp: {maxConnections: 1}, http: {http1MaxPendingRequests: 1}}}";
        let gateway = gateway(origin.port(), policy, workers);
        let mut first = ask(&gateway);
        origin.until_held(1);
        let pending = || gateway.metric("envoy_cluster_circuit_breakers_default_remaining_pending");
        let leaving = ask(&gateway);
        gateway.until("one waits", || pending() == 0.0);
        drop(leaving);
        gateway.until("nobody waits", || pending() == 1.0);
        let line = gateway.log_line();
        assert_eq!(fields(&line)[3], "DC", "{line}");
        let mut second = ask(&gateway);
        gateway.until("another one waits", || pending() == 0.0);
        origin.answer(2);
        assert_eq!((first.answer("GET").status, second.answer("GET").status), (200, 200));
        gateway.stop();
    });
}

#[test]
fn requests_beyond_the_limit_are_refused_at_once() {
    workers(|workers| {
        let origin = HeldOrigin::new();
        let gateway = gateway(origin.port(), "{connectionPool: {http: {http2MaxRequests: 2}}}", workers);
        let mut held = [ask(&gateway), ask(&gateway)];
        origin.until_held(2);
        let answer = ask(&gateway).answer("GET");
        assert!(is_overflow(&answer), "{answer:?}");
        assert_eq!(gateway.metric("envoy_cluster_circuit_breakers_default_rq_open"), 1.0);
        origin.answer(3);
        held.iter_mut().for_each(|client| assert_eq!(client.answer("GET").status, 200));
        // A client has its answer before the request is over here.
        gateway.until("none is under way", || {
            gateway.metric("envoy_cluster_circuit_breakers_default_remaining_rq") == 2.0
        });
        assert_eq!(ask(&gateway).answer("GET").status, 200);
        gateway.stop();
    });
}

#[test]
fn requests_of_http2_are_limited_as_those_of_http1_and_wait_for_a_connection() {
    let origin = H2Origin::new();
    let gateway = origin.gateway(", http2MaxRequests: 1");
    let mut peer = h2_client(&gateway);
    peer.get(1);
    let mut connection = origin.accept();
    let request = connection.request();
    peer.get(3);
    assert_eq!(status(&mut peer, 3), Some(503));
    assert_eq!(peer.body(3), OVERFLOW.as_bytes());
    connection.answer(request.stream);
    assert_eq!(status(&mut peer, 1), Some(200));
    peer.get(5);
    let request = connection.request();
    connection.answer(request.stream);
    assert_eq!(status(&mut peer, 5), Some(200));
    drop(peer);
    gateway.stop();
}

#[test]
fn one_connection_of_http2_that_is_full_has_the_others_wait() {
    let origin = H2Origin::new();
    let policy = rule(
        "{connectionPool: {tcp: {maxConnections: 1}, http: {h2UpgradePolicy: UPGRADE, maxConcurrentStreams: 1}}}",
    );
    let gateway = launch(&(to_origin(origin.port(), "", "") + &policy));
    let mut peer = h2_client(&gateway);
    peer.get(1);
    let mut connection = origin.accept();
    let first = connection.request();
    peer.send(&headers(3, END, &peer.fields("GET").set(":path", "/second").block()));
    gateway.until("one waits", || gateway.metric("envoy_cluster_upstream_cx_overflow") == 1.0);
    connection.answer(first.stream);
    assert_eq!(status(&mut peer, 1), Some(200));
    let second = connection.request();
    assert_eq!(second.field(":path"), Some("/second"));
    connection.answer(second.stream);
    assert_eq!(status(&mut peer, 3), Some(200));
    assert!(!origin.has_another());
    drop(peer);
    gateway.stop();
}

#[test]
fn a_tcp_connection_beyond_the_limit_is_closed() {
    workers(|workers| {
        let origin = Raw::new();
        let yaml = tcp("TCP", "{destination: {host: a.test}}", &[&[origin.port()]])
            + &rule("{connectionPool: {tcp: {maxConnections: 1}}}");
        let gateway = Gateway::launch(Launch {
            declared: &[2000],
            yaml: &yaml,
            arguments: &["--workers", workers],
            ..Launch::default()
        });
        let first = dial(&gateway, 2000);
        let server = origin.accept();
        let second = dial(&gateway, 2000);
        assert_eq!(rest(&second), b"");
        let line = gateway.log_line();
        assert_eq!(fields(&line)[3], "UO", "{line}");
        drop((first, server));
        gateway.log_line();
        let third = dial(&gateway, 2000);
        let server = origin.accept();
        (&server).write_all(b"hello").unwrap();
        drop(server);
        assert_eq!(rest(&third), b"hello");
        drop(third);
        gateway.stop();
    });
}

#[test]
fn the_pages_tell_of_the_limits() {
    let origin = HeldOrigin::new();
    let policy = "{connectionPool: {tcp: {maxConnections: 7}, http: {http1MaxPendingRequests: 5, http2MaxRequests: 6, \
                  maxRetries: 4}}}";
    let gateway = gateway(origin.port(), policy, "2");
    let mut client = ask(&gateway);
    origin.until_held(1);
    let text = gateway.admin_page("/stats/prometheus");
    let wanted =
        "envoy_cluster_circuit_breakers_default_remaining_cx{cluster_name=\"outbound|80||a.test\"} 6";
    assert!(text.text().contains(wanted), "{}", text.text());
    let dump = gateway.admin_page("/config_dump");
    for part in ["\"connections\":{\"in_use\":1,\"most\":7", "\"requests\":{\"in_use\":1,\"most\":6"] {
        assert!(dump.text().contains(part), "no {part} in {}", dump.text());
    }
    origin.answer(1);
    assert_eq!(client.answer("GET").status, 200);
    gateway.stop();
}

/// A route whose requests are sent again twice where they are answered 503, at once, with this policy for `a.test`.
fn retrying(port: u16, policy: &str, workers: &str) -> Gateway {
    let route =
        "  - retries: {attempts: 2, retryOn: 5xx, backoff: 1ms}\n    route: [{destination: {host: a.test}}]";
    let yaml = routed(route, &[port]) + &rule(policy);
    Gateway::start_with(&[80], &yaml, &["--workers", workers])
}

#[test]
fn no_more_retries_are_under_way_than_may_be() {
    workers(|workers| {
        // The first request fails, is sent again, and that is kept waiting; the second fails and may not be sent again.
        let (sender, failures) = std::sync::mpsc::channel();
        let held = HeldOrigin::new();
        let origin = held.failing_first(sender);
        for policy in [
            "{connectionPool: {http: {maxRetries: 1}}}",
            // A budget replaces it.
            "{retryBudget: {percent: 0, minRetryConcurrency: 1}, connectionPool: {http: {maxRetries: 100}}}",
        ] {
            let gateway = retrying(origin.port(), policy, workers);
            let mut first = ask(&gateway);
            failures.recv().unwrap();
            held.until_held(1);
            let second = ask(&gateway).answer("GET");
            failures.recv().unwrap();
            // The last answer goes through as it is.
            assert_eq!((second.status, second.text()), (503, "first"));
            let line = gateway.log_line();
            assert_eq!(fields(&line)[3], "UO", "{line}");
            assert_eq!(gateway.metric("envoy_cluster_circuit_breakers_default_rq_retry_open"), 1.0);
            assert_eq!(gateway.metric("envoy_cluster_upstream_rq_retry_overflow"), 1.0);
            held.answer(1);
            assert_eq!(first.answer("GET").status, 200);
            // A client has its answer before the request is over here.
            gateway.until("no retry is under way", || {
                gateway.metric("envoy_cluster_circuit_breakers_default_rq_retry_open") == 0.0
            });
            gateway.stop();
        }
    });
}
