//! The accept loop of one listener on one shard, with the limit of connections.

use super::{
    balance::{Balance, HandedOver},
    greet::greet,
    secure,
};
use crate::{
    buffer::{Buffer, Class},
    driver::{self, Accepted, Handed, Peer, TICK},
    proxy::{self, ConnectionInfo, Environment, ListenerState, Socket, Standing, TcpConnection},
    table::{BindAddress, Chain},
    telemetry::bump,
    tls::{ReadHalf, WriteHalf},
};
use std::{net::SocketAddr, rc::Rc};

/// One listener on one shard.
pub struct Listening {
    /// Its socket.
    pub socket: Rc<driver::Listener>,
    /// Where it listens.
    pub bind: BindAddress,
    /// What happens to its connections at present.
    pub state: Rc<ListenerState>,
    /// Other workers that may serve what is accepted here; nothing if this one serves it all.
    pub balance: Option<Rc<Balance>>,
}

/// Accepts and serves until the socket is closed.
pub async fn run(listening: Listening, env: Rc<Environment>) {
    let local = Local::of(&listening.socket, &listening.bind);
    let accepted = |result: std::io::Result<Accepted>| match result {
        Ok(accepted) => {
            if let Some(accepted) = listening.keep(accepted, &env) {
                admit(accepted, &listening.state, &local, &env);
            }
        }
        Err(_) => bump(&env.counters.accept_failures, 1),
    };
    // After an accept that failed for want of descriptors or memory: time for connections to end.
    let pause = || driver::pause(&env.deadlines, TICK);
    if listening.socket.accept_all(&env.deadlines, accepted, pause).await.is_err() {
        bump(&env.counters.accept_failures, 1);
    }
}

/// Serves a connection that another worker has accepted, on a listener of this one with the same address.
pub fn admit_handed_over(
    handed: Handed,
    socket: &driver::Listener,
    bind: &BindAddress,
    state: &Rc<ListenerState>,
    env: &Rc<Environment>,
) {
    match handed.take(&env.deadlines) {
        Ok(accepted) => admit(accepted, state, &Local::of(socket, bind), env),
        Err(_) => bump(&env.counters.accept_failures, 1),
    }
}

impl Listening {
    /// The connection, unless another worker serves it.
    fn keep(&self, accepted: Accepted, env: &Environment) -> Option<Accepted> {
        let Some(balance) = &self.balance else { return Some(accepted) };
        // A worker that drains has its doors closed soon, as all have.
        if env.draining.get() {
            return Some(accepted);
        }
        let own = env.counters.connections_active() + env.handshakes.get() as u64 + balance.coming();
        let Some(other) = balance.elsewhere(own) else { return Some(accepted) };
        let connection = match accepted.hand() {
            Ok(connection) => connection,
            Err(accepted) => return Some(accepted),
        };
        let handed = HandedOver { connection, bind: self.bind.clone() };
        match balance.hand_over(handed, other, &env.counters) {
            Ok(()) => None,
            Err(back) => {
                let back = back.connection.take(&env.deadlines);
                back.map_err(|_| bump(&env.counters.accept_failures, 1)).ok()
            }
        }
    }
}

/// Where a socket listens, as text.
pub fn place(socket: &driver::Listener, bind: &BindAddress) -> String {
    socket.local_address().map_or_else(|| bind.to_string(), |address| address.to_string())
}

struct Local {
    fixed: Option<SocketAddr>,
    text: Rc<str>,
}

impl Local {
    fn of(socket: &driver::Listener, bind: &BindAddress) -> Local {
        Local { fixed: socket.local_address(), text: place(socket, bind).into() }
    }
}

fn admit(accepted: Accepted, state: &Rc<ListenerState>, local: &Local, env: &Rc<Environment>) {
    let active = env.counters.connections_active() + env.handshakes.get() as u64;
    if active >= env.limits.connections as u64 {
        bump(&env.counters.downstream_connections_overflow, 1);
        return;
    }
    state.accepted();
    let (address, text) = match accepted.local {
        Some(address) => (Some(address), address.to_string().into()),
        None => (local.fixed, Rc::clone(&local.text)),
    };
    debug_assert!(accepted.peer != Peer::Unix || address.is_none());
    let mut info = ConnectionInfo::new(accepted.peer, address, text);
    info.id = env.connection_id();
    let is_introduced = state.served().routing.snapshot.settings.proxy_protocol.is_some();
    if is_introduced && accepted.peer != Peer::Unix {
        driver::spawn(greet(accepted, info, Rc::clone(state), Rc::clone(env)));
    } else {
        let came = env.buffers.lease(Class::Small);
        hand_over(accepted, came, info, state, env);
    }
}

/// Has a connection served. `came` is what has been read of it already, or an empty buffer to begin with.
pub(super) fn hand_over(
    accepted: Accepted,
    came: Buffer,
    info: ConnectionInfo,
    state: &Rc<ListenerState>,
    env: &Rc<Environment>,
) {
    let served = state.served();
    match &served.chain {
        Chain::Http(table) => {
            let standing = Standing::new(Rc::clone(state), Rc::clone(&served), 0, *table);
            driver::spawn(proxy::serve(Socket::plain(accepted), came, info, standing, env));
        }
        Chain::Tls(_) => {
            let at = (Rc::clone(state), Rc::clone(&served));
            driver::spawn(secure::serve(accepted, came, info, Rc::clone(env), at));
        }
        Chain::Tcp(chain) => {
            let Accepted { deadline, read, write, .. } = accepted;
            let (read, write) = (ReadHalf::Plain(read), WriteHalf::Plain(write));
            let connection = TcpConnection { deadline, read, write, info, kept: came };
            let way = (&chain.route, chain.protocol);
            driver::spawn(proxy::serve_tcp(connection, (state, &served), way, env));
        }
    }
}
