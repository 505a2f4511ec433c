//! Lets several load generators work in rotation: one at a time for a slice, while the others are paused.
//!
//! The host has spells of a second to a minute in which everything is slower by a third, and nothing tells of them. Proxies
//! that are measured for a second each, one after the other, meet different spells; in slices they meet the same ones.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::load::GRACE;
use crate::process::{Finished, Interrupt, Invocation, POLL, Process};
use crate::procfs::{CoreUse, Threads};

/// How long a load generator works before it is the next one's turn. Long enough that what comes with each change (the
/// generator wakes up, caches hold another program's data, the requests under way are answered to nobody) is a small part of
/// it; so short that a spell of the host takes many rotations. And so short that with up to five proxies no connection is idle
/// for more than 200 ms: after the smallest timeout of retransmission Linux takes a connection for one that has been
/// idle and acknowledges at once again (quick ACKs), which would be another work.
pub(crate) const SLICE: Duration = Duration::from_millis(50);
/// The same for h2load, which has up to 512 requests under way: they take a hundredth of a second, and the first of a slice find
/// neither their connection to the origin nor their memory in the caches. In slices of 50 ms every seventh request was
/// such a one. A connection has a hundred requests or more in such a slice, so quick ACKs at its beginning count for little.
pub(crate) const SLICE_OF_MANY: Duration = Duration::from_millis(200);

/// The most load generators in a rotation: every proxy, the floor, and another build of the gateway.
const MOST: u128 = 7;
/// wrk takes an answer for timed out after two seconds, and a request that is under way at the end of a slice is answered
/// in the next of the same generator. Half of that is left for what the answer itself takes.
const WRK_PATIENCE: Duration = Duration::from_secs(1);
const _: () =
    assert!(MOST * SLICE.as_millis() <= WRK_PATIENCE.as_millis(), "wrk would take pauses for timeouts");
const _: () =
    assert!(SLICE.as_millis() > 0 && SLICE_OF_MANY.as_millis() > 0, "schedules count whole milliseconds");

/// How long a generator whose time is over goes on at most until the next one may end: wrk looks at its clock ten times
/// a second.
const LAST_SLICE: Duration = Duration::from_millis(200);

/// After a slice the proxy has answers under way to a generator that is paused. The next slice would share its core with them, so it
/// begins when the proxy's threads have been found at rest so many times on end, so far from each other: a proxy that waits for
/// the origin rests, too, but not for as long.
const RESTS: u32 = 3;
const REST_POLL: Duration = Duration::from_micros(500);
/// What the dearest proxy takes for the 512 requests of `h2`, and half as much again. One that is busy by itself is waited for no
/// longer.
const REST_MAX: Duration = Duration::from_millis(150);

/// Who works when.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Schedule {
    /// Slices of each generator.
    slices: u32,
    /// The length of each.
    slice: Duration,
    /// Generators.
    generators: u32,
}

impl Schedule {
    /// For so many generators, each of which works for `secs` seconds in all, or a little more: what all of them take
    /// together is a number of whole seconds, as wrk counts no others.
    pub(crate) fn of(generators: usize, secs: u64, slice: Duration) -> Schedule {
        let generators = u32::try_from(generators).unwrap_or(u32::MAX).max(1);
        if generators == 1 {
            // There is nobody to take turns with.
            let slice = Duration::from_secs(secs);
            return Schedule { slices: 1, slice, generators };
        }
        let slice_ms = u64::try_from(slice.as_millis()).unwrap_or(u64::MAX);
        let slices = whole_slices(slice_ms, u64::from(generators), secs);
        Schedule { slices: u32::try_from(slices).unwrap_or(u32::MAX), slice, generators }
    }

    /// What each generator has to be told: the seconds from its start to its end, pauses included. All start within the first
    /// rotation, and when theirs are over they have had their slices, but for what was spent on waiting for proxies to
    /// rest: that many slices fewer it is, of all alike.
    pub(crate) fn secs(&self) -> u64 {
        (self.slice * self.slices * self.generators).as_secs()
    }

    /// When a slice ends, after the beginning of the first and without rests; both counted from 0. On one clock for all, so
    /// that delays do not add up.
    fn end(&self, slice: u32, generator: u32) -> Duration {
        self.slice * (slice * self.generators + generator + 1)
    }
}

/// The fewest slices, for so many seconds of each generator, with which all of them take whole seconds.
fn whole_slices(slice_ms: u64, generators: u64, secs: u64) -> u64 {
    let rotation = slice_ms * generators;
    // So many rotations are the first that end on a whole second.
    let step = 1000 / greatest_common_divisor(rotation, 1000);
    (1000 * secs).div_ceil(slice_ms).next_multiple_of(step)
}

fn greatest_common_divisor(one: u64, other: u64) -> u64 {
    if other == 0 { one } else { greatest_common_divisor(other, one % other) }
}

/// What became of a load generator.
#[derive(Debug)]
pub(crate) struct Turned {
    /// Its end; the time is that of its own slices.
    pub(crate) finished: Finished,
    /// How much of the core that it runs on was used in these, by whomever.
    pub(crate) core: CoreUse,
}

/// A load generator that is to work in rotation.
pub(crate) struct Candidate {
    /// How it is started.
    pub(crate) what: Invocation,
    /// What it says goes there.
    pub(crate) log: PathBuf,
    /// Of the proxy that it asks.
    pub(crate) asked: Threads,
}

/// Starts a load generator in the first slice of each, and lets them work in rotation until all have ended. What fails costs
/// only its own outcome; the error of the whole is the person's wish to stop. However it ends, none of them is left.
pub(crate) fn rotate(
    generators: &[Candidate],
    schedule: Schedule,
    core: usize,
    interrupt: &Interrupt,
) -> Result<Vec<Result<Turned>>> {
    let mut all: Vec<Generator<'_>> =
        generators.iter().map(|candidate| Generator::new(candidate, core)).collect();
    let (begin, time) = (Instant::now(), Duration::from_secs(schedule.secs()));
    let mut rested = Duration::ZERO;
    for slice in 0..schedule.slices {
        if slice > 0 && begin.elapsed() >= time {
            break;
        }
        for (place, generator) in (0..).zip(&mut all) {
            let end = begin + schedule.end(slice, place) + rested;
            generator.slice(end, interrupt)?;
            // One that has ended early leaves its time to nobody: the others' is over when they were told.
            interrupt.sleep(end.saturating_duration_since(Instant::now()))?;
            if schedule.generators > 1 {
                rested += generator.rest(interrupt)?;
            }
        }
    }
    // Their time is over, so each has only to be let go once more to end.
    let patience = Instant::now() + GRACE;
    while all.iter().any(Generator::is_under_way) && Instant::now() < patience {
        for generator in &mut all {
            generator.slice(Instant::now() + LAST_SLICE, interrupt)?;
            generator.rest(interrupt)?;
        }
    }
    Ok(all.into_iter().map(Generator::outcome).collect())
}

/// Waits until these threads have nothing to do; how long that took.
fn rest(threads: &Threads, interrupt: &Interrupt) -> Result<Duration> {
    let begin = Instant::now();
    let mut rests = 0;
    while rests < RESTS && begin.elapsed() < REST_MAX {
        interrupt.sleep(REST_POLL)?;
        rests = if threads.are_at_rest() { rests + 1 } else { 0 };
    }
    Ok(begin.elapsed())
}

/// A load generator that works and pauses.
struct Generator<'a> {
    candidate: &'a Candidate,
    load_core: usize,
    state: State,
    active: Duration,
    core: CoreUse,
}

enum State {
    New,
    Paused(Process),
    Ended(Result<Finished>),
}

impl<'a> Generator<'a> {
    fn new(candidate: &'a Candidate, load_core: usize) -> Generator<'a> {
        let (active, core) = (Duration::ZERO, CoreUse::default());
        Generator { candidate, load_core, state: State::New, active, core }
    }

    fn is_under_way(&self) -> bool {
        matches!(self.state, State::Paused(_))
    }

    /// Lets it work until then, unless it has ended or does so before; an error only if the person wants to stop.
    fn slice(&mut self, end: Instant, interrupt: &Interrupt) -> Result<()> {
        let ended = State::Ended(Err(Error::failed("it was interrupted")));
        self.state = match std::mem::replace(&mut self.state, ended) {
            State::Ended(how) => State::Ended(how),
            State::New => {
                let Candidate { what, log, .. } = self.candidate;
                match Process::start(&what.name(), what, log) {
                    Ok(process) => self.work(process, end, interrupt)?,
                    Err(error) => State::Ended(Err(error)),
                }
            }
            State::Paused(process) => self.work(process, end, interrupt)?,
        };
        Ok(())
    }

    /// What became of it in a slice.
    fn work(&mut self, process: Process, end: Instant, interrupt: &Interrupt) -> Result<State> {
        let worked = self.let_go(&process, end, interrupt);
        Ok(match worked {
            Err(Error::Interrupted) => return Err(Error::Interrupted),
            Err(failed) => State::Ended(Err(failed)),
            Ok(true) => State::Ended(process.finish(self.active)),
            Ok(false) => State::Paused(process),
        })
    }

    /// Lets it work until then; whether it ended before.
    fn let_go(&mut self, process: &Process, end: Instant, interrupt: &Interrupt) -> Result<bool> {
        let core = CoreUse::of(self.load_core)?;
        let begin = Instant::now();
        process.go_on();
        let mut has_ended = false;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || has_ended {
                break;
            }
            interrupt.sleep(left.min(POLL))?;
            has_ended = process.has_ended()?;
        }
        process.pause();
        self.active += begin.elapsed();
        self.core = self.core.plus(CoreUse::of(self.load_core)?.since(core));
        Ok(has_ended)
    }

    /// Waits until its proxy has nothing left to do; how long that took. What it worked meanwhile it worked for this one's
    /// requests, so this counts as its time, but for what it takes to see that it rests.
    fn rest(&mut self, interrupt: &Interrupt) -> Result<Duration> {
        let rested = rest(&self.candidate.asked, interrupt)?;
        self.active += rested.saturating_sub(REST_POLL * RESTS);
        Ok(rested)
    }

    fn outcome(self) -> Result<Turned> {
        let finished = match self.state {
            State::Ended(how) => how?,
            State::New => return Err(Error::failed("it was never started")),
            State::Paused(_) => {
                let (name, secs) = (self.candidate.what.name(), GRACE.as_secs());
                return Err(Error::Failed(format!("{name} did not end within {secs} s after its time")));
            }
        };
        Ok(Turned { finished, core: self.core })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;

    fn short(slices: u32, generators: u32) -> Schedule {
        Schedule { slices, slice: Duration::from_millis(10), generators }
    }

    fn shell(name: &str, script: &str) -> Candidate {
        let log = std::env::temp_dir().join(format!("loadtest-{}-rotation-{name}", std::process::id()));
        let what = Invocation::of(Path::new("sh")).args(["-c", script]).pausable();
        Candidate { what, log, asked: nobody() }
    }

    /// Has no threads, so it is always at rest.
    fn nobody() -> Threads {
        Threads::of(0)
    }

    fn remove(generators: &[Candidate]) {
        for candidate in generators {
            fs::remove_file(&candidate.log).unwrap();
        }
    }

    #[test]
    fn all_together_take_whole_seconds_and_each_has_its_own() {
        for slice_ms in [1, 7, 20, 30, 33, 50, 64, 100, 125, 140] {
            for generators in 1..=7 {
                for secs in [1, 2, 5] {
                    let slices = whole_slices(slice_ms, generators, secs);
                    assert_eq!(slices * slice_ms * generators % 1000, 0, "{slice_ms} {generators}");
                    assert!(slices * slice_ms >= 1000 * secs, "{slice_ms} {generators}");
                }
            }
        }
        // A slice of which a second has a whole number needs no more than that.
        assert_eq!((whole_slices(50, 6, 1), whole_slices(100, 3, 2), whole_slices(30, 2, 1)), (20, 20, 50));
    }

    #[test]
    fn slices_follow_each_other_and_the_last_ends_with_the_time_that_is_told() {
        for (generators, length) in (1..=7).flat_map(|count| [(count, SLICE), (count, SLICE_OF_MANY)]) {
            let schedule = Schedule::of(generators, 3, length);
            let mut last = Duration::ZERO;
            for slice in 0..schedule.slices {
                for place in 0..schedule.generators {
                    assert_eq!(schedule.end(slice, place) - last, schedule.slice);
                    last = schedule.end(slice, place);
                }
            }
            assert_eq!(last, Duration::from_secs(schedule.secs()));
        }
        let alone = Schedule::of(1, 3, SLICE);
        assert_eq!((alone.slices, alone.secs()), (1, 3), "with nobody else there is no pause");
    }

    #[test]
    fn what_fails_or_ends_early_costs_the_others_nothing() {
        let generators = [
            shell("early", "echo early"),
            shell("failing", "echo alas; exit 3"),
            shell("late", "sleep 0.1; echo late"),
        ];
        let never = Interrupt::never();
        let all = rotate(&generators, short(3, 3), 0, &never).unwrap();
        remove(&generators);
        let told = all.into_iter().map(|turned| turned.unwrap().finished).collect::<Vec<_>>();
        assert_eq!(
            told.iter().map(|it| it.output.as_str()).collect::<Vec<_>>(),
            ["early\n", "alas\n", "late\n"]
        );
        assert_eq!(told.iter().map(|it| it.status.code()).collect::<Vec<_>>(), [Some(0), Some(3), Some(0)]);
        // A log that cannot be made stands for whatever keeps a program from starting.
        let absent = Candidate { log: PathBuf::from("/absent/log"), ..shell("absent", "true") };
        let generators = [absent, shell("present", "echo here")];
        let mut all = rotate(&generators, short(1, 2), 0, &never).unwrap().into_iter();
        remove(&generators[1..]);
        assert!(all.next().unwrap().is_err());
        assert_eq!(all.next().unwrap().unwrap().finished.output, "here\n");
    }

    #[test]
    fn only_one_works_at_a_time() {
        let lines = std::env::temp_dir().join(format!("loadtest-{}-rotation-lines", std::process::id()));
        let write = |letter: &str| {
            let n = "n=$((n+1))";
            let script =
                format!("n=0; while [ $n -lt 20000 ]; do echo {letter}; {n}; done >> {}", lines.display());
            shell(letter, &script)
        };
        let generators = [write("a"), write("b")];
        let all = rotate(&generators, short(4, 2), 0, &Interrupt::never()).unwrap();
        remove(&generators);
        let written = fs::read_to_string(&lines).unwrap();
        fs::remove_file(&lines).unwrap();
        assert!(all.into_iter().all(|turned| turned.unwrap().finished.status.success()));
        let letters: Vec<&str> = written.lines().collect();
        assert_eq!(letters.len(), 40_000);
        // There is one change for each slice; side by side there would be thousands.
        let changes = letters.windows(2).filter(|pair| pair[0] != pair[1]).count();
        assert!((1..200).contains(&changes), "{changes}");
    }

    #[test]
    fn a_wish_to_stop_leaves_nobody_behind_not_even_who_is_paused() {
        let script = |number: u32| format!("echo ready; exec sleep 8639{number}.{}", std::process::id());
        let generators = [shell("first", &script(1)), shell("second", &script(2))];
        let interrupt = Interrupt::never();
        let logs: Vec<PathBuf> = generators.iter().map(|it| it.log.clone()).collect();
        let wish = interrupt.clone();
        let waiting = std::thread::spawn(move || {
            let is_ready = |log: &PathBuf| fs::read_to_string(log).is_ok_and(|text| text.contains("ready"));
            while !logs.iter().all(is_ready) {
                std::thread::yield_now();
            }
            wish.wish();
        });
        let ended = rotate(&generators, short(10_000, 2), 0, &interrupt).map(|all| all.len());
        waiting.join().unwrap();
        remove(&generators);
        assert_eq!(ended, Err(Error::Interrupted));
        let left = fs::read_dir("/proc").unwrap().flatten().filter(|entry| {
            let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(&format!(".{}", std::process::id()))
                && String::from_utf8_lossy(&line).starts_with("sleep\0")
        });
        assert_eq!(left.count(), 0);
    }

    #[test]
    fn who_never_rests_is_not_waited_for_without_end() {
        let never = Interrupt::never();
        assert!(rest(&nobody(), &never).unwrap() >= REST_POLL * RESTS);
        // The thread that asks is one of these.
        assert!(rest(&Threads::of(std::process::id()), &never).unwrap() >= REST_MAX);
    }
}
