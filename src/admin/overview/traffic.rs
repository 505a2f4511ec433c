//! Routes, flags and latencies.

use super::{flags::meaning, query::has, rows};
use crate::{
    control::Gateway,
    telemetry::{self, ClusterTraffic, Latencies, RouteTraffic, Sums},
};
use serde_json::{Value, json};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
};

/// Rows of the list.
const ROWS_MAX: usize = 50;

/// What all workers have counted.
pub(super) struct Traffic {
    routes: Vec<RouteTraffic>,
    clusters: HashMap<Box<str>, ClusterTraffic>,
}

impl Traffic {
    pub(super) fn of(gateway: &Gateway) -> Traffic {
        let shards = gateway.shards.iter().map(|shard| &*shard.handle.counters);
        let telemetry::Traffic { routes, clusters } = telemetry::Traffic::of(shards);
        Traffic { routes, clusters: clusters.into_iter().map(|one| (one.name.clone(), one)).collect() }
    }

    /// The part `flags`.
    pub(super) fn flags(&self) -> Vec<Value> {
        let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
        for (flag, count) in self.routes.iter().flat_map(|route| route.sums.flags()) {
            *sums.entry(flag.as_str()).or_default() += count;
        }
        let mut sorted: Vec<_> = sums.into_iter().collect();
        sorted.sort_by_key(|(_, count)| Reverse(*count));
        let row = |(flag, count)| json!({"flag": flag, "meaning": meaning(flag), "requests": count});
        sorted.into_iter().map(row).collect()
    }

    /// The part `latency`.
    pub(super) fn latency(&self) -> Value {
        let mut all = Latencies::default();
        self.routes.iter().for_each(|route| all.add(&route.latencies));
        latency(&all)
    }

    /// The part `routes`.
    pub(super) fn routes(&self, wanted: Option<&str>) -> Value {
        let mut found: Vec<&RouteTraffic> =
            self.routes.iter().filter(|route| has(wanted, &[&route.route, &route.host])).collect();
        let matching = found.len();
        let order = |route: &&RouteTraffic| Reverse(route.sums.requests);
        if matching > ROWS_MAX {
            found.select_nth_unstable_by_key(ROWS_MAX, order);
            found.truncate(ROWS_MAX);
        }
        found.sort_by_key(order);
        let row = |route: &&RouteTraffic| {
            let mut row = traffic(&route.sums, &route.latencies);
            row["name"] = json!(route.route);
            row["host"] = json!(route.host);
            row
        };
        rows(self.routes.len(), matching, found.iter().map(row).collect())
    }

    /// Requests of a cluster since the start.
    pub(super) fn requests(&self, cluster: &str) -> u64 {
        self.clusters.get(cluster).map_or(0, |cluster| cluster.sums.requests)
    }

    /// What a row of a cluster says of its traffic.
    pub(super) fn of_cluster(&self, cluster: &str) -> Value {
        match self.clusters.get(cluster) {
            Some(cluster) => traffic(&cluster.sums, &cluster.latencies),
            None => traffic(&Sums::default(), &Latencies::default()),
        }
    }
}

fn traffic(sums: &Sums, latencies: &Latencies) -> Value {
    let [_, _, _, _, client_errors, server_errors] = sums.classes;
    json!({
        "requests": sums.requests,
        "client_errors": client_errors,
        "server_errors": server_errors,
        "latency": latency(latencies),
    })
}

/// The middles of the buckets with anything in them, and how many requests that is.
fn latency(latencies: &Latencies) -> Value {
    latencies.buckets().map(|(end, count)| [middle(end), count]).collect()
}

/// The middle of the bucket that ends here: buckets are an eighth of the power of two below them wide, but for the first.
fn middle(end: u64) -> u64 {
    let last = end.saturating_sub(1);
    let width = match last.checked_ilog2() {
        Some(bits) if last >= 64 => 1 << (bits - 3),
        _ => end,
    };
    end - width / 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Latency;

    #[test]
    fn middles_are_those_that_percentiles_tell() {
        for micros in [3, 63, 64, 71, 72, 127, 128, 1000, 4095, 4096, 123_456_789] {
            let counted = Latency::default();
            counted.record(micros);
            let mut latencies = Latencies::default();
            counted.add_to(&mut latencies);
            let (end, _) = latencies.buckets().next().unwrap();
            assert_eq!(Some(middle(end)), latencies.percentile_micros(0.5), "{micros}");
        }
    }
}
