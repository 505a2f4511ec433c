//! What nobody needs any more of snapshots that were replaced, until there is time to free it: ten thousand clusters at once
//! would keep everybody waiting.

use crate::{
    tls::{ClientPlace, Contexts, ServerContext},
    upstream::{Cluster, Clusters},
};
use std::{
    cell::RefCell,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

/// How long is freed at a time.
const FREEING_TIME: Duration = Duration::from_micros(300);
/// What is freed before it is asked how much time has passed.
const FREED_AT_ONCE: usize = 32;

/// What is to be freed on one shard.
#[derive(Default)]
pub struct Remains {
    clusters: RefCell<Vec<Rc<Cluster>>>,
    servers: RefCell<Vec<Option<Arc<ServerContext>>>>,
    clients: RefCell<Vec<Rc<ClientPlace>>>,
}

impl Remains {
    /// Takes what a routing state was made of.
    pub(super) fn take(&self, clusters: Clusters, tls: Contexts) {
        let (mut servers, mut clients) = tls.into_lists();
        self.clusters.borrow_mut().append(&mut clusters.into_list());
        self.servers.borrow_mut().append(&mut servers);
        self.clients.borrow_mut().append(&mut clients);
    }

    /// Frees some of it. To be called at every tick.
    pub fn free(&self) {
        let until = Instant::now() + FREEING_TIME;
        let is_late = || Instant::now() >= until;
        while free_some(&self.clusters) | free_some(&self.servers) | free_some(&self.clients) && !is_late() {}
    }
}

/// Whether there is more.
fn free_some<T>(list: &RefCell<Vec<T>>) -> bool {
    // Freed while the list is not borrowed: nobody knows what a cluster still does then.
    let some: Vec<T> = {
        let mut list = list.borrow_mut();
        if list.is_empty() {
            return false;
        }
        let kept = list.len().saturating_sub(FREED_AT_ONCE);
        list.split_off(kept)
    };
    drop(some);
    let mut list = list.borrow_mut();
    if list.is_empty() {
        *list = Vec::new();
    }
    !list.is_empty()
}
