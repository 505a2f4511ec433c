//! Sockets, shards, log: from a snapshot to a running gateway.

use super::{
    Bound, Command, Credentials, Descriptors, Gateway, Handover, KeyState, Known, Load, LoadCounts,
    LogOptions, MetricsWorkload, Shard, Sockets, State, Workers, health,
    log_writer::Logs,
    otlp::{self, ExportStatus},
    ports::Reservation,
};
use crate::{
    driver::{self, Bells, DriverChoice},
    listener::{Balance, BindError},
    shard::{self, Limits, Plan, Report, ShardId, ShardListener},
    table::{AccessLogging, Snapshot},
    telemetry::{LogSet, LogTarget},
};
use std::{
    cell::{Cell, OnceCell, RefCell},
    fmt, io,
    rc::Rc,
    sync::{Arc, mpsc::Sender},
    time::{Duration, Instant, SystemTime},
};
use tokio::sync::{Notify, mpsc};

/// Commands of pages that may wait. One does what ten do.
const COMMANDS_MAX: usize = 8;

/// Everything a gateway starts with.
pub struct Setup {
    /// What is served.
    pub snapshot: Snapshot,
    /// What its TLS names.
    pub credentials: Credentials,
    /// What is known of its files.
    pub known: Arc<Known>,
    /// What it was made of, as the user named it.
    pub inputs: Vec<String>,
    /// The workers.
    pub workers: Workers,
    /// What they run on.
    pub driver: DriverChoice,
    /// How many files may be open.
    pub descriptors: Descriptors,
    /// What the command line says of the access log.
    pub log: LogOptions,
    /// How long a drain may take.
    pub drain_time: Duration,
    /// Who it is in metrics.
    pub workload: MetricsWorkload,
    /// For how long clients are accepted after ready has begun to say no.
    pub drain_accept: Duration,
    /// How long connections of a listener may take that a reload has removed.
    pub reload_drain_time: Duration,
    /// How long a TLS client may take for its ClientHello, and as much again for the rest of the handshake.
    pub handshake_timeout: Duration,
    /// Its listening sockets: those from outside, to begin with.
    pub sockets: Rc<Sockets>,
    /// The processes before and after this one.
    pub handover: Handover,
    /// Ports that are kept for the listeners until those are bound.
    pub reserved: Reservation,
    /// How the configuration was loaded.
    pub load: Load,
    /// Workers hand connections to those that have fewer.
    pub balances: bool,
}

/// Why a gateway can't start. Nothing runs then.
#[derive(Debug)]
pub enum StartError {
    /// A listener can't be bound.
    Bind(BindError),
    /// The access log can't be opened.
    Log(LogTarget, io::Error),
    /// A shard's thread can't be started.
    Shard(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Bind(error) => error.fmt(f),
            StartError::Log(target, error) => write!(f, "can't write the access log to {target}: {error}"),
            StartError::Shard(error) => write!(f, "can't start a worker: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

/// Binds everything, then starts the shards. They report to `reports` when they serve. The receiver gets what pages ask
/// for.
///
/// # Errors
/// Whatever can't be had; shards that run already end with the process.
pub fn start(
    setup: Setup,
    reports: &Sender<Report>,
) -> Result<(Rc<Gateway>, mpsc::Receiver<Command>), StartError> {
    let workers = setup.workers.cpus.len();
    let snapshot = first(setup.snapshot);
    let (listeners, per_shard) = bind_all(&snapshot, &setup.sockets, workers).map_err(StartError::Bind)?;
    setup.sockets.close_unused();
    drop(setup.reserved);
    let (logs, mut log_sets) = start_logs(setup.log, &snapshot.telemetry.access_log, workers)?;
    let mut limits = Limits { handshake_timeout: setup.handshake_timeout, ..Limits::default() };
    limits.connections = setup.descriptors.connections_per_worker(workers, limits.connections);
    let (spans, to_export) = otlp::channel(workers);
    let mut shards = Vec::new();
    let bells = Arc::new(Bells::new(workers));
    let mut balance = Balance::new(if setup.balances { workers } else { 0 }, &bells).into_iter();
    for ((id, listeners), cpu) in per_shard.into_iter().enumerate().zip(setup.workers.cpus) {
        let plan = Plan {
            id: ShardId(id),
            cpu,
            driver: setup.driver,
            snapshot: Arc::clone(&snapshot),
            tls: setup.credentials.initial(),
            listeners,
            limits: limits.clone(),
            hostname: hostname(),
            log: log_sets.pop().unwrap_or_default(),
            spans: Some(spans.clone()),
            reports: reports.clone(),
            bells: Arc::clone(&bells),
            balance: balance.next().flatten(),
            reload_drain_time: setup.reload_drain_time,
        };
        let handle = shard::start(plan).map_err(StartError::Shard)?;
        shards.push(Shard { handle, cpu, driver: OnceCell::new(), ended: Cell::new(false) });
    }
    let (commands, asked) = mpsc::channel(COMMANDS_MAX);
    let gateway = Gateway {
        token_keys: RefCell::new(KeyState::all(snapshot.authentication.as_deref(), &[])),
        snapshot: RefCell::new(snapshot),
        known: RefCell::new(setup.known),
        inputs: setup.inputs,
        listeners: RefCell::new(listeners.into()),
        loads: RefCell::default(),
        history: RefCell::default(),
        counts: Cell::new(LoadCounts::default()),
        replaced: Notify::new(),
        shards,
        credentials: RefCell::new(setup.credentials),
        resolved: RefCell::default(),
        unanswered: Cell::new(0),
        started: Instant::now(),
        started_at: SystemTime::now(),
        descriptors: setup.descriptors,
        connections_per_worker: limits.connections,
        drain_time: setup.drain_time,
        drain_accept: setup.drain_accept,
        sockets: setup.sockets,
        handover: setup.handover,
        workload: Arc::new(setup.workload),
        logs: RefCell::new(logs),
        spans: RefCell::new(Some(to_export)),
        exports: ExportStatus::default(),
        state: Cell::new(State::Starting),
        commands,
    };
    gateway.record(setup.load);
    Ok((Rc::new(gateway), asked))
}

/// The snapshot as the first generation, with what is kept of its endpoints' health.
fn first(snapshot: Snapshot) -> Arc<Snapshot> {
    let mut snapshot = Snapshot { generation: 1, ..snapshot };
    health::attach(&mut snapshot, Instant::now());
    Arc::new(snapshot)
}

/// The writers of the access logs, and what each worker writes to them.
fn start_logs(
    options: LogOptions,
    files: &AccessLogging,
    workers: usize,
) -> Result<(Logs, Vec<LogSet>), StartError> {
    let started = Logs::start(options, files, workers, &hostname());
    let (logs, sets) = started.map_err(|(target, error)| StartError::Log(target, error))?;
    super::log::info(format_args!("access log: {}", logs.plan()));
    Ok((logs, sets))
}

/// The listeners with their addresses, and every shard's sockets.
type AllBound = (Vec<Bound>, Vec<Vec<ShardListener>>);

fn bind_all(snapshot: &Snapshot, from: &Sockets, workers: usize) -> Result<AllBound, BindError> {
    let (mut bound, mut per_shard) = (Vec::new(), Vec::new());
    per_shard.resize_with(workers, Vec::new);
    for listener in &snapshot.listeners {
        let sockets = from.bind(listener, workers)?;
        let address = sockets.first().and_then(driver::Listener::local_address);
        bound.push(Bound { listener: listener.clone(), address });
        for (socket, shard) in sockets.into_iter().zip(&mut per_shard) {
            shard.push(ShardListener { socket, bind: listener.bind.clone(), chain: listener.chain.clone() });
        }
    }
    Ok((bound, per_shard))
}

/// The name of this host; `localhost` where it can't be read.
pub(super) fn hostname() -> Box<str> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "localhost".into(),
        name => name.into(),
    }
}
