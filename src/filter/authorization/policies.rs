//! All policies of a gateway, and what they decide together.

use super::{Effect, Facts, Rule, Rules};
use std::fmt;

/// What a policy does with what its rules match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It is let in; if there is such a policy, what none matches is not.
    Allow,
    /// It is not let in.
    Deny,
    /// It is noted.
    Audit,
}

/// As in a file: `DENY`.
impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Action::Allow => "ALLOW",
            Action::Deny => "DENY",
            Action::Audit => "AUDIT",
        })
    }
}

/// The rules of all policies, by what is done with them.
#[derive(Clone, Debug)]
pub struct Policies {
    audit: Rules,
    deny: Rules,
    /// `None`: no policy allows anything, so everything is allowed that is not denied. A policy without rules counts.
    allow: Option<Rules>,
    /// Of policies that are only tried out (`istio.io/dry-run`).
    dry_deny: Rules,
    dry_allow: Option<Rules>,
}

/// What was decided, and by what.
#[derive(Clone, Copy, Debug)]
pub struct Judgement<'p> {
    /// What happens.
    pub verdict: Verdict<'p>,
    /// What would happen by the policies that are only tried out.
    pub dry_run: DryRun,
}

/// Whether something is let in, and the rule that says so.
#[derive(Clone, Copy, Debug)]
pub enum Verdict<'p> {
    /// It is. Nothing: there is no policy that allows anything.
    Allowed(Option<&'p Rule>),
    /// It is not. Nothing: no rule allows it.
    Denied(Option<&'p Rule>),
}

/// What would happen by the policies that are only tried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DryRun {
    /// There are none.
    None,
    /// It would be let in.
    Allowed,
    /// It would not.
    Denied,
}

impl Policies {
    /// Of rules, each with the action of its policy and whether that is only tried out. `allows` and `dry_allows`: there is a
    /// policy that allows something, or is tried out for it, be it one without rules.
    pub fn new(
        rules: impl IntoIterator<Item = (Action, bool, Rule)>,
        (allows, dry_allows): (bool, bool),
    ) -> Policies {
        let mut lists: [Vec<Rule>; 5] = Default::default();
        let [audit, deny, allow, dry_deny, dry_allow] = &mut lists;
        for (action, is_dry, rule) in rules {
            match (action, is_dry) {
                // What is only noted is no more noted for being tried out.
                (Action::Audit, _) => audit.push(rule),
                (Action::Deny, false) => deny.push(rule),
                (Action::Deny, true) => dry_deny.push(rule),
                (Action::Allow, false) => allow.push(rule),
                (Action::Allow, true) => dry_allow.push(rule),
            }
        }
        let [audit, deny, allow, dry_deny, dry_allow] = lists;
        Policies {
            audit: Rules::new(audit, Effect::Refuse),
            deny: Rules::new(deny, Effect::Refuse),
            allow: allows.then(|| Rules::new(allow, Effect::Permit)),
            dry_deny: Rules::new(dry_deny, Effect::Refuse),
            dry_allow: dry_allows.then(|| Rules::new(dry_allow, Effect::Permit)),
        }
    }

    /// Decides: whatever a rule denies is denied; what is left must be allowed, if anything is. `matched` is called for the
    /// rule that decides, and for one of each policy that notes it or is tried out and matches.
    pub fn judge<'p>(&'p self, facts: &Facts<'_>, mut matched: impl FnMut(&Rule)) -> Judgement<'p> {
        if !self.audit.is_empty() {
            self.audit.each(facts, &mut matched);
        }
        let dry_run = self.try_out(facts, &mut matched);
        let verdict = match (self.deny.first(facts), &self.allow) {
            (Some(rule), _) => Verdict::Denied(Some(rule)),
            (None, None) => Verdict::Allowed(None),
            (None, Some(allow)) => match allow.first(facts) {
                Some(rule) => Verdict::Allowed(Some(rule)),
                None => Verdict::Denied(None),
            },
        };
        let (Verdict::Allowed(rule) | Verdict::Denied(rule)) = verdict;
        rule.into_iter().for_each(&mut matched);
        Judgement { verdict, dry_run }
    }

    fn try_out(&self, facts: &Facts<'_>, matched: &mut impl FnMut(&Rule)) -> DryRun {
        if self.dry_deny.is_empty() && self.dry_allow.is_none() {
            return DryRun::None;
        }
        let (mut denies, mut allows) = (false, self.dry_allow.is_none());
        self.dry_deny.each(facts, |rule| {
            denies = true;
            matched(rule);
        });
        if let Some(dry_allow) = &self.dry_allow {
            dry_allow.each(facts, |rule| {
                allows = true;
                matched(rule);
            });
        }
        if denies || !allows { DryRun::Denied } else { DryRun::Allowed }
    }

    /// Each group of rules that are enforced, in the order in which they are asked.
    pub fn enforced(&self) -> impl Iterator<Item = (Action, &Rules)> {
        let allow = self.allow.iter().map(|rules| (Action::Allow, rules));
        std::iter::once((Action::Deny, &self.deny)).chain(allow)
    }

    /// Whether there is a policy that allows something, so that the rest is denied.
    pub fn allows_only_some(&self) -> bool {
        self.allow.is_some()
    }
}
