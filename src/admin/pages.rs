//! Which pages there are, and what they say.

use super::{certs, dump, health, metrics, overview};
use crate::control::{Command, Gateway, LogStatus, log};
use crate::table::{ClusterId, Endpoint, Endpoints};
use crate::telemetry::LogTarget;
use serde_json::json;
use std::{
    fmt::{self, Write},
    sync::atomic::Ordering,
    time::{SystemTime, UNIX_EPOCH},
};

/// A set of pages with an address of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pages {
    /// For operators: everything. It can end the gateway, so it must not be reachable for others.
    Admin,
    /// For probes: ready and live.
    Status,
}

/// What a page is asked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    /// GET, or HEAD, whose answer is the same without its body.
    Get,
    /// POST
    Post,
    /// Anything else.
    Other,
}

/// A request for a page.
pub(super) struct Request<'a> {
    pub(super) method: Method,
    pub(super) path: &'a str,
    pub(super) query: &'a str,
    /// It has an `origin`: a browser sends it for a page of some site.
    pub(super) from_a_site: bool,
}

/// What a page says.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) content_type: &'static str,
    pub(super) body: Vec<u8>,
    /// With 405.
    pub(super) allow: Option<&'static str>,
}

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

type Render = fn(&Gateway, &Request<'_>) -> Reply;

struct Page {
    path: &'static str,
    /// `GET, HEAD` or `POST`, or both: as in `allow`.
    allow: &'static str,
    about: &'static str,
    render: Render,
}

const fn page(path: &'static str, about: &'static str, render: Render) -> Page {
    Page { path, allow: "GET, HEAD", about, render }
}

const ADMIN: &[Page] = &[
    page("/", "this list", index),
    page("/ready", "whether it serves: 200, or 503 with the reason", ready),
    page("/server_info", "version, state, workers and their drivers, as JSON", server_info),
    page("/stats", "all numbers, one a line", stats),
    page("/stats/prometheus", "all numbers, for Prometheus", prometheus),
    page("/config_dump", "listeners, route tables and clusters as they are served, as JSON", config_dump),
    page(
        "/certs",
        "certificates of servers and upstreams, until when they hold, and what is wrong, as JSON",
        certificates,
    ),
    page("/api/overview", "everything live in one document, as JSON: what the dashboard shows", overview),
    page("/clusters", "clusters and their endpoints at present", clusters),
    page("/listeners", "where it listens", listeners),
    Page {
        path: "/logging",
        allow: "GET, HEAD, POST",
        about: "how much is said on standard error; POST with ?level=debug changes it",
        render: logging,
    },
    Page { path: "/quitquitquit", allow: "POST", about: "POST: drain, then end", render: quit },
];

const STATUS: &[Page] = &[
    page("/healthz/ready", "whether it serves: 200, or 503 with the reason", ready),
    page("/healthz/live", "that the process lives", live),
];

impl Pages {
    /// Answers a request.
    pub(super) fn answer(self, request: &Request<'_>, gateway: &Gateway) -> Reply {
        let pages = match self {
            Pages::Admin => ADMIN,
            Pages::Status => STATUS,
        };
        let Some(page) = pages.iter().find(|page| page.path == request.path) else {
            return Reply::text(404, "no such page\n");
        };
        let is_allowed = match request.method {
            Method::Get => page.allow.starts_with("GET"),
            Method::Post => page.allow.ends_with("POST"),
            Method::Other => false,
        };
        if !is_allowed {
            let allow = Some(page.allow);
            return Reply { allow, ..Reply::text(405, format!("only {}\n", page.allow)) };
        }
        // A page of another site can make a browser on this machine send a POST; only browsers say where it comes from.
        if request.method == Method::Post && request.from_a_site {
            return Reply::text(403, "not for pages of other sites\n");
        }
        (page.render)(gateway, request)
    }
}

impl fmt::Display for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Pages::Admin => "admin",
            Pages::Status => "status",
        })
    }
}

impl Reply {
    fn text(status: u16, body: impl Into<String>) -> Reply {
        Reply { status, content_type: TEXT, body: body.into().into_bytes(), allow: None }
    }

    fn json(body: Vec<u8>) -> Reply {
        Reply { status: 200, content_type: JSON, body, allow: None }
    }
}

fn index(gateway: &Gateway, _: &Request<'_>) -> Reply {
    let mut text = format!("sluicegate {}: {}\n\n", env!("CARGO_PKG_VERSION"), gateway.state());
    for page in ADMIN {
        // Writing to memory can't fail, here and below.
        let _ = writeln!(text, "{:20} {}", page.path, page.about);
    }
    Reply::text(200, text)
}

fn ready(gateway: &Gateway, _: &Request<'_>) -> Reply {
    match gateway.not_ready() {
        None => Reply::text(200, "ready\n"),
        Some(reason) => Reply::text(503, reason + "\n"),
    }
}

fn live(_: &Gateway, _: &Request<'_>) -> Reply {
    Reply::text(200, "live\n")
}

fn server_info(gateway: &Gateway, _: &Request<'_>) -> Reply {
    let workers = gateway.shards.iter().map(|shard| {
        json!({
            "id": shard.handle.id.0,
            "cpu": shard.cpu,
            "driver": shard.driver.get().map(ToString::to_string),
            "ended": shard.ended.get(),
        })
    });
    let info = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "state": gateway.state().to_string(),
        "not_ready_because": gateway.not_ready(),
        "process_id": std::process::id(),
        "started_unix_seconds": unix_seconds(gateway.started_at),
        "uptime_seconds": gateway.started.elapsed().as_secs(),
        "configuration": gateway.inputs,
        "generation": gateway.snapshot().generation,
        "workers": workers.collect::<Vec<_>>(),
        "connections_per_worker_max": gateway.connections_per_worker,
        "open_files_max": gateway.descriptors.limit,
        "access_log": gateway.logs.borrow().plan().to_string(),
        "access_logs": access_logs(gateway),
        "drain_seconds": gateway.drain_time.as_secs_f64(),
    });
    Reply::json(format!("{info:#}\n").into_bytes())
}

/// Where the access logs go, and whether they arrive there.
fn access_logs(gateway: &Gateway) -> Vec<serde_json::Value> {
    let logs = gateway.logs.borrow();
    let log = |(target, status): (&LogTarget, &LogStatus)| {
        json!({
            "target": target.to_string(),
            "is_broken": status.is_broken.load(Ordering::Relaxed),
            "bytes": status.bytes.load(Ordering::Relaxed),
            "write_failures": status.failures.load(Ordering::Relaxed),
            "lines_lost": status.lost.load(Ordering::Relaxed),
        })
    };
    logs.statuses().map(log).collect()
}

pub(super) fn unix_seconds(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn stats(gateway: &Gateway, _: &Request<'_>) -> Reply {
    Reply::text(200, metrics::text(gateway))
}

fn prometheus(gateway: &Gateway, _: &Request<'_>) -> Reply {
    let content_type = "text/plain; version=0.0.4; charset=utf-8";
    Reply { content_type, ..Reply::text(200, metrics::prometheus(gateway)) }
}

fn config_dump(gateway: &Gateway, _: &Request<'_>) -> Reply {
    Reply::json(dump::dump(gateway))
}

fn overview(gateway: &Gateway, request: &Request<'_>) -> Reply {
    Reply::json(overview::overview(gateway, request.query))
}

fn certificates(gateway: &Gateway, _: &Request<'_>) -> Reply {
    Reply::json(certs::dump(gateway))
}

fn listeners(gateway: &Gateway, _: &Request<'_>) -> Reply {
    let mut text = String::new();
    for bound in &*gateway.listeners() {
        let _ = writeln!(text, "{}::{} for {}", bound.listener.name, bound.text(), bound.listener.source);
    }
    Reply::text(200, text)
}

fn clusters(gateway: &Gateway, _: &Request<'_>) -> Reply {
    let mut text = String::new();
    for (id, cluster) in (0..).map(ClusterId).zip(&gateway.snapshot().clusters) {
        let name = &cluster.name;
        let _ = writeln!(text, "{name}::source::{}", cluster.source);
        let _ = writeln!(text, "{name}::protocol::{}", cluster.protocol);
        if let Endpoints::Dns { names, .. } = &cluster.endpoints {
            for asked in names {
                let _ = writeln!(text, "{name}::name::{}:{}", asked.host, asked.port);
            }
        }
        let endpoints = present_endpoints(gateway, id, &cluster.endpoints);
        for endpoint in &endpoints {
            let _ = writeln!(text, "{name}::{}::weight::{}", endpoint.address, endpoint.weight);
            if let Some(flags) = health::flags(endpoint) {
                let _ = writeln!(text, "{name}::{}::health_flags::{flags}", endpoint.address);
            }
        }
        if endpoints.is_empty() {
            let _ = writeln!(text, "{name}::no endpoints");
        }
    }
    Reply::text(200, text)
}

/// The endpoints of a cluster at present: those of the files, or what the resolver found.
pub(super) fn present_endpoints(gateway: &Gateway, id: ClusterId, endpoints: &Endpoints) -> Vec<Endpoint> {
    match endpoints {
        Endpoints::Static(list) => list.clone(),
        Endpoints::Dns { .. } => gateway.resolved(id).map_or_else(Vec::new, |found| found.to_vec()),
    }
}

fn logging(_: &Gateway, request: &Request<'_>) -> Reply {
    let wanted = request.query.split('&').find_map(|pair| pair.strip_prefix("level="));
    let Some(wanted) = wanted else { return Reply::text(200, format!("level: {}\n", log::level())) };
    if request.method != Method::Post {
        return Reply { allow: Some("POST"), ..Reply::text(405, "only POST changes the level\n") };
    }
    match wanted.parse() {
        Ok(level) => {
            log::set_level(level);
            Reply::text(200, format!("level: {level}\n"))
        }
        Err(error) => Reply::text(400, format!("{error}\n")),
    }
}

fn quit(gateway: &Gateway, _: &Request<'_>) -> Reply {
    gateway.command(Command::Drain);
    Reply::text(200, "draining\n")
}
