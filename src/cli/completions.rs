//! `sluicegate completions`: what a shell needs to complete the command line.

use super::{
    args::{Arguments, CompletionsArgs},
    output::print,
};
use clap::CommandFactory;

/// Runs the subcommand; returns the exit code.
pub(super) fn run(args: &CompletionsArgs) -> u8 {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Arguments::command(), "sluicegate", &mut script);
    print(&String::from_utf8_lossy(&script))
}
