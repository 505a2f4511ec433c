//! Specification section 9.2.

use super::*;

const REDIRECT: &str = ", tls: {httpsRedirect: true}";

#[test]
fn case_26_without_virtual_service() {
    let outcome = compiled(&gateway("name: g", &[("HTTP", 80, "'*'", REDIRECT)]));
    assert_eq!(outcome.get("any.host/a"), "301");
    let named = compiled(&gateway("name: g", &[("HTTP", 80, "ns/a.com, '*.b.com'", REDIRECT)]));
    // The namespace is no part of the host.
    assert_eq!(named.get("a.com"), "301");
    assert_eq!(named.get("x.b.com"), "301");
    assert_eq!(named.get("b.com"), "404");
}

#[test]
fn case_27_with_virtual_service() {
    let outcome = compiled(&format!(
        "{}{}{}",
        gateway("name: g", &[("HTTP", 80, "'*'", REDIRECT)]),
        rules("name: v", "a.com", "g", &everything_to("p.com")),
        service("p.com"),
    ));
    assert_eq!(outcome.get("a.com"), "301");
    assert_eq!(outcome.get("b.com"), "301");
    assert_eq!(outcome.hosts(80), ["a.com 1", "* 0"]);
}

#[test]
fn case_28_for_the_host_not_for_the_server() {
    let secure = gateway("name: one", &[("HTTP", 80, "example.com", REDIRECT)]);
    let plain = gateway("name: two", &[("HTTP", 80, "example.com, other.com", "")]);
    let bound = rules("name: v", "example.com, other.com", "two", &everything_to("p.com"));
    for files in [format!("{secure}{plain}"), format!("{plain}{secure}")] {
        let outcome = compiled(&format!("{files}{bound}{}", service("p.com")));
        assert_eq!(outcome.get("example.com"), "301");
        assert_eq!(outcome.get("other.com"), "outbound|80||p.com");
        assert!(outcome.has("redirect-for-all"));
    }
}

#[test]
fn case_29_on_https_it_has_no_effect() {
    let tls = ", tls: {mode: SIMPLE, credentialName: c, httpsRedirect: true}";
    let yaml = gateway("name: g", &[("HTTPS", 443, "'*'", tls)]);
    let bound = rules("name: v", "'*'", "g", &everything_to("p.com"));
    let outcome = compiled(&format!("{yaml}{bound}{}", service("p.com")));
    assert_eq!(outcome.https("a.com", "a.com/"), "outbound|80||p.com");
    assert!(outcome.diagnostic("no-effect").field.ends_with("httpsRedirect"));
}

#[test]
fn also_when_the_virtual_service_is_for_another_port() {
    let outcome = compiled(&format!(
        "{}{}{}",
        gateway("name: g", &[("HTTP", 80, "'*'", REDIRECT)]),
        rules("name: v", "a.com", "g", &rule("{port: 443}", "p.com")),
        service("p.com"),
    ));
    assert_eq!(outcome.get("a.com"), "301");
}

#[test]
fn servers_with_a_redirect_have_no_host_in_common() {
    let outcome = compiled(&format!(
        "{}{}",
        gateway("name: one", &[("HTTP", 80, "a.com", REDIRECT)]),
        gateway("name: two", &[("HTTP", 80, "a.com, b.com", REDIRECT)]),
    ));
    assert_eq!(outcome.get("a.com"), "301");
    assert_eq!(outcome.get("b.com"), "404");
    assert_eq!(outcome.diagnostic("duplicate-host").object.as_ref().unwrap().name.as_ref(), "two");
    let apart = compiled(&format!(
        "{}{}",
        gateway("name: one", &[("HTTP", 80, "ns-1/*.com", REDIRECT)]),
        gateway("name: two", &[("HTTP", 80, "ns-2/*.com", REDIRECT)]),
    ));
    assert!(!apart.has("duplicate-host"));
}

#[test]
fn a_rule_may_redirect_instead_so_that_others_need_not() {
    // Section 8.8: the way to have exceptions.
    let exception = rule("{uri: {prefix: /.well-known/acme-challenge/}, port: 80}", "p.com");
    let outcome = compiled(&format!(
        "{}{}{}",
        http_gateway("name: g", "a.com"),
        rules(
            "name: v",
            "a.com",
            "g",
            &format!("{exception}, {{match: [{{port: 80}}], redirect: {{scheme: https}}}}")
        ),
        service("p.com"),
    ));
    assert_eq!(outcome.get("a.com/.well-known/acme-challenge/x"), "outbound|80||p.com");
    assert_eq!(outcome.get("a.com/x?y"), "301 https://a.com/x?y");
}
