//! What comes beside header blocks: DATA and its windows, resets, settings, pings, and the peer's leaving.

use super::{
    Connection, ConnectionError, ErrorCode, Flood, Role, StreamEnd,
    connection::Leaving,
    frame::{self, FrameHeader, STREAM_MAX},
    stream::{Closed, Key, Side},
};
use crate::{buffer::Class, http::Fields};
use std::task::{Poll, Waker};

/// What our own pings say: the one that finds out whether the peer has seen that we leave, and the one that finds out
/// whether it is alive.
const PING_LEAVING: [u8; 8] = *b"leaving\0";
const PING_ALIVE: [u8; 8] = *b"alive?\0\0";

/// A stream that was used for so long before it is reset is none that was made only to be reset.
const PREMATURE_MS: u64 = 1000;

/// What has come on a stream.
pub enum Received {
    /// Data. Their bytes count against the windows until they are [released](Connection::release).
    Data(crate::buffer::Buffer),
    /// Trailers, and the end.
    Trailers(Box<Fields>),
    /// The end.
    End,
}

impl Connection {
    pub(super) fn take_data(&mut self, header: FrameHeader, payload: &[u8]) -> Result<(), ConnectionError> {
        if header.stream == 0 {
            return Err(ConnectionError::protocol("data_on_stream_0"));
        }
        let Some(data) = frame::unpadded(&header, payload) else {
            return Err(ConnectionError::protocol("data_padding"));
        };
        let ends = header.has(frame::END_STREAM);
        if data.is_empty() && !ends {
            self.budgets.spend(Flood::EmptyData)?;
        }
        // An end without data is as useful as one with them.
        let header_bytes = if data.is_empty() && ends { 0 } else { frame::HEADER_BYTES };
        self.budgets.data(data.len(), header_bytes + payload.len() - data.len())?;
        // All of the payload counts, with its padding (RFC 9113 section 6.9.1).
        let whole = payload.len() as u32;
        self.receive_window -= i64::from(whole);
        if self.receive_window < 0 {
            return Err(ConnectionError::new(ErrorCode::FlowControlError, "connection_window"));
        }
        let Some(key) = self.streams.find(header.stream) else {
            self.release_connection(whole);
            return self.data_on_closed(header.stream);
        };
        // Padding, and what can't be taken, is done with at once.
        let Some(broken) = self.take_body(key, data, whole, ends) else {
            self.release_connection(whole - data.len() as u32);
            self.tell_window(key);
            self.close_if_ended(key);
            return Ok(());
        };
        self.release_connection(whole);
        let code = match broken {
            "http2.stream_window" => ErrorCode::FlowControlError,
            "http2.data_after_end_stream" => ErrorCode::StreamClosed,
            _ => ErrorCode::ProtocolError,
        };
        self.break_stream(key, code, broken)
    }

    /// Keeps data until somebody takes them. Says what is wrong with them, if anything is.
    fn take_body(&mut self, key: Key, data: &[u8], whole: u32, ends: bool) -> Option<&'static str> {
        let pool = self.pool.clone();
        let slot = self.streams.get(key)?;
        slot.receive_window -= i64::from(whole);
        match slot.receiving {
            Side::Head => return Some("http2.data_before_headers"),
            Side::Ended => return Some("http2.data_after_end_stream"),
            Side::Body if slot.receive_window < 0 => return Some("http2.stream_window"),
            Side::Body => {}
        }
        if let Some(left) = &mut slot.expected {
            match left.checked_sub(data.len() as u64) {
                Some(less) if less == 0 || !ends => *left = less,
                _ => return Some("http2.content_length_mismatch"),
            }
        }
        slot.moves = slot.moves.wrapping_add(1);
        // Padding is given back on this stream, too.
        slot.released += whole - data.len() as u32;
        if !data.is_empty() {
            slot.owed += data.len() as u32;
            if !slot.body.back_mut().is_some_and(|buffer| buffer.extend(data)) {
                // Who is behind gets more at a time, but never many times what it has: a thousand streams may be.
                let larger = slot.body.back_mut().map_or(Class::Small, |last| last.class().larger());
                let mut buffer = pool.lease(Class::for_bytes(data.len()).max(larger));
                buffer.extend(data);
                slot.body.push_back(buffer);
            }
        }
        if ends {
            slot.receiving = Side::Ended;
        }
        slot.wake_reader();
        None
    }

    /// RFC 9113 section 5.1, `idle` and `closed`.
    fn data_on_closed(&mut self, id: u32) -> Result<(), ConnectionError> {
        if self.is_idle(id) {
            return Err(ConnectionError::protocol("data_on_idle_stream"));
        }
        match self.streams.closed(id) {
            Some(Closed::ByUs) => Ok(()),
            Some(Closed::ByPeer) => {
                self.tally.resets_sent += 1;
                frame::write_reset(id, ErrorCode::StreamClosed, &mut self.out);
                self.budgets.spend(Flood::RapidReset)
            }
            _ => Err(ConnectionError::new(ErrorCode::StreamClosed, "data_on_closed_stream")),
        }
    }

    /// Whether nobody has begun this stream yet.
    fn is_idle(&self, id: u32) -> bool {
        let is_own = id.is_multiple_of(2) == (self.config.role == Role::Server);
        // We begin none as a server, and the peer none that is even.
        let next = match (self.config.role, is_own) {
            (Role::Client, true) => self.own_stream,
            (Role::Server, false) => self.peer_stream + 1,
            _ => 0,
        };
        id >= next
    }

    /// What has come on a stream, or `waker` is called when something does.
    pub fn receive_body(&mut self, key: Key, waker: &Waker) -> Poll<Result<Received, StreamEnd>> {
        let Some(slot) = self.streams.get(key) else { return Poll::Ready(Err(StreamEnd::Closed)) };
        if let Some(end) = slot.end {
            return Poll::Ready(Err(end));
        }
        if let Some(buffer) = slot.body.pop_front() {
            return Poll::Ready(Ok(Received::Data(buffer)));
        }
        if let Some(trailers) = slot.trailers.take() {
            return Poll::Ready(Ok(Received::Trailers(trailers)));
        }
        if slot.receiving == Side::Ended {
            return Poll::Ready(Ok(Received::End));
        }
        slot.reader = Some(waker.clone());
        Poll::Pending
    }

    /// Whether the peer has said all that it has to say, and all of it was taken.
    pub fn is_received(&mut self, key: Key) -> bool {
        let slot = self.streams.get(key);
        slot.is_none_or(|slot| {
            slot.receiving == Side::Ended && slot.body.is_empty() && slot.trailers.is_none()
        })
    }

    /// Bytes of a stream have gone where they were to go: the peer may send as many more.
    pub fn release(&mut self, key: Key, bytes: usize) {
        let Some(slot) = self.streams.get(key) else { return };
        let bytes = (bytes as u32).min(slot.owed);
        slot.owed -= bytes;
        slot.released += bytes;
        self.tell_window(key);
        self.release_connection(bytes);
    }

    /// Tells the peer what it may send on a stream, when that is worth it.
    fn tell_window(&mut self, key: Key) {
        let Some(slot) = self.streams.get(key) else { return };
        // Half a window at a time: an update for every frame would cost more than it brings. Who takes what comes gets a
        // larger one.
        if slot.released >= (slot.receive_target / 2).max(1)
            && slot.receiving == Side::Body
            && slot.end.is_none()
        {
            let larger = slot.receive_target.saturating_mul(2).min(self.config.stream_window);
            let growth = larger.saturating_sub(slot.receive_target);
            slot.receive_target += growth;
            let by = (slot.released + growth).min(STREAM_MAX);
            slot.receive_window += i64::from(by);
            frame::write_window_update(slot.id, by, &mut self.out);
            slot.released = 0;
        }
    }

    pub(super) fn release_connection(&mut self, bytes: u32) {
        self.released += bytes;
        if self.released < self.receive_target / 2 || self.is_dead() {
            return;
        }
        // Who takes what comes gets a larger window.
        let larger = self.receive_target.saturating_mul(2).min(self.config.connection_window);
        let growth = larger.saturating_sub(self.receive_target);
        self.receive_target += growth;
        let by = (self.released + growth).min(STREAM_MAX);
        self.receive_window += i64::from(by);
        self.released = 0;
        frame::write_window_update(0, by, &mut self.out);
    }

    pub(super) fn take_window_update(
        &mut self,
        header: FrameHeader,
        payload: &[u8],
    ) -> Result<(), ConnectionError> {
        let Some(by) = frame::number(payload).filter(|_| header.len == 4) else {
            return Err(ConnectionError::frame_size("window_update_length"));
        };
        self.budgets.spend(Flood::WindowUpdate)?;
        if header.stream == 0 {
            if by == 0 {
                return Err(ConnectionError::protocol("window_update_of_0"));
            }
            self.send_window += i64::from(by);
            if self.send_window > i64::from(STREAM_MAX) {
                return Err(ConnectionError::new(ErrorCode::FlowControlError, "window_overflow"));
            }
            self.wake_next();
            return Ok(());
        }
        let Some(key) = self.streams.find(header.stream) else {
            return match self.is_idle(header.stream) {
                true => Err(ConnectionError::protocol("window_update_on_idle_stream")),
                false => Ok(()),
            };
        };
        let Some(slot) = self.streams.get(key) else { return Ok(()) };
        let is_too_large = slot.widen(i64::from(by));
        match by {
            0 => self.break_stream(key, ErrorCode::ProtocolError, "http2.window_update_of_0"),
            _ if is_too_large => self.break_stream(key, ErrorCode::FlowControlError, "http2.window_overflow"),
            _ => Ok(()),
        }
    }

    pub(super) fn take_reset(&mut self, header: FrameHeader, payload: &[u8]) -> Result<(), ConnectionError> {
        if header.stream == 0 {
            return Err(ConnectionError::protocol("reset_of_stream_0"));
        }
        let Some([a, b, c, d]) = payload.first_chunk::<4>().filter(|_| header.len == 4) else {
            return Err(ConnectionError::frame_size("reset_length"));
        };
        let code = ErrorCode::from_wire(u32::from_be_bytes([*a, *b, *c, *d]));
        let Some(key) = self.streams.find(header.stream) else {
            return match self.is_idle(header.stream) {
                true => Err(ConnectionError::protocol("reset_of_idle_stream")),
                false => Ok(()),
            };
        };
        self.tally.resets_received += 1;
        let now_ms = self.now_ms;
        let Some(slot) = self.streams.get(key) else { return Ok(()) };
        let is_premature = now_ms.saturating_sub(slot.opened_ms) < PREMATURE_MS;
        if slot.receiving == Side::Ended && self.config.role == Role::Client {
            // The answer is whole; it only wants no more of the request (RFC 9113 section 8.1).
            slot.stop(code);
        } else {
            slot.finish(StreamEnd::Reset(code));
            self.give_back(key);
        }
        self.streams.unlist(key, Closed::ByPeer);
        match self.config.role {
            Role::Server if is_premature => self.budgets.spend(Flood::RapidReset),
            _ => Ok(()),
        }
    }

    pub(super) fn take_priority(
        &mut self,
        header: FrameHeader,
        payload: &[u8],
    ) -> Result<(), ConnectionError> {
        if header.stream == 0 {
            return Err(ConnectionError::protocol("priority_of_stream_0"));
        }
        let key = self.streams.find(header.stream);
        let (code, broken) = match frame::number(payload).filter(|_| header.len == 5) {
            None => (ErrorCode::FrameSizeError, "http2.priority_length"),
            Some(other) if other == header.stream => {
                (ErrorCode::ProtocolError, "http2.self_dependent_stream")
            }
            Some(_) => return self.budgets.spend(Flood::Priority),
        };
        match key {
            Some(key) => self.break_stream(key, code, broken),
            // There is no stream to be reset.
            None => Err(ConnectionError::new(code, "priority")),
        }
    }

    pub(super) fn take_settings(
        &mut self,
        header: FrameHeader,
        payload: &[u8],
    ) -> Result<(), ConnectionError> {
        if header.stream != 0 {
            return Err(ConnectionError::protocol("settings_on_a_stream"));
        }
        if header.has(frame::ACK) {
            self.is_settled = true;
            return match header.len {
                0 => self.budgets.spend(Flood::Settings),
                _ => Err(ConnectionError::frame_size("settings_ack_length")),
            };
        }
        self.budgets.spend(Flood::Settings)?;
        let before = self.peer;
        let encoder = &mut self.encoder;
        self.peer.take(self.config.role, payload, |bytes| encoder.set_limit(bytes))?;
        let change = i64::from(self.peer.initial_window) - i64::from(before.initial_window);
        if change != 0 {
            for slot in self.streams.iter_mut() {
                // RFC 9113 section 6.9.2. One that is closed has no window any more.
                if slot.widen(change) && !slot.is_closed() {
                    return Err(ConnectionError::new(ErrorCode::FlowControlError, "window_overflow"));
                }
            }
        }
        frame::write_header(0, frame::SETTINGS, frame::ACK, 0, &mut self.out);
        Ok(())
    }

    pub(super) fn take_ping(&mut self, header: FrameHeader, payload: &[u8]) -> Result<(), ConnectionError> {
        if header.stream != 0 {
            return Err(ConnectionError::protocol("ping_on_a_stream"));
        }
        let Some(payload) = payload.first_chunk::<8>().filter(|_| header.len == 8) else {
            return Err(ConnectionError::frame_size("ping_length"));
        };
        self.budgets.spend(Flood::Ping)?;
        if !header.has(frame::ACK) {
            frame::write_ping(*payload, frame::ACK, &mut self.out);
            return Ok(());
        }
        self.pongs += 1;
        if *payload == PING_LEAVING && self.leaving == Leaving::Warned {
            self.leave_now();
        }
        Ok(())
    }

    pub(super) fn take_goaway(&mut self, header: FrameHeader, payload: &[u8]) -> Result<(), ConnectionError> {
        if header.stream != 0 {
            return Err(ConnectionError::protocol("goaway_on_a_stream"));
        }
        let Some(last) = frame::number(payload).filter(|_| header.len >= 8) else {
            return Err(ConnectionError::frame_size("goaway_length"));
        };
        self.peer_leaves = true;
        if self.config.role == Role::Client {
            for key in self.streams.listed() {
                if let Some(slot) = self.streams.get(key).filter(|slot| slot.id > last) {
                    slot.finish(StreamEnd::Unprocessed);
                    self.give_back(key);
                    self.streams.unlist(key, Closed::ByPeer);
                }
            }
        }
        Ok(())
    }

    /// Begins to leave: warns the peer, and asks whether it has heard (RFC 9113 section 6.8). What it has begun until then
    /// is still served. `now_ms` is as in [`receive`](Self::receive): what came last may have come long ago.
    pub fn leave(&mut self, now_ms: u64) {
        if self.leaving == Leaving::No && !self.is_dead() {
            self.leaving = Leaving::Warned;
            self.warned_ms = now_ms;
            frame::write_goaway(STREAM_MAX, ErrorCode::NoError, b"", &mut self.out);
            frame::write_ping(PING_LEAVING, 0, &mut self.out);
        }
    }

    /// Takes no further streams.
    pub fn leave_now(&mut self) {
        if self.leaving != Leaving::Final && !self.is_dead() {
            self.leaving = Leaving::Final;
            frame::write_goaway(self.served_stream, ErrorCode::NoError, b"", &mut self.out);
        }
    }

    /// Whether either side has said that it leaves.
    pub fn is_leaving(&self) -> bool {
        self.peer_leaves || self.leaving != Leaving::No
    }

    /// Asks whether the peer is alive; [`pongs`](Self::pongs) counts its answers.
    pub fn ping(&mut self) {
        if !self.is_dead() {
            frame::write_ping(PING_ALIVE, 0, &mut self.out);
        }
    }

    /// Answers to pings of ours so far.
    pub fn pongs(&self) -> u64 {
        self.pongs
    }
}
