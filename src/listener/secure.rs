//! From an accepted TLS connection to one that is served: its ClientHello chooses a filter chain, the handshake is made,
//! and the connection goes on in a task of its own, so that nothing of all this is kept.

use super::refusal::Refusal;
use crate::{
    buffer::{Buffer, Class},
    driver::{self, Accepted, Deadline, Phase, ReadHalf, WriteHalf},
    http::Scheme,
    proxy::{
        self, ConnectionInfo, Environment, ListenerState, Served, Socket, Standing, TcpConnection, TlsInfo,
    },
    table::{Chain, ChainAction, ServerTlsId, TcpProtocol},
    telemetry::bump,
    tls::{self, BadHello, ClientHello, Established, HELLO_MAX, Peeked, PeerCertificate},
};
use std::{rc::Rc, time::Instant};

/// A connection whose TLS is not there yet.
struct Client {
    started: Instant,
    // Declared before the halves, for it must be dropped before the socket is closed.
    deadline: Deadline,
    read: ReadHalf,
    write: WriteHalf,
    info: ConnectionInfo,
    env: Rc<Environment>,
}

/// Serves a connection of a TLS listener. `came` is what has been read of it already, or an empty buffer to begin with.
pub(super) async fn serve(
    accepted: Accepted,
    came: Buffer,
    info: ConnectionInfo,
    env: Rc<Environment>,
    (state, served): (Rc<ListenerState>, Rc<Served>),
) {
    let started = Instant::now();
    let Accepted { deadline, read, write, .. } = accepted;
    let Some(_guard) = Handshake::begin(&env) else { return Refusal::Overload.note(&info, &env, started) };
    let mut client = Client { started, deadline, read, write, info, env };
    match client.hello(came).await {
        Ok((buffer, hello)) => client.choose(buffer, hello, (state, served)).await,
        Err(refusal) => {
            refusal.tell(&client.write);
            client.refuse(&refusal);
        }
    }
}

/// Counts a handshake while it is under way.
pub(super) struct Handshake(Rc<Environment>);

impl Handshake {
    pub(super) fn begin(env: &Rc<Environment>) -> Option<Handshake> {
        let count = env.handshakes.get();
        (count < env.limits.handshakes).then(|| {
            env.handshakes.set(count + 1);
            bump(&env.counters.tls_handshakes_active, 1);
            Handshake(Rc::clone(env))
        })
    }
}

impl Drop for Handshake {
    fn drop(&mut self) {
        self.0.handshakes.set(self.0.handshakes.get() - 1);
        bump(&self.0.counters.tls_handshakes_active, 1u64.wrapping_neg());
    }
}

impl Client {
    /// Reads until the ClientHello is whole. It stays in the buffer.
    async fn hello(&mut self, mut buffer: Buffer) -> Result<(Buffer, ClientHello), Refusal> {
        self.deadline.arm(Phase::Both, Some(self.env.limits.handshake_timeout));
        loop {
            match tls::peek(buffer.bytes()).map_err(Refusal::Hello)? {
                Peeked::Hello(hello) => return Ok((buffer, hello)),
                Peeked::Incomplete if buffer.len() < HELLO_MAX => {}
                Peeked::Incomplete => return Err(Refusal::Hello(BadHello::TooLarge)),
            }
            if buffer.room() == 0 {
                let class = buffer.class().larger();
                buffer = buffer.grow(class);
            }
            let (result, filled) = self.read.read(buffer).await;
            buffer = filled;
            match result {
                Ok(1..) => {}
                _ if self.deadline.fired() => return Err(Refusal::TooLate),
                _ => return Err(Refusal::Left),
            }
        }
    }

    fn refuse(&self, refusal: &Refusal) {
        refusal.note(&self.info, &self.env, self.started);
    }

    /// Hands the connection on to what the chosen filter chain says, or closes it.
    async fn choose(
        mut self,
        buffer: Buffer,
        mut hello: ClientHello,
        (state, came_to): (Rc<ListenerState>, Rc<Served>),
    ) {
        let now = state.served();
        // It may be a port of TLS no more; it was when the client came.
        let served = if matches!(now.chain, Chain::Tls(_)) { now } else { came_to };
        let Chain::Tls(chains) = &served.chain else { return self.refuse(&Refusal::NoChain) };
        let position = chains.find(hello.server_name.as_deref(), &hello.alpn);
        self.info.server_name = hello.server_name.take();
        let Some((chain, position)) = position.and_then(|at| Some((chains.get(at)?, at))) else {
            return self.refuse(&Refusal::NoChain);
        };
        match &chain.action {
            ChainAction::TerminateHttp(id, table) => {
                let Some(secured) = self.terminate(*id, buffer, &hello, &served).await else {
                    return;
                };
                let Secured { socket, info, env } = secured;
                let standing = Standing::new(state, Rc::clone(&served), position, *table);
                driver::spawn(proxy::serve(socket, env.buffers.lease(Class::Small), info, standing, &env));
            }
            ChainAction::TerminateTcp(id, route) => {
                let Some(secured) = self.terminate(*id, buffer, &hello, &served).await else {
                    return;
                };
                let Secured { socket: Socket { deadline, read, write }, info, env } = secured;
                let connection = TcpConnection { deadline, read, write, info, kept: env.buffers.empty() };
                let way = (route, TcpProtocol::Opaque);
                driver::spawn(proxy::serve_tcp(connection, (&state, &served), way, &env));
            }
            ChainAction::Passthrough(route) => {
                let Client { deadline, read, write, info, env, .. } = self;
                let (read, write) = (tls::ReadHalf::Plain(read), tls::WriteHalf::Plain(write));
                let connection = TcpConnection { deadline, read, write, info, kept: buffer };
                let way = (route, TcpProtocol::Opaque);
                driver::spawn(proxy::serve_tcp(connection, (&state, &served), way, &env));
            }
        }
    }

    /// Makes the handshake. Nothing: it failed, and was counted.
    async fn terminate(
        self,
        id: ServerTlsId,
        buffer: Buffer,
        hello: &ClientHello,
        served: &Served,
    ) -> Option<Secured> {
        let Some(context) = served.routing.tls.server(id.0) else {
            self.refuse(&Refusal::NoCertificate);
            return None;
        };
        let Client { started, deadline, read, write, mut info, env } = self;
        deadline.arm(Phase::Both, Some(env.limits.handshake_timeout));
        let config = context.config(hello);
        match tls::accept(read, write, buffer, config, &env.buffers).await {
            Ok(Established { read, write, mut agreed }) => {
                bump(&env.counters.tls_handshakes, 1);
                if agreed.resumed {
                    bump(&env.counters.tls_resumed, 1);
                }
                info.scheme = Scheme::Https;
                // The chain was needed to believe it; from now on what it says is enough.
                let shown = std::mem::take(&mut agreed.peer_certificates);
                let peer = shown.first().and_then(|leaf| PeerCertificate::new(leaf, context.local_uri()));
                let is_peer_verified = context.verifies_clients();
                info.tls = Some(Box::new(TlsInfo { agreed, peer, is_peer_verified }));
                Some(Secured { socket: Socket { deadline, read, write }, info, env })
            }
            Err(error) => {
                let is_late = deadline.fired();
                let refusal = if is_late { Refusal::TooLate } else { Refusal::Handshake(error) };
                refusal.note(&info, &env, started);
                None
            }
        }
    }
}

/// A connection after its handshake.
struct Secured {
    socket: Socket,
    info: ConnectionInfo,
    env: Rc<Environment>,
}
