//! PEM to a chain with its key.

use super::{
    Limit, Problem,
    material::{Bytes, CertificateMaterial},
};
use crate::tls::CertificateFacts;
use rustls::{
    Error, InconsistentKeys,
    crypto::aws_lc_rs::default_provider,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
    sign::CertifiedKey,
};
use std::sync::Arc;

/// A chain longer than this is a bundle of authorities in the wrong place.
const CHAIN_MAX: usize = 16;

/// The most bytes of a chain: a message of a handshake that is longer than 64 KiB is refused by those that get it.
const CHAIN_BYTES_MAX: usize = 60 << 10;

/// A chain with its key, and what its first certificate says.
#[derive(Clone, Debug)]
pub(super) struct Certified {
    pub(super) key: Arc<CertifiedKey>,
    pub(super) facts: CertificateFacts,
}

/// Reads a chain and its key, which must belong together.
pub(super) fn certified(material: &CertificateMaterial) -> Result<Certified, Vec<Problem>> {
    let (chain, key) = match (chain(&material.chain), key(&material.key)) {
        (Ok(chain), Ok(key)) => (chain, key),
        (chain, key) => return Err([chain.err(), key.err()].into_iter().flatten().collect()),
    };
    let key = default_provider().key_provider.load_private_key(key);
    let key = key.map_err(|_| vec![Problem::broken(&material.key.place, UNUSABLE_KEY)])?;
    let facts = facts(&material.chain, &chain).map_err(|problem| vec![problem])?;
    let mut certified = CertifiedKey::new(chain, key);
    match certified.keys_match() {
        // Every key of the provider says what its public half is.
        Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => {}
        Err(Error::InconsistentKeys(_)) => {
            let text = format!("is not the key of the first certificate in {}", material.chain.place);
            return Err(vec![Problem::broken(&material.key.place, text)]);
        }
        Err(error) => {
            let text = format!("begins with a certificate that can't be used: {error}");
            return Err(vec![Problem::broken(&material.chain.place, text)]);
        }
    }
    certified.ocsp = material.staple.as_ref().map(|staple| staple.bytes.to_vec());
    Ok(Certified { key: Arc::new(certified), facts })
}

const UNUSABLE_KEY: &str =
    "is not a key that can be used: RSA with 2048 to 8192 bits, ECDSA with P-256, P-384 or P-521, or Ed25519";

/// All certificates of a PEM text.
pub(super) fn certificates(bytes: &Bytes, limit: Limit) -> Result<Vec<CertificateDer<'static>>, Problem> {
    if bytes.bytes.len() > limit.bytes() {
        return Err(too_large(bytes, limit));
    }
    let certificates = CertificateDer::pem_slice_iter(&bytes.bytes).collect::<Result<Vec<_>, _>>();
    let certificates = certificates.map_err(|error| malformed(bytes, &error))?;
    if certificates.is_empty() {
        let text = match is_der(&bytes.bytes) {
            true => "is not PEM but DER: write it as `openssl x509 -inform der` does",
            false => "has no certificate in it (`-----BEGIN CERTIFICATE-----`)",
        };
        return Err(Problem::broken(&bytes.place, text));
    }
    Ok(certificates)
}

pub(super) fn too_large(bytes: &Bytes, limit: Limit) -> Problem {
    Problem::broken(&bytes.place, format!("has more than {} bytes", limit.bytes()))
}

/// Never with content: it could be part of a key.
pub(super) fn malformed(bytes: &Bytes, error: &pem::Error) -> Problem {
    let text = match error {
        pem::Error::MissingSectionEnd { .. } => "has a section without its `-----END ...-----` line",
        pem::Error::IllegalSectionStart { .. } => "has a line that begins with `-----BEGIN` and is none",
        pem::Error::Base64Decode(_) => "has a section that is not Base64",
        _ => "is not PEM",
    };
    Problem::broken(&bytes.place, text)
}

fn chain(bytes: &Bytes) -> Result<Vec<CertificateDer<'static>>, Problem> {
    let chain = certificates(bytes, Limit::Chain)?;
    let len = chain.iter().map(|certificate| certificate.len()).sum::<usize>();
    if chain.len() > CHAIN_MAX || len > CHAIN_BYTES_MAX {
        let text = format!(
            "has {} certificates of {len} bytes, which is too long for a chain (at most {CHAIN_MAX} of {CHAIN_BYTES_MAX} bytes)",
            chain.len()
        );
        return Err(Problem::broken(&bytes.place, text));
    }
    Ok(chain)
}

fn facts(bytes: &Bytes, chain: &[CertificateDer<'_>]) -> Result<CertificateFacts, Problem> {
    let facts = chain.first().and_then(|leaf| CertificateFacts::parse(leaf));
    facts.ok_or_else(|| Problem::broken(&bytes.place, "begins with a certificate that is malformed"))
}

fn key(bytes: &Bytes) -> Result<PrivateKeyDer<'static>, Problem> {
    if bytes.bytes.len() > Limit::Chain.bytes() {
        return Err(too_large(bytes, Limit::Chain));
    }
    match PrivateKeyDer::from_pem_slice(&bytes.bytes) {
        Ok(_) if is_encrypted(&bytes.bytes) => Err(encrypted(bytes)),
        Ok(key) => Ok(key),
        Err(_) if is_encrypted(&bytes.bytes) => Err(encrypted(bytes)),
        Err(pem::Error::NoItemsFound) => {
            let text = match is_der(&bytes.bytes) {
                true => "is not PEM but DER: write it as `openssl pkey -inform der` does",
                false => "has no key in it (`-----BEGIN PRIVATE KEY-----`)",
            };
            Err(Problem::broken(&bytes.place, text))
        }
        Err(error) => Err(malformed(bytes, &error)),
    }
}

fn encrypted(bytes: &Bytes) -> Problem {
    Problem::broken(
        &bytes.place,
        "is an encrypted key, for which there is no passphrase: decrypt it with `openssl pkey`",
    )
}

/// PKCS#8 (RFC 5958) and the header of older keys (RFC 1421 section 4.6.1.1).
fn is_encrypted(bytes: &[u8]) -> bool {
    let has = |text: &[u8]| memchr::memmem::find(bytes, text).is_some();
    has(b"-----BEGIN ENCRYPTED PRIVATE KEY-----") || has(b"Proc-Type: 4,ENCRYPTED")
}

/// A sequence with a long length.
fn is_der(bytes: &[u8]) -> bool {
    matches!(bytes, [0x30, 0x81..=0x84, ..])
}
