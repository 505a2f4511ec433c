//! `sluicegate completions`

use super::{FAILED, args::CompletionsArgs};

/// Runs the subcommand; returns the exit code.
pub(super) fn run(_args: &CompletionsArgs) -> u8 {
    eprintln!("error: `completions` is not available in this build");
    FAILED
}
