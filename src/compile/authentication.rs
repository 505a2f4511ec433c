//! RequestAuthentications to the rules for tokens (specification section 5).

use super::{
    policy_selection::{PolicySelection, Targeted},
    report::Report,
};
use crate::config::{
    Resources, Spanned,
    resources::{PolicySelector, PolicyTargetReference, RequestAuthentication},
};

impl Targeted for RequestAuthentication {
    fn selector(&self) -> Option<&Spanned<PolicySelector>> {
        self.selector.as_ref()
    }

    fn target_refs(&self) -> Vec<&Spanned<PolicyTargetReference>> {
        match self.target_refs.is_empty() {
            true => self.target_ref.iter().collect(),
            false => self.target_refs.iter().collect(),
        }
    }
}

/// Finds the policies that apply.
pub(super) fn authentication(resources: &Resources, selection: &PolicySelection<'_>, report: &mut Report) {
    selection.applying(&resources.request_authentications, report);
}
