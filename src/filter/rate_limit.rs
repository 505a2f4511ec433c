//! How many requests may pass (`sluicegate.io/rate-limit`): a bucket of tokens that all shards share, without a lock.
//!
//! A bucket is one number: the moment at which it will be full again (the generic cell rate algorithm of ITU-T I.371,
//! "virtual scheduling"). Each request moves that moment on by the time that one token takes; one that would move it further
//! than a whole bucket away is refused. One compare-and-exchange takes a token, so shards never take the same one.
//!
//! Buckets of keys are in a table of fixed size. A bucket that is full says nothing, so its cell is free for another key:
//! the table needs room only for the keys that have taken something and not got it back. A key has a handful of cells
//! where it may be; if other keys have all of them, it takes from one of theirs: with more busy keys than the table has
//! room for, some share a bucket. Which keys share is decided by a hash whose secret is made at random, so that nobody can
//! aim at the bucket of another. (Two shards that see the first requests of a key in the same instant may give it two cells,
//! if a third key's bucket has become full just then: it may then have one burst more, once.)

use std::{
    hash::{BuildHasher, RandomState},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// Cells of the table of one limit that has a key, 512 KiB: room for so many clients that are using it at a time. A crowd of
/// 10,000 leaves one key in a thousand sharing.
const CELLS: usize = 1 << 16;
/// The cells where a key may be: one cache line has eight.
const WAYS: usize = 8;
/// The highest rate per key, in requests per second: up to here the resolution of a cell is exact to a thousandth.
pub const KEYED_RATE_MAX: f64 = 10_000.0;

/// A cell's moment is in units of 64 ns, 52 bits of them: nine years after the first request.
const UNIT_SHIFT: u32 = 6;
const MOMENT_BITS: u32 = 52;
const MOMENT_MASK: u64 = (1 << MOMENT_BITS) - 1;

/// One limit and its buckets, for all shards.
#[derive(Debug)]
pub struct RateLimit {
    /// The time that one token takes, in nanoseconds, at least 1. Rounded up: never more than was asked for.
    interval: u64,
    /// How far ahead of now a bucket's moment may be for a token to be there: a bucket without its last token.
    tolerance: u64,
    /// What was taken so far; made when the first request comes, or [taken over](Self::go_on_from).
    buckets: OnceLock<Arc<Buckets>>,
}

/// What was taken of a limit.
#[derive(Debug)]
struct Buckets {
    /// When the first request came; moments count from there.
    begin: Instant,
    /// The bucket of a limit without a key.
    one: AtomicU64,
    /// Those of keys; made when the first comes.
    table: OnceLock<Box<[AtomicU64]>>,
    secret: RandomState,
}

impl RateLimit {
    /// `requests` in `per`, of which `burst` at once. None of them may be 0; what is too large for the sums saturates.
    pub fn new(requests: u32, per: Duration, burst: u32) -> RateLimit {
        let per = u64::try_from(per.as_nanos()).unwrap_or(u64::MAX);
        let interval = per.div_ceil(u64::from(requests.max(1))).max(1);
        RateLimit {
            interval,
            tolerance: interval.saturating_mul(u64::from(burst.saturating_sub(1))),
            buckets: OnceLock::new(),
        }
    }

    /// Whether another one asks for the same.
    pub fn is_like(&self, other: &RateLimit) -> bool {
        (self.interval, self.tolerance) == (other.interval, other.tolerance)
    }

    /// Shares the buckets of one before it, which [is like it](Self::is_like): who has used up that one has used up this
    /// one. Without effect once this one was used.
    pub fn go_on_from(&self, before: &RateLimit) {
        if let Some(buckets) = before.buckets.get() {
            // It has buckets of its own already.
            let _ = self.buckets.set(Arc::clone(buckets));
        }
    }

    /// Takes a token from the one bucket.
    ///
    /// # Errors
    /// There is none; there will be one after this time.
    pub fn take(&self, now: Instant) -> Result<(), Duration> {
        let buckets = self.buckets(now);
        let now = buckets.since_begin(now);
        loop {
            let moment = buckets.one.load(Ordering::Relaxed);
            let next = self.next(moment, now)?;
            if buckets.one.compare_exchange_weak(moment, next, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                return Ok(());
            }
        }
    }

    /// Takes a token from the bucket of a key.
    ///
    /// # Errors
    /// There is none; there will be one after this time.
    pub fn take_for(&self, key: &[u8], now: Instant) -> Result<(), Duration> {
        let buckets = self.buckets(now);
        let now = buckets.since_begin(now);
        let table =
            buckets.table.get_or_init(|| std::iter::repeat_with(AtomicU64::default).take(CELLS).collect());
        let hash = buckets.secret.hash_one(key);
        let (set, mark) = (hash as usize % (CELLS / WAYS) * WAYS, hash & !MOMENT_MASK);
        let Some(ways) = table.get(set..set + WAYS) else { return Ok(()) };
        loop {
            let (cell, found) = find(ways, mark, now >> UNIT_SHIFT, hash);
            let moment = (found & MOMENT_MASK) << UNIT_SHIFT;
            let next = self.next(moment, now)?.div_ceil(1 << UNIT_SHIFT).min(MOMENT_MASK);
            // A key that finds a cell of its own, or a free one, marks it; one that has to share leaves the mark.
            let is_shared = found & !MOMENT_MASK != mark && moment > now;
            let mark = if is_shared { found & !MOMENT_MASK } else { mark };
            if cell.compare_exchange_weak(found, mark | next, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                return Ok(());
            }
        }
    }

    /// Where a token moves a bucket's moment.
    fn next(&self, moment: u64, now: u64) -> Result<u64, Duration> {
        let ahead = moment.saturating_sub(now);
        if ahead > self.tolerance {
            return Err(Duration::from_nanos(ahead - self.tolerance));
        }
        Ok(moment.max(now).saturating_add(self.interval))
    }

    fn buckets(&self, now: Instant) -> &Buckets {
        self.buckets.get_or_init(|| {
            Arc::new(Buckets {
                begin: now,
                one: AtomicU64::new(0),
                table: OnceLock::new(),
                secret: RandomState::new(),
            })
        })
    }
}

impl Buckets {
    fn since_begin(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.begin).as_nanos()).unwrap_or(u64::MAX)
    }
}

/// The cell of a key, as it is now: its own, else the first that is free, else one of others.
fn find(ways: &[AtomicU64], mark: u64, now: u64, hash: u64) -> (&AtomicU64, u64) {
    let mut free = None;
    for cell in ways {
        let found = cell.load(Ordering::Relaxed);
        if found & !MOMENT_MASK == mark && found != 0 {
            return (cell, found);
        }
        if free.is_none() && found & MOMENT_MASK <= now {
            free = Some((cell, found));
        }
    }
    free.unwrap_or_else(|| {
        let cell = &ways[(hash >> 16) as usize % ways.len()];
        (cell, cell.load(Ordering::Relaxed))
    })
}

/// A time as whole seconds for `retry-after`, at least one.
pub fn retry_after_seconds(wait: Duration) -> u64 {
    (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(begin: Instant, ms: u64) -> Instant {
        begin + Duration::from_millis(ms)
    }

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let (limit, begin) = (RateLimit::new(10, Duration::from_secs(1), 3), Instant::now());
        for _ in 0..3 {
            assert_eq!(limit.take(begin), Ok(()));
        }
        assert_eq!(limit.take(begin), Err(Duration::from_millis(100)));
        assert_eq!(limit.take(after(begin, 40)), Err(Duration::from_millis(60)));
        assert_eq!(limit.take(after(begin, 100)), Ok(()));
        assert_eq!(limit.take(after(begin, 100)), Err(Duration::from_millis(100)));
        // A long pause fills the bucket, and no more.
        let later = after(begin, 60_000);
        assert_eq!((0..5).filter(|_| limit.take(later).is_ok()).count(), 3);
    }

    #[test]
    fn one_that_goes_on_knows_what_was_taken() {
        let make = || RateLimit::new(1, Duration::from_secs(1), 2);
        let (before, after, begin) = (make(), make(), Instant::now());
        assert!(before.is_like(&after) && !before.is_like(&RateLimit::new(1, Duration::from_secs(1), 3)));
        assert_eq!((before.take(begin), before.take_for(b"a", begin)), (Ok(()), Ok(())));
        after.go_on_from(&before);
        assert_eq!((after.take(begin), after.take_for(b"a", begin)), (Ok(()), Ok(())));
        assert!(after.take(begin).is_err() && after.take_for(b"a", begin).is_err());
        // Both are used for a while, and count together.
        assert!(before.take(begin).is_err() && before.take_for(b"b", begin).is_ok());
    }

    #[test]
    fn the_rate_over_a_minute_is_exact() {
        for (requests, per) in
            [(7, Duration::from_secs(1)), (1, Duration::from_millis(3)), (100, Duration::from_secs(60))]
        {
            let (limit, begin) = (RateLimit::new(requests, per, 1), Instant::now());
            let keyed = RateLimit::new(requests, per, 1);
            let passed = (0..600_000u64)
                .filter(|n| limit.take(begin + Duration::from_micros(n * 100)).is_ok())
                .count();
            let of_key = (0..600_000u64)
                .filter(|n| keyed.take_for(b"k", begin + Duration::from_micros(n * 100)).is_ok())
                .count();
            let wanted = f64::from(requests) * 60.0 / per.as_secs_f64();
            // Requests come every 100 us, so each token waits up to so long for the next of them.
            for passed in [passed, of_key] {
                assert!(passed as f64 <= wanted + 1.0, "{passed} of {wanted}");
                assert!(
                    passed as f64
                        >= wanted * (1.0 - 0.0001 / (per.as_secs_f64() / f64::from(requests))) - 1.0
                );
            }
        }
    }

    #[test]
    fn keys_have_buckets_of_their_own() {
        let (limit, begin) = (RateLimit::new(1, Duration::from_secs(60), 2), Instant::now());
        let mut shared = 0;
        for n in 0..10_000u32 {
            let key = n.to_be_bytes();
            let passed = (0..4).filter(|_| limit.take_for(&key, begin).is_ok()).count();
            assert!(passed <= 2);
            shared += u32::from(passed < 2);
        }
        assert!(shared <= 40, "{shared} of 10,000 busy keys had to share");
        // All of them are free again after a while, for as many others.
        let later = begin + Duration::from_secs(121);
        let passed = (10_000..20_000u32).filter(|n| limit.take_for(&n.to_be_bytes(), later).is_ok()).count();
        assert!(passed >= 9_960);
    }

    #[test]
    fn a_table_that_is_full_limits_and_does_not_let_through() {
        let (limit, begin) = (RateLimit::new(1, Duration::from_secs(3600), 1), Instant::now());
        let passed = (0..300_000u32).filter(|n| limit.take_for(&n.to_be_bytes(), begin).is_ok()).count();
        assert!((60_000..=CELLS).contains(&passed), "{passed}");
    }

    #[test]
    fn threads_together_take_no_more_than_one() {
        for key in [None, Some(b"client")] {
            let (limit, begin) = (RateLimit::new(1, Duration::from_secs(3600), 5_000), Instant::now());
            let passed = std::sync::atomic::AtomicUsize::new(0);
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        for _ in 0..5_000 {
                            let taken = match key {
                                None => limit.take(begin),
                                Some(key) => limit.take_for(key, begin),
                            };
                            passed.fetch_add(usize::from(taken.is_ok()), Ordering::Relaxed);
                        }
                    });
                }
            });
            assert_eq!(passed.into_inner(), 5_000);
        }
    }

    #[test]
    fn seconds_are_rounded_up() {
        for (ms, seconds) in [(0, 1), (1, 1), (1000, 1), (1001, 2), (59_999, 60)] {
            assert_eq!(retry_after_seconds(Duration::from_millis(ms)), seconds);
        }
    }
}
