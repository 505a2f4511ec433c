//! TLS on a stream: read a ClientHello, end TLS for a client, begin it to an upstream.
//!
//! - `spec`: what a server or an upstream asks of TLS, as compiled

mod spec;

pub use spec::{
    AuthoritySource, CertificateSource, ClientAuthentication, ClientSpec, Group, NameRule, Parameters, Pins,
    SecretName, Secrets, ServerSpec, ServerVerification, Suite,
};
