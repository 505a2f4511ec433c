//! Specification section 3.6: TCP, and TLS that ends here with TCP in it.

use super::*;
use crate::table::{Chain, TcpProtocol};

fn tcp_rule(matches: &str, host: &str) -> String {
    format!("{{match: [{matches}], route: [{{destination: {{host: {host}}}}}]}}")
}

/// A TCP server on port 9000, these objects, and two services.
fn with(objects: &str) -> Outcome {
    let gateway = gateway("name: g", &[("TCP", 9000, "'*'", "")]);
    compiled(&format!("{gateway}{objects}{}{}", service("p.com"), service("q.com")))
}

#[test]
fn connections_are_shared_by_weight() {
    let route = "tcp: [{route: [{destination: {host: p.com}, weight: 3}, {destination: {host: q.com}, weight: 1}, {destination: {host: p.com}, weight: 0}]}]";
    let outcome = with(&connections("name: v", "a.com", "g", route));
    assert_eq!(outcome.tcp(9000), "3*outbound|80||p.com 1*outbound|80||q.com");
    assert_eq!(outcome.listeners(), ["0.0.0.0_9000"]);
    assert_eq!(outcome.warnings(), [""; 0]);
    let Chain::Tcp(chain) = &outcome.0.snapshot.listeners[0].chain else { panic!() };
    assert_eq!((chain.route.total_weight, chain.protocol), (4, TcpProtocol::Opaque));
    assert_eq!(chain.route.source.to_string(), "VirtualService default/v (test.yaml:9:45)");
}

#[test]
fn the_first_virtual_service_with_a_rule_for_the_port_takes_all() {
    let for_port = |name: &str, port: u16, host: &str| {
        let rule = tcp_rule(&format!("{{port: {port}}}"), host);
        connections(&format!("name: {name}"), "a.com", "g", &format!("tcp: [{rule}]"))
    };
    let outcome = with(&format!("{}{}", for_port("one", 9001, "p.com"), for_port("two", 9000, "q.com")));
    assert_eq!(outcome.tcp(9000), "1*outbound|80||q.com");
    assert_eq!(outcome.warnings(), [""; 0]);
    let outcome = with(&format!("{}{}", for_port("one", 9000, "p.com"), for_port("two", 9000, "q.com")));
    assert_eq!(outcome.tcp(9000), "1*outbound|80||p.com");
    let unused = outcome.diagnostic("tcp-rule-not-used");
    assert_eq!(
        (unused.object.as_ref().unwrap().name.as_ref(), unused.field.as_str()),
        ("two", "spec.tcp[0]")
    );
    assert!(unused.message.contains("VirtualService default/one"), "{}", unused.message);
}

#[test]
fn rules_for_other_gateways_do_not_count() {
    let rules =
        format!("tcp: [{}, {}]", tcp_rule("{gateways: [h]}", "p.com"), tcp_rule("{gateways: [g]}", "q.com"));
    let objects = format!(
        "{}{}",
        gateway("name: h", &[("HTTP", 80, "'*'", "")]),
        connections("name: v", "a.com", "g, h", &rules)
    );
    assert_eq!(with(&objects).tcp(9000), "1*outbound|80||q.com");
}

#[test]
fn without_a_rule_nothing_listens() {
    for objects in [
        String::new(),
        rules("name: v", "'*'", "g", &everything_to("p.com")),
        connections("name: v", "a.com", "g", &format!("tcp: [{}]", tcp_rule("{port: 1}", "p.com"))),
    ] {
        let outcome = with(&objects);
        assert_eq!(outcome.tcp(9000), "refused");
        let missing = outcome.diagnostic("no-route-for-server");
        assert!(
            missing.message.contains("`tcp` rule for this TCP server on port 9000"),
            "{}",
            missing.message
        );
        assert_eq!(missing.help.as_ref().unwrap().contains("VirtualService default/v"), !objects.is_empty());
        assert_eq!(outcome.0.inventory.servers[0].state, ServerState::NoRoutes);
    }
}

#[test]
fn what_does_not_exist_closes_connections() {
    let outcome = with(&connections("name: v", "a.com", "g", &format!("tcp: [{}]", everything_to("r.com"))));
    assert_eq!(outcome.tcp(9000), "1*outbound|9000||r.com (NC)");
    let unknown = outcome.diagnostic("unknown-destination");
    assert_eq!(unknown.field, "spec.tcp[0].route[0].destination.host");
    assert!(unknown.message.ends_with("connections are closed (NC)"), "{}", unknown.message);
}

#[test]
fn mongo_is_tcp_whose_commands_are_counted() {
    let gateway = gateway("name: g", &[("MONGO", 2379, "'*'", "")]);
    let rules = connections("name: v", "'*'", "g", &format!("tcp: [{}]", everything_to("p.com")));
    let outcome = compiled(&format!("{gateway}{rules}{}", service("p.com")));
    let Chain::Tcp(chain) = &outcome.0.snapshot.listeners[0].chain else { panic!() };
    assert_eq!(chain.protocol, TcpProtocol::Mongo);
}

#[test]
fn tls_that_ends_here_uses_tcp_rules() {
    let gateway = gateway("name: g", &[("TLS", 443, "a.com", ", tls: {mode: SIMPLE, credentialName: c}")]);
    let bound = |rules: &str| {
        compiled(&format!("{gateway}{}{}", connections("name: v", "a.com", "g", rules), service("p.com")))
    };
    let outcome = bound(&format!("tcp: [{}]", everything_to("p.com")));
    assert_eq!(outcome.sni("a.com"), "tls 1*outbound|80||p.com");
    assert_eq!(outcome.filter_chain("a.com").unwrap().name.as_ref(), "Gateway default/g servers[0]");
    assert_eq!(outcome.server_tls("a.com").alpn, [Box::from(&b"h2"[..]), Box::from(&b"http/1.1"[..])]);
    // `tls` rules are for what passes through.
    let rules = "tls: [{match: [{sniHosts: [a.com]}], route: [{destination: {host: p.com}}]}]";
    let outcome = bound(rules);
    assert_eq!(outcome.sni("a.com"), "refused");
    assert!(outcome.diagnostic("no-route-for-server").message.contains("`tcp` rule for this TLS server"));
}
