//! Deadlines that are exact: an ordered set of those that were asked for, and one timer descriptor for the next of them.
//!
//! The tick looks at every slot ten times a second, which is right for what takes seconds. A request's own timeout and
//! the pause before a retry are milliseconds: they are kept here, in the order in which they are due, and taken out when
//! they are not wanted any more, so that there are never more of them than requests under way. The descriptor is set only
//! when something is due before what it is set to, and not at all while nothing is: who has no timeout pays nothing.
#![allow(unsafe_code)]

use super::tick::{own, pollable};
use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    io,
    os::fd::{AsRawFd, OwnedFd},
    time::{Duration, Instant},
};

/// No exact time.
pub(super) const NEVER: u64 = u64::MAX;

/// What is due exactly, in microseconds since the shard's deadlines were made.
pub(super) struct Alarms {
    start: Instant,
    /// When, and which slot. As many as there are slots at most.
    due: RefCell<BTreeSet<(u64, u32)>>,
    /// The descriptor, while somebody listens to it.
    timer: RefCell<Option<OwnedFd>>,
    /// What the descriptor is set to.
    set_to: Cell<u64>,
}

impl Default for Alarms {
    fn default() -> Self {
        Alarms {
            start: Instant::now(),
            due: RefCell::default(),
            timer: RefCell::default(),
            set_to: Cell::new(NEVER),
        }
    }
}

impl Alarms {
    /// The time of the set for a time of the clock, not before it.
    pub(super) fn time(&self, at: Instant) -> u64 {
        let nanos = at.saturating_duration_since(self.start).as_nanos();
        u64::try_from(nanos.div_ceil(1000)).unwrap_or(NEVER - 1)
    }

    /// Takes what a slot was due at out, and puts in what it is due at now.
    pub(super) fn replace(&self, slot: u32, old: u64, new: u64) {
        let mut due = self.due.borrow_mut();
        if old != NEVER {
            due.remove(&(old, slot));
        }
        if new != NEVER {
            due.insert((new, slot));
            drop(due);
            if new < self.set_to.get() {
                self.set(new);
            }
        }
    }

    /// Takes out a slot that is due.
    pub(super) fn take_due(&self) -> Option<u32> {
        let mut due = self.due.borrow_mut();
        let first = due.first().copied().filter(|(at, _)| *at <= self.now())?;
        due.remove(&first);
        Some(first.1)
    }

    /// How many are to come.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.due.borrow().len()
    }

    fn now(&self) -> u64 {
        (self.start.elapsed().as_nanos() / 1000) as u64
    }

    /// Sets the descriptor. Where it can't be set, the tick looks too.
    fn set(&self, at: u64) {
        let timer = self.timer.borrow();
        let Some(timer) = timer.as_ref() else { return };
        // A time of zero would switch it off.
        let after = Duration::from_micros(at.saturating_sub(self.now()).max(1));
        let value = libc::timespec {
            tv_sec: after.as_secs() as libc::time_t,
            tv_nsec: after.subsec_nanos() as libc::c_long,
        };
        let once =
            libc::itimerspec { it_interval: libc::timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value };
        // SAFETY: the descriptor is open, and `once` outlives the call.
        let result = unsafe { libc::timerfd_settime(timer.as_raw_fd(), 0, &once, std::ptr::null_mut()) };
        if result == 0 {
            self.set_to.set(at);
        }
    }

    /// Waits for the descriptor again and again and calls `ring` each time. Call it within the shard's runtime.
    pub(super) async fn listen(&self, ring: impl Fn()) -> io::Result<()> {
        // SAFETY: a plain system call; the result is checked.
        let fd =
            unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, libc::TFD_CLOEXEC | libc::TFD_NONBLOCK) };
        let timer = own(fd)?;
        let poll = pollable(&timer)?;
        *self.timer.borrow_mut() = Some(timer.try_clone()?);
        loop {
            let next = self.due.borrow().first().map(|(at, _)| *at);
            if let Some(at) = next.filter(|at| *at < self.set_to.get()) {
                self.set(at);
            }
            poll.readable(false).await?;
            match rustix::io::read(&timer, &mut [0; 8]) {
                Err(error) if error != rustix::io::Errno::AGAIN => return Err(error.into()),
                _ => {}
            }
            self.set_to.set(NEVER);
            ring();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_wanted_any_more_is_gone_at_once() {
        let alarms = Alarms::default();
        for slot in 0..1000 {
            let at = alarms.time(alarms.start + Duration::from_secs(3600));
            alarms.replace(slot, NEVER, at);
            alarms.replace(slot, at, at + 1);
            alarms.replace(slot, at + 1, NEVER);
        }
        assert_eq!(alarms.len(), 0);
    }

    #[test]
    fn they_come_in_the_order_in_which_they_are_due() {
        let alarms = Alarms::default();
        let later = alarms.time(alarms.start + Duration::from_secs(3600));
        [(7, 2), (8, later), (9, 1)].iter().for_each(|(slot, at)| alarms.replace(*slot, NEVER, *at));
        while alarms.now() < 2 {}
        assert_eq!([alarms.take_due(), alarms.take_due(), alarms.take_due()], [Some(9), Some(7), None]);
    }
}
