//! Destinations, and their endpoints' health.

use super::{milliseconds, query::has, rows, traffic::Traffic};
use crate::{
    control::Gateway,
    table::{Cluster, ClusterId, Endpoint, Endpoints, Reason, Resource},
};
use serde_json::{Value, json};
use std::{borrow::Cow, cmp::Reverse, sync::Arc, time::Instant};

/// Rows of the list.
const ROWS_MAX: usize = 50;
/// Endpoints of one row.
const ENDPOINTS_MAX: usize = 32;

/// A cluster of the snapshot with its endpoints at present.
struct Row<'a> {
    cluster: &'a Cluster,
    endpoints: Cow<'a, [Endpoint]>,
    good: usize,
    requests: u64,
}

/// The part `clusters`.
pub(super) fn all(gateway: &Gateway, traffic: &Traffic, wanted: Option<&str>, now: Instant) -> Value {
    let snapshot = gateway.snapshot();
    let matches =
        |cluster: &&(ClusterId, &Cluster)| has(wanted, &[&cluster.1.name, &cluster.1.source.object]);
    let with_ids: Vec<_> = (0..).map(ClusterId).zip(&snapshot.clusters).collect();
    let mut found: Vec<Row<'_>> = with_ids
        .iter()
        .filter(matches)
        .map(|(id, cluster)| Row::new(gateway, traffic, *id, cluster))
        .collect();
    let matching = found.len();
    let order = |row: &Row<'_>| (!row.is_bad(), Reverse(row.requests));
    let by_order = |a: &Row<'_>, b: &Row<'_>| (order(a), &a.cluster.name).cmp(&(order(b), &b.cluster.name));
    if matching > ROWS_MAX {
        found.select_nth_unstable_by(ROWS_MAX, by_order);
        found.truncate(ROWS_MAX);
    }
    found.sort_by(by_order);
    rows(with_ids.len(), matching, found.iter().map(|row| row.value(traffic, now)).collect())
}

impl<'a> Row<'a> {
    fn new(gateway: &Gateway, traffic: &Traffic, id: ClusterId, cluster: &'a Cluster) -> Row<'a> {
        let endpoints = match &cluster.endpoints {
            Endpoints::Static(list) => Cow::Borrowed(&list[..]),
            Endpoints::Dns { .. } => {
                Cow::Owned(gateway.resolved(id).map_or_else(Vec::new, |found| found.to_vec()))
            }
        };
        let good = endpoints.iter().filter(|endpoint| is_good(endpoint)).count();
        Row { cluster, endpoints, good, requests: traffic.requests(&cluster.name) }
    }

    /// Whether somebody should look at it: there is nobody to send to, or somebody has been put out.
    fn is_bad(&self) -> bool {
        self.endpoints.is_empty() || self.good < self.endpoints.len()
    }

    fn value(&self, traffic: &Traffic, now: Instant) -> Value {
        let Row { cluster, endpoints, good, .. } = self;
        let mut sorted: Vec<&Endpoint> = endpoints.iter().collect();
        sorted.sort_by_key(|endpoint| is_good(endpoint));
        let shown = sorted.iter().take(ENDPOINTS_MAX).map(|one| endpoint(one, now));
        let mut value = traffic.of_cluster(&cluster.name);
        value["name"] = json!(cluster.name);
        value["source"] = json!(cluster.source.to_string());
        value["protocol"] = json!(cluster.protocol.to_string());
        value["good"] = json!(good);
        value["endpoints"] = json!({"total": endpoints.len(), "rows": shown.collect::<Vec<_>>()});
        value["outlier"] = outlier(cluster);
        value["checks"] = checks(cluster);
        value["limits"] = limits(cluster);
        value
    }
}

fn is_good(endpoint: &Endpoint) -> bool {
    endpoint.health().is_none_or(|health| health.is_good())
}

fn endpoint(endpoint: &Endpoint, now: Instant) -> Value {
    let health = endpoint.health();
    let ejected = health.and_then(|health| {
        let (reason, _) = health.ejection()?;
        let left_ms = health.ejection_left(now).map(milliseconds);
        Some(json!({"reason": reason.to_string(), "left_ms": left_ms}))
    });
    json!({
        "address": endpoint.address.to_string(),
        "weight": endpoint.weight,
        "good": is_good(endpoint),
        "failing_checks": health.is_some_and(|health| health.is_failing_checks()),
        "ejected": ejected,
        "ejections": health.map_or(0, |health| health.ejections()),
    })
}

/// Endpoints that are put out now, ejections so far, and those that `maxEjectionPercent` has prevented; nothing without
/// `outlierDetection`.
fn outlier(cluster: &Cluster) -> Value {
    let Some(health) = cluster.health.as_ref().filter(|_| cluster.outlier.is_some()) else {
        return Value::Null;
    };
    let ejections: u64 = Reason::ALL.iter().map(|reason| health.ejections(*reason)).sum();
    json!({"ejected": health.ejected(), "ejections": ejections, "prevented": health.overflow()})
}

/// Health checks so far; nothing where there are none.
fn checks(cluster: &Cluster) -> Value {
    let Some(health) = cluster.health.as_ref().filter(|_| cluster.health_check.is_some()) else {
        return Value::Null;
    };
    let [good, bad] = health.checks();
    json!({"good": good, "bad": bad})
}

/// What is in use of each limit: `{"in_use", "most", "refused"}`; nothing where there is none.
fn limits(cluster: &Cluster) -> Value {
    let breaker = cluster.limits.as_ref().and_then(|limits| limits.breaker.as_ref());
    let Some(breaker) = breaker.map(Arc::as_ref) else { return Value::Null };
    let of = |resource: Resource| {
        // A number below this is a limit; this one stands for none.
        let most = Some(breaker.most(resource)).filter(|most| *most < u32::MAX)?;
        Some(
            json!({"in_use": breaker.in_use(resource), "most": most, "refused": breaker.overflows(resource)}),
        )
    };
    json!({
        "connections": of(Resource::Connections),
        "pending": of(Resource::Pending),
        "requests": of(Resource::Requests),
        "retries": of(Resource::Retries),
    })
}
