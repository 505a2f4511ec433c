//! How a shard drains.

use super::listeners::Listeners;
use crate::{driver::TICK, proxy::Environment};
use std::{cell::Cell, rc::Rc, time::Duration};

/// A connection that was idle for so long when the drain began is closed at once; others get their next request
/// answered with `connection: close`. A client that has just been answered may be about to send.
pub(super) const DRAIN_QUIET: Duration = Duration::from_secs(1);

/// When a drain begins no new client gets in, but listeners close only after so many ticks: who has begun to connect
/// needs a round trip until it can be accepted, and must not find its connection reset.
const ADMITTING_TICKS: u32 = 3;

/// The drain: nothing, or the ticks that are left of it.
pub(super) struct Drain {
    pub(super) left: Cell<Option<u128>>,
    /// Ticks until the listeners close; 0 once they have.
    pub(super) closes_in: Cell<u32>,
    pub(super) listeners: Rc<Listeners>,
}

pub(super) fn begin_drain(env: &Environment, drain: &Drain, within: Duration) {
    env.drain();
    let left = within.as_millis().div_ceil(TICK.as_millis());
    let is_first = drain.left.get().is_none();
    drain.left.set(Some(drain.left.get().map_or(left, |already| already.min(left))));
    if left == 0 {
        drain.close();
    } else if is_first {
        drain.listeners.sockets().iter().for_each(|socket| socket.stop_admitting());
        drain.closes_in.set(ADMITTING_TICKS);
    }
}

impl Drain {
    fn close(&self) {
        self.closes_in.set(0);
        self.listeners.sockets().iter().for_each(|socket| socket.close());
    }

    /// Whether nobody can come any more. Called at every tick.
    pub(super) fn is_closed(&self) -> bool {
        match self.closes_in.get() {
            0 => true,
            1 => {
                self.close();
                // What was accepted last is still to be counted.
                false
            }
            more => {
                self.closes_in.set(more - 1);
                false
            }
        }
    }
}
