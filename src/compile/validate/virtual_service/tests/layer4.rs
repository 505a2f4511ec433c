//! Tests: rules for TLS and TCP.

use super::{ROUTE, service};

#[track_caller]
fn tls(matcher: &str, expected: &[&str]) {
    let spec = "hosts: ['*.a.com', b.com]\ngateways: [g]\ntls:\n- match: [{MATCH}]\n  route: [{destination: {host: b}}]";
    service(&spec.replace("MATCH", matcher), expected);
}

#[track_caller]
fn tcp(rule: &str, expected: &[&str]) {
    service(&format!("hosts: [a.com]\ngateways: [g]\ntcp:\n- {{{rule}}}"), expected);
}

#[test]
fn server_names() {
    for good in ["x.a.com", "'*.a.com'", "'*.x.a.com'", "b.com", "X.A.com", "x.a.com, b.com"] {
        tls(&format!("sniHosts: [{good}]"), &[]);
    }
    let at = "8 spec.tls[0].match[0].sniHosts";
    for other in ["a.com", "'*.com'", "c.com", "'*'"] {
        tls(&format!("sniHosts: [{other}]"), &[&format!("error sni-not-in-hosts {at}[0]")]);
    }
    for bad in ["a_b.a.com", "x.*.a.com", "'*-x.a.com'", "''"] {
        tls(&format!("sniHosts: [{bad}]"), &[&format!("error bad-host {at}[0]")]);
    }
    tls("sniHosts: [b.com, 10.0.0.1]", &[&format!("warning address-as-sni {at}[1]")]);
    tls("port: 443", &[&format!("error missing-field {at}")]);
}

#[test]
fn other_conditions() {
    let at = "8 spec.tls[0].match[0]";
    tls("sniHosts: [b.com], port: 443, gateways: [app/g]", &[]);
    tls("sniHosts: [b.com], port: 0", &[&format!("error bad-port {at}.port")]);
    tls("sniHosts: [b.com], gateways: [h]", &[&format!("warning unlisted-gateway {at}.gateways[0]")]);
    let effect = |field: &str| format!("warning no-effect {at}.{field}");
    tls(
        "sniHosts: [b.com], destinationSubnets: [10.0.0.0/8], sourceLabels: {a: b}, sourceNamespace: c",
        &[&effect("destinationSubnets"), &effect("sourceLabels"), &effect("sourceNamespace")],
    );
    tls(
        "sniHosts: [b.com], destinationSubnets: [10.0.0.0/33]",
        &[&format!("error bad-subnet {at}.destinationSubnets[0]"), &effect("destinationSubnets")],
    );
}

#[test]
fn rules() {
    let spec = "hosts: [a.com]\ngateways: [g]\ntls:\n- {}";
    service(spec, &["error missing-field 8 spec.tls[0].match", "error missing-field 8 spec.tls[0].route"]);
    tcp(ROUTE, &[]);
    tcp("match: [{port: 1}]", &["error missing-field 8 spec.tcp[0].route"]);
    tcp("route: [{weight: 1}]", &["error missing-field 8 spec.tcp[0].route[0].destination"]);
    let zero = "route: [{destination: {host: a}}, {destination: {host: b}}]";
    tcp(zero, &["error bad-weight 8 spec.tcp[0].route"]);
    tcp(&format!("match: [{{port: 65536}}], {ROUTE}"), &["error bad-port 8 spec.tcp[0].match[0].port"]);
    tcp(
        &format!("match: [{{port: 1, sourceSubnet: a}}], {ROUTE}"),
        &[
            "error bad-subnet 8 spec.tcp[0].match[0].sourceSubnet",
            "warning no-effect 8 spec.tcp[0].match[0].sourceSubnet",
        ],
    );
}
