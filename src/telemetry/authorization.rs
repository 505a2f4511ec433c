//! How often each policy of a gateway has matched.
//!
//! A table has a fixed number of slots. The shard gives a slot its name once and then counts in it; the admin thread reads
//! what is there. A policy keeps its slot when the configuration is read again.

use super::{Counter, Counters, bump};
use std::{
    cell::RefCell,
    collections::HashMap,
    sync::{Arc, OnceLock, atomic::Ordering},
};

/// Policies that one shard tells apart. A gateway has some dozens; what is beyond counts as one, so that the metrics page
/// stays readable and the table takes no more than some 64 KiB, and only where there is a policy.
const POLICIES_MAX: usize = 2048;

/// The labels of what is beyond.
const OTHERS: &str = "policy=\"others\"";

#[derive(Debug, Default)]
struct Slot {
    labels: OnceLock<Arc<str>>,
    matched: Counter,
}

/// One shard's numbers of all policies. Without a policy it takes no memory.
#[derive(Debug, Default)]
pub struct PolicyTable {
    slots: OnceLock<Box<[Slot]>>,
}

impl PolicyTable {
    /// Calls `with` with the labels of each policy that has matched, and how often it has.
    pub fn each(&self, mut with: impl FnMut(&str, u64)) {
        for slot in self.slots.get().into_iter().flatten() {
            if let Some(labels) = slot.labels.get() {
                with(labels, slot.matched.load(Ordering::Relaxed));
            }
        }
    }

    fn slots(&self) -> &[Slot] {
        self.slots.get_or_init(|| (0..=POLICIES_MAX).map(|_| Slot::default()).collect())
    }
}

/// The shard's side of its table.
pub struct PolicyCounts {
    counters: Arc<Counters>,
    known: RefCell<HashMap<Arc<str>, usize, foldhash::fast::FixedState>>,
}

impl PolicyCounts {
    /// Counts in this shard's table, as the only one.
    pub fn new(counters: Arc<Counters>) -> PolicyCounts {
        PolicyCounts { counters, known: RefCell::default() }
    }

    /// Counts a match of the policy with these labels, which are written as Prometheus has them.
    pub fn matched(&self, labels: &Arc<str>) {
        let known = self.known.borrow().get(labels).copied();
        let place = known.unwrap_or_else(|| self.add(labels));
        if let Some(slot) = self.counters.policies.slots().get(place) {
            bump(&slot.matched, 1);
        }
    }

    fn add(&self, labels: &Arc<str>) -> usize {
        let mut known = self.known.borrow_mut();
        // The first is for what is beyond.
        let place = known.len() + 1;
        let slots = self.counters.policies.slots();
        match slots.get(place) {
            Some(slot) => {
                slot.labels.get_or_init(|| Arc::clone(labels));
                known.insert(Arc::clone(labels), place);
                place
            }
            None => {
                slots.first().map(|slot| slot.labels.get_or_init(|| OTHERS.into()));
                0
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_counted_by_their_labels_and_not_without_end() {
        let counts = PolicyCounts::new(Arc::default());
        assert!(counts.counters.policies.slots.get().is_none());
        let labels = |number: usize| -> Arc<str> { format!("policy=\"{number}\"").into() };
        counts.matched(&labels(7));
        (0..POLICIES_MAX + 10).for_each(|number| counts.matched(&labels(number)));
        let mut all = Vec::new();
        counts.counters.policies.each(|labels, matched| all.push((labels.to_owned(), matched)));
        assert_eq!(all.len(), POLICIES_MAX + 1);
        assert_eq!(all[0], (OTHERS.to_owned(), 10));
        assert_eq!(all[1], ("policy=\"7\"".to_owned(), 2));
        assert_eq!(all[2], ("policy=\"0\"".to_owned(), 1));
    }
}
