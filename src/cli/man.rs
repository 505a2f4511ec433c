//! `sluicegate man`

use super::FAILED;

/// Runs the subcommand; returns the exit code.
pub(super) fn run() -> u8 {
    eprintln!("error: `man` is not available in this build");
    FAILED
}
