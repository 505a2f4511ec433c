//! `sluicegate explain`

use super::{FAILED, args::ExplainArgs};

/// Runs the subcommand; returns the exit code.
pub(super) fn run(_args: &ExplainArgs) -> u8 {
    eprintln!("error: `explain` is not available in this build");
    FAILED
}
