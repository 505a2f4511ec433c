//! What a work is made of: who takes part, how it is measured, what is to be reached.

use crate::h2load::Streams;
use crate::programs::Program;
use crate::subjects::{Listener, Setup};
use crate::wrk::Load;

/// One table.
#[derive(Debug)]
pub(crate) struct Work {
    /// What the person types after `--work`.
    pub(crate) name: &'static str,
    /// One line for the table's head.
    pub(crate) about: &'static str,
    /// Who takes part.
    pub(crate) subjects: Subjects,
    /// How it is measured.
    pub(crate) kind: Kind,
    /// How often and how long, unless the person says otherwise.
    pub(crate) effort: Effort,
    /// What sluicegate is to reach.
    pub(crate) targets: &'static [Target],
}

/// How often and how long.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Effort {
    /// Runs of each subject.
    pub(crate) rounds: usize,
    /// Seconds of each run of a load generator.
    pub(crate) secs: u64,
}

/// Who takes part in a work.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Subjects {
    /// Every proxy that was asked for, each in its plain setup.
    EveryProxy,
    /// The same, and the blind relay.
    EveryProxyAndFloor,
    /// sluicegate alone, in these setups, side by side; the first is what the others are compared with.
    Gateway(&'static [Setup]),
}

/// How a work is measured.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    /// wrk asks as fast as it can: CPU time per request.
    Wrk(Load),
    /// The same, while the configuration of the setup that reloads is replaced about once a second, which it notices by itself.
    Reload(Load),
    /// h2load asks as fast as it can: CPU time per request.
    H2load(Streams),
    /// Requests are due at fixed times, whether or not earlier ones are answered: latency.
    OpenLoop(Paced),
    /// Connections have been answered once and stay open: memory of each, in a fresh process.
    Idle(Waiting),
    /// One request has been answered: memory of a fresh process.
    Resident,
    /// `sluicegate check` of the setup's configuration: CPU time.
    Check,
}

impl Kind {
    /// As the JSON calls it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Kind::Wrk(_) => "wrk",
            Kind::Reload(_) => "reload",
            Kind::H2load(_) => "h2load",
            Kind::OpenLoop(_) => "open-loop",
            Kind::Idle(_) => "idle",
            Kind::Resident => "resident",
            Kind::Check => "check",
        }
    }

    /// The unit of the figure.
    pub(crate) fn unit(&self) -> &'static str {
        match self {
            Kind::Wrk(_) | Kind::Reload(_) | Kind::H2load(_) => "CPU us/request",
            Kind::OpenLoop(_) => "p99 ms",
            Kind::Idle(_) => "KiB/connection",
            Kind::Resident => "MiB",
            Kind::Check => "CPU ms",
        }
    }

    /// Where clients come in, if there are any.
    pub(crate) fn listener(&self) -> Option<Listener> {
        match self {
            Kind::Wrk(load) | Kind::Reload(load) => Some(load.listener),
            Kind::H2load(streams) => Some(streams.listener),
            Kind::OpenLoop(paced) => Some(paced.listener),
            Kind::Idle(waiting) => Some(waiting.listener),
            Kind::Resident => Some(Listener::Http),
            Kind::Check => None,
        }
    }

    /// What has to be installed for it besides the proxies and nginx, which is every work's origin.
    pub(crate) fn programs(&self) -> Vec<Program> {
        let load: &[Program] = match self {
            Kind::Wrk(_) | Kind::Reload(_) => &[Program::Wrk],
            Kind::H2load(_) => &[Program::H2load, Program::Nghttp],
            Kind::OpenLoop(_) | Kind::Idle(_) | Kind::Resident | Kind::Check => &[],
        };
        let origin = self.listener().and_then(Listener::own_origin);
        load.iter().copied().chain(origin).collect()
    }

    /// Whether a load generator is at work, whose core can be the limit.
    pub(crate) fn is_load(&self) -> bool {
        matches!(self, Kind::Wrk(_) | Kind::Reload(_) | Kind::H2load(_) | Kind::OpenLoop(_))
    }

    /// Whether a load generator asks as fast as it can.
    pub(crate) fn is_closed_loop(&self) -> bool {
        self.is_load() && !matches!(self, Kind::OpenLoop(_))
    }

    /// Whether all subjects are measured at once, in rotation. A schedule cannot be paused, and neither can configurations that
    /// are replaced once a second.
    pub(crate) fn is_in_rotation(&self) -> bool {
        matches!(self, Kind::Wrk(_) | Kind::H2load(_))
    }

    /// The share of each proxy's capacity that is asked of it, where that is fixed.
    pub(crate) fn load_share(&self) -> Option<f64> {
        match self {
            Kind::OpenLoop(paced) => Some(paced.share()),
            _ => None,
        }
    }

    /// Seconds that a run of one subject takes, on the whole: for the time that is foretold.
    pub(crate) fn seconds_expected(&self, secs: u64) -> f64 {
        // Starting, connecting, asking once before, looking at the process.
        const AROUND: f64 = 0.4;
        #[expect(clippy::cast_precision_loss, reason = "seconds of one run")]
        let secs = secs as f64;
        match self {
            Kind::Wrk(_) | Kind::Reload(_) | Kind::H2load(_) => secs + AROUND,
            Kind::OpenLoop(_) => secs + 2.0 * AROUND,
            // With the start of a fresh process, and some 4,000 connections a second, or some 1,500 with TLS.
            Kind::Idle(waiting) if waiting.listener.is_tls() => 7.0,
            Kind::Idle(_) => 5.0,
            Kind::Resident => 4.0,
            Kind::Check => 1.5,
        }
    }
}

/// Requests on a fixed schedule.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Paced {
    /// Where they come in.
    pub(crate) listener: Listener,
    /// On how many connections, all with the same interval, one after the other.
    pub(crate) connections: usize,
    /// The work of the same run whose CPU time per request tells what a proxy can do.
    pub(crate) closed: &'static str,
    /// How much of that is asked, in percent.
    pub(crate) percent: u8,
}

impl Paced {
    /// The same as a share.
    pub(crate) fn share(&self) -> f64 {
        f64::from(self.percent) / 100.0
    }
}

/// Connections that wait for the client's next request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Waiting {
    /// Where they come in.
    pub(crate) listener: Listener,
    /// How many.
    pub(crate) connections: usize,
}

/// What is to be reached.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Target {
    /// This share of the best peer's figure.
    OfBest(f64),
    /// This share of the floor's figure.
    OfFloor(f64),
    /// This share of the figure of the first setup.
    OfFirstSetup(f64),
    /// So much more than the figure of the first setup.
    GrowthOfFirstSetup(f64),
    /// This figure.
    AtMost(f64),
}

impl Target {
    /// As the JSON calls it, with the limit.
    pub(crate) fn told(&self) -> (&'static str, f64) {
        match *self {
            Target::OfBest(limit) => ("of_best_peer", limit),
            Target::OfFloor(limit) => ("of_floor", limit),
            Target::OfFirstSetup(limit) => ("of_first_setup", limit),
            Target::GrowthOfFirstSetup(limit) => ("growth_of_first_setup", limit),
            Target::AtMost(limit) => ("at_most", limit),
        }
    }

    /// Whether setups are compared with the first.
    pub(crate) fn is_of_first_setup(&self) -> bool {
        matches!(self, Target::OfFirstSetup(_) | Target::GrowthOfFirstSetup(_))
    }
}
