//! One deadline a connection, swept by the shard's tick.
//!
//! A timer per operation would cost an entry in a timer wheel per read. Instead each socket has one slot with the tick
//! at which it is due, and the tick looks at all of them: 100,000 slots are scanned in some 50 microseconds. A slot
//! that is due has its socket shut down, so that the operation that waits on it ends by itself and gives its buffer
//! back; nothing is cancelled, and nothing can be lost (architecture, "sharp edges"). What must be exact, such as a
//! request's own timeout, is due [at a time of the clock](Deadline::due_at) besides.
#![allow(unsafe_code)]

use super::alarm::{self, Alarms};
use socket2::SockRef;
use std::{
    cell::{Cell, RefCell},
    net::SocketAddr,
    os::fd::{BorrowedFd, RawFd},
    rc::Rc,
    task::Waker,
    time::{Duration, Instant},
};

/// How often deadlines are looked at; their precision.
pub const TICK: Duration = Duration::from_millis(100);

/// A pause that is not longer is exact; one that is longer ends with a tick.
const EXACT_PAUSE: Duration = Duration::from_secs(10);

/// What a connection is doing while its deadline runs. Decides how the socket is shut down when it is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Nothing is due.
    None,
    /// Waiting for the first byte of a request on a connection without one in flight. Due: reading ends.
    Idle,
    /// Waiting for bytes, while an answer may still be sent. Due: reading ends.
    Reading,
    /// Anything that has to end altogether: connecting, sending, relaying. Due: both directions end.
    Both,
}

const NEVER: u32 = u32::MAX;

/// The descriptor of a slot that is used, but has no socket; `shutdown` on it does nothing.
const NO_SOCKET: RawFd = i32::MAX;

/// Without a byte for so many whole ticks, a connection that waits is quiet: it may give up memory that it keeps for speed.
const QUIET_TICKS: u32 = 1;

struct Slot {
    /// In the time of `Alarms`.
    exactly: u64,
    due: u32,
    since: u32,
    fd: RawFd,
    phase: Phase,
    fired: bool,
    /// The slot of the other end, where this is the client's end of a tunnel.
    other_end: u32,
    asked: Asked,
    waiting: Option<Waker>,
}

/// Whether a tunnel has been [asked](Deadlines::end_tunnels) to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    No,
    /// While something moved.
    Busy,
    /// When nothing had moved since this tick.
    Quiet(u32),
}

/// All deadlines of one shard.
#[derive(Default)]
pub struct Deadlines {
    now: Cell<u32>,
    slots: RefCell<Vec<Slot>>,
    free: RefCell<Vec<u32>>,
    alarms: Alarms,
}

impl Deadlines {
    /// No deadlines, at tick 0.
    pub fn new() -> Rc<Deadlines> {
        Rc::default()
    }

    /// A slot for a socket. It must be dropped before the socket is closed.
    pub(super) fn register(self: &Rc<Self>, fd: RawFd) -> Deadline {
        let exactly = alarm::NEVER;
        let slot = Slot {
            exactly,
            due: NEVER,
            since: 0,
            fd,
            phase: Phase::None,
            fired: false,
            other_end: NEVER,
            asked: Asked::No,
            waiting: None,
        };
        let mut slots = self.slots.borrow_mut();
        let index = match self.free.borrow_mut().pop() {
            Some(index) => {
                slots[index as usize] = slot;
                index
            }
            None => {
                slots.push(slot);
                slots.len() as u32 - 1
            }
        };
        Deadline { index, owner: Rc::clone(self) }
    }

    /// One tick has passed: shuts down what is due. Returns how many sockets that were.
    pub fn tick(&self) -> usize {
        let now = self.now.get() + 1;
        self.now.set(now);
        // Where nobody serves them they are as exact as the rest.
        let exact = self.end_exact();
        exact
            + self.shut(|slot| {
                if slot.phase == Phase::Idle && slot.since + QUIET_TICKS < now {
                    // Whoever waits has to look again; once is enough.
                    slot.waiting.take().into_iter().for_each(Waker::wake);
                }
                slot.due <= now
            })
    }

    /// Ends what is due exactly, for ever. One task of the shard does this; without it, they are looked at every tick.
    ///
    /// # Errors
    /// There is no timer to be had, or it broke.
    pub async fn serve_exact(self: Rc<Self>) -> std::io::Result<()> {
        self.alarms
            .listen(|| {
                self.end_exact();
            })
            .await
    }

    fn end_exact(&self) -> usize {
        let mut count = 0;
        while let Some(index) = self.alarms.take_due() {
            if let Some(slot) = self.slots.borrow_mut().get_mut(index as usize) {
                slot.exactly = alarm::NEVER;
                slot.phase = Phase::Both;
                count += usize::from(slot.end());
            }
        }
        count
    }

    /// Ends the waiting of idle connections on which nothing has happened for `quiet`. For draining.
    pub fn end_idle(&self, quiet: Duration) -> usize {
        let before = self.now.get().saturating_sub(ticks(quiet));
        self.shut(|slot| slot.phase == Phase::Idle && slot.since <= before)
    }

    /// Asks one of so many [tunnels](Deadline::tie) to end, and at least one if there is any: reading ends at both ends, so that
    /// what was read is still delivered. Called at so many ticks it ends all of them, a few at a time.
    pub fn end_tunnels(&self, of: usize) {
        let now = self.now.get();
        let mut slots = self.slots.borrow_mut();
        let is_tunnel = |slot: &Slot| slot.fd >= 0 && slot.other_end != NEVER && slot.asked == Asked::No;
        let tunnels: Vec<usize> = (0..slots.len()).filter(|index| is_tunnel(&slots[*index])).collect();
        for index in tunnels.iter().take(tunnels.len().div_ceil(of.max(1))) {
            let other = slots[*index].other_end as usize;
            for index in [*index, other].into_iter().take(if other == *index { 1 } else { 2 }) {
                if let Some(slot) = slots.get_mut(index).filter(|slot| slot.fd >= 0) {
                    let is_quiet = slot.since + QUIET_TICKS < now;
                    slot.asked = if is_quiet { Asked::Quiet(slot.since) } else { Asked::Busy };
                    slot.phase = Phase::Reading;
                    slot.end();
                }
            }
        }
    }

    /// Ends everything, now. For the end of a drain.
    pub fn end_all(&self) -> usize {
        self.shut(|slot| {
            slot.phase = Phase::Both;
            true
        })
    }

    /// A deadline without a socket: all that it does is to wake who [watches](Deadline::watch) it.
    pub fn timer(self: &Rc<Self>, after: Duration) -> Deadline {
        let timer = self.register(NO_SOCKET);
        timer.arm(Phase::None, Some(after));
        timer
    }

    /// As `timer`, but due exactly then.
    pub fn timer_at(self: &Rc<Self>, at: Instant) -> Deadline {
        let timer = self.alarm();
        timer.due_at(Some(at));
        timer
    }

    /// A timer that is not due before it is [told when](Deadline::due_at).
    pub fn alarm(self: &Rc<Self>) -> Deadline {
        self.register(NO_SOCKET)
    }

    fn shut(&self, mut due: impl FnMut(&mut Slot) -> bool) -> usize {
        let mut count = 0;
        for slot in self.slots.borrow_mut().iter_mut().filter(|slot| slot.fd >= 0) {
            if due(slot) {
                count += usize::from(slot.end());
            }
        }
        count
    }
}

impl Slot {
    /// It is due: shuts its socket down as its phase says, and true; one without a socket wakes who waits.
    fn end(&mut self) -> bool {
        if self.fd == NO_SOCKET {
            (self.due, self.fired) = (NEVER, true);
            self.waiting.take().into_iter().for_each(Waker::wake);
            return false;
        }
        let how = if self.phase == Phase::Both { libc::SHUT_RDWR } else { libc::SHUT_RD };
        // SAFETY: a plain system call on a descriptor that is open: the slot is removed before it is closed.
        unsafe { libc::shutdown(self.fd, how) };
        (self.due, self.phase, self.fired) = (NEVER, Phase::None, true);
        true
    }
}

fn ticks(duration: Duration) -> u32 {
    let ticks = duration.as_millis().div_ceil(TICK.as_millis());
    u32::try_from(ticks).unwrap_or(NEVER - 1)
}

/// Waits for `duration`: exactly, if that is up to ten seconds, or else until a tick after it.
pub async fn pause(deadlines: &Rc<Deadlines>, duration: Duration) {
    let timer = match duration <= EXACT_PAUSE {
        true => deadlines.timer_at(Instant::now() + duration),
        false => deadlines.timer(duration),
    };
    std::future::poll_fn(|context| match timer.watch(context.waker()) {
        true => std::task::Poll::Ready(()),
        false => std::task::Poll::Pending,
    })
    .await;
}

/// One socket's deadline. Dropping it frees the slot.
pub struct Deadline {
    index: u32,
    owner: Rc<Deadlines>,
}

impl Deadline {
    /// Due after `after` (never, if nothing is given), in this phase. Replaces what was armed before.
    pub fn arm(&self, phase: Phase, after: Option<Duration>) {
        let now = self.owner.now.get();
        // One tick more: a tick may be about to end.
        let due = after.map_or(NEVER, |after| now.saturating_add(ticks(after)).saturating_add(1));
        self.with(|slot| (slot.due, slot.since, slot.phase) = (due, now, phase));
    }

    /// Nothing is due any more.
    pub fn disarm(&self) {
        self.with(|slot| (slot.due, slot.phase) = (NEVER, Phase::None));
    }

    /// Besides what is armed, and whatever is armed later: due exactly at this time, in both directions, until it is told
    /// otherwise. A timer may be set again after it was due.
    pub fn due_at(&self, at: Option<Instant>) {
        let alarms = &self.owner.alarms;
        let new = at.map_or(alarm::NEVER, |at| alarms.time(at));
        let old = self.with(|slot| {
            slot.fired &= slot.fd != NO_SOCKET;
            std::mem::replace(&mut slot.exactly, new)
        });
        if old != new {
            alarms.replace(self.index, old, new);
        }
    }

    /// A handle that can [end](Remote::end_now) the waiting on this socket while others hold the deadline itself. It must
    /// not be used after that was dropped.
    pub fn remote(&self) -> Remote {
        Remote { index: self.index, owner: Rc::clone(&self.owner) }
    }

    /// Whether the deadline passed; if not, `waker` is called when it has. For one [without a socket](Deadlines::timer).
    pub fn watch(&self, waker: &Waker) -> bool {
        self.with(|slot| {
            if !slot.fired && !slot.waiting.as_ref().is_some_and(|waiting| waiting.will_wake(waker)) {
                slot.waiting = Some(waker.clone());
            }
            slot.fired
        })
    }

    /// This connection and another are the ends of a tunnel as long as the tie lives: both end when
    /// [tunnels end](Deadlines::end_tunnels). A tunnel whose other end is no connection is tied to itself.
    pub fn tie<'a>(&'a self, other_end: &'a Deadline) -> Tie<'a> {
        self.with(|slot| slot.other_end = other_end.index);
        Tie(self)
    }

    /// Whether the tunnel was asked to end while nothing moved, and nothing has moved since.
    pub fn is_quietly_asked(&self) -> bool {
        self.with(|slot| slot.asked == Asked::Quiet(slot.since))
    }

    /// Whether the deadline passed, and the socket was shut down for it.
    pub fn fired(&self) -> bool {
        self.with(|slot| slot.fired)
    }

    /// Ends waiting for bytes on this socket now, as if its deadline had passed.
    pub fn end_now(&self) {
        let fd = self.with(|slot| slot.fd);
        // SAFETY: as in `Deadlines::shut`.
        unsafe { libc::shutdown(fd, libc::SHUT_RDWR) };
    }

    /// Whether the peer has ended its direction, or the connection is broken; what it sent before may still be unread.
    pub fn peer_has_ended(&self) -> bool {
        let mut poll = libc::pollfd { fd: self.with(|slot| slot.fd), events: libc::POLLRDHUP, revents: 0 };
        // SAFETY: one descriptor, as the count says, and it is open, as in `Deadlines::shut`.
        let count = unsafe { libc::poll(&mut poll, 1, 0) };
        count > 0 && poll.revents & (libc::POLLRDHUP | libc::POLLHUP | libc::POLLERR) != 0
    }

    /// Whether nothing has come since the connection began to wait, for a few ticks. If not, `waker` is called when it
    /// is so.
    pub fn is_quiet(&self, waker: &Waker) -> bool {
        let now = self.owner.now.get();
        self.with(|slot| {
            if slot.since + QUIET_TICKS < now {
                return true;
            }
            if !slot.waiting.as_ref().is_some_and(|waiting| waiting.will_wake(waker)) {
                slot.waiting = Some(waker.clone());
            }
            false
        })
    }

    fn with<R>(&self, change: impl FnOnce(&mut Slot) -> R) -> R {
        change(&mut self.owner.slots.borrow_mut()[self.index as usize])
    }
}

/// Two ends of a tunnel.
pub struct Tie<'a>(&'a Deadline);

impl Drop for Tie<'_> {
    fn drop(&mut self) {
        self.0.with(|slot| slot.other_end = NEVER);
    }
}

/// Ends the waiting on a socket for somebody who does not hold its deadline.
#[derive(Clone)]
pub struct Remote {
    index: u32,
    owner: Rc<Deadlines>,
}

impl Remote {
    /// What the connection is doing, and who is at its other end: nothing for a Unix socket, and for one that is gone.
    pub fn look(&self) -> (Phase, Option<SocketAddr>) {
        let slots = self.owner.slots.borrow();
        let Some(slot) = slots.get(self.index as usize) else { return (Phase::None, None) };
        if slot.fd < 0 || slot.fd == NO_SOCKET {
            return (slot.phase, None);
        }
        // SAFETY: a deadline is dropped before its socket is closed, and takes its descriptor out of the slot then; it can't be
        // dropped meanwhile, for this thread has it.
        let socket = unsafe { BorrowedFd::borrow_raw(slot.fd) };
        let peer = SockRef::from(&socket).peer_addr().ok().and_then(|peer| peer.as_socket());
        (slot.phase, peer)
    }

    /// As if the deadline had passed: both directions end, and it says that it has [fired](Deadline::fired).
    pub fn end_now(&self) {
        if let Some(slot) =
            self.owner.slots.borrow_mut().get_mut(self.index as usize).filter(|slot| slot.fd >= 0)
        {
            slot.phase = Phase::Both;
            slot.end();
        }
    }

    /// A connection that waits for a request, and has done so for `quiet` by then, ends with the next tick; one that has waited
    /// for a shorter time ends after `quiet`. Nothing happens to others.
    pub fn end_when_quiet(&self, quiet: Duration) {
        let next = self.owner.now.get().saturating_add(1);
        let mut slots = self.owner.slots.borrow_mut();
        if let Some(slot) = slots.get_mut(self.index as usize).filter(|slot| slot.phase == Phase::Idle) {
            slot.due = slot.due.min(slot.since.saturating_add(ticks(quiet)).max(next));
        }
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        self.due_at(None);
        self.with(|slot| {
            (slot.fd, slot.due, slot.phase) = (-1, NEVER, Phase::None);
            slot.waiting = None;
        });
        self.owner.free.borrow_mut().push(self.index);
    }
}

#[cfg(test)]
mod tests;
