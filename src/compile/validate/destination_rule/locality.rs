//! Which places are preferred: `region/zone/subzone`.

use super::super::{
    place::{Place, conflicting, text},
    wording::shown,
};
use crate::config::{
    Diagnostic, Span, Spanned,
    resources::{LocalityDistribute, LocalityFailover, LocalityLbSetting},
};
use std::collections::HashMap;

/// Labels that say where an endpoint is: `failover` has an opinion on these already.
const PLACE_LABELS: &[&str] =
    &["topology.kubernetes.io/region", "topology.kubernetes.io/zone", "topology.istio.io/subzone"];

/// Region, zone, subzone.
const PARTS_MAX: usize = 3;

/// `has_outlier`: whether endpoints are left out when they fail, without which nobody ever goes elsewhere.
pub(in super::super) fn check_locality(setting: &LocalityLbSetting, has_outlier: bool, at: &Place<'_>) {
    if let (Some(one), Some(other)) = (setting.distribute.first(), setting.failover.first()) {
        let problem = conflicting("distribute", "failover").label(one.span, "the other one");
        at.absent("failover").pointing_at(other.span).report(problem.help("remove one of the two"));
    }
    let mut from = Places::default();
    for (at, distribute) in at.items("distribute", &setting.distribute) {
        if let Some(place) =
            at.require_text("from", &distribute.from, "write `region/zone/*`, or `*` for everywhere")
        {
            from.add(place, &at.field("from", place));
        }
        check_shares(distribute, &at);
    }
    check_failover(&setting.failover, &setting.failover_priority, has_outlier, at);
}

/// Where to go instead: regions, or the labels that make an endpoint near.
pub(super) fn check_failover(
    failover: &[Spanned<LocalityFailover>],
    priority: &[Spanned<String>],
    has_outlier: bool,
    at: &Place<'_>,
) {
    for (at, entry) in at.items("failover", failover) {
        check_regions(entry, &at);
    }
    if let Some(first) = failover.first() {
        for (at, label) in at.items("failoverPriority", priority) {
            let key = label.split_once('=').map_or(label.as_str(), |(key, _)| key);
            if PLACE_LABELS.contains(&key) {
                let problem =
                    Diagnostic::error("conflicting-fields", format!("`{key}` can't go with `failover`"));
                let problem = problem.label(first.span, "this says it already");
                at.report(problem.help("remove one of the two"));
            }
        }
    }
    let lists = [
        ("failover", failover.first().map(|f| f.span)),
        ("failoverPriority", priority.first().map(|p| p.span)),
    ];
    for (name, span) in lists.into_iter().filter_map(|(name, span)| Some((name, span?))) {
        if !has_outlier {
            let message = format!(
                "`{name}` has no effect: without `outlierDetection` no endpoint ever counts as failed"
            );
            let problem = Diagnostic::warning("no-effect", message);
            at.absent(name)
                .pointing_at(span)
                .report(problem.help("write `outlierDetection: {}` beside `loadBalancer`"));
        }
    }
}

fn check_shares(distribute: &LocalityDistribute, at: &Place<'_>) {
    let mut to = Places::default();
    let mut sum: u64 = 0;
    for (at, place, share) in at.entries("to", &distribute.to) {
        if !(1..=100).contains(&**share) {
            let problem =
                Diagnostic::error("bad-percentage", format!("the share {} is not from 1 to 100", **share));
            at.report(problem.help("leave out what gets nothing"));
        }
        sum += u64::from(**share);
        to.add(place, &at.pointing_at(place.span));
    }
    if sum != 100 {
        let problem = Diagnostic::error("bad-percentage", format!("the shares sum to {sum}, not to 100"));
        at.absent("to").report(problem.help("shares are in percent"));
    }
}

fn check_regions(entry: &LocalityFailover, at: &Place<'_>) {
    let regions = [("from", &entry.from), ("to", &entry.to)];
    for (name, region) in regions {
        let Some(region) = at.require_text(name, region, "name a region") else { continue };
        if region.contains('/') || region.contains('*') {
            let problem = Diagnostic::error("bad-locality", format!("`{}` is not a region", shown(region)));
            at.field(name, region)
                .report(problem.help("expected a region alone, without zone and without `*`"));
        }
    }
    if let (Some(from), Some(to)) = (text(&entry.from), text(&entry.to))
        && from == to
    {
        let problem = Diagnostic::error("bad-locality", format!("`{}` can't stand in for itself", shown(to)));
        at.field("to", to).report(problem.label(from.span, "the same region").help("name another region"));
    }
}

/// Places that must not overlap.
#[derive(Default)]
struct Places {
    everywhere: Option<Span>,
    /// Each place, without a `*` at its end.
    places: HashMap<String, Span>,
    /// What each place is in.
    around: HashMap<String, Span>,
}

impl Places {
    /// Adds a place; reports it if it is not one or overlaps with an earlier one. `*` may come last, for the rest.
    fn add(&mut self, place: &Spanned<String>, at: &Place<'_>) {
        let shown = shown(place);
        let parts: Vec<&str> = match place.strip_suffix("/*") {
            Some(rest) => rest.split('/').collect(),
            None if **place == "*" => Vec::new(),
            None => place.split('/').collect(),
        };
        if parts.len() > PARTS_MAX || parts.iter().any(|part| part.is_empty() || part.contains('*')) {
            let problem = Diagnostic::error("bad-locality", format!("`{shown}` is not a place"));
            return at.report(problem.help("expected `region/zone/subzone`, of which the end may be `*`"));
        }
        let prefixes: Vec<String> =
            (1..=parts.len()).map(|n| parts.iter().take(n).copied().collect::<Vec<_>>().join("/")).collect();
        let Some((name, around)) = prefixes.split_last() else {
            if let Some(first) = self.everywhere.replace(place.span) {
                report_overlap(&shown.to_string(), first, at);
            }
            return;
        };
        let wider = prefixes.iter().find_map(|prefix| self.places.get(prefix)).or(self.everywhere.as_ref());
        if let Some(first) = wider.or(self.around.get(name)) {
            report_overlap(&shown.to_string(), *first, at);
        }
        self.places.insert(name.clone(), place.span);
        self.around.extend(around.iter().map(|prefix| (prefix.clone(), place.span)));
    }
}

fn report_overlap(place: &str, first: Span, at: &Place<'_>) {
    let problem = Diagnostic::error("bad-locality", format!("`{place}` overlaps with an earlier place"));
    at.report(problem.label(first, "the earlier one").help("each place belongs to one entry"));
}
