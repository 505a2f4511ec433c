//! `connectionPool`, `retryBudget` and `tunnel`: what of them reaches a cluster (specification sections 4.2, 4.4 and 4.6).

use super::*;
use crate::table::{
    BreakerLimits, Cluster, IdleTime, PoolLimits, Resource, RetryBudget, TcpKeepalive, Tunnel, TunnelMethod,
};
use std::{num::NonZeroU32, time::Duration};

const SECOND: Duration = Duration::from_secs(1);

/// A route to `p.com`, port 80 (subset `v1` on `v1.com`), with this DestinationRule, and more.
fn with(rule: &str, more: &str) -> Outcome {
    let subset = "{match: [{uri: {prefix: /v1}}], route: [{destination: {host: p.com, subset: v1}}]}";
    compiled(&format!(
        "{}{}{}{}{more}",
        http_gateway("name: g", "'*'"),
        rules("name: v", "'*'", "g", &format!("{subset}, {}", everything_to("p.com"))),
        service("p.com"),
        object("DestinationRule", "name: r", &format!("{{host: p.com, subsets: [{{name: v1}}], {rule}}}")),
    ))
}

fn of_pool(pool: &str) -> Cluster {
    with(&format!("trafficPolicy: {{connectionPool: {pool}}}"), "").cluster("outbound|80||p.com").clone()
}

fn limits(cluster: &Cluster) -> BreakerLimits {
    let breaker = cluster.limits.as_ref().and_then(|limits| limits.breaker.as_ref());
    breaker.map_or_else(BreakerLimits::default, |breaker| *breaker.limits())
}

#[test]
fn every_limit_reaches_the_cluster() {
    let cluster = of_pool(
        "{tcp: {maxConnections: 1}, http: {http1MaxPendingRequests: 2, http2MaxRequests: 3, maxRetries: 4}}",
    );
    let (connections, pending, requests, retries) = (Some(1), Some(2), Some(3), Some(4));
    let expected = BreakerLimits { connections, pending, requests, retries, retry_budget: None };
    assert_eq!(limits(&cluster), expected);
    let breaker = cluster.limits.unwrap().breaker.unwrap();
    assert_eq!(breaker.most(Resource::Connections), 1);
}

#[test]
fn zero_is_no_limit_and_nothing_said_is_nothing_kept() {
    let zero = "{tcp: {maxConnections: 0}, http: {http1MaxPendingRequests: 0, http2MaxRequests: 0, maxRetries: 0, \
                maxRequestsPerConnection: 0}}";
    assert!(of_pool(zero).limits.is_none());
    assert!(of_pool("{tcp: {connectTimeout: 1s}}").limits.is_none());
}

#[test]
fn what_is_said_of_the_life_of_connections_reaches_the_cluster() {
    let pool =
        |pool: &str| -> PoolLimits { of_pool(pool).limits.map_or_else(Default::default, |limits| *limits) };
    let keepalive = "{probes: 3, time: 60s, interval: 10s}";
    let said = pool(&format!("{{tcp: {{tcpKeepalive: {keepalive}, maxConnectionDuration: 1s}}}}"));
    let (probes, time, interval) = (NonZeroU32::new(3), Some(SECOND * 60), Some(SECOND * 10));
    assert_eq!(said.keepalive, Some(TcpKeepalive { probes, time, interval }));
    assert_eq!(said.connection_age_max, Some(SECOND));
    assert!(said.breaker.is_none());
    let per_connection = pool("{http: {maxRequestsPerConnection: 1}}").requests_per_connection;
    assert_eq!(per_connection, NonZeroU32::new(1));
    let idle = |fields: &str| pool(fields).idle;
    assert_eq!(idle("{http: {idleTimeout: 1s}, tcp: {idleTimeout: 5s}}"), IdleTime::After(SECOND));
    assert_eq!(idle("{tcp: {idleTimeout: 5s}}"), IdleTime::After(SECOND * 5));
    assert_eq!(idle("{tcp: {idleTimeout: 0s}}"), IdleTime::Never);
    assert_eq!(idle("{tcp: {maxConnections: 1}}"), IdleTime::Own);
}

#[test]
fn the_mesh_says_what_rules_leave_out() {
    let mesh = object(
        "IstioOperator",
        "name: io",
        "{meshConfig: {tcpKeepalive: {time: 90s}, defaultTrafficPolicy: {connectionPool: {tcp: {maxConnections: 7}}}}}",
    )
    .replace("networking.istio.io/v1\n", "install.istio.io/v1alpha1\n");
    let of = |rule: &str| with(rule, &mesh).cluster("outbound|80||p.com").clone();
    let plain = of("trafficPolicy: {loadBalancer: {simple: RANDOM}}");
    assert_eq!(limits(&plain).connections, Some(7));
    assert_eq!(plain.limits.unwrap().keepalive.unwrap().time, Some(SECOND * 90));
    let own = of("trafficPolicy: {connectionPool: {tcp: {tcpKeepalive: {probes: 2}}}}");
    assert_eq!(limits(&own).connections, None);
    // A rule's own replaces the mesh's as a whole.
    let keepalive = own.limits.unwrap().keepalive.unwrap();
    assert_eq!((keepalive.probes, keepalive.time), (NonZeroU32::new(2), None));
}

#[test]
fn a_block_of_a_subset_replaces_that_of_the_rule_and_a_port_replaces_everything() {
    let rule = "trafficPolicy: {connectionPool: {tcp: {maxConnections: 1}}, retryBudget: {}}";
    let outcome = |subset: &str| {
        compiled(&format!(
            "{}{}{}{}",
            http_gateway("name: g", "'*'"),
            rules("name: v", "'*'", "g", "{route: [{destination: {host: p.com, subset: v1}}]}"),
            service("p.com"),
            object(
                "DestinationRule",
                "name: r",
                &format!("{{host: p.com, {rule}, subsets: [{{name: v1, trafficPolicy: {subset}}}]}}")
            ),
        ))
    };
    let of = |subset: &str| limits(outcome(subset).cluster("outbound|80|v1|p.com"));
    let budget = Some(RetryBudget { percent: 20.0, min: 3 });
    let expected = |connections, pending| BreakerLimits {
        connections,
        pending,
        retry_budget: budget,
        ..BreakerLimits::default()
    };
    assert_eq!(of("{loadBalancer: {simple: RANDOM}}"), expected(Some(1), None));
    let pending = "{connectionPool: {http: {http1MaxPendingRequests: 5}}}";
    assert_eq!(of(pending), expected(None, Some(5)));
    let port = "{portLevelSettings: [{port: {number: 80}, loadBalancer: {simple: RANDOM}}]}";
    assert_eq!(of(port), BreakerLimits::default());
}

#[test]
fn a_retry_budget_has_istios_defaults() {
    let of = |budget: &str| {
        let outcome = with(&format!("trafficPolicy: {{retryBudget: {budget}}}"), "");
        (limits(outcome.cluster("outbound|80||p.com")).retry_budget.unwrap(), outcome.warnings())
    };
    assert_eq!(of("{minRetryConcurrency: 0}"), (RetryBudget { percent: 20.0, min: 3 }, Vec::new()));
    let own = "{percent: 12.5, minRetryConcurrency: 10}";
    assert_eq!(of(own), (RetryBudget { percent: 12.5, min: 10 }, Vec::new()));
    assert_eq!(of("{percent: 0}").0, RetryBudget { percent: 0.0, min: 3 });
    assert_eq!(of("{budgetInterval: 10s}").1.len(), 1);
}

#[test]
fn a_tunnel_is_for_connections_and_requests_are_told_so() {
    let tunnel = "trafficPolicy: {tunnel: {targetHost: '2001:db8::1', targetPort: 5432, protocol: POST}}";
    let outcome = with(tunnel, "");
    let expected = Tunnel { method: TunnelMethod::Post, target: "[2001:db8::1]:5432".into() };
    assert_eq!(outcome.cluster("outbound|80||p.com").tunnel.as_deref(), Some(&expected));
    assert_eq!(outcome.diagnostic("no-effect").field, "spec.trafficPolicy.tunnel");
    let by_bytes = compiled(&format!(
        "{}{}{}{}",
        object(
            "Gateway",
            "name: g",
            "{servers: [{port: {number: 90, name: t, protocol: TCP}, hosts: ['*']}]}"
        ),
        connections("name: v", "'*'", "g", "tcp: [{route: [{destination: {host: p.com}}]}]"),
        service("p.com"),
        object(
            "DestinationRule",
            "name: r",
            "{host: p.com, trafficPolicy: {tunnel: {targetHost: db.example.com, targetPort: 1}}}"
        ),
    ));
    let expected = Tunnel { method: TunnelMethod::Connect, target: "db.example.com:1".into() };
    assert_eq!(by_bytes.cluster("outbound|80||p.com").tunnel.as_deref(), Some(&expected));
    assert_eq!(by_bytes.warnings(), [""; 0]);
}
