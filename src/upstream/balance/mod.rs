//! Choosing an endpoint (specification section 4.3), as Envoy does with Istio's settings.
//!
//! - `group`: endpoints that are alike: by load, by turns, by chance
//! - `edf`: turns by weight
//! - `hashed`: by a hash of the request
//! - `levels`: priorities, places and health
//! - `load`: how much each priority gets
//! - `random`: randomness
//!
//! What an endpoint has to do is counted by each shard for itself: `LEAST_REQUEST` compares the requests that this shard
//! has at two endpoints. Every shard gets its part of all clients, so what is least for one is so for all, as far as chance
//! goes. Turns are each shard's own too.

mod edf;
mod group;
mod hashed;
mod levels;
mod load;
mod random;
#[cfg(test)]
mod tests;

pub use random::Random;

use super::Endpoint;
use crate::table::{Balance, Warmup};
use edf::Edf;
use group::Group;
use levels::Levels;
use std::{rc::Rc, time::Instant};

/// What a choice goes by, beside the cluster's own settings.
#[derive(Clone, Copy)]
pub struct Pick<'a> {
    /// The shard's randomness.
    pub random: &'a Random,
    /// The time, for endpoints that warm up; the start of the request is good enough.
    pub now: Instant,
    /// The hash of the request's key, for a cluster that has a key; nothing if the request has none.
    pub hash: Option<u64>,
    /// The endpoints that were tried already, in order.
    pub tried: &'a [Rc<Endpoint>],
    /// Those that were tried are not chosen again while there are others (`retryIgnorePreviousHosts`).
    pub avoids_tried: bool,
    /// After two attempts, priorities that were tried are not chosen again while there are others
    /// (`retryRemoteLocalities`).
    pub leaves_priorities: bool,
}

impl Pick<'_> {
    /// A first choice, without a hash.
    pub fn first(random: &Random, now: Instant) -> Pick<'_> {
        Pick { random, now, hash: None, tried: &[], avoids_tried: true, leaves_priorities: false }
    }

    fn shuns(&self, endpoint: &Rc<Endpoint>) -> bool {
        self.avoids_tried && self.tried.iter().any(|tried| Rc::ptr_eq(tried, endpoint))
    }
}

/// What a cluster's endpoints are arranged by.
struct Rule<'a> {
    balance: &'a Balance,
    /// `warmup`, while some endpoint warms up.
    warming: Option<&'a Warmup>,
    random: &'a Random,
    now: Instant,
}

/// The endpoints of a cluster, arranged so that a choice is quick. What changes them arranges them anew: in time that is
/// proportional to their number, or to the places of a table of hashes (some milliseconds for Maglev's usual one).
pub(super) struct Arranged {
    way: Way,
    /// Until then some endpoint warms up.
    warm_at: Option<Instant>,
}

enum Way {
    /// One priority, and all are healthy: the usual case.
    Plain(Group),
    Levels(Box<Levels>),
}

impl Arranged {
    /// `is_fixed`: the endpoints are those of the snapshot, all of them.
    pub(super) fn new(
        all: &Rc<[Rc<Endpoint>]>,
        is_fixed: bool,
        balance: &Balance,
        (random, now): (&Random, Instant),
    ) -> Arranged {
        let warm_at = balance.warmup.as_deref().and_then(|warmup| {
            let warm_at = all.iter().filter_map(|endpoint| endpoint.joined().checked_add(warmup.duration));
            warm_at.max().filter(|warm_at| *warm_at > now)
        });
        let warming = balance.warmup.as_deref().filter(|_| warm_at.is_some());
        let rule = Rule { balance, warming, random, now };
        let is_plain = balance.hash.is_none()
            && balance.place_weights.is_empty()
            && all.iter().all(|endpoint| endpoint.is_healthy() && endpoint.placement().priority == 0);
        let way = match is_plain {
            true => Way::Plain(Group::new(Rc::clone(all), &rule)),
            false => Way::Levels(Box::new(Levels::new(all, is_fixed, &rule))),
        };
        Arranged { way, warm_at }
    }

    /// Whether an endpoint that warmed up has its whole share now.
    pub(super) fn is_outdated(&self, now: Instant) -> bool {
        self.warm_at.is_some_and(|warm_at| warm_at <= now)
    }

    /// Chooses an endpoint; nothing if there is none that may be used.
    pub(super) fn choose(&mut self, balance: &Balance, pick: &Pick<'_>) -> Option<Rc<Endpoint>> {
        let warming = balance.warmup.as_deref().filter(|_| self.warm_at.is_some());
        match &mut self.way {
            Way::Plain(group) => group.choose(balance.method, warming, pick),
            Way::Levels(levels) => {
                levels.choose(&Rule { balance, warming, random: pick.random, now: pick.now }, pick)
            }
        }
    }
}
