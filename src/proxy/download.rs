//! The response's body on its way down.

use super::{
    answer::Answer,
    client::Client,
    exchange::Way,
    failure::{Failure, Kind, Phase},
    standard,
    upload::Progress,
    websocket,
};
use crate::{
    buffer::{Buffer, Class},
    driver::{Deadline, Phase as Waiting},
    http::{BodyLength, Upgrade},
    http1::{
        body::{BodyDecoder, Next},
        decode::{self, Decoded},
        encode::{self, Framing},
    },
    http2::StreamEnd,
    relay::{self, Stopped},
    upstream::Reader,
};
use std::cell::Cell;

/// Interim answers (1xx) that an origin may send before its answer. Real ones send one or two; an endless row of them
/// would hold the client for ever.
const INTERIM_MAX: usize = 16;

/// What is left of a body goes through a pipe from here on. Measured beside copying: bodies of 64 KiB cost 0.90, of 96 KiB
/// 0.53, of 192 KiB 0.69, of 64 MiB 0.53 of it. What a first read takes is copied in any case.
pub(super) const SPLICE_BYTES_MIN: u64 = 32 << 10;

/// An answer that was delivered whole.
pub(super) struct Responded {
    /// The upstream connection can be used again.
    pub(super) reusable: bool,
    /// The client was told that its connection goes on.
    pub(super) keep_alive: bool,
    /// The connection is a tunnel from now on; with what the origin sent behind its 101.
    pub(super) tunnel: Option<Buffer>,
}

/// An answer that was not.
pub(super) enum Broken {
    /// Nothing of it has gone to the client.
    Before(Failure),
    /// Part of it has.
    Within(Failure),
    /// There was an answer, and the request is tried again instead; whether the connection can be used again.
    Unwanted { reusable: bool },
}

impl Broken {
    /// The client's stream has ended early.
    pub(super) fn client(end: StreamEnd) -> Broken {
        Broken::Within(Failure::downstream(Phase::ResponseBody, end.into()))
    }
}

/// A response head that was read, and the bytes behind it.
struct Begun {
    buffer: Buffer,
}

impl Answer<'_> {
    /// Reads the response and sends it to the client.
    pub(super) async fn respond(
        &mut self,
        reader: &mut Reader,
        deadline: &Deadline,
        way: &Way<'_>,
        progress: &Progress,
    ) -> Result<Responded, Broken> {
        deadline.arm(Waiting::Both, Some(self.env.limits.stream_idle_timeout));
        let Begun { mut buffer } = self.read_head(reader, deadline).await?;
        let service = self.summary.started.elapsed().as_millis() as u64;
        self.summary.service_ms = Some(service);
        self.learn_of_head(way);
        let status = self.scratch.response.status;
        let origin_keeps = self.scratch.response.keep_alive;
        let length = self.scratch.response.body;
        if status == 101 && self.scratch.response.upgrade == Upgrade::WebSocket {
            if self.client.stream().is_some()
                && let Some(key) = &self.websocket_key
                && !websocket::is_accepted(&self.scratch.response, key)
            {
                return Err(before(Kind::Protocol("http1.websocket_key_not_read")));
            }
            self.finish_head(way, service);
            self.begin_tunnel().await?;
            return Ok(Responded { reusable: false, keep_alive: false, tunnel: Some(buffer) });
        }
        if self.wants_another(way, progress) {
            // What is here already is read; to wait for more would only delay the next attempt.
            let mut body = Body::of(length, Framing::None);
            let mut sent = 0;
            let is_read = body.append(&mut buffer, &mut Vec::new(), &mut sent).is_ok();
            let is_over = is_read && body.decoder.is_over() && body.is_clean;
            let reusable = origin_keeps && is_over && buffer.is_empty() && length != BodyLength::UntilClose;
            reader.put_back(buffer);
            return Err(Broken::Unwanted { reusable });
        }
        let asked = self.scratch.request.upgrade;
        if asked == Upgrade::WebSocket && self.client.stream().is_some() && (200..300).contains(&status) {
            // Over HTTP/2 it would say that the tunnel stands (RFC 8441 section 5).
            return Err(before(Kind::Protocol("http1.websocket_not_begun")));
        }
        progress.begin();
        self.finish_head(way, service);
        (self.summary.status, self.summary.details) = (status, "via_upstream");
        if self.client.stream().is_some() {
            let is_clean = self.respond_to_stream(reader, deadline, &mut buffer).await?;
            let reusable = origin_keeps && is_clean && length != BodyLength::UntilClose;
            reader.put_back(buffer);
            return Ok(Responded { reusable, keep_alive: true, tunnel: None });
        }
        let wanted = self.scratch.request.keep_alive && progress.is_ended() && !self.env.draining.get();
        let framing = self.encode_head(length, wanted);
        let mut body = Body::of(length, framing).ending(!wanted && progress.is_ended());
        self.send_first(&mut body, &mut buffer).await?;
        while !body.decoder.is_over() {
            if buffer.is_empty() && body.is_worth_a_pipe() {
                self.splice(&mut body, reader, deadline).await?;
                if body.decoder.is_over() {
                    break;
                }
            }
            buffer = self.receive_more(&mut body.decoder, reader, deadline, buffer).await?;
            if self.send_piece(&mut body, &mut buffer).await? {
                break;
            }
        }
        let reusable = origin_keeps && body.is_clean && buffer.is_empty() && length != BodyLength::UntilClose;
        reader.put_back(buffer);
        Ok(Responded { reusable, keep_alive: wanted && framing != Framing::UntilClose, tunnel: None })
    }

    /// Reads until the head of the answer proper; passes interim answers on.
    async fn read_head(&mut self, reader: &mut Reader, deadline: &Deadline) -> Result<Begun, Broken> {
        let mut came = false;
        let mut interim = 0;
        loop {
            let mut buffer = match reader.receive().await {
                Ok(buffer) if !buffer.is_empty() => buffer,
                // A TLS stream calls it an error that its socket was shut down.
                _ if deadline.fired() => return Err(before(Kind::Timeout)),
                Ok(_) if came => return Err(before(Kind::Protocol("http1.codec_error"))),
                Ok(_) => return Err(before(Kind::Closed)),
                Err(_) => return Err(before(Kind::Reset)),
            };
            came = true;
            while !buffer.is_empty() {
                let (request, response) = (&self.scratch.request, &mut self.scratch.response);
                let limits = &self.env.limits.response_head;
                let decoded =
                    decode::response(buffer.bytes(), limits, &request.method, request.upgrade, response);
                let len = match decoded.map_err(|bad| before(bad.into()))? {
                    Decoded::Incomplete => break,
                    Decoded::Head { len } => len,
                };
                buffer.consume(len);
                if response.status >= 200 || response.status == 101 {
                    return Ok(Begun { buffer });
                }
                interim += 1;
                if interim > INTERIM_MAX {
                    return Err(before(Kind::Protocol("http1.too_many_interim_responses")));
                }
                self.send_interim().await?;
                came = !buffer.is_empty();
            }
            if buffer.room() == 0 || buffer.is_empty() {
                let class = buffer.class().larger();
                buffer = buffer.grow(class);
            }
            reader.put_back(buffer);
        }
    }

    /// Makes the head what the client is to see.
    pub(super) fn finish_head(&mut self, way: &Way<'_>, service_ms: u64) {
        standard::response(&mut self.scratch.response, way.settings, &self.env, service_ms);
        self.apply_to_response(way.route, Some(way.destination), &way.cluster.name);
    }

    /// Sends the head, which is in `scratch.out`, with what there is of the body.
    async fn send_first(&mut self, body: &mut Body, buffer: &mut Buffer) -> Result<(), Broken> {
        if !body.is_raw() {
            body.append(buffer, &mut self.scratch.out, &mut self.summary.bytes_sent).map_err(before)?;
            self.note_last(body);
            return self.send_out().await.map_err(|()| gone());
        }
        body.limit(buffer, &mut self.summary.bytes_sent);
        self.note_last(body);
        if !buffer.is_empty() && buffer.place_before(&self.scratch.out) {
            return self.send_buffer(buffer).await;
        }
        self.send_out().await.map_err(|()| gone())?;
        self.send_buffer(buffer).await
    }

    /// Sends what has come of the body. True at its end.
    async fn send_piece(&mut self, body: &mut Body, buffer: &mut Buffer) -> Result<bool, Broken> {
        if body.is_raw() {
            body.limit(buffer, &mut self.summary.bytes_sent);
            self.note_last(body);
            self.send_buffer(buffer).await?;
            return Ok(body.decoder.is_over());
        }
        self.scratch.out.clear();
        let over = buffer.is_empty();
        if over {
            // The origin closed, and that is the end of this body.
            body.end(&mut self.scratch.out);
        } else {
            body.append(buffer, &mut self.scratch.out, &mut self.summary.bytes_sent).map_err(within)?;
        }
        self.note_last(body);
        self.send_out().await.map_err(|()| gone())?;
        Ok(over)
    }

    /// What is sent next goes out with the end of the connection, if that comes behind it at once.
    fn note_last(&mut self, body: &Body) {
        if body.ends_connection && body.decoder.is_over() {
            self.client.end_with_next();
        }
    }

    async fn send_buffer(&mut self, buffer: &mut Buffer) -> Result<(), Broken> {
        if buffer.is_empty() {
            return Ok(());
        }
        let Client::Http1(downstream) = &mut self.client else { return Err(gone()) };
        let bytes = std::mem::replace(buffer, self.env.buffers.empty());
        let (result, bytes) = downstream.write.send(bytes).await;
        *buffer = bytes;
        result.map_err(|_| gone())
    }

    /// Moves what is left of the body through a pipe, if that can be done.
    async fn splice(
        &mut self,
        body: &mut Body,
        reader: &mut Reader,
        deadline: &Deadline,
    ) -> Result<(), Broken> {
        let (Some(left), Some(half)) = (body.decoder.sized_left(), reader.half()) else { return Ok(()) };
        let Client::Http1(downstream) = &mut self.client else { return Ok(()) };
        let env = &self.env;
        let idle = Some(env.limits.stream_idle_timeout);
        let ends = [deadline, &downstream.deadline];
        ends.iter().for_each(|deadline| deadline.arm(Waiting::Both, idle));
        let total = Cell::new(0);
        let moved = |count| {
            total.set(total.get() + count);
            ends.iter().for_each(|deadline| deadline.arm(Waiting::Both, idle));
        };
        let result = relay::sized(half, &mut downstream.write, left, &env.pipes, moved).await;
        body.decoder.skip(total.get());
        self.summary.bytes_sent += total.get();
        match result {
            Ok(()) => Ok(()),
            Err(Stopped::Unable) => {
                body.is_copied = true;
                Ok(())
            }
            Err(_) if deadline.fired() => Err(within(Kind::Timeout)),
            Err(Stopped::Ended) => Err(within(Kind::Closed)),
            Err(Stopped::Reading) => Err(within(Kind::Reset)),
            Err(Stopped::Sending { .. }) => Err(gone()),
        }
    }

    /// Waits for more of the body. An empty buffer where the body may end with the connection, and it did.
    pub(super) async fn receive_more(
        &mut self,
        decoder: &mut BodyDecoder,
        reader: &mut Reader,
        deadline: &Deadline,
        mut buffer: Buffer,
    ) -> Result<Buffer, Broken> {
        let idle = self.env.limits.stream_idle_timeout;
        deadline.arm(Waiting::Both, Some(idle));
        if let Client::Http1(downstream) = &self.client {
            downstream.deadline.arm(Waiting::Both, Some(idle));
        }
        if buffer.is_empty() && is_large(decoder) {
            buffer = self.env.buffers.lease(Class::Large);
        } else if buffer.room() == 0 {
            buffer = buffer.grow(Class::Large);
        }
        reader.put_back(buffer);
        match reader.receive().await {
            Ok(buffer) if !buffer.is_empty() => Ok(buffer),
            _ if deadline.fired() => Err(within(Kind::Timeout)),
            Ok(buffer) if decoder.close().is_ok() => {
                *decoder = BodyDecoder::None;
                Ok(buffer)
            }
            Ok(_) => Err(within(Kind::Closed)),
            Err(_) => Err(within(Kind::Reset)),
        }
    }
}

/// A body between the framing it comes in and the one it goes out in.
struct Body {
    decoder: BodyDecoder,
    framing: Framing,
    /// It can't go through a pipe.
    is_copied: bool,
    /// Nothing came that does not belong to the response.
    is_clean: bool,
    /// The client's connection is closed behind it.
    ends_connection: bool,
}

impl Body {
    fn of(length: BodyLength, framing: Framing) -> Body {
        Body {
            decoder: BodyDecoder::new(length),
            framing,
            is_copied: false,
            is_clean: true,
            ends_connection: false,
        }
    }

    /// The same before the end of the client's connection, if it comes behind it.
    fn ending(self, ends_connection: bool) -> Body {
        Body { ends_connection, ..self }
    }

    /// The bytes go out as they come.
    fn is_raw(&self) -> bool {
        self.framing != Framing::Chunked && !matches!(self.decoder, BodyDecoder::Chunked(_))
    }

    /// So much more is to come that moving it through a pipe is cheaper than copying it.
    fn is_worth_a_pipe(&self) -> bool {
        let is_much = self.decoder.sized_left().is_some_and(|left| left >= SPLICE_BYTES_MIN);
        is_much && self.is_raw() && !self.is_copied
    }

    /// Cuts the buffer to what belongs to the body.
    fn limit(&mut self, buffer: &mut Buffer, sent: &mut u64) {
        if let Ok(piece) = self.decoder.next(buffer.bytes()) {
            self.is_clean &= piece.consumed == buffer.len();
            buffer.truncate(piece.data.end);
            *sent += buffer.len() as u64;
        }
    }

    /// Takes the body's data out of the buffer and appends them, framed for the client.
    fn append(&mut self, buffer: &mut Buffer, out: &mut Vec<u8>, sent: &mut u64) -> Result<(), Kind> {
        while !self.decoder.is_over() {
            let piece = self.decoder.next(buffer.bytes()).map_err(|_| Kind::Protocol("http1.codec_error"))?;
            let data = buffer.bytes().get(piece.data).unwrap_or_default();
            *sent += data.len() as u64;
            if !data.is_empty() && self.framing == Framing::Chunked {
                encode::chunk_head(data.len(), out);
                out.extend_from_slice(data);
                out.extend_from_slice(encode::CHUNK_END);
            } else if self.framing != Framing::None {
                out.extend_from_slice(data);
            }
            buffer.consume(piece.consumed);
            match piece.next {
                Next::Look => {}
                Next::Read => return Ok(()),
                Next::End => break,
            }
        }
        self.is_clean &= buffer.is_empty();
        self.end(out);
        Ok(())
    }

    fn end(&self, out: &mut Vec<u8>) {
        if self.framing == Framing::Chunked {
            out.extend_from_slice(encode::LAST_CHUNK);
        }
    }
}

/// More is to come than a medium buffer holds.
fn is_large(decoder: &BodyDecoder) -> bool {
    decoder.sized_left().is_none_or(|left| left > Class::Medium.bytes() as u64)
}

pub(super) fn before(kind: Kind) -> Broken {
    Broken::Before(Failure::upstream(Phase::ResponseHead, kind))
}

pub(super) fn within(kind: Kind) -> Broken {
    Broken::Within(Failure::upstream(Phase::ResponseBody, kind))
}

/// The client takes no more.
pub(super) fn gone() -> Broken {
    Broken::Within(Failure::downstream(Phase::ResponseBody, Kind::Reset))
}
