//! All contexts on one shard.

use super::{ClientContext, ServerContext};
use std::{
    cell::{OnceCell, RefCell},
    collections::HashMap,
    rc::Rc,
    sync::Arc,
};

/// The contexts of one snapshot on one shard, by the index of their spec in it. A handshake keeps what it began with.
#[derive(Debug, Default)]
pub struct Contexts {
    servers: RefCell<Vec<Option<Arc<ServerContext>>>>,
    clients: Vec<Rc<ClientPlace>>,
}

/// Where the context of one upstream spec is found. Clusters hold it, so that they go on when another snapshot gives their spec
/// another index.
#[derive(Debug, Default)]
pub struct ClientPlace(RefCell<Option<Placed>>);

/// A context of all shards, and this shard's from when it is first used: most are never used on most shards.
#[derive(Debug)]
struct Placed {
    of_all: Arc<ClientContext>,
    own: OnceCell<Arc<ClientContext>>,
}

impl ClientPlace {
    fn new(context: &Option<Arc<ClientContext>>) -> Rc<ClientPlace> {
        let place = ClientPlace::default();
        place.set(context.clone());
        Rc::new(place)
    }

    /// How TLS begins for the upstream. Nothing: what its spec names is missing or broken, so that nobody can connect.
    pub fn get(&self) -> Option<Arc<ClientContext>> {
        let placed = self.0.borrow();
        let placed = placed.as_ref()?;
        Some(Arc::clone(placed.own.get_or_init(|| Arc::new(placed.of_all.for_shard()))))
    }

    fn set(&self, context: Option<Arc<ClientContext>>) {
        *self.0.borrow_mut() = context.map(|of_all| Placed { of_all, own: OnceCell::new() });
    }

    fn address(&self) -> Option<*const ClientContext> {
        self.0.borrow().as_ref().map(|placed| Arc::as_ptr(&placed.of_all))
    }
}

impl Contexts {
    /// The contexts of a snapshot's specs, in their order. Those of upstreams get a session cache of this shard; one that
    /// was there in the snapshot `before` keeps it.
    pub fn new(
        servers: Vec<Option<Arc<ServerContext>>>,
        clients: &[Option<Arc<ClientContext>>],
        before: Option<&Contexts>,
    ) -> Contexts {
        let known = before.into_iter().flat_map(|before| &before.clients);
        let mut known: HashMap<*const ClientContext, &Rc<ClientPlace>> =
            known.filter_map(|place| Some((place.address()?, place))).collect();
        // A place is given to one only: what is told of one spec does not hold for others.
        let place = |client: &Option<Arc<ClientContext>>| {
            let same = client.as_ref().and_then(|client| known.remove(&Arc::as_ptr(client)));
            same.map_or_else(|| ClientPlace::new(client), Rc::clone)
        };
        let clients = clients.iter().map(place).collect();
        Contexts { servers: RefCell::new(servers), clients }
    }

    /// All of them, for somebody who has the time to free them.
    pub fn into_lists(self) -> (Vec<Option<Arc<ServerContext>>>, Vec<Rc<ClientPlace>>) {
        (self.servers.into_inner(), self.clients)
    }

    /// How TLS ends for a server. Nothing: its certificate is missing or broken, so that connections are closed without
    /// an alert (specification section 1.8).
    pub fn server(&self, id: u32) -> Option<Arc<ServerContext>> {
        self.servers.borrow().get(id as usize).cloned().flatten()
    }

    /// Where the context of an upstream is found; nothing for an id that is of another snapshot.
    pub fn client(&self, id: u32) -> Option<&Rc<ClientPlace>> {
        self.clients.get(id as usize)
    }

    /// Replaces the context of a server. Connections that are open do not notice. An id that the snapshot does not have is
    /// of another snapshot, and means nothing.
    pub fn set_server(&self, id: u32, context: Option<Arc<ServerContext>>) {
        if let Some(place) = self.servers.borrow_mut().get_mut(id as usize) {
            *place = context;
        }
    }

    /// Replaces the context of an upstream. This shard will have its own session cache for it.
    pub fn set_client(&self, id: u32, context: Option<Arc<ClientContext>>) {
        self.client(id).into_iter().for_each(|place| place.set(context.clone()));
    }
}
