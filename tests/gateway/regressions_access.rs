//! Ways around what keeps requests out, that there have been once and must not come back.

use super::{
    authorization::{deny, policy},
    harness::{Ended, GATEWAY, Gateway, answering, routed, virtual_service},
    origin::Origin,
    tokens::Signer,
};
use serde_json::json;

/// One host, in ways in which clients may write it.
const SPELLINGS: [&str; 6] =
    ["deny.x.com", "DENY.x.com", "deny.x.com:80", "deny.x.com.", "Deny.X.Com.:8080", "deny.x.com:"];

/// A VirtualService that answers everything, with an annotation.
fn annotated(name: &str, value: &str) -> String {
    let yaml = answering("in");
    let with = yaml.replace(
        "kind: VirtualService\nmetadata: {name: vs}",
        &format!(
            "kind: VirtualService\nmetadata: {{name: vs, annotations: {{sluicegate.io/{name}: '{value}'}}}}"
        ),
    );
    assert_ne!(with, yaml);
    with
}

#[track_caller]
fn is_refused(yaml: &str, code: &str) {
    let Err(Ended { code: exit, said, .. }) = Gateway::try_start(&[80], yaml, &[]) else {
        panic!("it serves")
    };
    assert_eq!(exit, Some(1));
    assert!(said.contains(code), "{said}");
}

#[test]
fn a_policy_for_one_of_two_gateways_is_refused() {
    let gateways = format!(
        "{GATEWAY}---\n{}---\n{}",
        GATEWAY.replace("name: gw", "name: admin").replace("number: 80", "number: 81"),
        virtual_service("  - directResponse: {status: 200}")
            .replace("gateways: [gw]", "gateways: [gw, admin]")
    );
    let target = |name: &str| format!("{{group: networking.istio.io, kind: Gateway, name: {name}}}");
    let only = policy("only-office", &format!("targetRefs: [{}], rules: [{{}}]", target("admin")));
    is_refused(&format!("{gateways}{only}"), "partial-target");
    let both = policy("both", &format!("targetRefs: [{}, {}], rules: [{{}}]", target("admin"), target("gw")));
    let gateway = Gateway::start(&[80, 81], &format!("{gateways}{both}"));
    assert_eq!((gateway.get(80, "a", "/").status, gateway.get(81, "a", "/").status), (200, 200));
    gateway.stop();
}

#[test]
fn networks_of_ipv4_in_ipv6_keep_ipv4_out() {
    for network in ["::ffff:127.0.0.0/104", "::ffff:127.0.0.1"] {
        let gateway = Gateway::start(&[80], &annotated("networks", &format!("deny: [\"{network}\"]")));
        assert_eq!(gateway.get(80, "a", "/").status, 403, "{network}");
        gateway.stop();
    }
    let blocks = deny("{from: [{source: {ipBlocks: ['::ffff:127.0.0.0/104']}}]}");
    let gateway = Gateway::start(&[80], &(answering("in") + &blocks));
    assert_eq!(gateway.get(80, "a", "/").status, 403);
    gateway.stop();
}

#[test]
fn a_host_denied_as_a_header_is_denied_in_every_spelling() {
    for (key, value) in [
        ("host", "deny.x.com"),
        (":authority", "deny.x.com"),
        ("Host", "Deny.X.com"),
        (":authority", "*.X.COM"),
    ] {
        let rule = format!("{{when: [{{key: 'request.headers[{key}]', values: ['{value}']}}]}}");
        let gateway = Gateway::start(&[80], &(answering("in") + &deny(&rule)));
        for host in SPELLINGS {
            assert_eq!(gateway.get(80, host, "/").status, 403, "{key} {value} {host}");
        }
        assert_eq!(gateway.get(80, "x.org", "/").text(), "in", "{key} {value}");
        gateway.stop();
    }
}

#[test]
fn a_rate_limit_by_host_counts_all_spellings_together() {
    let gateway = Gateway::start(
        &[80],
        &annotated("rate-limit", "{requests: 2, per: 1h, burst: 2, key: {header: host}}"),
    );
    let statuses = SPELLINGS.map(|host| gateway.get(80, host, "/").status);
    assert_eq!(statuses, [200, 200, 429, 429, 429, 429]);
    let others = ["b", "B.", "b:80"].map(|host| gateway.get(80, host, "/").status);
    assert_eq!(others, [200, 200, 429]);
    gateway.stop();
}

#[test]
fn a_keyed_rate_that_cannot_be_counted_is_refused() {
    is_refused(&annotated("rate-limit", "{requests: 20000, per: 1s, key: {header: host}}"), "bad-rate");
}

#[test]
fn an_origin_does_not_allow_credentials_that_the_policy_does_not() {
    let origin = Origin::serve(|_, stream| {
        use std::io::Write as _;
        let head = "HTTP/1.1 200 OK\r\nAccess-Control-Allow-Credentials: true\r\nContent-Length: 0\r\n\r\n";
        stream.write_all(head.as_bytes()).is_ok()
    });
    let rule = "  - {corsPolicy: {allowOrigins: [{regex: '.*'}], allowCredentials: false}, route: [{destination: {host: a.test}}]}";
    let gateway = Gateway::start(&[80], &routed(rule, &[origin.port()]));
    let answer = gateway.request(80, "GET", "a", "/", &[("Origin", "https://evil.test")]);
    assert_eq!(answer.field("access-control-allow-origin"), Some("https://evil.test"));
    assert_eq!(answer.field("access-control-allow-credentials"), None);
    // Without an Origin it is not a matter of CORS, and the answer is as it was.
    assert_eq!(gateway.get(80, "a", "/").field("access-control-allow-credentials"), Some("true"));
    gateway.stop();
}

#[test]
fn a_token_seen_in_another_place_is_still_read_by_its_rule() {
    let signer = Signer::new("ES256", Some("a"));
    let rule = |more: &str| format!("{{issuer: one, jwks: '{}', {more}}}", signer.set());
    let yaml = format!(
        "{}---\napiVersion: security.istio.io/v1\nkind: RequestAuthentication\nmetadata: {{name: jwt}}\nspec: {{jwtRules: [{}, {}]}}\n{}",
        answering("in"),
        rule("fromHeaders: [{name: x-a}], spaceDelimitedClaims: [roles]"),
        rule("fromHeaders: [{name: x-b}, {name: x-a}]"),
        deny("{when: [{key: 'request.auth.claims[roles]', values: [suspended]}]}")
    );
    // One worker, so that it is one cache.
    let gateway = Gateway::start_with(&[80], &yaml, &["--workers", "1"]);
    let token = signer.token(&json!({"iss": "one", "sub": "s", "roles": "user suspended"}));
    let status = |place: &str| gateway.request(80, "GET", "a", "/", &[(place, &token)]).status;
    assert_eq!(["x-b", "x-a", "x-b", "x-a"].map(status), [200, 403, 200, 403]);
    gateway.stop();
}
