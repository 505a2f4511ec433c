//! TLS on a stream: read a ClientHello, end TLS for a client, begin it to an upstream.
//!
//! - `hello`: what a client says first, read before anything is decided
//! - `handshake`: the handshake, by rustls
//! - `stream`: a stream in two halves, plain or TLS; nobody outside has to know which
//! - `reader`, `writer`: the halves of TLS
//! - `session`: what both halves share
//! - `record`: records after the handshake, sealed and opened in place
//! - `spec`: what a server or an upstream asks of TLS, as compiled
//! - `context`: from that, and the bytes of what it names, to configurations of rustls
//! - `facts`: what certificates say of themselves

mod context;
mod facts;
mod handshake;
mod hello;
mod reader;
mod record;
mod session;
mod spec;
mod stream;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod writer;

pub use context::{
    Alpn, AuthorityMaterial, Built, Bytes, Cache, CertificateMaterial, ClientContext, ClientPlace, Contexts,
    Digest, Limit, Material, Problem, ProblemKind, Secrets, ServerContext, SystemRoots, TicketError,
    TicketSecret,
};
pub use facts::{CertificateFacts, PeerCertificate, suite_name, version_name};
pub use handshake::{Agreed, Established, HandshakeError, accept, connect};
pub use hello::{BadHello, ClientHello, HELLO_MAX, Peeked, peek};
pub use reader::Reader;
pub use spec::{
    AuthoritySource, CertificateSource, ClientAuthentication, ClientSpec, Group, NameRule, Parameters, Pins,
    Place, SecretName, ServerSpec, ServerVerification, Suite,
};
pub use stream::{PendingRead, Read, ReadHalf, WriteHalf};
pub use writer::Writer;
