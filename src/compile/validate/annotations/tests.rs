use crate::compile::validate::testing::{expect, problems};

/// A VirtualService with an annotation whose value begins in line 7.
fn service(name: &str, value: &str) -> String {
    let value: Vec<String> = value.trim_matches('\n').lines().map(|line| format!("      {line}")).collect();
    let value = value.join("\n");
    format!(
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata:\n  name: x\n  annotations:\n    sluicegate.io/{name}: |\n{value}\nspec:\n  hosts: [a.example.com]\n  gateways: [g]\n  http:\n  - name: api\n    match: [{{uri: {{prefix: /api}}}}]\n    route: [{{destination: {{host: a}}}}]\n  - route: [{{destination: {{host: a}}, weight: 1}}, {{destination: {{host: b}}, weight: 1}}]\n"
    )
}

fn gateway(value: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata:\n  name: x\n  annotations:\n    sluicegate.io/max-connection-age: '{value}'\nspec:\n  servers:\n  - port: {{number: 80, name: http, protocol: HTTP}}\n    hosts: ['*']\n"
    )
}

#[test]
fn what_is_good() {
    for (name, value) in [
        ("rate-limit", "requests: 100\nper: 1s"),
        // Without a key a limit may be higher.
        ("rate-limit", "- {requests: 1000000, per: 1s}\n- {requests: 600000, per: 1m, key: {header: host}}"),
        (
            "rate-limit",
            "- {requests: 1, per: 24h, burst: 1, key: none}\n- {requests: 10000, per: 1s, key: client-address, route: api}\n- {requests: 5, per: 1m, key: {header: X-Api-Key}}\n- {requests: 5, per: 1m, key: {cookie: a}}\n- {requests: 5, per: 1m, key: {query: a.b}}",
        ),
        ("networks", "allow: [10.0.0.0/8, '::1', 2001:db8::/32]\ndeny: [10.1.0.0/16]"),
        ("networks", "- allow: [10.0.0.0/8]\n- {deny: [10.0.0.1], route: api}"),
        ("body-limit", "10MiB"),
        ("body-limit", "- 65536\n- {max: 1 GiB, route: api}"),
        ("sticky-split", "key: {cookie: side}\nissue: {maxAge: 24h, path: /a}"),
        ("sticky-split", "key: client-address"),
    ] {
        expect(&service(name, value), &[]);
    }
    let useless = service("sticky-split", "key: client-address\nroute: api");
    expect(&useless, &["warning no-effect 7 metadata.annotations[\"sluicegate.io/sticky-split\"]"]);
    for value in ["1h", "{age: 30m, jitterPercent: 0}", "[1h, {age: 90s, jitterPercent: 100, port: 80}]"] {
        expect(&gateway(value), &[]);
    }
}

#[test]
fn what_is_wrong_has_its_line_in_the_block() {
    let at = |name: &str, rest: &str| {
        format!("error {}", rest.replace('@', &format!("metadata.annotations[\"sluicegate.io/{name}\"]")))
    };
    for (name, value, expected) in [
        ("rate-limit", "requests: 0\nper: 0s", &["bad-rate 7 @.requests", "bad-duration 8 @.per"][..]),
        ("rate-limit", "per: 25h", &["missing-field 7 @.requests", "bad-duration 7 @.per"]),
        (
            "rate-limit",
            "- requests: 1\n  per: 1s\n- requests: 2000000\n  per: 1s\n  burst: 0",
            &["bad-rate 11 @[1].burst", "bad-rate 9 @[1].requests"],
        ),
        ("rate-limit", "requests: 1000001\nper: 1s\nkey: none", &["bad-rate 7 @.requests"]),
        ("rate-limit", "requests: 10001\nper: 1s\nkey: client-address", &["bad-rate 7 @.requests"]),
        ("rate-limit", "requests: 600060\nper: 1m\nkey: {header: host}", &["bad-rate 7 @.requests"]),
        ("rate-limit", "requests: 1\nper: 1h\nburst: 25", &["bad-rate 9 @.burst"]),
        ("rate-limit", "requests: 1\nper: 1h\nkey: {header: 'a b'}", &["bad-key 9 @.key.header"]),
        ("rate-limit", "requests: 1\nper: 1h\nroute: apj", &["unknown-route 9 @.route"]),
        ("networks", "{}", &["missing-field 7 @"]),
        (
            "networks",
            "allow:\n- 10.0.0.0/33\n- ten",
            &["bad-network 8 @.allow[0]", "bad-network 9 @.allow[1]"],
        ),
        ("networks", "- allow: ['::1']\n- allow: ['::2']", &["conflicting-entries 8 @[1]"]),
        ("body-limit", "route: api", &["missing-field 7 @.max"]),
        ("sticky-split", "key: none", &["bad-key 7 @.key"]),
        (
            "sticky-split",
            "key: client-address\nissue: {maxAge: 1500ms, path: a}",
            &["conflicting-fields 8 @.issue", "bad-duration 8 @.issue.maxAge", "bad-path 8 @.issue.path"],
        ),
    ] {
        let mut expected: Vec<String> = expected.iter().map(|line| at(name, line)).collect();
        let mut found = problems(&service(name, value));
        expected.sort();
        found.sort();
        assert_eq!(found, expected, "{name}\n{value}");
    }
    for (value, expected) in [
        ("0s", "bad-duration 6 @.age"),
        ("{age: 1h, jitterPercent: 101}", "bad-percentage 6 @.jitterPercent"),
        ("{age: 1h, port: 81}", "unknown-port 6 @.port"),
        ("[1h, 2h]", "conflicting-entries 6 @[1]"),
    ] {
        assert_eq!(problems(&gateway(value)), [at("max-connection-age", expected)], "{value}");
    }
}
