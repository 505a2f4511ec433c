//! Version, io_uring, locked memory.

use super::{finding::Finding, host::Host};
use crate::driver::{self, Driver, DriverChoice, LadderStep, RuntimeError};
use std::thread;

/// The first kernel with all that the ring's fastest mode needs (`IORING_SETUP_DEFER_TASKRUN`).
const FASTEST: (u32, u32) = (6, 1);
/// The first one on which rings do not count as locked memory.
const UNLOCKED: (u32, u32) = (5, 12);
/// Locked memory that the rings of a worker take on older kernels, with room for their growth.
const MEMLOCK_PER_WORKER: u64 = 4 << 20;

pub(super) fn look(host: &Host, choice: DriverChoice) -> Vec<Finding> {
    let version = version(host);
    let mut findings = vec![kernel(host, version)];
    findings.push(ring(host, choice, &tried(choice)));
    findings.extend(memlock(version, host.limit("Max locked memory")[0]));
    findings
}

/// The first two numbers of the kernel's version.
fn version(host: &Host) -> Option<(u32, u32)> {
    let release = host.text("/proc/sys/kernel/osrelease")?;
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn kernel(host: &Host, version: Option<(u32, u32)>) -> Finding {
    let release = host.text("/proc/sys/kernel/osrelease").unwrap_or_default();
    match version {
        Some(version) if version >= FASTEST => Finding::good("kernel", format!("Linux {release}")),
        Some(_) => Finding::warning(
            "kernel",
            format!("Linux {release}"),
            format!("the ring's fastest mode needs Linux {}.{}", FASTEST.0, FASTEST.1),
        ),
        None => Finding::warning("kernel", "its version can't be read", "mount /proc"),
    }
}

/// What a worker would get, by trying it on a thread that ends.
fn tried(choice: DriverChoice) -> Result<(Driver, Vec<LadderStep>), RuntimeError> {
    let worker =
        thread::spawn(move || driver::run(choice, |driver, failed| std::future::ready((driver, failed))));
    // A thread that panicked tried nothing.
    worker.join().unwrap_or_else(|_| Err(RuntimeError(Vec::new())))
}

fn ring(
    host: &Host,
    choice: DriverChoice,
    tried: &Result<(Driver, Vec<LadderStep>), RuntimeError>,
) -> Finding {
    match tried {
        Ok((driver @ Driver::RingDeferred, _)) => Finding::good("io_uring", driver.to_string()),
        Ok((Driver::Epoll, _)) if choice == DriverChoice::Epoll => {
            Finding::good("io_uring", "not asked for: epoll, as --driver says")
        }
        Ok((driver, failed)) => {
            let first = failed.first().map(ToString::to_string).unwrap_or_default();
            Finding::warning("io_uring", format!("continuing with {driver}; {first}"), ring_help(host))
        }
        Err(error) => Finding::failure("io_uring", error.to_string(), ring_help(host)),
    }
}

/// Who forbids rings, as far as that can be seen.
fn ring_help(host: &Host) -> String {
    let group = host.number("/proc/sys/kernel/io_uring_group");
    match host.number("/proc/sys/kernel/io_uring_disabled") {
        Some(2) => "kernel.io_uring_disabled is 2: sysctl -w kernel.io_uring_disabled=0".into(),
        Some(1) => format!(
            "kernel.io_uring_disabled is 1: only CAP_SYS_ADMIN and the group in kernel.io_uring_group ({}) may; set it to \
             this process's group, or the first to 0",
            group.map_or_else(|| "none".into(), |group| group.to_string())
        ),
        _ if host.of_process("Seccomp").as_deref() == Some("2") => {
            "a seccomp profile confines this process: config/containers/seccomp-io-uring.json allows what is needed, see \
             the README"
                .into()
        }
        _ => "io_uring begins with Linux 5.6; without it the gateway works with epoll, somewhat slower".into(),
    }
}

fn memlock(version: Option<(u32, u32)>, limit: Option<u64>) -> Option<Finding> {
    let Some(limit) = limit else { return Some(Finding::good("locked memory", "not limited")) };
    if version.is_some_and(|version| version >= UNLOCKED) {
        return Some(Finding::good("locked memory", "rings do not count since Linux 5.12"));
    }
    let kib = limit >> 10;
    Some(if limit < MEMLOCK_PER_WORKER {
        Finding::warning(
            "locked memory",
            format!("at most {kib} KiB, and rings count on this kernel"),
            "LimitMEMLOCK=infinity in systemd, or ulimit -l unlimited",
        )
    } else {
        Finding::good("locked memory", format!("at most {kib} KiB"))
    })
}

#[cfg(test)]
mod tests {
    use super::{super::finding::Verdict, super::host::testing::Made, *};
    use std::io;

    #[test]
    fn versions() {
        let of = |release: &str| version(&Made::of(&[("/proc/sys/kernel/osrelease", release)]).0);
        assert_eq!(of("6.1.0-18-amd64\n"), Some((6, 1)));
        assert_eq!(of("5.15\n"), Some((5, 15)));
        assert_eq!(of("odd"), None);
        let made = Made::of(&[("/proc/sys/kernel/osrelease", "5.15.0")]);
        assert_eq!(kernel(&made.0, Some((5, 15))).verdict, Verdict::Warning);
    }

    #[test]
    fn who_forbids_the_ring_is_named() {
        let step =
            || LadderStep { driver: Driver::RingDeferred, error: io::ErrorKind::PermissionDenied.into() };
        let made = Made::of(&[("/proc/sys/kernel/io_uring_disabled", "2")]);
        let found = ring(&made.0, DriverChoice::Auto, &Ok((Driver::Epoll, vec![step()])));
        assert_eq!(found.verdict, Verdict::Warning);
        assert!(found.help.contains("io_uring_disabled=0"), "{found:?}");
        let made = Made::of(&[("/proc/self/status", "Seccomp:\t2\n")]);
        let found = ring(&made.0, DriverChoice::IoUring, &Err(RuntimeError(vec![step()])));
        assert_eq!(found.verdict, Verdict::Failure);
        assert!(found.help.contains("seccomp") && found.is.contains("no driver"), "{found:?}");
    }

    #[test]
    fn locked_memory_matters_on_old_kernels_only() {
        assert_eq!(memlock(Some((5, 10)), Some(64 << 10)).unwrap().verdict, Verdict::Warning);
        assert_eq!(memlock(Some((5, 10)), None).unwrap().verdict, Verdict::Good);
        assert_eq!(memlock(Some((5, 12)), Some(64 << 10)).unwrap().verdict, Verdict::Good);
    }

    #[test]
    fn what_this_host_gives_is_tried() {
        let (driver, failed) = tried(DriverChoice::Auto).unwrap();
        assert_eq!(failed.is_empty(), driver == Driver::RingDeferred, "{driver:?} {failed:?}");
        assert_eq!(tried(DriverChoice::Epoll).unwrap().0, Driver::Epoll);
    }
}
