//! How many workers, and where they run.

use std::{fmt, num::NonZeroUsize, str::FromStr, thread};

/// The most workers. Each has a ring, listening sockets and pools of its own; machines with more CPUs than this run
/// several gateways.
const WORKERS_MAX: usize = 1024;

/// `--cpus`: `1,3-5`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CpuList(Vec<usize>);

impl FromStr for CpuList {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let mut list = Vec::new();
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let number = |text: &str| {
                let number = text.trim().parse::<usize>().ok().filter(|cpu| *cpu < WORKERS_MAX);
                number
                    .ok_or_else(|| format!("`{text}` is not the number of a CPU (0 to {})", WORKERS_MAX - 1))
            };
            let (first, last) = (number(first)?, number(last)?);
            if first > last {
                return Err(format!("`{part}` goes backwards"));
            }
            list.extend(first..=last);
        }
        let mut sorted = list.clone();
        sorted.sort_unstable();
        if let Some(twice) = sorted.iter().zip(sorted.iter().skip(1)).find_map(|(a, b)| (a == b).then_some(a))
        {
            return Err(format!("CPU {twice} is there twice; one worker is pinned to each"));
        }
        Ok(CpuList(list))
    }
}

/// Why workers can't be placed as asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CpuError {
    /// `--cpus` names CPUs that this process may not use.
    NotAllowed {
        /// Those.
        asked: Vec<usize>,
        /// Those that it may use.
        allowed: Vec<usize>,
    },
    /// `--workers` and `--cpus` contradict each other.
    Mismatch {
        /// What `--workers` says.
        workers: usize,
        /// How many CPUs `--cpus` lists.
        cpus: usize,
    },
}

/// The workers: the CPU that each is pinned to, if any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workers {
    /// One entry a worker.
    pub cpus: Vec<Option<usize>>,
    /// Why they are where they are, for the log.
    pub reason: &'static str,
}

impl Workers {
    /// Places the workers of this process.
    ///
    /// # Errors
    /// `--cpus` names a CPU outside the process's mask, or not as many as `--workers` says.
    pub fn place(workers: Option<NonZeroUsize>, cpus: Option<&CpuList>) -> Result<Workers, CpuError> {
        // This honours the mask and the quotas of both versions of cgroups, in whole CPUs.
        let usable = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self::place_on(&allowed(), usable, workers, cpus)
    }

    fn place_on(
        allowed: &[usize],
        usable: usize,
        workers: Option<NonZeroUsize>,
        cpus: Option<&CpuList>,
    ) -> Result<Workers, CpuError> {
        let workers = workers.map(NonZeroUsize::get);
        if let Some(CpuList(list)) = cpus {
            if let Some(workers) = workers.filter(|workers| *workers != list.len()) {
                return Err(CpuError::Mismatch { workers, cpus: list.len() });
            }
            let asked: Vec<usize> = list.iter().copied().filter(|cpu| !allowed.contains(cpu)).collect();
            if !asked.is_empty() {
                return Err(CpuError::NotAllowed { asked, allowed: allowed.to_vec() });
            }
            return Ok(Workers { cpus: list.iter().copied().map(Some).collect(), reason: "as --cpus says" });
        }
        let workers = workers.unwrap_or(usable).clamp(1, WORKERS_MAX);
        // With a quota below the mask the kernel stops a pinned worker while other CPUs are idle, and every process
        // with such a quota would choose the same first CPUs.
        let (pinned, reason) = match () {
            () if usable < allowed.len() => {
                (false, "not pinned: the CPU quota is smaller than the set of CPUs")
            }
            () if workers > allowed.len() => (false, "not pinned: more workers than CPUs"),
            () => (true, "pinned to the allowed CPUs in order"),
        };
        let cpu_of = |worker: usize| allowed.get(worker).copied().filter(|_| pinned);
        Ok(Workers { cpus: (0..workers).map(cpu_of).collect(), reason })
    }
}

/// The CPUs that this process may run on.
fn allowed() -> Vec<usize> {
    match rustix::thread::sched_getaffinity(None) {
        Ok(set) => (0..rustix::thread::CpuSet::MAX_CPU).filter(|cpu| set.is_set(*cpu)).collect(),
        // More CPUs than the set has room for: nothing is known, so nothing is pinned.
        Err(_) => Vec::new(),
    }
}

/// `0-3,8`
pub(super) fn ranges(cpus: &[usize]) -> String {
    let mut text = String::new();
    let mut rest = cpus;
    while let Some(&first) = rest.first() {
        let length = rest.iter().zip(first..).take_while(|(cpu, expected)| *cpu == expected).count();
        let separator = if text.is_empty() { "" } else { "," };
        text += &match length {
            1 => format!("{separator}{first}"),
            _ => format!("{separator}{first}-{}", first + length - 1),
        };
        rest = rest.get(length..).unwrap_or_default();
    }
    text
}

impl fmt::Display for CpuError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CpuError::NotAllowed { asked, allowed } => {
                let (asked, allowed) = (ranges(asked), ranges(allowed));
                write!(f, "--cpus: this process may not run on {asked}; it may run on {allowed}")
            }
            CpuError::Mismatch { workers, cpus } => {
                write!(
                    f,
                    "--workers {workers} contradicts --cpus, which lists {cpus}: one worker is pinned to each"
                )
            }
        }
    }
}

impl std::error::Error for CpuError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> CpuList {
        text.parse().unwrap()
    }

    #[test]
    fn lists_of_cpus() {
        assert_eq!(list("1,3-5"), CpuList(vec![1, 3, 4, 5]));
        for wrong in ["", "a", "3-1", "1,1", "1-3,2", "5000", "1,"] {
            assert!(wrong.parse::<CpuList>().is_err(), "{wrong}");
        }
        assert_eq!(ranges(&[0, 1, 2, 5, 7, 8]), "0-2,5,7-8");
        assert_eq!(ranges(&[]), "");
    }

    #[test]
    fn workers_are_pinned_to_the_allowed_set_in_order() {
        let placed = Workers::place_on(&[2, 3, 6], 3, None, None).unwrap();
        assert_eq!(placed.cpus, [Some(2), Some(3), Some(6)]);
        let two = Workers::place_on(&[2, 3, 6], 3, NonZeroUsize::new(2), None).unwrap();
        assert_eq!(two.cpus, [Some(2), Some(3)]);
    }

    #[test]
    fn a_quota_limits_the_workers_and_unpins_them() {
        assert_eq!(Workers::place_on(&[0, 1, 2, 3], 2, None, None).unwrap().cpus, [None, None]);
        assert_eq!(Workers::place_on(&[], 2, None, None).unwrap().cpus, [None, None]);
    }

    #[test]
    fn more_workers_than_cpus_are_not_pinned() {
        let placed = Workers::place_on(&[0], 1, NonZeroUsize::new(3), None).unwrap();
        assert_eq!(placed.cpus, [None, None, None]);
    }

    #[test]
    fn a_cpu_outside_the_mask_is_an_error_that_names_the_mask() {
        let error = Workers::place_on(&[0, 1], 2, None, Some(&list("1-3"))).unwrap_err();
        assert_eq!(error.to_string(), "--cpus: this process may not run on 2-3; it may run on 0-1");
        assert!(Workers::place_on(&[0, 1], 2, NonZeroUsize::new(1), Some(&list("0-1"))).is_err());
        assert_eq!(Workers::place_on(&[0, 1], 2, None, Some(&list("1"))).unwrap().cpus, [Some(1)]);
    }
}
