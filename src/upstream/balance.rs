//! Choosing an endpoint (specification section 4.3).

use super::Endpoint;
use crate::table::LoadBalancing;
use std::{
    cell::Cell,
    hash::{BuildHasher, Hasher, RandomState},
    rc::Rc,
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
}

/// Chooses among the endpoints that are not in `tried`; among all, when all were tried. Nothing for no endpoints.
pub(super) fn choose(
    policy: LoadBalancing,
    endpoints: &[Rc<Endpoint>],
    total_weight: u64,
    turn: &Cell<u64>,
    random: &Random,
    tried: &[Rc<Endpoint>],
) -> Option<Rc<Endpoint>> {
    match endpoints {
        [] => return None,
        [only] => return Some(Rc::clone(only)),
        _ => {}
    }
    let untried = |endpoint: &Rc<Endpoint>| !tried.iter().any(|t| Rc::ptr_eq(t, endpoint));
    let draw = || by_weight(endpoints, random.below(total_weight));
    // A bounded number of draws; then whatever has not been tried yet, in order.
    for _ in 0..5 {
        let chosen = match policy {
            LoadBalancing::LeastRequest => fewer_active(draw()?, draw()?),
            LoadBalancing::Random => draw()?,
            LoadBalancing::RoundRobin => {
                let place = turn.get();
                turn.set(place.wrapping_add(1));
                by_weight(endpoints, place % total_weight.max(1))?
            }
        };
        if untried(chosen) {
            return Some(Rc::clone(chosen));
        }
    }
    endpoints.iter().find(|endpoint| untried(endpoint)).or(endpoints.first()).cloned()
}

/// The endpoint at this place of the line on which each is as long as its weight.
fn by_weight(endpoints: &[Rc<Endpoint>], mut place: u64) -> Option<&Rc<Endpoint>> {
    for endpoint in endpoints {
        let weight = u64::from(endpoint.weight());
        if place < weight {
            return Some(endpoint);
        }
        place -= weight;
    }
    endpoints.last()
}

/// Power of two choices, by active requests.
fn fewer_active<'a>(one: &'a Rc<Endpoint>, other: &'a Rc<Endpoint>) -> &'a Rc<Endpoint> {
    if other.active() < one.active() { other } else { one }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table;

    fn endpoints(weights: &[u32]) -> Vec<Rc<Endpoint>> {
        let endpoint = |(index, weight): (usize, &u32)| {
            let address = table::EndpointAddress::Tcp(([127, 0, 0, 1], 1000 + index as u16).into());
            Rc::new(
                Endpoint::new(&table::Endpoint { address, weight: *weight, health: Default::default() })
                    .unwrap(),
            )
        };
        weights.iter().enumerate().map(endpoint).collect()
    }

    fn spread(policy: LoadBalancing, weights: &[u32], draws: usize) -> Vec<usize> {
        let (list, turn, random) = (endpoints(weights), Cell::new(0), Random::default());
        let total = weights.iter().map(|w| u64::from(*w)).sum();
        let mut counts = vec![0; weights.len()];
        for _ in 0..draws {
            let chosen = choose(policy, &list, total, &turn, &random, &[]).unwrap();
            counts[list.iter().position(|e| Rc::ptr_eq(e, &chosen)).unwrap()] += 1;
        }
        counts
    }

    #[test]
    fn round_robin_takes_turns_by_weight() {
        assert_eq!(spread(LoadBalancing::RoundRobin, &[1, 2, 1], 40), [10, 20, 10]);
    }

    #[test]
    fn random_follows_the_weights() {
        let counts = spread(LoadBalancing::Random, &[1, 3], 4000);
        assert!((800..1200).contains(&counts[0]), "{counts:?}");
    }

    #[test]
    fn least_request_avoids_the_busy_one() {
        let (list, turn, random) = (endpoints(&[1, 1]), Cell::new(0), Random::default());
        let _busy: Vec<_> = (0..50).map(|_| list[0].begin()).collect();
        let picks = (0..400)
            .filter_map(|_| choose(LoadBalancing::LeastRequest, &list, 2, &turn, &random, &[]))
            .filter(|chosen| Rc::ptr_eq(chosen, &list[0]))
            .count();
        // Only when both draws hit it: a quarter.
        assert!(picks < 160, "{picks}");
    }

    #[test]
    fn what_was_tried_is_avoided_while_anything_else_is_there() {
        let (list, turn, random) = (endpoints(&[1, 1, 1]), Cell::new(0), Random::default());
        let tried = [Rc::clone(&list[0]), Rc::clone(&list[2])];
        for policy in [LoadBalancing::LeastRequest, LoadBalancing::RoundRobin, LoadBalancing::Random] {
            let chosen = choose(policy, &list, 3, &turn, &random, &tried).unwrap();
            assert!(Rc::ptr_eq(&chosen, &list[1]));
        }
    }
}
