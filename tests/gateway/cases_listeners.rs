//! Acceptance cases 1 to 32 of the specification: listeners, hosts, merging, `httpsRedirect`.

use super::{
    harness::{Gateway, service_entry},
    origin::Origin,
};
use std::net::TcpStream;

/// A Gateway with servers in YAML's flow style.
fn gateway(name: &str, servers: &[&str]) -> String {
    let servers: String = servers.iter().map(|server| format!("  - {{{server}}}\n")).collect();
    format!(
        "---\napiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {{{name}}}\nspec:\n  servers:\n{servers}"
    )
}

/// A VirtualService with rules in YAML's flow style.
fn virtual_service(meta: &str, hosts: &str, gateways: &str, http: &[&str]) -> String {
    let rules: String = http.iter().map(|rule| format!("  - {{{rule}}}\n")).collect();
    format!(
        "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{{meta}}}\n\
         spec:\n  hosts: [{hosts}]\n  gateways: [{gateways}]\n  http:\n{rules}"
    )
}

fn http(port: u16, hosts: &str) -> String {
    format!("port: {{number: {port}, name: http-{port}, protocol: HTTP}}, bind: 127.0.0.1, hosts: [{hosts}]")
}

fn to(host: &str) -> String {
    format!("route: [{{destination: {{host: {host}}}}}]")
}

fn origins(names: &[&str]) -> (Vec<Origin>, String) {
    let origins: Vec<Origin> = names.iter().map(|name| Origin::named(name)).collect();
    let entries =
        names.iter().zip(&origins).map(|(name, o)| service_entry(&format!("{name}.test"), o.port()));
    let entries = entries.collect();
    (origins, entries)
}

/// The origin that answered, or the status.
fn answered(gateway: &Gateway, port: u16, host: &str, path: &str) -> String {
    let answer = gateway.get(port, host, path);
    match answer.status {
        200 => answer.echoed("origin").unwrap_or("?").to_owned(),
        status => status.to_string(),
    }
}

#[test]
fn case_1_no_virtual_service_is_404() {
    let gateway = Gateway::start(&[80], &gateway("name: gw", &[&http(80, "foo.bar")]));
    let answer = gateway.get(80, "foo.bar", "/");
    assert_eq!((answer.status, answer.text()), (404, ""));
    assert!(gateway.log_line().contains(" 404 NR route_not_found "));
    gateway.stop();
}

#[test]
fn case_2_an_undeclared_port_is_refused() {
    let gateway = Gateway::start(&[80, 81], &gateway("name: gw", &[&http(80, "foo.bar")]));
    assert!(TcpStream::connect(("127.0.0.1", gateway.port(81))).is_err());
    gateway.stop();
}

#[test]
fn cases_4_and_5_a_wildcard_virtual_service_is_narrowed_to_the_gateways_host() {
    let (_origins, entries) = origins(&["p"]);
    let rule = format!("match: [{{uri: {{exact: /productpage}}}}], {}", to("p.test"));
    let yaml = gateway("name: gw", &[&http(80, "foo.bar")])
        + &virtual_service("name: vs", "'*'", "gw", &[&rule])
        + &entries;
    let gateway = Gateway::start(&[80], &yaml);
    assert_eq!(answered(&gateway, 80, "bad.bar", "/productpage"), "404");
    assert_eq!(answered(&gateway, 80, "foo.bar", "/productpage"), "p");
    assert_eq!(answered(&gateway, 80, "FOO.bar:8080", "/productpage"), "p");
    gateway.stop();
}

#[test]
fn case_7_virtual_services_that_share_hosts_become_one_virtual_host_each() {
    let (_origins, entries) = origins(&["x", "f", "b"]);
    let prefix = |path: &str, host: &str| format!("match: [{{uri: {{prefix: {path}}}}}], {}", to(host));
    let created =
        |name: &str, year: u16| format!("name: {name}, creationTimestamp: '{year}-01-01T00:00:00Z'");
    let shared: Vec<String> = ["/1", "/2", "/3"].iter().map(|path| prefix(path, "x.test")).collect();
    let shared: Vec<&str> = shared.iter().map(String::as_str).collect();
    let yaml = gateway("name: gw", &[&http(80, "foo.example.com, bar.example.com")])
        + &virtual_service(&created("z", 2010), "foo.example.com, bar.example.com", "gw", &shared)
        + &virtual_service(&created("y", 2015), "foo.example.com", "gw", &[&prefix("/foo", "f.test")])
        + &virtual_service(&created("x", 2020), "bar.example.com", "gw", &[&prefix("/bar", "b.test")])
        + &entries;
    let gateway = Gateway::start(&[80], &yaml);
    for (host, path, expected) in [
        ("foo.example.com", "/1", "x"),
        ("foo.example.com", "/foo", "f"),
        ("bar.example.com", "/bar", "b"),
        ("bar.example.com", "/foo", "404"),
    ] {
        assert_eq!(answered(&gateway, 80, host, path), expected, "{host}{path}");
    }
    gateway.stop();
}

#[test]
fn case_8_a_namespace_prefix_decides_which_virtual_services_bind() {
    let (_origins, entries) = origins(&["one", "two"]);
    let yaml = gateway("name: alpha, namespace: infra", &[&http(80, "ns-1/*.example.com")])
        + &gateway("name: beta, namespace: infra", &[&http(80, "ns-2/*.example.com")])
        + &virtual_service(
            "name: vs, namespace: ns-1",
            "ns-1.example.com",
            "infra/alpha",
            &[&to("one.test")],
        )
        + &virtual_service("name: vs, namespace: ns-2", "ns-2.example.com", "infra/beta", &[&to("two.test")])
        + &virtual_service(
            "name: stray, namespace: ns-3",
            "ns-3.example.com",
            "infra/alpha",
            &[&to("two.test")],
        )
        + &entries;
    let gateway = Gateway::start(&[80], &yaml);
    assert_eq!(answered(&gateway, 80, "ns-1.example.com", "/"), "one");
    assert_eq!(answered(&gateway, 80, "ns-2.example.com", "/"), "two");
    assert_eq!(answered(&gateway, 80, "ns-3.example.com", "/"), "404");
    gateway.stop();
}

#[test]
fn cases_10_and_19b_http_first_wins_over_tcp_on_one_port() {
    let (_origins, entries) = origins(&["p"]);
    let tcp = "port: {number: 80, name: tcp, protocol: TCP}, bind: 127.0.0.1, hosts: ['*']";
    let yaml = gateway("name: alpha", &[&http(80, "'*'")])
        + &gateway("name: beta", &[tcp])
        + &virtual_service("name: vs", "'*'", "alpha", &[&to("p.test")])
        + &entries;
    let gateway = Gateway::start(&[80], &yaml);
    assert_eq!(answered(&gateway, 80, "a", "/"), "p");
    gateway.stop();
}

#[test]
fn case_16_hosts_that_differ_only_in_letter_case_are_one_virtual_host() {
    let (_origins, entries) = origins(&["a", "b"]);
    let prefix = |path: &str, host: &str| format!("match: [{{uri: {{prefix: {path}}}}}], {}", to(host));
    let yaml = gateway("name: one", &[&http(80, "example.org")])
        + &gateway("name: two", &[&http(80, "Example.Org")])
        + &virtual_service("name: one", "example.org", "one", &[&prefix("/a", "a.test")])
        + &virtual_service("name: two", "Example.Org", "two", &[&prefix("/b", "b.test")])
        + &entries;
    let gateway = Gateway::start(&[80], &yaml);
    assert_eq!(answered(&gateway, 80, "example.org", "/a"), "a");
    assert_eq!(answered(&gateway, 80, "EXAMPLE.ORG", "/b"), "b");
    gateway.stop();
}

#[test]
fn case_17_an_exact_and_a_wildcard_virtual_service_merge_on_an_exact_host() {
    let (_origins, entries) = origins(&["a", "b"]);
    let prefix = |path: &str, host: &str| format!("match: [{{uri: {{prefix: {path}}}}}], {}", to(host));
    let yaml = gateway("name: gw", &[&http(80, "example.org")])
        + &virtual_service("name: one", "example.org", "gw", &[&prefix("/a", "a.test")])
        // `*.org` covers it as a wildcard covers what is below it.
        + &virtual_service("name: two", "'*.org'", "gw", &[&prefix("/b", "b.test")])
        + &entries;
    let gateway = Gateway::start(&[80], &yaml);
    assert_eq!(answered(&gateway, 80, "example.org", "/a"), "a");
    assert_eq!(answered(&gateway, 80, "example.org", "/b"), "b");
    gateway.stop();
}

#[test]
fn case_19_servers_with_different_binds_are_listeners_of_their_own() {
    let (_origins, entries) = origins(&["a", "b"]);
    let other = "port: {number: 80, name: other, protocol: HTTP}, bind: 127.0.0.2, hosts: [b.example]";
    let yaml = gateway("name: gw", &[&http(80, "a.example"), other])
        + &virtual_service("name: a", "a.example", "gw", &[&to("a.test")])
        + &virtual_service("name: b", "b.example", "gw", &[&to("b.test")])
        + &entries;
    let gateway = Gateway::start(&[80], &yaml);
    assert_eq!(answered(&gateway, 80, "a.example", "/"), "a");
    assert_eq!(answered(&gateway, 80, "b.example", "/"), "404");
    assert!(TcpStream::connect(("127.0.0.2", gateway.port(80))).is_ok());
    gateway.stop();
}

#[test]
fn case_19b_http_servers_of_one_port_share_a_listener() {
    let (_origins, entries) = origins(&["a", "b"]);
    let yaml = gateway("name: one", &[&http(80, "a.example")])
        + &gateway("name: two", &[&http(80, "b.example")])
        + &virtual_service("name: a", "a.example", "one", &[&to("a.test")])
        + &virtual_service("name: b", "b.example", "two", &[&to("b.test")])
        + &entries;
    let gateway = Gateway::start(&[80], &yaml);
    assert_eq!(answered(&gateway, 80, "a.example", "/"), "a");
    assert_eq!(answered(&gateway, 80, "b.example", "/"), "b");
    gateway.stop();
}

#[test]
fn case_25_any_host_without_a_virtual_service_is_404() {
    let gateway = Gateway::start(&[80], &gateway("name: gw", &[&http(80, "'*'")]));
    assert_eq!(answered(&gateway, 80, "anything.example", "/x"), "404");
    gateway.stop();
}

#[test]
fn case_26_https_redirect_needs_no_virtual_service() {
    let server = http(80, "'*'") + ", tls: {httpsRedirect: true}";
    let gateway = Gateway::start(&[80], &gateway("name: gw", &[&server]));
    let answer = gateway.request(80, "POST", "example.com:8080", "/a/b?c=d", &[]);
    assert_eq!((answer.status, answer.field("location")), (301, Some("https://example.com:8080/a/b?c=d")));
    gateway.stop();
}

#[test]
fn case_28_https_redirect_of_one_server_holds_for_its_host_on_all() {
    let (_origins, entries) = origins(&["a"]);
    let redirecting = http(80, "example.com") + ", tls: {httpsRedirect: true}";
    let yaml = gateway("name: one", &[&redirecting])
        + &gateway("name: two", &[&http(80, "example.com, other.com")])
        + &virtual_service("name: vs", "example.com, other.com", "two", &[&to("a.test")])
        + &entries;
    let gateway = Gateway::start(&[80], &yaml);
    assert_eq!(answered(&gateway, 80, "example.com", "/"), "301");
    assert_eq!(answered(&gateway, 80, "other.com", "/"), "a");
    gateway.stop();
}

fn redirecting_with_hops(hops: u8) -> (Vec<Origin>, Gateway) {
    let (origins, entries) = origins(&["a"]);
    let server = http(80, "'*'") + ", tls: {httpsRedirect: true}";
    let operator = format!(
        "---\napiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\nmetadata: {{name: op}}\nspec:\n  \
         meshConfig: {{defaultConfig: {{gatewayTopology: {{numTrustedProxies: {hops}}}}}}}\n"
    );
    let yaml = gateway("name: gw", &[&server])
        + &virtual_service("name: vs", "'*'", "gw", &[&to("a.test")])
        + &entries;
    (origins, Gateway::start(&[80], &(yaml + &operator)))
}

#[test]
fn case_31_a_trusted_proxy_in_front_may_say_https() {
    let (_origins, gateway) = redirecting_with_hops(1);
    let answer = gateway.request(80, "GET", "a", "/", &[("X-Forwarded-Proto", "https")]);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.echoed("x-forwarded-proto"), Some("https"));
    gateway.stop();
}

#[test]
fn case_32_a_client_may_not_say_https() {
    let (_origins, gateway) = redirecting_with_hops(0);
    assert_eq!(gateway.request(80, "GET", "a", "/", &[("X-Forwarded-Proto", "https")]).status, 301);
    gateway.stop();
}
