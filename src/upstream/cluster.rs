//! A cluster's endpoints on one shard, and how they follow the snapshot and the resolver.

use super::{Limits, Pick, Place, balance::Arranged, http2::Sessions, limits::Closed, pool::Idle};
use crate::{
    driver,
    filter::HashKey,
    http::Version,
    table::{
        self, Balance, ClusterHealth, ClusterId, DnsKind, EndpointAddress, EndpointHealth, Endpoints,
        Http2Keepalive, Placement, ProxyVersion, Snapshot, Tunnel, UpstreamProtocol, UpstreamTls,
    },
    telemetry::{ClusterSeries, Counter, TrafficCounts, bump},
};
use socket2::SockAddr;
use std::{
    cell::{Cell, OnceCell, RefCell},
    io,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

/// What the resolver found for one cluster. It replaces what it found before.
#[derive(Clone, Debug)]
pub struct ResolvedEndpoints {
    /// The generation of the snapshot that the cluster's id belongs to; an answer for another one is too late.
    pub generation: u64,
    /// Whose endpoints they are.
    pub cluster: ClusterId,
    /// All of them, in the resolver's order.
    pub endpoints: Arc<[table::Endpoint]>,
}

/// All clusters of a snapshot with this shard's connections.
pub struct Clusters {
    list: Vec<Rc<Cluster>>,
    /// Those whose connections are limited.
    limited: Vec<Rc<Cluster>>,
    generation: u64,
}

impl Clusters {
    /// The clusters of a snapshot. Those that resolve names have no endpoint until the first answer comes.
    pub fn new(snapshot: &Snapshot, place: &Place) -> Clusters {
        let list: Vec<_> = snapshot.clusters.iter().map(|c| Rc::new(Cluster::new(c, place))).collect();
        let has_limit = |cluster: &&Rc<Cluster>| {
            cluster.limits.as_ref().is_some_and(|limits| limits.limits_connections())
        };
        let limited = list.iter().filter(has_limit).cloned().collect();
        Clusters { list, limited, generation: snapshot.generation }
    }

    /// Another shard may have given a connection's place to this one, or may wait for one. Returns how many idle connections
    /// were closed for that.
    pub fn look_at_limits(&self) -> usize {
        let look = |cluster: &Rc<Cluster>| {
            let mut closed = 0;
            let close_one = || {
                let how = cluster.close_one();
                closed += usize::from(how == Closed::Now);
                how != Closed::None
            };
            if let Some(limits) = &cluster.limits {
                limits.look(close_one);
            }
            closed
        };
        self.limited.iter().map(look).sum()
    }

    /// The cluster with this id.
    pub fn get(&self, id: ClusterId) -> Option<&Rc<Cluster>> {
        self.list.get(id.0 as usize)
    }

    /// Takes over what the resolver found. Endpoints that stay keep their connections.
    pub fn resolved(&self, answer: &ResolvedEndpoints) {
        if answer.generation == self.generation
            && let Some(cluster) = self.get(answer.cluster)
        {
            cluster.set_endpoints(&answer.endpoints);
        }
    }

    /// Drops idle connections that were closed or timed out. Returns how many.
    pub fn sweep(&self) -> usize {
        self.list.iter().map(|cluster| cluster.sweep()).sum()
    }
}

/// One cluster on this shard.
pub struct Cluster {
    /// As Envoy names it in Istio.
    pub name: Box<str>,
    /// Time to connect.
    pub connect_timeout: Duration,
    /// A TCP connection on which nothing moves for so long is closed; `None`: never.
    pub tcp_idle_timeout: Option<Duration>,
    /// The client's address is sent before everything else.
    pub proxy_protocol: Option<ProxyVersion>,
    /// TLS to the endpoints.
    pub tls: Option<UpstreamTls>,
    /// Requests at a time on one connection of HTTP/2.
    pub max_concurrent_streams: u32,
    /// Pings on connections of HTTP/2.
    pub http2_keepalive: Option<Http2Keepalive>,
    /// What is said of its connections; `None`: nothing is limited.
    pub limits: Option<Rc<Limits>>,
    /// TCP connections go through an HTTP proxy.
    pub tunnel: Option<Box<Tunnel>>,
    protocol: UpstreamProtocol,
    balance: Balance,
    first_only: bool,
    /// The endpoints are all of those of the snapshot, as on every other shard.
    is_fixed: Cell<bool>,
    pub(super) endpoints: RefCell<Rc<[Rc<Endpoint>]>>,
    /// The endpoints, arranged for choices; nothing after a change of them or of their health, until the next choice.
    arranged: RefCell<Option<Arranged>>,
    /// What its endpoints' health has in common; nothing where nobody asks.
    pub(super) health: Option<Arc<ClusterHealth>>,
    /// The changes of it that this shard has looked at.
    pub(super) seen: Cell<u64>,
    /// Idle connections that were closed with their endpoints since the last sweep.
    closed: Cell<usize>,
    /// What is asked of it, from the first time.
    series: OnceCell<Arc<ClusterSeries>>,
}

impl Cluster {
    pub(super) fn new(compiled: &table::Cluster, place: &Place) -> Cluster {
        let cluster = Cluster {
            name: compiled.name.clone(),
            connect_timeout: compiled.connect_timeout,
            tcp_idle_timeout: compiled.tcp_idle_timeout,
            proxy_protocol: compiled.proxy_protocol,
            tls: compiled.tls.clone(),
            max_concurrent_streams: compiled.max_concurrent_streams,
            http2_keepalive: compiled.http2_keepalive,
            limits: compiled.limits.as_ref().map(|limits| Limits::new(limits, place)),
            tunnel: compiled.tunnel.clone(),
            protocol: compiled.protocol,
            balance: compiled.balance.clone(),
            first_only: matches!(compiled.endpoints, Endpoints::Dns { kind: DnsKind::Logical, .. }),
            is_fixed: Cell::new(false),
            endpoints: RefCell::new(Rc::default()),
            arranged: RefCell::default(),
            health: compiled.health.clone(),
            seen: Cell::new(0),
            closed: Cell::new(0),
            series: OnceCell::new(),
        };
        if let Endpoints::Static(list) = &compiled.endpoints {
            cluster.set_endpoints(list);
            cluster.is_fixed.set(cluster.endpoints.borrow().len() == list.len());
        }
        cluster
    }

    /// Whether a request that came in this version goes on as HTTP/2.
    pub fn speaks_http2(&self, client: Version) -> bool {
        self.protocol.is_http2_for(client)
    }

    /// What is asked of it is counted there from now on.
    pub fn count_in(&self, traffic: &TrafficCounts) -> &Arc<ClusterSeries> {
        self.series.get_or_init(|| traffic.cluster(&self.name))
    }

    /// Where it is counted what is asked of it; nothing before the first time.
    pub fn series(&self) -> Option<&Arc<ClusterSeries>> {
        self.series.get()
    }

    /// Counts something that was asked of it, or came of that.
    pub fn count(&self, what: impl FnOnce(&ClusterSeries) -> &Counter) {
        if let Some(series) = self.series.get() {
            bump(what(series), 1);
        }
    }

    /// What of a request decides which endpoint it goes to; nothing if nothing of it does.
    pub fn hash_key(&self) -> Option<&HashKey> {
        self.balance.hash.as_deref().map(|hash| &hash.key)
    }

    /// Its endpoints at present, in the order in which they came, whatever their state.
    pub fn endpoints(&self) -> Rc<[Rc<Endpoint>]> {
        Rc::clone(&self.endpoints.borrow())
    }

    /// Chooses an endpoint. Nothing where the cluster has none, or none that is healthy and no leave to use others.
    pub fn choose(&self, pick: &Pick<'_>) -> Option<Rc<Endpoint>> {
        self.look_at_health(pick.now);
        let mut arranged = self.arranged.borrow_mut();
        match &mut *arranged {
            Some(arranged) if !arranged.is_outdated(pick.now) => arranged.choose(&self.balance, pick),
            arranged => {
                let endpoints = self.endpoints();
                let with = (pick.random, pick.now);
                let new = Arranged::new(&endpoints, self.is_fixed.get(), &self.balance, with);
                arranged.insert(new).choose(&self.balance, pick)
            }
        }
    }

    /// The health of an endpoint has changed: the next choice goes by it. To be called after
    /// [`Endpoint::set_healthy`] has said so.
    pub fn health_changed(&self) {
        *self.arranged.borrow_mut() = None;
    }

    fn set_endpoints(&self, list: &[table::Endpoint]) {
        let old = self.endpoints();
        let now = Instant::now();
        let used = if self.first_only { &list[..list.len().min(1)] } else { list };
        let keep = |compiled: &table::Endpoint| {
            let same = old.iter().find(|e| e.compiled == *compiled).cloned();
            // An address that can't be one is left out; the compiler has refused it already.
            same.or_else(|| Endpoint::new(compiled, now).ok().map(Rc::new))
        };
        let new: Rc<[Rc<Endpoint>]> = used.iter().filter_map(keep).collect();
        new.iter().for_each(|endpoint| {
            endpoint.look_at_health(now);
        });
        for endpoint in old.iter().filter(|old| !new.iter().any(|new| Rc::ptr_eq(old, new))) {
            self.closed.set(self.closed.get() + endpoint.retire());
        }
        *self.endpoints.borrow_mut() = new;
        *self.arranged.borrow_mut() = None;
    }

    fn sweep(&self) -> usize {
        let swept: usize = self.endpoints.borrow().iter().map(|endpoint| endpoint.sweep()).sum();
        swept + self.closed.take()
    }

    /// Closes a connection without work, at whatever endpoint, to make room for another one.
    pub(super) fn close_one(&self) -> Closed {
        let endpoints = self.endpoints.borrow();
        if endpoints.iter().any(|endpoint| endpoint.idle.close_oldest()) {
            return Closed::Now;
        }
        match endpoints.iter().any(|endpoint| endpoint.sessions.close_idle()) {
            true => Closed::Soon,
            false => Closed::None,
        }
    }
}

/// Why an endpoint is not to be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ailment {
    /// Requests failed there (`outlierDetection`).
    Ejected = 1,
    /// It failed its health checks.
    FailedChecks = 2,
}

/// One endpoint on this shard.
pub struct Endpoint {
    compiled: table::Endpoint,
    address: SockAddr,
    /// As the access log writes it.
    pub display: Box<str>,
    active: Cell<u32>,
    /// When it came, or came back.
    joined: Cell<Instant>,
    /// Why it is not to be used: the bits of [`Ailment`]; 0 is healthy.
    ailments: Cell<u8>,
    /// The resolver knows it no more.
    pub(super) gone: Cell<bool>,
    /// Connections that wait for work.
    pub(super) idle: Idle,
    /// Connections of HTTP/2.
    pub(super) sessions: Sessions,
}

impl Endpoint {
    /// # Errors
    /// The address can't be one: a path of a Unix socket that is too long.
    pub(super) fn new(compiled: &table::Endpoint, now: Instant) -> io::Result<Endpoint> {
        let address = match &compiled.address {
            EndpointAddress::Tcp(address) => SockAddr::from(*address),
            EndpointAddress::Unix(path) => driver::unix_address(path)?,
        };
        Ok(Endpoint {
            compiled: compiled.clone(),
            address,
            display: compiled.address.to_string().into(),
            active: Cell::new(0),
            joined: Cell::new(now),
            ailments: Cell::new(0),
            gone: Cell::new(false),
            idle: Idle::default(),
            sessions: Sessions::default(),
        })
    }

    /// Whether it is good, for all shards; nothing where nobody asks.
    pub(super) fn health(&self) -> Option<&Arc<EndpointHealth>> {
        self.compiled.health()
    }

    /// It is no endpoint any more: its connections end when they have no work. (They keep it alive themselves.)
    /// Returns how many were closed.
    fn retire(&self) -> usize {
        self.gone.set(true);
        self.sessions.retire();
        std::iter::from_fn(|| self.idle.close_oldest().then_some(())).count()
    }

    fn sweep(&self) -> usize {
        self.sessions.sweep();
        self.idle.sweep()
    }

    /// Where to connect to.
    pub(super) fn address(&self) -> &SockAddr {
        &self.address
    }

    /// Its IP address and port; nothing for a Unix socket.
    pub fn socket_address(&self) -> Option<std::net::SocketAddr> {
        self.address.as_socket()
    }

    /// How far away it is, and its place.
    pub(super) fn placement(&self) -> Placement {
        self.compiled.placement
    }

    /// Whether it may be used, as far as this shard has looked.
    pub fn is_healthy(&self) -> bool {
        self.ailments.get() == 0
    }

    /// Says that an ailment has come or gone. Returns whether that is news about its health; then
    /// [`Cluster::health_changed`] is to be called. An endpoint whose checks succeed again warms up anew.
    pub fn set_healthy(&self, ailment: Ailment, is_healthy: bool, now: Instant) -> bool {
        let (before, bit) = (self.ailments.get(), ailment as u8);
        self.ailments.set(if is_healthy { before & !bit } else { before | bit });
        if ailment == Ailment::FailedChecks && is_healthy && before & bit != 0 {
            self.joined.set(now);
        }
        (before == 0) != self.is_healthy()
    }

    /// When it came, or came back.
    pub(super) fn joined(&self) -> Instant {
        self.joined.get()
    }

    /// How long it has been there.
    pub(super) fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.joined.get())
    }

    /// Its share of the traffic.
    pub(super) fn weight(&self) -> u32 {
        self.compiled.weight.max(1)
    }

    /// Requests in flight on this shard.
    pub(super) fn active(&self) -> u32 {
        self.active.get()
    }

    /// Counts a request until the guard is dropped.
    pub fn begin(self: &Rc<Self>) -> Active {
        self.active.set(self.active.get() + 1);
        Active(Rc::clone(self))
    }
}

/// A request in flight at an endpoint.
pub struct Active(Rc<Endpoint>);

impl Drop for Active {
    fn drop(&mut self) {
        self.0.active.set(self.0.active.get().saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::Random;

    fn endpoint(port: u16) -> table::Endpoint {
        let address = EndpointAddress::Tcp(([127, 0, 0, 1], port).into());
        table::Endpoint { address, ..table::Endpoint::any() }
    }

    fn cluster(endpoints: Endpoints) -> Cluster {
        Cluster::new(&table::Cluster { endpoints, ..table::Cluster::any() }, &Place::default())
    }

    #[test]
    fn endpoints_that_stay_keep_their_state() {
        let cluster = cluster(Endpoints::Static(vec![endpoint(1), endpoint(2)]));
        let kept = Rc::clone(&cluster.endpoints.borrow()[1]);
        cluster.set_endpoints(&[endpoint(2), endpoint(3)]);
        let now = cluster.endpoints.borrow();
        assert!(Rc::ptr_eq(&kept, &now[0]));
        assert_eq!(now.len(), 2);
    }

    #[test]
    fn a_logical_name_uses_its_first_address() {
        let cluster = cluster(Endpoints::Dns { kind: DnsKind::Logical, names: vec![] });
        let random = Random::default();
        assert!(cluster.choose(&Pick::first(&random, Instant::now())).is_none());
        cluster.set_endpoints(&[endpoint(5), endpoint(6)]);
        assert_eq!(cluster.endpoints.borrow().len(), 1);
    }
}
