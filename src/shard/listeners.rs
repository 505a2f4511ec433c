//! A shard's listeners: which there are, and how one ends that is in the configuration no more.

use super::{ShardListener, mailbox::ListenerUpdate};
use crate::{
    driver::{self, TICK},
    listener::{self, Balance, HandedOver, Listening},
    proxy::{Client, Environment, ListenerState, Routing},
    table::{BindAddress, Chain},
};
use std::{
    cell::RefCell,
    collections::HashMap,
    rc::Rc,
    time::{Duration, Instant},
};

/// A listener that ends takes no new clients at once, and closes after so many ticks. By then everybody is there who had begun
/// to connect: one whose first words are waited for is handed over after a second, and hurrying gains nothing.
const CLOSING_TICKS: u32 = 20;

/// A connection from another worker waits so many ticks for its listener. An update reaches all workers within one, as a rule; a
/// listener that was removed here is known for [`CLOSING_TICKS`] more.
const EARLY_TICKS: u32 = 20;

/// One listener.
struct Open {
    bind: BindAddress,
    socket: Rc<driver::Listener>,
    state: Rc<ListenerState>,
}

/// One that ends.
struct Ending {
    open: Open,
    /// Ticks until it closes; 0 once it has.
    closes_in: u32,
    /// Ticks until its connections are cut.
    cuts_in: u128,
}

/// All listeners of a shard.
#[derive(Default)]
pub(super) struct Listeners {
    /// Other workers that may serve what is accepted here.
    balance: Option<Rc<Balance>>,
    open: RefCell<Vec<Open>>,
    ending: RefCell<Vec<Ending>>,
    /// Connections from other workers that have no listener here yet.
    early: RefCell<Vec<Early>>,
}

/// A connection from another worker that has no listener here yet.
struct Early {
    handed: HandedOver,
    ticks: u32,
}

impl Listeners {
    /// None yet; with other workers that may serve what is accepted here, or without.
    pub(super) fn new(balance: Option<Balance>) -> Listeners {
        Listeners { balance: balance.map(Rc::new), ..Listeners::default() }
    }

    /// Begins to listen.
    pub(super) fn add(&self, listener: ShardListener, env: &Rc<Environment>) {
        let ShardListener { socket, bind, chain } = listener;
        self.begin(socket, bind, (&env.routing(), chain), env);
    }

    fn begin(
        &self,
        socket: driver::Listener,
        bind: BindAddress,
        (routing, chain): (&Rc<Routing>, Chain),
        env: &Rc<Environment>,
    ) {
        // As Envoy writes it: `0.0.0.0_8080`.
        let series = env.traffic.listener(&listener::place(&socket, &bind).replace(':', "_"));
        let state = ListenerState::new(routing, chain, series);
        let socket = Rc::new(socket);
        let listening = Listening {
            socket: Rc::clone(&socket),
            bind: bind.clone(),
            state: Rc::clone(&state),
            balance: self.balance.clone(),
        };
        driver::spawn(listener::run(listening, Rc::clone(env)));
        self.open.borrow_mut().push(Open { bind, socket, state });
    }

    /// How many connections of clients there are, and at most so many of them.
    pub(super) fn clients(&self, most: usize) -> (usize, Vec<(String, Client)>) {
        let (now, mut clients) = (Instant::now(), Vec::new());
        let open = self.open.borrow();
        let ending = self.ending.borrow();
        let mut count = 0;
        for listener in open.iter().chain(ending.iter().map(|ending| &ending.open)) {
            count += listener.state.open();
            let some = listener.state.clients(most - clients.len(), now).into_iter();
            clients.extend(some.map(|client| (listener.bind.to_string(), client)));
        }
        (count, clients)
    }

    /// Takes what other workers have handed to this one. What has come before its listener, during an update, waits for it.
    pub(super) fn take_handed_over(&self, env: &Rc<Environment>) {
        let Some(balance) = &self.balance else { return };
        for Early { handed, ticks } in self.early.take() {
            let still = self.admit(handed, env).map(|handed| Early { handed, ticks });
            self.early.borrow_mut().extend(still);
        }
        balance.take(|handed| {
            let early = self.admit(handed, env).map(|handed| Early { handed, ticks: EARLY_TICKS });
            self.early.borrow_mut().extend(early);
        });
    }

    /// A tick has passed: closes what has waited for its listener too long.
    pub(super) fn forget_early(&self) {
        self.early.borrow_mut().retain_mut(|early| {
            early.ticks = early.ticks.saturating_sub(1);
            early.ticks > 0
        });
    }

    /// Admits a connection of another worker; it comes back where this one has no such listener.
    fn admit(&self, handed: HandedOver, env: &Rc<Environment>) -> Option<HandedOver> {
        let found = {
            let (open, ending) = (self.open.borrow(), self.ending.borrow());
            let mut all = open.iter().chain(ending.iter().map(|ending| &ending.open));
            let found = all.find(|open| open.bind == handed.bind);
            found.map(|open| (Rc::clone(&open.socket), Rc::clone(&open.state)))
        };
        let Some((socket, state)) = found else { return Some(handed) };
        listener::admit_handed_over(handed.connection, &socket, &handed.bind, &state, env);
        None
    }

    /// Connections that will be served here and are not yet.
    pub(super) fn coming(&self) -> usize {
        let coming = self.balance.as_ref().map_or(0, |balance| balance.coming() as usize);
        coming + self.early.borrow().len()
    }

    /// Every socket that is not closed.
    pub(super) fn sockets(&self) -> Vec<Rc<driver::Listener>> {
        let open = self.open.borrow();
        let ending = self.ending.borrow();
        let all = open.iter().chain(ending.iter().map(|ending| &ending.open));
        all.map(|open| Rc::clone(&open.socket)).collect()
    }

    /// These are the listeners from now on. Connections of one that is not among them have this time to end.
    pub(super) fn follow(
        &self,
        updates: Vec<ListenerUpdate>,
        routing: &Rc<Routing>,
        ending_time: Duration,
        env: &Rc<Environment>,
    ) {
        let mut known: HashMap<BindAddress, Open> =
            self.open.take().into_iter().map(|open| (open.bind.clone(), open)).collect();
        let mut ending = Vec::new();
        for ListenerUpdate { bind, chain, socket } in updates {
            let old =
                known.remove(&bind).or_else(|| if socket.is_none() { self.revive(&bind) } else { None });
            match (old, socket) {
                (Some(old), None) => {
                    let (before, now) =
                        (listener::first_word(&old.state.served().chain), listener::first_word(&chain));
                    if before != now {
                        old.socket.set_first_word(now);
                    }
                    old.state.set(routing, chain);
                    self.open.borrow_mut().push(old);
                }
                (old, Some(socket)) => {
                    ending.extend(old);
                    self.begin(socket, bind, (routing, chain), env);
                }
                // Whoever sends updates knows what there is; there is nothing to be served here.
                (None, None) => {}
            }
        }
        let cuts_in = ending_time.as_millis().div_ceil(TICK.as_millis()).max(1);
        for open in ending.into_iter().chain(known.into_values()) {
            open.state.end();
            // What somebody else listens on too could not go on after that; it can be left at any time.
            if !open.socket.is_kept() {
                open.socket.stop_admitting();
            }
            self.ending.borrow_mut().push(Ending { open, closes_in: CLOSING_TICKS, cuts_in });
        }
    }

    /// One that was about to end and goes on after all.
    fn revive(&self, bind: &BindAddress) -> Option<Open> {
        let mut all = self.ending.borrow_mut();
        let at = all.iter().position(|ending| ending.open.bind == *bind && ending.closes_in > 0)?;
        let open = all.swap_remove(at).open;
        open.socket.admit_again();
        Some(open)
    }

    /// The states of all listeners, also of those that end.
    pub(super) fn states(&self) -> Vec<Rc<ListenerState>> {
        let open = self.open.borrow();
        let ending = self.ending.borrow();
        let all = open.iter().chain(ending.iter().map(|ending| &ending.open));
        all.map(|open| Rc::clone(&open.state)).collect()
    }

    /// A tick has passed: closes what is to be closed. Returns the listeners whose connections have had their time.
    pub(super) fn tick(&self) -> Vec<Rc<ListenerState>> {
        if self.ending.borrow().is_empty() {
            return Vec::new();
        }
        let mut late = Vec::new();
        for mut ending in self.ending.take() {
            if ending.closes_in == 1 {
                ending.open.socket.close();
            }
            ending.closes_in = ending.closes_in.saturating_sub(1);
            ending.cuts_in = ending.cuts_in.saturating_sub(1);
            if ending.closes_in == 0 && (ending.cuts_in == 0 || ending.open.state.open() == 0) {
                late.push(ending.open.state);
            } else {
                self.ending.borrow_mut().push(ending);
            }
        }
        late
    }
}
