//! Tests: destinations and weights.

use super::rule;

#[track_caller]
fn destination(destination: &str, expected: &[&str]) {
    rule(&format!("route: [{{destination: {destination}}}]"), expected);
}

#[test]
fn case_160_weights() {
    let two = |one: i32, other: i32| {
        format!(
            "route: [{{destination: {{host: a}}, weight: {one}}}, {{destination: {{host: b}}, weight: {other}}}]"
        )
    };
    rule(&two(70, 20), &[]);
    rule(&two(90, 20), &[]);
    rule(&two(0, 1), &[]);
    rule("route: [{destination: {host: a}, weight: 0}]", &[]);
    rule("route: [{destination: {host: a}}, {destination: {host: b}}]", &["error bad-weight route"]);
    rule(&two(0, 0), &["error bad-weight route"]);
    rule(&two(-1, 2), &["error bad-weight route[0].weight"]);
    rule("route: [{destination: {host: a}, weight: -1}]", &["error bad-weight route[0].weight"]);
    let third = "{destination: {host: c}, weight: 2147483647}";
    rule(&two(i32::MAX, i32::MAX), &[]);
    rule(&two(i32::MAX, i32::MAX).replace("]", &format!(", {third}]")), &["error bad-weight route"]);
}

#[test]
fn hosts() {
    for good in ["b", "b.app.svc.cluster.local", "'*.example.com'"] {
        destination(&format!("{{host: {good}}}"), &[]);
    }
    for bad in ["'*'", "10.0.0.1", "'::1'", "a_b", "'b:80'", "'http://b'"] {
        destination(&format!("{{host: {bad}}}"), &["error bad-host route[0].destination.host"]);
    }
    destination("{}", &["error missing-field route[0].destination.host"]);
    destination("{host: ''}", &["error missing-field route[0].destination.host"]);
    rule("route: [{weight: 1}]", &["error missing-field route[0].destination"]);
}

#[test]
fn subsets_and_ports() {
    destination("{host: b, subset: v1, port: {number: 80}}", &[]);
    destination("{host: b, subset: ''}", &[]);
    destination("{host: b, subset: v_1}", &["error bad-subset-name route[0].destination.subset"]);
    destination("{host: b, port: {}}", &["error missing-field route[0].destination.port.number"]);
    destination("{host: b, port: {number: 0}}", &["error bad-port route[0].destination.port.number"]);
    destination("{host: b, port: {number: 65536}}", &["error bad-port route[0].destination.port.number"]);
}
