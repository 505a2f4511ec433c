//! Keys and tokens for tests, signed by another library wherever that can.

// The tests of this crate and those of the whole gateway both use it, each a part.
#![allow(dead_code, unreachable_pub)]

use aws_lc_rs::{rand::SystemRandom, signature};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rcgen::{KeyPair, PublicKeyData, SignatureAlgorithm};
use serde_json::{Value, json};
use std::sync::OnceLock;

/// Somebody who signs tokens.
pub(crate) struct Signer {
    /// `alg`
    pub(crate) name: &'static str,
    /// `kid` of the key, and of the tokens.
    pub(crate) id: Option<&'static str>,
    key: Key,
}

enum Key {
    Pair(KeyPair),
    Secret(Vec<u8>),
}

impl Signer {
    /// A new key. Making one for RSA takes a while: see [`rsa`].
    pub(crate) fn new(name: &'static str, id: Option<&'static str>) -> Signer {
        let pair = |kind: &'static SignatureAlgorithm| Key::Pair(KeyPair::generate_for(kind).unwrap());
        let key = match name {
            "ES256" => pair(&rcgen::PKCS_ECDSA_P256_SHA256),
            "ES384" => pair(&rcgen::PKCS_ECDSA_P384_SHA384),
            "ES512" => pair(&rcgen::PKCS_ECDSA_P521_SHA512),
            "EdDSA" => pair(&rcgen::PKCS_ED25519),
            _ if name.starts_with("HS") => Key::Secret((0..64).collect()),
            _ => pair(&rcgen::PKCS_RSA_SHA256),
        };
        Signer { name, id, key }
    }

    /// The same key for another algorithm of its kind.
    pub(crate) fn with_algorithm(&self, name: &'static str) -> Signer {
        let key = match &self.key {
            Key::Pair(pair) => Key::Pair(KeyPair::from_pem(&pair.serialize_pem()).unwrap()),
            Key::Secret(secret) => Key::Secret(secret.clone()),
        };
        Signer { name, id: self.id, key }
    }

    /// The key as a JSON Web Key, without `alg`.
    pub(crate) fn key(&self) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let mut key = match &self.key {
            Key::Secret(secret) => json!({"kty": "oct", "k": text(secret)}),
            Key::Pair(pair) => {
                let raw = pair.der_bytes();
                match self.name {
                    "EdDSA" => json!({"kty": "OKP", "crv": "Ed25519", "x": text(raw)}),
                    "ES256" | "ES384" | "ES512" => {
                        let curve = [("ES256", "P-256"), ("ES384", "P-384"), ("ES512", "P-521")];
                        let curve = curve.iter().find(|(name, _)| *name == self.name).unwrap().1;
                        let (x, y) = raw[1..].split_at(raw.len() / 2);
                        json!({"kty": "EC", "crv": curve, "x": text(x), "y": text(y)})
                    }
                    _ => {
                        let (n, e) = rsa_numbers(raw);
                        json!({"kty": "RSA", "n": text(n), "e": text(e)})
                    }
                }
            }
        };
        if let Some(id) = self.id {
            key["kid"] = id.into();
        }
        key
    }

    /// A set with this key alone.
    pub(crate) fn set(&self) -> String {
        json!({"keys": [self.key()]}).to_string()
    }

    /// A token that says this.
    pub(crate) fn token(&self, claims: &Value) -> String {
        let algorithm: Algorithm = match self.name {
            "ES512" => return self.token_of_p521(claims),
            name => name.parse().unwrap(),
        };
        let key = match &self.key {
            Key::Secret(secret) => EncodingKey::from_secret(secret),
            Key::Pair(pair) => {
                let pem = pair.serialize_pem().into_bytes();
                match self.name {
                    "EdDSA" => EncodingKey::from_ed_pem(&pem),
                    "ES256" | "ES384" => EncodingKey::from_ec_pem(&pem),
                    _ => EncodingKey::from_rsa_pem(&pem),
                }
                .unwrap()
            }
        };
        let header = Header { kid: self.id.map(str::to_owned), ..Header::new(algorithm) };
        jsonwebtoken::encode(&header, claims, &key).unwrap()
    }

    /// The other library does not know this curve.
    fn token_of_p521(&self, claims: &Value) -> String {
        let Key::Pair(pair) = &self.key else { panic!("no key of a curve") };
        let kind = &signature::ECDSA_P521_SHA512_FIXED_SIGNING;
        let key = signature::EcdsaKeyPair::from_pkcs8(kind, &pair.serialize_der()).unwrap();
        let mut header = json!({"alg": "ES512"});
        if let Some(id) = self.id {
            header["kid"] = id.into();
        }
        let signed = unsigned(&header, claims);
        let signature = key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// The first two parts of a token.
pub(crate) fn unsigned(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}

/// A key of RSA that all tests share.
pub(crate) fn rsa() -> &'static Signer {
    static SIGNER: OnceLock<Signer> = OnceLock::new();
    SIGNER.get_or_init(|| Signer::new("RS256", Some("rsa")))
}

/// Modulus and exponent out of `RSAPublicKey` (RFC 8017 appendix A.1.1).
fn rsa_numbers(der: &[u8]) -> (&[u8], &[u8]) {
    let (sequence, _) = element(der);
    let (n, rest) = element(sequence);
    let (e, _) = element(rest);
    // A number whose first bit is set has a zero in front.
    (n.strip_prefix(&[0]).unwrap_or(n), e)
}

/// The content of a DER element, and what follows it.
fn element(der: &[u8]) -> (&[u8], &[u8]) {
    let (len, at) = match der[1] {
        short @ 0..0x80 => (usize::from(short), 2),
        long => {
            let count = usize::from(long & 0x7f);
            (der[2..2 + count].iter().fold(0, |len, byte| len << 8 | usize::from(*byte)), 2 + count)
        }
    };
    (&der[at..at + len], &der[at + len..])
}
