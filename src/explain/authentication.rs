//! Whether the tokens of a request are good, and what they say.

use super::story::{Detail, Reply, Step};
use crate::{
    filter::{Authentication, KeySource, Keys},
    http::RequestHead,
    jwt::{Claims, Refusal},
};
use std::{rc::Rc, time::SystemTime};

/// What a request's token says, with the step that tells so; or the step and the answer where one is not good.
pub(super) type Told = Result<(Option<Step>, Option<Rc<Claims>>), Box<(Step, Reply)>>;

/// Verifies the tokens of a request, and makes of the request what the origin gets. Keys that a running gateway fetches are
/// not fetched here: what they should have signed is taken as signed.
pub(super) fn verify(rules: Option<&Authentication>, request: &mut RequestHead) -> Told {
    let Some(rules) = rules else { return Ok((None, None)) };
    let now = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs());
    let refusal = match rules.apply(request, &Keys::new(rules), now) {
        Ok(None) => return Ok((Some(Step::new("token", "there is none: the request has no claims")), None)),
        Ok(Some(verified)) => {
            let name = rules.rules.get(verified.rule).map_or("", |rule| &rule.name);
            let step = Step::new("token", format!("good by {name}")).with_all(who(&verified.claims));
            return Ok((Some(step), Some(Rc::clone(&verified.claims))));
        }
        Err(refusal) => refusal,
    };
    if refusal == Refusal::NotFetched
        && let Some((rule, claims)) = rules.read(request, now)
    {
        let name = rules.rules.get(rule).map_or("", |rule| &rule.name);
        let step = Step::new("token", format!("good by {name}, if its issuer has signed it"));
        let step = step.with_all(keys(rules, rule)).with_all(who(&claims));
        return Ok((Some(step), Some(Rc::new(claims))));
    }
    let names = rules
        .rules
        .iter()
        .map(|rule| Detail::new(format!("the issuer `{}` is known by {}", rule.terms.issuer(), rule.name)));
    let step = Step::new("token", format!("refused: {}", refusal.text())).with_all(names.take(ISSUERS_MAX));
    let reply = Reply::new(refusal.status(), None, refusal.details());
    Err(Box::new((step, Reply { body: refusal.text().to_owned(), ..reply })))
}

/// Issuers that are named at most.
const ISSUERS_MAX: usize = 8;

fn who(claims: &Claims) -> Option<Detail> {
    claims.principal().map(|principal| Detail::new(format!("the request's principal is `{principal}`")))
}

fn keys(rules: &Authentication, rule: usize) -> Option<Detail> {
    let source = rules.sources.get(rules.rules.get(rule)?.keys.0 as usize)?;
    let url = match source {
        KeySource::Local(_) => return None,
        KeySource::Remote { url, .. } => url,
        KeySource::Discovered { issuer, .. } => issuer,
    };
    Some(Detail::new(format!("a running gateway fetches its keys from {url}")))
}
