//! One HTTP/2 connection of a client: each of its streams is an exchange.

use super::{
    ConnectionInfo, Environment, Socket,
    client::{Client, Incoming},
    exchange::{After, Exchange, Ingress},
    listener_state::Known,
    record::Summary,
    reply::LocalReply,
    stream_body::StreamBody,
};
use crate::{
    buffer::Buffer,
    http::RequestHead,
    http2::{Arrival, Config, ConnectionError, ErrorCode, StreamEnd, Tally, Verdict},
    mux::{self, Halves, Session, Stream},
    telemetry::{Flag, bump},
};
use std::{cell::Cell, rc::Rc, time::Instant};

/// What the streams of a connection share.
struct Connection {
    info: Rc<ConnectionInfo>,
    env: Rc<Environment>,
    session: Rc<Session>,
    /// Requests so far.
    requests: Cell<u64>,
    tally: Cell<Tally>,
    sends: Cell<u64>,
}

/// Serves a connection to its end. `came` is what has been read of it already. It is counted as open by the caller.
pub(super) async fn serve_http2(
    known: Option<Known>,
    socket: Socket,
    came: Buffer,
    info: Rc<ConnectionInfo>,
    env: Rc<Environment>,
) {
    let Socket { deadline, read, write } = socket;
    let routing = env.routing();
    let settings = &routing.snapshot.settings.http2;
    let config = Config {
        max_concurrent_streams: settings.max_concurrent_streams,
        stream_window: settings.initial_stream_window,
        connection_window: settings.initial_connection_window,
        extended_connect: settings.extended_connect,
        header_list_bytes: routing.policy.limits.head_bytes,
        fields: routing.policy.limits.fields,
        ..Config::server()
    };
    let mut terms = env.downstream_terms.clone();
    terms.age = info.ends_at.map(|end| end.saturating_duration_since(Instant::now()));
    let requests_max = settings.connection_requests_max;
    let underscores = routing.policy.underscores;
    drop(routing);
    let session = Session::new(config, underscores, &env.buffers, &env.deadlines, deadline, terms);
    env.register(&session);
    known.iter().for_each(|known| known.is_http2(&info, &session));
    bump(&env.counters.http2_connections, 1);
    let connection = Rc::new(Connection {
        info,
        env,
        session: Rc::clone(&session),
        requests: Cell::new(0),
        tally: Cell::default(),
        sends: Cell::new(0),
    });
    if connection.env.draining.get() || connection.info.is_to_leave() {
        session.leave();
    }
    session.flush();
    let each_turn = |failure: Option<ConnectionError>| {
        connection.turn(requests_max);
        failure.into_iter().for_each(|error| connection.failed(error));
    };
    mux::run(&session, Halves { read, write }, came, each_turn).await;
    drop(known);
    connection.count();
    bump(&connection.env.counters.downstream_connections_active, 1u64.wrapping_neg());
}

impl Connection {
    /// Takes what has come.
    fn turn(self: &Rc<Self>, requests_max: Option<u64>) {
        let mut started = None;
        while let Some((arrival, stream)) = self.session.next_arrival() {
            let started = *started.get_or_insert_with(Instant::now);
            self.requests.set(self.requests.get() + 1);
            match stream {
                Some(stream) => {
                    let job = Job { connection: Rc::clone(self), arrival, stream, started };
                    self.env.workers.serve(job, &self.env);
                }
                None => self.malformed(arrival),
            }
        }
        if requests_max.is_some_and(|max| self.requests.get() >= max) {
            self.session.leave();
        }
        self.count();
    }

    /// Counts what has happened since the last time.
    fn count(&self) {
        let counters = &self.env.counters;
        let now = self.session.with(|connection| connection.tally());
        let before = self.tally.replace(now);
        bump(&counters.http2_resets_received, now.resets_received - before.resets_received);
        bump(&counters.http2_resets_sent, now.resets_sent - before.resets_sent);
        bump(&counters.http2_streams_refused, now.refused - before.refused);
        let sends = self.session.sends();
        bump(&counters.http2_flushes, sends - self.sends.replace(sends));
    }

    /// A request that was reset because it breaks a rule.
    fn malformed(&self, arrival: Arrival) {
        let Verdict::Malformed(details) = arrival.verdict else { return };
        self.protocol_error(arrival.head, details, "", false);
    }

    /// The client did what its connection could not survive.
    fn failed(&self, error: ConnectionError) {
        if let Some(flood) = error.flood {
            bump(self.env.counters.http2_floods.of(flood as usize), 1);
        }
        self.protocol_error(Box::default(), error.reason, error.code.as_str(), true);
    }

    /// Counts what the client did, and writes its line of the access log.
    fn protocol_error(
        &self,
        mut request: Box<RequestHead>,
        details: &'static str,
        code: &str,
        is_connection: bool,
    ) {
        bump(&self.env.counters.protocol_errors, 1);
        let mut scratch = self.env.take_scratch();
        std::mem::swap(&mut scratch.request, &mut request);
        scratch.original_target.clear();
        let mut summary = Summary::new(Instant::now());
        (summary.flag, summary.details) = (Some(Flag::DownstreamProtocolError), details);
        summary.transport_failure = code.to_owned();
        summary.is_connection = is_connection;
        summary.write(&self.env, &self.info, &scratch, None, "");
        self.env.keep_scratch(scratch);
    }
}

/// A stream that is to be served.
pub(super) struct Job {
    connection: Rc<Connection>,
    arrival: Arrival,
    stream: Stream,
    /// When it came: the clock is asked once for all that came together.
    started: Instant,
}

/// Serves one stream.
pub(super) async fn exchange(job: Job) {
    let Job { connection, mut arrival, stream, started } = job;
    let env = &connection.env;
    let mut scratch = env.take_scratch();
    std::mem::swap(&mut scratch.request, &mut *arrival.head);
    connection.session.with(|session| session.return_head(arrival.head));
    let ingress = Ingress { info: &connection.info, env };
    let incoming = Incoming::Http2(StreamBody::new(&stream, &env.kept_bytes));
    let mut exchange = Exchange::new(Client::Http2(&stream), incoming, ingress, &mut scratch, started);
    let after = match arrival.verdict {
        Verdict::Refuse(refused) => exchange.refuse(LocalReply::Refused(refused)).await,
        _ => exchange.run().await,
    };
    if after == After::Close && stream.end().is_none_or(|end| end == StreamEnd::TimedOut) {
        // What could not be finished is not to be taken for whole.
        stream.reset(ErrorCode::InternalError);
    }
    env.keep_scratch(scratch);
}
