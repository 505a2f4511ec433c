//! Until when certificates hold.

use super::rows;
use crate::{
    control::{Condition, Gateway, View},
    tls::CertificateFacts,
};
use serde_json::{Value, json};

/// Rows of the list: those that end first are those that somebody has to do something about.
const ROWS_MAX: usize = 100;
/// Names of one certificate that are told.
const NAMES_MAX: usize = 5;

/// The part `certificates`: a row for each certificate of each server and upstream, and one for each that has none.
pub(super) fn all(gateway: &Gateway) -> Value {
    let credentials = gateway.credentials.borrow();
    let mut found: Vec<(i64, View<'_>, Option<&CertificateFacts>)> = Vec::new();
    for view in credentials.views() {
        let shown = view.certificates.iter().map(|facts| (facts.not_after, view.clone(), Some(facts)));
        found.extend(shown);
        // An upstream to which nothing is shown is only of interest if something is wrong with it.
        if view.certificates.is_empty() && view.condition != Condition::Good {
            found.push((i64::MIN, view, None));
        }
    }
    found.sort_by(|(a_ends, a, _), (b_ends, b, _)| (a_ends, a.name).cmp(&(b_ends, b.name)));
    let total = found.len();
    let shown = found.iter().take(ROWS_MAX).map(|(_, view, facts)| row(view, *facts));
    let mut list = rows(total, total, shown.collect());
    list["failures"] = json!(credentials.failures());
    list
}

fn row(view: &View<'_>, facts: Option<&CertificateFacts>) -> Value {
    json!({
        "name": view.name,
        "state": match view.condition {
            Condition::Good => "good",
            Condition::Kept => "kept",
            Condition::Failed => "failed",
        },
        "problems": view.problems.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "subject": facts.map(|facts| &facts.subject),
        "names": facts.map_or(&[][..], |facts| facts.dns_names.get(..NAMES_MAX).unwrap_or(&facts.dns_names)),
        "not_after_ms": facts.map(|facts| facts.not_after.saturating_mul(1000)),
    })
}
