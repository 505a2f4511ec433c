//! What a shard lends to every exchange: buffers, clock, log, counters.

use super::{Routing, clock::Clock, listener_state::Standing, mirror::Mirrors, worker::Workers};
use crate::{
    buffer::Pool,
    driver::{Deadlines, Peer},
    http::{RequestHead, ResponseHead, Scheme},
    http1::decode,
    mux::{Session, Terms},
    proxy_protocol::Behind,
    relay::Pipes,
    table::TableId,
    telemetry::{AccessLog, Counters, DateCache, MongoCounts, PolicyCounts, Spans, TrafficCounts},
    tls::{Agreed, Alpn, PeerCertificate},
    upstream::{Dial, IDLE_TIMEOUT, Random},
};
use std::{
    cell::{Cell, RefCell},
    net::{IpAddr, SocketAddr},
    rc::{Rc, Weak},
    sync::Arc,
    time::{Duration, Instant},
};

/// The limits of one worker and its connections. Each is named, and has its reason.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Of a response head: bytes and fields. Those of a request head are part of the policy.
    pub response_head: decode::Limits,
    /// A request head must be whole this long after its first byte: slow senders hold memory. Answered with 408.
    /// Istio's EDGE profile has the same.
    pub head_timeout: Duration,
    /// A connection without a request in flight is closed after this long (Istio's downstream idle time).
    pub idle_timeout: Duration,
    /// Where connections begin with a PROXY header it must be whole after so long: a proxy sends it at once, with its first
    /// packet.
    pub proxy_header_timeout: Duration,
    /// While a body is on its way, in either direction, or an answer is waited for, something must move within this time.
    /// Istio's stream idle time is off; an hour only frees what is dead.
    pub stream_idle_timeout: Duration,
    /// While a client's HTTP/2 window, or an origin's, is closed, it must be opened within this time: what waits for it is
    /// held in memory. As Envoy's stream idle time.
    pub window_timeout: Duration,
    /// The socket of an HTTP/2 peer must take what is sent at a time, some 128 KiB, within this time: peers of HTTP/2 read
    /// always, and say by windows what they want.
    pub send_timeout: Duration,
    /// A TLS client must have said its ClientHello this long after it was accepted, and be done with its handshake as much
    /// later (Istio's `PILOT_GATEWAY_TRANSPORT_SOCKET_CONNECT_TIMEOUT`).
    pub handshake_timeout: Duration,
    /// TLS handshakes that one worker has under way at a time; further clients are closed as they come. Each may hold some
    /// 40 KiB, and those that were accepted are better finished than all of them late.
    pub handshakes: usize,
    /// Connections of clients that one worker holds at a time; further ones are closed as they come.
    pub connections: usize,
    /// After an answer that ends the connection, this long for the client to finish sending and to read the answer.
    pub linger_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            response_head: decode::Limits::default(),
            head_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(3600),
            proxy_header_timeout: Duration::from_secs(5),
            stream_idle_timeout: Duration::from_secs(3600),
            window_timeout: Duration::from_secs(300),
            send_timeout: Duration::from_secs(300),
            handshake_timeout: Duration::from_secs(15),
            handshakes: 4096,
            // Two descriptors each, and room for others, within a million open files.
            connections: 500_000,
            linger_timeout: Duration::from_secs(5),
        }
    }
}

/// Everything an exchange needs from its shard. One a shard; all of it is used by one thread.
pub struct Environment {
    /// The routing state that new exchanges begin with.
    pub routing: RefCell<Rc<Routing>>,
    /// TLS handshakes of clients that are under way.
    pub handshakes: Cell<usize>,
    /// Buffers.
    pub buffers: Pool,
    /// Pipes.
    pub pipes: Pipes,
    /// Deadlines of sockets.
    pub deadlines: Rc<Deadlines>,
    /// Numbers.
    pub counters: Arc<Counters>,
    /// What MongoDB's clients ask.
    pub mongo: MongoCounts,
    /// How often each AuthorizationPolicy matches.
    pub policies: PolicyCounts,
    /// What is asked of each route and cluster.
    pub traffic: TrafficCounts,
    /// The access log.
    pub log: AccessLog,
    /// Spans of requests.
    pub spans: Spans,
    /// Randomness for balancing and request ids.
    pub random: Random,
    /// The time.
    pub clock: Clock,
    /// Limits.
    pub limits: Limits,
    /// What HTTP/2 connections of clients are granted.
    pub(super) downstream_terms: Terms,
    /// What those to origins are.
    pub(super) upstream_terms: Terms,
    /// The name of this host, for `%HOSTNAME%`.
    pub hostname: Box<str>,
    /// Bytes of requests' bodies that are kept for other attempts.
    pub(super) kept_bytes: Rc<Cell<usize>>,
    /// Connections end after their exchange.
    pub draining: Cell<bool>,
    /// What copies of requests take.
    pub(super) mirrors: Mirrors,
    /// Tasks that serve streams.
    pub(super) workers: Workers,
    /// HTTP/2 connections of clients, to be told when a drain begins.
    sessions: RefCell<Vec<Weak<Session>>>,
    /// The number of the next connection.
    next_connection: Cell<u64>,
    date: RefCell<DateCache>,
    // Taken for every request: a pointer moves, not what it points to.
    #[expect(clippy::vec_box)]
    scratch: RefCell<Vec<Box<Scratch>>>,
}

/// Numbers of connections of one shard are so far apart: more shards than that there are not.
const SHARDS_MAX: u64 = 1024;

/// Memory that one active connection uses and another can use after it.
#[derive(Default)]
pub(super) struct Scratch {
    pub(super) request: RequestHead,
    pub(super) response: ResponseHead,
    /// Heads on their way out.
    pub(super) out: Vec<u8>,
    /// The target before it was rewritten; empty if it was not.
    pub(super) original_target: Vec<u8>,
    /// For values that are put together.
    pub(super) text: Vec<u8>,
}

/// A connection that is to end for its age has been idle for so long before it is closed without an answer that says so.
pub(super) const LAST_QUIET: Duration = Duration::from_secs(1);

/// Scratch that a shard keeps for further connections: about as many as are active at a time.
const SCRATCH_KEPT: usize = 256;
/// An `out` larger than this is not kept: a local reply with a large body went through it.
const SCRATCH_OUT_KEPT: usize = 64 << 10;

impl Environment {
    /// A shard's environment.
    pub fn new(
        routing: Routing,
        counters: Arc<Counters>,
        log: AccessLog,
        spans: Spans,
        limits: Limits,
        hostname: Box<str>,
        shard: usize,
    ) -> Environment {
        Environment {
            routing: RefCell::new(Rc::new(routing)),
            next_connection: Cell::new(shard as u64 + 1),
            handshakes: Cell::new(0),
            buffers: Pool::new(),
            pipes: Pipes::default(),
            deadlines: Deadlines::new(),
            mongo: MongoCounts::new(Arc::clone(&counters)),
            policies: PolicyCounts::new(Arc::clone(&counters)),
            traffic: TrafficCounts::new(Arc::clone(&counters)),
            counters,
            log,
            spans,
            random: Random::default(),
            clock: Clock::new(),
            downstream_terms: downstream_terms(&limits),
            upstream_terms: Terms { idle: IDLE_TIMEOUT, ..downstream_terms(&limits) },
            mirrors: Mirrors::default(),
            workers: Workers::default(),
            sessions: RefCell::default(),
            limits,
            hostname,
            kept_bytes: Rc::default(),
            draining: Cell::new(false),
            date: RefCell::default(),
            scratch: RefCell::default(),
        }
    }

    /// A number for a connection, which no other of this process has.
    pub fn connection_id(&self) -> u64 {
        self.next_connection.replace(self.next_connection.get() + SHARDS_MAX)
    }

    /// The routing state at this moment.
    pub fn routing(&self) -> Rc<Routing> {
        Rc::clone(&self.routing.borrow())
    }

    /// Keeps a client's HTTP/2 connection in mind.
    pub(super) fn register(&self, session: &Rc<Session>) {
        let mut sessions = self.sessions.borrow_mut();
        if sessions.len() == sessions.capacity() {
            sessions.retain(|session| session.strong_count() > 0);
        }
        sessions.push(Rc::downgrade(session));
    }

    /// Connections end after their exchange from now on, and those of HTTP/2 when their streams have; clients are told so.
    pub fn drain(&self) {
        self.draining.set(true);
        for session in self.sessions.take().iter().filter_map(Weak::upgrade) {
            session.leave();
        }
    }

    /// Calls `with` with the value of `date`.
    pub(super) fn with_date<R>(&self, with: impl FnOnce(&[u8]) -> R) -> R {
        with(self.date.borrow_mut().at(self.clock.unix_ms(Instant::now()) / 1000))
    }

    pub(super) fn take_scratch(&self) -> Box<Scratch> {
        self.scratch.borrow_mut().pop().unwrap_or_default()
    }

    /// What opening a connection to an upstream takes, for a client and its request to this host.
    pub(super) fn dial<'a>(&'a self, info: &ConnectionInfo, host: Option<&'a str>) -> Dial<'a> {
        let behind = info.behind();
        let (pool, deadlines) = (&self.buffers, &self.deadlines);
        Dial { pool, deadlines, host, behind, alpn: Alpn::None, due: None }
    }

    pub(super) fn keep_scratch(&self, mut scratch: Box<Scratch>) {
        let mut kept = self.scratch.borrow_mut();
        if kept.len() < SCRATCH_KEPT {
            if scratch.out.capacity() > SCRATCH_OUT_KEPT {
                scratch.out = Vec::new();
            }
            kept.push(scratch);
        }
    }
}

fn downstream_terms(limits: &Limits) -> Terms {
    Terms {
        idle: limits.idle_timeout,
        stream_idle: limits.stream_idle_timeout,
        head: limits.head_timeout,
        send: limits.send_timeout,
        linger: limits.linger_timeout,
        age: None,
    }
}

/// What is known of a downstream connection from the start.
pub struct ConnectionInfo {
    /// A number that no other connection of this process has.
    pub id: u64,
    /// The client's address, as a PROXY header gave it where there was one; nothing for a Unix socket.
    pub peer: Option<SocketAddr>,
    /// The address at the other end of the connection: the client's, or that of the proxy that speaks for it.
    pub direct_peer: Option<SocketAddr>,
    /// The client's address as text: `10.0.0.1:5000`, `[::1]:5000`; empty for a Unix socket.
    pub peer_text: Box<str>,
    /// The address it came in on, or that the client connected to at the proxy.
    pub local: Option<SocketAddr>,
    /// That address as text.
    pub local_text: Rc<str>,
    /// The port of the listener, whatever a PROXY header says; nothing for a Unix socket.
    pub port: Option<u16>,
    /// The scheme of its requests: `https` where TLS ended here.
    pub scheme: Scheme,
    /// The name that the client asked for (SNI), lower case.
    pub server_name: Option<Box<str>>,
    /// What is known of its TLS, if it ended here.
    pub tls: Option<Box<TlsInfo>>,
    /// When it began.
    pub(super) opened: Instant,
    /// When it is to be drained for its age.
    pub(super) ends_at: Option<Instant>,
    /// What its requests go by; nothing where it is not one of HTTP.
    pub(super) standing: Option<Standing>,
}

/// What is known of a client's TLS.
pub struct TlsInfo {
    /// What the handshake agreed on.
    pub agreed: Agreed,
    /// The certificate that the client has shown.
    pub peer: Option<PeerCertificate>,
    /// Somebody who is trusted vouches for that certificate; otherwise any is accepted (`insecureSkipVerify`).
    pub is_peer_verified: bool,
}

impl ConnectionInfo {
    /// What is known of this connection.
    pub fn new(peer: Peer, local: Option<SocketAddr>, local_text: Rc<str>) -> ConnectionInfo {
        let peer = match peer {
            // Mapped addresses come from dual-stack sockets, which we do not open ourselves.
            Peer::Tcp(address) => Some(SocketAddr::new(address.ip().to_canonical(), address.port())),
            Peer::Unix => None,
        };
        let peer_text = peer.map_or_else(Box::default, |peer| peer.to_string().into());
        ConnectionInfo {
            id: 0,
            peer,
            direct_peer: peer,
            peer_text,
            local,
            port: local.map(|local| local.port()),
            local_text,
            scheme: Scheme::Http,
            server_name: None,
            tls: None,
            opened: Instant::now(),
            ends_at: None,
            standing: None,
        }
    }

    /// It is one of HTTP: its requests go by this, as long as there is nothing else.
    pub(super) fn begin(&mut self, standing: Standing, random: &Random) {
        let (routing, table) = standing.present();
        self.set_end(table, &routing, random);
        self.standing = Some(standing);
    }

    /// Decides when it is to be drained, if it may only become so old.
    fn set_end(&mut self, table: TableId, routing: &Routing, random: &Random) {
        let settings = &routing.snapshot.settings.http2;
        let table = routing.snapshot.route_tables.get(table.0 as usize);
        let own = table.and_then(|table| table.connection_age).map(|age| {
            let jitter = u64::try_from(age.jitter.as_nanos()).unwrap_or(u64::MAX);
            age.age + Duration::from_nanos(random.below(jitter))
        });
        let age = own.into_iter().chain(settings.connection_age_max).min();
        self.ends_at = age.and_then(|age| Instant::now().checked_add(age));
    }

    /// Whether it is to be drained for its age.
    pub(super) fn is_old(&self, now: Instant) -> bool {
        self.is_to_leave() || self.ends_at.is_some_and(|end| now >= end)
    }

    /// For how long it may be idle. One that is old has [`LAST_QUIET`] nevertheless: a client that has just been answered may
    /// be about to send, and would lose its request.
    pub(super) fn idle_time(&self, limit: Duration) -> Duration {
        if self.is_to_leave() {
            return LAST_QUIET.min(limit);
        }
        let left = self.ends_at.map(|end| end.saturating_duration_since(Instant::now()).max(LAST_QUIET));
        left.map_or(limit, |left| left.min(limit))
    }

    /// A PROXY header said who is behind it.
    pub fn is_for(&mut self, behind: Behind) {
        self.peer = Some(behind.source);
        self.peer_text = behind.source.to_string().into();
        self.local = Some(behind.destination);
        self.local_text = behind.destination.to_string().into();
    }

    /// What a PROXY header says of it to an upstream; nothing where there are no addresses.
    pub(super) fn behind(&self) -> Option<Behind> {
        Some(Behind { source: self.peer?, destination: self.local? })
    }

    /// Whether another filter chain of the port owns a host (as in `Host`, without its port).
    pub(super) fn is_misdirected(&self, host: &[u8]) -> bool {
        let asked = self.server_name.as_deref().unwrap_or_default();
        let chains = self.standing.as_ref().filter(|_| self.tls.is_some()).and_then(Standing::chains);
        chains.is_some_and(|(chains, own)| chains.is_misdirected(own, asked, host))
    }

    /// What a request goes by that begins now.
    pub(super) fn enter(&self, env: &Environment) -> (Rc<Routing>, TableId) {
        match &self.standing {
            Some(standing) => standing.enter(self),
            None => (env.routing(), TableId(u32::MAX)),
        }
    }

    /// Whether it has no place any more in what its listener does.
    pub(super) fn is_to_leave(&self) -> bool {
        let Some(standing) = &self.standing else { return false };
        if standing.is_outdated() {
            standing.follow(self);
        }
        standing.is_leaving()
    }

    /// The certificate that the client has shown.
    pub(super) fn peer_certificate(&self) -> Option<&PeerCertificate> {
        self.tls.as_ref()?.peer.as_ref()
    }

    /// The client's IP address as text, without port and brackets.
    pub(super) fn peer_ip_text(&self) -> &str {
        // A port has five digits at most: looking byte by byte from the end is faster than any search.
        let end = self.peer_text.bytes().rposition(|byte| byte == b':').unwrap_or_default();
        let host = self.peer_text.get(..end).unwrap_or_default();
        match host.strip_prefix('[') {
            Some(bracketed) => bracketed.strip_suffix(']').unwrap_or(bracketed),
            None => host,
        }
    }

    /// The client's IP address.
    pub fn peer_ip(&self) -> Option<IpAddr> {
        self.peer.map(|peer| peer.ip())
    }
}
