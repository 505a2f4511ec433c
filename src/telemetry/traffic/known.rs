//! The series that a shard knows, by what tells them apart.

use crate::telemetry::published::Published;
use std::{borrow::Borrow, cell::RefCell, collections::HashMap, hash::Hash, sync::Arc};

/// At most so many series, and one for what is beyond; all of them are published.
pub(super) struct Known<K, T> {
    map: RefCell<HashMap<K, Entry<T>, foldhash::fast::FixedState>>,
    max: usize,
}

struct Entry<T> {
    series: Arc<T>,
    /// What it had counted when it was last looked at.
    seen: u64,
}

impl<K: Eq + Hash, T> Known<K, T> {
    pub(super) fn new(max: usize) -> Known<K, T> {
        Known { map: RefCell::default(), max }
    }

    pub(super) fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<Arc<T>>
    where
        K: Borrow<Q>,
    {
        self.map.borrow().get(key).map(|entry| Arc::clone(&entry.series))
    }

    /// Whether a series that is added now is beyond the limit.
    pub(super) fn is_full(&self) -> bool {
        self.map.borrow().len() >= self.max
    }

    /// Adds a series that is not there.
    pub(super) fn add(&self, key: K, series: T, published: &Published<T>) -> Arc<T> {
        let mut map = self.map.borrow_mut();
        let series = Arc::new(series);
        published.push(map.len(), Arc::clone(&series));
        map.insert(key, Entry { series: Arc::clone(&series), seen: 0 });
        series
    }

    /// Whether more than half of the places are taken.
    pub(super) fn is_crowded(&self) -> bool {
        self.map.borrow().len() > self.max / 2
    }

    /// Looks at what each has counted. Where room is wanted, drops those that have counted nothing since the last time, and that
    /// nobody uses.
    pub(super) fn sweep(&self, is_crowded: bool, published: &Published<T>, count: impl Fn(&T) -> u64) {
        let mut map = self.map.borrow_mut();
        let before = map.len();
        map.retain(|_, entry| {
            let counted = count(&entry.series);
            let has_changed = std::mem::replace(&mut entry.seen, counted) != counted;
            // This map's and the list's.
            !is_crowded || has_changed || Arc::strong_count(&entry.series) > 2
        });
        if map.len() != before {
            published.replace(map.values().map(|entry| Arc::clone(&entry.series)).collect());
        }
    }
}
