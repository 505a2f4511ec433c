//! Randomness that costs next to nothing.

use std::{
    cell::Cell,
    hash::{BuildHasher, Hasher, RandomState},
};

/// A small fast generator of a shard's own (splitmix64), for balancing and request ids. Nothing secret is made with it.
#[derive(Debug)]
pub struct Random(Cell<u64>);

impl Default for Random {
    fn default() -> Self {
        // The standard library's hash keys are the operating system's randomness.
        Random(Cell::new(RandomState::new().build_hasher().finish()))
    }
}

impl Random {
    /// The same numbers each time, for tests of what chance does.
    #[cfg(test)]
    pub(in crate::upstream) fn seeded(seed: u64) -> Random {
        Random(Cell::new(seed))
    }

    /// 64 bits.
    pub fn next(&self) -> u64 {
        let state = self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.0.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Evenly from `0..bound`; 0 where `bound` is 0.
    pub fn below(&self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    /// Evenly from 0 up to 1, which it never is.
    pub(super) fn fraction(&self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}
