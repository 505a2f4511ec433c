//! What tells the time.

use super::{finding::Finding, host::Host};
use std::time::{Duration, SystemTime};

/// Reading these costs a few ns, without a system call.
const QUICK: &[&str] =
    &["tsc", "kvm-clock", "hyperv_clocksource_tsc_page", "arch_sys_counter", "riscv_clocksource"];
/// Where services that keep the clock say that they do.
const KEEPERS: &[&str] =
    &["/run/systemd/timesync/synchronized", "/run/chrony/chronyd.pid", "/run/chronyd.pid", "/run/ntpd.pid"];
/// When this version was made, at the earliest: 2026-01-01. An earlier time is wrong, and no certificate valid.
const EARLIEST: Duration = Duration::from_secs(1_767_225_600);

pub(super) fn look(host: &Host) -> Vec<Finding> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let mut findings: Vec<Finding> = source(host).into_iter().collect();
    findings.push(wall(host, now));
    findings
}

fn source(host: &Host) -> Option<Finding> {
    let current = host.text("/sys/devices/system/clocksource/clocksource0/current_clocksource")?;
    Some(if QUICK.contains(&current.as_str()) {
        Finding::good("clock source", current)
    } else {
        Finding::warning(
            "clock source",
            format!("{current}: reading it takes a system call, several times a request"),
            "if tsc is in /sys/devices/system/clocksource/clocksource0/available_clocksource, write it to \
             current_clocksource beside it",
        )
    })
}

fn wall(host: &Host, now: Duration) -> Finding {
    if now < EARLIEST {
        return Finding::failure(
            "clock",
            "it is set to a time before this version was made: certificates and tokens will not be valid",
            "set it: timedatectl set-ntp true",
        );
    }
    // A container has its host's clock, and not the files of who keeps it.
    let is_container = ["/.dockerenv", "/run/.containerenv"].into_iter().any(|path| host.has(path));
    match KEEPERS.iter().any(|path| host.has(path)) {
        true => Finding::good("clock", "kept by a time service"),
        false if is_container => Finding::good("clock", "the host's"),
        false => Finding::warning(
            "clock",
            "no sign of a time service: certificates and tokens need the right time",
            "timedatectl set-ntp true, or install chrony",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::finding::Verdict, super::host::testing::Made, *};

    #[test]
    fn slow_sources_are_found() {
        let path = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
        assert_eq!(source(&Made::of(&[(path, "hpet\n")]).0).unwrap().verdict, Verdict::Warning);
        assert_eq!(source(&Made::of(&[(path, "tsc\n")]).0).unwrap().verdict, Verdict::Good);
    }

    #[test]
    fn a_clock_that_nobody_set_fails() {
        let bare = Made::of(&[]);
        assert_eq!(wall(&bare.0, Duration::from_secs(100)).verdict, Verdict::Failure);
        assert_eq!(wall(&bare.0, EARLIEST).verdict, Verdict::Warning);
        let kept = Made::of(&[("/run/systemd/timesync/synchronized", "")]);
        assert_eq!(wall(&kept.0, EARLIEST).verdict, Verdict::Good);
    }
}
