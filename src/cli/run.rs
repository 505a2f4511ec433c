//! `sluicegate run`: load, compile, start, serve, end.

use super::{
    FAILED, GOOD,
    args::{BalanceKind, DrainArgs, Listen, ProcessArgs, RunArgs, SessionTickets, Watch},
    load::{Loaded, loader},
    output::report,
    usage_error,
};
use crate::admin::{self, Pages};
use crate::compile::Workload;
use crate::config::Severity;
use crate::control::{
    self, Credentials, Descriptors, End, Gateway, Handover, Living, Load, LogOptions, MetricsWorkload,
    PidFile, Program, Reports, Reservation, Setup, Signals, Sockets, Workers, log,
};
use crate::tls::TicketError;
use std::{fmt, io, process, rc::Rc, time::SystemTime};

/// Runs the subcommand; returns the exit code.
pub(super) fn run(args: &RunArgs) -> u8 {
    run_and(args, |_| {})
}

/// As `run`, and calls `listening` as soon as clients can connect.
pub(super) fn run_and(args: &RunArgs, listening: impl FnOnce(&Gateway)) -> u8 {
    log::set_level(args.process.log_level);
    crate::driver::without_huge_pages();
    let workers = match Workers::place(args.process.workers, args.process.cpus.as_ref()) {
        Ok(workers) => workers,
        Err(error) => return usage_error(error),
    };
    let sockets = match Sockets::receive() {
        Ok(sockets) => Rc::new(sockets),
        Err(error) => return Failure::Sockets(error).code(),
    };
    let served = control::block_on(serve(args, workers, &sockets, listening));
    let served = served.unwrap_or_else(|error| Err(Failure::Runtime(error)));
    served.unwrap_or_else(|failure| {
        sockets.failed(&failure.to_string());
        failure.code()
    })
}

/// A limit of open files below this is said to be too low: two for a connection, and as many again for the process.
const OPEN_FILES_MIN: u64 = 4096;

/// Why nothing was served.
enum Failure {
    /// The configuration has errors, which have been printed.
    Configuration,
    /// What the process before this one says can't be understood.
    Sockets(io::Error),
    /// The operating system does not give what the control thread needs.
    Runtime(io::Error),
    /// The address of these pages can't be had.
    Pages(Pages, String, io::Error),
    /// There are no keys for session tickets.
    Randomness(TicketError),
    /// Something can't be started.
    Start(control::StartError),
}

impl Failure {
    fn code(&self) -> u8 {
        log::error(self);
        FAILED
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Configuration => f.write_str("the configuration has errors; nothing is served"),
            Failure::Sockets(error) => write!(f, "can't take over from the process before this one: {error}"),
            Failure::Runtime(error) => write!(f, "can't start: {error}"),
            Failure::Pages(pages, address, error) => write!(
                f,
                "can't listen on {address} for the {pages} pages: {error}\n  help: choose another address with --{pages}, \
                 or turn them off with --{pages} off"
            ),
            Failure::Randomness(error) => write!(f, "can't start: {error}"),
            Failure::Start(error) => error.fmt(f),
        }
    }
}

async fn serve(
    args: &RunArgs,
    workers: Workers,
    sockets: &Rc<Sockets>,
    listening: impl FnOnce(&Gateway),
) -> Result<u8, Failure> {
    // First, so that a signal that comes while files are read is not lost, and none ends the process by default.
    let signals = Signals::new().map_err(Failure::Runtime)?;
    let (port_map, reserved) =
        sockets.reserve(&args.workload.port_map.clone().unwrap_or_default()).map_err(Failure::Runtime)?;
    let began = SystemTime::now();
    let loader =
        loader(&args.config.config, &args.workload, &port_map, args.http2.options(), args.tracing.options());
    let mut loaded = loader.load();
    let mut credentials = loaded.credentials().map_err(Failure::Randomness)?;
    if args.process.session_tickets == SessionTickets::Off {
        credentials.forbid_tickets();
    }
    report(&loaded, Severity::Note);
    if loaded.has_errors() {
        return Err(Failure::Configuration);
    }
    log::info(format_args!("sluicegate {} starts as process {}", env!("CARGO_PKG_VERSION"), process::id()));
    if !port_map.entries().is_empty() {
        log::info(format_args!("ports: {port_map}"));
    }
    let servers = bind_pages(&args.process, sockets)?;
    let served = loaded.served.clone();
    let load = loaded.record(began, "start", Some(1));
    let setup = setup(args, workers, (loaded, load), (credentials, reserved, sockets));
    let (reports_to, reports) = Reports::new().map_err(Failure::Runtime)?;
    let (gateway, commands) = control::start(setup, &reports_to).map_err(Failure::Start)?;
    // Most of what the configuration was compiled from is not needed any more.
    crate::driver::give_memory_back();
    log::info(format_args!("connections: at most {} for each worker", gateway.connections_per_worker));
    for bound in &*gateway.listeners() {
        log::info(format_args!("listening on {} for {}", bound.text(), bound.listener.source));
    }
    if gateway.listeners().is_empty() {
        log::warn("no Gateway in the configuration opens a listener: nothing is served");
    }
    for server in servers {
        server.start(Rc::clone(&gateway)).map_err(Failure::Runtime)?;
    }
    listening(&gateway);
    let resolver = args.process.resolver;
    let watches = args.process.watch == Watch::On;
    let living = Living { reports, commands, signals, resolver, loader, served, watches };
    let end = control::supervise(gateway, living).await.map_err(Failure::Runtime)?;
    Ok(if end == End::Asked { GOOD } else { FAILED })
}

/// Takes the addresses of the pages, and says where they are.
fn bind_pages(process: &ProcessArgs, sockets: &Sockets) -> Result<Vec<admin::Server>, Failure> {
    let mut servers = Vec::new();
    let metrics = process.metrics.at(&process.status);
    let all = [(Pages::Admin, &process.admin), (Pages::Status, &process.status), (Pages::Metrics, &metrics)];
    for (pages, listen) in all {
        let (server, address) = match listen {
            Listen::Off => continue,
            Listen::At(address) => (admin::bind(pages, *address, sockets), address.to_string()),
            Listen::Unix(path) => (admin::bind_unix(pages, path, sockets), path.display().to_string()),
        };
        let server = server.map_err(|error| Failure::Pages(pages, address, error))?;
        log::info(format_args!("{pages} pages on {server}"));
        if pages == Pages::Admin && matches!(listen, Listen::At(address) if !address.ip().is_loopback()) {
            log::warn(
                "whoever can reach the admin pages can end this process: --admin should be a loopback address",
            );
        }
        servers.push(server);
    }
    Ok(servers)
}

fn setup(
    args: &RunArgs,
    workers: Workers,
    (loaded, load): (Loaded, Load),
    (credentials, reserved, sockets): (Credentials, Reservation, &Rc<Sockets>),
) -> Setup {
    let descriptors = Descriptors::raise();
    log::info(format_args!("open files: at most {}, raised from {}", descriptors.limit, descriptors.before));
    if descriptors.limit < OPEN_FILES_MIN {
        log::warn(format_args!(
            "so few open files allow hardly any connections: raise the limit (ulimit -n, LimitNOFILE=) to {OPEN_FILES_MIN} \
             at least"
        ));
    }
    log::info(format_args!("workers: {}, {}", workers.cpus.len(), workers.reason));
    Setup {
        balances: args.process.balance == BalanceKind::Connections,
        snapshot: loaded.compiled.snapshot,
        known: loaded.served.known,
        credentials,
        inputs: args.config.config.iter().map(|path| path.display().to_string()).collect(),
        workers,
        driver: args.process.driver,
        descriptors,
        log: log_options(&args.process),
        drain_time: args.process.drain.drain_time,
        drain_accept: args.process.drain.drain_accept,
        reload_drain_time: args.process.drain.reload_drain_time,
        sockets: Rc::clone(sockets),
        handover: handover(&args.process.drain, sockets),
        workload: metrics_workload(args, loaded.compiled.workload),
        handshake_timeout: args.process.handshake_timeout,
        reserved,
        load,
    }
}

fn handover(options: &DrainArgs, sockets: &Sockets) -> Handover {
    let pid_file = options.pid_file.clone().map(PidFile::at);
    let times = (options.upgrade_timeout, options.upgrade_drain_time);
    Handover::new(Program::this(), pid_file, times, sockets.upgrades())
}

/// Who the gateway is in metrics: what Istio's deployment would be called.
fn metrics_workload(args: &RunArgs, workload: Workload) -> MetricsWorkload {
    let labels = workload.labels.unwrap_or_default();
    let named = ["service.istio.io/canonical-name", "app.kubernetes.io/name", "app"];
    let label = named.iter().find_map(|name| labels.get(*name)).cloned();
    let name = args.workload.gateway.clone().or(label).unwrap_or_else(|| env!("CARGO_PKG_NAME").to_owned());
    MetricsWorkload {
        name,
        namespace: workload.namespace,
        labels,
        durations: args.process.metrics.durations(),
    }
}

fn log_options(process: &ProcessArgs) -> LogOptions {
    LogOptions {
        target: process.access_log.clone(),
        format: process.access_log_format.clone(),
        share: process.access_log_sample,
    }
}
