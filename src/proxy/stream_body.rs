//! The body of a request that came on a stream of HTTP/2, part of which can be sent a second time.

use super::{
    kept::{KEPT_BYTES_USUAL, Kept},
    mirror::Copies,
    upload::Progress,
};
use crate::{
    buffer::Buffer,
    http::Fields,
    http2::{Received, StreamEnd},
    mux::Stream,
};
use std::{cell::Cell, future::poll_fn, pin::pin, rc::Rc, task::Poll, time::Duration};

/// The body of a request on its way from its stream.
pub(super) struct StreamBody<'s> {
    stream: &'s Stream,
    /// What the shard keeps of all bodies.
    shard_keeps: &'s Rc<Cell<usize>>,
    /// What has come, as long as it may be kept and there may be another attempt.
    kept: Kept,
    /// The position in `kept` of what this attempt gets next.
    at: usize,
    end: Option<Option<Box<Fields>>>,
    received: u64,
    /// The most bytes that the route takes.
    limit: u64,
    /// Copies of the request, which get what comes.
    copies: Option<Rc<Copies>>,
}

/// What comes next.
pub(super) enum Chunk<'b> {
    /// Data that are kept for another attempt.
    Kept(&'b [u8]),
    /// Data that are not. They are to be [released](StreamBody::release).
    Own(Buffer),
    /// The end, perhaps with trailers.
    End(Option<&'b Fields>),
}

/// Why nothing comes.
pub(super) enum NoChunk {
    /// The client has ended its stream early.
    Client(StreamEnd),
    /// Nobody wants it any more.
    Unwanted,
    /// It is larger than the route takes.
    TooLarge,
}

impl<'s> StreamBody<'s> {
    pub(super) fn new(stream: &'s Stream, shard_keeps: &'s Rc<Cell<usize>>) -> StreamBody<'s> {
        let end = stream.is_received().then_some(None);
        let mut kept = Kept::default();
        kept.allow(KEPT_BYTES_USUAL, None);
        StreamBody { stream, shard_keeps, kept, at: 0, end, received: 0, limit: u64::MAX, copies: None }
    }

    /// Keeps up to so much of it from now on.
    pub(super) fn allow(&mut self, limit: usize, length: Option<u64>) {
        self.kept.allow(limit, length);
    }

    /// Shows what comes to who copies the request.
    pub(super) fn copy_to(&mut self, copies: &Rc<Copies>) {
        self.copies = Some(Rc::clone(copies));
    }

    /// Begins anew, for another attempt.
    pub(super) fn rewind(&mut self) {
        self.at = 0;
    }

    /// Whether all that has come can be sent again.
    pub(super) fn can_replay(&self) -> bool {
        !self.kept.is_lost()
    }

    /// There will be no other attempt: nothing is kept from now on. All of what was kept has been sent.
    fn forget(&mut self) {
        self.kept.lose();
        self.at = 0;
    }

    /// Whether nothing is left to be sent by this attempt.
    pub(super) fn is_done(&self) -> bool {
        self.end.as_ref().is_some_and(Option::is_none) && self.at == self.kept.bytes().len()
    }

    /// It fails when more has come than this.
    pub(super) fn limit(&mut self, bytes: u64) {
        self.limit = bytes;
    }

    /// Whether it has failed for that.
    pub(super) fn is_too_large(&self) -> bool {
        self.received > self.limit
    }

    /// Whether all of it has come.
    pub(super) fn is_whole(&self) -> bool {
        self.end.is_some()
    }

    /// Bytes that have come.
    pub(super) fn received(&self) -> u64 {
        self.received
    }

    /// Data that were not kept have gone where they were to go.
    pub(super) fn release(&self, bytes: usize) {
        self.stream.release(bytes);
    }

    /// What is next for this attempt. The client may send nothing for so long.
    pub(super) async fn next(&mut self, progress: &Progress, limit: Duration) -> Result<Chunk<'_>, NoChunk> {
        if progress.has_begun() && self.at == self.kept.bytes().len() {
            self.forget();
        }
        if self.at == self.kept.bytes().len() && self.end.is_none() {
            let received = {
                let mut receiving = pin!(self.stream.receive(limit));
                poll_fn(|context| match progress.is_discarding() {
                    true => Poll::Ready(Err(NoChunk::Unwanted)),
                    false => receiving.as_mut().poll(context).map_err(NoChunk::Client),
                })
                .await?
            };
            match received {
                Received::Data(buffer) => {
                    if let Some(copies) = &self.copies {
                        copies.take(self.received, buffer.bytes());
                    }
                    self.received += buffer.len() as u64;
                    if self.is_too_large() {
                        return Err(NoChunk::TooLarge);
                    }
                    if !self.kept.keep(buffer.bytes(), self.shard_keeps, false) {
                        self.forget();
                        progress.set_lost(true);
                        if self.stream.is_received() {
                            progress.set_whole();
                        }
                        return Ok(Chunk::Own(buffer));
                    }
                    // As it is kept anyway, the client may go on.
                    self.stream.release(buffer.len());
                    if self.stream.is_received() {
                        self.end = Some(None);
                    }
                }
                Received::Trailers(trailers) => self.end = Some(Some(trailers)),
                Received::End => self.end = Some(None),
            }
        }
        if self.end.is_some() {
            progress.set_whole();
        }
        if self.copies.is_some() && (self.end.is_some() || self.stream.is_received()) {
            self.copies.take().inspect(|copies| copies.end());
        }
        if self.at < self.kept.bytes().len() {
            let bytes = self.kept.bytes().get(self.at..).unwrap_or_default();
            self.at = self.kept.bytes().len();
            return Ok(Chunk::Kept(bytes));
        }
        Ok(Chunk::End(self.end.as_ref().and_then(Option::as_deref)))
    }
}
