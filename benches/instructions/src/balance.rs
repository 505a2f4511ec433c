//! Choosing an endpoint. Chance has a part in some: with so many choices it does not show.

use crate::harness::Harness;
use clusters::cluster;
use sluicegate::{
    filter::hash_text,
    table::ClusterId,
    upstream::{Pick, Random},
};
use std::{hint::black_box, time::Instant};

#[path = "../../common/clusters.rs"]
mod clusters;

const CHOICES: usize = 2000;

pub(crate) fn run(harness: &Harness) {
    let ring = "consistentHash: {useSourceIp: true}";
    let maglev = "consistentHash: {useSourceIp: true, maglev: {tableSize: 251}}";
    choices(harness, "balance.one_endpoint", "simple: LEAST_REQUEST", &[1]);
    choices(harness, "balance.least_request.4", "simple: LEAST_REQUEST", &[1; 4]);
    choices(harness, "balance.least_request.weights", "simple: LEAST_REQUEST", &[1, 2, 3, 4]);
    choices(harness, "balance.round_robin.4", "simple: ROUND_ROBIN", &[1; 4]);
    choices(harness, "balance.round_robin.weights", "simple: ROUND_ROBIN", &[1, 2, 3, 4]);
    choices(harness, "balance.random.4", "simple: RANDOM", &[1; 4]);
    choices(harness, "balance.ring_hash.4", ring, &[1; 4]);
    choices(harness, "balance.maglev.4", maglev, &[1; 4]);
}

fn choices(harness: &Harness, name: &str, balancer: &str, weights: &[u32]) {
    if !harness.has(name) {
        return;
    }
    let clusters = cluster(balancer, weights);
    let Some(cluster) = clusters.get(ClusterId(0)) else { panic!("{name}: there is no cluster") };
    let (random, now) = (Random::default(), Instant::now());
    let hashes: Vec<u64> = (0..CHOICES).map(|n| hash_text(&n.to_le_bytes(), 0)).collect();
    harness.case(name, CHOICES, |n| {
        let pick = Pick { hash: Some(hashes[n]), ..Pick::first(&random, now) };
        assert!(black_box(cluster.choose(&pick)).is_some());
    });
}
