//! `DestinationRule`.

use super::{Field, Fields, at};
use crate::config::{
    Resource, Spanned,
    resources::{ConnectionPoolSettings, DestinationRule, LoadBalancerSettings, TrafficPolicy},
};

pub(super) fn report(resource: &Resource<DestinationRule>, fields: &mut Fields<'_>) {
    if let Some(policy) = &resource.spec.traffic_policy {
        report_policy(policy, &|| "spec.trafficPolicy".to_owned(), fields);
    }
    for (position, subset) in resource.spec.subsets.iter().enumerate() {
        if let Some(policy) = &subset.traffic_policy {
            report_policy(policy, &|| format!("spec.subsets[{position}].trafficPolicy"), fields);
        }
    }
}

fn report_policy(policy: &TrafficPolicy, path: &dyn Fn() -> String, fields: &mut Fields<'_>) {
    report_blocks(&policy.load_balancer, &policy.connection_pool, path, fields);
    fields.report(
        path,
        &[
            ("tunnel", at(&policy.tunnel), "connections go to the destination itself"),
            ("retryBudget", at(&policy.retry_budget), "retries are not limited"),
        ],
    );
    for (position, port) in policy.port_level_settings.iter().enumerate() {
        report_blocks(
            &port.load_balancer,
            &port.connection_pool,
            &|| format!("{}.portLevelSettings[{position}]", path()),
            fields,
        );
    }
}

fn report_blocks(
    load_balancer: &Option<Spanned<LoadBalancerSettings>>,
    pool: &Option<Spanned<ConnectionPoolSettings>>,
    path: &dyn Fn() -> String,
    fields: &mut Fields<'_>,
) {
    if let Some(load_balancer) = load_balancer {
        fields.report(&|| format!("{}.loadBalancer", path()), &load_balancer_fields(load_balancer));
    }
    if let Some(pool) = pool {
        report_pool(pool, &|| format!("{}.connectionPool", path()), fields);
    }
}

fn load_balancer_fields(settings: &LoadBalancerSettings) -> [Field; 5] {
    [
        ("consistentHash", at(&settings.consistent_hash), "requests go to any endpoint, by LEAST_REQUEST"),
        ("localityLbSetting", at(&settings.locality_lb_setting), "all places are alike"),
        ("zoneAwareLbSetting", at(&settings.zone_aware_lb_setting), "all zones are alike"),
        ("warmup", at(&settings.warmup), "a new endpoint gets its whole share at once"),
        (
            "warmupDurationSecs",
            at(&settings.warmup_duration_secs),
            "a new endpoint gets its whole share at once",
        ),
    ]
}

/// Of a connection pool, `tcp.connectTimeout`, `tcp.idleTimeout` and what is about HTTP/2 are supported.
pub(super) fn report_pool(pool: &ConnectionPoolSettings, path: &dyn Fn() -> String, fields: &mut Fields<'_>) {
    if let Some(tcp) = &pool.tcp {
        fields.report(
            &|| format!("{}.tcp", path()),
            &[
                ("maxConnections", at(&tcp.max_connections), "the connections are not limited"),
                ("tcpKeepalive", at(&tcp.tcp_keepalive), "silent connections are not probed"),
                (
                    "maxConnectionDuration",
                    at(&tcp.max_connection_duration),
                    "connections may become as old as they like",
                ),
            ],
        );
    }
    let Some(http) = &pool.http else { return };
    fields.report(
        &|| format!("{}.http", path()),
        &[
            (
                "http1MaxPendingRequests",
                at(&http.http1_max_pending_requests),
                "the requests that wait are not limited",
            ),
            ("http2MaxRequests", at(&http.http2_max_requests), "the requests at a time are not limited"),
            (
                "maxRequestsPerConnection",
                at(&http.max_requests_per_connection),
                "a connection may carry any number of requests",
            ),
            ("maxRetries", at(&http.max_retries), "the retries at a time are not limited"),
            ("idleTimeout", at(&http.idle_timeout), "idle connections are closed at the gateway's own time"),
        ],
    );
}
