//! What is made of a finished run, from its file of JSON alone, so that it can be made again at any time.
//!
//! - `data`: what the file says;
//! - `standing`: the best peer, ratios to it, what is to be reached;
//! - `picture`: the document of SVG, of `bars` and `curves`;
//! - `bars`: a group for each work, a bar for each proxy;
//! - `curves`: latency by percentile, a panel for each load;
//! - `draw`: lines, boxes and words in colours for light and dark paper;
//! - `scale`: from values to places;
//! - `xml`: elements and escaped text;
//! - `markdown`: the report in Markdown;
//! - `readme`: the section of the README;
//! - `agree`: whether two runs agree;
//! - `words`, `date`: figures, text and times as they are written.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Subcommand;

use crate::compare::Verdict;
use crate::error::{During, Error, Result};

mod data;
mod standing;
mod picture;
mod bars;
mod curves;
mod draw;
mod scale;
mod xml;
mod markdown;
mod readme;
mod agree;
mod words;
mod date;

use data::Report;

/// What can be done with the file of a finished run.
#[derive(Debug, Clone, PartialEq, Subcommand)]
pub(crate) enum Command {
    /// Draws the picture and writes the Markdown report of a file of JSON: report.svg and report.md.
    Report {
        /// What a run has written.
        file: PathBuf,
        /// The folder to write into [default: the one of FILE].
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Compares the ratios of sluicegate to the best peer in two runs: exit code 1 if any is too far apart.
    Agree {
        /// What the first run has written.
        first: PathBuf,
        /// What the second run has written.
        second: PathBuf,
        /// How far two ratios may be apart, in percent of the smaller one.
        #[arg(long, value_name = "PERCENT", default_value_t = 5.0, value_parser = parse_percent)]
        within: f64,
    },
    /// Writes the comparison of a file of JSON between the marks of the README.
    Readme {
        /// What a run has written.
        file: PathBuf,
        /// The README.
        #[arg(long, value_name = "FILE", default_value = "README.md")]
        into: PathBuf,
    },
}

/// Does it.
pub(crate) fn run(command: &Command) -> Result<Verdict> {
    match command {
        Command::Report { file, out } => {
            let out = out.as_deref().unwrap_or_else(|| folder_of(file));
            write(file, out)?;
            println!("{}\n{}", out.join("report.svg").display(), out.join("report.md").display());
            Ok(Verdict::Complete)
        }
        Command::Agree { first, second, within } => {
            let agreement = agree::Agreement::of(&Report::read(first)?, &Report::read(second)?);
            print!("{}", agreement.table(within / 100.0));
            Ok(if agreement.holds(within / 100.0) { Verdict::Complete } else { Verdict::Apart })
        }
        Command::Readme { file, into } => {
            let section = readme::section(Some(&Report::read(file)?));
            let text = fs::read_to_string(into).during(|| format!("reading {}", into.display()))?;
            let text = readme::put(&text, &section)
                .map_err(|why| Error::Failed(format!("{}: {why}", into.display())))?;
            fs::write(into, text).during(|| format!("writing {}", into.display()))?;
            Ok(Verdict::Complete)
        }
    }
}

fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."))
}

/// Writes `report.svg` and `report.md` of what is in `file` into the folder `out`, which is made if it is not there.
pub(crate) fn write(file: &Path, out: &Path) -> Result<()> {
    let report = Report::read(file)?;
    fs::create_dir_all(out).during(|| format!("creating {}", out.display()))?;
    for (name, text) in [("report.svg", picture::svg(&report)), ("report.md", markdown::text(&report))] {
        let path = out.join(name);
        fs::write(&path, text).during(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

fn parse_percent(text: &str) -> std::result::Result<f64, String> {
    match text.parse::<f64>() {
        Ok(percent) if percent.is_finite() && percent >= 0.0 => Ok(percent),
        _ => Err("a number of percent is expected, as in 5 or 2.5".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(subcommand)]
        command: Command,
    }

    #[test]
    fn a_run_is_written_beside_its_file_unless_told_otherwise() {
        assert_eq!(
            ["a.json", "x/a.json", "/a.json"].map(|f| folder_of(Path::new(f))),
            [".", "x", "/"].map(Path::new)
        );
    }

    #[test]
    fn how_far_apart_is_a_number_of_percent() {
        let parse = |words: &[&str]| {
            let words = ["loadtest", "agree", "a.json", "b.json"].iter().chain(words);
            Line::try_parse_from(words).map(|line| line.command)
        };
        let with = |within| Command::Agree { first: "a.json".into(), second: "b.json".into(), within };
        assert_eq!(parse(&[]).unwrap(), with(5.0));
        assert_eq!(parse(&["--within", "2.5"]).unwrap(), with(2.5));
        for bad in ["-1", "five", "inf", "NaN"] {
            assert!(parse(&["--within", bad]).is_err(), "{bad}");
        }
    }
}
