//! Filters: change heads or answer locally. One Istio feature per file.
//!
//! - `headers`: `headers.request` and `headers.response` of routes and destinations

mod headers;

pub use headers::HeaderOps;
