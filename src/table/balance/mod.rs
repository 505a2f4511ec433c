//! How an endpoint of a cluster is chosen (specification section 4.3).
//!
//! - `ring`, `maglev`: which endpoint a hash belongs to, exactly as Envoy says it

mod maglev;
mod ring;
#[cfg(test)]
mod tests;

use crate::filter::HashKey;
use maglev::Maglev;
use ring::Ring;
use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

/// The share of healthy endpoints, in percent, below which all endpoints are used: Envoy's own, which holds where
/// there is no `outlierDetection` (specification section 2.7).
pub const PANIC_PERCENT: u8 = 50;

/// The most priorities of a cluster: a set of them is a `u32`. Istio makes at most five by place, times one more than
/// there are labels in `failoverPriority`.
pub const PRIORITIES_MAX: u8 = 32;

/// `loadBalancer` of a cluster.
#[derive(Clone, Debug)]
pub struct Balance {
    /// The method, where no hash decides.
    pub method: LoadBalancing,
    /// `consistentHash`; `None`: the method decides.
    pub hash: Option<Arc<ConsistentHash>>,
    /// `warmup`; `None`: a new endpoint has its whole share at once.
    pub warmup: Option<Box<Warmup>>,
    /// `outlierDetection.minHealthPercent`: where fewer endpoints of a priority than this are healthy, in percent (0 to 100),
    /// all of them are used. 0: never.
    pub panic_percent: u8,
    /// The shares of the places, by [`Placement::place`](super::Placement::place); empty: places have no shares of their own.
    pub place_weights: Box<[u32]>,
}

impl Balance {
    /// Whether it says the same as another one.
    pub fn is_like(&self, other: &Balance) -> bool {
        let Balance { method, hash, warmup, panic_percent, place_weights } = self;
        let hash_of =
            |hash: &Option<Arc<ConsistentHash>>| hash.as_ref().map(|hash| (hash.key.clone(), hash.algorithm));
        *method == other.method
            && hash_of(hash) == hash_of(&other.hash)
            && *warmup == other.warmup
            && *panic_percent == other.panic_percent
            && *place_weights == other.place_weights
    }
}

impl Default for Balance {
    fn default() -> Self {
        Balance {
            method: LoadBalancing::default(),
            hash: None,
            warmup: None,
            panic_percent: PANIC_PERCENT,
            place_weights: Box::default(),
        }
    }
}

/// `loadBalancer.simple` (specification section 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum LoadBalancing {
    /// Two random choices, the one with fewer active requests; where weights differ, one after another by
    /// weight / (active requests + 1). The default.
    #[default]
    LeastRequest,
    /// One after another, by weight.
    RoundRobin,
    /// By chance, by weight.
    Random,
}

/// `loadBalancer.warmup`: how the share of a new endpoint grows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Warmup {
    /// How long it grows; at least 1 ms.
    pub duration: Duration,
    /// Where it begins, as a part of the whole share, 0 to 1; 0.1 by default.
    pub minimum: f64,
    /// How fast it grows at first, above 0; 1 by default, which is a straight line.
    pub aggression: f64,
}

impl Warmup {
    /// The part of its share that an endpoint of this age has: above 0, at most 1.
    pub fn factor(&self, age: Duration) -> f64 {
        if age >= self.duration {
            return 1.0;
        }
        // As Envoy counts: in whole milliseconds, of which the first has passed.
        let grown = age.as_millis().max(1) as f64 / self.duration.as_millis().max(1) as f64;
        let grown = if self.aggression == 1.0 { grown } else { grown.powf(1.0 / self.aggression) };
        grown.max(self.minimum).min(1.0)
    }
}

/// `loadBalancer.consistentHash`: the same goes to the same endpoint.
#[derive(Clone, Debug)]
pub struct ConsistentHash {
    /// What of a request decides.
    pub key: HashKey,
    /// How a hash becomes an endpoint.
    pub algorithm: HashAlgorithm,
    /// The tables of a fixed set of endpoints while all are healthy, by priority; made by the first shard that asks, for all.
    pub shared: OnceLock<Box<[HashTable]>>,
}

/// How a hash becomes an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashAlgorithm {
    /// `ringHash`, and where nothing is said: the fewest places on the ring, at most 8 Mi (Envoy's limit); 1024 by default.
    Ring(u64),
    /// `maglev`: the places of the table, a prime below 5,000,011; 65,537 by default.
    Maglev(u32),
}

/// Which of several endpoints a hash belongs to. A table costs 12 bytes a place of a ring (at least 1024 places, and many
/// where weights differ much), 2 bytes a place of Maglev's (128 KiB for the usual 65,537).
#[derive(Clone, Debug)]
pub enum HashTable {
    /// `ringHash`.
    Ring(Ring),
    /// `maglev`.
    Maglev(Maglev),
}

/// An endpoint for a [`HashTable`]: the text that is hashed for it, and its share: all shares of a table sum to 1.
#[derive(Clone, Debug)]
pub struct HashEntry {
    /// Its address and port, or its path.
    pub text: Box<str>,
    /// Its share.
    pub share: f64,
}

impl HashTable {
    /// Makes the table of these endpoints, which are chosen by their index.
    pub fn new(algorithm: HashAlgorithm, entries: &[HashEntry]) -> HashTable {
        match algorithm {
            HashAlgorithm::Ring(places) => HashTable::Ring(Ring::new(entries, places)),
            HashAlgorithm::Maglev(places) => HashTable::Maglev(Maglev::new(entries, places)),
        }
    }

    /// The index of the endpoint that a hash belongs to; nothing if there are none. `attempt` counts from 0: later ones go
    /// elsewhere, most likely.
    pub fn find(&self, hash: u64, attempt: u32) -> Option<usize> {
        match self {
            HashTable::Ring(ring) => ring.find(hash, attempt),
            HashTable::Maglev(maglev) => maglev.find(hash, attempt),
        }
    }
}
