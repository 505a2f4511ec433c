//! One connection to an endpoint.

use super::{
    Active, Cluster, Counted, Dial, Endpoint, Limits, NoConnection, Permit, Stream, Ticket,
    limits::{Slot, Turn},
    open_stream,
};
use crate::{
    buffer::{Buffer, Class, Pool},
    driver::Deadline,
    proxy_protocol::Behind,
    table::{Full, Resource},
    telemetry::{Counters, bump},
    tls::{PendingRead, ReadHalf, WriteHalf},
};
use std::{
    future::poll_fn,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
    time::Instant,
};

/// Room left in front of what is read from an upstream, so that the head that goes to the client can be put directly
/// before the body, over the head that came: one buffer, one send, no copy of the body. The rewritten head may be
/// longer than the old one by this much; otherwise it is sent on its own.
pub const HEADROOM: usize = 512;

/// A connection to an endpoint. A read is under way whenever none of its bytes are being looked at: the same read
/// notices that an idle connection is closed or speaks out of turn, and gets the next response.
pub struct Connection {
    /// Its deadline. Declared before the halves, for it must be dropped before the socket is closed.
    pub deadline: Deadline,
    /// The half that sends.
    pub write: WriteHalf,
    /// The half that receives.
    pub reader: Reader,
    /// The endpoint it goes to.
    pub endpoint: Rc<Endpoint>,
    /// Counts as a request at the endpoint while it is not idle.
    active: Option<Active>,
    /// Our address, as the access log writes it.
    pub local: Rc<str>,
    /// The name in its certificate that was asked for, where that depends on the request.
    pub(super) server_name: Option<Box<str>>,
    /// Whose address was sent on it: nobody else may use it. `None`: no address was asked for.
    pub(super) behind: Option<Option<Behind>>,
    /// Exchanges it has carried before.
    pub served: u32,
    /// When it takes no further request.
    pub(super) expires: Option<Instant>,
    /// What is said of the cluster's connections.
    pub(super) limits: Option<Rc<Limits>>,
    /// Counts as a request of the cluster while it is not idle.
    request: Option<Permit>,
    /// Counts as open.
    _counted: Counted,
    /// Its place among the cluster's connections; the last to be dropped, for the next may open one then.
    slot: Option<Slot>,
}

impl Connection {
    /// Connects to an endpoint and starts to read. It does not wait for the cluster's limits.
    ///
    /// # Errors
    /// Those of `open_stream`; `QuotaExceeded` where the limits allow no more.
    pub async fn open(
        cluster: &Cluster,
        endpoint: &Rc<Endpoint>,
        dial: &Dial<'_>,
    ) -> io::Result<Box<Connection>> {
        let ticket = Ticket::at_once(cluster).map_err(NoConnection::from)?;
        Ok(Connection::open_with(cluster, endpoint, dial, ticket).await?)
    }

    /// As [`open`](Self::open), for a request whose turn it is.
    ///
    /// # Errors
    /// Those of `open_stream`; as many requests may be under way as there may be, when it is open.
    pub async fn open_with(
        cluster: &Cluster,
        endpoint: &Rc<Endpoint>,
        dial: &Dial<'_>,
        ticket: Ticket,
    ) -> Result<Box<Connection>, NoConnection> {
        let Ticket { slot, pending } = ticket;
        if cluster.limits.as_ref().is_some_and(|limits| limits.is_full_of_requests()) {
            return Err(NoConnection::Full);
        }
        let stream = open_stream(cluster, endpoint, dial, slot).await?;
        drop(pending);
        let mut connection = Connection::of(stream, cluster, dial.pool);
        if let Some(limits) = &cluster.limits {
            // Others were faster while it was opened.
            connection.request = limits.begin(Resource::Requests)?;
        }
        Ok(connection)
    }

    fn of(stream: Stream, cluster: &Cluster, pool: &Pool) -> Box<Connection> {
        let Stream {
            read, write, deadline, endpoint, local, active, server_name, behind, counted, slot, ..
        } = stream;
        let mut connection = Box::new(Connection {
            write,
            deadline,
            reader: Reader { reading: Reading::Over, pool: pool.clone() },
            endpoint,
            active: Some(active),
            local,
            server_name,
            behind,
            served: 0,
            expires: cluster.limits.as_ref().and_then(|limits| limits.expires()),
            limits: cluster.limits.clone(),
            request: None,
            _counted: counted,
            slot,
        });
        connection.reader.start(read);
        connection
    }

    /// Whether it may be kept, as far as limits are concerned.
    pub(super) fn may_rest(&self) -> bool {
        let Some(limits) = &self.limits else { return true };
        !limits.is_used_up(u64::from(self.served) + 1) && !self.is_expired() && limits.may_rest()
    }

    /// Whether it is too old for another request.
    pub(super) fn is_expired(&self) -> bool {
        self.expires.is_some_and(|expires| Instant::now() >= expires)
    }

    /// Makes it idle: starts the read that watches it. False if it can't be used again: it has ended, or there are
    /// bytes that nobody asked for.
    pub(super) fn rest(&mut self) -> bool {
        self.active = None;
        self.request = None;
        self.reader.rest()
    }

    /// Takes it out of rest for another request. False if it was closed, or spoke out of turn, in the meantime.
    pub(super) fn wake(&mut self) -> bool {
        if !self.reader.is_quiet() {
            return false;
        }
        self.deadline.disarm();
        self.active = Some(self.endpoint.begin());
        self.served += 1;
        true
    }
}

/// An idle connection for a request, or the right to open one.
pub enum Offer {
    /// One that was idle.
    Idle(Box<Connection>),
    /// For [`Connection::open_with`].
    Open(Ticket),
}

impl Endpoint {
    /// As [`reuse`](Self::reuse), where there are limits: nothing if others wait for a connection already.
    ///
    /// # Errors
    /// There is a connection, but as many requests are under way as may be.
    pub fn reuse_within(
        self: &Rc<Self>,
        limits: &Rc<Limits>,
        dial: &Dial<'_>,
        closed: impl FnMut(),
    ) -> Result<Option<Box<Connection>>, Full> {
        if !limits.is_line_empty() { Ok(None) } else { self.take_idle(limits, dial, closed) }
    }

    fn take_idle(
        self: &Rc<Self>,
        limits: &Rc<Limits>,
        dial: &Dial<'_>,
        mut closed: impl FnMut(),
    ) -> Result<Option<Box<Connection>>, Full> {
        let Some(mut connection) = self.reuse(dial, &mut closed) else { return Ok(None) };
        match limits.begin(Resource::Requests) {
            Ok(request) => {
                connection.request = request;
                Ok(Some(connection))
            }
            Err(full) => {
                // It has not served this one.
                connection.served -= 1;
                if !connection.give_back() {
                    closed();
                }
                Err(full)
            }
        }
    }

    /// Waits for a connection of HTTP/1.1 where there are limits: one that is idle (unless it has to be `fresh`), or the right
    /// to open one. `leave` says whether the request waits no longer, and sees to it that it is asked again when that
    /// changes.
    ///
    /// # Errors
    /// A limit was reached, or the request has left.
    pub async fn offer(
        self: &Rc<Self>,
        (cluster, limits): (&Cluster, &Rc<Limits>),
        dial: &Dial<'_>,
        fresh: bool,
        counters: &Counters,
        leave: impl FnMut(&mut Context<'_>) -> bool,
    ) -> Result<Offer, NoConnection> {
        let closed = || {
            bump(&counters.upstream_idle_closed, 1);
            bump(&counters.upstream_connections_active, 1u64.wrapping_neg());
        };
        let ready = || if fresh { Ok(None) } else { self.take_idle(limits, dial, closed) };
        Ok(match limits.turn(cluster, counters, ready, leave).await? {
            Turn::Ready(connection) => Offer::Idle(connection),
            Turn::Open(ticket) => Offer::Open(ticket),
        })
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.slot.is_some() {
            // The socket may be closed later, when its last operation has ended. The endpoint is to hear of its end before
            // it hears of the next connection, which may be opened as soon as the place is free.
            self.deadline.end_now();
        }
    }
}

/// The half of a connection that receives.
pub struct Reader {
    reading: Reading,
    pool: Pool,
}

enum Reading {
    /// A read is under way.
    Pending(PendingRead),
    /// Nothing is; the buffer has the bytes that came and were not looked at yet.
    Ready(ReadHalf, Buffer),
    /// The peer will send no more, or reading failed; or a read is being started right now.
    Over,
}

impl Reader {
    /// Waits for bytes of the response: gives a buffer with all unread ones. Called again after `put_back`, it waits
    /// for more. An empty buffer means that the peer has ended.
    ///
    /// # Errors
    /// Those of `recv(2)`.
    pub async fn receive(&mut self) -> io::Result<Buffer> {
        if let Reading::Pending(pending) = &mut self.reading {
            let (result, buffer, half) = poll_fn(|context| Pin::new(&mut *pending).poll(context)).await;
            match result {
                Ok(0) => self.reading = Reading::Over,
                Ok(_) => self.reading = Reading::Ready(half, buffer),
                Err(error) => {
                    self.reading = Reading::Over;
                    return Err(error);
                }
            }
        } else if let Reading::Ready(half, buffer) = std::mem::replace(&mut self.reading, Reading::Over) {
            let mut half = half;
            let (result, buffer) = half.read(buffer).await;
            if result? > 0 {
                self.reading = Reading::Ready(half, buffer);
            }
        }
        match std::mem::replace(&mut self.reading, Reading::Over) {
            Reading::Ready(half, buffer) => {
                // The half stays; the caller has the buffer until it puts one back.
                self.reading = Reading::Ready(half, self.pool.empty());
                Ok(buffer)
            }
            _ => Ok(self.pool.empty()),
        }
    }

    /// Gives back the buffer that `receive` gave, or a larger one, with what is still unread.
    pub fn put_back(&mut self, buffer: Buffer) {
        if let Reading::Ready(_, place) = &mut self.reading {
            *place = buffer;
        }
    }

    /// The half, while nothing is being read, for who moves bytes past the reader.
    pub fn half(&mut self) -> Option<&mut ReadHalf> {
        match &mut self.reading {
            Reading::Ready(half, _) => Some(half),
            _ => None,
        }
    }

    /// The half itself, after `receive`, for who goes on without the reader; what is unread is the caller's already.
    pub fn take_half(&mut self) -> Option<ReadHalf> {
        match std::mem::replace(&mut self.reading, Reading::Over) {
            Reading::Ready(half, _) => Some(half),
            other => {
                self.reading = other;
                None
            }
        }
    }

    /// Whether the peer has ended, or reading failed.
    pub fn is_over(&self) -> bool {
        matches!(self.reading, Reading::Over)
    }

    fn start(&mut self, read: ReadHalf) {
        let mut pending = read.start_read(self.pool.later(Class::Medium, HEADROOM));
        // The first poll is what hands the read to the ring: from now on it watches the connection.
        self.reading = match Pin::new(&mut pending).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => Reading::Pending(pending),
            Poll::Ready((Ok(1..), buffer, half)) => Reading::Ready(half, buffer),
            Poll::Ready(_) => Reading::Over,
        };
    }

    fn rest(&mut self) -> bool {
        match std::mem::replace(&mut self.reading, Reading::Over) {
            Reading::Ready(half, buffer) if buffer.is_empty() => {
                self.start(half);
                matches!(self.reading, Reading::Pending(_))
            }
            Reading::Pending(pending) => {
                self.reading = Reading::Pending(pending);
                true
            }
            _ => false,
        }
    }

    /// Whether the read that watches it is still waiting.
    pub(super) fn is_quiet(&mut self) -> bool {
        let Reading::Pending(pending) = &mut self.reading else { return false };
        match Pin::new(pending).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => true,
            Poll::Ready(_) => {
                self.reading = Reading::Over;
                false
            }
        }
    }
}
