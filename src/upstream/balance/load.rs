//! How much each priority gets (Envoy's priority levels, overprovisioning and panic).

use crate::table::PRIORITIES_MAX;

/// Endpoints count for this much more than their share, in percent: a priority whose endpoints have failed loses nothing
/// to the next one until less than 5 of 7 are left (Envoy's overprovisioning factor, which Istio leaves alone).
const OVERPROVISIONING: u64 = 140;

/// The endpoints of one priority.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) all: usize,
    pub(super) healthy: usize,
}

/// What one priority gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Load {
    /// How much it could take, in percent of everything.
    pub(super) health: u64,
    /// How much it gets, in percent; all together are 100.
    pub(super) share: u64,
    /// So few of its endpoints are healthy that all are used.
    pub(super) in_panic: bool,
}

/// A set of priorities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Priorities(u32);

impl Priorities {
    pub(super) fn insert(&mut self, priority: u8) {
        self.0 |= 1 << priority.min(PRIORITIES_MAX - 1);
    }

    fn contains(self, priority: usize) -> bool {
        self.0 >> priority.min(31) & 1 != 0
    }
}

/// What each priority gets.
pub(super) fn loads(counts: &[Count], panic_percent: u8) -> Vec<Load> {
    let health = |count: &Count| {
        let percent = (OVERPROVISIONING * count.healthy as u64).checked_div(count.all as u64);
        Load { health: percent.unwrap_or(0).min(100), ..Load::default() }
    };
    let mut loads: Vec<Load> = counts.iter().map(health).collect();
    let available = available(&loads);
    if available == 0 && panic_percent == 0 {
        // Nobody will be found there, but somebody must have it all.
        if let Some(first) = loads.first_mut() {
            first.share = 100;
        }
        return loads;
    }
    share_out(&mut loads, available);
    for (load, count) in loads.iter_mut().zip(counts) {
        let is_short = 100 * (count.healthy as u64) < u64::from(panic_percent) * (count.all as u64).max(1);
        load.in_panic = available < 100 && is_short;
    }
    if loads.iter().all(|load| load.in_panic) {
        share_by_count(&mut loads, counts);
    }
    loads
}

/// What each priority gets where some are not to be used; `None` if nothing is left.
pub(super) fn without(loads: &[Load], tried: Priorities) -> Option<Vec<Load>> {
    let rest = |(priority, load): (usize, &Load)| match tried.contains(priority) {
        true => Load { health: 0, ..*load },
        false => *load,
    };
    let mut rest: Vec<Load> = loads.iter().enumerate().map(rest).collect();
    let available = available(&rest);
    share_out(&mut rest, available);
    (available > 0).then_some(rest)
}

fn available(loads: &[Load]) -> u64 {
    loads.iter().map(|load| load.health).sum::<u64>().min(100)
}

/// The first ones get as much as they can take; what rounding leaves goes to the first that can take anything.
fn share_out(loads: &mut [Load], available: u64) {
    let mut left = 100;
    for load in loads.iter_mut() {
        load.share = (load.health * 100).checked_div(available).unwrap_or(0).min(left);
        left -= load.share;
    }
    if let Some(first) = loads.iter_mut().find(|load| load.health > 0) {
        first.share += left;
    }
}

/// Where all priorities are in panic each gets as much as it has endpoints, in whatever state they are.
fn share_by_count(loads: &mut [Load], counts: &[Count]) {
    let total: usize = counts.iter().map(|count| count.all).sum();
    let mut left = 100;
    for (load, count) in loads.iter_mut().zip(counts) {
        load.share = (100 * count.all).checked_div(total).unwrap_or(0) as u64;
        left -= load.share;
    }
    let first = counts.iter().position(|count| count.all > 0).unwrap_or(0);
    if let Some(first) = loads.get_mut(first) {
        first.share += left;
    }
}

/// The priority that a number belongs to.
pub(super) fn choose(loads: &[Load], number: u64) -> usize {
    let mut place = number % 100;
    for (priority, load) in loads.iter().enumerate() {
        if place < load.share {
            return priority;
        }
        place -= load.share;
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(list: &[(usize, usize)]) -> Vec<Count> {
        list.iter().map(|(healthy, all)| Count { all: *all, healthy: *healthy }).collect()
    }

    fn shares(list: &[(usize, usize)], panic_percent: u8) -> Vec<u64> {
        loads(&counts(list), panic_percent).iter().map(|load| load.share).collect()
    }

    fn in_panic(list: &[(usize, usize)], panic_percent: u8) -> Vec<bool> {
        loads(&counts(list), panic_percent).iter().map(|load| load.in_panic).collect()
    }

    #[test]
    fn the_next_priority_gets_what_the_first_cannot_take() {
        // The table of Envoy's documentation of priority levels.
        for (healthy, first) in [(100, 100), (72, 100), (71, 99), (50, 70), (25, 35), (0, 0)] {
            assert_eq!(shares(&[(healthy, 100), (100, 100)], 0), [first, 100 - first], "{healthy}");
        }
        assert_eq!(shares(&[(25, 100), (25, 100)], 0), [50, 50]);
        assert_eq!(shares(&[(100, 100), (100, 100), (100, 100)], 0), [100, 0, 0]);
        assert_eq!(shares(&[(0, 100), (0, 100), (100, 100)], 0), [0, 0, 100]);
        assert_eq!(shares(&[(50, 100), (10, 100), (100, 100)], 0), [70, 14, 16]);
    }

    #[test]
    fn rounding_loses_nothing() {
        for list in [[(1, 10), (1, 10), (1, 10)], [(1, 7), (0, 7), (2, 9)], [(3, 7), (1, 100), (1, 100)]] {
            assert_eq!(shares(&list, 0).iter().sum::<u64>(), 100, "{list:?}");
        }
    }

    #[test]
    fn panic_needs_a_lack_everywhere_and_here() {
        assert_eq!(in_panic(&[(4, 10)], 50), [true]);
        assert_eq!(in_panic(&[(5, 10)], 50), [false]);
        // Together they can take everything, so nobody panics.
        assert_eq!(in_panic(&[(1, 10), (10, 10)], 50), [false, false]);
        assert_eq!(in_panic(&[(1, 10), (5, 10)], 50), [true, false]);
        assert_eq!(in_panic(&[(0, 10)], 0), [false]);
        assert_eq!(in_panic(&[(0, 10)], 50), [true]);
    }

    #[test]
    fn in_total_panic_each_priority_gets_as_much_as_it_has_endpoints() {
        assert_eq!(shares(&[(0, 1), (0, 3)], 50), [25, 75]);
        assert_eq!(shares(&[(0, 1), (0, 2)], 50), [34, 66]);
        assert_eq!(shares(&[(0, 0), (0, 0)], 50), [100, 0]);
    }

    #[test]
    fn without_health_and_without_panic_the_first_has_it_all() {
        assert_eq!(shares(&[(0, 2), (0, 2)], 0), [100, 0]);
    }

    #[test]
    fn priorities_that_were_tried_are_left_out() {
        let all = loads(&counts(&[(10, 10), (10, 10)]), 0);
        let mut tried = Priorities::default();
        tried.insert(0);
        assert_eq!(without(&all, tried).unwrap().iter().map(|load| load.share).collect::<Vec<_>>(), [0, 100]);
        tried.insert(1);
        assert_eq!(without(&all, tried), None);
    }

    #[test]
    fn numbers_are_spread_over_the_shares() {
        let all = loads(&counts(&[(50, 100), (100, 100)]), 0);
        let first = (0..1000).filter(|number| choose(&all, *number) == 0).count();
        assert_eq!(first, 700);
    }
}
