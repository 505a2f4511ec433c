//! RequestAuthentication: the tokens of a request are found, verified, and what they say is passed on
//! (specification section 5).
//!
//! - `rules`: which tokens are good, where they are, and what becomes of them
//! - `find`: the tokens of a request
//! - `verify`: whether they are good
//! - `outputs`: what the origin is told, and what it does not get to see
//! - `cache`: tokens that were verified before

mod cache;
mod find;
mod outputs;
mod rules;
#[cfg(test)]
mod tests;
mod verify;

pub use cache::{CACHE_BYTES_MAX, CACHE_TOKENS_MAX, TokenCache};
pub use rules::{Authentication, ClaimField, KeySource, KeySourceId, Location, TokenRule};
pub use verify::{Keys, Verified};
