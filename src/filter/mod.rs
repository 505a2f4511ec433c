//! Filters: change heads or answer locally. One Istio feature per file.
//!
//! - `authentication`: RequestAuthentication: the tokens of a request
//! - `headers`: `headers.request` and `headers.response` of routes and destinations
//! - `template`: header values with substitution commands such as `%PROTOCOL%`

mod authentication;
mod headers;
mod template;

pub use authentication::{
    Authentication, CACHE_BYTES_MAX, CACHE_TOKENS_MAX, ClaimField, KeySource, KeySourceId, Keys, Location,
    TokenCache, TokenRule, Verified,
};
pub use headers::HeaderOps;
pub use template::{Address, Context, Peer, SUPPORTED_COMMANDS, Template, TemplateError, Tls};
