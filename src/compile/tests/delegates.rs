//! `delegate`: cases 68 to 70, and what istiod's TestMergeHttpRoutes and TestHasConflict ask.

use super::*;
use crate::table::{Action, Route};

const OF_A: &str = "{match: [{uri: {prefix: /x}}], delegate: {name: d, namespace: other}}";

/// A root `default/v` on all hosts with these rules, and a delegate `other/d` with those.
fn delegated(root: &str, delegate: &str) -> Outcome {
    delegated_with("name: d, namespace: other", root, &format!("{{http: [{delegate}]}}"))
}

fn delegated_with(metadata: &str, root: &str, spec: &str) -> Outcome {
    compiled(&format!(
        "{}{}{}{}{}",
        http_gateway("name: g", "'*'"),
        rules("name: v", "'*'", "g", root),
        object("VirtualService", metadata, spec),
        service("p.com"),
        service("q.com"),
    ))
}

/// What matches of a root and of its delegate come to: the matches of the routes, or the conflict.
fn matches(root: &str, own: &str) -> Result<Vec<String>, String> {
    let with = |matches: &str, rest: &str| match matches {
        "" => format!("{{{rest}}}"),
        _ => format!("{{match: [{matches}], {rest}}}"),
    };
    let root = with(root, "delegate: {name: d, namespace: other}");
    let outcome = delegated(&root, &with(own, "directResponse: {status: 200}"));
    match outcome.has("delegate-conflict") {
        true => {
            let message = &outcome.diagnostic("delegate-conflict").message;
            Err(message.rsplit_once(": ").unwrap().1.to_owned())
        }
        false => Ok(routes(&outcome).iter().map(|route| route.matcher.to_string()).collect()),
    }
}

fn routes(outcome: &Outcome) -> Vec<&Route> {
    let hosts = outcome.table(80).map_or(&[][..], |table| &table.virtual_hosts);
    hosts.iter().flat_map(|host| &host.routes).map(|route| &**route).collect()
}

#[test]
fn case_68_a_path_within_the_roots() {
    let outcome = delegated(OF_A, &rule("{uri: {prefix: /x/y}}", "p.com"));
    assert_eq!(outcome.warnings(), [""; 0]);
    assert_eq!(outcome.get("h/x/y"), "outbound|80||p.com");
    assert_eq!(outcome.get("h/x/z"), "404");
    assert_eq!(outcome.get("h/y"), "404");
}

#[test]
fn case_70_regular_expressions_conflict() {
    let text = "its `uri` is the prefix `/a`, and the root's is the regex `/a.*`";
    assert_eq!(matches("{uri: {regex: /a.*}}", "{uri: {prefix: /a}}"), Err(text.to_owned()));
    assert!(matches("{uri: {prefix: /a}}", "{uri: {regex: /a.*}}").is_err());
    assert!(matches("{uri: {regex: /a.*}}", "{uri: {regex: /a.*}}").is_err());
    // One side alone is no conflict.
    assert_eq!(matches("", "{uri: {regex: /a.*}}").unwrap().len(), 1);
    assert_eq!(matches("{method: {exact: GET}}", "{uri: {regex: /a.*}}").unwrap().len(), 1);
}

#[test]
fn a_root_without_matches_takes_everything() {
    // TestMergeHttpRoutes "root catch all".
    let outcome =
        delegated("{delegate: {name: d, namespace: other}}", &rule("{uri: {prefix: /x/y}}", "p.com"));
    assert_eq!(outcome.get("h/x/y"), "outbound|80||p.com");
    assert_eq!(outcome.get("h/x"), "404");
    // "delegate with empty match".
    let outcome = delegated(OF_A, &everything_to("p.com"));
    assert_eq!(outcome.get("h/x/y"), "outbound|80||p.com");
    assert_eq!(outcome.get("h/y"), "404");
}

#[test]
fn texts_are_within_texts() {
    let uri = |root: &str, own: &str| {
        matches(&format!("{{uri: {{{root}}}}}"), &format!("{{uri: {{{own}}}}}")).is_ok()
    };
    assert!(uri("exact: /a", "exact: /a"));
    assert!(!uri("exact: /a", "exact: /b"));
    assert!(!uri("exact: /a", "prefix: /a"));
    assert!(uri("prefix: /a", "exact: /a/b"));
    assert!(uri("prefix: /a", "prefix: /a"));
    assert!(!uri("prefix: /a/b", "prefix: /a"));
    assert!(!uri("prefix: /a", "exact: /b"));
    for name in ["scheme", "method", "authority"] {
        let of = |value: &str| format!("{{{name}: {{exact: {value}}}}}");
        assert!(matches(&of("a"), &of("a")).is_ok());
        assert!(matches(&of("a"), &of("b")).is_err());
    }
    for map in ["headers", "withoutHeaders", "queryParams"] {
        let of = |key: &str, value: &str| format!("{{{map}: {{{key}: {{{value}}}}}}}");
        assert!(matches(&of("x", "exact: a"), &of("x", "exact: b")).is_err(), "{map}");
        assert!(matches(&of("x", "prefix: a"), &of("x", "exact: ab")).is_ok(), "{map}");
        // Another key says nothing of this one.
        assert!(matches(&of("x", "exact: a"), &of("y", "exact: b")).is_ok(), "{map}");
        // Presence is wider than a value, not narrower.
        assert!(matches(&of("x", ""), &of("x", "exact: b")).is_ok(), "{map}");
        assert!(matches(&of("x", "prefix: a"), &of("x", "")).is_err(), "{map}");
    }
}

#[test]
fn the_rest_must_agree() {
    assert!(matches("{uri: {prefix: /a}, ignoreUriCase: true}", "{uri: {prefix: /a}}").is_err());
    assert!(matches("{uri: {prefix: /a}, ignoreUriCase: true}", "{ignoreUriCase: true}").is_ok());
    assert!(matches("{port: 80}", "{port: 81}").is_err());
    assert!(matches("{port: 80}", "{uri: {prefix: /a}}").is_ok());
    assert!(matches("{sourceNamespace: istio-system}", "{uri: {prefix: /a}}").is_err());
    assert!(matches("{sourceLabels: {a: b}}", "{sourceLabels: {a: c}}").is_err());
    assert!(matches("{gateways: [g]}", "{gateways: [default/g]}").is_ok());
    // The short name is that of a Gateway in the delegate's namespace.
    let text = "its `gateways` has `other/g`, which the root's has not";
    assert_eq!(matches("{gateways: [g]}", "{gateways: [g]}"), Err(text.to_owned()));
}

#[test]
fn a_delegate_does_not_shrink_what_the_root_excludes() {
    let root = "{uri: {prefix: /d}, withoutHeaders: {x-role: {prefix: guest}, x-blocked: {}}}";
    let own =
        "{uri: {prefix: /d/x}, withoutHeaders: {x-role: {exact: guest-1}, x-blocked: {exact: z}, x-own: {}}}";
    let outcome = delegated(
        &format!("{{match: [{root}], delegate: {{name: d, namespace: other}}}}"),
        &format!("{{match: [{own}], directResponse: {{status: 200}}}}"),
    );
    let asked = |fields: &[(&str, &str)]| {
        let mut request = request("h/d/x");
        fields.iter().for_each(|(name, value)| request.fields.push(name.as_bytes(), value.as_bytes()));
        outcome.answer(80, &request)
    };
    assert_eq!(asked(&[]), "200");
    assert_eq!(asked(&[("x-role", "admin")]), "200");
    for field in [("x-role", "guest"), ("x-role", "guest-1"), ("x-blocked", "1"), ("x-blocked", "z")] {
        assert_eq!(asked(&[field]), "404", "{field:?}");
    }
    // What it excludes itself is left out as well.
    assert_eq!(asked(&[("x-own", "1")]), "404");
}

#[test]
fn a_delegates_gateways_do_not_set_the_roots_source_aside() {
    let text = "its `gateways` would set the root's `sourceLabels` or `sourceNamespace` aside";
    for source in ["sourceLabels: {tier: internal}", "sourceNamespace: internal"] {
        let root = format!("{{uri: {{prefix: /d}}, {source}}}");
        let own = format!("{{uri: {{prefix: /d/x}}, gateways: [default/g], {source}}}");
        assert_eq!(matches(&root, &own), Err(text.to_owned()), "{source}");
    }
    let root = "{match: [{uri: {prefix: /d}, sourceLabels: {tier: internal}}], delegate: {name: d, namespace: other}}";
    let own = "{match: [{uri: {prefix: /d/x}, gateways: [default/g]}], directResponse: {status: 200}}";
    assert_eq!(delegated(root, own).get("h/d/x"), "404");
    // Where the root has `gateways` itself, its source is not looked at anyway.
    assert!(matches("{gateways: [g], sourceLabels: {a: b}}", "{gateways: [default/g]}").is_ok());
}

#[test]
fn every_pair_that_goes_together() {
    let root = "{uri: {prefix: /a}, headers: {h: {exact: '1'}}}, {uri: {prefix: /a}, method: {exact: POST}}";
    let own = "{uri: {prefix: /a/b}, headers: {i: {exact: '2'}}}, {uri: {exact: /a}}";
    let all = matches(root, own).unwrap();
    assert_eq!(all.len(), 4, "{all:?}");
    assert!(all[0].contains("/a/b") && all[0].contains("h ") && all[0].contains("i "), "{all:?}");
    assert!(all[1].contains("/a/b") && all[1].contains("POST"), "{all:?}");
    // One match that is within none of the root's takes the whole rule away.
    assert!(
        matches("{uri: {prefix: /a}}, {uri: {prefix: /b}}", "{uri: {prefix: /a}}, {uri: {prefix: /c}}")
            .is_err()
    );
    // Of a pair the narrower one counts.
    let one = matches("{headers: {h: {prefix: a}}}", "{headers: {h: {exact: ab}}}").unwrap();
    assert_eq!(one, ["uri prefix /, header h exact ab"]);
}

#[test]
fn what_the_delegate_does_not_say_is_the_roots() {
    let root = "{name: root, match: [{name: m, uri: {prefix: /x}}], rewrite: {uri: /r}, \
                headers: {response: {set: {a: b}}}, delegate: {name: d, namespace: other}}";
    let own = "{name: own, match: [{name: n, uri: {prefix: /x/y}}], route: [{destination: {host: p.com}}]}, \
               {headers: {request: {set: {c: d}}}, rewrite: {authority: q}, route: [{destination: {host: q.com}}]}";
    let outcome = delegated(root, own);
    let all = routes(&outcome);
    assert_eq!(all.iter().map(|route| &*route.name).collect::<Vec<_>>(), ["root-own.m-n", "root.m"]);
    let rewrites = |route: &Route| match &route.action {
        Action::Forward(forward) => (forward.path_rewrite.is_some(), forward.authority.is_some()),
        _ => panic!(),
    };
    // The path that is rewritten is what the delegate's match has taken.
    assert_eq!(rewrites(all[0]), (true, false));
    assert!(!all[0].response_headers.is_empty());
    // A block is taken whole.
    assert_eq!(rewrites(all[1]), (false, true));
    assert!(all[1].response_headers.is_empty() && !all[1].request_headers.is_empty());
}

#[test]
fn both_are_the_source() {
    let outcome = delegated(OF_A, &rule("{uri: {prefix: /x/y}}", "p.com"));
    let all = routes(&outcome);
    assert_eq!(&*all[0].source.object, "VirtualService other/d");
    assert_eq!(&*all[0].root.as_ref().unwrap().object, "VirtualService default/v");
    assert_eq!((all[0].source.line, all[0].root.as_ref().unwrap().line), (14, 9));
}

#[test]
fn names_are_those_of_who_writes_them() {
    let service_of = |namespace: &str| {
        object(
            "ServiceEntry",
            &format!("name: s, namespace: {namespace}"),
            &format!(
                "{{hosts: [s.{namespace}.svc.cluster.local], resolution: STATIC, ports: [{{number: 80, name: http, protocol: HTTP}}], endpoints: [{{address: 10.0.0.1}}]}}"
            ),
        )
    };
    let yaml = format!(
        "{}{}{}{}{}",
        http_gateway("name: g", "'*'"),
        rules("name: v", "'*'", "g", OF_A),
        object(
            "VirtualService",
            "name: d, namespace: other",
            &format!("{{http: [{}, {}]}}", rule("{uri: {prefix: /x/y}}", "s"), rule("{gateways: [g]}", "s"))
        ),
        service_of("other"),
        service_of("default"),
    );
    let outcome = compiled(&yaml);
    assert_eq!(outcome.get("h/x/y"), "outbound|80||s.other.svc.cluster.local");
    // Its `g` is `other/g`.
    assert_eq!(outcome.get("h/x/z"), "404");
}

#[test]
fn a_delegate_that_is_not_there_leaves_its_rule_alone() {
    let root =
        format!("{{match: [{{uri: {{prefix: /x}}}}], delegate: {{name: d}}}}, {}", everything_to("p.com"));
    let outcome = delegated(&root, &everything_to("q.com"));
    assert_eq!(outcome.get("h/x"), "outbound|80||p.com");
    let found = outcome.diagnostic("unknown-delegate");
    assert!(found.message.starts_with("there is no VirtualService `default/d` to delegate to"), "{found:?}");
    assert!(found.help.as_ref().unwrap().contains("other/d"), "{found:?}");
    assert_eq!(found.field, "spec.http[0].delegate");
    assert!(outcome.has("unused-delegate"));
}

#[test]
fn a_delegate_must_be_exported_to_its_roots_namespace() {
    let ask = |export: &str| {
        let spec = format!("{{{export}http: [{}]}}", everything_to("p.com"));
        let outcome = delegated_with("name: d, namespace: other", OF_A, &spec);
        (outcome.get("h/x"), outcome.has("delegate-not-exported"))
    };
    let is_used = |export: &str| ask(export) == ("outbound|80||p.com".to_owned(), false);
    assert!(is_used("") && is_used("exportTo: ['*'], ") && is_used("exportTo: [default], "));
    assert_eq!(ask("exportTo: [.], "), ("404".to_owned(), true));
    assert_eq!(ask("exportTo: [istio-system], "), ("404".to_owned(), true));
    // To its own namespace is enough for a root that lives there.
    let here = "{match: [{uri: {prefix: /x}}], delegate: {name: d}}";
    let spec = format!("{{exportTo: [.], http: [{}]}}", everything_to("p.com"));
    assert_eq!(delegated_with("name: d", here, &spec).get("h/x"), "outbound|80||p.com");
}

#[test]
fn a_virtual_service_with_hosts_is_no_delegate() {
    let spec = format!("{{hosts: [x.com], gateways: [default/g], http: [{}]}}", everything_to("p.com"));
    let outcome = delegated_with("name: d, namespace: other", OF_A, &spec);
    assert_eq!(outcome.get("h/x"), "404");
    assert!(outcome.diagnostic("no-delegate").message.contains("`other/d` has `hosts`"));
}

#[test]
fn case_163_a_delegate_is_not_delegated_any_further() {
    let outcome = delegated(OF_A, "{delegate: {name: e}}");
    assert!(outcome.has("nested-delegate"));
    assert_eq!(outcome.get("h/x"), "404");
    assert!(outcome.diagnostic("unknown-delegate").message.contains("left out because of its errors"));
}

#[test]
fn a_conflict_says_which_match_and_why() {
    let own = format!("{}, {}", rule("{uri: {prefix: /x/y}}", "p.com"), rule("{uri: {prefix: /y}}", "p.com"));
    let outcome = delegated(OF_A, &own);
    assert_eq!(routes(&outcome).len(), 1);
    let found = outcome.diagnostic("delegate-conflict");
    assert_eq!(found.object.as_ref().unwrap().to_string(), "VirtualService other/d");
    assert_eq!(found.field, "spec.http[1].match[0]");
    assert_eq!(found.span.unwrap().line, 14);
    assert_eq!(found.labels[0].span.line, 9);
    assert!(
        found.message.ends_with("its `uri` is the prefix `/y`, and the root's is the prefix `/x`"),
        "{found:?}"
    );
}

#[test]
fn several_roots_and_several_delegates() {
    let root = "{match: [{uri: {prefix: /x}}], delegate: {name: d, namespace: other}}, \
                {match: [{uri: {prefix: /y}}], delegate: {name: d, namespace: other}}";
    let own = format!("{}, {}", rule("{uri: {exact: /y}}", "p.com"), everything_to("q.com"));
    let outcome = delegated(root, &own);
    // The first is a conflict with the first root and not with the second.
    assert_eq!(outcome.get("h/x"), "outbound|80||q.com");
    assert_eq!(outcome.get("h/y"), "outbound|80||p.com");
    assert_eq!(outcome.get("h/y/z"), "outbound|80||q.com");
    assert!(outcome.diagnostic("delegate-conflict").message.contains("/x"));
}

#[test]
fn a_delegated_catch_all_ends_the_list() {
    let root =
        format!("{{delegate: {{name: d, namespace: other}}}}, {}", rule("{uri: {prefix: /a}}", "p.com"));
    let outcome = delegated(&root, &everything_to("q.com"));
    assert_eq!(outcome.get("h/a"), "outbound|80||q.com");
    assert_eq!(routes(&outcome).len(), 1);
}

#[test]
fn a_delegates_rule_behind_a_wider_one_is_told() {
    let root = format!("{}, {OF_A}", rule("{uri: {prefix: /x}}", "p.com"));
    let outcome = delegated(&root, &rule("{uri: {prefix: /x/y}}", "q.com"));
    assert_eq!(outcome.get("h/x/y"), "outbound|80||p.com");
    let found = outcome.diagnostic("shadowed-rule");
    assert_eq!(found.object.as_ref().unwrap().to_string(), "VirtualService other/d");
    assert_eq!(found.field, "spec.http[0].match[0]");
}

#[test]
fn an_inherited_field_is_the_roots_in_messages() {
    let root = "{match: [{uri: {prefix: /x}}], headers: {request: {set: {a: '%NO(%'}}}, delegate: {name: d, namespace: other}}";
    let yaml = format!(
        "{}{}{}{}",
        http_gateway("name: g", "'*'"),
        rules("name: v", "'*'", "g", root),
        object(
            "VirtualService",
            "name: d, namespace: other",
            &format!("{{http: [{}]}}", everything_to("p.com"))
        ),
        service("p.com"),
    );
    let outcome = compiled(&yaml);
    let found = outcome.diagnostic("bad-header-value");
    assert_eq!(found.object.as_ref().unwrap().to_string(), "VirtualService default/v");
    assert!(found.field.starts_with("spec.http[0].headers"), "{found:?}");
}

#[test]
fn the_product_of_matches_is_bounded() {
    let many = |count: usize| vec!["{uri: {prefix: /a}}"; count].join(", ");
    let root = format!("{{match: [{}], delegate: {{name: d, namespace: other}}}}", many(1_001));
    let outcome = delegated(&root, &format!("{{match: [{}], directResponse: {{status: 200}}}}", many(1_000)));
    assert!(outcome.has("too-many-routes"));
    assert_eq!(outcome.get("h/a"), "404");
}
