//! How an endpoint of a cluster is chosen (specification section 4.3).

/// `loadBalancer` of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Balance {
    /// The method.
    pub method: LoadBalancing,
}

/// `loadBalancer.simple` (specification section 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum LoadBalancing {
    /// Two random choices, the one with fewer active requests. The default.
    #[default]
    LeastRequest,
    /// One after another, by weight.
    RoundRobin,
    /// By chance, by weight.
    Random,
}
