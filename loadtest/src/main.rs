//! Measures sluicegate side by side with its peers; see README.md beside this package for the method.
//!
//! In the order in which they act: [`args`], [`compare`] with [`install`] (the commands), [`workspace`] and [`machine`] (where
//! and on what), [`programs`] (what has to be there), [`works`] and [`kinds`] (the list of what is measured, and what a work is
//! made of), [`fleet`] with [`subjects`], [`proxies`] and [`virtual_hosts`] (who is running), [`measure`] with [`together`],
//! [`rotation`], [`under_load`], [`load`], [`wrk`], [`h2load`], [`nghttp`], [`open_loop`], [`reloading`], [`memory`], [`client`] and [`counters`] (a run),
//! [`figure`] and [`comparison`] (median and ratio), [`table`], [`json`] and [`report`] (what is made of a finished run).
//! Programs of their own in the same executable: [`relay`] on a [`ring`] (the floor), and [`paced`] with [`http1`] (the client
//! of the open loop).
//! Below them: [`tls`] (the certificate of all proxies, and its client), [`process`] (starting and stopping), [`procfs`] and
//! [`rings`] (what the kernel tells of a process), [`error`].

use std::process::ExitCode;

use clap::Parser;

mod args;
mod compare;
mod install;
mod workspace;
mod machine;
mod programs;
mod works;
mod kinds;
mod fleet;
mod subjects;
mod proxies;
mod virtual_hosts;
mod measure;
mod together;
mod rotation;
mod under_load;
mod load;
mod wrk;
mod h2load;
mod nghttp;
mod open_loop;
mod reloading;
mod memory;
mod client;
mod counters;
mod figure;
mod comparison;
mod table;
mod json;
mod report;
mod relay;
#[allow(unsafe_code)]
mod ring;
mod paced;
mod http1;
mod tls;
mod process;
mod procfs;
mod rings;
mod error;

use args::{Cli, Task};
use compare::Verdict;
use error::{Error, Result};
use process::Interrupt;

fn main() -> ExitCode {
    match run(&Cli::parse().command) {
        Ok(Verdict::Complete) => ExitCode::SUCCESS,
        Ok(Verdict::WithoutSomeFigures | Verdict::Apart) => ExitCode::FAILURE,
        Err(Error::Interrupted) => {
            eprintln!("loadtest: interrupted; what was started has been stopped");
            ExitCode::from(130)
        }
        Err(Error::Failed(sentence)) => {
            eprintln!("loadtest: {sentence}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: &Task) -> Result<Verdict> {
    match task {
        Task::Compare(args) => compare::compare(args, Interrupt::catch()?),
        Task::Install(args) => {
            compare::install(&args.choice, &Interrupt::catch()?).map(|()| Verdict::Complete)
        }
        Task::Finished(command) => report::run(command),
        Task::Relay(args) => relay::run(args).map(|()| Verdict::Complete),
        Task::Paced(args) => paced::run(args).map(|()| Verdict::Complete),
    }
}
