//! What the person reads: head, a table for each work, the verdicts together at the end.

use std::fmt::Write;

use crate::figure::{Comparison, Row, compare};
use crate::fleet::Ground;
use crate::measure::{Effort, Outcome};
use crate::works::{Kind, Work};

/// What the figures were made with: without it they are worth nothing.
pub(crate) fn head(ground: &Ground, effort: Effort, command: &str, revision: Option<&str>) -> String {
    let machine = &ground.machine;
    let programs = ground.inventory.found.iter();
    let versions: Vec<String> =
        programs.map(|found| format!("{} {}", found.program.name(), found.version)).collect();
    let gateway = match (&ground.gateway, revision) {
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
method      {}, in each every proxy in turn for {} s; median of its CPU time (user and system, threads and
            children) per request, smallest .. largest in brackets; a run with any error has no figure{warning}
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
    )
}

/// The table of one work.
pub(crate) fn work(outcome: &Outcome, secs: u64) -> String {
    let mut text =
        format!("\n{} - {}\n  {}\n\n", outcome.work.name, outcome.work.about, command(outcome.work, secs));
    let width =
        outcome.rows.iter().map(|row| row.subject.label().len()).max().unwrap_or(0).max("proxy".len());
    let unit = outcome.work.kind.unit();
    let loaded = matches!(outcome.work.kind, Kind::Wrk(_) | Kind::H2load(_));
    let more = if loaded { "   user  requests/s  busy    p99 ms" } else { "" };
    let _infallible = writeln!(text, "  {:width$}  {unit:>14}  {:>19}{more}  errors", "proxy", "[spread]");
    for row in &outcome.rows {
        text.push_str(&line(row, width));
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

fn command(work: &Work, secs: u64) -> String {
    match &work.kind {
        Kind::Wrk(load) => format!("wrk {}", quoted(&load.arguments("PROXY", secs))),
        Kind::H2load(streams) => {
            format!("h2load {}", quoted(&streams.arguments("PROXY", secs, "MESSAGE")))
        }
        Kind::Idle(waiting) => format!("{} connections, one GET / on each", waiting.connections),
        Kind::Check => "sluicegate check CONFIGURATION".to_owned(),
    }
}

fn quoted(words: &[String]) -> String {
    let quote = |word: &String| if word.contains(' ') { format!("'{word}'") } else { word.clone() };
    words.iter().map(quote).collect::<Vec<_>>().join(" ")
}

fn line(row: &Row, width: usize) -> String {
    let label = row.subject.label();
    let Some(cost) = row.cost() else {
        let why =
            if row.failures.is_empty() { "not measured".to_owned() } else { row.failures.join("\n    ") };
        return format!("  {label:width$}  no figure: {why}\n");
    };
    let spread = format!("[{:.2} .. {:.2}]", cost.min, cost.max);
    let mut text = format!("  {label:width$}  {:14.2}  {spread:>19}", cost.median);
    let median = |value: fn(&crate::figure::LoadSample) -> f64| row.median_of(|load| Some(value(load)));
    if let (Some(user), Some(rate), Some(busy)) =
        (median(|l| l.user_share), median(|l| l.rate), median(|l| l.busy))
    {
        let p99 = row.median_of(|load| load.p99_ms).map_or("-".to_owned(), |p99| format!("{p99:.2}"));
        let _infallible =
            write!(text, "  {:3.0} %  {rate:10.0}  {:2.0} %  {p99:>8}", 100.0 * user, 100.0 * busy);
    }
    text.push_str("       0\n");
    text
}

fn verdict(comparison: &Comparison) -> String {
    let Comparison { what, value, rounds, at_most } = comparison;
    let target = at_most.map(|limit| format!(", target at most {limit:.2}")).unwrap_or_default();
    let Some(value) = value else {
        return format!("{what}: no figure to compare{target}");
    };
    let rounds = rounds.map(|r| format!(" (by round {:.2} .. {:.2})", r.min, r.max)).unwrap_or_default();
    let word = match comparison.is_reached() {
        Some(true) => ": PASS",
        Some(false) => ": MISS",
        None => "",
    };
    format!("{what}: {value:.2}{rounds}{target}{word}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::{Inside, LoadSample, Sample};
    use crate::proxies::{Proxy, Subject};
    use crate::works;

    fn row(proxy: Proxy, cost: f64) -> Row {
        let load = LoadSample {
            user_share: 0.25,
            rate: 50_000.0,
            busy: 0.9,
            p99_ms: Some(1.5),
            requests: 1e5,
            inside: Inside::default(),
        };
        Row {
            subject: Subject::plain(proxy),
            samples: vec![Sample { cost, load: Some(load) }],
            failures: Vec::new(),
        }
    }

    fn outcome(rows: Vec<Row>) -> Outcome {
        Outcome { work: works::find("h1").unwrap(), rows, notes: vec!["a note".to_owned()] }
    }

    #[test]
    fn a_table_shows_figures_failures_verdicts_and_notes() {
        let mut failed = row(Proxy::Envoy, 1.0);
        failed.failures.push("round 1: Socket errors: read 3".to_owned());
        let text = work(&outcome(vec![row(Proxy::Nginx, 12.0), failed, row(Proxy::Sluicegate, 11.5)]), 3);
        for expected in [
            "wrk -t1 -c64 -d3s --latency http://PROXY/",
            "  nginx                12.00     [12.00 .. 12.00]   25 %       50000  90 %      1.50       0\n",
            "  envoy       no figure: round 1: Socket errors: read 3\n",
            "  sluicegate / nginx: 0.96 (by round 0.96 .. 0.96), target at most 1.00: PASS\n",
            "  a note\n",
        ] {
            assert!(text.contains(expected), "{expected:?} is not in\n{text}");
        }
    }

    #[test]
    fn columns_stand_under_their_heads() {
        let text = work(&outcome(vec![row(Proxy::Nginx, 12.0)]), 3);
        let ends: Vec<usize> =
            text.lines().filter(|l| l.contains("proxy ") || l.contains("nginx")).map(str::len).collect();
        assert_eq!(ends.len(), 2);
        assert_eq!(ends[0], ends[1], "{text}");
    }

    #[test]
    fn what_the_load_generator_does_not_tell_is_a_dash() {
        let mut row = row(Proxy::Haproxy, 9.8);
        row.samples[0].load.as_mut().unwrap().p99_ms = None;
        let outcome = Outcome { work: works::find("grpc").unwrap(), rows: vec![row], notes: Vec::new() };
        let text = work(&outcome, 3);
        for expected in [
            "h2load -t1 -c16 -m32 -D3 --warm-up-time=0 -H 'content-type: application/grpc' -H 'te: trailers' -d MESSAGE https://PROXY/",
            "   25 %       50000  90 %         -       0\n",
        ] {
            assert!(text.contains(expected), "{expected:?} is not in\n{text}");
        }
    }

    #[test]
    fn the_summary_has_only_what_has_a_target() {
        let outcomes = [outcome(vec![row(Proxy::Nginx, 10.0), row(Proxy::Sluicegate, 11.5)])];
        let text = summary(&outcomes);
        assert!(text.contains("h1") && text.contains("1.15") && text.contains("MISS"), "{text}");
        assert_eq!(summary(&[]), "");
    }
}
