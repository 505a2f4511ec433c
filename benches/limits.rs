//! What a cluster's limits cost: nanoseconds for what a request does to the numbers that all shards share.
//!
//! `cargo bench --bench limits`. A request of a cluster with `http2MaxRequests` begins and ends one number; one that gives its
//! connection back in a cluster with `maxConnections` looks at the line of those who wait. With several threads each does
//! the same to the same numbers as fast as it can, which is the worst case: requests do other things in between.

use sluicegate::table::{Breaker, BreakerLimits, Resource};
use std::{
    hint::black_box,
    sync::{
        Barrier,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Instant,
};

const ROUNDS: u32 = 2_000_000;

fn main() {
    let cores = thread::available_parallelism().map_or(1, |cores| cores.get());
    println!("{:<56} {:>8} {:>12}", "for a request", "threads", "ns");
    for threads in [1, 2, 8] {
        measure("a request begins and ends", threads, |breaker, _| {
            if breaker.begin(Resource::Requests).is_ok() {
                breaker.end(Resource::Requests);
            }
        });
        measure("a connection is given back to nobody's loss", threads, |breaker, shard| {
            breaker.rests(shard);
            black_box(breaker.waiting_elsewhere(shard));
        });
        measure("a retry of a budget begins and ends", threads, |breaker, _| {
            if breaker.begin(Resource::Retries).is_ok() {
                breaker.end(Resource::Retries);
            }
        });
    }
    println!("({cores} cores: more threads than that take turns on them)");
}

fn measure(what: &str, threads: usize, each: impl Fn(&Breaker, usize) + Sync) {
    let limits = BreakerLimits {
        connections: Some(1000),
        requests: Some(1000),
        retries: Some(1000),
        ..BreakerLimits::default()
    };
    let breaker = Breaker::new(limits);
    let (start, spent) = (Barrier::new(threads), AtomicU64::new(0));
    thread::scope(|scope| {
        for shard in 0..threads {
            let (start, spent, breaker, each) = (&start, &spent, &breaker, &each);
            scope.spawn(move || {
                start.wait();
                let began = Instant::now();
                (0..ROUNDS).for_each(|_| each(black_box(breaker), shard));
                spent.fetch_max(began.elapsed().as_nanos() as u64, Ordering::Relaxed);
            });
        }
    });
    let ns = spent.into_inner() as f64 / f64::from(ROUNDS);
    println!("{what:<56} {threads:>8} {ns:>12.1}");
}
