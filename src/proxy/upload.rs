//! The request's body on its way up.

use super::{
    Environment,
    download::SPLICE_BYTES_MIN,
    downstream::Inbound,
    failure::{Failure, Kind, Phase},
    kept::Kept,
    mirror::Copies,
};
use crate::{
    buffer::Class,
    grpc::Translation,
    http::BodyLength,
    http1::{
        body::{BadBody, BodyDecoder, Next},
        encode,
    },
    http2::Then,
    mux::Stream,
    relay::{self, Stopped},
    tls::WriteHalf,
};
use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

/// Bytes of a body that nobody wants any more, read only so that the client can see its answer.
const DISCARD_BYTES: u64 = 1 << 20;

/// How far the two directions of an attempt are; each looks at what the other has come to.
pub(super) struct Progress {
    ended: Cell<bool>,
    discard: Cell<bool>,
    /// The answer has begun: there will be no other attempt.
    begun: Cell<bool>,
    /// All of the request has come.
    whole: Cell<bool>,
    /// What was sent of the body is here no more: there can be no other attempt.
    lost: Cell<bool>,
    /// It is decided that there is another attempt: what is still read is kept, whatever the limit.
    again: Cell<bool>,
}

impl Progress {
    pub(super) fn new(ended: bool) -> Progress {
        Progress {
            ended: Cell::new(ended),
            discard: Cell::new(false),
            begun: Cell::new(false),
            whole: Cell::new(ended),
            lost: Cell::new(false),
            again: Cell::new(false),
        }
    }

    /// All of the request has come, whatever of it has been sent.
    pub(super) fn is_whole(&self) -> bool {
        self.whole.get()
    }

    /// There will be another attempt. What is being read may be one buffer more than is kept otherwise, and none of it may be
    /// missing from what is sent next.
    pub(super) fn go_again(&self) {
        self.again.set(true);
    }

    /// It has.
    pub(super) fn set_whole(&self) {
        self.whole.set(true);
    }

    /// Whether no more of the body is to be sent.
    pub(super) fn is_ended(&self) -> bool {
        self.ended.get()
    }

    pub(super) fn end(&self) {
        self.ended.set(true);
    }

    /// The answer begins.
    pub(super) fn begin(&self) {
        self.begun.set(true);
    }

    /// Whether it has.
    pub(super) fn has_begun(&self) -> bool {
        self.begun.get()
    }

    /// Whether what was sent of the body is here no more.
    pub(super) fn is_lost(&self) -> bool {
        self.lost.get()
    }

    /// It is not.
    pub(super) fn set_lost(&self, is_lost: bool) {
        self.lost.set(is_lost);
    }

    /// What still comes is to be thrown away.
    pub(super) fn discard(&self) {
        self.discard.set(true);
    }

    /// Whether it is.
    pub(super) fn is_discarding(&self) -> bool {
        self.discard.get()
    }
}

/// Where a body goes.
pub(super) enum Sink<'s> {
    /// A connection of HTTP/1.1; what is sent on it is framed already.
    Http1(&'s mut WriteHalf),
    /// A stream of HTTP/2, whose origin may take nothing for so long.
    Http2(&'s Stream, Duration, Option<Web>),
}

impl Sink<'_> {
    /// Sends these bytes, and gives their memory back. `then`: whether more follow.
    pub(super) async fn send_all(&mut self, out: Vec<u8>, then: Then) -> (Result<(), Unsent>, Vec<u8>) {
        match self {
            Sink::Http1(write) => {
                let (result, memory) = write.send_all(out).await;
                (result.map_err(|_| Unsent::Stopped), memory)
            }
            Sink::Http2(_, _, _) if out.is_empty() && then == Then::More => (Ok(()), out),
            Sink::Http2(stream, limit, web) => {
                let result = match web {
                    Some(web) => send_translated(stream, web, &out, then, *limit).await,
                    None => stream.send(&out, then, *limit).await.map_err(|_| Unsent::Stopped),
                };
                let mut memory = out;
                memory.clear();
                (result, memory)
            }
        }
    }
}

/// Why bytes were not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unsent {
    /// The origin takes no more.
    Stopped,
    /// They are not what the client says that they are.
    Broken,
}

/// What is done for a client of gRPC-Web, in both directions.
pub(super) type Web = Rc<RefCell<Translation>>;

async fn send_translated(
    stream: &Stream,
    web: &Web,
    data: &[u8],
    then: Then,
    limit: Duration,
) -> Result<(), Unsent> {
    let mut translated = Vec::new();
    let mut result = web.borrow_mut().request_data(data, &mut translated);
    if then == Then::End {
        result = result.and_then(|()| web.borrow_mut().request_end());
    }
    result.map_err(|_| Unsent::Broken)?;
    if translated.is_empty() && then == Then::More {
        return Ok(());
    }
    stream.send(&translated, then, limit).await.map_err(|_| Unsent::Stopped)
}

/// How the upload ended.
pub(super) enum UploadEnd {
    /// All of the body was sent.
    Done,
    /// The origin takes no more; it may have answered already.
    OriginStopped,
    /// The client stopped, or broke the rules of its body.
    ClientFailed(Failure),
}

/// The request's body on its way up.
pub(super) struct Upload {
    decoder: BodyDecoder,
    chunked: bool,
    /// Bytes at the beginning of the client's buffer that went out with the head. They stay in the buffer while the
    /// request may have to be sent again.
    taken: usize,
    received: u64,
    /// The most bytes that the route takes.
    limit: u64,
    /// It can't go through a pipe.
    copied: bool,
    done: bool,
    /// Copies of the request, which get what passes.
    copies: Option<Rc<Copies>>,
}

impl Upload {
    /// A body of this length for an origin that speaks HTTP/1.1.
    pub(super) fn new(length: BodyLength) -> Upload {
        let decoder = BodyDecoder::new(length);
        let done = decoder.is_over();
        let chunked = length == BodyLength::Unknown;
        Upload { decoder, chunked, taken: 0, received: 0, limit: u64::MAX, copied: false, done, copies: None }
    }

    /// Shows the data to who copies the request, as they pass.
    pub(super) fn with_copies(self, copies: &Option<Rc<Copies>>) -> Upload {
        Upload { copies: copies.clone(), ..self }
    }

    /// A body of this length for an origin that speaks HTTP/2, which needs no framing within the data.
    pub(super) fn bare(length: BodyLength) -> Upload {
        Upload { chunked: false, copied: true, ..Upload::new(length) }
    }

    /// It fails when more has come than this.
    pub(super) fn limit(self, bytes: Option<u64>) -> Upload {
        Upload { limit: bytes.unwrap_or(u64::MAX), ..self }
    }

    /// Whether all of the body was sent.
    pub(super) fn is_done(&self) -> bool {
        self.done
    }

    /// Body bytes from the client so far.
    pub(super) fn received(&self) -> u64 {
        self.received
    }

    /// Bytes of the client's buffer that went out with the head.
    pub(super) fn taken(&self) -> usize {
        self.taken
    }

    /// Appends what there is of the body to `out`, behind the head: what was kept from the attempt before, and what is in
    /// the client's buffer.
    pub(super) fn begin(&mut self, kept: &[u8], buffered: &[u8], out: &mut Vec<u8>) -> Result<(), Failure> {
        if !self.done && !kept.is_empty() {
            self.append(kept, out)?;
        }
        if !self.done {
            self.taken = self.append(buffered, out)?;
        }
        Ok(())
    }

    /// Appends the data in `bytes`, framed for the origin. Says how many of the bytes are done with.
    fn append(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<usize, Failure> {
        let mut at = 0;
        loop {
            let rest = bytes.get(at..).unwrap_or_default();
            let piece = self.decoder.next(rest).map_err(broken)?;
            let data = rest.get(piece.data).unwrap_or_default();
            if let Some(copies) = &self.copies {
                copies.take(self.received, data);
            }
            self.received += data.len() as u64;
            if self.received > self.limit {
                return Err(from_client(Kind::TooLarge));
            }
            if !data.is_empty() && self.chunked {
                encode::chunk_head(data.len(), out);
                out.extend_from_slice(data);
                out.extend_from_slice(encode::CHUNK_END);
            } else {
                out.extend_from_slice(data);
            }
            at += piece.consumed;
            match piece.next {
                Next::Look => {}
                Next::Read => break,
                Next::End => {
                    self.done = true;
                    if let Some(copies) = &self.copies {
                        copies.end();
                    }
                    if self.chunked {
                        out.extend_from_slice(encode::LAST_CHUNK);
                    }
                    break;
                }
            }
        }
        Ok(at)
    }

    fn is_worth_a_pipe(&self) -> bool {
        let is_much = self.decoder.sized_left().is_some_and(|left| left >= SPLICE_BYTES_MIN);
        is_much && !self.copied && self.copies.as_ref().is_none_or(|copies| copies.is_over())
    }

    /// Moves what is left of the body through a pipe, if that can be done.
    async fn splice(
        &mut self,
        inbound: &mut Inbound,
        write: &mut WriteHalf,
        env: &Environment,
    ) -> Result<(), Stopped> {
        let left = self.decoder.sized_left().unwrap_or(0);
        let total = Cell::new(0);
        let moved = |count| total.set(total.get() + count);
        let result = relay::sized(&mut inbound.read, write, left, &env.pipes, moved).await;
        let lost = if let Err(Stopped::Sending { lost }) = result { lost } else { 0 };
        self.decoder.skip(total.get() + lost);
        self.received += total.get() + lost;
        (self.done, self.copied) = (result.is_ok(), result.is_err());
        result
    }

    /// Moves all of the body, beginning with what has come with its head. If that is all of it, it stays in the client's
    /// buffer, to be sent again if need be; [`taken`](Self::taken) says how much it is.
    pub(super) async fn pump_all(
        &mut self,
        (inbound, kept): (&mut Inbound, &mut Kept),
        mut sink: Sink<'_>,
        env: &Environment,
        progress: &Progress,
    ) -> UploadEnd {
        let mut out = Vec::new();
        if let Err(failure) = self.begin(kept.bytes(), inbound.buffer.bytes(), &mut out) {
            return UploadEnd::ClientFailed(failure);
        }
        if !self.done {
            self.take((&mut *inbound, &mut *kept), env, progress);
        }
        let then = Then::end_if(self.done);
        if self.done {
            progress.set_whole();
        }
        match sink.send_all(out, then).await.0 {
            Ok(()) if self.done => UploadEnd::Done,
            Err(Unsent::Broken) => UploadEnd::ClientFailed(not_grpc_web()),
            Err(Unsent::Stopped) if !progress.discard.get() => UploadEnd::OriginStopped,
            _ => self.pump((inbound, kept), sink, env, progress).await,
        }
    }

    /// Takes what was sent out of the client's buffer, for more to come, and keeps it if it may.
    pub(super) fn take(
        &mut self,
        (inbound, kept): (&mut Inbound, &mut Kept),
        env: &Environment,
        progress: &Progress,
    ) {
        let taken = std::mem::take(&mut self.taken);
        let bytes = inbound.buffer.bytes().get(..taken).unwrap_or_default();
        progress.set_lost(!kept.keep(bytes, &env.kept_bytes, progress.again.get()));
        inbound.buffer.consume(taken);
    }

    /// Moves what is left of the body, as fast as the origin takes it.
    pub(super) async fn pump(
        &mut self,
        (inbound, kept): (&mut Inbound, &mut Kept),
        mut sink: Sink<'_>,
        env: &Environment,
        progress: &Progress,
    ) -> UploadEnd {
        let mut out = Vec::new();
        let mut discarded = 0;
        loop {
            if let Sink::Http1(write) = &mut sink
                && inbound.buffer.is_empty()
                && self.is_worth_a_pipe()
                && !progress.discard.get()
                && (!kept.is_keeping() || progress.has_begun())
            {
                kept.lose();
                progress.set_lost(true);
                match self.splice(inbound, write, env).await {
                    Ok(()) => {
                        progress.set_whole();
                        return UploadEnd::Done;
                    }
                    Err(Stopped::Unable) => {}
                    Err(Stopped::Sending { lost }) => {
                        discarded += lost;
                        // What was lost may have been the end: then nothing more comes that could be waited for.
                        if !progress.discard.get() || self.decoder.is_over() {
                            return UploadEnd::OriginStopped;
                        }
                    }
                    Err(Stopped::Ended) => return UploadEnd::ClientFailed(from_client(Kind::Closed)),
                    Err(Stopped::Reading) => return UploadEnd::ClientFailed(from_client(Kind::Reset)),
                }
            }
            if progress.has_begun() && kept.is_keeping() {
                kept.lose();
            }
            if let Err(failure) = read(inbound, env, self.decoder.sized_left()).await {
                return UploadEnd::ClientFailed(failure);
            }
            out.clear();
            self.taken = match self.append(inbound.buffer.bytes(), &mut out) {
                Ok(taken) => taken,
                Err(failure) => return UploadEnd::ClientFailed(failure),
            };
            let taken = self.taken;
            self.take((&mut *inbound, &mut *kept), env, progress);
            self.done.then(|| progress.set_whole());
            if progress.discard.get() {
                discarded += taken as u64;
                if self.done || discarded > DISCARD_BYTES {
                    return UploadEnd::OriginStopped;
                }
                continue;
            }
            let (sent, memory) = sink.send_all(out, Then::end_if(self.done)).await;
            out = memory;
            match sent {
                Err(_) if progress.discard.get() => {}
                Err(Unsent::Stopped) => return UploadEnd::OriginStopped,
                Err(Unsent::Broken) => return UploadEnd::ClientFailed(not_grpc_web()),
                Ok(()) => {}
            }
            if self.done {
                return UploadEnd::Done;
            }
        }
    }
}

/// The body is no base64, which it says that it is.
pub(super) fn not_grpc_web() -> Failure {
    from_client(Kind::Protocol("grpc_web.invalid_base64"))
}

fn from_client(kind: Kind) -> Failure {
    Failure::downstream(Phase::RequestBody, kind)
}

/// Reads more of what the client sends.
async fn read(inbound: &mut Inbound, env: &Environment, left: Option<u64>) -> Result<(), Failure> {
    let class = match left {
        Some(left) if left <= Class::Medium.bytes() as u64 => Class::Medium,
        _ => Class::Large,
    };
    inbound.make_room(env, class);
    match inbound.fill(env).await {
        Ok(1..) => Ok(()),
        Ok(0) => Err(from_client(Kind::Closed)),
        Err(_) => Err(from_client(Kind::Reset)),
    }
}

fn broken(bad: BadBody) -> Failure {
    let kind = match bad {
        BadBody::Chunk(_) => Kind::Protocol("http1.codec_error"),
        BadBody::Truncated => Kind::Closed,
    };
    Failure::downstream(Phase::RequestBody, kind)
}
