//! What the person reads: head, a table for each work, the verdicts together at the end.

use std::fmt::Write;
use std::time::Duration;

use crate::compare::Circumstances;
use crate::comparison::{Comparison, compare};
use crate::figure::{LoadSample, Row};
use crate::fleet::Ground;
use crate::kinds::{Effort, Kind, Work};
use crate::measure::Outcome;
use crate::open_loop;
use crate::process::quoted;
use crate::rotation::{SLICE, SLICE_OF_MANY};

/// What the figures were made with: without it they are worth nothing.
pub(crate) fn head(ground: &Ground, circumstances: &Circumstances, expected: Duration) -> String {
    let Circumstances { command, revision, effort, .. } = circumstances;
    let machine = &ground.machine;
    let programs = ground.inventory.found.iter();
    let versions: Vec<String> =
        programs.map(|found| format!("{} {}", found.program.name(), found.version)).collect();
    let gateway = match (&ground.gateway, revision.as_ref()) {
        (Some(path), Some(revision)) => format!("{} (source at {revision})", path.display()),
        (Some(path), None) => path.display().to_string(),
        (None, _) => "not measured".to_owned(),
    };
    let before =
        ground.before.as_ref().map(|path| format!("before      {}\n", path.display())).unwrap_or_default();
    let warning = if machine.is_quiet() {
        ""
    } else {
        "\nWARNING: other programs are running on this machine: these figures should not be published."
    };
    format!(
        "command     {command}
kernel      {}
cpu         {} ({} allowed; load and origin on {}, proxies on {})
load        {:.2} before the run
open files  {}
sluicegate  {gateway}
{before}programs    {}
method      up to {} of up to {} s of each proxy; under full load all of them in rotation, {} ms at a time
            ({} ms with h2load); median of its CPU time (user and system, threads and children) per request,
            smallest .. largest in brackets; a run with any error has no figure
duration    some {} minutes{warning}
",
        machine.kernel,
        machine.cpu_model,
        machine.cpus_allowed,
        machine.cores.load,
        machine.cores.proxy,
        machine.load_average,
        machine.open_files,
        versions.join(", "),
        rounds(effort.rounds),
        effort.secs,
        SLICE.as_millis(),
        SLICE_OF_MANY.as_millis(),
        expected.as_secs().div_ceil(60),
    )
}

/// The table of one work.
pub(crate) fn work(outcome: &Outcome) -> String {
    let Effort { rounds: number, secs } = outcome.effort;
    let (name, about, command) = (outcome.work.name, outcome.work.about, command(outcome.work, secs));
    let mut text = format!("\n{name} - {about}\n  {command}, {}\n\n", rounds(number));
    let width =
        outcome.rows.iter().map(|row| row.subject.label().len()).max().unwrap_or(0).max("proxy".len());
    let unit = outcome.work.kind.unit();
    let more = match outcome.work.kind {
        Kind::OpenLoop(_) => "   user  requests/s  busy  load    p50 ms    p90 ms  p99.9 ms    max ms",
        _ if outcome.work.kind.is_in_rotation() => "   user  requests/s  busy  load",
        _ if outcome.work.kind.is_load() => "   user  requests/s  busy  load    p99 ms",
        _ => "",
    };
    let _infallible = writeln!(text, "  {:width$}  {unit:>14}  {:>19}{more}  errors", "proxy", "[spread]");
    for row in &outcome.rows {
        text.push_str(&line(row, outcome.work, width));
    }
    for row in &outcome.rows {
        if let Some(why) = row.limited(outcome.work) {
            let _infallible = writeln!(text, "  {}: limited: {why}", row.subject.label());
        }
    }
    for comparison in compare(outcome.work, &outcome.rows) {
        let _infallible = writeln!(text, "  {}", verdict(&comparison));
    }
    for note in &outcome.notes {
        let _infallible = writeln!(text, "  {note}");
    }
    text
}

/// All verdicts in a few lines.
pub(crate) fn summary(outcomes: &[Outcome]) -> String {
    let mut text = String::new();
    for outcome in outcomes {
        let targets =
            compare(outcome.work, &outcome.rows).into_iter().filter(|found| found.at_most.is_some());
        for comparison in targets {
            let _infallible = writeln!(text, "  {:10}  {}", outcome.work.name, verdict(&comparison));
        }
    }
    if text.is_empty() { text } else { format!("\ntargets\n{text}") }
}

fn rounds(number: usize) -> String {
    if number == 1 { "1 round".to_owned() } else { format!("{number} rounds") }
}

/// The load generator's words, `PROXY` for host and port.
pub(crate) fn command(work: &Work, secs: u64) -> String {
    match &work.kind {
        Kind::Wrk(load) | Kind::Reload(load) => {
            format!("wrk {}", quoted(load.arguments("PROXY", secs, "SCRIPT")))
        }
        Kind::OpenLoop(paced) => {
            let words = open_loop::arguments(paced, "PORT", "RATE", secs, "CERTIFICATE");
            format!("loadtest {}", quoted(words))
        }
        Kind::Resident => "one GET /".to_owned(),
        Kind::H2load(streams) => {
            format!("h2load {}", quoted(streams.arguments("PROXY", secs, "MESSAGE")))
        }
        Kind::Idle(waiting) => format!("{} connections, one GET / on each", waiting.connections),
        Kind::Check => "sluicegate check CONFIGURATION".to_owned(),
    }
}

fn line(row: &Row, work: &Work, width: usize) -> String {
    let label = row.subject.label();
    let Some(cost) = row.cost() else {
        let why =
            if row.failures.is_empty() { "not measured".to_owned() } else { row.failures.join("\n    ") };
        return format!("  {label:width$}  no figure: {why}\n");
    };
    let spread = format!("[{:.2} .. {:.2}]", cost.min, cost.max);
    let mut text = format!("  {label:width$}  {:14.2}  {spread:>19}", cost.median);
    let median = |value: fn(&LoadSample) -> f64| row.median_of(|load| Some(value(load)));
    if let (Some(user), Some(rate), Some(busy), Some(load)) =
        (median(|l| l.user_share), median(rate), median(|l| l.busy), median(|l| l.load_core_busy))
    {
        let [user, busy, load] = [user, busy, load].map(|share| 100.0 * share);
        let _infallible = write!(text, "  {user:3.0} %  {rate:10.0}  {busy:2.0} %  {load:2.0} %");
        let quantile = |quantile: f64| {
            row.median_of(|load| load.latency.as_ref().and_then(|latency| latency.at(quantile)))
        };
        let shown = match quantile(0.5) {
            Some(_) => [0.5, 0.9, 0.999, 1.0].map(quantile).to_vec(),
            None if work.kind.is_in_rotation() => Vec::new(),
            None => vec![row.median_of(|load| load.p99_ms)],
        };
        for ms in shown {
            let ms = ms.map_or("-".to_owned(), |ms| format!("{ms:.2}"));
            let _infallible = write!(text, "  {ms:>8}");
        }
    }
    text.push_str("       0\n");
    text
}

/// Of what was asked on a schedule, that is what was answered in time.
fn rate(load: &LoadSample) -> f64 {
    load.latency.as_ref().map_or(load.rate, |latency| latency.rate_achieved)
}

fn verdict(comparison: &Comparison) -> String {
    let Comparison { value, rounds, interval, at_most, .. } = comparison;
    let what = comparison.what();
    let target = at_most.map(|limit| format!(", target at most {limit:.2}")).unwrap_or_default();
    let Some(value) = value else {
        return format!("{what}: no figure to compare{target}");
    };
    let rounds = match (interval, rounds) {
        (Some((low, high)), _) => format!(" (95 % {low:.3} .. {high:.3})"),
        (None, Some(r)) => format!(" (by round {:.2} .. {:.2})", r.min, r.max),
        (None, None) => String::new(),
    };
    let word = match comparison.is_reached() {
        Some(true) => ": PASS",
        Some(false) => ": MISS",
        None => "",
    };
    let without = match comparison.without.join(", ") {
        peers if peers.is_empty() => peers,
        peers => format!(" (without {peers}, which has no figure to compare)"),
    };
    format!("{what}: {value:.2}{rounds}{target}{word}{without}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::{Inside, Latency, Sample};
    use crate::subjects::{Proxy, Subject};
    use crate::works;

    fn row(proxy: Proxy, cost: f64) -> Row {
        let load = LoadSample {
            user_share: 0.25,
            rate: 50_000.0,
            busy: 0.9,
            load_core_busy: 0.98,
            p99_ms: Some(1.5),
            slowest_ms: None,
            requests: 1e5,
            latency: None,
            inside: Inside::default(),
        };
        Row {
            subject: Subject::plain(proxy),
            samples: vec![Sample { cost, load: Some(load) }],
            unmeasured: 0.0,
            failures: Vec::new(),
        }
    }

    fn outcome(rows: Vec<Row>) -> Outcome {
        of("tls", rows)
    }

    fn of(name: &str, rows: Vec<Row>) -> Outcome {
        let effort = Effort { rounds: 1, secs: 3 };
        Outcome { work: works::find(name).unwrap(), effort, rows, notes: vec!["a note".to_owned()] }
    }

    #[test]
    fn a_table_shows_figures_failures_verdicts_and_notes() {
        let mut failed = row(Proxy::Envoy, 1.0);
        failed.failures.push("round 1: Socket errors: read 3".to_owned());
        let text = work(&outcome(vec![row(Proxy::Nginx, 12.0), failed, row(Proxy::Sluicegate, 10.2)]));
        for expected in [
            "wrk -t1 -c64 -d3s --latency https://PROXY/, 1 round\n",
            "  nginx                12.00     [12.00 .. 12.00]   25 %       50000  90 %  98 %       0\n",
            "  nginx: limited: the core of load generator and origin was 98 % busy: the rate is theirs, too\n",
            "  envoy       no figure: round 1: Socket errors: read 3\n",
            "  sluicegate / nginx: 0.85 (by round 0.85 .. 0.85), target at most 0.90: PASS (without envoy, which has no figure to compare)\n",
            "  a note\n",
        ] {
            assert!(text.contains(expected), "{expected:?} is not in\n{text}");
        }
    }

    #[test]
    fn columns_stand_under_their_heads() {
        let mut paced = row(Proxy::Nginx, 12.0);
        let curve = [0.5, 0.9, 0.99, 0.999, 1.0].map(|quantile| (quantile, 10.0 * quantile)).to_vec();
        let latency = Latency { capacity: 1e5, rate_wanted: 7e4, rate_achieved: 69_990.0, curve };
        paced.samples[0].load.as_mut().unwrap().latency = Some(latency);
        for outcome in [outcome(vec![row(Proxy::Nginx, 12.0)]), of("h1@70", vec![paced])] {
            let text = work(&outcome);
            let is_of_table = |line: &&str| line.starts_with("  proxy ") || line.starts_with("  nginx  ");
            let ends: Vec<usize> = text.lines().filter(is_of_table).map(str::len).collect();
            assert_eq!(ends.len(), 2, "{text}");
            assert_eq!(ends[0], ends[1], "{text}");
        }
    }

    #[test]
    fn latency_is_told_where_nothing_is_paused_and_what_is_not_known_is_a_dash() {
        let mut row = row(Proxy::Haproxy, 9.8);
        row.samples[0].load.as_mut().unwrap().p99_ms = None;
        let text = work(&of("grpc", vec![row.clone()]));
        for expected in [
            "h2load -t1 -c16 -m32 -D3 --warm-up-time=0 -H 'content-type: application/grpc' -H 'te: trailers' -d MESSAGE https://PROXY/",
            "   25 %       50000  90 %  98 %       0\n",
        ] {
            assert!(text.contains(expected), "{expected:?} is not in\n{text}");
        }
        let reloads = work(&of("reload", vec![row]));
        assert!(reloads.contains("   25 %       50000  90 %  98 %         -       0\n"), "{reloads}");
    }

    #[test]
    fn a_ratio_of_six_rounds_has_an_interval() {
        let rounds = |number: usize| {
            let costs = (0..number).map(|at| Sample { cost: [10.0, 10.4][at % 2], load: None }).collect();
            let ours = Row { samples: costs, ..Row::of(Subject::plain(Proxy::Sluicegate)) };
            let nginx = vec![Sample { cost: 10.0, load: None }; number];
            work(&outcome(vec![Row { samples: nginx, ..Row::of(Subject::plain(Proxy::Nginx)) }, ours]))
        };
        let (five, six) = (rounds(5), rounds(6));
        assert!(five.contains("sluicegate / nginx: 1.00 (by round 1.00 .. 1.04), target"), "{five}");
        assert!(six.contains("sluicegate / nginx: 1.02 (95 % 1.000 .. 1.040), target"), "{six}");
    }

    #[test]
    fn the_summary_has_only_what_has_a_target() {
        let outcomes = [outcome(vec![row(Proxy::Nginx, 10.0), row(Proxy::Sluicegate, 11.5)])];
        let text = summary(&outcomes);
        assert!(text.contains("tls") && text.contains("1.15") && text.contains("MISS"), "{text}");
        assert_eq!(summary(&[]), "");
    }
}
