//! The command line: every subcommand with its options. Values are parsed here, so that nobody behind this file sees a
//! value that makes no sense. `http2` has the options about clients' connections, `tracing` those about spans, `metrics` those
//! about metrics, `doctor` those of that subcommand, `drain` those about the end of the process and about the next one,
//! `asking` the subcommands that ask a running gateway, `top` that which goes on asking, `values` what an option's text is
//! read into.

mod asking;
mod doctor;
mod drain;
mod http2;
mod top;
mod tracing;
mod metrics;
mod values;

pub(super) use asking::{AskArgs, AskDrainArgs, LogLevelArgs, StatusArgs};
pub(super) use doctor::DoctorArgs;
pub(super) use drain::DrainArgs;
use drain::duration;
pub(super) use http2::Http2Args;
pub(super) use metrics::MetricsArgs;
pub(super) use top::TopArgs;
pub(super) use tracing::TracingArgs;
pub(super) use values::{Labels, Networks};

use crate::{
    admin::Address,
    compile::{Identity, Locality},
    control::{CpuList, LogTarget, PortMap, log::Level},
    driver::DriverChoice,
};
use clap::{Args, Parser, Subcommand as ClapSubcommand, ValueEnum};
use std::{
    net::{IpAddr, SocketAddr},
    num::NonZeroUsize,
    path::PathBuf,
    str::FromStr,
    time::Duration,
};

/// An ingress gateway that reads Istio resources and serves them from one io_uring per core.
#[derive(Debug, Parser)]
#[command(name = "sluicegate", version, about, propagate_version = true, max_term_width = 100)]
#[command(long_version = LONG_VERSION)]
#[command(after_help = "Exit codes: 0 good, 1 an error in the configuration or at run time, 2 wrong usage.")]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub subcommand: Subcommand,
}

/// What this build can do, beside its version.
const LONG_VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\ndrivers: io_uring (with less of it on older kernels), epoll",
    "\nserves: HTTP/1.1 and HTTP/2 in plain text and in TLS, gRPC, gRPC-Web, TLS by SNI, TCP"
);

/// What to do.
#[derive(Debug, ClapSubcommand)]
pub enum Subcommand {
    /// Serve the traffic that the configuration describes
    Run(Box<RunArgs>),
    /// Report every problem in the configuration, and serve nothing
    Check(CheckArgs),
    /// Say which rule a request or a connection gets, and why not another
    Explain(ExplainArgs),
    /// List all routes, one a line
    Routes(RoutesArgs),
    /// Look at this host: whether the kernel and its limits are fit for it, and what to do where not
    Doctor(Box<DoctorArgs>),
    /// Serve an example with an origin of its own on port 8080
    Demo(DemoArgs),
    /// Have a running gateway read its configuration again
    Reload(AskArgs),
    /// Have another process of the program take over from a running gateway
    Upgrade(AskArgs),
    /// Have a running gateway take no new connections, let the present ones end, and end
    Drain(AskDrainArgs),
    /// Say how a running gateway is
    Status(StatusArgs),
    /// Say or change how much a running gateway says on standard error
    LogLevel(LogLevelArgs),
    /// Show a running gateway live in the terminal: requests, routes, workers, clusters, reloads
    Top(TopArgs),
    /// Print the completions for a shell
    Completions(CompletionsArgs),
    /// Print the manual page
    Man,
}

/// What this gateway is among those that the files may describe: which of their objects concern it.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Which gateway this is")]
pub struct WorkloadArgs {
    /// Labels of this workload: only Gateways whose selector is a part of them apply. Without it every Gateway applies
    #[arg(long, value_name = "KEY=VALUE,...", env = "SLUICEGATE_LABELS")]
    pub labels: Option<Labels>,
    /// Where this gateway is, for `localityLbSetting` [default: what its labels say: istio-locality, or those of
    /// topology.kubernetes.io]
    #[arg(long, value_name = "REGION/ZONE/SUBZONE", env = "SLUICEGATE_LOCALITY")]
    pub locality: Option<Locality>,
    /// Namespace of this workload: Secrets are looked up there, and `exportTo` is read for it [default: default]
    #[arg(long, value_name = "NAMESPACE", env = "SLUICEGATE_NAMESPACE")]
    pub namespace: Option<String>,
    /// Where a port that Gateways declare is listened on. `80=0` lets the kernel choose a port, which is printed
    #[arg(long, value_name = "DECLARED=LISTENING,...", env = "SLUICEGATE_PORT_MAP")]
    pub port_map: Option<PortMap>,
    /// The gateway of an IstioOperator in the files whose labels, namespace and ports hold where no option says otherwise
    #[arg(long, value_name = "NAME", env = "SLUICEGATE_GATEWAY")]
    pub gateway: Option<String>,
    /// The gateway's own certificate in the mesh, for `mode: ISTIO_MUTUAL`: a PEM file with the chain
    #[arg(long, value_name = "FILE", env = "SLUICEGATE_IDENTITY_CERT", requires_all = ["identity_key", "identity_ca"])]
    pub identity_cert: Option<PathBuf>,
    /// The key of --identity-cert: a PEM file
    #[arg(long, value_name = "FILE", env = "SLUICEGATE_IDENTITY_KEY", requires_all = ["identity_cert", "identity_ca"])]
    pub identity_key: Option<PathBuf>,
    /// The authorities of the mesh, which the other side's certificate must come from: a PEM file
    #[arg(long, value_name = "FILE", env = "SLUICEGATE_IDENTITY_CA", requires_all = ["identity_cert", "identity_key"])]
    pub identity_ca: Option<PathBuf>,
    /// Networks whose PROXY protocol headers are believed. Every TCP connection must then begin with one, and one from
    /// elsewhere is closed [default: `gatewayTopology.proxyProtocol` decides, and everybody is believed]
    #[arg(long, value_name = "CIDR,...", env = "SLUICEGATE_PROXY_PROTOCOL_FROM")]
    pub proxy_protocol_from: Option<Networks>,
    /// What a request gets whose Host belongs to another TLS server of the port: 421 makes browsers ask again on a
    /// connection of its own, 404 is Istio's answer
    #[arg(long, value_name = "STATUS", value_enum, default_value_t, env = "SLUICEGATE_MISDIRECTED")]
    pub misdirected: MisdirectedStatus,
}

impl WorkloadArgs {
    /// The files of the identity; all three or none are given.
    pub fn identity(&self) -> Option<Identity> {
        Some(Identity {
            certificate: self.identity_cert.clone()?,
            key: self.identity_key.clone()?,
            authorities: self.identity_ca.clone()?,
        })
    }
}

/// `--misdirected`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum MisdirectedStatus {
    /// Misdirected Request.
    #[default]
    #[value(name = "421")]
    Status421,
    /// Not Found.
    #[value(name = "404")]
    Status404,
}

/// Where the configuration is.
#[derive(Args, Clone, Debug)]
pub struct ConfigArgs {
    /// A file, a directory (all its *.yaml and *.yml), or `-` for standard input; may be repeated
    #[arg(short, long, value_name = "PATH", required = true, env = "SLUICEGATE_CONFIG")]
    pub config: Vec<PathBuf>,
}

/// `run`
#[derive(Args, Debug)]
pub struct RunArgs {
    /// Where the configuration is.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Which gateway this is.
    #[command(flatten)]
    pub workload: WorkloadArgs,
    /// How it runs.
    #[command(flatten)]
    pub process: ProcessArgs,
    /// How clients' connections are served.
    #[command(flatten)]
    pub http2: Http2Args,
    /// Spans.
    #[command(flatten)]
    pub tracing: TracingArgs,
}

/// How the gateway's process runs.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "How it runs")]
pub struct ProcessArgs {
    /// Worker threads, each with a ring of its own [default: the CPUs that mask and cgroup quota allow]
    #[arg(long, value_name = "N", env = "SLUICEGATE_WORKERS")]
    pub workers: Option<NonZeroUsize>,
    /// CPUs to pin one worker each to, such as `1,3-5` [default: the allowed ones in order, unless a quota is smaller]
    #[arg(long, value_name = "LIST", env = "SLUICEGATE_CPUS")]
    pub cpus: Option<CpuList>,
    /// Which worker serves a connection: off, the one that the kernel gives it to by its addresses; connections, another one
    /// if it has clearly fewer, which is for few clients, or connections that live long
    #[arg(long, value_name = "KIND", value_enum, default_value_t = BalanceKind::Off, env = "SLUICEGATE_BALANCE")]
    pub balance: BalanceKind,
    /// What workers run on: auto, io_uring (or no start), epoll
    #[arg(long, value_name = "DRIVER", default_value = "auto", env = "SLUICEGATE_DRIVER")]
    pub driver: DriverChoice,
    /// Where the admin pages are: an address with a port, `unix:PATH` for a socket that only this user can open, or `off`.
    /// They are for the operator only
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:15000", env = "SLUICEGATE_ADMIN")]
    pub admin: Listen,
    /// Where /healthz/ready and /healthz/live are: an address with a port, `unix:PATH`, or `off`
    #[arg(long, value_name = "ADDR", default_value = "0.0.0.0:15021", env = "SLUICEGATE_STATUS")]
    pub status: Listen,
    /// Metrics.
    #[command(flatten)]
    pub metrics: MetricsArgs,
    /// Where access log lines go: a file, `-` for standard output, or `off` [default: what `meshConfig.accessLogFile` of
    /// an IstioOperator says, else standard output]
    #[arg(long, value_name = "PATH", env = "SLUICEGATE_ACCESS_LOG", value_parser = access_log)]
    pub access_log: Option<LogTarget>,
    /// How much is said on standard error: error, warn, info, debug
    #[arg(long, value_name = "LEVEL", default_value = "info", env = "SLUICEGATE_LOG_LEVEL")]
    pub log_level: Level,
    /// How it ends.
    #[command(flatten)]
    pub drain: DrainArgs,
    /// How long a TLS client may take for its ClientHello, and as much again for the rest of the handshake
    #[arg(long, value_name = "TIME", default_value = "15s", env = "SLUICEGATE_HANDSHAKE_TIMEOUT", value_parser = duration, hide_short_help = true)]
    pub handshake_timeout: Duration,
    /// Whether TLS clients may resume sessions: on, or off, which makes every handshake a full one
    #[arg(long, value_name = "SWITCH", value_enum, default_value_t = SessionTickets::On, env = "SLUICEGATE_SESSION_TICKETS", hide_short_help = true)]
    pub session_tickets: SessionTickets,
    /// Whether the configuration is loaded again when its files change: on, or off, which leaves it to SIGHUP and
    /// `sluicegate reload`. Files of certificates are followed in any case
    #[arg(long, value_name = "SWITCH", value_enum, default_value_t = Watch::On, env = "SLUICEGATE_WATCH")]
    pub watch: Watch,
    /// The DNS server to ask, instead of those in /etc/resolv.conf: an IP address, with a port if it is not 53
    #[arg(long, value_name = "ADDR", env = "SLUICEGATE_RESOLVER", value_parser = resolver, hide_short_help = true)]
    pub resolver: Option<SocketAddr>,
}

/// `--balance`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum BalanceKind {
    /// A worker serves what it accepts.
    #[default]
    Off,
    /// By the number of connections.
    Connections,
}

/// `--session-tickets`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum SessionTickets {
    /// Clients get tickets that any worker can open.
    #[default]
    On,
    /// Nobody gets one.
    Off,
}

/// `--watch`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Watch {
    /// Files that change are loaded.
    #[default]
    On,
    /// They are loaded when somebody says so.
    Off,
}

/// `check`
#[derive(Args, Debug)]
pub struct CheckArgs {
    /// Files, directories (all their *.yaml and *.yml), or `-` for standard input
    #[arg(value_name = "PATH", required = true)]
    pub paths: Vec<PathBuf>,
    /// How problems are written
    #[arg(long, value_enum, default_value_t = CheckFormat::Human)]
    pub format: CheckFormat,
    /// Exit code 1 also if there are only warnings
    #[arg(long)]
    pub deny_warnings: bool,
    /// Which gateway this is.
    #[command(flatten)]
    pub workload: WorkloadArgs,
}

/// How `check` writes problems.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CheckFormat {
    /// For people, with a piece of the source.
    Human,
    /// One JSON object a line.
    Json,
    /// GitHub's workflow commands, which become annotations of a pull request.
    Github,
}

/// How `explain` and `routes` answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AnswerFormat {
    /// For people.
    Text,
    /// JSON: one object for `explain`, one a line for `routes`.
    Json,
}

/// `explain`
#[derive(Args, Debug)]
pub struct ExplainArgs {
    /// Where the configuration is.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// The request's URL: scheme, host, port, path and query decide. tcp://HOST:PORT and tls://HOST:PORT ask about
    /// connections without HTTP
    #[arg(long, value_name = "URL")]
    pub url: String,
    /// The request's method
    #[arg(short = 'X', long = "request", value_name = "METHOD", default_value = "GET")]
    pub method: String,
    /// A header field of the request, such as 'Name: value'; may be repeated
    #[arg(short = 'H', long = "header", value_name = "FIELD")]
    pub headers: Vec<String>,
    /// The request comes as HTTP/2: agreed by ALPN in TLS, from the first bytes in plain text
    #[arg(long)]
    pub http2: bool,
    /// The Unix socket that the client connects to; the URL's port then means nothing
    #[arg(long, value_name = "PATH")]
    pub unix_socket: Option<PathBuf>,
    /// The name in the TLS handshake; empty: none [default: the URL's host]
    #[arg(long, value_name = "NAME")]
    pub sni: Option<String>,
    /// The client's address
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1")]
    pub from: IpAddr,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t = AnswerFormat::Text)]
    pub format: AnswerFormat,
    /// Which gateway this is.
    #[command(flatten)]
    pub workload: WorkloadArgs,
}

/// `routes`
#[derive(Args, Debug)]
pub struct RoutesArgs {
    /// Where the configuration is.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// How the routes are written: a line each, aligned on a terminal and with a TAB between columns elsewhere
    #[arg(long, value_enum, default_value_t = AnswerFormat::Text)]
    pub format: AnswerFormat,
    /// Which gateway this is.
    #[command(flatten)]
    pub workload: WorkloadArgs,
}

/// `demo`
#[derive(Args, Debug)]
pub struct DemoArgs {
    /// The port that the gateway listens on; 0 lets the kernel choose one, which is printed
    #[arg(long, value_name = "PORT", default_value_t = 8080)]
    pub port: u16,
    /// How it runs.
    #[command(flatten)]
    pub process: ProcessArgs,
}

/// `completions`
#[derive(Args, Debug)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// Where a page is: an address, or nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// `off`
    Off,
    /// There.
    At(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

impl FromStr for Listen {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Listen::Off);
        }
        match text.parse() {
            Ok(Address::Tcp(address)) => Ok(Listen::At(address)),
            Ok(Address::Unix(path)) => Ok(Listen::Unix(path)),
            Err(error) => Err(format!("{error}, nor `off`")),
        }
    }
}

fn access_log(text: &str) -> Result<LogTarget, String> {
    match text {
        "" => Err("expected a path, `-` or `off`".into()),
        "off" => Ok(LogTarget::Off),
        "-" => Ok(LogTarget::Stdout),
        path => Ok(LogTarget::File(path.into())),
    }
}

fn resolver(text: &str) -> Result<SocketAddr, String> {
    let with_port = text.parse().or_else(|_| text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 53)));
    with_port.map_err(|_| format!("`{text}` is not an IP address"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn values_are_parsed() {
        let line = [
            "sluicegate",
            "run",
            "-c",
            "a",
            "-c",
            "-",
            "--labels",
            "app=web, tier=edge",
            "--port-map",
            "80=8080",
            "--cpus",
            "1,3-5",
            "--driver",
            "epoll",
            "--admin",
            "off",
            "--status",
            "[::1]:9",
            "--access-log",
            "off",
            "--drain-time",
            "2m",
            "--resolver",
            "127.0.0.1",
            "--log-level",
            "debug",
            "--identity-cert",
            "c",
            "--identity-key",
            "k",
            "--identity-ca",
            "a",
            "--proxy-protocol-from",
            "10.0.0.0/8,::1",
            "--misdirected",
            "404",
        ];
        let Subcommand::Run(run) = Arguments::try_parse_from(line).unwrap().subcommand else { panic!() };
        assert_eq!(run.config.config, [PathBuf::from("a"), PathBuf::from("-")]);
        assert_eq!(run.workload.identity().unwrap().authorities, PathBuf::from("a"));
        let networks = run.workload.proxy_protocol_from.clone().unwrap().0;
        assert_eq!(networks, [("10.0.0.0".parse().unwrap(), 8), ("::1".parse().unwrap(), 128)]);
        assert_eq!(run.workload.misdirected, MisdirectedStatus::Status404);
        assert_eq!(run.workload.labels.unwrap().0["tier"], "edge");
        assert_eq!(run.process.admin, Listen::Off);
        assert_eq!(run.process.status, Listen::At("[::1]:9".parse().unwrap()));
        assert_eq!(run.process.access_log, Some(LogTarget::Off));
        assert_eq!(run.process.drain.drain_time, Duration::from_secs(120));
        assert_eq!(run.process.resolver, Some("127.0.0.1:53".parse().unwrap()));
    }

    #[test]
    fn values_that_make_no_sense_are_wrong_usage() {
        let wrong: &[&[&str]] = &[
            &[],
            &["--workers", "0"],
            &["--cpus", "3-1"],
            &["--admin", "localhost"],
            &["--admin", "unix:"],
            &["--drain-time", "30"],
            &["--drain-time", "30d"],
            &["--drain-time", "25h"],
            &["--labels", "app"],
            &["--labels", "a=b,a=c"],
            &["--log-level", "loud"],
            &["--driver", "kqueue"],
            &["--access-log", ""],
            &["--identity-cert", "c", "--identity-key", "k"],
            &["--proxy-protocol-from", "10.0.0.0/33"],
            &["--proxy-protocol-from", "10.0.0.0/8,"],
            &["--misdirected", "400"],
        ];
        for options in wrong {
            let config: &[&str] = if options.is_empty() { &[] } else { &["-c", "a"] };
            let line = ["sluicegate", "run"].iter().chain(config).chain(*options);
            let error = Arguments::try_parse_from(line).unwrap_err();
            assert_eq!(error.exit_code(), i32::from(super::super::USAGE), "{options:?}");
        }
    }
}
