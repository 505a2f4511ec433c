//! Filters: change heads or answer locally. One Istio feature per file.
//!
//! - `authorization`: `AuthorizationPolicy`: who may do what
//! - `headers`: `headers.request` and `headers.response` of routes and destinations
//! - `template`: header values with substitution commands such as `%PROTOCOL%`

pub mod authorization;
mod headers;
mod template;

pub use headers::HeaderOps;
pub use template::{Address, Context, Peer, SUPPORTED_COMMANDS, Template, TemplateError, Tls};
