//! `sluicegate doctor`: whether this host is fit for it, and what to do where it is not.
//!
//! - `finding`: what was found, and how it is written
//! - `host`: the files in which the kernel says what it allows
//! - `kernel`: version, io_uring, locked memory
//! - `limits`: open files, memory, CPUs
//! - `network`: queues, ports, connection tracking
//! - `ports`: whether the ports of a configuration can be had
//! - `clock`: what tells the time

mod clock;
mod finding;
mod host;
mod kernel;
mod limits;
mod network;
mod ports;

use super::{
    FAILED,
    args::{AnswerFormat, DoctorArgs},
    output::print,
};
use finding::Verdict;
use host::Host;

/// Runs the subcommand; returns the exit code.
pub(super) fn run(args: &DoctorArgs) -> u8 {
    let host = Host::this();
    let mut findings = kernel::look(&host, args.driver);
    findings.extend(limits::look(&host, args.workers));
    findings.extend(network::look(&host));
    findings.extend(ports::look(&host, args));
    findings.extend(clock::look(&host));
    let written = print(&match args.format {
        AnswerFormat::Text => finding::text(&findings),
        AnswerFormat::Json => finding::json(&findings),
    });
    let worst = if args.deny_warnings { Verdict::Warning } else { Verdict::Failure };
    if findings.iter().any(|finding| finding.verdict >= worst) { FAILED } else { written }
}
