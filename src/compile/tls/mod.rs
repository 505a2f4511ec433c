//! What servers and DestinationRules say about TLS, to specs that name files and Secrets.
//!
//! - `server`: `tls` of a Gateway's server
//! - `client`: `tls` of a DestinationRule
//! - `parameters`: versions, cipher suites and groups
//! - `credential`: what `credentialName` may name
//! - `secrets`: whether the Secrets that are named are there and complete, and what they contain

mod client;
mod credential;
mod parameters;
mod secrets;
mod server;

pub(super) use client::{ClientTls, Upstream};
pub(super) use secrets::{SecretUse, extract, report};
pub(super) use server::{ServerTls, server_name};

use super::{
    Identity, Workload,
    mesh::Mesh,
    origin::{Origins, Title},
};
use crate::{
    config::{Diagnostic, Span},
    tls::{CertificateSource, Place},
};

/// What TLS is made of, beside the settings themselves.
#[derive(Clone, Copy)]
pub(super) struct TlsInputs<'r, 'w> {
    pub(super) workload: &'w Workload,
    pub(super) mesh: Mesh<'r>,
    pub(super) identity: Option<&'w Identity>,
    pub(super) origins: &'w Origins,
}

fn place(origins: &Origins, title: &Title, span: Span, field: String) -> Place {
    let source = origins.source(title, span);
    Place {
        object: source.object,
        field: field.into(),
        file: source.file,
        line: source.line,
        column: source.column,
    }
}

fn of_identity(identity: &Identity) -> CertificateSource {
    CertificateSource::Files { certificate: identity.certificate.clone(), key: identity.key.clone() }
}

fn no_identity(outcome: &str) -> Diagnostic {
    let message = format!(
        "ISTIO_MUTUAL uses the gateway's own identity in the mesh, which it was not given; {outcome}"
    );
    Diagnostic::error("no-identity", message)
        .help("name its files with --identity-cert, --identity-key and --identity-ca, or write MUTUAL with files or a Secret")
}
