//! Numbers for Prometheus, and for people.

use super::{breakers, certs, health, mongo, pages::unix_seconds};
use crate::{
    control::{Gateway, KeyState, LogStatus, State},
    telemetry::{CounterKind, Counters, DESCRIPTIONS, Floods},
};
use rustix::param;
use std::{
    collections::BTreeMap,
    fmt::{self, Write},
    fs,
    sync::atomic::{AtomicU64, Ordering},
};

/// A number with its name.
struct Metric {
    name: &'static str,
    kind: CounterKind,
    help: &'static str,
    values: Values,
}

enum Values {
    /// One number.
    One(Number),
    /// One with this label and value.
    Labelled(&'static str, String, Number),
    /// One for each of these labels.
    Each(Vec<(String, Number)>),
    /// One for every shard, in order.
    PerShard(Vec<u64>),
}

#[derive(Clone, Copy)]
enum Number {
    Whole(u64),
    /// For seconds.
    Fraction(f64),
}

/// In the text format of Prometheus (version 0.0.4).
pub(super) fn prometheus(gateway: &Gateway) -> String {
    let mut text = String::new();
    for metric in all(gateway) {
        let kind = match metric.kind {
            CounterKind::Counter => "counter",
            CounterKind::Gauge => "gauge",
        };
        // Writing to memory can't fail, here and below. No help has a backslash or a line break.
        let _ = writeln!(text, "# HELP {} {}", metric.name, metric.help.trim());
        let _ = writeln!(text, "# TYPE {} {kind}", metric.name);
        metric.each(|label, number| {
            let _ = writeln!(text, "{}{label} {number}", metric.name);
        });
    }
    mongo::append(gateway, &mut text);
    text
}

/// One `name: value` a line, by name.
pub(super) fn text(gateway: &Gateway) -> String {
    let mut lines = Vec::new();
    for metric in all(gateway) {
        metric.each(|label, number| lines.push(format!("{}{label}: {number}\n", metric.name)));
    }
    let mut of_mongo = String::new();
    mongo::append(gateway, &mut of_mongo);
    let samples = of_mongo.lines().filter(|line| !line.starts_with('#'));
    lines.extend(
        samples.filter_map(|line| line.rsplit_once(' ')).map(|(name, number)| format!("{name}: {number}\n")),
    );
    lines.sort();
    lines.concat()
}

impl Metric {
    /// Calls `with` for every value with its labels in braces.
    fn each(&self, mut with: impl FnMut(&str, Number)) {
        match &self.values {
            Values::One(number) => with("", *number),
            Values::Labelled(name, value, number) => with(&format!("{{{name}=\"{value}\"}}"), *number),
            Values::Each(numbers) => {
                numbers.iter().for_each(|(labels, number)| with(&format!("{{{labels}}}"), *number));
            }
            Values::PerShard(numbers) => {
                for (shard, number) in numbers.iter().enumerate() {
                    with(&format!("{{shard=\"{shard}\"}}"), Number::Whole(*number));
                }
            }
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Number::Whole(number) => number.fmt(f),
            Number::Fraction(number) => number.fmt(f),
        }
    }
}

fn all(gateway: &Gateway) -> Vec<Metric> {
    let mut all = sums(gateway);
    all.push(floods(gateway));
    all.extend(circuit_breakers(gateway));
    all.extend(policies(gateway));
    all.extend(shards(gateway));
    all.extend(of_the_gateway(gateway));
    all.extend(loads(gateway));
    all.extend(health_of_endpoints(gateway));
    all.extend(certificates(gateway));
    all.extend(token_keys(gateway));
    all.extend(process(gateway));
    all
}

fn counter(name: &'static str, help: &'static str, number: u64) -> Metric {
    Metric { name, kind: CounterKind::Counter, help, values: Values::One(Number::Whole(number)) }
}

fn gauge(name: &'static str, help: &'static str, number: u64) -> Metric {
    Metric { name, kind: CounterKind::Gauge, help, values: Values::One(Number::Whole(number)) }
}

/// Every counter of the shards, summed.
fn sums(gateway: &Gateway) -> Vec<Metric> {
    let mut sums = vec![0u64; DESCRIPTIONS.len()];
    for shard in &gateway.shards {
        for (sum, value) in sums.iter_mut().zip(shard.handle.counters.values()) {
            *sum = sum.wrapping_add(value);
        }
    }
    let described = DESCRIPTIONS.iter().zip(sums);
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
fn shards(gateway: &Gateway) -> [Metric; 3] {
    let each = |of: fn(&Counters) -> &crate::telemetry::Counter| {
        let value = |shard: &crate::control::Shard| of(&shard.handle.counters).load(Ordering::Relaxed);
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
    ]
}

fn of_the_gateway(gateway: &Gateway) -> Vec<Metric> {
    let is_ready = u64::from(gateway.state() == State::Ready);
    let endpoints = gateway.resolved.borrow().values().map(|found| found.len() as u64).sum();
    let mut metrics = vec![
        Metric {
            name: "sluicegate_build_info",
            kind: CounterKind::Gauge,
            help: "1, with the version as a label.",
            values: Values::Labelled("version", env!("CARGO_PKG_VERSION").into(), Number::Whole(1)),
        },
        gauge("sluicegate_ready", "1 if it serves, 0 if it starts or drains.", is_ready),
        gauge("sluicegate_workers", "Worker threads.", gateway.shards.len() as u64),
        gauge(
            "sluicegate_configuration_generation",
            "The number of the configuration that is served.",
            gateway.snapshot().generation,
        ),
        gauge("sluicegate_listeners", "Listeners.", gateway.listeners().len() as u64),
        gauge("sluicegate_clusters", "Clusters.", gateway.snapshot().clusters.len() as u64),
        gauge("sluicegate_resolved_endpoints", "Endpoints that the resolver has found.", endpoints),
    ];
    let logs = gateway.logs.borrow();
    if !logs.plan().logs.is_empty() {
        let sum = |number: fn(&LogStatus) -> &AtomicU64| -> u64 {
            logs.statuses().map(|(_, status)| number(status).load(Ordering::Relaxed)).sum()
        };
        let (bytes, failures) = (sum(|status| &status.bytes), sum(|status| &status.failures));
        let broken = logs.statuses().filter(|(_, status)| status.is_broken.load(Ordering::Relaxed)).count();
        metrics.push(counter(
            "sluicegate_access_log_lost_total",
            "Lines of the access log that could not be written.",
            sum(|status| &status.lost),
        ));
        metrics.push(gauge(
            "sluicegate_access_log_broken",
            "Targets of the access log that can't be written to.",
            broken as u64,
        ));
        metrics.push(counter("sluicegate_access_log_bytes_total", "Bytes written to the access log.", bytes));
        metrics.push(counter(
            "sluicegate_access_log_write_failures_total",
            "Writes to the access log that failed.",
            failures,
        ));
    }
    metrics
}

/// Loads of the configuration: the start, and reloads.
fn loads(gateway: &Gateway) -> [Metric; 6] {
    let counts = gateway.load_counts();
    let result = |result: &str, number| (format!("result=\"{result}\""), Number::Whole(number));
    let last_good = counts.last_good.unwrap_or(gateway.started_at);
    [
        Metric {
            name: "sluicegate_configuration_loads_total",
            kind: CounterKind::Counter,
            help: "Loads of the configuration: the start, and reloads. One that fails leaves things as they were.",
            values: Values::Each(vec![result("success", counts.good), result("failure", counts.failed)]),
        },
        gauge(
            "sluicegate_configuration_last_load_successful",
            "1 if the last load of the configuration was good, 0 if it failed.",
            u64::from(counts.is_last_good),
        ),
        gauge(
            "sluicegate_configuration_last_load_success_timestamp_seconds",
            "When the configuration that is served was loaded, Unix time in seconds.",
            unix_seconds(last_good),
        ),
        Metric {
            name: "sluicegate_configuration_age_seconds",
            kind: CounterKind::Gauge,
            help: "How long ago the configuration that is served was loaded.",
            values: Values::One(Number::Fraction(last_good.elapsed().unwrap_or_default().as_secs_f64())),
        },
        gauge(
            "sluicegate_configuration_errors",
            "Errors that the last load of the configuration has found.",
            counts.errors as u64,
        ),
        gauge(
            "sluicegate_configuration_warnings",
            "Warnings of the last load of the configuration.",
            counts.warnings as u64,
        ),
    ]
}

/// Of the keys that tokens are verified with, by where they come from.
fn token_keys(gateway: &Gateway) -> Vec<Metric> {
    let states = gateway.token_keys.borrow();
    if states.is_empty() {
        return Vec::new();
    }
    let fetched = || states.iter().filter(|state| !state.url.is_empty());
    let label = |state: &KeyState| format!("url=\"{}\"", state.url.replace('\\', "%5C").replace('"', "%22"));
    let each = |kind, name, help, values: Vec<(String, Number)>| Metric {
        name,
        kind,
        help,
        values: Values::Each(values),
    };
    let age =
        |state: &KeyState| Some((label(state), Number::Fraction(state.fetched?.elapsed().as_secs_f64())));
    let failures = fetched().map(|state| (label(state), Number::Whole(state.failures)));
    let (mut all, ages) = (Vec::new(), fetched().filter_map(age).collect());
    let count = states.iter().map(|state| state.keys as u64).sum();
    all.push(gauge("sluicegate_token_keys", "Keys that tokens are verified with.", count));
    all.push(each(
        CounterKind::Gauge,
        "sluicegate_token_keys_age_seconds",
        "How long ago the keys of an issuer were fetched; nothing where they never were.",
        ages,
    ));
    all.push(each(
        CounterKind::Counter,
        "envoy_http_jwt_authn_jwks_fetch_failed",
        "Fetches of an issuer's keys that failed.",
        failures.collect(),
    ));
    all
}

fn health_of_endpoints(gateway: &Gateway) -> impl Iterator<Item = Metric> {
    health::numbers(gateway).into_iter().map(|numbers| {
        let samples = numbers.samples.into_iter().map(|(labels, number)| (labels, Number::Whole(number)));
        Metric {
            name: numbers.name,
            kind: if numbers.is_counter { CounterKind::Counter } else { CounterKind::Gauge },
            help: numbers.help,
            values: Values::Each(samples.collect()),
        }
    })
}

fn certificates(gateway: &Gateway) -> [Metric; 3] {
    let ends = certs::ends(gateway).into_iter().map(|(labels, end)| (labels, Number::Whole(end)));
    let states = certs::states(gateway);
    let states = states.map(|(state, count)| (format!("state=\"{state}\""), Number::Whole(count)));
    let failures = gateway.credentials.borrow().failures();
    let gauge = |name, help, values| Metric { name, kind: CounterKind::Gauge, help, values };
    [
        gauge(
            "sluicegate_certificate_expiry_timestamp_seconds",
            "When a certificate that is in use ends, Unix time in seconds.",
            Values::Each(ends.collect()),
        ),
        gauge(
            "sluicegate_tls_contexts",
            "Servers and upstreams with TLS: good; kept, with what was there before; failed, without any.",
            Values::Each(states.into()),
        ),
        counter(
            "sluicegate_certificate_load_failures_total",
            "Times that certificates, keys or authorities could not be loaded.",
            failures,
        ),
    ]
}

/// What every Prometheus client says of its process; what the kernel does not tell is left out.
fn process(gateway: &Gateway) -> Vec<Metric> {
    let mut metrics = vec![
        gauge(
            "process_start_time_seconds",
            "When the process was started, Unix time in seconds.",
            unix_seconds(gateway.started_at),
        ),
        gauge("process_max_fds", "Files that may be open.", gateway.descriptors.limit),
    ];
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        // The directory itself is open while it is read.
        let open = (open.count() as u64).saturating_sub(1);
        metrics.push(gauge("process_open_fds", "Files that are open.", open));
    }
    let fields = |path: &str| fs::read_to_string(path).unwrap_or_default();
    if let Some(pages) = fields("/proc/self/statm").split(' ').nth(1).and_then(|pages| pages.parse().ok()) {
        let bytes = u64::saturating_mul(pages, param::page_size() as u64);
        metrics.push(gauge("process_resident_memory_bytes", "Memory in use.", bytes));
    }
    if let Some(seconds) = cpu_seconds(&fields("/proc/self/stat")) {
        let values = Values::One(Number::Fraction(seconds));
        let (kind, help) = (CounterKind::Counter, "CPU time spent, user and system.");
        metrics.push(Metric { name: "process_cpu_seconds_total", kind, help, values });
    }
    metrics
}

/// User and system time out of proc(5)'s `stat`. The name of the program, in parentheses, may have spaces in it.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, after_name) = stat.rsplit_once(") ")?;
    let mut fields = after_name.split(' ').skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some((user + system) as f64 / param::clock_ticks_per_second() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_found_behind_any_name() {
        let ticks = param::clock_ticks_per_second() as f64;
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194560 900 0 0 0 50 25 0 0 20 0 4 0 100 0 0";
        assert_eq!(cpu_seconds(stat), Some(75.0 / ticks));
        assert_eq!(cpu_seconds(""), None);
        assert!(cpu_seconds(&fs::read_to_string("/proc/self/stat").unwrap()).is_some());
    }
}
