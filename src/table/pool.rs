//! Limits of a cluster's connections and requests (specification section 4.4).

/// `connectionPool` and `retryBudget` of a cluster, as far as they limit something. The default limits nothing.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct PoolLimits {
    /// `tcp.maxConnections`, of all shards together; `None`: no limit.
    pub connections: Option<u32>,
}
