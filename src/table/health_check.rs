//! How endpoints are asked whether they are well: the annotation `sluicegate.io/health-check`. Istio has nothing like it.

use std::{ops::RangeInclusive, time::Duration};

/// The health check of a cluster. The control thread makes it, once for the process and not for each shard.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HealthCheck {
    /// What is asked.
    pub probe: Probe,
    /// `interval`: from the end of one check to the begin of the next; 5 s by default, at least 100 ms. A tenth more or less,
    /// by chance.
    pub interval: Duration,
    /// `timeout`: a check that takes longer has failed; 1 s by default, at least 1 ms.
    pub timeout: Duration,
    /// `healthyThreshold`: so many successes in a row make a bad endpoint good; 2 by default, at least 1.
    pub healthy_threshold: u32,
    /// `unhealthyThreshold`: so many failures in a row make a good endpoint bad; 3 by default, at least 1.
    pub unhealthy_threshold: u32,
    /// `port`: the port that is asked; `None`: the endpoint's own.
    pub port: Option<u16>,
    /// `initially: unhealthy`: a new endpoint gets no requests until its first check has succeeded.
    pub waits: bool,
    /// `minHealthPercent`: where a smaller share of the endpoints is good, all are used. `None`: as `outlierDetection` says, and
    /// without it never.
    pub min_health_percent: Option<u32>,
}

/// What a health check asks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Probe {
    /// A request of HTTP, in the version that the cluster's requests have.
    Http(HttpProbe),
    /// A connection, with its handshake where the cluster has TLS.
    Tcp,
    /// `grpc.health.v1.Health/Check`, which has to answer `SERVING`.
    Grpc {
        /// The service that is asked about; empty: the server as a whole.
        service: Box<str>,
        /// The `:authority`.
        host: Box<str>,
    },
}

/// The request of a health check.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HttpProbe {
    /// `method`: `GET` by default.
    pub method: Box<str>,
    /// `path`, with its query; begins with `/`.
    pub path: Box<str>,
    /// `host`: that of the service by default.
    pub host: Box<str>,
    /// `expectedStatuses`: 200 by default.
    pub statuses: Box<[RangeInclusive<u16>]>,
}

impl HealthCheck {
    /// The name that is asked for in HTTP, and in TLS where nothing else is fixed.
    pub fn host(&self) -> Option<&str> {
        match &self.probe {
            Probe::Http(HttpProbe { host, .. }) | Probe::Grpc { host, .. } => Some(host),
            Probe::Tcp => None,
        }
    }
}
