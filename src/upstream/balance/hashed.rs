//! Endpoints among which a hash chooses.

use super::{Pick, group::DRAWS};
use crate::{
    table::{ConsistentHash, HashEntry, HashTable},
    upstream::Endpoint,
};
use std::{rc::Rc, sync::Arc};

/// Endpoints with a table of hashes.
pub(super) struct Hashed {
    list: Vec<Rc<Endpoint>>,
    table: Source,
}

/// Where the table is.
enum Source {
    /// Made with the snapshot's first use, for all shards: the priority.
    Shared(Arc<ConsistentHash>, usize),
    /// This shard's own.
    Own(HashTable),
}

impl Hashed {
    /// A table of this shard's own: of some endpoints of a fixed set, or of resolved ones.
    pub(super) fn new(list: Vec<Rc<Endpoint>>, how: &ConsistentHash, place_weights: &[u32]) -> Hashed {
        let (list, entries) = entries(list, place_weights);
        Hashed { table: Source::Own(HashTable::new(how.algorithm, &entries)), list }
    }

    /// The tables of a fixed set of endpoints that are all healthy, by priority: all shards use the same.
    pub(super) fn shared(
        levels: Vec<Vec<Rc<Endpoint>>>,
        how: &Arc<ConsistentHash>,
        place_weights: &[u32],
    ) -> Vec<Hashed> {
        let levels: Vec<_> = levels.into_iter().map(|list| entries(list, place_weights)).collect();
        how.shared.get_or_init(|| {
            levels.iter().map(|(_, entries)| HashTable::new(how.algorithm, entries)).collect()
        });
        let level = |(at, (list, _)): (usize, (Vec<Rc<Endpoint>>, Vec<HashEntry>))| Hashed {
            list,
            table: Source::Shared(Arc::clone(how), at),
        };
        levels.into_iter().enumerate().map(level).collect()
    }

    /// The endpoint of a hash. Where those that were tried are not to be used, later attempts look elsewhere; the last one
    /// counts.
    pub(super) fn choose(&self, hash: u64, pick: &Pick<'_>) -> Option<Rc<Endpoint>> {
        let table = match &self.table {
            Source::Shared(how, priority) => how.shared.get()?.get(*priority)?,
            Source::Own(table) => table,
        };
        let attempt = |attempt: u32| self.list.get(table.find(hash, attempt)?);
        let mut chosen = attempt(0)?;
        for number in 1..=DRAWS {
            if !pick.shuns(chosen) {
                break;
            }
            chosen = attempt(number)?;
        }
        Some(Rc::clone(chosen))
    }
}

/// The endpoints with their shares. Where places have shares, those of a place share its own.
fn entries(list: Vec<Rc<Endpoint>>, place_weights: &[u32]) -> (Vec<Rc<Endpoint>>, Vec<HashEntry>) {
    if place_weights.is_empty() {
        let entries = of_place(&list, 1.0);
        return (list, entries);
    }
    // As in Envoy, the shares of all places count, also of those that have nobody left.
    let total: u64 = place_weights.iter().map(|weight| u64::from(*weight)).sum();
    let (mut endpoints, mut entries) = (Vec::new(), Vec::new());
    for (place, weight) in place_weights.iter().enumerate().filter(|(_, weight)| **weight > 0) {
        let is_here = |endpoint: &&Rc<Endpoint>| usize::from(endpoint.placement().place) == place;
        let here: Vec<_> = list.iter().filter(is_here).cloned().collect();
        entries.extend(of_place(&here, f64::from(*weight) / total as f64));
        endpoints.extend(here);
    }
    (endpoints, entries)
}

fn of_place(list: &[Rc<Endpoint>], share: f64) -> Vec<HashEntry> {
    let total: u64 = list.iter().map(|endpoint| u64::from(endpoint.weight())).sum();
    let entry = |endpoint: &Rc<Endpoint>| HashEntry {
        text: endpoint.display.clone(),
        // In this order, for the last bit of it counts: it must be the one that Envoy has.
        share: f64::from(endpoint.weight()) * share / total as f64,
    };
    list.iter().map(entry).collect()
}
