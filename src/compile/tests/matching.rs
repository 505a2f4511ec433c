//! Specification section 9.4, and the order of rules.

use super::*;

const P: &str = "outbound|80||p.com";
const Q: &str = "outbound|80||q.com";

/// A Gateway `g` for everything in `default`, services `p.com` and `q.com`, and these rules in one VirtualService.
fn with_rules(http: &str) -> Outcome {
    with_objects(&rules("name: v", "'*'", "g", http))
}

fn with_objects(objects: &str) -> Outcome {
    let yaml = format!("{}{}{}{objects}", http_gateway("name: g", "'*'"), service("p.com"), service("q.com"));
    compiled_with(&Options { labels: ingress().labels, ..Options::default() }, &yaml)
}

#[test]
fn case_55_a_rule_for_other_workloads_does_not_stop_generation() {
    let first = "{uri: {prefix: /}, sourceLabels: {app: other}}";
    let outcome = with_rules(&rule(&format!("{first}, {{uri: {{prefix: /a}}}}"), "p.com"));
    assert_eq!(outcome.get("x/b"), "404");
    assert_eq!(outcome.get("x/a"), P);
    let outcome = with_rules(&format!(
        "{}, {}",
        rule("{headers: {x: {exact: y}}, sourceLabels: {app: other}}", "q.com"),
        everything_to("p.com")
    ));
    assert_eq!(outcome.hosts(80), ["* 1"]);
}

#[test]
fn case_56_a_match_of_a_port_alone_is_a_catch_all_there() {
    let http = format!(
        "{}, {}, {}",
        rule("{port: 80}", "p.com"),
        rule("{headers: {x: {exact: y}}}", "q.com"),
        everything_to("q.com")
    );
    let outcome = with_rules(&http);
    assert_eq!(outcome.answer(80, &with_fields("x/", &[("x", "y")])), P);
    assert_eq!(outcome.hosts(80), ["* 1"]);
}

#[test]
fn case_58_pseudo_headers() {
    let outcome = with_rules(&rule("{headers: {':method': {exact: GET}}}", "p.com"));
    assert_eq!(outcome.get("x/"), P);
    let post = crate::http::RequestHead { method: b"POST".to_vec(), ..request("x/") };
    assert_eq!(outcome.answer(80, &post), "404");
}

#[test]
fn case_59_and_61_without_headers() {
    let without = |wanted: &str| {
        let first = format!(
            "{{match: [{{withoutHeaders: {{end-user: {wanted}}}}}], directResponse: {{status: 403}}}}"
        );
        with_rules(&format!("{first}, {}", everything_to("p.com")))
    };
    let jason = without("{exact: jason}");
    assert_eq!(jason.answer(80, &with_fields("x/", &[("end-user", "jason")])), P);
    assert_eq!(jason.answer(80, &with_fields("x/", &[("end-user", "other")])), "403");
    assert_eq!(jason.get("x/"), "403");
    let any = without("{regex: '.*'}");
    for fields in [&[("end-user", "v")][..], &[("end-user", "")], &[]] {
        assert_eq!(any.answer(80, &with_fields("x/", fields)), P);
    }
    let absent = without("{}");
    assert_eq!(absent.get("x/"), "403");
    assert_eq!(absent.answer(80, &with_fields("x/", &[("end-user", "")])), P);
}

#[test]
fn case_62_presence() {
    for wanted in ["{}", "{regex: '*'}"] {
        let outcome = with_rules(&rule(&format!("{{headers: {{x: {wanted}}}}}"), "p.com"));
        assert_eq!(outcome.get("a/"), "404");
        assert_eq!(outcome.answer(80, &with_fields("a/", &[("X", "")])), P);
        assert_eq!(outcome.answer(80, &with_fields("a/", &[("x", "v")])), P);
    }
    let outcome = with_rules(&rule("{queryParams: {q: {}}}", "p.com"));
    assert_eq!(outcome.get("a/?q"), P);
    assert_eq!(outcome.get("a/?r"), "404");
}

#[test]
fn case_64_scheme() {
    let outcome = with_rules(&rule("{scheme: {exact: https}}", "p.com"));
    assert_eq!(outcome.get("a/"), "404");
    assert_eq!(with_rules(&rule("{scheme: {exact: http}}", "p.com")).get("a/"), P);
}

#[test]
fn case_65_rules_for_other_workloads_are_not_there() {
    for other in ["sourceNamespace: elsewhere", "sourceLabels: {istio: other}"] {
        assert_eq!(with_rules(&rule(&format!("{{{other}}}"), "p.com")).hosts(80), ["* 0"]);
    }
    for own in ["sourceNamespace: default", "sourceLabels: {istio: ingressgateway}"] {
        assert_eq!(with_rules(&rule(&format!("{{{own}}}"), "p.com")).hosts(80), ["* 1"]);
    }
    // `gateways` is stronger than both.
    let both = "{gateways: [g], sourceNamespace: elsewhere, sourceLabels: {istio: other}}";
    assert_eq!(with_rules(&rule(both, "p.com")).hosts(80), ["* 1"]);
    assert_eq!(with_rules(&rule("{gateways: [mesh, other]}", "p.com")).hosts(80), ["* 0"]);
    assert_eq!(with_rules(&rule("{gateways: [default/g]}", "p.com")).hosts(80), ["* 1"]);
}

#[test]
fn labels_that_are_not_known_match_no_rule() {
    let yaml = format!(
        "{}{}{}",
        http_gateway("name: g", "'*'"),
        rules("name: v", "'*'", "g", &rule("{sourceLabels: {istio: ingressgateway}}", "p.com")),
        service("p.com")
    );
    let outcome = compiled(&yaml);
    assert_eq!(outcome.hosts(80), ["* 0"]);
    assert!(outcome.has("source-labels-unknown"));
}

#[test]
fn case_67_no_rule_of_the_longest_prefix() {
    let bound = |name: &str, path: &str, host: &str| {
        rules(&format!("name: {name}"), "'*'", "g", &rule(&format!("{{uri: {{prefix: {path}}}}}"), host))
    };
    let outcome = with_objects(&format!("{}{}", bound("b", "/a/b", "q.com"), bound("a", "/a", "p.com")));
    assert_eq!(outcome.get("x/a/b"), P);
    let shadowed = outcome.diagnostic("shadowed-rule");
    assert_eq!(shadowed.object.as_ref().unwrap().to_string(), "VirtualService default/b");
    assert_eq!(shadowed.field, "spec.http[0].match[0]");
    assert!(shadowed.message.contains("VirtualService default/a comes first"), "{}", shadowed.message);
}

#[test]
fn catch_alls_go_to_the_end() {
    // Appendix E: `zzz` wins for /x, because the catch-all of `web` moves to the end, but not for /api/x.
    let web = format!("{}, {}", rule("{uri: {prefix: /api}}", "p.com"), everything_to("p.com"));
    let zzz = rule("{uri: {prefix: /x}}, {uri: {prefix: /api/x}}", "q.com");
    let outcome = with_objects(&format!(
        "{}{}",
        rules("name: zzz", "www.example.com", "g", &zzz),
        rules("name: web", "www.example.com", "g", &web)
    ));
    assert_eq!(outcome.get("www.example.com/x"), Q);
    assert_eq!(outcome.get("www.example.com/api/x"), P);
    assert_eq!(outcome.get("www.example.com/other"), P);
    assert_eq!(outcome.diagnostic("shadowed-rule").field, "spec.http[0].match[1]");
}

#[test]
fn two_catch_alls_of_two_virtual_services() {
    let outcome = with_objects(&format!(
        "{}{}",
        rules("name: a", "'*'", "g", &everything_to("p.com")),
        rules("name: b", "'*'", "g", &everything_to("q.com"))
    ));
    assert_eq!(outcome.get("x/"), P);
    assert_eq!(outcome.diagnostic("shadowed-rule").field, "spec.http[0]");
}

#[test]
fn case_71_exported_to_another_namespace() {
    let service_of_app = |export: &str| {
        let yaml = format!(
            "{}{}{}",
            object(
                "Gateway",
                "name: g, namespace: istio-system",
                "{selector: {istio: ingressgateway}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]}"
            ),
            object(
                "VirtualService",
                "name: v, namespace: app",
                &format!(
                    "{{hosts: ['*'], gateways: [istio-system/g], exportTo: [{export}], http: [{{directResponse: {{status: 200}}}}]}}"
                )
            ),
            service("p.com"),
        );
        compiled_with(&ingress(), &yaml)
    };
    assert_eq!(service_of_app(".").get("x/"), "404");
    assert!(service_of_app(".").has("not-exported"));
    assert_eq!(service_of_app("istio-system").get("x/"), "200");
    assert_eq!(service_of_app("'*'").get("x/"), "200");
}

#[test]
fn case_73_for_the_mesh_only() {
    for gateways in ["", ", gateways: [mesh]"] {
        let outcome = with_objects(&object(
            "VirtualService",
            "name: v",
            &format!("{{hosts: [a.com]{gateways}, http: [{{directResponse: {{status: 200}}}}]}}"),
        ));
        assert_eq!(outcome.get("a.com/"), "404");
        assert_eq!(outcome.diagnostic("no-gateway").span.unwrap().line, 18);
    }
}

#[test]
fn case_74_claims_without_authentication_match_nobody() {
    for field in ["headers", "withoutHeaders"] {
        let claim = format!("{{{field}: {{'@request.auth.claims.group': {{exact: admin}}}}}}");
        let outcome = with_rules(&format!("{}, {}", rule(&claim, "q.com"), everything_to("p.com")));
        assert_eq!(outcome.get("x/"), P);
        assert_eq!(
            outcome.diagnostic("claim-without-authentication").severity,
            crate::config::Severity::Error
        );
    }
}

#[test]
fn private_virtual_services_come_first() {
    let bound = |name: &str, export: &str, status| {
        object(
            "VirtualService",
            &format!("name: {name}, namespace: default"),
            &format!(
                "{{hosts: ['*'], gateways: [g], exportTo: [{export}], http: [{{match: [{{uri: {{prefix: /a}}}}], directResponse: {{status: {status}}}}}]}}"
            ),
        )
    };
    let (public, private) = (bound("a", "'*'", 201), bound("z", ".", 202));
    assert_eq!(with_objects(&format!("{public}{private}")).get("x/a"), "202");
}

#[test]
fn names_of_routes() {
    let outcome = with_rules(
        "{name: r, match: [{name: m, uri: {prefix: /a}}, {uri: {prefix: /b}}], directResponse: {status: 200}}",
    );
    let routes = &outcome.table(80).unwrap().virtual_hosts[0].routes;
    assert_eq!(routes.iter().map(|r| &*r.name).collect::<Vec<_>>(), ["r.m", "r"]);
    let source = &routes[1].source;
    assert_eq!((&*source.object, source.line), ("VirtualService default/v", 19));
}

#[test]
fn a_regex_is_the_whole_path() {
    let outcome = with_rules(&rule("{uri: {regex: '/v[0-9]+/.*'}, ignoreUriCase: true}", "p.com"));
    assert_eq!(outcome.get("x/v12/y?z"), P);
    assert_eq!(outcome.get("x/V1/y"), "404");
    assert_eq!(outcome.get("x/y/v1/"), "404");
}
