//! One try of an exchange where either side speaks HTTP/2.

use super::{
    answer::Answer,
    attempt::{Attempt, Failed, blame_client},
    client::{Client, Incoming},
    download::{Broken, Responded},
    download_stream::StreamResponded,
    exchange::{After, Exchange, Way},
    failure::{Failure, Kind, Phase},
    record::Upstream,
    timing::Cut,
    tunnel_stream,
    upload::{Progress, Sink, Upload, UploadEnd},
    upload_stream::{self, Coding},
    websocket,
};
use crate::{
    http::{BodyLength, Upgrade},
    http1::encode::{self, Framing},
    http2::{ErrorCode, StreamEnd},
    mux::Stream,
    upstream::{Connection, Http2Terms, OriginStream},
};
use std::{future::poll_fn, pin::pin, rc::Rc, task::Poll};

impl Exchange<'_> {
    /// A client of HTTP/2, an origin of HTTP/1.1.
    pub(super) async fn attempt_from_stream(
        &mut self,
        attempt: Attempt<'_>,
        way: &Way<'_>,
    ) -> Result<After, Failed> {
        let mut connection = match self.connect(&attempt, way).await {
            Ok(connection) => connection,
            Err(failure) => return Err(self.before(failure, false)),
        };
        let reused = connection.served > 0;
        self.number_attempt(attempt.number, way);
        let scratch = &mut *self.answer.scratch;
        if scratch.request.upgrade == Upgrade::WebSocket && self.answer.websocket_key.is_none() {
            self.answer.websocket_key =
                Some(websocket::add_key(&mut scratch.request.fields, &self.env.random));
        }
        scratch.out.clear();
        let framing = encode::request(&scratch.request, scratch.request.body, &mut scratch.out);
        if let Err(failure) = self.send_head(&mut connection, reused).await {
            self.close(connection);
            return Err(self.before(failure, reused));
        }
        let coding = if framing == Framing::Chunked { Coding::Chunked } else { Coding::Bare };
        let (responded, is_sent) = self.converse_with(&mut connection, coding, way).await;
        match responded {
            Ok(Responded { tunnel: Some(early), .. }) => {
                if let Client::Http2(client) = self.answer.client {
                    let Answer { summary, env, .. } = &mut self.answer;
                    // In memory of its own: other exchanges need no room for it.
                    let tunnel = tunnel_stream::to_connection(client, &mut connection, early, summary, env);
                    Box::pin(tunnel).await;
                }
                self.close(connection);
                Ok(After::KeepAlive)
            }
            Ok(responded) => {
                match responded.reusable && is_sent {
                    true => self.give_back(connection),
                    false => self.close(connection),
                }
                Ok(After::KeepAlive)
            }
            Err(broken) => {
                match broken {
                    Broken::Unwanted { reusable: true } if is_sent => self.give_back(connection),
                    _ => self.close(connection),
                }
                Err(self.failed(broken, reused))
            }
        }
    }

    /// Moves the answer down and the body of the client's stream up. Says whether all of that was sent.
    async fn converse_with(
        &mut self,
        connection: &mut Connection,
        coding: Coding,
        way: &Way<'_>,
    ) -> (Result<Responded, Broken>, bool) {
        let Connection { reader, write, deadline, .. } = connection;
        let (deadline, timing) = (&*deadline, &self.timing);
        let Incoming::Http2(body) = &mut self.incoming else {
            return (Err(Broken::client(StreamEnd::Closed)), false);
        };
        let Some(client) = client_stream(&self.answer.client) else {
            return (Err(Broken::client(StreamEnd::Closed)), false);
        };
        let is_tunnel = self.answer.scratch.request.upgrade == Upgrade::WebSocket;
        // Chunks have an end to be sent even where there is no data.
        let progress = Progress::new((body.is_done() && coding == Coding::Bare) || is_tunnel);
        let idle = self.env.limits.stream_idle_timeout;
        let mut gone = None;
        let mut is_sent = progress.is_ended();
        let cut = timing.is_on().then(|| Cut::of(&self.answer.client));
        let end = || {
            deadline.end_now();
            cut.iter().all(|cut| cut.if_begun(&progress))
        };
        let responded = {
            let mut respond = pin!(self.answer.respond(reader, deadline, way, &progress));
            let mut pump = pin!(upload_stream::pump(body, Sink::Http1(write), coding, &progress, idle));
            let both = pin!(poll_fn(|context| {
                if gone.is_none()
                    && let Poll::Ready(end) = client.poll_end(context)
                {
                    gone = Some(end);
                    deadline.end_now();
                }
                if !progress.is_ended()
                    && let Poll::Ready(end) = pump.as_mut().poll(context)
                {
                    progress.end();
                    is_sent = matches!(end, UploadEnd::Done);
                    if let UploadEnd::ClientFailed(_) = end {
                        deadline.end_now();
                    }
                }
                if progress.is_whole() {
                    timing.request_is_whole();
                }
                respond.as_mut().poll(context)
            }));
            let responded = timing.within(both, end).await;
            if !progress.is_ended() {
                // What is on its way to the origin ends with its connection.
                progress.discard();
                deadline.end_now();
                pump.await;
            }
            responded
        };
        self.answer.summary.bytes_received = body.received();
        (client_first(responded, gone.or_else(|| client.end())), is_sent)
    }

    /// An origin of HTTP/2.
    pub(super) async fn attempt_http2(
        &mut self,
        attempt: Attempt<'_>,
        way: &Way<'_>,
    ) -> Result<After, Failed> {
        self.number_attempt(attempt.number, way);
        let request = &mut self.answer.scratch.request;
        let is_tunnel = request.upgrade == Upgrade::WebSocket;
        if is_tunnel && self.answer.websocket_key.is_none() {
            self.answer.websocket_key = websocket::take_key(&mut request.fields);
        }
        let origin = match self.begin_stream(&attempt, way).await {
            Ok(origin) => origin,
            Err(failure) => return Err(self.before(failure, false)),
        };
        let reused = origin.reused;
        self.timing.is_connected();
        self.answer.summary.upstream =
            Some(Upstream { endpoint: Rc::clone(attempt.endpoint), local: Rc::clone(&origin.local) });
        let responded = match self.incoming {
            Incoming::Http1(_) => self.converse_up(&origin, way).await,
            Incoming::Http2(_) => self.converse_across(&origin, way).await,
        };
        match responded {
            Ok((StreamResponded::Whole(responded), is_sent)) => Ok(match self.incoming {
                Incoming::Http1(_) => self.after(responded.keep_alive && is_sent),
                Incoming::Http2(_) => After::KeepAlive,
            }),
            Ok((StreamResponded::Tunnel, _)) => {
                Box::pin(self.tunnel_to_stream(&origin.stream)).await;
                Ok(match self.incoming {
                    Incoming::Http1(_) => After::Close,
                    Incoming::Http2(_) => After::KeepAlive,
                })
            }
            Err(broken) => Err(self.failed(broken, reused)),
        }
    }

    /// Sends the request's head on a stream of the endpoint's.
    async fn begin_stream(&mut self, attempt: &Attempt<'_>, way: &Way<'_>) -> Result<OriginStream, Failure> {
        let terms = Http2Terms { terms: &self.env.upstream_terms, counters: &self.env.counters };
        let dial = self.dial(way);
        let head = &self.answer.scratch.request;
        // A connection that has room is nearly always there.
        match attempt.endpoint.stream_at_once(way.cluster, &dial, head) {
            Ok(None) => {}
            Ok(Some(begun)) => return Ok(begun),
            Err(full) => return Err(self.not_connected(full.into())),
        }
        let begun = attempt.endpoint.stream(way.cluster, &dial, head, terms, self.leave());
        Box::pin(begun).await.map_err(|none| self.not_connected(none))
    }

    /// A client of HTTP/1.1, an origin of HTTP/2. Says whether all of the body was sent.
    async fn converse_up(
        &mut self,
        origin: &OriginStream,
        way: &Way<'_>,
    ) -> Result<(StreamResponded, bool), Broken> {
        let stream = &origin.stream;
        let limit = self.env.limits.window_timeout;
        let is_tunnel = self.answer.scratch.request.upgrade == Upgrade::WebSocket;
        let upload = Upload::bare(self.answer.client_body).with_copies(&self.copies);
        let mut upload = upload.limit(self.body_max);
        let progress = Progress::new(upload.is_done() || is_tunnel);
        let timing = &self.timing;
        let cut = timing.is_on().then(|| Cut::of(&self.answer.client));
        let end = || {
            stream.reset(ErrorCode::Cancel);
            cut.iter().all(|cut| cut.if_begun(&progress))
        };
        let Incoming::Http1(inbound) = &mut self.incoming else {
            return Err(Broken::client(StreamEnd::Closed));
        };
        if progress.is_ended() {
            let respond = pin!(self.answer.respond_from_stream(stream, way, &progress));
            return Ok((timing.within(respond, end).await?, true));
        }
        let mut client_failure = None;
        let mut is_sent = false;
        let kept = &mut self.kept;
        let responded = {
            let sink = Sink::Http2(stream, limit, self.answer.web.clone());
            let mut respond = Box::pin(self.answer.respond_from_stream(stream, way, &progress));
            let mut pump = pin!(upload.pump_all((&mut *inbound, &mut *kept), sink, &self.env, &progress));
            let both = pin!(poll_fn(|context| {
                if !progress.is_ended()
                    && let Poll::Ready(end) = pump.as_mut().poll(context)
                {
                    progress.end();
                    is_sent = matches!(end, UploadEnd::Done);
                    if let UploadEnd::ClientFailed(failure) = end {
                        client_failure = Some(failure);
                        stream.reset(ErrorCode::Cancel);
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
                stream.reset(ErrorCode::Cancel);
                if let UploadEnd::ClientFailed(failure) = pump.await {
                    client_failure = Some(failure);
                }
            } else if !progress.is_ended() {
                progress.discard();
                stream.reset(ErrorCode::NoError);
                self.answer.end_sending(responded.is_ok()).await;
                pump.await;
            }
            responded
        };
        self.answer.summary.bytes_received = upload.received();
        if responded.is_ok() {
            inbound.buffer.consume(upload.taken());
        }
        blame_client(responded, client_failure).map(|responded| (responded, is_sent))
    }

    /// HTTP/2 on both sides: nothing here owns an operation of the ring, so whatever is over is dropped.
    async fn converse_across(
        &mut self,
        origin: &OriginStream,
        way: &Way<'_>,
    ) -> Result<(StreamResponded, bool), Broken> {
        let Incoming::Http2(body) = &mut self.incoming else {
            return Err(Broken::client(StreamEnd::Closed));
        };
        let Some(client) = client_stream(&self.answer.client) else {
            return Err(Broken::client(StreamEnd::Closed));
        };
        let stream = &origin.stream;
        let (idle, window) = (self.env.limits.stream_idle_timeout, self.env.limits.window_timeout);
        let is_tunnel = self.answer.scratch.request.upgrade == Upgrade::WebSocket;
        // Where the head had to say that more comes, the end of a body without data is still to be sent.
        let is_whole = body.is_done() && self.answer.scratch.request.body == BodyLength::None;
        let progress = Progress::new(is_whole || is_tunnel);
        let web = self.answer.web.clone();
        let timing = &self.timing;
        let mut gone = None;
        let responded = {
            let sink = Sink::Http2(stream, window, web);
            let mut respond = pin!(self.answer.respond_from_stream(stream, way, &progress));
            let mut pump = pin!(upload_stream::pump(body, sink, Coding::Bare, &progress, idle));
            poll_fn(|context| {
                if let Poll::Ready(end) = client.poll_end(context) {
                    gone = Some(end);
                    let broken = Failure::downstream(Phase::ResponseBody, end.into());
                    return Poll::Ready(Err(Broken::Within(broken)));
                }
                if !progress.is_ended()
                    && let Poll::Ready(end) = pump.as_mut().poll(context)
                {
                    progress.end();
                    if let UploadEnd::ClientFailed(failure) = end {
                        return Poll::Ready(Err(match progress.has_begun() {
                            true => Broken::Within(failure),
                            false => Broken::Before(failure),
                        }));
                    }
                }
                if progress.is_whole() {
                    timing.request_is_whole();
                }
                if timing.is_over(context) {
                    let over = |phase| Failure::upstream(phase, Kind::Timeout);
                    return Poll::Ready(Err(match progress.has_begun() {
                        true => Broken::Within(over(Phase::ResponseBody)),
                        false => Broken::Before(over(Phase::ResponseHead)),
                    }));
                }
                respond.as_mut().poll(context)
            })
            .await
        };
        self.answer.summary.bytes_received = body.received();
        client_first(responded, gone.or_else(|| client.end())).map(|responded| (responded, true))
    }

    async fn tunnel_to_stream(&mut self, origin: &Stream) {
        let summary = &mut self.answer.summary;
        match (&mut self.answer.client, &mut self.incoming) {
            (Client::Http2(client), _) => tunnel_stream::across(client, origin, summary, &self.env).await,
            (Client::Http1(downstream), Incoming::Http1(inbound)) => {
                tunnel_stream::from_connection(downstream, inbound, origin, summary, &self.env).await;
            }
            _ => {}
        }
    }
}

/// The client's stream, for as long as the exchange lives.
fn client_stream<'a>(client: &Client<'a>) -> Option<&'a Stream> {
    match client {
        Client::Http1(_) => None,
        Client::Http2(stream) => Some(stream),
    }
}

/// Where the client has ended its stream, that is why the answer did not get there.
fn client_first<T>(responded: Result<T, Broken>, gone: Option<StreamEnd>) -> Result<T, Broken> {
    match (responded, gone) {
        (Ok(responded), _) => Ok(responded),
        (Err(_), Some(end)) => Err(Broken::client(end)),
        (Err(broken), None) => Err(broken),
    }
}
