//! Tests: host, subsets, exportTo, and what a port loses.

use super::{policy, rule};

#[test]
fn case_170_destination_rules() {
    let twice = "host: b\nsubsets:\n- {name: v1, labels: {a: b}}\n- {name: v1, labels: {a: c}}";
    rule(twice, &["error duplicate-subset 8 spec.subsets[1].name"]);
    rule("subsets: [{name: v1}]", &["error missing-field 1 spec.host"]);
    policy("", &["error missing-field"]);
    policy("connectionPool: {}", &["error missing-field connectionPool"]);
    policy(
        "connectionPool: {http: {h2UpgradePolicy: UPGRADE, useClientProtocol: true}}",
        &["error conflicting-fields connectionPool.http.useClientProtocol"],
    );
    policy(
        "loadBalancer: {consistentHash: {useSourceIp: true, maglev: {tableSize: 65536}}}",
        &["error bad-table-size loadBalancer.consistentHash.maglev.tableSize"],
    );
}

#[test]
fn hosts() {
    for good in ["b", "b.app.svc.cluster.local", "'*.example.com'", "'*'"] {
        rule(&format!("host: {good}"), &[]);
    }
    for bad in ["a_b", "10.0.0.1", "'a.*.b'", "'b:80'"] {
        rule(&format!("host: {bad}"), &["error bad-host 5 spec.host"]);
    }
    rule("host: ''", &["error missing-field 5 spec.host"]);
}

#[test]
fn subsets() {
    rule("host: b\nsubsets: [{name: v1}]", &[]);
    rule("host: b\nsubsets: [{labels: {a: b}}]", &["error missing-field 6 spec.subsets[0].name"]);
    rule("host: b\nsubsets: [{name: v.1}]", &["error bad-subset-name 6 spec.subsets[0].name"]);
    rule(
        "host: b\nsubsets: [{name: v1, labels: {a: 'b c', 'd e': f}}]",
        &["error bad-label 6 spec.subsets[0].labels.a", "error bad-label 6 spec.subsets[0].labels[\"d e\"]"],
    );
    rule(
        "host: b\nsubsets: [{name: v1, trafficPolicy: {connectionPool: {tcp: {maxConnections: -1}}}}]",
        &["error negative-number 6 spec.subsets[0].trafficPolicy.connectionPool.tcp.maxConnections"],
    );
}

#[test]
fn exports_and_selectors() {
    rule("host: b\nexportTo: ['~']", &["error bad-export-to 6 spec.exportTo[0]"]);
    let selector = "host: b\nworkloadSelector: {matchLabels: {a: b}}";
    rule(selector, &[]);
    rule(&format!("{selector}\nexportTo: ['.']"), &[]);
    rule(&format!("{selector}\nexportTo: [app]"), &[]);
    rule(&format!("{selector}\nexportTo: ['*']"), &["error bad-export-to 7 spec.exportTo[0]"]);
    rule(&format!("{selector}\nexportTo: ['.', other]"), &["error bad-export-to 7 spec.exportTo[1]"]);
    let labels = "spec.workloadSelector.matchLabels";
    rule("host: b\nworkloadSelector: {}", &[&format!("warning empty-selector 6 {labels}")]);
    rule("host: b\nworkloadSelector: {matchLabels: {a: 'b*'}}", &[&format!("error bad-label 6 {labels}.a")]);
    rule(
        "host: b\nworkloadSelector: {matchLabels: {'': b}}",
        &[&format!("error bad-label 6 {labels}[\"\"]")],
    );
}

#[test]
fn ports() {
    let at = "portLevelSettings";
    let pool = "connectionPool: {tcp: {maxConnections: 1}}";
    policy(&format!("{at}: [{{port: {{number: 80}}, {pool}}}]"), &[]);
    policy(&format!("{at}: [{{{pool}}}]"), &[&format!("error missing-field {at}[0].port")]);
    policy(
        &format!("{at}: [{{port: {{}}, {pool}}}]"),
        &[&format!("error missing-field {at}[0].port.number")],
    );
    policy(
        &format!("{at}: [{{port: {{number: 0}}, {pool}}}]"),
        &[&format!("error bad-port {at}[0].port.number")],
    );
    policy(&format!("{at}: [{{port: {{number: 80}}}}]"), &[&format!("error missing-field {at}[0]")]);
    let one = format!("{{port: {{number: 80}}, {pool}}}");
    policy(&format!("{at}: [{one}, {one}]"), &[&format!("warning duplicate-port {at}[1].port.number")]);
    policy(
        &format!("{at}: [{{port: {{number: 80}}, loadBalancer: {{consistentHash: {{}}}}}}]"),
        &[&format!("warning no-effect {at}[0].loadBalancer.consistentHash")],
    );
}

#[test]
fn case_112_what_a_port_loses() {
    let port = "portLevelSettings: [{port: {number: 80}, connectionPool: {tcp: {maxConnections: 1}}}]";
    let lost = "warning lost-setting portLevelSettings[0]";
    policy(&format!("tls: {{mode: SIMPLE}}, {port}"), &[lost]);
    policy(&format!("tls: {{mode: DISABLE}}, {port}"), &[]);
    policy(&format!("proxyProtocol: {{version: V1}}, {port}"), &[lost]);
    policy(&format!("tunnel: {{targetHost: a.com, targetPort: 443}}, {port}"), &[lost]);
    policy(&format!("retryBudget: {{percent: 10}}, {port}"), &[lost]);
    policy(&format!("loadBalancer: {{simple: RANDOM}}, {port}"), &[]);
    let tls = "portLevelSettings: [{port: {number: 80}, tls: {mode: DISABLE}}]";
    policy(&format!("tls: {{mode: SIMPLE}}, {tls}"), &[]);
    let of_rule =
        "host: b\ntrafficPolicy: {tls: {mode: SIMPLE}}\nsubsets:\n- {name: v1, trafficPolicy: {PORT}}";
    rule(
        &of_rule.replace("PORT", port),
        &["warning lost-setting 8 spec.subsets[0].trafficPolicy.portLevelSettings[0]"],
    );
}

#[test]
fn tunnels_and_budgets() {
    policy("tunnel: {targetHost: a.com, targetPort: 443, protocol: POST}", &[]);
    policy("tunnel: {targetHost: 10.0.0.1, targetPort: 443}", &[]);
    policy("tunnel: {}", &["error missing-field tunnel.targetHost", "error missing-field tunnel.targetPort"]);
    policy(
        "tunnel: {targetHost: '*.a.com', targetPort: 0, protocol: connect}",
        &[
            "error bad-protocol tunnel.protocol",
            "error bad-host tunnel.targetHost",
            "error bad-port tunnel.targetPort",
        ],
    );
    policy(
        "tunnel: {targetHost: a.com, targetPort: 443}, proxyProtocol: {version: V2}",
        &["error conflicting-fields proxyProtocol"],
    );
    policy("retryBudget: {percent: 100.5}", &["error bad-percentage retryBudget.percent"]);
    policy("retryBudget: {percent: 20, minRetryConcurrency: 3}", &[]);
}
