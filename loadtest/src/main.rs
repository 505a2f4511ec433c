//! Measures sluicegate side by side with its peers; see README.md beside this package for the method.
//!
//! In the order in which they act: [`args`], [`workspace`] and [`machine`] (where and on what), [`programs`] (what has to be
//! installed), [`works`] (the list of what is measured), [`fleet`] with [`proxies`] and [`virtual_hosts`] (who is running),
//! [`measure`] with [`load`], [`wrk`], [`client`], [`h2load`], [`nghttp`] and [`counters`] (a run), [`figure`] (median and
//! ratio), [`table`], [`json`] and [`report`] (pictures and texts of a finished run).
//! Below them: [`tls`] (the certificate of all proxies, and its client), [`process`] (starting and stopping), [`procfs`] and [`rings`] (what the
//! kernel tells of a process), [`error`].

use std::env;
use std::fs;
use std::process::ExitCode;

use clap::Parser;

mod args;
mod workspace;
mod machine;
mod programs;
mod works;
mod fleet;
mod proxies;
mod virtual_hosts;
mod measure;
mod load;
mod wrk;
mod h2load;
mod nghttp;
mod client;
mod counters;
mod tls;
mod figure;
mod table;
mod json;
mod report;
mod process;
mod procfs;
mod rings;
mod error;

use args::Args;
use error::{During, Error, Result};
use fleet::{Fleet, Ground};
use machine::Machine;
use measure::{Effort, Outcome};
use process::Interrupt;
use programs::{Installing, Inventory, Program};
use proxies::{Proxy, Subject};
use tls::Identity;
use works::{Subjects, Work};
use workspace::Workspace;

fn main() -> ExitCode {
    let args = Args::parse();
    if let Some(command) = &args.command {
        return report::run(command);
    }
    match run(&args) {
        Ok(Verdict::Complete) => ExitCode::SUCCESS,
        Ok(Verdict::WithoutSomeFigures) => ExitCode::FAILURE,
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

/// How the whole run ended.
enum Verdict {
    /// Every row that was begun has its figure, whether or not targets are reached.
    Complete,
    /// Errors cost at least one row its figure.
    WithoutSomeFigures,
}

fn run(args: &Args) -> Result<Verdict> {
    let interrupt = Interrupt::catch()?;
    let workspace = Workspace::open()?;
    let machine = Machine::prepare(args.cores)?;
    let works: Vec<&Work> = args.work.iter().filter_map(|name| works::find(name)).collect();
    let inventory = obtain_programs(args, &works, &workspace, &interrupt)?;
    let before = args
        .before
        .as_ref()
        .map(|path| path.canonicalize().during(|| format!("--before {}", path.display())));
    let gateway = obtain_gateway(args, &workspace, &interrupt)?;
    let revision = workspace.revision().filter(|_| args.gateway.is_none() && gateway.is_some());
    let (before, identity) = (before.transpose()?, Identity::make()?);
    let ground = Ground { workspace, machine, inventory, gateway, before, identity, interrupt };

    let effort = Effort { rounds: args.rounds.into(), secs: args.secs.into() };
    let command = command_line();
    print!("{}", table::head(&ground, effort, &command, revision.as_deref()));
    let plan = plan(args, &works, &ground);
    let outcomes = measure_all(&plan, effort, &ground)?;
    print!("{}", table::summary(&outcomes));
    if let Some(path) = &args.json {
        let report = json::report(&ground, effort, &command, revision.as_deref(), &outcomes);
        fs::write(path, format!("{report:#}\n")).during(|| format!("writing {}", path.display()))?;
    }
    let complete = outcomes.iter().flat_map(|outcome| &outcome.rows).all(|row| row.cost().is_some());
    Ok(if complete { Verdict::Complete } else { Verdict::WithoutSomeFigures })
}

fn obtain_programs(
    args: &Args,
    works: &[&Work],
    workspace: &Workspace,
    interrupt: &Interrupt,
) -> Result<Inventory> {
    let mut wanted = vec![Program::Setpriv, Program::Taskset, Program::Nginx];
    for work in works {
        wanted.extend(work.kind.programs());
        wanted.extend(args.proxies.iter().flat_map(|proxy| proxy.programs_for(work.kind.listener())));
    }
    let mut seen = Vec::new();
    wanted.retain(|program| {
        !seen.contains(program) && {
            seen.push(*program);
            true
        }
    });
    let installing = if args.no_install { Installing::Forbidden } else { Installing::Allowed };
    programs::obtain(&wanted, installing, workspace, interrupt)
}

fn obtain_gateway(
    args: &Args,
    workspace: &Workspace,
    interrupt: &Interrupt,
) -> Result<Option<std::path::PathBuf>> {
    match &args.gateway {
        _ if !args.proxies.contains(&Proxy::Sluicegate) => Ok(None),
        Some(path) => path.canonicalize().map(Some).during(|| format!("--gateway {}", path.display())),
        None => workspace.build_gateway(interrupt).map(Some),
    }
}

/// The works that can be done, each with its rows; says which rows and works are left out, and why.
fn plan(args: &Args, works: &[&'static Work], ground: &Ground) -> Vec<(&'static Work, Vec<Subject>)> {
    for (program, why) in &ground.inventory.missing {
        println!("MISSING     {}: {why} (to get it: {})", program.name(), program.how_to_get());
    }
    let mut plan = Vec::new();
    for work in works {
        let missing = |program: &Program| !ground.inventory.has(*program);
        if let Some(program) = work.kind.programs().into_iter().find(missing) {
            println!("LEFT OUT    {}: {} is missing", work.name, program.name());
            continue;
        }
        let subjects = match work.subjects {
            Subjects::EveryProxy => every_proxy(args, work, ground),
            Subjects::Gateway(_) if ground.gateway.is_none() => {
                println!("LEFT OUT    {}: it is for sluicegate, which is not among --proxies", work.name);
                Vec::new()
            }
            Subjects::Gateway(setups) => {
                setups.iter().map(|setup| Subject { proxy: Proxy::Sluicegate, setup: *setup }).collect()
            }
        };
        if !subjects.is_empty() {
            plan.push((*work, subjects));
        }
    }
    plan
}

fn every_proxy(args: &Args, work: &Work, ground: &Ground) -> Vec<Subject> {
    let before = ground.before.as_ref().map(|_| Proxy::Before);
    let mut subjects = Vec::new();
    for proxy in before.into_iter().chain(args.proxies.iter().copied()) {
        let programs = proxy.programs_for(work.kind.listener());
        let shortcoming = work.kind.listener().and_then(|listener| proxy.shortcoming(listener));
        if let Some(why) = shortcoming {
            println!("LEFT OUT    {}: the row of {}: {why}", work.name, proxy.name());
        } else if let Some(missing) = programs.into_iter().find(|program| !ground.inventory.has(*program)) {
            println!("LEFT OUT    {}: the row of {}: {} is missing", work.name, proxy.name(), missing.name());
        } else if !subjects.contains(&Subject::plain(proxy)) {
            subjects.push(Subject::plain(proxy));
        }
    }
    subjects
}

fn measure_all(
    plan: &[(&'static Work, Vec<Subject>)],
    effort: Effort,
    ground: &Ground,
) -> Result<Vec<Outcome>> {
    let mut fleet = Fleet::with_origins(ground)?;
    let mut outcomes = Vec::new();
    for (work, subjects) in plan {
        let outcome = measure::measure(work, subjects, effort, &mut fleet)?;
        print!("{}", table::work(&outcome, effort.secs));
        outcomes.push(outcome);
    }
    Ok(outcomes)
}

/// As it can be typed again.
fn command_line() -> String {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let separator = if arguments.is_empty() { "" } else { " -- " };
    format!("cargo run --release -p loadtest{separator}{}", arguments.join(" "))
}
