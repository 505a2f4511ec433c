//! How rows stand to each other, and whether a target is reached.

use crate::figure::{self, Row, Spread, median_interval};
use crate::kinds::{Target, Work};
use crate::subjects::{Proxy, Role};

/// How one row stands to another, or to a figure.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Comparison {
    /// Whose figure, by its label.
    pub(crate) one: String,
    /// Whom it is compared with, by its label; none where the target is a figure.
    pub(crate) other: Option<String>,
    /// Whether the value is a difference, not a ratio.
    pub(crate) is_difference: bool,
    /// The median of the ratios, or differences, in each round, or the figure itself where the target is one.
    pub(crate) value: Option<f64>,
    /// The same in each round on its own, from the smallest to the largest.
    pub(crate) rounds: Option<Spread>,
    /// Where the median of the rounds would be in 95 of 100 cases, if there are enough of them to tell.
    pub(crate) interval: Option<(f64, f64)>,
    /// What is to be reached.
    pub(crate) at_most: Option<f64>,
    /// Peers that took part and might have been the best, but have no figure that is good for a comparison.
    pub(crate) without: Vec<String>,
}

impl Comparison {
    /// As the table says it.
    pub(crate) fn what(&self) -> String {
        match &self.other {
            Some(other) if self.is_difference => format!("{} - {other}", self.one),
            Some(other) => format!("{} / {other}", self.one),
            None => self.one.clone(),
        }
    }

    /// Whether it is reached; none without a target or without a figure.
    pub(crate) fn is_reached(&self) -> Option<bool> {
        // What the table prints as 1.00 counts as 1.00: the third digit is noise.
        Some((self.value? * 100.0).round() / 100.0 <= self.at_most?)
    }

    fn is_of(&self, other: &Comparison) -> bool {
        self.one == other.one && self.other == other.other && self.is_difference == other.is_difference
    }
}

/// All comparisons of a work: the best peer's always, others where there is a target or a build to compare with.
pub(crate) fn compare(work: &Work, rows: &[Row]) -> Vec<Comparison> {
    let ours = rows.iter().find(|row| row.subject.proxy == Proxy::Sluicegate);
    let Some(ours) = ours else {
        return Vec::new();
    };
    let mut comparisons: Vec<Comparison> =
        work.targets.iter().flat_map(|target| against(*target, work, ours, rows)).collect();
    // Where the target is another one, how it stands to the best peer is of interest too.
    let best = best_peer(work, rows).map(|best| ratio(work, ours, best, None));
    comparisons.extend(best.filter(|best| comparisons.iter().all(|told| !told.is_of(best))));
    let others =
        rows.iter().filter(|row| row.subject.proxy == Proxy::Sluicegate && row.subject != ours.subject);
    for other in others.filter(|_| !work.targets.iter().any(Target::is_of_first_setup)) {
        comparisons.push(ratio(work, other, ours, None));
    }
    let before = rows.iter().find(|row| row.subject.proxy == Proxy::Before);
    comparisons.extend(before.map(|before| ratio(work, ours, before, None)));
    comparisons
}

fn against(target: Target, work: &Work, ours: &Row, rows: &[Row]) -> Vec<Comparison> {
    let of = |other: Option<&Row>, whom: &str, limit: f64| match other {
        Some(other) => ratio(work, ours, other, Some(limit)),
        None => Comparison {
            one: ours.subject.label(),
            other: Some(whom.to_owned()),
            at_most: Some(limit),
            ..Comparison::default()
        },
    };
    let others = rows.iter().filter(|row| row.subject != ours.subject);
    match target {
        Target::OfBest(limit) => {
            let best = of(best_peer(work, rows), "best peer", limit);
            vec![Comparison { without: spoilt_peers(work, rows), ..best }]
        }
        Target::OfFloor(limit) => {
            let floor = rows.iter().find(|row| row.subject.proxy.role() == Role::Floor);
            vec![of(floor, "floor", limit)]
        }
        Target::OfFirstSetup(limit) => others.map(|other| ratio(work, other, ours, Some(limit))).collect(),
        Target::GrowthOfFirstSetup(limit) => others.map(|other| growth(work, other, ours, limit)).collect(),
        Target::AtMost(limit) => {
            let value = ours.comparable(work).map(|cost| cost.median);
            let one = ours.subject.label();
            vec![Comparison { one, value, at_most: Some(limit), ..Comparison::default() }]
        }
    }
}

fn best_peer<'a>(work: &Work, rows: &'a [Row]) -> Option<&'a Row> {
    let peers = rows.iter().filter(|row| row.subject.proxy.is_peer());
    figure::cheapest(peers, |row| Some(row.comparable(work)?.median))
}

fn spoilt_peers(work: &Work, rows: &[Row]) -> Vec<String> {
    let spoilt = rows.iter().filter(|row| row.subject.proxy.is_peer() && row.comparable(work).is_none());
    spoilt.map(|row| row.subject.label()).collect()
}

fn ratio(work: &Work, one: &Row, other: &Row, at_most: Option<f64>) -> Comparison {
    by(work, one, other, |one, other| one / other, at_most, false)
}

fn growth(work: &Work, one: &Row, other: &Row, limit: f64) -> Comparison {
    by(work, one, other, |one, other| one - other, Some(limit), true)
}

fn by(
    work: &Work,
    one: &Row,
    other: &Row,
    how: fn(f64, f64) -> f64,
    at_most: Option<f64>,
    is_difference: bool,
) -> Comparison {
    let are_comparable = one.comparable(work).is_some() && other.comparable(work).is_some();
    let by_round =
        one.costs().zip(other.costs()).filter(|_| are_comparable).map(|(one, other)| how(one, other));
    let by_round: Vec<f64> = by_round.collect();
    let rounds = Spread::of(by_round.iter().copied());
    let interval = median_interval(by_round);
    Comparison {
        one: one.subject.label(),
        other: Some(other.subject.label()),
        is_difference,
        value: rounds.map(|rounds| rounds.median),
        rounds,
        interval,
        at_most,
        ..Comparison::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::{Inside, LoadSample, Sample};
    use crate::subjects::{Setup, Subject};
    use crate::works;

    fn row(proxy: Proxy, costs: &[f64]) -> Row {
        let samples = costs.iter().map(|cost| Sample { cost: *cost, load: None }).collect();
        Row { subject: Subject::plain(proxy), samples, unmeasured: 0.0, failures: Vec::new() }
    }

    fn told(found: &[Comparison]) -> Vec<(String, Option<bool>)> {
        found.iter().map(|found| (found.what(), found.is_reached())).collect()
    }

    #[test]
    fn the_best_peer_is_the_cheapest_without_a_failure() {
        let mut failed = row(Proxy::Nginx, &[1.0]);
        failed.failures.push("Socket errors".to_owned());
        let rows = [failed, row(Proxy::Haproxy, &[10.0, 12.0, 11.0]), row(Proxy::Envoy, &[20.0; 3])];
        let ours = row(Proxy::Sluicegate, &[9.9, 9.9, 9.9]);
        let rows: Vec<Row> = rows.into_iter().chain([ours]).collect();
        let found = compare(works::find("tls").unwrap(), &rows);
        assert_eq!(told(&found), [("sluicegate / haproxy".to_owned(), Some(true))]);
        assert_eq!((found[0].value, found[0].rounds.unwrap().max), (Some(0.9), 0.99));
    }

    #[test]
    fn the_floor_is_no_peer_but_may_be_a_target() {
        let mut rows =
            vec![row(Proxy::Floor, &[10.0]), row(Proxy::Nginx, &[12.0]), row(Proxy::Sluicegate, &[11.0])];
        let work = works::find("h1").unwrap();
        let expected =
            [("sluicegate / floor".to_owned(), Some(false)), ("sluicegate / nginx".to_owned(), Some(true))];
        assert_eq!(told(&compare(work, &rows)), expected);
        rows.remove(0);
        assert_eq!(told(&compare(work, &rows))[0], ("sluicegate / floor".to_owned(), None));
    }

    #[test]
    fn a_failure_or_an_absent_peer_gives_no_verdict() {
        let mut ours = row(Proxy::Sluicegate, &[1.0]);
        let found = compare(works::find("h1-1m").unwrap(), std::slice::from_ref(&ours));
        assert_eq!(told(&found), [("sluicegate / best peer".to_owned(), None)]);
        ours.failures.push("failed".to_owned());
        let found = compare(works::find("idle").unwrap(), &[ours]);
        assert_eq!((found[0].value, found[0].is_reached()), (None, None));
    }

    #[test]
    fn setups_are_compared_with_the_first() {
        let many = Subject { proxy: Proxy::Sluicegate, setup: Setup::ManyHosts };
        let rows =
            [row(Proxy::Sluicegate, &[10.0]), Row { subject: many, ..row(Proxy::Sluicegate, &[110.3]) }];
        let found = compare(works::find("vhosts").unwrap(), &rows);
        assert_eq!(told(&found), [("sluicegate+10k-hosts / sluicegate".to_owned(), Some(false))]);
        let found = compare(works::find("rss-10k").unwrap(), &rows);
        assert_eq!(told(&found), [("sluicegate+10k-hosts - sluicegate".to_owned(), Some(false))]);
        assert!((found[0].value.unwrap() - 100.3).abs() < 1e-9);
    }

    #[test]
    fn another_build_is_compared_with() {
        let rows = [row(Proxy::Before, &[12.0]), row(Proxy::Sluicegate, &[6.0])];
        let found = compare(works::find("h1-1m").unwrap(), &rows);
        let last = found.last().unwrap();
        assert_eq!((last.what().as_str(), last.value), ("sluicegate / before", Some(0.5)));
    }

    #[test]
    fn a_latency_that_is_the_load_generators_gives_no_verdict() {
        let busy = |proxy, load_core_busy| {
            let mut row = row(proxy, &[1.0]);
            row.samples[0].load = Some(LoadSample {
                user_share: 0.2,
                rate: 1.0,
                busy: 0.7,
                p99_ms: None,
                load_core_busy,
                slowest_ms: None,
                requests: 1.0,
                latency: None,
                inside: Inside::default(),
            });
            row
        };
        let rows = [busy(Proxy::Nginx, 0.95), busy(Proxy::Haproxy, 0.9), busy(Proxy::Sluicegate, 0.8)];
        let found = told(&compare(works::find("h1@70").unwrap(), &rows));
        assert_eq!(found, [("sluicegate / haproxy".to_owned(), Some(true))]);
        let rows = [busy(Proxy::Nginx, 0.8), busy(Proxy::Sluicegate, 0.95)];
        let found = told(&compare(works::find("h1@70").unwrap(), &rows));
        assert_eq!(found, [("sluicegate / nginx".to_owned(), None)]);
        let found = told(&compare(works::find("tls").unwrap(), &rows));
        assert_eq!(found, [("sluicegate / nginx".to_owned(), Some(false))], "CPU time is the proxy's own");
    }
}
