//! Which AuthorizationPolicy decides about a request or a connection, and why.

use super::{
    story::{Closing, Detail, Reply, Step},
    walk::Arrived,
};
use crate::{
    filter::authorization::{Action, DryRun, Facts, Mismatch, Policies, Rule, Rules, Verdict},
    jwt::Claims,
    proxy::{self, AuthorizationRequest, ConnectionInfo},
    table::{Authorization, Settings},
};

/// Rules that are shown to miss, at most.
const MISSES_MAX: usize = 8;

/// What is told of a request, and the answer if it is denied. Nothing: no policy applies.
pub(super) fn request(
    authorization: Option<&Authorization>,
    arrived: &Arrived<'_>,
    claims: Option<&Claims>,
    settings: &Settings,
) -> Option<(Step, Option<Reply>)> {
    let authorization = authorization?;
    let asked = AuthorizationRequest { head: &arrived.request, scheme: arrived.scheme, claims };
    let mut text = Vec::new();
    let (step, denial) = proxy::with_facts(&asked, &arrived.info, settings, &mut text, |facts| {
        tell(authorization, &authorization.http, facts)
    });
    let reply = denial.map(|details| Reply {
        details: details.into(),
        body: "RBAC: access denied".to_owned(),
        ..Reply::new(403, None, "")
    });
    Some((step, reply))
}

/// The same for a connection that is not HTTP.
pub(super) fn connection(
    authorization: Option<&Authorization>,
    info: &ConnectionInfo,
) -> Option<(Step, Option<Closing>)> {
    let authorization = authorization?;
    let (step, denial) = tell(authorization, &authorization.tcp, &proxy::facts_of_connection(info));
    let closing = denial.map(|details| Closing {
        reason: format!("an AuthorizationPolicy denies it; in the access log {details}"),
        flag: None,
    });
    Some((step, closing))
}

/// The step, and what the access log says if it is denied.
fn tell(authorization: &Authorization, policies: &Policies, facts: &Facts<'_>) -> (Step, Option<String>) {
    let judgement = policies.judge(facts, |_| {});
    let told = |text: String, rule: &Rule| {
        let step = Step::new("authorization", text);
        match authorization.source(rule) {
            Some(source) => step.from(source),
            None => step,
        }
    };
    let name = |rule: &Rule| {
        let policy = authorization.policy(rule).map_or("", |policy| &policy.name);
        format!("rule {} of {policy}", rule.number)
    };
    let (step, denial) = match judgement.verdict {
        Verdict::Denied(Some(rule)) => {
            (told(format!("denied by {}", name(rule)), rule), Some(rule.details.to_string()))
        }
        Verdict::Denied(None) => {
            let step =
                Step::new("authorization", "denied: some policy allows something, and no rule allows this");
            (step, Some(proxy::NOT_ALLOWED.to_owned()))
        }
        Verdict::Allowed(Some(rule)) => (told(format!("allowed by {}", name(rule)), rule), None),
        Verdict::Allowed(None) => {
            (Step::new("authorization", "allowed: no rule denies it, and no policy allows only some"), None)
        }
    };
    let step = step.with_all(misses(authorization, policies, facts, judgement.verdict));
    let step = match judgement.dry_run {
        DryRun::None => step,
        DryRun::Allowed => step.with(Detail::new("the policies that are only tried out would allow it")),
        DryRun::Denied => step.with(Detail::new("the policies that are only tried out would deny it")),
    };
    (step.with_all(unknown(policies, facts)), denial)
}

/// Why the rules that were asked in vain do not match. Those of an action that was not asked any more are not told of.
fn misses(
    authorization: &Authorization,
    policies: &Policies,
    facts: &Facts<'_>,
    verdict: Verdict<'_>,
) -> Vec<Detail> {
    let wanted = match verdict {
        Verdict::Denied(Some(_)) => return Vec::new(),
        // That no rule denies it is no news where one should have allowed it.
        Verdict::Denied(None) => Action::Allow,
        Verdict::Allowed(_) => Action::Deny,
    };
    let rules = policies.enforced().filter(|(action, _)| *action == wanted);
    let all: Vec<(&Rules, &Rule)> =
        rules.flat_map(|(_, rules)| rules.iter().map(move |rule| (rules, rule))).collect();
    let miss = |(rules, rule): &(&Rules, &Rule)| {
        let why = rules.mismatch(rule, facts)?;
        let policy = authorization.policy(rule)?;
        let text = format!(
            "{} rule {} of {} does not match: {}",
            policy.action,
            rule.number,
            policy.name,
            words(why)
        );
        let detail = Detail::new(text);
        Some(match authorization.source(rule) {
            Some(source) => detail.from(source),
            None => detail,
        })
    };
    let mut details: Vec<Detail> = all.iter().filter_map(miss).take(MISSES_MAX).collect();
    if let Some(more) = all.len().checked_sub(MISSES_MAX).filter(|more| *more > 0) {
        details.push(Detail::new(format!("nor do {more} more rules")));
    }
    if all.is_empty() && wanted == Action::Allow {
        details.push(Detail::new("the policies that allow have no rule for it at all"));
    }
    details
}

fn words(mismatch: Mismatch<'_>) -> String {
    match mismatch {
        Mismatch::From(condition) => format!("no source fits, the first one not for its `{condition}`"),
        Mismatch::To(condition) => format!("no operation fits, the first one not for its `{condition}`"),
        Mismatch::When(condition) => format!("the condition `{condition}` does not hold"),
    }
}

/// What is asked for and not known here.
fn unknown(policies: &Policies, facts: &Facts<'_>) -> Option<Detail> {
    let rules = || policies.enforced().flat_map(|(_, rules)| rules.iter());
    let asks = facts.identity.is_none() && rules().any(Rule::asks_certificate);
    asks.then(|| {
        Detail::new("asked as a client without a certificate; with one, rules about identities may match")
    })
}
