//! What time it is, for logs and headers.

use std::{
    cell::Cell,
    time::{Instant, SystemTime},
};

/// The wall clock, derived from the monotonic one: one reading serves for both durations and dates.
pub struct Clock {
    base: Cell<(Instant, u64)>,
}

impl Clock {
    pub(super) fn new() -> Clock {
        Clock { base: Cell::new((Instant::now(), unix_ms())) }
    }

    /// Unix time in milliseconds at this instant.
    pub fn unix_ms(&self, at: Instant) -> u64 {
        self.unix_ns(at) / 1_000_000
    }

    /// Unix time in nanoseconds at this instant.
    pub fn unix_ns(&self, at: Instant) -> u64 {
        let (base, unix_ms) = self.base.get();
        let base_ns = unix_ms.saturating_mul(1_000_000);
        match at.checked_duration_since(base) {
            Some(since) => base_ns.saturating_add(since.as_nanos() as u64),
            None => base_ns.saturating_sub(base.saturating_duration_since(at).as_nanos() as u64),
        }
    }

    /// Follows steps of the wall clock. Called at every tick.
    pub fn adjust(&self) {
        self.base.set((Instant::now(), unix_ms()));
    }
}

fn unix_ms() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_millis() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn what_began_before_the_last_tick_keeps_its_time() {
        let clock = Clock::new();
        let now = Instant::now();
        let began = now.checked_sub(Duration::from_millis(500)).unwrap();
        assert_eq!(clock.unix_ms(now) - clock.unix_ms(began), 500);
        assert_eq!(clock.unix_ms(now + Duration::from_millis(500)) - clock.unix_ms(now), 500);
    }
}
