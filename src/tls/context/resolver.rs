//! Which of several certificates a client gets.

use rustls::{
    SignatureAlgorithm,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use std::sync::Arc;

/// The certificates of one server: the first whose key can sign in a way that the client can check.
#[derive(Debug)]
pub(super) struct Resolver {
    /// Never empty. Those with RSA keys last: everybody can check them, and to sign with one takes ten times as long.
    certificates: Box<[Arc<CertifiedKey>]>,
}

impl Resolver {
    pub(super) fn new(mut certificates: Vec<Arc<CertifiedKey>>) -> Resolver {
        debug_assert!(!certificates.is_empty(), "a server has a certificate");
        certificates.sort_by_key(|certificate| certificate.key.algorithm() == SignatureAlgorithm::RSA);
        Resolver { certificates: certificates.into() }
    }
}

impl ResolvesServerCert for Resolver {
    /// The first one where none fits: rustls then says with the right alert that there is nothing in common.
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let schemes = hello.signature_schemes();
        let fits = |certificate: &&Arc<CertifiedKey>| certificate.key.choose_scheme(schemes).is_some();
        self.certificates.iter().find(fits).or(self.certificates.first()).cloned()
    }
}
