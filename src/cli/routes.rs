//! `sluicegate routes`

use super::{FAILED, args::RoutesArgs};

/// Runs the subcommand; returns the exit code.
pub(super) fn run(_args: &RoutesArgs) -> u8 {
    eprintln!("error: `routes` is not available in this build");
    FAILED
}
