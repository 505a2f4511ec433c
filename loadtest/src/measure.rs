//! Runs a work: in rounds, in each round every subject in turn, so that what else happens on the machine hits all alike.

use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::Path;
use std::time::Duration;

use crate::client::{Answer, Connection};
use crate::counters::Counters;
use crate::error::{During, Error, Result};
use crate::figure::{Inside, LoadSample, Row, Sample};
use crate::fleet::{Fleet, Ground, Running};
use crate::h2load::{self, Streams};
use crate::load::{Report, Shot};
use crate::nghttp;
use crate::process::{self, Invocation};
use crate::procfs::{self, Cpu};
use crate::proxies::{self, Listener, Setup, Subject};
use crate::rings::Rings;
use crate::tls::Client;
use crate::works::{Kind, Waiting, Work};
use crate::wrk::{self, Load};

/// Before the memory of idle connections is read: for buffers that are given back late.
const IDLE_REST: Duration = Duration::from_secs(1);
/// Descriptors that this tool and a proxy need beside those of connections.
const OWN_FILES: u64 = 300;
/// A configuration that takes longer has failed.
const CHECK_MAX: Duration = Duration::from_secs(120);
/// What sluicegate calls the connections that it accepted (for HTTP, and for bytes), those that it opened, and the requests
/// sent again.
const ADMITTED: [&str; 2] = ["envoy_http_downstream_cx_total", "envoy_tcp_downstream_cx_total"];
const OPENED: &str = "envoy_cluster_upstream_cx_total";
const RETRIED: [&str; 2] = ["envoy_cluster_upstream_rq_retry", "sluicegate_upstream_rq_resent_total"];
/// What it calls the requests that it took, and the times that a client's connection with HTTP/2 sent
/// what had gathered.
const TAKEN: &str = "envoy_http_downstream_rq_total";
const FLUSHED: &str = "sluicegate_http2_flushes_total";

/// How often and how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    /// Runs of each subject.
    pub(crate) rounds: usize,
    /// Seconds of each run of a load generator.
    pub(crate) secs: u64,
}

/// A work that is done.
pub(crate) struct Outcome {
    /// Which.
    pub(crate) work: &'static Work,
    /// A row for each subject, in their order.
    pub(crate) rows: Vec<Row>,
    /// What else is to be told, a line each.
    pub(crate) notes: Vec<String>,
}

/// Does a work; an error only if the person wants to stop.
pub(crate) fn measure(
    work: &'static Work,
    subjects: &[Subject],
    effort: Effort,
    fleet: &mut Fleet<'_>,
) -> Result<Outcome> {
    let mut rows: Vec<Row> = subjects.iter().map(|subject| Row::of(*subject)).collect();
    for round in 1..=effort.rounds {
        for row in &mut rows {
            eprintln!("loadtest: {}, round {round} of {}: {}", work.name, effort.rounds, row.subject.label());
            match sample(work, row.subject, effort.secs, fleet) {
                Ok(sample) => row.samples.push(sample),
                Err(Error::Interrupted) => return Err(Error::Interrupted),
                Err(Error::Failed(sentence)) => {
                    fleet.stop(row.subject);
                    row.failures.push(format!("round {round}: {sentence}"));
                }
            }
        }
    }
    let mut notes: Vec<String> = rows.iter().filter_map(inside_note).collect();
    for row in rows.iter().filter(|row| row.subject.setup != Setup::Plain) {
        fleet.stop(row.subject);
        if row.subject.setup == Setup::Logging {
            notes.push(log_note(row, &fleet.ground.workspace.run)?);
        }
    }
    Ok(Outcome { work, rows, notes })
}

fn sample(work: &Work, subject: Subject, secs: u64, fleet: &mut Fleet<'_>) -> Result<Sample> {
    match &work.kind {
        Kind::Wrk(load) => {
            let ground = fleet.ground;
            under_wrk(load, secs, fleet.running(subject)?, ground)
        }
        Kind::H2load(streams) => {
            let ground = fleet.ground;
            under_h2load(streams, secs, fleet.running(subject)?, ground)
        }
        Kind::Idle(waiting) => {
            // A process that has served other works has memory to spare, which would hide its growth.
            fleet.stop(subject);
            let ground = fleet.ground;
            let sample = idle(*waiting, fleet.running(subject)?, ground);
            fleet.stop(subject);
            sample
        }
        Kind::Check => check(subject, fleet),
    }
}

fn under_wrk(load: &Load, secs: u64, running: &mut Running, ground: &Ground) -> Result<Sample> {
    let client = ground.identity.client()?;
    let mut connection = connect(running, load.listener, &client)?;
    expect_answer(&connection.get(load.path, load.headers)?, load.body_bytes)?;
    if load.shakes_hands() {
        expect_full_handshake(load, running, &client)?;
    }
    let shot = Shot { port: running.entrances.port(load.listener), secs, core: ground.machine.cores.load };
    under_load(running, || wrk::run(load, shot, &ground.inventory, &ground.workspace, &ground.interrupt))
}

fn under_h2load(streams: &Streams, secs: u64, running: &mut Running, ground: &Ground) -> Result<Sample> {
    let Ground { inventory, workspace, interrupt, .. } = ground;
    let port = running.entrances.port(streams.listener);
    nghttp::expect_answer(streams, port, inventory, workspace, interrupt)?;
    let shot = Shot { port, secs, core: ground.machine.cores.load };
    under_load(running, || h2load::run(streams, shot, inventory, workspace, interrupt))
}

/// What the proxy spends while the load generator is at work.
fn under_load(running: &mut Running, generate: impl FnOnce() -> Result<Report>) -> Result<Sample> {
    let before = Look::at(running)?;
    let report = generate();
    running.check_alive()?;
    let report = report?;
    let after = Look::at(running)?;
    if let Some(errors) = report.errors {
        return Err(Error::Failed(errors));
    }
    let spent = after.cpu.since(before.cpu);
    expect_work(spent)?;
    let requests = count(report.requests);
    let load = LoadSample {
        user_share: spent.user / spent.total(),
        rate: requests / report.wall.as_secs_f64(),
        busy: spent.total() / report.wall.as_secs_f64(),
        p99_ms: report.p99_ms,
        requests,
        inside: after.inside_since(&before, requests),
    };
    Ok(Sample { cost: 1e6 * spent.total() / requests, load: Some(load) })
}

/// All that a proxy and the kernel tell of it at one moment.
struct Look {
    counters: Option<Counters>,
    rings: Rings,
    cpu: Cpu,
}

impl Look {
    /// Telling costs CPU time too: a few ten microseconds, in a run of seconds.
    fn at(running: &Running) -> Result<Look> {
        let counters = running.admin_port.and_then(Counters::scrape);
        Ok(Look { counters, rings: Rings::of(running.id()), cpu: procfs::cpu(running.id())? })
    }

    fn inside_since(&self, earlier: &Look, requests: f64) -> Inside {
        let counters = self.counters.as_ref().zip(earlier.counters.as_ref());
        let growth = |name: &str| counters.and_then(|(now, before)| now.growth(before, name));
        let ring = self.rings.since(&earlier.rings);
        // Counters without a use in this work tell nothing of it.
        let flushes = growth(FLUSHED).filter(|flushes| *flushes > 0.0);
        let taken = growth(TAKEN).filter(|taken| *taken > 0.0).unwrap_or(requests);
        Inside {
            admitted: ADMITTED.into_iter().filter_map(growth).reduce(|sum, more| sum + more),
            opened: growth(OPENED),
            retried: RETRIED.into_iter().filter_map(growth).reduce(|sum, more| sum + more),
            flushes: flushes.map(|flushes| flushes / taken),
            submissions: ring.map(|work| count(work.submissions) / requests),
            completions: ring.map(|work| count(work.completions) / requests),
        }
    }
}

fn connect(running: &Running, listener: Listener, client: &Client) -> Result<Connection> {
    let port = running.entrances.port(listener);
    if listener.is_tls() { Connection::open_tls(port, client) } else { Connection::open(port) }
}

/// wrk resumes a session wherever it may, at a third of the cost: that is another work.
fn expect_full_handshake(load: &Load, running: &Running, client: &Client) -> Result<()> {
    let mut second = connect(running, load.listener, client)?;
    expect_answer(&second.get(load.path, load.headers)?, load.body_bytes)?;
    if second.is_resumed() {
        return Err(Error::failed("it resumes sessions, so its handshakes are not full ones"));
    }
    Ok(())
}

fn idle(waiting: Waiting, running: &mut Running, ground: &Ground) -> Result<Sample> {
    let Waiting { listener, connections } = waiting;
    let client = ground.identity.client()?;
    let needed = connections as u64 + OWN_FILES;
    if ground.machine.open_files < needed {
        return Err(Error::Failed(format!(
            "{connections} connections need a limit of {needed} open files, the hard limit is {}",
            ground.machine.open_files
        )));
    }
    let before = procfs::memory_kib(running.id())?;
    let mut open = Vec::with_capacity(connections);
    for number in 1..=connections {
        ground.interrupt.check()?;
        let answered = connect(running, listener, &client).and_then(|mut connection| {
            expect_answer(&connection.get("/", &[])?, 12)?;
            Ok(connection)
        });
        match answered {
            Ok(connection) => open.push(connection),
            Err(error) => {
                return Err(Error::Failed(format!("connection {number} of {connections}: {error}")));
            }
        }
    }
    ground.interrupt.sleep(IDLE_REST)?;
    let after = procfs::memory_kib(running.id())?;
    let kept = open.iter_mut().filter_map(|connection| connection.is_idle().then_some(())).count();
    if kept < connections {
        return Err(Error::Failed(format!("only {kept} of {connections} connections were kept open")));
    }
    running.check_alive()?;
    Ok(Sample { cost: (count(after) - count(before)) / count(connections as u64), load: None })
}

fn check(subject: Subject, fleet: &mut Fleet<'_>) -> Result<Sample> {
    let (places, configuration) = fleet.configure(subject)?;
    let ground = fleet.ground;
    let what = Invocation::pinned(&places.program, places.proxy_core).arg("check").arg(configuration);
    let finished = process::run(&what, &ground.workspace.log("check"), CHECK_MAX, &ground.interrupt)?;
    let finished = finished.success("sluicegate check")?;
    let cpu =
        finished.cpu.ok_or_else(|| Error::failed("the CPU time of sluicegate check could not be read"))?;
    expect_work(cpu)?;
    Ok(Sample { cost: 1e3 * cpu.total(), load: None })
}

fn expect_answer(answer: &Answer, body_bytes: usize) -> Result<()> {
    if answer.status == 200 && answer.body.len() == body_bytes {
        return Ok(());
    }
    Err(Error::Failed(format!(
        "the answer has status {} and {} bytes, not status 200 and {body_bytes} bytes",
        answer.status,
        answer.body.len()
    )))
}

/// A figure of nothing means that it was not this process that did the work.
fn expect_work(spent: Cpu) -> Result<()> {
    if spent.total() > 0.0 {
        Ok(())
    } else {
        Err(Error::failed("it spent no CPU time, so it cannot have done the work"))
    }
}

fn inside_note(row: &Row) -> Option<String> {
    let known = row.samples.last()?.load.as_ref()?.inside.known();
    let told: Vec<String> = known.iter().map(|(name, value)| format!("{} {name}", short(*value))).collect();
    (!told.is_empty()).then(|| format!("{}, last round: {}", row.subject.label(), told.join(", ")))
}

/// Counts as they are, ratios with two digits, or three where many requests share one of what is counted.
fn short(value: f64) -> String {
    match value {
        _ if value.fract() == 0.0 => format!("{value:.0}"),
        _ if value < 1.0 => format!("{value:.3}"),
        _ => format!("{value:.2}"),
    }
}

/// A log that loses lines would make logging look cheap.
fn log_note(row: &Row, run: &Path) -> Result<String> {
    let path = proxies::access_log(row.subject, run);
    let Ok(file) = File::open(&path) else {
        return Ok(format!("{}: no access log was written", row.subject.label()));
    };
    let lines = BufReader::new(file).bytes().filter(|byte| matches!(byte, Ok(b'\n'))).count();
    let loads = row.samples.iter().filter_map(|sample| sample.load.as_ref());
    let requests: f64 = loads.map(|load| load.requests).sum();
    fs::remove_file(&path).during(|| format!("removing {}", path.display()))?;
    Ok(format!("{}: {lines} lines in the access log for {requests:.0} requests", row.subject.label()))
}

#[expect(clippy::cast_precision_loss, reason = "counts of one run stay far below 2^52")]
fn count(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sends_of_http2_are_told_by_request_where_they_are_counted() {
        let look = |page: &str| Look {
            counters: Some(Counters::parse(page)),
            rings: Rings::default(),
            cpu: Cpu::default(),
        };
        let flushes = |earlier: &str, later: &str| look(later).inside_since(&look(earlier), 100.0).flushes;
        let counted = "sluicegate_http2_flushes_total{shard=\"0\"} 15\nenvoy_http_downstream_rq_total 210\n";
        let before = "sluicegate_http2_flushes_total{shard=\"0\"} 5\nenvoy_http_downstream_rq_total 10\n";
        assert_eq!(flushes(before, counted), Some(0.05));
        assert_eq!(flushes("", "sluicegate_http2_flushes_total 10\n"), Some(0.1), "by those of h2load");
        assert_eq!(flushes(counted, counted), None, "HTTP/2 was not spoken");
        assert_eq!(flushes("", "envoy_http_downstream_rq_total 10\n"), None, "an older build");
    }

    #[test]
    fn shares_of_a_request_keep_their_digits() {
        assert_eq!([12.0, 1.5, 0.034].map(short), ["12", "1.50", "0.034"]);
    }
}
