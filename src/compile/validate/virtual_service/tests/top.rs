//! Tests: hosts, gateways, exportTo, delegates.

use super::{ROUTE, service};

#[track_caller]
fn hosts(hosts: &str, expected: &[&str]) {
    service(&format!("hosts: {hosts}\ngateways: [g]\nhttp: [{{{ROUTE}}}]"), expected);
}

#[track_caller]
fn gateways(gateways: &str, expected: &[&str]) {
    service(&format!("hosts: [a.com]\ngateways: {gateways}\nhttp: [{{{ROUTE}}}]"), expected);
}

#[track_caller]
fn export_to(list: &str, expected: &[&str]) {
    service(&format!("hosts: [a.com]\nexportTo: {list}\nhttp: [{{{ROUTE}}}]"), expected);
}

#[test]
fn case_154_duplicate_and_overlapping_hosts() {
    hosts("[a.com, b.com]", &[]);
    hosts("[a.com, A.com]", &["error duplicate-host 5 spec.hosts[1]"]);
    hosts("['*.foo.com', a.foo.com]", &["error duplicate-host 5 spec.hosts[1]"]);
    hosts("[a.foo.com, '*.foo.com']", &["error duplicate-host 5 spec.hosts[0]"]);
    hosts("['*.a.foo.com', '*.foo.com']", &["error duplicate-host 5 spec.hosts[0]"]);
    hosts("['*.foo.com', foo.com]", &[]);
    hosts("[a.com, '*']", &["error duplicate-host 5 spec.hosts[0]"]);
    hosts("['*-x.a.com', y-x.a.com]", &["error duplicate-host 5 spec.hosts[1]"]);
}

#[test]
fn case_155_wildcard_and_mesh() {
    let mesh = "bad-host 5 spec.hosts[0]";
    service(&format!("hosts: ['*']\nhttp: [{{{ROUTE}}}]"), &[&format!("error {mesh}")]);
    service(&format!("hosts: ['*']\ngateways: [g, mesh]\nhttp: [{{{ROUTE}}}]"), &[&format!("error {mesh}")]);
    hosts("['*']", &[]);
    service(&format!("hosts: [a.com]\nhttp: [{{{ROUTE}}}]"), &[]);
}

#[test]
fn host_names() {
    for good in ["b", "'*.a.com'", "'*-x.foo.com'", "'*foo.com'", "10.0.0.1", "'::1'", "a.b.c."] {
        hosts(&format!("[{good}]"), &[]);
    }
    for bad in ["a_b.com", "a.*.com", "''", "10.0.0.256", "a.com:80"] {
        hosts(&format!("['{bad}']"), &["error bad-host 5 spec.hosts[0]"]);
    }
}

#[test]
fn hosts_of_east_west_gateways() {
    let spec = |host: &str| {
        format!(
            "hosts: ['{host}']\ngateways: [g]\ntls:\n- match: [{{sniHosts: ['{host}']}}]\n  \
             route: [{{destination: {{host: b}}}}]"
        )
    };
    service(&spec("outbound_.80_._.e2e.foobar.mesh"), &[]);
    service(&spec("outbound_.80_.v1_.b.app.svc.cluster.local"), &[]);
    let bad = ["error bad-host 5 spec.hosts[0]", "error bad-host 8 spec.tls[0].match[0].sniHosts[0]"];
    service(&spec("outbound_.x_._.e2e.mesh"), &bad);
}

#[test]
fn references_to_gateways() {
    for good in ["[g]", "[ns/g]", "[./g]", "[mesh]", "[ns/g, g, mesh]"] {
        gateways(good, &[]);
    }
    for legacy in ["[g.ns]", "[g.ns.svc.cluster.local]"] {
        gateways(legacy, &["warning legacy-gateway-name 6 spec.gateways[0]"]);
    }
    for bad in ["['']", "[a_b]", "[a/b_c]", "[a/b.c]", "['*/a']", "[/a]", "[a/]", "[a/b/c]"] {
        gateways(bad, &["error bad-gateway-name 6 spec.gateways[0]"]);
    }
}

#[test]
fn rules_are_needed() {
    service("hosts: [a.com]", &["error missing-field 1 spec.http"]);
}

#[test]
fn case_163_delegates() {
    service(&format!("http: [{{{ROUTE}}}]"), &[]);
    service(&format!("gateways: [g]\nhttp: [{{{ROUTE}}}]"), &["error conflicting-fields 5 spec.gateways"]);
    service(&format!("tcp: [{{{ROUTE}}}]"), &["error conflicting-fields 5 spec.tcp"]);
    service(
        &format!("tls:\n- match: [{{sniHosts: [a.com]}}]\n  {ROUTE}"),
        &["error conflicting-fields 6 spec.tls", "error sni-not-in-hosts 6 spec.tls[0].match[0].sniHosts[0]"],
    );
    service("http: [{delegate: {name: a}}]", &["error nested-delegate 5 spec.http[0].delegate"]);
    let both = format!("hosts: [a.com]\nhttp: [{{delegate: {{name: a}}, {ROUTE}}}]");
    service(&both, &["error conflicting-fields 6 spec.http[0].route"]);
    let redirect = "hosts: [a.com]\nhttp: [{delegate: {name: a}, redirect: {uri: /}}]";
    service(redirect, &["error conflicting-fields 6 spec.http[0].redirect"]);
    let direct = "hosts: [a.com]\nhttp: [{delegate: {name: a}, directResponse: {status: 200}}]";
    service(direct, &["warning no-effect 6 spec.http[0].directResponse"]);
    let names = "hosts: [a.com]\nhttp: [{match: [{uri: {prefix: /a}}], delegate: {namespace: b.c}}]";
    service(
        names,
        &[
            "error missing-field 6 spec.http[0].delegate.name",
            "error bad-name 6 spec.http[0].delegate.namespace",
        ],
    );
}

#[test]
fn exports() {
    for good in ["['*']", "['.']", "[a, b]", "['.', other]"] {
        export_to(good, &[]);
    }
    export_to("['~']", &["error bad-export-to 6 spec.exportTo[0]"]);
    export_to("['a.b']", &["error bad-export-to 6 spec.exportTo[0]"]);
    export_to("['*', a]", &["error bad-export-to 6 spec.exportTo[0]"]);
    export_to("[a, a]", &["error bad-export-to 6 spec.exportTo[1]"]);
    export_to("['.', app]", &["error bad-export-to 6 spec.exportTo[1]"]);
}
