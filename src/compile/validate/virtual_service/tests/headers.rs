//! Tests: changes of header fields.

use super::{ROUTE, rule};

#[track_caller]
fn headers(headers: &str, expected: &[&str]) {
    rule(&format!("{ROUTE}, headers: {{{headers}}}"), expected);
}

#[test]
fn case_157_authority_twice() {
    let rewrite = "rewrite: {authority: a.com}";
    let twice = "error duplicate-authority headers";
    for name in ["Host", "':authority'"] {
        rule(&format!("{ROUTE}, {rewrite}, headers: {{request: {{set: {{{name}: b.com}}}}}}"), &[twice]);
    }
    rule(&format!("{ROUTE}, {rewrite}, headers: {{request: {{add: {{host: b.com}}}}}}"), &[twice]);
    headers("request: {set: {Host: b.com, ':authority': c.com}}", &[twice]);
    headers("request: {set: {Host: b.com}, add: {Host: c.com}}", &[twice]);
    headers("request: {set: {Host: b.com}}", &[]);
}

#[test]
fn authority_on_both_levels() {
    let destination = "route: [{destination: {host: b}, headers: {request: {set: {Host: b.com}}}}]";
    rule(destination, &[]);
    rule(&format!("{destination}, rewrite: {{authority: a.com}}"), &["warning no-effect route[0].headers"]);
    let twice = "route: [{destination: {host: b}, headers: {request: {set: {Host: b}, add: {host: c}}}}]";
    rule(twice, &["error duplicate-authority route[0].headers"]);
}

#[test]
fn case_169_percent_signs() {
    headers("request: {set: {a: 'abc%123'}}", &["error bad-header-value headers.request.set.a"]);
    headers("response: {add: {a: '100%'}}", &["error bad-header-value headers.response.add.a"]);
    headers("request: {set: {a: '%HOSTNAME%'}}", &[]);
    headers("request: {set: {a: '100%%'}}", &[]);
    headers("request: {set: {a: 'x %REQ(x-a?x-b)% y'}}", &[]);
    headers("request: {set: {a: '%NONSENSE%'}}", &["error bad-header-value headers.request.set.a"]);
    headers("request: {set: {a: \"a\\nb\"}}", &["error bad-header-value headers.request.set.a"]);
    headers("request: {set: {a: ''}}", &["warning empty-value headers.request.set.a"]);
}

#[test]
fn names() {
    let bad = |field: &str| format!("error bad-header-name headers.{field}");
    headers("request: {remove: [x-a], set: {x-b: c}, add: {x-c: d}}", &[]);
    headers("request: {remove: [Host]}", &[&bad("request.remove[0]")]);
    headers("request: {remove: [':path']}", &[&bad("request.remove[0]")]);
    headers("request: {remove: ['']}", &[&bad("request.remove[0]")]);
    headers("request: {set: {':path': /}}", &[&bad("request.set[\":path\"]")]);
    headers("request: {set: {'a b': c}}", &[&bad("request.set[\"a b\"]")]);
    headers("response: {set: {host: a.com}}", &[&bad("response.set.host")]);
    headers("response: {add: {':status': '200'}}", &[&bad("response.add[\":status\"]")]);
    headers("response: {remove: [host]}", &[&bad("response.remove[0]")]);
    headers("request: {set: {Transfer-Encoding: chunked}}", &[&bad("request.set.Transfer-Encoding")]);
    headers("response: {set: {content-length: '0'}}", &[&bad("response.set.content-length")]);
    headers("request: {set: {x-a: b, X-A: c}}", &["warning duplicate-header headers.request.set.X-A"]);
}

#[test]
fn hosts() {
    headers("request: {set: {Host: 'b.com:8080'}}", &[]);
    for bad in ["b.com/a", "a b", "%HOSTNAME%", ""] {
        headers(
            &format!("request: {{set: {{Host: '{bad}'}}}}"),
            &["error bad-authority headers.request.set.Host"],
        );
    }
}

#[test]
fn of_destinations() {
    let destination = "route: [{destination: {host: b}, headers: {response: {set: {a: '%'}}}}]";
    rule(destination, &["error bad-header-value route[0].headers.response.set.a"]);
}
