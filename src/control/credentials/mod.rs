//! Certificates, keys and authorities: loaded, built into TLS contexts, and kept as fresh as the files they are in.
//!
//! What is missing or broken takes its own server or upstream out of service and nobody else; where there was something
//! good before, that stays (specification section 1.8). Nothing here touches a connection: shards get a new context for
//! handshakes to come.
//!
//! - `reader`: files and Secrets to the bytes that a spec names
//! - `entry`: one spec with what is known of it
//! - `diagnose`: problems as diagnostics

mod diagnose;
mod entry;
mod reader;
#[cfg(test)]
mod tests;

pub(super) use entry::News;
pub use entry::{Condition, View};

use super::watch::Interest;
use crate::{
    config::{Diagnostic, Sources},
    shard::{InitialTls, Message},
    table::{ClientTlsId, ServerTlsId, Snapshot},
    tls::{ClientContext, ClientSpec, Secrets, ServerContext, ServerSpec, TicketError, TicketSecret},
};
use diagnose::Listed;
use entry::{Entry, Spec};
use reader::{Reader, Roots};
use std::{collections::HashMap, sync::Arc, time::SystemTime};

/// Lines that one look at the files may write to the log: a file that a thousand servers share is one piece of news.
const NEWS_MAX: usize = 20;

/// Everything that the specs of one snapshot name, as it was found last.
pub struct Credentials {
    servers: Vec<Entry<ServerSpec>>,
    clients: Vec<Entry<ClientSpec>>,
    secrets: Secrets,
    roots: Roots,
    tickets: TicketSecret,
    /// How often the tickets' secret was changed.
    rotations: u64,
    failures: u64,
}

/// What is known of the specs of a snapshot, for another snapshot that has some of them.
pub(super) struct Known {
    servers: Vec<Entry<ServerSpec>>,
    clients: Vec<Entry<ClientSpec>>,
    roots: Roots,
    tickets: TicketSecret,
    rotations: u64,
}

/// A context that shards have to be told of.
#[derive(Debug)]
pub(super) enum Change {
    Server(ServerTlsId, Arc<ServerContext>),
    Client(ClientTlsId, Arc<ClientContext>),
}

impl Change {
    pub(super) fn message(&self) -> Message {
        match self {
            Change::Server(id, context) => Message::ServerTls(*id, Some(Arc::clone(context))),
            Change::Client(id, context) => Message::ClientTls(*id, Some(Arc::clone(context))),
        }
    }
}

/// What a look at the files has found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// In no special order.
    pub(super) changes: Vec<Change>,
    /// What to tell people, at most [`NEWS_MAX`] of it.
    pub(super) news: Vec<News>,
    /// How much more there would be to tell.
    pub(super) untold: usize,
}

impl Credentials {
    /// Loads what the specs of a snapshot name. Whatever is wrong is told by [`Credentials::diagnostics`].
    ///
    /// # Errors
    /// There is no randomness for the keys of session tickets.
    pub fn load(snapshot: &Snapshot, secrets: Secrets, now: SystemTime) -> Result<Credentials, TicketError> {
        let mut credentials = Credentials {
            servers: snapshot.server_tls.iter().cloned().map(Entry::new).collect(),
            clients: snapshot.client_tls.iter().cloned().map(Entry::new).collect(),
            secrets,
            roots: Roots::default(),
            tickets: TicketSecret::new()?,
            rotations: 0,
            failures: 0,
        };
        credentials.refresh(now);
        Ok(credentials)
    }

    /// What is known, for the snapshot that comes after this one.
    pub(super) fn known(&self) -> Known {
        Known {
            servers: self.servers.clone(),
            clients: self.clients.clone(),
            roots: self.roots.clone(),
            tickets: self.tickets.clone(),
            rotations: self.rotations,
        }
    }

    /// As [`Credentials::load`], for a snapshot after another one: a spec that asks what one of that has asked keeps its
    /// context, unless what it names has changed, and also where that is missing now; tickets can still be opened.
    pub(super) fn load_after(
        known: Known,
        snapshot: &Snapshot,
        secrets: Secrets,
        now: SystemTime,
    ) -> (Credentials, Found) {
        let mut credentials = Credentials {
            servers: go_on(&known.servers, &snapshot.server_tls),
            clients: go_on(&known.clients, &snapshot.client_tls),
            secrets,
            roots: known.roots,
            tickets: known.tickets,
            rotations: known.rotations,
            failures: 0,
        };
        let found = credentials.refresh(now);
        (credentials, found)
    }

    /// Takes the place of what was before it, and takes over what has become of that since it was
    /// [known](Credentials::known). What has changed in files meanwhile is found by the next look.
    pub(super) fn follow(&mut self, before: &Credentials) {
        self.failures += before.failures;
        if self.rotations != before.rotations {
            (self.rotations, self.tickets) = (before.rotations, before.tickets.clone());
            for entry in &mut self.servers {
                entry.rotate_tickets(&self.tickets);
            }
        }
    }

    /// Looks at everything again.
    pub(super) fn refresh(&mut self, now: SystemTime) -> Found {
        let mut reader = Reader::new(&self.secrets, &self.roots);
        let mut found = Found::default();
        let now = unix_seconds(now);
        for (id, entry) in (0..).map(ServerTlsId).zip(&mut self.servers) {
            let refreshed = entry.refresh(&mut reader, &self.tickets, now);
            self.failures += u64::from(refreshed.has_failed);
            found.changes.extend(refreshed.context.map(|context| Change::Server(id, context)));
            found.tell(refreshed.news);
        }
        for (id, entry) in (0..).map(ClientTlsId).zip(&mut self.clients) {
            let refreshed = entry.refresh(&mut reader, &self.tickets, now);
            self.failures += u64::from(refreshed.has_failed);
            found.changes.extend(refreshed.context.map(|context| Change::Client(id, context)));
            found.tell(refreshed.news);
        }
        found
    }

    /// Gives all servers new secrets for their tickets; those of the ones before are still opened.
    ///
    /// # Errors
    /// There is no randomness.
    pub(super) fn rotate_tickets(&mut self) -> Result<Vec<Change>, TicketError> {
        self.tickets = self.tickets.next()?;
        self.rotations += 1;
        let servers = (0..).map(ServerTlsId).zip(&mut self.servers);
        let rotated = servers.filter_map(|(id, entry)| Some((id, entry.rotate_tickets(&self.tickets)?)));
        Ok(rotated.map(|(id, context)| Change::Server(id, context)).collect())
    }

    /// From now on clients get no session tickets, and those that they have are worth nothing.
    pub fn forbid_tickets(&mut self) {
        self.tickets = TicketSecret::none();
        for entry in &mut self.servers {
            // Nobody has the contexts yet.
            entry.rotate_tickets(&self.tickets);
        }
    }

    /// Every context as it is at present.
    pub(super) fn initial(&self) -> InitialTls {
        InitialTls {
            servers: self.servers.iter().map(Entry::context).collect(),
            clients: self.clients.iter().map(Entry::context).collect(),
        }
    }

    /// How TLS begins for an upstream, at present.
    pub(super) fn client(&self, id: ClientTlsId) -> Option<Arc<ClientContext>> {
        self.clients.get(id.0 as usize).and_then(Entry::context)
    }

    /// What is wrong, as warnings about the places where the files and Secrets are named.
    pub fn diagnostics(&self, sources: &Sources) -> Vec<Diagnostic> {
        let mut listed = Listed::new(sources);
        self.servers.iter().for_each(|entry| listed.add(entry));
        self.clients.iter().for_each(|entry| listed.add(entry));
        listed.finish()
    }

    /// Every server's and every upstream's state, for pages.
    pub fn views(&self) -> impl Iterator<Item = View<'_>> {
        self.servers.iter().map(Entry::view).chain(self.clients.iter().map(Entry::view))
    }

    /// How often something could not be loaded: at the start, and after a change.
    pub fn failures(&self) -> u64 {
        self.failures
    }

    /// What has to be watched so that a change of a file is noticed.
    pub(super) fn interest(&self) -> Interest {
        let mut interest = Interest::default();
        self.servers.iter().flat_map(Entry::paths).for_each(|path| interest.add(&path));
        self.clients.iter().flat_map(Entry::paths).for_each(|path| interest.add(&path));
        interest
    }
}

/// Entries for the specs of a new snapshot: those that ask what one has asked before have what that one has.
fn go_on<'a, S: Spec>(before: &'a [Entry<S>], specs: &'a [S]) -> Vec<Entry<S>> {
    let known: HashMap<_, &Entry<S>> = before.iter().map(|entry| (entry.spec.terms(), entry)).collect();
    let entry = |spec: &'a S| match known.get(&spec.terms()) {
        Some(entry) => entry.for_spec(spec),
        None => Entry::new(spec.clone()),
    };
    specs.iter().map(entry).collect()
}

impl Found {
    /// And what a later look has found.
    pub(super) fn extend(&mut self, later: Found) {
        self.changes.extend(later.changes);
        self.untold += later.untold;
        self.tell(later.news);
    }

    fn tell(&mut self, news: Vec<News>) {
        let room = NEWS_MAX.saturating_sub(self.news.len());
        self.untold += news.len().saturating_sub(room);
        self.news.extend(news.into_iter().take(room));
    }
}

fn unix_seconds(time: SystemTime) -> i64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
