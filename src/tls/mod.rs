//! TLS on a stream: read a ClientHello, end TLS for a client, begin it to an upstream.
//!
//! - `hello`: what a client says first, read before anything is decided
//! - `record`: records after the handshake, sealed and opened in place
//! - `spec`: what a server or an upstream asks of TLS, as compiled

mod hello;
mod record;
mod spec;

pub use hello::{BadHello, ClientHello, HELLO_MAX, Peeked, peek};
pub use spec::{
    AuthoritySource, CertificateSource, ClientAuthentication, ClientSpec, Group, NameRule, Parameters, Pins,
    SecretName, Secrets, ServerSpec, ServerVerification, Suite,
};
