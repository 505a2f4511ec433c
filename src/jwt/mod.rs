//! JSON Web Tokens (RFC 7519): what a verified token says.
//!
//! - `claims`: the payload of a verified token

mod claims;

pub use claims::Claims;
