//! Lists that one thread makes longer and others read.

use arc_swap::ArcSwapOption;
use std::{
    fmt,
    sync::{Arc, OnceLock},
};

/// A list begins with so many places, and doubles when they are taken.
const PLACES_AT_FIRST: usize = 16;

type Places<T> = Box<[OnceLock<Arc<T>>]>;

/// A list that one thread adds to. Readers see all that was added before they look; nobody waits for anybody. Without an
/// entry it takes no memory.
pub struct Published<T>(ArcSwapOption<Places<T>>);

impl<T> Default for Published<T> {
    fn default() -> Self {
        Published(ArcSwapOption::empty())
    }
}

impl<T> fmt::Debug for Published<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} entries", self.all().len())
    }
}

impl<T> Published<T> {
    /// What is in it, in the order in which it came.
    pub fn all(&self) -> Vec<Arc<T>> {
        let Some(places) = self.0.load_full() else { return Vec::new() };
        places.iter().map_while(|place| place.get().cloned()).collect()
    }

    /// Adds an entry behind the `len` that there are. To be called by one thread alone.
    pub(super) fn push(&self, len: usize, entry: Arc<T>) {
        if let Some(place) = self.0.load().as_deref().and_then(|places| places.get(len)) {
            place.get_or_init(|| entry);
            return;
        }
        let mut all = self.all();
        all.push(entry);
        self.replace(all);
    }

    /// Has these entries in place of those that there were. To be called by one thread alone.
    pub(super) fn replace(&self, entries: Vec<Arc<T>>) {
        let places = (entries.len() + 1).next_power_of_two().max(PLACES_AT_FIRST);
        let mut entries = entries.into_iter();
        let fill = |_| entries.next().map_or_else(OnceLock::new, OnceLock::from);
        self.0.store(Some(Arc::new((0..places).map(fill).collect())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_keep_their_order_and_readers_see_all_of_them() {
        let list = Published::default();
        assert!(list.all().is_empty());
        (0..1000).for_each(|number: usize| list.push(number, Arc::new(number)));
        assert!(list.all().iter().map(|number| **number).eq(0..1000));
        list.replace(vec![Arc::new(7), Arc::new(8)]);
        list.push(2, Arc::new(9));
        assert_eq!(list.all().iter().map(|number| **number).collect::<Vec<_>>(), [7, 8, 9]);
    }

    #[test]
    fn readers_of_other_threads_meet_no_hole() {
        let list = Published::default();
        std::thread::scope(|threads| {
            threads.spawn(|| (0..20_000).for_each(|number: usize| list.push(number, Arc::new(number))));
            for _ in 0..200 {
                let all = list.all();
                assert!(all.iter().enumerate().all(|(place, number)| place == **number));
            }
        });
        assert_eq!(list.all().len(), 20_000);
    }
}
