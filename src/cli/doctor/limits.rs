//! Open files, memory, CPUs.

use super::{finding::Finding, host::Host};
use crate::control::{Descriptors, Workers};
use std::num::NonZeroUsize;

/// Fewer connections than this for a worker are few.
const CONNECTIONS_FEW: usize = 10_000;
/// What one worker holds at most when it is idle but for its pools, beside the configuration.
const MEMORY_PER_WORKER: u64 = 64 << 20;

pub(super) fn look(host: &Host, workers: Option<NonZeroUsize>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let placed = match Workers::place(workers, None) {
        Ok(placed) => placed,
        Err(error) => return vec![Finding::failure("CPUs", error.to_string(), "choose others")],
    };
    let count = placed.cpus.len();
    findings.push(Finding::good("CPUs", format!("{count} workers, {}", placed.reason)));
    findings.extend(governor(host));
    let [now, most] = host.limit("Max open files");
    findings.push(open_files(now, most, count));
    findings.extend(memory(host, count as u64));
    findings
}

fn open_files(now: Option<u64>, most: Option<u64>, workers: usize) -> Finding {
    let (now, most) = (now.unwrap_or(u64::MAX), most.unwrap_or(u64::MAX));
    // The gateway raises it as far as it may.
    let descriptors = Descriptors { limit: most, before: now };
    let each = descriptors.connections_per_worker(workers, usize::MAX >> 8);
    let is = match most {
        u64::MAX => "not limited".into(),
        most => format!("at most {most}: {each} connections for each worker"),
    };
    if each >= CONNECTIONS_FEW {
        return Finding::good("open files", is);
    }
    Finding::warning(
        "open files",
        is,
        "LimitNOFILE=1048576 in systemd, --ulimit nofile=1048576 in Docker, ulimit -n in a shell; each connection takes two",
    )
}

/// Frequencies that follow the load make the slowest requests slower.
fn governor(host: &Host) -> Option<Finding> {
    let governor = host.text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")?;
    Some(match governor.as_str() {
        "performance" => Finding::good("CPU frequency", "governor performance"),
        other => Finding::warning(
            "CPU frequency",
            format!("governor {other}"),
            "for even latencies: cpupower frequency-set -g performance",
        ),
    })
}

/// The limit of the control group that a container has, of both versions.
fn memory(host: &Host, workers: u64) -> Option<Finding> {
    let limit = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
        .into_iter()
        .find_map(|path| host.number(path))
        // The first version's word for no limit is a very large number.
        .filter(|limit| *limit < 1 << 50)?;
    let (mib, needed) = (limit >> 20, MEMORY_PER_WORKER * workers);
    Some(if limit < needed {
        Finding::warning(
            "memory",
            format!("the control group allows {mib} MiB"),
            format!(
                "{workers} workers want {} MiB beside the configuration; take fewer, or allow more",
                needed >> 20
            ),
        )
    } else {
        Finding::good("memory", format!("the control group allows {mib} MiB"))
    })
}

#[cfg(test)]
mod tests {
    use super::{super::finding::Verdict, super::host::testing::Made, *};

    #[test]
    fn open_files_are_counted_in_connections() {
        let few = open_files(Some(1024), Some(4096), 2);
        assert_eq!(few.verdict, Verdict::Warning);
        assert!(few.is.contains("928 connections"), "{few:?}");
        assert_eq!(open_files(Some(1024), Some(1 << 20), 2).verdict, Verdict::Good);
        assert_eq!(open_files(Some(1024), None, 2).is, "not limited");
    }

    #[test]
    fn control_groups_of_both_versions() {
        let new = Made::of(&[("/sys/fs/cgroup/memory.max", "67108864\n")]);
        assert_eq!(memory(&new.0, 2).unwrap().verdict, Verdict::Warning);
        let old = Made::of(&[("/sys/fs/cgroup/memory/memory.limit_in_bytes", "1073741824\n")]);
        assert_eq!(memory(&old.0, 2).unwrap().verdict, Verdict::Good);
        let none = Made::of(&[("/sys/fs/cgroup/memory.max", "max\n")]);
        assert_eq!(memory(&none.0, 2), None);
    }

    #[test]
    fn governors() {
        let path = "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor";
        assert_eq!(governor(&Made::of(&[(path, "powersave\n")]).0).unwrap().verdict, Verdict::Warning);
        assert_eq!(governor(&Made::of(&[(path, "performance\n")]).0).unwrap().verdict, Verdict::Good);
        assert_eq!(governor(&Made::of(&[]).0), None);
    }
}
