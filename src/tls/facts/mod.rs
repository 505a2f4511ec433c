//! What certificates say of themselves.
//!
//! - `certificate`: names, times and digests of a certificate
//! - `distinguished_name`: subjects and issuers as text (RFC 2253)
//! - `wording`: versions and cipher suites as Envoy and OpenSSL call them
//! - `peer`: the certificate that a client has shown, as `x-forwarded-client-cert` and header values tell it

mod certificate;
mod distinguished_name;
mod peer;
mod wording;

pub use certificate::CertificateFacts;
pub use peer::PeerCertificate;
pub use wording::{suite_name, version_name};
