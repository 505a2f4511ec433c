//! Who is measured, how it is set up, and where its clients come in.

use clap::ValueEnum;

use crate::programs::Program;

/// A program that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ValueEnum)]
pub(crate) enum Proxy {
    /// A peer.
    Nginx,
    /// A peer.
    Haproxy,
    /// A peer.
    Envoy,
    /// A peer.
    Caddy,
    /// This project, as it is now.
    Sluicegate,
    /// The relay that knows nothing of HTTP: what the kernel's part costs.
    Floor,
    /// This project as another build has it, named by `--before`.
    #[value(skip)]
    Before,
}

/// What a row is to the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// What is to reach the targets.
    Gateway,
    /// An earlier build of it.
    Before,
    /// Another gateway.
    Peer,
    /// No gateway: it passes bytes.
    Floor,
}

impl Role {
    /// As the JSON calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Role::Gateway => "gateway",
            Role::Before => "before",
            Role::Peer => "peer",
            Role::Floor => "floor",
        }
    }
}

impl Proxy {
    /// As the table calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Proxy::Nginx => "nginx",
            Proxy::Haproxy => "haproxy",
            Proxy::Envoy => "envoy",
            Proxy::Caddy => "caddy",
            Proxy::Sluicegate => "sluicegate",
            Proxy::Floor => "floor",
            Proxy::Before => "before",
        }
    }

    /// What it is to the others.
    pub(crate) fn role(self) -> Role {
        match self {
            Proxy::Nginx | Proxy::Haproxy | Proxy::Envoy | Proxy::Caddy => Role::Peer,
            Proxy::Sluicegate => Role::Gateway,
            Proxy::Floor => Role::Floor,
            Proxy::Before => Role::Before,
        }
    }

    /// What has to be installed for it.
    pub(crate) fn program(self) -> Option<Program> {
        match self {
            Proxy::Nginx => Some(Program::Nginx),
            Proxy::Haproxy => Some(Program::Haproxy),
            Proxy::Envoy => Some(Program::Envoy),
            Proxy::Caddy => Some(Program::Caddy),
            Proxy::Sluicegate | Proxy::Floor | Proxy::Before => None,
        }
    }

    /// What has to be installed for it to serve such clients.
    pub(crate) fn programs_for(self, listener: Option<Listener>) -> Vec<Program> {
        let module =
            (self == Proxy::Nginx && listener == Some(Listener::Tcp)).then_some(Program::NginxStream);
        self.program().into_iter().chain(module).collect()
    }

    /// Why it takes no part in works whose clients come in there, if it does not.
    pub(crate) fn shortcoming(self, listener: Listener) -> Option<&'static str> {
        match (self, listener) {
            (Proxy::Nginx, Listener::TlsToH2) => Some("it speaks HTTP/2 to origins of gRPC alone"),
            (Proxy::Caddy, Listener::Tcp) => Some("it has no module for TCP as it is distributed"),
            _ => None,
        }
    }

    /// Whether it is one of those that sluicegate is compared with.
    pub(crate) fn is_peer(self) -> bool {
        self.role() == Role::Peer
    }
}

/// How sluicegate is set up; peers know only the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Setup {
    /// One host, no access log.
    Plain,
    /// One host, access log to a file.
    Logging,
    /// One host of 10 routes, no access log.
    OneHost,
    /// 100 hosts of 10 routes each, no access log.
    SomeHosts,
    /// 10,000 hosts of 10 routes each, no access log.
    ManyHosts,
    /// One host with 1,000 routes, no access log.
    ManyRoutes,
    /// As [`Setup::Plain`], and another configuration about once a second.
    Reloading,
    /// As [`Setup::Plain`], with two workers on two cores.
    TwoWorkers,
}

impl Setup {
    /// As the JSON calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Setup::Plain => "plain",
            Setup::Logging => "log",
            Setup::OneHost => "1-host",
            Setup::SomeHosts => "100-hosts",
            Setup::ManyHosts => "10k-hosts",
            Setup::ManyRoutes => "1k-routes",
            Setup::Reloading => "reloads",
            Setup::TwoWorkers => "2-workers",
        }
    }
}

/// A proxy in a setup: a row of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Subject {
    /// Which program.
    pub(crate) proxy: Proxy,
    /// How set up.
    pub(crate) setup: Setup,
}

impl Subject {
    /// The proxy as it takes part in every work.
    pub(crate) const fn plain(proxy: Proxy) -> Subject {
        Subject { proxy, setup: Setup::Plain }
    }

    /// As the table calls it.
    pub(crate) fn label(self) -> String {
        match self.setup {
            Setup::Plain => self.proxy.name().to_owned(),
            setup => format!("{}+{}", self.proxy.name(), setup.name()),
        }
    }
}

/// How clients come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listener {
    /// HTTP in plain text.
    Http,
    /// HTTP in TLS, of the version that client and proxy agree on.
    Tls,
    /// HTTP/2 in plain text, without asking.
    H2c,
    /// HTTP/2 in TLS, to be passed on as HTTP/2 in plain text.
    TlsToH2,
    /// The same for gRPC.
    Grpc,
    /// Bytes, which the proxy passes on as they are.
    Tcp,
}

impl Listener {
    /// Whether clients begin with TLS.
    pub(crate) fn is_tls(self) -> bool {
        match self {
            Listener::Http | Listener::H2c | Listener::Tcp => false,
            Listener::Tls | Listener::TlsToH2 | Listener::Grpc => true,
        }
    }

    /// The program behind it where that is not nginx.
    pub(crate) fn own_origin(self) -> Option<Program> {
        match self {
            Listener::Http | Listener::Tls | Listener::H2c | Listener::Tcp => None,
            Listener::TlsToH2 | Listener::Grpc => Some(Program::Nghttpd),
        }
    }
}

/// Where origins listen on 127.0.0.1.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origins {
    /// For HTTP/1.1.
    pub(crate) http1: u16,
    /// For HTTP/2 in plain text.
    pub(crate) h2: u16,
    /// For gRPC.
    pub(crate) grpc: u16,
}

/// Where a proxy listens on 127.0.0.1.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Entrances {
    /// For HTTP in plain text.
    pub(crate) http: u16,
    /// For HTTP in TLS.
    pub(crate) tls: u16,
    /// For HTTP/2 in plain text.
    pub(crate) h2c: u16,
    /// For HTTP/2 in TLS that goes to the origin with HTTP/2.
    pub(crate) tls_to_h2: u16,
    /// For gRPC in TLS.
    pub(crate) grpc: u16,
    /// For bytes.
    pub(crate) tcp: u16,
    /// Where sluicegate tells its counters.
    pub(crate) admin: u16,
}

impl Entrances {
    /// The port of that listener.
    pub(crate) fn port(&self, listener: Listener) -> u16 {
        match listener {
            Listener::Http => self.http,
            Listener::Tls => self.tls,
            Listener::H2c => self.h2c,
            Listener::TlsToH2 => self.tls_to_h2,
            Listener::Grpc => self.grpc,
            Listener::Tcp => self.tcp,
        }
    }
}
