//! The compiled form of the configuration, and its look-ups.
//!
//! A [`Snapshot`] is made by `compile`, never changed but for the numbers of its [`Breaker`]s and the health of its
//! endpoints, and shared by all shards. Nothing in here knows YAML, does I/O or asks the time.
//!
//! - `authorization`: who may do what
//! - `balance`: how an endpoint is chosen
//! - `breaker`: what is counted over all shards for a cluster with limits
//! - `checks`: what is decided about a request before the route's action
//! - `claim`: what a route asks of the claims of a token
//! - `cluster`: where requests go: endpoints and policy
//! - `display`: what a route asks, in Istio's words
//! - `filter_chain`: the filter chains of one TLS port, found by SNI
//! - `explain`: why a request finds what it finds
//! - `health`: which endpoints are good, for all shards together
//! - `health_check`: how endpoints are asked whether they are well
//! - `host`: route tables and virtual hosts, and how a request finds its route
//! - `host_index`, `route_index`: how `host` finds things without looking at all of them
//! - `listener`: where connections come in
//! - `matcher`: what a route asks of a request
//! - `mirror`: copies of requests
//! - `outlier`: when an endpoint is left out
//! - `pattern`: regular expressions
//! - `policy_source`: where a policy comes from
//! - `pool`: what is said of a cluster's connections: limits, ages, tunnels
//! - `re2`: RE2's syntax, translated
//! - `redirect`: `redirect` and `httpsRedirect`: the location
//! - `retry`: what is tried again
//! - `rewrite`: `rewrite.uri` and `rewrite.uriRegexRewrite`
//! - `route`: routes and what they do
//! - `settings`: what holds for the whole gateway
//! - `telemetry`: what is logged, traced and counted
//! - `tcp`: where connections go that are not HTTP
//! - `trace_policy`: how requests are traced
//! - `source`: where in the user's files a thing comes from

mod authorization;
mod balance;
mod breaker;
mod checks;
mod claim;
mod cluster;
mod display;
mod explain;
mod filter_chain;
mod health;
mod health_check;
mod host;
mod host_index;
mod listener;
mod matcher;
mod mirror;
mod outlier;
mod pattern;
mod policy_source;
mod pool;
mod re2;
mod redirect;
mod retry;
mod rewrite;
mod route;
mod route_index;
mod settings;
mod source;
mod tcp;
mod trace_policy;
mod telemetry;
#[cfg(test)]
pub(crate) mod test_support;

pub use authorization::{Authorization, AuthorizationPolicy};
pub use balance::{
    Balance, ConsistentHash, HashAlgorithm, HashEntry, HashTable, LoadBalancing, PANIC_PERCENT,
    PRIORITIES_MAX, Warmup,
};
pub use breaker::{Breaker, BreakerLimits, Full, Resource, RetryBudget, SHARD_BITS};
pub use checks::{Checks, CorsPolicy, IssuedCookie, RateLimited, StickySplit};
pub use claim::ClaimMatch;
pub use cluster::{
    ClientTlsId, Cluster, ClusterId, DnsKind, DnsName, Endpoint, EndpointAddress, Endpoints, Http2Keepalive,
    Placement, ProxyVersion, STREAMS_MAX, ServerName, UpstreamProtocol, UpstreamTls,
};
pub use explain::{
    Condition, NearHost, Nearness, RouteReport, Verdict, explain_match, explain_routes, nearest_hosts,
    nearest_routes,
};
pub use filter_chain::{ChainAction, ChainIndex, FilterChain, ServerTlsId};
pub use health::{ClusterHealth, EndpointHealth, Evidence, Reason, SharedHealth};
pub use health_check::{HealthCheck, HttpProbe, Probe};
pub use host::{Lookup, RouteTable, TableId, VirtualHost};
pub use listener::{BindAddress, Chain, Listener};
pub use matcher::{HeaderMatch, HeaderName, PathMatch, QueryMatch, RouteMatch, StringMatch, ValueMatch};
pub use mirror::Mirror;
pub use outlier::{EJECTION_TIME_MAX, OutlierDetection};
pub use pattern::{PATTERN_LENGTH_MAX, Pattern, PatternError};
pub use policy_source::{AppliedPolicy, PolicyBlock, PolicyField, PolicyPlace};
pub use pool::{IdleTime, PoolLimits, TcpKeepalive, Tunnel, TunnelMethod};
pub use redirect::{Redirect, RedirectPath, RedirectPort, https_location};
pub use retry::{AnswerHead, Lost, RetryOn, RetryPolicy};
pub use rewrite::{PathRewrite, RegexRewrite, RewriteError};
pub use route::{Action, Destination, DirectResponse, Forward, Route};
pub use settings::{
    ConnectionAge, ForwardClientCert, Http2Settings, PathNormalization, ProxyProtocol, ServerHeader,
    Settings, UnderscoreAction,
};
pub use source::Source;
pub use tcp::{TcpChain, TcpDestination, TcpProtocol, TcpRoute};
pub use telemetry::{
    AccessLogging, FileLog, LabelChange, MetricChange, MetricChanges, ProviderHttp, ProviderValue, TagSource,
    Telemetry, Tracing, TracingBackend, TracingProvider,
};
pub use trace_policy::{Collector, CollectorPlace, SAMPLING_PARTS, TagValue, TracePolicy};

use crate::filter::Authentication;
use crate::tls::{ClientSpec, ServerSpec};

/// Everything compiled from the resources: immutable, with one generation number.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// Counts the configurations that have been made active in this process, from 1.
    pub generation: u64,
    /// What holds for the whole gateway.
    pub settings: Settings,
    /// One for every (bind address, port), in merge order.
    pub listeners: Vec<Listener>,
    /// Route tables; a [`TableId`] is an index into this.
    pub route_tables: Vec<RouteTable>,
    /// Clusters that some route names; a [`ClusterId`] is an index into this.
    pub clusters: Vec<Cluster>,
    /// How TLS is ended; a [`ServerTlsId`] is an index into this.
    pub server_tls: Vec<ServerSpec>,
    /// The tokens that are verified; nothing where no RequestAuthentication applies.
    pub authentication: Option<Box<Authentication>>,
    /// How TLS is begun; a [`ClientTlsId`] is an index into this.
    pub client_tls: Vec<ClientSpec>,
    /// Who may do what; nothing where no policy applies.
    pub authorization: Option<Box<Authorization>>,
    /// How requests are traced; nothing where they are not.
    pub tracing: Option<Box<TracePolicy>>,
    /// What is logged, traced and counted.
    pub telemetry: Telemetry,
}
