//! The command `compare`: looks at what is there, measures, prints the tables, and writes the report. And `install`.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use crate::args::{Choice, CompareArgs};
use crate::error::{During, Error, Result};
use crate::fleet::{Described, Fleet, Ground};
use crate::install;
use crate::json;
use crate::kinds::{Effort, Kind, Subjects, Work};
use crate::machine::Machine;
use crate::measure::{self, Outcome};
use crate::process::{self, Interrupt, Invocation};
use crate::programs::{self, Inventory, Program};
use crate::report;
use crate::subjects::{Proxy, Role, Subject};
use crate::table;
use crate::tls::Identity;
use crate::works;
use crate::workspace::Workspace;

/// The program of a peer starts, listens and settles in about this time, once in a run.
const START: Duration = Duration::from_millis(1500);
const VERSION_MAX: Duration = Duration::from_secs(20);

/// How the whole run ended.
pub(crate) enum Verdict {
    /// Every row that was begun has its figure, whether or not targets are reached.
    Complete,
    /// Errors cost at least one row its figure.
    WithoutSomeFigures,
    /// Two runs do not agree.
    Apart,
}

/// A work that will be done.
pub(crate) struct Planned {
    work: &'static Work,
    subjects: Vec<Subject>,
    effort: Effort,
}

/// A row, or a work, that will not.
pub(crate) struct LeftOut {
    /// Which work.
    pub(crate) work: &'static str,
    /// Which row; all of them if none is named.
    pub(crate) proxy: Option<&'static str>,
    /// Why.
    pub(crate) why: String,
}

/// All that the report needs besides what was measured.
pub(crate) struct Circumstances {
    /// As it can be typed again.
    pub(crate) command: String,
    /// The commit of the source, if the gateway was built from it.
    pub(crate) revision: Option<String>,
    /// What the gateway says of its version.
    pub(crate) gateway_version: Option<String>,
    /// When it began.
    pub(crate) began: SystemTime,
    /// How long it took so far.
    pub(crate) took: Duration,
    /// The most rounds and the most seconds of any work; what the person asked for, if anything was.
    pub(crate) effort: Effort,
    /// What was not measured.
    pub(crate) left_out: Vec<LeftOut>,
    /// What was started.
    pub(crate) described: Vec<Described>,
}

/// Installs what is missing for these works and proxies.
pub(crate) fn install(choice: &Choice, interrupt: &Interrupt) -> Result<()> {
    let workspace = Workspace::open()?;
    let wanted = wanted(choice);
    let missing = programs::missing(&wanted, &workspace);
    let failures = install::install(&missing, &workspace, interrupt)?;
    let inventory = programs::look(&wanted, &failures, &workspace, interrupt)?;
    for found in &inventory.found {
        println!("{} {}", found.program.name(), found.version);
    }
    tell_missing(&inventory);
    let all = inventory.missing.is_empty();
    if all { Ok(()) } else { Err(Error::failed("not everything could be installed, see above")) }
}

fn tell_missing(inventory: &Inventory) {
    for (program, why) in &inventory.missing {
        println!("MISSING     {}: {why} (to get it: {})", program.name(), program.how_to_get());
    }
}

/// Measures and reports.
pub(crate) fn compare(args: &CompareArgs, interrupt: Interrupt) -> Result<Verdict> {
    let (began, begin) = (SystemTime::now(), Instant::now());
    let workspace = Workspace::open()?;
    let machine = Machine::prepare(args.cores)?;
    let inventory = programs::look(&wanted(&args.choice), &[], &workspace, &interrupt)?;
    let given = |path: &Option<PathBuf>, option: &str| {
        let path = path.as_ref();
        path.map(|path| path.canonicalize().during(|| format!("{option} {}", path.display()))).transpose()
    };
    let before = given(&args.before, "--before")?;
    let gateway = match given(&args.gateway, "--gateway")? {
        _ if !args.choice.proxies.contains(&Proxy::Sluicegate) => None,
        Some(path) => Some(path),
        None => Some(workspace.build_gateway(&interrupt)?),
    };
    let revision = workspace.revision().filter(|_| args.gateway.is_none() && gateway.is_some());
    let own = env::current_exe().during(|| "looking for this program".to_owned())?;
    let identity = Identity::make()?;
    let ground = Ground { workspace, machine, inventory, gateway, before, own, identity, interrupt };

    let mut left_out = Vec::new();
    let plan = plan(args, &ground, &mut left_out);
    let efforts = plan.iter().map(|planned| planned.effort);
    let most = |one: Effort, other: Effort| Effort {
        rounds: one.rounds.max(other.rounds),
        secs: one.secs.max(other.secs),
    };
    let effort = efforts.reduce(most).unwrap_or_else(|| args.effort(ONCE));
    let mut circumstances = Circumstances {
        command: command_line(),
        revision,
        gateway_version: gateway_version(&ground)?,
        began,
        took: Duration::ZERO,
        effort,
        left_out,
        described: Vec::new(),
    };
    print!("{}", table::head(&ground, &circumstances, expected(&plan)));
    let (outcomes, described) = measure_all(&plan, &ground)?;
    print!("{}", table::summary(&outcomes));
    circumstances.described = described;
    circumstances.took = begin.elapsed();
    write_report(args, &ground, &circumstances, &outcomes)?;
    let complete = outcomes.iter().flat_map(|outcome| &outcome.rows).all(|row| row.cost().is_some());
    Ok(if complete { Verdict::Complete } else { Verdict::WithoutSomeFigures })
}

/// Where there is no work at all.
const ONCE: Effort = Effort { rounds: 1, secs: 1 };

fn write_report(
    args: &CompareArgs,
    ground: &Ground,
    circumstances: &Circumstances,
    outcomes: &[Outcome],
) -> Result<()> {
    let text = format!("{:#}\n", json::report(ground, circumstances, outcomes));
    let folder = ground.workspace.folder.join("report");
    fs::create_dir_all(&folder).during(|| format!("creating {}", folder.display()))?;
    for path in [Some(&folder.join("report.json")), args.json.as_ref()].into_iter().flatten() {
        fs::write(path, &text).during(|| format!("writing {}", path.display()))?;
        println!("\nwritten: {}", path.display());
    }
    report::write(&folder.join("report.json"), &folder)
}

/// Every program that these works and proxies need, each once.
fn wanted(choice: &Choice) -> Vec<Program> {
    let mut wanted = vec![Program::Setpriv, Program::Taskset, Program::Nginx];
    for work in choice.work.iter().filter_map(|name| works::find(name)) {
        wanted.extend(work.kind.programs());
        if let Kind::OpenLoop(paced) = &work.kind {
            wanted.extend(works::find(paced.closed).map(|closed| closed.kind.programs()).unwrap_or_default());
        }
        wanted.extend(choice.proxies.iter().flat_map(|proxy| proxy.programs_for(work.kind.listener())));
    }
    let mut seen = Vec::new();
    for program in wanted {
        if !seen.contains(&program) {
            seen.push(program);
        }
    }
    seen
}

/// The works that can be done, each with its rows; says which rows and works are left out, and why.
fn plan(args: &CompareArgs, ground: &Ground, left_out: &mut Vec<LeftOut>) -> Vec<Planned> {
    tell_missing(&ground.inventory);
    if !ground.inventory.missing.is_empty() {
        println!("            or all of it: cargo run --release -p loadtest -- install\n");
    }
    let mut plan: Vec<Planned> = Vec::new();
    for work in with_closed_loops(&args.choice.work) {
        let mut leave = |proxy: Option<&'static str>, why: String| {
            let row = proxy.map(|proxy| format!("the row of {proxy}: ")).unwrap_or_default();
            println!("LEFT OUT    {}: {row}{why}", work.name);
            left_out.push(LeftOut { work: work.name, proxy, why });
        };
        let missing = |program: &Program| !ground.inventory.has(*program);
        if let Some(program) = work.kind.programs().into_iter().find(missing) {
            leave(None, format!("{} is missing", program.name()));
            continue;
        }
        let subjects = match work.subjects {
            Subjects::EveryProxy => every_proxy(args, work, ground, false, &mut leave),
            Subjects::EveryProxyAndFloor => every_proxy(args, work, ground, true, &mut leave),
            Subjects::Gateway(_) if ground.gateway.is_none() => {
                leave(None, "it is for sluicegate, which is not among --proxies".to_owned());
                Vec::new()
            }
            Subjects::Gateway(setups) => {
                setups.iter().map(|setup| Subject { proxy: Proxy::Sluicegate, setup: *setup }).collect()
            }
        };
        if !subjects.is_empty() {
            plan.push(Planned { work, subjects, effort: args.effort(work.effort) });
        }
    }
    plan
}

/// The works of these names; before one with a schedule, the closed loop that tells what each proxy can do.
fn with_closed_loops(names: &[String]) -> Vec<&'static Work> {
    let mut all: Vec<&'static Work> = Vec::new();
    for work in names.iter().filter_map(|name| works::find(name)) {
        let closed = match &work.kind {
            Kind::OpenLoop(paced) => works::find(paced.closed),
            _ => None,
        };
        for work in closed.into_iter().chain([work]) {
            if !all.iter().any(|other| other.name == work.name) {
                all.push(work);
            }
        }
    }
    all
}

fn every_proxy(
    args: &CompareArgs,
    work: &Work,
    ground: &Ground,
    with_floor: bool,
    leave: &mut impl FnMut(Option<&'static str>, String),
) -> Vec<Subject> {
    let before = ground.before.as_ref().map(|_| Proxy::Before);
    let mut subjects = Vec::new();
    for proxy in before.into_iter().chain(args.choice.proxies.iter().copied()) {
        let programs = proxy.programs_for(work.kind.listener());
        let shortcoming = work.kind.listener().and_then(|listener| proxy.shortcoming(listener));
        if proxy == Proxy::Floor && !with_floor {
            // It knows nothing of TLS and HTTP/2, and says nothing of the rest.
        } else if let Some(why) = shortcoming {
            leave(Some(proxy.name()), why.to_owned());
        } else if let Some(missing) = programs.into_iter().find(|program| !ground.inventory.has(*program)) {
            leave(Some(proxy.name()), format!("{} is missing", missing.name()));
        } else if !subjects.contains(&Subject::plain(proxy)) {
            subjects.push(Subject::plain(proxy));
        }
    }
    subjects
}

/// How long it will take, on the whole.
fn expected(plan: &[Planned]) -> Duration {
    let mut seconds = 0.0;
    let mut starts: Vec<Subject> = Vec::new();
    for Planned { work, subjects, effort } in plan {
        let mut peers = 0;
        for subject in subjects {
            peers += usize::from(subject.proxy.role() == Role::Peer);
            // Mostly two peers are close to each other.
            let is_far = work.kind.is_closed_loop() && peers > 2 && subject.proxy.role() == Role::Peer;
            let rounds = if is_far { effort.rounds.min(measure::LOOKS) } else { effort.rounds };
            seconds += f64::from(u32::try_from(rounds).unwrap_or(u32::MAX))
                * work.kind.seconds_expected(effort.secs);
            if !starts.contains(subject) {
                starts.push(*subject);
                seconds += START.as_secs_f64();
            }
        }
    }
    Duration::from_secs_f64(seconds)
}

fn measure_all(plan: &[Planned], ground: &Ground) -> Result<(Vec<Outcome>, Vec<Described>)> {
    let mut fleet = Fleet::with_origins(ground)?;
    let begin = |planned: &Planned| measure::begin(planned.work, &planned.subjects, planned.effort);
    let mut outcomes: Vec<Outcome> = plan.iter().map(begin).collect();
    let measured = pass_by_pass(&mut outcomes, &mut fleet);
    if measured.is_err() {
        // What there is of the works that the person did not wait for.
        let begun = |outcome: &&Outcome| outcome.rows.iter().any(|row| !row.samples.is_empty());
        outcomes.iter().filter(begun).for_each(|outcome| print!("{}", table::work(outcome)));
    }
    measured.map(|()| (outcomes, std::mem::take(&mut fleet.described)))
}

fn pass_by_pass(outcomes: &mut [Outcome], fleet: &mut Fleet<'_>) -> Result<()> {
    for pass in 0..measure::PASSES {
        for place in 0..outcomes.len() {
            let (before, rest) = outcomes.split_at_mut(place);
            let Some(outcome) = rest.first_mut() else { continue };
            measure::go_on(outcome, pass, before, fleet)?;
        }
    }
    for outcome in outcomes {
        measure::finish(outcome, fleet)?;
        print!("{}", table::work(outcome));
    }
    Ok(())
}

fn gateway_version(ground: &Ground) -> Result<Option<String>> {
    let Some(gateway) = &ground.gateway else { return Ok(None) };
    let what = Invocation::of(gateway).arg("--version");
    let log = ground.workspace.log("version-sluicegate");
    let finished = process::run(&what, &log, VERSION_MAX, &ground.interrupt)?.success("sluicegate")?;
    Ok(finished.output.split_whitespace().nth(1).map(str::to_owned))
}

/// As it can be typed again.
fn command_line() -> String {
    let arguments: Vec<String> = env::args().skip(1).map(|word| without_folder(&word)).collect();
    format!("cargo run --release -p loadtest -- {}", arguments.join(" "))
}

/// A file is told by its name: where it is on this machine is nobody's concern.
fn without_folder(word: &str) -> String {
    let (option, value) = word.split_at(word.find('=').map_or(0, |at| at + 1));
    let path = Path::new(value);
    let name = path.is_absolute().then(|| path.file_name()).flatten();
    name.map_or_else(|| word.to_owned(), |name| format!("{option}{}", name.to_string_lossy()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_brings_its_closed_loop_along_once() {
        let names = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            with_closed_loops(&words).iter().map(|work| work.name).collect::<Vec<_>>()
        };
        assert_eq!(names(&["h1@70", "h1@90"]), ["h1", "h1@70", "h1@90"]);
        assert_eq!(names(&["h1", "idle", "h1@50"]), ["h1", "idle", "h1@50"]);
    }

    #[test]
    fn the_command_names_no_folder_of_the_machine() {
        let words =
            ["compare", "--work=h1", "/a/b/gateway", "--json=/a/report.json", "a/b", "/"].map(without_folder);
        assert_eq!(words, ["compare", "--work=h1", "gateway", "--json=report.json", "a/b", "/"]);
    }

    #[test]
    fn the_whole_run_by_default_takes_less_than_20_minutes() {
        use crate::args::{Cli, Task};
        use clap::Parser;
        let Task::Compare(args) = Cli::try_parse_from(["loadtest", "compare"]).unwrap().command else {
            panic!("another command");
        };
        let plan: Vec<Planned> = works::WORKS
            .iter()
            .map(|work| {
                let subjects = match work.subjects {
                    Subjects::Gateway(setups) => setups
                        .iter()
                        .map(|setup| Subject { proxy: Proxy::Sluicegate, setup: *setup })
                        .collect(),
                    _ => {
                        let takes_part = |proxy: &&Proxy| {
                            let listener = work.kind.listener();
                            let lacks = listener.and_then(|listener| proxy.shortcoming(listener));
                            let floor = work.subjects == Subjects::EveryProxyAndFloor;
                            lacks.is_none() && (**proxy != Proxy::Floor || floor)
                        };
                        args.choice.proxies.iter().filter(takes_part).copied().map(Subject::plain).collect()
                    }
                };
                Planned { work, subjects, effort: work.effort }
            })
            .collect();
        let whole = expected(&plan);
        assert!(whole < Duration::from_secs(20 * 60), "{whole:?}");
        assert!(whole > Duration::from_secs(10 * 60), "{whole:?}: the estimate has lost something");
    }
}
