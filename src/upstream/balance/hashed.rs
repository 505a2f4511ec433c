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

/// The endpoints of a priority, and the weights of the places that they are in, if places have weights.
type Level = (Vec<Rc<Endpoint>>, Vec<(u16, u32)>);

/// Where the table is.
enum Source {
    /// Made with the snapshot's first use, for all shards: the priority.
    Shared(Arc<ConsistentHash>, usize),
    /// This shard's own.
    Own(HashTable),
}

impl Hashed {
    /// The tables of all priorities, which are given with the weights of their places. `is_whole`: they are all endpoints of
    /// a fixed set, so that all shards may use the same tables.
    pub(super) fn all(levels: Vec<Level>, is_whole: bool, how: &Arc<ConsistentHash>) -> Vec<Hashed> {
        let levels: Vec<_> = levels.into_iter().map(|(list, places)| entries(list, &places)).collect();
        let table =
            |(_, entries): &(Vec<Rc<Endpoint>>, Vec<HashEntry>)| HashTable::new(how.algorithm, entries);
        if is_whole {
            how.shared.get_or_init(|| levels.iter().map(table).collect());
        }
        let hashed = |(priority, level): (usize, (Vec<Rc<Endpoint>>, Vec<HashEntry>))| Hashed {
            table: match is_whole {
                true => Source::Shared(Arc::clone(how), priority),
                false => Source::Own(table(&level)),
            },
            list: level.0,
        };
        levels.into_iter().enumerate().map(hashed).collect()
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

/// The endpoints with their shares. Where places have weights, the endpoints of a place share what it has.
fn entries(list: Vec<Rc<Endpoint>>, places: &[(u16, u32)]) -> (Vec<Rc<Endpoint>>, Vec<HashEntry>) {
    if places.is_empty() {
        let entries = of_place(&list, 1.0);
        return (list, entries);
    }
    // As in Envoy, the weights of all places count, also of those that have nobody left.
    let total: u64 = places.iter().map(|(_, weight)| u64::from(*weight)).sum();
    let (mut endpoints, mut entries) = (Vec::new(), Vec::new());
    for (place, weight) in places.iter().filter(|(_, weight)| *weight > 0) {
        let is_here = |endpoint: &&Rc<Endpoint>| endpoint.placement().place == *place;
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
