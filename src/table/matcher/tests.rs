//! Every condition of a match, by the cases of section 9.4.

use super::super::test_support::*;
use super::*;

fn header(name: &str, value: ValueMatch) -> HeaderMatch {
    HeaderMatch { name: HeaderName::new(name), value, negate: false }
}

fn without(name: &str, value: ValueMatch) -> HeaderMatch {
    HeaderMatch { negate: true, ..header(name, value) }
}

fn exact(text: &str) -> ValueMatch {
    ValueMatch::Is(StringMatch::exact(text))
}

fn regex(text: &str) -> ValueMatch {
    ValueMatch::Is(StringMatch::regex(text).unwrap())
}

fn holds(wanted: &HeaderMatch, fields: &[(&str, &str)]) -> bool {
    wanted.matches(&with_fields(get("a/"), fields), Scheme::Http)
}

#[test]
fn case_58_pseudo_headers() {
    let mut request = get("b.example:80/p?q=1");
    for (name, value) in
        [(":method", "GET"), (":scheme", "http"), (":authority", "b.example:80"), (":path", "/p?q=1")]
    {
        assert!(header(name, exact(value)).matches(&request, Scheme::Http), "{name}");
    }
    assert!(header("Host", exact("b.example:80")).matches(&request, Scheme::Http));
    request.method = b"POST".to_vec();
    assert!(!header(":method", exact("GET")).matches(&request, Scheme::Http));
}

#[test]
fn case_59_without_headers() {
    let wanted = without("end-user", exact("jason"));
    assert!(!holds(&wanted, &[("end-user", "jason")]));
    assert!(holds(&wanted, &[("end-user", "not-jason")]));
    assert!(holds(&wanted, &[]));
}

#[test]
fn case_61_without_any_value() {
    let wanted = without("end-user", regex(".*"));
    for fields in [&[("end-user", "x")][..], &[("end-user", "")], &[]] {
        assert!(!holds(&wanted, fields), "{fields:?}");
    }
}

#[test]
fn case_62_presence() {
    let wanted = header("x", ValueMatch::Present);
    assert!(!holds(&wanted, &[]));
    assert!(holds(&wanted, &[("X", "")]));
    assert!(holds(&wanted, &[("x", "1")]));
    let absent = without("x", ValueMatch::Present);
    assert!(holds(&absent, &[]));
    assert!(!holds(&absent, &[("x", "")]));
}

#[test]
fn case_64_scheme() {
    let matcher = RouteMatch { scheme: Some(StringMatch::exact("https")), ..RouteMatch::default() };
    assert!(matcher.matches(&get("a/"), Scheme::Https));
    assert!(!matcher.matches(&get("a/"), Scheme::Http));
}

#[test]
fn values_of_one_name_are_joined() {
    assert!(holds(&header("x", exact("1,2,3")), &[("x", "1"), ("y", "0"), ("X", "2"), ("x", "3")]));
    assert!(holds(&header("x", regex("1,.*")), &[("x", "1"), ("x", "2")]));
    assert!(!holds(&header("x", exact("1")), &[("x", "1"), ("x", "2")]));
    assert!(holds(&header("x", exact("")), &[("x", "")]));
    assert!(!holds(&header("x", exact("")), &[]));
}

#[test]
fn values_are_case_sensitive_and_names_are_not() {
    assert!(holds(&header("X-Thing", exact("One")), &[("x-tHING", "One")]));
    assert!(!holds(&header("x-thing", exact("One")), &[("x-thing", "one")]));
}

#[test]
fn what_the_decoder_took_out_of_the_fields() {
    let mut request = get("a/");
    let asks = |request: &RequestHead, name, value| header(name, exact(value)).matches(request, Scheme::Http);
    assert!(!asks(&request, "upgrade", "websocket"));
    request.upgrade = Upgrade::WebSocket;
    assert!(asks(&request, "Upgrade", "websocket"));
    request.body = BodyLength::Sized(12);
    assert!(asks(&request, "content-length", "12"));
    request.body = BodyLength::Unknown;
    assert!(asks(&request, "transfer-encoding", "chunked"));
    request.version = Version::Http2;
    assert!(!asks(&request, "transfer-encoding", "chunked"));
}

#[test]
fn query_parameters() {
    let matches = |name: &str, value: ValueMatch, query: &str| {
        QueryMatch { name: name.as_bytes().into(), value }.matches(query.as_bytes())
    };
    assert!(matches("a", exact("1"), "?a=1"));
    assert!(matches("a", exact("1"), "?b=2&a=1&c"));
    assert!(matches("a", exact("1"), "?a=1&a=2"), "the first counts");
    assert!(!matches("a", exact("2"), "?a=1&a=2"));
    assert!(matches("a", exact(""), "?a"));
    assert!(matches("a", exact(""), "?a=&b"));
    assert!(!matches("a", exact(""), "?ab"));
    assert!(!matches("a", exact(""), ""));
    assert!(!matches("A", exact("1"), "?a=1"));
    assert!(matches("a", exact("x=y"), "?a=x=y"));
    assert!(matches("a", exact("%31"), "?a=%31"), "nothing is decoded");
    assert!(matches("a", regex("v[0-9]"), "?a=v1"));
    assert!(!matches("a", regex("v[0-9]"), "?a=v12"));
    assert!(matches("a", ValueMatch::Present, "?x&a"));
    assert!(!matches("a", ValueMatch::Present, "?xa&ax=a"));
    assert!(!matches("", ValueMatch::Present, ""));
}

#[test]
fn paths() {
    let matches = |wanted: &PathMatch, path: &str| wanted.matches(path.as_bytes());
    let prefix = PathMatch::prefix("/foo", false);
    assert!(matches(&prefix, "/foo") && matches(&prefix, "/foobar") && matches(&prefix, "/foo/x"));
    assert!(!matches(&prefix, "/fo") && !matches(&prefix, "/FOO"));
    let ignore = PathMatch::prefix("/Foo", true);
    assert!(matches(&ignore, "/fOObar") && !matches(&ignore, "/fo"));
    let exact = PathMatch::exact("/Foo", true);
    assert!(matches(&exact, "/foo") && !matches(&exact, "/foo/"));
    assert!(!matches(&PathMatch::exact("/Foo", false), "/foo"));
    assert!(matches(&PathMatch::prefix("", false), "*"));
    let regex = PathMatch::regex("/v[0-9]+/.*").unwrap();
    assert!(matches(&regex, "/v1/x") && !matches(&regex, "/a/v1/x") && !matches(&regex, "/v1"));
}

#[test]
fn conditions_hold_together() {
    let matcher = RouteMatch {
        path: PathMatch::prefix("/a", false),
        method: Some(StringMatch::exact("GET")),
        authority: Some(StringMatch::exact("b:80")),
        headers: vec![header("x", exact("1"))],
        query: vec![QueryMatch { name: b"q".as_slice().into(), value: exact("2") }],
        ..RouteMatch::default()
    };
    let good = || with_fields(get("b:80/ab?q=2"), &[("x", "1")]);
    assert!(matcher.matches(&good(), Scheme::Http));
    assert!(!matcher.matches(&with_fields(get("b:80/b?q=2"), &[("x", "1")]), Scheme::Http));
    assert!(!matcher.matches(&with_fields(get("b/ab?q=2"), &[("x", "1")]), Scheme::Http));
    assert!(!matcher.matches(&with_fields(get("b:80/ab?q=3"), &[("x", "1")]), Scheme::Http));
    assert!(!matcher.matches(&with_fields(get("b:80/ab?q=2"), &[("x", "2")]), Scheme::Http));
    let post = RequestHead { method: b"POST".to_vec(), ..good() };
    assert!(!matcher.matches(&post, Scheme::Http));
}

#[test]
fn catch_alls() {
    assert!(RouteMatch::default().is_catch_all());
    assert!(at_path(PathMatch::regex(".*").unwrap()).is_catch_all());
    assert!(!at_path(PathMatch::exact("/", false)).is_catch_all());
    assert!(!at_path(PathMatch::prefix("/a", false)).is_catch_all());
    assert!(!RouteMatch { method: Some(StringMatch::exact("GET")), ..RouteMatch::default() }.is_catch_all());
    assert!(!RouteMatch { headers: vec![header("x", exact("1"))], ..RouteMatch::default() }.is_catch_all());
}
