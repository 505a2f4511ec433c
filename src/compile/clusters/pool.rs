//! `connectionPool`, `retryBudget` and `tunnel` of a DestinationRule to what the table has (specification sections 4.4 and
//! 4.6).

use super::policy::Policy;
use crate::{
    config::{
        Spanned,
        resources::{self, ConnectionPoolSettings, HttpSettings, TcpSettings},
    },
    table::{Breaker, BreakerLimits, IdleTime, PoolLimits, RetryBudget, TcpKeepalive, Tunnel, TunnelMethod},
};
use std::{num::NonZeroU32, sync::Arc};

/// `retryBudget.percent` where it is not given.
const BUDGET_PERCENT: f64 = 20.0;

/// `retryBudget.minRetryConcurrency` where it is not given.
const BUDGET_MIN: u32 = 3;

/// Limits of connections, requests and retries, and how long connections live. `keepalive` is that of the mesh, which a rule's
/// own replaces as a whole.
pub(super) fn limits(
    policy: Policy<'_>,
    settings: Option<&ConnectionPoolSettings>,
    keepalive: Option<&resources::TcpKeepalive>,
) -> Option<Box<PoolLimits>> {
    let tcp = settings.and_then(|settings| settings.tcp.as_deref());
    let http = settings.and_then(|settings| settings.http.as_deref());
    let own_keepalive = tcp.and_then(|tcp| tcp.tcp_keepalive.as_deref());
    let requests = http.and_then(|http| number(&http.max_requests_per_connection));
    let limits = PoolLimits {
        breaker: breaker(tcp, http, policy.retry_budget.map(|budget| &budget.value)),
        keepalive: own_keepalive.or(keepalive).map(tcp_keepalive),
        connection_age_max: tcp.and_then(|tcp| tcp.max_connection_duration.as_ref()).map(|age| age.value),
        requests_per_connection: requests.and_then(NonZeroU32::new),
        idle: idle_time(tcp, http),
    };
    (!limits.is_empty()).then(|| Box::new(limits))
}

fn breaker(
    tcp: Option<&TcpSettings>,
    http: Option<&HttpSettings>,
    budget: Option<&resources::RetryBudget>,
) -> Option<Arc<Breaker>> {
    let limits = BreakerLimits {
        connections: tcp.and_then(|tcp| number(&tcp.max_connections)),
        pending: http.and_then(|http| number(&http.http1_max_pending_requests)),
        requests: http.and_then(|http| number(&http.http2_max_requests)),
        retries: http.and_then(|http| number(&http.max_retries)),
        retry_budget: budget.map(retry_budget),
    };
    (limits != BreakerLimits::default()).then(|| Arc::new(Breaker::new(limits)))
}

/// 0 stands for the default of the field, which is no limit; `validate` has refused what is less.
fn number(field: &Option<Spanned<i32>>) -> Option<u32> {
    field.as_ref().and_then(|number| u32::try_from(number.value).ok()).filter(|number| *number > 0)
}

/// `minRetryConcurrency` is a plain number in the API, where 0 and nothing are the same.
fn retry_budget(budget: &resources::RetryBudget) -> RetryBudget {
    let min = budget.min_retry_concurrency.as_ref().map(|min| min.value).filter(|min| *min > 0);
    RetryBudget {
        percent: budget.percent.as_ref().map_or(BUDGET_PERCENT, |percent| percent.value),
        min: min.unwrap_or(BUDGET_MIN),
    }
}

fn tcp_keepalive(keepalive: &resources::TcpKeepalive) -> TcpKeepalive {
    TcpKeepalive {
        probes: keepalive.probes.as_ref().and_then(|probes| NonZeroU32::new(probes.value)),
        time: keepalive.time.as_ref().map(|time| time.value),
        interval: keepalive.interval.as_ref().map(|interval| interval.value),
    }
}

/// `http.idleTimeout`, else `tcp.idleTimeout`, which alone may be 0.
fn idle_time(tcp: Option<&TcpSettings>, http: Option<&HttpSettings>) -> IdleTime {
    let of_http = http.and_then(|http| http.idle_timeout.as_ref());
    match of_http.or_else(|| tcp?.idle_timeout.as_ref()).map(|timeout| timeout.value) {
        None => IdleTime::Own,
        Some(timeout) if timeout.is_zero() => IdleTime::Never,
        Some(timeout) => IdleTime::After(timeout),
    }
}

/// `tunnel`. `validate` asks for its target.
pub(super) fn tunnel(policy: Policy<'_>) -> Option<Box<Tunnel>> {
    let tunnel = policy.tunnel?;
    let host = tunnel.target_host.as_ref()?.as_str();
    let port = tunnel.target_port.as_ref()?.value;
    let is_post = tunnel.protocol.as_ref().is_some_and(|protocol| protocol.value == "POST");
    let target = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    let method = if is_post { TunnelMethod::Post } else { TunnelMethod::Connect };
    Some(Box::new(Tunnel { method, target: target.into() }))
}
