//! Sockets, shards, log: from a snapshot to a running gateway.

use super::{
    Bound, Command, Credentials, Descriptors, Gateway, Handover, KeyState, Known, Load, LoadCounts,
    LogTarget, MetricsWorkload, Shard, Sockets, State, Workers, health,
    log_writer::LogWriter,
    otlp::{self, ExportStatus},
    ports::Reservation,
};
use crate::{
    driver::{self, Bells, DriverChoice},
    listener::{Balance, BindError},
    shard::{self, Limits, Plan, Report, ShardId, ShardListener},
    table::Snapshot,
    telemetry::LogSink,
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
    /// Where the access log goes.
    pub log_target: LogTarget,
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
    let mut snapshot = Snapshot { generation: 1, ..setup.snapshot };
    health::attach(&mut snapshot, Instant::now());
    let snapshot = Arc::new(snapshot);
    let (listeners, per_shard) = bind_all(&snapshot, &setup.sockets, workers).map_err(StartError::Bind)?;
    setup.sockets.close_unused();
    drop(setup.reserved);
    let (log, mut sinks) = start_log(&setup.log_target, workers)?;
    let defaults = Limits::default();
    let connections = setup.descriptors.connections_per_worker(workers, defaults.connections);
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
            limits: Limits { connections, handshake_timeout: setup.handshake_timeout, ..defaults.clone() },
            hostname: hostname(),
            log: sinks.pop(),
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
        connections_per_worker: connections,
        log_target: setup.log_target,
        drain_time: setup.drain_time,
        drain_accept: setup.drain_accept,
        sockets: setup.sockets,
        handover: setup.handover,
        workload: Arc::new(setup.workload),
        log,
        spans: RefCell::new(Some(to_export)),
        exports: ExportStatus::default(),
        state: Cell::new(State::Starting),
        commands,
    };
    gateway.record(setup.load);
    Ok((Rc::new(gateway), asked))
}

/// The writer of the access log, and a sink for each worker; nothing and none where it is off.
fn start_log(target: &LogTarget, workers: usize) -> Result<(Option<LogWriter>, Vec<LogSink>), StartError> {
    let log = LogWriter::start(target, workers);
    let log = log.map_err(|error| StartError::Log(target.clone(), error))?;
    Ok(log.map_or((None, Vec::new()), |(log, sinks)| (Some(log), sinks)))
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
fn hostname() -> Box<str> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "localhost".into(),
        name => name.into(),
    }
}
