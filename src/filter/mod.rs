//! Filters: change heads or answer locally. One Istio feature per file.
//!
//! - `hash_key`: `consistentHash`: what of a request decides where it goes
//! - `headers`: `headers.request` and `headers.response` of routes and destinations
//! - `fault`: `fault`
//! - `cors`: `corsPolicy`
//! - `networks`, `rate_limit`, `sticky`: the gateway's own annotations of these names
//! - `request_key`: something of a request that tells clients apart
//! - `template`: header values with substitution commands such as `%PROTOCOL%`

pub mod cors;
mod fault;
mod hash_key;
mod headers;
mod networks;
mod rate_limit;
mod request_key;
pub mod sticky;
mod template;

pub use cors::Cors;
pub use fault::{Abort, Fault, Share};
pub use hash_key::{Asking, GivenCookie, HashCookie, HashKey, Hashed, hash_text};
pub use headers::HeaderOps;
pub use networks::{NetworkPolicy, Networks, parse_network};
pub use rate_limit::{KEYED_RATE_MAX, RateLimit, retry_after_seconds};
pub use request_key::{RequestKey, cookie};
pub use template::{Address, Context, Peer, SUPPORTED_COMMANDS, Template, TemplateError, Tls};
