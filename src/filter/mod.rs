//! Filters: change heads or answer locally. One Istio feature per file.
//!
//! - `hash_key`: `consistentHash`: what of a request decides where it goes
//! - `headers`: `headers.request` and `headers.response` of routes and destinations
//! - `template`: header values with substitution commands such as `%PROTOCOL%`

mod hash_key;
mod headers;
mod template;

pub use hash_key::{Asking, GivenCookie, HashCookie, HashKey, Hashed, hash_text};
pub use headers::HeaderOps;
pub use template::{Address, Context, Peer, SUPPORTED_COMMANDS, Template, TemplateError, Tls};
