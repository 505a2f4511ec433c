use crate::compile::validate::testing::{expect, problems};

/// An object with the annotation, whose value begins in line 7.
fn object(kind: &str, value: &str) -> String {
    let value: Vec<String> = value.lines().map(|line| format!("      {line}")).collect();
    let spec = match kind {
        "DestinationRule" => "  host: a.example.com",
        _ => {
            "  hosts: [a.example.com]\n  ports: [{number: 80, name: http, protocol: HTTP}]\n  resolution: STATIC\n  endpoints: [{address: 10.0.0.1}]"
        }
    };
    format!(
        "apiVersion: networking.istio.io/v1\nkind: {kind}\nmetadata:\n  name: x\n  annotations:\n    sluicegate.io/health-check: |\n{}\nspec:\n{spec}\n",
        value.join("\n")
    )
}

#[test]
fn what_is_good() {
    let all = "http: {path: '/healthz?full=1', host: 'a.example:8080', method: HEAD, expectedStatuses: [200, '300-399']}\ninterval: 100ms\ntimeout: 60s\nhealthyThreshold: 1\nunhealthyThreshold: 1000\nport: 8081\ninitially: unhealthy\nminHealthPercent: 100";
    for value in
        [all, "http: {path: /}", "tcp: {}", "grpc: {}", "grpc: {service: a.B, host: a}\ninterval: 24h"]
    {
        expect(&object("ServiceEntry", value), &[]);
        expect(&object("DestinationRule", value), &[]);
    }
}

#[test]
fn what_is_wrong_has_its_line() {
    let at = "metadata.annotations[\"sluicegate.io/health-check\"]";
    for (value, code, line, field) in [
        ("interval: 1s", "missing-field", 7, ""),
        ("http: {}", "missing-field", 7, ".http.path"),
        ("http: {path: healthz}", "bad-path", 7, ".http.path"),
        ("http: {path: '/a b'}", "bad-path", 7, ".http.path"),
        ("http: {path: /, host: 'a/b'}", "bad-host", 7, ".http.host"),
        ("http: {path: /, method: CONNECT}", "bad-method", 7, ".http.method"),
        ("http: {path: /, expectedStatuses: [299-200]}", "bad-status", 7, ".http.expectedStatuses[0]"),
        ("http: {path: /, expectedStatuses: [600]}", "bad-status", 7, ".http.expectedStatuses[0]"),
        ("tcp: {}\ninterval: 99ms", "bad-duration", 8, ".interval"),
        ("tcp: {}\ntimeout: 0s", "bad-duration", 8, ".timeout"),
        ("tcp: {}\ntimeout: 61s", "bad-duration", 8, ".timeout"),
        ("tcp: {}\nhealthyThreshold: 0", "bad-threshold", 8, ".healthyThreshold"),
        ("tcp: {}\nunhealthyThreshold: 1001", "bad-threshold", 8, ".unhealthyThreshold"),
        ("tcp: {}\nport: 0", "bad-port", 8, ".port"),
        ("tcp: {}\nminHealthPercent: 101", "bad-percentage", 8, ".minHealthPercent"),
        ("tcp: {}\ninitially: sick", "unknown-value", 8, ".initially"),
        ("tcp: {port: 1}", "unknown-field", 7, ".tcp.port"),
        ("tcp: {}\ntries: 1", "unknown-field", 8, ".tries"),
        ("tcp: {}\ngrpc: {}", "conflicting-fields", 8, ".grpc"),
    ] {
        let found = problems(&object("ServiceEntry", value));
        assert_eq!(found, [format!("error {code} {line} {at}{field}")], "{value}");
    }
}

#[test]
fn other_kinds_have_none() {
    let gateway = "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata:\n  name: x\n  annotations: {sluicegate.io/health-check: 'tcp: {}'}\nspec:\n  servers:\n  - port: {number: 80, name: http, protocol: HTTP}\n    hosts: ['*']\n";
    let at = "metadata.annotations[\"sluicegate.io/health-check\"]";
    assert_eq!(problems(gateway), [format!("error misplaced-annotation 5 {at}")]);
}
