//! What choosing an endpoint costs: nanoseconds per choice, and the time that tables of hashes take.
//!
//! `cargo bench --bench balance`. Every figure is the best of several rounds.

#[path = "common/clusters.rs"]
mod clusters;

use clusters::cluster;
use sluicegate::{
    filter::hash_text,
    table::{ClusterId, HashAlgorithm, HashEntry, HashTable},
    upstream::{Pick, Random},
};
use std::{hint::black_box, time::Instant};

const CHOICES: usize = 100_000;
const ROUNDS: usize = 25;

fn main() {
    println!("{:<44} {:>12}", "choice", "ns");
    choices("1 endpoint", "simple: LEAST_REQUEST", &[1]);
    choices("4 endpoints, LEAST_REQUEST", "simple: LEAST_REQUEST", &[1; 4]);
    choices("4 endpoints, ROUND_ROBIN", "simple: ROUND_ROBIN", &[1; 4]);
    choices("4 endpoints, RANDOM", "simple: RANDOM", &[1; 4]);
    choices("100 endpoints, LEAST_REQUEST", "simple: LEAST_REQUEST", &[1; 100]);
    choices("4 endpoints with weights, LEAST_REQUEST", "simple: LEAST_REQUEST", &[1, 2, 3, 4]);
    choices("4 endpoints with weights, ROUND_ROBIN", "simple: ROUND_ROBIN", &[1, 2, 3, 4]);
    choices("4 endpoints, ring of 1024", "consistentHash: {useSourceIp: true}", &[1; 4]);
    let maglev = "consistentHash: {useSourceIp: true, maglev: {tableSize: 65537}}";
    choices("4 endpoints, Maglev's table of 65537", maglev, &[1; 4]);
    let (ring, maglev) = (HashAlgorithm::Ring(1024), HashAlgorithm::Maglev(65_537));
    println!("\n{:<44} {:>12}", "build", "ms");
    for (name, algorithm) in [("ring of 1024", ring), ("Maglev's table of 65537", maglev)] {
        for count in [4, 100, 1000] {
            build(&format!("{name}, {count} endpoints"), algorithm, count);
        }
    }
}

fn choices(name: &str, balancer: &str, weights: &[u32]) {
    let clusters = cluster(balancer, weights);
    let Some(cluster) = clusters.get(ClusterId(0)) else { return println!("{name}: there is no cluster") };
    let (random, now) = (Random::default(), Instant::now());
    let hashes: Vec<u64> = (0..CHOICES).map(|n| hash_text(&n.to_le_bytes(), 0)).collect();
    let best = (0..ROUNDS).map(|_| {
        let begin = Instant::now();
        for hash in &hashes {
            black_box(cluster.choose(&Pick { hash: Some(*hash), ..Pick::first(&random, now) }));
        }
        begin.elapsed()
    });
    let best = best.min().unwrap_or_default();
    println!("{name:<44} {:>12.1}", best.as_nanos() as f64 / CHOICES as f64);
}

fn build(name: &str, algorithm: HashAlgorithm, count: u32) {
    let entry = |number| HashEntry {
        text: format!("10.0.{}.{}:80", number >> 8, number & 255).into(),
        share: 1.0 / f64::from(count),
    };
    let entries: Vec<_> = (0..count).map(entry).collect();
    let best = (0..ROUNDS).map(|_| {
        let begin = Instant::now();
        black_box(HashTable::new(algorithm, &entries));
        begin.elapsed()
    });
    println!("{name:<44} {:>12.3}", best.min().unwrap_or_default().as_secs_f64() * 1e3);
}
