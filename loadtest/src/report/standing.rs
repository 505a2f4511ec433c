//! Who stands where in a work: the best peer, the ratio to it, what is to be reached.

use super::data::{Comparison, Row, Work};
use super::words;
use crate::figure::{self, Spread};

/// The project that all this is about, as rows call it; its setups have a `+` and more after it.
const GATEWAY: &str = "sluicegate";

impl Row {
    /// The proxy, without its setup.
    pub(super) fn program(&self) -> &str {
        self.proxy.split('+').next().unwrap_or_default()
    }

    /// Whether it is the project's own.
    pub(super) fn is_gateway(&self) -> bool {
        self.program() == GATEWAY
    }

    /// Whether sluicegate is compared with it.
    pub(super) fn is_peer(&self) -> bool {
        self.role == "peer"
    }
}

impl Work {
    /// The row of that name.
    pub(super) fn row(&self, proxy: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.proxy == proxy)
    }

    /// Whether its figures are what clients wait when they ask at a fixed rate.
    pub(super) fn is_latency(&self) -> bool {
        self.load_share.is_some()
    }

    /// The project's row; of several setups, the plain one or else the first.
    pub(super) fn ours(&self) -> Option<&Row> {
        self.row(GATEWAY).or_else(|| self.rows.iter().find(|row| row.is_gateway()))
    }

    /// Whether a row's figure says nothing of its proxy.
    pub(super) fn is_spoilt(&self, row: &Row) -> bool {
        self.is_latency() && row.limited.is_some()
    }

    /// A row's figure for a cell of a table, as `written` writes it, and marked where it says nothing of the proxy.
    pub(super) fn cell(&self, row: &Row, written: impl Fn(f64) -> String) -> String {
        match row.figure() {
            Some((median, _, _)) if self.is_spoilt(row) => format!("({}: limited)", written(median)),
            Some((median, _, _)) => written(median),
            None => "no figure".to_owned(),
        }
    }

    /// The comparisons that have a target.
    pub(super) fn targeted(&self) -> impl Iterator<Item = &Comparison> {
        self.comparisons.iter().filter(|comparison| comparison.at_most.is_some())
    }

    /// The peer with the smallest figure that is good for a comparison.
    pub(super) fn best_peer(&self) -> Option<&Row> {
        let peers = self.rows.iter().filter(|row| row.is_peer() && !self.is_spoilt(row));
        figure::cheapest(peers, |row| Some(row.figure()?.0))
    }

    /// What the others are measured by: the best peer, or where there is none the first row that has a figure.
    pub(super) fn base(&self) -> Option<&Row> {
        self.best_peer().or_else(|| self.rows.iter().find(|row| row.figure().is_some()))
    }

    /// How a row stands to the base; none where one of the two has no figure.
    pub(super) fn ratio(&self, row: &Row) -> Option<f64> {
        ratio(row, self.base()?)
    }

    /// The figures that are to be reached, in the unit of the work, where what they are shares of has been measured.
    pub(super) fn aims(&self) -> Vec<f64> {
        self.comparisons.iter().filter_map(|comparison| self.aim(comparison)).collect()
    }

    fn aim(&self, comparison: &Comparison) -> Option<f64> {
        let at_most = comparison.at_most?;
        Some(match &comparison.other {
            Some(other) if comparison.is_difference => self.row(other)?.figure()?.0 + at_most,
            Some(other) => self.row(other)?.figure()?.0 * at_most,
            None => at_most,
        })
    }
}

impl Comparison {
    /// What is to be reached, in words; none if nothing is.
    pub(super) fn target(&self, unit: &str) -> Option<String> {
        Some(self.told(self.at_most?, unit))
    }

    /// What was reached, in words; none without a figure.
    pub(super) fn result(&self, unit: &str) -> Option<String> {
        Some(self.told(self.value?, unit))
    }

    fn told(&self, amount: f64, unit: &str) -> String {
        match &self.other {
            Some(other) if self.is_difference => format!("{other} + {}", words::with_unit(amount, unit)),
            Some(other) => format!("{amount:.2} of {other}"),
            None => words::with_unit(amount, unit),
        }
    }

    /// One word for what has a target.
    pub(super) fn verdict(&self) -> &'static str {
        match (self.at_most, self.reached) {
            (None, _) => "",
            (Some(_), Some(true)) => "reached",
            (Some(_), Some(false)) => "missed",
            (Some(_), None) => "no figure",
        }
    }
}

/// How one row stands to another: the median of the ratios in each round, where the rounds are known, or else the ratio of the
/// medians.
pub(super) fn ratio(one: &Row, other: &Row) -> Option<f64> {
    let (median, base) = (one.figure()?.0, other.figure()?.0);
    let ratio = |one, other| Some(one / other).filter(|ratio: &f64| ratio.is_finite());
    let by_round = Spread::by_round(one.rounds.iter().copied(), other.rounds.iter().copied(), ratio);
    by_round.map(|spread| spread.median).or_else(|| (base > 0.0).then(|| median / base))
}

#[cfg(test)]
mod tests {
    use super::super::data::samples::{compared, work};
    use super::*;

    #[test]
    fn the_floor_and_another_build_are_no_peers() {
        let work = work(
            "h1",
            &[("floor", 1.0), ("before", 2.0), ("sluicegate", 3.0), ("haproxy", 6.0), ("nginx", 5.0)],
        );
        assert_eq!(work.best_peer().map(|row| row.proxy.as_str()), Some("nginx"));
        assert_eq!(work.ratio(work.ours().unwrap()), Some(0.6));
    }

    #[test]
    fn a_peer_without_a_figure_is_not_the_best() {
        let mut work = work("h1", &[("nginx", 5.0), ("haproxy", 6.0), ("sluicegate", 3.0)]);
        work.rows[0].median = None;
        assert_eq!(work.best_peer().map(|row| row.proxy.as_str()), Some("haproxy"));
        assert_eq!(work.ratio(&work.rows[0]), None);
    }

    #[test]
    fn without_peers_the_first_setup_is_the_measure() {
        let work = work("vhosts-10k", &[("sluicegate", 10.0), ("sluicegate+10k-hosts", 10.5)]);
        assert_eq!(work.best_peer(), None);
        assert_eq!(work.ours().map(|row| row.proxy.as_str()), Some("sluicegate"));
        assert_eq!(work.ratio(&work.rows[1]), Some(1.05));
        assert_eq!(Work::default().base(), None);
    }

    #[test]
    fn aims_are_figures_of_the_work() {
        let mut work = work("idle", &[("haproxy", 20.0), ("sluicegate", 3.0)]);
        work.unit = "KiB/connection".to_owned();
        work.comparisons = vec![
            compared("sluicegate", Some("haproxy"), 0.9),
            compared("sluicegate", None, 2.0),
            compared("sluicegate", Some("gone"), 0.9),
        ];
        work.comparisons
            .push(Comparison { is_difference: true, ..compared("sluicegate", Some("haproxy"), 5.0) });
        assert_eq!(work.aims(), [18.0, 2.0, 25.0]);
        let told: Vec<Option<String>> = work.comparisons.iter().map(|told| told.target(&work.unit)).collect();
        let words = ["0.90 of haproxy", "2.00 KiB", "0.90 of gone", "haproxy + 5.00 KiB"];
        assert_eq!(told, words.map(|words| Some(words.to_owned())));
    }

    #[test]
    fn verdicts_are_words() {
        let with = |reached| Comparison { reached, ..compared("sluicegate", None, 2.0) };
        let told = [Some(true), Some(false), None].map(|reached| with(reached).verdict());
        assert_eq!(told, ["reached", "missed", "no figure"]);
        assert_eq!(Comparison::default().verdict(), "");
    }
}
