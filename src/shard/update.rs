//! How a shard goes over to another configuration: all that takes time is done in slices, before and after the one turn in
//! which it is served.

use super::{
    drain::Drain,
    listeners::Listeners,
    mailbox::{Message, Update},
    shard::{Report, ShardId},
};
use crate::{
    driver,
    proxy::{Environment, ListenerState, NextRouting, Remains},
    telemetry::bump,
    tls::Contexts,
    upstream::{Ended, Place},
};
use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
    sync::mpsc::Sender,
    time::{Duration, Instant},
};

/// How long a shard works at a time on what can wait; requests come in between.
const SLICE: Duration = Duration::from_micros(500);
/// How long others have their turn then.
const BETWEEN_SLICES: Duration = Duration::from_millis(1);
/// Clusters that are ended before it is asked how much time has passed.
const ENDED_AT_ONCE: usize = 16;

/// What a shard is made of that a message may change.
pub(super) struct Members {
    pub(super) id: ShardId,
    pub(super) env: Rc<Environment>,
    pub(super) place: Place,
    /// What is left of configurations that were replaced.
    pub(super) remains: Rc<Remains>,
    pub(super) listeners: Rc<Listeners>,
    pub(super) drain: Rc<Drain>,
    pub(super) reports: Sender<Report>,
    /// An update is being prepared.
    pub(super) is_updating: Cell<bool>,
    /// What came after it, and is said of what it brings.
    pub(super) waiting: RefCell<VecDeque<Message>>,
    /// How long connections of a listener that is no more have to end.
    pub(super) ending_time: Duration,
    /// Ticks at which listeners are still to accept anew.
    pub(super) nudges_left: Cell<u32>,
}

impl Members {
    /// Goes over to another configuration.
    pub(super) fn begin_update(self: &Rc<Self>, update: Update) {
        self.is_updating.set(true);
        let members = Rc::clone(self);
        driver::spawn(async move {
            let (ended, states) = members.update(update).await;
            members.is_updating.set(false);
            members.follow_waiting();
            members.end(ended).await;
            for state in states {
                members.show(&state).await;
            }
        });
    }

    async fn update(self: &Rc<Self>, update: Update) -> (Vec<Ended>, Vec<Rc<ListenerState>>) {
        let Update { snapshot, tls, goes_on, resolved, token_keys, listeners } = update;
        let env = &self.env;
        let before = env.routing();
        let generation = snapshot.generation;
        let tls = Contexts::new(tls.servers, &tls.clients, Some(&before.tls));
        let with = (snapshot, self.place.clone());
        let mut next = NextRouting::new(before, with, tls, goes_on, resolved);
        while !next.step(Instant::now() + SLICE) {
            self.give_way().await;
        }
        // From here to the report there is no turn of anybody else.
        let (routing, ended) = next.finish();
        for (source, keys) in token_keys {
            routing.set_keys(source, keys);
        }
        let routing = Rc::new(routing);
        let before = env.routing.replace(Rc::clone(&routing));
        if self.drain.left.get().is_none() {
            self.listeners.follow(listeners, &routing, self.ending_time, env);
        } else {
            // Nobody will accept there, so clients must not think that somebody does.
            listeners.iter().filter_map(|new| new.socket.as_ref()).for_each(driver::Listener::close);
        }
        drop(before);
        // Nobody listens any more when the control thread has ended.
        let _ = self.reports.send(Report::Updated { id: self.id, generation });
        (ended, self.listeners.states())
    }

    /// Ends what is no more.
    async fn end(&self, ended: Vec<Ended>) {
        let counters = &self.env.counters;
        let mut ended = ended.into_iter().peekable();
        while ended.peek().is_some() {
            let until = Instant::now() + SLICE;
            while ended.peek().is_some() && Instant::now() < until {
                let closed: usize = ended.by_ref().take(ENDED_AT_ONCE).map(|ended| ended.retire()).sum();
                bump(&counters.upstream_idle_closed, closed as u64);
                bump(&counters.upstream_connections_active, (closed as u64).wrapping_neg());
            }
            self.give_way().await;
        }
    }

    /// Has connections that wait see what their listener does now.
    async fn show(&self, state: &ListenerState) {
        let mut at = 0;
        while let Some(next) = state.show(at) {
            at = next;
            self.give_way().await;
        }
    }

    /// Ends the connections of a listener that is no more and whose time is over.
    pub(super) async fn cut(&self, state: &ListenerState) {
        let mut at = 0;
        while let Some(next) = state.cut(at) {
            at = next;
            self.give_way().await;
        }
    }

    async fn give_way(&self) {
        driver::pause(&self.env.deadlines, BETWEEN_SLICES).await;
    }
}
