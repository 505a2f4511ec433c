//! Binding with `SO_REUSEPORT`, and accepting.

use super::{Deadline, Deadlines, ReadHalf, WriteHalf, runtime, stream};
use monoio::net::{TcpListener, TcpStream, UnixListener};
use socket2::{Domain, Protocol, SockAddr, SockFilter, Socket, Type};
use std::{
    io,
    net::SocketAddr,
    os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd},
    path::Path,
    rc::Rc,
};

/// Connections that the kernel keeps until they are accepted. The kernel lowers it to `net.core.somaxconn`.
const BACKLOG: i32 = 8192;

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
pub struct Listener {
    socket: Socket,
    wildcard: bool,
}

impl Listener {
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
        Ok(Listener { socket, wildcard: address.ip().is_unspecified() })
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
        Ok(Listener { socket, wildcard: false })
    }

    /// Another handle to the same socket.
    pub fn duplicate(&self) -> io::Result<Listener> {
        Ok(Listener { socket: self.socket.try_clone()?, wildcard: self.wildcard })
    }

    /// The address it is bound to: the port that the kernel chose, where 0 was asked for.
    pub fn local_address(&self) -> Option<SocketAddr> {
        self.socket.local_addr().ok().and_then(|address| address.as_socket())
    }

    /// Takes no new clients, while those whose handshake is done or under way can still be accepted: their first packets
    /// are dropped, so they come again later and find somebody else, or nobody. Closing at once would reset connections
    /// that their clients hold for open. Nothing changes on a Unix socket, which hands out what it has after closing.
    pub fn stop_admitting(&self) {
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
            let _ = self.socket.attach_filter(&filter);
        }
    }

    /// Takes new clients again after [`stop_admitting`](Self::stop_admitting). Those whose first packets were dropped come
    /// again by themselves.
    pub fn admit_again(&self) {
        if self.local_address().is_some() {
            // Nothing to be done where there is no filter.
            let _ = self.socket.detach_filter();
        }
    }

    /// From now on this side speaks first on its connections.
    pub fn set_first_word(&self, first_word: FirstWord) {
        if self.local_address().is_some() {
            defer_accept(&self.socket, first_word);
        }
    }

    /// Stops to listen. Accepting ends with an error, on every handle.
    pub fn close(&self) {
        // Nothing to be done where it is closed already.
        let _ = self.socket.shutdown(std::net::Shutdown::Both);
    }

    /// Accepts connections on the shard's thread until listening ends. `accepted` is called for each, and for each
    /// failure that may pass (such as too many open files), after which it waits for `pause`.
    pub async fn accept_all<P: Future<Output = ()>>(
        &self,
        deadlines: &Rc<Deadlines>,
        mut accepted: impl FnMut(io::Result<Accepted>),
        pause: impl Fn() -> P,
    ) -> io::Result<()> {
        let acceptor = Acceptor::new(self.socket.try_clone()?)?;
        loop {
            match acceptor.accept().await {
                Ok((stream, peer)) => {
                    let local = if self.wildcard { stream.local_addr().ok() } else { None };
                    let (read, write, deadline) = stream::split(stream, deadlines);
                    accepted(Ok(Accepted { read, write, deadline, peer, local }));
                }
                Err(error) if ended(&error) => return Ok(()),
                Err(error) if aborted(&error) => {}
                Err(error) => {
                    accepted(Err(error));
                    pause().await;
                }
            }
        }
    }
}

/// The socket was shut down to end listening.
fn ended(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EINVAL | libc::EBADF))
}

/// The client was gone before it was accepted (`accept(2)`: treat like no connection).
fn aborted(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ECONNABORTED | libc::EINTR | libc::EPROTO))
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

    async fn accept(&self) -> io::Result<(TcpStream, Peer)> {
        match self {
            Acceptor::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                Ok((stream, Peer::Tcp(peer)))
            }
            Acceptor::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
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
