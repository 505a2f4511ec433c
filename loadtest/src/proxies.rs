//! The proxies that are measured: their configurations, how each is started, where it listens.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::process::Invocation;
use crate::subjects::{Entrances, Origins, Proxy, Setup, Subject};
use crate::virtual_hosts;

/// What HAProxy is told to hold at most: enough for the idle connections, if there are descriptors for two sides of each.
const HAPROXY_CONNECTIONS_MAX: u64 = 7500;
/// Descriptors that HAProxy needs beside those of connections.
const HAPROXY_OWN_FILES: u64 = 300;

const ORIGIN: &str = include_str!("../peers/origin.nginx.conf");
const NGINX: &str = include_str!("../peers/nginx.conf");
const NGINX_STREAM: &str = include_str!("../peers/nginx-stream.conf");
const HAPROXY: &str = include_str!("../peers/haproxy.cfg");
const ENVOY: &str = include_str!("../peers/envoy.yaml");
const CADDY: &str = include_str!("../peers/caddy.json");
const GATEWAY_BASE: &str = include_str!("../peers/sluicegate/base.yaml");
const GATEWAY_ONE_HOST: &str = include_str!("../peers/sluicegate/one-host.yaml");
const GATEWAY_ONE_MORE: &str = include_str!("../peers/sluicegate/one-more.yaml");

/// All that a configuration or a command line may have to name.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    /// The folder of this run.
    pub(crate) run: PathBuf,
    /// The executable of the proxy.
    pub(crate) program: PathBuf,
    /// Where it listens.
    pub(crate) entrances: Entrances,
    /// nginx's module for TCP, where it has one.
    pub(crate) stream_module: Option<StreamModule>,
    /// Where the origins listen.
    pub(crate) origins: Origins,
    /// The core of load and origin.
    pub(crate) load_core: usize,
    /// The core of the proxy.
    pub(crate) proxy_core: usize,
    /// The core of a second worker: a third one if there is one, else that of load and origin.
    pub(crate) second_core: usize,
    /// The limit of open files.
    pub(crate) open_files: u64,
}

/// What nginx has for TCP.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum StreamModule {
    /// It is part of the program.
    BuiltIn,
    /// It is to be loaded from this file.
    File(PathBuf),
}

/// A file to write before the start.
pub(crate) struct Configuration {
    /// Its name in the folder of this run.
    pub(crate) file: String,
    /// What is in it.
    pub(crate) text: String,
}

/// The origin's configuration.
pub(crate) fn origin_configuration(places: &Places) -> Result<Configuration> {
    Ok(Configuration { file: "origin.conf".to_owned(), text: render(ORIGIN, places)? })
}

/// The subject's configuration; the relay has none.
pub(crate) fn configuration(subject: Subject, places: &Places) -> Result<Configuration> {
    let (extension, text) = match subject.proxy {
        Proxy::Floor => ("none", String::new()),
        Proxy::Caddy => ("json", render(CADDY, places)?),
        Proxy::Nginx => ("conf", nginx_configuration(places)?),
        Proxy::Haproxy => ("cfg", render(HAPROXY, places)?),
        Proxy::Envoy => ("yaml", render(ENVOY, places)?),
        Proxy::Sluicegate | Proxy::Before => ("yaml", gateway_configuration(subject.setup, places)?),
    };
    Ok(Configuration { file: format!("{}.{extension}", subject.label()), text })
}

/// How nginx is started, as the origin and as a peer; it pins its worker itself, by its configuration.
pub(crate) fn nginx(places: &Places, configuration: &Path) -> Invocation {
    let first_errors = configuration.with_extension("start-errors");
    Invocation::of(&places.program)
        .arg("-e")
        .arg(first_errors)
        .arg("-p")
        .arg(&places.run)
        .arg("-c")
        .arg(configuration)
}

/// How the origin of HTTP/2 is started, and that of gRPC: one worker, on the core of load and origins, for files under `www`.
pub(crate) fn nghttpd(places: &Places, port: u16, more: &[&str]) -> Invocation {
    Invocation::pinned(&places.program, places.load_core)
        // More streams than the load has, so that one connection can take all of them.
        .args(["--no-tls", "--workers=1", "--max-concurrent-streams=1000", "--address=127.0.0.1"])
        .args(more.iter().copied())
        .arg("--htdocs")
        .arg(places.run.join("www"))
        .arg(port.to_string())
}

/// How the subject is started: one worker, on the proxy's core, in the foreground.
pub(crate) fn invocation(subject: Subject, places: &Places, configuration: &Path) -> Invocation {
    match subject.proxy {
        Proxy::Nginx => nginx(places, configuration),
        Proxy::Haproxy => Invocation::of(&places.program).args(["-db", "-f"]).arg(configuration),
        Proxy::Envoy => Invocation::pinned(&places.program, places.proxy_core)
            .arg("-c")
            .arg(configuration)
            .args(["--concurrency", "1", "-l", "error", "--disable-hot-restart"]),
        Proxy::Caddy => Invocation::pinned(Path::new("env"), places.proxy_core)
            // As many threads at work as it has cores.
            .arg("GOMAXPROCS=1")
            // It writes into its home, which is to be the folder of this run.
            .arg(format!("HOME={}", places.run.display()))
            .arg(&places.program)
            .args(["run", "--config"])
            .arg(configuration),
        Proxy::Floor => Invocation::of(&places.program)
            .arg("relay")
            .args([places.entrances.http, places.origins.http1].map(|port| port.to_string()))
            .arg(places.proxy_core.to_string())
            .arg(format!("--bulk={}", places.entrances.tcp)),
        Proxy::Sluicegate | Proxy::Before => {
            let log = match subject.setup {
                Setup::Logging => access_log(subject, &places.run).into_os_string(),
                _ => "off".into(),
            };
            let cpus = match subject.setup {
                Setup::TwoWorkers => format!("{},{}", places.proxy_core, places.second_core),
                _ => places.proxy_core.to_string(),
            };
            // By a variable: a build that is older than the option passes over it.
            Invocation::of(Path::new("env"))
                .arg("SLUICEGATE_SESSION_TICKETS=off")
                .arg(&places.program)
                .args(["run", "-c"])
                .arg(configuration)
                .args(["--cpus".to_owned(), cpus])
                .args(["--labels", "app=bench", "--status", "off"])
                .args(["--admin".to_owned(), format!("127.0.0.1:{}", places.entrances.admin)])
                .arg("--access-log")
                .arg(log)
        }
    }
}

/// Where the access log goes in the setup that has one.
pub(crate) fn access_log(subject: Subject, run: &Path) -> PathBuf {
    run.join(format!("{}.access.log", subject.label()))
}

/// Without its module nginx knows no `stream`, and takes no part in works on TCP.
fn nginx_configuration(places: &Places) -> Result<String> {
    let http = render(NGINX, places)?;
    let Some(module) = &places.stream_module else { return Ok(http) };
    let load = match module {
        StreamModule::BuiltIn => String::new(),
        StreamModule::File(path) => format!("load_module \"{}\";\n", path.display()),
    };
    Ok(format!("{load}{http}{}", render(NGINX_STREAM, places)?))
}

fn gateway_configuration(setup: Setup, places: &Places) -> Result<String> {
    let base = render(GATEWAY_BASE, places)?;
    let hosts = match setup {
        Setup::Plain | Setup::Logging | Setup::Reloading | Setup::TwoWorkers => {
            format!("---\n{}", render(GATEWAY_ONE_HOST, places)?)
        }
        Setup::OneHost => virtual_hosts::hosts(1, places.origins.http1),
        Setup::SomeHosts => virtual_hosts::hosts(virtual_hosts::SOME, places.origins.http1),
        Setup::ManyHosts => virtual_hosts::hosts(virtual_hosts::MANY, places.origins.http1),
        Setup::ManyRoutes => virtual_hosts::routes(places.origins.http1),
    };
    Ok(format!("{base}{hosts}"))
}

/// What the setup that reloads goes over to, and back: one host more.
pub(crate) fn one_host_more(places: &Places) -> Result<String> {
    Ok(format!(
        "{}---\n{}",
        gateway_configuration(Setup::Reloading, places)?,
        render(GATEWAY_ONE_MORE, places)?
    ))
}

fn render(template: &str, places: &Places) -> Result<String> {
    let values = [
        ("RUN", places.run.display().to_string()),
        ("PORT", places.entrances.http.to_string()),
        ("TLS_PORT", places.entrances.tls.to_string()),
        ("TCP_PORT", places.entrances.tcp.to_string()),
        ("H2C_PORT", places.entrances.h2c.to_string()),
        ("H2_H2_PORT", places.entrances.tls_to_h2.to_string()),
        ("GRPC_PORT", places.entrances.grpc.to_string()),
        ("ORIGIN_PORT", places.origins.http1.to_string()),
        ("H2_ORIGIN_PORT", places.origins.h2.to_string()),
        ("GRPC_ORIGIN_PORT", places.origins.grpc.to_string()),
        ("LOAD_CORE_MASK", core_mask(places.load_core)),
        ("PROXY_CORE", places.proxy_core.to_string()),
        ("PROXY_CORE_MASK", core_mask(places.proxy_core)),
        ("OPEN_FILES", places.open_files.to_string()),
        ("HAPROXY_CONNECTIONS", haproxy_connections(places.open_files).to_string()),
    ];
    let mut text = template.to_owned();
    for (name, value) in values {
        text = text.replace(&format!("{{{{{name}}}}}"), &value);
    }
    match text.split_once("{{").filter(|(_, rest)| rest.starts_with(|c: char| c.is_ascii_uppercase())) {
        Some((_, rest)) => {
            let name = rest.split('}').next().unwrap_or_default();
            Err(Error::Failed(format!(
                "a configuration in loadtest/peers asks for {{{{{name}}}}}, which nothing gives"
            )))
        }
        None => Ok(text),
    }
}

/// As nginx wants it: a binary number, the first core being the last digit.
fn core_mask(core: usize) -> String {
    format!("1{}", "0".repeat(core))
}

fn haproxy_connections(open_files: u64) -> u64 {
    HAPROXY_CONNECTIONS_MAX.min(open_files.saturating_sub(HAPROXY_OWN_FILES) / 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subjects::Listener;

    fn places() -> Places {
        Places {
            run: "/some where".into(),
            program: "/bin/program".into(),
            entrances: Entrances {
                http: 8014,
                tls: 8414,
                h2c: 8514,
                tls_to_h2: 8614,
                grpc: 8615,
                tcp: 8714,
                admin: 8015,
            },
            stream_module: Some(StreamModule::File("/modules/stream.so".into())),
            origins: Origins { http1: 9001, h2: 9002, grpc: 9003 },
            load_core: 0,
            proxy_core: 2,
            second_core: 3,
            open_files: 20_000,
        }
    }

    #[test]
    fn every_configuration_is_filled_in() {
        let all = [Proxy::Nginx, Proxy::Haproxy, Proxy::Envoy, Proxy::Caddy, Proxy::Sluicegate];
        for subject in all.map(Subject::plain) {
            let text = configuration(subject, &places()).unwrap().text;
            let ports = ["8014", "8414", "8514", "8615", "9001", "9003"];
            assert!(ports.iter().all(|port| text.contains(port)), "{text}");
            assert_eq!(text.contains("8714"), subject.proxy.shortcoming(Listener::Tcp).is_none(), "{text}");
            let to_h2 = subject.proxy.shortcoming(Listener::TlsToH2).is_none();
            assert_eq!(["8614", "9002"].map(|port| text.contains(port)), [to_h2; 2], "{text}");
        }
        assert!(origin_configuration(&places()).unwrap().text.contains("\"/some where/origin.pid\""));
    }

    #[test]
    fn nginx_has_tcp_where_it_has_a_module_for_it() {
        let nginx = |stream_module| {
            let places = Places { stream_module, ..places() };
            configuration(Subject::plain(Proxy::Nginx), &places).unwrap().text
        };
        let loaded = nginx(Some(StreamModule::File("/modules/stream.so".into())));
        assert!(loaded.starts_with("load_module \"/modules/stream.so\";\n") && loaded.contains("stream {"));
        let built_in = nginx(Some(StreamModule::BuiltIn));
        assert!(!built_in.contains("load_module") && built_in.contains("stream {"));
        assert!(!nginx(None).contains("stream {"));
    }

    #[test]
    fn a_name_that_nothing_gives_is_refused() {
        let error = render("listen {{PRT}};", &places()).unwrap_err();
        assert!(error.to_string().contains("{{PRT}}"), "{error}");
        assert_eq!(render("a: {b: {c: {{PORT}}}}", &places()).unwrap(), "a: {b: {c: 8014}}");
    }

    #[test]
    fn the_gateway_logs_only_in_the_setup_that_logs() {
        for (setup, log) in
            [(Setup::Plain, "\"off\""), (Setup::Logging, "\"/some where/sluicegate+log.access.log\"")]
        {
            let subject = Subject { proxy: Proxy::Sluicegate, setup };
            let words = format!("{:?}", invocation(subject, &places(), Path::new("x.yaml")));
            assert!(words.contains(&format!("\"--access-log\", {log}")), "{words}");
        }
    }

    #[test]
    fn two_workers_have_two_cores_and_what_reloads_has_another_configuration() {
        let subject = Subject { proxy: Proxy::Sluicegate, setup: Setup::TwoWorkers };
        let words = format!("{:?}", invocation(subject, &places(), Path::new("x.yaml")));
        assert!(words.contains("\"--cpus\", \"2,3\""), "{words}");
        let one = gateway_configuration(Setup::Reloading, &places()).unwrap();
        let more = one_host_more(&places()).unwrap();
        assert!(more.strip_prefix(&one).is_some_and(|rest| rest.contains("kind: VirtualService")));
    }

    #[test]
    fn masks_and_limits() {
        assert_eq!(core_mask(0), "1");
        assert_eq!(core_mask(2), "100");
        assert_eq!(haproxy_connections(20_000), 7500);
        assert_eq!(haproxy_connections(1024), 362);
    }
}
