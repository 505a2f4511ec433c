//! One try of an exchange at one endpoint.

use super::{
    client::{Client, Incoming},
    download::{Broken, Responded},
    exchange::{After, Exchange, Way},
    failure::{Failure, Kind, Phase, Replay, is_idempotent},
    record::Upstream,
    timing::{Cut, Timing},
    tunnel,
    upload::{Progress, Sink, Upload, UploadEnd},
};
use crate::{
    buffer::Buffer,
    grpc,
    http::{Name, split_port},
    http1::encode,
    http2::StreamEnd,
    telemetry::bump,
    upstream::{Connection, Dial, Endpoint},
};
use std::{future::poll_fn, io, pin::pin, rc::Rc, task::Poll, time::Duration};

/// One try.
pub(super) struct Attempt<'e> {
    pub(super) endpoint: &'e Rc<Endpoint>,
    /// From 1.
    pub(super) number: usize,
    /// Only a connection that is new will do.
    pub(super) fresh: bool,
}

/// An attempt that delivered no whole answer.
pub(super) enum Failed {
    /// Nothing of an answer has gone to the client.
    Before(Failure, Replay),
    /// Part of an answer has.
    Within(Failure),
    /// There was an answer with this status, and its request is tried again instead.
    Unwanted(u16),
}

impl Failed {
    /// Tells what failed from what was ended because its time was over.
    pub(super) fn judge(self, timing: &Timing) -> Failed {
        match self {
            Failed::Before(failure, replay) => Failed::Before(timing.judge(failure), replay),
            Failed::Within(failure) => Failed::Within(timing.judge(failure)),
            Failed::Unwanted(status) => Failed::Unwanted(status),
        }
    }
}

impl Exchange<'_> {
    /// Tries once.
    pub(super) async fn attempt(&mut self, attempt: Attempt<'_>, way: &Way<'_>) -> Result<After, Failed> {
        if let Incoming::Http2(body) = &mut self.incoming {
            body.rewind();
        }
        self.answer.rewind_web();
        let tried = match self.incoming {
            _ if way.cluster.speaks_http2(self.answer.scratch.request.version) => {
                self.attempt_http2(attempt, way).await
            }
            Incoming::Http1(_) => self.attempt_http1(attempt, way).await,
            Incoming::Http2(_) => self.attempt_from_stream(attempt, way).await,
        };
        tried.map_err(|failed| self.too_large(failed))
    }

    /// An attempt that failed before anything of an answer went to the client.
    pub(super) fn before(&self, failure: Failure, reused: bool) -> Failed {
        let is_lost = match &self.incoming {
            Incoming::Http1(_) => self.kept.is_lost(),
            Incoming::Http2(body) => !body.can_replay(),
        };
        let idempotent = is_idempotent(&self.answer.scratch.request.method);
        Failed::Before(Failure { reused, ..failure }, Replay { body_is_at_hand: !is_lost, idempotent })
    }

    /// An attempt that did not deliver a whole answer.
    pub(super) fn failed(&self, broken: Broken, reused: bool) -> Failed {
        match broken {
            Broken::Before(failure) => self.before(failure, reused),
            Broken::Within(failure) => Failed::Within(failure),
            // It can't be sent again: that is no reason to send a part of it.
            Broken::Unwanted { .. }
                if matches!(&self.incoming, Incoming::Http1(_)) && self.kept.is_lost() =>
            {
                self.before(Failure::upstream(Phase::ResponseHead, Kind::Reset), reused)
            }
            Broken::Unwanted { .. } => Failed::Unwanted(self.answer.scratch.response.status),
        }
    }

    /// Tells the origin which attempt it is, and how long it may take (specification section 2.6).
    pub(super) fn number_attempt(&mut self, number: usize, way: &Way<'_>) {
        if let Some(expected) = self.timing.expected_ms(number) {
            self.tell_time(expected, number, way);
        }
        if !way.settings.attempt_count {
            return;
        }
        let fields = &mut self.answer.scratch.request.fields;
        if number > 1 {
            fields.remove_text(b"x-envoy-attempt-count");
        }
        let mut text = itoa::Buffer::new();
        fields.push_known(Name::XEnvoy, "x-envoy-attempt-count", text.format(number).as_bytes());
    }

    /// Tells the origin how long it may take, as Envoy does: a call of gRPC also in its own words.
    fn tell_time(&mut self, expected_ms: u64, number: usize, way: &Way<'_>) {
        let fields = &mut self.answer.scratch.request.fields;
        if number > 1 {
            fields.remove_text(b"x-envoy-expected-rq-timeout-ms");
        }
        let mut text = itoa::Buffer::new();
        let text = text.format(expected_ms).as_bytes();
        if way.settings.envoy_debug_headers {
            fields.push_known(Name::XEnvoy, "x-envoy-expected-rq-timeout-ms", text);
        }
        let is_less = self.answer.call_timeout.is_none_or(|call| Duration::from_millis(expected_ms) < call);
        if self.answer.is_call && is_less && text.len() <= grpc::TIMEOUT_DIGITS_MAX {
            fields.set(b"grpc-timeout", &[text, b"m"].concat());
        }
    }

    /// A client of HTTP/1.1, an origin of HTTP/1.1.
    async fn attempt_http1(&mut self, attempt: Attempt<'_>, way: &Way<'_>) -> Result<After, Failed> {
        let mut connection = match self.connect(&attempt, way).await {
            Ok(connection) => connection,
            Err(failure) => return Err(self.before(failure, false)),
        };
        let reused = connection.served > 0;
        self.number_attempt(attempt.number, way);
        let mut upload = match self.begin_upload() {
            Ok(upload) => upload,
            Err(failure) => {
                // Nothing was sent on it.
                self.give_back(connection);
                return Err(self.before(failure, reused));
            }
        };
        if let Err(failure) = self.send_head(&mut connection, reused).await {
            self.close(connection);
            return Err(self.before(failure, reused));
        }
        let responded = self.converse(&mut connection, &mut upload, way).await;
        match responded {
            Ok(Responded { tunnel: Some(early), .. }) => {
                Box::pin(self.tunnel(connection, early)).await;
                Ok(After::Close)
            }
            Ok(responded) => {
                if let Incoming::Http1(inbound) = &mut self.incoming {
                    inbound.buffer.consume(upload.taken());
                }
                self.answer.summary.bytes_received = upload.received();
                let is_done = upload.is_done();
                match responded.reusable && is_done {
                    true => self.give_back(connection),
                    false => self.close(connection),
                }
                Ok(self.after(responded.keep_alive && is_done))
            }
            Err(broken) => {
                match broken {
                    Broken::Unwanted { reusable: true } if upload.is_done() => self.give_back(connection),
                    _ => self.close(connection),
                }
                Err(self.failed(broken, reused))
            }
        }
    }

    async fn tunnel(&mut self, mut connection: Box<Connection>, early: Buffer) {
        if let (Client::Http1(downstream), Incoming::Http1(inbound)) =
            (&mut self.answer.client, &mut self.incoming)
        {
            let ends = tunnel::Ends { downstream, inbound };
            tunnel::run(ends, &mut connection, early, &mut self.answer.summary, &self.env).await;
        }
        self.close(connection);
    }

    pub(super) fn after(&self, keep_alive: bool) -> After {
        match &self.incoming {
            _ if keep_alive => After::KeepAlive,
            // Closing with unread bytes would reset the connection and could destroy the answer on its way.
            Incoming::Http1(inbound) if !inbound.buffer.is_empty() => After::Linger,
            _ => After::Close,
        }
    }

    /// An idle connection to the endpoint, or a new one.
    pub(super) async fn connect(
        &mut self,
        attempt: &Attempt<'_>,
        way: &Way<'_>,
    ) -> Result<Box<Connection>, Failure> {
        if let Some(limits) = &way.cluster.limits {
            let connection = self.connect_within(limits, attempt, way).await?;
            self.note_upstream(&connection);
            return Ok(connection);
        }
        let counters = &self.env.counters;
        let dial = self.dial(way);
        let reused = match attempt.fresh {
            true => None,
            false => attempt.endpoint.reuse(&dial, || self.idle_closed()),
        };
        let connection = match reused {
            Some(connection) => connection,
            None => {
                let opened = Box::pin(Connection::open(way.cluster, attempt.endpoint, &dial)).await;
                let connection = opened.map_err(|error| self.unreachable(&error))?;
                bump(&counters.upstream_connections, 1);
                bump(&counters.upstream_connections_active, 1);
                connection
            }
        };
        self.note_upstream(&connection);
        Ok(connection)
    }

    fn note_upstream(&mut self, connection: &Connection) {
        self.timing.is_connected();
        let (endpoint, local) = (Rc::clone(&connection.endpoint), Rc::clone(&connection.local));
        self.answer.summary.upstream = Some(Upstream { endpoint, local });
    }

    pub(super) fn dial(&self, way: &Way<'_>) -> Dial<'_> {
        let authority = split_port(&self.answer.scratch.request.authority).0;
        let host = way.cluster.tls.as_ref().and_then(|_| std::str::from_utf8(authority).ok());
        Dial { due: self.timing.due(), ..self.env.dial(&self.answer.info, host) }
    }

    /// A connection that could not be opened.
    pub(super) fn unreachable(&self, error: &io::Error) -> Failure {
        bump(&self.env.counters.upstream_connect_failures, 1);
        let kind = match error.kind() {
            io::ErrorKind::TimedOut => Kind::Timeout,
            io::ErrorKind::Unsupported => {
                let kind = Kind::Protocol("http2.no_extended_connect");
                return Failure::upstream(Phase::ResponseHead, kind);
            }
            _ => Kind::Unreachable(error.to_string()),
        };
        Failure::upstream(Phase::Connect, kind)
    }

    pub(super) fn idle_closed(&self) {
        bump(&self.env.counters.upstream_idle_closed, 1);
        bump(&self.env.counters.upstream_connections_active, 1u64.wrapping_neg());
    }

    /// Keeps a connection for further requests, if it is fit for one.
    pub(super) fn give_back(&self, connection: Box<Connection>) {
        if !connection.give_back() {
            bump(&self.env.counters.upstream_connections_active, 1u64.wrapping_neg());
        }
    }

    pub(super) fn close(&self, connection: Box<Connection>) {
        bump(&self.env.counters.upstream_connections_active, 1u64.wrapping_neg());
        drop(connection);
    }

    /// Puts the head, and what there is of the body, into `scratch.out`.
    fn begin_upload(&mut self) -> Result<Upload, Failure> {
        let scratch = &mut *self.answer.scratch;
        scratch.out.clear();
        encode::request(&scratch.request, scratch.request.body, &mut scratch.out);
        let upload = Upload::new(scratch.request.body).with_copies(&self.copies);
        let mut upload = upload.limit(self.body_max);
        if let Incoming::Http1(inbound) = &self.incoming {
            upload.begin(self.kept.bytes(), inbound.buffer.bytes(), &mut scratch.out)?;
        }
        Ok(upload)
    }

    /// Sends `scratch.out`. If the origin takes no more of it, there may still be an answer to be read, unless the
    /// connection was reused: then it had been closed before.
    pub(super) async fn send_head(
        &mut self,
        connection: &mut Connection,
        reused: bool,
    ) -> Result<(), Failure> {
        let out = std::mem::take(&mut self.answer.scratch.out);
        let due = self.timing.due();
        if due.is_some() {
            connection.deadline.due_at(due);
        }
        let (result, out) = connection.write.send_all(out).await;
        if due.is_some() {
            connection.deadline.due_at(None);
        }
        self.answer.scratch.out = out;
        match result {
            Err(error) if reused => {
                let phase = if error.sent == 0 { Phase::SendHead } else { Phase::ResponseHead };
                Err(Failure::upstream(phase, Kind::Reset))
            }
            _ => Ok(()),
        }
    }

    /// Moves the answer down, and what is left of the body up, at the same time.
    async fn converse(
        &mut self,
        connection: &mut Connection,
        upload: &mut Upload,
        way: &Way<'_>,
    ) -> Result<Responded, Broken> {
        let Connection { reader, write, deadline, .. } = connection;
        let (deadline, timing) = (&*deadline, &self.timing);
        let progress = Progress::new(upload.is_done());
        if progress.is_whole() {
            // The last of it may have come while an attempt before this one ended.
            timing.request_is_whole();
        }
        let cut = timing.is_on().then(|| Cut::of(&self.answer.client));
        let end = || {
            deadline.end_now();
            cut.iter().all(|cut| cut.if_begun(&progress))
        };
        let Incoming::Http1(inbound) = &mut self.incoming else {
            return Err(Broken::client(StreamEnd::Closed));
        };
        if upload.is_done() {
            let respond = pin!(self.answer.respond(reader, deadline, way, &progress));
            return timing.within(respond, end).await;
        }
        let kept = &mut self.kept;
        upload.take((&mut *inbound, &mut *kept), &self.env, &progress);
        // Boxed, so that it can end before the upload does.
        let mut respond = Box::pin(self.answer.respond(reader, deadline, way, &progress));
        let mut pump =
            pin!(upload.pump((&mut *inbound, &mut *kept), Sink::Http1(write), &self.env, &progress));
        let mut client_failure = None;
        let both = pin!(poll_fn(|context| {
            if !progress.is_ended()
                && let Poll::Ready(end) = pump.as_mut().poll(context)
            {
                progress.end();
                if let UploadEnd::ClientFailed(failure) = end {
                    client_failure = Some(failure);
                    deadline.end_now();
                }
            }
            if progress.is_whole() {
                timing.request_is_whole();
            }
            respond.as_mut().poll(context)
        }));
        let responded = timing.within(both, end).await;
        drop(respond);
        if !progress.is_ended() && self.answer.will_try_again(&responded, way, timing, &progress) {
            // What the client sends next ends this, and is kept: nothing that was read may be lost.
            progress.go_again();
            deadline.end_now();
            if let UploadEnd::ClientFailed(failure) = pump.await {
                client_failure = Some(failure);
            }
        } else if !progress.is_ended() {
            // The answer is whole, or never will be, and the client still sends. Nobody wants the rest, but reading it
            // is what lets the client see the answer.
            progress.discard();
            deadline.end_now();
            self.answer.end_sending(responded.is_ok()).await;
            pump.await;
        }
        blame_client(responded, client_failure)
    }
}

/// Where the client has broken off, or broken the rules, that is why there is no answer.
pub(super) fn blame_client<T>(responded: Result<T, Broken>, failure: Option<Failure>) -> Result<T, Broken> {
    match (responded, failure) {
        (Err(Broken::Before(_) | Broken::Unwanted { .. }), Some(failure)) => Err(Broken::Before(failure)),
        (Err(Broken::Within(_)), Some(failure)) => Err(Broken::Within(failure)),
        (responded, _) => responded,
    }
}
