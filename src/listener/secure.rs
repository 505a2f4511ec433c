//! From an accepted TLS connection to one that is served: its ClientHello chooses a filter chain, the handshake is made,
//! and the connection goes on in a task of its own, so that nothing of all this is kept.

use crate::{
    buffer::{Buffer, Class},
    driver::{self, Accepted, Deadline, Phase, ReadHalf, WriteHalf},
    http::Scheme,
    proxy::{self, ConnectionInfo, Environment, Socket, TcpConnection, TlsInfo},
    table::{ChainAction, ChainIndex, ServerTlsId, TcpProtocol},
    telemetry::bump,
    tls::{self, BadHello, ClientHello, Established, HELLO_MAX, HandshakeError, Peeked, PeerCertificate},
};
use std::{rc::Rc, sync::Arc};

/// What a client reads that speaks plain-text HTTP to a TLS port.
const PLAIN_HTTP: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\ncontent-length: 50\r\nconnection: close\r\n\r\n\
    The client sent plain-text HTTP to a port for TLS\n";

/// A connection whose TLS is not there yet.
struct Client {
    // Declared before the halves, for it must be dropped before the socket is closed.
    deadline: Deadline,
    read: ReadHalf,
    write: WriteHalf,
    info: ConnectionInfo,
    env: Rc<Environment>,
}

/// Serves a connection of a TLS listener.
pub(super) async fn serve(
    accepted: Accepted,
    info: ConnectionInfo,
    env: Rc<Environment>,
    chains: Arc<ChainIndex>,
) {
    let Accepted { deadline, read, write, .. } = accepted;
    let Some(_guard) = Handshake::begin(&env) else { return bump(&env.counters.tls_overflow, 1) };
    let mut client = Client { deadline, read, write, info, env };
    if let Some((buffer, hello)) = client.hello().await {
        client.choose(buffer, hello, chains).await;
    }
}

/// Counts a handshake while it is under way.
struct Handshake(Rc<Environment>);

impl Handshake {
    fn begin(env: &Rc<Environment>) -> Option<Handshake> {
        let count = env.handshakes.get();
        (count < env.limits.handshakes).then(|| {
            env.handshakes.set(count + 1);
            Handshake(Rc::clone(env))
        })
    }
}

impl Drop for Handshake {
    fn drop(&mut self) {
        self.0.handshakes.set(self.0.handshakes.get() - 1);
    }
}

impl Client {
    /// Reads until the ClientHello is whole. It stays in the buffer.
    async fn hello(&mut self) -> Option<(Buffer, ClientHello)> {
        self.deadline.arm(Phase::Both, Some(self.env.limits.handshake_timeout));
        let mut buffer = self.env.buffers.lease(Class::Small);
        loop {
            let (result, filled) = self.read.read(buffer).await;
            buffer = filled;
            match result {
                Ok(1..) => {}
                _ => {
                    let is_late = self.deadline.fired();
                    let counters = &self.env.counters;
                    bump(if is_late { &counters.tls_timeouts } else { &counters.tls_failures }, 1);
                    return None;
                }
            }
            match tls::peek(buffer.bytes()) {
                Ok(Peeked::Hello(hello)) => return Some((buffer, hello)),
                Ok(Peeked::Incomplete) if buffer.len() < HELLO_MAX => {}
                Ok(Peeked::Incomplete) => {
                    self.refuse(BadHello::TooLarge);
                    return None;
                }
                Err(bad) => {
                    self.refuse(bad);
                    return None;
                }
            }
            if buffer.room() == 0 {
                let class = buffer.class().larger();
                buffer = buffer.grow(class);
            }
        }
    }

    /// Tells the client what was wrong with what it sent first.
    fn refuse(&self, bad: BadHello) {
        const FATAL: u8 = 2;
        bump(&self.env.counters.tls_failures, 1);
        if bad == BadHello::PlainHttp {
            self.write.send_now(PLAIN_HTTP);
        } else if let Some(alert) = bad.alert() {
            self.write.send_now(&[21, 3, 3, 0, 2, FATAL, alert]);
        }
    }

    /// Hands the connection on to what the chosen filter chain says, or closes it.
    async fn choose(self, buffer: Buffer, hello: ClientHello, chains: Arc<ChainIndex>) {
        let position = chains.find(hello.server_name.as_deref(), &hello.alpn);
        let Some((chain, position)) = position.and_then(|at| Some((chains.get(at)?, at))) else {
            bump(&self.env.counters.no_filter_chain, 1);
            return;
        };
        match &chain.action {
            ChainAction::TerminateHttp(id, table) => {
                let Some(secured) = self.terminate(*id, buffer, hello, (&chains, position)).await else {
                    return;
                };
                let Secured { socket, info, env } = secured;
                driver::spawn(proxy::serve(socket, info, *table, &env));
            }
            ChainAction::TerminateTcp(_, None) => bump(&self.env.counters.no_filter_chain, 1),
            ChainAction::TerminateTcp(id, Some(route)) => {
                let Some(secured) = self.terminate(*id, buffer, hello, (&chains, position)).await else {
                    return;
                };
                let Secured { socket: Socket { deadline, read, write }, info, env } = secured;
                let connection = TcpConnection { deadline, read, write, info, kept: env.buffers.empty() };
                driver::spawn(proxy::serve_tcp(connection, route, TcpProtocol::Opaque, &env));
            }
            ChainAction::Passthrough(route) => {
                let Client { deadline, read, write, mut info, env } = self;
                info.server_name = hello.server_name;
                let (read, write) = (tls::ReadHalf::Plain(read), tls::WriteHalf::Plain(write));
                let connection = TcpConnection { deadline, read, write, info, kept: buffer };
                driver::spawn(proxy::serve_tcp(connection, route, TcpProtocol::Opaque, &env));
            }
        }
    }

    /// Makes the handshake. Nothing: it failed, and was counted.
    async fn terminate(
        self,
        id: ServerTlsId,
        buffer: Buffer,
        hello: ClientHello,
        (chains, chain): (&Arc<ChainIndex>, usize),
    ) -> Option<Secured> {
        let Client { deadline, read, write, mut info, env } = self;
        let Some(context) = env.tls.server(id.0) else {
            // Closed without an alert, as in Istio (specification section 1.8).
            bump(&env.counters.tls_no_certificate, 1);
            return None;
        };
        deadline.arm(Phase::Both, Some(env.limits.handshake_timeout));
        let config = context.config(&hello.alpn);
        match tls::accept(read, write, buffer, config, &env.buffers).await {
            Ok(Established { read, write, mut agreed }) => {
                bump(&env.counters.tls_handshakes, 1);
                if agreed.resumed {
                    bump(&env.counters.tls_resumed, 1);
                }
                info.scheme = Scheme::Https;
                info.server_name = hello.server_name;
                // The chain was needed to believe it; from now on what it says is enough.
                let shown = std::mem::take(&mut agreed.peer_certificates);
                let peer = shown.first().and_then(|leaf| PeerCertificate::new(leaf, context.local_uri()));
                info.tls = Some(Box::new(TlsInfo { agreed, peer, chains: Arc::clone(chains), chain }));
                Some(Secured { socket: Socket { deadline, read, write }, info, env })
            }
            Err(error) => {
                count(&env, &error, deadline.fired());
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

fn count(env: &Environment, error: &HandshakeError, is_late: bool) {
    let counters = &env.counters;
    bump(if is_late { &counters.tls_timeouts } else { &counters.tls_failures }, 1);
    if let HandshakeError::Tls(
        rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented,
    ) = error
    {
        bump(&counters.tls_client_certificate_failures, 1);
    }
}
