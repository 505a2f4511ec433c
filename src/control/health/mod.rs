//! The health of endpoints: begun with a snapshot, kept through the answers of the resolver, swept and checked.
//!
//! Shards find out by themselves which endpoints fail, and eject them (`table::EndpointHealth`). What needs one thread for the
//! whole process is done here: letting endpoints back in, asking them whether they are well, and telling people.
//!
//! - `sweep`: lets endpoints back in, and says who went and came
//! - `checks`: which endpoints are checked, and what becomes of what is found
//! - `standing`: how many successes and failures make an endpoint good and bad
//! - `probe`: one check of one endpoint
//! - `grpc`: what `grpc.health.v1` asks and answers

mod checks;
mod grpc;
mod probe;
mod standing;
mod sweep;

pub(super) use checks::Checks;
pub(super) use sweep::sweep;

use crate::table::{Cluster, Endpoint, EndpointAddress, EndpointHealth, Endpoints, SharedHealth, Snapshot};
use std::{collections::HashMap, sync::Arc, time::Instant};

/// Gives every cluster of a new snapshot that asks for it its health, and every endpoint that is known already. Clusters that
/// have their health keep it.
pub(super) fn attach(snapshot: &mut Snapshot, now: Instant) {
    let has_none = |cluster: &&mut Cluster| cluster.has_health() && cluster.health.is_none();
    for cluster in snapshot.clusters.iter_mut().filter(has_none) {
        cluster.health = Some(crate::table::ClusterHealth::new(cluster.outlier.as_deref(), now));
        let Endpoints::Static(list) = &cluster.endpoints else { continue };
        let mut list = list.clone();
        follow(cluster, &[], &mut list);
        cluster.endpoints = Endpoints::Static(list);
    }
}

/// Gives a cluster's new list of endpoints its health: those that stay keep theirs, and those that are gone count no longer.
pub(super) fn follow(cluster: &Cluster, before: &[Endpoint], after: &mut [Endpoint]) {
    go_on(cluster, before, after).iter().for_each(|gone| gone.retire());
}

/// As [`follow`], but those that are gone still count; they are returned.
pub(super) fn go_on(
    cluster: &Cluster,
    before: &[Endpoint],
    after: &mut [Endpoint],
) -> Vec<Arc<EndpointHealth>> {
    let Some(health) = &cluster.health else { return Vec::new() };
    let waits = cluster.health_check.as_ref().is_some_and(|check| check.waits);
    let mut known: HashMap<&EndpointAddress, &Arc<EndpointHealth>> =
        before.iter().filter_map(|endpoint| Some((&endpoint.address, endpoint.health()?))).collect();
    let mut given: HashMap<EndpointAddress, Arc<EndpointHealth>> = HashMap::new();
    for endpoint in after {
        // Two names may have the same address, with different weights.
        let own = given.entry(endpoint.address.clone()).or_insert_with(|| {
            let kept = known.remove(&endpoint.address);
            kept.map_or_else(|| EndpointHealth::new(health, waits), Arc::clone)
        });
        endpoint.health = SharedHealth(Some(Arc::clone(own)));
    }
    known.into_values().map(Arc::clone).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{Evidence, HealthCheck, OutlierDetection, Probe};
    use std::time::Duration;

    fn endpoint(port: u16) -> Endpoint {
        Endpoint { address: EndpointAddress::Tcp(([127, 0, 0, 1], port).into()), ..Endpoint::any() }
    }

    fn watched(ports: &[u16]) -> Cluster {
        let outlier =
            OutlierDetection { consecutive_5xx: 1, max_ejection_percent: 100, ..OutlierDetection::default() };
        let endpoints = Endpoints::Static(ports.iter().map(|port| endpoint(*port)).collect());
        Cluster { outlier: Some(Box::new(outlier)), endpoints, ..Cluster::any() }
    }

    fn attached(cluster: Cluster) -> Cluster {
        let mut snapshot = Snapshot { clusters: vec![cluster], ..Snapshot::default() };
        attach(&mut snapshot, Instant::now());
        snapshot.clusters.remove(0)
    }

    #[test]
    fn what_nobody_asks_for_is_not_there() {
        let cluster = attached(Cluster { endpoints: Endpoints::Static(vec![endpoint(1)]), ..Cluster::any() });
        assert!(cluster.health.is_none());
        let Endpoints::Static(list) = &cluster.endpoints else { panic!() };
        assert!(list[0].health().is_none());
    }

    #[test]
    fn who_stays_stays_ejected_and_who_goes_makes_room() {
        let cluster = attached(watched(&[1, 2]));
        let Endpoints::Static(before) = &cluster.endpoints else { panic!() };
        let now = Instant::now();
        before.iter().for_each(|e| e.health().unwrap().learn(Evidence::Failed, 2, now));
        assert_eq!(cluster.health.as_ref().unwrap().ejected(), 2);
        let mut after = [endpoint(3), endpoint(2), Endpoint { weight: 7, ..endpoint(2) }];
        follow(&cluster, before, &mut after);
        let out = after.each_ref().map(|e| e.health().unwrap().is_ejected());
        assert_eq!(out, [false, true, true]);
        assert_eq!(cluster.health.as_ref().unwrap().ejected(), 1);
    }

    #[test]
    fn new_endpoints_wait_where_they_are_asked_first() {
        let check = HealthCheck {
            probe: Probe::Tcp,
            interval: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
            healthy_threshold: 1,
            unhealthy_threshold: 1,
            port: None,
            waits: true,
            min_health_percent: None,
        };
        let cluster = attached(Cluster { health_check: Some(Box::new(check)), ..watched(&[1]) });
        let Endpoints::Static(list) = &cluster.endpoints else { panic!() };
        assert!(!list[0].health().unwrap().is_good());
    }
}
