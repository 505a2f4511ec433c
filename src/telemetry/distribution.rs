//! Numbers counted in the buckets that Istio's metrics have.

use super::{Counter, bump};
use std::sync::atomic::Ordering;

/// Envoy's bounds for histograms of whatever unit, which Istio keeps; here in thousandths, for the first is a half.
pub const BOUNDS_THOUSANDTHS: [u64; 19] = [
    500,
    1_000,
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    30_000_000,
    60_000_000,
    300_000_000,
    600_000_000,
    1_800_000_000,
    3_600_000_000,
];

/// Buckets of one distribution: one more has what is beyond the last bound.
const BUCKETS: usize = BOUNDS_THOUSANDTHS.len() + 1;

/// Numbers in buckets. One thread writes, others read.
#[derive(Debug, Default)]
pub struct Distribution {
    buckets: [Counter; BUCKETS],
    sum: Counter,
}

impl Distribution {
    /// Counts a number of thousandths, such as microseconds where the unit is the millisecond.
    pub fn record_thousandths(&self, number: u64) {
        let bucket = BOUNDS_THOUSANDTHS.partition_point(|bound| *bound < number);
        if let Some(bucket) = self.buckets.get(bucket) {
            bump(bucket, 1);
        }
        bump(&self.sum, number);
    }

    /// Counts a whole number, such as one of bytes.
    pub fn record(&self, number: u64) {
        // Most bodies of requests are empty, and most distributions are of those.
        if number == 0 {
            return bump(&self.buckets[0], 1);
        }
        self.record_thousandths(number.saturating_mul(1000));
    }

    /// How many numbers there are.
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).sum()
    }

    /// Adds what it has to `sum`.
    pub fn add_to(&self, sum: &mut Distributed) {
        for (bucket, sum) in self.buckets.iter().zip(&mut sum.buckets) {
            *sum += bucket.load(Ordering::Relaxed);
        }
        sum.sum_thousandths = sum.sum_thousandths.wrapping_add(self.sum.load(Ordering::Relaxed));
    }
}

/// What [`Distribution`]s had at one moment, together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Distributed {
    buckets: [u64; BUCKETS],
    /// All of them together, in thousandths.
    pub sum_thousandths: u64,
}

impl Distributed {
    /// How many there are.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// Each bound in thousandths, with how many numbers are not above it.
    pub fn at_most(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let mut sum = 0;
        BOUNDS_THOUSANDTHS.iter().zip(&self.buckets).map(move |(bound, count)| {
            sum += count;
            (*bound, sum)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_belong_to_their_buckets() {
        let distribution = Distribution::default();
        distribution.record(0);
        distribution.record(1);
        distribution.record(3_600_000);
        distribution.record(3_600_001);
        distribution.record_thousandths(501);
        let mut sum = Distributed::default();
        distribution.add_to(&mut sum);
        let at_most: Vec<_> = sum.at_most().map(|(_, count)| count).collect();
        assert_eq!((&at_most[..3], at_most[18], sum.count()), (&[1, 3, 3][..], 4, 5));
        assert_eq!(sum.sum_thousandths, 7_200_002_501);
        assert_eq!(distribution.count(), 5);
    }
}
