//! The README's comparison: made from a report, and put between two marks.

use std::fmt::Write;

use super::data::{Report, Work};
use super::{date, words};

/// The marks. What is between them is this tool's; what is around them is nobody's but the writer's.
const BEGIN: &str = "<!-- comparison: begin -->\n";
const END: &str = "<!-- comparison: end -->\n";

/// What stands between the marks as long as no run has been committed.
const NOTHING_YET: &str =
    "No run is in the source yet: `cargo run --release -p loadtest -- compare` makes one for your machine.\n";
/// Columns that come first, in this order; others follow as they come.
const FIRST: [&str; 1] = ["sluicegate"];

/// What belongs between the marks; without a report the sentence that says so.
pub(super) fn section(report: Option<&Report>) -> String {
    let Some(report) = report else {
        return NOTHING_YET.to_owned();
    };
    let mut text =
        "![What sluicegate and its peers spend on the same work](loadtest/report/report.svg)\n".to_owned();
    let (asked, loads): (Vec<&Work>, Vec<&Work>) = report.works.iter().partition(|work| work.is_latency());
    let (beside, alone): (Vec<&Work>, Vec<&Work>) =
        loads.into_iter().partition(|work| work.best_peer().is_some());
    if !beside.is_empty() {
        let words = "CPU time of the proxy for a request, user and system (memory where it says so); smaller is better:";
        let _infallible = writeln!(text, "\n{words}\n\n{}", table(&beside).trim_end());
    }
    if !asked.is_empty() {
        let words = "p99 at a fixed rate, from the moment a request was due, at a share of each proxy's own capacity:";
        let _infallible = writeln!(text, "\n{words}\n\n{}", table(&asked).trim_end());
    }
    if !alone.is_empty() {
        let _infallible = writeln!(text, "\nsluicegate with itself:\n\n{}", setups(&alone).trim_end());
    }
    text.push_str(&method(report));
    text
}

/// The README with this section in it; why not, if its marks are not there.
pub(super) fn put(readme: &str, section: &str) -> Result<String, &'static str> {
    let (before, rest) =
        readme.split_once(BEGIN).ok_or("the mark `<!-- comparison: begin -->` has no line of its own")?;
    let (_, after) =
        rest.split_once(END).ok_or("no mark `<!-- comparison: end -->` comes after the first")?;
    if after.contains(BEGIN) || before.contains(END) {
        return Err("there is more than one pair of marks, or they are in the wrong order");
    }
    Ok(format!("{before}{BEGIN}{section}{END}{after}"))
}

fn table(works: &[&Work]) -> String {
    let columns = columns(works);
    let mut text = format!("| work | {} | of the best peer | to reach | |\n|---|", columns.join(" | "));
    text.push_str(&"---|".repeat(columns.len() + 3));
    for work in works {
        let figure = |row| work.cell(row, |median| words::with_unit(median, &work.unit));
        let cells = columns.iter().map(|column| words::or_dash(work.row(column).map(figure)));
        let ratio =
            work.ours().zip(work.best_peer()).and_then(|(ours, best)| super::standing::ratio(ours, best));
        let _infallible = write!(
            text,
            "\n| {} | {} | {} | {} | {} |",
            words::code(&work.name),
            cells.collect::<Vec<_>>().join(" | "),
            words::or_dash(ratio.map(|ratio| format!("{ratio:.2}"))),
            told(work, |told| told.target(&work.unit)),
            told(work, |told| Some(told.verdict().to_owned())),
        );
    }
    text
}

/// Of every comparison that has a target, joined.
fn told(work: &Work, words_of: impl Fn(&super::data::Comparison) -> Option<String>) -> String {
    let all: Vec<String> = work.targeted().filter_map(words_of).collect();
    words::or_dash((!all.is_empty()).then(|| words::plain(&all.join(", "))))
}

fn columns<'a>(works: &[&'a Work]) -> Vec<&'a str> {
    let rows = works.iter().flat_map(|work| &work.rows).filter(|row| row.program() != "before");
    let mut columns: Vec<&str> = Vec::new();
    for row in rows {
        if !columns.contains(&row.proxy.as_str()) {
            columns.push(&row.proxy);
        }
    }
    columns.sort_by_key(|column| !FIRST.contains(column));
    columns
}

fn setups(works: &[&Work]) -> String {
    let mut text = "| work | figures | to reach | |\n|---|---|---|---|".to_owned();
    for work in works {
        let figure = |row| work.cell(row, |median| words::with_unit(median, &work.unit));
        let rows = work.rows.iter().map(|row| format!("{}: {}", row.proxy, figure(row)));
        let _infallible = write!(
            text,
            "\n| {} | {} | {} | {} |",
            words::code(&work.name),
            words::plain(&rows.collect::<Vec<_>>().join(", ")),
            told(work, |told| told.target(&work.unit)),
            told(work, |told| Some(told.verdict().to_owned())),
        );
    }
    text
}

fn method(report: &Report) -> String {
    let programs = ["nginx", "haproxy", "envoy", "caddy"];
    let versions: Vec<String> = programs
        .iter()
        .filter_map(|program| Some(format!("{program} {}", words::plain(report.versions.get(*program)?))))
        .collect();
    let when = report.unix_time.map(|began| format!("{}, ", date::utc(began))).unwrap_or_default();
    let revision =
        report.revision.as_deref().map(|r| format!(", source {}", words::plain(r))).unwrap_or_default();
    let quiet = if report.quiet == Some(false) { " Other programs ran beside it." } else { "" };
    format!(
        "\nHow a figure is made: each proxy has one worker, pinned to a core of its own; load generator and origin are on another. \
         Under full load all proxies of a work are measured in rotation, 50 or 200 ms at a time, so that a spell in which the \
         machine is slow hits all alike, in up to {} rounds; the figure is the median of the rounds, and a ratio that of \
         the ratios by round. It is the CPU time that the kernel counts for the proxy, threads and children included, divided by the requests answered; it is worth something beside \
         the other figures of the same run, and nothing beside those of another machine. A row with any error has no figure.{quiet}\n\
         {when}{}, Linux {}{revision}; {}. Every round, the commands, versions and configurations are in \
         [loadtest/report/report.md](loadtest/report/report.md), the works and the method in \
         [loadtest/README.md](loadtest/README.md).\n",
        report.rounds,
        words::plain(&report.cpu),
        words::plain(report.release()),
        versions.join(", "),
    )
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::ErrorKind;
    use std::path::Path;

    use super::super::data::Comparison;
    use super::super::data::samples::{compared, report, work};
    use super::super::{markdown, picture};
    use super::*;

    #[test]
    fn a_section_is_put_between_the_marks_and_nowhere_else() {
        let readme = format!("# a\n{BEGIN}old\n{END}\nb\n");
        assert_eq!(put(&readme, "new\n"), Ok(format!("# a\n{BEGIN}new\n{END}\nb\n")));
        assert_eq!(put(&put(&readme, "x\n").unwrap(), "old\n").unwrap(), readme);
        for bad in
            ["# a\n".to_owned(), format!("{END}{BEGIN}"), BEGIN.to_owned(), format!("{readme}{BEGIN}{END}")]
        {
            assert!(put(&bad, "new\n").is_err(), "{bad:?}");
        }
    }

    #[test]
    fn tables_have_a_column_for_each_proxy_and_dashes_where_one_took_no_part() {
        let mut h1 = work("h1", &[("nginx", 12.0), ("sluicegate", 10.8), ("before", 3.0)]);
        h1.comparisons = vec![Comparison {
            value: Some(0.9),
            reached: Some(true),
            ..compared("sluicegate", Some("nginx"), 0.9)
        }];
        let h2 = work("h2-h2", &[("haproxy", 10.0), ("sluicegate", 9.0)]);
        let alone = work("vhosts-10k", &[("sluicegate", 10.0), ("sluicegate+10k-hosts", 10.2)]);
        let mut asked = work("h1@70", &[("nginx", 1.0), ("sluicegate", 0.5)]);
        (asked.load_share, asked.unit) = (Some(0.7), "p99 ms".to_owned());
        let text = section(Some(&report(vec![h1, h2, alone, asked])));
        for expected in [
            "| work | sluicegate | nginx | haproxy | of the best peer | to reach | |\n|---|---|---|---|---|---|---|\n",
            "| `h1` | 10.8 \u{b5}s | 12.0 \u{b5}s | - | 0.90 | 0.90 of nginx | reached |\n",
            "| `h2-h2` | 9.00 \u{b5}s | - | 10.0 \u{b5}s | 0.90 | - | - |\n\n",
            "| `h1@70` | 0.50 ms | 1.00 ms | 0.50 | - | - |\n",
            "| `vhosts-10k` | sluicegate: 10.0 \u{b5}s, sluicegate+10k-hosts: 10.2 \u{b5}s | - | - |\n\n",
        ] {
            assert!(text.contains(expected), "{expected:?} is not in\n{text}");
        }
        assert!(text.ends_with(".\n") && !text.contains("\n\n\n"), "{text}");
    }

    #[test]
    fn the_readme_and_the_files_beside_a_committed_run_are_what_it_gives() {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder = package.join("report");
        let readme = fs::read_to_string(package.join("../README.md")).unwrap();
        let again = "`cargo run -p loadtest -- report loadtest/report/report.json --out loadtest/report` and `... readme \
            loadtest/report/report.json` make them again";
        let report = match fs::read_to_string(folder.join("report.json")) {
            Ok(text) => Some(Report::parse(&text).unwrap()),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::NotFound);
                None
            }
        };
        assert!(
            put(&readme, &section(report.as_ref())).unwrap() == readme,
            "README.md is of another run: {again}"
        );
        for (name, made) in [
            ("report.svg", report.as_ref().map(picture::svg)),
            ("report.md", report.as_ref().map(markdown::text)),
        ] {
            let found = fs::read_to_string(folder.join(name)).ok();
            assert!(found == made, "loadtest/report/{name} is of another run, or lacks one: {again}");
        }
    }
}
