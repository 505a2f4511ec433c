//! Numbers of the gateway and its process.

use super::{Metric, Number, Values, counter, gauge};
use crate::{
    admin::{certs, health, pages::unix_seconds},
    control::{Gateway, KeyState, LogStatus, State},
    telemetry::CounterKind,
};
use rustix::param;
use std::{
    fs,
    sync::atomic::{AtomicU64, Ordering},
};

pub(super) fn all(gateway: &Gateway) -> Vec<Metric> {
    let mut all = of_the_gateway(gateway);
    all.extend(loads(gateway));
    all.extend(exported_spans(gateway));
    all.extend(health_of_endpoints(gateway));
    all.extend(certificates(gateway));
    all.extend(token_keys(gateway));
    all.extend(process(gateway));
    all
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
        gauge(
            "sluicegate_draining",
            "1 while it ends: it is not ready, and connections have some time.",
            u64::from(gateway.state() == State::Draining),
        ),
        upgrades(gateway),
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

/// Spans on their way from the shards to a collector.
fn exported_spans(gateway: &Gateway) -> [Metric; 4] {
    let exports = &gateway.exports;
    [
        counter(
            "sluicegate_tracing_spans_exported_total",
            "Spans that a collector has taken.",
            exports.exported.get(),
        ),
        counter(
            "sluicegate_tracing_spans_failed_total",
            "Spans that a collector has refused, or did not take in time.",
            exports.failed.get(),
        ),
        counter(
            "sluicegate_tracing_spans_overflow_total",
            "Spans lost because too many waited for a collector.",
            exports.dropped.get(),
        ),
        gauge(
            "sluicegate_tracing_waiting_bytes",
            "Bytes of spans that wait to be sent.",
            exports.waiting.get(),
        ),
    ]
}

/// Processes that took over from the one before them, up to this one.
fn upgrades(gateway: &Gateway) -> Metric {
    let handover = &gateway.handover;
    let result = |result: &str, number| (format!("result=\"{result}\""), Number::Whole(number));
    Metric {
        name: "sluicegate_upgrades_total",
        kind: CounterKind::Counter,
        help: "New processes that were to take over, since the first one was started.",
        values: Values::Each(vec![
            result("done", handover.done.get()),
            result("failed", handover.failed.get()),
        ]),
    }
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
    if let Some(open) = open_files() {
        metrics.push(gauge("process_open_fds", "Files that are open.", open));
    }
    if let Some(bytes) = resident_bytes() {
        metrics.push(gauge("process_resident_memory_bytes", "Memory in use.", bytes));
    }
    let fields = |path: &str| fs::read_to_string(path).unwrap_or_default();
    if let Some(seconds) = cpu_seconds(&fields("/proc/self/stat")) {
        let values = Values::One(Number::Fraction(seconds));
        let (kind, help) = (CounterKind::Counter, "CPU time spent, user and system.");
        metrics.push(Metric { name: "process_cpu_seconds_total", kind, help, values });
    }
    metrics
}

/// Files that are open; nothing where the kernel does not tell.
pub(in crate::admin) fn open_files() -> Option<u64> {
    let open = fs::read_dir("/proc/self/fd").ok()?;
    // The directory itself is open while it is read.
    Some((open.count() as u64).saturating_sub(1))
}

/// Memory in use, as the kernel counts it; nothing where it does not tell.
pub(in crate::admin) fn resident_bytes() -> Option<u64> {
    let fields = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = fields.split(' ').nth(1)?.parse().ok()?;
    Some(pages.saturating_mul(param::page_size() as u64))
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
