//! What is wrong with one policy by itself.

use super::super::testing::{expect, found};

/// A policy with this `spec`, in flow style, on line 5.
fn policy(spec: &str) -> String {
    of("name: x, namespace: app", spec)
}

fn of(metadata: &str, spec: &str) -> String {
    format!(
        "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {{{metadata}}}\nspec:\n  {{{spec}}}\n"
    )
}

#[track_caller]
fn one(spec: &str, expected: &str) {
    expect(&policy(spec), &[expected]);
}

#[track_caller]
fn fine(spec: &str) {
    expect(&policy(spec), &[]);
}

#[test]
fn actions_and_rules() {
    fine("");
    fine("rules: [{}]");
    fine("action: ALLOW, rules: []");
    fine("action: AUDIT");
    fine("action: CUSTOM, provider: {name: a}, rules: [{}]");
    one("action: DENY", "error missing-field 5 spec.rules");
    one("action: DENY, rules: []", "error missing-field 5 spec.rules");
    one("action: CUSTOM, provider: {name: a}", "error missing-field 5 spec.rules");
    one("action: CUSTOM, rules: [{}]", "error missing-field 5 spec.provider");
    one("action: CUSTOM, provider: {}, rules: [{}]", "error missing-field 5 spec.provider.name");
    one("provider: {name: a}", "error conflicting-fields 5 spec.provider");
    one(
        "selector: {matchLabels: {a: b}}, targetRefs: [{kind: Gateway, name: a}]",
        "error conflicting-fields 5 spec.selector",
    );
}

#[test]
fn empty_parts_are_not_everything() {
    for (part, field) in [
        ("from: []", "from"),
        ("to: []", "to"),
        ("from: [{}]", "from[0].source"),
        ("from: [{source: {}}]", "from[0].source"),
        ("from: [{source: {ipBlocks: []}}]", "from[0].source"),
        ("to: [{}]", "to[0].operation"),
        ("to: [{operation: {}}]", "to[0].operation"),
        ("when: [{}]", "when[0].key"),
        ("when: [{key: ''}]", "when[0].key"),
        ("when: [{key: source.ip}]", "when[0].values"),
        ("when: [{key: source.ip, values: []}]", "when[0].values"),
    ] {
        one(&format!("rules: [{{{part}}}]"), &format!("error missing-field 5 spec.rules[0].{field}"));
    }
}

#[test]
fn values() {
    for (field, value, code) in [
        ("ipBlocks", "10.0.0.0/33", "bad-address"),
        ("notIpBlocks", "a", "bad-address"),
        ("remoteIpBlocks", "10.0.0.*", "bad-address"),
        ("notRemoteIpBlocks", "'::1/129'", "bad-address"),
        ("principals", "''", "empty-value"),
        ("notNamespaces", "''", "empty-value"),
        ("serviceAccounts", "''", "empty-value"),
        ("serviceAccounts", "a/b/c", "bad-service-account"),
        ("serviceAccounts", "a/", "bad-service-account"),
        ("notServiceAccounts", "'*'", "bad-service-account"),
    ] {
        one(
            &format!("rules: [{{from: [{{source: {{{field}: [{value}]}}}}]}}]"),
            &format!("error {code} 5 spec.rules[0].from[0].source.{field}[0]"),
        );
    }
    for (field, value, code) in [
        ("ports", "'65536'", "bad-port"),
        ("ports", "'+80'", "bad-port"),
        ("notPorts", "http", "bad-port"),
        ("paths", "''", "empty-value"),
        ("paths", "'/a/{*}/{b}'", "bad-path-template"),
        ("notPaths", "'/{**}/{*}'", "bad-path-template"),
        ("hosts", "''", "empty-value"),
        ("notMethods", "''", "empty-value"),
    ] {
        one(
            &format!("rules: [{{to: [{{operation: {{{field}: [{value}]}}}}]}}]"),
            &format!("error {code} 5 spec.rules[0].to[0].operation.{field}[0]"),
        );
    }
    fine(
        "rules: [{to: [{operation: {ports: ['0', '65535'], paths: ['/a', '/{*}', '*'], hosts: ['a.com:*']}}]}]",
    );
    fine("rules: [{from: [{source: {ipBlocks: [10.0.0.1, '2001:db8::/32'], serviceAccounts: [a, b/c]}}]}]");
}

#[test]
fn service_accounts_stand_alone() {
    one(
        "rules: [{from: [{source: {serviceAccounts: [a], principals: [b]}}]}]",
        "error conflicting-fields 5 spec.rules[0].from[0].source.serviceAccounts",
    );
    one(
        "rules: [{from: [{source: {notServiceAccounts: [a], notNamespaces: [b]}}]}]",
        "error conflicting-fields 5 spec.rules[0].from[0].source.notServiceAccounts",
    );
    let many = vec!["a"; 17].join(", ");
    one(
        &format!("rules: [{{from: [{{source: {{serviceAccounts: [{many}]}}}}]}}]"),
        "error too-many-items 5 spec.rules[0].from[0].source.serviceAccounts",
    );
}

#[test]
fn conditions() {
    for (key, code) in [
        ("request.header[a]", "unknown-attribute"),
        ("request.headers", "unknown-attribute"),
        ("destination.labels[a]", "unknown-attribute"),
        ("request.headers[Transfer-Encoding]", "unsupported-attribute"),
        ("experimental.envoy.filters.a[b]", "unsupported-attribute"),
    ] {
        one(
            &format!("rules: [{{when: [{{key: '{key}', values: [a]}}]}}]"),
            &format!("error {code} 5 spec.rules[0].when[0].key"),
        );
    }
    one(
        "rules: [{when: [{key: remote.ip, notValues: [a]}]}]",
        "error bad-address 5 spec.rules[0].when[0].notValues[0]",
    );
    one(
        "rules: [{when: [{key: destination.port, values: [a]}]}]",
        "error bad-port 5 spec.rules[0].when[0].values[0]",
    );
    fine(
        "rules: [{when: [{key: 'request.auth.claims[a][b]', values: [a]}, {key: connection.sni, notValues: [a]}]}]",
    );
}

#[test]
fn only_policies_can_be_tried_out() {
    let dry =
        |value: &str| of(&format!("name: x, annotations: {{istio.io/dry-run: '{value}'}}"), "rules: [{}]");
    assert_eq!(found(&dry("true")), [""; 0]);
    assert_eq!(found(&dry("F")), [""; 0]);
    assert_eq!(found(&dry("yes")), ["error bad-annotation 3 metadata.annotations"]);
    let internal = of("name: x, annotations: {internal.istio.io/parents: a}", "");
    assert_eq!(found(&internal).len(), 1);
}
