//! Copies of requests (specification section 3.4, `mirror` and `mirrors`).

use super::ClusterId;
use std::sync::Arc;

/// One entry of `mirrors`, or `mirror`.
#[derive(Clone, Debug, PartialEq)]
pub struct Mirror {
    /// The cluster, or nothing where host, port or subset is unknown: then nothing is sent.
    pub cluster: Option<ClusterId>,
    /// The cluster's name, also where it does not exist.
    pub cluster_name: Arc<str>,
    /// The share of requests that are copied, in percent, 0 to 100.
    pub percent: f64,
}
