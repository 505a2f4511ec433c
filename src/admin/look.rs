//! Asking the shards what only they know: connections of clients, and what is in use of endpoints.

use crate::{
    control::Gateway,
    shard::{EndpointUse, Look, Message, Seen},
};
use std::{
    collections::HashMap,
    ops::Range,
    sync::mpsc::{Receiver, channel},
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// A shard that has not answered by then is stuck, or has ended.
const PATIENCE: Duration = Duration::from_secs(2);
/// Between two looks at whether answers have come. A shard answers at its next turn, well within a millisecond.
const LOOK_AGAIN: Duration = Duration::from_millis(2);
/// Clusters that a shard is asked for at a time, so that no request waits for the answer.
pub(super) const CLUSTERS_AT_ONCE: u32 = 256;

/// Asks every shard that lives; returns the answers that came, by shard.
pub(super) async fn shards(gateway: &Gateway, clients: usize, clusters: Range<u32>) -> Vec<Seen> {
    let answers = send(gateway, clients, clusters);
    let asked = gateway.shards.iter().filter(|shard| !shard.ended.get()).count();
    let give_up = Instant::now() + PATIENCE;
    let mut seen = Vec::new();
    while seen.len() < asked && Instant::now() < give_up {
        match answers.try_recv() {
            Ok(answer) => seen.push(answer),
            Err(_) => sleep(LOOK_AGAIN).await,
        }
    }
    seen.sort_by_key(|seen| seen.id);
    seen
}

fn send(gateway: &Gateway, clients: usize, clusters: Range<u32>) -> Receiver<Seen> {
    let (to, answers) = channel();
    for shard in gateway.shards.iter().filter(|shard| !shard.ended.get()) {
        let look = Look { clients, clusters: clusters.clone(), to: to.clone() };
        shard.handle.mailbox.send(Message::Look(Box::new(look)));
    }
    answers
}

/// What is in use of the endpoints of some clusters, over all shards: by cluster and address.
pub(super) struct Used(HashMap<(u32, String), EndpointUse>);

impl Used {
    /// Of these clusters.
    pub(super) async fn of(gateway: &Gateway, clusters: Range<u32>) -> Used {
        let mut sums: HashMap<(u32, String), EndpointUse> = HashMap::new();
        for seen in shards(gateway, 0, clusters).await {
            for (cluster, endpoints) in seen.clusters {
                for used in endpoints {
                    let key = (cluster, used.address.to_string());
                    sums.entry(key).and_modify(|sum| sum.add(&used)).or_insert(used);
                }
            }
        }
        Used(sums)
    }

    /// One endpoint's; nothing if no shard knows it.
    pub(super) fn get(&self, cluster: u32, address: &str) -> Option<&EndpointUse> {
        self.0.get(&(cluster, address.to_owned()))
    }
}
