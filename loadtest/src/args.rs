//! The command line.

use std::path::PathBuf;

use clap::Parser;
use clap::builder::{PossibleValue, PossibleValuesParser};

use crate::machine::Cores;
use crate::proxies::Proxy;
use crate::report;
use crate::works::WORKS;

/// Measures sluicegate beside nginx, HAProxy and Envoy: CPU time per request, memory per idle connection.
///
/// Installs what is missing (as root on Debian; Envoy into target/loadtest), builds the gateway, starts an origin and each
/// proxy with one worker on a core of its own, measures in turns, prints a table for each work, and stops what it started.
#[derive(Debug, Parser)]
#[command(name = "loadtest", version, max_term_width = 110, args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    /// What to do with the file of a finished run, instead of a run.
    #[command(subcommand)]
    pub(crate) command: Option<report::Command>,

    /// Runs of each proxy in each work; the table shows the median of them.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) rounds: u16,

    /// Seconds of each run of the load generator.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=3600))]
    pub(crate) secs: u16,

    /// The works to do, in this order.
    #[arg(long, value_delimiter = ',', default_values_t = work_names(), value_parser = work_parser(), hide_default_value = true)]
    pub(crate) work: Vec<String>,

    /// The proxies to measure, in this order.
    #[arg(long, value_delimiter = ',', value_enum, default_values = ["nginx", "haproxy", "envoy", "sluicegate"])]
    pub(crate) proxies: Vec<Proxy>,

    /// A gateway that is built already, measured instead of building one.
    #[arg(long, value_name = "FILE")]
    pub(crate) gateway: Option<PathBuf>,

    /// Another build of the gateway, measured as one more row: the cost before a change, beside the cost after it.
    #[arg(long, value_name = "FILE")]
    pub(crate) before: Option<PathBuf>,

    /// The core of load generator and origin, and the core of the proxies [default: the first two allowed ones].
    #[arg(long, value_name = "LOAD,PROXY", value_parser = parse_cores)]
    pub(crate) cores: Option<Cores>,

    /// Also write everything to this file as JSON.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// Install nothing: rows of programs that are missing are left out, and named.
    #[arg(long)]
    pub(crate) no_install: bool,
}

fn work_names() -> Vec<String> {
    WORKS.iter().map(|work| work.name.to_owned()).collect()
}

fn work_parser() -> PossibleValuesParser {
    PossibleValuesParser::new(WORKS.iter().map(|work| PossibleValue::new(work.name).help(work.about)))
}

fn parse_cores(text: &str) -> Result<Cores, String> {
    let parse = |number: &str| number.trim().parse::<usize>().ok();
    let cores = text
        .split_once(',')
        .and_then(|(load, proxy)| Some(Cores { load: parse(load)?, proxy: parse(proxy)? }));
    match cores {
        None => Err("two numbers of cores are expected, as in 0,1".to_owned()),
        Some(Cores { load, proxy }) if load == proxy => Err("the two cores must differ".to_owned()),
        Some(cores) => Ok(cores),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_by_default() {
        let args = Args::try_parse_from(["loadtest"]).unwrap();
        assert_eq!(args.work.len(), WORKS.len());
        assert_eq!(args.proxies, [Proxy::Nginx, Proxy::Haproxy, Proxy::Envoy, Proxy::Sluicegate]);
        assert_eq!((args.rounds, args.secs, args.no_install), (3, 3, false));
    }

    #[test]
    fn lists_are_separated_by_commas() {
        let words = ["loadtest", "--work", "h1,idle", "--proxies", "sluicegate,nginx", "--cores", "2,3"];
        let args = Args::try_parse_from(words).unwrap();
        assert_eq!(args.work, ["h1", "idle"]);
        assert_eq!(args.proxies, [Proxy::Sluicegate, Proxy::Nginx]);
        assert_eq!(args.cores, Some(Cores { load: 2, proxy: 3 }));
    }

    #[test]
    fn what_does_not_exist_is_refused() {
        for words in [
            ["--work", "h9"],
            ["--proxies", "before"],
            ["--cores", "1"],
            ["--cores", "1,1"],
            ["--rounds", "0"],
        ] {
            assert!(Args::try_parse_from(["loadtest"].into_iter().chain(words)).is_err(), "{words:?}");
        }
    }
}
