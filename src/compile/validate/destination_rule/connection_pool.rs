//! Limits and timeouts of connections, and when an endpoint is left out.

use super::super::{
    place::{Place, conflicting, deprecated},
    scalars::{OMIT_FOR_DEFAULT, check_duration, check_not_negative, check_percent},
};
use crate::config::{
    Diagnostic,
    resources::{
        ConnectionPoolSettings, H2UpgradePolicy, HttpSettings, OutlierDetection, TcpKeepalive, TcpSettings,
    },
};

pub(in super::super) fn check_pool(pool: &ConnectionPoolSettings, at: &Place<'_>) {
    if pool.tcp.is_none() && pool.http.is_none() {
        let problem = Diagnostic::error("missing-field", "the connection pool has no settings");
        at.report(problem.help("write `tcp` or `http`, or leave the pool out"));
    }
    if let Some(tcp) = &pool.tcp {
        check_tcp(tcp, &at.field("tcp", tcp));
    }
    if let Some(http) = &pool.http {
        check_http(http, &at.field("http", http));
    }
}

fn check_tcp(tcp: &TcpSettings, at: &Place<'_>) {
    if let Some(connections) = &tcp.max_connections {
        check_not_negative(**connections, &at.field("maxConnections", connections));
    }
    if let Some(timeout) = &tcp.connect_timeout {
        check_duration(**timeout, &at.field("connectTimeout", timeout), OMIT_FOR_DEFAULT);
    }
    if let Some(duration) = &tcp.max_connection_duration {
        check_duration(**duration, &at.field("maxConnectionDuration", duration), "leave it out for no limit");
    }
    // 0 is allowed here: idle connections are then kept.
    if let Some(idle) = tcp.idle_timeout.as_ref().filter(|idle| !idle.is_zero()) {
        check_duration(**idle, &at.field("idleTimeout", idle), OMIT_FOR_DEFAULT);
    }
    if let Some(keepalive) = &tcp.tcp_keepalive {
        check_keepalive(keepalive, &at.field("tcpKeepalive", keepalive));
    }
}

pub(in super::super) fn check_keepalive(keepalive: &TcpKeepalive, at: &Place<'_>) {
    if let Some(time) = &keepalive.time {
        check_duration(**time, &at.field("time", time), OMIT_FOR_DEFAULT);
    }
    if let Some(interval) = &keepalive.interval {
        check_duration(**interval, &at.field("interval", interval), OMIT_FOR_DEFAULT);
    }
}

fn check_http(http: &HttpSettings, at: &Place<'_>) {
    let numbers = [
        ("http1MaxPendingRequests", &http.http1_max_pending_requests),
        ("http2MaxRequests", &http.http2_max_requests),
        ("maxRequestsPerConnection", &http.max_requests_per_connection),
        ("maxRetries", &http.max_retries),
        ("maxConcurrentStreams", &http.max_concurrent_streams),
    ];
    for (name, number) in numbers {
        if let Some(number) = number {
            check_not_negative(**number, &at.field(name, number));
        }
    }
    if let Some(idle) = &http.idle_timeout {
        check_duration(**idle, &at.field("idleTimeout", idle), OMIT_FOR_DEFAULT);
    }
    let upgrade = http.h2_upgrade_policy.as_ref().filter(|policy| ***policy == H2UpgradePolicy::Upgrade);
    let client = http.use_client_protocol.as_ref().filter(|client| ***client);
    if let (Some(upgrade), Some(client)) = (upgrade, client) {
        let problem =
            conflicting("h2UpgradePolicy: UPGRADE", "useClientProtocol").label(upgrade.span, "the other one");
        let help = "one always speaks HTTP/2, the other what the client speaks: remove one of the two";
        at.field("useClientProtocol", client).report(problem.help(help));
    }
    if let Some(keepalive) = &http.http2_keep_alive {
        let at = at.field("http2KeepAlive", keepalive);
        if let Some(interval) = at.require("interval", &keepalive.interval, "write the time between pings") {
            check_duration(
                **interval,
                &at.field("interval", interval),
                "remove `http2KeepAlive` for no pings",
            );
        }
        if let Some(timeout) = at.require("timeout", &keepalive.timeout, "write the time for an answer") {
            check_duration(**timeout, &at.field("timeout", timeout), "remove `http2KeepAlive` for no pings");
        }
    }
}

pub(in super::super) fn check_outlier_detection(outlier: &OutlierDetection, at: &Place<'_>) {
    if let Some(errors) = outlier.consecutive_errors.as_ref().filter(|errors| ***errors != 0) {
        let problem =
            deprecated("consecutiveErrors", "write `consecutive5xxErrors` or `consecutiveGatewayErrors`");
        at.field("consecutiveErrors", errors).report(Diagnostic {
            message: "`consecutiveErrors` is deprecated and has no effect".to_owned(),
            ..problem
        });
    }
    let is_split = outlier.split_external_local_origin_errors.as_ref().is_some_and(|split| **split);
    let local = outlier.consecutive_local_origin_failures.as_ref().filter(|failures| ***failures > 0);
    if let Some(failures) = local.filter(|_| !is_split) {
        let message = "`consecutiveLocalOriginFailures` needs `splitExternalLocalOriginErrors: true`";
        let problem = Diagnostic::error("conflicting-fields", message);
        let help = "without it failures to connect count as answers of 500 and above";
        at.field("consecutiveLocalOriginFailures", failures).report(problem.help(help));
    }
    if let Some(interval) = &outlier.interval {
        check_duration(**interval, &at.field("interval", interval), OMIT_FOR_DEFAULT);
    }
    if let Some(time) = &outlier.base_ejection_time {
        check_duration(**time, &at.field("baseEjectionTime", time), OMIT_FOR_DEFAULT);
    }
    if let Some(percent) = &outlier.max_ejection_percent {
        check_percent(**percent, &at.field("maxEjectionPercent", percent));
    }
    if let Some(percent) = &outlier.min_health_percent {
        check_percent(**percent, &at.field("minHealthPercent", percent));
    }
    for (at, code) in at.items("outlierDetectionHttpErrorCodes", &outlier.outlier_detection_http_error_codes)
    {
        if !(100..=599).contains(&**code) {
            let problem = Diagnostic::error("bad-status", format!("{} is not a status", **code));
            at.report(problem.help("expected 100 to 599"));
        }
    }
}
