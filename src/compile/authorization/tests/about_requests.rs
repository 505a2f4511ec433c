//! Fields and conditions about requests, and ways around them.

use super::*;

fn to(operation: &str) -> String {
    format!("{{to: [{{operation: {{{operation}}}}}]}}")
}

fn when(key: &str, values: &str) -> String {
    format!("{{when: [{{key: '{key}', {values}}}]}}")
}

#[test]
fn case_128_hosts_in_any_case() {
    let gate = Gate::new(&deny(&to("hosts: [deny.x.com, '*.suffix.x.com', 'prefix.x.*']")));
    for host in [
        "deny.x.com",
        "DENY.X.COM",
        "Deny.X.Com",
        "deny.suffix.x.com",
        "DENY.SUFFIX.X.COM",
        "prefix.x.com",
        "PREFIX.X.COM",
        "Prefix.x.org",
        // Nobody gets around it by saying the port, which is not looked at when the request is routed.
        "deny.x.com:80",
        "a.suffix.x.com:8080",
        "prefix.x.com:443",
    ] {
        gate.lets(&get(host, "/"), false);
    }
    for host in ["www.x.com", "suffix.x.com", "xdeny.x.com", "deny.x.com.org", "prefix.xx.com", ""] {
        gate.lets(&get(host, "/"), true);
    }
}

#[test]
fn a_permission_means_the_host_as_it_is_written() {
    let gate = Gate::new(&allow(&to("hosts: [a.com]")));
    gate.lets(&get("A.com", "/"), true);
    gate.lets(&get("a.com:80", "/"), false);
    gate.lets(&get("b.com", "/"), false);
    let gate = Gate::new(&allow(&to("hosts: [a.com, 'a.com:*']")));
    gate.lets(&get("a.com:80", "/"), true);
    let gate = Gate::new(&allow(&to("notHosts: [a.com]")));
    gate.lets(&get("b.com", "/"), true);
    gate.lets(&get("a.com", "/"), false);
    gate.lets(&get("a.com:80", "/"), false);
    let gate = Gate::new(&deny(&to("notHosts: [a.com]")));
    gate.lets(&get("a.com", "/"), true);
    gate.lets(&get("b.com", "/"), false);
    gate.lets(&get("", "/"), false);
}

#[test]
fn paths_and_methods() {
    let gate = Gate::new(&deny(&to(
        "paths: [/exact, '/prefix/*', '*.php', '/u/{*}/secret', '/s/{**}'], methods: [GET, 'P*']",
    )));
    for path in ["/exact", "/exact?a=b", "/prefix/", "/prefix/a", "/a.php", "/u/me/secret", "/s/", "/s/a/b"] {
        for method in ["GET", "POST", "PUT", "PATCH"] {
            gate.lets(&get("x", path).method(method), false);
        }
        gate.lets(&get("x", path).method("HEAD"), true);
    }
    for path in ["/exact/", "/prefix", "/a.php/", "/u/secret", "/u/a/b/secret", "/s", "/?/exact"] {
        gate.lets(&get("x", path), true);
    }
    // An odd character in a segment is no way around a template; in a permission it is not let through.
    gate.lets(&get("x", "/u/a*b/secret"), false);
    let gate = Gate::new(&allow(&to("paths: ['/u/{*}/open'], notMethods: [PUT]")));
    gate.lets(&get("x", "/u/me/open"), true);
    gate.lets(&get("x", "/u/a*b/open"), false);
    gate.lets(&get("x", "/u/me/open").method("PUT"), false);
}

#[test]
fn operations_sources_and_conditions_are_all_asked() {
    let gate = Gate::new(&deny(
        "{from: [{source: {ipBlocks: [10.1.0.0/16]}}, {source: {ipBlocks: [10.2.0.0/16]}}],
          to: [{operation: {paths: [/a]}}, {operation: {paths: [/b]}}],
          when: [{key: 'request.headers[x]', values: ['1']}, {key: 'request.headers[y]', values: ['2']}]}",
    ));
    let all = || get("h", "/b").from("10.2.3.4", "10.2.3.4").header("x", "1").header("y", "2");
    gate.lets(&all(), false);
    gate.lets(&all().from("10.3.3.4", "10.2.3.4"), true);
    gate.lets(&get("h", "/c").from("10.2.3.4", "10.2.3.4").header("x", "1").header("y", "2"), true);
    gate.lets(&get("h", "/b").from("10.2.3.4", "10.2.3.4").header("x", "1"), true);
}

#[test]
fn headers() {
    let gate = Gate::new(&deny(&when("request.headers[X-Role]", "values: [admin, 'root*']")));
    gate.lets(&get("x", "/").header("x-role", "admin"), false);
    gate.lets(&get("x", "/").header("X-ROLE", "rooted"), false);
    gate.lets(&get("x", "/").header("x-role", "user"), true);
    gate.lets(&get("x", "/"), true);
    // Several fields of one name are no way around.
    gate.lets(&get("x", "/").header("x-role", "user").header("x-role", "admin"), false);
    gate.lets(&get("x", "/").header("x-role", "admin").header("x-role", ""), false);
    let gate = Gate::new(&deny(&when("request.headers[x]", "notValues: [good]")));
    gate.lets(&get("x", "/").header("x", "good"), true);
    gate.lets(&get("x", "/").header("x", "good").header("x", "bad"), false);
    gate.lets(&get("x", "/"), false);
    // What lets in is all of them together, joined by commas.
    let gate = Gate::new(&allow(&when("request.headers[x]", "values: [good, 'a,b']")));
    gate.lets(&get("x", "/").header("x", "good"), true);
    gate.lets(&get("x", "/").header("x", "good").header("x", "bad"), false);
    gate.lets(&get("x", "/").header("x", "a").header("x", "b"), true);
    let gate = Gate::new(&allow(&when("request.headers[x]", "values: ['*'], notValues: [bad]")));
    gate.lets(&get("x", "/").header("x", ""), true);
    gate.lets(&get("x", "/").header("x", "good").header("x", "bad"), false);
    gate.lets(&get("x", "/"), false);
}

#[test]
fn headers_that_the_head_keeps_elsewhere() {
    let of = |key: &str, value: &str| Gate::new(&deny(&when(key, &format!("values: ['{value}']"))));
    of("request.headers[:method]", "GET").lets(&get("x", "/"), false);
    of("request.headers[:path]", "/a?*").lets(&get("x", "/a?b"), false);
    of("request.headers[:authority]", "X").lets(&get("X", "/"), false);
    of("request.headers[Host]", "X").lets(&get("X", "/"), false);
    let mut upgrade = get("x", "/");
    upgrade.head.upgrade = Upgrade::WebSocket;
    of("request.headers[upgrade]", "websocket").lets(&upgrade, false);
    of("request.headers[upgrade]", "websocket").lets(&get("x", "/"), true);
    let mut body = get("x", "/");
    body.head.body = crate::http::BodyLength::Sized(10);
    of("request.headers[content-length]", "10").lets(&body, false);
}

#[test]
fn elements_of_a_header() {
    let gate = Gate::new(&deny(&when("request.experimental.inline.headers[x]", "values: [b, 'c*']")));
    gate.lets(&get("x", "/").header("x", "a, b"), false);
    gate.lets(&get("x", "/").header("x", "a").header("x", "cc"), false);
    gate.lets(&get("x", "/").header("x", "a, bb"), true);
}

#[test]
fn tokens() {
    let from = |source: &str| format!("{{from: [{{source: {{{source}}}}}]}}");
    let token = || {
        json!({"iss": "https://i", "sub": "me", "aud": ["a", "b"], "azp": "p", "groups": ["g1", "g2"],
        "nested": {"role": "admin", "level": 3}})
    };
    let me = || get("x", "/").token(token());
    for (rule, expected) in [
        (from("requestPrincipals: ['*']"), true),
        (from("requestPrincipals: ['https://i/me']"), true),
        (from("requestPrincipals: ['https://i/you']"), false),
        (from("requestPrincipals: ['https://i/*'], notRequestPrincipals: ['*/me']"), false),
        (when("request.auth.principal", "values: ['https://i/me']"), true),
        (when("request.auth.audiences", "values: [b]"), true),
        (when("request.auth.audiences", "values: [c]"), false),
        (when("request.auth.presenter", "values: [p]"), true),
        (when("request.auth.claims[groups]", "values: [g2]"), true),
        (when("request.auth.claims[groups]", "values: [g2], notValues: [g1]"), false),
        (when("request.auth.claims[nested][role]", "values: ['adm*']"), true),
        (when("request.auth.claims[nested][level]", "values: ['3']"), false),
        (when("request.auth.claims[nested]", "values: ['*']"), false),
        (when("request.auth.claims[none]", "notValues: [x]"), true),
    ] {
        Gate::new(&allow(&rule)).lets(&me(), expected);
        assert_eq!(Gate::new(&deny(&rule)).asks(&me()) != "allowed", expected, "{rule}");
    }
    // Nobody without a token is let in, and everybody without one is kept out.
    Gate::new(&allow(&from("requestPrincipals: ['*']"))).lets(&get("x", "/"), false);
    Gate::new(&deny(&from("notRequestPrincipals: ['*']"))).lets(&get("x", "/"), false);
    Gate::new(&deny(&from("notRequestPrincipals: ['*']"))).lets(&me(), true);
    // A token without a subject has no principal.
    let nobody = get("x", "/").token(json!({"iss": "https://i"}));
    Gate::new(&allow(&from("requestPrincipals: ['*']"))).lets(&nobody, false);
}

#[test]
fn a_host_asked_for_as_a_header_is_refused_however_it_is_written() {
    for (name, value) in [
        ("host", "deny.x.com"),
        (":authority", "Deny.X.com"),
        ("Host", "DENY.X.COM."),
        ("host", "*.X.com"),
        (":authority", "Deny*"),
    ] {
        let key = format!("request.headers[{name}]");
        let refusing = Gate::new(&deny(&when(&key, &format!("values: ['{value}']"))));
        let excluding = Gate::new(&allow(&when(&key, &format!("notValues: ['{value}']"))));
        for host in ["deny.x.com", "DENY.x.COM", "deny.x.com:80", "Deny.X.Com:8080"] {
            refusing.lets(&get(host, "/"), false);
            excluding.lets(&get(host, "/"), false);
        }
        for host in ["other.com", "other.com:80"] {
            refusing.lets(&get(host, "/"), true);
            excluding.lets(&get(host, "/"), true);
        }
    }
    // What lets in is found as Envoy finds it.
    let gate = Gate::new(&allow(&when("request.headers[host]", "values: [Good.com]")));
    gate.lets(&get("Good.com", "/"), true);
    gate.lets(&get("good.com", "/"), false);
    gate.lets(&get("Good.com:80", "/"), false);
    let gate = Gate::new(&deny(&when("request.headers[host]", "notValues: [good.com]")));
    gate.lets(&get("good.com", "/"), true);
    gate.lets(&get("GOOD.com", "/"), false);
}
