//! What a DestinationRule says of a cluster's connections (specification section 4.4).

use super::Breaker;
use std::{num::NonZeroU32, sync::Arc, time::Duration};

/// `connectionPool` and `retryBudget` of a cluster, as far as they say something. The default says nothing.
///
/// What is here holds for the whole process: a cluster is one host, port and subset, whatever the number of its endpoints
/// and of the gateway's shards.
#[derive(Clone, Debug, Default)]
pub struct PoolLimits {
    /// What is counted over all shards; `None`: nothing is limited, and nothing is counted.
    pub breaker: Option<Arc<Breaker>>,
    /// `tcp.tcpKeepalive`, else `meshConfig.tcpKeepalive`; `None`: silent connections are not probed.
    pub keepalive: Option<TcpKeepalive>,
    /// `tcp.maxConnectionDuration`, at least 1 ms: an HTTP connection of that age takes no new request and is closed when it
    /// has none; a TCP connection is closed. `None`: connections become as old as they like.
    pub connection_age_max: Option<Duration>,
    /// `http.maxRequestsPerConnection`: a connection that has carried so many is closed; 1 means that none is kept. `None`: no
    /// limit.
    pub requests_per_connection: Option<NonZeroU32>,
    /// `http.idleTimeout`, else `tcp.idleTimeout`: how long an HTTP connection is kept without a request.
    pub idle: IdleTime,
}

impl PoolLimits {
    /// Whether it says the same as another one, whatever is in use.
    pub fn is_like(&self, other: &PoolLimits) -> bool {
        let PoolLimits { breaker, keepalive, connection_age_max, requests_per_connection, idle } = self;
        let limits = |breaker: &Option<Arc<Breaker>>| breaker.as_ref().map(|breaker| *breaker.limits());
        limits(breaker) == limits(&other.breaker)
            && *keepalive == other.keepalive
            && *connection_age_max == other.connection_age_max
            && *requests_per_connection == other.requests_per_connection
            && *idle == other.idle
    }

    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        let PoolLimits { breaker, keepalive, connection_age_max, requests_per_connection, idle } = self;
        breaker.is_none()
            && keepalive.is_none()
            && connection_age_max.is_none()
            && requests_per_connection.is_none()
            && *idle == IdleTime::Own
    }
}

/// How long an HTTP connection is kept without a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum IdleTime {
    /// Nobody says: the gateway's own time.
    #[default]
    Own,
    /// So long; at least 1 ms, in steps of 100 ms.
    After(Duration),
    /// For ever (`tcp.idleTimeout: 0s`).
    Never,
}

/// `SO_KEEPALIVE` on connections to endpoints. What is not given is the operating system's (tcp(7)); the kernel counts in
/// whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct TcpKeepalive {
    /// Probes without an answer after which the connection is given up; Linux: 9.
    pub probes: Option<NonZeroU32>,
    /// The silence before the first probe; Linux: 2 h.
    pub time: Option<Duration>,
    /// The time between two probes; Linux: 75 s.
    pub interval: Option<Duration>,
}

/// `tunnel`: TCP connections go through an HTTP proxy, which the endpoints are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tunnel {
    /// How the proxy is asked.
    pub method: TunnelMethod,
    /// `targetHost:targetPort`, an IPv6 address in brackets: what the proxy is asked to connect to.
    pub target: Box<str>,
}

/// How a proxy is asked for a tunnel (`tunnel.protocol`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TunnelMethod {
    /// RFC 9110 section 9.3.6: what follows the head of the answer are the bytes of the tunnel.
    Connect,
    /// The bytes are the bodies of a request `POST /` and of its answer, as Envoy has it with `use_post`.
    Post,
}
