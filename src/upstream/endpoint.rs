//! One endpoint of a cluster on one shard.

use super::{http2::Sessions, pool::Idle};
use crate::{
    driver,
    table::{self, EndpointAddress, EndpointHealth, Placement},
};
use socket2::SockAddr;
use std::{
    cell::Cell,
    io,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

/// Why an endpoint is not to be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ailment {
    /// Requests failed there (`outlierDetection`).
    Ejected = 1,
    /// It failed its health checks.
    FailedChecks = 2,
}

/// What is in use of an endpoint: for those who look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointUse {
    /// As the access log writes it.
    pub address: Box<str>,
    /// Requests in flight, and connections of bytes.
    pub active: u64,
    /// Connections of HTTP/1.1 without work.
    pub idle: u64,
    /// Connections of HTTP/2.
    pub http2: u64,
}

impl EndpointUse {
    /// And what another shard uses of it.
    pub fn add(&mut self, other: &EndpointUse) {
        self.active += other.active;
        self.idle += other.idle;
        self.http2 += other.http2;
    }
}

/// One endpoint on this shard.
pub struct Endpoint {
    compiled: table::Endpoint,
    address: SockAddr,
    /// As the access log writes it.
    pub display: Box<str>,
    /// Why it is not to be used: the bits of [`Ailment`]; 0 is healthy.
    ailments: Cell<u8>,
    /// What goes on when something else of it changes, such as its weight.
    pub(super) state: Rc<State>,
}

/// An endpoint's connections and requests, whatever is said of it otherwise.
pub(super) struct State {
    active: Cell<u32>,
    /// When it came, or came back.
    joined: Cell<Instant>,
    /// Nobody knows it any more.
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
        let state = State {
            active: Cell::new(0),
            joined: Cell::new(now),
            gone: Cell::new(false),
            idle: Idle::default(),
            sessions: Sessions::default(),
        };
        Endpoint::with(compiled, Rc::new(state))
    }

    /// With the connections of an endpoint of the same address.
    pub(super) fn with(compiled: &table::Endpoint, state: Rc<State>) -> io::Result<Endpoint> {
        let address = match &compiled.address {
            EndpointAddress::Tcp(address) => SockAddr::from(*address),
            EndpointAddress::Unix(path) => driver::unix_address(path)?,
        };
        Ok(Endpoint {
            compiled: compiled.clone(),
            address,
            display: compiled.address.to_string().into(),
            ailments: Cell::new(0),
            state,
        })
    }

    /// Whether it is what was compiled, to the last bit. All [`SharedHealth`](table::SharedHealth) is equal, but here it
    /// matters whose it is.
    pub(super) fn is(&self, compiled: &table::Endpoint) -> bool {
        let health = |endpoint: &table::Endpoint| endpoint.health().map(Arc::as_ptr);
        self.compiled == *compiled && health(&self.compiled) == health(compiled)
    }

    /// Whether it is at this address.
    pub(super) fn is_at(&self, address: &EndpointAddress) -> bool {
        self.compiled.address == *address
    }

    /// Whether it is good, for all shards; nothing where nobody asks.
    pub(super) fn health(&self) -> Option<&Arc<EndpointHealth>> {
        self.compiled.health()
    }

    /// It is no endpoint any more: its connections end when they have no work. (They keep it alive themselves.)
    /// Returns how many were closed.
    pub(super) fn retire(&self) -> usize {
        let state = &self.state;
        state.gone.set(true);
        state.sessions.retire();
        std::iter::from_fn(|| state.idle.close_oldest().then_some(())).count()
    }

    pub(super) fn sweep(&self) -> usize {
        self.state.sessions.sweep();
        self.state.idle.sweep()
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
    /// [`Cluster::health_changed`](super::Cluster::health_changed) is to be called. An endpoint whose checks succeed again
    /// warms up anew.
    pub fn set_healthy(&self, ailment: Ailment, is_healthy: bool, now: Instant) -> bool {
        let (before, bit) = (self.ailments.get(), ailment as u8);
        self.ailments.set(if is_healthy { before & !bit } else { before | bit });
        if ailment == Ailment::FailedChecks && is_healthy && before & bit != 0 {
            self.state.joined.set(now);
        }
        (before == 0) != self.is_healthy()
    }

    /// When it came, or came back.
    pub(super) fn joined(&self) -> Instant {
        self.state.joined.get()
    }

    /// How long it has been there.
    pub(super) fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.joined())
    }

    /// Its share of the traffic.
    pub(super) fn weight(&self) -> u32 {
        self.compiled.weight.max(1)
    }

    /// What is in use of it on this shard.
    pub fn in_use(&self) -> EndpointUse {
        EndpointUse {
            address: self.display.clone(),
            active: self.state.active.get().into(),
            idle: self.state.idle.len() as u64,
            http2: self.state.sessions.len() as u64,
        }
    }

    /// Requests in flight on this shard.
    pub(super) fn active(&self) -> u32 {
        self.state.active.get()
    }

    /// Counts a request until the guard is dropped.
    pub fn begin(&self) -> Active {
        self.state.active.set(self.state.active.get() + 1);
        Active(Rc::clone(&self.state))
    }
}

/// A request in flight at an endpoint.
pub struct Active(Rc<State>);

impl Drop for Active {
    fn drop(&mut self) {
        self.0.active.set(self.0.active.get().saturating_sub(1));
    }
}
