//! Where a connection goes that is not HTTP.

use super::{
    cluster::{self, Reach},
    policy,
    story::{Closing, Detail, Failure, Outcome, Step, Target},
};
use crate::{
    explain::Percent,
    table::{TcpDestination, TcpRoute},
    telemetry::Flag,
};

/// What happens from a rule for connections on.
pub(super) fn follow(route: &TcpRoute, reach: Reach<'_>) -> (Vec<Step>, Outcome) {
    let mut steps = vec![Step::new("route", "all connections").from(&route.source)];
    let mut targets = Vec::new();
    for destination in &route.destinations {
        let percent = f64::from(destination.weight) * 100.0 / route.total_weight.max(1) as f64;
        let (step, target) = self::destination(destination, percent, reach);
        steps.push(step);
        targets.push(target);
    }
    (steps, Outcome::Connect(targets))
}

fn destination(destination: &TcpDestination, percent: f64, reach: Reach<'_>) -> (Step, Target) {
    let name = &destination.cluster_name;
    let text = if percent < 100.0 { format!("{} {name}", Percent(percent)) } else { name.to_string() };
    let step = Step::new("destination", text);
    let cluster = destination.cluster.and_then(|id| reach.snapshot.clusters.get(id.0 as usize));
    let endpoints = cluster.map(cluster::endpoints).unwrap_or_default();
    let close = |reason: &str, flag: Flag| {
        Some(Failure::Closed(Closing { reason: reason.to_owned(), flag: Some(flag.as_str()) }))
    };
    let failure = match cluster {
        None => close("there is no such destination", Flag::NoCluster),
        Some(_) if endpoints.is_empty() => close("it has no endpoints", Flag::NoHealthyUpstream),
        Some(_) => None,
    };
    let step = match cluster {
        Some(cluster) => {
            let idle = match cluster.tcp_idle_timeout {
                Some(time) => format!("closed after {} s without a byte", time.as_secs_f64()),
                None => "never closed for want of bytes".to_owned(),
            };
            step.from(&cluster.source)
                .with_all(cluster::details(cluster, reach))
                .with(Detail::new(idle))
                .with_all(policy::of_cluster(cluster))
        }
        None => step.with(Detail::new(cluster::UNKNOWN)),
    };
    (step, Target { cluster: name.to_string(), percent, endpoints, failure })
}
