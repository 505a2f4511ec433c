//! Runs wrk and reads what it reports.

use std::time::Duration;

use crate::error::{Error, Result};
use crate::load::{self, GRACE, Report, Shot};
use crate::process::{self, Finished, Interrupt, Invocation};
use crate::programs::{Inventory, Program};
use crate::subjects::Listener;
use crate::workspace::Workspace;

/// The file, in the folder of this run, that makes wrk post.
const SCRIPT_FILE: &str = "post.lua";

/// A new connection for every request.
const CLOSE: &str = "Connection: close";

/// What wrk is to do.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Load {
    /// Where it comes in.
    pub(crate) listener: Listener,
    /// Path of the URL.
    pub(crate) path: &'static str,
    /// Connections, all of them busy all the time.
    pub(crate) connections: usize,
    /// Headers beyond wrk's own, as `Name: value`.
    pub(crate) headers: &'static [&'static str],
    /// Length of the body that each request has: a POST instead of a GET, if it has one.
    pub(crate) posted_bytes: usize,
    /// Length of the body that the answer must have; looked at once, before wrk begins.
    pub(crate) body_bytes: usize,
}

impl Load {
    /// Small answers over so many connections that are kept.
    pub(crate) const fn small(listener: Listener, connections: usize) -> Load {
        Load { listener, path: "/", connections, headers: &[], posted_bytes: 0, body_bytes: 12 }
    }

    /// Answers of 16 KiB.
    pub(crate) const fn of_16_kib(listener: Listener, connections: usize) -> Load {
        Load { path: "/f/16k", body_bytes: 16 << 10, ..Load::small(listener, connections) }
    }

    /// Answers of 1 MiB.
    pub(crate) const fn of_1_mib(listener: Listener, connections: usize) -> Load {
        Load { path: "/f/1m", body_bytes: 1 << 20, ..Load::small(listener, connections) }
    }

    /// The same with a new connection for each request.
    pub(crate) const fn without_keeping(self) -> Load {
        Load { headers: &[CLOSE], ..self }
    }

    /// The same with a body of 64 KiB on each request.
    pub(crate) const fn posting(self) -> Load {
        Load { posted_bytes: 64 << 10, ..self }
    }

    /// Where the floor takes it in: it has a listener of its own for large answers, whatever their bytes mean.
    pub(crate) fn at_floor(&self) -> Load {
        let listener = if self.body_bytes >= 1 << 20 { Listener::Tcp } else { Listener::Http };
        Load { listener, ..self.clone() }
    }

    /// Whether each request has a TLS handshake before it.
    pub(crate) fn shakes_hands(&self) -> bool {
        self.listener == Listener::Tls && self.headers.contains(&CLOSE)
    }

    /// The words after `wrk`, for the table and for starting it.
    pub(crate) fn arguments(&self, authority: &str, secs: u64, script: &str) -> Vec<String> {
        let mut words = vec![
            "-t1".to_owned(),
            format!("-c{}", self.connections),
            format!("-d{secs}s"),
            "--latency".to_owned(),
        ];
        for header in self.headers {
            words.extend(["-H".to_owned(), (*header).to_owned()]);
        }
        if self.posted_bytes > 0 {
            words.extend(["-s".to_owned(), script.to_owned()]);
        }
        // The origin behind a TCP proxy speaks HTTP.
        let scheme = if self.listener.is_tls() { "https" } else { "http" };
        words.push(format!("{scheme}://{authority}{}", self.path));
        words
    }
}

/// One run of wrk.
pub(crate) fn run(
    load: &Load,
    shot: Shot,
    inventory: &Inventory,
    workspace: &Workspace,
    interrupt: &Interrupt,
) -> Result<Report> {
    let what = invocation(load, shot, inventory, workspace)?;
    let longest = Duration::from_secs(shot.secs) + GRACE;
    report(process::run(&what, &workspace.log("wrk"), longest, interrupt)?)
}

/// How it is started.
pub(crate) fn invocation(
    load: &Load,
    shot: Shot,
    inventory: &Inventory,
    workspace: &Workspace,
) -> Result<Invocation> {
    let authority = format!("127.0.0.1:{}", shot.port);
    let mut script = String::new();
    if load.posted_bytes > 0 {
        let text = format!("wrk.method = \"POST\"\nwrk.body = string.rep(\"x\", {})\n", load.posted_bytes);
        script = workspace.write(SCRIPT_FILE, text.as_bytes())?.display().to_string();
    }
    let wrk = inventory.path(Program::Wrk)?;
    Ok(Invocation::pinned(wrk, shot.core).args(load.arguments(&authority, shot.secs, &script)))
}

/// What it says at its end.
pub(crate) fn report(finished: Finished) -> Result<Report> {
    let finished = finished.success("wrk")?;
    let told = parse(&finished.output)
        .ok_or_else(|| Error::Failed(format!("wrk's report is not understood:\n{}", finished.output)))?;
    if told.requests == 0 {
        return Err(Error::failed("wrk got no answer at all"));
    }
    let (p99_ms, slowest_ms) = (Some(told.p99_ms), told.slowest_ms);
    Ok(Report { requests: told.requests, p99_ms, slowest_ms, errors: told.errors, wall: finished.wall })
}

/// What wrk counted.
#[derive(Debug, PartialEq)]
struct Told {
    requests: u64,
    p99_ms: f64,
    slowest_ms: Option<f64>,
    /// The lines on errors of sockets and on statuses other than 2xx and 3xx.
    errors: Option<String>,
}

fn parse(report: &str) -> Option<Told> {
    let lines = || report.lines().map(str::trim);
    let requests = lines().find_map(|line| line.split_once(" requests in ")?.0.parse().ok())?;
    let p99_ms = lines().find_map(|line| load::parse_ms(line.strip_prefix("99%")?.trim()))?;
    let bad: Vec<&str> =
        lines().filter(|line| line.starts_with("Socket errors") || line.starts_with("Non-2xx")).collect();
    // Mean, deviation, maximum, and how many were within one deviation.
    let slowest = lines().find_map(|line| line.strip_prefix("Latency ")?.split_whitespace().nth(2));
    let errors = (!bad.is_empty()).then(|| bad.join("; "));
    Some(Told { requests, p99_ms, slowest_ms: slowest.and_then(load::parse_ms), errors })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "Running 1s test @ http://127.0.0.1:9991/
  1 threads and 4 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency    67.54us   65.97us   2.08ms   99.11%
    Req/Sec    50.09k     4.81k   59.87k    72.73%
  Latency Distribution
     50%   65.00us
     75%   81.00us
     90%   99.00us
     99%  159.00us
  54699 requests in 1.10s, 8.35MB read
Requests/sec:  49744.90
Transfer/sec:      7.59MB
";

    #[test]
    fn reads_a_report() {
        let told = Told { requests: 54_699, p99_ms: 0.159, slowest_ms: Some(2.08), errors: None };
        assert_eq!(parse(GOOD), Some(told));
    }

    #[test]
    fn reads_errors() {
        let bad = format!(
            "{GOOD}  Socket errors: connect 0, read 7, write 0, timeout 1\n  Non-2xx or 3xx responses: 12\n"
        );
        let errors = "Socket errors: connect 0, read 7, write 0, timeout 1; Non-2xx or 3xx responses: 12";
        assert_eq!(parse(&bad).and_then(|told| told.errors).as_deref(), Some(errors));
    }

    #[test]
    fn what_is_no_report_is_none() {
        assert_eq!(parse("unable to connect to 127.0.0.1:9991 Connection refused\n"), None);
        assert_eq!(parse(&GOOD.replace("99% ", "98% ")), None);
    }

    #[test]
    fn hands_are_shaken_where_tls_connections_are_not_kept() {
        assert!(Load::small(Listener::Tls, 1).without_keeping().shakes_hands());
        assert!(!Load::small(Listener::Tls, 1).shakes_hands());
        assert!(!Load::small(Listener::Http, 1).without_keeping().shakes_hands());
    }

    #[test]
    fn the_command_is_the_one_of_the_table() {
        let load = Load::of_1_mib(Listener::Tcp, 16).without_keeping();
        let words = load.arguments("127.0.0.1:80", 3, "");
        assert_eq!(words.join(" "), "-t1 -c16 -d3s --latency -H Connection: close http://127.0.0.1:80/f/1m");
        let words = Load::small(Listener::Tls, 64).arguments("127.0.0.1:443", 3, "");
        assert_eq!(words.join(" "), "-t1 -c64 -d3s --latency https://127.0.0.1:443/");
        let words = Load::small(Listener::Http, 16).posting().arguments("PROXY", 1, "SCRIPT");
        assert_eq!(words.join(" "), "-t1 -c16 -d1s --latency -s SCRIPT http://PROXY/");
    }

    #[test]
    fn the_floor_takes_large_answers_where_it_has_large_buffers() {
        assert_eq!(Load::of_1_mib(Listener::Http, 16).at_floor().listener, Listener::Tcp);
        assert_eq!(Load::of_16_kib(Listener::Http, 16).at_floor().listener, Listener::Http);
    }
}
