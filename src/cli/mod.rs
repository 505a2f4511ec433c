//! The subcommands and what they print.
//!
//! - `args`: the command line
//! - `load`: files to a snapshot, with every diagnostic printed
//! - `output`: results to standard output, problems to standard error
//! - `ask`: the subcommands that ask a running gateway: `reload`, `upgrade`, `drain`, `status`, `log-level`
//! - `top`: a running gateway in a terminal, live
//! - `run`, `check`, `explain`, `routes`, `doctor`, `demo`, `completions`, `man`: one subcommand each

mod args;
mod ask;
mod check;
mod completions;
mod demo;
mod doctor;
mod explain;
mod load;
mod man;
mod output;
mod routes;
mod run;
mod top;

pub use args::Arguments;

use args::Subcommand;
use clap::Parser;
use std::process::ExitCode;

/// Everything went well.
const GOOD: u8 = 0;
/// The configuration or the running gateway has an error.
const FAILED: u8 = 1;
/// The command line makes no sense. `clap` ends with the same code for what it finds itself.
const USAGE: u8 = 2;

/// Runs the subcommand that the process's arguments name.
pub fn main() -> ExitCode {
    let code = match Arguments::parse().subcommand {
        Subcommand::Run(args) => run::run(&args),
        Subcommand::Check(args) => check::run(&args),
        Subcommand::Explain(args) => explain::run(&args),
        Subcommand::Routes(args) => routes::run(&args),
        Subcommand::Doctor(args) => doctor::run(&args),
        Subcommand::Demo(args) => demo::run(&args),
        Subcommand::Reload(args) => ask::reload(&args),
        Subcommand::Upgrade(args) => ask::upgrade(&args),
        Subcommand::Drain(args) => ask::drain(&args),
        Subcommand::Status(args) => ask::status(&args),
        Subcommand::LogLevel(args) => ask::log_level(&args),
        Subcommand::Top(args) => top::run(&args),
        Subcommand::Completions(args) => completions::run(&args),
        Subcommand::Man => man::run(),
    };
    ExitCode::from(code)
}

/// Ends a subcommand over a contradiction in its arguments.
fn usage_error(message: impl std::fmt::Display) -> u8 {
    eprintln!("error: {message}\n\nFor more information, try '--help'.");
    USAGE
}
