//! `sluicegate demo`: an origin, the gateway in front of it, and what to try. The gateway starts as `run` starts it.
//!
//! - `files`: the configuration with the ports of this demo, where others can read it
//! - `tour`: what to try
//! - `origin`: two versions of an origin, on a thread of their own
//! - `pages`: what they answer
//! - `body`: bodies that take their time

mod body;
mod files;
mod origin;
mod pages;
mod tour;

use super::{
    FAILED,
    args::{ConfigArgs, DemoArgs, Http2Args, Listen, RunArgs, TracingArgs, WorkloadArgs},
    output::{complain, print},
    run::run_and,
};
use crate::control::{PortMap, Reservation};
use files::Files;
use std::{
    io,
    net::{Ipv4Addr, TcpListener},
};
use tour::Tour;

/// Runs the subcommand; returns the exit code.
pub(super) fn run(args: &DemoArgs) -> u8 {
    match prepare(args) {
        Ok(demo) => demo.run(args),
        Err(message) => {
            complain(&format!("error: {message}\n"));
            FAILED
        }
    }
}

/// A demo that can start.
struct Demo {
    files: Files,
    tour: Tour,
    /// Keeps the port for the gateway if the kernel chose it.
    _reserved: Reservation,
}

fn prepare(args: &DemoArgs) -> Result<Demo, String> {
    if args.port != 0 {
        is_free(args.port)?;
    }
    let nothing_more = |error: io::Error| format!("can't start the demo: {error}");
    let map = PortMap::from_iter([(tour::PORT, args.port)]);
    let (map, reserved) = map.reserve().map_err(nothing_more)?;
    let port = map.entries().first().map_or(args.port, |(_, port)| *port);
    let [v1, v2] = origin::start().map_err(nothing_more)?;
    let files = Files::write(&[(tour::PORT, port), (tour::V1_PORT, v1.port()), (tour::V2_PORT, v2.port())])
        .map_err(|error| format!("can't write the demo's configuration: {error}"))?;
    let admin = match args.process.admin.clone() {
        Listen::At(address) => Some(address),
        // A browser opens no socket.
        Listen::Off | Listen::Unix(_) => None,
    };
    let tour = Tour { port, origins: [v1, v2], admin, file: files.path().display().to_string() };
    Ok(Demo { files, tour, _reserved: reserved })
}

/// The gateway says the same, but does not know of the demo's option.
fn is_free(port: u16) -> Result<(), String> {
    match TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!(
            "can't listen on port {port}: {error}\n  help: choose another one with --port, or let the kernel choose with --port 0"
        )),
    }
}

impl Demo {
    fn run(&self, args: &DemoArgs) -> u8 {
        let args = RunArgs {
            config: ConfigArgs { config: vec![self.files.path().to_owned()] },
            workload: WorkloadArgs::default(),
            process: args.process.clone(),
            http2: Http2Args::default(),
            tracing: TracingArgs::default(),
        };
        run_and(&args, |_| {
            print(&self.tour.to_string());
        })
    }
}
