//! Names of upstreams: first answers, changes, failures.

use super::{
    dns::DnsServer,
    harness::{GATEWAY, Gateway, virtual_service},
    origin::{Origin, Request},
};
use std::{
    io::Write,
    net::{TcpListener, TcpStream},
};

/// Two origins with one port on two addresses, 127.0.0.2 and 127.0.0.3, which answer with their own name.
fn two_origins() -> (Origin, Origin, u16) {
    let says = |name: &'static str| {
        move |_: &Request, stream: &mut TcpStream| {
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{name}", name.len()).is_ok()
        }
    };
    loop {
        let first = TcpListener::bind(("127.0.0.2", 0)).unwrap();
        let port = first.local_addr().unwrap().port();
        // Somebody else may have the port there.
        if let Ok(second) = TcpListener::bind(("127.0.0.3", port)) {
            return (Origin::serve_on(first, says("first")), Origin::serve_on(second, says("second")), port);
        }
    }
}

fn dns_entry(host: &str, resolution: &str, port: u16, more: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: {}}}\nspec:\n  hosts: [{host}]\n  \
         location: MESH_EXTERNAL\n  ports: [{{number: 80, name: http, protocol: HTTP, targetPort: {port}}}]\n  \
         resolution: {resolution}\n{more}",
        host.replace('.', "-")
    )
}

fn start(dns: &DnsServer, entry: &str) -> Gateway {
    let resolver = dns.address().to_string();
    let route = virtual_service("  - route: [{destination: {host: origin.test, port: {number: 80}}}]");
    let yaml = format!("{GATEWAY}---\n{route}---\n{entry}");
    Gateway::start_with(&[80], &yaml, &["--resolver", &resolver, "--log-level", "debug"])
}

/// Asks until the answer is this one.
fn get_until(gateway: &Gateway, wanted: &str) {
    gateway.until(wanted, || gateway.get(80, "web.test", "/").text() == wanted);
}

#[test]
fn endpoints_follow_the_answers_of_dns() {
    let (_first, _second, port) = two_origins();
    let dns = DnsServer::start();
    dns.set("origin.test", &["127.0.0.2"], 1);
    let gateway = start(&dns, &dns_entry("origin.test", "DNS", port, ""));
    // It is not ready before the first answer.
    assert_eq!(gateway.get(80, "web.test", "/").text(), "first");
    dns.set("origin.test", &["127.0.0.3"], 1);
    gateway.said("`origin.test` is 127.0.0.3 for 1 s");
    get_until(&gateway, "second");
    let page = gateway.admin_page("/clusters");
    let clusters = page.text();
    assert!(clusters.contains(&format!("127.0.0.3:{port}")) && !clusters.contains("127.0.0.2"), "{clusters}");
    gateway.stop();
}

#[test]
fn the_last_good_answer_is_kept() {
    let (_first, _second, port) = two_origins();
    let dns = DnsServer::start();
    dns.set("origin.test", &["127.0.0.2"], 1);
    let gateway = start(&dns, &dns_entry("origin.test", "DNS", port, ""));
    dns.fail("origin.test");
    gateway.said("`origin.test` can't be resolved");
    assert_eq!(gateway.get(80, "web.test", "/").text(), "first");
    dns.set("origin.test", &["127.0.0.3"], 60);
    gateway.said("`origin.test` resolves again: 127.0.0.3");
    get_until(&gateway, "second");
    gateway.stop();
}

#[test]
fn a_name_without_an_answer_is_503_until_there_is_one() {
    let (_first, _second, port) = two_origins();
    let dns = DnsServer::start();
    let gateway = start(&dns, &dns_entry("origin.test", "DNS", port, ""));
    let answer = gateway.get(80, "web.test", "/");
    assert_eq!((answer.status, answer.text()), (503, "no healthy upstream"));
    dns.set("origin.test", &["127.0.0.3"], 60);
    gateway.said("`origin.test` resolves again");
    get_until(&gateway, "second");
    gateway.stop();
}

#[test]
fn a_name_that_nobody_answers_for_does_not_hold_up_the_start() {
    let dns = DnsServer::start();
    dns.ignore("origin.test");
    let gateway = start(&dns, &dns_entry("origin.test", "DNS", 80, ""));
    assert!(
        gateway.said_so_far().contains("1 name had no answer yet; going on without"),
        "{}",
        gateway.said_so_far()
    );
    assert_eq!(gateway.get(80, "web.test", "/").status, 503);
    gateway.stop();
}

#[test]
fn all_addresses_of_all_names_are_endpoints() {
    let (first, second, port) = two_origins();
    let dns = DnsServer::start();
    dns.set("a.test", &["127.0.0.2"], 60);
    dns.set("b.test", &["127.0.0.3"], 60);
    let endpoints = "  endpoints: [{address: a.test}, {address: b.test}]\n";
    let gateway = start(&dns, &dns_entry("origin.test", "DNS", port, endpoints));
    while first.connections() == 0 || second.connections() == 0 {
        assert_eq!(gateway.get(80, "web.test", "/").status, 200);
    }
    gateway.stop();
}

#[test]
fn round_robin_dns_uses_the_address_that_is_first() {
    let (_first, second, port) = two_origins();
    let dns = DnsServer::start();
    dns.set("origin.test", &["127.0.0.2", "127.0.0.3"], 1);
    let gateway = start(&dns, &dns_entry("origin.test", "DNS_ROUND_ROBIN", port, ""));
    for _ in 0..10 {
        assert_eq!(gateway.get(80, "web.test", "/").text(), "first");
    }
    assert_eq!(second.connections(), 0);
    dns.set("origin.test", &["127.0.0.3", "127.0.0.2"], 60);
    gateway.said("`origin.test` is 127.0.0.3, 127.0.0.2");
    get_until(&gateway, "second");
    gateway.stop();
}

#[test]
fn an_address_is_not_asked_for() {
    let (_first, _second, port) = two_origins();
    let dns = DnsServer::start();
    let endpoints = "  endpoints: [{address: 127.0.0.3}]\n";
    let gateway = start(&dns, &dns_entry("origin.test", "DNS", port, endpoints));
    assert_eq!(gateway.get(80, "web.test", "/").text(), "second");
    assert_eq!(dns.questions(), 0);
    gateway.stop();
}

#[test]
fn the_file_of_hosts_comes_before_dns() {
    let origin = Origin::named("local");
    let dns = DnsServer::start();
    let endpoints = "  endpoints: [{address: localhost}]\n";
    let gateway = start(&dns, &dns_entry("origin.test", "DNS", origin.port(), endpoints));
    assert!(gateway.get(80, "web.test", "/").text().starts_with("origin: local\n"));
    assert_eq!(dns.questions(), 0);
    gateway.stop();
}
