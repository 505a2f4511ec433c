//! Opening a connection to an endpoint.

use super::{Deadline, Deadlines, Phase, ReadHalf, WriteHalf, runtime, stream, stream::Unread};
use monoio::net::TcpStream;
use socket2::{Domain, Protocol, SockAddr, Socket, TcpKeepalive, Type};
use std::{
    io,
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

/// Probes on a silent connection (`SO_KEEPALIVE`, tcp(7)). What is not given is the kernel's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Keepalive {
    /// Probes without an answer after which the connection is given up.
    pub probes: Option<u32>,
    /// The silence before the first probe; the kernel counts in whole seconds, so it is rounded up.
    pub time: Option<Duration>,
    /// The time between two probes, rounded up as well.
    pub interval: Option<Duration>,
}

impl Keepalive {
    fn set(&self, socket: &Socket) -> io::Result<()> {
        // The most that Linux takes (MAX_TCP_KEEPIDLE, MAX_TCP_KEEPINTVL, MAX_TCP_KEEPCNT).
        const SECONDS_MAX: u64 = 32767;
        const PROBES_MAX: u32 = 127;
        let seconds = |time: Duration| {
            Duration::from_secs(time.as_secs() + u64::from(time.subsec_nanos() > 0))
                .clamp(Duration::from_secs(1), Duration::from_secs(SECONDS_MAX))
        };
        let mut options = TcpKeepalive::new();
        if let Some(time) = self.time {
            options = options.with_time(seconds(time));
        }
        if let Some(interval) = self.interval {
            options = options.with_interval(seconds(interval));
        }
        if let Some(probes) = self.probes {
            options = options.with_retries(probes.clamp(1, PROBES_MAX));
        }
        socket.set_keepalive(true)?;
        socket.set_tcp_keepalive(&options)
    }
}

/// Opens a connection. `TCP_NODELAY` is set: the proxy sends whole messages.
///
/// # Errors
/// Those of `connect(2)`; `TimedOut` after `timeout`, or at the time `due`, whichever is first. The socket is closed in every case, for the connect is our own
/// (non-blocking, then a poll): the runtime's would leak a descriptor if it were abandoned.
pub async fn connect(
    address: &SockAddr,
    timeout: Duration,
    due: Option<Instant>,
    keepalive: Option<&Keepalive>,
    deadlines: &Rc<Deadlines>,
) -> io::Result<(ReadHalf, WriteHalf, Deadline, Option<SocketAddr>)> {
    let protocol = (address.domain() != Domain::UNIX).then_some(Protocol::TCP);
    let socket = Socket::new(address.domain(), Type::STREAM, protocol)?;
    socket.set_nonblocking(true)?;
    if protocol.is_some() {
        socket.set_tcp_nodelay(true)?;
        if let Some(keepalive) = keepalive {
            keepalive.set(&socket)?;
        }
    }
    let connecting = match socket.connect(address) {
        Ok(()) => false,
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => true,
        Err(error) => return Err(error),
    };
    let local = socket.local_addr().ok().and_then(|local| local.as_socket());
    let handle = connecting.then(|| socket.try_clone()).transpose()?;
    if !connecting && runtime::is_io_uring() {
        socket.set_nonblocking(false)?;
    }
    let stream = TcpStream::from_std(socket.into())?;
    let Some(handle) = handle else {
        return Ok(with_local(stream::split(stream, Unread::Unknown, deadlines), local));
    };

    let deadline = deadlines.register(std::os::fd::AsRawFd::as_raw_fd(&stream));
    deadline.arm(Phase::Both, Some(timeout));
    if due.is_some() {
        deadline.due_at(due);
    }
    let writable = stream.writable(false).await;
    if deadline.fired() {
        return Err(io::ErrorKind::TimedOut.into());
    }
    drop(deadline);
    writable?;
    if let Some(error) = handle.take_error()? {
        return Err(error);
    }
    if runtime::is_io_uring() {
        // The ring gives EAGAIN for a descriptor that says not to block.
        handle.set_nonblocking(false)?;
    }
    let local = handle.local_addr().ok().and_then(|local| local.as_socket());
    Ok(with_local(stream::split(stream, Unread::Unknown, deadlines), local))
}

fn with_local(
    (read, write, deadline): (ReadHalf, WriteHalf, Deadline),
    local: Option<SocketAddr>,
) -> (ReadHalf, WriteHalf, Deadline, Option<SocketAddr>) {
    (read, write, deadline, local)
}
