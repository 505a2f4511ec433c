//! Clusters from one snapshot to the next.

use super::*;
use crate::{
    table::{Breaker, BreakerLimits, Endpoint, EndpointAddress, Endpoints, PoolLimits, ProxyVersion},
    upstream::{Pick, Random},
};
use std::time::Duration;

fn endpoint(port: u16, weight: u32) -> Endpoint {
    let address = EndpointAddress::Tcp(([127, 0, 0, 1], port).into());
    Endpoint { address, weight, ..Endpoint::any() }
}

fn cluster(name: &str, endpoints: &[(u16, u32)]) -> table::Cluster {
    let list = endpoints.iter().map(|(port, weight)| endpoint(*port, *weight)).collect();
    table::Cluster { name: name.into(), endpoints: Endpoints::Static(list), ..table::Cluster::any() }
}

fn snapshot(generation: u64, clusters: Vec<table::Cluster>) -> Arc<Snapshot> {
    Arc::new(Snapshot { generation, clusters, ..Snapshot::default() })
}

fn first(clusters: Vec<table::Cluster>) -> Clusters {
    Clusters::new(&snapshot(1, clusters), &Place::default())
}

fn next(
    before: &Clusters,
    clusters: Vec<table::Cluster>,
    goes_on: &[Option<u32>],
    resolved: Vec<ResolvedEndpoints>,
) -> (Clusters, Vec<Ended>) {
    let goes_on = goes_on.iter().map(|id| id.map(ClusterId)).collect();
    let contexts = Contexts::default();
    let mut next = Succession::new(before, snapshot(2, clusters), Place::default(), goes_on, resolved);
    while !next.step(before, &contexts, Instant::now() + Duration::from_secs(60)) {}
    next.finish(&contexts)
}

fn get(clusters: &Clusters, id: u32) -> &Rc<Cluster> {
    clusters.get(ClusterId(id)).unwrap()
}

fn of(cluster: &Cluster, at: usize) -> Rc<crate::upstream::Endpoint> {
    Rc::clone(&cluster.endpoints()[at])
}

#[test]
fn a_cluster_that_goes_on_is_the_same_wherever_it_stands() {
    let before = first(vec![cluster("a", &[(1, 1)]), cluster("b", &[(2, 1)])]);
    let (after, ended) =
        next(&before, vec![cluster("b", &[(2, 1)]), cluster("c", &[(3, 1)])], &[Some(1), None], vec![]);
    assert!(Rc::ptr_eq(get(&before, 1), get(&after, 0)));
    assert_eq!(&*get(&after, 1).name, "c");
    assert_eq!(ended.len(), 1);
    let gone = of(get(&before, 0), 0);
    ended.iter().for_each(|ended| assert_eq!(ended.retire(), 0));
    assert!(gone.state.gone.get() && !of(get(&after, 0), 0).state.gone.get());
}

#[test]
fn endpoints_of_a_changed_cluster_keep_their_connections() {
    let before = first(vec![cluster("a", &[(1, 1), (2, 1), (3, 1)])]);
    let changed = table::Cluster {
        connect_timeout: Duration::from_secs(77),
        ..cluster("a", &[(2, 1), (1, 5), (4, 1)])
    };
    let (after, ended) = next(&before, vec![changed], &[None], vec![]);
    let (old, new) = (get(&before, 0), get(&after, 0));
    assert_eq!(new.connect_timeout, Duration::from_secs(77));
    assert!(Rc::ptr_eq(&of(old, 1), &of(new, 0)), "nothing of it has changed");
    assert!(!Rc::ptr_eq(&of(old, 0), &of(new, 1)), "its weight has");
    assert!(Rc::ptr_eq(&of(old, 0).state, &of(new, 1).state));
    let active = of(old, 0).begin();
    assert_eq!(of(new, 1).active(), 1);
    drop(active);
    ended.iter().for_each(|ended| assert_eq!(ended.retire(), 0));
    let gone: Vec<bool> = (0..3).map(|at| of(old, at).state.gone.get()).collect();
    assert_eq!(gone, [false, false, true]);
}

#[test]
fn connections_that_would_be_opened_otherwise_are_not_kept() {
    let before = first(vec![cluster("a", &[(1, 1)])]);
    let changed = table::Cluster { proxy_protocol: Some(ProxyVersion::V2), ..cluster("a", &[(1, 1)]) };
    let (after, ended) = next(&before, vec![changed], &[None], vec![]);
    let (old, new) = (of(get(&before, 0), 0), of(get(&after, 0), 0));
    assert!(!Rc::ptr_eq(&old.state, &new.state));
    ended.iter().for_each(|ended| assert_eq!(ended.retire(), 0));
    assert!(old.state.gone.get() && !new.state.gone.get());
    // An exchange that began with it is served all the same.
    assert!(get(&before, 0).choose(&Pick::first(&Random::default(), Instant::now())).is_some());
}

fn limited(breaker: &Arc<Breaker>, connect_timeout: u64) -> table::Cluster {
    let pool = PoolLimits { breaker: Some(Arc::clone(breaker)), ..PoolLimits::default() };
    let connect_timeout = Duration::from_secs(connect_timeout);
    table::Cluster { limits: Some(Box::new(pool)), connect_timeout, ..cluster("a", &[(1, 1)]) }
}

#[test]
fn the_line_of_those_who_wait_goes_on_where_its_limits_do() {
    let breaker = |most| {
        let limits = BreakerLimits { connections: Some(most), ..BreakerLimits::default() };
        Arc::new(Breaker::new(limits))
    };
    let (one, other) = (breaker(1), breaker(2));
    let before = first(vec![limited(&one, 1)]);
    let (same, _) = next(&before, vec![limited(&one, 2)], &[None], vec![]);
    let line = |clusters: &Clusters| Rc::clone(get(clusters, 0).limits.as_ref().unwrap());
    assert!(Rc::ptr_eq(&line(&before), &line(&same)));
    assert!(Rc::ptr_eq(&of(get(&before, 0), 0), &of(get(&same, 0), 0)));
    let (changed, _) = next(&same, vec![limited(&other, 2)], &[None], vec![]);
    assert!(!Rc::ptr_eq(&line(&same), &line(&changed)));
    assert!(!Rc::ptr_eq(&of(get(&same, 0), 0).state, &of(get(&changed, 0), 0).state));
    // Who stands in an old line is looked after as long as there is somebody.
    let leaving = || changed.leaving.borrow().iter().filter(|old| old.strong_count() > 0).count();
    assert_eq!(leaving(), 2);
    assert_eq!(changed.look_at_limits(), 0);
    drop((before, same));
    assert_eq!(changed.look_at_limits(), 0);
    assert!(
        changed.leaving.borrow().len() <= 1,
        "those that were replaced may still be held by the list of ended"
    );
}

#[test]
fn names_have_their_addresses_from_the_first_moment_on() {
    let named = |timeout| table::Cluster {
        endpoints: Endpoints::Dns { kind: table::DnsKind::Strict, names: vec![] },
        connect_timeout: Duration::from_secs(timeout),
        ..cluster("a", &[])
    };
    let found = |generation, ports: &[u16]| ResolvedEndpoints {
        generation,
        cluster: ClusterId(0),
        endpoints: ports.iter().map(|port| endpoint(*port, 1)).collect(),
    };
    let before = first(vec![named(1)]);
    before.resolved(&found(1, &[1, 2]));
    let (after, _) = next(&before, vec![named(2)], &[None], vec![found(2, &[2, 3])]);
    assert_eq!(get(&after, 0).endpoints().len(), 2);
    assert!(Rc::ptr_eq(&of(get(&before, 0), 1), &of(get(&after, 0), 0)));
    after.resolved(&found(1, &[9]));
    assert_eq!(get(&after, 0).endpoints().len(), 2, "an answer for the generation before is too late");
}

#[test]
fn what_was_arranged_stays_where_nothing_changes() {
    let before = first(vec![cluster("a", &[(1, 1), (2, 1)])]);
    let same = Rc::clone(get(&before, 0));
    let list = same.endpoints();
    same.set_endpoints(&[endpoint(1, 1), endpoint(2, 1)]);
    assert!(Rc::ptr_eq(&list, &same.endpoints()));
}

#[test]
fn ten_thousand_clusters_that_go_on_take_no_time() {
    const MANY: u32 = 10_000;
    let all = || (0..MANY).map(|n| cluster(&format!("c{n}"), &[(n as u16, 1)])).collect::<Vec<_>>();
    let before = first(all());
    let goes_on: Vec<Option<u32>> = (0..MANY).map(|n| (n % 100 != 0).then_some(n)).collect();
    let (after, ended) = next(&before, all(), &goes_on, vec![]);
    assert_eq!(ended.len(), 100);
    assert!(Rc::ptr_eq(get(&before, 1), get(&after, 1)) && !Rc::ptr_eq(get(&before, 0), get(&after, 0)));
}
