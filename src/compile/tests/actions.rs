//! Specification section 9.5.

use super::*;
use crate::{
    http::Scheme,
    table::{Action, Forward, Lookup, PathRewrite, Route},
};

fn with_rule(http: &str) -> Outcome {
    let servers = &[("HTTP", 80, "'*'", ""), ("HTTP", 85, "'*'", "")];
    compiled(&format!(
        "{}{}{}",
        gateway("name: g", servers),
        rules("name: v", "'*'", "g", http),
        service("p.com")
    ))
}

fn first_route(outcome: &Outcome) -> &Route {
    &outcome.table(80).unwrap().virtual_hosts[0].routes[0]
}

fn forward(outcome: &Outcome) -> &Forward {
    match &first_route(outcome).action {
        Action::Forward(forward) => forward,
        other => panic!("{other:?}"),
    }
}

/// The path that a rule with a match and `rewrite` makes of a path.
fn rewritten(matches: &str, rewrite: &str, path: &str) -> String {
    let outcome = with_rule(&format!(
        "{{match: [{matches}], rewrite: {rewrite}, route: [{{destination: {{host: p.com}}}}]}}"
    ));
    let mut out = Vec::new();
    let rewrite: &PathRewrite = forward(&outcome).path_rewrite.as_ref().unwrap();
    rewrite.apply(path.as_bytes(), &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn case_76_redirect_with_port_and_scheme() {
    let outcome = with_rule("{redirect: {derivePort: FROM_REQUEST_PORT, scheme: https}}");
    assert_eq!(outcome.get("b/foo"), "301 https://b:80/foo");
}

#[test]
fn case_77_redirect_to_the_request_port() {
    let outcome = with_rule("{redirect: {derivePort: FROM_REQUEST_PORT}}");
    let at = |port, url| outcome.answer(port, &request(url));
    assert_eq!(at(80, "b/foo"), "301 http://b/foo");
    assert_eq!(at(80, "b:80/foo"), "301 http://b:80/foo");
    assert_eq!(at(85, "b/foo"), "301 http://b:85/foo");
    assert_eq!(at(85, "b:85/foo"), "301 http://b:85/foo");
}

#[test]
fn the_request_port_is_the_declared_one() {
    let options = Options { port_map: [(80, 8080)].into(), ..Options::default() };
    let yaml = format!(
        "{}{}",
        http_gateway("name: g", "'*'"),
        rules("name: v", "'*'", "g", "{redirect: {derivePort: FROM_REQUEST_PORT, scheme: https}}")
    );
    let outcome = compiled_with(&options, &yaml);
    assert_eq!(outcome.listeners(), ["0.0.0.0_8080"]);
    assert_eq!(outcome.answer(8080, &request("b/foo")), "301 https://b:80/foo");
}

#[test]
fn redirects() {
    let to = |redirect: &str| {
        with_rule(&format!("{{match: [{{uri: {{prefix: /a}}}}], redirect: {redirect}}}")).get("b:80/a/c?d")
    };
    assert_eq!(to("{uri: /x, redirectCode: 308}"), "308 http://b:80/x?d");
    assert_eq!(to("{prefixRewrite: /x}"), "301 http://b:80/x/c?d");
    assert_eq!(to("{authority: 'y:81'}"), "301 http://y:81/a/c?d");
    assert_eq!(to("{port: 8443, scheme: https}"), "301 https://b:8443/a/c?d");
}

#[test]
fn case_79_response_headers_go_with_a_redirect() {
    let outcome = with_rule("{redirect: {uri: /x, redirectCode: 308}, headers: {response: {set: {a: b}}}}");
    assert_eq!(outcome.get("b/"), "308 http://b/x");
    assert!(!first_route(&outcome).response_headers.is_empty());
}

#[test]
fn case_82_rewrite_of_a_prefix() {
    let prefix = |path| rewritten("{uri: {prefix: /p}}", "{uri: /replace-prefix}", path);
    assert_eq!(prefix("/p/x"), "/replace-prefix/x");
    assert_eq!(prefix("/px"), "/replace-prefixx");
    assert_eq!(rewritten("{uri: {prefix: /foo/}}", "{uri: /}", "/foo/x"), "/x");
    assert_eq!(rewritten("{uri: {exact: /foo}}", "{uri: /bar}", "/foo"), "/bar");
    assert_eq!(rewritten("{uri: {regex: '/f.*'}}", "{uri: /bar}", "/foo"), "/bar");
    // No match of the path is the prefix `/`.
    assert_eq!(rewritten("{method: {exact: GET}}", "{uri: /new}", "/x"), "/newx");
}

#[test]
fn case_83_rewrite_by_regex() {
    let rewrite = r"{uriRegexRewrite: {match: '^/service/([^/]+)(/.*)$', rewrite: '\2/instance/\1'}}";
    assert_eq!(rewritten("{uri: {prefix: /service/}}", rewrite, "/service/foo/v1"), "/v1/instance/foo");
}

#[test]
fn authorities() {
    let authority = |rule: &str| {
        let outcome = with_rule(rule);
        let forward = forward(&outcome);
        let text =
            |bytes: &Option<Box<[u8]>>| bytes.as_deref().map(|b| String::from_utf8_lossy(b).into_owned());
        (text(&forward.authority), text(&forward.destinations[0].authority))
    };
    let to = "destination: {host: p.com}";
    assert_eq!(
        authority(&format!("{{rewrite: {{authority: x}}, route: [{{{to}}}]}}")),
        (Some("x".to_owned()), None)
    );
    let host = "headers: {request: {set: {Host: y, a: b}}}";
    assert_eq!(authority(&format!("{{{host}, route: [{{{to}}}]}}")).0, Some("y".to_owned()));
    assert_eq!(authority(&format!("{{route: [{{{to}, {host}}}]}}")).1, Some("y".to_owned()));
}

#[test]
fn case_88_headers_at_both_levels() {
    let outcome = with_rule(
        "{headers: {request: {remove: [r], set: {s: '1'}, add: {a: '1'}}}, route: [{destination: {host: p.com}, headers: {request: {set: {s: '2'}}, response: {set: {t: '3'}}}}]}",
    );
    let route = first_route(&outcome);
    assert!(!route.request_headers.is_empty());
    assert!(route.response_headers.is_empty());
    let destination = &forward(&outcome).destinations[0];
    assert!(!destination.request_headers.is_empty() && !destination.response_headers.is_empty());
}

#[test]
fn case_89_direct_responses() {
    let outcome = with_rule(
        "{directResponse: {status: 404, body: {string: gone}}, headers: {response: {set: {a: b}}}}",
    );
    let Action::Direct(direct) = &first_route(&outcome).action else { panic!() };
    assert_eq!((direct.status, &*direct.body), (404, &b"gone"[..]));
    let outcome = with_rule("{directResponse: {status: 200, body: {bytes: AAEC}}}");
    let Action::Direct(direct) = &first_route(&outcome).action else { panic!() };
    assert_eq!(&*direct.body, [0, 1, 2]);
}

#[test]
fn weights() {
    let weights = |list: &[(u32, &str)]| {
        let list: Vec<_> =
            list.iter().map(|(w, host)| format!("{{destination: {{host: {host}}}, weight: {w}}}")).collect();
        let outcome = with_rule(&format!("{{route: [{}]}}", list.join(", ")));
        let forward = forward(&outcome);
        (forward.destinations.iter().map(|d| d.weight).collect::<Vec<_>>(), forward.total_weight)
    };
    assert_eq!(weights(&[(0, "p.com")]), (vec![1], 1));
    assert_eq!(weights(&[(90, "p.com"), (0, "p.com"), (20, "p.com")]), (vec![90, 20], 110));
}

#[test]
fn a_route_is_where_it_is_written() {
    let outcome = with_rule("{match: [{uri: {prefix: /a}}], directResponse: {status: 200}}");
    let table = outcome.table(80).unwrap();
    let Lookup::Route(host, route) = table.find(&request("x/a"), Scheme::Http) else { panic!() };
    assert_eq!(host.source.to_string(), "Gateway default/g (test.yaml:4:80)");
    assert_eq!(route.source.to_string(), "VirtualService default/v (test.yaml:9:53)");
    assert_eq!(outcome.0.snapshot.listeners[0].source.to_string(), "Gateway default/g (test.yaml:4:18)");
}
