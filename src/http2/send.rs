//! What streams send: heads, data within the windows, trailers, and resets.

use super::{
    Connection, ConnectionError, ErrorCode, Flood, Role, StreamEnd,
    connection::OUT_BYTES_MAX,
    frame::{self, FRAME_BYTES_MAX, HEADER_BYTES, STREAM_MAX},
    stream::{Closed, Key, Side},
};
use crate::http::{BodyLength, Fields, Name, RequestHead, ResponseHead, Upgrade};
use std::task::{Poll, Waker};

/// What follows a head or data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// More.
    More,
    /// Nothing.
    End,
}

impl Then {
    /// The end, if `is_end`.
    pub fn end_if(is_end: bool) -> Then {
        if is_end { Then::End } else { Then::More }
    }

    fn flag(self) -> u8 {
        if self == Then::End { frame::END_STREAM } else { 0 }
    }
}

impl Connection {
    /// Whether another stream can be begun; `limit` is how many there may be whatever the peer allows.
    pub fn can_open(&self, limit: u32) -> bool {
        let allowed = limit.min(self.peer.max_concurrent_streams) as usize;
        !self.is_dead() && !self.is_leaving() && self.own_stream < STREAM_MAX && self.streams.open() < allowed
    }

    /// Begins a stream with a request. [`can_open`](Self::can_open) has said that it may.
    pub fn send_request(&mut self, head: &RequestHead, now_ms: u64) -> Key {
        self.now_ms = now_ms;
        let id = self.own_stream;
        self.own_stream += 2;
        self.budgets.stream_opened();
        let windows = self.windows();
        let key = self.streams.insert(id, windows, now_ms);
        let is_tunnel = head.upgrade == Upgrade::WebSocket;
        let then = Then::end_if(head.body == BodyLength::None && !is_tunnel);
        if let Some(slot) = self.streams.get(key) {
            slot.sending = if then == Then::End { Side::Ended } else { Side::Body };
            slot.is_head = head.method == b"HEAD";
        }
        let at = self.begin_block();
        let Connection { encoder, out, .. } = self;
        encoder.method(if is_tunnel { b"CONNECT" } else { &head.method }, out);
        if is_tunnel {
            encoder.field(Name::Other, b":protocol", b"websocket", out);
        }
        encoder.scheme(head.scheme.as_str().as_bytes(), out);
        encoder.authority(&head.authority, out);
        encoder.path(&head.target, out);
        for field in head.fields.iter() {
            encoder.field(field.name, field.text, field.value, out);
        }
        if let BodyLength::Sized(length) = head.body {
            let mut number = itoa::Buffer::new();
            let number = number.format(length).as_bytes();
            encoder.field(Name::ContentLength, b"content-length", number, out);
        }
        self.end_block(at, id, then);
        key
    }

    /// Sends an interim or final response head.
    pub fn send_response(&mut self, key: Key, head: &ResponseHead, length: BodyLength, then: Then) {
        let Some(slot) = self.streams.get(key) else { return };
        if slot.end.is_some() || slot.sending != Side::Head {
            return;
        }
        let (id, is_head) = (slot.id, slot.is_head);
        if head.status >= 200 {
            slot.sending = if then == Then::End { Side::Ended } else { Side::Body };
        }
        let length = match length {
            _ if head.status < 200 || head.status == 204 => None,
            _ if is_head || head.status == 304 => head.content_length,
            BodyLength::None => head.content_length,
            BodyLength::Sized(length) => Some(length),
            BodyLength::Unknown | BodyLength::UntilClose => None,
        };
        let at = self.begin_block();
        let Connection { encoder, out, .. } = self;
        encoder.status(head.status, out);
        for field in head.fields.iter() {
            encoder.field(field.name, field.text, field.value, out);
        }
        if let Some(length) = length {
            let mut number = itoa::Buffer::new();
            let number = number.format(length).as_bytes();
            encoder.field(Name::ContentLength, b"content-length", number, out);
        }
        self.end_block(at, id, then);
        self.close_if_ended(key);
    }

    /// Sends trailers, which end the stream.
    pub fn send_trailers(&mut self, key: Key, trailers: &Fields) {
        let Some(slot) = self.streams.get(key) else { return };
        if slot.end.is_some() || slot.sending != Side::Body {
            return;
        }
        slot.sending = Side::Ended;
        let id = slot.id;
        let at = self.begin_block();
        for field in trailers.iter() {
            self.encoder.field(field.name, field.text, field.value, &mut self.out);
        }
        self.end_block(at, id, Then::End);
        self.close_if_ended(key);
    }

    /// Leaves room for a frame's header, and begins a header block. Gives where the frame begins.
    fn begin_block(&mut self) -> usize {
        let at = self.out.len();
        self.out.extend_from_slice(&[0; HEADER_BYTES]);
        self.encoder.begin(&mut self.out);
        at
    }

    /// Writes the frame's header; a block that is too large for one frame goes on in others.
    fn end_block(&mut self, at: usize, id: u32, then: Then) {
        let len = self.out.len() - at - HEADER_BYTES;
        let first = len.min(FRAME_BYTES_MAX);
        let last_flag = |is_last: bool| if is_last { frame::END_HEADERS } else { 0 };
        let header = frame::header(first, frame::HEADERS, then.flag() | last_flag(first == len), id);
        if let Some(place) = self.out.get_mut(at..at + HEADER_BYTES) {
            place.copy_from_slice(&header);
        }
        if first == len {
            return;
        }
        let rest = self.out.split_off(at + HEADER_BYTES + first);
        let mut pieces = rest.chunks(FRAME_BYTES_MAX).peekable();
        while let Some(piece) = pieces.next() {
            let flags = last_flag(pieces.peek().is_none());
            frame::write_header(piece.len(), frame::CONTINUATION, flags, id, &mut self.out);
            self.out.extend_from_slice(piece);
        }
    }

    /// Sends as much of the data as windows and room allow, and the end behind all of it. Says how much that was; if it
    /// was nothing, `waker` is called when it is worth another look.
    pub fn send_data(
        &mut self,
        key: Key,
        data: &[u8],
        then: Then,
        waker: &Waker,
    ) -> Poll<Result<usize, StreamEnd>> {
        let room = OUT_BYTES_MAX.saturating_sub(self.out.len());
        let connection_window = self.send_window;
        let Some(slot) = self.streams.get(key) else { return Poll::Ready(Err(StreamEnd::Closed)) };
        if let Some(end) = slot.end_of_sending() {
            return Poll::Ready(Err(end));
        }
        debug_assert!(slot.sending == Side::Body, "data without a head, or behind the end");
        let window = slot.send_window.min(connection_window).max(0) as usize;
        let count = data.len().min(window).min(room);
        if count == 0 && !data.is_empty() {
            slot.writer = Some(waker.clone());
            self.stand_in_line(key);
            return Poll::Pending;
        }
        let ends = then == Then::End && count == data.len();
        slot.send_window -= count as i64;
        slot.moves = slot.moves.wrapping_add(1);
        if ends {
            slot.sending = Side::Ended;
        }
        let id = slot.id;
        self.send_window -= count as i64;
        let data = data.get(..count).unwrap_or_default();
        let mut pieces = data.chunks(FRAME_BYTES_MAX).peekable();
        if data.is_empty() && ends {
            frame::write_header(0, frame::DATA, frame::END_STREAM, id, &mut self.out);
        }
        while let Some(piece) = pieces.next() {
            let flags = Then::end_if(ends && pieces.peek().is_none()).flag();
            frame::write_header(piece.len(), frame::DATA, flags, id, &mut self.out);
            self.out.extend_from_slice(piece);
            self.budgets.data_sent(piece.len());
        }
        self.close_if_ended(key);
        self.wake_next();
        Poll::Ready(Ok(count))
    }

    /// Ready when the stream could send at least a byte.
    pub fn poll_window(&mut self, key: Key, waker: &Waker) -> Poll<Result<(), StreamEnd>> {
        let has_room = self.out.len() < OUT_BYTES_MAX && self.send_window > 0;
        let Some(slot) = self.streams.get(key) else { return Poll::Ready(Err(StreamEnd::Closed)) };
        if let Some(end) = slot.end_of_sending() {
            return Poll::Ready(Err(end));
        }
        if slot.send_window > 0 && has_room {
            self.wake_next();
            return Poll::Ready(Ok(()));
        }
        slot.writer = Some(waker.clone());
        self.stand_in_line(key);
        Poll::Pending
    }

    /// Puts a stream that can't send in the line of those who wait for the connection, unless it waits for its own window,
    /// which has its own waking. Then the connection's turn may have been wasted on it, and is the next one's.
    fn stand_in_line(&mut self, key: Key) {
        match self.streams.get(key) {
            Some(slot) if slot.send_window > 0 => {
                if !std::mem::replace(&mut slot.waits, true) {
                    self.waiting.push_back(key);
                }
            }
            _ => self.wake_next(),
        }
    }

    /// The next response head, interim or final, or `waker` is called when it comes. `head` is where it goes; its memory
    /// is used again.
    pub fn receive_response(
        &mut self,
        key: Key,
        head: &mut ResponseHead,
        waker: &Waker,
    ) -> Poll<Result<(), StreamEnd>> {
        let Some(slot) = self.streams.get(key) else { return Poll::Ready(Err(StreamEnd::Closed)) };
        if let Some(mut next) = slot.heads.pop_front() {
            std::mem::swap(head, &mut *next);
            // As many as are waited for at a time, roughly.
            const KEPT: usize = 32;
            if self.spare_responses.len() < KEPT {
                self.spare_responses.push(next);
            }
            return Poll::Ready(Ok(()));
        }
        if let Some(end) = slot.end {
            return Poll::Ready(Err(end));
        }
        slot.reader = Some(waker.clone());
        Poll::Pending
    }

    /// Resets a stream for what the peer did on it. That costs the peer little, so it is counted (CVE-2025-8671).
    pub(super) fn break_stream(
        &mut self,
        key: Key,
        code: ErrorCode,
        broken: &'static str,
    ) -> Result<(), ConnectionError> {
        self.reset_for(key, code, StreamEnd::Broken(broken));
        match self.config.role {
            Role::Server => self.budgets.spend(Flood::RapidReset),
            Role::Client => Ok(()),
        }
    }

    /// Ends a stream early, and tells the peer.
    pub fn reset(&mut self, key: Key, code: ErrorCode) {
        self.reset_for(key, code, StreamEnd::Reset(code));
    }

    /// Nothing has moved on a stream for too long.
    pub fn time_out(&mut self, key: Key) {
        self.reset_for(key, ErrorCode::Cancel, StreamEnd::TimedOut);
    }

    fn reset_for(&mut self, key: Key, code: ErrorCode, end: StreamEnd) {
        let Some(slot) = self.streams.get(key) else { return };
        if !slot.is_closed() && slot.stopped.is_none() {
            frame::write_reset(slot.id, code, &mut self.out);
            self.tally.resets_sent += 1;
        }
        slot.finish(end);
        self.give_back(key);
        self.streams.unlist(key, Closed::ByUs);
        self.wake_next();
    }

    /// Nobody holds a stream any more: it is reset if it is not closed, and forgotten.
    pub fn abandon(&mut self, key: Key) {
        let Some(slot) = self.streams.get(key) else { return };
        if !slot.is_closed() {
            // The answer is whole; only the rest of the request is not wanted (RFC 9113 section 8.1).
            let is_answered = self.config.role == Role::Server && slot.sending == Side::Ended;
            self.reset(key, if is_answered { ErrorCode::NoError } else { ErrorCode::Cancel });
        }
        self.release_slot(key);
        // It may have been woken for what it does not need any more.
        self.wake_next();
    }

    pub(super) fn release_slot(&mut self, key: Key) {
        self.give_back(key);
        self.leave_line(key);
        self.streams.unlist(key, Closed::Ended);
        self.streams.remove(key);
    }

    /// What nobody will take any more does not count against the connection's window.
    pub(super) fn give_back(&mut self, key: Key) {
        let Some(slot) = self.streams.get(key) else { return };
        slot.body.clear();
        let owed = std::mem::take(&mut slot.owed);
        self.release_connection(owed);
    }

    pub(super) fn close_if_ended(&mut self, key: Key) {
        if self.streams.get(key).is_some_and(|slot| slot.is_closed()) {
            self.streams.unlist(key, Closed::Ended);
            self.budgets.stream_ended();
        }
    }
}
