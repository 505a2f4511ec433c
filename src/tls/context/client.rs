//! TLS towards upstreams.

use super::{
    Built, Material, Problem,
    authorities::Authorities,
    cache::Cache,
    provider::{Cipher, provider, versions},
    server_auth::{AnyServer, ServerVerifier, no_name},
};
use crate::tls::{CertificateFacts, ClientSpec, ServerVerification};
use rustls::{
    ClientConfig,
    client::{Resumption, danger::ServerCertVerifier},
    crypto::CryptoProvider,
    pki_types::ServerName,
    sign::SingleCertAndKey,
};
use std::{net::IpAddr, sync::Arc};

/// Upstream names whose sessions a shard remembers for one context, to resume them: more than a destination has.
const SESSIONS_MAX: usize = 64;

/// What is offered by ALPN to an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alpn {
    /// Nothing of HTTP/2: [`ClientSpec::alpn`], which is empty outside of a mesh. For HTTP/1.1 and bytes.
    None,
    /// `h2` ([`ClientSpec::alpn_http2`]). HTTP/2 is spoken whatever the upstream answers, as with Envoy: one that knows
    /// nothing of ALPN may still have been configured for it.
    Http2,
}

/// How TLS begins for one upstream's settings.
#[derive(Debug)]
pub struct ClientContext {
    config: Arc<ClientConfig>,
    /// With a memory of sessions of its own: an upstream may have a server for each protocol behind one address, and these
    /// can't open each other's tickets, so that a shared memory would lose those of the other with every handshake.
    config_http2: Arc<ClientConfig>,
    certificate: Option<CertificateFacts>,
    authorities: Vec<CertificateFacts>,
}

impl ClientContext {
    /// Builds it of the bytes of what the spec names. It remembers no session: see [`ClientContext::for_shard`].
    pub fn build(spec: &ClientSpec, material: &Material, cache: &Cache) -> Built<ClientContext> {
        let provider = provider(&spec.parameters, Cipher::Aes);
        let own = material.certificates.first().map(|material| cache.certified(material));
        let (own, mut problems) = own.unwrap_or_default();
        if spec.certificate.is_some() && own.is_none() && problems.is_empty() {
            problems.push(Problem::broken(&spec.name, "has no certificate"));
        }
        let servers = servers(spec, material, (cache, &provider), &mut problems);
        let context = servers.and_then(|servers| {
            let builder = ClientConfig::builder_with_provider(provider)
                .with_protocol_versions(&versions(&spec.parameters))
                .map_err(|error| problems.push(Problem::broken(&spec.name, error.to_string())))
                .ok()?
                .dangerous()
                .with_custom_certificate_verifier(servers.verifier);
            let mut config = match &own {
                None => builder.with_no_client_auth(),
                Some(own) => {
                    builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(Arc::clone(&own.key))))
                }
            };
            config.alpn_protocols = spec.alpn.iter().map(|protocol| protocol.to_vec()).collect();
            // The stream takes the keys over when the handshake is done.
            config.enable_secret_extraction = true;
            config.resumption = Resumption::disabled();
            let authorities = servers.authorities.map_or_else(Vec::new, |authorities| authorities.facts());
            let certificate = own.map(|own| own.facts.clone());
            let mut http2 = config.clone();
            http2.alpn_protocols = spec.alpn_http2.iter().map(|protocol| protocol.to_vec()).collect();
            let (config, config_http2) = (Arc::new(config), Arc::new(http2));
            Some(ClientContext { config, config_http2, certificate, authorities })
        });
        Built::new(context, problems)
    }

    /// The same with a memory of sessions of its own: shards share no lock.
    pub fn for_shard(&self) -> ClientContext {
        let own = |config: &ClientConfig| {
            let mut config = config.clone();
            config.resumption = Resumption::in_memory_sessions(SESSIONS_MAX);
            Arc::new(config)
        };
        ClientContext {
            config: own(&self.config),
            config_http2: own(&self.config_http2),
            certificate: self.certificate.clone(),
            authorities: self.authorities.clone(),
        }
    }

    /// What a handshake takes where HTTP/1.1 or bytes go.
    pub fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.config)
    }

    /// What a handshake takes, by what it offers.
    pub fn config_for(&self, alpn: Alpn) -> &Arc<ClientConfig> {
        match alpn {
            Alpn::None => &self.config,
            Alpn::Http2 => &self.config_http2,
        }
    }

    /// What a handshake takes as the name of the server. An IP address is not sent, but the certificate must have it where
    /// it must have the name that was sent. No name: none is sent, and any will do there.
    ///
    /// Nothing is returned for what is no name: nobody could have a certificate for it.
    pub fn server_name(name: Option<&str>) -> Option<ServerName<'static>> {
        let Some(name) = name else { return Some(no_name()) };
        let name = name.strip_suffix('.').unwrap_or(name);
        let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
        match bare.parse::<IpAddr>() {
            Ok(address) => Some(ServerName::from(address)),
            Err(_) => ServerName::try_from(name.to_owned()).ok(),
        }
    }

    /// What our certificate says.
    pub fn certificate(&self) -> Option<&CertificateFacts> {
        self.certificate.as_ref()
    }

    /// What the certificates of the authorities say; nothing where there are many, and of those of the operating system.
    pub fn authorities(&self) -> &[CertificateFacts] {
        &self.authorities
    }
}

/// How servers are judged, and by whose word.
struct Servers {
    verifier: Arc<dyn ServerCertVerifier>,
    authorities: Option<Arc<Authorities>>,
}

fn servers(
    spec: &ClientSpec,
    material: &Material,
    (cache, provider): (&Cache, &CryptoProvider),
    problems: &mut Vec<Problem>,
) -> Option<Servers> {
    let ServerVerification::Chain { names, .. } = &spec.verify else {
        return Some(Servers { verifier: Arc::new(AnyServer::new(provider)), authorities: None });
    };
    let authorities = match (&material.authorities, &material.system_roots) {
        (Some(material), _) => {
            let (authorities, found) = cache.authorities(material);
            problems.extend(found);
            authorities?
        }
        (None, Some(system)) => system.authorities(),
        (None, None) => {
            let text = "wants the authorities of the operating system, which has none: install ca-certificates, or name \
                        some with caCertificates";
            problems.push(Problem::broken(&spec.name, text));
            return None;
        }
    };
    match ServerVerifier::new(Arc::clone(&authorities), names.clone()) {
        Ok(verifier) => Some(Servers { verifier: Arc::new(verifier), authorities: Some(authorities) }),
        Err(error) => {
            let problem = |material: &super::AuthorityMaterial| material.refused(&error);
            let otherwise = || Problem::broken(&spec.name, error.to_string());
            problems.push(material.authorities.as_ref().map_or_else(otherwise, problem));
            None
        }
    }
}
