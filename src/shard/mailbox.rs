//! What the control thread tells a shard: a bounded channel, and a bell that wakes the shard's ring.

use crate::{
    driver::Bell,
    filter::KeySourceId,
    jwt::KeySet,
    table::{ClientTlsId, ServerTlsId},
    tls::{ClientContext, ServerContext},
    upstream::ResolvedEndpoints,
};
use std::{
    io,
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
    /// Take no new connections, end those that are idle, let the others finish within this time.
    Drain(Duration),
    /// End everything now.
    Stop,
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
