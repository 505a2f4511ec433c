//! What is tried again (`retries`), on every way from a client to an origin.

use super::{
    failing::{Act::*, Failing, Sent, Speaks, WAYS, ask, get, logged, start, start_with},
    harness::{Gateway, in_time},
    origin::dead_port,
};

/// More than one buffer, and less than what is kept.
const MUCH: usize = 300_000;

fn body(length: usize) -> Vec<u8> {
    (0..length).map(|at| b'a' + (at % 26) as u8).collect()
}

/// What `/stats` says of retries: made, of use, in vain.
fn counted(gateway: &Gateway) -> [f64; 3] {
    ["retry", "retry_success", "retry_limit_exceeded"]
        .map(|name| gateway.metric(&format!("envoy_cluster_upstream_rq_{name}")))
}

#[test]
fn case_95_a_refused_connection_goes_to_the_other_endpoint() {
    for (client, origin) in WAYS {
        let alive = Failing::new(origin, &[Status(200)]);
        let gateway = start("name: r", origin, &[dead_port(), alive.port]);
        for _ in 0..10 {
            assert_eq!(get(&gateway, client).status, 200, "{client:?} {origin:?}");
            assert_eq!(logged(&gateway), ["200", "-", "via_upstream"]);
            assert_eq!(ask(&gateway, client, b"post", Sent::AtOnce, &[]).status, 200);
        }
        gateway.stop();
    }
}

#[test]
fn case_97_without_attempts_there_is_one_try() {
    for (client, origin) in WAYS {
        for retries in ["retries: {}", "retries: {attempts: 0}"] {
            let gateway = start(retries, origin, &[dead_port()]);
            let answer = get(&gateway, client);
            assert_eq!(answer.status, 503);
            assert!(answer.text().contains("headers. reset reason: connection failure"), "{}", answer.text());
            assert_eq!(logged(&gateway)[..2], ["503", "UF"]);
            assert_eq!(counted(&gateway), [0.0, 0.0, 0.0]);
            gateway.stop();
        }
    }
}

#[test]
fn by_default_there_are_three_tries_and_then_the_reason_is_told() {
    for (client, origin) in WAYS {
        let gateway = start("name: r", origin, &[dead_port()]);
        let answer = get(&gateway, client);
        assert_eq!(answer.status, 503);
        let wanted = "headers. retried and the latest reset reason: connection failure";
        assert!(answer.text().contains(wanted), "{}", answer.text());
        let details = "upstream_reset_before_response_started{connection_failure}";
        assert_eq!(logged(&gateway), ["503", "URX,UF", details]);
        assert_eq!(counted(&gateway), [2.0, 0.0, 1.0]);
        gateway.stop();
    }
}

#[test]
fn by_default_an_origins_own_503_is_passed_on() {
    for (client, origin) in WAYS {
        let alive = Failing::new(origin, &[Status(503), Reset, Status(200)]);
        let gateway = start("name: r", origin, &[alive.port]);
        assert_eq!(get(&gateway, client).text(), "answer 1");
        assert_eq!(logged(&gateway), ["503", "-", "via_upstream"]);
        assert_eq!(ask(&gateway, client, b"post", Sent::AtOnce, &[]).status, 503);
        assert_eq!(alive.got().attempt, "1");
        gateway.stop();
    }
}

#[test]
fn case_98_statuses_are_tried_again_with_their_bodies() {
    let rule = "retries: {attempts: 2, retryOn: 'gateway-error,retriable-status-codes,503', backoff: 1ms}";
    for (client, origin) in WAYS {
        for sent in [Sent::AtOnce, Sent::Pieces, Sent::Chunks] {
            for length in [0, 5, MUCH] {
                if length == 0 && sent != Sent::AtOnce {
                    continue;
                }
                let failing = Failing::new(origin, &[Status(503), Status(503), Status(200)]);
                let gateway = start(rule, origin, &[failing.port]);
                let answer = ask(&gateway, client, &body(length), sent, &[]);
                let case = format!("{client:?} {origin:?} {sent:?} {length}");
                assert_eq!((answer.status, answer.text()), (200, "answer 3"), "{case}");
                for attempt in ["1", "2", "3"] {
                    let got = failing.got();
                    assert_eq!(got.attempt, attempt, "{case}");
                    assert!(got.body == body(length), "{case}: {} bytes", got.body.len());
                }
                assert_eq!(logged(&gateway), ["200", "-", "via_upstream"], "{case}");
                assert_eq!(counted(&gateway), [2.0, 1.0, 0.0], "{case}");
                // What was not passed on was read, and the connection used again.
                assert_eq!(failing.connections(), 1, "{case}");
                gateway.stop();
            }
        }
    }
}

#[test]
fn when_all_tries_are_made_the_last_answer_passes() {
    let rule = "retries: {attempts: 2, retryOn: 5xx, backoff: 1ms}";
    for (client, origin) in WAYS {
        let failing = Failing::new(origin, &[Status(500), Status(502), Status(503)]);
        let gateway = start(rule, origin, &[failing.port]);
        let answer = get(&gateway, client);
        assert_eq!((answer.status, answer.text()), (503, "answer 3"), "{client:?} {origin:?}");
        assert_eq!(logged(&gateway), ["503", "URX", "via_upstream"]);
        assert_eq!(counted(&gateway), [2.0, 0.0, 1.0]);
        gateway.stop();
    }
}

#[test]
fn an_answer_with_a_large_body_is_dropped_with_its_connection() {
    let rule = "retries: {attempts: 1, retryOn: 5xx, backoff: 1ms}";
    for (client, origin) in WAYS {
        let failing = Failing::new(origin, &[Large(503), Status(200)]);
        let gateway = start(rule, origin, &[failing.port]);
        let answer = get(&gateway, client);
        assert_eq!((answer.status, answer.text()), (200, "answer 2"), "{client:?} {origin:?}");
        gateway.stop();
    }
}

#[test]
fn resets_are_tried_again_where_the_policy_says_so() {
    for (client, origin) in WAYS {
        for condition in ["reset", "5xx", "gateway-error"] {
            let failing = Failing::new(origin, &[Reset, Status(200), Reset]);
            let rule = format!("retries: {{attempts: 1, retryOn: {condition}, backoff: 1ms}}");
            let gateway = start(&rule, origin, &[failing.port]);
            let answer = ask(&gateway, client, &body(MUCH), Sent::Pieces, &[]);
            let case = format!("{client:?} {origin:?} {condition}");
            assert_eq!(answer.text(), "answer 2", "{case}");
            assert_eq!(logged(&gateway), ["200", "-", "via_upstream"], "{case}");
            let flags = if origin == Speaks::Http1 { "URX,UC" } else { "URX,UR" };
            assert_eq!(ask(&gateway, client, b"post", Sent::AtOnce, &[]).status, 503, "{case}");
            assert_eq!(logged(&gateway)[..2], ["503", flags], "{case}");
            gateway.stop();
        }
        // Some of it was sent, so this is not one.
        let failing = Failing::new(origin, &[Reset, Status(200)]);
        let rule = "retries: {attempts: 1, retryOn: 'reset-before-request,connect-failure', backoff: 1ms}";
        let gateway = start(rule, origin, &[failing.port]);
        assert_eq!(get(&gateway, client).status, 503);
        gateway.stop();
    }
}

#[test]
fn a_stream_that_was_refused_is_tried_again() {
    for client in [Speaks::Http1, Speaks::Http2] {
        let failing = Failing::new(Speaks::Http2, &[Refuse, Refuse, Status(200), Refuse]);
        let gateway = start("name: r", Speaks::Http2, &[failing.port]);
        let answer = ask(&gateway, client, &body(50_000), Sent::Pieces, &[]);
        assert_eq!(answer.text(), "answer 3");
        assert_eq!(ask(&gateway, client, b"post", Sent::AtOnce, &[]).status, 503);
        assert_eq!(logged(&gateway)[..2], ["200", "-"]);
        assert_eq!(logged(&gateway)[..2], ["503", "URX,UR"]);
        gateway.stop();
    }
}

#[test]
fn tries_that_take_too_long_are_tried_again() {
    for (client, origin) in WAYS {
        in_time(|times| third_try_is_in_time(client, origin, 130 * times));
    }
}

/// Nothing where the third try took longer than this, or the origin did not get all of another one in that time.
fn third_try_is_in_time(client: Speaks, origin: Speaks, per_try_ms: u32) -> Option<()> {
    let rule = format!(
        "timeout: 60s\n    retries: {{attempts: 2, perTryTimeout: {per_try_ms}ms, retryOn: gateway-error, backoff: 1ms}}"
    );
    let failing = Failing::new(origin, &[Hang, Hang, Status(200), Hang]);
    let gateway = start(&rule, origin, &[failing.port]);
    let case = format!("{client:?} {origin:?}");
    let answer = ask(&gateway, client, &body(MUCH), Sent::Pieces, &[]);
    if answer.status == 504 || !answer.is_whole {
        return None;
    }
    assert_eq!(answer.text(), "answer 3", "{case}");
    // The third is the last that it got before it answered.
    let mut got = vec![failing.got()];
    while got.iter().all(|got| got.attempt != "3") {
        got.push(failing.got());
    }
    if got.len() < 3 {
        return None;
    }
    for got in got {
        assert_eq!((got.expected, got.body.len()), (per_try_ms.to_string(), MUCH), "{case}");
    }
    assert_eq!(logged(&gateway), ["200", "-", "via_upstream"], "{case}");
    let answer = get(&gateway, client);
    assert_eq!((answer.status, answer.text()), (504, "upstream request timeout"), "{case}");
    assert_eq!(logged(&gateway), ["504", "URX,UT", "upstream_per_try_timeout"], "{case}");
    assert_eq!(gateway.metric("envoy_cluster_upstream_rq_timeout"), 5.0, "{case}");
    gateway.stop();
    Some(())
}

#[test]
fn the_time_of_the_exchange_ends_its_tries() {
    let rule =
        "timeout: 300ms\n    retries: {attempts: 10, perTryTimeout: 120ms, retryOn: 5xx, backoff: 1ms}";
    for (client, origin) in WAYS {
        let failing = Failing::new(origin, &[Hang]);
        let gateway = start(rule, origin, &[failing.port]);
        let answer = get(&gateway, client);
        assert_eq!(
            (answer.status, answer.text()),
            (504, "upstream request timeout"),
            "{client:?} {origin:?}"
        );
        assert_eq!(logged(&gateway), ["504", "UT", "response_timeout"], "{client:?} {origin:?}");
        gateway.stop();
    }
    // The same within a pause: the base is far longer than the time.
    let failing = Failing::new(Speaks::Http1, &[Status(500)]);
    let rule = "timeout: 100ms\n    retries: {attempts: 1000, retryOn: 5xx, backoff: 10s}";
    let gateway = start(rule, Speaks::Http1, &[failing.port]);
    assert_eq!(get(&gateway, Speaks::Http1).text(), "upstream request timeout");
    assert_eq!(logged(&gateway), ["504", "UT", "response_timeout"]);
    gateway.stop();
}

#[test]
fn a_try_without_its_condition_is_not_repeated() {
    let rule = "retries: {attempts: 2, perTryTimeout: 130ms}";
    let failing = Failing::new(Speaks::Http1, &[Hang]);
    let gateway = start(rule, Speaks::Http1, &[failing.port]);
    assert_eq!(get(&gateway, Speaks::Http1).status, 504);
    assert_eq!(logged(&gateway), ["504", "UT", "upstream_per_try_timeout"]);
    assert_eq!(failing.got().attempt, "1");
    assert!(failing.is_quiet());
    gateway.stop();
}

#[test]
fn calls_of_grpc_are_tried_again_by_their_own_status() {
    let call = [("content-type", "application/grpc"), ("te", "trailers")];
    for (status, name) in [
        ("1", "cancelled"),
        ("4", "deadline-exceeded"),
        ("8", "resource-exhausted"),
        ("13", "internal"),
        ("14", "unavailable"),
    ] {
        let failing = Failing::new(
            Speaks::Http2,
            &[
                Field(200, "grpc-status", status),
                Field(200, "grpc-status", "0"),
                Field(200, "grpc-status", "5"),
            ],
        );
        let rule = format!("timeout: 20s\n    retries: {{attempts: 2, retryOn: {name}, backoff: 1ms}}");
        let gateway = start(&rule, Speaks::Http2, &[failing.port]);
        let answer = ask(&gateway, Speaks::Http2, &body(MUCH), Sent::Chunks, &call);
        assert_eq!(answer.text(), "answer 2", "{name}");
        let (first, second) = (failing.got(), failing.got());
        assert_eq!((first.body.len(), second.body.len()), (MUCH, MUCH));
        // The origin is told how long it may take, in the words of gRPC too.
        assert_eq!((first.expected.as_str(), first.grpc_timeout.as_str()), ("20000", "20000m"));
        assert!(second.grpc_timeout.len() <= 6, "{}", second.grpc_timeout);
        assert_eq!(ask(&gateway, Speaks::Http2, b"again", Sent::AtOnce, &call).text(), "answer 3");
        gateway.stop();
    }
    // Istio's default.
    let failing =
        Failing::new(Speaks::Http2, &[Field(200, "grpc-status", "14"), Field(200, "grpc-status", "0")]);
    let gateway = start("name: r", Speaks::Http2, &[failing.port]);
    assert_eq!(ask(&gateway, Speaks::Http2, b"call", Sent::AtOnce, &call).text(), "answer 2");
    gateway.stop();
}

#[test]
fn other_conditions() {
    let cases = [
        ("retriable-4xx", Status(409), true),
        ("retriable-4xx", Status(408), false),
        ("envoy-ratelimited", Field(429, "x-envoy-ratelimited", "true"), true),
        ("5xx", Field(503, "x-envoy-ratelimited", "true"), false),
        ("retriable-headers", Status(503), false),
        ("http3-post-connect-failure", Status(503), false),
        ("'418'", Status(418), true),
    ];
    for (condition, first, is_tried_again) in cases {
        let failing = Failing::new(Speaks::Http1, &[first, Status(200)]);
        let rule = format!("retries: {{attempts: 1, retryOn: {condition}, backoff: 1ms}}");
        let gateway = start(&rule, Speaks::Http1, &[failing.port]);
        let status = get(&gateway, Speaks::Http1).status;
        assert_eq!(status == 200, is_tried_again, "{condition} {first:?}: {status}");
        gateway.stop();
    }
}

#[test]
fn a_body_that_is_too_large_is_sent_once() {
    let rule = "retries: {attempts: 2, retryOn: 5xx, backoff: 1ms}";
    for (client, origin) in WAYS {
        for sent in [Sent::Pieces, Sent::Chunks] {
            let failing = Failing::new(origin, &[Status(503), Status(200)]);
            let gateway = start(rule, origin, &[failing.port]);
            let case = format!("{client:?} {origin:?} {sent:?}");
            let answer = ask(&gateway, client, &body(1_200_000), sent, &[]);
            assert_eq!((answer.status, answer.text()), (503, "answer 1"), "{case}");
            let got = failing.got();
            assert!(got.body == body(1_200_000), "{case}: {}", got.body.len());
            assert_eq!(logged(&gateway), ["503", "-", "via_upstream"], "{case}");
            assert_eq!(gateway.metric("envoy_cluster_retry_or_shadow_abandoned"), 1.0, "{case}");
            gateway.stop();
        }
    }
}

#[test]
fn an_answer_that_comes_before_the_body_is_tried_again_too() {
    let rule = "retries: {attempts: 1, retryOn: 5xx, backoff: 1ms}";
    for (client, origin) in WAYS {
        let failing = Failing::new(origin, &[Early(503), Status(200)]);
        let gateway = start(rule, origin, &[failing.port]);
        let case = format!("{client:?} {origin:?}");
        let answer = ask(&gateway, client, &body(MUCH), Sent::Pieces, &[]);
        assert_eq!((answer.status, answer.text()), (200, "answer 2"), "{case}");
        failing.got();
        assert!(failing.got().body == body(MUCH), "{case}");
        gateway.stop();
    }
}

#[test]
fn retries_avoid_endpoints_that_were_tried() {
    let rule = "retries: {attempts: 1, retryOn: 5xx, backoff: 1ms}";
    let (one, other) =
        (Failing::new(Speaks::Http1, &[Status(500)]), Failing::new(Speaks::Http1, &[Status(200)]));
    let gateway = start(rule, Speaks::Http1, &[one.port, other.port]);
    for _ in 0..30 {
        assert_eq!(get(&gateway, Speaks::Http1).status, 200);
    }
    gateway.stop();
    let rule = "retries: {attempts: 1, retryOn: 5xx, backoff: 1ms, retryIgnorePreviousHosts: false}";
    let gateway = start(rule, Speaks::Http1, &[one.port, other.port]);
    let again = (0..200).filter(|_| get(&gateway, Speaks::Http1).status == 500).count();
    // A quarter, by chance; never is less likely than one in 10^20.
    assert!(again > 0, "{again}");
    gateway.stop();
}

#[test]
fn the_whole_gateway_may_have_another_default() {
    let mesh = "---\napiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\nmetadata: {name: i}\nspec:\n  \
                meshConfig:\n    defaultHttpRetryPolicy: {attempts: 1, retryOn: '503', backoff: 1ms}\n";
    let failing = Failing::new(Speaks::Http1, &[Status(503), Status(200), Status(503)]);
    let gateway = start_with("name: r", Speaks::Http1, &[failing.port], mesh);
    assert_eq!(get(&gateway, Speaks::Http1).status, 200);
    assert_eq!(get(&gateway, Speaks::Http1).status, 503);
    logged(&gateway);
    assert_eq!(logged(&gateway), ["503", "URX", "via_upstream"]);
    gateway.stop();
    // A rule's own holds instead.
    let failing = Failing::new(Speaks::Http1, &[Status(503), Status(200)]);
    let gateway = start_with("retries: {}", Speaks::Http1, &[failing.port], mesh);
    assert_eq!(get(&gateway, Speaks::Http1).status, 503);
    gateway.stop();
}
