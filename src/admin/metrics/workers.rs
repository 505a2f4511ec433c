//! Numbers of the workers.

use super::{Metric, Number, Values, page::Page};
use crate::{
    admin::breakers,
    control::Gateway,
    telemetry::{BOUNDS_MICROS, CounterKind, Counters, DESCRIPTIONS, Durations, Floods},
};
use std::{collections::BTreeMap, fs, sync::atomic::Ordering};

pub(super) fn all(gateway: &Gateway) -> Vec<Metric> {
    let mut all = sums(gateway);
    all.push(floods(gateway));
    all.extend(circuit_breakers(gateway));
    all.extend(policies(gateway));
    all.extend(shards(gateway));
    all.extend(threads(gateway));
    all
}

/// Counters that are there of each cluster, so that their sums would count twice.
const BY_CLUSTER: [&str; 9] = [
    "envoy_cluster_upstream_cx_total",
    "envoy_cluster_upstream_cx_active",
    "envoy_cluster_upstream_cx_connect_fail",
    "envoy_cluster_upstream_rq_retry",
    "envoy_cluster_upstream_rq_retry_success",
    "envoy_cluster_upstream_rq_retry_limit_exceeded",
    "envoy_cluster_upstream_rq_retry_overflow",
    "envoy_cluster_upstream_rq_timeout",
    "envoy_cluster_upstream_rq_rx_reset",
];

/// Every counter of the shards that is not there of each cluster, summed.
fn sums(gateway: &Gateway) -> Vec<Metric> {
    let mut sums = vec![0u64; DESCRIPTIONS.len()];
    for shard in &gateway.shards {
        for (sum, value) in sums.iter_mut().zip(shard.handle.counters.values()) {
            *sum = sum.wrapping_add(value);
        }
    }
    let is_of_all = |(about, _): &(&crate::telemetry::Description, u64)| !BY_CLUSTER.contains(&about.name);
    let described = DESCRIPTIONS.iter().zip(sums).filter(is_of_all);
    let metric = |(about, sum): (&crate::telemetry::Description, u64)| Metric {
        name: about.name,
        kind: about.kind,
        help: about.help,
        values: Values::One(Number::Whole(sum)),
    };
    described.map(metric).collect()
}

/// What clients of HTTP/2 did too much of, summed over the shards.
fn floods(gateway: &Gateway) -> Metric {
    let sum = |position: usize| {
        let of = |shard: &crate::control::Shard| {
            shard.handle.counters.http2_floods.of(position).load(Ordering::Relaxed)
        };
        gateway.shards.iter().map(of).fold(0, u64::wrapping_add)
    };
    let each = |(position, kind): (usize, &&str)| (format!("kind=\"{kind}\""), Number::Whole(sum(position)));
    Metric {
        name: "sluicegate_http2_floods_total",
        kind: CounterKind::Counter,
        help: "HTTP/2 connections of clients that were ended because they did too much of something.",
        values: Values::Each(Floods::KINDS.iter().enumerate().map(each).collect()),
    }
}

/// What is in use of clusters that have limits.
fn circuit_breakers(gateway: &Gateway) -> impl Iterator<Item = Metric> {
    breakers::numbers(gateway).into_iter().map(|numbers| {
        let breakers::Numbers { name, kind, help, values } = numbers;
        let values = values.into_iter().map(|(labels, number)| (labels, Number::Whole(number)));
        Metric { name, kind, help, values: Values::Each(values.collect()) }
    })
}

/// How often each AuthorizationPolicy has matched, summed over the shards; nothing where none has.
fn policies(gateway: &Gateway) -> Option<Metric> {
    let mut sums: BTreeMap<String, u64> = BTreeMap::new();
    for shard in &gateway.shards {
        shard.handle.counters.policies.each(|labels, matched| {
            *sums.entry(labels.to_owned()).or_default() += matched;
        });
    }
    (!sums.is_empty()).then(|| Metric {
        name: "sluicegate_authorization_policy_matches_total",
        kind: CounterKind::Counter,
        help: "Requests and connections that each AuthorizationPolicy has matched.",
        values: Values::Each(sums.into_iter().map(|(labels, sum)| (labels, Number::Whole(sum))).collect()),
    })
}

/// What tells whether the shards share the work evenly. Names of their own, so that sums over a name stay right.
fn shards(gateway: &Gateway) -> [Metric; 4] {
    let each = |of: fn(&Counters) -> &crate::telemetry::Counter| {
        let value =
            |shard: &crate::control::Shard| Number::Whole(of(&shard.handle.counters).load(Ordering::Relaxed));
        Values::PerShard(gateway.shards.iter().map(value).collect())
    };
    let metric = |name, kind, help, values| Metric { name, kind, help, values };
    [
        metric(
            "sluicegate_shard_connections_total",
            CounterKind::Counter,
            "Connections that each worker accepted from clients.",
            each(|counters| &counters.downstream_connections),
        ),
        metric(
            "sluicegate_shard_connections_active",
            CounterKind::Gauge,
            "Connections of clients that each worker has open.",
            each(|counters| &counters.downstream_connections_active),
        ),
        metric(
            "sluicegate_shard_requests_total",
            CounterKind::Counter,
            "Requests that each worker read.",
            each(|counters| &counters.requests),
        ),
        metric(
            "sluicegate_shard_free_buffers_bytes",
            CounterKind::Gauge,
            "Bytes of the buffers that each worker keeps for further use.",
            each(|counters| &counters.free_buffer_bytes),
        ),
    ]
}

/// What the kernel knows of each worker's thread; nothing where it does not tell.
fn threads(gateway: &Gateway) -> Vec<Metric> {
    let drivers = gateway.shards.iter().enumerate().filter_map(|(shard, known)| {
        let labels = format!("shard=\"{shard}\",driver=\"{}\"", known.driver.get()?);
        Some((labels, Number::Whole(1)))
    });
    let metric = |name, kind, help, values| Metric { name, kind, help, values };
    let mut all = vec![metric(
        "sluicegate_shard_driver_info",
        CounterKind::Gauge,
        "1, with what a worker runs on as a label.",
        Values::Each(drivers.collect()),
    )];
    let found = found_threads();
    let each = |of: fn(&Thread) -> Number| {
        let sample = |(shard, thread): (&usize, &Thread)| (format!("shard=\"{shard}\""), of(thread));
        Values::Each(found.iter().map(sample).collect())
    };
    if found.is_empty() {
        return all;
    }
    all.extend([
        metric(
            "sluicegate_shard_cpu_seconds_total",
            CounterKind::Counter,
            "CPU time that each worker has spent: a second in every second is a worker that never waits.",
            each(|thread| Number::Fraction(thread.busy_nanos as f64 / 1e9)),
        ),
        metric(
            "sluicegate_shard_cpu_wait_seconds_total",
            CounterKind::Counter,
            "Time that each worker had work and no CPU.",
            each(|thread| Number::Fraction(thread.waited_nanos as f64 / 1e9)),
        ),
        metric(
            "sluicegate_shard_cpu_slices_total",
            CounterKind::Counter,
            "Times that each worker was given a CPU: little more than the waits on its ring, or on epoll, that slept.",
            each(|thread| Number::Whole(thread.slices)),
        ),
    ]);
    all
}

/// What the kernel knows of a thread.
struct Thread {
    busy_nanos: u64,
    waited_nanos: u64,
    slices: u64,
}

/// The workers' threads by the number of their shard, which their names have.
fn found_threads() -> BTreeMap<usize, Thread> {
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let found = tasks.filter_map(|task| {
        let name = fs::read_to_string(task.path().join("comm")).ok()?;
        let shard = name.trim().strip_prefix("shard-")?.parse().ok()?;
        Some((shard, thread(&fs::read_to_string(task.path().join("schedstat")).ok()?)?))
    });
    found.collect()
}

/// Out of `schedstat` (the kernel's sched-stats.rst): time on a CPU, time in the queue for one, and how often.
fn thread(schedstat: &str) -> Option<Thread> {
    let mut numbers = schedstat.split_whitespace().map_while(|number| number.parse().ok());
    Some(Thread { busy_nanos: numbers.next()?, waited_nanos: numbers.next()?, slices: numbers.next()? })
}

/// How late the ticks of each worker are, which is how long its loop takes to come round: ten samples a second.
pub(super) fn tick_delays(gateway: &Gateway, page: &mut Page) {
    let help =
        "How much later than it should a worker's tick came, ten times a second: how long its loop takes.";
    page.family("sluicegate_shard_tick_delay_seconds", "histogram", help);
    for (shard, known) in gateway.shards.iter().enumerate() {
        let mut delays = Durations::default();
        known.handle.counters.tick_delays.add_to(&mut delays);
        let labels = format!("shard=\"{shard}\"");
        let seconds = |micros: &u64| *micros as f64 / 1e6;
        page.buckets(&labels, &mut BOUNDS_MICROS.iter().map(seconds).zip(delays.at_most));
        let count = delays.at_most.last().copied().unwrap_or_default();
        page.histogram_end(&labels, count, delays.sum_micros as f64 / 1e6);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_found_in_what_the_kernel_says() {
        let found = thread("1500000000 20000000 345\n").unwrap();
        assert_eq!((found.busy_nanos, found.waited_nanos, found.slices), (1_500_000_000, 20_000_000, 345));
        assert!(thread("").is_none());
    }
}
