//! The response's body on its way down where either side speaks HTTP/2.

use super::{
    answer::Answer,
    client::Client,
    counting::grpc_status,
    download::{Broken, Responded, before, gone, within},
    exchange::Way,
    failure::Kind,
    upload::Progress,
    websocket,
};
use crate::{
    buffer::{Buffer, Class},
    driver::Deadline,
    http::{BodyLength, Fields, Upgrade},
    http1::{
        body::{BadBody, BodyDecoder, Next},
        encode::Framing,
    },
    http2::{Received, Then},
    mux::Stream,
    upstream::Reader,
};

impl Answer<'_> {
    /// Moves the answer of an origin that speaks HTTP/1.1, whose head is in `scratch.response`, to a client's stream.
    /// Says whether nothing came that does not belong to it.
    pub(super) async fn respond_to_stream(
        &mut self,
        reader: &mut Reader,
        deadline: &Deadline,
        buffer: &mut Buffer,
    ) -> Result<bool, Broken> {
        let length = self.scratch.response.body;
        let framing = self.begin(length, true);
        let mut decoder = BodyDecoder::new(length);
        let limit = self.env.limits.window_timeout;
        let mut is_clean = true;
        let mut has_ended = framing == Framing::None;
        while !decoder.is_over() {
            is_clean &= strip(&mut decoder, buffer).map_err(|_| within(broken()))?;
            let is_last = decoder.is_over();
            if !buffer.is_empty() {
                let Client::Http2(stream) = self.client else { return Err(gone()) };
                stream.send(buffer.bytes(), Then::end_if(is_last), limit).await.map_err(Broken::client)?;
                self.summary.bytes_sent += buffer.len() as u64;
                has_ended = is_last;
                let len = buffer.len();
                buffer.consume(len);
            }
            if is_last {
                break;
            }
            // No use in taking more from the origin than the client takes.
            if let Client::Http2(stream) = self.client {
                stream.window(limit).await.map_err(Broken::client)?;
            }
            let empty = std::mem::replace(buffer, self.env.buffers.empty());
            *buffer = self.receive_more(&mut decoder, reader, deadline, empty).await?;
        }
        if !has_ended {
            self.finish(framing, None).await?;
        }
        Ok(is_clean && buffer.is_empty())
    }

    /// Reads the response of an origin that speaks HTTP/2 and sends it to the client.
    pub(super) async fn respond_from_stream(
        &mut self,
        origin: &Stream,
        way: &Way<'_>,
        progress: &Progress,
    ) -> Result<StreamResponded, Broken> {
        self.stream_head(origin).await?;
        let service = self.summary.started.elapsed().as_millis() as u64;
        self.summary.service_ms = Some(service);
        self.learn_of_head(way);
        let status = self.scratch.response.status;
        if self.scratch.request.upgrade == Upgrade::WebSocket && (200..300).contains(&status) {
            self.finish_head(way, service);
            self.scratch.response.status = 101;
            self.begin_tunnel().await?;
            return Ok(StreamResponded::Tunnel);
        }
        if self.wants_another(way, progress) {
            return Err(Broken::Unwanted { reusable: true });
        }
        progress.begin();
        if let Some(web) = &self.web {
            web.borrow_mut().response_head(&mut self.scratch.response);
        }
        self.finish_head(way, service);
        let length = self.scratch.response.body;
        let wanted = self.scratch.request.keep_alive && progress.is_ended() && !self.env.draining.get();
        (self.summary.status, self.summary.details) = (self.scratch.response.status, "via_upstream");
        let framing = self.begin(length, wanted);
        match framing {
            // What the origin may still say is for nobody.
            Framing::None => self.finish(framing, None).await?,
            _ => self.move_body(origin, framing).await?,
        }
        let keep_alive = wanted && framing != Framing::UntilClose;
        Ok(StreamResponded::Whole(Responded { reusable: true, keep_alive, tunnel: None }))
    }

    /// Waits for the head of the answer proper; passes interim answers on.
    async fn stream_head(&mut self, origin: &Stream) -> Result<(), Broken> {
        loop {
            let limit = self.env.limits.stream_idle_timeout;
            let came = origin.response(&mut self.scratch.response, limit).await;
            came.map_err(|end| before(end.into()))?;
            if self.scratch.response.status >= 200 {
                return Ok(());
            }
            self.send_interim().await?;
        }
    }

    async fn move_body(&mut self, origin: &Stream, framing: Framing) -> Result<(), Broken> {
        loop {
            if !origin.has_come() {
                self.send_begun().await?;
            }
            let limit = self.env.limits.stream_idle_timeout;
            let received = match origin.receive(limit).await {
                Ok(received) => received,
                // The head may still be here: then there can be another answer.
                Err(end) if self.has_begun() => return Err(within(end.into())),
                Err(end) => return Err(before(end.into())),
            };
            match received {
                Received::Data(data) => {
                    let len = data.len();
                    let is_last = origin.is_received() && self.web.is_none();
                    match self.web {
                        None => self.deliver(data, framing, is_last).await?,
                        Some(_) => self.deliver_translated(&data, framing).await?,
                    }
                    origin.release(len);
                    if is_last {
                        return Ok(());
                    }
                }
                Received::Trailers(trailers) if self.web.is_none() => {
                    self.note_trailers(&trailers);
                    return self.finish(framing, Some(&trailers)).await;
                }
                Received::Trailers(trailers) => {
                    self.note_trailers(&trailers);
                    return self.finish_web(framing, Some(&trailers)).await;
                }
                Received::End if self.web.is_some() => return self.finish_web(framing, None).await,
                Received::End => return self.finish(framing, None).await,
            }
        }
    }

    /// What they say of a call is counted.
    fn note_trailers(&mut self, trailers: &Fields) {
        if self.is_call {
            self.summary.grpc_status = grpc_status(trailers);
        }
    }

    /// Sends data to a client of gRPC-Web.
    async fn deliver_translated(&mut self, data: &Buffer, framing: Framing) -> Result<(), Broken> {
        for piece in data.bytes().chunks(TRANSLATED_BYTES) {
            let Some(web) = &self.web else { return Ok(()) };
            let text = &mut self.scratch.text;
            text.clear();
            web.borrow_mut().response_data(piece, text);
            let translated = into_buffer(text, data)?;
            self.deliver(translated, framing, false).await?;
        }
        Ok(())
    }

    /// The end of an answer for a client of gRPC-Web: its trailers are data.
    async fn finish_web(
        &mut self,
        framing: Framing,
        trailers: Option<&crate::http::Fields>,
    ) -> Result<(), Broken> {
        let text = &mut self.scratch.text;
        text.clear();
        if let Some(web) = &self.web {
            web.borrow_mut().response_end(trailers, text);
        }
        if text.is_empty() || framing == Framing::None {
            return self.finish(framing, None).await;
        }
        let data = into_buffer(text, &self.env.buffers.empty())?;
        self.deliver(data, framing, true).await
    }

    /// Tells the client that it has its tunnel; the head, a 101, is in `scratch.response`.
    pub(super) async fn begin_tunnel(&mut self) -> Result<(), Broken> {
        self.end_retry();
        let response = &mut self.scratch.response;
        websocket::for_client(response, self.websocket_key.as_deref(), self.client.stream().is_some());
        self.summary.status = response.status;
        if let Client::Http2(stream) = self.client {
            stream.respond(response, BodyLength::Unknown, Then::More);
            return Ok(());
        }
        self.encode_head(BodyLength::None, true);
        self.send_out().await.map_err(|()| gone())
    }
}

/// An answer from a stream that was delivered.
pub(super) enum StreamResponded {
    /// Whole.
    Whole(Responded),
    /// The head: the rest is a tunnel.
    Tunnel,
}

fn broken() -> Kind {
    Kind::Protocol("http1.codec_error")
}

/// How much is translated at a time: in base64 it fits into the largest buffer.
const TRANSLATED_BYTES: usize = Class::Large.bytes() / 2;

/// A buffer with these bytes.
fn into_buffer(bytes: &[u8], like: &Buffer) -> Result<Buffer, Broken> {
    let mut buffer = like.sibling(Class::for_bytes(bytes.len()));
    match buffer.extend(bytes) {
        true => Ok(buffer),
        // Trailers are the only thing of the origin's own size, and those have a limit.
        false => Err(within(Kind::Protocol("grpc_web.trailers_too_large"))),
    }
}

/// Leaves only the body's data in the buffer, at its beginning. Says whether nothing came behind the body's end; that is
/// forgotten.
fn strip(decoder: &mut BodyDecoder, buffer: &mut Buffer) -> Result<bool, BadBody> {
    let (mut at, mut kept) = (0, 0);
    let mut is_clean = true;
    while at < buffer.len() {
        let piece = decoder.next(buffer.bytes().get(at..).unwrap_or_default())?;
        let data = at + piece.data.start..at + piece.data.end;
        let len = data.len();
        if data.start != kept {
            buffer.bytes_mut().copy_within(data, kept);
        }
        kept += len;
        at += piece.consumed;
        match piece.next {
            Next::Look => {}
            Next::Read => break,
            Next::End => {
                is_clean = at == buffer.len();
                break;
            }
        }
    }
    buffer.truncate(kept);
    if kept == 0 {
        buffer.consume(0);
    }
    Ok(is_clean)
}
