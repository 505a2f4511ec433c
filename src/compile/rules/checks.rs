//! What a rule decides before its action.

use super::{Report, Rule};
use crate::table::Checks;

/// The checks of a rule, if it has any.
pub(super) fn checks(_rule: &Rule<'_, '_>, _report: &mut Report) -> Option<Box<Checks>> {
    None
}
