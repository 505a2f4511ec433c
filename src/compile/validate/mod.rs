//! The rules that need one object only.

use super::Options;
use crate::config::{Diagnostic, Resources};

/// Every problem that an object has by itself.
pub(super) fn validate(_resources: &Resources, _options: &Options) -> Vec<Diagnostic> {
    Vec::new()
}
