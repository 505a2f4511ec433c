//! Acceptance cases 55 to 73 of the specification: matching and order.

use super::{
    harness::{GATEWAY, Gateway, routed, service_entry},
    origin::Origin,
};

const TO_A: &str = "route: [{destination: {host: a.test}}]";
const TO_B: &str = "route: [{destination: {host: b.test}}]";
const TEAPOT: &str = "directResponse: {status: 418}";

/// A gateway on port 80 with these rules, and origins `a` and `b`.
fn with_rules(rules: &[String]) -> (Vec<Origin>, Gateway) {
    let origins = vec![Origin::named("a"), Origin::named("b")];
    let http: String = rules.iter().map(|rule| format!("  - {{{rule}}}\n")).collect();
    let ports: Vec<u16> = origins.iter().map(Origin::port).collect();
    (origins, Gateway::start(&[80], &routed(&http, &ports)))
}

fn rule(matches: &str, action: &str) -> String {
    format!("match: [{matches}], {action}")
}

fn answered(gateway: &Gateway, method: &str, path: &str, headers: &[(&str, &str)]) -> String {
    let answer = gateway.request(80, method, "any.example", path, headers);
    match answer.status {
        200 => answer.echoed("origin").unwrap_or("?").to_owned(),
        status => status.to_string(),
    }
}

#[test]
fn case_55_a_rule_for_other_workloads_neither_matches_nor_ends_the_list() {
    let (_origins, gateway) =
        with_rules(&[rule("{uri: {prefix: /}, sourceLabels: {app: other}}, {uri: {prefix: /a}}", TO_A)]);
    assert_eq!(answered(&gateway, "GET", "/b", &[]), "404");
    assert_eq!(answered(&gateway, "GET", "/a", &[]), "a");
    gateway.stop();
}

#[test]
fn case_56_a_rule_with_only_a_port_is_a_catch_all_on_that_port() {
    let (_origins, gateway) =
        with_rules(&[rule("{port: 80}", TO_A), rule("{headers: {x: {exact: y}}}", TO_B), TEAPOT.to_owned()]);
    assert_eq!(answered(&gateway, "GET", "/", &[("x", "y")]), "a");
    gateway.stop();
}

#[test]
fn case_58_pseudo_headers_are_matched_as_headers() {
    let (_origins, gateway) = with_rules(&[rule("{headers: {':method': {exact: GET}}}", TO_A)]);
    assert_eq!(answered(&gateway, "POST", "/", &[]), "404");
    assert_eq!(answered(&gateway, "GET", "/", &[]), "a");
    gateway.stop();
}

#[test]
fn case_59_without_headers_matches_a_request_without_the_header() {
    let (_origins, gateway) = with_rules(&[
        rule("{withoutHeaders: {end-user: {exact: jason}}}", "directResponse: {status: 403}"),
        TO_A.into(),
    ]);
    assert_eq!(answered(&gateway, "GET", "/", &[("end-user", "jason")]), "a");
    assert_eq!(answered(&gateway, "GET", "/", &[("end-user", "not-jason")]), "403");
    assert_eq!(answered(&gateway, "GET", "/", &[]), "403");
    gateway.stop();
}

#[test]
fn case_61_without_headers_with_a_regex_for_anything_never_matches() {
    let (_origins, gateway) = with_rules(&[
        rule("{withoutHeaders: {end-user: {regex: '.*'}}}", "directResponse: {status: 403}"),
        TO_A.into(),
    ]);
    for headers in [&[("end-user", "x")][..], &[("end-user", "")], &[]] {
        assert_eq!(answered(&gateway, "GET", "/", headers), "a");
    }
    gateway.stop();
}

#[test]
fn case_62_an_empty_match_means_presence() {
    let (_origins, gateway) = with_rules(&[rule("{headers: {x: {}}}", TO_A)]);
    assert_eq!(answered(&gateway, "GET", "/", &[]), "404");
    assert_eq!(answered(&gateway, "GET", "/", &[("X", "")]), "a");
    assert_eq!(answered(&gateway, "GET", "/", &[("X", "value")]), "a");
    gateway.stop();
}

#[test]
fn case_64_scheme_is_that_of_the_connection() {
    let (_origins, gateway) =
        with_rules(&[rule("{scheme: {exact: https}}", TO_A), rule("{scheme: {exact: http}}", TO_B)]);
    assert_eq!(answered(&gateway, "GET", "/", &[("x-forwarded-proto", "https")]), "b");
    gateway.stop();
}

#[test]
fn case_65_rules_for_other_sources_are_not_there() {
    let (_origins, gateway) = with_rules(&[
        rule("{sourceNamespace: elsewhere}", TEAPOT),
        rule("{sourceLabels: {app: other}}", TEAPOT),
        TO_A.into(),
    ]);
    assert_eq!(answered(&gateway, "GET", "/", &[]), "a");
    gateway.stop();
}

#[test]
fn case_67_an_older_shorter_prefix_wins() {
    let origins = [Origin::named("a"), Origin::named("b")];
    let service = |name: &str, year: u16, path: &str, host: &str| {
        format!(
            "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\n\
             metadata: {{name: {name}, creationTimestamp: '{year}-01-01T00:00:00Z'}}\n\
             spec:\n  hosts: [\"*\"]\n  gateways: [gw]\n  http:\n  \
             - {{match: [{{uri: {{prefix: {path}}}}}], route: [{{destination: {{host: {host}}}}}]}}\n"
        )
    };
    let yaml = GATEWAY.to_owned()
        + &service("new", 2020, "/a/b", "b.test")
        + &service("old", 2010, "/a", "a.test")
        + &service_entry("a.test", origins[0].port())
        + &service_entry("b.test", origins[1].port());
    let gateway = Gateway::start(&[80], &yaml);
    assert_eq!(answered(&gateway, "GET", "/a/b", &[]), "a");
    gateway.stop();
}

fn with_virtual_service(fields: &str) -> (Origin, Gateway) {
    let origin = Origin::named("a");
    let yaml = GATEWAY.to_owned()
        + &format!(
            "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: vs, namespace: app}}\n\
             spec: {{hosts: [a.example], {fields}, http: [{{route: [{{destination: {{host: a.test}}}}]}}]}}\n"
        )
        + &service_entry("a.test", origin.port());
    (origin, Gateway::start(&[80], &yaml))
}

#[test]
fn case_71_export_to_its_own_namespace_hides_it_from_the_gateway() {
    let (_origin, gateway) = with_virtual_service("gateways: [default/gw], exportTo: ['.']");
    assert_eq!(gateway.get(80, "a.example", "/").status, 404);
    gateway.stop();
    let (_origin, gateway) = with_virtual_service("gateways: [default/gw], exportTo: [default]");
    assert_eq!(gateway.get(80, "a.example", "/").status, 200);
    gateway.stop();
}

#[test]
fn case_73_without_gateways_it_is_for_the_mesh() {
    let (_origin, gateway) = with_virtual_service("exportTo: ['*']");
    assert_eq!(gateway.get(80, "a.example", "/").status, 404);
    gateway.stop();
}

#[test]
fn every_condition_of_a_match_holds_together_and_matches_are_alternatives() {
    let both = "{uri: {prefix: /api}, method: {exact: POST}, queryParams: {v: {regex: '[0-9]+'}}, authority: {prefix: any}}";
    let (_origins, gateway) = with_rules(&[
        rule(&format!("{both}, {{uri: {{regex: '/r/[a-z]+'}}}}"), TO_A),
        rule("{uri: {exact: /X}, ignoreUriCase: true}", TO_B),
    ]);
    assert_eq!(answered(&gateway, "POST", "/api/x?v=12", &[]), "a");
    assert_eq!(answered(&gateway, "POST", "/api/x?v=no", &[]), "404");
    assert_eq!(answered(&gateway, "GET", "/api/x?v=12", &[]), "404");
    assert_eq!(answered(&gateway, "GET", "/r/abc", &[]), "a");
    assert_eq!(answered(&gateway, "GET", "/r/abc/d", &[]), "404");
    assert_eq!(answered(&gateway, "GET", "/x", &[]), "b");
    gateway.stop();
}
