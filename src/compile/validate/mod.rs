//! The rules that need one object only.
//!
//! - `protocol`: what a port can speak

mod protocol;

pub(super) use protocol::Protocol;

use crate::config::{Diagnostic, Resources};

/// Every problem that an object has by itself.
pub(super) fn validate(_resources: &Resources) -> Vec<Diagnostic> {
    Vec::new()
}
