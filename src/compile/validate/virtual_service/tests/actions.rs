//! Tests: redirect, direct response, rewrite.

use super::{ROUTE, rule, service};
use base64_of_zeros as zeros;

/// Base64 of so many zero bytes, a multiple of 3.
fn base64_of_zeros(bytes: usize) -> String {
    "AAAA".repeat(bytes / 3)
}

#[track_caller]
fn redirect(redirect: &str, expected: &[&str]) {
    rule(&format!("redirect: {{{redirect}}}"), expected);
}

#[track_caller]
fn rewrite(rewrite: &str, expected: &[&str]) {
    rule(&format!("{ROUTE}, rewrite: {{{rewrite}}}"), expected);
}

#[test]
fn case_80_redirect_codes() {
    for code in [301, 302, 303, 307, 308] {
        redirect(&format!("uri: /, redirectCode: {code}"), &[]);
    }
    for code in [0, 200, 300, 304, 317, 399, 400] {
        redirect(&format!("uri: /, redirectCode: {code}"), &["error bad-status redirect.redirectCode"]);
    }
}

#[test]
fn redirects() {
    for good in
        ["uri: /a", "authority: 'a.com:8080'", "scheme: https", "port: 1", "derivePort: FROM_REQUEST_PORT"]
    {
        redirect(good, &[]);
    }
    redirect("", &["error missing-field redirect"]);
    redirect("redirectCode: 302", &["error missing-field redirect"]);
    redirect("uri: ''", &["error missing-field redirect"]);
    redirect("scheme: ftp", &["error bad-scheme redirect.scheme"]);
    redirect("port: 0", &["error bad-port redirect.port"]);
    redirect("port: 65536", &["error bad-port redirect.port"]);
    redirect("authority: 'a.com/b'", &["error bad-authority redirect.authority"]);
    redirect("authority: \"a.com\\r\\nx: y\"", &["error bad-authority redirect.authority"]);
}

#[test]
fn prefix_redirects() {
    redirect("uri: /, prefixRewrite: /b", &["error conflicting-fields redirect.prefixRewrite"]);
    let with =
        |uri: &str| format!("match: [{{uri: {{prefix: /a}}}}, {{{uri}}}], redirect: {{prefixRewrite: /b}}");
    rule(&with("uri: {prefix: /c}"), &[]);
    rule(&with("method: {exact: GET}"), &[]);
    rule(&with("uri: {exact: /c}"), &["error prefix-without-match redirect.prefixRewrite"]);
    rule(&with("uri: {regex: /c.}"), &["error prefix-without-match redirect.prefixRewrite"]);
}

#[test]
fn case_166_direct_responses() {
    rule("directResponse: {status: 200}", &[]);
    for status in [0, 100, 199, 600] {
        let found = "error bad-status directResponse.status";
        rule(&format!("directResponse: {{status: {status}}}"), &[found]);
    }
    rule("directResponse: {}", &["error missing-field directResponse.status"]);
    let text = |length: usize| {
        format!("directResponse: {{status: 200, body: {{string: '{}'}}}}", "a".repeat(length))
    };
    rule(&text(100 << 10), &[]);
    rule(&text((100 << 10) + 1), &["warning large-body directResponse.body"]);
    rule(&text(1 << 20), &["warning large-body directResponse.body"]);
    rule(&text((1 << 20) + 1), &["error body-too-large directResponse.body"]);
    let bytes = format!("directResponse: {{status: 200, body: {{bytes: {}}}}}", zeros(102_402));
    rule(&bytes, &["warning large-body directResponse.body"]);
    rule("directResponse: {status: 204, body: {string: a}}", &["warning no-effect directResponse.status"]);
}

#[test]
fn rewrites() {
    for good in ["uri: /a", "authority: a.com", "uriRegexRewrite: {match: 'a(b)', rewrite: '\\1'}"] {
        rewrite(good, &[]);
    }
    rewrite("", &["error missing-field rewrite"]);
    rewrite("uri: ''", &["error missing-field rewrite"]);
    rewrite("authority: 'a b'", &["error bad-authority rewrite.authority"]);
    let regex = "rewrite.uriRegexRewrite";
    let both = "uri: /a, uriRegexRewrite: {match: a, rewrite: b}";
    rewrite(both, &[&format!("error conflicting-fields {regex}")]);
    rewrite("uriRegexRewrite: {match: a}", &[&format!("error missing-field {regex}.rewrite")]);
    rewrite("uriRegexRewrite: {rewrite: a}", &[&format!("error missing-field {regex}.match")]);
    rewrite("uriRegexRewrite: {match: '(', rewrite: a}", &[&format!("error bad-regex {regex}.match")]);
    let long = "a".repeat(1025);
    rewrite(
        &format!("uriRegexRewrite: {{match: {long}, rewrite: a}}"),
        &[&format!("error bad-regex {regex}.match")],
    );
    let group = "uriRegexRewrite: {match: 'a(b)', rewrite: '\\2'}";
    rewrite(group, &[&format!("error bad-replacement {regex}.rewrite")]);
}

#[test]
fn several_problems_are_all_reported() {
    let spec = "
hosts: [a.com, a.com]
gateways: [a_b]
http:
- match:
  - uri: {regex: '('}
    port: 0
  timeout: 0s
  redirect: {uri: /, redirectCode: 317}
  route: [{destination: {host: '*'}, weight: -1}]";
    service(
        spec,
        &[
            "error bad-gateway-name 6 spec.gateways[0]",
            "error duplicate-host 5 spec.hosts[1]",
            "error conflicting-fields 13 spec.http[0].route",
            "error bad-regex 9 spec.http[0].match[0].uri.regex",
            "error bad-port 10 spec.http[0].match[0].port",
            "error bad-host 13 spec.http[0].route[0].destination.host",
            "error bad-weight 13 spec.http[0].route[0].weight",
            "error bad-status 12 spec.http[0].redirect.redirectCode",
            "error bad-duration 11 spec.http[0].timeout",
            "warning no-effect 11 spec.http[0].timeout",
        ],
    );
}
