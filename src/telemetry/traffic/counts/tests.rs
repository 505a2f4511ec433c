use super::*;
use crate::telemetry::{End, Flag, Spoken, Traffic};

fn place(generation: u64, host: usize, route: usize) -> RoutePlace {
    RoutePlace { generation, host, route }
}

fn names(host: &str, route: &str) -> (Box<str>, Box<str>) {
    (host.into(), route.into())
}

fn ended(code: u16, flag: Option<Flag>, micros: u64) -> Ended {
    let end = End { code, flags: Flags { flag, ..Flags::default() }, ..End::default() };
    Ended { end, micros, bytes_received: 3, bytes_sent: 1000 }
}

#[test]
fn exchanges_are_counted_by_route_and_by_cluster() {
    let counts = TrafficCounts::new(Arc::default());
    let cluster = counts.cluster("outbound|80||a.example");
    let a = counts.route(place(1, 8, 16), || names("a.example", "r"));
    for _ in 0..3 {
        counts.ended(Some(&a), Some(&cluster), &ended(200, None, 1000));
    }
    counts.ended(Some(&a), Some(&cluster), &ended(503, Some(Flag::UpstreamConnectFailure), 2000));
    // The same route of the next configuration, at another address; and the old address is another route's.
    let again = counts.route(place(2, 24, 32), || names("a.example", "r"));
    counts.ended(Some(&again), Some(&counts.cluster("outbound|80||a.example")), &ended(204, None, 1000));
    let other = counts.route(place(2, 8, 16), || names("b.example", "r"));
    counts.ended(Some(&other), None, &ended(301, None, 70));
    counts.ended(None, None, &ended(404, Some(Flag::NoRoute), 50));

    let traffic = Traffic::of([&*counts.counters]);
    let routes: Vec<_> = traffic.routes.iter().map(|r| (&*r.host, &*r.route, r.sums.classes)).collect();
    let wanted = [
        ("", "", [0, 0, 0, 0, 1, 0]),
        ("a.example", "r", [0, 0, 4, 0, 0, 1]),
        ("b.example", "r", [0, 0, 0, 1, 0, 0]),
    ];
    assert_eq!(routes, wanted);
    let [cluster] = traffic.clusters.as_slice() else { panic!("{traffic:?}") };
    assert_eq!((cluster.sums.requests, cluster.sums.classes), (5, [0, 0, 4, 0, 0, 1]));
    assert_eq!(cluster.sums.flags().collect::<Vec<_>>(), [(Flag::UpstreamConnectFailure, 1)]);
    assert_eq!((cluster.sums.bytes_received, cluster.sums.bytes_sent), (15, 5000));
    assert_eq!((cluster.latencies.count(), cluster.latencies.sum_micros), (5, 6000));
    let ends = counts.counters.traffic.ends.all();
    assert_eq!(ends.len(), 5);
    assert_eq!(ends.iter().map(|end| end.durations.count()).sum::<u64>(), 7);
}

#[test]
fn ends_are_told_apart() {
    let counts = TrafficCounts::new(Arc::default());
    let cluster = counts.cluster("c");
    let end = |spoken, grpc_status| End { code: 200, spoken, grpc_status, ..End::default() };
    for end in [end(Spoken::Http, None), end(Spoken::Grpc, Some(0)), end(Spoken::Grpc, Some(14))] {
        counts.ended(None, Some(&cluster), &Ended { end, ..Ended::default() });
        counts.ended(None, Some(&cluster), &Ended { end, ..Ended::default() });
    }
    let ends = counts.counters.traffic.ends.all();
    assert_eq!(ends.iter().map(|end| end.durations.count()).collect::<Vec<_>>(), [2, 2, 2]);
}

#[test]
fn what_is_beyond_the_limits_is_other() {
    let counts = TrafficCounts::new(Arc::default());
    for number in 0..CLUSTERS_MAX + 10 {
        let cluster = counts.cluster(&format!("c{number}"));
        let route = counts.route(place(1, number * 64, 64), || names("h", &number.to_string()));
        counts.ended(Some(&route), Some(&cluster), &ended(200, None, 1000));
        counts.ended(Some(&route), Some(&cluster), &ended(201, None, 1000));
        counts.ended(Some(&route), Some(&cluster), &ended(202, None, 1000));
    }
    let table = &counts.counters.traffic;
    assert_eq!((table.routes.all().len(), table.clusters.all().len()), (ROUTES_MAX + 1, CLUSTERS_MAX + 1));
    assert_eq!(table.ends.all().len(), ENDS_MAX + 1);
    let traffic = Traffic::of([&*counts.counters]);
    assert_eq!(traffic.routes.iter().find(|route| &*route.host == OTHER).unwrap().sums.requests, 30);
    assert_eq!(traffic.routes.iter().map(|route| route.sums.requests).sum::<u64>(), 3 * 4106);
    let overflow = counts.counters.traffic_overflow.load(Ordering::Relaxed);
    // Ten routes, ten clusters, and each exchange without a series of its own.
    assert_eq!(overflow, 20 + 3 * 4106 - ENDS_MAX as u64);
    assert_eq!(table.ends.all().iter().map(|end| end.durations.count()).sum::<u64>(), 3 * 4106);
}

#[test]
fn what_is_gone_makes_room_and_what_is_used_stays() {
    let counts = TrafficCounts::new(Arc::default());
    let kept = counts.cluster("kept");
    let visit = |number: usize| {
        let cluster = counts.cluster(&format!("c{number}"));
        let route = counts.route(place(1, number * 64, 64), || names("h", &number.to_string()));
        counts.ended(Some(&route), Some(&cluster), &ended(200, None, 1000));
        bump(&cluster.attempts, 1);
    };
    (0..ROUTES_MAX).for_each(visit);
    counts.sweep();
    assert_eq!(counts.counters.traffic.routes.all().len(), ROUTES_MAX);
    visit(7);
    counts.sweep();
    let left = Traffic::of([&*counts.counters]);
    assert_eq!(left.routes.iter().map(|route| &*route.route).collect::<Vec<_>>(), ["7"]);
    assert_eq!(left.clusters.iter().map(|cluster| &*cluster.name).collect::<Vec<_>>(), ["c7", "kept"]);
    visit(7);
    visit(8);
    bump(&kept.attempts, 1);
    let left = Traffic::of([&*counts.counters]);
    assert_eq!(left.routes.iter().map(|route| route.sums.requests).collect::<Vec<_>>(), [3, 1]);
    // Where there is room nothing is dropped.
    counts.sweep();
    counts.sweep();
    assert_eq!(Traffic::of([&*counts.counters]).routes.len(), 2);
}
