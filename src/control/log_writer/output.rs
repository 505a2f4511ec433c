//! An opened target.

use super::super::start::hostname;
use crate::telemetry::{LogTarget, SyslogAddress, TimestampCache};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};
use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    net::{SocketAddr, ToSocketAddrs, UdpSocket},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::{
            fs::{MetadataExt, OpenOptionsExt},
            net::{UnixDatagram, UnixStream},
        },
    },
    path::Path,
    process,
};

/// Who may read a log that is made: its owner and the group, as those who rotate logs expect it.
const MODE: u32 = 0o640;
/// The longest message to syslog, in bytes; a longer one is cut. Collectors take 8 KiB, many of them no more.
const SYSLOG_MAX: usize = 8192;
/// The facility `local7`, which nginx uses too, and the severity `info`.
const SYSLOG_PRIORITY: u32 = 23 * 8 + 6;

/// An opened target.
pub(super) enum Output {
    /// A file, a terminal, a pipe or a FIFO.
    File(File),
    Stream(UnixStream),
    /// A line each.
    Datagram(UnixDatagram),
    /// A line each, with what syslog has before it.
    Syslog(Syslog),
}

pub(super) struct Syslog {
    socket: Socket,
    /// What is before the time and behind it.
    head: (String, String),
    message: Vec<u8>,
    time: TimestampCache,
}

enum Socket {
    Local(UnixDatagram),
    Udp(UdpSocket),
}

impl Output {
    /// # Errors
    /// What the operating system says. `None`: there is nothing to open.
    pub(super) fn open(target: &LogTarget) -> io::Result<Option<Output>> {
        Ok(Some(match target {
            LogTarget::Off => return Ok(None),
            LogTarget::Stdout => Output::File(File::from(io::stdout().as_fd().try_clone_to_owned()?)),
            LogTarget::File(path) => Output::File(file(path)?),
            LogTarget::Unix(path) => match UnixStream::connect(path) {
                Ok(stream) => {
                    stream.set_nonblocking(true)?;
                    Output::Stream(stream)
                }
                Err(error) if error.raw_os_error() == Some(Errno::PROTOTYPE.raw_os_error()) => {
                    Output::Datagram(datagrams(path)?)
                }
                Err(error) => return Err(error),
            },
            LogTarget::Syslog(address) => Output::Syslog(Syslog::open(address)?),
        }))
    }

    /// Whether a line may be written in parts, so that what was written may end in the middle of one.
    pub(super) fn is_stream(&self) -> bool {
        matches!(self, Output::File(_) | Output::Stream(_))
    }

    /// Whether it is a file that has no name any more: somebody has deleted it, or its directory.
    pub(super) fn is_deleted(&self) -> bool {
        match self {
            Output::File(file) => file.metadata().is_ok_and(|found| found.is_file() && found.nlink() == 0),
            _ => false,
        }
    }

    /// Writes something of it, with one system call. Returns how many bytes it has taken.
    ///
    /// # Errors
    /// As of `write(2)`; `WouldBlock` where it has to be waited for.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let line_end = memchr::memchr(b'\n', bytes);
        let line = line_end.and_then(|end| bytes.get(..end)).unwrap_or(bytes);
        match self {
            Output::File(file) => return file.write(bytes),
            Output::Stream(stream) => return stream.write(bytes),
            Output::Datagram(socket) => drop(socket.send(line)?),
            Output::Syslog(syslog) => syslog.send(line)?,
        }
        Ok(line_end.map_or(bytes.len(), |end| end + 1))
    }

    /// Waits until it takes something, for at most so many milliseconds.
    pub(super) fn wait(&self, milliseconds: i64) {
        let time = Timespec { tv_sec: milliseconds / 1000, tv_nsec: milliseconds % 1000 * 1_000_000 };
        // What is wrong with it is found by the next write.
        let _ = poll(&mut [PollFd::new(&self.descriptor(), PollFlags::OUT)], Some(&time));
    }

    fn descriptor(&self) -> BorrowedFd<'_> {
        match self {
            Output::File(file) => file.as_fd(),
            Output::Stream(stream) => stream.as_fd(),
            Output::Datagram(socket) | Output::Syslog(Syslog { socket: Socket::Local(socket), .. }) => {
                socket.as_fd()
            }
            Output::Syslog(Syslog { socket: Socket::Udp(socket), .. }) => socket.as_fd(),
        }
    }
}

/// A FIFO that nobody reads can't be opened for writing without waiting for a reader, so nobody waits.
fn file(path: &Path) -> io::Result<File> {
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    OpenOptions::new().append(true).create(true).mode(MODE).custom_flags(flags).open(path)
}

fn datagrams(path: &Path) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.connect(path)?;
    Ok(socket)
}

impl Syslog {
    fn open(address: &SyslogAddress) -> io::Result<Syslog> {
        let pid = process::id();
        let (socket, head) = match address {
            // The form of syslog(3), which is what those who listen there read; they put time and host before it.
            SyslogAddress::Local(path) => {
                let head = (format!("<{SYSLOG_PRIORITY}>sluicegate[{pid}]: "), String::new());
                (Socket::Local(datagrams(path)?), head)
            }
            SyslogAddress::Udp(address) => {
                let behind = format!(" {} sluicegate {pid} access - ", hostname());
                (Socket::Udp(udp(address)?), (format!("<{SYSLOG_PRIORITY}>1 "), behind))
            }
        };
        Ok(Syslog { socket, head, message: Vec::new(), time: TimestampCache::default() })
    }

    fn send(&mut self, line: &[u8]) -> io::Result<()> {
        let (before, behind) = &self.head;
        self.message.clear();
        self.message.extend_from_slice(before.as_bytes());
        if !behind.is_empty() {
            let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_millis() as u64;
            self.time.append(now, &mut self.message);
            self.message.extend_from_slice(behind.as_bytes());
        }
        self.message.extend_from_slice(line);
        self.message.truncate(SYSLOG_MAX);
        match &self.socket {
            Socket::Local(socket) => socket.send(&self.message).map(drop),
            Socket::Udp(socket) => socket.send(&self.message).map(drop),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this thread is the log's own, and may wait for a name")]
fn udp(address: &str) -> io::Result<UdpSocket> {
    let addresses: Vec<SocketAddr> = address.to_socket_addrs()?.collect();
    let mut failed = io::ErrorKind::NotFound.into();
    for address in addresses {
        let any: SocketAddr = if address.is_ipv4() { ([0; 4], 0).into() } else { ([0u16; 8], 0).into() };
        let socket = UdpSocket::bind(any).and_then(|socket| {
            socket.connect(address)?;
            socket.set_nonblocking(true)?;
            Ok(socket)
        });
        match socket {
            Ok(socket) => return Ok(socket),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}
