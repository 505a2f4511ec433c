//! From what a server or an upstream asks of TLS, and the bytes of what it names, to configurations of rustls.
//!
//! Pure but for randomness: the control thread reads files, builds contexts and sends them to every shard.
//!
//! - `server`: TLS towards clients: what a shard takes for a handshake
//! - `client`: TLS towards upstreams
//! - `contexts`: all of them on one shard
//! - `material`: bytes of certificates, keys and authorities, with the place they come from
//! - `secrets`: Kubernetes Secrets, and which of their keys are what
//! - `cache`: what was read before
//! - `certified`: PEM to a chain with its key
//! - `authorities`: PEM to those whose word is believed, and what they have revoked
//! - `resolver`: which of several certificates a client gets
//! - `client_auth`: whether a client's certificate is believed
//! - `server_auth`: whether an upstream's certificate is believed
//! - `names`: whether a certificate has a name
//! - `provider`: versions, suites and groups
//! - `tickets`: session tickets that any shard can open
//! - `problem`: what is wrong with what a spec names

mod authorities;
mod cache;
mod certified;
mod client;
mod client_auth;
mod contexts;
mod material;
mod names;
mod problem;
mod provider;
mod resolver;
mod secrets;
mod server;
mod server_auth;
mod tickets;
#[cfg(test)]
mod tests;

pub use authorities::SystemRoots;
pub use cache::Cache;
pub use client::{Alpn, ClientContext};
pub use contexts::{ClientPlace, Contexts};
pub use material::{AuthorityMaterial, Bytes, CertificateMaterial, Digest, Limit, Material};
pub use problem::{Built, Problem, ProblemKind};
pub use secrets::Secrets;
pub use server::ServerContext;
pub use tickets::{TicketError, TicketSecret};
