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
            if let Some(at) = known.iter().position(|other| is_like(other)) {
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
