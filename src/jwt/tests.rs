use super::testing::{Signer, rsa, unsigned};
use super::*;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};

fn keys(set: &str) -> KeySet {
    KeySet::parse(set.as_bytes(), SharedSecrets::Used).unwrap()
}

fn verify(set: &str, token: &str) -> Result<(), Refusal> {
    keys(set).verify(&Token::parse(token.as_bytes())?)
}

#[test]
fn every_algorithm() {
    let others = ["ES256", "ES384", "ES512", "EdDSA", "HS256", "HS384", "HS512"];
    let mut signers: Vec<Signer> = others.iter().map(|name| Signer::new(name, None)).collect();
    let of_rsa = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"];
    signers.extend(of_rsa.iter().map(|name| rsa().with_algorithm(name)));
    for signer in &signers {
        let token = signer.token(&json!({"sub": "me"}));
        assert_eq!(verify(&signer.set(), &token), Ok(()), "{}", signer.name);
        let mut key = signer.key();
        key["alg"] = signer.name.into();
        assert_eq!(verify(&json!({"keys": [key]}).to_string(), &token), Ok(()), "{}", signer.name);
        // Any other claims, and any other signature.
        let other = unsigned(&json!({"alg": signer.name}), &json!({"sub": "you"}));
        let signature = token.rsplit_once('.').unwrap().1;
        let forged = format!("{other}.{signature}");
        assert_eq!(verify(&signer.set(), &forged), Err(Refusal::Verification), "{}", signer.name);
        let mut bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
        bytes[7] ^= 1;
        let bent = format!("{}.{}", token.rsplit_once('.').unwrap().0, URL_SAFE_NO_PAD.encode(&bytes[..]));
        assert_eq!(verify(&signer.set(), &bent), Err(Refusal::Verification), "{}", signer.name);
        let cut = format!("{}.{}", token.rsplit_once('.').unwrap().0, URL_SAFE_NO_PAD.encode(&bytes[1..]));
        assert_eq!(verify(&signer.set(), &cut), Err(Refusal::Verification), "{}", signer.name);
    }
}

/// The examples of RFC 7515 (appendices A.1 to A.3).
#[test]
fn the_examples_of_the_rfc() {
    let payload =
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let hmac = format!(
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{payload}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    );
    let secret = r#"{"keys": [{"kty": "oct", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}]}"#;
    assert_eq!(verify(secret, &hmac), Ok(()));
    let curve = format!(
        "eyJhbGciOiJFUzI1NiJ9.{payload}.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
    );
    let point = r#"{"keys": [{"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#;
    assert_eq!(verify(point, &curve), Ok(()));
    let token = Token::parse(curve.as_bytes()).unwrap();
    let terms = Terms::new("joe", []);
    assert_eq!(
        terms.check(&token.payload, 1_300_819_380),
        Ok(Validity { not_before: 0, not_after: Some(1_300_819_380) })
    );
    assert_eq!(terms.check(&token.payload, 1_300_819_441), Err(Refusal::Expired));
}

#[test]
fn a_public_key_is_no_secret() {
    // Who signs with the text of a public key as if it were a secret must not get in.
    let set = rsa().set();
    let secret = rsa().key()["n"].as_str().unwrap().to_owned();
    for secret in [set.as_bytes(), secret.as_bytes()] {
        let signed = unsigned(&json!({"alg": "HS256", "kid": "rsa"}), &json!({}));
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret);
        let signature = aws_lc_rs::hmac::sign(&key, signed.as_bytes());
        let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature));
        assert_eq!(verify(&set, &token), Err(Refusal::NoKey));
    }
    // The other way round, and a key that is for another algorithm of its own kind.
    let secret = Signer::new("HS256", Some("rsa"));
    assert_eq!(verify(&secret.set(), &rsa().token(&json!({}))), Err(Refusal::NoKey));
    let mut key = rsa().key();
    key["alg"] = "RS512".into();
    let set = json!({"keys": [key]}).to_string();
    assert_eq!(verify(&set, &rsa().token(&json!({}))), Err(Refusal::NoKey));
}

#[test]
fn without_a_signature_nothing_is_good() {
    let claims = json!({"iss": "a"});
    for name in ["none", "None", "", "RS1", "HS1", "ES256K", "dir"] {
        let signed = unsigned(&json!({"alg": name}), &claims);
        for signature in ["", "AAAA"] {
            let token = format!("{signed}.{signature}");
            let expected = if signature.is_empty() { Refusal::Form } else { Refusal::UnknownAlgorithm };
            assert_eq!(Token::parse(token.as_bytes()).unwrap_err(), expected, "{name}");
        }
    }
}

#[test]
fn the_key_that_a_token_names() {
    let (one, two) = (Signer::new("ES256", Some("1")), Signer::new("ES256", Some("2")));
    let both = json!({"keys": [one.key(), two.key()]}).to_string();
    assert_eq!(verify(&both, &two.token(&json!({}))), Ok(()));
    assert_eq!(verify(&one.set(), &two.token(&json!({}))), Err(Refusal::NoKey));
    // A token without a name is tried with all, and a key without one is tried for all.
    let mut nameless = two.with_algorithm("ES256");
    nameless.id = None;
    assert_eq!(verify(&both, &nameless.token(&json!({}))), Ok(()));
    assert_eq!(verify(&nameless.set(), &two.token(&json!({}))), Ok(()));
    assert_eq!(verify(&nameless.set(), &one.token(&json!({}))), Err(Refusal::Verification));
}

#[test]
fn keys_that_are_of_no_use() {
    let good = Signer::new("ES256", Some("good")).key();
    let bad = [
        json!("text"),
        json!({}),
        json!({"kty": "EC"}),
        json!({"kty": "EC", "crv": "secp256k1", "x": good["x"], "y": good["y"]}),
        json!({"kty": "EC", "crv": "P-256", "x": good["x"], "y": good["x"]}),
        json!({"kty": "EC", "crv": "P-256", "x": "!", "y": good["y"]}),
        json!({"kty": "RSA", "n": "AQAB", "e": "AQAB"}),
        json!({"kty": "RSA", "n": "", "e": "AQAB"}),
        json!({"kty": "OKP", "crv": "X25519", "x": good["x"]}),
        json!({"kty": "oct", "k": "c2hvcnQ"}),
        json!({"kty": "EC", "crv": "P-256", "x": good["x"], "y": good["y"], "use": "enc"}),
        json!({"kty": "EC", "crv": "P-256", "x": good["x"], "y": good["y"], "key_ops": ["encrypt"]}),
        json!({"kty": "EC", "crv": "P-256", "x": good["x"], "y": good["y"], "alg": "RS256"}),
        json!({"kty": "EC", "crv": "P-256", "x": good["x"], "y": good["y"], "alg": 7}),
    ];
    for key in &bad {
        let set = json!({"keys": [key, good]}).to_string();
        let set = keys(&set);
        assert_eq!(
            (set.count(), set.skipped(), set.ids().collect::<Vec<_>>()),
            (1, 1, vec!["good"]),
            "{key}"
        );
        let alone = json!({"keys": [key]}).to_string();
        assert_eq!(KeySet::parse(alone.as_bytes(), SharedSecrets::Used).unwrap_err(), BadKeys::NoneUsable);
    }
    for (text, error) in [
        ("", BadKeys::NotJson),
        ("[]", BadKeys::NotJson),
        ("{}", BadKeys::NoList),
        (r#"{"keys": {}}"#, BadKeys::NoList),
        (r#"{"keys": []}"#, BadKeys::NoneUsable),
    ] {
        assert_eq!(KeySet::parse(text.as_bytes(), SharedSecrets::Used).unwrap_err(), error, "{text}");
    }
    let long = format!("{{\"keys\": [], \"x\": \"{}\"}}", "a".repeat(JWKS_BYTES_MAX));
    assert_eq!(KeySet::parse(long.as_bytes(), SharedSecrets::Used).unwrap_err(), BadKeys::TooLong);
    let many = json!({"keys": vec![good; KEYS_MAX + 5]}).to_string();
    let many = keys(&many);
    assert_eq!((many.count(), many.skipped()), (KEYS_MAX, 5));
}

#[test]
fn secrets_are_for_the_configuration() {
    let secret = Signer::new("HS256", None).set();
    assert!(KeySet::parse(secret.as_bytes(), SharedSecrets::Used).is_ok());
    let fetched = KeySet::parse(secret.as_bytes(), SharedSecrets::Skipped);
    assert_eq!(fetched.unwrap_err(), BadKeys::NoneUsable);
    let set = keys(&secret);
    assert!(!format!("{set:?}").contains("[0, 1, 2"), "a secret is not for logs");
}

fn payload(claims: &Value) -> Map<String, Value> {
    claims.as_object().unwrap().clone()
}

#[test]
fn issuer_times_and_audiences() {
    let terms = Terms::new("joe", ["api", "https://app.example/"]);
    let check = |claims: Value| terms.check(&payload(&claims), 1000).map(|_| ());
    let with = |name: &str, value: Value| {
        let mut claims = json!({"iss": "joe", "aud": "api"});
        claims[name] = value;
        check(claims)
    };
    assert_eq!(with("x", json!(1)), Ok(()));
    assert_eq!(check(json!({"aud": "api"})), Err(Refusal::UnknownIssuer));
    for issuer in ["Joe", "joe/", "", "joe "] {
        assert_eq!(with("iss", json!(issuer)), Err(Refusal::UnknownIssuer), "{issuer}");
    }
    for (audience, expected) in [
        (json!("http://api/"), Ok(())),
        (json!("app.example"), Ok(())),
        (json!(["x", "api"]), Ok(())),
        (json!(["x"]), Err(Refusal::WrongAudience)),
        (json!([]), Err(Refusal::WrongAudience)),
        (json!("API"), Err(Refusal::WrongAudience)),
        (json!(["api", 1]), Err(Refusal::Audience)),
        (json!(1), Err(Refusal::Audience)),
    ] {
        assert_eq!(with("aud", audience.clone()), expected, "{audience}");
    }
    assert_eq!(check(json!({"iss": "joe"})), Err(Refusal::WrongAudience));
    assert!(Terms::new("joe", []).check(&payload(&json!({"iss": "joe"})), 0).is_ok());
    for (name, value, expected) in [
        ("exp", json!(940), Ok(())),
        ("exp", json!(939), Err(Refusal::Expired)),
        ("exp", json!(0), Err(Refusal::Expired)),
        ("exp", json!(940.9), Ok(())),
        ("exp", json!(u64::MAX), Ok(())),
        ("exp", json!(-1), Err(Refusal::Expiry)),
        ("exp", json!("2000"), Err(Refusal::Expiry)),
        ("exp", json!(1e300), Err(Refusal::Expiry)),
        ("nbf", json!(1060), Ok(())),
        ("nbf", json!(1061), Err(Refusal::NotYetValid)),
        ("nbf", json!(null), Err(Refusal::NotBefore)),
        ("iat", json!("now"), Err(Refusal::IssuedAt)),
        ("iat", json!(99999), Ok(())),
        ("sub", json!(7), Err(Refusal::Subject)),
        ("jti", json!([]), Err(Refusal::TokenId)),
        ("iss", json!(7), Err(Refusal::Issuer)),
    ] {
        assert_eq!(with(name, value.clone()), expected, "{name} {value}");
    }
}

#[test]
fn tokens_that_are_none() {
    let parse = |text: &str| Token::parse(text.as_bytes()).map(|_| ()).unwrap_err();
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let (header, claims) = (part(r#"{"alg":"HS256"}"#), part("{}"));
    for text in ["", ".", "..", "a.b", "a.b.c.d", "a..c", ".b.c", "a.b."] {
        assert_eq!(parse(text), Refusal::Form, "{text}");
    }
    assert_eq!(parse(&"a".repeat(TOKEN_BYTES_MAX + 1)), Refusal::Form);
    assert_eq!(parse(&format!("a+b.{claims}.AA")), Refusal::HeaderBase64);
    assert_eq!(parse(&format!("{}.{claims}.AA", part("[]"))), Refusal::HeaderJson);
    assert_eq!(parse(&format!("{}.{claims}.AA", part("{"))), Refusal::HeaderJson);
    assert_eq!(parse(&format!("{}.{claims}.AA", part("{}"))), Refusal::NoAlgorithm);
    assert_eq!(parse(&format!("{}.{claims}.AA", part(r#"{"alg":1}"#))), Refusal::NoAlgorithm);
    let critical = part(r#"{"alg":"HS256","crit":["exp"],"exp":1}"#);
    assert_eq!(parse(&format!("{critical}.{claims}.AA")), Refusal::HeaderJson);
    assert_eq!(parse(&format!("{}.{claims}.AA", part(r#"{"alg":"HS256","kid":1}"#))), Refusal::KeyId);
    assert_eq!(parse(&format!("{header}.a b.AA")), Refusal::PayloadBase64);
    assert_eq!(parse(&format!("{header}.{}.AA", part("7"))), Refusal::PayloadJson);
    assert_eq!(parse(&format!("{header}.{}.AA", part(&"[".repeat(20_000)))), Refusal::PayloadJson);
    assert_eq!(parse(&format!("{header}.{claims}.A")), Refusal::SignatureBase64);
}

#[test]
fn lists_of_words() {
    let claims =
        Claims::with_lists(payload(&json!({"scope": "a  b", "other": "a b", "n": 1})), &["scope", "n", "x"]);
    assert_eq!(claims.find(&["scope"]), Some(&json!(["a", "b"])));
    assert_eq!(claims.find(&["other"]), Some(&json!("a b")));
    assert_eq!(claims.find(&["n"]), Some(&json!(1)));
}

/// Whatever a client sends is refused, and nothing that was changed is good.
#[test]
fn mutations() {
    let signer = Signer::new("EdDSA", Some("k"));
    let (set, good) =
        (keys(&signer.set()), signer.token(&json!({"iss": "joe", "exp": 2000, "a": [1, {"b": null}]})));
    let mut state = 1u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as usize % below
    };
    for _ in 0..20_000 {
        let mut bytes = good.clone().into_bytes();
        for _ in 0..=random(3) {
            let at = random(bytes.len());
            match random(4) {
                0 => bytes[at] = random(256) as u8,
                1 => drop(bytes.remove(at)),
                2 => bytes.insert(at, random(256) as u8),
                _ => bytes[at] ^= 1 << random(8),
            }
        }
        if bytes == good.as_bytes() {
            continue;
        }
        let verified = Token::parse(&bytes).and_then(|token| {
            Terms::new("joe", []).check(&token.payload, 1000)?;
            set.verify(&token)
        });
        // Padding is the one thing that may be there or not.
        let is_padded = bytes.ends_with(b"=");
        assert!(verified.is_err() || is_padded, "{}", String::from_utf8_lossy(&bytes));
    }
}
