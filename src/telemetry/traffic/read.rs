//! What all shards have counted, together.

use super::series::{ClusterSeries, HttpSeries, RouteSeries};
use crate::telemetry::{Counter, Counters, Distributed, Flag, Latencies};
use std::{collections::BTreeMap, sync::atomic::Ordering};

/// What was asked of routes and clusters since the gateway started, over all shards. It is made when a page is asked for:
/// some 0.3 microseconds for each bucket-filled series of a shard, so some milliseconds for thousands of routes.
///
/// ```
/// # use sluicegate::telemetry::{Counters, Traffic};
/// # let shards: Vec<std::sync::Arc<Counters>> = vec![Default::default()];
/// let traffic = Traffic::of(shards.iter().map(|counters| &**counters));
/// for route in &traffic.routes {
///     let p99 = route.latencies.percentile_micros(0.99);
///     println!("{} {}: {} requests, p99 {p99:?} us", route.host, route.route, route.sums.requests);
/// }
/// ```
///
/// For rates and percentiles of a span of time, keep an earlier [`Traffic`] (or what of it is shown) and take the
/// difference: [`Sums`] only grow, and [`Latencies::since`] takes buckets apart. A series that was dropped and came back
/// begins at 0.
#[derive(Clone, Debug, Default)]
pub struct Traffic {
    /// By virtual host and route.
    pub routes: Vec<RouteTraffic>,
    /// By name. Those that nothing was asked of are not among them.
    pub clusters: Vec<ClusterTraffic>,
}

/// What was asked of one route of one virtual host.
#[derive(Clone, Debug, Default)]
pub struct RouteTraffic {
    /// The virtual host as the configuration has it: a name, `*.suffix`, `*`; empty for requests that found no route, and
    /// `other` for routes beyond the limit.
    pub host: Box<str>,
    /// The route's name as in the access log, or where it is written: `default/web#1`, for the first of that VirtualService's
    /// routes for the host; empty for requests that found no route.
    pub route: Box<str>,
    /// How many, and how they ended.
    pub sums: Sums,
    /// How long they took, from the head of the request to the end of the answer.
    pub latencies: Latencies,
}

/// What was asked of one cluster.
#[derive(Clone, Debug, Default)]
pub struct ClusterTraffic {
    /// As Envoy names it in Istio: `outbound|80|v1|reviews.default.svc.cluster.local`.
    pub name: Box<str>,
    /// Exchanges, and how they ended. A request that was retried is one.
    pub sums: Sums,
    /// How long they took, from the head of the request to the end of the answer.
    pub latencies: Latencies,
    /// Attempts at an endpoint: as many as requests and retries together.
    pub attempts: u64,
    /// Attempts under way.
    pub attempts_active: u64,
    /// Attempts that followed another because a policy says so.
    pub retries: u64,
    /// Requests that were answered after they had been tried again.
    pub retry_successes: u64,
    /// Requests that failed when all tries had been made.
    pub retry_limit_exceeded: u64,
    /// Requests that were not tried again because as many as may be were being so.
    pub retry_overflow: u64,
    /// Attempts that ended because their time was over.
    pub timeouts: u64,
    /// Attempts that an endpoint ended before its answer was whole.
    pub resets: u64,
    /// Requests that found the cluster's limits reached.
    pub overflow: u64,
    /// Connections opened, of HTTP and TCP.
    pub connections: u64,
    /// Connections that are open.
    pub connections_active: u64,
    /// Connections that could not be opened.
    pub connect_failures: u64,
    /// Connections that an endpoint ended while a request was under way on them.
    pub ended_with_requests: u64,
}

/// How many exchanges there were, and how they ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// All of them.
    pub requests: u64,
    /// By class of the status: `classes[2]` are 2xx; `classes[0]` got no status, for the client had left.
    pub classes: [u64; 6],
    /// Body bytes received from clients.
    pub bytes_received: u64,
    /// Body bytes sent to clients.
    pub bytes_sent: u64,
    flags: [u64; Flag::ALL.len()],
}

impl Sums {
    /// How often each response flag was the reason; those that never were are left out.
    pub fn flags(&self) -> impl Iterator<Item = (Flag, u64)> + '_ {
        Flag::ALL.into_iter().zip(self.flags).filter(|(_, count)| *count > 0)
    }

    fn add_route(&mut self, series: &RouteSeries) {
        let add = |sums: &mut [u64], counters: &[Counter]| {
            sums.iter_mut().zip(counters).for_each(|(sum, counter)| *sum += value(counter));
        };
        add(&mut self.classes, &series.classes);
        add(&mut self.flags, &series.flags);
        self.requests = self.classes.iter().sum();
        self.bytes_received += value(&series.bytes_received);
        self.bytes_sent += value(&series.bytes_sent);
    }

    fn add_end(&mut self, series: &HttpSeries) {
        let count = series.durations.count();
        self.requests += count;
        let class = usize::from(series.end.code / 100).min(self.classes.len() - 1);
        self.classes[class] += count;
        if let Some(flag) = series.end.flags.flag.or(series.end.flags.retry) {
            self.flags[flag as usize] += count;
        }
        let bytes = |distribution: &crate::telemetry::Distribution| {
            let mut sum = Distributed::default();
            distribution.add_to(&mut sum);
            sum.sum_thousandths / 1000
        };
        self.bytes_received += bytes(&series.request_bytes);
        self.bytes_sent += bytes(&series.response_bytes);
    }
}

fn value(counter: &Counter) -> u64 {
    counter.load(Ordering::Relaxed)
}

impl Traffic {
    /// What the shards with these counters have.
    pub fn of<'c>(shards: impl IntoIterator<Item = &'c Counters>) -> Traffic {
        let shards: Vec<_> = shards.into_iter().collect();
        Traffic { routes: routes(&shards), clusters: clusters(&shards) }
    }
}

fn routes(shards: &[&Counters]) -> Vec<RouteTraffic> {
    let series: Vec<_> = shards.iter().flat_map(|shard| shard.traffic.routes.all()).collect();
    let mut routes: BTreeMap<(&str, &str), (Sums, Latencies)> = BTreeMap::new();
    for series in &series {
        let (sums, latencies) = routes.entry((&series.host, &series.route)).or_default();
        sums.add_route(series);
        series.latency.add_to(latencies);
    }
    let route = |((host, route), (sums, latencies)): ((&str, &str), (Sums, Latencies))| RouteTraffic {
        host: host.into(),
        route: route.into(),
        sums,
        latencies,
    };
    routes.into_iter().map(route).collect()
}

fn clusters(shards: &[&Counters]) -> Vec<ClusterTraffic> {
    let series: Vec<_> = shards.iter().flat_map(|shard| shard.traffic.clusters.all()).collect();
    let ends: Vec<_> = shards.iter().flat_map(|shard| shard.traffic.ends.all()).collect();
    let mut clusters: BTreeMap<&str, ClusterTraffic> = BTreeMap::new();
    for series in &series {
        clusters.entry(&series.name).or_default().add(series);
    }
    for end in &ends {
        // What came to no cluster is among the routes only.
        if let Some(cluster) = clusters.get_mut(&*end.cluster.name) {
            cluster.sums.add_end(end);
        }
    }
    let named = |(name, cluster): (&str, ClusterTraffic)| ClusterTraffic { name: name.into(), ..cluster };
    clusters.into_iter().map(named).collect()
}

impl ClusterTraffic {
    fn add(&mut self, series: &ClusterSeries) {
        series.latency.add_to(&mut self.latencies);
        let pairs = [
            (&mut self.attempts, &series.attempts),
            (&mut self.attempts_active, &series.attempts_active),
            (&mut self.retries, &series.retries),
            (&mut self.retry_successes, &series.retry_successes),
            (&mut self.retry_limit_exceeded, &series.retry_limit_exceeded),
            (&mut self.retry_overflow, &series.retry_overflow),
            (&mut self.timeouts, &series.timeouts),
            (&mut self.resets, &series.resets),
            (&mut self.overflow, &series.overflow),
            (&mut self.connections, &series.connections),
            (&mut self.connections_active, &series.connections_active),
            (&mut self.connect_failures, &series.connect_failures),
            (&mut self.ended_with_requests, &series.ended_with_requests),
        ];
        for (sum, counter) in pairs {
            *sum = sum.wrapping_add(value(counter));
        }
    }
}
