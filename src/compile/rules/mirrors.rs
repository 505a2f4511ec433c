//! Where a rule sends copies: `mirror` and `mirrors`.

use super::{Report, Rule, RuleCompiler};
use crate::table::Mirror;

impl<'r> RuleCompiler<'r, '_> {
    /// The copies that a rule makes.
    pub(super) fn mirrors(&mut self, _rule: &Rule<'_, 'r>, _report: &mut Report) -> Vec<Mirror> {
        Vec::new()
    }
}
