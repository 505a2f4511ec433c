//! `loadBalancer` and `outlierDetection` of a DestinationRule to what the table has (specification sections 4.3 and 4.5).

use super::policy::Policy;
use crate::{
    compile::mesh::Mesh,
    config::resources::SimpleLb,
    table::{Balance, LoadBalancing, OutlierDetection},
};

/// How an endpoint is chosen.
pub(super) fn balance(policy: Policy<'_>) -> Balance {
    let simple = policy.load_balancer.and_then(|lb| lb.simple.as_ref()).map(|simple| simple.value);
    Balance { method: load_balancing(simple), ..Balance::default() }
}

/// When an endpoint is left out.
pub(super) fn outlier(_policy: Policy<'_>, _mesh: Mesh<'_>) -> Option<Box<OutlierDetection>> {
    None
}

fn load_balancing(simple: Option<SimpleLb>) -> LoadBalancing {
    match simple {
        Some(SimpleLb::RoundRobin) => LoadBalancing::RoundRobin,
        Some(SimpleLb::Random) => LoadBalancing::Random,
        None
        | Some(
            SimpleLb::Unspecified | SimpleLb::LeastConn | SimpleLb::LeastRequest | SimpleLb::Passthrough,
        ) => LoadBalancing::LeastRequest,
    }
}
