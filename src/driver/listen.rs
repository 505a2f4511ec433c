//! Binding with `SO_REUSEPORT`, taking over sockets that others have bound, and accepting.

use super::{Deadline, Deadlines, ReadHalf, WriteHalf, runtime, stream, stream::Unread};
use monoio::{
    io::{CancelHandle, Canceller},
    net::{TcpListener, TcpStream, UnixListener},
};
use socket2::{Domain, Protocol, SockAddr, SockFilter, Socket, Type};
use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    io,
    net::SocketAddr,
    os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd},
    path::Path,
    pin::{Pin, pin},
    rc::Rc,
    task::{Poll, Waker},
};

/// Connections that the kernel keeps until they are accepted. The kernel lowers it to `net.core.somaxconn`.
const BACKLOG: i32 = 8192;

/// Accepts that the ring is asked for at a time. One gives one connection in each turn of the shard, and a turn for each
/// connection: connecting, reading, sending and waking the other side are cheaper by the handful.
const ACCEPTS_AT_ONCE: usize = 4;

/// Who connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// A TCP client.
    Tcp(SocketAddr),
    /// A client of a Unix socket; it has no address.
    Unix,
}

/// Who speaks first on a listener's connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstWord {
    /// The client: a connection is handed over when its first bytes have come.
    Client,
    /// Perhaps the server, as with MySQL: a connection is handed over at once.
    Either,
}

/// An accepted connection.
pub struct Accepted {
    /// Its reading half.
    pub read: ReadHalf,
    /// Its sending half.
    pub write: WriteHalf,
    /// Its deadline.
    pub deadline: Deadline,
    /// The client.
    pub peer: Peer,
    /// The address it came in on, where the listener is bound to a wildcard and it had to be asked for.
    pub local: Option<SocketAddr>,
}

/// A listening socket, bound but not yet part of any shard: binding is done on the control thread, where it may fail.
///
/// It may be several sockets of one address, which are served as one: a process that has taken over those of more workers
/// than it has itself serves them all, so that nobody waits in a queue that nobody looks at.
pub struct Listener {
    /// None when they have been left.
    sockets: RefCell<Vec<Socket>>,
    wildcard: bool,
    /// Somebody outside this process has the sockets too, and goes on with them.
    is_kept: Cell<bool>,
    gate: Cell<Gate>,
    first_word: Cell<FirstWord>,
    /// The task that accepts, while it waits.
    waiting: Cell<Option<Waker>>,
    /// How often accepting was to begin anew.
    nudges: Cell<u32>,
}

/// Whether connections are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gate {
    /// Not yet: they wait in the kernel's queue.
    Held,
    Open,
    /// Not any more, while the sockets listen on: they belong to somebody else.
    Left,
}

impl Listener {
    fn new(socket: Socket, wildcard: bool, first_word: FirstWord) -> Listener {
        Listener {
            sockets: RefCell::new(vec![socket]),
            wildcard,
            is_kept: Cell::new(false),
            gate: Cell::new(Gate::Open),
            first_word: Cell::new(first_word),
            waiting: Cell::new(None),
            nudges: Cell::new(0),
        }
    }

    /// Binds a TCP address. Every shard binds one of its own (`SO_REUSEPORT`); the kernel spreads connections.
    ///
    /// `TCP_NODELAY` is set here and inherited by what is accepted: one system call a listener, not one a connection.
    pub fn tcp(address: SocketAddr, first_word: FirstWord) -> io::Result<Listener> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(true)?;
        if address.is_ipv6() {
            // `::` means IPv6 only; dual stack is two listeners, as in Istio.
            socket.set_only_v6(true)?;
        }
        socket.set_tcp_nodelay(true)?;
        if first_word == FirstWord::Client {
            defer_accept(&socket, first_word);
        }
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Ok(Listener::new(socket, address.ip().is_unspecified(), first_word))
    }

    /// A listening socket that somebody else has bound: the service manager, or the process before this one. It gets the
    /// options that our own have.
    ///
    /// # Errors
    /// It is no stream socket, or what `listen(2)` and `setsockopt(2)` say.
    pub fn inherited(socket: OwnedFd, first_word: FirstWord) -> io::Result<Listener> {
        let socket = Socket::from(socket);
        if socket.r#type()? != Type::STREAM {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "no stream socket"));
        }
        let address = socket.local_addr()?.as_socket();
        if address.is_some() {
            socket.set_tcp_nodelay(true)?;
            defer_accept(&socket, first_word);
        }
        // A socket that listens already gets our length of its queue.
        socket.listen(BACKLOG)?;
        let wildcard = address.is_some_and(|address| address.ip().is_unspecified());
        Ok(Listener::new(socket, wildcard, if address.is_some() { first_word } else { FirstWord::Either }))
    }

    /// Serves the sockets of another listener of the same address too.
    pub fn and(&self, other: Listener) {
        self.sockets.borrow_mut().append(&mut other.sockets.take());
    }

    /// Whether others may bind the same address.
    pub fn is_port_shared(&self) -> bool {
        let sockets = self.sockets.borrow();
        !sockets.is_empty() && sockets.iter().all(|socket| socket.reuse_port().unwrap_or(false))
    }

    /// Somebody outside this process has these sockets too and goes on with them, so they never stop to listen:
    /// [`stop_admitting`](Self::stop_admitting) and [`close`](Self::close) do what [`leave`](Self::leave) does.
    pub fn keep(&self) {
        self.is_kept.set(true);
    }

    /// Whether somebody outside this process has these sockets too.
    pub fn is_kept(&self) -> bool {
        self.is_kept.get()
    }

    /// Accepts nobody until [`open`](Self::open): connections wait in the kernel's queue. Until then the sockets may be
    /// those of a process that goes on if this one does not come up, so that they never stop to listen either.
    pub fn hold(&self) {
        self.gate.set(Gate::Held);
    }

    /// Accepts from now on.
    pub fn open(&self) {
        if self.gate.get() == Gate::Held {
            self.pass(Gate::Open);
        }
    }

    /// Accepts nobody any more and gives the sockets up, which listen on with somebody else: what is in their queues is
    /// theirs. An accept that is done at this moment still counts here.
    pub fn leave(&self) {
        self.sockets.borrow_mut().clear();
        self.pass(Gate::Left);
    }

    /// Accepts anew. The kernel tells of a new connection only one of those who wait for it: if that was a process that stops
    /// to wait in this moment, nobody looks at the queue until the next one comes.
    pub fn nudge(&self) {
        self.nudges.set(self.nudges.get().wrapping_add(1));
        if let Some(waiting) = self.waiting.take() {
            waiting.wake();
        }
    }

    fn is_others(&self) -> bool {
        self.is_kept.get() || self.gate.get() == Gate::Held
    }

    fn pass(&self, gate: Gate) {
        self.gate.set(gate);
        if let Some(waiting) = self.waiting.take() {
            waiting.wake();
        }
    }

    /// Other handles to the sockets, for another process.
    ///
    /// # Errors
    /// No more file descriptors.
    pub fn handles(&self) -> io::Result<Vec<OwnedFd>> {
        self.sockets.borrow().iter().map(|socket| Ok(OwnedFd::from(socket.try_clone()?))).collect()
    }

    /// Whether nobody listens on an address: `SO_REUSEPORT` alone would let two gateways of one user share a port, and
    /// each get a part of the connections.
    ///
    /// # Errors
    /// Somebody does, or what else `bind(2)` says.
    pub fn check_free(address: SocketAddr) -> io::Result<()> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        // With this, only sockets that listen are in the way, not connections that a gateway before us had.
        socket.set_reuse_address(true)?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.bind(&address.into())
    }

    /// Binds a Unix socket. A path that begins with `@` is in the abstract namespace. A Unix socket can't be bound
    /// twice, so shards share one: use [`duplicate`](Self::duplicate).
    pub fn unix(path: &Path) -> io::Result<Listener> {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.bind(&unix_address(path)?)?;
        socket.listen(BACKLOG)?;
        Ok(Listener::new(socket, false, FirstWord::Either))
    }

    /// Another handle to the same sockets.
    pub fn duplicate(&self) -> io::Result<Listener> {
        let sockets: io::Result<Vec<Socket>> = self.sockets.borrow().iter().map(Socket::try_clone).collect();
        Ok(Listener {
            sockets: RefCell::new(sockets?),
            wildcard: self.wildcard,
            is_kept: self.is_kept.clone(),
            gate: self.gate.clone(),
            first_word: self.first_word.clone(),
            waiting: Cell::new(None),
            nudges: Cell::new(0),
        })
    }

    /// The address it is bound to: the port that the kernel chose, where 0 was asked for.
    pub fn local_address(&self) -> Option<SocketAddr> {
        let sockets = self.sockets.borrow();
        sockets.first()?.local_addr().ok().and_then(|address| address.as_socket())
    }

    /// Takes no new clients, while those whose handshake is done or under way can still be accepted: their first packets
    /// are dropped, so they come again later and find somebody else, or nobody. Closing at once would reset connections
    /// that their clients hold for open. Nothing changes on a Unix socket, which hands out what it has after closing.
    pub fn stop_admitting(&self) {
        if self.is_others() {
            return self.leave();
        }
        // In the TCP header (RFC 9293 section 3.1) byte 13 has the flags, of which a first packet has SYN without ACK.
        const LOAD_BYTE: u16 = (libc::BPF_LD | libc::BPF_B | libc::BPF_ABS) as u16;
        const AND: u16 = (libc::BPF_ALU | libc::BPF_AND | libc::BPF_K) as u16;
        const JUMP_IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
        const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
        const SYN: u32 = 0x02;
        const ACK: u32 = 0x10;
        let filter = [
            SockFilter::new(LOAD_BYTE, 0, 0, 13),
            SockFilter::new(AND, 0, 0, SYN | ACK),
            SockFilter::new(JUMP_IF_EQUAL, 0, 1, SYN),
            SockFilter::new(RETURN, 0, 0, 0),
            SockFilter::new(RETURN, 0, 0, u32::MAX),
        ];
        if self.local_address().is_some() {
            // Where a sandbox forbids it new clients go on being accepted until the listener closes.
            for socket in &*self.sockets.borrow() {
                let _ = socket.attach_filter(&filter);
            }
        }
    }

    /// Takes new clients again after [`stop_admitting`](Self::stop_admitting). Those whose first packets were dropped come
    /// again by themselves.
    pub fn admit_again(&self) {
        if self.local_address().is_some() {
            for socket in &*self.sockets.borrow() {
                // Nothing to be done where there is no filter.
                let _ = socket.detach_filter();
            }
        }
    }

    /// Who speaks first from now on.
    pub fn set_first_word(&self, first_word: FirstWord) {
        if self.local_address().is_some() {
            self.first_word.set(first_word);
            self.sockets.borrow().iter().for_each(|socket| defer_accept(socket, first_word));
        }
    }

    /// Stops to listen. Accepting ends with an error, on every handle.
    pub fn close(&self) {
        if self.is_others() {
            return self.leave();
        }
        for socket in &*self.sockets.borrow() {
            // Nothing to be done where it is closed already.
            let _ = socket.shutdown(std::net::Shutdown::Both);
        }
    }

    /// Accepts connections on the shard's thread until listening ends. `accepted` is called for each, and for each
    /// failure that may pass (such as too many open files), after which it waits for `pause`.
    pub async fn accept_all<P: Future<Output = ()>>(
        &self,
        deadlines: &Rc<Deadlines>,
        accepted: impl FnMut(io::Result<Accepted>),
        pause: impl Fn() -> P,
    ) -> io::Result<()> {
        self.opened().await;
        let sockets: io::Result<Vec<Acceptor>> =
            self.sockets.borrow().iter().map(|socket| Acceptor::new(socket.try_clone()?)).collect();
        let sockets = sockets?;
        let accepted = RefCell::new(accepted);
        let each = |acceptor| self.accept_from(acceptor, deadlines, &accepted, &pause);
        // Without a ring, who accepts does so until there is nobody left.
        let at_once = if runtime::is_io_uring() { ACCEPTS_AT_ONCE } else { 1 };
        let all = sockets.iter().flat_map(|acceptor| std::iter::repeat_n(acceptor, at_once));
        let mut accepting: Vec<Pin<Box<_>>> = all.map(|one| Box::pin(each(one))).collect();
        // So few that to ask all of them costs nothing.
        poll_fn(|cx| {
            accepting.retain_mut(|one| one.as_mut().poll(cx).is_pending());
            if accepting.is_empty() { Poll::Ready(Ok(())) } else { Poll::Pending }
        })
        .await
    }

    async fn opened(&self) {
        poll_fn(|cx| {
            if self.gate.get() != Gate::Held {
                return Poll::Ready(());
            }
            self.waiting.set(Some(cx.waker().clone()));
            Poll::Pending
        })
        .await;
    }

    async fn accept_from<P: Future<Output = ()>>(
        &self,
        acceptor: &Acceptor,
        deadlines: &Rc<Deadlines>,
        accepted: &RefCell<impl FnMut(io::Result<Accepted>)>,
        pause: &impl Fn() -> P,
    ) {
        let mut canceller = Some(Canceller::new());
        while self.gate.get() != Gate::Left {
            match self.accept(acceptor, &mut canceller).await {
                Ok((stream, peer)) => {
                    let local = if self.wildcard { stream.local_addr().ok() } else { None };
                    let unread = match self.first_word.get() {
                        FirstWord::Client => Unread::Likely,
                        FirstWord::Either => Unread::Unknown,
                    };
                    let (read, write, deadline) = stream::split(stream, unread, deadlines);
                    (accepted.borrow_mut())(Ok(Accepted { read, write, deadline, peer, local }));
                }
                Err(error) if ended(&error) => return,
                Err(error) if aborted(&error) => {}
                Err(error) => {
                    (accepted.borrow_mut())(Err(error));
                    pause().await;
                }
            }
        }
    }

    /// Accepts one connection. When the sockets are left it asks the kernel to give up, and takes what it says then: an
    /// accept whose future is dropped would lose the connection that it gets.
    async fn accept(
        &self,
        acceptor: &Acceptor,
        canceller: &mut Option<Canceller>,
    ) -> io::Result<(TcpStream, Peer)> {
        let handle = canceller.as_ref().map(Canceller::handle);
        let handle = handle.ok_or_else(|| io::Error::from_raw_os_error(libc::ECANCELED))?;
        let mut accept = pin!(acceptor.accept(handle));
        let mut nudges = self.nudges.get();
        poll_fn(|cx| {
            if self.gate.get() != Gate::Left {
                self.waiting.set(Some(cx.waker().clone()));
                if nudges != self.nudges.get() {
                    nudges = self.nudges.get();
                    *canceller = canceller.take().map(Canceller::cancel);
                }
            } else if let Some(canceller) = canceller.take() {
                canceller.cancel();
            }
            accept.as_mut().poll(cx)
        })
        .await
    }
}

/// The socket was shut down to end listening.
fn ended(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EINVAL | libc::EBADF))
}

/// The client was gone before it was accepted (`accept(2)`: treat like no connection), or accepting was cancelled.
fn aborted(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ECONNABORTED | libc::EINTR | libc::EPROTO | libc::ECANCELED))
}

enum Acceptor {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Acceptor {
    fn new(socket: Socket) -> io::Result<Acceptor> {
        socket.set_nonblocking(!runtime::is_io_uring())?;
        if socket.local_addr()?.domain() == Domain::UNIX {
            return Ok(Acceptor::Unix(UnixListener::from_std(OwnedFd::from(socket).into())?));
        }
        Ok(Acceptor::Tcp(TcpListener::from_std(socket.into())?))
    }

    async fn accept(&self, handle: CancelHandle) -> io::Result<(TcpStream, Peer)> {
        match self {
            Acceptor::Tcp(listener) => {
                let (stream, peer) = listener.cancelable_accept(handle).await?;
                Ok((stream, Peer::Tcp(peer)))
            }
            Acceptor::Unix(listener) => {
                let (stream, _) = listener.cancelable_accept(handle).await?;
                Ok((TcpStream::from_std(adopt(stream)?)?, Peer::Unix))
            }
        }
    }
}

/// A Unix stream under the type that all streams here have: the ring only sees a descriptor.
fn adopt(stream: monoio::net::UnixStream) -> io::Result<std::net::TcpStream> {
    debug_assert!(stream.as_raw_fd() >= 0);
    Ok(own(stream.into_raw_fd()).into())
}

/// A connection is handed over when its first bytes have come, not before: one wake-up of the shard less for each. Clients
/// of HTTP and TLS speak first; one that says nothing is handed over after this many seconds.
const DEFER_ACCEPT_SECONDS: i32 = 1;

#[allow(unsafe_code)]
fn defer_accept(socket: &Socket, first_word: FirstWord) {
    let seconds = match first_word {
        FirstWord::Client => DEFER_ACCEPT_SECONDS,
        FirstWord::Either => 0,
    };
    // SAFETY: the descriptor is open, and the value outlives the call. A kernel that refuses loses nothing but speed.
    unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_DEFER_ACCEPT,
            (&raw const seconds).cast(),
            size_of::<i32>() as libc::socklen_t,
        )
    };
}

#[allow(unsafe_code)]
fn own(fd: i32) -> OwnedFd {
    // SAFETY: the descriptor was just given up by the stream that owned it.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// The address of a Unix socket: a path, or a name in the abstract namespace if it begins with `@`.
pub fn unix_address(path: &Path) -> io::Result<SockAddr> {
    use std::os::unix::ffi::OsStrExt;
    match path.as_os_str().as_bytes() {
        [b'@', name @ ..] => {
            let name: Vec<u8> = std::iter::once(0).chain(name.iter().copied()).collect();
            SockAddr::unix(std::ffi::OsStr::from_bytes(&name))
        }
        _ => SockAddr::unix(path),
    }
}
