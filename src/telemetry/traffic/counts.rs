//! A shard's side of its series: finds the one that an exchange counts in.
//!
//! The usual exchange finds its series in a small cache, by addresses and a few bits. What is not there is found by
//! names, which stay what they are when the configuration is read again.

use super::{
    known::Known,
    series::{ClusterSeries, Ended, Flags, HttpSeries, ListenerSeries, RouteSeries, TcpSeries},
};
use crate::telemetry::{Counters, bump};
use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    hash::Hash,
    rc::Rc,
    sync::{Arc, atomic::Ordering},
};

/// Routes that one shard tells apart, each with 2 KiB.
pub const ROUTES_MAX: usize = 4096;
/// Clusters that one shard tells apart, each with 2 KiB.
pub const CLUSTERS_MAX: usize = 4096;
/// Pairs of a cluster and an end of exchanges that one shard tells apart, each with 700 bytes.
pub const ENDS_MAX: usize = 4096;
/// The same of TCP connections, each with 100 bytes.
pub const TCP_ENDS_MAX: usize = 4096;

/// Listeners that one shard tells apart: more ports than anybody opens.
const LISTENERS_MAX: usize = 512;

/// Places of the caches, two to this power: at some 32 bytes each they stay in a core's own cache.
const CACHE_BITS: u32 = 9;
/// Routes that are found by their place in a snapshot; when there are more, which is after reloads, all are forgotten.
const PLACES_MAX: usize = 4 * ROUTES_MAX;

/// The name of what is beyond the limits.
const OTHER: &str = "other";

/// A route of a snapshot. Addresses alone do not tell: before, they may have been those of another snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RoutePlace {
    /// That of the snapshot.
    pub generation: u64,
    /// The address of the virtual host.
    pub host: usize,
    /// The address of the route.
    pub route: usize,
}

/// A route's series, as its shard holds it.
pub type RouteHandle = Rc<Arc<RouteSeries>>;

/// A shard's side of its series. One a shard.
pub struct TrafficCounts {
    counters: Arc<Counters>,
    /// By the virtual host and the route with a zero between them.
    routes: Known<Box<str>, RouteSeries>,
    clusters: Known<Box<str>, ClusterSeries>,
    listeners: Known<Box<str>, ListenerSeries>,
    ends: Known<u64, HttpSeries>,
    tcp_ends: Known<u64, TcpSeries>,
    /// What has no cluster.
    nowhere: Arc<ClusterSeries>,
    /// What has no route; made when it is first needed.
    unrouted: RefCell<Option<Arc<RouteSeries>>>,
    clusters_made: Cell<u32>,
    places: RefCell<HashMap<RoutePlace, RouteHandle, foldhash::fast::FixedState>>,
    route_cache: RefCell<Vec<Option<(RoutePlace, RouteHandle)>>>,
    end_cache: RefCell<Vec<Option<CachedEnd>>>,
}

/// A series by the number that it was looked up with last.
type CachedEnd = (u64, Arc<HttpSeries>);

/// The place of a number in a cache. The multiplier is the golden ratio's, which spreads neighbours.
fn cache_place(number: u64) -> usize {
    (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - CACHE_BITS)) as usize
}

fn remember<T>(cache: &RefCell<Vec<Option<T>>>, place: usize, entry: T) {
    let mut cache = cache.borrow_mut();
    if cache.is_empty() {
        cache.resize_with(1 << CACHE_BITS, || None);
    }
    if let Some(there) = cache.get_mut(place) {
        *there = Some(entry);
    }
}

impl TrafficCounts {
    /// Counts in this shard's series, as the only one.
    pub fn new(counters: Arc<Counters>) -> TrafficCounts {
        TrafficCounts {
            counters,
            routes: Known::new(ROUTES_MAX),
            clusters: Known::new(CLUSTERS_MAX),
            listeners: Known::new(LISTENERS_MAX),
            ends: Known::new(ENDS_MAX),
            tcp_ends: Known::new(TCP_ENDS_MAX),
            nowhere: Arc::default(),
            unrouted: RefCell::default(),
            clusters_made: Cell::new(0),
            places: RefCell::default(),
            route_cache: RefCell::default(),
            end_cache: RefCell::default(),
        }
    }

    /// The series of a route; `names` says its virtual host and its own name, and is asked once.
    pub fn route(&self, place: RoutePlace, names: impl FnOnce() -> (Box<str>, Box<str>)) -> RouteHandle {
        // Both are aligned; routes of one host are of one size.
        let at = cache_place((place.host ^ place.route.rotate_left(32)) as u64);
        if let Some(Some((known, handle))) = self.route_cache.borrow().get(at)
            && *known == place
        {
            return Rc::clone(handle);
        }
        let mut places = self.places.borrow_mut();
        let handle = match places.get(&place) {
            Some(handle) => Rc::clone(handle),
            None => {
                if places.len() >= PLACES_MAX {
                    places.clear();
                }
                let (host, route) = names();
                let handle = Rc::new(self.route_named(host, route));
                places.insert(place, Rc::clone(&handle));
                handle
            }
        };
        remember(&self.route_cache, at, (place, Rc::clone(&handle)));
        handle
    }

    fn route_named(&self, host: Box<str>, route: Box<str>) -> Arc<RouteSeries> {
        let key = |host: &str, route: &str| [host, route].join("\0").into_boxed_str();
        if let Some(series) = self.routes.get(&*key(&host, &route)) {
            return series;
        }
        let (host, route) =
            if self.overflows(&self.routes) { (OTHER.into(), OTHER.into()) } else { (host, route) };
        let key = key(&host, &route);
        let of_names = || RouteSeries { host, route, ..RouteSeries::default() };
        let known = self.routes.get(&*key);
        known.unwrap_or_else(|| self.routes.add(key, of_names(), &self.counters.traffic.routes))
    }

    /// The series of a cluster. It may be kept: a series that somebody keeps is never dropped.
    pub fn cluster(&self, name: &str) -> Arc<ClusterSeries> {
        if name.is_empty() {
            return Arc::clone(&self.nowhere);
        }
        if let Some(series) = self.clusters.get(name) {
            return series;
        }
        let name = if self.overflows(&self.clusters) { OTHER } else { name };
        self.clusters.get(name).unwrap_or_else(|| {
            let id = self.clusters_made.get() + 1;
            self.clusters_made.set(id);
            let series = ClusterSeries { id, name: name.into(), ..ClusterSeries::default() };
            self.clusters.add(name.into(), series, &self.counters.traffic.clusters)
        })
    }

    /// The series of a listener.
    pub fn listener(&self, address: &str) -> Arc<ListenerSeries> {
        if let Some(series) = self.listeners.get(address) {
            return series;
        }
        let address = if self.overflows(&self.listeners) { OTHER } else { address };
        self.listeners.get(address).unwrap_or_else(|| {
            let series = ListenerSeries { address: address.into(), ..ListenerSeries::default() };
            self.listeners.add(address.into(), series, &self.counters.traffic.listeners)
        })
    }

    /// Counts an exchange; without a route, or without a cluster, where it came to none.
    pub fn ended(&self, route: Option<&RouteSeries>, cluster: Option<&Arc<ClusterSeries>>, ended: &Ended) {
        match route {
            Some(route) => route.record(ended),
            None => self.unrouted(ended),
        }
        let cluster = cluster.unwrap_or(&self.nowhere);
        cluster.latency.record(ended.micros);
        let key = (u64::from(cluster.id) << 32) | ended.end.packed();
        let at = cache_place(key);
        if let Some(Some((known, series))) = self.end_cache.borrow().get(at)
            && *known == key
        {
            return series.record(ended);
        }
        self.ended_rarely(key, at, cluster, ended);
    }

    fn unrouted(&self, ended: &Ended) {
        let mut unrouted = self.unrouted.borrow_mut();
        unrouted.get_or_insert_with(|| self.route_named("".into(), "".into())).record(ended);
    }

    #[cold]
    fn ended_rarely(&self, key: u64, at: usize, cluster: &Arc<ClusterSeries>, ended: &Ended) {
        let published = &self.counters.traffic.ends;
        if let Some(series) = self.ends.get(&key) {
            series.record(ended);
            return remember(&self.end_cache, at, (key, series));
        }
        if !self.overflows(&self.ends) {
            let series = HttpSeries { cluster: Arc::clone(cluster), end: ended.end, ..HttpSeries::default() };
            let series = self.ends.add(key, series, published);
            series.record(ended);
            return remember(&self.end_cache, at, (key, series));
        }
        let series = self.ends.get(&u64::MAX).unwrap_or_else(|| {
            let cluster = ClusterSeries { name: OTHER.into(), ..ClusterSeries::default() };
            let other = HttpSeries { cluster: Arc::new(cluster), ..HttpSeries::default() };
            self.ends.add(u64::MAX, other, published)
        });
        series.record(ended);
    }

    /// The series of TCP connections to a cluster that ended so, or are open.
    pub fn tcp(&self, cluster: &Arc<ClusterSeries>, flags: Flags) -> Arc<TcpSeries> {
        let key = (u64::from(cluster.id) << 32) | flags.packed();
        if let Some(series) = self.tcp_ends.get(&key) {
            return series;
        }
        let published = &self.counters.traffic.tcp_ends;
        if !self.overflows(&self.tcp_ends) {
            let series = TcpSeries { cluster: Arc::clone(cluster), flags, ..TcpSeries::default() };
            return self.tcp_ends.add(key, series, published);
        }
        self.tcp_ends.get(&u64::MAX).unwrap_or_else(|| {
            let cluster = ClusterSeries { name: OTHER.into(), ..ClusterSeries::default() };
            let other = TcpSeries { cluster: Arc::new(cluster), ..TcpSeries::default() };
            self.tcp_ends.add(u64::MAX, other, published)
        })
    }

    /// Whether a table has no room for one more, which is counted.
    fn overflows<K: Eq + Hash, T>(&self, known: &Known<K, T>) -> bool {
        let is_full = known.is_full();
        if is_full {
            bump(&self.counters.traffic_overflow, 1);
        }
        is_full
    }

    /// To be called once an hour: where a table is more than half full, drops what has counted nothing since the last time. What
    /// comes back begins at 0, which Prometheus knows as a restart.
    pub fn sweep(&self) {
        self.unrouted.take();
        self.route_cache.borrow_mut().clear();
        self.end_cache.borrow_mut().clear();
        self.places.borrow_mut().clear();
        let published = &self.counters.traffic;
        let (routes, clusters) = (self.routes.is_crowded(), self.clusters.is_crowded());
        // A cluster stays as long as there are ends of it.
        let ends = self.ends.is_crowded() || clusters;
        let tcp_ends = self.tcp_ends.is_crowded() || clusters;
        self.ends.sweep(ends, &published.ends, |series| series.durations.count());
        self.tcp_ends.sweep(tcp_ends, &published.tcp_ends, |series| {
            series.opened.load(Ordering::Relaxed).wrapping_add(series.closed.load(Ordering::Relaxed))
        });
        let listeners = self.listeners.is_crowded();
        self.listeners
            .sweep(listeners, &published.listeners, |series| series.connections.load(Ordering::Relaxed));
        self.routes.sweep(routes, &published.routes, RouteSeries::count);
        self.clusters.sweep(clusters, &published.clusters, ClusterSeries::count);
    }
}

#[cfg(test)]
mod tests;
