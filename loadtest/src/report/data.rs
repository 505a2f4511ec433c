//! What a file of JSON says of a run, by the same names; what no picture or text is made of is left out.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde::de::Error as _;
use serde_json::{Map, Value};

use crate::error::{During, Error, Result};
use crate::json::FORMAT;

/// Everything that was measured, and what with.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct Report {
    /// As it was typed.
    pub(super) command: String,
    /// The commit of the source, if that was built.
    pub(super) revision: Option<String>,
    /// When the run began, in seconds since 1970.
    pub(super) unix_time: Option<f64>,
    /// How long it took.
    pub(super) wall_seconds: Option<f64>,
    /// Release and build of the kernel.
    pub(super) kernel: String,
    /// As the kernel names it.
    pub(super) cpu: String,
    /// How many CPUs the run could use.
    pub(super) cpus_allowed: u64,
    /// Which of them it used.
    pub(super) cores: Cores,
    /// The limit of open files.
    pub(super) open_files: u64,
    /// Runnable processes before the run.
    pub(super) load_average_before: f64,
    /// Whether nothing else seemed to run.
    pub(super) quiet: Option<bool>,
    /// Of each program.
    pub(super) versions: BTreeMap<String, String>,
    /// Programs that were not there, and why.
    pub(super) missing: BTreeMap<String, String>,
    /// The method, a sentence or two each.
    pub(super) method: Vec<String>,
    /// Runs of each proxy in the work that has the most.
    pub(super) rounds: u64,
    /// Who was measured, one for each label of rows.
    pub(super) proxies: Vec<Program>,
    /// What answered.
    pub(super) origin: Option<Program>,
    /// What was not measured, and why.
    pub(super) left_out: Vec<LeftOut>,
    /// In the order in which they were done.
    pub(super) works: Vec<Work>,
}

/// Where programs ran.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct Cores {
    /// The load generator and the origin.
    pub(super) load: u64,
    /// The proxy.
    pub(super) proxy: u64,
}

/// A program as it was started.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct Program {
    /// As in the rows.
    pub(super) label: String,
    /// As its makers call it.
    pub(super) version: Option<String>,
    /// The words it was started with.
    pub(super) command: Option<String>,
    /// Its configuration.
    pub(super) files: Vec<ConfigurationFile>,
}

/// A file of configuration.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct ConfigurationFile {
    /// Without its folder.
    pub(super) name: String,
    /// All of it.
    pub(super) text: String,
}

/// A row or a work that was not measured.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct LeftOut {
    /// Which work.
    pub(super) work: Option<String>,
    /// Which row; none where it is all of the work.
    pub(super) proxy: Option<String>,
    /// The reason.
    pub(super) why: String,
}

/// One table.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct Work {
    /// What a person types after `--work`.
    pub(super) name: String,
    /// What it measures.
    pub(super) about: String,
    /// Of the figures: `CPU us/request`, `KiB/connection`, ...
    pub(super) unit: String,
    /// The load generator with its arguments.
    pub(super) command: Option<String>,
    /// Runs of each row.
    pub(super) rounds: Option<u64>,
    /// Seconds of each run.
    pub(super) secs: Option<f64>,
    /// The share of each proxy's capacity at which it was asked, where the rate was fixed.
    pub(super) load_share: Option<f64>,
    /// One for each proxy or setup.
    pub(super) rows: Vec<Row>,
    /// How they stand to each other.
    pub(super) comparisons: Vec<Comparison>,
    /// What else is to be told.
    pub(super) notes: Vec<String>,
}

/// One proxy in one work.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct Row {
    /// Its name, with the setup's after a `+`.
    pub(super) proxy: String,
    /// `gateway`, `before`, `peer` or `floor`.
    pub(super) role: String,
    /// The figure; none with any error.
    pub(super) median: Option<f64>,
    /// Of the rounds.
    pub(super) min: Option<f64>,
    /// Of the rounds.
    pub(super) max: Option<f64>,
    /// Of each round, in their order.
    pub(super) rounds: Vec<f64>,
    /// Requests per second, the median of the rounds.
    pub(super) requests_per_second: Option<f64>,
    /// What went wrong.
    pub(super) errors: Vec<String>,
    /// Why the rate or the latency says nothing of the proxy, if it does not.
    pub(super) limited: Option<String>,
    /// Each round.
    pub(super) samples: Vec<Sample>,
    /// What clients waited, where the rate was fixed.
    pub(super) latency: Option<Latency>,
}

/// One round of a row, as far as it is told on.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct Sample {
    /// Connections of clients that were accepted.
    pub(super) admitted: Option<f64>,
    /// Entries submitted to rings, per request.
    pub(super) submissions_per_request: Option<f64>,
}

/// How one row stands to another, or to a fixed figure.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct Comparison {
    /// The ratio, the difference, or the figure.
    pub(super) value: Option<f64>,
    /// The smallest and the largest of single rounds.
    pub(super) by_round: Option<[f64; 2]>,
    /// Where the median is in 95 of 100 cases, if there were rounds enough.
    pub(super) interval: Option<[f64; 2]>,
    /// What is to be reached.
    pub(super) at_most: Option<f64>,
    /// Whether it is.
    pub(super) reached: Option<bool>,
    /// Whether the value is `one - other`.
    pub(super) is_difference: bool,
    /// The label of the row that is compared.
    pub(super) one: String,
    /// The label of the row it is compared with; none where the target is a figure.
    pub(super) other: Option<String>,
}

/// What clients of one proxy waited when they asked at a fixed rate.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct Latency {
    /// Requests per second that the proxy can answer at most.
    pub(super) capacity: Option<f64>,
    /// Those that were due.
    pub(super) rate_wanted: Option<f64>,
    /// Those that were answered.
    pub(super) rate_achieved: Option<f64>,
    /// The median of the rounds.
    pub(super) p50_ms: Option<f64>,
    /// The median of the rounds.
    pub(super) p90_ms: Option<f64>,
    /// The median of the rounds.
    pub(super) p99_ms: Option<f64>,
    /// The median of the rounds.
    pub(super) p999_ms: Option<f64>,
    /// The median of the rounds.
    pub(super) max_ms: Option<f64>,
    /// Pairs of a quantile, from 0 to 1, and milliseconds, the median of the rounds at each.
    pub(super) curve: Vec<(f64, f64)>,
}

impl Row {
    /// The figure with the ends of its spread.
    pub(super) fn figure(&self) -> Option<(f64, f64, f64)> {
        let median = self.median.filter(|median| median.is_finite())?;
        Some((median, self.min.unwrap_or(median), self.max.unwrap_or(median)))
    }
}

impl Report {
    /// Reads a file.
    pub(super) fn read(path: &Path) -> Result<Report> {
        let text = fs::read_to_string(path).during(|| format!("reading {}", path.display()))?;
        Report::parse(&text).map_err(|error| Error::Failed(format!("{}: {error}", path.display())))
    }

    /// Takes the text of a file; one of another format is refused, for it would pass as one that lacks much.
    pub(super) fn parse(text: &str) -> std::result::Result<Report, serde_json::Error> {
        // A list would be taken for the fields in their order, and an empty one for a report of nothing.
        let fields: Map<String, Value> = serde_json::from_str(text)?;
        let format = fields.get("format").unwrap_or(&Value::Null);
        if *format != FORMAT {
            return Err(serde_json::Error::custom(format!(
                "it is no report that can be read: its `format` is {format}, and not {FORMAT}"
            )));
        }
        serde_json::from_value(Value::Object(fields))
    }

    /// The kernel's release, without its build.
    pub(super) fn release(&self) -> &str {
        self.kernel.split(' ').next().unwrap_or_default()
    }

    /// The work of that name.
    pub(super) fn work(&self, name: &str) -> Option<&Work> {
        self.works.iter().find(|work| work.name == name)
    }
}

/// What the tests of this folder make reports of.
#[cfg(test)]
pub(super) mod samples {
    use super::{Comparison, Report, Row, Work};

    /// A row with rounds a tenth below and above its figure.
    pub(in crate::report) fn row(proxy: &str, median: f64) -> Row {
        let role = match proxy {
            "floor" | "before" => proxy,
            _ if proxy.starts_with("sluicegate") => "gateway",
            _ => "peer",
        };
        Row {
            proxy: proxy.to_owned(),
            role: role.to_owned(),
            median: Some(median),
            min: Some(median * 0.9),
            max: Some(median * 1.1),
            ..Row::default()
        }
    }

    /// A work with these rows, measured in CPU time for a request.
    pub(in crate::report) fn work(name: &str, rows: &[(&str, f64)]) -> Work {
        Work {
            name: name.to_owned(),
            about: format!("about {name}"),
            unit: "CPU us/request".to_owned(),
            rows: rows.iter().map(|(proxy, median)| row(proxy, *median)).collect(),
            ..Work::default()
        }
    }

    /// A row and what it is compared with, and what is to be reached.
    pub(in crate::report) fn compared(one: &str, other: Option<&str>, at_most: f64) -> Comparison {
        Comparison {
            one: one.to_owned(),
            other: other.map(str::to_owned),
            at_most: Some(at_most),
            ..Comparison::default()
        }
    }

    /// A report of these works.
    pub(in crate::report) fn report(works: Vec<Work>) -> Report {
        Report { command: "loadtest compare".to_owned(), rounds: 5, works, ..Report::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_today_is_read_and_what_it_lacks_is_empty() {
        let text = r#"{"format": 2, "command": "c", "cores": {"load": 0, "proxy": 1}, "revision": null, "rounds": 3, "unknown": [],
            "works": [{"name": "h1", "unit": "CPU us/request", "comparisons":
                [{"what": "sluicegate / nginx", "value": 0.9, "by_round": [0.8, 1.0], "at_most": null, "reached": null}],
              "rows": [{"proxy": "nginx", "median": null, "min": null, "rounds": [1.0], "errors": ["round 2: closed"]}]}]}"#;
        let report = Report::parse(text).unwrap();
        assert_eq!((report.cores.proxy, report.rounds, report.revision), (1, 3, None));
        let work = &report.works[0];
        assert_eq!(work.rows[0].figure(), None);
        assert_eq!(work.rows[0].errors, ["round 2: closed"]);
        assert_eq!(work.comparisons[0].by_round, Some([0.8, 1.0]));
    }

    #[test]
    fn what_is_no_report_is_refused() {
        assert!(Report::parse("[]").is_err());
        assert!(Report::parse("{\"format\": 2, \"works\": 1}").is_err());
    }

    #[test]
    fn a_file_of_another_format_is_refused_with_a_sentence() {
        assert_eq!(Report::parse("{\"format\": 2}").unwrap(), Report::default());
        for (text, told) in [
            ("{\"works\": []}", "its `format` is null, and not 2"),
            ("{\"format\": 1}", "its `format` is 1, and not 2"),
            ("{\"format\": 3, \"works\": []}", "its `format` is 3, and not 2"),
            ("{\"format\": \"2\"}", "its `format` is \"2\", and not 2"),
        ] {
            let error = Report::parse(text).unwrap_err().to_string();
            assert!(error.contains(told), "{text}: {error}");
        }
    }

    #[test]
    fn an_origin_is_one_or_not_told() {
        let label = |text: &str| {
            let origin = Report::parse(text).unwrap().origin;
            origin.map(|program| program.label)
        };
        assert_eq!(label(r#"{"format": 2, "origin": {"label": "nginx"}}"#).as_deref(), Some("nginx"));
        assert_eq!(label(r#"{"format": 2, "origin": null}"#), None);
    }
}
