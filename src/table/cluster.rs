//! Where requests go: one destination's endpoints and policy.

use super::{
    AppliedPolicy, Balance, ClusterHealth, EndpointHealth, HealthCheck, OutlierDetection, PoolLimits,
    SharedHealth, Source, Tunnel,
};
use crate::http::Version;
use std::{fmt, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

/// An index into [`Snapshot::clusters`](super::Snapshot::clusters).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClusterId(pub u32);

/// One destination: host, port and subset, with its endpoints and how to reach them.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// As Envoy names it in Istio: `outbound|80|v1|reviews.default.svc.cluster.local`.
    pub name: Box<str>,
    /// Where the connections go.
    pub endpoints: Endpoints,
    /// How an endpoint is chosen.
    pub balance: Balance,
    /// When an endpoint is left out for a while; `None`: never.
    pub outlier: Option<Box<OutlierDetection>>,
    /// How endpoints are asked whether they are well; `None`: they are not asked.
    pub health_check: Option<Box<HealthCheck>>,
    /// What its endpoints' health has in common, from when the control thread begins to keep it; `None` where there is neither
    /// `outlierDetection` nor a health check.
    pub health: Option<Arc<ClusterHealth>>,
    /// Limits of connections, requests and retries, and how long connections live; `None`: nothing is said of that.
    pub limits: Option<Box<PoolLimits>>,
    /// What is spoken to the endpoints.
    pub protocol: UpstreamProtocol,
    /// `connectionPool.tcp.connectTimeout`; 10 s by default.
    pub connect_timeout: Duration,
    /// TLS to the endpoints; `None`: plain text.
    pub tls: Option<UpstreamTls>,
    /// `proxyProtocol`: the client's address is sent before everything else.
    pub proxy_protocol: Option<ProxyVersion>,
    /// `connectionPool.tcp.idleTimeout`: a TCP connection on which nothing moves in either direction is closed after this
    /// long; an hour by default, and `None` (`0s`) never.
    pub tcp_idle_timeout: Option<Duration>,
    /// `connectionPool.http.maxConcurrentStreams`: the most requests at a time on one HTTP/2 connection, 1 to 2^31-1; the
    /// endpoint's own SETTINGS_MAX_CONCURRENT_STREAMS holds beside it. [`STREAMS_MAX`] by default, which is no limit.
    pub max_concurrent_streams: u32,
    /// `connectionPool.http.http2KeepAlive`: pings on HTTP/2 connections; `None`: none are sent.
    pub http2_keepalive: Option<Http2Keepalive>,
    /// `tunnel`: TCP connections go through an HTTP proxy; `None`: they go to the endpoints themselves.
    pub tunnel: Option<Box<Tunnel>>,
    /// The ServiceEntry or Service that it comes from.
    pub source: Source,
    /// The DestinationRules that hold for it, if there are any.
    pub policy: Option<Box<AppliedPolicy>>,
}

impl Cluster {
    /// Whether it is the same as another one but for where it is written: whoever serves one can go on with the other. What
    /// changes while it is served, such as the health of endpoints, does not matter. `same_tls` says whether two contexts
    /// are one; their numbers may be of two snapshots.
    pub fn is_like(&self, other: &Cluster, same_tls: impl FnOnce(ClientTlsId, ClientTlsId) -> bool) -> bool {
        let Cluster {
            name,
            endpoints,
            balance,
            outlier,
            health_check,
            health: _,
            limits,
            protocol,
            connect_timeout,
            tls,
            proxy_protocol,
            tcp_idle_timeout,
            max_concurrent_streams,
            http2_keepalive,
            tunnel,
            source: _,
            policy: _,
        } = self;
        let tls_is_like = match (tls, &other.tls) {
            (None, None) => true,
            (Some(own), Some(other)) => {
                own.server_name == other.server_name && same_tls(own.context, other.context)
            }
            _ => false,
        };
        let limits_are_like = match (limits, &other.limits) {
            (None, None) => true,
            (Some(own), Some(other)) => own.is_like(other),
            _ => false,
        };
        tls_is_like
            && limits_are_like
            && *name == other.name
            && *endpoints == other.endpoints
            && balance.is_like(&other.balance)
            && *outlier == other.outlier
            && *health_check == other.health_check
            && *protocol == other.protocol
            && *connect_timeout == other.connect_timeout
            && *proxy_protocol == other.proxy_protocol
            && *tcp_idle_timeout == other.tcp_idle_timeout
            && *max_concurrent_streams == other.max_concurrent_streams
            && *http2_keepalive == other.http2_keepalive
            && *tunnel == other.tunnel
    }

    /// Whether endpoints can be found bad.
    pub fn has_health(&self) -> bool {
        self.outlier.is_some() || self.health_check.is_some()
    }
}

/// The most streams that an HTTP/2 connection can have: half of the 31-bit identifiers would do (RFC 9113 section 5.1.1),
/// and Envoy takes no more for its `max_concurrent_streams`.
pub const STREAMS_MAX: u32 = i32::MAX as u32;

/// `connectionPool.http.http2KeepAlive`: whether the endpoint still answers on an HTTP/2 connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Http2Keepalive {
    /// The time between two pings; at least 1 ms.
    pub interval: Duration,
    /// A connection whose ping is not answered for so long is closed; at least 1 ms.
    pub timeout: Duration,
}

/// An index into [`Snapshot::client_tls`](super::Snapshot::client_tls).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientTlsId(pub u32);

/// TLS to a cluster's endpoints.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UpstreamTls {
    /// Certificates, authorities and versions.
    pub context: ClientTlsId,
    /// What is sent as SNI.
    pub server_name: ServerName,
}

impl UpstreamTls {
    /// Whether the name that the certificate is checked for is another for every request.
    pub fn depends_on_request(&self) -> bool {
        self.server_name == ServerName::FromAuthority
    }
}

/// What is sent as SNI to an upstream.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ServerName {
    /// The request's host as the destination sees it, without its port; none for TCP (`sni` is not set).
    FromAuthority,
    /// Always this.
    Fixed(Box<str>),
}

/// The version of the PROXY protocol that is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProxyVersion {
    /// The text form.
    V1,
    /// The binary form.
    V2,
}

/// Where a cluster's endpoints come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoints {
    /// Known addresses. An empty list answers 503 `UH`.
    Static(Vec<Endpoint>),
    /// Names that the control thread resolves and refreshes.
    Dns {
        /// How the addresses are used.
        kind: DnsKind,
        /// The names, each with its port.
        names: Vec<DnsName>,
    },
}

/// How the addresses of a name are used (`ServiceEntry.resolution`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DnsKind {
    /// `DNS`: every address of every name is an endpoint.
    Strict,
    /// `DNS_ROUND_ROBIN`: one logical endpoint; a new connection goes to the address that is currently first.
    Logical,
}

/// One name to resolve.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DnsName {
    /// The name, without a trailing dot.
    pub host: Box<str>,
    /// The port of its addresses.
    pub port: u16,
    /// The weight of each of its addresses.
    pub weight: u32,
    /// Where each of its addresses is.
    pub placement: Placement,
}

/// One address of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// Where to connect to.
    pub address: EndpointAddress,
    /// Its share of the traffic relative to the others; never 0.
    pub weight: u32,
    /// Where it is.
    pub placement: Placement,
    /// Whether it is good, for all shards; nothing where its cluster does not ask.
    pub health: SharedHealth,
}

impl Endpoint {
    /// Whether it is good, for all shards, where its cluster asks.
    pub fn health(&self) -> Option<&Arc<EndpointHealth>> {
        self.health.0.as_ref()
    }
}

/// Where an endpoint is, as far as that decides how much it gets (`localityLbSetting`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Placement {
    /// How far away it is: 0 is used first, and the next one as far as endpoints of the one before have failed. Below
    /// [`PRIORITIES_MAX`](super::PRIORITIES_MAX), without gaps within a cluster.
    pub priority: u8,
    /// Its place among those of the cluster: an index into [`Balance::place_weights`], where there are any.
    pub place: u16,
}

/// An address to connect to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum EndpointAddress {
    /// An IP address and port.
    Tcp(SocketAddr),
    /// A path of a Unix socket; one that begins with `@` is in the abstract namespace.
    Unix(PathBuf),
}

impl fmt::Display for EndpointAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EndpointAddress::Tcp(address) => address.fmt(f),
            EndpointAddress::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

/// What is spoken to a cluster's endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum UpstreamProtocol {
    /// HTTP/1.1
    #[default]
    Http1,
    /// HTTP/2 with prior knowledge; in TLS with ALPN `h2`.
    Http2,
    /// `connectionPool.http.useClientProtocol`: HTTP/2 for a client of HTTP/2, HTTP/1.1 for one of HTTP/1.
    Client,
}

impl UpstreamProtocol {
    /// Whether HTTP/2 is spoken for a request that came in this version.
    pub fn is_http2_for(self, client: Version) -> bool {
        match self {
            UpstreamProtocol::Http1 => false,
            UpstreamProtocol::Http2 => true,
            UpstreamProtocol::Client => client == Version::Http2,
        }
    }
}

impl fmt::Display for UpstreamProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            UpstreamProtocol::Http1 => "HTTP/1.1",
            UpstreamProtocol::Http2 => "HTTP/2",
            UpstreamProtocol::Client => "what the client speaks",
        })
    }
}
