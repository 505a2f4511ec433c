//! A ring of hashes (Envoy's `RING_HASH`, which follows ketama).
//!
//! Every endpoint has places on the ring, as many as its share: the hashes of its address, `_` and a number. A hash
//! belongs to the first place at or after it.

use super::HashEntry;
use crate::filter::hash_text;

/// The most places on a ring (Envoy's `maximum_ring_size`): 96 MiB. Only shares that differ by more than a thousandfold
/// ask for so many.
const PLACES_MAX: u64 = 8 << 20;

/// A ring of hashes.
#[derive(Clone, Debug, Default)]
pub struct Ring {
    /// In order.
    hashes: Box<[u64]>,
    /// Whose place it is.
    owners: Box<[u32]>,
}

impl Ring {
    /// A ring with at least `places` places.
    pub(super) fn new(entries: &[HashEntry], places: u64) -> Ring {
        let smallest = entries.iter().map(|entry| entry.share).fold(1.0, f64::min);
        if entries.is_empty() || smallest <= 0.0 {
            return Ring::default();
        }
        // The smallest share gets a whole number of places, the others as many more as their share is larger.
        let scale = ((smallest * places as f64).ceil() / smallest).min(PLACES_MAX as f64);
        let mut list: Vec<(u64, u32)> = Vec::with_capacity(scale.ceil() as usize);
        let (mut made, mut wanted) = (0.0, 0.0);
        let mut text = String::new();
        let mut digits = itoa::Buffer::new();
        for (owner, entry) in (0..).zip(entries) {
            text.clear();
            text.push_str(&entry.text);
            text.push('_');
            let stem = text.len();
            // Running sums, so that a part of a place that one endpoint is owed is not lost.
            wanted += scale * entry.share;
            let mut number = 0u64;
            while made < wanted {
                text.truncate(stem);
                text.push_str(digits.format(number));
                list.push((hash_text(text.as_bytes(), 0), owner));
                number += 1;
                made += 1.0;
            }
        }
        list.sort_by_key(|(hash, _)| *hash);
        let (hashes, owners): (Vec<_>, Vec<_>) = list.into_iter().unzip();
        Ring { hashes: hashes.into(), owners: owners.into() }
    }

    /// Whose a hash is. Every further attempt looks one place further.
    pub(super) fn find(&self, hash: u64, attempt: u32) -> Option<usize> {
        let first = self.hashes.partition_point(|place| *place < hash);
        let at = (first + attempt as usize).checked_rem(self.hashes.len())?;
        self.owners.get(at).map(|owner| *owner as usize)
    }
}
