//! What servers and DestinationRules say about TLS, to specs that name files and Secrets.
//!
//! - `secrets`: whether the Secrets that are named are there and complete, and what they contain

mod secrets;

pub(super) use secrets::{extract, report};
