//! The request's body on its way up.

use super::{
    Environment,
    download::SPLICE_BYTES_MIN,
    downstream::Inbound,
    failure::{Failure, Kind, Phase},
};
use crate::{
    buffer::Class,
    http::BodyLength,
    http1::{
        body::{BadBody, BodyDecoder, Next},
        encode,
    },
    relay::{self, Stopped},
    tls::WriteHalf,
};
use std::cell::Cell;

/// Bytes of a body that nobody wants any more, read only so that the client can see its answer.
const DISCARD_BYTES: u64 = 1 << 20;

/// How far the two directions of an attempt are; each looks at what the other has come to.
pub(super) struct Progress {
    ended: Cell<bool>,
    discard: Cell<bool>,
}

impl Progress {
    pub(super) fn new(ended: bool) -> Progress {
        Progress { ended: Cell::new(ended), discard: Cell::new(false) }
    }

    /// Whether no more of the body is to be sent.
    pub(super) fn is_ended(&self) -> bool {
        self.ended.get()
    }

    pub(super) fn end(&self) {
        self.ended.set(true);
    }

    /// What still comes is to be thrown away.
    pub(super) fn discard(&self) {
        self.discard.set(true);
    }
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
    /// It can't go through a pipe.
    copied: bool,
    done: bool,
}

impl Upload {
    pub(super) fn new(length: BodyLength) -> Upload {
        let decoder = BodyDecoder::new(length);
        let done = decoder.is_over();
        Upload { decoder, chunked: length == BodyLength::Unknown, taken: 0, received: 0, copied: false, done }
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

    /// As `taken`, for the caller to consume them now.
    pub(super) fn take_taken(&mut self) -> usize {
        std::mem::take(&mut self.taken)
    }

    /// Appends what there is of the body to `out`, behind the head.
    pub(super) fn begin(&mut self, buffered: &[u8], out: &mut Vec<u8>) -> Result<(), Failure> {
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
            self.received += data.len() as u64;
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
        is_much && !self.copied
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

    /// Moves what is left of the body, as fast as the origin takes it.
    pub(super) async fn pump(
        &mut self,
        inbound: &mut Inbound,
        write: &mut WriteHalf,
        env: &Environment,
        progress: &Progress,
    ) -> UploadEnd {
        let mut out = Vec::new();
        let mut discarded = 0;
        loop {
            if inbound.buffer.is_empty() && self.is_worth_a_pipe() && !progress.discard.get() {
                match self.splice(inbound, write, env).await {
                    Ok(()) => return UploadEnd::Done,
                    Err(Stopped::Unable) => {}
                    Err(Stopped::Sending { .. }) if !progress.discard.get() => {
                        return UploadEnd::OriginStopped;
                    }
                    Err(Stopped::Sending { lost }) => discarded += lost,
                    Err(Stopped::Ended) => return UploadEnd::ClientFailed(from_client(Kind::Closed)),
                    Err(Stopped::Reading) => return UploadEnd::ClientFailed(from_client(Kind::Reset)),
                }
            }
            if let Err(failure) = read(inbound, env, self.decoder.sized_left()).await {
                return UploadEnd::ClientFailed(failure);
            }
            out.clear();
            let taken = match self.append(inbound.buffer.bytes(), &mut out) {
                Ok(taken) => taken,
                Err(failure) => return UploadEnd::ClientFailed(failure),
            };
            inbound.buffer.consume(taken);
            if progress.discard.get() {
                discarded += taken as u64;
                if self.done || discarded > DISCARD_BYTES {
                    return UploadEnd::OriginStopped;
                }
                continue;
            }
            let (result, memory) = write.send_all(out).await;
            out = memory;
            if result.is_err() && !progress.discard.get() {
                return UploadEnd::OriginStopped;
            }
            if self.done {
                return UploadEnd::Done;
            }
        }
    }
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
