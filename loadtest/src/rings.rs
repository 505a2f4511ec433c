//! What a process does with io_uring, as the kernel counts it: no help of the process is needed.

use std::collections::BTreeMap;
use std::fs;

/// Entries that all rings of a process have moved. The kernel's numbers wrap at 2^32.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Rings(BTreeMap<String, Tails>);

/// How far the two queues of a ring have come.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Tails {
    submissions: u32,
    completions: u32,
}

/// What was moved between two looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct RingWork {
    /// Entries submitted.
    pub(crate) submissions: u64,
    /// Entries completed; a multishot operation completes more than once.
    pub(crate) completions: u64,
}

impl Rings {
    /// Of the process itself, by its descriptors; none if it has no ring.
    pub(crate) fn of(pid: u32) -> Rings {
        let names = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        let rings = names.filter(|entry| {
            fs::read_link(entry.path()).is_ok_and(|target| target.as_os_str() == "anon_inode:[io_uring]")
        });
        let numbers = rings.filter_map(|entry| entry.file_name().into_string().ok());
        let told = numbers.filter_map(|number| {
            let text = fs::read_to_string(format!("/proc/{pid}/fdinfo/{number}")).ok()?;
            Some((number, parse(&text)?))
        });
        Rings(told.collect())
    }

    /// What was moved since an earlier look at the same process; none if it has no ring.
    pub(crate) fn since(&self, earlier: &Rings) -> Option<RingWork> {
        let pairs = self.0.iter().filter_map(|(number, now)| Some((now, earlier.0.get(number)?)));
        pairs.fold(None, |sum, (now, before)| {
            let RingWork { submissions, completions } =
                sum.unwrap_or(RingWork { submissions: 0, completions: 0 });
            Some(RingWork {
                submissions: submissions + u64::from(now.submissions.wrapping_sub(before.submissions)),
                completions: completions + u64::from(now.completions.wrapping_sub(before.completions)),
            })
        })
    }
}

fn parse(fdinfo: &str) -> Option<Tails> {
    let number = |name: &str| {
        let line = fdinfo.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.trim().parse().ok()
    };
    Some(Tails { submissions: number("SqTail")?, completions: number("CqTail")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_kernel_tells_of_a_ring() {
        let text = "pos:\t0\nflags:\t02000002\nSqMask:\t0x7\nSqHead:\t4\nSqTail:\t5\nCachedSqHead:\t4\nCqMask:\t0xf\nCqHead:\t8\nCqTail:\t9\nCachedCqTail:\t9\n";
        assert_eq!(parse(text), Some(Tails { submissions: 5, completions: 9 }));
        assert_eq!(parse("pos:\t0\n"), None);
    }

    #[test]
    fn numbers_that_wrapped_are_still_right() {
        let rings =
            |submissions, completions| Rings([("5".to_owned(), Tails { submissions, completions })].into());
        let work = rings(9, 3).since(&rings(u32::MAX, 1));
        assert_eq!(work, Some(RingWork { submissions: 10, completions: 2 }));
        assert_eq!(Rings::default().since(&Rings::default()), None);
    }

    #[test]
    fn a_process_without_a_ring_has_none() {
        assert_eq!(Rings::of(std::process::id()).since(&Rings::default()), None);
    }
}
