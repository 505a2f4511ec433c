//! A cluster's limits on one shard: who may have a connection, who waits for one, and who is next.
//!
//! What is counted is counted over all shards ([`Breaker`]); what is here is one shard's part: its line of requests that wait
//! for a connection, and the places that it has for connections. A connection that comes back, or closes, serves the longest
//! waiter of its shard first. A shard on which nobody waits gives the place to one on which somebody does and rings its bell;
//! and a shard whose waiters have no connection at all gets every [`TURNS_MAX`]th place of those that have. Nobody polls.

use super::Cluster;
use crate::{
    driver::{Bells, Keepalive},
    table::{self, Breaker, Full, IdleTime, PoolLimits, Resource},
    telemetry::{Counters, bump},
};
use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    future::poll_fn,
    io,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

/// Requests of one cluster that wait on one shard for a connection, where `http1MaxPendingRequests` allows more or says
/// nothing: each holds its head and its task, some 8 KiB, and of so many the last would wait for minutes.
pub const WAITING_MAX: usize = 8192;

/// Requests of its own that a shard serves one after another with its connections while another shard waits that has none.
/// Few enough for the other one's requests to get their turn, enough for a new connection to be worth its while.
const TURNS_MAX: u32 = 16;

/// A shard among the others.
#[derive(Clone, Default)]
pub struct Place {
    /// Which it is, from 0.
    pub shard: usize,
    /// How the others are woken.
    pub bells: Arc<Bells>,
}

/// Why there is no connection.
#[derive(Debug)]
pub enum NoConnection {
    /// A limit was reached.
    Full,
    /// Who waited has left, or its time was up.
    Left,
    /// It can't be opened.
    Failed(io::Error),
}

impl From<Full> for NoConnection {
    fn from(_: Full) -> NoConnection {
        NoConnection::Full
    }
}

impl From<io::Error> for NoConnection {
    fn from(error: io::Error) -> NoConnection {
        NoConnection::Failed(error)
    }
}

impl From<NoConnection> for io::Error {
    fn from(none: NoConnection) -> io::Error {
        match none {
            NoConnection::Full => io::Error::new(io::ErrorKind::QuotaExceeded, "overflow"),
            NoConnection::Left => io::ErrorKind::TimedOut.into(),
            NoConnection::Failed(error) => error,
        }
    }
}

/// What a DestinationRule says of a cluster's connections, on one shard.
pub struct Limits {
    pool: PoolLimits,
    place: Place,
    /// Places for connections that the shard has.
    held: Cell<u32>,
    /// Those of them that have no connection: the next in line takes one.
    spare: Cell<u32>,
    /// Requests that were served from the line since another shard got a place.
    turns: Cell<u32>,
    line: RefCell<VecDeque<Waiter>>,
    next: Cell<u64>,
}

/// A request that waits.
struct Waiter {
    number: u64,
    waker: Option<Waker>,
}

/// A place in the line; dropping it leaves the line.
struct InLine {
    of: Rc<Limits>,
    number: u64,
}

/// The place of one connection; dropping it gives it to the next.
pub struct Slot(Rc<Limits>);

/// Something that is counted until this is dropped.
pub struct Permit {
    of: Rc<Limits>,
    resource: Resource,
}

/// What opening a connection for a request takes where there are limits.
#[derive(Default)]
pub struct Ticket {
    pub(super) slot: Option<Slot>,
    /// The request is pending until the connection is there.
    pub(super) pending: Option<Permit>,
}

/// What a turn gives: something that is there already, or the right to open a connection.
pub(super) enum Turn<T> {
    Ready(T),
    Open(Ticket),
}

impl Limits {
    pub(super) fn new(pool: &PoolLimits, place: &Place) -> Rc<Limits> {
        Rc::new(Limits {
            pool: pool.clone(),
            place: place.clone(),
            held: Cell::new(0),
            spare: Cell::new(0),
            turns: Cell::new(0),
            line: RefCell::default(),
            next: Cell::new(0),
        })
    }

    /// Whether they are these, counted where these are.
    pub(super) fn are(&self, other: &PoolLimits) -> bool {
        let PoolLimits { breaker, keepalive, connection_age_max, requests_per_connection, idle } = &self.pool;
        let counted = |breaker: &Option<Arc<Breaker>>| breaker.as_ref().map(Arc::as_ptr);
        counted(breaker) == counted(&other.breaker)
            && *keepalive == other.keepalive
            && *connection_age_max == other.connection_age_max
            && *requests_per_connection == other.requests_per_connection
            && *idle == other.idle
    }

    /// Probes on silent connections.
    pub(super) fn keepalive(&self) -> Option<Keepalive> {
        self.pool.keepalive.map(|table::TcpKeepalive { probes, time, interval }| Keepalive {
            probes: probes.map(|probes| probes.get()),
            time,
            interval,
        })
    }

    /// How long a connection is kept without a request, where `own` is the gateway's time; `None`: for ever.
    pub(super) fn idle_timeout(&self, own: Duration) -> Option<Duration> {
        match self.pool.idle {
            IdleTime::Own => Some(own),
            IdleTime::After(time) => Some(time),
            IdleTime::Never => None,
        }
    }

    /// The age at which a connection takes no new request.
    pub fn connection_age_max(&self) -> Option<Duration> {
        self.pool.connection_age_max
    }

    /// When a connection that begins now takes no further request.
    pub(super) fn expires(&self) -> Option<Instant> {
        Instant::now().checked_add(self.pool.connection_age_max?)
    }

    /// Whether a connection that has carried so many requests takes no more.
    pub(super) fn is_used_up(&self, requests: u64) -> bool {
        self.pool.requests_per_connection.is_some_and(|most| requests >= u64::from(most.get()))
    }

    /// Begins to use something that may be limited; nothing to be kept where it is not counted.
    ///
    /// # Errors
    /// As much is in use as may be. It is counted.
    pub fn begin(self: &Rc<Self>, resource: Resource) -> Result<Option<Permit>, Full> {
        let Some(breaker) = self.pool.breaker.as_deref() else { return Ok(None) };
        if !breaker.counts(resource) {
            return Ok(None);
        }
        match breaker.begin(resource) {
            Ok(()) => Ok(Some(Permit { of: Rc::clone(self), resource })),
            Err(full) => {
                breaker.note_overflow(resource);
                Err(full)
            }
        }
    }

    /// Whether as many requests are under way as may be: then a connection need not be opened for another. It is counted.
    pub(super) fn is_full_of_requests(&self) -> bool {
        let breaker = self.pool.breaker.as_deref().filter(|breaker| breaker.counts(Resource::Requests));
        let full =
            breaker.filter(|breaker| breaker.in_use(Resource::Requests) >= breaker.most(Resource::Requests));
        full.inspect(|breaker| breaker.note_overflow(Resource::Requests)).is_some()
    }

    /// Whether connections are limited, so that shards may have to wait for each other.
    pub(super) fn limits_connections(&self) -> bool {
        self.breaker().is_some()
    }

    /// What limits connections, if something does.
    fn breaker(&self) -> Option<&Breaker> {
        self.pool.breaker.as_deref().filter(|breaker| breaker.counts(Resource::Connections))
    }

    /// The place for a connection, if there is one now; nothing to be kept where connections are not limited.
    ///
    /// # Errors
    /// There are as many connections as may be.
    pub(super) fn slot(self: &Rc<Self>) -> Result<Option<Slot>, Full> {
        let Some(breaker) = self.breaker() else { return Ok(None) };
        if self.spare.get() == 0 {
            breaker.begin(Resource::Connections)?;
            self.hold(breaker, 1);
        }
        self.spare.set(self.spare.get() - 1);
        Ok(Some(Slot(Rc::clone(self))))
    }

    /// The shard has so many more places.
    fn hold(&self, breaker: &Breaker, count: u32) {
        if self.held.get() == 0 && count > 0 {
            breaker.is_fed(self.place.shard);
        }
        self.held.set(self.held.get() + count);
        self.spare.set(self.spare.get() + count);
    }

    /// Whether nobody waits on this shard.
    pub(super) fn is_line_empty(&self) -> bool {
        self.line.borrow().is_empty()
    }

    /// Whether connections of this shard are to serve another one next.
    fn is_others_turn(&self, breaker: &Breaker) -> bool {
        self.turns.get() >= TURNS_MAX && breaker.is_starving_elsewhere(self.place.shard)
    }

    /// Whether a connection of HTTP/2 is to take no further requests, for another shard has none and waits: one that is
    /// never without work would never be given up. Called when a request has ended.
    pub(super) fn is_to_yield(&self) -> bool {
        let Some(breaker) = self.breaker() else { return false };
        if !breaker.is_starving_elsewhere(self.place.shard) {
            return false;
        }
        self.turns.set(self.turns.get().saturating_add(1));
        self.turns.get() >= TURNS_MAX
    }

    /// Whether a connection that has done its work may be kept.
    pub(super) fn may_rest(&self) -> bool {
        let Some(breaker) = self.breaker() else { return true };
        breaker.rests(self.place.shard);
        match self.is_line_empty() {
            true => breaker.waiting_elsewhere(self.place.shard) == 0,
            false => !self.is_others_turn(breaker),
        }
    }

    /// Something has become free: the first in line looks.
    pub(super) fn wake_first(&self) {
        let waker = self.line.borrow_mut().front_mut().and_then(|first| first.waker.take());
        waker.into_iter().for_each(Waker::wake);
    }

    /// A connection is no more. Its place is for the next.
    fn free(&self) {
        let Some(breaker) = self.breaker() else { return };
        if !self.is_line_empty() && !self.is_others_turn(breaker) {
            self.spare.set(self.spare.get() + 1);
            return self.wake_first();
        }
        self.give_up(breaker);
    }

    fn give_up(&self, breaker: &Breaker) {
        self.turns.set(0);
        self.held.set(self.held.get().saturating_sub(1));
        if self.held.get() == 0 && !self.is_line_empty() {
            breaker.starves(self.place.shard);
        }
        self.place.bells.ring(breaker.give_up(self.place.shard));
    }

    /// Takes what others have given, and gives away what nobody here waits for.
    fn settle(&self, breaker: &Breaker) {
        self.hold(breaker, breaker.take_grants(self.place.shard));
        while self.is_line_empty() && self.spare.get() > 0 {
            self.spare.set(self.spare.get() - 1);
            self.give_up(breaker);
        }
    }

    /// Another shard has given something, or waits for something: takes it, or has `close_one` close what has no work, which
    /// is to say false when there is nothing.
    pub(super) fn look(&self, mut close_one: impl FnMut() -> bool) {
        let Some(breaker) = self.breaker() else { return };
        self.settle(breaker);
        if !self.is_line_empty() {
            return self.wake_first();
        }
        for _ in 0..breaker.waiting_elsewhere(self.place.shard) {
            if !close_one() {
                return breaker.rests_no_more(self.place.shard);
            }
        }
    }

    fn join(self: &Rc<Self>, breaker: &Breaker) -> Result<InLine, Full> {
        let number = self.next.get();
        self.next.set(number + 1);
        let mut line = self.line.borrow_mut();
        if line.len() >= WAITING_MAX {
            breaker.note_overflow(Resource::Pending);
            return Err(Full);
        }
        breaker.note_overflow(Resource::Connections);
        let was_empty = line.is_empty();
        line.push_back(Waiter { number, waker: None });
        drop(line);
        let bits = breaker.join(self.place.shard, was_empty, self.held.get() == 0);
        self.place.bells.ring(bits);
        Ok(InLine { of: Rc::clone(self), number })
    }

    fn is_first(&self, place: Option<&InLine>) -> bool {
        let first = self.line.borrow().front().map(|waiter| waiter.number);
        first == place.map(|place| place.number)
    }

    fn watch(&self, place: &InLine, waker: &Waker) {
        let mut line = self.line.borrow_mut();
        // Numbers grow from the front to the back.
        if let Ok(at) = line.binary_search_by_key(&place.number, |waiter| waiter.number) {
            line[at].waker = Some(waker.clone());
        }
    }

    /// Waits for a turn. `ready` looks for something that makes a new connection needless, such as an idle one; `leave` says
    /// whether the request waits no longer, and sees to it that it is asked again when that changes.
    pub(super) async fn turn<T>(
        self: &Rc<Self>,
        cluster: &Cluster,
        counters: &Counters,
        ready: impl FnMut() -> Result<Option<T>, Full>,
        leave: impl FnMut(&mut Context<'_>) -> bool,
    ) -> Result<Turn<T>, NoConnection> {
        self.turn_of(None, cluster, counters, ready, leave).await
    }

    /// As [`turn`](Self::turn), for a request that may be counted as pending already.
    pub(super) async fn turn_of<T>(
        self: &Rc<Self>,
        mut pending: Option<Permit>,
        cluster: &Cluster,
        counters: &Counters,
        mut ready: impl FnMut() -> Result<Option<T>, Full>,
        mut leave: impl FnMut(&mut Context<'_>) -> bool,
    ) -> Result<Turn<T>, NoConnection> {
        let mut place = None;
        poll_fn(|context| {
            let turn = self.try_turn(cluster, counters, &mut ready, (&mut place, &mut pending));
            match turn {
                Ok(None) if leave(context) => Poll::Ready(Err(NoConnection::Left)),
                Ok(None) => {
                    place.iter().for_each(|place| self.watch(place, context.waker()));
                    Poll::Pending
                }
                Ok(Some(turn)) => {
                    if place.is_some() {
                        self.turns.set(self.turns.get().saturating_add(1));
                    }
                    Poll::Ready(Ok(turn))
                }
                Err(full) => Poll::Ready(Err(full.into())),
            }
        })
        .await
    }

    /// A turn, if it is there; a place in the line, if it is not.
    fn try_turn<T>(
        self: &Rc<Self>,
        cluster: &Cluster,
        counters: &Counters,
        ready: &mut impl FnMut() -> Result<Option<T>, Full>,
        (place, pending): (&mut Option<InLine>, &mut Option<Permit>),
    ) -> Result<Option<Turn<T>>, Full> {
        loop {
            let is_first = self.is_first(place.as_ref());
            if is_first && let Some(there) = ready()? {
                return Ok(Some(Turn::Ready(there)));
            }
            if pending.is_none() {
                *pending = self.begin(Resource::Pending)?;
            }
            if is_first && let Ok(slot) = self.slot() {
                return Ok(Some(Turn::Open(Ticket { slot, pending: pending.take() })));
            }
            let Some(breaker) = self.breaker() else { return Ok(None) };
            if place.is_none() {
                // Once in line it looks again: something may have become free in between.
                *place = Some(self.join(breaker)?);
                self.settle(breaker);
                continue;
            }
            if !is_first {
                return Ok(None);
            }
            match cluster.close_one() {
                Closed::Now => bump(&counters.upstream_connections_active, 1u64.wrapping_neg()),
                Closed::Soon | Closed::None => return Ok(None),
            }
        }
    }
}

/// What became of looking for a connection without work that can be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closed {
    /// One is closed.
    Now,
    /// One is about to close.
    Soon,
    /// There is none.
    None,
}

impl Ticket {
    /// What is there without waiting; nothing is limited where the cluster has no limits.
    ///
    /// # Errors
    /// As much is in use as may be. It is counted.
    pub fn at_once(cluster: &Cluster) -> Result<Ticket, Full> {
        let Some(limits) = &cluster.limits else { return Ok(Ticket::default()) };
        // What is free while others wait is theirs.
        let slot = if limits.is_line_empty() { limits.slot() } else { Err(Full) };
        if slot.is_err() {
            limits.breaker().into_iter().for_each(|breaker| breaker.note_overflow(Resource::Connections));
        }
        Ok(Ticket { slot: slot?, pending: None })
    }
}

impl Drop for InLine {
    fn drop(&mut self) {
        let limits = &self.of;
        let mut line = limits.line.borrow_mut();
        if let Ok(at) = line.binary_search_by_key(&self.number, |waiter| waiter.number) {
            line.remove(at);
        }
        drop(line);
        let Some(breaker) = limits.breaker() else { return };
        breaker.leave(limits.place.shard, limits.is_line_empty());
        limits.settle(breaker);
        // There may be enough for the next one, too.
        limits.wake_first();
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.free();
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.of.pool.breaker.iter().for_each(|breaker| breaker.end(self.resource));
    }
}

#[cfg(test)]
mod tests;
