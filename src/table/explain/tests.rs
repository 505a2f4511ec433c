//! The words of `explain`, and what counts as near.

use super::super::{test_support::*, *};
use super::*;
use crate::http::Scheme;

fn reasons(matcher: RouteMatch, request: &RequestHead) -> Vec<String> {
    let conditions = explain_match(&matcher, request, Scheme::Http, None);
    let failed = conditions.into_iter().filter_map(|condition| match condition.verdict {
        Verdict::Holds => None,
        Verdict::Fails(reason) => Some(reason),
    });
    failed.collect()
}

fn header(name: &str, value: ValueMatch, negate: bool) -> HeaderMatch {
    HeaderMatch { name: HeaderName::new(name), value, negate }
}

fn exact(text: &str) -> ValueMatch {
    ValueMatch::Is(StringMatch::exact(text))
}

#[test]
fn why_a_path_does_not_match() {
    let why = |path: PathMatch, url: &str| reasons(at_path(path), &get(url)).join("; ");
    assert_eq!(why(PathMatch::prefix("/api", false), "a/x"), "path `/x` does not begin with `/api`");
    assert_eq!(
        why(PathMatch::prefix("/api", false), "a/API/x"),
        "path `/API/x` does not begin with `/api` (they differ in case only)"
    );
    assert_eq!(why(PathMatch::exact("/api", false), "a/b?q"), "path `/b` is not `/api`");
    assert_eq!(
        why(PathMatch::exact("/api", false), "a/api/"),
        "path `/api/` is not `/api` (they differ in the slash at the end only)"
    );
    assert_eq!(
        why(PathMatch::regex("/v[0-9]").unwrap(), "a/v1/x"),
        "path `/v1/x` does not match `/v[0-9]` (a part matches, but the whole must)"
    );
    assert_eq!(why(PathMatch::regex("/v[0-9]").unwrap(), "a/x"), "path `/x` does not match `/v[0-9]`");
    assert_eq!(why(PathMatch::prefix("/", false), "a/x"), "");
}

#[test]
fn why_other_conditions_do_not_hold() {
    let query = |name: &str, value| QueryMatch { name: name.as_bytes().into(), value };
    let matcher = RouteMatch {
        method: Some(StringMatch::exact("POST")),
        scheme: Some(StringMatch::exact("https")),
        authority: Some(StringMatch::exact("b")),
        headers: vec![
            header("x-a", exact("1"), false),
            header("x-b", exact("1"), false),
            header("x-c", ValueMatch::Present, false),
            header("x-b", ValueMatch::Present, true),
            header("x-b", ValueMatch::Is(StringMatch::prefix("2")), true),
            header("x-d", ValueMatch::Is(StringMatch::regex(".*").unwrap()), true),
            header("x-b", ValueMatch::Is(StringMatch::regex("[0-9]").unwrap()), false),
            header("x-d", ValueMatch::Present, true),
        ],
        query: vec![query("q", exact("1")), query("r", ValueMatch::Present), query("r", exact("x"))],
        ..RouteMatch::default()
    };
    let request = with_fields(get("b:80/?q=2"), &[("x-b", "2\t2")]);
    assert_eq!(
        reasons(matcher, &request),
        [
            "method is `GET`, must be exactly `POST`",
            "scheme is `http`, must be exactly `https`",
            "authority is `b:80`, must be exactly `b` (the port is part of it)",
            "header `x-a` is absent, must be exactly `1`",
            r"header `x-b` is `2\t2`, must be exactly `1`",
            "header `x-c` is absent, must be present",
            r"header `x-b` is `2\t2`, must be absent",
            r"header `x-b` is `2\t2`, must not begin with `2`",
            "header `x-d` is absent, which counts as empty, must not match `.*`",
            r"header `x-b` is `2\t2`, must match `[0-9]` (a part matches, but the whole must)",
            "query parameter `q` is `2`, must be exactly `1`",
            "query parameter `r` is absent, must be present",
            "query parameter `r` is absent, must be exactly `x`",
        ]
    );
}

#[test]
fn conditions_are_shown_in_the_words_of_istio() {
    let matcher = RouteMatch {
        path: PathMatch::exact("/A", true),
        method: Some(StringMatch::exact("GET")),
        headers: vec![header("X-A", ValueMatch::Present, true), header("x-b", exact("1"), false)],
        query: vec![QueryMatch { name: b"q".as_slice().into(), value: exact("") }],
        ..RouteMatch::default()
    };
    assert_eq!(
        matcher.to_string(),
        "uri exact /a (ignoring case), method exact GET, without header x-a present, header x-b exact 1, query q exact "
    );
    assert_eq!(at_path(PathMatch::regex("/v[0-9]+").unwrap()).to_string(), "uri regex /v[0-9]+");
    assert_eq!(Quoted(b"a\xFF\r\xC3\xA9").to_string(), r"`a\xff\ré`");
}

#[test]
fn redirects_and_rewrites_are_shown() {
    let redirect = Redirect {
        status: 301,
        path: RedirectPath::Keep,
        authority: None,
        scheme: Some(Scheme::Https),
        port: RedirectPort::Set(8443),
    };
    assert_eq!(redirect.to_string(), "301 https://*:8443/*");
    assert_eq!(PathRewrite::regex("^/a", "/b").unwrap().to_string(), "`^/a` -> `/b`");
    let prefix = PathRewrite::Prefix { matched: 2, replacement: b"/b".as_slice().into() };
    assert_eq!(prefix.to_string(), "first 2 bytes -> /b");
}

#[test]
fn the_nearest_routes_come_first() {
    let api_post =
        RouteMatch { method: Some(StringMatch::exact("POST")), ..at_path(PathMatch::prefix("/api", false)) };
    let host = host(
        "a",
        vec![
            route("other", at_path(PathMatch::prefix("/other", false))),
            route("apple", at_path(PathMatch::exact("/apple", false))),
            route(
                "two wrong",
                RouteMatch { headers: vec![header("x", exact("1"), false)], ..api_post.clone() },
            ),
            route("post", api_post),
        ],
    );
    let names = |count| {
        let near = nearest_routes(&host, &get("a/api"), Scheme::Http, None, count);
        near.iter().map(|report| (report.position, report.route.name.to_string())).collect::<Vec<_>>()
    };
    let expected = [(3, "post"), (1, "apple"), (0, "other"), (2, "two wrong")];
    assert_eq!(names(9), expected.map(|(at, name)| (at, name.to_owned())));
    assert_eq!(names(1).len(), 1);
    let all = explain_routes(&host, &get("a/api"), Scheme::Http, None);
    assert!(all.iter().enumerate().all(|(at, report)| report.position == at && !report.matches()));
}

/// What `explain` says about a route is what the data path does.
#[test]
fn a_report_agrees_with_the_match() {
    let mut random = Random::new(7);
    for _ in 0..2000 {
        let mut matcher = at_path(PathMatch::prefix(random.pick(&["/", "/a", "/A"]), random.below(2) == 0));
        if random.below(2) == 0 {
            let value = match random.below(3) {
                0 => ValueMatch::Present,
                1 => exact(random.pick(&["", "1"])),
                _ => ValueMatch::Is(StringMatch::regex(random.pick(&[".*", "1+"])).unwrap()),
            };
            matcher.headers.push(header(
                random.pick(&["x", ":path", "host"]),
                value.clone(),
                random.below(2) == 0,
            ));
            matcher.query.push(QueryMatch { name: b"q".as_slice().into(), value });
        }
        let request =
            with_fields(get(random.pick(&["1/a?q=1", "h/b", "h/A?q"])), &[("x", "1")][..random.below(2)]);
        let explained = reasons(matcher.clone(), &request).is_empty();
        assert_eq!(explained, matcher.matches(&request, Scheme::Http), "{matcher}");
    }
}

#[test]
fn the_nearest_hosts() {
    let names =
        ["*.example.com", "shop.example.com", "api.example.com", "other.test", "a.b.example.com", "*"];
    let hosts = names.iter().map(|name| host(name, Vec::new())).collect();
    let table = RouteTable::new(String::new(), hosts);
    let near = |authority: &str| {
        let near = nearest_hosts(&table, authority.as_bytes(), 3);
        near.iter().map(|near| (near.host.host.to_string(), near.nearness)).collect::<Vec<_>>()
    };
    let named = |name: &str, nearness| (name.to_owned(), nearness);
    assert_eq!(
        near("example.com"),
        [
            named("*.example.com", Nearness::OwnDomain),
            named("shop.example.com", Nearness::SameDomain(2)),
            named("api.example.com", Nearness::SameDomain(2)),
        ]
    );
    let hidden = [named("*.example.com", Nearness::Hidden), named("*", Nearness::Hidden)];
    assert_eq!(near("shop.example.com:80")[..2], hidden);
    assert_eq!(near("Other.tset")[..1], [named("other.test", Nearness::Misspelled(2))]);
    assert_eq!(near("elsewhere.org"), []);
}

#[test]
fn edit_distances() {
    for (a, b, expected) in [
        ("", "", 0),
        ("a", "", 1),
        ("", "abc", 3),
        ("kitten", "sitting", 3),
        ("abc", "abc", 0),
        ("abc", "acb", 2),
        ("abc", "xabc", 1),
        ("äbc", "abc", 1),
        ("abcd", "", usize::MAX),
    ] {
        assert_eq!(edit_distance(a, b), expected, "{a} {b}");
        assert_eq!(edit_distance(b, a), expected, "{b} {a}");
    }
}
