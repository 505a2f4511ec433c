//! The gateway's own annotations: rate limits, networks, sizes of bodies, splits that keep a client, ages of connections.

use super::{
    client::{Answer, Client},
    harness::{GATEWAY, Gateway, service_entry},
    origin::Origin,
    tools::{has_for, run},
};
use std::{collections::BTreeSet, process::Command};

const TO_A: &str = "route: [{destination: {host: a.test}}]";

/// A VirtualService for everything with these annotations, and ServiceEntries `a.test`, `b.test`, ... for these origins.
fn annotated(annotations: &str, rules: &str, origins: &[u16]) -> String {
    let mut yaml = format!(
        "{GATEWAY}---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata:\n  name: vs\n  annotations:\n{annotations}\nspec:\n  hosts: ['*']\n  gateways: [gw]\n  http:\n{rules}"
    );
    for (name, port) in ('a'..).zip(origins) {
        yaml.push_str(&service_entry(&format!("{name}.test"), *port));
    }
    yaml
}

/// One rule to an origin that echoes, with one annotation.
fn with(name: &str, value: &str) -> (Origin, Gateway) {
    let origin = Origin::echo();
    let annotation = format!("    sluicegate.io/{name}: '{value}'");
    let yaml = annotated(&annotation, &format!("  - {{{TO_A}}}\n"), &[origin.port()]);
    (origin, Gateway::start(&[80], &yaml))
}

/// As many proxies in front are believed.
fn behind_proxies(count: u32) -> String {
    format!(
        "---\napiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\nmetadata: {{name: op}}\n\
         spec: {{meshConfig: {{defaultConfig: {{gatewayTopology: {{numTrustedProxies: {count}}}}}}}}}\n"
    )
}

fn statuses(answers: impl IntoIterator<Item = Answer>) -> Vec<u16> {
    answers.into_iter().map(|answer| answer.status).collect()
}

#[test]
fn a_rate_limit_is_one_for_all_workers() {
    let (origin, gateway) = with("rate-limit", "{requests: 20, per: 1h}");
    // Each connection may be another worker's.
    let answers: Vec<Answer> = (0..60).map(|_| gateway.get(80, "a", "/")).collect();
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 20);
    let refused = answers.last().unwrap();
    assert_eq!((refused.status, refused.text()), (429, "local_rate_limited"));
    assert_eq!(
        (refused.field("x-envoy-ratelimited"), refused.field("content-type")),
        (Some("true"), Some("text/plain"))
    );
    let seconds: u64 = refused.field("retry-after").unwrap().parse().unwrap();
    assert!((1..=180).contains(&seconds), "{seconds}");
    let lines: Vec<String> = (0..60).map(|_| gateway.log_line()).collect();
    assert_eq!(lines.iter().filter(|line| line.contains("\" 429 RL local_rate_limited ")).count(), 40);
    assert_eq!(gateway.metric("envoy_http_local_rate_limit_rate_limited"), 40.0);
    // Those that were refused did not get there, and the connection is as good as it was.
    assert!(std::iter::from_fn(|| origin.try_request()).count() <= 20);
    let mut client = gateway.connect(80);
    for _ in 0..2 {
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
        assert_eq!(client.answer("POST").status, 429);
    }
    gateway.stop();
}

#[test]
fn a_rate_limit_is_the_same_for_connections_at_the_same_time() {
    let (_origin, gateway) = with("rate-limit", "{requests: 100, per: 1h, key: client-address}");
    let port = gateway.port(80);
    let passed: usize = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(move || {
                    let mut client = Client::connect(port);
                    let ask = |_| {
                        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
                        client.answer("GET").status
                    };
                    (0..60).map(ask).filter(|status| *status == 200).count()
                })
            })
            .collect();
        clients.into_iter().map(|client| client.join().unwrap()).sum()
    });
    assert_eq!(passed, 100);
    gateway.stop();
}

#[test]
fn tokens_come_back() {
    let (_origin, gateway) = with("rate-limit", "{requests: 1, per: 30ms}");
    gateway.until("three requests have passed", || {
        gateway.get(80, "a", "/");
        gateway.metric("sluicegate_responses_2xx_total") >= 3.0
    });
    gateway.stop();
}

#[test]
fn keys_have_limits_of_their_own() {
    let (_origin, gateway) = with("rate-limit", "{requests: 2, per: 1h, key: {header: X-Api-Key}}");
    let ask = |key: &str| gateway.request(80, "GET", "a", "/", &[("x-api-key", key)]);
    assert_eq!(statuses((0..3).map(|_| ask("one"))), [200, 200, 429]);
    assert_eq!(statuses((0..3).map(|_| ask("two"))), [200, 200, 429]);
    // To leave the key out wins nothing.
    assert_eq!(statuses((0..3).map(|_| gateway.get(80, "a", "/"))), [200, 200, 429]);
    gateway.stop();
}

#[test]
fn limits_are_for_the_rules_that_they_name_and_all_of_them_hold() {
    let origin = Origin::echo();
    let annotation = "    sluicegate.io/rate-limit: |\n      - {requests: 4, per: 1h}\n      - {requests: 1, per: 1h, route: login}\n";
    let rules = format!("  - {{name: login, match: [{{uri: {{exact: /login}}}}], {TO_A}}}\n  - {{{TO_A}}}\n");
    let gateway = Gateway::start(&[80], &annotated(annotation, &rules, &[origin.port()]));
    assert_eq!(
        statuses(["/login", "/login", "/", "/", "/"].map(|path| gateway.get(80, "a", path))),
        [200, 429, 200, 200, 429]
    );
    gateway.stop();
}

#[test]
fn a_client_is_who_trusted_proxies_say() {
    let origin = Origin::echo();
    let annotation = "    sluicegate.io/rate-limit: '{requests: 1, per: 1h, key: client-address}'\n    sluicegate.io/networks: '{deny: [10.6.6.0/24]}'";
    let yaml = annotated(annotation, &format!("  - {{{TO_A}}}\n"), &[origin.port()]);
    let ask = |gateway: &Gateway, said: &str| {
        gateway.request(80, "GET", "a", "/", &[("X-Forwarded-For", said)]).status
    };
    let trusting = Gateway::start(&[80], &format!("{yaml}{}", behind_proxies(1)));
    assert_eq!(
        ["10.0.0.1", "10.0.0.1", "10.0.0.2", "10.0.0.2, 10.0.0.3"].map(|said| ask(&trusting, said)),
        [200, 429, 200, 200]
    );
    // Only what the proxy itself has added counts.
    assert_eq!(
        ["10.6.6.1", "10.6.6.1, 10.0.0.4", "10.0.0.4, 10.6.6.6"].map(|said| ask(&trusting, said)),
        [403, 200, 403]
    );
    trusting.stop();
    let alone = Gateway::start(&[80], &yaml);
    assert_eq!(["10.0.0.1", "10.0.0.2", "10.6.6.1"].map(|said| ask(&alone, said)), [200, 429, 429]);
    alone.stop();
}

#[test]
fn networks_that_may_not_come_get_403() {
    let origin = Origin::echo();
    let annotation = "    sluicegate.io/networks: |\n      - deny: [127.0.0.0/8]\n      - {allow: [127.0.0.1], route: open}\n      - {allow: [10.0.0.0/8], route: inside}\n";
    let rule = |name: &str| format!("  - {{name: {name}, match: [{{uri: {{prefix: /{name}}}}}], {TO_A}}}\n");
    // Also where there is a redirect, and for who only asks what would be allowed.
    let other = "  - {redirect: {uri: /x}, corsPolicy: {allowOrigins: [{exact: '*'}]}}\n";
    let rules = format!("{}{}{other}", rule("open"), rule("inside"));
    let gateway = Gateway::start(&[80], &annotated(annotation, &rules, &[origin.port()]));
    assert_eq!(gateway.get(80, "a", "/open").status, 200);
    gateway.log_line();
    for path in ["/inside", "/else"] {
        let answer = gateway.get(80, "a", path);
        assert_eq!((answer.status, answer.text()), (403, "network denied"));
        assert!(gateway.log_line().contains("\" 403 - network_denied "));
    }
    let preflight = [("Origin", "https://x.test"), ("Access-Control-Request-Method", "GET")];
    assert_eq!(gateway.request(80, "OPTIONS", "a", "/else", &preflight).status, 403);
    assert_eq!(gateway.metric("sluicegate_networks_denied_total"), 3.0);
    gateway.stop();
}

#[test]
fn a_body_that_is_too_large_is_refused_at_once_if_it_says_so() {
    let (origin, gateway) = with("body-limit", "1KiB");
    let mut client = gateway.connect(80);
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1025\r\nExpect: 100-continue\r\n\r\n");
    let answer = client.next("POST").unwrap();
    assert_eq!((answer.status, answer.text()), (413, "Payload Too Large"));
    assert_eq!(origin.connections(), 0);
    assert!(gateway.log_line().contains("\" 413 DPE request_payload_too_large "));
    let mut client = gateway.connect(80);
    let body = "x".repeat(1024);
    client.send(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1024\r\n\r\n{body}").as_bytes());
    assert_eq!(client.answer("POST").status, 200);
    gateway.stop();
}

#[test]
fn a_body_that_grows_too_large_is_refused_when_it_does() {
    let (_origin, gateway) = with("body-limit", "1KiB");
    let chunk = format!("200\r\n{}\r\n", "x".repeat(512));
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut client = gateway.connect(80);
    client.send(format!("{head}{chunk}{chunk}0\r\n\r\n").as_bytes());
    assert_eq!(client.answer("POST").status, 200);
    // All at once, and piece by piece while the origin waits for the end.
    let mut client = gateway.connect(80);
    client.send(format!("{head}{chunk}{chunk}1\r\nx\r\n0\r\n\r\n").as_bytes());
    let answer = client.answer("POST");
    assert_eq!((answer.status, answer.text()), (413, "Payload Too Large"));
    let mut client = gateway.connect(80);
    client.send(format!("{head}{chunk}").as_bytes());
    gateway
        .until("the first piece is on its way", || gateway.metric("envoy_http_downstream_rq_active") == 1.0);
    client.send(chunk.as_bytes());
    assert!(client.try_send(b"1\r\nx\r\n"));
    assert_eq!(client.answer("POST").status, 413);
    assert!(client.is_closed());
    assert_eq!(gateway.metric("sluicegate_bodies_too_large_total"), 2.0);
    gateway.stop();
}

#[test]
fn bodies_of_http2_have_the_same_limit() {
    if !has_for("curl", "limits over HTTP/2") {
        return;
    }
    let (_origin, gateway) = with("body-limit", "100kB");
    let upload = |bytes: usize, arguments: &[&str]| {
        let url = format!("http://127.0.0.1:{}/", gateway.port(80));
        let mut curl = Command::new("curl");
        curl.args([
            "-s",
            "--http2-prior-knowledge",
            "-o",
            "/dev/null",
            "-w",
            "%{http_version} %{response_code}",
        ]);
        run(curl.args(arguments).arg(url), &vec![b'x'; bytes]).1
    };
    // From a pipe its length is not known.
    assert_eq!(upload(100_000, &["-T", "-"]), "2 200");
    assert!(!gateway.log_line().contains(" 413 "));
    // Some versions of curl do not see an answer that comes before the end of what they send.
    for (bytes, how) in [(100_001, "-T"), (3_000_000, "-T"), (100_001, "--data-binary")] {
        upload(bytes, &[how, if how == "-T" { "-" } else { "@-" }]);
        let line = gateway.log_line();
        assert!(line.contains("\" 413 DPE request_payload_too_large "), "{line}");
    }
    gateway.stop();
}

/// Two sides, `a` and `b`, with these weights.
fn split(annotation: &str, weights: [u32; 2]) -> ([Origin; 2], Gateway) {
    let origins = [Origin::named("a"), Origin::named("b")];
    let rule = format!(
        "  - {{route: [{{destination: {{host: a.test}}, weight: {}}}, {{destination: {{host: b.test}}, weight: {}}}]}}\n",
        weights[0], weights[1]
    );
    let ports = [origins[0].port(), origins[1].port()];
    let yaml = annotated(&format!("    sluicegate.io/sticky-split: '{annotation}'"), &rule, &ports);
    (origins, Gateway::start(&[80], &yaml))
}

#[test]
fn a_split_keeps_who_has_the_same_key_also_in_another_process() {
    let side = |gateway: &Gateway, user: u32| {
        let user = user.to_string();
        gateway.request(80, "GET", "a", "/", &[("X-User", &user)]).echoed("origin").unwrap().to_owned()
    };
    let (_first, even) = split("{key: {header: x-user}}", [50, 50]);
    let before: Vec<String> = (0..40).map(|user| side(&even, user)).collect();
    assert_eq!((0..40).map(|user| side(&even, user)).collect::<Vec<_>>(), before);
    assert_eq!(before.iter().collect::<BTreeSet<_>>().len(), 2);
    even.stop();
    // With another share users go only to the side that has grown.
    let (_second, grown) = split("{key: {header: x-user}}", [20, 80]);
    let after: Vec<String> = (0..40).map(|user| side(&grown, user)).collect();
    assert!(before.iter().zip(&after).all(|(before, after)| before == after || after == "b"));
    assert_ne!(before, after);
    grown.stop();
}

#[test]
fn who_has_no_cookie_gets_one_that_keeps_its_side() {
    let (_origins, gateway) = split("{key: {cookie: side}, issue: {maxAge: 1h, path: /a}}", [50, 50]);
    let mut sides = BTreeSet::new();
    for _ in 0..20 {
        let answer = gateway.get(80, "a", "/");
        let side = answer.echoed("origin").unwrap().to_owned();
        let issued = answer.field("set-cookie").unwrap();
        let (cookie, attributes) = issued.split_once(';').unwrap();
        assert_eq!(attributes, " Path=/a; Max-Age=3600; HttpOnly; SameSite=Lax");
        for _ in 0..3 {
            let again = gateway.request(80, "GET", "a", "/", &[("Cookie", &format!("x=y; {cookie}"))]);
            assert_eq!((again.echoed("origin"), again.field("set-cookie")), (Some(side.as_str()), None));
        }
        sides.insert(side);
    }
    assert_eq!(sides.len(), 2);
    gateway.stop();
}

#[test]
fn connections_that_are_old_are_closed_with_an_answer() {
    let origin = Origin::echo();
    let gateway = GATEWAY.replace("metadata: {name: gw}", "metadata:\n  name: gw\n  annotations:\n    sluicegate.io/max-connection-age: '{age: 1s, jitterPercent: 50, port: 80}'");
    assert_ne!(gateway, GATEWAY);
    let yaml =
        annotated("    a: b", &format!("  - {{{TO_A}}}\n"), &[origin.port()]).replace(GATEWAY, &gateway);
    let gateway = Gateway::start(&[80], &yaml);
    let mut idle = gateway.connect(80);
    let mut client = gateway.connect(80);
    let mut answers = 0;
    loop {
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        let answer = client.answer("GET");
        answers += 1;
        assert_eq!(answer.status, 200);
        if answer.field("connection") == Some("close") {
            break;
        }
    }
    assert!(answers > 1 && client.is_closed());
    // One that has nothing to say just ends.
    assert!(idle.is_closed());
    gateway.stop();
}

#[test]
fn what_is_wrong_is_refused_at_load_with_its_line() {
    for (annotation, line, words) in [
        ("sluicegate.io/rate-limit: |\n      requests: 5\n      per: 0s", 15, "duration is 0"),
        ("sluicegate.io/rate-limt: x", 13, "did you mean `sluicegate.io/rate-limit`"),
        ("sluicegate.io/max-connection-age: 1h", 13, "belongs on a Gateway"),
        ("sluicegate.io/networks: '{allow: [10.0.0.0/40]}'", 13, "10.0.0.0/40"),
    ] {
        let yaml = annotated(&format!("    {annotation}"), &format!("  - {{{TO_A}}}\n"), &[9]);
        let ended = Gateway::try_start(&[80], &yaml, &[]).err().unwrap();
        assert_eq!(ended.code, Some(1), "{annotation}");
        let place = format!("config.yaml:{line}:");
        assert!(ended.said.contains(&place) && ended.said.contains(words), "{place} {}", ended.said);
    }
}
