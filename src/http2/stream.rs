//! The streams of one connection, and what is known of those that are closed.

use super::{ErrorCode, StreamEnd, frame::STREAM_MAX, queue::Queue};
use crate::{
    buffer::Buffer,
    http::{Fields, ResponseHead},
};
use std::{
    collections::{HashMap, VecDeque},
    task::Waker,
};

/// A stream of one connection, as long as somebody holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key(u32);

/// How far one direction of a stream is.
///
/// ```text
///   Head --HEADERS--> Body --END_STREAM--> Ended
/// ```
///
/// Both directions together are the states of RFC 9113 section 5.1: `open`, `half-closed` where one has ended, `closed`
/// where both have. A reset is in [`Slot::end`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// Its (final) head has not come, or not been sent.
    Head,
    /// Its head has; data or trailers may follow.
    Body,
    /// Nothing follows.
    Ended,
}

/// One stream.
pub(super) struct Slot {
    pub(super) id: u32,
    pub(super) receiving: Side,
    pub(super) sending: Side,
    /// It ended early.
    pub(super) end: Option<StreamEnd>,
    /// The peer wants no more of what we send, but has said all that it had to say.
    pub(super) stopped: Option<ErrorCode>,
    /// What the peer may still send.
    pub(super) receive_window: i64,
    /// What it is when nothing is under way.
    pub(super) receive_target: u32,
    /// Bytes that were taken and that the peer has not been told of.
    pub(super) released: u32,
    /// Counts whatever moves on it, in either direction.
    pub(super) moves: u32,
    /// Bytes that came and were not taken.
    pub(super) owed: u32,
    /// What we may still send.
    pub(super) send_window: i64,
    pub(super) body: Queue<Buffer>,
    /// Bytes of the body that are still to come, where that was announced.
    pub(super) expected: Option<u64>,
    /// Response heads that nobody has looked at: interim ones, and the final one.
    pub(super) heads: Queue<Box<ResponseHead>>,
    pub(super) trailers: Option<Box<Fields>>,
    /// It is the answer to HEAD.
    pub(super) is_head: bool,
    /// Interim responses so far.
    pub(super) interim: u8,
    pub(super) opened_ms: u64,
    /// Who waits for something to come.
    pub(super) reader: Option<Waker>,
    /// Who waits to send.
    pub(super) writer: Option<Waker>,
    /// Who waits for its end.
    pub(super) watcher: Option<Waker>,
    /// It is in the line of those who wait for the connection.
    pub(super) waits: bool,
    /// The id is still in the table: both peers know it as not closed.
    is_listed: bool,
}

impl Slot {
    pub(super) fn is_closed(&self) -> bool {
        self.end.is_some() || (self.receiving == Side::Ended && self.sending == Side::Ended)
    }

    /// Why nothing more can be sent on it, if it has ended early or the peer wants no more.
    pub(super) fn end_of_sending(&self) -> Option<StreamEnd> {
        self.end.or(self.stopped.map(StreamEnd::Reset))
    }

    pub(super) fn wake_reader(&mut self) {
        self.reader.take().into_iter().for_each(Waker::wake);
    }

    pub(super) fn wake_writer(&mut self) {
        self.writer.take().into_iter().for_each(Waker::wake);
    }

    fn wake_all(&mut self) {
        self.wake_reader();
        self.wake_writer();
        self.watcher.take().into_iter().for_each(Waker::wake);
    }

    /// Changes what may be sent, and says whether that is too much now. Who waits to send is woken when the window
    /// opens; while it is open, only the connection is waited for, and that has its own waking.
    pub(super) fn widen(&mut self, by: i64) -> bool {
        let was_open = self.send_window > 0;
        self.send_window += by;
        if !was_open && self.send_window > 0 {
            self.wake_writer();
        }
        self.send_window > i64::from(STREAM_MAX)
    }

    /// Ends it early, for everybody who waits on it.
    pub(super) fn finish(&mut self, end: StreamEnd) {
        self.end.get_or_insert(end);
        self.body.clear();
        self.wake_all();
    }

    /// The peer takes no more.
    pub(super) fn stop(&mut self, code: ErrorCode) {
        self.stopped.get_or_insert(code);
        self.sending = Side::Ended;
        self.wake_all();
    }
}

/// How a stream was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closed {
    /// Both sides said all that they had to say.
    Ended,
    /// The peer reset it.
    ByPeer,
    /// We reset it: frames that were on their way may still come (RFC 9113 section 5.1).
    ByUs,
}

/// Closed streams that are remembered. Frames for one that is forgotten are taken for those that were on their way when
/// we reset it, if we have reset any that is forgotten.
const CLOSED_MAX: usize = 256;

/// All streams of one connection.
pub(super) struct Streams {
    slots: Vec<Option<Slot>>,
    free: Vec<u32>,
    by_id: HashMap<u32, u32, foldhash::fast::FixedState>,
    closed: VecDeque<(u32, Closed)>,
    has_forgotten_ours: bool,
}

impl Streams {
    pub(super) fn new() -> Streams {
        Streams {
            slots: Vec::new(),
            free: Vec::new(),
            by_id: HashMap::default(),
            closed: VecDeque::new(),
            has_forgotten_ours: false,
        }
    }

    /// Streams that somebody holds or that are not closed.
    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Streams that are not closed.
    pub(super) fn open(&self) -> usize {
        self.by_id.len()
    }

    /// Streams that there were at a time, at most.
    #[cfg(test)]
    pub(super) fn places(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn insert(&mut self, id: u32, windows: Windows, now_ms: u64) -> Key {
        let slot = Slot {
            id,
            receiving: Side::Head,
            sending: Side::Head,
            end: None,
            stopped: None,
            receive_window: i64::from(windows.receive),
            receive_target: windows.receive,
            released: 0,
            moves: 0,
            owed: 0,
            send_window: windows.send,
            body: Queue::new(),
            expected: None,
            heads: Queue::new(),
            trailers: None,
            is_head: false,
            interim: 0,
            opened_ms: now_ms,
            reader: None,
            writer: None,
            watcher: None,
            waits: false,
            is_listed: true,
        };
        let index = match self.free.pop() {
            Some(index) => {
                if let Some(place) = self.slots.get_mut(index as usize) {
                    *place = Some(slot);
                }
                index
            }
            None => {
                self.slots.push(Some(slot));
                self.slots.len() as u32 - 1
            }
        };
        self.by_id.insert(id, index);
        Key(index)
    }

    pub(super) fn get(&mut self, key: Key) -> Option<&mut Slot> {
        self.slots.get_mut(key.0 as usize)?.as_mut()
    }

    /// The stream with this id, if it is not closed.
    pub(super) fn find(&self, id: u32) -> Option<Key> {
        self.by_id.get(&id).copied().map(Key)
    }

    /// How a stream was closed. Nothing: it never was open, or that is long ago.
    pub(super) fn closed(&self, id: u32) -> Option<Closed> {
        let known = self.closed.iter().rev().find(|(closed, _)| *closed == id).map(|(_, how)| *how);
        known.or(self.has_forgotten_ours.then_some(Closed::ByUs))
    }

    /// Takes a closed stream off the table of those that frames may come for.
    pub(super) fn unlist(&mut self, key: Key, how: Closed) {
        let Some(slot) = self.get(key).filter(|slot| slot.is_listed) else { return };
        slot.is_listed = false;
        let id = slot.id;
        self.by_id.remove(&id);
        self.remember(id, how);
    }

    /// Remembers how a stream was closed.
    pub(super) fn remember(&mut self, id: u32, how: Closed) {
        if self.closed.len() == CLOSED_MAX {
            self.has_forgotten_ours |= self.closed.pop_front().is_some_and(|(_, how)| how == Closed::ByUs);
        }
        self.closed.push_back((id, how));
    }

    /// Forgets a stream that nobody holds.
    pub(super) fn remove(&mut self, key: Key) {
        if let Some(place) = self.slots.get_mut(key.0 as usize)
            && let Some(slot) = place
        {
            debug_assert!(!slot.is_listed, "frames may still come for it");
            // Dropped where it is: to move it out first costs more than all the rest.
            *place = None;
            self.free.push(key.0);
        }
    }

    /// Gives back memory, where there are no streams.
    pub(super) fn shrink(&mut self) {
        if self.len() == 0 {
            (self.slots, self.free) = (Vec::new(), Vec::new());
            self.by_id = HashMap::default();
            self.closed.shrink_to_fit();
        }
    }

    /// All streams, with their keys.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Slot> {
        self.slots.iter_mut().flatten()
    }

    /// The keys of those that are not closed.
    pub(super) fn listed(&self) -> Vec<Key> {
        self.by_id.values().copied().map(Key).collect()
    }
}

/// What a new stream's windows are.
#[derive(Clone, Copy)]
pub(super) struct Windows {
    pub(super) receive: u32,
    pub(super) send: i64,
}
