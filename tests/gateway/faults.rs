//! Failures made on purpose (`fault`, specification section 3.4; acceptance case 92).

use super::{
    client::End,
    harness::{Gateway, in_time, routed},
    origin::Origin,
    tools::{has_for, run},
};
use std::process::Command;

/// A gateway whose one rule has this `fault`, before an origin that echoes.
fn with_fault(fault: &str, more: &str) -> (Origin, Gateway) {
    let origin = Origin::echo();
    let rule = format!("  - {{fault: {{{fault}}}, route: [{{destination: {{host: a.test}}}}]{more}}}\n");
    let gateway = Gateway::start(&[80], &routed(&rule, &[origin.port()]));
    (origin, gateway)
}

/// A field of a line of the access log, by its position behind the request: status, flags, details.
fn logged(line: &str) -> (String, String, String) {
    let rest = line.split("\" ").nth(1).unwrap();
    let mut words = rest.split(' ');
    let mut next = || words.next().unwrap().to_owned();
    (next(), next(), next())
}

/// The duration in a line of the access log, in milliseconds.
fn duration(line: &str) -> u64 {
    let rest = line.split("\" ").nth(2).unwrap();
    rest.split(' ').nth(2).unwrap().parse().unwrap()
}

#[test]
fn case_92_all_requests_fail_with_418() {
    let (origin, gateway) = with_fault(
        "abort: {percentage: {value: 100}, httpStatus: 418}",
        ", headers: {response: {set: {x-why: test}}}",
    );
    let answer = gateway.get(80, "a", "/");
    assert_eq!((answer.status, answer.text()), (418, "fault filter abort"));
    assert_eq!((answer.field("content-type"), answer.field("x-why")), (Some("text/plain"), Some("test")));
    assert_eq!(answer.field("server"), Some("istio-envoy"));
    let (status, flags, details) = logged(&gateway.log_line());
    assert_eq!((status.as_str(), flags.as_str(), details.as_str()), ("418", "FI", "fault_filter_abort"));
    assert_eq!((gateway.metric("envoy_http_fault_aborts_injected"), origin.connections()), (1.0, 0));
    gateway.stop();
}

#[test]
fn a_fault_without_a_percentage_is_never_made() {
    let (_origin, gateway) = with_fault("abort: {httpStatus: 418}, delay: {fixedDelay: 3600s}", "");
    assert_eq!(gateway.get(80, "a", "/").status, 200);
    assert_eq!(logged(&gateway.log_line()).1, "-");
    gateway.stop();
}

#[test]
fn a_delay_waits_and_the_origin_answers_after_it() {
    in_time(|times| {
        let (delay, timeout) = (150 * times, 100 * times);
        let (_origin, gateway) = with_fault(
            &format!("delay: {{percentage: {{value: 100}}, fixedDelay: {delay}ms}}"),
            &format!(", timeout: {timeout}ms"),
        );
        // The connection goes on, and the time of the route begins only when the delay is over.
        let mut client = gateway.connect(80);
        for _ in 0..2 {
            client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            let answer = client.answer("GET");
            let line = gateway.log_line();
            if answer.status == 504 || !answer.complete {
                // It was the origin that took too long.
                return None;
            }
            assert_eq!(answer.status, 200);
            assert_eq!(logged(&line), ("200".into(), "DI".into(), "via_upstream".into()));
            assert!(duration(&line) >= u64::from(delay), "{line}");
        }
        assert_eq!(gateway.metric("envoy_http_fault_delays_injected"), 2.0);
        gateway.stop();
        Some(())
    });
}

#[test]
fn a_delay_comes_before_an_abort() {
    let (origin, gateway) = with_fault(
        "delay: {percentage: {value: 100}, fixedDelay: 20ms}, abort: {percentage: {value: 100}, httpStatus: 503}",
        "",
    );
    // A client that sends its body meanwhile keeps its connection.
    let mut client = gateway.connect(80);
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody");
    assert_eq!(client.answer("POST").status, 503);
    let line = gateway.log_line();
    assert_eq!(logged(&line).1, "DI,FI");
    assert!(duration(&line) >= 20, "{line}");
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.answer("GET").status, 503);
    assert_eq!(origin.connections(), 0);
    gateway.stop();
}

#[test]
fn a_client_that_leaves_ends_its_delay() {
    let (origin, gateway) = with_fault("delay: {percentage: {value: 100}, fixedDelay: 3600s}", "");
    let mut client = gateway.connect(80);
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    gateway.until("it waits", || gateway.metric("envoy_http_fault_delays_injected") == 1.0);
    drop(client);
    assert_eq!(
        logged(&gateway.log_line()),
        ("0".into(), "DI,DC".into(), "downstream_remote_disconnect".into())
    );
    gateway.until("nothing is in flight", || gateway.metric("envoy_http_downstream_rq_active") == 0.0);
    assert_eq!(origin.connections(), 0);
    gateway.stop();
}

#[test]
fn a_delay_does_not_outlive_a_drain() {
    let rule = "  - {fault: {delay: {percentage: {value: 100}, fixedDelay: 3600s}}, route: [{destination: {host: a.test}}]}\n";
    let gateway = Gateway::start_with(&[80], &routed(rule, &[9]), &["--drain-time", "1s"]);
    let mut client = gateway.connect(80);
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    gateway.until("it waits", || gateway.metric("envoy_http_fault_delays_injected") == 1.0);
    gateway.stop();
    assert_ne!(client.drain(), End::Open);
}

#[test]
fn sixteen_thousand_requests_fail_as_often_as_was_asked_for() {
    const REQUESTS: u32 = 16_000;
    let (_origin, gateway) = with_fault(
        "delay: {percentage: {value: 10}, fixedDelay: 1ms}, abort: {percentage: {value: 20}, httpStatus: 503}",
        "",
    );
    let mut client = gateway.connect(80);
    let mut failed = 0;
    for _ in 0..REQUESTS {
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        failed += u32::from(client.answer("GET").status == 503);
    }
    let near = |count: f64, share: f64| {
        let expected = f64::from(REQUESTS) * share;
        let error = (expected * (1.0 - share)).sqrt();
        // Each fails once in a million runs.
        assert!((count - expected).abs() <= 5.0 * error, "{count} of {expected}");
    };
    near(f64::from(failed), 0.2);
    near(gateway.metric("envoy_http_fault_delays_injected"), 0.1);
    let both = (0..REQUESTS).filter(|_| logged(&gateway.log_line()).1 == "DI,FI").count();
    near(both as f64, 0.02);
    gateway.stop();
}

#[test]
fn calls_of_grpc_fail_in_their_own_terms() {
    let (_origin, gateway) =
        with_fault("abort: {percentage: {value: 100}, grpcStatus: RESOURCE_EXHAUSTED}", "");
    let answer = gateway.request(80, "POST", "a", "/x.Y/Z", &[("content-type", "application/grpc")]);
    assert_eq!(
        (answer.status, answer.field("grpc-status"), answer.field("grpc-message")),
        (200, Some("8"), Some("fault filter abort"))
    );
    assert!(answer.body.is_empty());
    // Who does not speak gRPC gets what Envoy answers.
    let answer = gateway.get(80, "a", "/");
    assert_eq!(
        (answer.status, answer.text(), answer.field("grpc-status")),
        (200, "fault filter abort", None)
    );
    let (_other, second) = with_fault("abort: {percentage: {value: 100}, httpStatus: 503}", "");
    let answer = second.request(80, "POST", "a", "/x.Y/Z", &[("content-type", "application/grpc")]);
    assert_eq!((answer.status, answer.field("grpc-status")), (200, Some("14")));
    gateway.stop();
    second.stop();
}

#[test]
fn streams_of_http2_wait_and_fail_alone() {
    if !has_for("curl", "faults over HTTP/2") {
        return;
    }
    let origin = Origin::echo();
    let slow = "{match: [{uri: {prefix: /slow}}], fault: {delay: {percentage: {value: 100}, fixedDelay: 200ms}}, route: [{destination: {host: a.test}}]}";
    let bad = "{match: [{uri: {prefix: /bad}}], fault: {abort: {percentage: {value: 100}, httpStatus: 429}}, route: [{destination: {host: a.test}}]}";
    let rules = format!("  - {slow}\n  - {bad}\n  - {{route: [{{destination: {{host: a.test}}}}]}}\n");
    let gateway = Gateway::start(&[80], &routed(&rules, &[origin.port()]));
    let url = |path: &str| format!("http://127.0.0.1:{}/{path}", gateway.port(80));
    let (ended, said) = run(
        Command::new("curl")
            .args(["-sS", "--http2-prior-knowledge", "--parallel", "--parallel-immediate", "-o", "/dev/null"])
            .args(["-w", "%{http_version} %{response_code}\n", &url("slow")])
            .args(["-o", "/dev/null", &url("bad"), "-o", "/dev/null", &url("good")]),
        b"",
    );
    assert!(ended, "{said}");
    // Its progress stands beside.
    let mut answers: Vec<&str> = said.lines().filter(|line| line.starts_with("2 ")).collect();
    answers.sort_unstable();
    assert_eq!(answers, ["2 200", "2 200", "2 429"]);
    let mut flags: Vec<String> = (0..3).map(|_| logged(&gateway.log_line()).1).collect();
    flags.sort_unstable();
    assert_eq!(flags, ["-", "DI", "FI"]);
    gateway.stop();
}

#[test]
fn case_167_faults_that_can_not_be_are_refused_at_load() {
    for fault in [
        "abort: {percentage: {value: 101}, httpStatus: 500}",
        "abort: {percentage: {value: -1}, httpStatus: 500}",
        "delay: {percentage: {value: 10}, fixedDelay: 500us}",
        "abort: {percentage: {value: 10}, httpStatus: 199}",
        "abort: {percentage: {value: 10}, httpStatus: 601}",
        "abort: {percentage: {value: 10}, grpcStatus: NOPE}",
    ] {
        let rule = format!("  - {{fault: {{{fault}}}, route: [{{destination: {{host: a.test}}}}]}}\n");
        let ended = Gateway::try_start(&[80], &routed(&rule, &[9]), &[]).err().unwrap();
        assert_eq!(ended.code, Some(1), "{fault}");
        assert!(ended.said.contains("config.yaml:"), "{}", ended.said);
    }
}
