//! The client's side of an exchange, whatever version it speaks.

use super::{
    answer::Answer,
    download::{Broken, gone},
    downstream::{Downstream, Inbound},
    stream_body::StreamBody,
};
use crate::{
    buffer::Buffer,
    driver::Phase as Waiting,
    http::{BodyLength, Fields},
    http1::encode::{self, Framing},
    http2::{StreamEnd, Then},
    mux::Stream,
};

/// Where the answer goes.
pub(super) enum Client<'a> {
    /// A connection of HTTP/1.1.
    Http1(&'a mut Downstream),
    /// A stream of HTTP/2.
    Http2(&'a Stream),
}

/// Where the request's body comes from.
pub(super) enum Incoming<'a> {
    /// A connection of HTTP/1.1.
    Http1(&'a mut Inbound),
    /// A stream of HTTP/2.
    Http2(StreamBody<'a>),
}

impl Client<'_> {
    /// How the client has ended its stream early, if it has. Over HTTP/1.1 nobody knows before the answer is sent.
    pub(super) fn end(&self) -> Option<StreamEnd> {
        self.stream().and_then(Stream::end)
    }

    /// Whether the client has gone, or has reset its stream. Over HTTP/1.1 this is asked of the socket: who ends its sending
    /// while it waits for an answer is taken for gone, as in Envoy.
    pub(super) fn is_gone(&self) -> bool {
        match self {
            Client::Http1(downstream) => downstream.write.is_peer_gone(),
            Client::Http2(stream) => stream.end().is_some(),
        }
    }

    /// What is sent next is the last of the connection: see [`WriteHalf::end_with_next`](crate::tls::WriteHalf::end_with_next).
    /// The end of a stream goes with its last bytes anyway.
    pub(super) fn end_with_next(&mut self) {
        if let Client::Http1(downstream) = self {
            downstream.write.end_with_next();
        }
    }

    /// The stream, if it is one.
    pub(super) fn stream(&self) -> Option<&Stream> {
        match self {
            Client::Http1(_) => None,
            Client::Http2(stream) => Some(stream),
        }
    }
}

impl Answer<'_> {
    /// The answer is whole, or never will be, while the client still sends: nobody wants the rest, but reading it is what
    /// lets a client of HTTP/1.1 see the answer, for a while.
    pub(super) async fn end_sending(&mut self, is_whole: bool) {
        if let Client::Http1(downstream) = &mut self.client {
            // Where nothing was answered there may still be something to say, so only reading ends.
            let phase = if is_whole { Waiting::Both } else { Waiting::Reading };
            downstream.deadline.arm(phase, Some(self.env.limits.linger_timeout));
            if is_whole {
                downstream.write.shutdown().await;
            }
        }
    }

    /// Sends an interim response, which is in `scratch.response`.
    pub(super) async fn send_interim(&mut self) -> Result<(), Broken> {
        if let Client::Http2(stream) = self.client {
            stream.respond(&self.scratch.response, BodyLength::None, Then::More);
            return Ok(());
        }
        self.encode_head(BodyLength::None, true);
        self.send_out().await.map_err(|()| gone())
    }

    /// Begins the answer: sends its head, or puts it into `scratch.out`, where data follow it.
    pub(super) fn begin(&mut self, length: BodyLength, keep_alive: bool) -> Framing {
        match self.client {
            Client::Http2(stream) => {
                let then = Then::end_if(length == BodyLength::None);
                stream.respond(&self.scratch.response, length, then);
                if then == Then::End { Framing::None } else { Framing::Sized }
            }
            Client::Http1(_) => self.encode_head(length, keep_alive),
        }
    }

    /// Whether any of the answer has left, or can't be taken back.
    pub(super) fn has_begun(&self) -> bool {
        let is_here = matches!(self.client, Client::Http1(_)) && !self.scratch.out.is_empty();
        !is_here
    }

    /// Sends the head that was put into `scratch.out`, where nothing follows it at once.
    pub(super) async fn send_begun(&mut self) -> Result<(), Broken> {
        match self.client {
            Client::Http1(_) if !self.scratch.out.is_empty() => self.send_out().await.map_err(|()| gone()),
            _ => Ok(()),
        }
    }

    /// Sends data of the answer; `is_last`: nothing follows them.
    pub(super) async fn deliver(
        &mut self,
        data: Buffer,
        framing: Framing,
        is_last: bool,
    ) -> Result<(), Broken> {
        let len = data.len();
        if let Client::Http2(stream) = self.client {
            if framing != Framing::None {
                let limit = self.env.limits.window_timeout;
                stream.send(data.bytes(), Then::end_if(is_last), limit).await.map_err(Broken::client)?;
                self.summary.bytes_sent += len as u64;
            }
            return Ok(());
        }
        if let Client::Http1(downstream) = &self.client {
            downstream.deadline.arm(Waiting::Both, Some(self.env.limits.stream_idle_timeout));
        }
        let out = &mut self.scratch.out;
        match framing {
            Framing::Chunked if len > 0 => {
                encode::chunk_head(len, out);
                out.extend_from_slice(data.bytes());
                out.extend_from_slice(encode::CHUNK_END);
            }
            Framing::None | Framing::Chunked => {}
            Framing::Sized | Framing::UntilClose => out.extend_from_slice(data.bytes()),
        }
        if is_last && framing == Framing::Chunked {
            out.extend_from_slice(encode::LAST_CHUNK);
        }
        if framing != Framing::None {
            self.summary.bytes_sent += len as u64;
        }
        self.send_out().await.map_err(|()| gone())
    }

    /// Ends the answer where it has not ended with data. Trailers go to clients of HTTP/2 alone (specification
    /// section 2.6).
    pub(super) async fn finish(&mut self, framing: Framing, trailers: Option<&Fields>) -> Result<(), Broken> {
        match (&self.client, trailers) {
            (Client::Http2(stream), Some(trailers)) if framing != Framing::None && !trailers.is_empty() => {
                stream.send_trailers(trailers);
                Ok(())
            }
            (Client::Http2(stream), _) if framing != Framing::None => {
                let limit = self.env.limits.window_timeout;
                stream.send(b"", Then::End, limit).await.map_err(Broken::client)
            }
            (Client::Http2(_), _) => Ok(()),
            (Client::Http1(_), _) => {
                if framing == Framing::Chunked {
                    self.scratch.out.extend_from_slice(encode::LAST_CHUNK);
                }
                match self.scratch.out.is_empty() {
                    true => Ok(()),
                    false => self.send_out().await.map_err(|()| gone()),
                }
            }
        }
    }
}
