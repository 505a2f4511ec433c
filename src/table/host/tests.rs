//! Which virtual host and which route a request finds, and that the indexes find what a plain scan finds.

use super::super::{test_support::*, *};
use crate::http::{RequestHead, Scheme};

fn hosts(names: &[&str]) -> RouteTable {
    let all = || route("all", RouteMatch::default());
    RouteTable::new("http.80".to_owned(), names.iter().map(|name| host(name, vec![all()])).collect())
}

#[track_caller]
fn finds(table: &RouteTable, authority: &str, expected: Option<&str>) {
    let found = table.virtual_host(authority.as_bytes()).map(|v| v.host.as_ref());
    assert_eq!(found, expected, "{authority}");
}

#[test]
fn exact_then_longest_suffix_then_any() {
    let table = hosts(&["*", "*.com", "*.example.com", "a.example.com", "*.b.example.com"]);
    for (authority, expected) in [
        ("a.example.com", "a.example.com"),
        ("A.Example.COM:8080", "a.example.com"),
        ("a.example.com.", "a.example.com"),
        ("a.example.com.:80", "a.example.com"),
        ("c.example.com", "*.example.com"),
        ("x.y.example.com", "*.example.com"),
        ("x.b.example.com", "*.b.example.com"),
        ("b.example.com", "*.example.com"),
        ("example.com", "*.com"),
        ("com", "*"),
        (".com", "*"),
        ("example.org", "*"),
        ("", "*"),
        (":80", "*"),
        ("notexample.com", "*.com"),
    ] {
        finds(&table, authority, Some(expected));
    }
}

#[test]
fn no_host() {
    let table = hosts(&["foo.bar", "*.example.com"]);
    finds(&table, "bad.bar", None); // Case 4.
    finds(&table, "example.com", None); // 1.5: a wildcard does not cover its own domain.
    finds(&table, "", None);
    assert_eq!(found(&table, &get("bad.bar/productpage")), "no host");
    finds(&hosts(&[]), "a", None);
}

#[test]
fn addresses() {
    let table = hosts(&["[::1]", "[2001:db8::1]", "192.0.2.1"]);
    finds(&table, "[::1]:8080", Some("[::1]"));
    finds(&table, "[::1]", Some("[::1]"));
    finds(&table, "[2001:DB8::1]:80", Some("[2001:db8::1]"));
    finds(&table, "192.0.2.1:80", Some("192.0.2.1"));
    finds(&table, "[::1", None);
    finds(&table, "[", None);
}

#[test]
fn partial_wildcards_of_virtual_services() {
    let table = hosts(&["*.foo.com", "*-x.foo.com", "*bar.com"]);
    finds(&table, "a-x.foo.com", Some("*-x.foo.com"));
    finds(&table, "b-y.foo.com", Some("*.foo.com"));
    finds(&table, "foobar.com", Some("*bar.com"));
    finds(&table, "bar.com", None);
}

#[test]
fn names_beyond_what_dns_has() {
    let table = hosts(&["*.com", "*"]);
    let long = |labels: usize| format!("{}com", "a.".repeat(labels));
    finds(&table, &long(126), Some("*.com"));
    finds(&table, &long(127), Some("*"));
    finds(&table, &".".repeat(60_000), Some("*"));
}

#[test]
fn the_first_of_two_equal_hosts_counts() {
    let one = |name: &str| host("a.com", vec![route(name, RouteMatch::default())]);
    let table = RouteTable::new(String::new(), vec![one("first"), one("second")]);
    assert_eq!(found(&table, &get("a.com/")), "a.com first");
}

#[test]
fn an_exact_host_hides_wildcards() {
    let narrow = host("a.example.com", vec![route("x", at_path(PathMatch::prefix("/x", false)))]);
    let wide = host("*.example.com", vec![route("all", RouteMatch::default())]);
    let table = RouteTable::new(String::new(), vec![wide, narrow]);
    assert_eq!(found(&table, &get("a.example.com/y")), "a.example.com -");
    assert_eq!(found(&table, &get("b.example.com/y")), "*.example.com all");
}

#[test]
fn https_redirect_comes_before_routes() {
    let source = Source::built_in("test");
    let secure = VirtualHost::new("A.com", true, vec![route("all", RouteMatch::default()).into()], source);
    let table = RouteTable::new(String::new(), vec![secure]);
    assert_eq!(found(&table, &get("a.com/")), "a.com https");
    assert!(matches!(table.find(&get("a.com/"), Scheme::Https), Lookup::Route(..)));
}

#[test]
fn case_67_the_older_shorter_prefix_wins() {
    let mut routes: Vec<Route> = ["/a", "/a/b", "/c/d", "/c"]
        .iter()
        .map(|path| route(path, at_path(PathMatch::prefix(path, false))))
        .collect();
    // Enough routes for a tree.
    routes.extend((0..10).map(|i| route("x", at_path(PathMatch::exact(&format!("/x/{i}"), false)))));
    routes.push(route("rest", RouteMatch::default()));
    let table = RouteTable::new(String::new(), vec![host("*", routes)]);
    for (path, expected) in
        [("/a/b", "/a"), ("/c/d/e", "/c/d"), ("/ce", "/c"), ("/x/3", "x"), ("/x/33", "rest")]
    {
        assert_eq!(found(&table, &get(path)), format!("* {expected}"), "{path}");
    }
}

#[test]
fn a_path_too_long_for_the_tree_matches_too() {
    let long = format!("/{}", "a".repeat(70_000));
    let mut routes = vec![route("long", at_path(PathMatch::exact(&long, false)))];
    routes.extend((0..10).map(|i| route("x", at_path(PathMatch::exact(&format!("/x/{i}"), false)))));
    let table = RouteTable::new(String::new(), vec![host("*", routes)]);
    assert_eq!(found(&table, &get(&long)), "* long");
    assert_eq!(found(&table, &get(&long[1..])), "* -");
}

const PIECES: [&str; 9] = ["/", "a", "b", "A", "/a", "/ab", "/api", "v1", "%"];

fn random_path_match(random: &mut Random) -> PathMatch {
    let text = format!("/{}", random.text(&PIECES, 4));
    let ignore_case = random.below(6) == 0;
    match random.below(8) {
        0..3 => PathMatch::exact(&text, ignore_case),
        3..6 => PathMatch::prefix(&text, ignore_case),
        6 => PathMatch::prefix("", false),
        _ => {
            let expression = format!(
                "/{}{}",
                random.text(&PIECES, 2),
                random.pick(&[".*", "a?", "b+", "(a|b)", "|/b", ""])
            );
            PathMatch::regex(&expression).unwrap()
        }
    }
}

fn random_route(random: &mut Random, number: usize) -> Route {
    let mut matcher = at_path(random_path_match(random));
    if random.below(3) == 0 {
        matcher.method = Some(StringMatch::exact(random.pick(&["GET", "POST"])));
    }
    if random.below(4) == 0 {
        let value = ValueMatch::Is(StringMatch::prefix(random.pick(&["1", "2", ""])));
        matcher.headers.push(HeaderMatch {
            name: HeaderName::new("X-A"),
            value,
            negate: random.below(2) == 0,
        });
    }
    route(&number.to_string(), matcher)
}

fn random_request(random: &mut Random, authority: &str) -> RequestHead {
    let path = random.text(&PIECES, 5);
    let mut request = get(&format!("{authority}/{path}"));
    request.method = random.pick(&[&b"GET"[..], b"POST"]).to_vec();
    if random.below(2) == 0 {
        request.fields.push(b"x-a", random.pick(&[&b"1"[..], b"2", b"3"]));
    }
    request
}

#[test]
fn the_tree_finds_what_a_scan_finds() {
    let mut found_some = 0;
    for seed in 0..300 {
        let mut random = Random::new(seed);
        let count = 1 + random.below(40);
        let host = host("*", (0..count).map(|number| random_route(&mut random, number)).collect());
        for _ in 0..200 {
            let request = random_request(&mut random, "a");
            let expected = host.routes.iter().find(|route| route.matcher.matches(&request, Scheme::Http));
            let actual = host.route(&request, Scheme::Http);
            let name = |route: Option<&Route>| route.map(|r| r.name.clone());
            assert_eq!(
                name(actual),
                name(expected.map(|route| &**route)),
                "seed {seed}: {}",
                String::from_utf8_lossy(&request.target)
            );
            found_some += usize::from(actual.is_some());
        }
    }
    assert!(found_some > 10_000, "{found_some}");
}

/// Host matching as section 2.4 says it, one host after another.
fn scan_hosts<'a>(table: &'a RouteTable, name: &str) -> Option<&'a str> {
    let name = name.to_ascii_lowercase();
    let rank = |host: &str| match host.strip_prefix('*') {
        None => (host == name).then_some(usize::MAX),
        Some("") => Some(0),
        Some(suffix) => (name.len() > suffix.len() && name.ends_with(suffix)).then_some(suffix.len()),
    };
    let ranked = table.virtual_hosts.iter().filter_map(|v| Some((rank(&v.host)?, v.host.as_ref())));
    ranked.reduce(|best, next| if next.0 > best.0 { next } else { best }).map(|(_, host)| host)
}

#[test]
fn the_host_index_finds_what_a_scan_finds() {
    const LABELS: [&str; 8] = ["a", "b.", "c", "com", ".com", ".a", "A.", "-x"];
    for seed in 0..300 {
        let mut random = Random::new(seed);
        let mut names: Vec<String> = (0..random.below(30))
            .map(|_| {
                let name = random.text(&LABELS, 4);
                if random.below(2) == 0 { format!("*{name}") } else { name }
            })
            .filter(|name| !name.ends_with('.'))
            .collect();
        names.iter_mut().for_each(|name| name.make_ascii_lowercase());
        let table = hosts(&names.iter().map(String::as_str).collect::<Vec<_>>());
        for _ in 0..200 {
            let name = random.text(&LABELS, 5);
            let name = name.trim_end_matches('.');
            finds(&table, name, scan_hosts(&table, name));
        }
    }
}
