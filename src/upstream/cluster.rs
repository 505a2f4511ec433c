//! A cluster's endpoints on one shard, and how they follow the snapshot and the resolver.

use super::{Endpoint, Limits, Pick, Place, balance::Arranged, limits::Closed};
use crate::{
    filter::HashKey,
    http::Version,
    table::{
        self, Balance, ClusterHealth, DnsKind, Endpoints, Http2Keepalive, ProxyVersion, Tunnel,
        UpstreamProtocol, UpstreamTls,
    },
    telemetry::{ClusterSeries, Counter, TrafficCounts, bump},
    tls::{ClientContext, ClientPlace, Contexts},
};
use std::{
    cell::{Cell, OnceCell, RefCell},
    collections::HashSet,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

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
    /// Where its context of TLS is found.
    client: RefCell<Option<Rc<ClientPlace>>>,
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
        let cluster = Cluster::without_endpoints(compiled, place);
        cluster.begin(compiled, None);
        cluster
    }

    /// One that takes the place of another one, of which something has changed. It takes over the connections that are as
    /// it would open them, and the line of those who wait where its limits are the same. What is `found` by the resolver
    /// are its endpoints, where that is asked for them.
    pub(super) fn after(
        compiled: &table::Cluster,
        place: &Place,
        contexts: &Contexts,
        found: Option<&[table::Endpoint]>,
        old: Option<&Cluster>,
    ) -> Cluster {
        let mut cluster = Cluster::without_endpoints(compiled, place);
        cluster.attach(contexts);
        if let Some(old) = old {
            let is_same = |limits: &&Rc<Limits>| compiled.limits.as_ref().is_some_and(|new| limits.are(new));
            if let Some(limits) = old.limits.as_ref().filter(is_same) {
                cluster.limits = Some(Rc::clone(limits));
            }
            if cluster.opens_connections_as(old) {
                *cluster.endpoints.borrow_mut() = old.endpoints();
            }
        }
        cluster.begin(compiled, found);
        cluster
    }

    fn without_endpoints(compiled: &table::Cluster, place: &Place) -> Cluster {
        Cluster {
            name: compiled.name.clone(),
            connect_timeout: compiled.connect_timeout,
            tcp_idle_timeout: compiled.tcp_idle_timeout,
            proxy_protocol: compiled.proxy_protocol,
            tls: compiled.tls.clone(),
            max_concurrent_streams: compiled.max_concurrent_streams,
            http2_keepalive: compiled.http2_keepalive,
            limits: compiled.limits.as_ref().map(|limits| Limits::new(limits, place)),
            tunnel: compiled.tunnel.clone(),
            client: RefCell::default(),
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
        }
    }

    fn begin(&self, compiled: &table::Cluster, found: Option<&[table::Endpoint]>) {
        let (list, is_static) = match &compiled.endpoints {
            Endpoints::Static(list) => (&**list, true),
            Endpoints::Dns { .. } => (found.unwrap_or_default(), false),
        };
        let endpoints = self.follow(list);
        self.is_fixed.set(is_static && endpoints.len() == list.len());
        *self.endpoints.borrow_mut() = endpoints;
    }

    /// Has it find its context of TLS among these.
    pub(super) fn attach(&self, contexts: &Contexts) {
        if let Some(tls) = &self.tls {
            *self.client.borrow_mut() = contexts.client(tls.context.0).cloned();
        }
    }

    /// How TLS begins at its endpoints. Nothing: what its settings name is missing or broken.
    pub(super) fn client_context(&self) -> Option<Arc<ClientContext>> {
        self.client.borrow().as_ref()?.get()
    }

    /// Whether connections are limited, so that shards may have to wait for each other.
    pub(super) fn limits_connections(&self) -> bool {
        self.limits.as_ref().is_some_and(|limits| limits.limits_connections())
    }

    /// Whether a connection that the other one has opened is as one of its own.
    fn opens_connections_as(&self, other: &Cluster) -> bool {
        let name = |cluster: &Cluster| cluster.tls.as_ref().map(|tls| tls.server_name.clone());
        let place = |cluster: &Cluster| cluster.client.borrow().as_ref().map(Rc::as_ptr);
        let limits = |cluster: &Cluster| cluster.limits.as_ref().map(Rc::as_ptr);
        self.protocol == other.protocol
            && self.proxy_protocol == other.proxy_protocol
            && self.http2_keepalive == other.http2_keepalive
            && self.tunnel == other.tunnel
            && limits(self) == limits(other)
            && name(self) == name(other)
            && (self.tls.is_none() || place(self) == place(other))
    }

    /// It is no cluster any more: connections to endpoints that are not its successor's end when they have no work. Returns
    /// how many were closed.
    pub(super) fn retire(&self, successor: Option<&Cluster>) -> usize {
        let kept = successor.map(|successor| successor.endpoints()).unwrap_or_default();
        retire_all(&self.endpoints(), &kept) + self.closed.take()
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

    pub(super) fn set_endpoints(&self, list: &[table::Endpoint]) {
        let old = self.endpoints();
        let new = self.follow(list);
        if Rc::ptr_eq(&old, &new) {
            return;
        }
        self.closed.set(self.closed.get() + retire_all(&old, &new));
        *self.endpoints.borrow_mut() = new;
        *self.arranged.borrow_mut() = None;
    }

    /// The endpoints of this list, after those that there are: what is the same stays as it is, and what is at the same
    /// address keeps its connections.
    fn follow(&self, list: &[table::Endpoint]) -> Rc<[Rc<Endpoint>]> {
        let old = self.endpoints();
        let now = Instant::now();
        let used = if self.first_only { &list[..list.len().min(1)] } else { list };
        if used.len() == old.len() && used.iter().zip(&*old).all(|(new, old)| old.is(new)) {
            return old;
        }
        let keep = |(at, compiled): (usize, &table::Endpoint)| {
            if let Some(same) = find(&old, at, |old| old.is(compiled)) {
                return Some(Rc::clone(same));
            }
            // An address that can't be one is left out; the compiler has refused it already.
            let endpoint = match find(&old, at, |old| old.is_at(&compiled.address)) {
                Some(old) => Endpoint::with(compiled, Rc::clone(&old.state)),
                None => Endpoint::new(compiled, now),
            };
            let endpoint = endpoint.ok().map(Rc::new)?;
            endpoint.look_at_health(now);
            Some(endpoint)
        };
        used.iter().enumerate().filter_map(keep).collect()
    }

    pub(super) fn sweep(&self) -> usize {
        let swept: usize = self.endpoints.borrow().iter().map(|endpoint| endpoint.sweep()).sum();
        swept + self.closed.take()
    }

    /// Closes a connection without work, at whatever endpoint, to make room for another one.
    pub(super) fn close_one(&self) -> Closed {
        let endpoints = self.endpoints.borrow();
        if endpoints.iter().any(|endpoint| endpoint.state.idle.close_oldest()) {
            return Closed::Now;
        }
        match endpoints.iter().any(|endpoint| endpoint.state.sessions.close_idle()) {
            true => Closed::Soon,
            false => Closed::None,
        }
    }
}

/// The first that fits; it is looked for at its own place first.
fn find(list: &[Rc<Endpoint>], at: usize, fits: impl Fn(&Rc<Endpoint>) -> bool) -> Option<&Rc<Endpoint>> {
    let likely = list.get(at).filter(|endpoint| fits(endpoint));
    likely.or_else(|| list.iter().find(|endpoint| fits(endpoint)))
}

/// Retires the endpoints whose connections none of the `kept` has. Returns how many connections were closed.
fn retire_all(old: &[Rc<Endpoint>], kept: &[Rc<Endpoint>]) -> usize {
    let kept: HashSet<_> = kept.iter().map(|endpoint| Rc::as_ptr(&endpoint.state)).collect();
    let gone = old.iter().filter(|endpoint| !kept.contains(&Rc::as_ptr(&endpoint.state)));
    gone.map(|endpoint| endpoint.retire()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{table::EndpointAddress, upstream::Random};

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
