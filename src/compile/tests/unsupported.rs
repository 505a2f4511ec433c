//! What is valid but has no effect yet is said, field by field.

use super::*;

fn not_supported(yaml: &str) -> Vec<String> {
    let outcome = compiled(yaml);
    let fields =
        outcome.0.diagnostics.iter().filter(|d| d.code == "not-supported-yet" || d.code == "no-effect");
    fields.map(|d| d.field.clone()).collect()
}

#[test]
fn rules_of_virtual_services() {
    let http = "{fault: {abort: {httpStatus: 500, percentage: {value: 1}}}, corsPolicy: {allowOrigins: [{exact: a}]}, match: [{uri: {prefix: /a}, statPrefix: x}], route: [{destination: {host: p.com}}]}";
    let yaml = format!(
        "{}{}{}",
        http_gateway("name: g", "'*'"),
        rules("name: v", "'*'", "g", http),
        service("p.com")
    );
    let expected = ["match[0].statPrefix"].map(|field| format!("spec.http[0].{field}")).to_vec();
    assert_eq!(not_supported(&yaml), expected);
}

#[test]
fn destination_rules() {
    let policy = "{outlierDetection: {interval: 1s}, proxyProtocol: {version: V1}, loadBalancer: {simple: ROUND_ROBIN, warmup: {duration: 1s}}, connectionPool: {tcp: {connectTimeout: 1s, maxConnections: 1}, http: {maxRetries: 1, useClientProtocol: true, maxConcurrentStreams: 5, http2KeepAlive: {interval: 1s, timeout: 1s}}}, portLevelSettings: [{port: {number: 80}, tls: {mode: SIMPLE}}]}";
    let rule = format!(
        "{{host: p.com, trafficPolicy: {policy}, subsets: [{{name: v1, trafficPolicy: {{tls: {{mode: DISABLE}}}}}}]}}"
    );
    let mut fields =
        not_supported(&format!("{}{}", service("p.com"), object("DestinationRule", "name: r", &rule)));
    fields.sort();
    assert_eq!(fields, Vec::<String>::new());
}

#[test]
fn many_of_a_kind_are_counted() {
    let http: Vec<_> = (0..300).map(|n| rule(&format!("{{uri: {{exact: /{n}}}}}"), "nobody.com")).collect();
    let yaml = format!(
        "{}{}{}",
        http_gateway("name: g", "'*'"),
        rules("name: v", "'*'", "g", &http.join(", ")),
        service("p.com")
    );
    let outcome = compiled(&yaml);
    assert_eq!(outcome.0.diagnostics.len(), 201);
    assert_eq!(
        outcome.diagnostic("more-of-the-same").message,
        "100 more diagnostics like `unknown-destination` are not listed"
    );
}
