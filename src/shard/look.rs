//! What a shard says about itself when somebody asks: its connections and its clusters' pools. Nothing is counted or kept
//! for it while nobody asks.

use super::{ShardId, update::Members};
use crate::{proxy::Client, upstream::EndpointUse};
use std::{ops::Range, sync::mpsc::Sender};

/// What somebody wants to know.
#[derive(Clone, Debug)]
pub struct Look {
    /// At most so many connections of clients.
    pub clients: usize,
    /// The clusters with these indices. A few hundred take some 100 microseconds.
    pub clusters: Range<u32>,
    /// Where the answer goes.
    pub to: Sender<Seen>,
}

/// What a shard has seen.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Which shard.
    pub id: ShardId,
    /// That of the configuration that new requests get.
    pub generation: u64,
    /// Connections of clients that its listeners have.
    pub open: usize,
    /// Some of them, with where the listener listens.
    pub clients: Vec<(String, Client)>,
    /// The clusters that were asked for, and what is in use of their endpoints.
    pub clusters: Vec<(u32, Vec<EndpointUse>)>,
}

impl Members {
    /// Answers.
    pub(super) fn look(&self, look: &Look) {
        let routing = self.env.routing();
        let (open, clients) = self.listeners.clients(look.clients);
        let used = |id: u32| {
            let cluster = routing.clusters.get(crate::table::ClusterId(id))?;
            Some((id, cluster.endpoints().iter().map(|endpoint| endpoint.in_use()).collect()))
        };
        let seen = Seen {
            id: self.id,
            generation: routing.snapshot.generation,
            open,
            clients,
            clusters: look.clusters.clone().filter_map(used).collect(),
        };
        // Whoever asked may have left.
        let _ = look.to.send(seen);
    }
}
