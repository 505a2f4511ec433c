//! The same as the tables and more, for programs and for the picture; README.md describes the form.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::compare::Circumstances;
use crate::comparison::{Comparison, compare};
use crate::figure::{Latency, Row, Sample};
use crate::fleet::{Described, Ground};
use crate::kinds::Work;
use crate::measure::Outcome;
use crate::programs::Program;
use crate::subjects::Proxy;
use crate::table;

/// The form of the file, as README.md describes it.
pub(crate) const FORMAT: u32 = 2;

/// How a figure comes about, in a few sentences.
const METHOD: [&str; 6] = [
    "The figure is the proxy's own CPU time per request: what the scheduler counts for all of its threads and children while \
     the load generator is at work, divided by the requests that the load generator counts.",
    "Each proxy has one worker on one core; load generator and origin share another. In each round every proxy is measured, \
     and the rounds of a work are spread over the whole run; a peer that is far from the best \
     after three rounds is not measured again. The figure is the median of the rounds, and a ratio the median of the \
     ratios in each round; the interval at a ratio, where there are six rounds or more, holds that median in 95 of 100 \
     cases (sign test).",
    "In a closed loop all proxies of a work are measured in rotation: each has a load generator of its own, which works for a \
     slice of 50 ms (200 ms with h2load) and is paused in the slices of the others, until each has had its time. A \
     spell in which the machine is slow hits all alike. A slice begins when the proxy of the one before has nothing left \
     to do. Rates are by the time of a proxy's own slices and of what was left to do after them; \
     its CPU time is all that it spends from before its load generator starts until after all have ended. What clients wait has no \
     meaning there, and is told by the works on a schedule.",
    "A run with any error has no figure, and neither has its row.",
    "On a schedule (open loop) requests are due at fixed times, at a share of what each proxy can do, which is a second \
     divided by its CPU time per request in the closed loop of the same run; latency counts from when a request was due.",
    "Calls of io_uring_enter are not told: the kernel counts submissions and completions of a ring, but not the calls.",
];

/// Everything that was measured, and what with.
pub(crate) fn report(ground: &Ground, circumstances: &Circumstances, outcomes: &[Outcome]) -> Value {
    let machine = &ground.machine;
    let programs = ground.inventory.found.iter();
    let versions: Value =
        programs.map(|found| (found.program.name().to_owned(), json!(found.version))).collect();
    let missing = ground.inventory.missing.iter();
    let missing: Value = missing.map(|(program, why)| (program.name().to_owned(), json!(why))).collect();
    let began = circumstances.began.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let left_out = circumstances.left_out.iter();
    let described = |is_origin: bool| {
        let described = circumstances.described.iter().filter(move |it| it.proxy.is_none() == is_origin);
        described.map(|described| proxy(described, ground, circumstances))
    };
    json!({
        "format": FORMAT,
        "command": circumstances.command,
        "unix_time": began.as_secs(),
        "wall_seconds": circumstances.took.as_secs(),
        "kernel": machine.kernel,
        "cpu": machine.cpu_model,
        "cpus_allowed": machine.cpus_allowed,
        "cores": {"load": machine.cores.load, "proxy": machine.cores.proxy},
        "load_average_before": machine.load_average,
        "quiet": machine.is_quiet(),
        "open_files": machine.open_files,
        "revision": circumstances.revision,
        "versions": versions,
        "missing": missing,
        "method": METHOD,
        "rounds": circumstances.effort.rounds,
        "secs": circumstances.effort.secs,
        "proxies": described(false).collect::<Vec<_>>(),
        "origin": described(true).next(),
        "left_out": left_out
            .map(|left| json!({"work": left.work, "proxy": left.proxy, "why": left.why}))
            .collect::<Vec<_>>(),
        "works": outcomes.iter().map(work).collect::<Vec<_>>(),
    })
}

fn proxy(described: &Described, ground: &Ground, circumstances: &Circumstances) -> Value {
    let of_program = |program: Program| {
        let found = ground.inventory.found.iter().find(|found| found.program == program);
        found.map(|found| found.version.clone())
    };
    let version = match described.proxy {
        None => of_program(Program::Nginx),
        Some(Proxy::Sluicegate) => circumstances.gateway_version.clone(),
        Some(proxy) => proxy.program().and_then(of_program),
    };
    let (name, text) = &described.file;
    let files = if text.is_empty() { json!([]) } else { json!([{"name": name, "text": text}]) };
    json!({
        "label": described.label,
        "name": described.proxy.map_or("nginx", Proxy::name),
        "role": described.proxy.map_or("origin", |proxy| proxy.role().name()),
        "version": version,
        "command": described.command,
        "files": files,
    })
}

fn work(outcome: &Outcome) -> Value {
    let Outcome { work, effort, rows, notes } = outcome;
    json!({
        "name": work.name,
        "about": work.about,
        "kind": work.kind.name(),
        "unit": work.kind.unit(),
        "command": table::command(work, effort.secs),
        "rounds": effort.rounds,
        "secs": effort.secs,
        "load_share": work.kind.load_share(),
        "targets": targets(work),
        "rows": rows.iter().map(|one| row(work, one)).collect::<Vec<_>>(),
        "comparisons": compare(work, rows).iter().map(comparison).collect::<Vec<_>>(),
        "notes": notes,
    })
}

fn targets(work: &Work) -> Vec<Value> {
    let told = work.targets.iter().map(|target| target.told());
    told.map(|(kind, limit)| json!({"kind": kind, "peer": null, "limit": limit})).collect()
}

fn row(work: &Work, row: &Row) -> Value {
    let cost = row.cost();
    let last = row.samples.last().and_then(|sample| sample.load.as_ref());
    let known = last.map(|load| load.inside.known()).unwrap_or_default();
    let inside: Value = known.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
    json!({
        "proxy": row.subject.label(),
        "name": row.subject.proxy.name(),
        "role": row.subject.proxy.role().name(),
        "setup": row.subject.setup.name(),
        "median": cost.map(|cost| cost.median),
        "min": cost.map(|cost| cost.min),
        "max": cost.map(|cost| cost.max),
        "rounds": row.costs().collect::<Vec<_>>(),
        "user_share": row.median_of(|load| Some(load.user_share)),
        "requests_per_second": row.median_of(|load| Some(load.rate)),
        "busy": row.median_of(|load| Some(load.busy)),
        "load_core_busy": row.median_of(|load| Some(load.load_core_busy)),
        "p99_ms": row.median_of(|load| load.p99_ms),
        "slowest_ms": row.slowest_ms(),
        "inside_last_round": inside,
        "limited": row.limited(work),
        "samples": row.samples.iter().map(sample).collect::<Vec<_>>(),
        "latency": latency_of(row),
        "errors": row.failures,
    })
}

fn sample(sample: &Sample) -> Value {
    let Some(load) = &sample.load else { return json!({"cost": sample.cost}) };
    let inside = &load.inside;
    json!({
        "cost": sample.cost,
        "user_share": load.user_share,
        "requests_per_second": load.rate,
        "busy": load.busy,
        "load_core_busy": load.load_core_busy,
        "p99_ms": load.p99_ms,
        "slowest_ms": load.slowest_ms,
        "requests": load.requests,
        "admitted": inside.admitted,
        "opened": inside.opened,
        "retried": inside.retried,
        "loads": inside.loads,
        "flushes_per_request": inside.flushes,
        "submissions_per_request": inside.submissions,
        "completions_per_request": inside.completions,
        "enters_per_request": null,
        "latency": load.latency.as_ref().map(latency),
    })
}

/// Of one run.
fn latency(latency: &Latency) -> Value {
    let Latency { capacity, rate_wanted, rate_achieved, curve } = latency;
    json!({
        "capacity": capacity,
        "rate_wanted": rate_wanted,
        "rate_achieved": rate_achieved,
        "p50_ms": latency.at(0.5),
        "p90_ms": latency.at(0.9),
        "p99_ms": latency.at(0.99),
        "p999_ms": latency.at(0.999),
        "max_ms": latency.at(1.0),
        "curve": curve,
    })
}

/// Of all runs: the median at each point of the curve, for a run in which something else happened must not decide.
fn latency_of(row: &Row) -> Option<Value> {
    let median =
        |value: &dyn Fn(&Latency) -> Option<f64>| row.median_of(|load| value(load.latency.as_ref()?));
    let first = row.loads().find_map(|load| load.latency.as_ref())?;
    let quantiles = first.curve.iter().map(|(quantile, _)| *quantile);
    let curve = quantiles.filter_map(|quantile| Some((quantile, median(&|one| one.at(quantile))?)));
    let whole = Latency {
        capacity: median(&|one| Some(one.capacity))?,
        rate_wanted: median(&|one| Some(one.rate_wanted))?,
        rate_achieved: median(&|one| Some(one.rate_achieved))?,
        curve: curve.collect(),
    };
    Some(latency(&whole))
}

fn comparison(comparison: &Comparison) -> Value {
    json!({
        "what": comparison.what(),
        "one": comparison.one,
        "other": comparison.other,
        "is_difference": comparison.is_difference,
        "value": comparison.value,
        "by_round": comparison.rounds.map(|rounds| [rounds.min, rounds.max]),
        "interval": comparison.interval.map(|(low, high)| [low, high]),
        "at_most": comparison.at_most,
        "without": comparison.without,
        "reached": comparison.is_reached(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::{Inside, LoadSample};
    use crate::kinds::Effort;
    use crate::subjects::Subject;
    use crate::works;

    fn outcome(name: &str, rows: Vec<Row>) -> Outcome {
        let effort = Effort { rounds: 2, secs: 1 };
        Outcome { work: works::find(name).unwrap(), effort, rows, notes: Vec::new() }
    }

    #[test]
    fn a_row_with_errors_has_no_figure_but_tells_them() {
        let mut failed = Row::of(Subject::plain(Proxy::Sluicegate));
        failed.samples.push(Sample { cost: 3.0, load: None });
        failed.failures.push("round 2: closed".to_owned());
        let value = work(&outcome("idle", vec![failed]));
        assert_eq!(value["rows"][0]["median"], Value::Null);
        assert_eq!(value["rows"][0]["errors"][0], "round 2: closed");
        assert_eq!(value["rows"][0]["samples"][0]["cost"], 3.0);
        assert_eq!(value["comparisons"][0]["reached"], Value::Null);
        assert_eq!(value["comparisons"][0]["at_most"], 2.0);
        assert_eq!(value["targets"][0]["kind"], "at_most");
    }

    #[test]
    fn the_curve_of_a_row_is_the_median_of_its_rounds() {
        let mut row = Row::of(Subject::plain(Proxy::Nginx));
        for ms in [3.0, 1.0, 200.0] {
            let curve = vec![(0.0, ms / 10.0), (0.5, ms / 2.0), (1.0, ms)];
            let latency = Some(Latency { capacity: 10.0, rate_wanted: 7.0, rate_achieved: 7.0, curve });
            let load = LoadSample {
                user_share: 0.5,
                rate: 7.0,
                busy: 0.7,
                load_core_busy: 0.95,
                p99_ms: None,
                slowest_ms: Some(ms),
                requests: 7.0,
                latency,
                inside: Inside::default(),
            };
            row.samples.push(Sample { cost: ms, load: Some(load) });
        }
        let value = work(&outcome("h1@70", vec![row]));
        let told = &value["rows"][0]["latency"];
        assert_eq!(told["curve"], json!([[0.0, 0.3], [0.5, 1.5], [1.0, 3.0]]));
        assert_eq!((told["p50_ms"].as_f64(), told["max_ms"].as_f64()), (Some(1.5), Some(3.0)));
        assert_eq!(
            (value["load_share"].as_f64(), value["rows"][0]["slowest_ms"].as_f64()),
            (Some(0.7), Some(200.0))
        );
        assert!(value["rows"][0]["limited"].as_str().is_some());
    }
}
