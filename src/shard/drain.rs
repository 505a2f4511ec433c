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

/// Tunnels, which have no end of their own, are asked to end over this part of the drain's time, the last one: a few at a time,
/// so that their clients do not all come back at once.
const SPREAD_PART: u128 = 3;
/// Ticks that the last of them have to end by themselves.
const SPREAD_MARGIN_TICKS: u128 = 3;

/// The drain: nothing, or the ticks that are left of it.
pub(super) struct Drain {
    pub(super) left: Cell<Option<u128>>,
    /// Ticks that it has in all.
    pub(super) within: Cell<u128>,
    /// Ticks until the listeners close; 0 once they have.
    pub(super) closes_in: Cell<u32>,
    pub(super) listeners: Rc<Listeners>,
}

pub(super) fn begin_drain(env: &Environment, drain: &Drain, within: Duration) {
    env.drain();
    let left = within.as_millis().div_ceil(TICK.as_millis());
    let is_first = drain.left.get().is_none();
    if drain.left.get().is_none_or(|already| left < already) {
        drain.left.set(Some(left));
        drain.within.set(left);
    }
    if left == 0 {
        drain.close();
    } else if is_first {
        drain.listeners.sockets().iter().for_each(|socket| socket.stop_admitting());
        drain.closes_in.set(ADMITTING_TICKS);
    }
}

/// Drains, with the sockets left to another process.
pub(super) fn hand_over(env: &Environment, drain: &Drain, within: Duration) {
    drain.listeners.sockets().iter().for_each(|socket| socket.leave());
    begin_drain(env, drain, within);
}

impl Drain {
    /// Asks some tunnels to end if their part of the time has come. Called at every tick.
    pub(super) fn end_tunnels(&self, env: &Environment, left: u128) {
        let spread = self.within.get() / SPREAD_PART;
        if left <= spread {
            let turns = left.saturating_sub(SPREAD_MARGIN_TICKS.min(spread / 2)).max(1);
            env.deadlines.end_tunnels(usize::try_from(turns).unwrap_or(usize::MAX));
        }
    }

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
