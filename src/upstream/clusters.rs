//! All clusters of a snapshot on one shard, and how they go on from one snapshot to the next.

use super::{Cluster, Place, limits::Closed};
use crate::{
    table::{self, ClusterId, Snapshot},
    tls::Contexts,
};
use std::{
    cell::RefCell,
    collections::HashMap,
    rc::{Rc, Weak},
    sync::Arc,
    time::Instant,
};

/// What the resolver found for one cluster. It replaces what it found before.
#[derive(Clone, Debug)]
pub struct ResolvedEndpoints {
    /// The generation of the snapshot that the cluster's id belongs to; an answer for another one is too late.
    pub generation: u64,
    /// Whose endpoints they are.
    pub cluster: ClusterId,
    /// All of them, in the resolver's order.
    pub endpoints: Arc<[table::Endpoint]>,
}

/// All clusters of a snapshot with this shard's connections.
#[derive(Default)]
pub struct Clusters {
    list: Vec<Rc<Cluster>>,
    /// Those whose connections are limited.
    limited: Vec<Rc<Cluster>>,
    /// Those of snapshots before whose connections are limited: requests may still stand in their lines.
    leaving: RefCell<Vec<Weak<Cluster>>>,
    generation: u64,
}

impl Clusters {
    /// The clusters of a snapshot. Those that resolve names have no endpoint until the first answer comes.
    pub fn new(snapshot: &Snapshot, place: &Place) -> Clusters {
        let list = snapshot.clusters.iter().map(|c| Rc::new(Cluster::new(c, place))).collect();
        Clusters::of(list, Vec::new(), snapshot.generation)
    }

    fn of(list: Vec<Rc<Cluster>>, leaving: Vec<Weak<Cluster>>, generation: u64) -> Clusters {
        let limited = list.iter().filter(|cluster| cluster.limits_connections()).cloned().collect();
        Clusters { list, limited, leaving: RefCell::new(leaving), generation }
    }

    /// Has clusters find their contexts of TLS.
    pub fn attach(&self, contexts: &Contexts) {
        self.list.iter().for_each(|cluster| cluster.attach(contexts));
    }

    /// Another shard may have given a connection's place to this one, or may wait for one. Returns how many idle connections
    /// were closed for that.
    pub fn look_at_limits(&self) -> usize {
        let look = |cluster: &Rc<Cluster>| {
            let mut closed = 0;
            let close_one = || {
                let how = cluster.close_one();
                closed += usize::from(how == Closed::Now);
                how != Closed::None
            };
            if let Some(limits) = &cluster.limits {
                limits.look(close_one);
            }
            closed
        };
        let closed: usize = self.limited.iter().map(look).sum();
        let leaving: Vec<_> = {
            let mut leaving = self.leaving.borrow_mut();
            leaving.retain(|cluster| cluster.strong_count() > 0);
            leaving.iter().filter_map(Weak::upgrade).collect()
        };
        closed + leaving.iter().map(look).sum::<usize>()
    }

    /// The cluster with this id.
    pub fn get(&self, id: ClusterId) -> Option<&Rc<Cluster>> {
        self.list.get(id.0 as usize)
    }

    /// Takes over what the resolver found. Endpoints that stay keep their connections.
    pub fn resolved(&self, answer: &ResolvedEndpoints) {
        if answer.generation == self.generation
            && let Some(cluster) = self.get(answer.cluster)
        {
            cluster.set_endpoints(&answer.endpoints);
        }
    }

    /// Drops idle connections that were closed or timed out. Returns how many.
    pub fn sweep(&self) -> usize {
        self.list.iter().map(|cluster| cluster.sweep()).sum()
    }

    /// All clusters, for somebody who has the time to free them.
    pub fn into_list(self) -> Vec<Rc<Cluster>> {
        let Clusters { mut list, mut limited, .. } = self;
        list.append(&mut limited);
        list
    }
}

/// The clusters of another snapshot while they are made, in slices, from those that are served.
pub struct Succession {
    snapshot: Arc<Snapshot>,
    place: Place,
    goes_on: Vec<Option<ClusterId>>,
    resolved: HashMap<u32, Arc<[table::Endpoint]>>,
    /// Clusters that do not go on, and have no successor yet.
    ending: HashMap<Box<str>, Rc<Cluster>>,
    list: Vec<Rc<Cluster>>,
    ended: Vec<Ended>,
    leaving: Vec<Weak<Cluster>>,
}

/// A cluster that does not go on, and the one of its name that takes its place.
pub struct Ended {
    cluster: Rc<Cluster>,
    successor: Option<Rc<Cluster>>,
}

/// Clusters that are made before it is asked how much time has passed.
const STEP: usize = 16;

impl Succession {
    /// `goes_on` says for each cluster of the snapshot which one of `before` it goes on from. What is `resolved` already
    /// holds for the snapshot's clusters.
    pub fn new(
        before: &Clusters,
        snapshot: Arc<Snapshot>,
        place: Place,
        goes_on: Vec<Option<ClusterId>>,
        resolved: Vec<ResolvedEndpoints>,
    ) -> Succession {
        let mut stays = vec![false; before.list.len()];
        for id in goes_on.iter().flatten() {
            if let Some(stays) = stays.get_mut(id.0 as usize) {
                *stays = true;
            }
        }
        let ending = before.list.iter().zip(&stays).filter(|(_, stays)| !**stays);
        let ending = ending.map(|(cluster, _)| (cluster.name.clone(), Rc::clone(cluster))).collect();
        let resolved = resolved.into_iter().map(|found| (found.cluster.0, found.endpoints)).collect();
        let leaving = before.leaving.borrow().iter().filter(|old| old.strong_count() > 0).cloned().collect();
        let list = Vec::with_capacity(snapshot.clusters.len());
        Succession { snapshot, place, goes_on, resolved, ending, list, ended: Vec::new(), leaving }
    }

    /// Goes on until this time. Returns whether it is done.
    pub fn step(&mut self, before: &Clusters, contexts: &Contexts, until: Instant) -> bool {
        loop {
            for _ in 0..STEP {
                let at = self.list.len();
                let Some(compiled) = self.snapshot.clusters.get(at) else { return true };
                let old = self.goes_on.get(at).copied().flatten().and_then(|id| before.get(id).cloned());
                let found = self.resolved.get(&(at as u32)).map(|found| &**found);
                let cluster = match old {
                    Some(old) => {
                        found.into_iter().for_each(|found| old.set_endpoints(found));
                        old
                    }
                    None => {
                        let old = self.ending.remove(&compiled.name);
                        let new =
                            Rc::new(Cluster::after(compiled, &self.place, contexts, found, old.as_deref()));
                        if let Some(cluster) = old {
                            self.ended.push(Ended { cluster, successor: Some(Rc::clone(&new)) });
                        }
                        new
                    }
                };
                self.list.push(cluster);
            }
            if Instant::now() >= until {
                return false;
            }
        }
    }

    /// The clusters, from the moment at which they are served, and those that have ended then.
    pub fn finish(mut self, contexts: &Contexts) -> (Clusters, Vec<Ended>) {
        for cluster in self.ending.drain().map(|(_, cluster)| cluster) {
            self.ended.push(Ended { cluster, successor: None });
        }
        let has_line = |ended: &&Ended| ended.cluster.limits_connections();
        self.leaving.extend(self.ended.iter().filter(has_line).map(|ended| Rc::downgrade(&ended.cluster)));
        let clusters = Clusters::of(self.list, self.leaving, self.snapshot.generation);
        clusters.attach(contexts);
        (clusters, self.ended)
    }
}

impl Ended {
    /// Closes connections without work that the successor does not take over; the others close when they have none. Requests
    /// that have begun with the cluster are served. Returns how many were closed.
    pub fn retire(&self) -> usize {
        self.cluster.retire(self.successor.as_deref())
    }
}

#[cfg(test)]
#[path = "clusters/tests.rs"]
mod tests;
