//! A snapshot with this shard's connections, and how it is made from the one before.

use super::{head_policy, remains::Remains};
use crate::{
    filter::{KeySourceId, Keys},
    http1::decode::Policy,
    jwt::KeySet,
    table::{ClusterId, Snapshot},
    tls::Contexts,
    upstream::{Clusters, Ended, Place, ResolvedEndpoints, Succession},
};
use std::{rc::Rc, sync::Arc, time::Instant};

/// The snapshot with this shard's connections. An exchange keeps the one it began with.
pub struct Routing {
    /// What was compiled.
    pub snapshot: Arc<Snapshot>,
    /// Its clusters on this shard.
    pub clusters: Clusters,
    /// Its certificates, keys and what else TLS takes.
    pub tls: Contexts,
    /// How request heads are judged.
    pub(super) policy: Policy,
    /// The keys that tokens are verified with; nothing where no token is.
    pub(super) keys: Option<Box<Keys>>,
    /// Where it goes when nobody needs it any more.
    remains: Rc<Remains>,
}

impl Routing {
    /// This shard's routing state of a snapshot; `place` is the shard's among the others.
    pub fn new(snapshot: Arc<Snapshot>, tls: Contexts, place: &Place, remains: &Rc<Remains>) -> Routing {
        let clusters = Clusters::new(&snapshot, place);
        clusters.attach(&tls);
        Routing::of(snapshot, clusters, tls, remains)
    }

    fn of(snapshot: Arc<Snapshot>, clusters: Clusters, tls: Contexts, remains: &Rc<Remains>) -> Routing {
        let policy = head_policy(&snapshot.settings);
        let keys = snapshot.authentication.as_deref().map(|rules| Box::new(Keys::new(rules)));
        Routing { snapshot, clusters, tls, policy, keys, remains: Rc::clone(remains) }
    }

    /// Other keys of an issuer of tokens than before.
    pub fn set_keys(&self, source: KeySourceId, keys: Arc<KeySet>) {
        if let Some(known) = &self.keys {
            known.set(source, keys);
        }
    }
}

impl Drop for Routing {
    fn drop(&mut self) {
        let (clusters, tls) = (std::mem::take(&mut self.clusters), std::mem::take(&mut self.tls));
        // The control thread holds the snapshot until no shard does: it is not for a shard to free.
        self.remains.take(clusters, tls);
    }
}

/// Another snapshot's routing state while it is made, in slices, from the one that is served.
pub struct NextRouting {
    before: Rc<Routing>,
    snapshot: Arc<Snapshot>,
    tls: Contexts,
    clusters: Succession,
}

impl NextRouting {
    /// `goes_on` says for each cluster of the snapshot which one of `before` it goes on from. What is `resolved` already
    /// holds for the snapshot's clusters.
    pub fn new(
        before: Rc<Routing>,
        (snapshot, place): (Arc<Snapshot>, Place),
        tls: Contexts,
        goes_on: Vec<Option<ClusterId>>,
        resolved: Vec<ResolvedEndpoints>,
    ) -> NextRouting {
        let clusters = Succession::new(&before.clusters, Arc::clone(&snapshot), place, goes_on, resolved);
        NextRouting { before, snapshot, tls, clusters }
    }

    /// Goes on until this time. Returns whether it is done.
    pub fn step(&mut self, until: Instant) -> bool {
        self.clusters.step(&self.before.clusters, &self.tls, until)
    }

    /// The routing state, from the moment at which it is served, and the clusters that have ended then.
    pub fn finish(self) -> (Routing, Vec<Ended>) {
        let (clusters, ended) = self.clusters.finish(&self.tls);
        (Routing::of(self.snapshot, clusters, self.tls, &self.before.remains), ended)
    }
}
