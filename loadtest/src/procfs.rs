//! What the kernel tells of processes: CPU time, family, memory.

use std::collections::HashMap;
use std::fs;

use rustix::param::clock_ticks_per_second;
use rustix::process::{Pid, Signal, kill_process};

use crate::error::{During, Error, Result};

const NO_ENTRY: i32 = rustix::io::Errno::NOENT.raw_os_error();
const NO_PROCESS: i32 = rustix::io::Errno::SRCH.raw_os_error();

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
pub(crate) fn cpu(root: u32) -> Result<Cpu> {
    let family = family(root);
    if family.is_empty() {
        return Err(Error::failed(format!("process {root} has gone")));
    }
    let mut sum = Cpu::default();
    for stat in family.iter().filter_map(|member| read_stat(member.pid)) {
        sum.user += seconds(stat.user_ticks);
        sum.system += seconds(stat.system_ticks);
    }
    Ok(sum)
}

/// CPU time of one process alone, which may have ended but must not have been waited for.
pub(crate) fn cpu_alone(pid: u32) -> Option<Cpu> {
    let stat = read_stat(i32::try_from(pid).ok()?)?;
    Some(Cpu { user: seconds(stat.user_ticks), system: seconds(stat.system_ticks) })
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
    fn knows_its_own_process() {
        let own = std::process::id();
        assert!(family(own).iter().any(|member| member.pid.unsigned_abs() == own));
        assert!(cpu(own).is_ok());
        assert!(memory_kib(own).unwrap() > 0);
    }
}
