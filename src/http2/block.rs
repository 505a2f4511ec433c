//! Header blocks (RFC 9113 section 4.3): HEADERS and CONTINUATION, put together and decoded.

use super::{
    Arrival, Connection, ConnectionError, ErrorCode, Flood, Role, Verdict,
    connection::Leaving,
    frame::{self, FrameHeader},
    request::{ListLimits, RequestList},
    response::{ResponseList, TrailerList},
    stream::{Closed, Key, Side, Windows},
};
use crate::http::Fields;

/// CONTINUATION frames of one header block: enough for the largest list in frames of a few KiB (CVE-2024-27316 and its like
/// send them without end).
const CONTINUATIONS_MAX: usize = 16;

/// Bytes of a header block beyond the limit of the list that it decodes to, which are still decoded so that the
/// request can be answered; more ends the connection.
const BLOCK_BYTES_SLACK: usize = 16 << 10;

/// A list that decodes to so many times its limit was made to be small on the way and large here.
const BOMB_FACTOR: usize = 4;

/// Streams that are closed and still held, beside as many as may be open: their exchanges are about to end.
const HELD_SLACK: usize = 16;

/// Interim responses of one stream. Real ones are one or two.
const INTERIM_MAX: u8 = 16;

/// A header block that is not whole.
pub(super) struct Block {
    header: FrameHeader,
    /// The stream depends on itself (RFC 9113 section 5.3.2 has taken priorities away, but not this from h2spec).
    is_self_dependent: bool,
    bytes: Vec<u8>,
    continuations: usize,
}

impl Connection {
    pub(super) fn take_headers(
        &mut self,
        header: FrameHeader,
        payload: &[u8],
    ) -> Result<(), ConnectionError> {
        if header.stream == 0 {
            return Err(ConnectionError::protocol("headers_on_stream_0"));
        }
        let Some(mut fragment) = frame::unpadded(&header, payload) else {
            return Err(ConnectionError::protocol("headers_padding"));
        };
        let mut is_self_dependent = false;
        if header.has(frame::HAS_PRIORITY) {
            let Some((priority, rest)) = fragment.split_at_checked(5) else {
                return Err(ConnectionError::frame_size("headers_priority_length"));
            };
            is_self_dependent = frame::number(priority) == Some(header.stream);
            fragment = rest;
        }
        if header.has(frame::END_HEADERS) {
            return self.take_block(header, is_self_dependent, fragment);
        }
        self.block = Some(Block { header, is_self_dependent, bytes: fragment.to_vec(), continuations: 0 });
        Ok(())
    }

    pub(super) fn take_continuation(
        &mut self,
        header: FrameHeader,
        payload: &[u8],
    ) -> Result<(), ConnectionError> {
        let limit = self.config.header_list_bytes + BLOCK_BYTES_SLACK;
        let Some(block) = self.block.as_mut().filter(|block| block.header.stream == header.stream) else {
            return Err(ConnectionError::protocol("continuation_without_headers"));
        };
        block.continuations += 1;
        if block.continuations > CONTINUATIONS_MAX {
            return Err(Flood::Continuation.error());
        }
        if block.bytes.len() + payload.len() > limit {
            return Err(Flood::HeaderList.error());
        }
        block.bytes.extend_from_slice(payload);
        if header.has(frame::END_HEADERS)
            && let Some(block) = self.block.take()
        {
            return self.take_block(block.header, block.is_self_dependent, &block.bytes);
        }
        Ok(())
    }

    /// Takes a whole block.
    fn take_block(
        &mut self,
        header: FrameHeader,
        is_self_dependent: bool,
        block: &[u8],
    ) -> Result<(), ConnectionError> {
        let id = header.stream;
        if let Some(key) = self.streams.find(id) {
            return self.take_more_headers(key, header, is_self_dependent, block);
        }
        if self.config.role == Role::Server && id > self.peer_stream {
            if id.is_multiple_of(2) {
                return Err(ConnectionError::protocol("even_stream"));
            }
            return self.take_request(header, is_self_dependent, block);
        }
        // It is closed, or never was open.
        self.skip_block(block)?;
        match self.streams.closed(id) {
            // Once is what was on its way; again and again is work for nothing.
            Some(Closed::ByUs) => self.budgets.spend(Flood::Unknown),
            Some(Closed::ByPeer | Closed::Ended) => {
                Err(ConnectionError::new(ErrorCode::StreamClosed, "headers_on_closed_stream"))
            }
            None => Err(ConnectionError::protocol("headers_on_unknown_stream")),
        }
    }

    fn limits(&self) -> ListLimits {
        let (bytes, fields) = (self.config.header_list_bytes, self.config.fields);
        ListLimits { bytes, fields, underscores: self.underscores }
    }

    /// Decodes a block whose fields nobody wants: the state of compression has to go on.
    fn skip_block(&mut self, block: &[u8]) -> Result<(), ConnectionError> {
        self.decoder.decode(block, |_| {}).map_err(compression)
    }

    /// HEADERS that begin a stream of a client.
    fn take_request(
        &mut self,
        header: FrameHeader,
        is_self_dependent: bool,
        block: &[u8],
    ) -> Result<(), ConnectionError> {
        let id = header.stream;
        self.peer_stream = id;
        if self.leaving == Leaving::Final {
            // The client has been told that we look at no more; what else comes for it is passed over.
            self.streams.remember(id, Closed::ByUs);
            return self.skip_block(block);
        }
        let allowed = self.config.max_concurrent_streams as usize;
        // Streams that are closed but still held end soon: there may be some, but not without end.
        let has_room = self.streams.open() < allowed && self.streams.len() < allowed * 2 + HELD_SLACK;
        if !has_room {
            self.skip_block(block)?;
            self.tally.refused += 1;
            self.streams.remember(id, Closed::ByUs);
            frame::write_reset(id, ErrorCode::RefusedStream, &mut self.out);
            return self.budgets.spend(Flood::Refused);
        }
        self.served_stream = id;
        self.budgets.stream_opened();
        let mut head = self.spare_heads.pop().unwrap_or_default();
        let limits = self.limits();
        let bomb = limits.bytes.saturating_mul(BOMB_FACTOR);
        let mut decoded = 0usize;
        let mut list = RequestList::new(&mut head, limits);
        self.decoder
            .decode(block, |field| {
                decoded += field.text.len() + field.value.len();
                // What is far over the limit is not even looked at.
                if decoded <= bomb {
                    list.take(&field);
                }
            })
            .map_err(compression)?;
        let ends = header.has(frame::END_STREAM);
        let mut finished = list.finish(ends, self.config.extended_connect);
        if is_self_dependent {
            finished = Err("http2.self_dependent_stream");
        }
        // Such a list is no mistake: it was made to be small here and large there.
        if decoded > bomb {
            return Err(Flood::HeaderList.error());
        }
        let windows = self.windows();
        let key = self.streams.insert(id, windows, self.now_ms);
        match finished {
            Ok(request) => {
                if let Some(slot) = self.streams.get(key) {
                    slot.receiving = if ends { Side::Ended } else { Side::Body };
                    slot.expected = request.content_length;
                    slot.is_head = head.method == b"HEAD";
                }
                let verdict = request.refused.map_or(Verdict::Serve, Verdict::Refuse);
                self.arrivals.push_back(Arrival { stream: Some(key), id, head, verdict });
                Ok(())
            }
            Err(broken) => {
                let verdict = Verdict::Malformed(broken);
                self.arrivals.push_back(Arrival { stream: None, id, head, verdict });
                self.break_stream(key, ErrorCode::ProtocolError, broken)?;
                self.release_slot(key);
                Ok(())
            }
        }
    }

    pub(super) fn windows(&self) -> Windows {
        Windows { receive: self.config.first_stream_window(), send: i64::from(self.peer.initial_window) }
    }

    /// HEADERS for a stream that is not closed: a response, or trailers.
    fn take_more_headers(
        &mut self,
        key: Key,
        header: FrameHeader,
        is_self_dependent: bool,
        block: &[u8],
    ) -> Result<(), ConnectionError> {
        let ends = header.has(frame::END_STREAM);
        let receiving = self.streams.get(key).map_or(Side::Ended, |slot| slot.receiving);
        if receiving == Side::Ended {
            self.skip_block(block)?;
            return self.break_stream(key, ErrorCode::StreamClosed, "http2.headers_after_end_stream");
        }
        let taken = match receiving {
            Side::Head => self.take_response(key, block, ends)?,
            _ => {
                let mut list = TrailerList::new(self.limits());
                self.decoder.decode(block, |field| list.take(&field)).map_err(compression)?;
                match list.finish() {
                    Ok(_) if !ends => Err("http2.trailers_without_end_stream"),
                    Ok(trailers) => self.take_trailers(key, trailers),
                    Err(broken) => Err(broken),
                }
            }
        };
        let taken = if is_self_dependent { Err("http2.self_dependent_stream") } else { taken };
        match taken {
            Ok(()) => {
                self.close_if_ended(key);
                Ok(())
            }
            Err(broken) => self.break_stream(key, ErrorCode::ProtocolError, broken),
        }
    }

    /// A response head, interim or final.
    fn take_response(
        &mut self,
        key: Key,
        block: &[u8],
        ends: bool,
    ) -> Result<Result<(), &'static str>, ConnectionError> {
        let mut head = self.spare_responses.pop().unwrap_or_default();
        let mut list = ResponseList::new(&mut head, self.limits());
        self.decoder.decode(block, |field| list.take(&field)).map_err(compression)?;
        let Some(slot) = self.streams.get(key) else { return Ok(Ok(())) };
        let expected = match list.finish(ends, slot.is_head) {
            Ok(expected) => expected,
            Err(broken) => return Ok(Err(broken)),
        };
        if head.status < 200 {
            slot.interim += 1;
            if slot.interim > INTERIM_MAX {
                return Ok(Err("http2.too_many_interim_responses"));
            }
        } else {
            slot.expected = expected;
            slot.receiving = if ends { Side::Ended } else { Side::Body };
        }
        slot.heads.push_back(head);
        slot.wake_reader();
        Ok(Ok(()))
    }

    fn take_trailers(&mut self, key: Key, trailers: Fields) -> Result<(), &'static str> {
        let Some(slot) = self.streams.get(key) else { return Ok(()) };
        if slot.expected.is_some_and(|left| left > 0) {
            return Err("http2.content_length_mismatch");
        }
        slot.receiving = Side::Ended;
        slot.trailers = Some(Box::new(trailers));
        slot.wake_reader();
        Ok(())
    }
}

fn compression(error: super::hpack::HpackError) -> ConnectionError {
    ConnectionError::new(ErrorCode::CompressionError, error.detail())
}
