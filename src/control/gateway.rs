//! The running gateway as its control thread and its pages see it.

use super::{
    Credentials, Descriptors, ExportStatus, History, KeyState, Known, handover::Handover, log_writer::Logs,
    sockets::Sockets,
};
use crate::{
    driver::Driver,
    shard::{Handle, Message},
    table::{ClusterId, Endpoint, Endpoints, Listener, Snapshot},
    telemetry::SpanChunk,
};
use std::{
    cell::{Cell, OnceCell, RefCell},
    collections::{BTreeMap, VecDeque},
    fmt,
    net::SocketAddr,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};
use tokio::sync::{Notify, mpsc, oneshot};

/// Where the gateway is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Shards start; names get their first answers.
    Starting,
    /// It serves.
    Ready,
    /// It takes no new connections and lets the present ones end.
    Draining,
    /// All shards have ended.
    Ended,
}

/// What a page asks the control thread to do.
#[derive(Debug)]
pub enum Command {
    /// Drain, then end.
    Drain,
    /// Read the configuration again and serve it.
    Reload(oneshot::Sender<Outcome>),
    /// Have another process of the program, which may be another version, take over.
    Upgrade(oneshot::Sender<Outcome>),
}

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// It was done.
    pub is_done: bool,
    /// For people: what was done, or why it was not; several lines where there are diagnostics.
    pub text: String,
}

/// One load of the configuration: at the start, or a reload.
#[derive(Clone, Debug)]
pub struct Load {
    /// When it began.
    pub at: SystemTime,
    /// What asked for it: `start`, `SIGHUP`, `files changed`, `sluicegate reload`.
    pub why: &'static str,
    /// The generation that it made; nothing if the old one stays.
    pub generation: Option<u64>,
    /// From reading to the last shard.
    pub took: Duration,
    /// What was said, as `sluicegate check` says it in its text form; at most [`DIAGNOSTICS_KEPT`] of it.
    pub diagnostics: Vec<String>,
    /// How many errors there were.
    pub errors: usize,
    /// How many warnings there were.
    pub warnings: usize,
}

/// Numbers of all loads, for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct LoadCounts {
    /// Loads that are served, or were: the start, and reloads.
    pub good: u64,
    /// Reloads that have left things as they were.
    pub failed: u64,
    /// When the last good one was over.
    pub last_good: Option<SystemTime>,
    /// Whether the last one was good.
    pub is_last_good: bool,
    /// Errors of the last one.
    pub errors: usize,
    /// Warnings of the last one.
    pub warnings: usize,
}

impl Load {
    /// The diagnostics with their places, without the pieces of the files: a key may stand in one.
    pub fn without_pieces(&self) -> Vec<String> {
        let is_piece = |line: &&str| {
            let rest = line.trim_start().trim_start_matches(|c: char| c.is_ascii_digit()).trim_start();
            rest.starts_with('|') || rest == "..."
        };
        let whole = self.diagnostics.iter();
        whole.map(|text| text.lines().filter(|line| !is_piece(line)).collect::<Vec<_>>().join("\n")).collect()
    }
}

/// Loads that are kept for pages.
pub const LOADS_KEPT: usize = 20;
/// Diagnostics of one load that are kept for pages. What is behind them is for `sluicegate check`.
pub const DIAGNOSTICS_KEPT: usize = 50;

/// Who the gateway is in Istio's metrics, and which of them there are.
#[derive(Clone, Debug, Default)]
pub struct MetricsWorkload {
    /// `source_workload`
    pub name: String,
    /// `source_workload_namespace`
    pub namespace: String,
    /// Its labels, which `source_canonical_service` and others come from.
    pub labels: BTreeMap<String, String>,
    /// The units of durations.
    pub durations: DurationUnits,
}

/// In which units Istio's metric of durations is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DurationUnits {
    /// `istio_request_duration_milliseconds`, as all versions of Istio have it.
    #[default]
    Milliseconds,
    /// `istio_request_duration_seconds`, as newer dashboards ask for it first.
    Seconds,
    /// Both of them.
    Both,
}

impl DurationUnits {
    /// Whether there are milliseconds.
    pub fn has_milliseconds(self) -> bool {
        self != DurationUnits::Seconds
    }

    /// Whether there are seconds.
    pub fn has_seconds(self) -> bool {
        self != DurationUnits::Milliseconds
    }
}

/// A listener with the address that it got.
#[derive(Clone, Debug)]
pub struct Bound {
    /// As compiled.
    pub listener: Listener,
    /// The address of its sockets; nothing for a Unix socket.
    pub address: Option<SocketAddr>,
}

impl Bound {
    /// The address that it got, as text.
    pub fn text(&self) -> String {
        self.address.map_or_else(|| self.listener.bind.to_string(), |address| address.to_string())
    }
}

/// A shard as the control thread knows it.
pub struct Shard {
    /// To talk to it and to read its numbers.
    pub handle: Handle,
    /// The CPU it is pinned to.
    pub cpu: Option<usize>,
    /// What it runs on, once it has started.
    pub driver: OnceCell<Driver>,
    /// Whether it has ended.
    pub ended: Cell<bool>,
}

/// The running gateway. One thread owns it: the control thread.
pub struct Gateway {
    /// What is served.
    pub(super) snapshot: RefCell<Arc<Snapshot>>,
    /// The files and directories that it was made of, as the user named them.
    pub inputs: Vec<String>,
    /// What is known of the files that the snapshot was made of.
    pub(super) known: RefCell<Arc<Known>>,
    /// Where it listens.
    pub(super) listeners: RefCell<Rc<[Bound]>>,
    /// The shards.
    pub shards: Vec<Shard>,
    /// Certificates, keys and authorities.
    pub credentials: RefCell<Credentials>,
    /// What is known of the keys that tokens are verified with, by source.
    pub token_keys: RefCell<Vec<KeyState>>,
    /// What the resolver has found last, by cluster.
    pub resolved: RefCell<BTreeMap<u32, Arc<[Endpoint]>>>,
    /// Names that have not had their first answer.
    pub(super) unanswered: Cell<usize>,
    /// When it was started.
    pub started: Instant,
    /// The same on the wall clock.
    pub started_at: SystemTime,
    /// How many files may be open.
    pub descriptors: Descriptors,
    /// Connections that each worker may hold.
    pub connections_per_worker: usize,
    /// The access logs.
    pub logs: RefCell<Logs>,
    /// How long a drain may take.
    pub drain_time: Duration,
    /// For how long clients are accepted after ready has begun to say no.
    pub drain_accept: Duration,
    /// Its listening sockets.
    pub sockets: Rc<Sockets>,
    /// The processes before and after this one.
    pub handover: Handover,
    /// Who it is in metrics.
    pub workload: Arc<MetricsWorkload>,
    /// The last loads of the configuration, the latest one at the end.
    pub loads: RefCell<VecDeque<Load>>,
    /// What became of spans.
    pub exports: ExportStatus,
    /// What it did in each of the last seconds, where there are admin pages.
    pub history: RefCell<History>,
    /// Numbers of all loads.
    pub(super) counts: Cell<LoadCounts>,
    /// The snapshot is another one.
    pub(super) replaced: Notify,
    /// Spans from the shards, until the exporter takes them.
    pub(super) spans: RefCell<Option<std::sync::mpsc::Receiver<SpanChunk>>>,
    pub(super) state: Cell<State>,
    pub(super) commands: mpsc::Sender<Command>,
}

impl Gateway {
    /// Where it is in its life.
    pub fn state(&self) -> State {
        self.state.get()
    }

    /// Why it is not ready; nothing if it is.
    pub fn not_ready(&self) -> Option<String> {
        match self.state() {
            State::Ready => None,
            State::Draining => Some("draining".into()),
            State::Ended => Some("ended".into()),
            State::Starting => {
                let started = self.shards.iter().filter(|shard| shard.driver.get().is_some()).count();
                let (all, unanswered) = (self.shards.len(), self.unanswered.get());
                Some(format!(
                    "starting: {started} of {all} workers run, {unanswered} names wait for an answer"
                ))
            }
        }
    }

    /// What is served. Hold it while its clusters and tables are looked at: the next load replaces it.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.borrow())
    }

    /// What is known of the files that the snapshot was made of.
    pub fn known(&self) -> Arc<Known> {
        Arc::clone(&self.known.borrow())
    }

    /// Where it listens.
    pub fn listeners(&self) -> Rc<[Bound]> {
        Rc::clone(&self.listeners.borrow())
    }

    /// Numbers of all loads of the configuration.
    pub fn load_counts(&self) -> LoadCounts {
        self.counts.get()
    }

    /// Remembers a load.
    pub(super) fn record(&self, load: Load) {
        let before = self.counts.get();
        let is_good = load.generation.is_some();
        self.counts.set(LoadCounts {
            good: before.good + u64::from(is_good),
            failed: before.failed + u64::from(!is_good),
            last_good: if is_good { Some(SystemTime::now()) } else { before.last_good },
            is_last_good: is_good,
            errors: load.errors,
            warnings: load.warnings,
        });
        let mut loads = self.loads.borrow_mut();
        if loads.len() == LOADS_KEPT {
            loads.pop_front();
        }
        loads.push_back(load);
    }

    /// Asks the control thread to do something. It is done soon, not yet.
    pub fn command(&self, command: Command) {
        // The channel is full of the same command, or the process ends already.
        let _ = self.commands.try_send(command);
    }

    /// What the resolver has found for a cluster.
    pub fn resolved(&self, cluster: ClusterId) -> Option<Arc<[Endpoint]>> {
        self.resolved.borrow().get(&cluster.0).cloned()
    }

    /// Calls `with` with a cluster's endpoints at present: those of the files, or what the resolver found last.
    pub(super) fn with_endpoints<T>(&self, id: ClusterId, with: impl FnOnce(&[Endpoint]) -> T) -> T {
        match self.snapshot().clusters.get(id.0 as usize).map(|cluster| &cluster.endpoints) {
            Some(Endpoints::Static(list)) => with(list),
            _ => with(&self.resolved(id).unwrap_or_default()),
        }
    }

    /// Tells every shard.
    pub(super) fn tell_all(&self, message: impl Fn() -> Message) {
        self.shards.iter().for_each(|shard| shard.handle.mailbox.send(message()));
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            State::Starting => "starting",
            State::Ready => "ready",
            State::Draining => "draining",
            State::Ended => "ended",
        })
    }
}
