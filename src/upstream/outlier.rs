//! A shard's view of which endpoints are good, and what it learns for all shards from its attempts.
//!
//! The truth is shared ([`EndpointHealth`]). A shard looks at it only when it has changed: one number of the cluster says so, and
//! reading it is all that a request costs where nothing has happened. A cluster without `outlierDetection` and without a
//! health check has no such number.

use super::{Ailment, Cluster, Endpoint, Outcome};
use crate::table::Evidence;
use std::time::Instant;

impl Cluster {
    /// Whether anybody wants to know how its endpoints do.
    pub fn keeps_health(&self) -> bool {
        self.health.is_some()
    }

    /// Learns from a request at one of its endpoints.
    pub fn learn(&self, endpoint: &Endpoint, outcome: Outcome, now: Instant) {
        let evidence = match outcome {
            Outcome::Answered(status) => Evidence::Answered(status),
            Outcome::ConnectFailed | Outcome::Reset => Evidence::Failed,
            Outcome::TimedOut => Evidence::TimedOut,
        };
        self.learn_evidence(endpoint, evidence, now);
    }

    /// Learns from a connection to one of its endpoints that is not HTTP.
    pub fn learn_connected(&self, endpoint: &Endpoint, succeeded: bool, now: Instant) {
        let evidence = if succeeded { Evidence::Connected } else { Evidence::Failed };
        self.learn_evidence(endpoint, evidence, now);
    }

    fn learn_evidence(&self, endpoint: &Endpoint, evidence: Evidence, now: Instant) {
        if let Some(health) = endpoint.health() {
            health.learn(evidence, self.endpoints.borrow().len(), now);
        }
    }

    /// Looks at the endpoints' health, if anything has changed since the last time.
    pub(super) fn look_at_health(&self, now: Instant) {
        let Some(health) = &self.health else { return };
        let changes = health.changes();
        if self.seen.replace(changes) == changes {
            return;
        }
        let is_news =
            self.endpoints().iter().fold(false, |news, endpoint| endpoint.look_at_health(now) | news);
        if is_news {
            self.health_changed();
        }
    }
}

impl Endpoint {
    /// Takes over what is known of it now. Returns whether that is news about its health.
    pub(super) fn look_at_health(&self, now: Instant) -> bool {
        let Some(health) = self.health() else { return false };
        let ejection = self.set_healthy(Ailment::Ejected, !health.is_ejected(), now);
        let checks = self.set_healthy(Ailment::FailedChecks, !health.is_failing_checks(), now);
        // What comes as the other goes is none, but it is rare, and to look again costs little.
        ejection | checks
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Place, *};
    use crate::{
        table::{
            self, Balance, ClusterHealth, EndpointAddress, EndpointHealth, Endpoints, OutlierDetection,
            SharedHealth,
        },
        upstream::{Pick, Random},
    };
    use std::{rc::Rc, sync::Arc};

    const BAD: Outcome = Outcome::Answered(500);

    /// Two shards' views of one cluster, and the health of its endpoints.
    fn shards(outlier: OutlierDetection, endpoints: u16) -> ([Cluster; 2], Vec<Arc<EndpointHealth>>) {
        let health = ClusterHealth::new(Some(&outlier), Instant::now());
        let panic_percent = outlier.min_health_percent as u8;
        let of_endpoints: Vec<_> = (0..endpoints).map(|_| EndpointHealth::new(&health, false)).collect();
        let endpoint = |(port, health): (u16, &Arc<EndpointHealth>)| table::Endpoint {
            address: EndpointAddress::Tcp(([127, 0, 0, 1], port).into()),
            health: SharedHealth(Some(Arc::clone(health))),
            ..table::Endpoint::any()
        };
        let list = (1..).zip(&of_endpoints).map(endpoint).collect();
        let compiled = table::Cluster {
            endpoints: Endpoints::Static(list),
            outlier: Some(Box::new(outlier)),
            health: Some(health),
            balance: Balance { panic_percent, ..Balance::default() },
            ..table::Cluster::any()
        };
        let shard = || Cluster::new(&compiled, &Place::default());
        ([shard(), shard()], of_endpoints)
    }

    fn one_is_enough() -> OutlierDetection {
        OutlierDetection { consecutive_5xx: 1, max_ejection_percent: 100, ..OutlierDetection::default() }
    }

    fn chosen(cluster: &Cluster) -> Option<Rc<Endpoint>> {
        cluster.choose(&Pick::first(&Random::default(), Instant::now()))
    }

    #[test]
    fn what_one_shard_learns_all_know() {
        let ([here, there], _) = shards(one_is_enough(), 2);
        let bad = chosen(&here).unwrap();
        here.learn(&bad, BAD, Instant::now());
        for cluster in [&here, &there] {
            for _ in 0..50 {
                assert_ne!(chosen(cluster).unwrap().display, bad.display);
            }
        }
    }

    #[test]
    fn none_is_chosen_where_all_are_out_until_one_is_back() {
        let ([here, there], health) = shards(one_is_enough(), 1);
        here.learn(&chosen(&here).unwrap(), BAD, Instant::now());
        assert!(chosen(&here).is_none() && chosen(&there).is_none());
        health[0].checked(true, Instant::now());
        assert!(chosen(&here).is_some() && chosen(&there).is_some());
    }

    #[test]
    fn all_are_used_below_the_share_that_must_be_good() {
        let panics = OutlierDetection { min_health_percent: 50, ..one_is_enough() };
        let ([cluster, _], _) = shards(panics, 3);
        let out = |cluster: &Cluster, wanted: usize| {
            let list = cluster.endpoints();
            list[..wanted].iter().for_each(|endpoint| cluster.learn(endpoint, BAD, Instant::now()));
            let seen: std::collections::HashSet<_> =
                (0..200).filter_map(|_| chosen(cluster)).map(|endpoint| endpoint.display.clone()).collect();
            seen.len()
        };
        assert_eq!(out(&cluster, 1), 2);
        assert_eq!(out(&cluster, 2), 3);
    }

    #[test]
    fn with_ten_percent_two_endpoints_stay() {
        let ([cluster, _], health) =
            shards(OutlierDetection { consecutive_5xx: 1, ..OutlierDetection::default() }, 2);
        let endpoint = chosen(&cluster).unwrap();
        (0..20).for_each(|_| cluster.learn(&endpoint, BAD, Instant::now()));
        assert!(health.iter().all(|health| health.is_good()));
    }
}
