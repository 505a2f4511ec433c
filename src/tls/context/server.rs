//! TLS towards clients: what a shard takes for a handshake.

use super::{
    Built, Material, Problem,
    authorities::Authorities,
    cache::Cache,
    certified::Certified,
    client_auth::{ClientVerifier, Demands},
    provider::{Cipher, provider, versions},
    resolver::Resolver,
    tickets::{TicketScope, TicketSecret, Tickets},
};
use crate::tls::{CertificateFacts, ClientAuthentication, ClientHello, ServerSpec};
use rustls::{
    ServerConfig,
    server::{NoClientAuth, NoServerSessionStorage, danger::ClientCertVerifier},
};
use std::sync::Arc;

/// Tickets that a client of TLS 1.3 gets: for the two connections that browsers open at once.
const TICKETS: usize = 2;

/// How TLS ends for one server of a Gateway. Immutable, and shared by all shards.
#[derive(Debug)]
pub struct ServerContext {
    /// For clients with instructions for AES.
    aes: Pair,
    /// For the others.
    chacha: Pair,
    certificates: Vec<CertificateFacts>,
    authorities: Vec<CertificateFacts>,
    verifies_clients: bool,
    scope: TicketScope,
}

/// A configuration with and without ALPN.
#[derive(Debug)]
struct Pair {
    with_alpn: Arc<ServerConfig>,
    without_alpn: Arc<ServerConfig>,
}

impl ServerContext {
    /// Builds it of the bytes of what the spec names.
    pub fn build(
        spec: &ServerSpec,
        material: &Material,
        tickets: &TicketSecret,
        cache: &Cache,
    ) -> Built<ServerContext> {
        let mut problems = Vec::new();
        let mut certificates = Vec::new();
        for material in &material.certificates {
            let (certified, found) = cache.certified(material);
            certificates.extend(certified);
            problems.extend(found);
        }
        if certificates.is_empty() && problems.is_empty() {
            problems.push(Problem::broken(&spec.name, "has no certificate"));
        }
        let clients = clients(spec, material, cache, &mut problems);
        let context = clients.filter(|_| !certificates.is_empty()).and_then(|clients| {
            let scope = scope(spec, clients.authorities.as_deref());
            let configs = configs(spec, &clients.verifier, &certificates, &Tickets::new(tickets, scope));
            let configs =
                configs.map_err(|error| problems.push(Problem::broken(&spec.name, error.to_string())));
            let [aes, chacha] = configs.ok()?;
            let certificates = certificates.iter().map(|certified| certified.facts.clone()).collect();
            let authorities = clients.authorities.map_or_else(Vec::new, |authorities| authorities.facts());
            let verifies_clients = verifies_clients(&spec.client);
            Some(ServerContext { aes, chacha, certificates, authorities, verifies_clients, scope })
        });
        Built::new(context, problems)
    }

    /// The same with other secrets for its tickets.
    pub fn with_tickets(&self, tickets: &TicketSecret) -> ServerContext {
        let tickets = Tickets::new(tickets, self.scope);
        let other = |config: &ServerConfig| {
            let mut config = config.clone();
            config.ticketer = Arc::clone(&tickets) as _;
            Arc::new(config)
        };
        let pair =
            |pair: &Pair| Pair { with_alpn: other(&pair.with_alpn), without_alpn: other(&pair.without_alpn) };
        ServerContext {
            aes: pair(&self.aes),
            chacha: pair(&self.chacha),
            certificates: self.certificates.clone(),
            authorities: self.authorities.clone(),
            verifies_clients: self.verifies_clients,
            scope: self.scope,
        }
    }

    /// What the handshake of this client takes. rustls ends a handshake in which nothing that is offered by ALPN is there,
    /// but it is to go on without (specification section 1.6); and which cipher we prefer depends on the client's.
    pub fn config(&self, hello: &ClientHello) -> Arc<ServerConfig> {
        let pair = if hello.prefers_chacha { &self.chacha } else { &self.aes };
        let ours = &pair.with_alpn.alpn_protocols;
        let is_common = hello.alpn.iter().any(|offer| ours.iter().any(|our| our[..] == offer[..]));
        Arc::clone(if is_common { &pair.with_alpn } else { &pair.without_alpn })
    }

    /// What our certificates say, in the spec's order.
    pub fn certificates(&self) -> &[CertificateFacts] {
        &self.certificates
    }

    /// What the certificates of the authorities for clients say; nothing where there are many.
    pub fn authorities(&self) -> &[CertificateFacts] {
        &self.authorities
    }

    /// Whether a client's certificate is accepted only if somebody who is trusted vouches for it.
    pub fn verifies_clients(&self) -> bool {
        self.verifies_clients
    }

    /// The first URI of our first certificate that has one: for `By=` in `x-forwarded-client-cert`.
    pub fn local_uri(&self) -> Option<&str> {
        self.certificates.iter().find_map(|facts| facts.uris.first()).map(|uri| &**uri)
    }
}

fn verifies_clients(client: &ClientAuthentication) -> bool {
    matches!(client, ClientAuthentication::Certificate { accept_untrusted: false, .. })
}

/// How clients are judged, and by whose word.
struct Clients {
    verifier: Arc<dyn ClientCertVerifier>,
    authorities: Option<Arc<Authorities>>,
}

fn clients(
    spec: &ServerSpec,
    material: &Material,
    cache: &Cache,
    problems: &mut Vec<Problem>,
) -> Option<Clients> {
    let ClientAuthentication::Certificate { required, names, pins, accept_untrusted, .. } = &spec.client
    else {
        return Some(Clients { verifier: Arc::new(NoClientAuth), authorities: None });
    };
    let Some(material) = &material.authorities else {
        problems.push(Problem::broken(&spec.name, "has no authorities for the certificates of clients"));
        return None;
    };
    let (authorities, found) = cache.authorities(material);
    problems.extend(found);
    let authorities = authorities?;
    let demands = Demands {
        required: *required,
        names: names.clone(),
        pins: pins.clone(),
        accept_untrusted: *accept_untrusted,
    };
    match ClientVerifier::new(Arc::clone(&authorities), demands) {
        Ok(verifier) => Some(Clients { verifier: Arc::new(verifier), authorities: Some(authorities) }),
        Err(error) => {
            problems.push(material.refused(&error));
            None
        }
    }
}

/// The configurations for clients with instructions for AES, and for the others.
fn configs(
    spec: &ServerSpec,
    clients: &Arc<dyn ClientCertVerifier>,
    certificates: &[Arc<Certified>],
    tickets: &Arc<Tickets>,
) -> Result<[Pair; 2], rustls::Error> {
    let keys = certificates.iter().map(|certified| Arc::clone(&certified.key)).collect();
    let resolver = Arc::new(Resolver::new(keys));
    let pair = |cipher| -> Result<Pair, rustls::Error> {
        let mut config = ServerConfig::builder_with_provider(provider(&spec.parameters, cipher))
            .with_protocol_versions(&versions(&spec.parameters))?
            .with_client_cert_verifier(Arc::clone(clients))
            .with_cert_resolver(Arc::clone(&resolver) as _);
        config.ignore_client_order = true;
        // The stream takes the keys over when the handshake is done.
        config.enable_secret_extraction = true;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.ticketer = Arc::clone(tickets) as _;
        config.send_tls13_tickets = TICKETS;
        // A request that somebody else could send again is none that an origin expects (RFC 8470 section 3).
        config.max_early_data_size = 0;
        config.send_half_rtt_data = false;
        let without_alpn = Arc::new(config.clone());
        config.alpn_protocols = spec.alpn.iter().map(|protocol| protocol.to_vec()).collect();
        Ok(Pair { with_alpn: Arc::new(config), without_alpn })
    };
    Ok([pair(Cipher::Aes)?, pair(Cipher::Chacha20)?])
}

/// What a ticket of this server is good for: it stands for a client that was believed by these rules.
fn scope(spec: &ServerSpec, authorities: Option<&Authorities>) -> TicketScope {
    let mut parts: Vec<&[u8]> = vec![spec.name.as_bytes()];
    if let ClientAuthentication::Certificate { required, names, pins, accept_untrusted, .. } = &spec.client {
        parts.push(if *required { b"required" } else { b"optional" });
        parts.push(if *accept_untrusted { b"untrusted" } else { b"trusted" });
        parts.push(b"names");
        parts.extend(names.iter().map(|name| name.as_bytes()));
        parts.push(b"keys");
        parts.extend(pins.keys.iter().map(|pin| &pin[..]));
        parts.push(b"certificates");
        parts.extend(pins.certificates.iter().map(|pin| &pin[..]));
    }
    if let Some(authorities) = authorities {
        parts.push(&authorities.digest);
    }
    TicketScope::of(parts)
}
