//! Whether a client's certificate is believed.

use super::{authorities::Authorities, names::has_one_of};
use crate::tls::{CertificateFacts, Pins};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    pki_types::{CertificateDer, UnixTime},
    server::{
        VerifierBuilderError,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};
use std::{fmt, sync::Arc};

/// What is asked of a client's certificate beside that somebody vouches for it.
#[derive(Debug)]
pub(super) struct Demands {
    pub(super) required: bool,
    pub(super) names: Vec<Box<str>>,
    pub(super) pins: Pins,
    pub(super) accept_untrusted: bool,
}

/// Judges the certificates of clients.
#[derive(Debug)]
pub(super) struct ClientVerifier {
    chain: Arc<dyn ClientCertVerifier>,
    authorities: Arc<Authorities>,
    hints: Vec<DistinguishedName>,
    demands: Demands,
}

impl ClientVerifier {
    /// # Errors
    /// A list of revoked certificates is malformed.
    pub(super) fn new(
        authorities: Arc<Authorities>,
        demands: Demands,
    ) -> Result<ClientVerifier, VerifierBuilderError> {
        let chain = authorities.clients()?;
        // Who accepts anybody does not say whom it knows.
        let hints = if demands.accept_untrusted { Vec::new() } else { authorities.hints() };
        Ok(ClientVerifier { chain, authorities, hints, demands })
    }

    /// What a certificate says for which somebody vouches whose word counts. A stranger's is read by rustls alone.
    fn vouched(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<CertificateFacts, Error> {
        let facts = || CertificateFacts::parse(leaf).ok_or(CertificateError::BadEncoding);
        if self.authorities.certificates.iter().any(|authority| authority == leaf) {
            let facts = facts()?;
            facts.check_time(now)?;
            return Ok(facts);
        }
        match self.chain.verify_client_cert(leaf, intermediates, now) {
            Err(error) if !self.demands.accept_untrusted => Err(error),
            _ => Ok(facts()?),
        }
    }
}

impl ClientCertVerifier for ClientVerifier {
    fn offer_client_auth(&self) -> bool {
        true
    }

    fn client_auth_mandatory(&self) -> bool {
        self.demands.required
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let facts = self.vouched(end_entity, intermediates, now)?;
        let Demands { names, pins, .. } = &self.demands;
        if !names.is_empty() && !has_one_of(&facts, names) {
            return Err(refused("it has none of the names in subjectAltNames"));
        }
        let is_pinned = pins.keys.contains(&facts.key_sha256) || pins.certificates.contains(&facts.sha256);
        if !is_pinned && (!pins.keys.is_empty() || !pins.certificates.is_empty()) {
            return Err(refused("neither verifyCertificateSpki nor verifyCertificateHash has it"));
        }
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}

/// A certificate that does not have what it must have: alert `certificate_unknown` (RFC 8446 section 6.2).
pub(super) fn refused(why: &'static str) -> Error {
    Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(Refused(why)))))
}

#[derive(Debug)]
struct Refused(&'static str);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Refused {}
