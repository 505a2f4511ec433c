//! The compiled form of the configuration, and its look-ups.
//!
//! A [`Snapshot`] is made by `compile`, never changed, and shared by all shards. Nothing in here knows YAML, does
//! I/O or asks the time.
//!
//! - `cluster`: where requests go: endpoints and policy
//! - `listener`: where connections come in
//! - `matcher`: what a route asks of a request
//! - `route`: route tables, virtual hosts, routes and what they do
//! - `settings`: what holds for the whole gateway
//! - `source`: where in the user's files a thing comes from

mod cluster;
mod listener;
mod matcher;
mod route;
mod settings;
mod source;

pub use cluster::{
    Cluster, ClusterId, DnsKind, DnsName, Endpoint, EndpointAddress, Endpoints, LoadBalancing,
    UpstreamProtocol,
};
pub use listener::{BindAddress, Chain, Listener};
pub use matcher::{HeaderMatch, HeaderName, PathMatch, QueryMatch, RouteMatch, StringMatch, ValueMatch};
pub use route::{
    Action, Destination, DirectResponse, Forward, Lookup, PathRewrite, Redirect, RedirectPath, RedirectPort,
    Route, RouteTable, TableId, VirtualHost,
};
pub use settings::{PathNormalization, ServerHeader, Settings, UnderscoreAction};
pub use source::Source;

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
}
