//! Tests: what a rule asks of a request.

use super::{ROUTE, matcher, service};
use crate::compile::validate::testing::{object, problems};

const AT: &str = "match[0]";

#[test]
fn case_161_header_matches() {
    let null = format!("hosts: [a.com]\nhttp:\n- match: [{{headers: {{a: null}}}}]\n  {ROUTE}");
    let found = problems(&object("VirtualService", &null));
    assert_eq!(found, ["error null-value 7 spec.http[0].match[0].headers.a"]);
    matcher("headers: {a: {prefix: ''}}", &[&format!("error empty-value {AT}.headers.a.prefix")]);
    matcher("headers: {a: {regex: ''}}", &[&format!("error empty-value {AT}.headers.a.regex")]);
    matcher("withoutHeaders: {a: {regex: ''}}", &[&format!("error empty-value {AT}.withoutHeaders.a.regex")]);
    matcher("queryParams: {a: {regex: ''}}", &[&format!("error empty-value {AT}.queryParams.a.regex")]);
    matcher("uri: {regex: ''}", &[&format!("error empty-value {AT}.uri.regex")]);
    matcher("method: {prefix: ''}", &[&format!("error empty-value {AT}.method.prefix")]);
    matcher("uri: {prefix: ''}", &[]);
    matcher("headers: {a: {exact: ''}, b: {}, c: {regex: '*'}}", &[]);
    matcher("queryParams: {a: {exact: ''}, b: {}, c: {regex: '*'}}", &[]);
}

#[test]
fn case_158_claims_need_gateways() {
    let spec = |gateways: &str, field: &str, key: &str| {
        format!(
            "hosts: [a.com]\n{gateways}\nhttp:\n- match: [{{{field}: {{'{key}': {{exact: a}}}}}}]\n  \
             route: [{{destination: {{host: b}}}}]"
        )
    };
    let claim = "@request.auth.claims.group";
    let found =
        ["error claim-without-gateway 8 spec.http[0].match[0].headers[\"@request.auth.claims.group\"]"];
    service(&spec("", "headers", claim), &found);
    service(&spec("gateways: [g, mesh]", "headers", claim), &found);
    service(&spec("gateways: [g]", "headers", claim), &[]);
    service(&spec("gateways: [g]", "withoutHeaders", "@request.auth.claims[a][b]"), &[]);
    for bad in ["@request.auth.claims", "@request.auth.claims.", "@request.auth.claims[]", "@other"] {
        let found = format!("error bad-header-name 8 spec.http[0].match[0].headers[{bad:?}]");
        service(&spec("gateways: [g]", "headers", bad), &[&found]);
    }
}

#[test]
fn header_names() {
    for good in ["':method'", "':scheme'", "':authority'", "':path'", "X-a_b.c", "\"a!#$%&'*+\""] {
        matcher(&format!("headers: {{{good}: {{exact: a}}}}"), &[]);
    }
    for bad in ["a b", "a:b", ":status", "ä"] {
        let path = format!("error bad-header-name {AT}.headers[{bad:?}]");
        matcher(&format!("headers: {{'{bad}': {{exact: a}}}}"), &[&path]);
    }
    matcher("headers: {'': {exact: a}}", &[&format!("error bad-header-name {AT}.headers[\"\"]")]);
    matcher("queryParams: {'': {exact: a}}", &[&format!("error bad-name {AT}.queryParams[\"\"]")]);
}

#[test]
fn regular_expressions() {
    let bad = |field: &str| format!("error bad-regex {AT}.{field}.regex");
    matcher("uri: {regex: '/a(b)?[0-9]+'}", &[]);
    matcher("uri: {regex: '('}", &[&bad("uri")]);
    matcher("uri: {regex: '*'}", &[&bad("uri")]);
    matcher("uri: {regex: '(?=a)'}", &[&bad("uri")]);
    matcher("authority: {regex: 'a(?!b)'}", &[&bad("authority")]);
    matcher("headers: {a: {regex: '['}}", &[&bad("headers.a")]);
    matcher(&format!("uri: {{regex: '/{}'}}", "a".repeat(1023)), &[]);
    matcher(&format!("uri: {{regex: '/{}'}}", "a".repeat(1024)), &[&bad("uri")]);
}

#[test]
fn matches_without_conditions() {
    let empty = format!("warning empty-match {AT}");
    matcher("", &[&empty]);
    matcher("name: a, statPrefix: b", &[&empty]);
    matcher("uri: {}", &[&format!("{empty}.uri")]);
    matcher("method: {}", &[&format!("{empty}.method")]);
    matcher("port: 80", &[]);
}

#[test]
fn values_that_never_are() {
    let never = |field: &str| format!("warning never-matches {AT}.{field}");
    matcher("uri: {prefix: api}", &[&never("uri.prefix")]);
    matcher("uri: {exact: ''}", &[&never("uri.exact")]);
    matcher("uri: {exact: '/a?b=c'}", &[&never("uri.exact")]);
    matcher("uri: {prefix: '/a#b'}", &[&never("uri.prefix")]);
    matcher("uri: {exact: '*'}", &[]);
    matcher("method: {exact: get}", &[&never("method.exact")]);
    matcher("scheme: {exact: HTTPS}", &[&never("scheme.exact")]);
}

#[test]
fn case_of_paths() {
    let effect = format!("warning no-effect {AT}.ignoreUriCase");
    matcher("uri: {prefix: /a}, ignoreUriCase: true", &[]);
    matcher("uri: {regex: /a}, ignoreUriCase: true", &[&effect]);
    matcher("headers: {a: {}}, ignoreUriCase: true", &[&effect]);
    matcher("headers: {a: {}}, ignoreUriCase: false", &[]);
}

#[test]
fn ports_and_sources() {
    matcher("port: 0", &[&format!("error bad-port {AT}.port")]);
    matcher("port: 70000", &[&format!("error bad-port {AT}.port")]);
    matcher("sourceLabels: {app: web}, sourceNamespace: a", &[]);
    matcher("sourceLabels: {'a b': x}", &[&format!("error bad-label {AT}.sourceLabels[\"a b\"]")]);
    matcher("sourceLabels: {a: '*'}", &[&format!("error bad-label {AT}.sourceLabels.a")]);
    matcher("sourceNamespace: a.b", &[&format!("error bad-name {AT}.sourceNamespace")]);
    let effect = |field: &str| format!("warning no-effect {AT}.{field}");
    matcher(
        "gateways: [g], sourceLabels: {a: b}, sourceNamespace: c",
        &[&effect("sourceLabels"), &effect("sourceNamespace")],
    );
}

#[test]
fn gateways_of_matches() {
    matcher("gateways: [app/g]", &[]);
    matcher("gateways: [./g]", &[]);
    matcher("gateways: [other/g]", &[&format!("warning unlisted-gateway {AT}.gateways[0]")]);
    matcher("gateways: [mesh]", &[&format!("warning unlisted-gateway {AT}.gateways[0]")]);
    matcher(
        "gateways: [a/b/c]",
        &[
            &format!("error bad-gateway-name {AT}.gateways[0]"),
            &format!("warning unlisted-gateway {AT}.gateways[0]"),
        ],
    );
    service(&format!("hosts: [a.com]\nhttp:\n- match: [{{gateways: [mesh]}}]\n  {ROUTE}"), &[]);
    service(&format!("http:\n- match: [{{gateways: [a/b]}}]\n  {ROUTE}"), &[]);
}
