//! The machine: what its figures are worth, which cores and ports may be used, how many files may be open.

use std::fs;
use std::net::TcpListener;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity};

use crate::error::{During, Error, Result};

/// More open files than any work needs; a higher limit than this is left alone, for some programs size tables by it.
const OPEN_FILES_WANTED: u64 = 100_000;
/// With more than this running before the first measurement, the header says that the figures suffer.
const QUIET_LOAD: f64 = 0.5;
/// Ports are taken from here up to where the kernel's own choices for outgoing connections begin.
const FIRST_PORT: u16 = 10_000;

/// Where programs run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Cores {
    /// The load generator and the origin.
    pub(crate) load: usize,
    /// The proxy that is measured.
    pub(crate) proxy: usize,
}

/// What is known of the machine.
#[derive(Debug)]
pub(crate) struct Machine {
    /// Release and build of the kernel.
    pub(crate) kernel: String,
    /// As the kernel names it.
    pub(crate) cpu_model: String,
    /// How many CPUs this process may use.
    pub(crate) cpus_allowed: usize,
    /// Runnable processes, mean of the last minute, before anything was started.
    pub(crate) load_average: f64,
    /// The limit of open files after it has been raised.
    pub(crate) open_files: u64,
    /// The two cores in use.
    pub(crate) cores: Cores,
    /// One more, if there is one.
    pub(crate) third_core: Option<usize>,
}

impl Machine {
    /// Looks at the machine and raises the limit of open files, which all that is started inherits.
    pub(crate) fn prepare(cores: Option<Cores>) -> Result<Machine> {
        let allowed = allowed_cpus()?;
        let cores = choose_cores(&allowed, cores)?;
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let kernel = format!(
            "{} {}",
            read("/proc/sys/kernel/osrelease").trim(),
            read("/proc/sys/kernel/version").trim()
        );
        let cpu_model = parse_cpu_model(&read("/proc/cpuinfo")).unwrap_or("unknown").to_owned();
        Ok(Machine {
            kernel,
            cpu_model,
            cpus_allowed: allowed.len(),
            load_average: read("/proc/loadavg")
                .split(' ')
                .next()
                .and_then(|mean| mean.parse().ok())
                .unwrap_or(0.0),
            open_files: raise_open_files()?,
            cores,
            third_core: allowed.into_iter().find(|core| ![cores.load, cores.proxy].contains(core)),
        })
    }

    /// Whether nothing else seems to run.
    pub(crate) fn is_quiet(&self) -> bool {
        self.load_average <= QUIET_LOAD
    }
}

/// Free ports on 127.0.0.1, each given out once.
#[derive(Debug)]
pub(crate) struct Ports {
    next: u16,
    end: u16,
}

impl Ports {
    /// Outside of what the kernel gives to outgoing connections: one of those could else sit on a port that was free when
    /// it was chosen.
    pub(crate) fn new() -> Ports {
        let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
        let (low, high) = parse_port_range(&range).unwrap_or((32_768, 60_999));
        if low > FIRST_PORT + 1000 {
            Ports { next: FIRST_PORT, end: low }
        } else {
            Ports { next: high, end: u16::MAX }
        }
    }

    /// The next free one.
    pub(crate) fn take(&mut self) -> Result<u16> {
        while self.next < self.end {
            self.next += 1;
            if TcpListener::bind(("127.0.0.1", self.next)).is_ok() {
                return Ok(self.next);
            }
        }
        Err(Error::failed("no free port is left on 127.0.0.1"))
    }
}

fn allowed_cpus() -> Result<Vec<usize>> {
    let set = sched_getaffinity(None).during(|| "asking for the allowed CPUs".to_owned())?;
    Ok((0..CpuSet::MAX_CPU).filter(|&cpu| set.is_set(cpu)).collect())
}

fn choose_cores(allowed: &[usize], wanted: Option<Cores>) -> Result<Cores> {
    if let Some(cores) = wanted {
        let missing = [cores.load, cores.proxy].into_iter().find(|core| !allowed.contains(core));
        return match missing {
            Some(core) => {
                Err(Error::Failed(format!("--cores: CPU {core} is not among the allowed ones, {allowed:?}")))
            }
            None => Ok(cores),
        };
    }
    match allowed {
        [load, proxy, ..] => Ok(Cores { load: *load, proxy: *proxy }),
        _ => Err(Error::failed(
            "two CPUs are needed, one for the proxy and one for the load: this process may use only one",
        )),
    }
}

/// Up to the hard limit, never beyond: the kernel refuses that to all but root, and figures should be the same for both.
fn raise_open_files() -> Result<u64> {
    let limit = getrlimit(Resource::Nofile);
    let hard = limit.maximum.unwrap_or(u64::MAX);
    let soft = limit.current.unwrap_or(u64::MAX);
    if soft >= hard.min(OPEN_FILES_WANTED) {
        return Ok(soft);
    }
    let raised = hard.min(OPEN_FILES_WANTED);
    setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum: limit.maximum })
        .during(|| format!("raising the limit of open files from {soft} to {raised}"))?;
    Ok(raised)
}

fn parse_cpu_model(cpuinfo: &str) -> Option<&str> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim())
}

fn parse_port_range(text: &str) -> Option<(u16, u16)> {
    let mut words = text.split_whitespace();
    Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_cpu_model() {
        let text = "processor\t: 0\nvendor_id\t: X\nmodel name\t: Some CPU @ 3 GHz\nmodel name\t: other\n";
        assert_eq!(parse_cpu_model(text), Some("Some CPU @ 3 GHz"));
        assert_eq!(parse_cpu_model("processor : 0\n"), None);
    }

    #[test]
    fn reads_the_port_range() {
        assert_eq!(parse_port_range("32768\t60999\n"), Some((32_768, 60_999)));
        assert_eq!(parse_port_range(""), None);
    }

    #[test]
    fn the_first_two_allowed_cores_unless_told_otherwise() {
        assert_eq!(choose_cores(&[3, 5, 6], None), Ok(Cores { load: 3, proxy: 5 }));
        let wanted = Cores { load: 6, proxy: 3 };
        assert_eq!(choose_cores(&[3, 5, 6], Some(wanted)), Ok(wanted));
        assert!(choose_cores(&[3, 5], Some(wanted)).is_err());
        assert!(choose_cores(&[3], None).is_err());
    }

    #[test]
    fn ports_are_given_once() {
        let mut ports = Ports::new();
        let (a, b) = (ports.take().unwrap(), ports.take().unwrap());
        assert_ne!(a, b);
    }
}
