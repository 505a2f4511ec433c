//! The list of works: what is measured, on whom, and what is to be reached. A new row of the table begins here.

use crate::h2load::Streams;
use crate::programs::Program;
use crate::proxies::{Listener, Proxy, Setup};
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
    /// What sluicegate is to reach.
    pub(crate) targets: &'static [Target],
}

/// Who takes part in a work.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Subjects {
    /// Every proxy that was asked for, each in its plain setup.
    EveryProxy,
    /// sluicegate alone, in these setups, side by side; the first is what the others are compared with.
    Gateway(&'static [Setup]),
}

/// How a work is measured.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    /// wrk asks as fast as it can: CPU time per request.
    Wrk(Load),
    /// h2load asks as fast as it can: CPU time per request.
    H2load(Streams),
    /// Connections have been answered once and stay open: memory of each, in a fresh process.
    Idle(Waiting),
    /// `sluicegate check` of the setup's configuration: CPU time.
    Check,
}

impl Kind {
    /// The unit of the figure.
    pub(crate) fn unit(&self) -> &'static str {
        match self {
            Kind::Wrk(_) | Kind::H2load(_) => "CPU us/request",
            Kind::Idle(_) => "KiB/connection",
            Kind::Check => "CPU ms",
        }
    }

    /// Where clients come in, if there are any.
    pub(crate) fn listener(&self) -> Option<Listener> {
        match self {
            Kind::Wrk(load) => Some(load.listener),
            Kind::H2load(streams) => Some(streams.listener),
            Kind::Idle(waiting) => Some(waiting.listener),
            Kind::Check => None,
        }
    }

    /// What has to be installed for it besides the proxies and nginx, which is every work's origin.
    pub(crate) fn programs(&self) -> Vec<Program> {
        let load: &[Program] = match self {
            Kind::Wrk(_) => &[Program::Wrk],
            Kind::H2load(_) => &[Program::H2load, Program::Nghttp],
            Kind::Idle(_) | Kind::Check => &[],
        };
        let origin = self.listener().and_then(Listener::own_origin);
        load.iter().copied().chain(origin).collect()
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
    /// This share of that peer's figure.
    Of(Proxy, f64),
    /// This share of the figure of the first setup.
    OfFirstSetup(f64),
    /// This figure.
    AtMost(f64),
}

/// A name and a path from the middle of the configuration with many hosts (see `virtual_hosts`).
const MIDDLE_HOST: &[&str] = &["Host: host-05000.bench.test"];
const MIDDLE_PATH: &str = "/service-5/";

/// All works, in the order of the table.
pub(crate) static WORKS: &[Work] = &[
    Work {
        name: "h1",
        about: "small answers over kept connections",
        subjects: Subjects::EveryProxy,
        kind: Kind::Wrk(Load::small(Listener::Http, 64)),
        targets: &[Target::OfBest(1.0)],
    },
    Work {
        name: "h1-16k",
        about: "answers of 16 KiB over kept connections",
        subjects: Subjects::EveryProxy,
        kind: Kind::Wrk(Load::of_16_kib(Listener::Http, 32)),
        targets: &[Target::Of(Proxy::Haproxy, 1.0)],
    },
    Work {
        name: "h1-1m",
        about: "answers of 1 MiB over kept connections",
        subjects: Subjects::EveryProxy,
        kind: Kind::Wrk(Load::of_1_mib(Listener::Http, 16)),
        targets: &[Target::Of(Proxy::Envoy, 1.0)],
    },
    Work {
        name: "h1-close",
        about: "a new connection for each small answer",
        subjects: Subjects::EveryProxy,
        kind: Kind::Wrk(Load::small(Listener::Http, 32).without_keeping()),
        targets: &[Target::OfBest(1.0)],
    },
    Work {
        name: "idle",
        about: "memory of a kept connection after one answer, in a fresh process",
        subjects: Subjects::EveryProxy,
        kind: Kind::Idle(Waiting { listener: Listener::Http, connections: 6000 }),
        targets: &[Target::AtMost(4.0)],
    },
    Work {
        name: "tls",
        about: "small answers over kept connections with TLS 1.3",
        subjects: Subjects::EveryProxy,
        kind: Kind::Wrk(Load::small(Listener::Tls, 64)),
        targets: &[Target::OfBest(1.0)],
    },
    Work {
        name: "tls-16k",
        about: "answers of 16 KiB over kept connections with TLS 1.3",
        subjects: Subjects::EveryProxy,
        kind: Kind::Wrk(Load::of_16_kib(Listener::Tls, 32)),
        targets: &[],
    },
    Work {
        name: "tls-1m",
        about: "answers of 1 MiB over kept connections with TLS 1.3",
        subjects: Subjects::EveryProxy,
        kind: Kind::Wrk(Load::of_1_mib(Listener::Tls, 8)),
        targets: &[Target::Of(Proxy::Envoy, 1.0)],
    },
    Work {
        name: "tls-close",
        about: "a full handshake (TLS 1.3, X25519, P-256) for each small answer; nobody resumes sessions",
        subjects: Subjects::EveryProxy,
        kind: Kind::Wrk(Load::small(Listener::Tls, 16).without_keeping()),
        targets: &[Target::Of(Proxy::Envoy, 0.9)],
    },
    Work {
        name: "idle-tls",
        about: "memory of a kept connection with TLS 1.3 after one answer, in a fresh process",
        subjects: Subjects::EveryProxy,
        kind: Kind::Idle(Waiting { listener: Listener::Tls, connections: 4000 }),
        targets: &[Target::AtMost(14.0)],
    },
    Work {
        name: "h2",
        about: "small answers over HTTP/2 in TLS 1.3 from an origin with HTTP/1.1, many streams on each connection",
        subjects: Subjects::EveryProxy,
        kind: Kind::H2load(Streams::small(Listener::Tls, 16, 32)),
        targets: &[Target::Of(Proxy::Haproxy, 0.85)],
    },
    Work {
        name: "h2-1",
        about: "the same with one stream at a time on each connection",
        subjects: Subjects::EveryProxy,
        kind: Kind::H2load(Streams::small(Listener::Tls, 64, 1)),
        targets: &[Target::Of(Proxy::Haproxy, 0.95)],
    },
    Work {
        name: "h2-16k",
        about: "answers of 16 KiB over HTTP/2 in TLS 1.3 from an origin with HTTP/1.1",
        subjects: Subjects::EveryProxy,
        // 1 MiB under way, with some streams on each connection: more would fill buffers rather than the proxy's time.
        kind: Kind::H2load(Streams::of_16_kib(Listener::Tls, 8, 8)),
        targets: &[],
    },
    Work {
        name: "h2c",
        about: "as h2, in plain text with prior knowledge",
        subjects: Subjects::EveryProxy,
        kind: Kind::H2load(Streams::small(Listener::H2c, 16, 32)),
        targets: &[],
    },
    Work {
        name: "h2-h2",
        about: "as h2, from an origin with HTTP/2 in plain text",
        subjects: Subjects::EveryProxy,
        kind: Kind::H2load(Streams::small(Listener::TlsToH2, 16, 32)),
        targets: &[Target::Of(Proxy::Haproxy, 1.0)],
    },
    Work {
        name: "grpc",
        about: "unary calls of gRPC over HTTP/2 in TLS 1.3 to an origin with HTTP/2 in plain text",
        subjects: Subjects::EveryProxy,
        kind: Kind::H2load(Streams::unary(16, 32)),
        targets: &[],
    },
    Work {
        name: "tcp",
        about: "small answers over kept connections whose bytes pass as they are",
        subjects: Subjects::EveryProxy,
        kind: Kind::Wrk(Load::small(Listener::Tcp, 64)),
        targets: &[],
    },
    Work {
        name: "tcp-1m",
        about: "answers of 1 MiB over kept connections whose bytes pass as they are",
        subjects: Subjects::EveryProxy,
        kind: Kind::Wrk(Load::of_1_mib(Listener::Tcp, 16)),
        targets: &[Target::Of(Proxy::Envoy, 0.8)],
    },
    Work {
        name: "h1+log",
        about: "what writing the access log costs: sluicegate writes it unless told not to, the peers above do not",
        subjects: Subjects::Gateway(&[Setup::Plain, Setup::Logging]),
        kind: Kind::Wrk(Load::small(Listener::Http, 64)),
        targets: &[],
    },
    Work {
        name: "vhosts-10k",
        about: "what 10,000 virtual hosts of 10 routes each cost, asked for one from the middle",
        subjects: Subjects::Gateway(&[Setup::Plain, Setup::ManyHosts]),
        kind: Kind::Wrk(Load { path: MIDDLE_PATH, headers: MIDDLE_HOST, ..Load::small(Listener::Http, 64) }),
        targets: &[Target::OfFirstSetup(1.02)],
    },
    Work {
        name: "check-10k",
        about: "reading, checking and compiling these 10,000 virtual hosts: sluicegate check, the start of the program included",
        subjects: Subjects::Gateway(&[Setup::ManyHosts]),
        kind: Kind::Check,
        targets: &[Target::AtMost(1000.0)],
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
        let hosts = virtual_hosts::many(1);
        let name = MIDDLE_HOST[0].strip_prefix("Host: ").unwrap();
        assert!(hosts.contains(&format!("hosts: [{name}]")));
        assert!(hosts.contains(&format!("prefix: {MIDDLE_PATH}")));
    }

    #[test]
    fn the_setup_with_many_hosts_has_no_listener_but_http() {
        let many = Subjects::Gateway(&[Setup::Plain, Setup::ManyHosts]);
        for work in WORKS.iter().filter(|work| work.subjects == many) {
            assert_eq!(work.kind.listener(), Some(Listener::Http), "{}", work.name);
        }
    }

    #[test]
    fn a_target_relative_to_a_setup_has_two_setups() {
        for work in
            WORKS.iter().filter(|work| work.targets.iter().any(|t| matches!(t, Target::OfFirstSetup(_))))
        {
            assert!(matches!(work.subjects, Subjects::Gateway([_, _, ..])), "{}", work.name);
        }
    }
}
