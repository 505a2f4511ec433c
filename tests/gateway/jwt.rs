//! RequestAuthentication and claims through the whole gateway: acceptance case 74 with the variants of Istio's own suite,
//! what becomes of tokens, and keys that are fetched from servers that fail, come back and change.

use super::{
    certificates::Authority,
    client::Answer,
    harness::{Ended, Folder, Gateway, Launch, routed},
    origin::Origin,
    tls_origin::TlsOrigin,
    tokens::{Signer, rsa, unsigned},
};
use serde_json::{Value, json};
use std::{
    io::Write,
    sync::{Arc, Mutex},
    time::SystemTime,
};

/// Seconds since 1970, now.
fn now() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs()
}

/// A RequestAuthentication with these rules, in YAML's flow style.
fn policy(rules: &str) -> String {
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

fn bearer(token: &str) -> (&'static str, String) {
    ("Authorization", format!("Bearer {token}"))
}

fn get(gateway: &Gateway, path: &str, fields: &[(&str, String)]) -> Answer {
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

/// A server of keys that can be told what to answer.
struct KeyServer {
    origin: Origin,
    keys: Arc<Mutex<Option<String>>>,
}

impl KeyServer {
    /// It fails until it is told otherwise.
    fn new() -> KeyServer {
        let keys: Arc<Mutex<Option<String>>> = Arc::default();
        let held = Arc::clone(&keys);
        let origin = Origin::serve(move |request, stream| {
            let host = request.field("host").unwrap_or_default();
            let body = match request.target() {
                "/iss/.well-known/openid-configuration" => {
                    Some(json!({"issuer": "x", "jwks_uri": format!("http://{host}/moved")}).to_string())
                }
                "/moved" => {
                    let moved = "HTTP/1.1 302 Found\r\nlocation: /keys\r\ncontent-length: 0\r\n\r\n";
                    return stream.write_all(moved.as_bytes()).is_ok();
                }
                "/endless" => {
                    let long = format!("HTTP/1.1 200 OK\r\n\r\n{{\"keys\": [\"{}", "a".repeat(300 << 10));
                    let _ = stream.write_all(long.as_bytes());
                    return true;
                }
                _ => held.lock().unwrap().clone(),
            };
            let (status, body) = body.map_or(("500 Broken", String::new()), |body| ("200 OK", body));
            let length = body.len();
            write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}").is_ok()
        });
        KeyServer { origin, keys }
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.origin.port())
    }

    /// It answers so from now on; nothing: it fails.
    fn answers(&self, keys: Option<String>) {
        *self.keys.lock().unwrap() = keys;
    }
}

const OK: &str = "  - directResponse: {status: 200}";

#[test]
fn keys_are_fetched_again_and_again() {
    let server = KeyServer::new();
    let (old, new) = (Signer::new("ES256", Some("old")), Signer::new("ES384", Some("new")));
    let token = |signer: &Signer| signer.token(&json!({"iss": "a"}));
    let yaml = routed(OK, &[]) + &policy(&format!("{{issuer: a, jwksUri: '{}'}}", server.url("/keys")));
    // It serves without keys, and refuses what it can't verify.
    let gateway = Gateway::start(&[80], &yaml);
    assert!(gateway.said_so_far().contains("500 Internal Server Error; its tokens are refused until then"));
    let answer = get(&gateway, "/", &[bearer(&token(&old))]);
    assert_eq!((answer.status, answer.text()), (401, "Jwks remote fetch is failed"));
    assert_eq!(get(&gateway, "/", &[]).status, 200);
    // The server comes back, and is asked again without anybody's doing.
    server.answers(Some(old.set()));
    gateway.said("1 key for tokens from");
    let status = |signer: &Signer| get(&gateway, "/", &[bearer(&token(signer))]).status;
    gateway.until("the first key is known", || status(&old) == 200);
    assert_eq!(status(&new), 401);
    assert!(gateway.metric("envoy_http_jwt_authn_jwks_fetch_failed") >= 1.0);
    assert_eq!(gateway.metric("sluicegate_token_keys"), 1.0);
    // Both keys for a while, then the new one alone. What was verified with the old one is forgotten.
    server.answers(Some(json!({"keys": [old.key(), new.key()]}).to_string()));
    gateway.signal("HUP");
    gateway.said("2 keys for tokens from");
    gateway.until("both are known", || (status(&old), status(&new)) == (200, 200));
    server.answers(Some(new.set()));
    gateway.signal("HUP");
    gateway.said("1 key for tokens from");
    gateway.until("the old one is gone", || (status(&old), status(&new)) == (401, 200));
    // It fails in every way it can; the last good keys stay.
    for broken in [None, Some(String::new()), Some("{\"keys\": []}".to_owned()), Some("<html>".to_owned())] {
        server.answers(broken);
        gateway.signal("HUP");
        gateway.said("the old keys stay");
        assert_eq!((status(&old), status(&new)), (401, 200));
    }
    server.answers(Some(json!({"keys": [old.key(), new.key()]}).to_string()));
    gateway.signal("HUP");
    gateway.said("2 keys for tokens from");
    gateway.until("both are known again", || (status(&old), status(&new)) == (200, 200));
    gateway.stop();
}

#[test]
fn keys_are_discovered_and_redirects_followed() {
    let server = KeyServer::new();
    let signer = Signer::new("ES256", Some("k"));
    server.answers(Some(signer.set()));
    let issuer = server.url("/iss");
    let yaml = routed(OK, &[]) + &policy(&format!("{{issuer: '{issuer}'}}"));
    let gateway = Gateway::start(&[80], &yaml);
    let token = signer.token(&json!({"iss": issuer}));
    gateway.until("the key is known", || get(&gateway, "/", &[bearer(&token)]).status == 200);
    gateway.stop();
}

#[test]
fn a_secret_that_everybody_can_fetch_and_an_answer_without_end_are_no_keys() {
    let server = KeyServer::new();
    let secret = Signer::new("HS256", None);
    server.answers(Some(secret.set()));
    let rules = format!(
        "{{issuer: a, jwksUri: '{}'}}, {{issuer: b, jwksUri: '{}'}}",
        server.url("/keys"),
        server.url("/endless")
    );
    let gateway = Gateway::start(&[80], &(routed(OK, &[]) + &policy(&rules)));
    for issuer in ["a", "b"] {
        let token = secret.token(&json!({"iss": issuer}));
        assert_eq!(get(&gateway, "/", &[bearer(&token)]).text(), "Jwks remote fetch is failed");
    }
    let said = gateway.said_so_far();
    assert!(said.contains("none of its keys can be used"), "{said}");
    assert!(said.contains("length limit exceeded"), "{said}");
    gateway.stop();
}

#[test]
fn keys_behind_tls() {
    let authority = Authority::new("keys");
    let signer = Signer::new("ES256", Some("k"));
    let set = signer.set();
    let server = TlsOrigin::serve(&authority.leaf(&["localhost"]), move |_, stream| {
        let length = set.len();
        let _ = write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{set}");
        stream.conn.send_close_notify();
        let _ = stream.flush();
    });
    let yaml = routed(OK, &[])
        + &policy(&format!("{{issuer: a, jwksUri: 'https://localhost:{}/keys'}}", server.port()));
    let files = Folder::new();
    let believed = files.put("believed.pem", &authority.pem()).display().to_string();
    let other = files.put("other.pem", &Authority::new("other").pem()).display().to_string();
    let token = signer.token(&json!({"iss": "a"}));
    for (file, status) in [(believed, 200), (other, 401)] {
        let variables = [("SSL_CERT_FILE", file.as_str())];
        let gateway = Gateway::launch(Launch {
            declared: &[80],
            yaml: &yaml,
            variables: &variables,
            ..Launch::default()
        });
        let answer = || get(&gateway, "/", &[bearer(&token)]);
        gateway.until("it is decided", || answer().status == status);
        if status == 401 {
            assert_eq!(answer().text(), "Jwks remote fetch is failed");
        }
        gateway.stop();
    }
}

#[test]
fn a_server_of_keys_that_never_answers_holds_nobody_up() {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let rules = format!("{{issuer: a, jwksUri: '{url}', timeout: 200ms}}");
    let gateway = Gateway::start(&[80], &(routed(OK, &[]) + &policy(&rules)));
    let token = Signer::new("ES256", None).token(&json!({"iss": "a"}));
    assert_eq!(get(&gateway, "/", &[bearer(&token)]).text(), "Jwks remote fetch is failed");
    gateway.said("there is no answer within 0.2 s");
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
