//! The same as the tables, for programs.

use serde_json::{Value, json};

use crate::figure::{Comparison, Row, compare};
use crate::fleet::Ground;
use crate::measure::{Effort, Outcome};

/// The shape of the file, as README.md describes it.
const FORMAT: u32 = 2;

/// Everything that was measured, and what with.
pub(crate) fn report(
    ground: &Ground,
    effort: Effort,
    command: &str,
    revision: Option<&str>,
    outcomes: &[Outcome],
) -> Value {
    let machine = &ground.machine;
    let programs = ground.inventory.found.iter();
    let versions: Value =
        programs.map(|found| (found.program.name().to_owned(), json!(found.version))).collect();
    let missing = ground.inventory.missing.iter();
    let missing: Value = missing.map(|(program, why)| (program.name().to_owned(), json!(why))).collect();
    json!({
        "format": FORMAT,
        "command": command,
        "kernel": machine.kernel,
        "cpu": machine.cpu_model,
        "cpus_allowed": machine.cpus_allowed,
        "cores": {"load": machine.cores.load, "proxy": machine.cores.proxy},
        "load_average_before": machine.load_average,
        "open_files": machine.open_files,
        "revision": revision,
        "versions": versions,
        "missing": missing,
        "rounds": effort.rounds,
        "secs": effort.secs,
        "works": outcomes.iter().map(work).collect::<Vec<_>>(),
    })
}

fn work(outcome: &Outcome) -> Value {
    json!({
        "name": outcome.work.name,
        "about": outcome.work.about,
        "unit": outcome.work.kind.unit(),
        "rows": outcome.rows.iter().map(row).collect::<Vec<_>>(),
        "comparisons": compare(outcome.work, &outcome.rows).iter().map(comparison).collect::<Vec<_>>(),
        "notes": outcome.notes,
    })
}

fn row(row: &Row) -> Value {
    let cost = row.cost();
    let last = row.samples.last().and_then(|sample| sample.load.as_ref());
    let known = last.map(|load| load.inside.known()).unwrap_or_default();
    let inside: Value = known.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
    json!({
        "proxy": row.subject.label(),
        "median": cost.map(|cost| cost.median),
        "min": cost.map(|cost| cost.min),
        "max": cost.map(|cost| cost.max),
        "rounds": row.samples.iter().map(|sample| sample.cost).collect::<Vec<_>>(),
        "user_share": row.median_of(|load| Some(load.user_share)),
        "requests_per_second": row.median_of(|load| Some(load.rate)),
        "busy": row.median_of(|load| Some(load.busy)),
        "p99_ms": row.median_of(|load| load.p99_ms),
        "inside_last_round": inside,
        "errors": row.failures,
    })
}

fn comparison(comparison: &Comparison) -> Value {
    json!({
        "what": comparison.what,
        "value": comparison.value,
        "by_round": comparison.rounds.map(|rounds| [rounds.min, rounds.max]),
        "at_most": comparison.at_most,
        "reached": comparison.is_reached(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::Sample;
    use crate::proxies::{Proxy, Subject};
    use crate::works;

    #[test]
    fn a_row_with_errors_has_no_figure_but_tells_them() {
        let mut failed = Row::of(Subject::plain(Proxy::Sluicegate));
        failed.samples.push(Sample { cost: 3.0, load: None });
        failed.failures.push("round 2: closed".to_owned());
        let outcome = Outcome { work: works::find("idle").unwrap(), rows: vec![failed], notes: Vec::new() };
        let value = work(&outcome);
        assert_eq!(value["rows"][0]["median"], Value::Null);
        assert_eq!(value["rows"][0]["errors"][0], "round 2: closed");
        assert_eq!(value["comparisons"][0]["reached"], Value::Null);
        assert_eq!(value["comparisons"][0]["at_most"], 4.0);
    }
}
