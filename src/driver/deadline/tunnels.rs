//! Tunnels have no end of their own: at the end of a drain they are asked to end.

use super::{Deadline, Deadlines, NEVER, Phase, QUIET_TICKS, Slot};

/// Whether a tunnel has been [asked](Deadlines::end_tunnels) to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    No,
    /// While something moved.
    Busy,
    /// When nothing had moved since this tick.
    Quiet(u32),
}

impl Deadlines {
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
}

impl Deadline {
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
}

/// Two ends of a tunnel.
pub struct Tie<'a>(&'a Deadline);

impl Drop for Tie<'_> {
    fn drop(&mut self) {
        self.0.with(|slot| slot.other_end = NEVER);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::{fd::AsRawFd, unix::net::UnixStream};

    #[test]
    fn tunnels_end_a_few_at_a_time_with_both_ends() {
        let deadlines = Deadlines::new();
        let pairs: Vec<_> = (0..6).map(|_| UnixStream::pair().unwrap()).collect();
        let slots: Vec<_> = pairs.iter().map(|(one, _)| deadlines.register(one.as_raw_fd())).collect();
        slots.iter().for_each(|slot| slot.arm(Phase::Both, None));
        let mut ties = vec![slots[0].tie(&slots[1]), slots[2].tie(&slots[3]), slots[4].tie(&slots[4])];
        let fired = || slots.iter().map(Deadline::fired).collect::<Vec<_>>();
        (0..3).for_each(|_| {
            deadlines.tick();
        });
        deadlines.end_tunnels(2);
        assert_eq!(fired(), [true, true, true, true, false, false]);
        assert!(slots[0].is_quietly_asked() && slots[1].is_quietly_asked());
        slots[0].arm(Phase::Both, None);
        assert!(!slots[0].is_quietly_asked(), "something has moved since");
        ties.pop();
        deadlines.end_tunnels(1);
        assert!(!slots[4].fired(), "no tunnel any more");
        let _tie = slots[5].tie(&slots[5]);
        slots[5].arm(Phase::Both, None);
        deadlines.end_tunnels(9);
        assert!(slots[5].fired() && !slots[5].is_quietly_asked(), "it was busy");
    }
}
