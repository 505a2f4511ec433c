//! What certificates say of themselves.
//!
//! - `certificate`: names, times and digests of a certificate
//! - `distinguished_name`: subjects and issuers as text (RFC 2253)
//! - `peer`: the certificate that a client has shown, as `x-forwarded-client-cert` and header values tell it

mod certificate;
mod distinguished_name;
mod peer;

pub use certificate::CertificateFacts;
pub use peer::PeerCertificate;
