//! Which case is too far from its baseline, as a table.

use crate::baseline::Counts;
use std::{collections::BTreeSet, fmt::Write};

/// How far a count may be from its baseline. Counts of one build are the same within a few tenths of a percent (what is
/// left is random hashes); changes elsewhere move how the compiler lays a module out by one or two.
const CHANGE_MAX: f64 = 0.05;

/// One case.
pub(crate) struct Row<'a> {
    name: &'a str,
    baseline: Option<f64>,
    now: Option<f64>,
}

impl Row<'_> {
    /// What is wrong with it. That it has become cheaper is wrong too: a baseline that is too high lets the next change take
    /// back what was won, and nobody reads what a passing test prints.
    pub(crate) fn finding(&self) -> Option<&'static str> {
        match (self.baseline, self.now) {
            (Some(_), None) => Some("has a baseline, but is no case"),
            (None, _) => Some("has no baseline"),
            (Some(baseline), Some(now)) if now > baseline * (1.0 + CHANGE_MAX) => Some("costs MORE"),
            (Some(baseline), Some(now)) if now < baseline * (1.0 - CHANGE_MAX) => {
                Some("costs less: benches/renew")
            }
            _ => None,
        }
    }
}

/// All cases of both, by name.
pub(crate) fn rows<'a>(baseline: &'a Counts, now: &'a Counts) -> Vec<Row<'a>> {
    let names: BTreeSet<&String> = baseline.keys().chain(now.keys()).collect();
    let row =
        |name: &'a String| Row { name, baseline: baseline.get(name).copied(), now: now.get(name).copied() };
    names.into_iter().map(row).collect()
}

/// Those that are wanted, one a line.
pub(crate) fn table(rows: &[Row<'_>], is_wanted: impl Fn(&Row<'_>) -> bool) -> String {
    let mut table = format!("{:<40} {:>12} {:>12} {:>9}\n", "case", "baseline", "now", "change");
    for row in rows.iter().filter(|row| is_wanted(row)) {
        let number = |count: Option<f64>| count.map_or("-".to_owned(), |count| format!("{count:.1}"));
        let change = row.baseline.zip(row.now).map(|(baseline, now)| (now / baseline - 1.0) * 100.0);
        let change = change.map_or("-".to_owned(), |change| format!("{change:+.1} %"));
        let (name, finding) = (row.name, row.finding().unwrap_or_default());
        let line =
            format!("{name:<40} {:>12} {:>12} {change:>9}  {finding}", number(row.baseline), number(row.now));
        let _ = writeln!(table, "{}", line.trim_end());
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(counts: &[(&str, f64)]) -> Counts {
        counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
    }

    fn findings(baseline: &[(&str, f64)], now: &[(&str, f64)]) -> Vec<Option<&'static str>> {
        rows(&counts(baseline), &counts(now)).iter().map(Row::finding).collect()
    }

    #[test]
    fn a_twentieth_is_the_limit_both_ways() {
        let of_a_thousand = |now| findings(&[("a", 1000.0)], &[("a", now)]);
        assert_eq!(of_a_thousand(1051.0), [Some("costs MORE")]);
        assert_eq!(of_a_thousand(1049.0), [None]);
        assert_eq!(of_a_thousand(1000.0), [None]);
        assert_eq!(of_a_thousand(951.0), [None]);
        assert_eq!(of_a_thousand(949.0), [Some("costs less: benches/renew")]);
    }

    #[test]
    fn a_case_without_a_baseline_and_a_baseline_without_a_case_are_found() {
        let found = findings(&[("a", 1.0), ("b", 1.0)], &[("b", 1.0), ("c", 1.0)]);
        assert_eq!(found, [Some("has a baseline, but is no case"), None, Some("has no baseline")]);
    }

    #[test]
    fn what_was_free_may_not_cost() {
        assert_eq!(findings(&[("a", 0.0)], &[("a", 1.0)]), [Some("costs MORE")]);
    }

    #[test]
    fn a_table_has_the_names_the_numbers_and_the_change() {
        let (baseline, now) = (counts(&[("a", 200.0), ("b", 10.0)]), counts(&[("a", 211.0), ("b", 10.0)]));
        let rows = rows(&baseline, &now);
        let table = table(&rows, |row| row.finding().is_some());
        let words: Vec<&str> = table.lines().nth(1).unwrap().split_whitespace().collect();
        assert_eq!(words, ["a", "200.0", "211.0", "+5.5", "%", "costs", "MORE"]);
        assert_eq!(table.lines().count(), 2);
    }
}
