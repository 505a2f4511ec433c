//! Numbers of all clients and of the process, under Envoy's names.

use super::{Big, Metric, Number, Values, gauge, page::Page};
use crate::{
    admin::{certs, pages::unix_seconds},
    control::{Gateway, State},
    telemetry::{CounterKind, Distributed},
};
use std::{sync::atomic::Ordering, time::SystemTime};

const DAY_SECONDS: u64 = 86_400;

pub(super) fn all(gateway: &Gateway) -> Vec<Metric> {
    let state = match gateway.state() {
        State::Ready => 0,
        State::Draining | State::Ended => 1,
        State::Starting => 3,
    };
    let active = gateway.shards.iter().map(|shard| shard.handle.counters.connections_active()).sum();
    let mut all = vec![
        gauge("envoy_server_live", "1 if it serves, 0 if it starts or drains.", u64::from(state == 0)),
        gauge("envoy_server_state", "0: serves, 1: drains, 3: starts.", state),
        gauge("envoy_server_uptime", "Seconds since the start.", gateway.started.elapsed().as_secs()),
        gauge("envoy_server_concurrency", "Worker threads.", gateway.shards.len() as u64),
        gauge("envoy_server_total_connections", "Connections of clients that are open.", active),
        gauge("envoy_listener_downstream_cx_active", "Connections of clients that are open.", active),
        gauge(
            "envoy_listener_manager_total_listeners_active",
            "Listeners.",
            gateway.listeners().len() as u64,
        ),
        gauge("envoy_cluster_manager_active_clusters", "Clusters.", gateway.snapshot().clusters.len() as u64),
        by_class(gateway),
    ];
    if let Some(bytes) = super::gateway::resident_bytes() {
        all.push(gauge("envoy_server_memory_allocated", "Memory in use, as the kernel counts it.", bytes));
    }
    let now = unix_seconds(SystemTime::now());
    if let Some(first) = certs::ends(gateway).into_iter().map(|(_, end)| end).min() {
        let days = first.saturating_sub(now) / DAY_SECONDS;
        let help = "Days until the first certificate in use ends; nothing where there is none.";
        all.push(gauge("envoy_server_days_until_first_cert_expiring", help, days));
    }
    all
}

/// Answers by the class of their status.
fn by_class(gateway: &Gateway) -> Metric {
    let sum = |class: usize| {
        let of = |shard: &crate::control::Shard| {
            let c = &shard.handle.counters;
            let classes =
                [&c.responses_1xx, &c.responses_2xx, &c.responses_3xx, &c.responses_4xx, &c.responses_5xx];
            classes[class].load(Ordering::Relaxed)
        };
        gateway.shards.iter().map(of).sum()
    };
    let value =
        |class: usize| (format!("envoy_response_code_class=\"{}\"", class + 1), Number::Whole(sum(class)));
    Metric {
        name: "envoy_http_downstream_rq_xx",
        kind: CounterKind::Counter,
        help: "Answers by the class of their status.",
        values: Values::Each((0..5).map(value).collect()),
    }
}

/// How long all requests took.
pub(super) fn append(big: &Big, page: &mut Page) {
    let mut durations = Distributed::default();
    for shard in &big.shards {
        shard.traffic.ends.all().iter().for_each(|end| end.durations.add_to(&mut durations));
    }
    page.family("envoy_http_downstream_rq_time", "histogram", "How long requests took, in milliseconds.");
    page.distribution("", &durations, 1.0);
}
