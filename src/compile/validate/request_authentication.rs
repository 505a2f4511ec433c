//! `RequestAuthentication` (istiod's `ValidateRequestAuthentication`).

use super::{place::Findings, policy_target};
use crate::config::{Resource, resources::RequestAuthentication};

/// Checks one object.
pub(super) fn check(resource: &Resource<RequestAuthentication>, findings: &Findings<'_>) {
    let policy = &resource.spec;
    let spec = findings.root("spec", resource.span);
    let targets = (policy.target_ref.as_ref(), policy.target_refs.as_slice());
    policy_target::check(&spec, policy.selector.as_ref(), targets, &resource.meta.namespace);
}
