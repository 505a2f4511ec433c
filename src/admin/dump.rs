//! The snapshot as JSON. Large configurations have hundreds of thousands of routes, so it is written piece by piece.

use super::{
    breakers, health, look,
    pages::present_endpoints,
    pieces::{Gone, Pieces},
    redact, routes, secure,
};
use crate::{
    config::written,
    control::{Bound, Gateway},
    table::{
        BindAddress, Cluster, ClusterId, DnsKind, Endpoint, Endpoints, Http2Settings, LoadBalancing,
        ProxyVersion, RouteTable, STREAMS_MAX, ServerHeader, Settings, Snapshot, TunnelMethod,
    },
};
use serde_json::{Value, json};
use std::rc::Rc;
use tokio::{sync::mpsc, task::spawn_blocking};

/// What of the configuration is asked for.
pub(super) struct Wanted {
    /// Only this part of it.
    pub(super) resource: Option<String>,
    /// Only what has this in its name: listeners, virtual hosts, clusters.
    pub(super) name: Option<String>,
}

/// The parts that can be asked for.
pub(super) const RESOURCES: &[&str] = &["settings", "listeners", "routes", "clusters", "workers", "written"];

/// Objects as they are written that wait to be passed on.
const WRITTEN_WAITING: usize = 64;

impl Wanted {
    fn has(&self, resource: &str) -> bool {
        self.resource.as_deref().is_none_or(|wanted| wanted == resource)
    }

    fn is_named(&self, name: &str) -> bool {
        self.name.as_deref().is_none_or(|part| name.contains(part))
    }
}

/// The configuration in its three shapes: what was compiled (`settings`, `listeners`, `route_tables`, `clusters`), what each
/// worker serves of it (`workers`), and what was written (`written`: without secrets, with file and line).
pub(super) async fn dump(gateway: Rc<Gateway>, wanted: Wanted, mut out: Pieces) -> Result<(), Gone> {
    // Another one may take its place meanwhile; this one is told to its end.
    let (snapshot, listeners) = (gateway.snapshot(), gateway.listeners());
    out.object();
    out.field("generation", &json!(snapshot.generation)).await?;
    if wanted.has("settings") {
        out.field("settings", &settings(&snapshot.settings)).await?;
    }
    if wanted.has("listeners") {
        out.list("listeners");
        for bound in listeners.iter().filter(|bound| wanted.is_named(&bound.listener.name)) {
            out.item(&listener(bound, &snapshot)).await?;
        }
        out.end();
    }
    if wanted.has("routes") {
        out.list("route_tables");
        for table in &snapshot.route_tables {
            route_table(table, &wanted, &mut out).await?;
        }
        out.end();
    }
    if wanted.has("clusters") {
        out.list("clusters");
        for (id, cluster) in (0..).map(ClusterId).zip(&snapshot.clusters) {
            if wanted.is_named(&cluster.name) {
                out.item(&self::cluster(&gateway, &snapshot, id, cluster)).await?;
            }
        }
        out.end();
    }
    if wanted.has("workers") {
        out.list("workers");
        for seen in look::shards(&gateway, 0, 0..0).await {
            out.item(&json!({
                "id": seen.id.0,
                "generation": seen.generation,
                "connections": seen.open,
            }))
            .await?;
        }
        out.end();
    }
    if wanted.has("written") {
        out.list("written");
        as_written(&gateway, &wanted, &mut out).await?;
        out.end();
    }
    out.end();
    out.finish().await
}

/// The objects of the files. A thread of its own reads them once more: there may be very many.
async fn as_written(gateway: &Gateway, wanted: &Wanted, out: &mut Pieces) -> Result<(), Gone> {
    let known = gateway.known();
    let (to, mut objects) = mpsc::channel(WRITTEN_WAITING);
    let read = move || {
        for file in known.sources.iter() {
            written(file, |object| {
                let value = redact::object(object.value);
                let shown = json!({"file": &*object.file, "line": object.line, "object": value});
                to.blocking_send(shown).is_ok()
            });
        }
    };
    drop(spawn_blocking(read));
    while let Some(shown) = objects.recv().await {
        let name = shown.pointer("/object/metadata/name").and_then(Value::as_str).unwrap_or_default();
        if wanted.is_named(name) {
            out.item(&shown).await?;
        }
    }
    Ok(())
}

fn listener(bound: &Bound, snapshot: &Snapshot) -> Value {
    json!({
        "name": bound.listener.name,
        "bind": bound.listener.bind.to_string(),
        "address": bound.text(),
        "kind": match bound.listener.bind { BindAddress::Tcp(_) => "tcp", BindAddress::Unix(_) => "unix" },
        "chain": secure::chain(&bound.listener.chain, snapshot),
        "source": bound.listener.source.to_string(),
    })
}

async fn route_table(table: &RouteTable, wanted: &Wanted, out: &mut Pieces) -> Result<(), Gone> {
    out.object();
    out.field("name", &json!(table.name)).await?;
    out.list("virtual_hosts");
    for host in table.virtual_hosts.iter().filter(|host| wanted.is_named(&host.host)) {
        out.object();
        out.field("host", &json!(host.host)).await?;
        out.field("require_tls", &json!(host.require_tls)).await?;
        out.field("source", &json!(host.source.to_string())).await?;
        out.list("routes");
        for route in &host.routes {
            out.item(&routes::route(route)).await?;
        }
        out.end();
        out.end();
    }
    out.end();
    out.end();
    Ok(())
}

fn cluster(gateway: &Gateway, snapshot: &Snapshot, id: ClusterId, cluster: &Cluster) -> Value {
    let endpoint = |endpoint: &Endpoint| {
        json!({
            "address": endpoint.address.to_string(),
            "weight": endpoint.weight,
            "health": health::endpoint(endpoint),
        })
    };
    let (kind, names) = match &cluster.endpoints {
        Endpoints::Static(_) => ("static", Vec::new()),
        Endpoints::Dns { kind: DnsKind::Strict, names } => ("dns", names.clone()),
        Endpoints::Dns { kind: DnsKind::Logical, names } => ("dns_round_robin", names.clone()),
    };
    json!({
        "name": cluster.name,
        "kind": kind,
        "names": names.iter().map(|name| format!("{}:{}", name.host, name.port)).collect::<Vec<_>>(),
        "endpoints":
            present_endpoints(gateway, id, &cluster.endpoints).iter().map(endpoint).collect::<Vec<_>>(),
        "load_balancing": match cluster.balance.method {
            LoadBalancing::LeastRequest => "LEAST_REQUEST",
            LoadBalancing::RoundRobin => "ROUND_ROBIN",
            LoadBalancing::Random => "RANDOM",
        },
        "outlier_detection": cluster.outlier.as_deref().map(health::outlier),
        "health_check": cluster.health_check.as_deref().map(health::check),
        "protocol": cluster.protocol.to_string(),
        "max_concurrent_streams": Some(cluster.max_concurrent_streams).filter(|most| *most < STREAMS_MAX),
        "http2_keepalive": cluster.http2_keepalive.map(|pings| json!({
            "interval_seconds": pings.interval.as_secs_f64(),
            "timeout_seconds": pings.timeout.as_secs_f64(),
        })),
        "tls": cluster.tls.as_ref().map(|tls| secure::upstream(tls, snapshot)),
        "proxy_protocol": cluster.proxy_protocol.map(|version| match version {
            ProxyVersion::V1 => 1,
            ProxyVersion::V2 => 2,
        }),
        "tcp_idle_timeout_seconds": cluster.tcp_idle_timeout.map(|timeout| timeout.as_secs_f64()),
        "connect_timeout_seconds": cluster.connect_timeout.as_secs_f64(),
        "limits": breakers::limits(cluster),
        "tunnel": cluster.tunnel.as_ref().map(|tunnel| json!({
            "method": match tunnel.method {
                TunnelMethod::Connect => "CONNECT",
                TunnelMethod::Post => "POST",
            },
            "target": tunnel.target,
        })),
        "source": cluster.source.to_string(),
    })
}

fn settings(settings: &Settings) -> Value {
    json!({
        "path_normalization": format!("{:?}", settings.path_normalization),
        "trusted_proxies": settings.trusted_proxies,
        "server_header": match &settings.server_header {
            ServerHeader::Overwrite(value) => json!(String::from_utf8_lossy(value)),
            ServerHeader::PassThrough => Value::Null,
        },
        "request_id": settings.request_id,
        "attempt_count": settings.attempt_count,
        "envoy_debug_headers": settings.envoy_debug_headers,
        "x_forwarded_host": settings.x_forwarded_host,
        "x_forwarded_port": settings.x_forwarded_port,
        "underscores": format!("{:?}", settings.underscores),
        "http10": settings.http10,
        "forward_client_cert": format!("{:?}", settings.forward_client_cert),
        "proxy_protocol": settings.proxy_protocol.as_ref().map(|proxy| {
            proxy.trusted.iter().map(|(address, length)| format!("{address}/{length}")).collect::<Vec<_>>()
        }),
        "misdirected_421": settings.misdirected_421,
        "http2": http2(&settings.http2),
    })
}

fn http2(settings: &Http2Settings) -> Value {
    json!({
        "max_concurrent_streams": settings.max_concurrent_streams,
        "initial_stream_window": settings.initial_stream_window,
        "initial_connection_window": settings.initial_connection_window,
        "connection_age_max_seconds": settings.connection_age_max.map(|age| age.as_secs_f64()),
        "connection_requests_max": settings.connection_requests_max,
        "extended_connect": settings.extended_connect,
    })
}
