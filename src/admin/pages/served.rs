//! What is served.

use crate::{
    admin::{
        breakers, certs,
        dump::{self, Wanted},
        endpoint::{Format, Later},
        health,
        look::{CLUSTERS_AT_ONCE, Used},
        pieces::{self, Gone, Lines, Pieces},
        reply::Reply,
        request::Asked,
    },
    control::Gateway,
    table::{Action, BindAddress, Cluster, ClusterId, Endpoint, Endpoints, Snapshot},
    telemetry::Traffic,
};
use serde_json::{Value, json};
use std::{collections::HashMap, fmt::Write, ops::Range, rc::Rc};

pub(super) fn config_dump(gateway: Rc<Gateway>, asked: Asked) -> Later {
    let named = |name| asked.get(name).map(str::to_owned);
    let wanted = Wanted { resource: named("resource"), name: named("name") };
    let reply = pieces::reply(asked.format, |pieces| dump::dump(gateway, wanted, pieces));
    Box::pin(std::future::ready(reply))
}

pub(super) fn certificates(gateway: &Gateway, asked: &Asked) -> Reply {
    Reply::value(asked.format, certs::dump(gateway))
}

pub(super) fn listeners(gateway: &Gateway, asked: &Asked) -> Reply {
    let all = gateway.listeners();
    let value = || {
        let of = |bound: &crate::control::Bound| {
            json!({
                "name": bound.listener.name,
                "address": bound.text(),
                "kind": match bound.listener.bind { BindAddress::Tcp(_) => "tcp", BindAddress::Unix(_) => "unix" },
                "source": bound.listener.source.to_string(),
            })
        };
        json!({ "listeners": all.iter().map(of).collect::<Vec<_>>() })
    };
    let text = || {
        let mut text = String::new();
        for bound in &*all {
            // Writing to memory can't fail, here and below.
            let _ = writeln!(text, "{}::{} for {}", bound.listener.name, bound.text(), bound.listener.source);
        }
        text
    };
    Reply::either(200, asked.format, value, text)
}

/// Routes in the order in which they are tried, with what a request must have and what becomes of it.
pub(super) fn routes(gateway: Rc<Gateway>, asked: Asked) -> Later {
    let reply = pieces::reply(asked.format, |pieces| all_routes(gateway, asked, pieces));
    Box::pin(std::future::ready(reply))
}

async fn all_routes(gateway: Rc<Gateway>, asked: Asked, mut out: Pieces) -> Result<(), Gone> {
    let snapshot = gateway.snapshot();
    let wanted = asked.get("name").unwrap_or_default();
    out.object();
    out.field("generation", &json!(snapshot.generation)).await?;
    out.list("routes");
    for table in &snapshot.route_tables {
        for host in table.virtual_hosts.iter().filter(|host| host.host.contains(wanted)) {
            for (position, route) in (1..).zip(&host.routes) {
                let (kind, to) = action(&route.action);
                out.item(&json!({
                    "table": table.name,
                    "host": host.host,
                    "position": position,
                    "name": Some(&route.name).filter(|name| !name.is_empty()),
                    "match": route.matcher.to_string(),
                    "action": kind,
                    "to": to,
                    "source": route.source.to_string(),
                }))
                .await?;
            }
        }
    }
    out.end();
    out.end();
    out.finish().await
}

fn action(action: &Action) -> (&'static str, Value) {
    match action {
        Action::Forward(forward) => {
            let each = forward.destinations.iter().map(
                |destination| json!({"cluster": &*destination.cluster_name, "weight": destination.weight}),
            );
            ("route", each.collect())
        }
        Action::Redirect(redirect) => ("redirect", json!(redirect.to_string())),
        Action::Direct(direct) => ("directResponse", json!(direct.status)),
    }
}

/// What a cluster must have to be listed.
fn is_wanted(asked: &Asked, cluster: &Cluster) -> bool {
    asked.get("name").is_none_or(|part| cluster.name.contains(part))
}

pub(super) fn clusters(gateway: Rc<Gateway>, asked: Asked) -> Later {
    Box::pin(std::future::ready(match asked.format {
        Format::Json => pieces::reply(asked.format, |pieces| clusters_value(gateway, asked, pieces)),
        _ => pieces::lines(|lines| clusters_text(gateway, asked, lines)),
    }))
}

/// Stretches of clusters that shards are asked for at a time.
fn stretches(snapshot: &Snapshot) -> impl Iterator<Item = Range<u32>> + use<> {
    let count = u32::try_from(snapshot.clusters.len()).unwrap_or(u32::MAX);
    let begins = (0..count).step_by(CLUSTERS_AT_ONCE as usize);
    begins.map(move |begin| begin..count.min(begin.saturating_add(CLUSTERS_AT_ONCE)))
}

async fn clusters_value(gateway: Rc<Gateway>, asked: Asked, mut out: Pieces) -> Result<(), Gone> {
    let snapshot = gateway.snapshot();
    let traffic = Traffic::of(gateway.shards.iter().map(|shard| &*shard.handle.counters));
    let requests: HashMap<&str, u64> =
        traffic.clusters.iter().map(|of| (&*of.name, of.sums.requests)).collect();
    out.object();
    out.field("generation", &json!(snapshot.generation)).await?;
    out.list("clusters");
    for stretch in stretches(&snapshot) {
        let used = Used::of(&gateway, stretch.clone()).await;
        for id in stretch {
            let Some(cluster) =
                snapshot.clusters.get(id as usize).filter(|cluster| is_wanted(&asked, cluster))
            else {
                continue;
            };
            let requests = requests.get(&*cluster.name).copied().unwrap_or(0);
            out.item(&cluster_value(&gateway, ClusterId(id), cluster, &used, requests)).await?;
        }
    }
    out.end();
    out.end();
    out.finish().await
}

fn cluster_value(gateway: &Gateway, id: ClusterId, cluster: &Cluster, used: &Used, requests: u64) -> Value {
    let endpoint = |endpoint: &Endpoint| {
        let address = endpoint.address.to_string();
        let used = used.get(id.0, &address);
        json!({
            "address": address,
            "weight": endpoint.weight,
            "health": health::endpoint(endpoint),
            "active": used.map_or(0, |used| used.active),
            "idle_connections": used.map_or(0, |used| used.idle),
            "http2_connections": used.map_or(0, |used| used.http2),
        })
    };
    let endpoints = present_endpoints(gateway, id, &cluster.endpoints);
    json!({
        "name": cluster.name,
        "protocol": cluster.protocol.to_string(),
        "requests": requests,
        "endpoints": endpoints.iter().map(endpoint).collect::<Vec<_>>(),
        "limits": breakers::limits(cluster),
        "source": cluster.source.to_string(),
    })
}

async fn clusters_text(gateway: Rc<Gateway>, asked: Asked, mut out: Lines) -> Result<(), Gone> {
    let snapshot = gateway.snapshot();
    for stretch in stretches(&snapshot) {
        let used = Used::of(&gateway, stretch.clone()).await;
        for id in stretch {
            let Some(cluster) =
                snapshot.clusters.get(id as usize).filter(|cluster| is_wanted(&asked, cluster))
            else {
                continue;
            };
            cluster_text(&gateway, ClusterId(id), cluster, &used, out.text());
            out.turn().await?;
        }
    }
    out.finish().await
}

/// As Envoy writes it: `cluster::what::value`, `cluster::endpoint::what::value`.
fn cluster_text(gateway: &Gateway, id: ClusterId, cluster: &Cluster, used: &Used, text: &mut String) {
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
        let address = endpoint.address.to_string();
        let _ = writeln!(text, "{name}::{address}::weight::{}", endpoint.weight);
        if let Some(flags) = health::flags(endpoint) {
            let _ = writeln!(text, "{name}::{address}::health_flags::{flags}");
        }
        if let Some(used) = used.get(id.0, &address) {
            let numbers = [("rq_active", used.active), ("cx_idle", used.idle), ("cx_http2", used.http2)];
            for (what, number) in numbers {
                let _ = writeln!(text, "{name}::{address}::{what}::{number}");
            }
        }
    }
    if endpoints.is_empty() {
        let _ = writeln!(text, "{name}::no endpoints");
    }
}

/// The endpoints of a cluster at present: those of the files, or what the resolver found.
pub(in crate::admin) fn present_endpoints(
    gateway: &Gateway,
    id: ClusterId,
    endpoints: &Endpoints,
) -> Vec<Endpoint> {
    match endpoints {
        Endpoints::Static(list) => list.clone(),
        Endpoints::Dns { .. } => gateway.resolved(id).map_or_else(Vec::new, |found| found.to_vec()),
    }
}
