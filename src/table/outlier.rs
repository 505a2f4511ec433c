//! When an endpoint is left out for a while (specification section 4.5).

/// `outlierDetection` of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutlierDetection {
    /// `consecutive5xxErrors`: 0 switches it off; 5 by default.
    pub consecutive_5xx: u32,
}
