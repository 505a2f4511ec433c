//! One HTTP/1.1 connection of a client: waiting, reading heads, answering, ending.

use super::{
    ConnectionInfo, Environment,
    client::{Client, Incoming},
    environment::Scratch,
    exchange::{After, Exchange, Ingress},
    listener_state::{Known, Standing},
    reply::LocalReply,
    serve_http2::serve_http2,
};
use crate::{
    buffer::{Buffer, Class},
    driver::{self, Accepted, Deadline, Phase},
    http1::decode::{self, Decoded},
    http2::PREFACE,
    telemetry::bump,
    tls::{ReadHalf, WriteHalf},
};
use std::{io, pin::Pin, rc::Rc, time::Instant};

/// Bytes that are read and thrown away after an answer that ends the connection, before it is closed regardless:
/// closing with unread bytes would reset the connection and could destroy the answer on its way.
const LINGER_BYTES: usize = 1 << 20;

/// A connection of a client, whose bytes are plain or TLS.
pub struct Socket {
    /// Declared before the halves, for it must be dropped before the socket is closed.
    pub deadline: Deadline,
    /// The half that reads.
    pub read: ReadHalf,
    /// The half that sends.
    pub write: WriteHalf,
}

impl Socket {
    /// What was accepted, in plain text.
    pub fn plain(accepted: Accepted) -> Socket {
        let Accepted { deadline, read, write, .. } = accepted;
        Socket { deadline, read: ReadHalf::Plain(read), write: WriteHalf::Plain(write) }
    }
}

/// A downstream connection. While it waits, this is all the memory it takes on a ring; on epoll a small buffer, too.
pub(super) struct Downstream {
    /// How its listener finds it. Declared before the deadline, which must be there for it.
    known: Option<Known>,
    /// Declared before the halves, for it must be dropped before the socket is closed.
    pub(super) deadline: Deadline,
    pub(super) write: WriteHalf,
    pub(super) info: Rc<ConnectionInfo>,
    pub(super) env: Rc<Environment>,
}

/// What the client has sent and nobody has looked at, and the half that reads more.
pub(super) struct Inbound {
    pub(super) read: ReadHalf,
    pub(super) buffer: Buffer,
}

impl Inbound {
    /// Reads more behind the unread bytes. There must be room. 0 at the end.
    pub(super) async fn fill(&mut self, env: &Environment) -> io::Result<usize> {
        let buffer = std::mem::replace(&mut self.buffer, env.buffers.empty());
        let (result, buffer) = self.read.read(buffer).await;
        self.buffer = buffer;
        result
    }

    /// Makes room for more behind the unread bytes, in a buffer of at least this class.
    pub(super) fn make_room(&mut self, env: &Environment, class: Class) {
        let buffer = std::mem::replace(&mut self.buffer, env.buffers.empty());
        self.buffer = buffer.grow(class);
    }
}

enum Next {
    /// For bytes; a buffer of this class will do.
    Wait(ReadHalf, Class),
    Serve(Inbound),
    Close,
}

/// Serves a connection to its end, by what was served when it was decided that it is one of HTTP. `came` is what has been read
/// of it already, or an empty buffer to begin with.
pub fn serve(
    socket: Socket,
    came: Buffer,
    mut info: ConnectionInfo,
    standing: Standing,
    env: &Rc<Environment>,
) -> impl Future<Output = ()> + use<> {
    info.begin(standing, &env.random);
    bump(&env.counters.downstream_connections, 1);
    bump(&env.counters.downstream_connections_active, 1);
    socket.deadline.arm(Phase::Idle, Some(info.idle_time(env.limits.idle_timeout)));
    let agreed = info.tls.as_ref().and_then(|tls| tls.agreed.alpn.as_deref());
    let detection = match agreed {
        Some(b"h2") => Detection::Http2,
        Some(_) => Detection::Http1,
        None => Detection::Open,
    };
    let Socket { deadline, read, write } = socket;
    // Most clients send at once.
    let next = match came.is_empty() {
        true => Next::Wait(read, Class::Small),
        false => Next::Serve(Inbound { read, buffer: came }),
    };
    let info = Rc::new(info);
    let known = Known::new(&info, &deadline);
    Downstream { known, deadline, write, info, env: Rc::clone(env) }.live(next, detection)
}

/// Which version a connection speaks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Detection {
    /// HTTP/1.1, as was agreed by ALPN, or as the first bytes have shown.
    Http1,
    /// HTTP/2, as was agreed by ALPN.
    Http2,
    /// What its first bytes say: clients of HTTP/2 begin with a preface (RFC 9113 section 3.3).
    Open,
}

impl Downstream {
    async fn live(mut self, mut next: Next, mut detection: Detection) {
        loop {
            let mut inbound = match next {
                Next::Wait(mut read, class) => {
                    let (Ok(1..), buffer) = read.wait(self.env.buffers.later(class, 0)).await else { break };
                    Inbound { read, buffer }
                }
                Next::Serve(inbound) => inbound,
                Next::Close => break,
            };
            if detection != Detection::Http1 {
                if detection == Detection::Http2
                    || begins_preface(&inbound) && Box::pin(self.is_preface(&mut inbound)).await
                {
                    return self.become_http2(inbound);
                }
                detection = Detection::Http1;
            }
            next = self.busy(inbound).await;
        }
        bump(&self.env.counters.downstream_connections_active, 1u64.wrapping_neg());
    }

    /// Whether the first bytes are a client's preface; reads on as long as they may become one.
    async fn is_preface(&self, inbound: &mut Inbound) -> bool {
        loop {
            if !begins_preface(inbound) {
                return false;
            }
            if inbound.buffer.len() >= PREFACE.len() {
                return true;
            }
            self.deadline.arm(Phase::Reading, Some(self.env.limits.head_timeout));
            if inbound.buffer.room() == 0 {
                inbound.make_room(&self.env, Class::Small);
            }
            if !matches!(inbound.fill(&self.env).await, Ok(1..)) {
                return false;
            }
        }
    }

    /// Goes on as a connection of HTTP/2, in a task of its own.
    fn become_http2(self, inbound: Inbound) {
        let Downstream { known, deadline, write, info, env } = self;
        let Inbound { read, buffer } = inbound;
        driver::spawn(serve_http2(known, Socket { deadline, read, write }, buffer, info, env));
    }

    /// All that serving needs, in one allocation that ends when the connection has nothing to do. A function
    /// of its own, so that a waiting connection has no room for it set aside.
    fn busy(&mut self, inbound: Inbound) -> Pin<Box<impl Future<Output = Next>>> {
        Box::pin(self.serve_busy(inbound))
    }

    /// Serves what has come, as long as there is more of it.
    async fn serve_busy(&mut self, mut inbound: Inbound) -> Next {
        let env = Rc::clone(&self.env);
        loop {
            // Lent for one exchange: a connection that waits has none.
            let mut scratch = env.take_scratch();
            let after = self.serve_one(&mut inbound, &mut scratch).await;
            let class = Class::for_bytes(scratch.request.wire_len as usize);
            env.keep_scratch(scratch);
            match after {
                After::KeepAlive => {}
                After::Linger => {
                    self.linger(inbound).await;
                    return Next::Close;
                }
                After::Close => return Next::Close,
            }
            if inbound.buffer.is_empty() {
                self.deadline.arm(Phase::Idle, Some(self.info.idle_time(self.env.limits.idle_timeout)));
                return Next::Wait(inbound.read, class.min(Class::Small));
            }
        }
    }

    async fn serve_one(&mut self, inbound: &mut Inbound, scratch: &mut Scratch) -> After {
        let started = Instant::now();
        let head = self.read_head(inbound, scratch).await;
        scratch.request.keep_alive &= !self.info.is_old(started);
        let (info, env) = (Rc::clone(&self.info), Rc::clone(&self.env));
        let ingress = Ingress { info: &info, env: &env };
        let (client, incoming) = (Client::Http1(self), Incoming::Http1(inbound));
        match head {
            Head::Complete => Exchange::new(client, incoming, ingress, scratch, started).run().await,
            Head::Broken(reply) => {
                scratch.request.clear();
                scratch.original_target.clear();
                Exchange::new(client, incoming, ingress, scratch, started).refuse(reply).await
            }
            Head::Ended => After::Close,
        }
    }

    /// Reads until a head is whole. There is at least one unread byte.
    async fn read_head(&mut self, inbound: &mut Inbound, scratch: &mut Scratch) -> Head {
        let policy = self.env.routing.borrow().policy;
        let mut timed = false;
        loop {
            match decode::request(inbound.buffer.bytes(), &policy, &mut scratch.request) {
                Ok(Decoded::Head { len }) => {
                    inbound.buffer.consume(len);
                    self.deadline.arm(Phase::Both, Some(self.env.limits.stream_idle_timeout));
                    return Head::Complete;
                }
                Ok(Decoded::Incomplete) => {}
                Err(bad) => return Head::Broken(LocalReply::Bad(bad)),
            }
            if !timed {
                timed = true;
                self.deadline.arm(Phase::Reading, Some(self.env.limits.head_timeout));
            }
            if inbound.buffer.room() == 0 {
                let class = inbound.buffer.class().larger();
                inbound.make_room(&self.env, class);
            }
            match inbound.fill(&self.env).await {
                Ok(1..) => {}
                _ if self.deadline.fired() => return Head::Broken(LocalReply::HeadTimeout),
                _ => return Head::Ended,
            }
        }
    }

    /// Lets the client read the last answer: ends our direction, and throws away what it still sends, up to a limit.
    pub(super) async fn linger(&mut self, mut inbound: Inbound) {
        self.write.shutdown().await;
        self.deadline.arm(Phase::Both, Some(self.env.limits.linger_timeout));
        let mut left = LINGER_BYTES;
        loop {
            let unread = inbound.buffer.len();
            inbound.buffer.consume(unread);
            if inbound.buffer.room() == 0 {
                inbound.buffer = self.env.buffers.lease(Class::Small);
            }
            match inbound.fill(&self.env).await {
                Ok(count @ 1..) if count < left => left -= count,
                _ => return,
            }
        }
    }
}

/// Whether what came is a preface, or the beginning of one.
fn begins_preface(inbound: &Inbound) -> bool {
    let len = inbound.buffer.len().min(PREFACE.len());
    inbound.buffer.bytes().get(..len) == PREFACE.get(..len)
}

enum Head {
    Complete,
    Broken(LocalReply<'static>),
    /// The client has ended or is gone; a head that was begun can't be answered.
    Ended,
}
