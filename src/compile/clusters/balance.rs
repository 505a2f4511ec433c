//! `loadBalancer` of a DestinationRule to what the table has (specification section 4.3).

use super::policy::Policy;
use crate::{
    config::resources::SimpleLb,
    table::{Balance, LoadBalancing},
};

/// How an endpoint is chosen.
pub(super) fn balance(policy: Policy<'_>) -> Balance {
    let simple = policy.load_balancer.and_then(|lb| lb.simple.as_ref()).map(|simple| simple.value);
    Balance { method: load_balancing(simple) }
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
