//! What a listener does with its connections at present, on one shard, and how its connections follow when that changes.
//!
//! A connection of HTTP goes by what was [`Served`] when it began, until there is something else: its next request sees that by
//! one number. Those that wait are shown it by [`ListenerState::show`], so that nobody keeps what was before. A connection
//! that has no place in it any more goes on with what it began with, and is told to leave.

mod look;

pub use look::Client;

use super::{ConnectionInfo, Routing};
use crate::{
    driver::{Deadline, Remote},
    mux::Session,
    table::{Chain, ChainAction, ChainIndex, TableId},
    telemetry::{ListenerSeries, bump},
};
use std::{
    cell::{Cell, Ref, RefCell},
    rc::{Rc, Weak},
    sync::Arc,
};

/// The generation of a listener that is no more: no snapshot has it.
const GONE: u64 = u64::MAX;

/// What a listener does with its connections, by one snapshot.
pub struct Served {
    /// The snapshot on this shard.
    pub routing: Rc<Routing>,
    /// What is done.
    pub chain: Chain,
}

/// A listener on one shard.
pub struct ListenerState {
    served: RefCell<Rc<Served>>,
    generation: Cell<u64>,
    connections: RefCell<Vec<Option<Open>>>,
    free: RefCell<Vec<u32>>,
    series: Arc<ListenerSeries>,
}

/// A connection of a listener.
#[derive(Clone)]
enum Open {
    Http1(Rc<ConnectionInfo>, Remote),
    Http2(Rc<ConnectionInfo>, Weak<Session>),
    Bytes(Remote),
}

/// A connection that its listener knows of, until this is dropped. It must be dropped before the connection's deadline.
pub(super) struct Known {
    listener: Rc<ListenerState>,
    number: u32,
}

/// Connections that are shown a change before others get their turn: some 100 microseconds.
const SHOWN_AT_ONCE: usize = 512;

impl ListenerState {
    /// A listener that begins now, whose connections are counted in `series`.
    pub fn new(routing: &Rc<Routing>, chain: Chain, series: Arc<ListenerSeries>) -> Rc<ListenerState> {
        let generation = Cell::new(routing.snapshot.generation);
        let served = RefCell::new(Rc::new(Served { routing: Rc::clone(routing), chain }));
        Rc::new(ListenerState {
            served,
            generation,
            connections: RefCell::default(),
            free: RefCell::default(),
            series,
        })
    }

    /// Counts a connection that was accepted.
    pub fn accepted(&self) {
        bump(&self.series.connections, 1);
    }

    /// What it does at present; the last that it did, where it is no more.
    pub fn served(&self) -> Rc<Served> {
        Rc::clone(&self.served.borrow())
    }

    /// It does this from now on.
    pub fn set(&self, routing: &Rc<Routing>, chain: Chain) {
        self.generation.set(routing.snapshot.generation);
        *self.served.borrow_mut() = Rc::new(Served { routing: Rc::clone(routing), chain });
    }

    /// It is no more: its connections leave.
    pub fn end(&self) {
        self.generation.set(GONE);
    }

    /// Whether it is no more.
    pub fn is_gone(&self) -> bool {
        self.generation.get() == GONE
    }

    /// Shows a change to some connections from this place on, and tells those to leave that have none in it.
    /// Returns the next place, if there is one.
    pub fn show(&self, from: usize) -> Option<usize> {
        let (open, next) = self.slice(from);
        for open in open {
            match open {
                Open::Http1(info, deadline) => {
                    if info.is_to_leave() {
                        deadline.end_when_quiet(super::environment::LAST_QUIET);
                    }
                }
                Open::Http2(info, session) => {
                    if info.is_to_leave() {
                        session.upgrade().into_iter().for_each(|session| session.leave());
                    }
                }
                Open::Bytes(_) => {}
            }
        }
        next
    }

    /// Ends some connections from this place on, whatever they do. Returns the next place, if there is one.
    pub fn cut(&self, from: usize) -> Option<usize> {
        let (open, next) = self.slice(from);
        for open in open {
            match open {
                Open::Http1(_, deadline) | Open::Bytes(deadline) => deadline.end_now(),
                Open::Http2(_, session) => session.upgrade().into_iter().for_each(|session| session.cut()),
            }
        }
        next
    }

    /// How many connections it has.
    pub fn open(&self) -> usize {
        self.connections.borrow().len() - self.free.borrow().len()
    }

    /// Some of the connections, for somebody who may change which there are.
    fn slice(&self, from: usize) -> (Vec<Open>, Option<usize>) {
        let all = self.connections.borrow();
        let end = (from + SHOWN_AT_ONCE).min(all.len());
        let some = all.get(from..end).into_iter().flatten().flatten().cloned().collect();
        (some, (end < all.len()).then_some(end))
    }

    fn know(self: &Rc<Self>, open: Open) -> Known {
        bump(&self.series.active, 1);
        let mut all = self.connections.borrow_mut();
        let free = self.free.borrow_mut().pop();
        let number = match free {
            Some(number) => {
                all[number as usize] = Some(open);
                number
            }
            None => {
                all.push(Some(open));
                all.len() as u32 - 1
            }
        };
        Known { listener: Rc::clone(self), number }
    }

    /// Keeps a connection of bytes in mind, which is told of nothing but the end.
    pub(super) fn know_bytes(self: &Rc<Self>, deadline: &Deadline) -> Known {
        self.know(Open::Bytes(deadline.remote()))
    }
}

impl Known {
    /// A connection of HTTP/1.1, or one of which it is not known yet what it speaks.
    pub(super) fn new(info: &Rc<ConnectionInfo>, deadline: &Deadline) -> Option<Known> {
        let listener = &info.standing.as_ref()?.listener;
        Some(listener.know(Open::Http1(Rc::clone(info), deadline.remote())))
    }

    /// The connection has become one of HTTP/2.
    pub(super) fn is_http2(&self, info: &Rc<ConnectionInfo>, session: &Rc<Session>) {
        let open = Open::Http2(Rc::clone(info), Rc::downgrade(session));
        if let Some(place) = self.listener.connections.borrow_mut().get_mut(self.number as usize) {
            *place = Some(open);
        }
    }
}

impl Drop for Known {
    fn drop(&mut self) {
        bump(&self.listener.series.active, 1u64.wrapping_neg());
        let mut all = self.listener.connections.borrow_mut();
        let open = all.get_mut(self.number as usize).and_then(Option::take);
        self.listener.free.borrow_mut().push(self.number);
        // Memory follows the number of connections down to where none is left.
        if self.listener.free.borrow().len() == all.len() {
            (*all, *self.listener.free.borrow_mut()) = (Vec::new(), Vec::new());
        }
        drop(all);
        // It may be the last to hold what a connection knew.
        drop(open);
    }
}

/// What a connection of HTTP goes by.
pub struct Standing {
    pub(super) listener: Rc<ListenerState>,
    served: RefCell<Rc<Served>>,
    generation: Cell<u64>,
    /// The route table.
    table: Cell<TableId>,
    /// The position of the filter chain, where there are several.
    chain: Cell<usize>,
    /// It has no place in what the listener does now.
    is_leaving: Cell<bool>,
}

impl Standing {
    /// That of a connection for which the chain at this position, where there are several, and this table were chosen of what
    /// was served.
    pub fn new(listener: Rc<ListenerState>, served: Rc<Served>, chain: usize, table: TableId) -> Standing {
        Standing {
            listener,
            generation: Cell::new(served.routing.snapshot.generation),
            served: RefCell::new(served),
            table: Cell::new(table),
            chain: Cell::new(chain),
            is_leaving: Cell::new(false),
        }
    }

    /// What a request goes by that begins now.
    pub(super) fn enter(&self, info: &ConnectionInfo) -> (Rc<Routing>, TableId) {
        if self.is_outdated() {
            self.follow(info);
        }
        self.present()
    }

    /// What it goes by, whether or not there is something else.
    pub(super) fn present(&self) -> (Rc<Routing>, TableId) {
        (Rc::clone(&self.served.borrow().routing), self.table.get())
    }

    pub(super) fn is_outdated(&self) -> bool {
        self.generation.get() != self.listener.generation.get()
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.is_leaving.get()
    }

    /// Goes on with what the listener does now, or says that there is no going on.
    pub(super) fn follow(&self, info: &ConnectionInfo) {
        self.generation.set(self.listener.generation.get());
        if self.is_leaving.get() {
            return;
        }
        let next = if self.listener.is_gone() { None } else { self.next(info) };
        match next {
            Some((chain, table)) => {
                self.chain.set(chain);
                self.table.set(table);
                let before = self.served.replace(self.listener.served());
                drop(before);
            }
            None => self.is_leaving.set(true),
        }
    }

    fn next(&self, info: &ConnectionInfo) -> Option<(usize, TableId)> {
        let (old, new) = (self.served.borrow(), self.listener.served.borrow());
        match (&old.chain, &new.chain) {
            (Chain::Http(_), Chain::Http(table)) => Some((0, *table)),
            (Chain::Tls(before), Chain::Tls(now)) => {
                let before = before.get(self.chain.get())?;
                let position = now.find_again(before, info.server_name.as_deref())?;
                let (ChainAction::TerminateHttp(old_tls, _), ChainAction::TerminateHttp(new_tls, table)) =
                    (&before.action, &now.get(position)?.action)
                else {
                    return None;
                };
                let old_asks = old.routing.snapshot.server_tls.get(old_tls.0 as usize)?;
                let new_asks = new.routing.snapshot.server_tls.get(new_tls.0 as usize)?;
                (old_asks.client == new_asks.client).then_some((position, *table))
            }
            _ => None,
        }
    }

    /// The filter chains that the connection goes by, and the position of its own; nothing where there are none.
    pub(super) fn chains(&self) -> Option<(Ref<'_, ChainIndex>, usize)> {
        let served = self.served.borrow();
        let chains = Ref::filter_map(served, |served| match &served.chain {
            Chain::Tls(chains) => Some(&**chains),
            Chain::Http(_) | Chain::Tcp(_) => None,
        });
        Some((chains.ok()?, self.chain.get()))
    }
}
