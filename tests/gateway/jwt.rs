//! RequestAuthentication and claims through the whole gateway: acceptance case 74 with the variants of Istio's own suite,
//! and what becomes of tokens.

use super::{
    client::Answer,
    harness::{Ended, Gateway, routed},
    origin::Origin,
    tokens::{Signer, rsa, unsigned},
};
use serde_json::{Value, json};
use std::time::SystemTime;

/// Everything is answered, if it comes so far.
pub(super) const OK: &str = "  - directResponse: {status: 200}";

/// Seconds since 1970, now.
fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

/// A RequestAuthentication with these rules, in YAML's flow style.
pub(super) fn policy(rules: &str) -> String {
    format!(
        "---\napiVersion: security.istio.io/v1\nkind: RequestAuthentication\nmetadata: {{name: jwt}}\nspec:\n  \
         jwtRules: [{rules}]\n"
    )
}

/// A rule for an issuer whose keys are part of it.
fn rule(issuer: &str, signer: &Signer, more: &str) -> String {
    format!("{{issuer: '{issuer}', jwks: '{}'{more}}}", signer.set())
}

/// Claims of a token of `test-issuer` that is good for an hour.
fn claims() -> Value {
    json!({
        "iss": "test-issuer", "sub": "sub-1", "exp": now() + 3600, "groups": ["dev", "ops"], "scope": "read write",
        "nested": {"key1": "valueA", "list": ["x", "y"]}, "version": 2
    })
}

pub(super) fn bearer(token: &str) -> (&'static str, String) {
    ("Authorization", format!("Bearer {token}"))
}

pub(super) fn get(gateway: &Gateway, path: &str, fields: &[(&str, String)]) -> Answer {
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    gateway.request(80, "GET", "foo.bar", path, &fields)
}

#[test]
fn case_74_matches_on_claims() {
    let signer = rsa();
    let good = signer.token(&claims());
    let expired =
        signer.token(&json!({"iss": "test-issuer", "exp": now() - 3600, "nested": {"key1": "valueA"}}));
    let cases: [(&str, &str, Option<&str>, u16); 17] = [
        ("headers", "'@request.auth.claims.nested.key1': {exact: valueA}", Some(&good), 200),
        ("headers", "'@request.auth.claims[nested][key1]': {exact: valueA}", Some(&good), 200),
        ("headers", "'@request.auth.claims.sub': {prefix: sub}", Some(&good), 200),
        ("headers", "'@request.auth.claims.sub': {regex: 'sub-[0-9]'}", Some(&good), 200),
        ("headers", "'@request.auth.claims.groups': {exact: ops}", Some(&good), 200),
        ("headers", "'@request.auth.claims[nested][list]': {exact: y}", Some(&good), 200),
        ("headers", "'@request.auth.claims.scope': {exact: write}", Some(&good), 200),
        (
            "headers",
            "'@request.auth.claims.nested.key1': {exact: valueA}, '@request.auth.claims.sub': {prefix: sub}",
            Some(&good),
            200,
        ),
        ("withoutHeaders", "'@request.auth.claims.nested.key1': {exact: not-matched}", Some(&good), 200),
        ("withoutHeaders", "'@request.auth.claims.nested.key1': {exact: valueA}", Some(&good), 404),
        (
            "headers",
            "'@request.auth.claims.nested.key1': {exact: valueA}, '@request.auth.claims.sub': {prefix: not-matched}",
            Some(&good),
            404,
        ),
        ("headers", "'@request.auth.claims.sub': {exact: not-matched}", Some(&good), 404),
        ("headers", "'@request.auth.claims.version': {exact: '2'}", Some(&good), 404),
        ("headers", "'@request.auth.claims.nested.key1': {exact: valueA}", Some(&expired), 401),
        ("headers", "'@request.auth.claims.nested.key1': {exact: valueA}", None, 404),
        ("withoutHeaders", "'@request.auth.claims.nested.key1': {exact: valueA}", None, 200),
        ("withoutHeaders", "'@request.auth.claims.nested.key1': {exact: valueA}", Some(&expired), 401),
    ];
    // One gateway for all: each case is a path of its own.
    let http: String = cases
        .iter()
        .zip(0..)
        .map(|((field, wanted, ..), number)| {
            format!("  - match: [{{uri: {{exact: /{number}}}, {field}: {{{wanted}}}}}]\n    directResponse: {{status: 200}}\n")
        })
        .collect();
    let yaml = routed(&http, &[]) + &policy(&rule("test-issuer", signer, ""));
    let gateway = Gateway::start(&[80], &yaml);
    for (number, (field, wanted, token, expected)) in cases.iter().enumerate() {
        let mut fields: Vec<(&str, String)> = token.iter().map(|token| bearer(token)).collect();
        // Who says so himself is not believed.
        fields.push(("request.auth.claims.nested.key1", "valueA".into()));
        fields.push(("x-jwt-claim.nested.key1", "valueA".into()));
        let answer = get(&gateway, &format!("/{number}"), &fields);
        assert_eq!(answer.status, *expected, "{field} {wanted}");
    }
    gateway.stop();
}

#[test]
fn case_74_claims_without_authentication_are_refused() {
    let http =
        "  - match: [{headers: {'@request.auth.claims.a': {exact: b}}}]\n    directResponse: {status: 200}";
    let Err(Ended { said, code, .. }) = Gateway::try_start(&[80], &routed(http, &[]), &[]) else {
        panic!("it serves")
    };
    assert_eq!(code, Some(1));
    assert!(said.contains("claim-without-authentication"), "{said}");
    // One for other workloads is none.
    let other = policy(&rule("a", rsa(), "")).replace("name: jwt", "name: jwt, namespace: other");
    assert!(Gateway::try_start(&[80], &(routed(http, &[]) + &other), &[]).is_err());
}

#[test]
fn who_has_a_bad_token_is_told_so_and_why() {
    let signer = rsa();
    let yaml = routed(
        "  - {match: [{uri: {prefix: /old}}], redirect: {uri: /new}}\n  - {match: [{uri: {prefix: /x}}], directResponse: {status: 200}}",
        &[],
    ) + &policy(&rule("test-issuer", signer, ", audiences: [api]"));
    let gateway = Gateway::start(&[80], &yaml);
    let with = |change: Value| {
        let mut claims = claims();
        claims["aud"] = "api".into();
        claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        signer.token(&claims)
    };
    let other = Signer::new("ES256", Some("other")).token(&json!({"iss": "test-issuer", "aud": "api"}));
    let forged = format!("{}.AAAA", with(json!({})).rsplit_once('.').unwrap().0);
    for (token, status, text) in [
        (with(json!({"exp": now() - 100})), 401, "Jwt is expired"),
        (with(json!({"nbf": now() + 100})), 401, "Jwt not yet valid"),
        (with(json!({"iss": "other"})), 401, "Jwt issuer is not configured"),
        (with(json!({"aud": "other"})), 403, "Audiences in Jwt are not allowed"),
        (forged, 401, "Jwt verification fails"),
        (other, 401, "Jwks doesn't have key to match kid or alg from Jwt"),
        (
            "abc".into(),
            401,
            "Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections",
        ),
        (
            format!("{}.AA", unsigned(&json!({"alg": "none"}), &claims())),
            401,
            "Jwt header [alg] is not supported",
        ),
        (
            "a".repeat(33_000),
            401,
            "Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections",
        ),
    ] {
        // Also where there is no route, and where there would be a redirect.
        for path in ["/x?q", "/nowhere", "/old"] {
            let answer = get(&gateway, path, &[bearer(&token)]);
            assert_eq!((answer.status, answer.text()), (status, text), "{path}");
            let challenge = format!("Bearer realm=\"http://foo.bar{path}\", error=\"invalid_token\"");
            assert_eq!(answer.field("www-authenticate"), Some(&*challenge));
            assert_eq!(answer.field("content-type"), Some("text/plain"));
            let details = format!(" {status} - jwt_authn_access_denied{{{}}} ", text.replace(' ', "_"));
            let line = gateway.log_line();
            assert!(line.contains(&details), "{line}");
        }
    }
    assert_eq!(gateway.metric("envoy_http_jwt_authn_denied"), 27.0);
    assert_eq!(get(&gateway, "/x", &[]).status, 200);
    assert_eq!(get(&gateway, "/x", &[("Authorization", "Basic YTpi".into())]).status, 200);
    // Clocks differ by a minute at most.
    assert_eq!(get(&gateway, "/x", &[bearer(&with(json!({"exp": now() - 30})))]).status, 200);
    assert_eq!(gateway.metric("envoy_http_jwt_authn_allowed"), 3.0);
    gateway.stop();
}

#[test]
fn what_the_origin_gets() {
    let origin = Origin::echo();
    let (one, two) = (rsa(), Signer::new("EdDSA", None));
    let outputs = ", outputPayloadToHeader: X-Payload, outputClaimToHeaders: [{header: x-sub, claim: sub}, {header: \
                   x-key, claim: nested.key1}, {header: x-version, claim: version}, {header: x-groups, claim: groups}]";
    let places = ", forwardOriginalToken: true, fromHeaders: [{name: x-jwt, prefix: 'JWT '}], fromParams: [jwt], \
                  fromCookies: [jwt]";
    let rules = format!("{}, {}", rule("test-issuer", one, outputs), rule("second", &two, places));
    let yaml = routed("  - route: [{destination: {host: a.test}}]", &[origin.port()]) + &policy(&rules);
    let gateway = Gateway::start(&[80], &yaml);
    let token = one.token(&claims());
    let own = [("x-sub", "admin".to_owned()), ("x-payload", "e30".into()), ("x-groups", "admin".into())];
    for (path, field) in [
        ("/p?a=1".to_owned(), Some(bearer(&token))),
        (format!("/p?access_token={token}&a=1"), None),
        (format!("/p?a=1&access_token={token}"), None),
    ] {
        let fields: Vec<_> = own.iter().cloned().chain(field).collect();
        let answer = get(&gateway, &path, &fields);
        assert_eq!(answer.status, 200);
        let seen = origin.request();
        assert_eq!(seen.target(), "/p?a=1");
        assert_eq!(seen.field("authorization"), None);
        assert_eq!(seen.field("x-payload"), token.split('.').nth(1));
        assert_eq!((seen.field("x-sub"), seen.field("x-key")), (Some("sub-1"), Some("valueA")));
        assert_eq!((seen.field("x-version"), seen.field("x-groups")), (Some("2"), None));
        assert!(!gateway.log_line().contains(&token), "a token is not for logs");
    }
    // Who has no token says nothing about himself.
    assert_eq!(get(&gateway, "/", &own).status, 200);
    let seen = origin.request();
    assert_eq!([seen.field("x-sub"), seen.field("x-payload"), seen.field("x-groups")], [None; 3]);
    let token = two.token(&json!({"iss": "second"}));
    for (path, fields) in [
        ("/".to_owned(), vec![("x-jwt", format!("JWT {token}"))]),
        (format!("/?jwt={token}"), vec![]),
        ("/".to_owned(), vec![("Cookie", format!("a=b; jwt={token}"))]),
    ] {
        assert_eq!(get(&gateway, &path, &fields).status, 200);
        let seen = origin.request();
        let all = format!("{} {:?}", seen.line, seen.fields);
        assert!(all.contains(&token), "{all}");
    }
    // Each is looked for where its own rule says, and all must be good.
    assert_eq!(get(&gateway, "/", &[bearer(&token)]).status, 401);
    let both = [bearer(&one.token(&claims())), ("x-jwt", "JWT a.b.c".to_owned())];
    assert_eq!(get(&gateway, "/", &both).status, 401);
    assert!(origin.try_request().is_none());
    gateway.stop();
}

#[test]
fn connections_and_preflights_are_let_through() {
    let origin = Origin::echo();
    let tcp = "---\napiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: tcp}\nspec:\n  servers:\n  - {port: \
               {number: 81, name: tcp, protocol: TCP}, bind: 127.0.0.1, hosts: ['*']}\n---\napiVersion: \
               networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: tcp}\nspec:\n  hosts: ['*']\n  gateways: \
               [tcp]\n  tcp: [{route: [{destination: {host: a.test, port: {number: 80}}}]}]\n";
    let yaml = routed("  - route: [{destination: {host: a.test}}]", &[origin.port()])
        + tcp
        + &policy(&rule("test-issuer", rsa(), ""));
    let gateway = Gateway::start(&[80, 81], &yaml);
    let bad = [("Authorization", "Bearer x")];
    assert_eq!(gateway.request(81, "GET", "a", "/", &bad).status, 200);
    let preflight = [("Origin", "https://a"), ("Access-Control-Request-Method", "PUT"), bad[0]];
    assert_eq!(gateway.request(80, "OPTIONS", "a", "/", &preflight).status, 200);
    assert_eq!(gateway.request(80, "OPTIONS", "a", "/", &bad).status, 401);
    gateway.stop();
}

#[test]
fn many_tokens_one_connection() {
    let signer = Signer::new("ES256", None);
    let yaml = routed(OK, &[]) + &policy(&rule("a", &signer, ""));
    let gateway = Gateway::start(&[80], &yaml);
    let mut client = gateway.connect(80);
    let good: Vec<String> =
        (0..50).map(|sub| signer.token(&json!({"iss": "a", "sub": sub.to_string()}))).collect();
    for round in 0..4 {
        for token in &good {
            client.send(
                format!("GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\n").as_bytes(),
            );
            assert_eq!(client.answer("GET").status, 200, "{round}");
            client.send(
                format!("GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}A\r\n\r\n").as_bytes(),
            );
            assert_eq!(client.answer("GET").status, 401, "{round}");
        }
    }
    drop(client);
    gateway.stop();
}

/// Everything that a gateway without a policy has stays as it was.
#[test]
fn without_a_policy_tokens_are_nobodys_business() {
    let origin = Origin::echo();
    let yaml = routed("  - route: [{destination: {host: a.test}}]", &[origin.port()]);
    let gateway = Gateway::start(&[80], &yaml);
    assert_eq!(get(&gateway, "/?access_token=x", &[bearer("x")]).status, 200);
    let seen = origin.request();
    assert_eq!((seen.target(), seen.field("authorization")), ("/?access_token=x", Some("Bearer x")));
    gateway.stop();
}

#[test]
fn together_with_authorization() {
    let signer = rsa();
    let allow = "---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: need-token}\nspec:\n  \
                 rules:\n  - {from: [{source: {requestPrincipals: ['test-issuer/*']}}], to: [{operation: {paths: \
                 [/users]}}]}\n  - {to: [{operation: {paths: [/healthz]}}]}\n  - {when: [{key: \
                 'request.auth.claims[groups]', values: [ops]}], to: [{operation: {paths: [/ops]}}]}\n";
    let rules = format!("{}, {}", rule("test-issuer", signer, ""), rule("second", signer, ""));
    let gateway = Gateway::start(&[80], &(routed(OK, &[]) + &policy(&rules) + allow));
    let status = |path: &str, claims: Option<Value>| {
        let fields: Vec<_> = claims.map(|claims| bearer(&signer.token(&claims))).into_iter().collect();
        get(&gateway, path, &fields).status
    };
    assert_eq!(status("/healthz", None), 200);
    assert_eq!(status("/users", None), 403);
    assert_eq!(status("/users", Some(claims())), 200);
    assert_eq!(status("/users", Some(json!({"iss": "second", "sub": "sub-1"}))), 403);
    assert_eq!(status("/users", Some(json!({"iss": "test-issuer", "sub": "x", "exp": 1}))), 401);
    assert_eq!(status("/ops", Some(claims())), 200);
    assert_eq!(status("/ops", Some(json!({"iss": "test-issuer", "sub": "x", "groups": ["dev"]}))), 403);
    assert_eq!(status("/ops", None), 403);
    gateway.stop();
}

#[test]
fn over_http2() {
    if !super::tools::has_for("curl", "tokens over HTTP/2") {
        return;
    }
    let origin = Origin::echo();
    let signer = rsa();
    let yaml = routed("  - route: [{destination: {host: a.test}}]", &[origin.port()])
        + &policy(&rule(
            "test-issuer",
            signer,
            ", fromHeaders: [{name: authorization, prefix: 'Bearer '}], fromCookies: [t]",
        ));
    let gateway = Gateway::start(&[80], &yaml);
    let url = format!("http://127.0.0.1:{}/p", gateway.port(80));
    let ask = |field: &str| {
        let mut command = std::process::Command::new("curl");
        command.args(["--silent", "--include", "--http2-prior-knowledge", "--header", field, &url]);
        super::tools::run(&mut command, b"").1
    };
    let token = signer.token(&claims());
    let good = ask(&format!("authorization: Bearer {token}"));
    assert!(good.starts_with("HTTP/2 200"), "{good}");
    assert_eq!(origin.request().field("authorization"), None);
    assert!(ask(&format!("cookie: a=b; t={token}; c=d")).starts_with("HTTP/2 200"));
    for bad in ["authorization: Bearer x", "cookie: t=x"] {
        let said = ask(bad);
        assert!(said.starts_with("HTTP/2 401") && said.contains("www-authenticate: Bearer realm="), "{said}");
        assert!(said.ends_with("with two dots and 3 sections"), "{said}");
    }
    // A client of gRPC reads its status alone.
    let mut command = std::process::Command::new("curl");
    command.args(["--silent", "--include", "--http2-prior-knowledge", "--header", "authorization: Bearer x"]);
    command.args(["--header", "content-type: application/grpc", "--data", "", &url]);
    let said = super::tools::run(&mut command, b"").1;
    assert!(said.starts_with("HTTP/2 200") && said.contains("grpc-status: 16"), "{said}");
    gateway.stop();
}
