//! Bytes of certificates, keys and authorities, with the place they come from.

use super::{Problem, SystemRoots, tickets::TicketScope};
use rustls::server::VerifierBuilderError;
use std::{fmt, sync::Arc};

/// How large a thing may be. What is larger is not what it was taken for, and would be held in memory for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// A chain, a key or a staple: a message of a handshake has no more than 64 KiB (RFC 8446 section 4.4.2 allows more,
    /// no client takes it), and PEM with comments is at most four times as long.
    Chain,
    /// Authorities: all of an operating system's have 250 KB.
    Authorities,
    /// What they have revoked: the largest public lists have a few MB.
    Revoked,
}

impl Limit {
    /// In bytes.
    pub const fn bytes(self) -> usize {
        match self {
            Limit::Chain => 256 << 10,
            Limit::Authorities => 4 << 20,
            Limit::Revoked => 32 << 20,
        }
    }
}

/// Tells contents apart: SHA-256 of where they come from and what they are.
pub type Digest = [u8; 32];

/// The content of a file, or of a key in a Secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Bytes {
    pub(super) place: Box<str>,
    pub(super) bytes: Arc<[u8]>,
    digest: Digest,
}

impl Bytes {
    /// The content of a place: `` `/etc/certs/tls.crt` ``, or `` key `tls.crt` of Secret `infra/web` ``.
    pub fn new(place: impl Into<Box<str>>, bytes: impl Into<Arc<[u8]>>) -> Bytes {
        let (place, bytes) = (place.into(), bytes.into());
        let digest = TicketScope::of([place.as_bytes(), &bytes]).0;
        Bytes { place, bytes, digest }
    }

    /// Where it comes from.
    pub fn place(&self) -> &str {
        &self.place
    }

    pub(super) fn digest(&self) -> Digest {
        self.digest
    }
}

impl fmt::Debug for Bytes {
    /// Without the content, which may be a key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} bytes)", self.place, self.bytes.len())
    }
}

/// A chain with its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateMaterial {
    /// PEM, leaf first.
    pub chain: Bytes,
    /// PEM: PKCS#8, PKCS#1 or SEC1.
    pub key: Bytes,
    /// An OCSP response (DER) to staple.
    pub staple: Option<Bytes>,
}

/// Authorities, and what they have revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorityMaterial {
    /// PEM.
    pub authorities: Bytes,
    /// PEM: one list or more.
    pub revoked: Option<Bytes>,
}

impl AuthorityMaterial {
    /// What rustls does not take.
    pub(super) fn refused(&self, error: &VerifierBuilderError) -> Problem {
        match (error, &self.revoked) {
            (VerifierBuilderError::InvalidCrl(error), Some(revoked)) => {
                let text = format!("has a list of revoked certificates that can't be used: {error:?}");
                Problem::broken(&revoked.place, text)
            }
            _ => Problem::broken(&self.authorities.place, format!("can't be used: {error}")),
        }
    }
}

impl Material {
    /// Tells whether anything in it is another than before: places and content.
    pub fn digest(&self) -> Digest {
        let mut parts: Vec<&[u8]> = Vec::new();
        for material in &self.certificates {
            add(&mut parts, b"chain", Some(&material.chain));
            add(&mut parts, b"key", Some(&material.key));
            add(&mut parts, b"staple", material.staple.as_ref());
        }
        if let Some(material) = &self.authorities {
            add(&mut parts, b"authorities", Some(&material.authorities));
            add(&mut parts, b"revoked", material.revoked.as_ref());
        }
        TicketScope::of(parts).0
    }
}

/// Everything that a spec names.
#[derive(Clone, Debug, Default)]
pub struct Material {
    /// In the spec's order; an upstream's spec has one at most.
    pub certificates: Vec<CertificateMaterial>,
    /// If the spec names any.
    pub authorities: Option<AuthorityMaterial>,
    /// The operating system's authorities, where the spec wants those.
    pub system_roots: Option<SystemRoots>,
}

fn add<'a>(parts: &mut Vec<&'a [u8]>, what: &'a [u8], bytes: Option<&'a Bytes>) {
    parts.push(what);
    if let Some(bytes) = bytes {
        parts.push(&bytes.digest);
    }
}
