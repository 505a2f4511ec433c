//! Specification section 9.1.

use super::*;

const P: &str = "outbound|80||p.com";

fn products(gateway_hosts: &str) -> Outcome {
    compiled(&format!(
        "{}{}{}",
        http_gateway("name: g", gateway_hosts),
        rules("name: v", "'*'", "g", &rule("{uri: {exact: /productpage}}", "p.com")),
        service("p.com"),
    ))
}

#[test]
fn case_01_no_virtual_service() {
    let outcome = compiled(&http_gateway("name: g", "foo.bar"));
    assert_eq!(outcome.get("foo.bar"), "404");
    assert_eq!(outcome.hosts(80), ["* 0"]);
    assert_eq!(outcome.warnings(), [""; 0]);
}

#[test]
fn case_02_no_server_on_the_port() {
    let outcome = compiled(&http_gateway("name: g", "foo.bar"));
    assert_eq!(outcome.answer(81, &request("foo.bar")), "refused");
}

#[test]
fn case_04_the_wildcard_is_narrowed() {
    let outcome = products("foo.bar");
    assert_eq!(outcome.hosts(80), ["foo.bar 1"]);
    assert_eq!(outcome.get("bad.bar/productpage"), "404");
}

#[test]
fn case_05_host_and_path_match() {
    let outcome = products("foo.bar");
    assert_eq!(outcome.get("foo.bar/productpage"), P);
    assert_eq!(outcome.get("foo.bar:12345/productpage"), P);
    assert_eq!(outcome.get("FOO.bar/productpage"), P);
    assert_eq!(outcome.get("foo.bar/other"), "404");
    assert_eq!(outcome.warnings(), [""; 0]);
}

#[test]
fn case_07_separate_virtual_hosts() {
    let created = |year| format!("name: v{year}, creationTimestamp: '{year}-01-01T00:00:00Z'");
    let prefix = |path: &str, host: &str| rule(&format!("{{uri: {{prefix: {path}}}}}"), host);
    let numbers = ["/1", "/2", "/3"].map(|path| prefix(path, "x.com")).join(", ");
    let outcome = compiled(&format!(
        "{}{}{}{}{}{}{}",
        // The files' order does not matter, nor do the names.
        rules(&created("2020"), "bar.example.com", "g", &prefix("/bar", "b.com")),
        rules(&created("2015"), "foo.example.com", "g", &prefix("/foo", "f.com")),
        rules(&created("2010"), "foo.example.com, bar.example.com", "g", &numbers),
        http_gateway("name: g", "foo.example.com, bar.example.com"),
        service("x.com"),
        service("f.com"),
        service("b.com"),
    ));
    assert_eq!(outcome.get("foo.example.com/1"), "outbound|80||x.com");
    assert_eq!(outcome.get("foo.example.com/foo"), "outbound|80||f.com");
    assert_eq!(outcome.get("bar.example.com/bar"), "outbound|80||b.com");
    assert_eq!(outcome.get("bar.example.com/foo"), "404");
    assert_eq!(outcome.hosts(80), ["foo.example.com 4", "bar.example.com 4"]);
}

#[test]
fn case_08_namespaces_before_hosts() {
    let space = |n| {
        format!(
            "{}{}",
            http_gateway(&format!("name: g{n}"), &format!("ns-{n}/*.example.com")),
            rules(
                &format!("name: v, namespace: ns-{n}"),
                &format!("ns-{n}.example.com"),
                &format!("default/g{n}"),
                &everything_to(&format!("echo{n}.com"))
            ),
        )
    };
    let outcome =
        compiled(&format!("{}{}{}{}", space(1), space(2), service("echo1.com"), service("echo2.com")));
    assert_eq!(outcome.get("ns-1.example.com"), "outbound|80||echo1.com");
    assert_eq!(outcome.get("ns-2.example.com"), "outbound|80||echo2.com");
    assert_eq!(outcome.get("ns-3.example.com"), "404");
    assert_eq!(outcome.warnings(), [""; 0]);
}

#[test]
fn case_10_http_comes_first() {
    let outcome = compiled(&format!(
        "{}{}",
        http_gateway("name: alpha", "'*'"),
        gateway("name: beta", &[("TCP", 80, "'*'", "")]),
    ));
    assert_eq!(outcome.get("any"), "404");
    let conflict = outcome.diagnostic("port-conflict");
    assert_eq!(conflict.object.as_ref().unwrap().to_string(), "Gateway default/beta");
    assert_eq!(conflict.labels[0].span.line, 4);
    assert!(conflict.message.contains("TCP can't share a port"), "{}", conflict.message);
}

#[test]
fn case_11_the_same_name_in_two_namespaces() {
    let outcome = compiled(&format!(
        "{}{}{}{}",
        gateway("name: gateway, namespace: zeta", &[("TCP", 80, "'*'", "")]),
        gateway("name: gateway, namespace: istio-system", &[("TCP", 80, "'*'", "")]),
        connections(
            "name: v",
            "a.com",
            "istio-system/gateway",
            &format!("tcp: [{}]", everything_to("p.com"))
        ),
        service("p.com"),
    ));
    assert_eq!(outcome.diagnostic("port-conflict").object.as_ref().unwrap().namespace.as_ref(), "zeta");
    assert_eq!(outcome.tcp(80), "1*outbound|80||p.com");
}

#[test]
fn case_13_the_same_tls_server_in_two_namespaces() {
    let server = &[("HTTPS", 443, "./*", ", tls: {mode: SIMPLE, credentialName: c}")];
    let outcome = compiled(&format!(
        "{}{}",
        gateway("name: g, namespace: one", server),
        gateway("name: g, namespace: two", server),
    ));
    let conflict = outcome.diagnostic("duplicate-host");
    assert_eq!(conflict.object.as_ref().unwrap().to_string(), "Gateway two/g");
    assert!(conflict.message.contains("Gateway one/g"), "{}", conflict.message);
    let states: Vec<_> = outcome.0.inventory.servers.iter().map(|server| server.state).collect();
    assert_eq!(states, [ServerState::Listening(0), ServerState::Dropped]);
    assert_eq!(outcome.sni("any"), "https https.443.https-443-3.g.one");
}

#[test]
fn case_16_letter_case_makes_no_difference() {
    let outcome = compiled(&format!(
        "{}{}{}{}{}",
        http_gateway("name: g1", "example.org"),
        http_gateway("name: g2", "Example.ORG"),
        rules("name: v1", "example.org", "g1", &rule("{uri: {prefix: /a}}", "p.com")),
        rules("name: v2", "EXAMPLE.org", "g2", &rule("{uri: {prefix: /b}}", "p.com")),
        service("p.com"),
    ));
    assert_eq!(outcome.hosts(80), ["example.org 2"]);
}

#[test]
fn case_17_a_wildcard_merges_with_a_name() {
    let outcome = compiled(&format!(
        "{}{}{}{}",
        http_gateway("name: g", "example.org"),
        rules("name: v1", "example.org", "g", &rule("{uri: {prefix: /a}}", "p.com")),
        rules("name: v2", "'*.org'", "g", &rule("{uri: {prefix: /b}}", "p.com")),
        service("p.com"),
    ));
    assert_eq!(outcome.hosts(80), ["example.org 2"]);
}

#[test]
fn case_19_binds_are_listeners_of_their_own() {
    let bind = |address| format!(", bind: {address}");
    let outcome = compiled(&gateway(
        "name: g",
        &[("HTTP", 80, "a.com", &bind("10.0.0.1")), ("HTTP", 80, "ab.com", &bind("10.0.0.2"))],
    ));
    assert_eq!(outcome.listeners(), ["10.0.0.1_80", "10.0.0.2_80"]);
    assert_eq!(outcome.tables(), ["http.80.10.0.0.1", "http.80.10.0.0.2"]);
    assert_eq!(outcome.warnings(), [""; 0]);
}

#[test]
fn case_19b_what_shares_a_port() {
    let families = |first, second| {
        let outcome = compiled(&format!(
            "{}{}{}",
            gateway("name: g", &[(first, 80, "a.com", ""), (second, 80, "ab.com", "")]),
            connections("name: v", "a.com", "g", &format!("tcp: [{}]", everything_to("p.com"))),
            service("p.com"),
        ));
        let servers = &outcome.0.inventory.servers;
        servers.iter().map(|server| server.state).collect::<Vec<_>>()
    };
    use ServerState::*;
    assert_eq!(families("HTTP", "HTTP"), [Listening(0), Listening(0)]);
    assert_eq!(families("HTTP", "GRPC"), [Listening(0), Listening(0)]);
    assert_eq!(families("TCP", "HTTP"), [Listening(0), Dropped]);
    assert_eq!(families("HTTP", "TCP"), [Listening(0), Dropped]);
    assert_eq!(families("TCP", "MONGO"), [Listening(0), Dropped]);
}

#[test]
fn case_20_https_and_http_on_different_binds() {
    let https = "{port: {number: 443, name: https-port, protocol: HTTPS}, hosts: ['*'], bind: 10.0.0.1, tls: {mode: SIMPLE, credentialName: c}}";
    let http = "{port: {number: 443, name: http-port, protocol: HTTP}, hosts: ['*'], bind: 10.0.0.2}";
    let one =
        object("Gateway", "name: foo-https, namespace: not-default", &format!("{{servers: [{https}]}}"));
    let two = object("Gateway", "name: foo-http, namespace: not-default", &format!("{{servers: [{http}]}}"));
    for files in [format!("{one}{two}"), format!("{two}{one}")] {
        let outcome = compiled(&files);
        let mut tables = outcome.tables();
        tables.sort_unstable();
        assert_eq!(tables, ["http.443.10.0.0.2", "https.443.https-port.foo-https.not-default.10.0.0.1"]);
        assert!(!outcome.has("port-conflict"));
    }
}

#[test]
fn plain_text_and_tls_on_one_port_conflict_in_both_orders() {
    let tls = ", tls: {mode: SIMPLE, credentialName: c}";
    let (http, https) = (("HTTP", 443, "a.com", ""), ("HTTPS", 443, "ab.com", tls));
    let http_first = compiled(&gateway("name: g", &[http, https]));
    assert_eq!(http_first.listeners(), ["0.0.0.0_443"]);
    assert!(http_first.has("port-conflict"));
    let https_first = compiled(&gateway("name: g", &[https, http]));
    assert_eq!(https_first.sni("ab.com"), "https https.443.https-443-6.g.default");
    assert_eq!(https_first.sni(""), "closed");
    assert!(https_first.has("port-conflict"));
}

#[test]
fn case_25_a_wildcard_without_virtual_service() {
    assert_eq!(compiled(&http_gateway("name: g", "'*'")).get("anything/at/all"), "404");
}

#[test]
fn hosts_intersect_as_in_section_3_2() {
    let virtual_hosts = |server: &str, service_host: &str| {
        let outcome = compiled(&format!(
            "{}{}{}",
            http_gateway("name: g", server),
            rules("name: v", service_host, "g", &everything_to("p.com")),
            service("p.com"),
        ));
        outcome.hosts(80)
    };
    assert_eq!(virtual_hosts("'*.example.com'", "a.example.com"), ["a.example.com 1"]);
    assert_eq!(virtual_hosts("a.example.com", "'*.example.com'"), ["a.example.com 1"]);
    assert_eq!(virtual_hosts("'*.example.com'", "'*.b.example.com'"), ["*.b.example.com 1"]);
    assert_eq!(virtual_hosts("'*'", "'*'"), ["* 1"]);
    assert_eq!(virtual_hosts("'*'", "a.com, '*.b.com'"), ["a.com 1", "*.b.com 1"]);
    assert_eq!(virtual_hosts("example.com", "'*.example.com'"), ["* 0"]);
    assert_eq!(virtual_hosts("'*.example.com'", "example.com"), ["* 0"]);
    assert_eq!(virtual_hosts("'*.a.com'", "'*.b.com'"), ["* 0"]);
}

#[test]
fn a_server_of_the_same_gateway_reuses_routes_and_ports() {
    // Both declared ports listen on 8080: what is bound to port 80 only exists through the first server.
    let options = Options { port_map: [(80, 8080)].into(), ..Options::default() };
    let yaml = format!(
        "{}{}{}{}",
        gateway("name: a", &[("HTTP", 80, "'*'", "")]),
        gateway("name: b", &[("HTTP", 8080, "'*'", "")]),
        rules(
            "name: v",
            "'*'",
            "a, b",
            &rule("{port: 80, uri: {prefix: /a}}, {port: 8080, uri: {prefix: /b}}", "p.com")
        ),
        service("p.com"),
    );
    let outcome = compiled_with(&options, &yaml);
    assert_eq!(outcome.tables(), ["http.8080"]);
    assert_eq!(outcome.hosts(8080), ["* 2"]);
}

#[test]
fn unix_sockets_are_listeners() {
    let server = "{port: {number: 0, name: http, protocol: HTTP}, hosts: ['*'], bind: 'unix:///run/s'}";
    let outcome = compiled(&object("Gateway", "name: g", &format!("{{servers: [{server}]}}")));
    assert_eq!(outcome.listeners(), ["unix:///run/s"]);
    assert_eq!(outcome.tables(), ["http.0.unix:///run/s"]);
}
