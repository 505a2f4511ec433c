//! Tests: connection pools and outlier detection.

use super::policy;

#[track_caller]
fn http(settings: &str, expected: &[&str]) {
    policy(&format!("connectionPool: {{http: {{{settings}}}}}"), expected);
}

#[track_caller]
fn tcp(settings: &str, expected: &[&str]) {
    policy(&format!("connectionPool: {{tcp: {{{settings}}}}}"), expected);
}

#[track_caller]
fn outlier(settings: &str, expected: &[&str]) {
    policy(&format!("outlierDetection: {{{settings}}}"), expected);
}

#[test]
fn case_172_consecutive_errors() {
    outlier("consecutiveErrors: 5", &["warning deprecated-field outlierDetection.consecutiveErrors"]);
    outlier("consecutiveErrors: 0", &[]);
    outlier("consecutive5xxErrors: 5", &[]);
}

#[test]
fn outliers() {
    let at = "outlierDetection";
    outlier("", &[]);
    outlier("splitExternalLocalOriginErrors: true, consecutiveLocalOriginFailures: 3", &[]);
    outlier(
        "consecutiveLocalOriginFailures: 3",
        &[&format!("error conflicting-fields {at}.consecutiveLocalOriginFailures")],
    );
    outlier("interval: 0s", &[&format!("error bad-duration {at}.interval")]);
    outlier("baseEjectionTime: 1us", &[&format!("error bad-duration {at}.baseEjectionTime")]);
    outlier("maxEjectionPercent: 101", &[&format!("error bad-percentage {at}.maxEjectionPercent")]);
    outlier("minHealthPercent: -1", &[&format!("error bad-percentage {at}.minHealthPercent")]);
    outlier(
        "outlierDetectionHttpErrorCodes: [500, 600]",
        &[&format!("error bad-status {at}.outlierDetectionHttpErrorCodes[1]")],
    );
}

#[test]
fn limits() {
    for field in [
        "http1MaxPendingRequests",
        "http2MaxRequests",
        "maxRequestsPerConnection",
        "maxRetries",
        "maxConcurrentStreams",
    ] {
        http(&format!("{field}: 0"), &[]);
        http(&format!("{field}: -1"), &[&format!("error negative-number connectionPool.http.{field}")]);
    }
    tcp("maxConnections: 0", &[]);
    tcp("maxConnections: -1", &["error negative-number connectionPool.tcp.maxConnections"]);
}

#[test]
fn times() {
    tcp("connectTimeout: 30s, maxConnectionDuration: 1h, idleTimeout: 0s", &[]);
    tcp("connectTimeout: 0s", &["error bad-duration connectionPool.tcp.connectTimeout"]);
    tcp("maxConnectionDuration: 0s", &["error bad-duration connectionPool.tcp.maxConnectionDuration"]);
    tcp("idleTimeout: 1us", &["error bad-duration connectionPool.tcp.idleTimeout"]);
    http("idleTimeout: 0s", &["error bad-duration connectionPool.http.idleTimeout"]);
    let keepalive = "connectionPool.tcp.tcpKeepalive";
    tcp("tcpKeepalive: {probes: 3, time: 60s, interval: 10s}", &[]);
    tcp("tcpKeepalive: {time: 0s}", &[&format!("error bad-duration {keepalive}.time")]);
    tcp("tcpKeepalive: {interval: 0s}", &[&format!("error bad-duration {keepalive}.interval")]);
}

#[test]
fn versions() {
    http("h2UpgradePolicy: UPGRADE", &[]);
    http("h2UpgradePolicy: DO_NOT_UPGRADE, useClientProtocol: true", &[]);
    let keepalive = "connectionPool.http.http2KeepAlive";
    http("http2KeepAlive: {interval: 30s, timeout: 5s}", &[]);
    http("http2KeepAlive: {interval: 30s}", &[&format!("error missing-field {keepalive}.timeout")]);
    http(
        "http2KeepAlive: {timeout: 0s}",
        &[
            &format!("error missing-field {keepalive}.interval"),
            &format!("error bad-duration {keepalive}.timeout"),
        ],
    );
}
