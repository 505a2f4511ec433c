//! A set of keys (RFC 7517), and whether one of them has signed a token.

use super::{Algorithm, Refusal, Token, token::decode};
use aws_lc_rs::{
    hmac,
    signature::{self, EcdsaVerificationAlgorithm, ParsedPublicKey, RsaParameters, RsaPublicKeyComponents},
};
use serde_json::{Map, Value};
use std::fmt;

/// The longest key set, in bytes. Issuers publish a few keys of some hundred bytes, with certificates some thousand.
pub const JWKS_BYTES_MAX: usize = 256 << 10;
/// Keys of one set that are used. Issuers that rotate have two to ten; a token that names no key is tried with each.
pub const KEYS_MAX: usize = 64;

/// Whether a set may have keys that both sides know (`kty: oct`). Who publishes such a key lets everybody sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SharedSecrets {
    /// The set is part of the configuration, which others do not read.
    Used,
    /// The set was fetched from where everybody can read it.
    Skipped,
}

/// Keys of an issuer.
#[derive(Debug, Default)]
pub struct KeySet {
    keys: Vec<Key>,
    skipped: usize,
}

/// Why a text is no set of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadKeys {
    /// It is longer than [`JWKS_BYTES_MAX`].
    TooLong,
    /// It is not a JSON object.
    NotJson,
    /// It has no list of `keys`.
    NoList,
    /// None of its keys can be used.
    NoneUsable,
}

impl fmt::Display for BadKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadKeys::TooLong => write!(f, "it is longer than {} KiB", JWKS_BYTES_MAX >> 10),
            BadKeys::NotJson => f.write_str("it is not a JSON object"),
            BadKeys::NoList => f.write_str("it has no list `keys`"),
            BadKeys::NoneUsable => f.write_str("none of its keys can be used"),
        }
    }
}

/// One key.
#[derive(Debug)]
struct Key {
    /// `kid`
    id: Option<Box<str>>,
    /// What it can verify: one algorithm where the key says `alg`, else all those of its type. A public key can thus
    /// never be taken for the secret of an HMAC.
    verifiers: Vec<(Algorithm, Verifier)>,
}

enum Verifier {
    Public(Box<ParsedPublicKey>),
    Secret(Box<hmac::Key>),
}

/// A secret is not for logs.
impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verifier::Public(_) => "public key",
            Verifier::Secret(_) => "secret",
        })
    }
}

impl KeySet {
    /// Reads a set. Keys that are malformed, of another type, or for encryption are skipped.
    ///
    /// # Errors
    /// It is no set of keys, or none of them can be used.
    pub fn parse(text: &[u8], secrets: SharedSecrets) -> Result<KeySet, BadKeys> {
        if text.len() > JWKS_BYTES_MAX {
            return Err(BadKeys::TooLong);
        }
        let set: Map<String, Value> = serde_json::from_slice(text).map_err(|_| BadKeys::NotJson)?;
        let list = set.get("keys").and_then(Value::as_array).ok_or(BadKeys::NoList)?;
        let usable = list.iter().filter_map(|key| Key::read(key.as_object()?, secrets));
        let keys: Vec<Key> = usable.take(KEYS_MAX).collect();
        if keys.is_empty() {
            return Err(BadKeys::NoneUsable);
        }
        let skipped = list.len().saturating_sub(keys.len());
        Ok(KeySet { keys, skipped })
    }

    /// How many keys there are.
    pub fn count(&self) -> usize {
        self.keys.len()
    }

    /// How many of the set's keys are not used.
    pub fn skipped(&self) -> usize {
        self.skipped
    }

    /// The names of the keys that have one.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().filter_map(|key| key.id.as_deref())
    }

    /// Whether one of the keys has signed a token: the one that it names, or, where either has no name, any that is
    /// made for its algorithm.
    ///
    /// # Errors
    /// No key fits, or none of those that do has signed it.
    pub fn verify(&self, token: &Token<'_>) -> Result<(), Refusal> {
        let mut refusal = Refusal::NoKey;
        for key in &self.keys {
            if let (Some(wanted), Some(own)) = (&token.key_id, &key.id)
                && wanted != own
            {
                continue;
            }
            let Some((_, verifier)) = key.verifiers.iter().find(|(known, _)| *known == token.algorithm)
            else {
                continue;
            };
            if verifier.has_signed(token) {
                return Ok(());
            }
            refusal = Refusal::Verification;
        }
        Err(refusal)
    }
}

impl Verifier {
    fn has_signed(&self, token: &Token<'_>) -> bool {
        match self {
            Verifier::Public(key) => key.verify_sig(token.signed, &token.signature).is_ok(),
            // Compares in constant time.
            Verifier::Secret(key) => hmac::verify(key, token.signed, &token.signature).is_ok(),
        }
    }
}

impl Key {
    fn read(key: &Map<String, Value>, secrets: SharedSecrets) -> Option<Key> {
        let text = |name: &str| key.get(name).and_then(Value::as_str);
        if text("use").is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        // RFC 7517 section 4.3: the list says everything that the key is for.
        if let Some(operations) = key.get("key_ops").and_then(Value::as_array)
            && !operations.iter().any(|operation| operation == "verify")
        {
            return None;
        }
        let verifiers = match text("kty")? {
            "RSA" => rsa(&number(text("n")?)?, &number(text("e")?)?),
            "EC" => elliptic(text("crv")?, &decode(text("x")?.as_bytes())?, &decode(text("y")?.as_bytes())?),
            "OKP" if text("crv") == Some("Ed25519") => {
                let key = ParsedPublicKey::new(&signature::ED25519, decode(text("x")?.as_bytes())?).ok()?;
                vec![(Algorithm::EdDsa, Verifier::Public(Box::new(key)))]
            }
            "oct" if secrets == SharedSecrets::Used => secret(&decode(text("k")?.as_bytes())?),
            _ => return None,
        };
        let wanted = match key.get("alg") {
            None => None,
            Some(name) => Some(Algorithm::of(name.as_str()?)?),
        };
        let fits = |algorithm: Algorithm| wanted.is_none_or(|wanted| wanted == algorithm);
        let verifiers: Vec<_> = verifiers.into_iter().filter(|(algorithm, _)| fits(*algorithm)).collect();
        let id = text("kid").filter(|id| !id.is_empty()).map(Box::from);
        (!verifiers.is_empty()).then_some(Key { id, verifiers })
    }
}

/// Bytes of a number without zeros in front, which some write and the library refuses.
fn number(text: &str) -> Option<Vec<u8>> {
    let bytes = decode(text.as_bytes())?;
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.get(zeros..).map(<[u8]>::to_vec)
}

/// The sizes of RSA keys in bits: below, they can be broken; above, they only cost time.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

fn rsa(n: &[u8], e: &[u8]) -> Vec<(Algorithm, Verifier)> {
    const ALGORITHMS: [(Algorithm, &RsaParameters); 6] = [
        (Algorithm::Rs256, &signature::RSA_PKCS1_2048_8192_SHA256),
        (Algorithm::Rs384, &signature::RSA_PKCS1_2048_8192_SHA384),
        (Algorithm::Rs512, &signature::RSA_PKCS1_2048_8192_SHA512),
        (Algorithm::Ps256, &signature::RSA_PSS_2048_8192_SHA256),
        (Algorithm::Ps384, &signature::RSA_PSS_2048_8192_SHA384),
        (Algorithm::Ps512, &signature::RSA_PSS_2048_8192_SHA512),
    ];
    let bits = n.len() * 8 - n.first().map_or(0, |first| first.leading_zeros() as usize);
    if !RSA_BITS.contains(&bits) {
        return Vec::new();
    }
    let components = RsaPublicKeyComponents { n, e };
    let parsed = ALGORITHMS.iter().filter_map(|(algorithm, parameters)| {
        let key = components.to_parsed_public_key(parameters).ok()?;
        Some((*algorithm, Verifier::Public(Box::new(key))))
    });
    parsed.collect()
}

fn elliptic(curve: &str, x: &[u8], y: &[u8]) -> Vec<(Algorithm, Verifier)> {
    let (algorithm, parameters, len): (_, &'static EcdsaVerificationAlgorithm, usize) = match curve {
        "P-256" => (Algorithm::Es256, &signature::ECDSA_P256_SHA256_FIXED, 32),
        "P-384" => (Algorithm::Es384, &signature::ECDSA_P384_SHA384_FIXED, 48),
        "P-521" => (Algorithm::Es512, &signature::ECDSA_P521_SHA512_FIXED, 66),
        _ => return Vec::new(),
    };
    // Each coordinate has the size of the field (RFC 7518 section 6.2.1.2); some leave zeros in front out.
    let mut point = vec![4];
    for coordinate in [x, y] {
        let Some(missing) = len.checked_sub(coordinate.len()) else { return Vec::new() };
        point.resize(point.len() + missing, 0);
        point.extend_from_slice(coordinate);
    }
    let key = ParsedPublicKey::new(parameters, point).ok();
    key.map(|key| (algorithm, Verifier::Public(Box::new(key)))).into_iter().collect()
}

fn secret(bytes: &[u8]) -> Vec<(Algorithm, Verifier)> {
    /// The hash's size, below which a secret can be guessed (RFC 7518 section 3.2).
    const SECRET_BYTES_MIN: usize = 32;
    const ALGORITHMS: [(Algorithm, hmac::Algorithm, usize); 3] = [
        (Algorithm::Hs256, hmac::HMAC_SHA256, SECRET_BYTES_MIN),
        (Algorithm::Hs384, hmac::HMAC_SHA384, 48),
        (Algorithm::Hs512, hmac::HMAC_SHA512, 64),
    ];
    let long_enough = ALGORITHMS.iter().filter(|(_, _, min)| bytes.len() >= *min);
    let made = long_enough
        .map(|(algorithm, hash, _)| (*algorithm, Verifier::Secret(Box::new(hmac::Key::new(*hash, bytes)))));
    made.collect()
}
