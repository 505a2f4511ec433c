//! A round of a closed loop: all subjects of a work under their own load generators, in rotation.

use crate::error::{Error, Result};
use crate::figure::Sample;
use crate::fleet::{Fleet, Ground, Running};
use crate::h2load::{self, Streams};
use crate::kinds::Kind;
use crate::load::{Report, Shot};
use crate::process::{Finished, Invocation};
use crate::procfs::Threads;
use crate::rotation::{self, Candidate, SLICE, SLICE_OF_MANY, Schedule, Turned};
use crate::subjects::{Proxy, Setup, Subject};
use crate::under_load::{Look, ask_before_h2load, ask_before_wrk};
use crate::wrk::{self, Load};

/// What one subject is asked.
enum Asked {
    Wrk(Load),
    H2load(Streams),
}

/// A subject that has answered once, as it has to, and is to be asked as fast as it can.
struct Ready {
    subject: Subject,
    asked: Asked,
    shot: Shot,
    what: Invocation,
    before: Look,
}

/// A sample of each of these subjects, which are running, in their order: each works for `secs` seconds in all. What goes wrong
/// costs only the one whose it is; the error of the whole is the person's wish to stop.
pub(crate) fn samples(
    kind: &Kind,
    subjects: &[Subject],
    secs: u64,
    fleet: &mut Fleet<'_>,
) -> Result<Vec<(Subject, Result<Sample>)>> {
    let mut failed = Vec::new();
    let mut willing = Vec::new();
    for subject in subjects {
        match ask(kind, *subject, fleet) {
            Ok(asked) => willing.push((*subject, asked)),
            Err(Error::Interrupted) => return Err(Error::Interrupted),
            Err(error) => failed.push((*subject, Err(error))),
        }
    }
    let slice = if matches!(kind, Kind::H2load(_)) { SLICE_OF_MANY } else { SLICE };
    let schedule = Schedule::of(willing.len(), secs, slice);
    let mut ready = Vec::new();
    for (subject, asked) in willing {
        match prepare(subject, asked, schedule.secs(), fleet) {
            Ok(one) => ready.push(one),
            Err(Error::Interrupted) => return Err(Error::Interrupted),
            Err(error) => failed.push((subject, Err(error))),
        }
    }
    let ground = fleet.ground;
    let log = |ready: &Ready| ground.workspace.log(&format!("load-{}", ready.subject.label()));
    let mut generators = Vec::new();
    for one in &ready {
        let asked = Threads::of(fleet.running(one.subject)?.id());
        generators.push(Candidate { what: one.what.clone(), log: log(one), asked });
    }
    let all = rotation::rotate(&generators, schedule, ground.machine.cores.load, &ground.interrupt)?;
    let measured = ready.iter().zip(all).map(|(ready, turned)| (ready.subject, ready.sample(turned, fleet)));
    Ok(measured.collect::<Vec<_>>().into_iter().chain(failed).collect())
}

/// What of the work is this subject's, once it has answered one request of it.
fn ask(kind: &Kind, subject: Subject, fleet: &mut Fleet<'_>) -> Result<Asked> {
    let ground = fleet.ground;
    let running = fleet.running(subject)?;
    match kind {
        Kind::Wrk(load) => {
            let load = at(load, subject);
            ask_before_wrk(&load, running, ground)?;
            Ok(Asked::Wrk(load))
        }
        Kind::H2load(streams) => {
            ask_before_h2load(streams, running, ground)?;
            Ok(Asked::H2load(streams.clone()))
        }
        other => Err(Error::Failed(format!("{} is not measured in rotation", other.name()))),
    }
}

/// Looks at it just before the load begins.
fn prepare(subject: Subject, asked: Asked, secs: u64, fleet: &mut Fleet<'_>) -> Result<Ready> {
    let ground = fleet.ground;
    let running = fleet.running(subject)?;
    let shot = asked.shot(secs, running, ground);
    let what = asked.invocation(shot, ground)?.pausable();
    Ok(Ready { subject, asked, shot, what, before: Look::at(running)? })
}

impl Asked {
    fn shot(&self, secs: u64, running: &Running, ground: &Ground) -> Shot {
        let listener = match self {
            Asked::Wrk(load) => load.listener,
            Asked::H2load(streams) => streams.listener,
        };
        Shot { port: running.port(listener), secs, core: ground.machine.cores.load }
    }

    fn invocation(&self, shot: Shot, ground: &Ground) -> Result<Invocation> {
        let Ground { inventory, workspace, .. } = ground;
        match self {
            Asked::Wrk(load) => wrk::invocation(load, shot, inventory, workspace),
            Asked::H2load(streams) => h2load::invocation(streams, shot, inventory, workspace),
        }
    }

    /// Without what clients waited: a request that was under way at the end of a slice waits for all others'.
    fn report(&self, shot: Shot, finished: Finished) -> Result<Report> {
        let report = match self {
            Asked::Wrk(_) => wrk::report(finished)?,
            Asked::H2load(streams) => h2load::report(streams, shot, finished)?,
        };
        Ok(Report { p99_ms: None, slowest_ms: None, ..report })
    }
}

impl Ready {
    /// All generators have ended by now, and all that was asked of this one is in what it has spent.
    fn sample(&self, turned: Result<Turned>, fleet: &mut Fleet<'_>) -> Result<Sample> {
        let running = fleet.running(self.subject)?;
        running.check_alive()?;
        let Turned { finished, core } = turned?;
        let report = self.asked.report(self.shot, finished)?;
        self.before.sample_until(&Look::at(running)?, report, core)
    }
}

/// The load as this subject gets it.
pub(crate) fn at(load: &Load, subject: Subject) -> Load {
    match subject {
        Subject { proxy: Proxy::Floor, .. } => load.at_floor(),
        // Each worker has as many as the one has: how many are ready in a turn decides what a request costs.
        Subject { setup: Setup::TwoWorkers, .. } => {
            Load { connections: 2 * load.connections, ..load.clone() }
        }
        _ => load.clone(),
    }
}
