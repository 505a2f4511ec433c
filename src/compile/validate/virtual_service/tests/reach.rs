//! Tests: rules that nothing reaches.

use super::service;
use crate::compile::validate::testing::{diagnostics, object};

/// Rules with these matches, on lines 8 and so on.
fn spec(matches: &[&str]) -> String {
    let rules = matches.iter().map(|matches| match *matches {
        "" => "\n- {route: [{destination: {host: b}}]}".to_owned(),
        matches => format!("\n- {{match: [{matches}], route: [{{destination: {{host: b}}}}]}}"),
    });
    format!("hosts: [a.com]\ngateways: [g]\nhttp:{}", rules.collect::<String>())
}

#[track_caller]
fn rules(matches: &[&str], expected: &[&str]) {
    service(&spec(matches), expected);
}

/// The second of two rules is not reached.
#[track_caller]
fn hides(first: &str, second: &str) {
    rules(&[first, second], &["warning unreachable-rule 9 spec.http[1]"]);
}

#[track_caller]
fn hides_not(first: &str, second: &str) {
    rules(&[first, second], &[]);
}

#[test]
fn rules_without_matches() {
    rules(&["", ""], &["warning unreachable-rule 9 spec.http[1]"]);
    hides("", "{uri: {prefix: /a}}");
    rules(&["{uri: {prefix: /a}}", ""], &[]);
    let problem = &diagnostics(&object("VirtualService", &spec(&["", ""])))[0];
    assert_eq!(problem.labels[0].span.line, 8);
}

#[test]
fn catch_alls() {
    for all in ["{uri: {prefix: /}}", "{uri: {prefix: ''}}", "{uri: {regex: .*}}"] {
        hides(all, "{uri: {exact: /a}}");
        hides(all, "{uri: {regex: '/a[0-9]'}}");
        hides(all, "{headers: {a: {exact: b}}}");
        hides(all, "");
    }
    hides_not("{uri: {prefix: /}, headers: {a: {exact: b}}}", "");
    hides_not("{uri: {prefix: /}, withoutHeaders: {a: {exact: b}}}", "");
    hides_not("{uri: {prefix: /}, method: {exact: GET}}", "{uri: {exact: /a}}");
}

#[test]
fn case_56_catch_all_of_a_port() {
    let matches = ["{port: 8080}", "{port: 8080, headers: {a: {exact: b}}}", ""];
    rules(&matches, &["warning unreachable-rule 9 spec.http[1]"]);
    hides_not("{gateways: [g]}", "{uri: {prefix: /a}}");
    hides("{gateways: [g]}", "{uri: {prefix: /a}, gateways: [g]}");
    hides_not("{sourceLabels: {a: b}}", "{uri: {prefix: /a}}");
    hides("{sourceLabels: {a: b}}", "{sourceLabels: {a: b, c: d}}");
}

#[test]
fn paths() {
    hides("{uri: {prefix: /a}}", "{uri: {prefix: /a/b}}");
    hides("{uri: {prefix: /a}}", "{uri: {prefix: /ab}}");
    hides("{uri: {prefix: /a}}", "{uri: {exact: /a}}");
    hides("{uri: {exact: /a}}", "{uri: {exact: /a}}");
    hides("{uri: {regex: /a.}}", "{uri: {regex: /a.}}");
    hides_not("{uri: {prefix: /a/b}}", "{uri: {prefix: /a}}");
    hides_not("{uri: {exact: /a}}", "{uri: {prefix: /a}}");
    hides_not("{uri: {prefix: /a}}", "{uri: {regex: /a.}}");
    hides_not("{uri: {prefix: /a}}", "{uri: {prefix: /A/b}}");
}

#[test]
fn case_of_paths() {
    hides("{uri: {prefix: /A}, ignoreUriCase: true}", "{uri: {prefix: /a/b}}");
    hides("{uri: {prefix: /A}, ignoreUriCase: true}", "{uri: {exact: /aB}, ignoreUriCase: true}");
    hides_not("{uri: {prefix: /a}}", "{uri: {prefix: /a/b}, ignoreUriCase: true}");
}

#[test]
fn other_conditions() {
    hides("{headers: {a: {}}}", "{headers: {a: {exact: b}}}");
    hides("{headers: {a: {prefix: b}}}", "{headers: {a: {exact: bc}, d: {}}}");
    hides("{headers: {a: {exact: b}}}", "{headers: {a: {exact: b}}, name: other}");
    hides("{queryParams: {a: {regex: '*'}}}", "{queryParams: {a: {regex: b+}}}");
    hides("{withoutHeaders: {a: {}}}", "{withoutHeaders: {a: {}}, uri: {prefix: /b}}");
    hides("{method: {exact: GET}}", "{method: {exact: GET}, uri: {prefix: /b}}");
    hides_not("{headers: {a: {exact: b}}}", "{headers: {a: {}}}");
    hides_not("{headers: {a: {exact: b}}}", "{headers: {c: {exact: b}}}");
    hides_not("{withoutHeaders: {a: {}}}", "{withoutHeaders: {b: {}}}");
    hides_not("{method: {exact: GET}}", "{method: {exact: POST}}");
    hides_not("{authority: {exact: a.com}}", "{uri: {prefix: /a}}");
}

#[test]
fn single_matches() {
    rules(
        &["{uri: {prefix: /a}}", "{uri: {prefix: /a/b}}, {uri: {prefix: /c}}"],
        &["warning ineffective-match 9 spec.http[1].match[0]"],
    );
    rules(
        &["{uri: {prefix: /a}}, {uri: {exact: /a}}"],
        &["warning ineffective-match 8 spec.http[0].match[1]"],
    );
    rules(
        &["{uri: {prefix: /a}}, {uri: {prefix: /b}}", "{uri: {prefix: /a}}, {uri: {prefix: /b}}"],
        &["warning unreachable-rule 9 spec.http[1]"],
    );
}

#[test]
fn delegates_leave_the_rest() {
    let spec = "
hosts: [a.com]
gateways: [g]
http:
- {match: [{uri: {prefix: /a}}], delegate: {name: d}}
- {match: [{uri: {prefix: /a}}], route: [{destination: {host: b}}]}";
    service(spec, &[]);
}

#[test]
fn tls_and_tcp() {
    let tls = "
hosts: ['*']
gateways: [g]
tls:
- {match: [{sniHosts: ['*.a.com']}], route: [{destination: {host: b}}]}
- {match: [{sniHosts: [x.a.com, y.A.com]}], route: [{destination: {host: b}}]}
- {match: [{sniHosts: [a.com, x.a.com]}], route: [{destination: {host: b}}]}
- {match: [{sniHosts: [x.a.com], port: 443}, {sniHosts: [b.com]}], route: [{destination: {host: b}}]}";
    service(
        tls,
        &["warning unreachable-rule 9 spec.tls[1]", "warning ineffective-match 11 spec.tls[3].match[0]"],
    );
    let tcp = "
hosts: [a.com]
gateways: [g]
tcp:
- {match: [{port: 1}], route: [{destination: {host: b}}]}
- {match: [{port: 1}], route: [{destination: {host: b}}]}
- {route: [{destination: {host: b}}]}
- {match: [{port: 2}], route: [{destination: {host: b}}]}";
    service(tcp, &["warning unreachable-rule 9 spec.tcp[1]", "warning unreachable-rule 11 spec.tcp[3]"]);
}
