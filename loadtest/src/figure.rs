//! From samples to figures: what the runs of a row gave, median and spread, and the ratios of two rows by round.

use crate::kinds::{Kind, Work};
use crate::subjects::Subject;

/// Beyond this the load generator or the origin may have been the limit of a closed loop.
const LOAD_CORE_BUSY: f64 = 0.97;
/// Beyond this requests on a schedule wait for the load generator or the origin noticeably often.
const PACED_LOAD_CORE_BUSY: f64 = 0.9;

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
    /// Share of the core of load generator and origin that was in use, by whomever.
    pub(crate) load_core_busy: f64,
    /// The slowest request, if the load generator tells.
    pub(crate) slowest_ms: Option<f64>,
    /// Requests in the whole run.
    pub(crate) requests: f64,
    /// Of requests on a fixed schedule.
    pub(crate) latency: Option<Latency>,
    /// What sluicegate did for it.
    pub(crate) inside: Inside,
}

/// Of requests on a fixed schedule: how long each took from the time at which it was due.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Latency {
    /// Requests per second that the proxy can do, by its CPU time per request in the closed loop.
    pub(crate) capacity: f64,
    /// Requests per second that were due.
    pub(crate) rate_wanted: f64,
    /// Requests per second that were answered.
    pub(crate) rate_achieved: f64,
    /// Quantile and milliseconds, both ascending; the same quantiles in all runs.
    pub(crate) curve: Vec<(f64, f64)>,
}

impl Latency {
    /// The milliseconds at that quantile, if it is one of the curve's.
    pub(crate) fn at(&self, quantile: f64) -> Option<f64> {
        self.curve.iter().find(|(other, _)| (other - quantile).abs() < 1e-9).map(|(_, ms)| *ms)
    }
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
    /// Configurations that it went over to.
    pub(crate) loads: Option<f64>,
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
            ("configurations loaded", self.loads),
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
    /// Requests of runs that only warmed it up.
    pub(crate) unmeasured: f64,
    /// What went wrong; with anything here there is no figure.
    pub(crate) failures: Vec<String>,
}

impl Row {
    /// A row that has yet to be filled.
    pub(crate) fn of(subject: Subject) -> Row {
        Row { subject, samples: Vec::new(), unmeasured: 0.0, failures: Vec::new() }
    }

    /// The figure of each round, in order.
    pub(crate) fn costs(&self) -> impl Iterator<Item = f64> {
        self.samples.iter().map(|sample| sample.cost)
    }

    /// The costs and their spread, if nothing went wrong.
    pub(crate) fn cost(&self) -> Option<Spread> {
        if self.failures.is_empty() { Spread::of(self.costs()) } else { None }
    }

    /// Why its rate, or its latency, says nothing of the proxy, if it does not: the load generator or the origin had no time.
    pub(crate) fn limited(&self, work: &Work) -> Option<String> {
        let is_paced = matches!(work.kind, Kind::OpenLoop(_));
        let most = if is_paced { PACED_LOAD_CORE_BUSY } else { LOAD_CORE_BUSY };
        let busy = self.median_of(|load| Some(load.load_core_busy)).filter(|busy| *busy > most)?;
        let what = if is_paced { "latency" } else { "rate" };
        let busy = 100.0 * busy;
        Some(format!("the core of load generator and origin was {busy:.0} % busy: the {what} is theirs, too"))
    }

    /// The costs and their spread, if they are good for a comparison.
    pub(crate) fn comparable(&self, work: &Work) -> Option<Spread> {
        let spoilt = matches!(work.kind, Kind::OpenLoop(_)) && self.limited(work).is_some();
        self.cost().filter(|_| !spoilt)
    }

    /// What the runs of a load generator gave, in order.
    pub(crate) fn loads(&self) -> impl Iterator<Item = &LoadSample> {
        self.samples.iter().filter_map(|sample| sample.load.as_ref())
    }

    /// The median of a value of the load generator's runs, of those that have it.
    pub(crate) fn median_of(&self, value: impl Fn(&LoadSample) -> Option<f64>) -> Option<f64> {
        Some(Spread::of(self.loads().filter_map(value))?.median)
    }

    /// The slowest request of all rounds in milliseconds, if the load generator tells.
    pub(crate) fn slowest_ms(&self) -> Option<f64> {
        self.loads().filter_map(|load| load.slowest_ms).reduce(f64::max)
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

    /// How two rows stand to each other in each round on its own, where `how` has an answer: the two ran one after the other,
    /// so a slow minute of the machine hits both.
    pub(crate) fn by_round(
        one: impl IntoIterator<Item = f64>,
        other: impl IntoIterator<Item = f64>,
        how: impl Fn(f64, f64) -> Option<f64>,
    ) -> Option<Spread> {
        Spread::of(one.into_iter().zip(other).filter_map(|(one, other)| how(one, other)))
    }
}

/// Values that are fewer have no interval in which their median is known to be: by chance alone the true one is beyond all of
/// five in more than 5 of 100 cases.
const INTERVAL_LEAST: usize = 6;

/// Where the true median is in 95 of 100 cases at least, by the sign test: the values, counted from both ends, beyond which
/// it is so seldom. Whatever way they are distributed, but as if each were by itself. None of fewer than six values.
pub(crate) fn median_interval(values: impl IntoIterator<Item = f64>) -> Option<(f64, f64)> {
    let mut sorted: Vec<f64> = values.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    if sorted.len() < INTERVAL_LEAST {
        return None;
    }
    // How likely it is that exactly so many of them are below the true median: the terms of a binomial distribution.
    let halves = i32::try_from(sorted.len()).ok()?;
    let (mut term, mut below, mut left_out) = (0.5_f64.powi(halves), 0.0, 0);
    for (taken, remaining) in (1..=halves).zip((1..=halves).rev()) {
        below += term;
        if 2.0 * below > 0.05 {
            break;
        }
        left_out += 1;
        term *= f64::from(remaining) / f64::from(taken);
    }
    // So many at each end are too many, so the outermost of these is an end of the interval.
    let at = usize::checked_sub(left_out, 1)?;
    Some((*sorted.get(at)?, *sorted.get(sorted.len() - 1 - at)?))
}

/// The one with the smallest figure, of those that have any; the first of equal ones.
pub(crate) fn cheapest<'a, R>(
    rows: impl Iterator<Item = &'a R>,
    figure: impl Fn(&R) -> Option<f64>,
) -> Option<&'a R> {
    let figures = rows.filter_map(|row| Some((figure(row)?, row)));
    figures.min_by(|(one, _), (other, _)| one.total_cmp(other)).map(|(_, row)| row)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_and_ends() {
        assert_eq!(Spread::of([3.0, 1.0, 2.0]), Some(Spread { median: 2.0, min: 1.0, max: 3.0 }));
        assert_eq!(Spread::of([4.0, 1.0]), Some(Spread { median: 2.5, min: 1.0, max: 4.0 }));
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn the_interval_of_a_median_leaves_out_as_many_as_the_sign_test_allows() {
        let upto = |most: u32| median_interval((1..=most).map(f64::from));
        assert_eq!([upto(0), upto(5)], [None, None]);
        // From the table of the binomial distribution: the k-th value from each end.
        for (most, k) in [(6, 1.0), (7, 1.0), (8, 1.0), (9, 2.0), (11, 2.0), (12, 3.0), (15, 4.0), (20, 6.0)]
        {
            assert_eq!(upto(most), Some((k, f64::from(most) + 1.0 - k)), "{most}");
        }
        assert_eq!(median_interval([3.0, 9.0, 1.0, 2.0, 5.0, 4.0]), Some((1.0, 9.0)), "in any order");
        assert!(upto(1000).is_some_and(|(low, high)| low > 460.0 && high < 541.0));
    }
}
