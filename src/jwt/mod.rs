//! JSON Web Tokens (RFC 7519): whether a token is good, and what it says.
//!
//! Nothing is asked of a clock or of the network here: the time and the keys are handed in.
//!
//! - `token`: the text of a token, taken apart
//! - `algorithm`: the ways to sign that are known
//! - `keys`: a set of keys (RFC 7517), and whether one of them has signed a token
//! - `check`: issuer, times and audiences
//! - `claims`: the payload of a verified token
//! - `refusal`: why a token is not good, in Envoy's words

mod algorithm;
mod check;
mod claims;
mod keys;
mod refusal;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod token;

pub use algorithm::Algorithm;
pub use check::{CLOCK_SKEW, Terms, Validity};
pub use claims::Claims;
pub(crate) use claims::find as find_claim;
pub use keys::{BadKeys, JWKS_BYTES_MAX, KEYS_MAX, KeySet, SharedSecrets};
pub use refusal::Refusal;
pub use token::{TOKEN_BYTES_MAX, Token};
