//! A cluster's endpoints on one shard, and how they follow the snapshot and the resolver.

use super::{Limits, Place, Random, balance, http2::Sessions, limits::Closed, pool::Idle};
use crate::{
    driver,
    http::Version,
    table::{
        self, ClusterId, DnsKind, EndpointAddress, Endpoints, Http2Keepalive, LoadBalancing, ProxyVersion,
        Snapshot, Tunnel, UpstreamProtocol, UpstreamTls,
    },
};
use socket2::SockAddr;
use std::{
    cell::{Cell, RefCell},
    io,
    rc::Rc,
    sync::Arc,
    time::Duration,
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
    /// Those that have limits.
    limited: Vec<Rc<Cluster>>,
    generation: u64,
}

impl Clusters {
    /// The clusters of a snapshot. Those that resolve names have no endpoint until the first answer comes.
    pub fn new(snapshot: &Snapshot, place: &Place) -> Clusters {
        let list: Vec<_> = snapshot.clusters.iter().map(|c| Rc::new(Cluster::new(c, place))).collect();
        let limited = list.iter().filter(|cluster| cluster.limits.is_some()).cloned().collect();
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
    policy: LoadBalancing,
    first_only: bool,
    endpoints: RefCell<Vec<Rc<Endpoint>>>,
    total_weight: Cell<u64>,
    turn: Cell<u64>,
    /// Idle connections that were closed with their endpoints since the last sweep.
    closed: Cell<usize>,
}

impl Cluster {
    fn new(compiled: &table::Cluster, place: &Place) -> Cluster {
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
            policy: compiled.balance.method,
            first_only: matches!(compiled.endpoints, Endpoints::Dns { kind: DnsKind::Logical, .. }),
            endpoints: RefCell::default(),
            total_weight: Cell::new(0),
            turn: Cell::new(0),
            closed: Cell::new(0),
        };
        if let Endpoints::Static(list) = &compiled.endpoints {
            cluster.set_endpoints(list);
        }
        cluster
    }

    /// Whether a request that came in this version goes on as HTTP/2.
    pub fn speaks_http2(&self, client: Version) -> bool {
        self.protocol.is_http2_for(client)
    }

    /// Chooses an endpoint, one that is not in `tried` if there is any. Nothing where the cluster has none.
    pub fn choose(&self, random: &Random, tried: &[Rc<Endpoint>]) -> Option<Rc<Endpoint>> {
        let endpoints = self.endpoints.borrow();
        balance::choose(self.policy, &endpoints, self.total_weight.get(), &self.turn, random, tried)
    }

    fn set_endpoints(&self, list: &[table::Endpoint]) {
        let old = std::mem::take(&mut *self.endpoints.borrow_mut());
        let used = if self.first_only { &list[..list.len().min(1)] } else { list };
        let keep = |compiled: &table::Endpoint| {
            let same = old.iter().find(|e| e.compiled == *compiled).cloned();
            // An address that can't be one is left out; the compiler has refused it already.
            same.or_else(|| Endpoint::new(compiled).ok().map(Rc::new))
        };
        let new: Vec<_> = used.iter().filter_map(keep).collect();
        for endpoint in old.iter().filter(|old| !new.iter().any(|new| Rc::ptr_eq(old, new))) {
            self.closed.set(self.closed.get() + endpoint.retire());
        }
        self.total_weight.set(new.iter().map(|e| u64::from(e.weight())).sum());
        *self.endpoints.borrow_mut() = new;
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

/// One endpoint on this shard.
pub struct Endpoint {
    compiled: table::Endpoint,
    address: SockAddr,
    /// As the access log writes it.
    pub display: Box<str>,
    active: Cell<u32>,
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
    pub(super) fn new(compiled: &table::Endpoint) -> io::Result<Endpoint> {
        let address = match &compiled.address {
            EndpointAddress::Tcp(address) => SockAddr::from(*address),
            EndpointAddress::Unix(path) => driver::unix_address(path)?,
        };
        Ok(Endpoint {
            compiled: compiled.clone(),
            address,
            display: compiled.address.to_string().into(),
            active: Cell::new(0),
            gone: Cell::new(false),
            idle: Idle::default(),
            sessions: Sessions::default(),
        })
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

    fn endpoint(port: u16) -> table::Endpoint {
        table::Endpoint { address: EndpointAddress::Tcp(([127, 0, 0, 1], port).into()), weight: 1 }
    }

    fn cluster(endpoints: Endpoints) -> Cluster {
        let compiled = table::Cluster {
            name: "c".into(),
            endpoints,
            balance: table::Balance { method: LoadBalancing::RoundRobin },
            outlier: None,
            limits: None,
            protocol: table::UpstreamProtocol::Http1,
            connect_timeout: Duration::from_secs(10),
            tls: None,
            proxy_protocol: None,
            tcp_idle_timeout: Some(Duration::from_secs(3600)),
            max_concurrent_streams: table::STREAMS_MAX,
            http2_keepalive: None,
            tunnel: None,
            source: table::Source::built_in("test"),
        };
        Cluster::new(&compiled, &Place::default())
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
        assert!(cluster.choose(&Random::default(), &[]).is_none());
        cluster.set_endpoints(&[endpoint(5), endpoint(6)]);
        assert_eq!(cluster.endpoints.borrow().len(), 1);
    }
}
