//! Tests: actions and what goes with them.

use super::{ROUTE, rule, service};
use crate::compile::validate::testing::{diagnostics, object};

const DIRECT: &str = "directResponse: {status: 200}";
const REDIRECT: &str = "redirect: {uri: /}";
const REWRITE: &str = "rewrite: {uri: /}";
const FAULT: &str = "fault: {abort: {httpStatus: 503, percentage: {value: 1}}}";

#[test]
fn one_action() {
    rule("name: a", &["error missing-field route"]);
    for good in [ROUTE, DIRECT, REDIRECT] {
        rule(good, &[]);
    }
    rule("delegate: {name: a}", &[]);
    rule(&format!("{REDIRECT}, {ROUTE}"), &["error conflicting-fields route"]);
    rule(&format!("{REDIRECT}, {FAULT}"), &["error conflicting-fields fault"]);
    rule(&format!("{REDIRECT}, {REWRITE}"), &["error conflicting-fields rewrite"]);
    rule(&format!("{REDIRECT}, {DIRECT}"), &["error conflicting-fields directResponse"]);
    rule(&format!("{DIRECT}, {ROUTE}"), &["error conflicting-fields route"]);
    rule(&format!("{DIRECT}, {FAULT}"), &["error conflicting-fields fault"]);
    rule(&format!("{DIRECT}, {REWRITE}"), &["error conflicting-fields rewrite"]);
    rule(&format!("{ROUTE}, {REWRITE}, {FAULT}"), &[]);
    let mirrors = "mirror: {host: m}, mirrors: [{destination: {host: m}}]";
    rule(&format!("{ROUTE}, {mirrors}"), &["error conflicting-fields mirrors"]);
}

#[test]
fn a_conflict_names_the_other_place() {
    let spec = "hosts: [a.com]\nhttp:\n- redirect: {uri: /}\n  route:\n  - destination: {host: b}\n";
    service(spec, &["error conflicting-fields 9 spec.http[0].route"]);
    let problem = &diagnostics(&object("VirtualService", spec))[0];
    assert_eq!(problem.labels[0].span.line, 7);
    assert_eq!(problem.message, "`redirect` and `route` exclude each other");
}

#[test]
fn what_a_local_answer_does_not_need() {
    let effect = |field: &str| format!("warning no-effect {field}");
    for action in [DIRECT, REDIRECT] {
        rule(&format!("{action}, timeout: 1s"), &[&effect("timeout")]);
        rule(&format!("{action}, retries: {{attempts: 1}}"), &[&effect("retries")]);
        rule(&format!("{action}, mirror: {{host: m}}"), &[&effect("mirror")]);
        rule(&format!("{action}, mirrors: [{{destination: {{host: m}}}}]"), &[&effect("mirrors")]);
        rule(&format!("{action}, headers: {{request: {{set: {{a: b}}}}}}"), &[&effect("headers.request")]);
        rule(&format!("{action}, headers: {{response: {{set: {{a: b}}}}}}"), &[]);
        rule(&format!("{action}, corsPolicy: {{allowOrigins: [{{exact: '*'}}]}}"), &[]);
    }
}
