//! Who is chosen, and how often.

use super::*;
use crate::filter::HashKey;
use crate::{
    table::{self, ConsistentHash, EndpointAddress, HashAlgorithm, LoadBalancing, Placement},
    upstream::Ailment,
};
use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

/// An endpoint's weight, priority and place.
type Shape = (u32, u8, u16);

struct Setting {
    all: Rc<[Rc<Endpoint>]>,
    balance: Balance,
    random: Random,
    now: Instant,
    arranged: Option<Arranged>,
}

fn by(method: LoadBalancing) -> Balance {
    Balance { method, ..Balance::default() }
}

fn weights(list: &[u32]) -> Vec<Shape> {
    list.iter().map(|weight| (*weight, 0, 0)).collect()
}

impl Setting {
    fn new(balance: Balance, shapes: &[Shape]) -> Setting {
        let now = Instant::now();
        let endpoint = |(number, (weight, priority, place)): (usize, &Shape)| {
            let address = EndpointAddress::Tcp(([127, 0, 0, 1], 1000 + number as u16).into());
            let placement = Placement { priority: *priority, place: *place };
            Rc::new(
                Endpoint::new(
                    &table::Endpoint { address, weight: *weight, placement, health: Default::default() },
                    now,
                )
                .unwrap(),
            )
        };
        let all = shapes.iter().enumerate().map(endpoint).collect();
        Setting { all, balance, random: Random::seeded(4711), now, arranged: None }
    }

    fn pick(&mut self, hash: Option<u64>, tried: &[Rc<Endpoint>], leaves_priorities: bool) -> Option<usize> {
        let first = Pick::first(&self.random, self.now);
        let pick = Pick { hash, tried, leaves_priorities, ..first };
        let with = (&self.random, self.now);
        let outdated = self.arranged.as_ref().is_none_or(|arranged| arranged.is_outdated(self.now));
        if outdated {
            self.arranged = Some(Arranged::new(&self.all, true, &self.balance, with));
        }
        let chosen = self.arranged.as_mut().unwrap().choose(&self.balance, &pick)?;
        self.all.iter().position(|endpoint| Rc::ptr_eq(endpoint, &chosen))
    }

    fn next(&mut self) -> Option<usize> {
        self.pick(None, &[], false)
    }

    fn fail(&mut self, at: usize) {
        assert!(self.all[at].set_healthy(Ailment::Ejected, false, self.now));
        self.arranged = None;
    }

    fn spread(&mut self, draws: usize) -> Vec<usize> {
        let mut counts = vec![0; self.all.len()];
        (0..draws).for_each(|_| counts[self.next().unwrap()] += 1);
        counts
    }

    /// Within three standard errors of these shares.
    fn assert_shares(&mut self, shares: &[f64]) {
        const DRAWS: usize = 10_000;
        let counts = self.spread(DRAWS);
        let total: f64 = shares.iter().sum();
        for (count, share) in counts.iter().zip(shares) {
            let share = share / total;
            let expected = share * DRAWS as f64;
            let error = 3.0 * (DRAWS as f64 * share * (1.0 - share)).sqrt() + 1.0;
            assert!((*count as f64 - expected).abs() <= error, "{counts:?}, not {shares:?}");
        }
    }
}

#[test]
fn round_robin_takes_turns() {
    let mut setting = Setting::new(by(LoadBalancing::RoundRobin), &weights(&[1, 1, 1]));
    let first = setting.next().unwrap();
    let turns: Vec<_> = (1..7).map(|_| setting.next().unwrap()).collect();
    assert_eq!(turns, (1..7).map(|turn| (first + turn) % 3).collect::<Vec<_>>());
}

#[test]
fn turns_by_weight_are_spread_out() {
    let mut setting = Setting::new(by(LoadBalancing::RoundRobin), &weights(&[1, 2, 5]));
    let turns: Vec<_> = (0..800).map(|_| setting.next().unwrap()).collect();
    for window in turns.windows(8) {
        let count = |who| window.iter().filter(|turn| **turn == who).count();
        assert!((0..=2).contains(&count(0)) && (1..=3).contains(&count(1)) && (4..=6).contains(&count(2)));
    }
    for (who, expected) in [(0usize, 100usize), (1, 200), (2, 500)] {
        assert!(turns.iter().filter(|turn| **turn == who).count().abs_diff(expected) <= 1);
    }
}

#[test]
fn every_method_follows_the_weights() {
    for method in [LoadBalancing::LeastRequest, LoadBalancing::RoundRobin, LoadBalancing::Random] {
        Setting::new(by(method), &weights(&[1, 3, 6])).assert_shares(&[1.0, 3.0, 6.0]);
        Setting::new(by(method), &weights(&[1, 1, 1])).assert_shares(&[1.0, 1.0, 1.0]);
    }
}

#[test]
fn least_request_keeps_the_slow_one_below_its_share() {
    for shapes in [weights(&[1, 1, 1]), weights(&[2, 2, 1])] {
        let mut setting = Setting::new(by(LoadBalancing::LeastRequest), &shapes);
        // The first one answers after 50 turns, the others after 5.
        let mut flying = std::collections::VecDeque::new();
        let mut counts = [0u32; 3];
        for turn in 0..10_000 {
            flying.retain(|(until, _)| *until > turn);
            let chosen = setting.next().unwrap();
            counts[chosen] += 1;
            let takes = if chosen == 0 { 50 } else { 5 };
            flying.push_back((turn + takes, setting.all[chosen].begin()));
        }
        assert!(counts[0] < 2000, "{counts:?}");
        assert!(counts[0] > 100, "{counts:?}");
    }
}

#[test]
fn what_was_tried_is_avoided_while_anything_else_is_there() {
    for method in [LoadBalancing::LeastRequest, LoadBalancing::RoundRobin, LoadBalancing::Random] {
        for shapes in [weights(&[1, 1, 1]), weights(&[50, 1, 50])] {
            let mut setting = Setting::new(by(method), &shapes);
            let tried = [Rc::clone(&setting.all[0]), Rc::clone(&setting.all[2])];
            for _ in 0..50 {
                assert_eq!(setting.pick(None, &tried, false), Some(1));
            }
            let all: Vec<_> = setting.all.iter().cloned().collect();
            assert!(setting.pick(None, &all, false).is_some());
        }
    }
}

#[test]
fn without_endpoints_nobody_is_chosen() {
    for method in [LoadBalancing::LeastRequest, LoadBalancing::RoundRobin, LoadBalancing::Random] {
        assert_eq!(Setting::new(by(method), &[]).next(), None);
    }
}

#[test]
fn the_unhealthy_get_nothing_and_in_panic_all_get_something() {
    let mut setting = Setting::new(Balance { panic_percent: 0, ..Balance::default() }, &weights(&[1, 1, 1]));
    setting.fail(0);
    setting.assert_shares(&[0.0, 1.0, 1.0]);
    setting.fail(1);
    setting.assert_shares(&[0.0, 0.0, 1.0]);
    setting.fail(2);
    assert_eq!(setting.next(), None);
    // Envoy's own threshold: half.
    setting.balance.panic_percent = table::PANIC_PERCENT;
    setting.arranged = None;
    setting.assert_shares(&[1.0, 1.0, 1.0]);
}

#[test]
fn farther_priorities_take_what_nearer_ones_cannot() {
    let shapes = [(1, 0, 0), (1, 0, 0), (1, 1, 0), (1, 1, 0), (1, 2, 0)];
    let mut setting = Setting::new(Balance { panic_percent: 0, ..Balance::default() }, &shapes);
    setting.assert_shares(&[1.0, 1.0, 0.0, 0.0, 0.0]);
    setting.fail(0);
    setting.assert_shares(&[0.0, 70.0, 15.0, 15.0, 0.0]);
    setting.fail(1);
    setting.assert_shares(&[0.0, 0.0, 1.0, 1.0, 0.0]);
    setting.fail(2);
    setting.fail(3);
    setting.assert_shares(&[0.0, 0.0, 0.0, 0.0, 1.0]);
}

#[test]
fn retries_leave_priorities_that_were_tried() {
    let mut setting = Setting::new(Balance::default(), &[(1, 0, 0), (1, 0, 0), (1, 1, 0)]);
    let tried: Vec<_> = setting.all.iter().cloned().collect();
    for _ in 0..20 {
        assert_ne!(setting.pick(None, &tried[..1], true), Some(2), "one attempt is not enough");
        assert_eq!(setting.pick(None, &tried[..2], true), Some(2));
        assert_ne!(setting.pick(None, &tried[..2], false), Some(2));
    }
}

#[test]
fn places_get_their_shares() {
    let shapes = [(1, 0, 0), (1, 0, 1), (1, 0, 1), (1, 0, 2)];
    let balance = Balance { place_weights: [80, 20, 0].into(), panic_percent: 0, ..Balance::default() };
    let mut setting = Setting::new(balance, &shapes);
    setting.assert_shares(&[80.0, 10.0, 10.0, 0.0]);
    // Half of a place's endpoints, with Envoy's overprovisioning, carry 70 % of its share.
    setting.fail(1);
    setting.assert_shares(&[80.0, 0.0, 14.0, 0.0]);
    setting.fail(0);
    setting.assert_shares(&[0.0, 0.0, 1.0, 0.0]);
}

#[test]
fn a_new_endpoint_warms_up() {
    let warmup = Some(Box::new(Warmup { duration: Duration::from_secs(100), minimum: 0.1, aggression: 1.0 }));
    for method in [LoadBalancing::LeastRequest, LoadBalancing::RoundRobin] {
        let balance = Balance { warmup: warmup.clone(), ..by(method) };
        let mut setting = Setting::new(balance, &weights(&[1, 1]));
        setting.assert_shares(&[1.0, 1.0]);
        let begin = setting.now;
        setting.now = begin + Duration::from_secs(100);
        // The second one comes back: its checks had failed.
        setting.all[1].set_healthy(Ailment::FailedChecks, false, setting.now);
        setting.all[1].set_healthy(Ailment::FailedChecks, true, setting.now);
        setting.arranged = None;
        setting.assert_shares(&[1.0, 0.1]);
        setting.now = begin + Duration::from_secs(150);
        setting.spread(100);
        setting.assert_shares(&[1.0, 0.5]);
        setting.now = begin + Duration::from_secs(200);
        setting.assert_shares(&[1.0, 1.0]);
    }
}

fn hashing(algorithm: HashAlgorithm) -> Balance {
    let hash = ConsistentHash { key: HashKey::SourceIp, algorithm, shared: OnceLock::new() };
    Balance { hash: Some(Arc::new(hash)), panic_percent: 0, ..Balance::default() }
}

#[test]
fn a_hash_stays_where_it_is_but_for_those_of_an_endpoint_that_fails() {
    for algorithm in [HashAlgorithm::Ring(1024), HashAlgorithm::Maglev(65537)] {
        let mut setting = Setting::new(hashing(algorithm), &weights(&[1, 1, 2, 1, 1]));
        let hash = |n: u64| Some(n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let all = |setting: &mut Setting| -> Vec<usize> {
            (0..1000).map(|n| setting.pick(hash(n), &[], false).unwrap()).collect()
        };
        let before = all(&mut setting);
        assert_eq!(before, all(&mut setting));
        setting.fail(1);
        let between = all(&mut setting);
        assert!(between.iter().all(|chosen| *chosen != 1));
        let moved = before.iter().zip(&between).filter(|(one, other)| **one != 1 && one != other).count();
        // A ring moves some more, as in Envoy, for the rest get more places each.
        assert!(moved < 200, "{algorithm:?}: {moved}");
        setting.all[1].set_healthy(Ailment::Ejected, true, setting.now);
        setting.arranged = None;
        assert_eq!(before, all(&mut setting));
    }
}

#[test]
fn a_request_without_a_key_goes_anywhere() {
    let mut setting = Setting::new(hashing(HashAlgorithm::Maglev(65537)), &weights(&[1, 1, 1]));
    let counts = setting.spread(3000);
    assert!(counts.iter().all(|count| *count > 800), "{counts:?}");
}

#[test]
fn a_hash_may_be_tried_where_it_failed_or_elsewhere() {
    for algorithm in [HashAlgorithm::Ring(1024), HashAlgorithm::Maglev(65537)] {
        let mut setting = Setting::new(hashing(algorithm), &weights(&[1, 1, 1, 1]));
        let first = setting.pick(Some(77), &[], false).unwrap();
        let tried = [Rc::clone(&setting.all[first])];
        assert_ne!(setting.pick(Some(77), &tried, false), Some(first));
        let pick = Pick {
            hash: Some(77),
            tried: &tried,
            avoids_tried: false,
            ..Pick::first(&setting.random, setting.now)
        };
        let again = setting.arranged.as_mut().unwrap().choose(&setting.balance, &pick).unwrap();
        assert!(Rc::ptr_eq(&again, &tried[0]));
    }
}
