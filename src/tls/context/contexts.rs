//! All contexts on one shard.

use super::{ClientContext, ServerContext};
use std::{cell::RefCell, sync::Arc};

/// The contexts of one shard, by the index of their spec in the snapshot. A handshake keeps what it began with.
#[derive(Debug, Default)]
pub struct Contexts {
    servers: RefCell<Vec<Option<Arc<ServerContext>>>>,
    clients: RefCell<Vec<Option<Arc<ClientContext>>>>,
}

impl Contexts {
    /// The contexts of a snapshot's specs, in their order. Those of upstreams get a session cache of this shard.
    pub fn new(servers: Vec<Option<Arc<ServerContext>>>, clients: &[Option<Arc<ClientContext>>]) -> Contexts {
        let own = |client: &Option<Arc<ClientContext>>| client.as_ref().map(|it| Arc::new(it.for_shard()));
        let clients = clients.iter().map(own).collect();
        Contexts { servers: RefCell::new(servers), clients: RefCell::new(clients) }
    }

    /// How TLS ends for a server. Nothing: its certificate is missing or broken, so that connections are closed without
    /// an alert (specification section 1.8).
    pub fn server(&self, id: u32) -> Option<Arc<ServerContext>> {
        self.servers.borrow().get(id as usize).cloned().flatten()
    }

    /// How TLS begins for an upstream. Nothing: what it names is missing or broken, so that nobody can connect.
    pub fn client(&self, id: u32) -> Option<Arc<ClientContext>> {
        self.clients.borrow().get(id as usize).cloned().flatten()
    }

    /// Replaces the context of a server. Connections that are open do not notice.
    pub fn set_server(&self, id: u32, context: Option<Arc<ServerContext>>) {
        set(&self.servers, id, context);
    }

    /// Replaces the context of an upstream by one of this shard.
    pub fn set_client(&self, id: u32, context: Option<&ClientContext>) {
        set(&self.clients, id, context.map(|it| Arc::new(it.for_shard())));
    }
}

/// An id that the snapshot does not have is of another snapshot, and means nothing.
fn set<T>(contexts: &RefCell<Vec<Option<Arc<T>>>>, id: u32, context: Option<Arc<T>>) {
    if let Some(place) = contexts.borrow_mut().get_mut(id as usize) {
        *place = context;
    }
}
