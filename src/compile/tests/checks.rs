//! `fault`, `corsPolicy`, and the gateway's own annotations of VirtualServices: what routes get of them.

use super::*;
use crate::{
    filter::{Abort, Share},
    table::{Checks, Route},
};
use std::{sync::Arc, time::Duration};

/// A VirtualService `default/v` on all hosts with these annotations and rules, and perhaps more objects.
fn with(annotations: &str, http: &str, more: &str) -> Outcome {
    let metadata = format!("name: v, annotations: {{{annotations}}}");
    compiled(&format!(
        "{}{}{}{}{more}",
        http_gateway("name: g", "'*'"),
        rules(&metadata, "'*'", "g", http),
        service("p.com"),
        service("q.com")
    ))
}

fn all(outcome: &Outcome) -> &[Arc<Route>] {
    &outcome.table(80).unwrap().virtual_hosts[0].routes
}

fn checks(outcome: &Outcome, route: usize) -> &Checks {
    all(outcome)[route].checks.as_ref().unwrap()
}

const TO_P: &str = "route: [{destination: {host: p.com}}]";

#[test]
fn a_rule_without_checks_has_none() {
    let outcome = with("a: b", &format!("{{{TO_P}}}"), "");
    assert!(all(&outcome)[0].checks.is_none());
    // Faults that never happen are none.
    for fault in [
        "{delay: {fixedDelay: 1s}}",
        "{abort: {httpStatus: 500}}",
        "{abort: {percentage: {value: 0}, httpStatus: 500}}",
        "{delay: {percentage: {value: 10}}}",
    ] {
        let outcome = with("a: b", &format!("{{fault: {fault}, {TO_P}}}"), "");
        assert!(all(&outcome)[0].checks.is_none(), "{fault}");
    }
}

#[test]
fn faults() {
    let fault = |text: &str| {
        let outcome = with("a: b", &format!("{{fault: {text}, {TO_P}}}"), "");
        checks(&outcome, 0).fault.clone().unwrap()
    };
    let made = fault(
        "{delay: {percentage: {value: 0.5}, fixedDelay: 7s}, abort: {percentage: {value: 100}, grpcStatus: UNAVAILABLE}}",
    );
    assert_eq!(made.delay, Some((Share::percent(0.5), Duration::from_secs(7))));
    assert_eq!(made.abort, Some((Share::percent(100.0), Abort::Grpc(14))));
    // The old share counts where the new one is absent.
    assert_eq!(fault("{delay: {percent: 5, fixedDelay: 1s}}").delay.unwrap().0, Share::percent(5.0));
    let both = "{delay: {percent: 5, percentage: {value: 9}, fixedDelay: 1s}}";
    assert_eq!(fault(both).delay.unwrap().0, Share::percent(9.0));
}

#[test]
fn origins() {
    let policy = |text: &str| {
        let outcome = with("a: b", &format!("{{corsPolicy: {text}, {TO_P}}}"), "");
        checks(&outcome, 0).cors.clone().unwrap()
    };
    let some = policy(
        "{allowOrigin: [https://old], allowOrigins: [{exact: https://a}, {prefix: 'https://b.'}, {regex: 'https://[cd]'}], maxAge: 2m, allowMethods: [GET, PUT]}",
    );
    for (origin, allowed) in [
        ("https://a", true),
        ("https://b.x", true),
        ("https://d", true),
        ("https://old", false),
        ("https://dd", false),
        ("HTTPS://a", false),
    ] {
        assert_eq!(some.allows(origin.as_bytes()), allowed, "{origin}");
    }
    assert_eq!(
        (some.cors.max_age.as_deref(), some.cors.methods.as_deref()),
        (Some(&b"120"[..]), Some(&b"GET,PUT"[..]))
    );
    for everyone in
        ["{allowOrigins: [{exact: '*'}]}", "{allowOrigins: [{regex: '.*'}]}", "{allowOrigin: ['*']}"]
    {
        assert!(policy(everyone).origins.is_none(), "{everyone}");
    }
    assert!(!policy("{}").allows(b"https://a"));
    // A policy that can't be used must not be left out of a rule that is served.
    let bad = with("a: b", &format!("{{corsPolicy: {{allowOrigins: [{{regex: '('}}]}}, {TO_P}}}"), "");
    assert!(bad.table(80).is_none_or(|table| table.virtual_hosts[0].routes.is_empty()));
}

#[test]
fn an_entry_is_one_limit_for_all_its_rules() {
    let annotations = "sluicegate.io/rate-limit: \"- {requests: 1, per: 1s}\\n- {requests: 2, per: 1s, key: {claim: sub}, route: b}\"";
    let http = format!(
        "{{name: a, match: [{{uri: {{exact: /a}}}}, {{uri: {{exact: /aa}}}}], {TO_P}}}, {{name: b, {TO_P}}}"
    );
    let outcome = with(annotations, &http, "");
    let of = |route: usize| &checks(&outcome, route).rate_limits;
    assert_eq!([of(0).len(), of(1).len(), of(2).len()], [1, 1, 2]);
    assert!(Arc::ptr_eq(&of(0)[0].limit, &of(1)[0].limit) && Arc::ptr_eq(&of(0)[0].limit, &of(2)[0].limit));
    assert!(!Arc::ptr_eq(&of(2)[0].limit, &of(2)[1].limit) && of(2)[1].key.is_some());
}

#[test]
fn a_delegated_rule_has_those_of_both() {
    let annotations = "sluicegate.io/networks: '{deny: [10.0.0.0/8]}', sluicegate.io/body-limit: 2KiB, sluicegate.io/rate-limit: '{requests: 1, per: 1s, route: root}'";
    let delegate = object(
        "VirtualService",
        "name: d, annotations: {sluicegate.io/networks: '{allow: [127.0.0.0/8]}', sluicegate.io/body-limit: '[1MiB, {max: 1KiB, route: small}]', sluicegate.io/rate-limit: '{requests: 1, per: 1s}'}",
        &format!("{{http: [{{name: small, match: [{{uri: {{prefix: /x/small}}}}], {TO_P}}}, {{{TO_P}}}]}}"),
    );
    let root =
        "{name: root, match: [{uri: {prefix: /x}}], delegate: {name: d}}, {directResponse: {status: 404}}";
    let outcome = with(annotations, root, &delegate);
    let small = checks(&outcome, 0);
    assert_eq!((small.networks.len(), small.rate_limits.len(), small.body_max), (2, 2, Some(1 << 10)));
    assert_eq!(checks(&outcome, 1).body_max, Some(2 << 10));
    let other = checks(&outcome, 2);
    assert_eq!((other.networks.len(), other.rate_limits.len(), other.body_max), (1, 0, Some(2 << 10)));
}

#[test]
fn splits_are_for_rules_with_several_sides() {
    let annotations = "sluicegate.io/sticky-split: '{key: {cookie: c}, issue: {}}'";
    let http = format!(
        "{{match: [{{uri: {{exact: /a}}}}], {TO_P}}}, {{route: [{{destination: {{host: p.com}}, weight: 1}}, {{destination: {{host: q.com}}, weight: 0}}, {{destination: {{host: p.com}}, weight: 2}}, {{destination: {{host: q.com}}, weight: 3}}]}}"
    );
    let outcome = with(annotations, &http, "");
    assert!(all(&outcome)[0].checks.is_none());
    let split = checks(&outcome, 1).split.as_ref().unwrap();
    assert_eq!(split.sides.len(), 3);
    assert_ne!(split.sides[0], split.sides[1]);
    assert_eq!(&*split.issue.as_ref().unwrap().attributes, b"; Path=/; HttpOnly; SameSite=Lax");
    let useless = with(annotations, &format!("{{{TO_P}}}"), "");
    assert!(useless.has("no-effect"));
}
