//! Keys for tokens that are fetched: from servers that fail, come back and change, and by TLS.

// A server of a test is no shard.
#![allow(clippy::disallowed_types)]

use super::{
    certificates::Authority,
    harness::{Folder, Gateway, Launch, routed},
    jwt::{OK, bearer, get, policy},
    origin::Origin,
    tls_origin::TlsOrigin,
    tokens::Signer,
};
use serde_json::json;
use std::{
    io::Write,
    sync::{Arc, Mutex},
};

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
