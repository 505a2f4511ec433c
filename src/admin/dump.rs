//! The snapshot as JSON. Large configurations have hundreds of thousands of routes, so it is written piece by piece.

use super::{breakers, health, pages::present_endpoints, routes, secure};
use crate::{
    control::Gateway,
    table::{
        BindAddress, Cluster, ClusterId, DnsKind, Endpoint, Endpoints, Http2Settings, LoadBalancing,
        ProxyVersion, RouteTable, STREAMS_MAX, ServerHeader, Settings, TunnelMethod, VirtualHost,
    },
};
use serde_json::{Value, json};

/// Everything that is served: `{"generation", "settings", "listeners", "route_tables", "clusters"}`.
pub(super) fn dump(gateway: &Gateway) -> Vec<u8> {
    let snapshot = &gateway.snapshot();
    let mut out = Writer::default();
    out.raw("{\"generation\":");
    out.value(&json!(snapshot.generation));
    out.raw(",\n\"settings\":");
    out.value(&settings(&snapshot.settings));
    out.raw(",\n\"listeners\":");
    out.list(&gateway.listeners(), |out, bound| {
        out.value(&json!({
            "name": bound.listener.name,
            "bind": bound.listener.bind.to_string(),
            "address": bound.text(),
            "kind": match bound.listener.bind { BindAddress::Tcp(_) => "tcp", BindAddress::Unix(_) => "unix" },
            "chain": secure::chain(&bound.listener.chain, snapshot),
            "source": bound.listener.source.to_string(),
        }));
    });
    out.raw(",\n\"route_tables\":");
    out.list(&snapshot.route_tables, table);
    out.raw(",\n\"clusters\":");
    let with_ids: Vec<_> = (0..).map(ClusterId).zip(&snapshot.clusters).collect();
    out.list(&with_ids, |out, (id, cluster)| out.value(&self::cluster(gateway, *id, cluster)));
    out.raw("}\n");
    out.0
}

/// JSON in the making.
#[derive(Default)]
struct Writer(Vec<u8>);

impl Writer {
    fn raw(&mut self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
    }

    fn value(&mut self, value: &Value) {
        // Writing to memory can't fail, and every key of a `Value` is a string.
        let _ = serde_json::to_writer(&mut self.0, value);
    }

    fn list<T>(&mut self, items: &[T], mut each: impl FnMut(&mut Writer, &T)) {
        let mut separator = "[\n";
        for item in items {
            self.raw(separator);
            each(self, item);
            separator = ",\n";
        }
        self.raw(if items.is_empty() { "[]" } else { "]" });
    }
}

fn table(out: &mut Writer, table: &RouteTable) {
    out.raw("{\"name\":");
    out.value(&json!(table.name));
    out.raw(",\"virtual_hosts\":");
    out.list(&table.virtual_hosts, virtual_host);
    out.raw("}");
}

fn virtual_host(out: &mut Writer, host: &VirtualHost) {
    out.raw("{\"host\":");
    out.value(&json!(host.host));
    out.raw(",\"require_tls\":");
    out.value(&json!(host.require_tls));
    out.raw(",\"source\":");
    out.value(&json!(host.source.to_string()));
    out.raw(",\"routes\":");
    out.list(&host.routes, |out, route| out.value(&routes::route(route)));
    out.raw("}");
}

fn cluster(gateway: &Gateway, id: ClusterId, cluster: &Cluster) -> Value {
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
        "tls": cluster.tls.as_ref().map(|tls| secure::upstream(tls, &gateway.snapshot())),
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
