//! A shard's listeners: which there are, and how one ends that is in the configuration no more.

use super::{ShardListener, mailbox::ListenerUpdate};
use crate::{
    driver::{self, FirstWord, TICK},
    listener::{self, Listening},
    proxy::{Environment, ListenerState, Routing},
    table::{BindAddress, Chain},
};
use std::{cell::RefCell, collections::HashMap, mem, rc::Rc, time::Duration};

/// A listener that ends takes no new clients at once, and closes after so many ticks. By then everybody is there who had begun
/// to connect: one whose first words are waited for is handed over after a second, and hurrying gains nothing.
const CLOSING_TICKS: u32 = 20;

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
    open: RefCell<Vec<Open>>,
    ending: RefCell<Vec<Ending>>,
}

impl Listeners {
    /// Begins to listen.
    pub(super) fn add(&self, listener: ShardListener, env: &Rc<Environment>) {
        let ShardListener { socket, bind, chain } = listener;
        self.begin(socket, bind, ListenerState::new(&env.routing(), chain), env);
    }

    fn begin(
        &self,
        socket: driver::Listener,
        bind: BindAddress,
        state: Rc<ListenerState>,
        env: &Rc<Environment>,
    ) {
        let socket = Rc::new(socket);
        let listening =
            Listening { socket: Rc::clone(&socket), bind: bind.clone(), state: Rc::clone(&state) };
        driver::spawn(listener::run(listening, Rc::clone(env)));
        self.open.borrow_mut().push(Open { bind, socket, state });
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
        for ListenerUpdate { bind, chain, socket } in updates {
            let old =
                if socket.is_none() { known.remove(&bind).or_else(|| self.revive(&bind)) } else { None };
            match (old, socket) {
                (Some(old), _) => {
                    let (before, now) = (first_word(&old.state.served().chain), first_word(&chain));
                    if before != now {
                        old.socket.expect(now);
                    }
                    old.state.set(routing, chain);
                    self.open.borrow_mut().push(old);
                }
                (None, Some(socket)) => self.begin(socket, bind, ListenerState::new(routing, chain), env),
                // Whoever sends updates knows what there is; there is nothing to be served here.
                (None, None) => {}
            }
        }
        let cuts_in = ending_time.as_millis().div_ceil(TICK.as_millis()).max(1);
        for open in known.into_values() {
            open.state.end();
            open.socket.stop_admitting();
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
        for mut ending in mem::take(&mut *self.ending.borrow_mut()) {
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

fn first_word(chain: &Chain) -> FirstWord {
    match chain {
        Chain::Tcp(_) => FirstWord::Either,
        Chain::Http(_) | Chain::Tls(_) => FirstWord::Client,
    }
}
