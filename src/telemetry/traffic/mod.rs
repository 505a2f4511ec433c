//! What was asked of each route and cluster, and how it ended.
//!
//! A shard counts with [`TrafficCounts`] in series that it adds to its [`TrafficTable`] when they are first needed; pages read
//! what all shards have with [`Traffic`]. Nobody waits for anybody, and nothing is looked up in a registry for the usual
//! exchange. Series are kept by names, so that they go on when the configuration is read again; how many there may be is
//! limited, and what is beyond counts as `other`.
//!
//! - `series`: the numbers
//! - `known`: which of them there are
//! - `counts`: finding the one that an exchange counts in
//! - `read`: what all shards have, together

mod counts;
mod known;
mod read;
mod series;

pub use counts::{CLUSTERS_MAX, ENDS_MAX, ROUTES_MAX, RouteHandle, RoutePlace, TCP_ENDS_MAX, TrafficCounts};
pub use read::{ClusterTraffic, RouteTraffic, Sums, Traffic};
pub use series::{
    ClusterSeries, End, Ended, Flags, HttpSeries, ListenerSeries, RouteSeries, Spoken, TcpSeries,
};

use super::Published;

/// One shard's series. Where nothing was asked they take no memory.
#[derive(Debug, Default)]
pub struct TrafficTable {
    /// Of routes: at most [`ROUTES_MAX`], and one for what is beyond.
    pub routes: Published<RouteSeries>,
    /// Of clusters: at most [`CLUSTERS_MAX`], and one for what is beyond.
    pub clusters: Published<ClusterSeries>,
    /// Of listeners: at most some hundreds.
    pub listeners: Published<ListenerSeries>,
    /// Of exchanges, by cluster and end: at most [`ENDS_MAX`], and one for what is beyond.
    pub ends: Published<HttpSeries>,
    /// Of TCP connections, by cluster and end: at most [`TCP_ENDS_MAX`], and one for what is beyond.
    pub tcp_ends: Published<TcpSeries>,
}
