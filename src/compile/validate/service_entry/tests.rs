use crate::compile::validate::testing::{expect, object};

/// A `spec` with the host `a.com` on line 5 and the port `http` on line 6; more from line 7.
#[track_caller]
fn entry(more: &str, expected: &[&str]) {
    let spec = format!("hosts: [a.com]\nports: [{{number: 80, name: http, protocol: HTTP}}]\n{more}");
    expect(&object("ServiceEntry", &spec), expected);
}

#[track_caller]
fn hosts(hosts: &str, expected: &[&str]) {
    let spec = format!("hosts: {hosts}\nports: [{{number: 80, name: http, protocol: HTTP}}]\n");
    expect(&object("ServiceEntry", &spec), expected);
}

#[track_caller]
fn ports(ports: &str, expected: &[&str]) {
    expect(&object("ServiceEntry", &format!("hosts: [a.com]\nresolution: DNS\nports: {ports}")), expected);
}

#[test]
fn case_173_none_with_endpoints() {
    let conflict = ["error conflicting-fields 8 spec.endpoints"];
    entry("resolution: NONE\nendpoints: [{address: 10.0.0.1}]", &conflict);
    entry("endpoints: [{address: 10.0.0.1}]", &["error conflicting-fields 7 spec.endpoints"]);
}

#[test]
fn case_173_hosts() {
    hosts("['*']", &["error bad-host 5 spec.hosts[0]"]);
    for good in ["a.com", "'*.a.com'", "short"] {
        hosts(&format!("[{good}]"), &[]);
    }
    for bad in ["a_b.com", "10.0.0.1", "'a.*.com'", "'a.com:80'"] {
        hosts(&format!("[{bad}]"), &["error bad-host 5 spec.hosts[0]"]);
    }
    hosts("['*-x.a.com']", &["warning partial-wildcard 5 spec.hosts[0]"]);
    hosts("[]", &["error missing-field 1 spec.hosts"]);
}

#[test]
fn case_173_duplicate_ports() {
    let two = |one: &str, other: &str| format!("[{{{one}, protocol: HTTP}}, {{{other}, protocol: HTTP}}]");
    ports(
        &two("number: 1, name: a", "number: 2, name: a"),
        &["error duplicate-port-name 7 spec.ports[1].name"],
    );
    ports(&two("number: 1, name: a", "number: 1, name: b"), &["error duplicate-port 7 spec.ports[1].number"]);
    ports(&two("number: 1, name: a", "number: 2, name: b"), &[]);
}

#[test]
fn case_173_names_to_resolve() {
    let dns = |host: &str, more: &str| {
        let port = "ports: [{number: 80, name: http, protocol: HTTP}]";
        object("ServiceEntry", &format!("hosts: ['{host}']\n{port}\nresolution: DNS\n{more}"))
    };
    expect(&dns("a.com", ""), &[]);
    expect(&dns("*.a.com", ""), &["error bad-host 5 spec.hosts[0]"]);
    expect(&dns("*.a.com", "endpoints: [{address: b.com}]"), &[]);
    expect(&dns("a.com", "endpoints: [{address: b_c}]"), &["error bad-address 8 spec.endpoints[0].address"]);
    expect(
        &dns("a.com", "endpoints: [{address: 'unix:///a'}]"),
        &["error bad-address 8 spec.endpoints[0].address"],
    );
}

#[test]
fn case_173_round_robin() {
    let two = "resolution: DNS_ROUND_ROBIN\nendpoints: [{address: b.com}, {address: c.com}]";
    entry(two, &["error too-many-items 8 spec.endpoints"]);
    entry("resolution: DNS_ROUND_ROBIN\nendpoints: [{address: b.com}]", &[]);
    entry("resolution: DNS_ROUND_ROBIN", &[]);
}

#[test]
fn case_173_selectors() {
    let selector = "workloadSelector: {labels: {a: b}}";
    entry(&format!("resolution: STATIC\n{selector}"), &[]);
    entry(
        &format!("resolution: STATIC\n{selector}\nendpoints: [{{address: 10.0.0.1}}]"),
        &["error conflicting-fields 9 spec.endpoints"],
    );
    entry(
        "resolution: STATIC\nworkloadSelector: {}",
        &["warning empty-selector 8 spec.workloadSelector.labels"],
    );
    entry(&format!("resolution: DNS\n{selector}"), &["warning no-effect 8 spec.workloadSelector"]);
    entry(selector, &["warning no-effect 7 spec.workloadSelector"]);
    entry(
        "resolution: STATIC\nworkloadSelector: {labels: {a: '*'}}",
        &["error bad-label 8 spec.workloadSelector.labels.a"],
    );
}

#[test]
fn more_about_ports() {
    expect(&object("ServiceEntry", "hosts: [a.com]"), &["warning no-ports 1 spec.ports"]);
    ports("[{number: 80, name: http}]", &[]);
    ports("[{number: 80, name: http, protocol: http, targetPort: 8080}]", &[]);
    ports("[{number: 80, protocol: HTTP}]", &["error missing-field 7 spec.ports[0].name"]);
    ports("[{name: a, protocol: HTTP}]", &["error missing-field 7 spec.ports[0].number"]);
    ports("[{number: 80, name: a_b}]", &["error bad-name 7 spec.ports[0].name"]);
    ports("[{number: 0, name: a}]", &["error bad-port 7 spec.ports[0].number"]);
    ports("[{number: 1, name: a, targetPort: 65536}]", &["error bad-port 7 spec.ports[0].targetPort"]);
    ports("[{number: 1, name: a, protocol: SMTP}]", &["error bad-protocol 7 spec.ports[0].protocol"]);
    ports("[{number: 1, name: a, protocol: UDP}]", &["warning no-effect 7 spec.ports[0].protocol"]);
    let none = "hosts: [a.com]\nports: [{number: 1, name: a, targetPort: 2}]";
    expect(&object("ServiceEntry", none), &["warning no-effect 6 spec.ports[0].targetPort"]);
}

#[test]
fn addresses() {
    entry("addresses: [10.0.0.1, 10.0.0.0/8, '::1']", &[]);
    entry("addresses: [10.0.0.0/33]", &["error bad-subnet 7 spec.addresses[0]"]);
    entry("addresses: [10.0.0.0/8]\nresolution: DNS", &["error conflicting-fields 7 spec.addresses[0]"]);
    entry("addresses: [10.0.0.1]\nresolution: DNS", &[]);
}

#[test]
fn several_hosts() {
    let two = |port: &str, resolution: &str| {
        object(
            "ServiceEntry",
            &format!(
                "hosts: [a.com, b.com]\nresolution: {resolution}\nports: [{{number: 1, name: a{port}}}]"
            ),
        )
    };
    let conflict = ["error conflicting-fields 7 spec.ports[0].protocol"];
    expect(&two(", protocol: HTTP", "DNS"), &[]);
    expect(&two(", protocol: TLS", "DNS"), &[]);
    expect(&two(", protocol: TCP", "DNS"), &conflict);
    expect(&two("", "DNS"), &conflict);
    expect(&two(", protocol: TCP", "NONE"), &[]);
}

#[test]
fn static_endpoints() {
    entry("resolution: STATIC", &["warning no-endpoints 1 spec.endpoints"]);
    entry("resolution: STATIC\nendpoints: [{address: 10.0.0.1, ports: {http: 8080}}]", &[]);
    let endpoint = |endpoint: &str| format!("resolution: STATIC\nendpoints: [{{{endpoint}}}]");
    entry(&endpoint("address: b.com"), &["error bad-address 8 spec.endpoints[0].address"]);
    entry(&endpoint("address: '10.0.0.1:80'"), &["error bad-address 8 spec.endpoints[0].address"]);
    entry(
        &endpoint("address: 10.0.0.1, ports: {grpc: 1}"),
        &["error unknown-port 8 spec.endpoints[0].ports.grpc"],
    );
    entry(
        &endpoint("address: 10.0.0.1, ports: {http: 0}"),
        &["error bad-port 8 spec.endpoints[0].ports.http"],
    );
    entry(&endpoint("address: 'unix:///run/a.sock'"), &[]);
    entry(
        &endpoint("address: 'unix:///run/a.sock', ports: {http: 1}"),
        &["error conflicting-fields 8 spec.endpoints[0].ports"],
    );
    let spec = "
hosts: [a.com]
ports: [{number: 1, name: a}, {number: 2, name: b}]
resolution: STATIC
endpoints: [{address: 'unix:///run/a.sock'}]";
    expect(&object("ServiceEntry", spec), &["error conflicting-fields 8 spec.endpoints[0].address"]);
}

#[test]
fn dynamic_names() {
    let spec = |host: &str, protocol: &str, more: &str| {
        let port = format!("ports: [{{number: 1, name: a, protocol: {protocol}}}]");
        object("ServiceEntry", &format!("hosts: ['{host}']\n{port}\nresolution: DYNAMIC_DNS\n{more}"))
    };
    expect(&spec("*.a.com", "HTTP", ""), &[]);
    expect(&spec("*.a.com", "TLS", ""), &[]);
    expect(&spec("a.com", "HTTP", ""), &["error bad-host 5 spec.hosts[0]"]);
    expect(&spec("*.a.com", "TCP", ""), &["error conflicting-fields 6 spec.ports[0].protocol"]);
    expect(&spec("*.a.com", "HTTP", "addresses: [10.0.0.1]"), &["error conflicting-fields 8 spec.addresses"]);
    expect(
        &spec("*.a.com", "HTTP", "endpoints: [{address: 10.0.0.1}]"),
        &["error conflicting-fields 8 spec.endpoints"],
    );
}

#[test]
fn exports() {
    entry("exportTo: ['~']", &[]);
    entry("exportTo: ['~', a]", &["error bad-export-to 7 spec.exportTo[0]"]);
    entry(
        "exportTo: ['*', '~']",
        &["error bad-export-to 7 spec.exportTo[0]", "error bad-export-to 7 spec.exportTo[1]"],
    );
    entry("exportTo: ['.', app]", &["error bad-export-to 7 spec.exportTo[1]"]);
}
