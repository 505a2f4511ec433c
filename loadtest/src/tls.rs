//! The certificate that every proxy shows, and a client that believes it.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::TLS13;
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use crate::error::{During, Error, Result};

/// What it is called.
const NAME: &str = "bench.test";

/// A certificate with its key, made for this run: ECDSA on P-256, signed by itself.
pub(crate) struct Identity {
    /// The certificate as PEM.
    pub(crate) certificate: String,
    /// The key as PEM.
    pub(crate) key: String,
    der: CertificateDer<'static>,
}

impl Identity {
    /// Makes one.
    pub(crate) fn make() -> Result<Identity> {
        let failed = |error| Error::Failed(format!("making the certificate: {error}"));
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(failed)?;
        let params = CertificateParams::new([NAME.to_owned()]).map_err(failed)?;
        let certificate = params.self_signed(&key).map_err(failed)?;
        Ok(Identity {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
            der: certificate.der().clone(),
        })
    }

    /// A client of TLS 1.3 that believes this certificate alone. Its connections share what a server gave them to resume
    /// sessions with; those of another one do not have it.
    pub(crate) fn client(&self) -> Result<Client> {
        Client::believing(self.der.clone())
    }
}

/// See [`Identity::client`].
#[derive(Clone)]
pub(crate) struct Client {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Client {
    /// The same, for the certificate of a PEM file.
    pub(crate) fn that_believes(file: &Path) -> Result<Client> {
        let der = CertificateDer::from_pem_file(file)
            .map_err(|error| Error::Failed(format!("{}: {error}", file.display())))?;
        Client::believing(der)
    }

    fn believing(der: CertificateDer<'static>) -> Result<Client> {
        let mut roots = RootCertStore::empty();
        roots.add(der).during_tls()?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(&[&TLS13]);
        let config = builder.during_tls()?.with_root_certificates(roots).with_no_client_auth();
        let name = ServerName::try_from(NAME).map_err(|error| Error::Failed(format!("{NAME}: {error}")))?;
        Ok(Client { config: Arc::new(config), name })
    }

    /// A connection of which nothing has been sent yet.
    pub(crate) fn connection(&self) -> Result<ClientConnection> {
        ClientConnection::new(Arc::clone(&self.config), self.name.clone()).during_tls()
    }
}

/// An error of TLS told as one of the system.
trait DuringTls<T> {
    fn during_tls(self) -> Result<T>;
}

impl<T> DuringTls<T> for std::result::Result<T, rustls::Error> {
    fn during_tls(self) -> Result<T> {
        self.map_err(io::Error::other).during(|| "preparing TLS".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_and_its_key_are_pem_and_a_client_believes_them() {
        let identity = Identity::make().unwrap();
        assert!(identity.certificate.starts_with("-----BEGIN CERTIFICATE-----"));
        assert!(identity.key.starts_with("-----BEGIN PRIVATE KEY-----"));
        assert!(identity.client().unwrap().connection().is_ok());
    }
}
