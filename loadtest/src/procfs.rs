//! What the kernel tells of processes: CPU time, family, memory.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use rustix::param::clock_ticks_per_second;
use rustix::process::{Pid, Signal, kill_process};

use crate::error::{During, Error, Result};

const NO_ENTRY: i32 = rustix::io::Errno::NOENT.raw_os_error();
const NO_PROCESS: i32 = rustix::io::Errno::SRCH.raw_os_error();

/// Two kinds of time may be rounded by a tick of 10 ms each, and one may be told by a tick later.
const TICKS_APART: f64 = 0.03;

/// CPU time in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Cpu {
    /// Spent in the program.
    pub(crate) user: f64,
    /// Spent in the kernel on its behalf.
    pub(crate) system: f64,
}

impl Cpu {
    /// Both together.
    pub(crate) fn total(self) -> f64 {
        self.user + self.system
    }

    /// With another total, divided in the same way, unless it differs by more than ticks of the kernel's clock can.
    fn with_total(self, total: f64) -> Cpu {
        let ticks = self.total();
        if ticks <= 0.0 || (total - ticks).abs() > TICKS_APART + ticks / 100.0 {
            return self;
        }
        let factor = total / ticks;
        Cpu { user: self.user * factor, system: self.system * factor }
    }

    /// What was spent since `earlier`.
    pub(crate) fn since(self, earlier: Cpu) -> Cpu {
        Cpu { user: self.user - earlier.user, system: self.system - earlier.system }
    }
}

/// A process, known by more than its id, which the kernel uses again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Member {
    pid: i32,
    start_ticks: u64,
}

impl Member {
    /// Ends it at once, if it is still the same process.
    pub(crate) fn kill(self) {
        let same = read_stat(self.pid).is_some_and(|stat| stat.start_ticks == self.start_ticks);
        if let (true, Some(pid)) = (same, Pid::from_raw(self.pid)) {
            // A failure means that it has gone by itself.
            let _gone = kill_process(pid, Signal::KILL);
        }
    }
}

/// The process and all that descend from it, parents first.
pub(crate) fn family(root: u32) -> Vec<Member> {
    let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
    let mut start_ticks = HashMap::new();
    for pid in all_pids() {
        if let Some(stat) = read_stat(pid) {
            children.entry(stat.parent).or_default().push(pid);
            start_ticks.insert(pid, stat.start_ticks);
        }
    }
    let mut found = Vec::new();
    let mut next = vec![i32::try_from(root).unwrap_or(0)];
    // A process has one parent, so each is pushed once and the loop ends.
    while let Some(pid) = next.pop() {
        if let Some(&start_ticks) = start_ticks.get(&pid) {
            found.push(Member { pid, start_ticks });
            next.extend(children.remove(&pid).unwrap_or_default());
        }
    }
    found
}

/// CPU time of the process and its living descendants, threads included, since each began.
///
/// Its sum is that of the scheduler, in nanoseconds; how it divides into user and system is told by ticks only. Threads that
/// have ended are missing in the first and not in the second, so when the two disagree by more than ticks can, ticks hold.
pub(crate) fn cpu(root: u32) -> Result<Cpu> {
    let family = family(root);
    if family.is_empty() {
        return Err(Error::failed(format!("process {root} has gone")));
    }
    let mut sum = Cpu::default();
    for member in &family {
        let Some(stat) = read_stat(member.pid) else { continue };
        let ticks = stat.cpu();
        let exact = scheduled(member.pid).map_or(ticks, |exact| ticks.with_total(exact));
        sum.user += exact.user;
        sum.system += exact.system;
    }
    Ok(sum)
}

/// Seconds that the living threads of a process have run, if the kernel tells (it was built with CONFIG_SCHED_INFO).
fn scheduled(pid: i32) -> Option<f64> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten();
    let times = threads.map(|thread| {
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    let sum: u64 = times.collect::<Option<Vec<u64>>>()?.iter().sum();
    #[expect(clippy::cast_precision_loss, reason = "nanoseconds of a process stay far below 2^52")]
    Some(sum as f64 / 1e9)
}

/// How long a core has been in use, and how long there was to use it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct CoreUse {
    busy_ticks: u64,
    all_ticks: u64,
}

impl CoreUse {
    /// Of that core, since the machine began.
    pub(crate) fn of(core: usize) -> Result<CoreUse> {
        let text = fs::read_to_string("/proc/stat").during(|| "reading /proc/stat".to_owned())?;
        parse_core(&text, core)
            .ok_or_else(|| Error::Failed(format!("/proc/stat does not tell of core {core}")))
    }

    /// What there was since an earlier look.
    pub(crate) fn since(self, earlier: CoreUse) -> CoreUse {
        CoreUse {
            busy_ticks: self.busy_ticks.saturating_sub(earlier.busy_ticks),
            all_ticks: self.all_ticks.saturating_sub(earlier.all_ticks),
        }
    }

    /// Two times together. Of a short one ticks tell little, of many added up they tell as much as of a long one.
    pub(crate) fn plus(self, other: CoreUse) -> CoreUse {
        CoreUse {
            busy_ticks: self.busy_ticks + other.busy_ticks,
            all_ticks: self.all_ticks + other.all_ticks,
        }
    }

    /// The share that was used.
    #[expect(clippy::cast_precision_loss, reason = "ticks stay far below 2^52")]
    pub(crate) fn share(self) -> f64 {
        if self.all_ticks == 0 { 0.0 } else { self.busy_ticks as f64 / self.all_ticks as f64 }
    }
}

/// The line `cpuN user nice system idle iowait irq softirq steal ...` (proc(5)); time stolen by another guest is in use, too.
fn parse_core(text: &str, core: usize) -> Option<CoreUse> {
    let name = format!("cpu{core}");
    let mut words = text
        .lines()
        .map(str::split_whitespace)
        .find_map(|mut words| if words.next()? == name { Some(words) } else { None })?;
    let mut ticks = [0; 8];
    for tick in &mut ticks {
        *tick = words.next()?.parse().ok()?;
    }
    let [_, _, _, idle, waiting, ..] = ticks;
    let all_ticks: u64 = ticks.iter().sum();
    Some(CoreUse { busy_ticks: all_ticks - idle - waiting, all_ticks })
}

/// The threads that a process and its descendants have at one moment: which of them run can be told often and at little cost.
#[derive(Debug)]
pub(crate) struct Threads(Vec<PathBuf>);

impl Threads {
    /// Of that process.
    pub(crate) fn of(root: u32) -> Threads {
        let tasks = family(root).into_iter().map(|member| format!("/proc/{}/task", member.pid));
        let threads = tasks.filter_map(|tasks| fs::read_dir(tasks).ok()).flatten().flatten();
        Threads(threads.map(|thread| thread.path().join("stat")).collect())
    }

    /// Whether none of them runs or waits for a core; those that have ended do not.
    pub(crate) fn are_at_rest(&self) -> bool {
        !self.0.iter().any(|stat| fs::read_to_string(stat).is_ok_and(|text| is_runnable(&text)))
    }
}

/// The letter behind the name of the program.
fn is_runnable(stat: &str) -> bool {
    stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('R'))
}

/// CPU time of one process alone, which may have ended but must not have been waited for.
pub(crate) fn cpu_alone(pid: u32) -> Option<Cpu> {
    Some(read_stat(i32::try_from(pid).ok()?)?.cpu())
}

/// Memory of the process and its descendants in KiB, shared pages divided among those that share them.
pub(crate) fn memory_kib(root: u32) -> Result<u64> {
    let mut sum = 0;
    for member in family(root) {
        let path = format!("/proc/{}/smaps_rollup", member.pid);
        let text = match fs::read_to_string(&path) {
            // A child that has just ended has no memory.
            Err(error) if matches!(error.raw_os_error(), Some(NO_ENTRY | NO_PROCESS)) => continue,
            result => result.during(|| format!("reading {path}"))?,
        };
        sum += parse_pss_kib(&text).ok_or_else(|| Error::failed(format!("{path} has no line Pss:")))?;
    }
    if sum == 0 {
        return Err(Error::failed(format!("process {root} has gone")));
    }
    Ok(sum)
}

/// The fields of `/proc/PID/stat` that are of use here (proc(5)).
#[derive(Debug, PartialEq)]
struct Stat {
    parent: i32,
    user_ticks: u64,
    system_ticks: u64,
    start_ticks: u64,
}

impl Stat {
    fn cpu(&self) -> Cpu {
        Cpu { user: seconds(self.user_ticks), system: seconds(self.system_ticks) }
    }
}

/// The name of the program stands in parentheses and may itself hold any of them, hence the search for the last one.
fn parse_stat(text: &str) -> Option<Stat> {
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    Some(Stat {
        parent: fields.get(1)?.parse().ok()?,
        user_ticks: fields.get(11)?.parse().ok()?,
        system_ticks: fields.get(12)?.parse().ok()?,
        start_ticks: fields.get(19)?.parse().ok()?,
    })
}

fn parse_pss_kib(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

fn read_stat(pid: i32) -> Option<Stat> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

fn all_pids() -> Vec<i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

#[expect(clippy::cast_precision_loss, reason = "ticks stay far below 2^52")]
fn seconds(ticks: u64) -> f64 {
    ticks as f64 / clock_ticks_per_second() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_stat_whose_program_has_parentheses_in_its_name() {
        let text = "42 (a) b (c)) S 7 42 42 0 -1 4194560 100 200 0 0 31 17 5 6 20 0 3 0 9001 1000 50 18446744073709551615";
        let expected = Stat { parent: 7, user_ticks: 31, system_ticks: 17, start_ticks: 9001 };
        assert_eq!(parse_stat(text), Some(expected));
    }

    #[test]
    fn a_thread_that_runs_is_not_at_rest() {
        assert!(is_runnable("42 (a) S) R 7 42"));
        assert!(!is_runnable("42 (a) R) S 7 42") && !is_runnable("42 (R"));
        // The one that asks is running.
        assert!(!Threads::of(std::process::id()).are_at_rest());
        assert!(Threads(Vec::new()).are_at_rest());
    }

    #[test]
    fn a_stat_cut_short_is_no_stat() {
        assert_eq!(parse_stat("42 (a) S 7 42"), None);
        assert_eq!(parse_stat(""), None);
    }

    #[test]
    fn reads_proportional_memory() {
        let text = "5581f-7ffd ---p 00000000 00:00 0  [rollup]\nRss:  900 kB\nPss:                 512 kB\nPss_Dirty: 3 kB\n";
        assert_eq!(parse_pss_kib(text), Some(512));
        assert_eq!(parse_pss_kib("Rss: 1 kB\n"), None);
    }

    #[test]
    fn the_schedulers_time_is_divided_as_ticks_are_unless_threads_are_missing_in_it() {
        let ticks = Cpu { user: 0.5, system: 1.5 };
        let exact = ticks.with_total(2.02);
        assert!((exact.total() - 2.02).abs() < 1e-9 && (exact.user - 0.505).abs() < 1e-9);
        assert_eq!(ticks.with_total(1.0), ticks);
        assert_eq!(Cpu::default().with_total(0.004), Cpu::default());
    }

    #[test]
    fn the_two_times_of_its_own_process_agree() {
        let pid = std::process::id();
        let (exact, stat) = (scheduled(pid.cast_signed()), read_stat(pid.cast_signed()).unwrap());
        let ticks = stat.cpu().total();
        // Threads of other tests come and go, and what they used goes with them from the first.
        assert!(exact.is_none_or(|exact| exact < ticks + 1.0), "{exact:?} {ticks}");
    }

    #[test]
    fn reads_how_much_a_core_was_used() {
        let text = "cpu  9 9 9 9 9 9 9 9 0 0\ncpu1 1 2 3 40 4 5 6 7 0 0\ncpu11 0 0 0 0 0 0 0 0 0 0\n";
        let looked = parse_core(text, 1).unwrap();
        assert_eq!(looked, CoreUse { busy_ticks: 24, all_ticks: 68 });
        assert_eq!((parse_core(text, 2), parse_core("cpu1 1 2\n", 1)), (None, None));
        let later = CoreUse { busy_ticks: 54, all_ticks: 108 };
        assert!((later.since(looked).share() - 0.75).abs() < 1e-9);
        let twice = later.since(looked).plus(later.since(looked));
        assert_eq!(twice, CoreUse { busy_ticks: 60, all_ticks: 80 });
        assert!(looked.since(looked).share().abs() < 1e-9);
    }

    #[test]
    fn knows_its_own_process() {
        let own = std::process::id();
        assert!(family(own).iter().any(|member| member.pid.unsigned_abs() == own));
        assert!(cpu(own).is_ok());
        assert!(memory_kib(own).unwrap() > 0);
    }
}
