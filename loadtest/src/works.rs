//! The list of works: what is measured, on whom, and what is to be reached. A new row of the table begins here.

use crate::h2load::Streams;
use crate::kinds::{Effort, Kind, Paced, Subjects, Target, Waiting, Work};
use crate::subjects::{Listener, Setup};
use crate::wrk::Load;

/// For the figures that the head of the table is judged by: they are compared to a hundredth.
const LONG: Effort = Effort { rounds: 7, secs: 1 };
/// CPU time is told by the nanosecond, and a second is some 1,000 requests of the dearest kind: enough for a hundredth. What
/// the machine does meanwhile takes rounds.
const SHORT: Effort = Effort { rounds: 5, secs: 1 };
/// Latency at a fixed rate differs more from round to round than CPU time does.
const PACED: Effort = Effort { rounds: 9, secs: 1 };
/// For what varies less.
const FEW: Effort = Effort { rounds: 5, secs: 1 };
/// For what has no target.
const INFORMATION: Effort = Effort { rounds: 3, secs: 1 };
/// A reload a second needs a run of some seconds to have some.
const RELOADS: Effort = Effort { rounds: 3, secs: 4 };
/// Memory and the CPU time of `check` do not depend on the load generator, and vary little.
const TWICE: Effort = Effort { rounds: 2, secs: 1 };

/// A name and a path from the middle of the configurations with many hosts (see `virtual_hosts`).
const MIDDLE_HOST: &[&str] = &["Host: host-05000.bench.test"];
const MIDDLE_PATH: &str = "/service-5/";
/// The path that the middle one of 1,000 routes takes.
const MIDDLE_ROUTE: &str = "/service-500/";

/// All works, in the order of the table.
pub(crate) static WORKS: &[Work] = &[
    Work {
        name: "h1",
        about: "small answers over kept connections",
        subjects: Subjects::EveryProxyAndFloor,
        kind: Kind::Wrk(Load::small(Listener::Http, 64)),
        effort: LONG,
        targets: &[Target::OfFloor(1.08), Target::OfBest(1.0)],
    },
    Work {
        name: "h1-16k",
        about: "answers of 16 KiB over kept connections",
        subjects: Subjects::EveryProxyAndFloor,
        kind: Kind::Wrk(Load::of_16_kib(Listener::Http, 32)),
        effort: SHORT,
        targets: &[Target::OfBest(0.9)],
    },
    Work {
        name: "h1-1m",
        about: "answers of 1 MiB over kept connections",
        subjects: Subjects::EveryProxyAndFloor,
        kind: Kind::Wrk(Load::of_1_mib(Listener::Http, 16)),
        effort: SHORT,
        targets: &[Target::OfBest(0.9)],
    },
    Work {
        name: "h1-close",
        about: "a new connection for each small answer",
        subjects: Subjects::EveryProxy,
        kind: Kind::Wrk(Load::small(Listener::Http, 32).without_keeping()),
        effort: SHORT,
        targets: &[Target::OfBest(0.9)],
    },
    Work {
        name: "h1-post",
        about: "small answers to requests with bodies of 64 KiB",
        subjects: Subjects::EveryProxy,
        kind: Kind::Wrk(Load::small(Listener::Http, 16).posting()),
        effort: INFORMATION,
        targets: &[],
    },
    Work {
        name: "h1-c1",
        about: "as h1 over one connection",
        subjects: Subjects::EveryProxy,
        kind: Kind::Wrk(Load::small(Listener::Http, 1)),
        effort: INFORMATION,
        targets: &[],
    },
    Work {
        name: "h1-c1024",
        about: "as h1 over 1,024 connections",
        subjects: Subjects::EveryProxy,
        kind: Kind::Wrk(Load::small(Listener::Http, 1024)),
        effort: INFORMATION,
        targets: &[],
    },
    Work {
        name: "idle",
        about: "memory of a kept connection after one answer, in a fresh process",
        subjects: Subjects::EveryProxy,
        kind: Kind::Idle(Waiting { listener: Listener::Http, connections: 6000 }),
        effort: TWICE,
        targets: &[Target::AtMost(2.0)],
    },
    Work {
        name: "tls",
        about: "small answers over kept connections with TLS 1.3",
        subjects: Subjects::EveryProxy,
        kind: Kind::Wrk(Load::small(Listener::Tls, 64)),
        effort: LONG,
        targets: &[Target::OfBest(0.9)],
    },
    Work {
        name: "tls-16k",
        about: "answers of 16 KiB over kept connections with TLS 1.3",
        subjects: Subjects::EveryProxy,
        kind: Kind::Wrk(Load::of_16_kib(Listener::Tls, 32)),
        effort: SHORT,
        targets: &[Target::OfBest(0.9)],
    },
    Work {
        name: "tls-1m",
        about: "answers of 1 MiB over kept connections with TLS 1.3",
        subjects: Subjects::EveryProxy,
        kind: Kind::Wrk(Load::of_1_mib(Listener::Tls, 8)),
        effort: SHORT,
        targets: &[Target::OfBest(0.9)],
    },
    Work {
        name: "tls-close",
        about: "a full handshake (TLS 1.3, X25519, P-256) for each small answer; nobody resumes sessions",
        subjects: Subjects::EveryProxy,
        kind: Kind::Wrk(Load::small(Listener::Tls, 16).without_keeping()),
        effort: SHORT,
        targets: &[Target::OfBest(0.9)],
    },
    Work {
        name: "idle-tls",
        about: "memory of a kept connection with TLS 1.3 after one answer, in a fresh process",
        subjects: Subjects::EveryProxy,
        kind: Kind::Idle(Waiting { listener: Listener::Tls, connections: 4000 }),
        effort: TWICE,
        targets: &[Target::AtMost(10.0)],
    },
    Work {
        name: "h2",
        about: "small answers over HTTP/2 in TLS 1.3 from an origin with HTTP/1.1, many streams on each connection",
        subjects: Subjects::EveryProxy,
        kind: Kind::H2load(Streams::small(Listener::Tls, 16, 32)),
        effort: LONG,
        targets: &[Target::OfBest(0.8)],
    },
    Work {
        name: "h2-1",
        about: "the same with one stream at a time on each connection",
        subjects: Subjects::EveryProxy,
        kind: Kind::H2load(Streams::small(Listener::Tls, 64, 1)),
        effort: SHORT,
        targets: &[Target::OfBest(0.9)],
    },
    Work {
        name: "h2-16k",
        about: "answers of 16 KiB over HTTP/2 in TLS 1.3 from an origin with HTTP/1.1",
        subjects: Subjects::EveryProxy,
        // 1 MiB under way, with some streams on each connection: more would fill buffers rather than the proxy's time.
        kind: Kind::H2load(Streams::of_16_kib(Listener::Tls, 8, 8)),
        effort: SHORT,
        targets: &[Target::OfBest(0.9)],
    },
    Work {
        name: "h2c",
        about: "as h2, in plain text with prior knowledge",
        subjects: Subjects::EveryProxy,
        kind: Kind::H2load(Streams::small(Listener::H2c, 16, 32)),
        effort: INFORMATION,
        targets: &[],
    },
    Work {
        name: "h2-h2",
        about: "as h2, from an origin with HTTP/2 in plain text",
        subjects: Subjects::EveryProxy,
        kind: Kind::H2load(Streams::small(Listener::TlsToH2, 16, 32)),
        effort: SHORT,
        targets: &[Target::OfBest(0.9)],
    },
    Work {
        name: "grpc",
        about: "unary calls of gRPC over HTTP/2 in TLS 1.3 to an origin with HTTP/2 in plain text",
        subjects: Subjects::EveryProxy,
        kind: Kind::H2load(Streams::unary(16, 32)),
        effort: INFORMATION,
        targets: &[],
    },
    Work {
        name: "tcp",
        about: "small answers over kept connections whose bytes pass as they are",
        subjects: Subjects::EveryProxy,
        kind: Kind::Wrk(Load::small(Listener::Tcp, 64)),
        effort: INFORMATION,
        targets: &[],
    },
    Work {
        name: "tcp-1m",
        about: "answers of 1 MiB over kept connections whose bytes pass as they are",
        subjects: Subjects::EveryProxyAndFloor,
        kind: Kind::Wrk(Load::of_1_mib(Listener::Tcp, 16)),
        effort: SHORT,
        targets: &[Target::OfBest(0.9)],
    },
    Work {
        name: "h1@50",
        about: "latency of the requests of h1 on a fixed schedule, at 50 % of what each proxy can do",
        subjects: Subjects::EveryProxy,
        kind: Kind::OpenLoop(Paced { listener: Listener::Http, connections: 64, closed: "h1", percent: 50 }),
        effort: INFORMATION,
        targets: &[],
    },
    Work {
        name: "h1@70",
        about: "latency of the requests of h1 on a fixed schedule, at 70 % of what each proxy can do",
        subjects: Subjects::EveryProxy,
        kind: Kind::OpenLoop(Paced { listener: Listener::Http, connections: 64, closed: "h1", percent: 70 }),
        effort: PACED,
        targets: &[Target::OfBest(1.0)],
    },
    Work {
        name: "h1@90",
        about: "latency of the requests of h1 on a fixed schedule, at 90 % of what each proxy can do",
        subjects: Subjects::EveryProxy,
        kind: Kind::OpenLoop(Paced { listener: Listener::Http, connections: 64, closed: "h1", percent: 90 }),
        effort: INFORMATION,
        targets: &[],
    },
    Work {
        name: "tls@50",
        about: "latency of the requests of tls on a fixed schedule, at 50 % of what each proxy can do",
        subjects: Subjects::EveryProxy,
        kind: Kind::OpenLoop(Paced { listener: Listener::Tls, connections: 64, closed: "tls", percent: 50 }),
        effort: INFORMATION,
        targets: &[],
    },
    Work {
        name: "tls@70",
        about: "latency of the requests of tls on a fixed schedule, at 70 % of what each proxy can do",
        subjects: Subjects::EveryProxy,
        kind: Kind::OpenLoop(Paced { listener: Listener::Tls, connections: 64, closed: "tls", percent: 70 }),
        effort: PACED,
        targets: &[Target::OfBest(1.0)],
    },
    Work {
        name: "tls@90",
        about: "latency of the requests of tls on a fixed schedule, at 90 % of what each proxy can do",
        subjects: Subjects::EveryProxy,
        kind: Kind::OpenLoop(Paced { listener: Listener::Tls, connections: 64, closed: "tls", percent: 90 }),
        effort: INFORMATION,
        targets: &[],
    },
    Work {
        name: "h1+log",
        about: "what writing the access log costs: sluicegate writes it unless told not to, the peers above do not",
        subjects: Subjects::Gateway(&[Setup::Plain, Setup::Logging]),
        kind: Kind::Wrk(Load::small(Listener::Http, 64)),
        effort: SHORT,
        targets: &[],
    },
    Work {
        name: "vhosts",
        about: "what 100 and 10,000 virtual hosts of 10 routes each cost, asked for one from the middle, beside one host",
        subjects: Subjects::Gateway(&[Setup::OneHost, Setup::SomeHosts, Setup::ManyHosts]),
        kind: Kind::Wrk(Load { path: MIDDLE_PATH, headers: MIDDLE_HOST, ..Load::small(Listener::Http, 64) }),
        effort: SHORT,
        targets: &[Target::OfFirstSetup(1.02)],
    },
    Work {
        name: "routes-1k",
        about: "what 1,000 routes on one host cost, asked for the middle one",
        subjects: Subjects::Gateway(&[Setup::Plain, Setup::ManyRoutes]),
        kind: Kind::Wrk(Load { path: MIDDLE_ROUTE, ..Load::small(Listener::Http, 64) }),
        effort: FEW,
        targets: &[],
    },
    Work {
        name: "reload",
        about: "as h1 while another configuration is loaded about once a second",
        subjects: Subjects::Gateway(&[Setup::Plain, Setup::Reloading]),
        kind: Kind::Reload(Load::small(Listener::Http, 64)),
        effort: RELOADS,
        targets: &[],
    },
    Work {
        name: "two-workers",
        about: "as h1 with one worker, and with two, each with 64 connections; the second has a third core, or else that of the load",
        subjects: Subjects::Gateway(&[Setup::Plain, Setup::TwoWorkers]),
        kind: Kind::Wrk(Load::small(Listener::Http, 64)),
        effort: SHORT,
        targets: &[Target::OfFirstSetup(1.05)],
    },
    Work {
        name: "check-10k",
        about: "reading, checking and compiling these 10,000 virtual hosts: sluicegate check, the start of the program included",
        subjects: Subjects::Gateway(&[Setup::ManyHosts]),
        kind: Kind::Check,
        effort: FEW,
        targets: &[Target::AtMost(1000.0)],
    },
    Work {
        name: "rss-10k",
        about: "memory of a fresh process that has these 10,000 virtual hosts, beside one host",
        subjects: Subjects::Gateway(&[Setup::Plain, Setup::ManyHosts]),
        kind: Kind::Resident,
        effort: TWICE,
        targets: &[Target::GrowthOfFirstSetup(100.0)],
    },
];

/// The work of that name.
pub(crate) fn find(name: &str) -> Option<&'static Work> {
    WORKS.iter().find(|work| work.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::virtual_hosts;

    #[test]
    fn names_are_unique() {
        for work in WORKS {
            assert_eq!(WORKS.iter().filter(|other| other.name == work.name).count(), 1, "{}", work.name);
            assert!(find(work.name).is_some());
        }
    }

    #[test]
    fn the_middle_host_and_route_exist_in_the_configuration_with_many_hosts() {
        for count in [virtual_hosts::SOME, virtual_hosts::MANY] {
            let hosts = virtual_hosts::hosts(count, 1);
            let name = MIDDLE_HOST[0].strip_prefix("Host: ").unwrap();
            assert!(hosts.contains(&format!("hosts: [{name}]")));
            assert!(hosts.contains(&format!("prefix: {MIDDLE_PATH}")));
        }
        assert!(virtual_hosts::routes(1).contains(&format!("prefix: {MIDDLE_ROUTE}")));
    }

    #[test]
    fn setups_with_many_hosts_have_no_listener_but_http() {
        let listens = |kind: &Kind| kind.listener().is_none_or(|listener| listener == Listener::Http);
        for work in WORKS {
            let Subjects::Gateway(setups) = work.subjects else { continue };
            let many =
                |setup: &Setup| matches!(setup, Setup::SomeHosts | Setup::ManyHosts | Setup::ManyRoutes);
            assert!(!setups.iter().any(many) || listens(&work.kind), "{}", work.name);
        }
    }

    #[test]
    fn a_target_relative_to_a_setup_has_two_setups() {
        for work in WORKS.iter().filter(|work| work.targets.iter().any(Target::is_of_first_setup)) {
            assert!(matches!(work.subjects, Subjects::Gateway([_, _, ..])), "{}", work.name);
        }
    }

    #[test]
    fn what_is_paced_follows_the_closed_loop_that_tells_its_capacity() {
        let place = |name: &str| WORKS.iter().position(|work| work.name == name);
        for work in WORKS {
            let Kind::OpenLoop(paced) = &work.kind else { continue };
            let closed = find(paced.closed).unwrap();
            assert!(matches!(closed.kind, Kind::Wrk(_)), "{}", work.name);
            assert_eq!(closed.kind.listener(), Some(paced.listener));
            assert!(place(closed.name) < place(work.name), "{}", work.name);
            assert!((1..100).contains(&paced.percent));
        }
    }

    #[test]
    fn the_floor_stands_where_a_target_is_relative_to_it() {
        for work in WORKS {
            let relative = work.targets.iter().any(|target| matches!(target, Target::OfFloor(_)));
            assert!(!relative || work.subjects == Subjects::EveryProxyAndFloor, "{}", work.name);
        }
    }
}
