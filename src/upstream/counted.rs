//! Connections as they are counted for their cluster.

use super::Cluster;
use crate::telemetry::{ClusterSeries, bump};
use std::sync::Arc;

/// A connection to a cluster: counted as open until it is dropped.
pub struct Counted(Option<Arc<ClusterSeries>>);

impl Counted {
    /// Counts a connection that was opened.
    pub(super) fn opened(cluster: &Cluster) -> Counted {
        let series = cluster.series().cloned();
        if let Some(series) = &series {
            bump(&series.connections, 1);
            bump(&series.connections_active, 1);
        }
        Counted(series)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if let Some(series) = &self.0 {
            bump(&series.connections_active, 1u64.wrapping_neg());
        }
    }
}
