//! What RequestAuthentication costs a request: nothing to find, a token that is verified, and one that is remembered.
//!
//! `cargo bench --bench tokens`. Microseconds per request, the best of several rounds. Keys are made anew in every run.

// A bench that can't go on has failed.
#![allow(clippy::unwrap_used)]

#[path = "common/tokens.rs"]
mod token_rule;

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, PublicKeyData, SigningKey};
use sluicegate::{
    filter::{Authentication, Keys},
    http::RequestHead,
};
use std::{hint::black_box, time::Instant};
use token_rule::{NOW, authentication, bare, request};

const TOKENS: usize = 64;
const ROUNDS: usize = 50;

fn main() {
    println!("{:<44} {:>12}", "a request", "us");
    let (authentication, tokens) = elliptic();
    let requests: Vec<RequestHead> = tokens.iter().map(|token| request(token)).collect();
    let bare = vec![bare(); TOKENS];
    measure("without a token", &authentication, &bare, false);
    measure("ES256, verified", &authentication, &requests, false);
    measure("ES256, remembered", &authentication, &requests, true);
    let (authentication, tokens) = rsa();
    let requests: Vec<RequestHead> = tokens.iter().map(|token| request(token)).collect();
    measure("RS256, verified", &authentication, &requests, false);
    measure("RS256, remembered", &authentication, &requests, true);
}

fn measure(what: &str, authentication: &Authentication, requests: &[RequestHead], is_remembered: bool) {
    let mut keys = Keys::new(authentication);
    let mut best = f64::MAX;
    for _ in 0..ROUNDS {
        if !is_remembered {
            keys = Keys::new(authentication);
        }
        let mut round = requests.to_vec();
        let started = Instant::now();
        for request in &mut round {
            let verified = authentication.apply(black_box(request), &keys, NOW);
            assert!(black_box(verified).is_ok());
        }
        best = best.min(started.elapsed().as_secs_f64() * 1e6 / requests.len() as f64);
    }
    println!("{what:<44} {best:>12.2}");
}

/// The signed part of a token with the claims that identity providers put in.
fn signed(algorithm: &str, number: usize) -> String {
    let header = format!(r#"{{"alg":"{algorithm}","typ":"JWT"}}"#);
    let claims = format!(
        r#"{{"iss":"https://issuer.example","sub":"user-{number}","aud":["api","web"],"exp":{},"iat":{NOW},"azp":"web","scope":"openid profile email","realm_access":{{"roles":["offline_access","uma_authorization","user"]}},"name":"A Name","preferred_username":"user-{number}","email":"user-{number}@example.com"}}"#,
        NOW + 3600
    );
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims))
}

fn elliptic() -> (Authentication, Vec<String>) {
    let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pair.serialize_der()).unwrap();
    let point = key.public_key().as_ref();
    let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let set = format!(
        r#"{{"keys":[{{"kty":"EC","crv":"P-256","x":"{}","y":"{}"}}]}}"#,
        text(&point[1..33]),
        text(&point[33..])
    );
    let token = |number: usize| {
        let signed = signed("ES256", number);
        let signature = key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", text(signature.as_ref()))
    };
    (authentication(&set), (0..TOKENS).map(token).collect())
}

fn rsa() -> (Authentication, Vec<String>) {
    let pair = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
    // `RSAPublicKey` of 2048 bits: two headers of four bytes and a zero, the modulus, then the exponent 65537.
    let modulus = &pair.der_bytes()[9..9 + 256];
    let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let set = format!(r#"{{"keys":[{{"kty":"RSA","n":"{}","e":"AQAB"}}]}}"#, text(modulus));
    let token = |number: usize| {
        let signed = signed("RS256", number);
        format!("{signed}.{}", text(&pair.sign(signed.as_bytes()).unwrap()))
    };
    (authentication(&set), (0..TOKENS).map(token).collect())
}
