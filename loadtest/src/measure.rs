//! Runs works: in rounds, in each of which every subject is measured, in a closed loop all of them in rotation (`together`) and
//! else one after the other, so that what else happens on the machine hits all alike. The rounds of a work are spread over the
//! whole run, so that no work has all of its figures from one minute of the machine.

use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use crate::error::{During, Error, Result};
use crate::figure::{Row, Sample};
use crate::fleet::Fleet;
use crate::kinds::{Effort, Kind, Work};
use crate::memory;
use crate::open_loop;
use crate::process::{self, Invocation};
use crate::proxies;
use crate::reloading::Reloading;
use crate::subjects::{Role, Setup, Subject};
use crate::together;
use crate::under_load::{expect_work, under_h2load, under_wrk};

/// How long a process works before it is measured for the first time.
const WARM_UP_SECS: u64 = 1;
/// How often a run goes through its works: this host is faster by a third in some minutes than in others, and who gains how much
/// by that differs.
pub(crate) const PASSES: usize = 5;
/// After so many rounds a peer may be known to be none of the best.
pub(crate) const LOOKS: usize = 3;
/// A peer whose median is so many times that of the best peer is not measured again: the ratios of single rounds differ by a
/// few hundredths, and the time is better spent on those who are close.
const FAR: f64 = 1.3;
/// A configuration that takes longer has failed.
const CHECK_MAX: Duration = Duration::from_secs(120);

/// A work that is done, or under way.
pub(crate) struct Outcome {
    /// Which.
    pub(crate) work: &'static Work,
    /// How often and how long it was measured.
    pub(crate) effort: Effort,
    /// A row for each subject, in their order.
    pub(crate) rows: Vec<Row>,
    /// What else is to be told, a line each.
    pub(crate) notes: Vec<String>,
}

/// The rounds, counted from 0, of a pass, counted from 0; the first has one at least.
fn rounds_of(pass: usize, rounds: usize) -> Range<usize> {
    (rounds * pass).div_ceil(PASSES)..(rounds * (pass + 1)).div_ceil(PASSES)
}

/// A work of which nothing is measured yet.
pub(crate) fn begin(work: &'static Work, subjects: &[Subject], effort: Effort) -> Outcome {
    let rows = subjects.iter().map(|subject| Row::of(*subject)).collect();
    Outcome { work, effort, rows, notes: Vec::new() }
}

/// Does the rounds of this pass; an error only if the person wants to stop. Works with a schedule look for what a proxy can do
/// in those before them.
pub(crate) fn go_on(
    outcome: &mut Outcome,
    pass: usize,
    before: &[Outcome],
    fleet: &mut Fleet<'_>,
) -> Result<()> {
    let Outcome { work, effort, rows, .. } = outcome;
    for round in rounds_of(pass, effort.rounds).map(|round| round + 1) {
        // There and back again: what gets slower or faster during a round hits the first as it hits the last.
        let there = (0..rows.len()).map(|place| if round % 2 == 1 { place } else { rows.len() - 1 - place });
        let places: Vec<usize> =
            there.filter(|place| !work.kind.is_closed_loop() || !is_far(rows, *place)).collect();
        let round = Round { work, secs: effort.secs, number: round, of: effort.rounds, before };
        if work.kind.is_in_rotation() {
            round.in_rotation(rows, &places, fleet)?;
        } else {
            round.one_after_the_other(rows, &places, fleet)?;
        }
    }
    Ok(())
}

/// One round of a work.
struct Round<'a> {
    work: &'static Work,
    secs: u64,
    /// Counted from 1.
    number: usize,
    of: usize,
    before: &'a [Outcome],
}

impl Round<'_> {
    fn one_after_the_other(&self, rows: &mut [Row], places: &[usize], fleet: &mut Fleet<'_>) -> Result<()> {
        for place in places {
            let Some(row) = rows.get_mut(*place) else { continue };
            self.tell(&row.subject.label());
            if self.warm_up(row, fleet)? {
                let sample = sample(self.work, row.subject, self.secs, self.before, fleet);
                self.keep(row, sample, fleet)?;
            }
        }
        Ok(())
    }

    fn in_rotation(&self, rows: &mut [Row], places: &[usize], fleet: &mut Fleet<'_>) -> Result<()> {
        let mut subjects = Vec::new();
        for place in places {
            let Some(row) = rows.get_mut(*place) else { continue };
            if self.warm_up(row, fleet)? {
                subjects.push(row.subject);
            }
        }
        let labels: Vec<String> = subjects.iter().map(|subject| subject.label()).collect();
        self.tell(&labels.join(", "));
        for (subject, sample) in together::samples(&self.work.kind, &subjects, self.secs, fleet)? {
            if let Some(row) = rows.iter_mut().find(|row| row.subject == subject) {
                self.keep(row, sample, fleet)?;
            }
        }
        Ok(())
    }

    fn tell(&self, whom: &str) {
        eprintln!("loadtest: {}, round {} of {}: {whom}", self.work.name, self.number, self.of);
    }

    /// Whether it is fit to be measured; an error only if the person wants to stop.
    fn warm_up(&self, row: &mut Row, fleet: &mut Fleet<'_>) -> Result<bool> {
        match warm_up(self.work, row.subject, self.before, fleet) {
            Ok(requests) => {
                row.unmeasured += requests;
                Ok(true)
            }
            Err(error) => self.keep(row, Err(error), fleet).map(|()| false),
        }
    }

    /// A failure costs the row its figure, and the process its life; an error only if the person wants to stop.
    fn keep(&self, row: &mut Row, sample: Result<Sample>, fleet: &mut Fleet<'_>) -> Result<()> {
        match sample {
            Ok(sample) => row.samples.push(sample),
            Err(Error::Interrupted) => return Err(Error::Interrupted),
            Err(Error::Failed(sentence)) => {
                fleet.stop(row.subject);
                row.failures.push(format!("round {}: {sentence}", self.number));
            }
        }
        Ok(())
    }
}

/// Whether this row is a peer's that has been looked at and is none of the best.
fn is_far(rows: &[Row], place: usize) -> bool {
    let peers = rows.iter().filter(|row| row.subject.proxy.role() == Role::Peer);
    let medians = peers.filter_map(|row| row.cost()).map(|cost| cost.median);
    let (Some(best), Some(row)) = (medians.reduce(f64::min), rows.get(place)) else { return false };
    let is_known = row.subject.proxy.role() == Role::Peer && row.samples.len() >= LOOKS;
    is_known && row.cost().is_some_and(|cost| cost.median > FAR * best)
}

/// After the last pass: what else is to be told, and the end of processes that no other work needs.
pub(crate) fn finish(outcome: &mut Outcome, fleet: &mut Fleet<'_>) -> Result<()> {
    let Outcome { work, rows, notes, .. } = outcome;
    notes.extend(rows.iter().filter_map(inside_note));
    if matches!(work.kind, Kind::Reload(_)) {
        notes.extend(rows.iter().filter_map(slowest_note));
    }
    for row in rows.iter().filter(|row| row.subject.setup != Setup::Plain) {
        fleet.stop(row.subject);
        if row.subject.setup == Setup::Logging {
            notes.push(log_note(row, &fleet.ground.workspace.run)?);
        }
    }
    Ok(())
}

/// A process that has just been started has memory to touch and connections to open for the first time: it works for a second
/// before it is measured. Returns the requests of that second.
fn warm_up(work: &Work, subject: Subject, done: &[Outcome], fleet: &mut Fleet<'_>) -> Result<f64> {
    if !work.kind.is_closed_loop() || fleet.is_running(subject) {
        return Ok(0.0);
    }
    let sample = sample(work, subject, WARM_UP_SECS, done, fleet)?;
    Ok(sample.load.map_or(0.0, |load| load.requests))
}

fn sample(
    work: &Work,
    subject: Subject,
    secs: u64,
    done: &[Outcome],
    fleet: &mut Fleet<'_>,
) -> Result<Sample> {
    let ground = fleet.ground;
    match &work.kind {
        Kind::Wrk(load) => {
            let load = together::at(load, subject);
            under_wrk(&load, secs, fleet.running(subject)?, ground)
        }
        Kind::Reload(load) => {
            let running = fleet.running(subject)?;
            let reloading = match subject.setup {
                Setup::Reloading => Some(Reloading::begin(running)?),
                _ => None,
            };
            let sample = under_wrk(load, secs, running, ground);
            reloading.map_or(Ok(()), Reloading::end)?;
            let sample = sample?;
            expect_reloads(&sample, subject)?;
            Ok(sample)
        }
        Kind::H2load(streams) => under_h2load(streams, secs, fleet.running(subject)?, ground),
        Kind::OpenLoop(paced) => {
            let capacity = open_loop::capacity(paced, subject, done)?;
            open_loop::sample(*paced, capacity, secs, fleet.running(subject)?, ground)
        }
        Kind::Idle(_) | Kind::Resident => {
            // A process that has served other works has memory to spare, which would hide its growth.
            fleet.stop(subject);
            let running = fleet.running(subject)?;
            let sample = match &work.kind {
                Kind::Idle(waiting) => memory::idle(*waiting, running, ground),
                _ => memory::resident(running),
            };
            fleet.stop(subject);
            sample
        }
        Kind::Check => check(subject, fleet),
    }
}

/// A configuration that was not gone over to costs nothing.
fn expect_reloads(sample: &Sample, subject: Subject) -> Result<()> {
    let loads = sample.load.as_ref().and_then(|load| load.inside.loads);
    if subject.setup == Setup::Reloading && loads.is_none_or(|loads| loads < 1.0) {
        return Err(Error::failed("it did not load the configuration again when its file had changed"));
    }
    Ok(())
}

fn check(subject: Subject, fleet: &mut Fleet<'_>) -> Result<Sample> {
    // One that runs would load the file that is written now.
    fleet.stop(subject);
    let (places, configuration, _) = fleet.configure(subject)?;
    let ground = fleet.ground;
    let what = Invocation::pinned(&places.program, places.proxy_core).arg("check").arg(configuration);
    let finished = process::run(&what, &ground.workspace.log("check"), CHECK_MAX, &ground.interrupt)?;
    let finished = finished.success("sluicegate check")?;
    let cpu =
        finished.cpu.ok_or_else(|| Error::failed("the CPU time of sluicegate check could not be read"))?;
    expect_work(cpu)?;
    Ok(Sample { cost: 1e3 * cpu.total(), load: None })
}

/// What a mean and a percentile hide.
fn slowest_note(row: &Row) -> Option<String> {
    let slowest = row.slowest_ms()?;
    Some(format!("{}: the slowest request of all rounds took {slowest:.2} ms", row.subject.label()))
}

fn inside_note(row: &Row) -> Option<String> {
    let known = row.samples.last()?.load.as_ref()?.inside.known();
    let told: Vec<String> = known.iter().map(|(name, value)| format!("{} {name}", short(*value))).collect();
    (!told.is_empty()).then(|| format!("{}, last round: {}", row.subject.label(), told.join(", ")))
}

/// Counts as they are, ratios with two digits, or three where many requests share one of what is counted.
fn short(value: f64) -> String {
    match value {
        _ if value.fract() == 0.0 => format!("{value:.0}"),
        _ if value < 1.0 => format!("{value:.3}"),
        _ => format!("{value:.2}"),
    }
}

/// A log that loses lines would make logging look cheap.
fn log_note(row: &Row, run: &Path) -> Result<String> {
    let path = proxies::access_log(row.subject, run);
    let Ok(file) = File::open(&path) else {
        return Ok(format!("{}: no access log was written", row.subject.label()));
    };
    let lines = BufReader::new(file).bytes().filter(|byte| matches!(byte, Ok(b'\n'))).count();
    let requests: f64 = row.unmeasured + row.loads().map(|load| load.requests).sum::<f64>();
    fs::remove_file(&path).during(|| format!("removing {}", path.display()))?;
    Ok(format!("{}: {lines} lines in the access log for {requests:.0} requests", row.subject.label()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subjects::Proxy;

    #[test]
    fn each_round_is_in_one_pass_and_the_first_pass_has_one() {
        for rounds in 1..20 {
            let all: Vec<usize> = (0..PASSES).flat_map(|pass| rounds_of(pass, rounds)).collect();
            assert_eq!(all, (0..rounds).collect::<Vec<_>>());
            let largest = (0..PASSES).map(|pass| rounds_of(pass, rounds).len()).max();
            assert_eq!(largest, Some(rounds.div_ceil(PASSES)));
            assert!(!rounds_of(0, rounds).is_empty());
        }
    }

    #[test]
    fn a_peer_is_far_when_it_was_looked_at_and_the_best_is_much_better() {
        let row = |proxy, costs: &[f64]| {
            let mut row = Row::of(Subject::plain(proxy));
            row.samples = costs.iter().map(|cost| Sample { cost: *cost, load: None }).collect();
            row
        };
        let mut rows = vec![
            row(Proxy::Sluicegate, &[9.0; 3]),
            row(Proxy::Nginx, &[4.0, 5.0, 4.0]),
            row(Proxy::Haproxy, &[5.2; 3]),
            row(Proxy::Envoy, &[5.3; 3]),
            row(Proxy::Caddy, &[60.0; 2]),
        ];
        let far = |rows: &[Row]| (0..rows.len()).map(|place| is_far(rows, place)).collect::<Vec<_>>();
        assert_eq!(far(&rows), [false, false, false, true, false]);
        // Who has no figure is neither far nor the best.
        rows[1].failures.push("round 1".to_owned());
        assert_eq!(far(&rows), [false; 5]);
    }

    #[test]
    fn shares_of_a_request_keep_their_digits() {
        assert_eq!([12.0, 1.5, 0.034].map(short), ["12", "1.50", "0.034"]);
    }
}
