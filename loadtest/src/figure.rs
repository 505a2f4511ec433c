//! From samples to figures: median and spread, and the comparison of one row with another.

use crate::proxies::{Proxy, Subject};
use crate::works::{Target, Work};

/// What one run gave.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sample {
    /// The figure, in the unit of the work.
    pub(crate) cost: f64,
    /// More on it, if the run was one of a load generator.
    pub(crate) load: Option<LoadSample>,
}

/// What a run of a load generator gives besides the cost.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LoadSample {
    /// Of the CPU time, the share not spent in the kernel.
    pub(crate) user_share: f64,
    /// Requests per second.
    pub(crate) rate: f64,
    /// Share of its core that the proxy used.
    pub(crate) busy: f64,
    /// As the load generator saw it, if it tells.
    pub(crate) p99_ms: Option<f64>,
    /// Requests in the whole run.
    pub(crate) requests: f64,
    /// What sluicegate did for it.
    pub(crate) inside: Inside,
}

/// What can be told of a run that the load generator does not see; none where the proxy has or tells nothing of it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Inside {
    /// Connections of clients that it accepted.
    pub(crate) admitted: Option<f64>,
    /// Connections that it opened to the origin.
    pub(crate) opened: Option<f64>,
    /// Requests that it had to send again.
    pub(crate) retried: Option<f64>,
    /// Times that its clients' connections with HTTP/2 sent what had gathered, per request.
    pub(crate) flushes: Option<f64>,
    /// Entries that it submitted to its rings, per request.
    pub(crate) submissions: Option<f64>,
    /// Entries that its rings completed, per request.
    pub(crate) completions: Option<f64>,
}

impl Inside {
    /// What is known, with its name.
    pub(crate) fn known(&self) -> Vec<(&'static str, f64)> {
        let all = [
            ("connections admitted", self.admitted),
            ("connections opened to the origin", self.opened),
            ("requests sent again", self.retried),
            ("HTTP/2 sends per request", self.flushes),
            ("ring submissions per request", self.submissions),
            ("ring completions per request", self.completions),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

/// All runs of one subject in one work.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// Who.
    pub(crate) subject: Subject,
    /// One for each round, in order.
    pub(crate) samples: Vec<Sample>,
    /// What went wrong; with anything here there is no figure.
    pub(crate) failures: Vec<String>,
}

impl Row {
    /// A row that has yet to be filled.
    pub(crate) fn of(subject: Subject) -> Row {
        Row { subject, samples: Vec::new(), failures: Vec::new() }
    }

    /// The costs and their spread, if nothing went wrong.
    pub(crate) fn cost(&self) -> Option<Spread> {
        if self.failures.is_empty() {
            Spread::of(self.samples.iter().map(|sample| sample.cost))
        } else {
            None
        }
    }

    /// The median of a value of the load generator's runs, of those that have it.
    pub(crate) fn median_of(&self, value: impl Fn(&LoadSample) -> Option<f64>) -> Option<f64> {
        let loads = self.samples.iter().filter_map(|sample| sample.load.as_ref());
        Some(Spread::of(loads.filter_map(value))?.median)
    }
}

/// The median of some values, and the two ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spread {
    /// The one in the middle, or the mean of the two.
    pub(crate) median: f64,
    /// The smallest.
    pub(crate) min: f64,
    /// The largest.
    pub(crate) max: f64,
}

impl Spread {
    /// None of no values.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Spread> {
        let mut sorted: Vec<f64> = values.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let (low, high) = (sorted.get((sorted.len() - 1) / 2)?, sorted.get(sorted.len() / 2)?);
        Some(Spread { median: f64::midpoint(*low, *high), min, max })
    }
}

/// How sluicegate stands to something.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Comparison {
    /// What is compared, as the table says it.
    pub(crate) what: String,
    /// The ratio of medians, or the figure itself where the target is one.
    pub(crate) value: Option<f64>,
    /// The ratio in each round on its own, from the smallest to the largest.
    pub(crate) rounds: Option<Spread>,
    /// What is to be reached.
    pub(crate) at_most: Option<f64>,
}

impl Comparison {
    /// Whether it is reached; none without a target or without a figure.
    pub(crate) fn is_reached(&self) -> Option<bool> {
        // What the table prints as 1.00 counts as 1.00: the third digit is noise.
        Some((self.value? * 100.0).round() / 100.0 <= self.at_most?)
    }
}

/// All comparisons of a work: the best peer's always, others where there is a target or a build to compare with.
pub(crate) fn compare(work: &Work, rows: &[Row]) -> Vec<Comparison> {
    let ours = rows.iter().find(|row| row.subject.proxy == Proxy::Sluicegate);
    let Some(ours) = ours else {
        return Vec::new();
    };
    let mut comparisons: Vec<Comparison> =
        work.targets.iter().flat_map(|target| against(*target, ours, rows)).collect();
    // Where the target is another peer, how it stands to the best one is of interest too, unless they are the same.
    let best = best_peer(rows).map(|best| ratio(ours, best, None));
    comparisons.extend(best.filter(|best| comparisons.iter().all(|told| told.what != best.what)));
    let relative = |target: &Target| matches!(target, Target::OfFirstSetup(_));
    let others =
        rows.iter().filter(|row| row.subject.proxy == Proxy::Sluicegate && row.subject != ours.subject);
    for other in others.filter(|_| !work.targets.iter().any(relative)) {
        comparisons.push(ratio(other, ours, None));
    }
    let before = rows.iter().find(|row| row.subject.proxy == Proxy::Before);
    comparisons.extend(before.map(|before| ratio(ours, before, None)));
    comparisons
}

fn against(target: Target, ours: &Row, rows: &[Row]) -> Vec<Comparison> {
    let absent = |whom: &str, limit: f64| Comparison {
        what: format!("{} / {whom}", ours.subject.label()),
        value: None,
        rounds: None,
        at_most: Some(limit),
    };
    match target {
        Target::OfBest(limit) => match best_peer(rows) {
            Some(best) => vec![ratio(ours, best, Some(limit))],
            None => vec![absent("best peer", limit)],
        },
        Target::Of(peer, limit) => match rows.iter().find(|row| row.subject.proxy == peer) {
            Some(peer) => vec![ratio(ours, peer, Some(limit))],
            None => vec![absent(peer.name(), limit)],
        },
        Target::OfFirstSetup(limit) => {
            let others = rows.iter().filter(|row| row.subject != ours.subject);
            others.map(|other| ratio(other, ours, Some(limit))).collect()
        }
        Target::AtMost(limit) => {
            let value = ours.cost().map(|cost| cost.median);
            vec![Comparison { what: ours.subject.label(), value, rounds: None, at_most: Some(limit) }]
        }
    }
}

fn best_peer(rows: &[Row]) -> Option<&Row> {
    let peers = rows.iter().filter(|row| row.subject.proxy.is_peer());
    let figures = peers.filter_map(|row| Some((row.cost()?.median, row)));
    figures.min_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, row)| row)
}

fn ratio(one: &Row, other: &Row, at_most: Option<f64>) -> Comparison {
    let what = format!("{} / {}", one.subject.label(), other.subject.label());
    let costs = one.cost().zip(other.cost());
    let pairs = one.samples.iter().zip(&other.samples).map(|(one, other)| one.cost / other.cost);
    let rounds = costs.and_then(|_| Spread::of(pairs));
    Comparison { what, value: costs.map(|(one, other)| one.median / other.median), rounds, at_most }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxies::Setup;
    use crate::works;

    fn row(proxy: Proxy, costs: &[f64]) -> Row {
        let samples = costs.iter().map(|cost| Sample { cost: *cost, load: None }).collect();
        Row { subject: Subject::plain(proxy), samples, failures: Vec::new() }
    }

    #[test]
    fn median_and_ends() {
        assert_eq!(Spread::of([3.0, 1.0, 2.0]), Some(Spread { median: 2.0, min: 1.0, max: 3.0 }));
        assert_eq!(Spread::of([4.0, 1.0]), Some(Spread { median: 2.5, min: 1.0, max: 4.0 }));
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn the_best_peer_is_the_cheapest_without_a_failure() {
        let mut failed = row(Proxy::Nginx, &[1.0]);
        failed.failures.push("Socket errors".to_owned());
        let rows = [failed, row(Proxy::Haproxy, &[10.0, 12.0, 11.0]), row(Proxy::Envoy, &[20.0; 3])];
        let ours = row(Proxy::Sluicegate, &[11.0, 11.0, 11.0]);
        let rows: Vec<Row> = rows.into_iter().chain([ours]).collect();
        let found = compare(works::find("h1").unwrap(), &rows);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].what, "sluicegate / haproxy");
        assert_eq!((found[0].value, found[0].is_reached()), (Some(1.0), Some(true)));
        assert_eq!(found[0].rounds.unwrap().max, 1.1);
    }

    #[test]
    fn a_named_peer_is_compared_beside_the_best() {
        let mut rows =
            [row(Proxy::Haproxy, &[20.0]), row(Proxy::Envoy, &[10.0]), row(Proxy::Sluicegate, &[21.0])];
        let found = compare(works::find("h1-16k").unwrap(), &rows);
        let told: Vec<(&str, Option<bool>)> =
            found.iter().map(|c| (c.what.as_str(), c.is_reached())).collect();
        assert_eq!(told, [("sluicegate / haproxy", Some(false)), ("sluicegate / envoy", None)]);
        rows[1] = row(Proxy::Envoy, &[30.0]);
        assert_eq!(compare(works::find("h1-16k").unwrap(), &rows).len(), 1);
    }

    #[test]
    fn a_failure_or_an_absent_peer_gives_no_verdict() {
        let mut ours = row(Proxy::Sluicegate, &[1.0]);
        let found = compare(works::find("h1-1m").unwrap(), std::slice::from_ref(&ours));
        assert_eq!((found[0].what.as_str(), found[0].is_reached()), ("sluicegate / envoy", None));
        ours.failures.push("failed".to_owned());
        let found = compare(works::find("idle").unwrap(), &[ours]);
        assert_eq!((found[0].value, found[0].is_reached()), (None, None));
    }

    #[test]
    fn setups_are_compared_with_the_first() {
        let many = Subject { proxy: Proxy::Sluicegate, setup: Setup::ManyHosts };
        let rows =
            [row(Proxy::Sluicegate, &[10.0]), Row { subject: many, ..row(Proxy::Sluicegate, &[10.3]) }];
        let found = compare(works::find("vhosts-10k").unwrap(), &rows);
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].what.as_str(), found[0].is_reached()),
            ("sluicegate+10k-hosts / sluicegate", Some(false))
        );
    }

    #[test]
    fn another_build_is_compared_with() {
        let rows = [row(Proxy::Before, &[12.0]), row(Proxy::Sluicegate, &[6.0])];
        let found = compare(works::find("h1").unwrap(), &rows);
        assert_eq!(
            found.last().map(|c| (c.what.as_str(), c.value)),
            Some(("sluicegate / before", Some(0.5)))
        );
    }
}
