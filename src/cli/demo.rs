//! `sluicegate demo`

use super::{FAILED, args::DemoArgs};

/// Runs the subcommand; returns the exit code.
pub(super) fn run(_args: &DemoArgs) -> u8 {
    eprintln!("error: `demo` is not available in this build");
    FAILED
}
