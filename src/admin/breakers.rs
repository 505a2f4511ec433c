//! What is in use of clusters that have limits, under Envoy's names (circuit breakers).

use super::metrics::escaped;
use crate::{
    control::Gateway,
    table::{Breaker, Cluster, Resource},
    telemetry::CounterKind,
};
use serde_json::{Value, json};

/// One number for every cluster that has it, with its labels.
pub(super) struct Numbers {
    pub(super) name: &'static str,
    pub(super) kind: CounterKind,
    pub(super) help: &'static str,
    pub(super) values: Vec<(String, u64)>,
}

/// What a number is of, and what it says.
type About = (&'static str, &'static [Resource], CounterKind, &'static str, fn(&Breaker, Resource) -> u64);

const OPEN: &[About] = &[
    (
        "envoy_cluster_circuit_breakers_default_cx_open",
        &[Resource::Connections],
        CounterKind::Gauge,
        "1 if a cluster has as many connections as it may have.",
        is_open,
    ),
    (
        "envoy_cluster_circuit_breakers_default_rq_pending_open",
        &[Resource::Pending],
        CounterKind::Gauge,
        "1 if as many requests of a cluster wait for a connection as may.",
        is_open,
    ),
    (
        "envoy_cluster_circuit_breakers_default_rq_open",
        &[Resource::Requests],
        CounterKind::Gauge,
        "1 if a cluster has as many requests under way as it may have.",
        is_open,
    ),
    (
        "envoy_cluster_circuit_breakers_default_rq_retry_open",
        &[Resource::Retries],
        CounterKind::Gauge,
        "1 if a cluster has as many retries under way as it may have.",
        is_open,
    ),
];

const REMAINING: &[About] = &[
    (
        "envoy_cluster_circuit_breakers_default_remaining_cx",
        &[Resource::Connections],
        CounterKind::Gauge,
        "Connections that a cluster may have besides those that it has.",
        remaining,
    ),
    (
        "envoy_cluster_circuit_breakers_default_remaining_pending",
        &[Resource::Pending],
        CounterKind::Gauge,
        "Requests of a cluster that may wait for a connection besides those that do.",
        remaining,
    ),
    (
        "envoy_cluster_circuit_breakers_default_remaining_rq",
        &[Resource::Requests],
        CounterKind::Gauge,
        "Requests that a cluster may have under way besides those that it has.",
        remaining,
    ),
    (
        "envoy_cluster_circuit_breakers_default_remaining_retries",
        &[Resource::Retries],
        CounterKind::Gauge,
        "Retries that a cluster may have under way besides those that it has.",
        remaining,
    ),
];

const OVERFLOWS: &[About] = &[
    (
        "envoy_cluster_upstream_cx_overflow",
        &[Resource::Connections],
        CounterKind::Counter,
        "Times that a cluster had as many connections as it may have and one more was wanted.",
        Breaker::overflows,
    ),
    (
        "envoy_cluster_upstream_rq_pending_overflow",
        &[Resource::Pending, Resource::Requests],
        CounterKind::Counter,
        "Requests that were refused because a cluster had as many under way, or waiting, as it may have.",
        Breaker::overflows,
    ),
    (
        "envoy_cluster_upstream_rq_retry_overflow",
        &[Resource::Retries],
        CounterKind::Counter,
        "Requests that were not sent again because a cluster had as many retries under way as it may have.",
        Breaker::overflows,
    ),
];

/// All numbers; those that no cluster has are left out.
pub(super) fn numbers(gateway: &Gateway) -> Vec<Numbers> {
    let with_breakers = |cluster: &&Cluster| breaker(cluster).is_some();
    let snapshot = gateway.snapshot();
    let clusters: Vec<&Cluster> = snapshot.clusters.iter().filter(with_breakers).collect();
    let all = [OPEN, REMAINING, OVERFLOWS].into_iter().flatten();
    let of = |(name, resources, kind, help, number): &About| {
        let value = |cluster: &&Cluster| {
            let breaker = breaker(cluster)?;
            let limited = resources.iter().find(|resource| is_limited(breaker, **resource));
            // Connections of one shard may be too many for its line even where `pending` has no limit.
            let falls_over = |resource: &&Resource| breaker.overflows(**resource) > 0;
            let resource = limited.or_else(|| resources.iter().find(falls_over))?;
            Some((format!("cluster_name=\"{}\"", escaped(&cluster.name)), number(breaker, *resource)))
        };
        Numbers { name, kind: *kind, help, values: clusters.iter().filter_map(value).collect() }
    };
    all.map(of).filter(|numbers| !numbers.values.is_empty()).collect()
}

/// A cluster's limits and what is in use, as JSON.
pub(super) fn limits(cluster: &Cluster) -> Value {
    let Some(limits) = &cluster.limits else { return Value::Null };
    let of = |resource: Resource| {
        let breaker = limits.breaker.as_deref().filter(|breaker| is_limited(breaker, resource))?;
        Some(json!({"in_use": breaker.in_use(resource), "most": breaker.most(resource)}))
    };
    json!({
        "connections": of(Resource::Connections),
        "pending_requests": of(Resource::Pending),
        "requests": of(Resource::Requests),
        "retries": of(Resource::Retries),
        "requests_per_connection": limits.requests_per_connection,
        "connection_age_max_seconds": limits.connection_age_max.map(|age| age.as_secs_f64()),
        "idle": format!("{:?}", limits.idle),
        "tcp_keepalive": limits.keepalive.map(|keepalive| json!({
            "probes": keepalive.probes,
            "time_seconds": keepalive.time.map(|time| time.as_secs_f64()),
            "interval_seconds": keepalive.interval.map(|interval| interval.as_secs_f64()),
        })),
    })
}

fn breaker(cluster: &Cluster) -> Option<&Breaker> {
    cluster.limits.as_ref()?.breaker.as_deref()
}

/// Whether there is a limit, not only a number that a budget is reckoned from.
fn is_limited(breaker: &Breaker, resource: Resource) -> bool {
    breaker.most(resource) < u32::MAX
}

fn is_open(breaker: &Breaker, resource: Resource) -> u64 {
    u64::from(breaker.in_use(resource) >= breaker.most(resource))
}

fn remaining(breaker: &Breaker, resource: Resource) -> u64 {
    u64::from(breaker.most(resource).saturating_sub(breaker.in_use(resource)))
}
