//! What limits do to the numbers that all shards share, and the buckets of rate limits.

use crate::harness::Harness;
use sluicegate::{
    filter::RateLimit,
    table::{Breaker, BreakerLimits, Resource},
};
use std::{
    hint::black_box,
    time::{Duration, Instant},
};

const ROUNDS: usize = 1000;

pub(crate) fn run(harness: &Harness) {
    let limits = BreakerLimits { connections: Some(1000), requests: Some(1000), ..BreakerLimits::default() };
    let breaker = Breaker::new(limits);
    harness.case("limits.request", ROUNDS, |_| {
        let breaker = black_box(&breaker);
        assert!(breaker.begin(Resource::Requests).is_ok());
        breaker.end(Resource::Requests);
    });
    harness.case("limits.connection_given_back", ROUNDS, |_| {
        let breaker = black_box(&breaker);
        breaker.rests(0);
        black_box(breaker.waiting_elsewhere(0));
    });
    let (now, second) = (Instant::now(), Duration::from_secs(1));
    let plenty = RateLimit::new(1_000_000, second, 1_000_000);
    harness.case("rate_limit.one_bucket", ROUNDS, |_| {
        assert!(black_box(&plenty).take(black_box(now)).is_ok());
    });
    let keys: Vec<String> = (0..ROUNDS).map(|n| format!("203.0.113.{n}")).collect();
    harness.case("rate_limit.keys", ROUNDS, |n| {
        assert!(black_box(&plenty).take_for(keys[n].as_bytes(), black_box(now)).is_ok());
    });
    let spent = RateLimit::new(1, second, 1);
    assert!(spent.take(now).is_ok());
    harness.case("rate_limit.refused", ROUNDS, |_| {
        assert!(black_box(&spent).take(black_box(now)).is_err());
    });
}
