//! Connections to endpoints that speak HTTP/2: few, each carrying many requests.

use super::{
    Active, Cluster, Dial, Endpoint, Limits, NoConnection, Permit, Stream, Ticket, limits::Turn, open_stream,
    pool::IDLE_TIMEOUT_OF_ONE_CLIENT,
};
use crate::{
    driver::{self, Deadlines},
    http::{RequestHead, Underscores, Upgrade},
    http2::{Config, Connection, ErrorCode},
    mux::{self, Halves, Session, Terms},
    proxy_protocol::Behind,
    table::{Full, Http2Keepalive, Resource, UpstreamTls},
    telemetry::{Counters, bump},
    tls::Alpn,
};
use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    io,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

/// Connections that one shard has to one endpoint. Each carries a hundred requests at a time or more.
const SESSIONS_MAX: usize = 256;

/// Bytes that an endpoint may send on one stream before the client has taken any of them: a slow client holds no more.
const STREAM_WINDOW: u32 = 512 << 10;

/// Streams of one connection, whatever the endpoint allows.
const STREAMS_MAX: u32 = 500;

/// Bytes that an endpoint may send on one connection: as many as all its streams may hold, so that slow clients don't stop
/// the others.
const CONNECTION_WINDOW: u32 = STREAMS_MAX * STREAM_WINDOW;

/// The connections to one endpoint.
#[derive(Default)]
pub(super) struct Sessions {
    open: RefCell<Vec<Rc<Open>>>,
    connecting: RefCell<Vec<Rc<Connecting>>>,
}

/// One connection.
struct Open {
    session: Rc<Session>,
    local: Rc<str>,
    /// The name in its certificate that was asked for, where that depends on the request.
    server_name: Option<Box<str>>,
    /// Whose address was sent on it: nobody else may use it.
    behind: Option<Option<Behind>>,
    /// Requests that it has carried.
    served: Cell<u64>,
    /// When it takes no further request.
    expires: Option<Instant>,
    /// It takes no further request, and ends when it has none.
    retired: Cell<bool>,
}

impl Open {
    fn is_good_for(&self, dial: &Dial<'_>) -> bool {
        dial.may_use(self.server_name.as_deref(), self.behind) && !self.is_retired()
    }

    /// Whether it takes no further request; its age decides here.
    fn is_retired(&self) -> bool {
        if self.expires.is_some_and(|expires| Instant::now() >= expires) {
            self.retire();
        }
        self.retired.get()
    }

    fn retire(&self) {
        if !self.retired.replace(true) {
            self.session.leave_now();
        }
    }

    /// Whether it has no request, and may get one.
    fn is_idle(&self) -> bool {
        !self.retired.get() && self.session.with(|connection| connection.streams() == 0)
    }
}

impl Sessions {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.open.borrow().len()
    }

    /// Ends a connection without requests, if there is one.
    pub(super) fn close_idle(&self) -> bool {
        let idle = self.open.borrow().iter().find(|open| open.is_idle()).cloned();
        idle.iter().for_each(|open| open.retire());
        idle.is_some()
    }

    /// Has those end that have become too old.
    pub(super) fn sweep(&self) {
        let open: Vec<_> = self.open.borrow().iter().filter(|open| open.expires.is_some()).cloned().collect();
        open.iter().for_each(|open| {
            open.is_retired();
        });
    }

    /// Has all end when they have no request.
    pub(super) fn retire(&self) {
        let open: Vec<_> = self.open.borrow().iter().cloned().collect();
        open.iter().for_each(|open| open.retire());
    }
}

/// What is done when a request of a cluster with limits has left its connection.
struct Room {
    limits: Rc<Limits>,
    open: Rc<Open>,
}

impl Drop for Room {
    fn drop(&mut self) {
        if !self.limits.is_line_empty() {
            self.limits.wake_first();
        }
        if self.limits.is_to_yield() || (self.open.is_idle() && !self.limits.may_rest()) {
            self.open.retire();
        }
    }
}

/// A connection that is being opened, and those who wait for it.
#[derive(Default)]
struct Connecting {
    purpose: Purpose,
    waiting: RefCell<Vec<Waker>>,
    /// What became of it: nothing, or why there is none.
    outcome: RefCell<Option<Result<(), (io::ErrorKind, String)>>>,
}

/// What makes a connection good for a request.
#[derive(Default, PartialEq, Eq)]
struct Purpose {
    /// The name in the certificate, where that depends on the request.
    server_name: Option<Box<str>>,
    /// Whose address is sent on it, where the cluster asks for that.
    behind: Option<Option<Behind>>,
}

impl Purpose {
    fn of(cluster: &Cluster, dial: &Dial<'_>) -> Purpose {
        let depends = cluster.tls.as_ref().is_some_and(UpstreamTls::depends_on_request);
        Purpose {
            server_name: dial.host.filter(|_| depends).map(Box::from),
            behind: cluster.proxy_protocol.map(|_| dial.behind),
        }
    }
}

impl Connecting {
    fn finish(&self, outcome: Result<(), (io::ErrorKind, String)>) {
        self.outcome.borrow_mut().get_or_insert(outcome);
        self.waiting.borrow_mut().drain(..).for_each(Waker::wake);
    }

    async fn wait(&self, dial: &Dial<'_>) -> io::Result<()> {
        let timer = dial.due.map(|due| dial.deadlines.timer_at(due));
        poll_fn(|context| match &*self.outcome.borrow() {
            Some(Ok(())) => Poll::Ready(Ok(())),
            Some(Err((kind, text))) => Poll::Ready(Err(io::Error::new(*kind, text.clone()))),
            None if timer.as_ref().is_some_and(|timer| timer.watch(context.waker())) => {
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            None => {
                self.waiting.borrow_mut().push(context.waker().clone());
                Poll::Pending
            }
        })
        .await
    }
}

/// A request on its way to an endpoint.
pub struct OriginStream {
    /// The stream.
    pub stream: mux::Stream,
    /// Our address, as the access log writes it.
    pub local: Rc<str>,
    /// Its connection has carried requests before.
    pub reused: bool,
    /// Counts at the endpoint.
    _active: Active,
    /// Counts as a request of the cluster.
    _request: Option<Permit>,
    /// The last to be dropped.
    _room: Option<Room>,
}

/// A stream that has begun.
struct Begun {
    stream: mux::Stream,
    open: Rc<Open>,
    reused: bool,
    request: Option<Permit>,
}

impl Begun {
    fn into_stream(self, cluster: &Cluster, active: Active) -> OriginStream {
        let Begun { stream, open, reused, request } = self;
        let local = Rc::clone(&open.local);
        let room = cluster.limits.clone().map(|limits| Room { limits, open });
        OriginStream { stream, local, reused, _active: active, _request: request, _room: room }
    }
}

/// What a connection is granted, and where it is counted.
#[derive(Clone, Copy)]
pub struct Http2Terms<'a> {
    /// Times.
    pub terms: &'a Terms,
    /// Numbers.
    pub counters: &'a Arc<Counters>,
}

impl Endpoint {
    /// Begins a stream with this request on a connection that has room for it, if there is one.
    ///
    /// # Errors
    /// There is a connection, but as many requests are under way as may be.
    pub fn stream_at_once(
        self: &Rc<Self>,
        cluster: &Cluster,
        dial: &Dial<'_>,
        head: &RequestHead,
    ) -> Result<Option<OriginStream>, Full> {
        let others_wait = || cluster.limits.as_ref().is_some_and(|limits| !limits.is_line_empty());
        if head.upgrade == Upgrade::WebSocket || others_wait() {
            return Ok(None);
        }
        let begun = self.try_open(cluster, dial, head)?;
        Ok(begun.map(|begun| begun.into_stream(cluster, self.begin())))
    }

    /// Begins a stream with this request, on a connection that has room for it or on a new one. `leave` says whether a request
    /// that waits for its turn, where there are limits, waits no longer, and sees to it that it is asked again when that
    /// changes.
    ///
    /// # Errors
    /// Those of `open_stream`; a limit was reached, or the request has left.
    pub async fn stream(
        self: &Rc<Self>,
        cluster: &Cluster,
        dial: &Dial<'_>,
        head: &RequestHead,
        terms: Http2Terms<'_>,
        mut leave: impl FnMut(&mut Context<'_>) -> bool,
    ) -> Result<OriginStream, NoConnection> {
        let active = self.begin();
        let mut pending = None;
        let (mut is_last, mut has_waited) = (false, false);
        loop {
            if head.upgrade == Upgrade::WebSocket {
                self.await_tunnel(cluster, dial).await?;
            }
            let limits = cluster.limits.as_ref();
            // Who has had to wait goes behind nobody a second time.
            if limits.is_none_or(|limits| has_waited || limits.is_line_empty())
                && let Some(begun) = self.try_open(cluster, dial, head)?
            {
                return Ok(begun.into_stream(cluster, active));
            }
            if let (None, Some(limits)) = (&pending, limits) {
                pending = limits.begin(Resource::Pending)?;
            }
            match self.connecting(&Purpose::of(cluster, dial)) {
                Some(connecting) if !is_last => {
                    let outcome = connecting.wait(dial).await;
                    has_waited = true;
                    // Another one may have room by now.
                    let Err(error) = outcome else { continue };
                    // Who was opening it had less time than we have.
                    if error.kind() == io::ErrorKind::Interrupted {
                        continue;
                    }
                    let Some(begun) = self.try_open(cluster, dial, head)? else { return Err(error.into()) };
                    return Ok(begun.into_stream(cluster, active));
                }
                // Nobody was before us on what we have just opened.
                _ if is_last => return Err(io::Error::other("the new connection takes no request").into()),
                _ => {}
            }
            let mut ticket = Ticket::default();
            if let Some(limits) = limits {
                let ready = || self.try_open(cluster, dial, head);
                // It is counted as pending already.
                match limits.turn_of(pending.take(), cluster, terms.counters, ready, &mut leave).await? {
                    Turn::Ready(begun) => return Ok(begun.into_stream(cluster, active)),
                    Turn::Open(right) => ticket = right,
                }
            }
            pending = ticket.pending.take();
            if self.connecting(&Purpose::of(cluster, dial)).is_some() {
                // Who was before us in line opens one that will do for us, too.
                continue;
            }
            self.connect(cluster, dial, terms, ticket).await?;
            (is_last, has_waited) = (true, true);
        }
    }

    /// A connection that is being opened and that will be good for this request.
    fn connecting(&self, purpose: &Purpose) -> Option<Rc<Connecting>> {
        let fits = |connecting: &&Rc<Connecting>| connecting.purpose == *purpose;
        self.state.sessions.connecting.borrow().iter().find(fits).cloned()
    }

    /// Waits until the first good connection has told whether it takes a WebSocket: nobody may ask for one before (RFC 8441
    /// section 3).
    async fn await_tunnel(&self, cluster: &Cluster, dial: &Dial<'_>) -> io::Result<()> {
        let first = self.state.sessions.open.borrow().iter().find(|open| open.is_good_for(dial)).cloned();
        let Some(first) = first else { return Ok(()) };
        let takes = |session: &Session| session.with(|connection| connection.peer().extended_connect);
        match first.session.introduced(cluster.connect_timeout).await && !takes(&first.session) {
            true => Err(io::ErrorKind::Unsupported.into()),
            false => Ok(()),
        }
    }

    fn try_open(
        &self,
        cluster: &Cluster,
        dial: &Dial<'_>,
        head: &RequestHead,
    ) -> Result<Option<Begun>, Full> {
        let streams_max = cluster.max_concurrent_streams.min(STREAMS_MAX);
        let has_room = |open: &&Rc<Open>| {
            let is_tunnel = head.upgrade == Upgrade::WebSocket;
            let fits = |connection: &mut Connection| {
                connection.can_open(streams_max) && (!is_tunnel || connection.peer().extended_connect)
            };
            open.is_good_for(dial) && open.session.with(fits)
        };
        // The first that has room: the fuller a connection, the less each of its requests costs.
        let open = self.state.sessions.open.borrow().iter().find(has_room).cloned();
        let Some(open) = open else { return Ok(None) };
        let request = match &cluster.limits {
            None => None,
            Some(limits) => limits.begin(Resource::Requests)?,
        };
        let Some(stream) = open.session.open(head, streams_max) else { return Ok(None) };
        let served = open.served.replace(open.served.get() + 1);
        let is_used_up = cluster.limits.as_ref().is_some_and(|limits| limits.is_used_up(served + 1));
        if is_used_up || self.state.gone.get() {
            open.retire();
        }
        Ok(Some(Begun { stream, open, reused: served > 0, request }))
    }

    /// Opens a connection. Others wait for it rather than open one each.
    async fn connect(
        self: &Rc<Self>,
        cluster: &Cluster,
        dial: &Dial<'_>,
        terms: Http2Terms<'_>,
        ticket: Ticket,
    ) -> io::Result<()> {
        if self.state.sessions.open.borrow().len() >= SESSIONS_MAX {
            return Err(io::Error::other("as many connections to the endpoint as there may be"));
        }
        let connecting = Rc::new(Connecting { purpose: Purpose::of(cluster, dial), ..Connecting::default() });
        self.state.sessions.connecting.borrow_mut().push(Rc::clone(&connecting));
        let dial = Dial { alpn: Alpn::Http2, ..*dial };
        let opened = open_stream(cluster, self, &dial, ticket.slot).await;
        self.state.sessions.connecting.borrow_mut().retain(|other| !Rc::ptr_eq(other, &connecting));
        match opened {
            Ok(stream) => {
                bump(&terms.counters.upstream_connections, 1);
                bump(&terms.counters.upstream_connections_active, 1);
                self.begin_session(cluster, stream, &dial, terms);
                connecting.finish(Ok(()));
                cluster.limits.iter().for_each(|limits| limits.wake_first());
                Ok(())
            }
            Err(error) => {
                let is_over = dial.due.is_some_and(|due| due <= Instant::now());
                let kind = if is_over { io::ErrorKind::Interrupted } else { error.kind() };
                connecting.finish(Err((kind, error.to_string())));
                Err(error)
            }
        }
    }

    fn begin_session(
        self: &Rc<Self>,
        cluster: &Cluster,
        stream: Stream,
        dial: &Dial<'_>,
        terms: Http2Terms<'_>,
    ) {
        let Stream { read, write, deadline, local, server_name, behind, counted, slot, .. } = stream;
        let config = Config {
            stream_window: STREAM_WINDOW,
            stream_window_first: STREAM_WINDOW,
            connection_window: CONNECTION_WINDOW,
            connection_window_first: CONNECTION_WINDOW,
            ..Config::client()
        };
        // Names are judged when they come from clients.
        let names = Underscores::Allow;
        let mut granted = terms.terms.clone();
        if behind.is_some() {
            granted.idle = IDLE_TIMEOUT_OF_ONE_CLIENT;
        }
        if let Some(limits) = &cluster.limits {
            granted.idle = limits.idle_timeout(granted.idle).unwrap_or(Duration::MAX);
        }
        let session = Session::new(config, names, dial.pool, dial.deadlines, deadline, granted);
        let open = Rc::new(Open {
            session: Rc::clone(&session),
            local,
            server_name,
            behind,
            served: Cell::new(0),
            expires: cluster.limits.as_ref().and_then(|limits| limits.expires()),
            retired: Cell::new(false),
        });
        self.state.sessions.open.borrow_mut().push(Rc::clone(&open));
        if let Some(keepalive) = cluster.http2_keepalive {
            driver::spawn(keep_alive(Rc::clone(&session), keepalive, Rc::clone(dial.deadlines)));
        }
        let (state, counters) = (Rc::clone(&self.state), Arc::clone(terms.counters));
        let came = dial.pool.empty();
        driver::spawn(async move {
            mux::run(&session, Halves { read, write }, came, |_| {}).await;
            state.sessions.open.borrow_mut().retain(|other| !Rc::ptr_eq(other, &open));
            bump(&counters.upstream_connections_active, 1u64.wrapping_neg());
            // The socket is closed by now; the next may open one.
            drop((counted, slot));
        });
    }
}

/// Asks again and again whether the endpoint answers, and ends the connection when it does not
/// (`connectionPool.http.http2KeepAlive`).
async fn keep_alive(session: Rc<Session>, keepalive: Http2Keepalive, deadlines: Rc<Deadlines>) {
    while !session.with(|connection| connection.is_over()) {
        driver::pause(&deadlines, keepalive.interval).await;
        let before = session.with(|connection| {
            connection.ping();
            connection.pongs()
        });
        session.flush();
        driver::pause(&deadlines, keepalive.timeout).await;
        let is_silent = session.with(|connection| !connection.is_over() && connection.pongs() == before);
        if is_silent {
            session.abort(ErrorCode::NoError, "keepalive_timeout");
            session.cut();
            return;
        }
    }
}
