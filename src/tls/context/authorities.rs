//! PEM to those whose word is believed, and what they have revoked.

use super::{
    Limit, Problem, ProblemKind,
    certified::{certificates, malformed, too_large},
    material::{AuthorityMaterial, Bytes},
};
use crate::tls::CertificateFacts;
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, CertificateRevocationListDer, pem::PemObject},
};
use std::{fmt, sync::Arc};

/// The operating system's authorities.
#[derive(Clone)]
pub struct SystemRoots(Arc<RootCertStore>);

impl SystemRoots {
    /// Those of these certificates that can be used. Nothing: none can.
    pub fn new<'a>(certificates: impl IntoIterator<Item = CertificateDer<'a>>) -> Option<SystemRoots> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(certificates);
        (!roots.is_empty()).then(|| SystemRoots(Arc::new(roots)))
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

impl fmt::Debug for SystemRoots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} authorities of the operating system", self.count())
    }
}

/// Whose word is believed.
#[derive(Clone, Debug)]
pub(super) struct Authorities {
    pub(super) roots: Arc<RootCertStore>,
    /// The certificates themselves, without those of the operating system: one that shows itself needs nobody's word.
    pub(super) certificates: Vec<CertificateDer<'static>>,
    /// What they have revoked; empty: nobody asks.
    pub(super) revoked: Vec<CertificateRevocationListDer<'static>>,
}

impl From<&SystemRoots> for Authorities {
    fn from(system: &SystemRoots) -> Self {
        Authorities { roots: Arc::clone(&system.0), certificates: Vec::new(), revoked: Vec::new() }
    }
}

impl Authorities {
    /// Reads them. A certificate that is no authority's is a warning, as long as there are others.
    pub(super) fn read(material: &AuthorityMaterial, problems: &mut Vec<Problem>) -> Option<Authorities> {
        let certificates = certificates(&material.authorities, Limit::Authorities);
        let revoked = material.revoked.as_ref().map_or(Ok(Vec::new()), revoked);
        let (certificates, revoked) = match (certificates, revoked) {
            (Ok(certificates), Ok(revoked)) => (certificates, revoked),
            (certificates, revoked) => {
                problems.extend([certificates.err(), revoked.err()].into_iter().flatten());
                return None;
            }
        };
        let mut roots = RootCertStore::empty();
        let all = certificates.len();
        let (good, bad): (Vec<_>, Vec<_>) =
            certificates.into_iter().partition(|certificate| roots.add(certificate.clone()).is_ok());
        if !bad.is_empty() {
            let kind = if good.is_empty() { ProblemKind::Broken } else { ProblemKind::Partial };
            let text = format!("has {} of {all} certificates that are malformed, and not used", bad.len());
            problems.push(Problem::new(kind, &material.authorities.place, text));
        }
        let made = Authorities { roots: Arc::new(roots), certificates: good, revoked };
        Some(made).filter(|made| !made.roots.is_empty())
    }

    /// What the certificates say, as far as somebody may want to read it.
    pub(super) fn facts(&self) -> Vec<CertificateFacts> {
        /// More are a bundle of the whole world's, about which there is nothing to tell.
        const TOLD_MAX: usize = 32;
        if self.certificates.len() > TOLD_MAX {
            return Vec::new();
        }
        self.certificates.iter().filter_map(|certificate| CertificateFacts::parse(certificate)).collect()
    }
}

fn revoked(bytes: &Bytes) -> Result<Vec<CertificateRevocationListDer<'static>>, Problem> {
    if bytes.bytes.len() > Limit::Revoked.bytes() {
        return Err(too_large(bytes, Limit::Revoked));
    }
    let lists = CertificateRevocationListDer::pem_slice_iter(&bytes.bytes).collect::<Result<Vec<_>, _>>();
    let lists = lists.map_err(|error| malformed(bytes, &error))?;
    match lists.is_empty() {
        true => Err(Problem::broken(
            &bytes.place,
            "has no list of revoked certificates in it (`-----BEGIN X509 CRL-----`)",
        )),
        false => Ok(lists),
    }
}
