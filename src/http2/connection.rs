//! One HTTP/2 connection without its socket: bytes go in and come out, and streams are what others hold.

use super::{
    Config, ConnectionError, ErrorCode, Flood, PeerSettings, Refused, Role, StreamEnd,
    flood::Budgets,
    frame::{self, FRAME_BYTES_MAX, FrameHeader, HEADER_BYTES, PREFACE},
    hpack,
    stream::{Closed, Key, Side, Slot, Streams},
};
use crate::{
    buffer::Pool,
    http::{RequestHead, ResponseHead, Underscores},
};
use std::{collections::VecDeque, task::Waker, time::Duration};

/// Bytes that gather for the peer before streams have to wait for them to leave. With it a connection to a slow client
/// holds twice as much at most; fast ones get enough with each send.
pub(super) const OUT_BYTES_MAX: usize = 128 << 10;

/// A request of a client.
pub struct Arrival {
    /// Its stream; nothing where that was reset already, because the request is malformed.
    pub stream: Option<Key>,
    /// The identifier of its stream.
    pub id: u32,
    /// The head; of a malformed request what came before it turned out to be so.
    pub head: Box<RequestHead>,
    /// What is to become of it.
    pub verdict: Verdict,
}

/// What is to become of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is served.
    Serve,
    /// It is answered here.
    Refuse(Refused),
    /// It was reset; the rule that it breaks.
    Malformed(&'static str),
}

/// What has to come next on a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expected {
    Preface,
    Settings,
    Frame,
}

/// A connection that ends, and how far that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leaving {
    /// It does not.
    No,
    /// The peer was warned (RFC 9113 section 6.8); streams that it had begun meanwhile are still taken.
    Warned,
    /// No further streams are taken.
    Final,
}

/// What has happened on a connection, for counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Streams that the peer has reset.
    pub resets_received: u64,
    /// Streams that were reset here.
    pub resets_sent: u64,
    /// Streams that were refused for there were too many.
    pub refused: u64,
}

/// One HTTP/2 connection (RFC 9113). It does no I/O and knows no time: [`receive`](Self::receive) takes bytes that came,
/// [`take_out`](Self::take_out) gives those that are to be sent.
///
/// Nothing that a stream sends is kept here while its window is closed or others' bytes are still to leave: who sends
/// waits, with what it has in hand. What comes is kept, within the windows that were announced.
pub struct Connection {
    pub(super) config: Config,
    pub(super) peer: PeerSettings,
    /// The peer has acknowledged our settings.
    pub(super) is_settled: bool,
    pub(super) underscores: Underscores,
    pub(super) decoder: hpack::Decoder,
    pub(super) encoder: hpack::Encoder,
    pub(super) streams: Streams,
    pub(super) out: Vec<u8>,
    expected: Expected,
    pub(super) block: Option<super::block::Block>,
    /// What the peer may still send on all streams together.
    pub(super) receive_window: i64,
    /// What `receive_window` is when nothing is under way.
    pub(super) receive_target: u32,
    pub(super) released: u32,
    pub(super) send_window: i64,
    /// Those who wait for the connection's window, or for room in `out`.
    pub(super) waiting: VecDeque<Key>,
    /// The highest stream that the peer has begun.
    pub(super) peer_stream: u32,
    /// The highest of these that we have looked at.
    pub(super) served_stream: u32,
    /// The next one that we begin.
    pub(super) own_stream: u32,
    pub(super) leaving: Leaving,
    /// The peer has said that it leaves.
    pub(super) peer_leaves: bool,
    pub(super) budgets: Budgets,
    pub(super) arrivals: VecDeque<Arrival>,
    /// Heads to be used again. They go from here to arrivals and back: a pointer moves, not what it points to.
    #[expect(clippy::vec_box)]
    pub(super) spare_heads: Vec<Box<RequestHead>>,
    #[expect(clippy::vec_box)]
    pub(super) spare_responses: Vec<Box<ResponseHead>>,
    pub(super) tally: Tally,
    /// Pings of our own that were answered.
    pub(super) pongs: u64,
    pub(super) pool: Pool,
    pub(super) now_ms: u64,
    /// Part of a frame of a header block has come.
    has_partial_head: bool,
    pub(super) warned_ms: u64,
    is_over: bool,
}

/// How long a peer that was warned may take to hear of it: no further streams are taken after that, whether it answers or
/// not.
pub const WARNED_TIME: Duration = Duration::from_secs(10);

impl Connection {
    /// A connection that begins now. What we say first is to be sent already.
    pub fn new(config: Config, underscores: Underscores, pool: Pool, now_ms: u64) -> Connection {
        let mut out = Vec::new();
        config.write_first(&mut out);
        let first_window = config.first_connection_window();
        Connection {
            peer: PeerSettings::default(),
            is_settled: false,
            underscores,
            decoder: hpack::Decoder::new(PeerSettings::default().header_table_bytes),
            encoder: hpack::Encoder::new(),
            streams: Streams::new(),
            out,
            expected: if config.role == Role::Server { Expected::Preface } else { Expected::Settings },
            block: None,
            receive_window: i64::from(first_window),
            receive_target: first_window,
            released: 0,
            send_window: i64::from(super::settings::INITIAL_WINDOW),
            waiting: VecDeque::new(),
            peer_stream: 0,
            served_stream: 0,
            own_stream: 1,
            leaving: Leaving::No,
            peer_leaves: false,
            budgets: Budgets::new(now_ms),
            arrivals: VecDeque::new(),
            spare_heads: Vec::new(),
            spare_responses: Vec::new(),
            tally: Tally::default(),
            pongs: 0,
            pool,
            now_ms,
            has_partial_head: false,
            warned_ms: 0,
            is_over: false,
            config,
        }
    }

    /// Takes the frames that are whole, and says how many bytes that were; what is left belongs before what comes next.
    ///
    /// # Errors
    /// What the peer did that the connection can't survive. GOAWAY is to be sent, and all streams have ended.
    pub fn receive(&mut self, bytes: &[u8], now_ms: u64) -> Result<usize, ConnectionError> {
        self.now_ms = now_ms;
        self.budgets.refill(now_ms);
        self.has_partial_head = false;
        if self.leaving == Leaving::Warned
            && now_ms.saturating_sub(self.warned_ms) > WARNED_TIME.as_millis() as u64
        {
            self.leave_now();
        }
        let mut taken = 0;
        while !self.is_over {
            let rest = bytes.get(taken..).unwrap_or_default();
            match self.receive_one(rest) {
                Ok(0) => break,
                Ok(count) => taken += count,
                Err(error) => {
                    self.abort(error.code, error.reason);
                    return Err(error);
                }
            }
        }
        Ok(taken)
    }

    /// Takes the preface, or one frame. 0: it is not whole.
    fn receive_one(&mut self, bytes: &[u8]) -> Result<usize, ConnectionError> {
        if self.expected == Expected::Preface {
            let len = bytes.len().min(PREFACE.len());
            if bytes.get(..len) != PREFACE.get(..len) {
                return Err(ConnectionError::protocol("bad_preface"));
            }
            if len < PREFACE.len() {
                return Ok(0);
            }
            self.expected = Expected::Settings;
            return Ok(len);
        }
        let Some(header) = FrameHeader::parse(bytes) else { return Ok(0) };
        if self.expected == Expected::Settings {
            // RFC 9113 section 3.4.
            if header.kind != frame::SETTINGS || header.has(frame::ACK) {
                return Err(ConnectionError::protocol("no_settings_first"));
            }
        }
        if header.len > FRAME_BYTES_MAX {
            return Err(ConnectionError::frame_size("frame_too_large"));
        }
        let end = HEADER_BYTES + header.len;
        let Some(payload) = bytes.get(HEADER_BYTES..end) else {
            self.has_partial_head = matches!(header.kind, frame::HEADERS | frame::CONTINUATION);
            return Ok(0);
        };
        self.expected = Expected::Frame;
        self.take_frame(header, payload)?;
        Ok(end)
    }

    fn take_frame(&mut self, header: FrameHeader, payload: &[u8]) -> Result<(), ConnectionError> {
        if self.block.is_some() && header.kind != frame::CONTINUATION {
            // RFC 9113 section 6.10.
            return Err(ConnectionError::protocol("frame_within_header_block"));
        }
        match header.kind {
            frame::DATA => self.take_data(header, payload),
            frame::HEADERS => self.take_headers(header, payload),
            frame::CONTINUATION => self.take_continuation(header, payload),
            frame::PRIORITY => self.take_priority(header, payload),
            frame::RST_STREAM => self.take_reset(header, payload),
            frame::SETTINGS => self.take_settings(header, payload),
            // We take none as a client (we say so), and no client may send one (RFC 9113 section 8.4).
            frame::PUSH_PROMISE => Err(ConnectionError::protocol("push_promise")),
            frame::PING => self.take_ping(header, payload),
            frame::GOAWAY => self.take_goaway(header, payload),
            frame::WINDOW_UPDATE => self.take_window_update(header, payload),
            // What is not known is passed over (RFC 9113 section 5.5).
            _ => self.budgets.spend(Flood::Unknown),
        }
    }

    /// The next request that has come.
    pub fn next_arrival(&mut self) -> Option<Arrival> {
        self.arrivals.pop_front()
    }

    /// Takes the memory of a head back, to be used again.
    pub fn return_head(&mut self, head: Box<RequestHead>) {
        // As many as come in one turn, roughly.
        const KEPT: usize = 32;
        if self.spare_heads.len() < KEPT {
            self.spare_heads.push(head);
        }
    }

    /// Whether a header block has begun that is not whole.
    pub fn is_within_head(&self) -> bool {
        self.block.is_some() || self.has_partial_head || self.expected != Expected::Frame
    }

    /// Whether there is anything to be sent.
    pub fn has_out(&self) -> bool {
        !self.out.is_empty()
    }

    /// So much is to be sent that no more should be read: answers to what comes would pile up.
    pub fn is_clogged(&self) -> bool {
        // What streams send ends at `OUT_BYTES_MAX`, and does not count: two peers that both wait for the other to read
        // would wait for ever.
        self.out.len() > 2 * OUT_BYTES_MAX
    }

    /// Takes what is to be sent; `memory` is used for what comes after it.
    pub fn take_out(&mut self, memory: Vec<u8>) -> Vec<u8> {
        debug_assert!(memory.is_empty());
        let out = std::mem::replace(&mut self.out, memory);
        self.wake_next();
        out
    }

    /// Gives back memory that is not worth keeping while nothing happens.
    pub fn shrink(&mut self) {
        self.out.shrink_to_fit();
        (self.spare_heads, self.spare_responses) = (Vec::new(), Vec::new());
        (self.arrivals, self.waiting) = (VecDeque::new(), VecDeque::new());
        self.streams.shrink();
    }

    /// Has the next of those who wait for the connection look again, if there is something for it; it has the one behind
    /// it look when it is done. To wake all for a window of a byte would be work without end.
    pub(super) fn wake_next(&mut self) {
        if self.send_window <= 0 || self.out.len() >= OUT_BYTES_MAX {
            return;
        }
        while let Some(key) = self.waiting.pop_front() {
            let Some(slot) = self.streams.get(key).filter(|slot| slot.waits) else { continue };
            slot.waits = false;
            // One whose own window has closed meanwhile is woken when that opens.
            if slot.writer.is_some() && slot.send_window > 0 {
                return slot.wake_writer();
            }
        }
    }

    /// Takes a stream out of the line of those who wait for the connection.
    pub(super) fn leave_line(&mut self, key: Key) {
        if self.streams.get(key).is_some_and(|slot| std::mem::take(&mut slot.waits)) {
            self.waiting.retain(|other| *other != key);
        }
    }

    /// Streams that are not closed, or that somebody holds.
    pub fn streams(&self) -> usize {
        self.streams.len()
    }

    /// What has happened so far.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// The peer's settings.
    pub fn peer(&self) -> &PeerSettings {
        &self.peer
    }

    /// Whether the peer's settings have come.
    pub fn is_introduced(&self) -> bool {
        self.expected == Expected::Frame
    }

    /// Whether nothing more will happen on it.
    pub fn is_over(&self) -> bool {
        // A client that says that it leaves has nothing more to ask; a server will not answer more.
        self.is_over || ((self.leaving == Leaving::Final || self.peer_leaves) && self.streams.len() == 0)
    }

    /// Whether the peer was warned that we leave, and nothing more.
    pub fn is_warned(&self) -> bool {
        self.leaving == Leaving::Warned
    }

    /// Whether it has failed, or its socket has ended.
    pub fn is_dead(&self) -> bool {
        self.is_over
    }

    /// Says GOAWAY, and that is all: for a connection that has to end now.
    pub fn abort(&mut self, code: ErrorCode, reason: &'static str) {
        if !self.is_over {
            frame::write_goaway(self.served_stream, code, reason.as_bytes(), &mut self.out);
            self.ended();
        }
    }

    /// The socket has ended: nothing more will come.
    pub fn ended(&mut self) {
        self.is_over = true;
        for key in self.streams.listed() {
            if let Some(slot) = self.streams.get(key) {
                match self.config.role {
                    // The answer is whole: only the rest of the request finds nobody.
                    Role::Client if slot.receiving == Side::Ended => slot.stop(ErrorCode::NoError),
                    _ => slot.finish(StreamEnd::Closed),
                }
            }
            self.streams.unlist(key, Closed::ByPeer);
        }
        if self.config.role == Role::Server {
            // Whoever still holds one that was closed has nobody to serve any more.
            self.streams.iter_mut().for_each(|slot| slot.finish(StreamEnd::Closed));
        }
        self.waiting.clear();
        self.block = None;
    }

    /// Calls this when the stream ends early, or the peer wants no more of it; true if it already has.
    pub fn watch(&mut self, key: Key, waker: &Waker) -> bool {
        let Some(slot) = self.streams.get(key) else { return true };
        if slot.end_of_sending().is_some() {
            return true;
        }
        if !slot.watcher.as_ref().is_some_and(|watcher| watcher.will_wake(waker)) {
            slot.watcher = Some(waker.clone());
        }
        false
    }

    /// Counts whatever moves on a stream, in either direction.
    pub fn moves(&mut self, key: Key) -> u32 {
        self.streams.get(key).map_or(0, |slot| slot.moves)
    }

    /// Whether something has come on a stream that was not taken, or nothing will.
    pub fn has_come(&mut self, key: Key) -> bool {
        let has_come = |slot: &mut Slot| {
            let has_ended = slot.end.is_some() || slot.receiving == Side::Ended;
            has_ended || !slot.body.is_empty() || slot.trailers.is_some()
        };
        self.streams.get(key).is_none_or(has_come)
    }

    /// How the stream has ended early, if it has.
    pub fn end_of(&mut self, key: Key) -> Option<StreamEnd> {
        self.streams.get(key)?.end_of_sending()
    }
}
