//! `sluicegate run`: load, compile, start, serve, end.

use super::{
    FAILED, GOOD,
    args::{ProcessArgs, RunArgs},
    load::{Loaded, load},
    usage_error,
};
use crate::control::{self, Descriptors, End, LogTarget, Reports, Reservation, Setup, Signals, Workers, log};
use std::{io, process};

/// Runs the subcommand; returns the exit code.
pub(super) fn run(args: &RunArgs) -> u8 {
    log::set_level(args.process.log_level);
    let workers = match Workers::place(args.process.workers, args.process.cpus.as_ref()) {
        Ok(workers) => workers,
        Err(error) => return usage_error(error),
    };
    match control::block_on(serve(args, workers)) {
        Ok(served) => served.unwrap_or_else(|failure| failure.code()),
        Err(error) => Failure::Runtime(error).code(),
    }
}

/// Why nothing was served.
enum Failure {
    /// The configuration has errors, which have been printed.
    Configuration,
    /// The operating system does not give what the control thread needs.
    Runtime(io::Error),
    /// Something can't be started.
    Start(control::StartError),
}

impl Failure {
    fn code(&self) -> u8 {
        match self {
            Failure::Configuration => log::error("the configuration has errors; nothing is served"),
            Failure::Runtime(error) => log::error(format_args!("can't start: {error}")),
            Failure::Start(error) => log::error(error),
        }
        FAILED
    }
}

async fn serve(args: &RunArgs, workers: Workers) -> Result<u8, Failure> {
    // First, so that a signal that comes while files are read is not lost, and none ends the process by default.
    let signals = Signals::new().map_err(Failure::Runtime)?;
    let (port_map, reserved) =
        args.workload.port_map.clone().unwrap_or_default().reserve().map_err(Failure::Runtime)?;
    let loaded = load(&args.config.config, &args.workload, &port_map);
    print_diagnostics(&loaded);
    if loaded.has_errors() {
        return Err(Failure::Configuration);
    }
    log::info(format_args!("sluicegate {} starts as process {}", env!("CARGO_PKG_VERSION"), process::id()));
    if !port_map.entries().is_empty() {
        log::info(format_args!("ports: {port_map}"));
    }
    let setup = setup(args, workers, loaded, reserved);
    let (reports_to, reports) = Reports::new().map_err(Failure::Runtime)?;
    let (gateway, commands) = control::start(setup, &reports_to).map_err(Failure::Start)?;
    for bound in &gateway.listeners {
        let address =
            bound.address.map_or_else(|| bound.listener.bind.to_string(), |address| address.to_string());
        log::info(format_args!("listening on {address} for {}", bound.listener.source));
    }
    let end = control::supervise(gateway, reports, commands, signals, args.process.resolver).await;
    Ok(if end == End::Asked { GOOD } else { FAILED })
}

fn setup(args: &RunArgs, workers: Workers, loaded: Loaded, reserved: Reservation) -> Setup {
    let descriptors = Descriptors::raise();
    log::info(format_args!("open files: at most {}, raised from {}", descriptors.limit, descriptors.before));
    log::info(format_args!("workers: {}, {}", workers.cpus.len(), workers.reason));
    let log_target = log_target(&args.process, loaded.compiled.access_log_file.as_deref());
    log::info(format_args!("access log: {log_target}"));
    Setup {
        snapshot: loaded.compiled.snapshot,
        inputs: args.config.config.iter().map(|path| path.display().to_string()).collect(),
        workers,
        driver: args.process.driver,
        descriptors,
        log_target,
        drain_time: args.process.drain_time,
        reserved,
    }
}

/// The option is stronger than `meshConfig.accessLogFile`, whose empty value means off.
fn log_target(process: &ProcessArgs, mesh: Option<&str>) -> LogTarget {
    match (&process.access_log, mesh) {
        (Some(target), _) => target.clone(),
        (None, Some("")) => LogTarget::Off,
        (None, None | Some("/dev/stdout")) => LogTarget::Stdout,
        (None, Some(path)) => LogTarget::File(path.into()),
    }
}

fn print_diagnostics(loaded: &Loaded) {
    for diagnostic in &loaded.diagnostics {
        let place = diagnostic.span.and_then(|span| {
            let file = loaded.resources.sources.file(span.file)?;
            Some(format!("{}:{}:{}: ", file.name, span.line, span.column))
        });
        let place = place.unwrap_or_default();
        eprintln!("{place}{}: {}: {}", diagnostic.severity, diagnostic.field, diagnostic.message);
    }
}
