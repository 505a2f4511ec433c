//! Where connections go that are not HTTP.

use super::{ClusterId, Source};
use std::sync::Arc;

/// What a plain TCP listener does.
#[derive(Debug)]
pub struct TcpChain {
    /// The destinations.
    pub route: TcpRoute,
    /// What is spoken on it, as far as the gateway looks.
    pub protocol: TcpProtocol,
}

/// What is spoken on a TCP port, as far as the gateway looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum TcpProtocol {
    /// Bytes.
    #[default]
    Opaque,
    /// MongoDB's wire protocol: its commands are counted.
    Mongo,
}

/// The destinations of connections (`tcp[].route`, `tls[].route`), chosen by weight for each.
#[derive(Debug)]
pub struct TcpRoute {
    /// At least one; weights sum to more than zero, and one with weight 0 is not in the list.
    pub destinations: Vec<TcpDestination>,
    /// Sum of the weights.
    pub total_weight: u64,
    /// The rule (VirtualService, file, line).
    pub source: Source,
}

/// One entry of `route[]`.
#[derive(Debug)]
pub struct TcpDestination {
    /// The cluster, or nothing where host, port or subset is unknown: the connection is closed (`NC`).
    pub cluster: Option<ClusterId>,
    /// The cluster's name, also where it does not exist.
    pub cluster_name: Arc<str>,
    /// Never 0.
    pub weight: u32,
}
