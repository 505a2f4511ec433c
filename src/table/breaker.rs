//! Circuit breakers: what is counted over all shards for a cluster that has limits (specification section 4.4).
//!
//! Shards share nothing mutable but these numbers, and these only where a limit is configured. There is no lock: each number
//! is raised only if it stays within its limit, in one compare-and-exchange, so `maxConnections: 100` is never 101 whatever
//! the number of shards. What it costs is measured in `benches/limits.rs`.
//!
//! A shard that finds no room for a connection has its requests wait and says so here; whoever has a connection to spare
//! hands it over to a shard that waits, rather than free it for anybody to snatch. Shards are told apart by a bit each; of
//! more than 64 some share one, and are woken together.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Shards that are told apart.
pub const SHARD_BITS: usize = 64;

/// What may be in use of a cluster at a time. `None`: no limit, and not counted.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct BreakerLimits {
    /// `tcp.maxConnections`: connections, whatever is spoken on them.
    pub connections: Option<u32>,
    /// `http.http1MaxPendingRequests`: requests, of HTTP/1.1 and HTTP/2, that have no connection yet: they wait for one, or for
    /// one that is being opened.
    pub pending: Option<u32>,
    /// `http.http2MaxRequests`: requests on a connection, of HTTP/1.1 and HTTP/2.
    pub requests: Option<u32>,
    /// `http.maxRetries`: requests that are being sent again. A budget replaces it.
    pub retries: Option<u32>,
    /// `retryBudget`.
    pub retry_budget: Option<RetryBudget>,
}

/// `retryBudget`: retries as a share of the requests in flight.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetryBudget {
    /// Percent, 0 to 100, of the requests that are active or pending; 20 by default.
    pub percent: f64,
    /// Retries that are always allowed; 3 by default.
    pub min: u32,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// Connections.
    Connections,
    /// Requests without a connection.
    Pending,
    /// Requests on a connection.
    Requests,
    /// Retries.
    Retries,
}

/// A limit was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// The numbers of one cluster.
#[derive(Debug, Default)]
pub struct Breaker {
    limits: BreakerLimits,
    connections: Number,
    pending: Number,
    requests: Number,
    retries: Number,
    overflows: Overflows,
    line: Line,
}

/// A number on a cache line of its own: shards that raise one do not slow down those that raise another.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Number(AtomicU32);

/// How often something was refused, or had to wait.
#[derive(Debug, Default)]
struct Overflows {
    connections: AtomicU64,
    requests: AtomicU64,
    retries: AtomicU64,
}

/// Who waits for a connection, and who has one that does nothing.
#[derive(Debug)]
#[repr(align(64))]
struct Line {
    /// Shards with requests that wait.
    waiting: AtomicU64,
    /// Those of them that have no connection at all.
    starving: AtomicU64,
    /// Shards that may have connections without work.
    resting: AtomicU64,
    /// Requests that wait, on all shards.
    length: AtomicU32,
    /// Connections' places that were handed over to a shard and not taken yet.
    granted: [AtomicU32; SHARD_BITS],
}

impl Default for Line {
    fn default() -> Self {
        Line {
            waiting: AtomicU64::new(0),
            starving: AtomicU64::new(0),
            resting: AtomicU64::new(0),
            length: AtomicU32::new(0),
            granted: [const { AtomicU32::new(0) }; SHARD_BITS],
        }
    }
}

impl Number {
    /// Raises it, if it is below `limit`.
    fn raise(&self, limit: u32) -> Result<(), Full> {
        let next = |number| (number < limit).then_some(number + 1);
        self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, next).map(drop).map_err(|_| Full)
    }

    fn lower(&self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }

    fn get(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Breaker {
    /// Nothing is in use.
    pub fn new(limits: BreakerLimits) -> Breaker {
        Breaker { limits, ..Breaker::default() }
    }

    /// The limits.
    pub fn limits(&self) -> &BreakerLimits {
        &self.limits
    }

    /// Whether something of this kind is counted at all: it has a limit, or a budget is reckoned from it.
    pub fn counts(&self, resource: Resource) -> bool {
        let limits = &self.limits;
        match resource {
            Resource::Connections => limits.connections.is_some(),
            Resource::Pending => limits.pending.is_some() || limits.retry_budget.is_some(),
            Resource::Requests => limits.requests.is_some() || limits.retry_budget.is_some(),
            Resource::Retries => limits.retries.is_some() || limits.retry_budget.is_some(),
        }
    }

    /// Begins to use one more, which [`end`](Self::end) is to be called for.
    ///
    /// # Errors
    /// As many are in use as may be.
    pub fn begin(&self, resource: Resource) -> Result<(), Full> {
        self.number(resource).raise(self.most(resource))
    }

    /// One is used no more.
    pub fn end(&self, resource: Resource) {
        self.number(resource).lower();
    }

    /// How many are in use; 0 for what is not counted.
    pub fn in_use(&self, resource: Resource) -> u32 {
        self.number(resource).get()
    }

    /// How many may be in use at this moment; 2^32-1 where there is no limit.
    pub fn most(&self, resource: Resource) -> u32 {
        let limits = &self.limits;
        let limit = match resource {
            Resource::Connections => limits.connections,
            Resource::Pending => limits.pending,
            Resource::Requests => limits.requests,
            Resource::Retries => limits.retry_budget.map(|budget| self.budget(budget)).or(limits.retries),
        };
        limit.unwrap_or(u32::MAX)
    }

    /// As Envoy reckons it: a fraction of a retry is none.
    fn budget(&self, budget: RetryBudget) -> u32 {
        let requests = u64::from(self.requests.get()) + u64::from(self.pending.get());
        let share = budget.percent / 100.0 * requests as f64;
        budget.min.max(share as u32)
    }

    fn number(&self, resource: Resource) -> &Number {
        match resource {
            Resource::Connections => &self.connections,
            Resource::Pending => &self.pending,
            Resource::Requests => &self.requests,
            Resource::Retries => &self.retries,
        }
    }

    /// Notes that one more was wanted than may be.
    pub fn note_overflow(&self, resource: Resource) {
        self.overflows.of(resource).fetch_add(1, Ordering::Relaxed);
    }

    /// How often one more was wanted than may be. For requests and for those that are pending it is one number, as in Envoy.
    pub fn overflows(&self, resource: Resource) -> u64 {
        self.overflows.of(resource).load(Ordering::Relaxed)
    }
}

impl Overflows {
    fn of(&self, resource: Resource) -> &AtomicU64 {
        match resource {
            Resource::Connections => &self.connections,
            Resource::Pending | Resource::Requests => &self.requests,
            Resource::Retries => &self.retries,
        }
    }
}

/// A shard's bit.
fn bit(shard: usize) -> u64 {
    1 << (shard % SHARD_BITS)
}

/// The line of those who wait for a connection's place.
impl Breaker {
    /// A request of this shard begins to wait, in a line of this shard that `was_empty`; the shard may have no connection at
    /// all. It has to look once more for a place after this, for one may have become free before. Returns the bits of the
    /// shards that may have connections without work, which are to be woken.
    pub fn join(&self, shard: usize, was_empty: bool, has_none: bool) -> u64 {
        self.line.length.fetch_add(1, Ordering::SeqCst);
        if !was_empty {
            return 0;
        }
        self.line.waiting.fetch_or(bit(shard), Ordering::SeqCst);
        if has_none {
            self.line.starving.fetch_or(bit(shard), Ordering::SeqCst);
        }
        self.line.resting.load(Ordering::SeqCst) & !bit(shard)
    }

    /// A request of this shard waits no more; its line `is_empty` now. What was granted to the shard meanwhile is to be
    /// [taken](Self::take_grants) after this.
    pub fn leave(&self, shard: usize, is_empty: bool) {
        self.line.length.fetch_sub(1, Ordering::SeqCst);
        if is_empty {
            self.line.waiting.fetch_and(!bit(shard), Ordering::SeqCst);
            self.line.starving.fetch_and(!bit(shard), Ordering::SeqCst);
        }
    }

    /// The shard waits, and has no connection any more.
    pub fn starves(&self, shard: usize) {
        self.line.starving.fetch_or(bit(shard), Ordering::SeqCst);
    }

    /// The shard has a connection, or the place for one.
    pub fn is_fed(&self, shard: usize) {
        self.line.starving.fetch_and(!bit(shard), Ordering::SeqCst);
    }

    /// Requests of other shards that wait for a place, if none of this shard does.
    pub fn waiting_elsewhere(&self, shard: usize) -> u32 {
        match self.line.waiting.load(Ordering::SeqCst) & !bit(shard) {
            0 => 0,
            _ => self.line.length.load(Ordering::Relaxed),
        }
    }

    /// Whether another shard waits that has no connection at all.
    pub fn is_starving_elsewhere(&self, shard: usize) -> bool {
        self.line.starving.load(Ordering::Relaxed) & !bit(shard) != 0
    }

    /// The shard may have connections without work from now on; what it keeps has to be looked at again after this, for
    /// somebody may have begun to wait before.
    pub fn rests(&self, shard: usize) {
        // Mostly it is so already, and then nothing is written.
        if self.line.resting.load(Ordering::SeqCst) & bit(shard) == 0 {
            self.line.resting.fetch_or(bit(shard), Ordering::SeqCst);
        }
    }

    /// The shard has no connection without work.
    pub fn rests_no_more(&self, shard: usize) {
        self.line.resting.fetch_and(!bit(shard), Ordering::SeqCst);
    }

    /// Gives up a connection's place: to another shard that waits, first to one that has no connection at all; else to
    /// nobody. Returns the bit of who is to be woken, or 0.
    pub fn give_up(&self, shard: usize) -> u64 {
        let next = self.next_in_line(shard);
        if let Some(next) = next {
            self.line.granted[next].fetch_add(1, Ordering::SeqCst);
            return bit(next);
        }
        self.connections.lower();
        // Who has begun to wait in between may have looked before it was free; it looks again when it is woken.
        self.next_in_line(shard).map_or(0, bit)
    }

    /// The places that others have given to this shard. They count as in use.
    pub fn take_grants(&self, shard: usize) -> u32 {
        let granted = &self.line.granted[shard % SHARD_BITS];
        if granted.load(Ordering::SeqCst) == 0 {
            return 0;
        }
        granted.swap(0, Ordering::SeqCst)
    }

    /// The next after this shard, so that everybody has a turn.
    fn next_in_line(&self, shard: usize) -> Option<usize> {
        let others = !bit(shard);
        let starving = self.line.starving.load(Ordering::SeqCst) & others;
        let all = self.line.waiting.load(Ordering::SeqCst) & others;
        let those = if starving == 0 { all } else { starving };
        let turn = (shard + 1) % SHARD_BITS;
        (those != 0).then(|| (those.rotate_right(turn as u32).trailing_zeros() as usize + turn) % SHARD_BITS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{sync::Barrier, thread};

    fn breaker(limits: BreakerLimits) -> Breaker {
        Breaker::new(limits)
    }

    fn of_connections(most: u32) -> Breaker {
        breaker(BreakerLimits { connections: Some(most), ..BreakerLimits::default() })
    }

    #[test]
    fn no_limit_is_ever_passed_by_many_threads() {
        let (threads, most) = (8, 5);
        let breaker = of_connections(most);
        let inside = AtomicU32::new(0);
        let start = Barrier::new(threads);
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    start.wait();
                    for _ in 0..20_000 {
                        if breaker.begin(Resource::Connections).is_ok() {
                            assert!(inside.fetch_add(1, Ordering::SeqCst) < most);
                            inside.fetch_sub(1, Ordering::SeqCst);
                            breaker.end(Resource::Connections);
                        }
                    }
                });
            }
        });
        assert_eq!(breaker.in_use(Resource::Connections), 0);
    }

    #[test]
    fn what_has_no_limit_is_not_counted_but_for_a_budget() {
        let plain = of_connections(1);
        assert!(plain.counts(Resource::Connections));
        assert!(!plain.counts(Resource::Requests) && !plain.counts(Resource::Retries));
        let budget = RetryBudget { percent: 20.0, min: 3 };
        let with_budget = breaker(BreakerLimits { retry_budget: Some(budget), ..BreakerLimits::default() });
        assert!(with_budget.counts(Resource::Requests) && with_budget.counts(Resource::Pending));
        assert!(with_budget.counts(Resource::Retries) && !with_budget.counts(Resource::Connections));
        assert_eq!(with_budget.most(Resource::Requests), u32::MAX);
    }

    #[test]
    fn a_budget_is_a_share_of_what_is_active_or_pending_and_replaces_the_limit() {
        let budget = Some(RetryBudget { percent: 20.0, min: 3 });
        let limits = BreakerLimits { retries: Some(1), retry_budget: budget, ..BreakerLimits::default() };
        let breaker = breaker(limits);
        assert_eq!(breaker.most(Resource::Retries), 3);
        (0..10).for_each(|_| breaker.begin(Resource::Requests).unwrap());
        (0..9).for_each(|_| breaker.begin(Resource::Pending).unwrap());
        // A fifth of 19 is 3.8, and four fifths of a retry are none.
        assert_eq!(breaker.most(Resource::Retries), 3);
        breaker.begin(Resource::Pending).unwrap();
        assert_eq!(breaker.most(Resource::Retries), 4);
        (0..4).for_each(|_| breaker.begin(Resource::Retries).unwrap());
        assert_eq!(breaker.begin(Resource::Retries), Err(Full));
    }

    #[test]
    fn a_place_goes_to_who_waits_first_to_who_has_nothing_and_in_turn() {
        let breaker = of_connections(1);
        breaker.begin(Resource::Connections).unwrap();
        breaker.rests(0);
        assert_eq!(breaker.join(1, true, false), bit(0));
        breaker.join(3, true, false);
        breaker.join(3, false, false);
        assert_eq!(breaker.waiting_elsewhere(0), 3);
        assert_eq!(breaker.give_up(0), bit(1));
        assert_eq!((breaker.take_grants(1), breaker.take_grants(1)), (1, 0));
        // It is still in use: by shard 1, which hands it on.
        assert_eq!(breaker.in_use(Resource::Connections), 1);
        breaker.leave(1, true);
        assert_eq!(breaker.give_up(1), bit(3));
        assert_eq!(breaker.take_grants(3), 1);
        breaker.join(2, true, true);
        assert!(breaker.is_starving_elsewhere(3));
        assert_eq!(breaker.give_up(0), bit(2));
        breaker.is_fed(2);
        assert_eq!(breaker.give_up(3), bit(2));
    }

    #[test]
    fn a_place_that_nobody_wants_is_free() {
        let breaker = of_connections(1);
        breaker.begin(Resource::Connections).unwrap();
        assert_eq!(breaker.begin(Resource::Connections), Err(Full));
        assert_eq!(breaker.give_up(5), 0);
        assert_eq!(breaker.in_use(Resource::Connections), 0);
        breaker.begin(Resource::Connections).unwrap();
    }

    #[test]
    fn shards_beyond_the_bits_share_them() {
        let breaker = of_connections(1);
        breaker.join(SHARD_BITS + 2, true, true);
        breaker.begin(Resource::Connections).unwrap();
        assert_eq!(breaker.give_up(63), bit(2));
        assert_eq!(breaker.take_grants(SHARD_BITS + 2), 1);
    }
}
