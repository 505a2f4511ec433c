//! Handshakes in memory, and what they need.

pub(super) use crate::tls::testing::{Authority, KeyKind, Leaf, LeafParams};
use crate::tls::{
    AuthorityMaterial, AuthoritySource, Bytes, Cache, CertificateMaterial, CertificateSource,
    ClientAuthentication, ClientContext, ClientSpec, Material, NameRule, Parameters, Peeked, Pins, Place,
    ServerContext, ServerSpec, ServerVerification, TicketSecret, peek,
};
use rustls::{
    AlertDescription, CipherSuite, ClientConfig, ClientConnection, Error, HandshakeKind, NamedGroup,
    ProtocolVersion, RootCertStore, ServerConfig, ServerConnection, SupportedProtocolVersion,
    crypto::aws_lc_rs::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    sign::{CertifiedKey, SingleCertAndKey},
    version,
};
use std::{path::PathBuf, sync::Arc};

/// The content of a file that does not exist.
pub(super) fn bytes(place: &str, text: &str) -> Bytes {
    Bytes::new(format!("`{place}`"), text.as_bytes())
}

pub(super) fn certificate(leaf: &Leaf) -> CertificateMaterial {
    CertificateMaterial {
        chain: bytes("tls.crt", &leaf.chain),
        key: bytes("tls.key", &leaf.key),
        staple: None,
    }
}

pub(super) fn authorities(pem: &str, revoked: Option<&str>) -> AuthorityMaterial {
    AuthorityMaterial {
        authorities: bytes("ca.crt", pem),
        revoked: revoked.map(|text| bytes("ca.crl", text)),
    }
}

fn files() -> AuthoritySource {
    AuthoritySource::Files { authorities: PathBuf::from("ca.crt"), revoked: None }
}

/// A server that asks for no certificate.
pub(super) fn simple() -> ServerSpec {
    ServerSpec {
        name: "Gateway infra/public servers[0]".into(),
        place: Place::default(),
        certificates: vec![CertificateSource::Files { certificate: "tls.crt".into(), key: "tls.key".into() }],
        client: ClientAuthentication::None,
        parameters: Parameters::default(),
        alpn: vec![Box::from(*b"h2"), Box::from(*b"http/1.1")],
    }
}

/// A server that asks for one.
pub(super) fn mutual(required: bool) -> ServerSpec {
    let client = ClientAuthentication::Certificate {
        required,
        authorities: files(),
        names: Vec::new(),
        pins: Pins::default(),
        accept_untrusted: false,
    };
    ServerSpec { client, ..simple() }
}

/// An upstream.
pub(super) fn upstream(names: NameRule) -> ClientSpec {
    ClientSpec {
        name: "DestinationRule default/reviews".into(),
        place: Place::default(),
        certificate: None,
        verify: ServerVerification::Chain { authorities: Some(files()), names },
        parameters: Parameters::default(),
        alpn: Vec::new(),
        alpn_http2: vec![Box::from(*b"h2")],
    }
}

pub(super) fn server(spec: &ServerSpec, material: &Material) -> ServerContext {
    server_with(spec, material, &TicketSecret::new().unwrap())
}

pub(super) fn server_with(spec: &ServerSpec, material: &Material, tickets: &TicketSecret) -> ServerContext {
    let built = ServerContext::build(spec, material, tickets, &Cache::default());
    assert!(built.problems.is_empty(), "{:?}", built.problems);
    built.context.unwrap()
}

pub(super) fn client(spec: &ClientSpec, material: &Material) -> ClientContext {
    let built = ClientContext::build(spec, material, &Cache::default());
    assert!(built.problems.is_empty(), "{:?}", built.problems);
    built.context.unwrap().for_shard()
}

/// Only this authority.
pub(super) fn roots(authority: &Authority) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
    roots
}

/// A client that is not ours: believes this authority, and shows a certificate.
pub(super) fn foreign_client(authority: &Authority, own: Option<&Leaf>) -> ClientConfig {
    foreign_client_of(authority, own, &[&version::TLS13, &version::TLS12])
}

/// The same with these versions.
pub(super) fn foreign_client_of(
    authority: &Authority,
    own: Option<&Leaf>,
    versions: &[&'static SupportedProtocolVersion],
) -> ClientConfig {
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder.with_protocol_versions(versions).unwrap().with_root_certificates(roots(authority));
    match own {
        None => builder.with_no_client_auth(),
        Some(leaf) => builder.with_client_auth_cert(chain(leaf), key(leaf)).unwrap(),
    }
}

/// A client that shows a certificate with a key that need not belong to it.
pub(super) fn foreign_client_with(authority: &Authority, own: &Leaf) -> ClientConfig {
    let provider = Arc::new(default_provider());
    let key = provider.key_provider.load_private_key(key(own)).unwrap();
    let own = SingleCertAndKey::from(CertifiedKey::new(chain(own), key));
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    builder.with_root_certificates(roots(authority)).with_client_cert_resolver(Arc::new(own))
}

/// A server that is not ours.
pub(super) fn foreign_server(leaf: &Leaf) -> Arc<ServerConfig> {
    let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    Arc::new(builder.with_single_cert(chain(leaf), key(leaf)).unwrap())
}

fn chain(leaf: &Leaf) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(leaf.chain.as_bytes()).collect::<Result<_, _>>().unwrap()
}

fn key(leaf: &Leaf) -> PrivateKeyDer<'static> {
    PrivateKeyDer::from_pem_slice(leaf.key.as_bytes()).unwrap()
}

/// What came of a handshake, as both ends see it.
#[derive(Debug)]
pub(super) struct Shaken {
    pub(super) client: ClientConnection,
    pub(super) server: ServerConnection,
}

impl Shaken {
    /// The certificate that the client saw.
    pub(super) fn shown(&self) -> &[u8] {
        self.client.peer_certificates().unwrap().first().unwrap()
    }

    pub(super) fn is_resumed(&self) -> bool {
        let kinds = [self.client.handshake_kind().unwrap(), self.server.handshake_kind().unwrap()];
        assert_eq!(kinds[0], kinds[1]);
        kinds[0] == HandshakeKind::Resumed
    }

    pub(super) fn version(&self) -> ProtocolVersion {
        self.client.protocol_version().unwrap()
    }

    pub(super) fn suite(&self) -> CipherSuite {
        self.client.negotiated_cipher_suite().unwrap().suite()
    }

    pub(super) fn group(&self) -> NamedGroup {
        self.client.negotiated_key_exchange_group().unwrap().name()
    }
}

/// Why a handshake failed.
#[derive(Debug)]
pub(super) struct Failed {
    /// What the server makes of it.
    pub(super) server: Option<Error>,
    /// What the client makes of it.
    pub(super) client: Option<Error>,
}

impl Failed {
    /// The alert that the client got.
    pub(super) fn alert(&self) -> Option<AlertDescription> {
        match self.client {
            Some(Error::AlertReceived(alert)) => Some(alert),
            _ => None,
        }
    }
}

/// A handshake of a client with a server's context, which is asked with what the client offers.
pub(super) fn shake(
    client: &ClientConfig,
    server: &ServerContext,
    name: &str,
) -> Result<Shaken, Box<Failed>> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut hello = Vec::new();
    let mut first = ClientConnection::new(Arc::new(client.clone()), name.clone()).unwrap();
    first.write_tls(&mut hello).unwrap();
    let Ok(Peeked::Hello(hello)) = peek(&hello) else { panic!("a ClientHello") };
    handshake(Arc::new(client.clone()), server.config(&hello), name)
}

/// A handshake, and whatever is sent right after it.
pub(super) fn handshake(
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
    name: ServerName<'static>,
) -> Result<Shaken, Box<Failed>> {
    let mut client = ClientConnection::new(client, name).unwrap();
    let mut server = ServerConnection::new(server).unwrap();
    let mut failed = Failed { server: None, client: None };
    while client.wants_write() || server.wants_write() {
        let mut bytes = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut bytes).unwrap();
        }
        let mut rest = &bytes[..];
        while !rest.is_empty() && failed.server.is_none() {
            server.read_tls(&mut rest).unwrap();
            failed.server = server.process_new_packets().err();
        }
        let mut bytes = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut bytes).unwrap();
        }
        let mut rest = &bytes[..];
        while !rest.is_empty() && failed.client.is_none() {
            client.read_tls(&mut rest).unwrap();
            failed.client = client.process_new_packets().err();
        }
    }
    match failed {
        Failed { server: None, client: None } => Ok(Shaken { client, server }),
        failed => Err(Box::new(failed)),
    }
}
