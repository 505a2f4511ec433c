//! Endpoints of several priorities, places or states of health.

use super::{
    Edf, Pick, Rule,
    group::Group,
    hashed::Hashed,
    load::{self, Count, Load, Priorities},
};
use crate::{table::PRIORITIES_MAX, upstream::Endpoint};
use std::rc::Rc;

/// Endpoints of a place count for this much more than their share (Envoy's overprovisioning factor).
const OVERPROVISIONING: f64 = 1.4;

/// Of how many attempts a retry that prefers other priorities leaves those that were tried (Istio's `update_frequency`).
const LEAVES_AFTER: usize = 2;

/// The priorities of a cluster.
pub(super) struct Levels {
    loads: Vec<Load>,
    levels: Vec<Level>,
}

/// How an endpoint of one priority is chosen.
enum Level {
    Group(Group),
    /// A place first, then one of its endpoints.
    Places(Edf, Vec<(f64, Group)>),
    Hashed(Hashed),
}

impl Levels {
    /// `is_fixed`: the endpoints are those of the snapshot, all of them.
    pub(super) fn new(all: &[Rc<Endpoint>], is_fixed: bool, rule: &Rule<'_>) -> Levels {
        let priority =
            |endpoint: &Rc<Endpoint>| usize::from(endpoint.placement().priority.min(PRIORITIES_MAX - 1));
        let count = all.iter().map(|endpoint| priority(endpoint) + 1).max().unwrap_or(1);
        let of = |wanted: usize| all.iter().filter(move |endpoint| priority(endpoint) == wanted);
        let counts: Vec<Count> = (0..count)
            .map(|level| Count {
                all: of(level).count(),
                healthy: of(level).filter(|e| e.is_healthy()).count(),
            })
            .collect();
        let loads = load::loads(&counts, rule.balance.panic_percent);
        let usable = |(level, load): (usize, &Load)| -> Vec<Rc<Endpoint>> {
            of(level).filter(|endpoint| load.in_panic || endpoint.is_healthy()).cloned().collect()
        };
        let lists: Vec<_> = loads.iter().enumerate().map(usable).collect();
        let levels = match &rule.balance.hash {
            Some(how) => {
                let places = |level: usize| places(of(level), &rule.balance.place_weights);
                let lists = lists.into_iter().enumerate().map(|(level, list)| (list, places(level)));
                let is_whole = is_fixed && all.iter().all(|endpoint| endpoint.is_healthy());
                Hashed::all(lists.collect(), is_whole, how).into_iter().map(Level::Hashed).collect()
            }
            None => {
                let level = |((level, list), load): ((usize, Vec<_>), &Load)| match load.in_panic {
                    false if !rule.balance.place_weights.is_empty() => {
                        by_place(list, &of(level).cloned().collect::<Vec<_>>(), rule)
                    }
                    _ => Level::Group(Group::new(list.into(), rule)),
                };
                lists.into_iter().enumerate().zip(&loads).map(level).collect()
            }
        };
        Levels { loads, levels }
    }

    pub(super) fn choose(&mut self, rule: &Rule<'_>, pick: &Pick<'_>) -> Option<Rc<Endpoint>> {
        let number = pick.hash.unwrap_or_else(|| pick.random.next());
        let priority = match pick.leaves_priorities && pick.tried.len() >= LEAVES_AFTER {
            true => load::choose(&self.after(pick.tried), number),
            false => load::choose(&self.loads, number),
        };
        let (method, warming) = (rule.balance.method, rule.warming);
        match self.levels.get_mut(priority)? {
            Level::Group(group) => group.choose(method, warming, pick),
            Level::Places(edf, groups) => {
                let place = edf.next(|place| groups.get(place).map_or(1.0, |(weight, _)| *weight))?;
                groups.get_mut(place)?.1.choose(method, warming, pick)
            }
            Level::Hashed(hashed) => hashed.choose(number, pick),
        }
    }

    /// What each priority gets after these attempts: those that were tried get nothing. When all were tried, all are good
    /// again.
    fn after(&self, tried: &[Rc<Endpoint>]) -> Vec<Load> {
        let counted = tried.len() - tried.len() % LEAVES_AFTER;
        let mut left = Priorities::default();
        for endpoint in tried.iter().take(counted) {
            left.insert(endpoint.placement().priority);
        }
        load::without(&self.loads, left).unwrap_or_else(|| self.loads.clone())
    }
}

/// The places that some endpoint of a priority is in, with their weights; none where places have no weights.
fn places<'a>(endpoints: impl Iterator<Item = &'a Rc<Endpoint>>, weights: &[u32]) -> Vec<(u16, u32)> {
    let mut places: Vec<u16> = endpoints.map(|endpoint| endpoint.placement().place).collect();
    places.sort_unstable();
    places.dedup();
    let weight = |place: u16| Some((place, *weights.get(usize::from(place))?));
    places.into_iter().filter_map(weight).collect()
}

/// The places of a priority, with their shares as far as their endpoints are healthy.
fn by_place(healthy: Vec<Rc<Endpoint>>, all: &[Rc<Endpoint>], rule: &Rule<'_>) -> Level {
    let weights = rule.balance.place_weights.iter().enumerate();
    let place = |(place, weight): (usize, &u32)| {
        let is_here = |endpoint: &&Rc<Endpoint>| usize::from(endpoint.placement().place) == place;
        let here: Vec<_> = healthy.iter().filter(is_here).cloned().collect();
        let count = all.iter().filter(is_here).count();
        let ready = (OVERPROVISIONING * here.len() as f64 / count.max(1) as f64).min(1.0);
        let weight = f64::from(*weight) * ready;
        (weight > 0.0).then(|| (weight, Group::new(here.into(), rule)))
    };
    let groups: Vec<_> = weights.filter_map(place).collect();
    if groups.is_empty() {
        return Level::Group(Group::new(healthy.into(), rule));
    }
    Level::Places(Edf::new(groups.iter().map(|(weight, _)| *weight), rule.random), groups)
}
