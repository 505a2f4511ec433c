//! Whether an upstream's certificate is believed.

use super::{authorities::Authorities, client_auth::refused, names::has_one_of};
use crate::tls::{CertificateFacts, NameRule};
use rustls::{
    CertificateError, DigitallySignedStruct, Error, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::VerifierBuilderError,
};
use std::{net::Ipv4Addr, sync::Arc};

/// What stands where no name is sent: rustls wants one, and sends no address as SNI.
pub(super) fn no_name() -> ServerName<'static> {
    ServerName::from(Ipv4Addr::UNSPECIFIED)
}

/// Judges the certificates of upstreams.
#[derive(Debug)]
pub(super) struct ServerVerifier {
    chain: Arc<WebPkiServerVerifier>,
    authorities: Arc<Authorities>,
    names: NameRule,
}

impl ServerVerifier {
    /// # Errors
    /// A list of revoked certificates is malformed.
    pub(super) fn new(
        authorities: Arc<Authorities>,
        names: NameRule,
    ) -> Result<ServerVerifier, VerifierBuilderError> {
        Ok(ServerVerifier { chain: authorities.servers()?, authorities, names })
    }

    /// Whether it has a name that it must have. `named` is whether it has the one that was sent.
    fn has_name(
        &self,
        facts: &CertificateFacts,
        server_name: &ServerName<'_>,
        named: Result<(), Error>,
    ) -> Result<(), Error> {
        match &self.names {
            NameRule::Any => Ok(()),
            NameRule::ServerName if *server_name == no_name() => Ok(()),
            NameRule::ServerName => named,
            NameRule::Listed(names) if has_one_of(facts, names) => Ok(()),
            NameRule::Listed(_) => Err(refused("it has none of the names in subjectAltNames")),
        }
    }
}

impl ServerCertVerifier for ServerVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let facts = || CertificateFacts::parse(end_entity).ok_or(CertificateError::BadEncoding);
        if self.authorities.certificates.iter().any(|authority| authority == end_entity) {
            let facts = facts()?;
            facts.check_time(now)?;
            let is_named = has_one_of(&facts, &[server_name.to_str().into()]);
            let named = is_named.then_some(()).ok_or(CertificateError::NotValidForName.into());
            self.has_name(&facts, server_name, named)?;
            return Ok(ServerCertVerified::assertion());
        }
        let verified =
            self.chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        let named = match verified {
            Ok(_) => Ok(()),
            // Names are looked at last: the chain is good.
            Err(
                error @ Error::InvalidCertificate(
                    CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
                ),
            ) => Err(error),
            Err(error) => return Err(error),
        };
        self.has_name(&facts()?, server_name, named)?;
        Ok(ServerCertVerified::assertion())
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

/// Believes everybody (`insecureSkipVerify`), as long as they have the key of the certificate that they show.
#[derive(Debug)]
pub(super) struct AnyServer {
    supported: WebPkiSupportedAlgorithms,
}

impl AnyServer {
    pub(super) fn new(provider: &CryptoProvider) -> AnyServer {
        AnyServer { supported: provider.signature_verification_algorithms }
    }
}

impl ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.supported)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.supported)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.supported.supported_schemes()
    }
}
