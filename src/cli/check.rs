//! `sluicegate check`

use super::{FAILED, args::CheckArgs};

/// Runs the subcommand; returns the exit code.
pub(super) fn run(_args: &CheckArgs) -> u8 {
    eprintln!("error: `check` is not available in this build");
    FAILED
}
