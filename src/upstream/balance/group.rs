//! Endpoints among which a method chooses.

use super::{Edf, Pick, Rule};
use crate::{
    table::{LoadBalancing, Warmup},
    upstream::Endpoint,
};
use std::{rc::Rc, time::Instant};

/// Draws among which one is looked for that was not tried yet (Istio's `host_selection_retry_max_attempts`).
pub(super) const DRAWS: u32 = 5;

/// Endpoints that are alike but for their weights and their load.
pub(super) struct Group {
    pub(super) list: Rc<[Rc<Endpoint>]>,
    turns: Turns,
}

/// How they take turns.
enum Turns {
    /// All have the same weight: the number of the next one.
    Alike(usize),
    /// By weight.
    Weighted(Edf),
    /// By chance: the sum of the weights.
    Random(u64),
}

impl Group {
    pub(super) fn new(list: Rc<[Rc<Endpoint>]>, rule: &Rule<'_>) -> Group {
        let first = list.first().map_or(1, |endpoint| endpoint.weight());
        let are_alike = list.iter().all(|endpoint| endpoint.weight() == first);
        let turns = match rule.balance.method {
            LoadBalancing::Random if !are_alike => {
                Turns::Random(list.iter().map(|endpoint| u64::from(endpoint.weight())).sum())
            }
            LoadBalancing::Random => Turns::Alike(0),
            _ if are_alike && rule.warming.is_none() || list.len() < 2 => {
                Turns::Alike(rule.random.below(list.len() as u64) as usize)
            }
            method => {
                let weights = list.iter().map(|endpoint| weight(endpoint, method, rule.warming, rule.now));
                Turns::Weighted(Edf::new(weights, rule.random))
            }
        };
        Group { list, turns }
    }

    /// Chooses one that was not tried if there is one; nothing if there are none at all.
    pub(super) fn choose(
        &mut self,
        method: LoadBalancing,
        warming: Option<&Warmup>,
        pick: &Pick<'_>,
    ) -> Option<Rc<Endpoint>> {
        if let [only] = &*self.list {
            return Some(Rc::clone(only));
        }
        let first = self.draw(method, warming, pick)?;
        if !pick.shuns(&first) {
            return Some(first);
        }
        for _ in 1..DRAWS {
            if let Some(next) = self.draw(method, warming, pick).filter(|next| !pick.shuns(next)) {
                return Some(next);
            }
        }
        self.list.iter().find(|endpoint| !pick.shuns(endpoint)).cloned().or(Some(first))
    }

    fn draw(
        &mut self,
        method: LoadBalancing,
        warming: Option<&Warmup>,
        pick: &Pick<'_>,
    ) -> Option<Rc<Endpoint>> {
        let list = &self.list;
        let any = || list.get(pick.random.below(list.len() as u64) as usize);
        let chosen = match (&mut self.turns, method) {
            (Turns::Weighted(edf), method) => {
                let weight = |at: usize| list.get(at).map_or(1.0, |e| weight(e, method, warming, pick.now));
                list.get(edf.next(weight)?)
            }
            (Turns::Random(total), _) => by_weight(list, pick.random.below(*total)),
            (Turns::Alike(_), LoadBalancing::LeastRequest) => Some(fewer_active(any()?, any()?)),
            (Turns::Alike(_), LoadBalancing::Random) => any(),
            (Turns::Alike(turn), LoadBalancing::RoundRobin) => {
                let at = *turn;
                *turn = if at + 1 < list.len() { at + 1 } else { 0 };
                list.get(at)
            }
        };
        chosen.cloned()
    }
}

/// Its share at present.
fn weight(endpoint: &Endpoint, method: LoadBalancing, warming: Option<&Warmup>, now: Instant) -> f64 {
    let weight = f64::from(endpoint.weight());
    let weight = match method {
        LoadBalancing::LeastRequest => weight / (f64::from(endpoint.active()) + 1.0),
        LoadBalancing::RoundRobin | LoadBalancing::Random => weight,
    };
    warming.map_or(weight, |warmup| weight * warmup.factor(endpoint.age(now)))
}

/// The endpoint at this place of the line on which each is as long as its weight.
fn by_weight(list: &[Rc<Endpoint>], mut place: u64) -> Option<&Rc<Endpoint>> {
    for endpoint in list {
        let weight = u64::from(endpoint.weight());
        if place < weight {
            return Some(endpoint);
        }
        place -= weight;
    }
    list.last()
}

/// Power of two choices, by active requests.
fn fewer_active<'a>(one: &'a Rc<Endpoint>, other: &'a Rc<Endpoint>) -> &'a Rc<Endpoint> {
    if other.active() < one.active() { other } else { one }
}
