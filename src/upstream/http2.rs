//! Connections to endpoints that speak HTTP/2: few, each carrying many requests.

use super::{Active, Cluster, Dial, Endpoint, Stream, open_stream};
use crate::{
    driver::{self, Deadlines},
    http::{RequestHead, Underscores},
    http2::{Config, ErrorCode},
    mux::{self, Halves, Session, Terms},
    proxy_protocol::Behind,
    table::Http2Keepalive,
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
};

/// Connections that one shard has to one endpoint. Each carries a hundred requests at a time or more.
const SESSIONS_MAX: usize = 256;

/// Bytes that an endpoint may send on one stream before the client has taken any of them: a slow client holds no more,
/// and does not stop the others of its connection.
const STREAM_WINDOW: u32 = 512 << 10;

/// The same for all streams of one connection.
const CONNECTION_WINDOW: u32 = 32 << 20;

/// The connections to one endpoint.
#[derive(Default)]
pub(super) struct Sessions {
    open: RefCell<Vec<Rc<Open>>>,
    connecting: RefCell<Option<Rc<Connecting>>>,
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

/// A connection that is being opened, and those who wait for it.
#[derive(Default)]
struct Connecting {
    waiting: RefCell<Vec<Waker>>,
    /// What became of it: nothing, or why there is none.
    outcome: RefCell<Option<Result<(), (io::ErrorKind, String)>>>,
}

impl Connecting {
    fn finish(&self, outcome: Result<(), (io::ErrorKind, String)>) {
        self.outcome.borrow_mut().get_or_insert(outcome);
        self.waiting.borrow_mut().drain(..).for_each(Waker::wake);
    }

    async fn wait(&self) -> io::Result<()> {
        poll_fn(|context| match &*self.outcome.borrow() {
            Some(Ok(())) => Poll::Ready(Ok(())),
            Some(Err((kind, text))) => Poll::Ready(Err(io::Error::new(*kind, text.clone()))),
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
            if let Some((stream, local, reused)) = self.try_open(cluster, dial, head) {
                return Ok(OriginStream { stream, local, reused, _active: active });
            }
            let under_way = self.sessions.connecting.borrow().clone();
            match under_way {
                Some(connecting) if !is_last => connecting.wait().await?,
                // Nobody was before us on what we have just opened.
                _ if is_last => return Err(io::Error::other("the new connection takes no request")),
                _ => {
                    self.connect(cluster, dial, terms).await?;
                    is_last = true;
                }
            }
        }
    }

    fn try_open(
        &self,
        cluster: &Cluster,
        dial: &Dial<'_>,
        head: &RequestHead,
    ) -> Option<(mux::Stream, Rc<str>, bool)> {
        let fits = |open: &&Rc<Open>| {
            open.server_name.as_deref().is_none_or(|name| Some(name) == dial.host)
                && open.behind.is_none_or(|behind| behind == dial.behind)
        };
        // The first that has room: the fuller a connection, the less each of its requests costs.
        self.sessions.open.borrow().iter().filter(fits).find_map(|open| {
            let stream = open.session.open(head, cluster.max_concurrent_streams)?;
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
        let connecting = Rc::new(Connecting::default());
        *self.sessions.connecting.borrow_mut() = Some(Rc::clone(&connecting));
        let dial = Dial { alpn: Alpn::Http2, ..*dial };
        let opened = open_stream(cluster, self, &dial).await;
        *self.sessions.connecting.borrow_mut() = None;
        match opened {
            Ok(stream) => {
                bump(&terms.counters.upstream_connections, 1);
                bump(&terms.counters.upstream_connections_active, 1);
                self.begin_session(cluster, stream, &dial, terms);
                connecting.finish(Ok(()));
                Ok(())
            }
            Err(error) => {
                connecting.finish(Err((error.kind(), error.to_string())));
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
            connection_window: CONNECTION_WINDOW,
            connection_window_first: CONNECTION_WINDOW,
            ..Config::client()
        };
        // Names are judged when they come from clients.
        let names = Underscores::Allow;
        let session = Session::new(config, names, dial.pool, dial.deadlines, deadline, terms.terms.clone());
        let open = Open { session: Rc::clone(&session), local, server_name, behind, served: Cell::new(0) };
        let open = Rc::new(open);
        self.sessions.open.borrow_mut().push(Rc::clone(&open));
        if let Some(keepalive) = cluster.http2_keepalive {
            driver::spawn(keep_alive(Rc::clone(&session), keepalive, Rc::clone(dial.deadlines)));
        }
        let (endpoint, counters) = (Rc::clone(self), Arc::clone(terms.counters));
        let came = dial.pool.empty();
        driver::spawn(async move {
            mux::run(&session, Halves { read, write }, came, || {}).await;
            endpoint.sessions.open.borrow_mut().retain(|other| !Rc::ptr_eq(other, &open));
            bump(&counters.upstream_connections_active, 1u64.wrapping_neg());
        });
    }
}

/// Asks again and again whether the endpoint answers, and ends the connection when it does not
/// (`connectionPool.http.http2KeepAlive`).
async fn keep_alive(session: Rc<Session>, keepalive: Http2Keepalive, deadlines: Rc<Deadlines>) {
    while !session.with(|connection| connection.is_over()) {
        pause(&deadlines, keepalive.interval).await;
        let before = session.with(|connection| {
            connection.ping();
            connection.pongs()
        });
        session.flush();
        pause(&deadlines, keepalive.timeout).await;
        let is_silent = session.with(|connection| !connection.is_over() && connection.pongs() == before);
        if is_silent {
            session.abort(ErrorCode::NoError, "keepalive_timeout");
            session.cut();
            return;
        }
    }
}

async fn pause(deadlines: &Rc<Deadlines>, time: std::time::Duration) {
    let timer = deadlines.timer(time);
    poll_fn(|context| if timer.watch(context.waker()) { Poll::Ready(()) } else { Poll::Pending }).await;
}
