//! PEM to those whose word is believed, and what they have revoked.

use super::{
    Limit, Problem, ProblemKind,
    certified::{certificates, malformed, too_large},
    material::{AuthorityMaterial, Bytes, Digest},
    tickets::TicketScope,
};
use crate::tls::CertificateFacts;
use rustls::{
    DistinguishedName, RootCertStore,
    client::WebPkiServerVerifier,
    crypto::aws_lc_rs::default_provider,
    pki_types::{CertificateDer, CertificateRevocationListDer, pem::PemObject},
    server::{VerifierBuilderError, WebPkiClientVerifier, danger::ClientCertVerifier},
};
use std::{
    fmt,
    sync::{Arc, OnceLock},
};

/// The names of authorities that a client is told in all, in bytes: more do not help it to choose, and some clients take no
/// long messages. With more it is told none, which means any (RFC 8446 section 4.2.4).
const HINTS_MAX: usize = 16 << 10;

/// The operating system's authorities.
#[derive(Clone)]
pub struct SystemRoots(Arc<Authorities>);

impl SystemRoots {
    /// Those of these certificates that can be used. Nothing: none can.
    pub fn new<'a>(certificates: impl IntoIterator<Item = CertificateDer<'a>>) -> Option<SystemRoots> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(certificates);
        Authorities::of(roots, Vec::new(), Vec::new()).map(SystemRoots)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.roots.len()
    }

    pub(super) fn authorities(&self) -> Arc<Authorities> {
        Arc::clone(&self.0)
    }
}

impl fmt::Debug for SystemRoots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} authorities of the operating system", self.count())
    }
}

/// Whose word is believed.
#[derive(Debug)]
pub(super) struct Authorities {
    roots: Arc<RootCertStore>,
    /// The certificates themselves, without those of the operating system: one that shows itself needs nobody's word.
    pub(super) certificates: Vec<CertificateDer<'static>>,
    /// What they have revoked; empty: nobody asks.
    revoked: Vec<CertificateRevocationListDer<'static>>,
    /// Of both.
    pub(super) digest: Digest,
    clients: OnceLock<Arc<dyn ClientCertVerifier>>,
    servers: OnceLock<Arc<WebPkiServerVerifier>>,
}

impl Authorities {
    /// Reads them. A certificate that is no authority's is a warning, as long as there are others.
    pub(super) fn read(
        material: &AuthorityMaterial,
        problems: &mut Vec<Problem>,
    ) -> Option<Arc<Authorities>> {
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
        Authorities::of(roots, good, revoked)
    }

    fn of(
        roots: RootCertStore,
        certificates: Vec<CertificateDer<'static>>,
        revoked: Vec<CertificateRevocationListDer<'static>>,
    ) -> Option<Arc<Authorities>> {
        let parts = certificates.iter().map(|certificate| certificate.as_ref()).chain([&b"revoked"[..]]);
        let digest = TicketScope::of(parts.chain(revoked.iter().map(|list| list.as_ref()))).0;
        let (clients, servers) = (OnceLock::new(), OnceLock::new());
        let is_empty = roots.is_empty();
        let made = Authorities { roots: Arc::new(roots), certificates, revoked, digest, clients, servers };
        (!is_empty).then(|| Arc::new(made))
    }

    /// Judges chains of clients, whatever else is asked of them. One for all that believe these authorities: it has all
    /// that was revoked in it.
    ///
    /// # Errors
    /// A list of revoked certificates is malformed.
    pub(super) fn clients(&self) -> Result<Arc<dyn ClientCertVerifier>, VerifierBuilderError> {
        if let Some(made) = self.clients.get() {
            return Ok(Arc::clone(made));
        }
        let provider = Arc::new(default_provider());
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::clone(&self.roots), provider);
        // With lists of revoked certificates there must be one of every authority: one without may have revoked anything.
        let made = builder.with_crls(self.revoked.iter().cloned()).build()?;
        Ok(Arc::clone(self.clients.get_or_init(|| made)))
    }

    /// The same for chains of servers.
    ///
    /// # Errors
    /// A list of revoked certificates is malformed.
    pub(super) fn servers(&self) -> Result<Arc<WebPkiServerVerifier>, VerifierBuilderError> {
        if let Some(made) = self.servers.get() {
            return Ok(Arc::clone(made));
        }
        let provider = Arc::new(default_provider());
        let builder = WebPkiServerVerifier::builder_with_provider(Arc::clone(&self.roots), provider);
        let made = builder.with_crls(self.revoked.iter().cloned()).build()?;
        Ok(Arc::clone(self.servers.get_or_init(|| made)))
    }

    /// Their names, for clients to choose a certificate by.
    pub(super) fn hints(&self) -> Vec<DistinguishedName> {
        let names = self.roots.subjects();
        let len: usize = names.iter().map(|name| name.as_ref().len()).sum();
        if len > HINTS_MAX { Vec::new() } else { names }
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
