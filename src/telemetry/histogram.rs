//! How long things took, counted in buckets.

use super::{Counter, bump};
use std::sync::atomic::Ordering;

/// Upper bounds of the buckets in microseconds; one more has what is beyond. From what a cache answers to what a client
/// gives up on.
pub const BOUNDS_MICROS: [u64; 13] = [
    250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000, 30_000_000,
];

/// Durations in buckets. One thread writes, others read.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [Counter; BOUNDS_MICROS.len() + 1],
    sum_micros: Counter,
}

/// What a histogram had at one moment, or several together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Durations {
    /// How many were at most as long as each bound; the last: how many there are.
    pub at_most: [u64; BOUNDS_MICROS.len() + 1],
    /// All of them together, in microseconds.
    pub sum_micros: u64,
}

impl Histogram {
    /// Counts a duration.
    pub fn record(&self, micros: u64) {
        let position = BOUNDS_MICROS.iter().position(|bound| micros <= *bound);
        if let Some(bucket) = self.buckets.get(position.unwrap_or(BOUNDS_MICROS.len())) {
            bump(bucket, 1);
        }
        bump(&self.sum_micros, micros);
    }

    /// Adds what it has to `sum`.
    pub fn add_to(&self, sum: &mut Durations) {
        let mut below = 0;
        for (bucket, at_most) in self.buckets.iter().zip(&mut sum.at_most) {
            below += bucket.load(Ordering::Relaxed);
            *at_most += below;
        }
        sum.sum_micros += self.sum_micros.load(Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_cumulative() {
        let histogram = Histogram::default();
        [0, 250, 251, 30_000_000, 30_000_001].into_iter().for_each(|micros| histogram.record(micros));
        let mut sum = Durations::default();
        histogram.add_to(&mut sum);
        histogram.add_to(&mut sum);
        assert_eq!((sum.at_most[0], sum.at_most[1], sum.at_most[12], sum.at_most[13]), (4, 6, 8, 10));
        assert_eq!(sum.sum_micros, 2 * 60_000_502);
    }
}
