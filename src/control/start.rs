//! Sockets, shards, log: from a snapshot to a running gateway.

use super::{
    Bound, Command, Credentials, Descriptors, Gateway, KeyState, Load, LoadCounts, LogOptions, Shard, State,
    Workers, health,
    log_writer::Logs,
    otlp::{self, ExportStatus},
    ports::Reservation,
    unix,
};
use crate::{
    driver::{self, Bells, DriverChoice},
    listener::{self, BindError},
    shard::{self, Limits, Plan, Report, ShardId, ShardListener},
    table::{Listener, Snapshot},
    telemetry::LogTarget,
};
use std::{
    cell::{Cell, OnceCell, RefCell},
    fmt, io,
    rc::Rc,
    sync::{Arc, mpsc::Sender},
    thread,
    time::{Duration, Instant, SystemTime},
};
use tokio::sync::{Notify, mpsc};

/// Commands of pages that may wait. One does what ten do.
const COMMANDS_MAX: usize = 8;

/// A port that is taken is tried so many times more, a second in all.
const BIND_TRIES: u32 = 20;
/// Between two tries.
const BIND_PAUSE: Duration = Duration::from_millis(50);

/// Everything a gateway starts with.
pub struct Setup {
    /// What is served.
    pub snapshot: Snapshot,
    /// What its TLS names.
    pub credentials: Credentials,
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
    /// How long a TLS client may take for its ClientHello, and as much again for the rest of the handshake.
    pub handshake_timeout: Duration,
    /// Ports that are kept for the listeners until those are bound.
    pub reserved: Reservation,
    /// How the configuration was loaded.
    pub load: Load,
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
    let (listeners, per_shard) = bind_all(&snapshot, workers).map_err(StartError::Bind)?;
    drop(setup.reserved);
    let files = &snapshot.telemetry.access_log;
    let (logs, mut log_sets) = Logs::start(setup.log, files, workers, &hostname())
        .map_err(|(target, error)| StartError::Log(target, error))?;
    super::log::info(format_args!("access log: {}", logs.plan()));
    let defaults = Limits::default();
    let connections = setup.descriptors.connections_per_worker(workers, defaults.connections);
    let handshake_timeout = setup.handshake_timeout;
    let (spans, to_export) = otlp::channel(workers);
    let mut shards = Vec::new();
    let bells = Arc::new(Bells::new(workers));
    for ((id, listeners), cpu) in per_shard.into_iter().enumerate().zip(setup.workers.cpus) {
        let plan = Plan {
            id: ShardId(id),
            cpu,
            driver: setup.driver,
            snapshot: Arc::clone(&snapshot),
            tls: setup.credentials.initial(),
            listeners,
            limits: Limits { connections, handshake_timeout, ..defaults.clone() },
            hostname: hostname(),
            log: log_sets.pop().unwrap_or_default(),
            spans: Some(spans.clone()),
            reports: reports.clone(),
            bells: Arc::clone(&bells),
        };
        let handle = shard::start(plan).map_err(StartError::Shard)?;
        shards.push(Shard { handle, cpu, driver: OnceCell::new(), ended: Cell::new(false) });
    }
    let (commands, asked) = mpsc::channel(COMMANDS_MAX);
    let gateway = Gateway {
        token_keys: RefCell::new(KeyState::all(snapshot.authentication.as_deref(), &[])),
        snapshot: RefCell::new(snapshot),
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
        drain_time: setup.drain_time,
        logs: RefCell::new(logs),
        spans: RefCell::new(Some(to_export)),
        exports: ExportStatus::default(),
        state: Cell::new(State::Starting),
        commands,
    };
    gateway.record(setup.load);
    Ok((Rc::new(gateway), asked))
}

/// The listeners with their addresses, and every shard's sockets.
type Sockets = (Vec<Bound>, Vec<Vec<ShardListener>>);

fn bind_all(snapshot: &Snapshot, workers: usize) -> Result<Sockets, BindError> {
    let (mut bound, mut per_shard) = (Vec::new(), Vec::new());
    per_shard.resize_with(workers, Vec::new);
    for listener in &snapshot.listeners {
        let sockets = bind(listener, workers, false)?;
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

/// Binds a listener. The kernel takes the rings of a process that was killed apart after its end, and its sockets with
/// them: one that was started again at once would find its own port taken, so a taken port is tried a few times.
/// `is_beside_own`: a socket of this process may be in the way, and is welcome there.
pub(super) fn bind(
    listener: &Listener,
    workers: usize,
    is_beside_own: bool,
) -> Result<Vec<driver::Listener>, BindError> {
    let bind = || match is_beside_own {
        true => listener::bind_beside(listener, workers),
        false => listener::bind(listener, workers),
    };
    for _ in 0..BIND_TRIES {
        unix::remove_stale(&listener.bind);
        match bind() {
            Err(error) if error.error.kind() == io::ErrorKind::AddrInUse => thread::sleep(BIND_PAUSE),
            bound => return bound,
        }
    }
    bind()
}
