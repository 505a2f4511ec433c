//! What a new snapshot takes over from the one before: all that was learnt of clusters, and what was taken of rate limits.

use crate::{
    control::health,
    table::{Cluster, ClusterId, EndpointHealth, Endpoints, RateLimited, Snapshot},
};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Instant,
};

/// What became of the clusters.
#[derive(Default)]
pub(super) struct Carried {
    /// For each new cluster the old one that it is like.
    pub(super) goes_on: Vec<Option<ClusterId>>,
    /// For each new cluster the old one that has its name.
    pub(super) was: Vec<Option<ClusterId>>,
    /// Endpoints that the new clusters do not have any more.
    pub(super) gone: Vec<Arc<EndpointHealth>>,
}

/// Takes over what there is to be taken over. Nothing of the old snapshot changes by that: it may stay, after all.
pub(super) fn carry(before: &Snapshot, after: &mut Snapshot, now: Instant) -> Carried {
    let by_name: HashMap<&str, ClusterId> =
        before.clusters.iter().map(|cluster| &*cluster.name).zip((0..).map(ClusterId)).collect();
    let mut carried = Carried::default();
    let Snapshot { clusters, client_tls, .. } = after;
    for cluster in clusters.iter_mut() {
        let was = by_name.get(&*cluster.name).copied();
        let old = was.and_then(|id| before.clusters.get(id.0 as usize));
        let same_tls = |new: crate::table::ClientTlsId, old: crate::table::ClientTlsId| {
            let specs = (client_tls.get(new.0 as usize), before.client_tls.get(old.0 as usize));
            matches!(specs, (Some(new), Some(old)) if new.terms() == old.terms())
        };
        let is_like = old.is_some_and(|old| cluster.is_like(old, same_tls));
        match old {
            Some(old) if is_like => go_on(old, cluster),
            Some(old) => learn(old, cluster, &mut carried.gone),
            None => {}
        }
        carried.goes_on.push(was.filter(|_| is_like));
        carried.was.push(was);
    }
    health::attach(after, now);
    rate_limits(before, after);
    carried
}

/// Nothing of it has changed.
fn go_on(old: &Cluster, new: &mut Cluster) {
    new.endpoints = old.endpoints.clone();
    new.health = old.health.clone();
    new.limits = old.limits.clone();
    new.balance = old.balance.clone();
}

/// Something of it has changed; what has not is taken over.
fn learn(old: &Cluster, new: &mut Cluster, gone: &mut Vec<Arc<EndpointHealth>>) {
    if new.outlier == old.outlier && new.health_check == old.health_check {
        new.health = old.health.clone();
        if let Endpoints::Static(after) = &new.endpoints {
            let mut after = after.clone();
            let before = match &old.endpoints {
                Endpoints::Static(before) => &before[..],
                Endpoints::Dns { .. } => &[],
            };
            gone.extend(health::go_on(new, before, &mut after));
            new.endpoints = Endpoints::Static(after);
        }
    }
    if let (Some(limits), Some(before)) = (&mut new.limits, &old.limits)
        && let (Some(breaker), Some(before)) = (&mut limits.breaker, &before.breaker)
        && breaker.limits() == before.limits()
    {
        *breaker = Arc::clone(before);
    }
}

/// Where a limit is written: the rule's object, and that of the rule that delegates to it.
type Home<'a> = (&'a str, &'a str);

/// Limits have no names. Those of one object are told apart by what they say, and by their order where they say the same.
fn rate_limits(before: &Snapshot, after: &Snapshot) {
    let mut known = limits(before);
    if known.is_empty() {
        return;
    }
    for (home, limits) in limits(after) {
        let Some(known) = known.get_mut(&home) else { continue };
        for limit in limits {
            let is_like = |other: &&RateLimited| other.key == limit.key && other.limit.is_like(&limit.limit);
            if let Some(at) = known.iter().position(is_like) {
                limit.limit.go_on_from(&known.remove(at).limit);
            }
        }
    }
}

fn limits(snapshot: &Snapshot) -> HashMap<Home<'_>, Vec<&RateLimited>> {
    let (mut found, mut seen): (HashMap<Home<'_>, Vec<_>>, _) = (HashMap::new(), HashSet::new());
    let hosts = snapshot.route_tables.iter().flat_map(|table| &table.virtual_hosts);
    for route in hosts.flat_map(|host| &host.routes) {
        let Some(checks) = &route.checks else { continue };
        for limited in &checks.rate_limits {
            if seen.insert(Arc::as_ptr(&limited.limit)) {
                let root = route.root.as_ref().map_or("", |root| &*root.object);
                found.entry((&*route.source.object, root)).or_default().push(limited);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{
        Breaker, BreakerLimits, Endpoint, EndpointAddress, OutlierDetection, PoolLimits, Source,
        UpstreamProtocol,
    };

    fn cluster(name: &str, ports: &[u16]) -> Cluster {
        let endpoint = |port: &u16| Endpoint {
            address: EndpointAddress::Tcp(([127, 0, 0, 1], *port).into()),
            ..Endpoint::any()
        };
        let limits = BreakerLimits { connections: Some(7), ..BreakerLimits::default() };
        let limits = PoolLimits { breaker: Some(Arc::new(Breaker::new(limits))), ..PoolLimits::default() };
        Cluster {
            name: name.into(),
            endpoints: Endpoints::Static(ports.iter().map(endpoint).collect()),
            outlier: Some(Box::default()),
            limits: Some(Box::new(limits)),
            ..Cluster::any()
        }
    }

    fn snapshot(clusters: Vec<Cluster>) -> Snapshot {
        let mut snapshot = Snapshot { clusters, ..Snapshot::default() };
        health::attach(&mut snapshot, Instant::now());
        snapshot
    }

    fn healths(cluster: &Cluster) -> Vec<Arc<EndpointHealth>> {
        let Endpoints::Static(list) = &cluster.endpoints else { panic!() };
        list.iter().map(|endpoint| Arc::clone(endpoint.health().unwrap())).collect()
    }

    fn breaker(cluster: &Cluster) -> Arc<Breaker> {
        Arc::clone(cluster.limits.as_ref().unwrap().breaker.as_ref().unwrap())
    }

    #[test]
    fn what_is_the_same_goes_on_wherever_it_is() {
        let before = snapshot(vec![cluster("a", &[1]), cluster("b", &[1, 2])]);
        let elsewhere = Cluster { source: Source::built_in("elsewhere"), ..cluster("b", &[1, 2]) };
        let mut after = Snapshot { clusters: vec![elsewhere, cluster("c", &[1])], ..Snapshot::default() };
        let carried = carry(&before, &mut after, Instant::now());
        assert_eq!(carried.goes_on, [Some(ClusterId(1)), None]);
        assert_eq!(carried.was, [Some(ClusterId(1)), None]);
        let (old, new) = (&before.clusters[1], &after.clusters[0]);
        assert!(Arc::ptr_eq(old.health.as_ref().unwrap(), new.health.as_ref().unwrap()));
        assert!(healths(old).iter().zip(healths(new)).all(|(old, new)| Arc::ptr_eq(old, &new)));
        assert!(Arc::ptr_eq(&breaker(old), &breaker(new)));
        assert!(after.clusters[1].health.is_some() && healths(&after.clusters[1]).len() == 1);
    }

    #[test]
    fn of_what_has_changed_the_rest_is_taken_over() {
        let before = snapshot(vec![cluster("a", &[1, 2])]);
        let old = &before.clusters[0];
        let changed = |new: Cluster| {
            let mut after = Snapshot { clusters: vec![new], ..Snapshot::default() };
            let carried = carry(&before, &mut after, Instant::now());
            assert_eq!((carried.goes_on, carried.was), (vec![None], vec![Some(ClusterId(0))]));
            (after.clusters.remove(0), carried.gone)
        };
        let (new, gone) = changed(cluster("a", &[2, 3]));
        assert!(Arc::ptr_eq(&healths(old)[1], &healths(&new)[0]));
        assert!(gone.len() == 1 && Arc::ptr_eq(&gone[0], &healths(old)[0]));
        assert!(Arc::ptr_eq(&breaker(old), &breaker(&new)));

        let spoken = Cluster { protocol: UpstreamProtocol::Http2, ..cluster("a", &[1, 2]) };
        let (new, gone) = changed(spoken);
        assert!(gone.is_empty() && Arc::ptr_eq(&healths(old)[0], &healths(&new)[0]));

        let outlier = OutlierDetection { consecutive_5xx: 9, ..OutlierDetection::default() };
        let (new, gone) = changed(Cluster { outlier: Some(Box::new(outlier)), ..cluster("a", &[1, 2]) });
        assert!(gone.is_empty() && !Arc::ptr_eq(&healths(old)[0], &healths(&new)[0]));
    }
}
