//! Who may do what: the AuthorizationPolicies that apply to this gateway, compiled.

use super::Source;
use crate::filter::authorization::{Action, Policies, Rule};
use std::sync::Arc;

/// The policies that apply. There is one of these only if there is a policy.
#[derive(Debug)]
pub struct Authorization {
    /// For requests.
    pub http: Policies,
    /// For connections that are not HTTP: a rule that denies is wider there, for it can't ask for what there is not, and one
    /// that allows and asks for it matches nothing.
    pub tcp: Policies,
    /// All of them; [`Rule::policy`] is an index into this.
    pub policies: Box<[AuthorizationPolicy]>,
}

/// One policy, for numbers and explanations.
#[derive(Debug)]
pub struct AuthorizationPolicy {
    /// `<namespace>/<name>`
    pub name: Arc<str>,
    /// What tells its numbers apart on the metrics page: `policy="<namespace>/<name>",action="DENY",mode="enforced"`.
    pub labels: Arc<str>,
    /// What it does.
    pub action: Action,
    /// It is only tried out.
    pub is_dry_run: bool,
    /// The object.
    pub source: Source,
    /// Its rules, in their order.
    pub rules: Box<[Source]>,
}

impl Authorization {
    /// The policy of a rule.
    pub fn policy(&self, rule: &Rule) -> Option<&AuthorizationPolicy> {
        self.policies.get(rule.policy as usize)
    }

    /// Where a rule is written.
    pub fn source(&self, rule: &Rule) -> Option<&Source> {
        let policy = self.policy(rule)?;
        Some(policy.rules.get(rule.number as usize).unwrap_or(&policy.source))
    }
}
