//! The accept loop of one listener on one shard, with the limit of connections.

use super::{greet::greet, secure};
use crate::{
    buffer::{Buffer, Class},
    driver::{self, Accepted, Peer, TICK},
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
}

/// Accepts and serves until the socket is closed.
pub async fn run(listening: Listening, env: Rc<Environment>) {
    let fixed = listening.socket.local_address();
    let text: Rc<str> = fixed.map_or_else(|| listening.bind.to_string(), |a| a.to_string()).into();
    let local = Local { fixed, text };
    let accepted = |result: std::io::Result<Accepted>| match result {
        Ok(accepted) => admit(accepted, &listening.state, &local, &env),
        Err(_) => bump(&env.counters.accept_failures, 1),
    };
    // After an accept that failed for want of descriptors or memory: time for connections to end.
    let pause = || driver::pause(&env.deadlines, TICK);
    if listening.socket.accept_all(&env.deadlines, accepted, pause).await.is_err() {
        bump(&env.counters.accept_failures, 1);
    }
}

struct Local {
    fixed: Option<SocketAddr>,
    text: Rc<str>,
}

fn admit(accepted: Accepted, state: &Rc<ListenerState>, local: &Local, env: &Rc<Environment>) {
    let active = env.counters.connections_active() + env.handshakes.get() as u64;
    if active >= env.limits.connections as u64 {
        bump(&env.counters.downstream_connections_overflow, 1);
        return;
    }
    let (address, text) = match accepted.local {
        Some(address) => (Some(address), address.to_string().into()),
        None => (local.fixed, Rc::clone(&local.text)),
    };
    debug_assert!(accepted.peer != Peer::Unix || address.is_none());
    let info = ConnectionInfo::new(accepted.peer, address, text);
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
