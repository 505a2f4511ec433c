//! What a server or an upstream asks of TLS, as compiled: pure data. Certificates and keys are named, not held: the
//! control thread loads them, and loads them again when they change.

use std::{fmt, hash::Hash, path::PathBuf, sync::Arc};

/// How TLS is ended for one server of a Gateway (`ServerTLSSettings`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSpec {
    /// For logs, metrics and the admin page: `Gateway infra/public servers[1]`.
    pub name: Box<str>,
    /// Where it is written.
    pub place: Place,
    /// At least one. With several the first is used whose key the client can check.
    pub certificates: Vec<CertificateSource>,
    /// What is asked of the client.
    pub client: ClientAuthentication,
    /// Versions, suites and groups.
    pub parameters: Parameters,
    /// What is offered by ALPN, strongest first. A client that offers none of these gets none.
    pub alpn: Vec<Box<[u8]>>,
}

/// How TLS is spoken to an upstream (`ClientTLSSettings`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClientSpec {
    /// For logs, metrics and the admin page: `DestinationRule default/reviews`.
    pub name: Box<str>,
    /// Where it is written.
    pub place: Place,
    /// Our certificate (`MUTUAL`, `ISTIO_MUTUAL`).
    pub certificate: Option<CertificateSource>,
    /// By whose word an upstream's certificate is believed.
    pub verify: ServerVerification,
    /// Versions, suites and groups.
    pub parameters: Parameters,
    /// What is offered by ALPN where HTTP/1.1 or bytes go; empty: nothing is.
    pub alpn: Vec<Box<[u8]>>,
    /// What is offered where HTTP/2 goes: `h2`, and the mesh's name for it before that.
    pub alpn_http2: Vec<Box<[u8]>>,
}

impl ServerSpec {
    /// What it asks, wherever that is written and whatever it is called: two that ask the same can have one context.
    pub fn terms(&self) -> impl Hash + Eq + '_ {
        let ServerSpec { name: _, place: _, certificates, client, parameters, alpn } = self;
        (certificates, client, parameters, alpn)
    }
}

impl ClientSpec {
    /// What it asks, wherever that is written and whatever it is called: two that ask the same can have one context.
    pub fn terms(&self) -> impl Hash + Eq + '_ {
        let ClientSpec { name: _, place: _, certificate, verify, parameters, alpn, alpn_http2 } = self;
        (certificate, verify, parameters, alpn, alpn_http2)
    }
}

/// Where the settings of a server or an upstream are written, for diagnostics about what they name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Place {
    /// `Gateway infra/public`
    pub object: Arc<str>,
    /// The path to the settings: `spec.servers[1].tls`.
    pub field: Box<str>,
    /// The file as the user named it; empty where no file says it, such as an option of the command line.
    pub file: Arc<str>,
    /// Of the field, from 1.
    pub line: u32,
    /// Of the field, from 1, in characters.
    pub column: u32,
}

/// What is asked of a client that connects with TLS.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ClientAuthentication {
    /// No certificate is asked for (`SIMPLE`).
    None,
    /// A certificate is asked for.
    Certificate {
        /// `MUTUAL` and `ISTIO_MUTUAL`: none is refused. Otherwise `OPTIONAL_MUTUAL`.
        required: bool,
        /// By whose word it is believed.
        authorities: AuthoritySource,
        /// `subjectAltNames`: it must have one of these, exactly. Empty: any will do.
        names: Vec<Box<str>>,
        /// `verifyCertificateSpki` and `verifyCertificateHash`: SHA-256 of its public key (SubjectPublicKeyInfo) or of the
        /// whole certificate; one match in either list is enough. Both empty: any will do.
        pins: Pins,
        /// `insecureSkipVerify`: one that nobody vouches for is accepted (its possessor still proves to have its key).
        accept_untrusted: bool,
    },
}

/// Certificates by their SHA-256.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Pins {
    /// Of the public key.
    pub keys: Vec<[u8; 32]>,
    /// Of the certificate.
    pub certificates: Vec<[u8; 32]>,
}

/// How an upstream's certificate is judged.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ServerVerification {
    /// `insecureSkipVerify`: not at all.
    None,
    /// It must come from one of these authorities.
    Chain {
        /// `None`: those of the operating system.
        authorities: Option<AuthoritySource>,
        /// What it must be called.
        names: NameRule,
    },
}

/// What a certificate must be called (specification section 4.6).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum NameRule {
    /// One of these, exactly (`subjectAltNames`).
    Listed(Vec<Box<str>>),
    /// The name that was sent as SNI; any, where none was sent.
    ServerName,
    /// Any (`sni` is set and `subjectAltNames` is not).
    Any,
}

/// Where a certificate chain and its key are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CertificateSource {
    /// Two PEM files.
    Files {
        /// The chain, leaf first.
        certificate: PathBuf,
        /// The key.
        key: PathBuf,
    },
    /// A Secret: `cert` and `key`, or `tls.crt` and `tls.key` (specification section 1.8).
    Secret(SecretName),
}

/// Where authorities and what they have revoked are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AuthoritySource {
    /// PEM files.
    Files {
        /// The authorities.
        authorities: PathBuf,
        /// Revoked certificates; if given, there must be a list of every authority in a chain.
        revoked: Option<PathBuf>,
    },
    /// The Secret `<name>-cacert` if there is one, else the Secret itself: `cacert` and `crl`, or `ca.crt` and `ca.crl`.
    Secret(SecretName),
    /// This Secret alone (`caCertCredentialName`).
    Exactly(SecretName),
}

/// The name of a Secret.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SecretName {
    /// Its namespace.
    pub namespace: Box<str>,
    /// Its name.
    pub name: Box<str>,
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// Versions, cipher suites and groups. What can't be had was reported by the compiler and is not in here.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Parameters {
    /// TLS 1.2 is spoken.
    pub tls12: bool,
    /// TLS 1.3 is spoken.
    pub tls13: bool,
    /// Suites of TLS 1.2, strongest first; empty: all there are. Those of TLS 1.3 can't be chosen.
    pub suites: Vec<Suite>,
    /// Groups of the key exchange, strongest first; empty: all there are.
    pub groups: Vec<Group>,
}

impl Default for Parameters {
    fn default() -> Self {
        Parameters { tls12: true, tls13: true, suites: Vec::new(), groups: Vec::new() }
    }
}

/// A cipher suite of TLS 1.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Suite {
    /// `ECDHE-ECDSA-AES128-GCM-SHA256`
    EcdsaAes128,
    /// `ECDHE-ECDSA-AES256-GCM-SHA384`
    EcdsaAes256,
    /// `ECDHE-ECDSA-CHACHA20-POLY1305`
    EcdsaChacha20,
    /// `ECDHE-RSA-AES128-GCM-SHA256`
    RsaAes128,
    /// `ECDHE-RSA-AES256-GCM-SHA384`
    RsaAes256,
    /// `ECDHE-RSA-CHACHA20-POLY1305`
    RsaChacha20,
}

impl Suite {
    /// All of them, strongest first.
    pub const ALL: [Suite; 6] = [
        Suite::EcdsaAes256,
        Suite::EcdsaAes128,
        Suite::EcdsaChacha20,
        Suite::RsaAes256,
        Suite::RsaAes128,
        Suite::RsaChacha20,
    ];

    /// OpenSSL's name, as in `cipherSuites`.
    pub fn name(self) -> &'static str {
        match self {
            Suite::EcdsaAes128 => "ECDHE-ECDSA-AES128-GCM-SHA256",
            Suite::EcdsaAes256 => "ECDHE-ECDSA-AES256-GCM-SHA384",
            Suite::EcdsaChacha20 => "ECDHE-ECDSA-CHACHA20-POLY1305",
            Suite::RsaAes128 => "ECDHE-RSA-AES128-GCM-SHA256",
            Suite::RsaAes256 => "ECDHE-RSA-AES256-GCM-SHA384",
            Suite::RsaChacha20 => "ECDHE-RSA-CHACHA20-POLY1305",
        }
    }

    /// Reads OpenSSL's name.
    pub fn parse(name: &str) -> Option<Suite> {
        Suite::ALL.into_iter().find(|suite| suite.name() == name)
    }
}

/// A group of the key exchange (`ecdhCurves`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Group {
    /// `X25519MLKEM768`
    X25519MlKem768,
    /// `X25519`
    X25519,
    /// `P-256`
    P256,
    /// `P-384`
    P384,
}

impl Group {
    /// All of them, strongest first.
    pub const ALL: [Group; 4] = [Group::X25519MlKem768, Group::X25519, Group::P256, Group::P384];

    /// The name in `ecdhCurves`.
    pub fn name(self) -> &'static str {
        match self {
            Group::X25519MlKem768 => "X25519MLKEM768",
            Group::X25519 => "X25519",
            Group::P256 => "P-256",
            Group::P384 => "P-384",
        }
    }

    /// Reads the name in `ecdhCurves`.
    pub fn parse(name: &str) -> Option<Group> {
        Group::ALL.into_iter().find(|group| group.name() == name)
    }
}
