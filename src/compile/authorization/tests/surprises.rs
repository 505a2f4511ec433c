//! What is said about policies that do not do what they seem to.

use super::*;
use crate::config::Severity;

/// Code and severity of what is said about policies of a gateway that listens for HTTP on 80 and TCP on 9000.
fn said(policies: &str) -> Vec<String> {
    let yaml =
        gateway("name: g, namespace: istio-system", &[("HTTP", 80, "'*'", ""), ("TCP", 9000, "'*'", "")])
            + &connections(
                "name: v, namespace: istio-system",
                "'*'",
                "g",
                "tcp: [{route: [{destination: {host: a.com}}]}]",
            )
            + &service("a.com")
            + policies;
    let outcome = compiled_with(&Options { port_map: [(80, 8080)].into(), ..ingress() }, &yaml);
    let about = |d: &&crate::config::Diagnostic| {
        d.object.as_ref().is_some_and(|object| &*object.kind == "AuthorizationPolicy")
    };
    let line = |d: &crate::config::Diagnostic| {
        let level = if d.severity == Severity::Note { "note " } else { "" };
        format!("{level}{} {}", d.code, d.field)
    };
    outcome.0.diagnostics.iter().filter(about).map(line).collect()
}

#[test]
fn denials_by_mistake() {
    assert_eq!(said(&policy("p", "")), ["note denies-everything spec.rules"]);
    assert_eq!(said(&policy("p", "action: AUDIT")), ["policy-without-effect spec.rules"]);
    assert_eq!(said(&deny("{to: [{operation: {paths: [/a]}}]}")), ["denies-tcp spec.rules[0]"]);
    for fine in [
        deny("{to: [{operation: {paths: [/a], ports: ['8080']}}]}"),
        deny("{from: [{source: {ipBlocks: [10.0.0.0/8]}}], to: [{operation: {paths: [/a]}}]}"),
        deny("{}"),
        allow("{to: [{operation: {paths: [/a]}}]}"),
    ] {
        assert_eq!(said(&fine), [""; 0], "{fine}");
    }
}

#[test]
fn values_that_nothing_has() {
    for (field, value) in [
        ("paths", "a"),
        ("paths", "/a?b"),
        ("paths", "/a#b"),
        ("paths", "/a/../b"),
        ("paths", "/%61"),
        ("paths", "/a/*/b"),
        ("hosts", "https://a.com"),
        ("hosts", "a.com."),
        ("hosts", "a.*.com"),
        ("methods", "get"),
        ("ports", "80"),
        ("ports", "443"),
    ] {
        let yaml = allow(&format!("{{to: [{{operation: {{{field}: ['{value}']}}}}]}}"));
        let expected = format!("never-matches spec.rules[0].to[0].operation.{field}[0]");
        assert_eq!(said(&yaml), [expected], "{field} {value}");
    }
    for (field, value) in [
        ("paths", "*"),
        ("paths", "/a//b*"),
        ("paths", "*/../b"),
        ("paths", "/a/{*}/b"),
        ("hosts", "a.com:*"),
        ("hosts", "*"),
        ("methods", "*"),
        ("ports", "8080"),
        ("ports", "9000"),
    ] {
        let yaml = allow(&format!("{{to: [{{operation: {{{field}: ['{value}']}}}}]}}"));
        assert_eq!(said(&yaml), [""; 0], "{field} {value}");
    }
    let yaml = allow("{when: [{key: 'request.headers[x-envoy-retry-on]', values: ['5xx']}]}");
    assert_eq!(said(&yaml), ["never-matches spec.rules[0].when[0].values[0]"]);
}

#[test]
fn facts_that_nothing_tells() {
    for source in ["principals", "notNamespaces", "serviceAccounts", "requestPrincipals"] {
        let yaml = allow(&format!("{{from: [{{source: {{{source}: [a]}}}}]}}"));
        assert_eq!(said(&yaml), [format!("never-matches spec.rules[0].from[0].source.{source}")]);
    }
    let tokens = "apiVersion: security.istio.io/v1\nkind: RequestAuthentication\nmetadata: {name: r, namespace: istio-system}\nspec: {jwtRules: [{issuer: i, jwks: '{\"keys\": []}'}]}\n---\n";
    let yaml = allow("{from: [{source: {requestPrincipals: ['*']}}]}");
    assert_eq!(said(&(tokens.to_owned() + &yaml)), [""; 0]);
    assert_eq!(
        said(&(tokens.to_owned() + &allow("{from: [{source: {requestPrincipals: ['https://i*']}}]}"))),
        ["never-matches spec.rules[0].from[0].source.requestPrincipals[0]"]
    );
}
