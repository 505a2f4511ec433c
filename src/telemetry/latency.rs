//! Durations in many narrow buckets, for percentiles.

use super::{Counter, bump};
use std::{fmt, sync::atomic::Ordering};

/// Buckets in each doubling of the time: each is an eighth of its doubling wide, so that its middle is off by 1/16 at most.
const STEPS: u64 = 8;
const STEP_BITS: u32 = STEPS.trailing_zeros();

/// What is shorter than 2^6 = 64 microseconds is in the first bucket: no exchange with an origin is.
const FIRST_BITS: u32 = 6;

/// What is longer than 2^32 microseconds, 72 minutes, is in the last one.
const LAST_BITS: u32 = 32;

const BUCKETS: usize = 1 + ((LAST_BITS - FIRST_BITS) as u64 * STEPS) as usize;

/// Durations of one kind of request, with an error of at most 7 % from 64 microseconds to 72 minutes. One thread writes,
/// others read. It takes 1.7 KiB.
pub struct Latency {
    buckets: [Counter; BUCKETS],
    sum_micros: Counter,
}

impl Default for Latency {
    fn default() -> Self {
        Latency { buckets: std::array::from_fn(|_| Counter::new(0)), sum_micros: Counter::new(0) }
    }
}

impl fmt::Debug for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut latencies = Latencies::default();
        self.add_to(&mut latencies);
        latencies.fmt(f)
    }
}

fn bucket_of(micros: u64) -> usize {
    let clamped = micros.clamp(1 << FIRST_BITS, (1 << LAST_BITS) - 1);
    if micros < 1 << FIRST_BITS {
        return 0;
    }
    let bits = clamped.ilog2();
    let step = (clamped >> (bits - STEP_BITS)) & (STEPS - 1);
    1 + (u64::from(bits - FIRST_BITS) * STEPS + step) as usize
}

/// The least duration that is beyond a bucket.
fn end_of(bucket: usize) -> u64 {
    let place = bucket as u64;
    let (doubling, step) = (place / STEPS, place % STEPS);
    (STEPS + step) << (doubling + u64::from(FIRST_BITS - STEP_BITS))
}

impl Latency {
    /// Counts a duration.
    pub fn record(&self, micros: u64) {
        if let Some(bucket) = self.buckets.get(bucket_of(micros)) {
            bump(bucket, 1);
        }
        bump(&self.sum_micros, micros);
    }

    /// Adds what it has to `sum`.
    pub fn add_to(&self, sum: &mut Latencies) {
        if sum.buckets.is_empty() {
            sum.buckets = vec![0; BUCKETS];
        }
        for (sum, bucket) in sum.buckets.iter_mut().zip(&self.buckets) {
            *sum += bucket.load(Ordering::Relaxed);
        }
        sum.sum_micros += self.sum_micros.load(Ordering::Relaxed);
    }
}

/// What [`Latency`]s had at one moment, together.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Latencies {
    /// Empty where nothing was added.
    buckets: Vec<u64>,
    /// All of them together, in microseconds.
    pub sum_micros: u64,
}

impl Latencies {
    /// How many there are.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// What so much of them, 0 to 1, is not longer than, in microseconds; the middle of the bucket that it falls into, so
    /// that it is off by 7 % at most. Nothing where nothing was counted.
    pub fn percentile_micros(&self, part: f64) -> Option<u64> {
        let count = self.count();
        let wanted = ((part.clamp(0.0, 1.0) * count as f64).ceil() as u64).max(1);
        let mut below = 0;
        let is_it = |count: &u64| {
            below += count;
            below >= wanted
        };
        let bucket = self.buckets.iter().position(is_it).filter(|_| count > 0)?;
        let begin = bucket.checked_sub(1).map_or(0, end_of);
        Some(begin.midpoint(end_of(bucket)))
    }

    /// How many are below so many microseconds. Exact for powers of two from 64 on; for others those of their bucket are left
    /// out.
    pub fn below_micros(&self, micros: u64) -> u64 {
        let bounded = self.buckets.iter().enumerate().take_while(|(bucket, _)| end_of(*bucket) <= micros);
        bounded.map(|(_, count)| count).sum()
    }

    /// The mean in microseconds; nothing where nothing was counted.
    pub fn mean_micros(&self) -> Option<u64> {
        self.sum_micros.checked_div(self.count())
    }

    /// What has come since an earlier moment. Where that had more (its series was dropped, and began anew), all there is.
    pub fn since(&self, earlier: &Latencies) -> Latencies {
        if earlier.buckets.is_empty() || earlier.count() > self.count() {
            return self.clone();
        }
        let pairs = self.buckets.iter().zip(&earlier.buckets);
        Latencies {
            buckets: pairs.map(|(now, before)| now.saturating_sub(*before)).collect(),
            sum_micros: self.sum_micros.saturating_sub(earlier.sum_micros),
        }
    }

    /// Adds others.
    pub fn add(&mut self, other: &Latencies) {
        if self.buckets.is_empty() {
            self.buckets.clone_from(&other.buckets);
        } else {
            self.buckets.iter_mut().zip(&other.buckets).for_each(|(sum, more)| *sum += more);
        }
        self.sum_micros += other.sum_micros;
    }

    /// The buckets with anything in them: the duration in microseconds that all in it are below, and how many they are. For
    /// pages that show what has come between two looks.
    pub fn buckets(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let counts = self.buckets.iter().enumerate();
        counts.filter(|(_, count)| **count > 0).map(|(bucket, count)| (end_of(bucket), *count))
    }
}

impl fmt::Debug for Latencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.buckets()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_duration_is_within_its_bucket() {
        let edges = (0..63).flat_map(|bits| [(1u64 << bits) - 1, 1 << bits, (1 << bits) + 1]);
        for micros in (0..100_000).chain(edges) {
            let bucket = bucket_of(micros);
            let begin = bucket.checked_sub(1).map_or(0, end_of);
            assert!(begin <= micros, "{micros} in {bucket}");
            assert!(micros < end_of(bucket) || bucket == BUCKETS - 1, "{micros} in {bucket}");
        }
        assert_eq!((bucket_of(u64::MAX), end_of(BUCKETS - 1)), (BUCKETS - 1, 1 << LAST_BITS));
    }

    #[test]
    fn percentiles_are_near() {
        let latency = Latency::default();
        let mut all = Latencies::default();
        assert_eq!((all.percentile_micros(0.5), all.mean_micros()), (None, None));
        (1..=10_000).for_each(|number| latency.record(number * 100));
        latency.add_to(&mut all);
        for (part, wanted) in [(0.5, 500_000.0), (0.9, 900_000.0), (0.99, 990_000.0), (1.0, 1_000_000.0)] {
            let found = all.percentile_micros(part).unwrap() as f64;
            assert!((found / wanted - 1.0f64).abs() < 0.07, "{part}: {found}");
        }
        assert!(all.percentile_micros(0.0).unwrap() < 110);
        assert_eq!(all.mean_micros(), Some(500_050));
        assert_eq!((all.below_micros(1 << 16), all.below_micros(63)), (655, 0));
        latency.record(7_000_000);
        let (before, mut now) = (all.clone(), Latencies::default());
        latency.add_to(&mut now);
        assert_eq!(now.since(&before).count(), 1);
        assert_eq!(before.since(&now), before);
        let mut sum = Latencies::default();
        sum.add(&now);
        sum.add(&before);
        assert_eq!(sum.count(), 20_001);
        assert_eq!(now.since(&before).buckets().map(|(_, count)| count).sum::<u64>(), 1);
    }
}
