//! What the control thread tells a shard: a bounded channel, and a bell that wakes the shard's ring.

use super::{look::Look, shard::InitialTls};
use crate::{
    driver::{self, Bell},
    filter::KeySourceId,
    jwt::KeySet,
    table::{BindAddress, Chain, ClientTlsId, ClusterId, ServerTlsId, Snapshot},
    tls::{ClientContext, ServerContext},
    upstream::ResolvedEndpoints,
};
use std::{
    fmt, io,
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    time::Duration,
};

/// Messages that may wait. The control thread sends a few a second; it waits when a shard is so far behind.
const WAITING_MAX: usize = 4096;

/// What the control thread tells a shard.
#[derive(Debug)]
pub enum Message {
    /// A cluster's endpoints, from the resolver.
    Resolved(ResolvedEndpoints),
    /// How TLS ends for a server from now on; nothing: it can't.
    ServerTls(ServerTlsId, Option<Arc<ServerContext>>),
    /// How TLS begins for an upstream from now on; nothing: it can't.
    ClientTls(ClientTlsId, Option<Arc<ClientContext>>),
    /// The keys of an issuer of tokens from now on.
    TokenKeys(KeySourceId, Arc<KeySet>),
    /// Somebody wants to know what it has.
    Look(Box<Look>),
    /// Another configuration from now on.
    Update(Box<Update>),
    /// Accept, where that was held.
    Open,
    /// Drain as with [`Message::Drain`], but leave the sockets to another process at once: what waits in their queues is its
    /// own.
    HandOver(Duration),
    /// Take no new connections, end those that are idle, let the others finish within this time.
    Drain(Duration),
    /// End everything now.
    Stop,
}

/// Another configuration, with all that could fail behind it: its sockets are bound and its certificates are read.
pub struct Update {
    /// What was compiled.
    pub snapshot: Arc<Snapshot>,
    /// The snapshot's TLS, in the order of its specs.
    pub tls: InitialTls,
    /// For each cluster of the snapshot, the one of the snapshot before that it goes on from: nothing of it has changed, so that
    /// it keeps its connections, tables and history. Nothing for one that begins anew.
    pub goes_on: Vec<Option<ClusterId>>,
    /// What the resolver knows already of clusters with names.
    pub resolved: Vec<ResolvedEndpoints>,
    /// The keys that tokens are verified with.
    pub token_keys: Vec<(KeySourceId, Arc<KeySet>)>,
    /// All listeners. One that is not among them takes nobody any more, and its connections drain.
    pub listeners: Vec<ListenerUpdate>,
}

/// A listener of another configuration.
pub struct ListenerUpdate {
    /// Where it listens: what tells which one it is.
    pub bind: BindAddress,
    /// What happens to its connections from now on.
    pub chain: Chain,
    /// Its socket where it is new; nothing where it goes on.
    pub socket: Option<driver::Listener>,
}

impl fmt::Debug for Update {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Update to generation {}", self.snapshot.generation)
    }
}

/// The control thread's end.
pub struct Mailbox {
    sender: SyncSender<Message>,
    bell: Bell,
}

impl Mailbox {
    /// Tells the shard. A shard that has ended hears nothing.
    pub fn send(&self, message: Message) {
        if self.sender.send(message).is_ok() {
            self.bell.ring();
        }
    }
}

impl Mailbox {
    /// Another handle to its bell, for shards that have something for this one.
    ///
    /// # Errors
    /// No more file descriptors.
    pub(super) fn bell(&self) -> io::Result<Bell> {
        self.bell.handle()
    }
}

/// The shard's end: the messages, and the bell that says there are some.
pub(super) struct Inbox {
    pub(super) messages: Receiver<Message>,
    pub(super) bell: Bell,
}

/// A mailbox and its inbox.
///
/// # Errors
/// No more file descriptors.
pub(super) fn pair() -> io::Result<(Mailbox, Inbox)> {
    let (sender, messages) = sync_channel(WAITING_MAX);
    let bell = Bell::new()?;
    Ok((Mailbox { sender, bell: bell.handle()? }, Inbox { messages, bell }))
}
