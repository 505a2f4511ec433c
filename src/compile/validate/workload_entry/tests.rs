use crate::compile::validate::testing::{expect, object};

#[track_caller]
fn entry(spec: &str, expected: &[&str]) {
    expect(&object("WorkloadEntry", &format!("{{{spec}}}")), expected);
}

#[test]
fn addresses() {
    for good in ["10.0.0.1", "'::1'", "b.com", "'unix:///run/a.sock'", "'unix://@a'"] {
        entry(&format!("address: {good}"), &[]);
    }
    for bad in ["a_b", "'10.0.0.1:80'", "'*.a.com'", "'unix://run'", "10.0.0"] {
        entry(&format!("address: {bad}"), &["error bad-address 5 spec.address"]);
    }
    entry("labels: {a: b}", &["error missing-field 1 spec.address"]);
    entry("address: ''", &["error missing-field 1 spec.address"]);
    entry("network: n", &["warning no-address 1 spec.address"]);
}

#[test]
fn ports_and_labels() {
    entry("address: 10.0.0.1, ports: {http: 80, grpc: 81}, labels: {app: a}", &[]);
    entry("address: 10.0.0.1, ports: {http: 0}", &["error bad-port 5 spec.ports.http"]);
    entry("address: 10.0.0.1, ports: {'a b': 1}", &["error bad-name 5 spec.ports[\"a b\"]"]);
    entry("address: 10.0.0.1, labels: {a: 'b c'}", &["error bad-label 5 spec.labels.a"]);
    entry("address: 'unix:///a', ports: {http: 1}", &["error conflicting-fields 5 spec.ports"]);
}
