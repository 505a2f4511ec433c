//! What a proxy spends while a load generator is at work.

use crate::client::{Answer, Connection};
use crate::counters::Counters;
use crate::error::{Error, Result};
use crate::figure::{Inside, LoadSample, Sample};
use crate::fleet::{Ground, Running};
use crate::h2load::{self, Streams};
use crate::load::{Report, Shot};
use crate::nghttp;
use crate::procfs::{self, CoreUse, Cpu};
use crate::rings::Rings;
use crate::subjects::Listener;
use crate::tls::Client;
use crate::wrk::{self, Load};

/// What sluicegate calls the connections that it accepted (for HTTP, and for bytes), those that it opened, and the requests
/// sent again.
const ADMITTED: [&str; 2] = ["envoy_http_downstream_cx_total", "envoy_tcp_downstream_cx_total"];
const OPENED: &str = "envoy_cluster_upstream_cx_total";
const RETRIED: [&str; 2] = ["envoy_cluster_upstream_rq_retry", "sluicegate_upstream_rq_resent_total"];
/// What it calls the requests that it took, and the times that a client's connection with HTTP/2 sent
/// what had gathered.
const TAKEN: &str = "envoy_http_downstream_rq_total";
const FLUSHED: &str = "sluicegate_http2_flushes_total";

/// The number of the configuration that it serves by.
const GENERATION: &str = "sluicegate_configuration_generation";

/// Under wrk.
pub(crate) fn under_wrk(load: &Load, secs: u64, running: &mut Running, ground: &Ground) -> Result<Sample> {
    ask_before_wrk(load, running, ground)?;
    let core = ground.machine.cores.load;
    let shot = Shot { port: running.port(load.listener), secs, core };
    let run = || wrk::run(load, shot, &ground.inventory, &ground.workspace, &ground.interrupt);
    under_load(running, core, run)
}

/// An error unless one request is answered as it must be.
pub(crate) fn ask_before_wrk(load: &Load, running: &Running, ground: &Ground) -> Result<()> {
    let client = ground.identity.client()?;
    let mut connection = connect(running, load.listener, &client)?;
    let answer = match load.posted_bytes {
        0 => connection.get(load.path, load.headers)?,
        bytes => connection.post(load.path, load.headers, bytes)?,
    };
    expect_answer(&answer, load.body_bytes)?;
    if load.shakes_hands() { expect_full_handshake(load, running, &client) } else { Ok(()) }
}

/// Under h2load.
pub(crate) fn under_h2load(
    streams: &Streams,
    secs: u64,
    running: &mut Running,
    ground: &Ground,
) -> Result<Sample> {
    ask_before_h2load(streams, running, ground)?;
    let Ground { inventory, workspace, interrupt, .. } = ground;
    let core = ground.machine.cores.load;
    let shot = Shot { port: running.port(streams.listener), secs, core };
    under_load(running, core, || h2load::run(streams, shot, inventory, workspace, interrupt))
}

/// An error unless nghttp gets the answer that it must get.
pub(crate) fn ask_before_h2load(streams: &Streams, running: &Running, ground: &Ground) -> Result<()> {
    let Ground { inventory, workspace, interrupt, .. } = ground;
    nghttp::expect_answer(streams, running.port(streams.listener), inventory, workspace, interrupt)
}

/// Under any load generator, on that core.
pub(crate) fn under_load(
    running: &mut Running,
    load_core: usize,
    generate: impl FnOnce() -> Result<Report>,
) -> Result<Sample> {
    let (core, before) = (CoreUse::of(load_core)?, Look::at(running)?);
    let report = generate();
    running.check_alive()?;
    let report = report?;
    let load_core = CoreUse::of(load_core)?.since(core);
    before.sample_until(&Look::at(running)?, report, load_core)
}

/// All that a proxy and the kernel tell of it at one moment.
pub(crate) struct Look {
    counters: Option<Counters>,
    rings: Rings,
    cpu: Cpu,
}

impl Look {
    /// Telling costs CPU time too: a few ten microseconds, in a run of seconds.
    pub(crate) fn at(running: &Running) -> Result<Look> {
        let counters = running.admin_port.and_then(Counters::scrape);
        Ok(Look { counters, rings: Rings::of(running.id()), cpu: procfs::cpu(running.id())? })
    }

    /// What it came to between two looks, by what the load generator reports and with the use of that one's core.
    pub(crate) fn sample_until(&self, after: &Look, report: Report, load_core: CoreUse) -> Result<Sample> {
        if let Some(errors) = report.errors {
            return Err(Error::Failed(errors));
        }
        let spent = after.cpu.since(self.cpu);
        expect_work(spent)?;
        let requests = count(report.requests);
        let load = LoadSample {
            // The two are divided by ticks, so that of a short time one may come out a little below nothing.
            user_share: (spent.user / spent.total()).clamp(0.0, 1.0),
            rate: requests / report.wall.as_secs_f64(),
            busy: spent.total() / report.wall.as_secs_f64(),
            load_core_busy: load_core.share(),
            p99_ms: report.p99_ms,
            slowest_ms: report.slowest_ms,
            requests,
            latency: None,
            inside: after.inside_since(self, requests),
        };
        Ok(Sample { cost: 1e6 * spent.total() / requests, load: Some(load) })
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
            loads: growth(GENERATION).filter(|loads| *loads > 0.0),
        }
    }
}

/// A connection to that listener; TLS begins with the first request.
pub(crate) fn connect(running: &Running, listener: Listener, client: &Client) -> Result<Connection> {
    let port = running.port(listener);
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

/// An error unless the answer is a good one of that length.
pub(crate) fn expect_answer(answer: &Answer, body_bytes: usize) -> Result<()> {
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
pub(crate) fn expect_work(spent: Cpu) -> Result<()> {
    if spent.total() > 0.0 {
        Ok(())
    } else {
        Err(Error::failed("it spent no CPU time, so it cannot have done the work"))
    }
}

/// As a number to divide.
#[expect(clippy::cast_precision_loss, reason = "counts of one run stay far below 2^52")]
pub(crate) fn count(number: u64) -> f64 {
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
}
