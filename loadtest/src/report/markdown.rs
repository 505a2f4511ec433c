//! The report in Markdown: every figure, what it was made with, and what is missing.

use std::fmt::Write;

use super::data::{Comparison, Program, Report, Row, Sample, Work};
use super::{date, words};

/// The whole text.
pub(super) fn text(report: &Report) -> String {
    let mut text = "# sluicegate beside its peers\n\n![bars and latency curves](report.svg)\n".to_owned();
    text.push_str(&targets(report));
    for work in &report.works {
        text.push_str(&table(work));
    }
    text.push_str(&left_out(report));
    text.push_str(&method(report));
    text.push_str(&made_with(report));
    text.push_str(&programs(report));
    text
}

fn targets(report: &Report) -> String {
    let with = report.works.iter().flat_map(|work| work.targeted().map(move |told| (work, told)));
    let mut text = String::new();
    for (work, told) in with {
        let range = |[min, max]: [f64; 2]| format!("{min:.2} .. {max:.2}");
        let interval = told.interval.map(|[low, high]| format!(" (95 %: {low:.3} .. {high:.3})"));
        let by_round = told.by_round.map(range).unwrap_or_default() + &interval.unwrap_or_default();
        let _infallible = writeln!(
            text,
            "| {} | {} | {} | {by_round} | {} | {} |",
            words::plain(&work.name),
            words::plain(&told.one),
            words::plain(&words::or_dash(told.result(&work.unit))),
            words::plain(&told.target(&work.unit).unwrap_or_default()),
            told.verdict(),
        );
    }
    if text.is_empty() {
        return text;
    }
    format!(
        "\n## Targets\n\n| work | row | result | by round | at most | verdict |\n|---|---|---|---|---|---|\n{text}"
    )
}

fn table(work: &Work) -> String {
    let mut text = format!("\n## {}\n\n{}\n", words::plain(&work.name), words::plain(&work.about));
    let effort = match (work.rounds, work.secs) {
        (Some(rounds), Some(secs)) => format!(" ({rounds} rounds of {secs} s)"),
        _ => String::new(),
    };
    if let Some(command) = &work.command {
        let _infallible = writeln!(text, "\n{}{effort}", words::code(command));
    }
    let unit = words::plain(&work.unit);
    let _infallible = writeln!(
        text,
        "\n| proxy | {unit} | spread | of the best peer | to reach | verdict | errors | requests/s | admitted | submissions/request |\n\
         |---|---|---|---|---|---|---|---|---|---|"
    );
    for row in &work.rows {
        text.push_str(&line(work, row));
    }
    if work.is_latency() {
        text.push_str(&latencies(work));
    }
    let limited =
        work.rows.iter().filter_map(|row| Some(format!("{}: {}", row.proxy, row.limited.as_ref()?)));
    let notes: Vec<String> = work.notes.iter().cloned().chain(limited).collect();
    let failed = work
        .rows
        .iter()
        .flat_map(|row| row.errors.iter().map(move |error| format!("{}: {error}", row.proxy)));
    for (at, note) in notes.into_iter().chain(failed).enumerate() {
        let space = if at == 0 { "\n" } else { "" };
        let _infallible = writeln!(text, "{space}- {}", words::plain(&note));
    }
    text
}

fn line(work: &Work, row: &Row) -> String {
    let own: Vec<&Comparison> = work.targeted().filter(|told| told.one == row.proxy).collect();
    let join = |told: Vec<String>| words::or_dash((!told.is_empty()).then(|| told.join(", ")));
    let target = join(own.iter().filter_map(|told| told.target(&work.unit)).collect());
    let verdict = join(own.iter().map(|told| told.verdict().to_owned()).collect());
    let figure = work.cell(row, words::figure);
    let spread =
        row.figure().map(|(_, min, max)| format!("{} .. {}", words::figure(min), words::figure(max)));
    let spread = words::or_dash(spread);
    let ratio = work.best_peer().and_then(|best| super::standing::ratio(row, best));
    let count =
        |value: Option<f64>, behind: usize| words::or_dash(value.map(|value| format!("{value:.behind$}")));
    format!(
        "| {} | {figure} | {spread} | {} | {} | {verdict} | {} | {} | {} | {} |\n",
        words::plain(&row.proxy),
        count(ratio, 2),
        words::plain(&target),
        row.errors.len(),
        count(row.requests_per_second, 0),
        count(row.inside(|sample| sample.admitted), 0),
        count(row.inside(|sample| sample.submissions_per_request), 2),
    )
}

fn latencies(work: &Work) -> String {
    let mut text =
        "\n| proxy | capacity | asked | answered | p50 ms | p90 ms | p99 ms | p99.9 ms | max ms |\n\
        |---|---|---|---|---|---|---|---|---|\n"
            .to_owned();
    for row in &work.rows {
        let Some(latency) = &row.latency else { continue };
        let rate = |value: Option<f64>| words::or_dash(value.map(|value| format!("{value:.0}/s")));
        let ms = |value: Option<f64>| words::or_dash(value.map(words::milliseconds));
        let _infallible = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            words::plain(&row.proxy),
            rate(latency.capacity),
            rate(latency.rate_wanted),
            rate(latency.rate_achieved),
            ms(latency.p50_ms),
            ms(latency.p90_ms),
            ms(latency.p99_ms),
            ms(latency.p999_ms),
            ms(latency.max_ms),
        );
    }
    text
}

impl Row {
    /// The median of what each round tells from inside.
    fn inside(&self, of: impl Fn(&Sample) -> Option<f64>) -> Option<f64> {
        crate::figure::Spread::of(self.samples.iter().filter_map(of)).map(|spread| spread.median)
    }
}

fn left_out(report: &Report) -> String {
    let mut text = String::new();
    for (program, why) in &report.missing {
        let _infallible = writeln!(text, "- {} was not there: {}", words::plain(program), words::plain(why));
    }
    for left in &report.left_out {
        let parts = [left.work.as_deref(), left.proxy.as_deref()];
        let what: Vec<String> = parts.into_iter().flatten().map(words::plain).collect();
        let _infallible = writeln!(text, "- {}: {}", what.join(", "), words::plain(&left.why));
    }
    if text.is_empty() {
        text.push_str("Nothing.\n");
    }
    format!("\n## Left out\n\n{text}")
}

fn method(report: &Report) -> String {
    let sentences: Vec<String> =
        report.method.iter().map(|sentence| format!("- {}\n", words::plain(sentence))).collect();
    format!("\n## Method\n\n{}", sentences.concat())
}

fn made_with(report: &Report) -> String {
    let quiet = match report.quiet {
        Some(false) => ": other programs were running, so these figures are not for publishing",
        _ => "",
    };
    let time = match report.unix_time.zip(report.wall_seconds) {
        Some((began, took)) => format!("{}, for {:.0} minutes", date::utc(began), took / 60.0),
        None => "not told".to_owned(),
    };
    let lines = [
        ("command", words::code(&report.command)),
        ("source", report.revision.as_deref().map_or("not told".to_owned(), words::plain)),
        ("time", time),
        ("kernel", words::plain(&report.kernel)),
        ("CPU", format!("{}, {} allowed", words::plain(&report.cpu), report.cpus_allowed)),
        ("cores", format!("load and origin on {}, proxies on {}", report.cores.load, report.cores.proxy)),
        ("open files", report.open_files.to_string()),
        ("load before", format!("{:.2}{quiet}", report.load_average_before)),
    ];
    let mut text = "\n## Made with\n\n| | |\n|---|---|\n".to_owned();
    for (name, value) in lines {
        let _infallible = writeln!(text, "| {name} | {value} |");
    }
    for (program, version) in &report.versions {
        let _infallible = writeln!(text, "| {} | {} |", words::plain(program), words::plain(version));
    }
    text
}

fn programs(report: &Report) -> String {
    let all: Vec<&Program> = report.proxies.iter().chain(&report.origin).collect();
    if all.is_empty() {
        return String::new();
    }
    let mut text = "\n## Commands and configurations\n".to_owned();
    for program in all {
        let words: Vec<&str> =
            [Some(program.label.as_str()), program.version.as_deref()].into_iter().flatten().collect();
        let _infallible = writeln!(text, "\n### {}", words::plain(&words.join(" ")));
        if let Some(command) = &program.command {
            let _infallible = writeln!(text, "\n{}", words::code(command));
        }
        for file in &program.files {
            let name = words::plain(&file.name);
            let block = words::block(&file.text);
            let _infallible = writeln!(text, "\n<details>\n<summary>{name}</summary>\n\n{block}\n</details>");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::data::samples::{compared, report, work};
    use super::super::data::{ConfigurationFile, Latency, LeftOut};
    use super::*;

    fn whole() -> Report {
        let mut h1 = work("h1", &[("nginx", 12.0), ("haproxy", 13.5), ("sluicegate", 10.8)]);
        h1.command = Some("wrk -t1 -H 'a|b'".to_owned());
        h1.comparisons = vec![Comparison {
            value: Some(0.9),
            by_round: Some([0.88, 0.93]),
            interval: Some([0.885, 0.921]),
            reached: Some(true),
            ..compared("sluicegate", Some("nginx"), 0.9)
        }];
        h1.rows[2].samples = [64.0, 66.0, 65.0]
            .map(|admitted| Sample { admitted: Some(admitted), submissions_per_request: Some(2.004) })
            .to_vec();
        h1.rows[1].median = None;
        h1.rows[1].errors.push("round 1: Socket errors: read 3".to_owned());
        report(vec![h1])
    }

    #[test]
    fn a_work_has_a_line_for_each_row() {
        let text = text(&whole());
        for expected in [
            "`wrk -t1 -H 'a\\|b'`\n",
            "| nginx | 12.0 | 10.8 .. 13.2 | 1.00 | - | - | 0 | - | - | - |\n",
            "| haproxy | no figure | - | - | - | - | 1 | - | - | - |\n",
            "| sluicegate | 10.8 | 9.72 .. 11.9 | 0.90 | 0.90 of nginx | reached | 0 | - | 65 | 2.00 |\n",
            "| h1 | sluicegate | 0.90 of nginx | 0.88 .. 0.93 (95 %: 0.885 .. 0.921) | 0.90 of nginx | reached |\n",
            "\n- haproxy: round 1: Socket errors: read 3\n",
        ] {
            assert!(text.contains(expected), "{expected:?} is not in\n{text}");
        }
    }

    #[test]
    fn tables_are_whole_and_lines_end_without_blanks() {
        let mut report = whole();
        let mut asked = work("h1@70", &[("nginx", 1.0)]);
        asked.load_share = Some(0.7);
        asked.rows[0].latency = Some(Latency { p99_ms: Some(0.5), ..Latency::default() });
        asked.rows[0].limited = Some("the origin was the limit".to_owned());
        report.works.push(asked);
        let text = text(&report);
        assert!(text.contains("| nginx | - | - | - | - | - | 0.500 | - | - |\n"), "{text}");
        assert!(text.contains("- nginx: the origin was the limit\n"), "{text}");
        let mut columns = None;
        for line in text.lines() {
            assert_eq!(line.trim_end(), line);
            let bars = line.replace("\\|", "").matches('|').count();
            if !line.starts_with('|') {
                columns = None;
            } else {
                assert_eq!(*columns.get_or_insert(bars), bars, "{line}");
            }
        }
        assert!(text.ends_with('\n') && !text.ends_with("\n\n"));
    }

    #[test]
    fn configurations_are_folded_and_cannot_break_out() {
        let mut report = whole();
        report.left_out = vec![LeftOut {
            work: Some("h2-h2".to_owned()),
            proxy: Some("nginx".to_owned()),
            why: "cannot".to_owned(),
        }];
        report.missing.insert("caddy".to_owned(), "not installed".to_owned());
        report.proxies = vec![Program {
            label: "nginx".to_owned(),
            version: Some("1.22.1".to_owned()),
            command: Some("nginx -c RUN/nginx.conf".to_owned()),
            files: vec![ConfigurationFile {
                name: "nginx.conf".to_owned(),
                text: "a;\n```\n</details>\n".to_owned(),
            }],
        }];
        let text = text(&report);
        for expected in [
            "### nginx 1.22.1\n\n`nginx -c RUN/nginx.conf`\n",
            "<summary>nginx.conf</summary>\n\n````text\na;\n```\n</details>\n````\n\n</details>\n",
            "- h2-h2, nginx: cannot\n",
            "- caddy was not there: not installed\n",
        ] {
            assert!(text.contains(expected), "{expected:?} is not in\n{text}");
        }
    }

    #[test]
    fn a_report_of_nothing_says_so() {
        let text = text(&Report::default());
        assert!(text.contains("## Left out\n\nNothing.\n") && !text.contains("## Targets"), "{text}");
    }
}
