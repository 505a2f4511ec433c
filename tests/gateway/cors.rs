//! What pages of other origins may do (`corsPolicy`, specification section 3.4; acceptance cases 90 and 91).

use super::{
    client::Answer,
    harness::{Gateway, routed},
    origin::Origin,
    tools::{has_for, run},
};
use std::process::Command;

/// The policy of Istio's example.
const POLICY: &str = "allowOrigins: [{exact: https://cors.com}, {prefix: http://dev.}, {regex: 'https://.*\\.example\\.org'}], \
     allowMethods: [POST, GET], allowHeaders: [x-one, x-two], exposeHeaders: [x-three, x-four], maxAge: 300s, allowCredentials: true";

/// A gateway whose rule has this policy, before an origin that says what it thinks of CORS itself.
fn with_policy(policy: &str) -> (Origin, Gateway) {
    let origin = Origin::serve(|request, stream| {
        use std::io::Write as _;
        let body = format!("{}\n", request.line);
        let head = format!(
            "HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nAccess-Control-Expose-Headers: x-own\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(head.as_bytes()).is_ok()
    });
    let rules = format!(
        "  - {{match: [{{uri: {{prefix: /old}}}}], corsPolicy: {{{policy}}}, redirect: {{uri: /new}}}}\n  \
         - {{match: [{{uri: {{prefix: /fixed}}}}], corsPolicy: {{{policy}}}, directResponse: {{status: 200, body: {{string: hi}}}}}}\n  \
         - {{match: [{{uri: {{prefix: /gone}}}}], corsPolicy: {{{policy}}}, route: [{{destination: {{host: nowhere.test}}}}]}}\n  \
         - {{match: [{{uri: {{prefix: /broken}}}}], corsPolicy: {{{policy}}}, fault: {{abort: {{percentage: {{value: 100}}, httpStatus: 500}}}}, route: [{{destination: {{host: a.test}}}}]}}\n  \
         - {{match: [{{uri: {{prefix: /get}}, method: {{exact: GET}}}}], corsPolicy: {{{policy}}}, route: [{{destination: {{host: a.test}}}}]}}\n  \
         - {{match: [{{uri: {{prefix: /get}}}}], directResponse: {{status: 405}}}}\n  \
         - {{corsPolicy: {{{policy}}}, headers: {{request: {{remove: [origin]}}, response: {{set: {{access-control-allow-origin: mine}}}}}}, route: [{{destination: {{host: a.test}}}}]}}\n"
    );
    let gateway = Gateway::start(&[80], &routed(&rules, &[origin.port()]));
    (origin, gateway)
}

fn preflight(gateway: &Gateway, path: &str, origin: &str) -> Answer {
    let fields = [
        ("Origin", origin),
        ("Access-Control-Request-Method", "DELETE"),
        ("Access-Control-Request-Headers", "x-asked"),
    ];
    gateway.request(80, "OPTIONS", "a", path, &fields)
}

/// The fields of CORS, in order of their names.
fn cors(answer: &Answer) -> Vec<String> {
    let own = answer.fields.iter().filter(|(name, _)| name.starts_with("access-control-"));
    let mut lines: Vec<String> =
        own.map(|(name, value)| format!("{}: {value}", name.trim_start_matches("access-control-"))).collect();
    lines.sort();
    lines
}

#[test]
fn case_90_a_preflight_is_answered() {
    let (origin, gateway) = with_policy(POLICY);
    let answer = preflight(&gateway, "/", "https://cors.com");
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    assert_eq!(
        cors(&answer),
        [
            "allow-credentials: true",
            "allow-headers: x-one,x-two",
            "allow-methods: POST,GET",
            "allow-origin: https://cors.com",
            "max-age: 300",
        ]
    );
    assert!(gateway.log_line().contains("\" 200 - cors_response "));
    // A prefix, and an expression for the whole of it.
    assert_eq!(
        preflight(&gateway, "/", "http://dev.local:8080").field("access-control-allow-origin"),
        Some("http://dev.local:8080")
    );
    assert!(
        cors(&preflight(&gateway, "/", "https://a.example.org"))
            .contains(&"allow-origin: https://a.example.org".to_owned())
    );
    assert_eq!(origin.connections(), 0);
    assert_eq!(gateway.metric("sluicegate_cors_preflights_answered_total"), 3.0);
    gateway.stop();
}

#[test]
fn a_preflight_from_elsewhere_goes_to_the_origin_or_is_answered_without_leave() {
    let (_origin, gateway) = with_policy(POLICY);
    for stranger in ["https://cors.com.evil.test", "http://cors.com", "https://example.org.evil.test", "null"]
    {
        let answer = preflight(&gateway, "/", stranger);
        assert_eq!(answer.text(), "OPTIONS / HTTP/1.1\n", "{stranger}");
    }
    assert_eq!(gateway.metric("envoy_http_cors_origin_invalid"), 4.0);
    gateway.stop();
    let (origin, ignoring) = with_policy(&format!("{POLICY}, unmatchedPreflights: IGNORE"));
    let answer = preflight(&ignoring, "/", "https://evil.test");
    assert_eq!((answer.status, cors(&answer)), (200, Vec::new()));
    assert_eq!(origin.connections(), 0);
    assert_eq!(cors(&preflight(&ignoring, "/", "https://cors.com")).len(), 5);
    // A request that is none is not stopped.
    assert_eq!(
        ignoring.request(80, "GET", "a", "/", &[("Origin", "https://evil.test")]).text(),
        "GET / HTTP/1.1\n"
    );
    ignoring.stop();
}

#[test]
fn case_91_answers_say_that_they_may_be_read() {
    let (_origin, gateway) = with_policy(POLICY);
    let answer = gateway.request(80, "GET", "a", "/", &[("Origin", "https://cors.com")]);
    assert_eq!((answer.status, answer.text()), (200, "GET / HTTP/1.1\n"));
    let allowed =
        ["allow-credentials: true", "allow-origin: https://cors.com", "expose-headers: x-three,x-four"];
    // What the origin said, and what the rule sets, is overwritten.
    assert_eq!(cors(&answer), allowed);
    // No origin, or another: the answer is what it was.
    for fields in [&[][..], &[("Origin", "https://evil.test")], &[("Origin", "")]] {
        let answer = gateway.request(80, "GET", "a", "/", fields);
        assert_eq!(
            (answer.status, cors(&answer)),
            (200, vec!["allow-origin: mine".to_owned(), "expose-headers: x-own".to_owned()])
        );
    }
    // OPTIONS that asks for nothing is a request like others.
    let answer = gateway.request(80, "OPTIONS", "a", "/", &[("Origin", "https://cors.com")]);
    assert_eq!((answer.text(), cors(&answer)), ("OPTIONS / HTTP/1.1\n", allowed.map(str::to_owned).to_vec()));
    gateway.stop();
}

#[test]
fn redirects_fixed_answers_and_local_replies_say_it_too() {
    let (_origin, gateway) = with_policy(POLICY);
    for (path, status, count) in
        [("/old", 301, 3), ("/fixed", 200, 3), ("/gone", 503, 3), ("/broken", 500, 0)]
    {
        let answer = gateway.request(80, "GET", "a", path, &[("Origin", "https://cors.com")]);
        // Istio's faults come before CORS.
        assert_eq!((answer.status, cors(&answer).len()), (status, count), "{path}");
    }
    assert_eq!(preflight(&gateway, "/old", "https://cors.com").status, 200);
    assert_eq!(cors(&preflight(&gateway, "/fixed", "https://cors.com")).len(), 5);
    // The preflight has to match the rule.
    assert_eq!(preflight(&gateway, "/get", "https://cors.com").status, 405);
    assert_eq!(gateway.request(80, "GET", "a", "/get", &[("Origin", "https://cors.com")]).status, 200);
    gateway.stop();
}

#[test]
fn stars_are_what_was_asked_for() {
    let (_origin, gateway) =
        with_policy("allowOrigins: [{exact: '*'}], allowMethods: ['*'], allowHeaders: ['*']");
    assert_eq!(
        cors(&preflight(&gateway, "/", "https://any.test")),
        ["allow-headers: x-asked", "allow-methods: DELETE", "allow-origin: https://any.test"]
    );
    gateway.stop();
    let (_origin, old) = with_policy("allowOrigin: [https://old.test]");
    assert_eq!(cors(&preflight(&old, "/", "https://old.test")), ["allow-origin: https://old.test"]);
    assert_eq!(preflight(&old, "/", "https://any.test").text(), "OPTIONS / HTTP/1.1\n");
    old.stop();
}

#[test]
fn curl_over_http2_gets_the_same() {
    if !has_for("curl", "CORS over HTTP/2") {
        return;
    }
    let (_origin, gateway) = with_policy(POLICY);
    let ask = |arguments: &[&str]| {
        let url = format!("http://127.0.0.1:{}/", gateway.port(80));
        let (ended, said) = run(
            Command::new("curl")
                .args(["-sS", "-i", "--http2-prior-knowledge", "-H", "Origin: https://cors.com"])
                .args(arguments)
                .arg(url),
            b"",
        );
        assert!(ended && said.starts_with("HTTP/2 200"), "{said}");
        said
    };
    let said = ask(&["-X", "OPTIONS", "-H", "Access-Control-Request-Method: POST"]);
    assert!(said.contains("access-control-allow-methods: POST,GET"), "{said}");
    let said = ask(&[]);
    assert!(
        said.contains("access-control-allow-origin: https://cors.com") && !said.contains("mine"),
        "{said}"
    );
    gateway.stop();
}
