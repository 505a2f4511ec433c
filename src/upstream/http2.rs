//! Connections to endpoints that speak HTTP/2: few, each carrying many requests.

use super::{Active, Cluster, Dial, Endpoint, Stream, open_stream, pool::IDLE_TIMEOUT_OF_ONE_CLIENT};
use crate::{
    driver::{self, Deadlines},
    http::{RequestHead, Underscores, Upgrade},
    http2::{Config, ErrorCode},
    mux::{self, Halves, Session, Terms},
    proxy_protocol::Behind,
    table::{Http2Keepalive, UpstreamTls},
    telemetry::{Counters, bump},
    tls::Alpn,
};
use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    io,
    rc::Rc,
    sync::Arc,
    task::{Poll, Waker},
    time::Instant,
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
}

impl Open {
    fn is_good_for(&self, dial: &Dial<'_>) -> bool {
        dial.may_use(self.server_name.as_deref(), self.behind)
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
    pub fn stream_at_once(
        self: &Rc<Self>,
        cluster: &Cluster,
        dial: &Dial<'_>,
        head: &RequestHead,
    ) -> Option<OriginStream> {
        if head.upgrade == Upgrade::WebSocket {
            return None;
        }
        let (stream, local, reused) = self.try_open(cluster, dial, head)?;
        Some(OriginStream { stream, local, reused, _active: self.begin() })
    }

    /// Begins a stream with this request, on a connection that has room for it or on a new one.
    ///
    /// # Errors
    /// Those of [`open_stream`].
    pub async fn stream(
        self: &Rc<Self>,
        cluster: &Cluster,
        dial: &Dial<'_>,
        head: &RequestHead,
        terms: Http2Terms<'_>,
    ) -> io::Result<OriginStream> {
        let active = self.begin();
        let mut is_last = false;
        loop {
            if head.upgrade == Upgrade::WebSocket {
                self.await_tunnel(cluster, dial).await?;
            }
            if let Some((stream, local, reused)) = self.try_open(cluster, dial, head) {
                return Ok(OriginStream { stream, local, reused, _active: active });
            }
            match self.connecting(&Purpose::of(cluster, dial)) {
                Some(connecting) if !is_last => {
                    let outcome = connecting.wait(dial).await;
                    // Another one may have room by now.
                    let Err(error) = outcome else { continue };
                    // Who was opening it had less time than we have.
                    if error.kind() == io::ErrorKind::Interrupted {
                        continue;
                    }
                    let Some((stream, local, reused)) = self.try_open(cluster, dial, head) else {
                        return Err(error);
                    };
                    return Ok(OriginStream { stream, local, reused, _active: active });
                }
                // Nobody was before us on what we have just opened.
                _ if is_last => return Err(io::Error::other("the new connection takes no request")),
                _ => {
                    self.connect(cluster, dial, terms).await?;
                    is_last = true;
                }
            }
        }
    }

    /// A connection that is being opened and that will be good for this request.
    fn connecting(&self, purpose: &Purpose) -> Option<Rc<Connecting>> {
        let fits = |connecting: &&Rc<Connecting>| connecting.purpose == *purpose;
        self.sessions.connecting.borrow().iter().find(fits).cloned()
    }

    /// Waits until the first good connection has told whether it takes a WebSocket: nobody may ask for one before (RFC 8441
    /// section 3).
    async fn await_tunnel(&self, cluster: &Cluster, dial: &Dial<'_>) -> io::Result<()> {
        let first = self.sessions.open.borrow().iter().find(|open| open.is_good_for(dial)).cloned();
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
    ) -> Option<(mux::Stream, Rc<str>, bool)> {
        // The first that has room: the fuller a connection, the less each of its requests costs.
        self.sessions.open.borrow().iter().filter(|open| open.is_good_for(dial)).find_map(|open| {
            let session = &open.session;
            let is_tunnel = head.upgrade == Upgrade::WebSocket;
            if is_tunnel && !session.with(|connection| connection.peer().extended_connect) {
                return None;
            }
            let stream = session.open(head, cluster.max_concurrent_streams.min(STREAMS_MAX))?;
            let served = open.served.replace(open.served.get() + 1);
            Some((stream, Rc::clone(&open.local), served > 0))
        })
    }

    /// Opens a connection. Others wait for it rather than open one each.
    async fn connect(
        self: &Rc<Self>,
        cluster: &Cluster,
        dial: &Dial<'_>,
        terms: Http2Terms<'_>,
    ) -> io::Result<()> {
        if self.sessions.open.borrow().len() >= SESSIONS_MAX {
            return Err(io::Error::other("as many connections to the endpoint as there may be"));
        }
        let connecting = Rc::new(Connecting { purpose: Purpose::of(cluster, dial), ..Connecting::default() });
        self.sessions.connecting.borrow_mut().push(Rc::clone(&connecting));
        let dial = Dial { alpn: Alpn::Http2, ..*dial };
        let opened = open_stream(cluster, self, &dial).await;
        self.sessions.connecting.borrow_mut().retain(|other| !Rc::ptr_eq(other, &connecting));
        match opened {
            Ok(stream) => {
                bump(&terms.counters.upstream_connections, 1);
                bump(&terms.counters.upstream_connections_active, 1);
                self.begin_session(cluster, stream, &dial, terms);
                connecting.finish(Ok(()));
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
        let Stream { read, write, deadline, local, server_name, behind, .. } = stream;
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
        let session = Session::new(config, names, dial.pool, dial.deadlines, deadline, granted);
        let open = Open { session: Rc::clone(&session), local, server_name, behind, served: Cell::new(0) };
        let open = Rc::new(open);
        self.sessions.open.borrow_mut().push(Rc::clone(&open));
        if let Some(keepalive) = cluster.http2_keepalive {
            driver::spawn(keep_alive(Rc::clone(&session), keepalive, Rc::clone(dial.deadlines)));
        }
        let (endpoint, counters) = (Rc::clone(self), Arc::clone(terms.counters));
        let came = dial.pool.empty();
        driver::spawn(async move {
            mux::run(&session, Halves { read, write }, came, |_| {}).await;
            endpoint.sessions.open.borrow_mut().retain(|other| !Rc::ptr_eq(other, &open));
            bump(&counters.upstream_connections_active, 1u64.wrapping_neg());
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
