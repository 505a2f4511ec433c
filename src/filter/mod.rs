//! Filters: change heads or answer locally. One Istio feature per file.
//!
//! - `authentication`: RequestAuthentication: the tokens of a request
//! - `authorization`: `AuthorizationPolicy`: who may do what
//! - `hash_key`: `consistentHash`: what of a request decides where it goes
//! - `headers`: `headers.request` and `headers.response` of routes and destinations
//! - `fault`: `fault`
//! - `cors`: `corsPolicy`
//! - `networks`, `rate_limit`, `sticky`: the gateway's own annotations of these names
//! - `request_key`: something of a request that tells clients apart
//! - `trace_context`: what a request says about its trace, and what its origin is told
//! - `template`: header values with substitution commands such as `%PROTOCOL%`

mod authentication;
pub mod authorization;
pub mod cors;
mod fault;
mod hash_key;
mod headers;
mod networks;
mod rate_limit;
mod request_key;
pub mod sticky;
mod template;
mod trace_context;

pub use authentication::{
    Authentication, CACHE_BYTES_MAX, CACHE_TOKENS_MAX, ClaimField, KeySource, KeySourceId, Keys, Location,
    TokenCache, TokenRule, Verified,
};
pub use cors::Cors;
pub use fault::{Abort, Fault, Share};
pub use hash_key::{Asking, GivenCookie, HashCookie, HashKey, Hashed, hash_text};
pub use headers::HeaderOps;
pub use networks::{NetworkPolicy, Networks, parse_network};
pub use rate_limit::{KEYED_RATE_MAX, RateLimit, retry_after_seconds};
pub use request_key::{RequestKey, cookie};
pub use template::{Address, Context, Peer, SUPPORTED_COMMANDS, Template, TemplateError, Tls};
pub use trace_context::{IncomingTrace, TraceForm};
