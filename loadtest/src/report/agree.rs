//! Whether two runs agree: the ratios of sluicegate to the best peer, work by work, side by side.

use std::fmt::Write;

use super::data::{Report, Work};
use super::standing::ratio;

/// What is found when two reports are laid side by side.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Agreement {
    /// A line for each ratio that both have.
    pub(super) pairs: Vec<Pair>,
    /// What could not be compared though it should have been: each counts as a difference.
    pub(super) broken: Vec<String>,
    /// What is not compared, and why; it does not count.
    pub(super) skipped: Vec<String>,
}

/// The same ratio in two runs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pair {
    /// Of which work.
    pub(super) work: String,
    /// `sluicegate / nginx`
    pub(super) what: String,
    /// In the first run.
    pub(super) first: f64,
    /// In the second.
    pub(super) second: f64,
    /// Whether a difference counts: latency at a fixed rate is told, and no more.
    pub(super) counts: bool,
    /// What a reader should know of it.
    pub(super) remark: String,
}

impl Pair {
    /// How far the two are apart, as a share of the smaller one.
    pub(super) fn difference(&self) -> f64 {
        self.first.max(self.second) / self.first.min(self.second) - 1.0
    }

    fn is_within(&self, share: f64) -> bool {
        // A ratio on the line agrees, whichever way its last bit was rounded.
        self.difference() <= share + 1e-9
    }
}

impl Agreement {
    /// Lays two reports side by side.
    pub(super) fn of(first: &Report, second: &Report) -> Agreement {
        let mut agreement = Agreement::default();
        for work in &first.works {
            match second.work(&work.name) {
                Some(other) => agreement.add(work, other),
                None => agreement.skipped.push(format!("{}: only the first run has it", work.name)),
            }
        }
        for work in second.works.iter().filter(|work| first.work(&work.name).is_none()) {
            agreement.skipped.push(format!("{}: only the second run has it", work.name));
        }
        agreement
    }

    /// Whether all that counts is there, and no further apart than this share. Where nothing counts nothing agrees.
    pub(super) fn holds(&self, within: f64) -> bool {
        let mut counted = self.pairs.iter().filter(|pair| pair.counts).peekable();
        counted.peek().is_some() && counted.all(|pair| pair.is_within(within)) && self.broken.is_empty()
    }

    fn add(&mut self, first: &Work, second: &Work) {
        if first.ours().is_none() && second.ours().is_none() {
            self.skipped.push(format!("{}: without sluicegate there is no ratio", first.name));
            return;
        }
        match (first.best_peer(), second.best_peer()) {
            (Some(best), other) => {
                let other = other.map(|row| row.proxy.as_str()).filter(|other| *other != best.proxy);
                let remark =
                    other.map(|other| format!("the second run's best peer is {other}")).unwrap_or_default();
                self.pair(first, second, ("sluicegate", &best.proxy), &remark);
            }
            (None, Some(best)) => self.broken.push(format!(
                "{}: the first run has no figure of any peer, the second's best is {}",
                first.name, best.proxy
            )),
            (None, None) => self.setups(first, second),
        }
    }

    /// Of the project's setups, each to the first.
    fn setups(&mut self, first: &Work, second: &Work) {
        let mut names = first.rows.iter().filter(|row| row.is_gateway()).map(|row| row.proxy.as_str());
        let base = names.next().unwrap_or_default();
        let mut others = names.peekable();
        if others.peek().is_none() {
            self.skipped.push(format!("{}: one row alone has no ratio", first.name));
        }
        for other in others {
            self.pair(first, second, (other, base), "");
        }
    }

    fn pair(&mut self, first: &Work, second: &Work, (one, other): (&str, &str), remark: &str) {
        let what = format!("{one} / {other}");
        let in_run = |work: &Work| ratio(work.row(one)?, work.row(other)?);
        let counts = !first.is_latency();
        match (in_run(first), in_run(second)) {
            (Some(a), Some(b)) if a > 0.0 && b > 0.0 => {
                let remark = remark.to_owned();
                self.pairs.push(Pair { work: first.name.clone(), what, first: a, second: b, counts, remark });
            }
            (a, _) => {
                let which = if a.is_none() { "first" } else { "second" };
                let sentence = format!("{}: {what} has no figure in the {which} run", first.name);
                if counts { self.broken.push(sentence) } else { self.skipped.push(sentence) }
            }
        }
    }

    /// The table, and a last line that says it all.
    pub(super) fn table(&self, within: f64) -> String {
        let width = self.pairs.iter().map(|pair| pair.what.len()).max().unwrap_or(0).max("ratio".len());
        let name = self.pairs.iter().map(|pair| pair.work.len()).max().unwrap_or(0).max("work".len());
        let mut text = format!("{:name$}  {:width$}   first  second  difference\n", "work", "ratio");
        for pair in &self.pairs {
            let word = match (pair.is_within(within), pair.counts) {
                (true, true) => "",
                (false, true) => "  DIFFERS",
                (_, false) => "  (latency: does not count)",
            };
            let remark = if pair.remark.is_empty() { String::new() } else { format!("  ({})", pair.remark) };
            let _infallible = writeln!(
                text,
                "{:name$}  {:width$}  {:6.3}  {:6.3}  {:8.1} %{word}{remark}",
                pair.work,
                pair.what,
                pair.first,
                pair.second,
                100.0 * pair.difference()
            );
        }
        for sentence in &self.broken {
            let _infallible = writeln!(text, "DIFFERS     {sentence}");
        }
        for sentence in &self.skipped {
            let _infallible = writeln!(text, "NOT COUNTED {sentence}");
        }
        let counted = self.pairs.iter().filter(|pair| pair.counts);
        let (mut all, mut apart) = (0, self.broken.len());
        for pair in counted {
            all += 1;
            apart += usize::from(!pair.is_within(within));
        }
        let all = all + self.broken.len();
        let _infallible = match (all, apart) {
            (0, _) => writeln!(text, "nothing to compare"),
            (_, 0) => writeln!(text, "all {all} ratios agree within {:.1} %", 100.0 * within),
            _ => writeln!(text, "{apart} of {all} ratios differ by more than {:.1} %", 100.0 * within),
        };
        text
    }
}

#[cfg(test)]
mod tests {
    use super::super::data::samples::{report, work};
    use super::*;

    fn run(ours: f64, nginx: f64, haproxy: f64) -> Report {
        report(vec![work("h1", &[("nginx", nginx), ("haproxy", haproxy), ("sluicegate", ours)])])
    }

    #[test]
    fn the_line_itself_agrees_and_a_hair_beyond_does_not() {
        let first = run(10.0, 10.0, 20.0);
        for (ours, holds) in [(10.5, true), (10.51, false), (10.0 / 1.05, true), (10.0 / 1.051, false)] {
            let agreement = Agreement::of(&first, &run(ours, 10.0, 20.0));
            assert_eq!(agreement.holds(0.05), holds, "{ours}: {}", agreement.table(0.05));
        }
    }

    #[test]
    fn figures_may_move_together() {
        let agreement = Agreement::of(&run(10.0, 10.0, 20.0), &run(20.0, 20.0, 40.0));
        assert!(agreement.holds(0.0), "{}", agreement.table(0.0));
    }

    #[test]
    fn when_another_peer_was_best_it_is_the_same_peer_that_is_compared() {
        let agreement = Agreement::of(&run(9.0, 10.0, 10.2), &run(9.0, 10.3, 10.2));
        assert_eq!(agreement.pairs[0].what, "sluicegate / nginx");
        assert!((agreement.pairs[0].difference() - 0.03).abs() < 1e-9);
        assert!(agreement.holds(0.05));
        let text = agreement.table(0.05);
        assert!(text.contains("(the second run's best peer is haproxy)"), "{text}");
    }

    #[test]
    fn a_figure_that_one_run_lacks_is_a_difference() {
        let mut failed = run(9.0, 10.0, 20.0);
        failed.works[0].rows[2].median = None;
        for (first, second, which) in
            [(run(9.0, 10.0, 20.0), failed.clone(), "second"), (failed, run(9.0, 10.0, 20.0), "first")]
        {
            let agreement = Agreement::of(&first, &second);
            assert!(!agreement.holds(9.0));
            assert_eq!(
                agreement.broken,
                [format!("h1: sluicegate / nginx has no figure in the {which} run")]
            );
        }
    }

    #[test]
    fn what_was_not_measured_twice_is_named_and_does_not_count() {
        let mut second = run(9.0, 10.0, 20.0);
        second.works.push(work("h2", &[("nginx", 1.0), ("sluicegate", 1.0)]));
        let agreement = Agreement::of(&run(9.0, 10.0, 20.0), &second);
        assert!(agreement.holds(0.05));
        assert_eq!(agreement.skipped, ["h2: only the second run has it"]);
        assert!(agreement.table(0.05).ends_with("all 1 ratios agree within 5.0 %\n"));
    }

    #[test]
    fn setups_are_compared_with_the_first_and_one_row_is_no_ratio() {
        let with = |many: f64| {
            report(vec![
                work("vhosts-10k", &[("sluicegate", 10.0), ("sluicegate+10k-hosts", many)]),
                work("check-10k", &[("sluicegate+10k-hosts", many)]),
            ])
        };
        let agreement = Agreement::of(&with(10.0), &with(11.0));
        assert_eq!(agreement.pairs.len(), 1);
        assert_eq!(agreement.pairs[0].what, "sluicegate+10k-hosts / sluicegate");
        assert!(!agreement.holds(0.05));
        assert_eq!(agreement.skipped, ["check-10k: one row alone has no ratio"]);
        assert!(agreement.table(0.05).ends_with("1 of 1 ratios differ by more than 5.0 %\n"));
    }

    #[test]
    fn latency_is_told_and_does_not_count() {
        let with = |p99: f64| {
            let mut asked = work("h1@70", &[("nginx", 1.0), ("sluicegate", p99)]);
            asked.load_share = Some(0.7);
            asked
        };
        let mut runs = [run(9.0, 10.0, 20.0), run(9.0, 10.0, 20.0)];
        runs[0].works.push(with(1.0));
        runs[1].works.push(with(2.0));
        let agreement = Agreement::of(&runs[0], &runs[1]);
        assert!(agreement.holds(0.05));
        assert!(agreement.table(0.05).contains("100.0 %  (latency: does not count)"));
    }

    #[test]
    fn nothing_does_not_agree_with_nothing() {
        assert!(!Agreement::of(&report(Vec::new()), &report(Vec::new())).holds(1.0));
        let peers = report(vec![work("h1", &[("nginx", 1.0)])]);
        let agreement = Agreement::of(&peers, &peers);
        assert!(!agreement.holds(1.0));
        assert_eq!(agreement.skipped, ["h1: without sluicegate there is no ratio"]);
    }
}
