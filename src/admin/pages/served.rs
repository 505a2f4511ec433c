//! What is served.

use crate::{
    admin::{
        certs,
        dump::{self, Wanted},
        endpoint::Later,
        health, pieces,
        reply::Reply,
        request::Asked,
    },
    control::Gateway,
    table::{BindAddress, Cluster, ClusterId, Endpoint, Endpoints},
};
use serde_json::{Value, json};
use std::{fmt::Write, rc::Rc};

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

pub(super) fn clusters(gateway: &Gateway, asked: &Asked) -> Reply {
    let snapshot = gateway.snapshot();
    let all = || (0..).map(ClusterId).zip(&snapshot.clusters);
    let value = || {
        let of = |(id, cluster): (ClusterId, &Cluster)| cluster_value(gateway, id, cluster);
        json!({ "clusters": all().map(of).collect::<Vec<_>>() })
    };
    let text = || {
        let mut text = String::new();
        all().for_each(|(id, cluster)| cluster_text(gateway, id, cluster, &mut text));
        text
    };
    Reply::either(200, asked.format, value, text)
}

fn cluster_value(gateway: &Gateway, id: ClusterId, cluster: &Cluster) -> Value {
    let endpoint = |endpoint: &Endpoint| {
        json!({
            "address": endpoint.address.to_string(),
            "weight": endpoint.weight,
            "health": health::endpoint(endpoint),
        })
    };
    json!({
        "name": cluster.name,
        "protocol": cluster.protocol.to_string(),
        "endpoints": present_endpoints(gateway, id, &cluster.endpoints).iter().map(endpoint).collect::<Vec<_>>(),
        "source": cluster.source.to_string(),
    })
}

fn cluster_text(gateway: &Gateway, id: ClusterId, cluster: &Cluster, text: &mut String) {
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
