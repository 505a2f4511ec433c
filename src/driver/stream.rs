//! A connected socket in two halves that own their buffers while they work.
#![allow(unsafe_code)]

use super::{Deadline, Deadlines, runtime};
use crate::buffer::{Buffer, Lease};
use monoio::{
    BufResult,
    buf::IoBuf,
    io::{AsyncReadRent, AsyncWriteRent},
    net::TcpStream,
};
use rustix::{
    event::{PollFd, PollFlags, Timespec},
    io::Errno,
    net::{RecvFlags, SendFlags},
};
use std::{
    cell::{Cell, UnsafeCell},
    future::poll_fn,
    io,
    os::fd::{AsRawFd, BorrowedFd, OwnedFd},
    rc::Rc,
    task::Poll,
};

/// The half that reads. TCP and Unix sockets are the same to the ring.
pub struct ReadHalf(Rc<Shared>);

/// The half that sends. The socket is closed when both halves are dropped. (The runtime's own halves end the sending
/// direction with a system call of its own first, which a connection per request would feel.)
pub struct WriteHalf(Rc<Shared>);

/// What may be read of one socket before the task gives way: where bytes come faster than they are passed on, reading and sending
/// would never have to wait, and nothing else on the shard would get its turn. Some hundred microseconds of work.
const AT_ONCE_MAX: usize = 512 << 10;
/// What a read counts as, however little it was: at most sixteen in a row.
const AT_ONCE_LEAST: usize = 32 << 10;

/// The socket of two halves.
pub(super) struct Shared {
    stream: UnsafeCell<TcpStream>,
    /// The descriptor does not block, on a ring: operations give `WouldBlock` instead of waiting, and readiness has to be
    /// asked for first.
    polled: Cell<bool>,
    /// There may be something to read already: the last read filled its buffer, or none has been yet.
    may_have_more: Cell<bool>,
    /// What has been read since the task last gave way.
    at_once: Cell<usize>,
    /// What is sent is the last, and goes out with the end of the connection.
    ends: Cell<bool>,
}

/// Whether there is something to read of a new connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// Most likely: the kernel gave it out when its first bytes had come.
    Likely,
    /// Nobody knows.
    Unknown,
}

/// Splits a connected socket and gives it a deadline, which must be dropped before the halves.
pub(super) fn split(
    stream: TcpStream,
    unread: Unread,
    deadlines: &Rc<Deadlines>,
) -> (ReadHalf, WriteHalf, Deadline) {
    let deadline = deadlines.register(stream.as_raw_fd());
    let shared = Rc::new(Shared {
        stream: UnsafeCell::new(stream),
        polled: Cell::new(false),
        may_have_more: Cell::new(unread == Unread::Likely),
        at_once: Cell::new(0),
        ends: Cell::new(false),
    });
    (ReadHalf(Rc::clone(&shared)), WriteHalf(shared), deadline)
}

impl Shared {
    #[expect(clippy::mut_from_ref)]
    fn stream(&self) -> &mut TcpStream {
        // SAFETY: the stream takes `&mut self` only to submit an operation on its shared descriptor; it has no state
        // that a read and a send would both change, and each half does one thing at a time (`&mut self`).
        unsafe { &mut *self.stream.get() }
    }

    /// The descriptor.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the descriptor is open as long as the stream, and that as long as this.
        unsafe { BorrowedFd::borrow_raw(self.stream().as_raw_fd()) }
    }

    /// Makes system calls on the descriptor return `WouldBlock` rather than stop the whole shard. What a ring needs to
    /// wait for the socket is asked for from now on; without a ring it is so from the start.
    pub(super) fn never_block(&self) -> io::Result<()> {
        if runtime::is_io_uring() && !self.polled.get() {
            rustix::io::ioctl_fionbio(self.fd(), true)?;
            self.polled.set(true);
        }
        Ok(())
    }

    /// Takes `never_block` back: the ring waits by itself again, which saves it an operation.
    fn may_block(&self) {
        if self.polled.get() && rustix::io::ioctl_fionbio(self.fd(), false).is_ok() {
            self.polled.set(false);
        }
    }

    /// On a ring, what has come is taken by a system call of its own once the ring says that there is something: that costs
    /// what it costs the ring to try in vain before it waits, and nothing holds a buffer meanwhile.
    async fn read(&self, mut buffer: Buffer) -> BufResult<usize, Buffer> {
        if !runtime::is_io_uring() {
            if !self.has_turn() {
                self.at_once.set(0);
                give_way().await;
            }
            let (result, buffer) = self.stream().read(buffer).await;
            self.count(result.as_ref().copied().unwrap_or_default());
            return (result, buffer);
        }
        loop {
            if let Err(error) = self.worth_reading().await {
                return (Err(error), buffer);
            }
            if let Some(result) = self.read_at_once(&mut buffer) {
                return (result, buffer);
            }
        }
    }

    /// Waits until there is something to read, or the peer has ended. Who reads next need not ask again.
    async fn readable(&self) -> io::Result<()> {
        self.stream().readable(false).await?;
        self.may_have_more.set(true);
        if runtime::is_io_uring() {
            // The ring was asked, and others had their turn meanwhile; without one, what is ready is so at once.
            self.at_once.set(0);
        }
        Ok(())
    }

    /// On a ring: waits until a read should give something. Where there may be more already the ring is asked only if the task
    /// has had its turn: to ask is to give way.
    async fn worth_reading(&self) -> io::Result<()> {
        if self.may_have_more.get() && self.has_turn() {
            return Ok(());
        }
        self.readable().await
    }

    /// Whether the task may go on reading before others have their turn.
    fn has_turn(&self) -> bool {
        self.at_once.get() < AT_ONCE_MAX
    }

    fn count(&self, read: usize) {
        self.at_once.set(self.at_once.get() + read.max(AT_ONCE_LEAST));
    }

    /// As `read`, into a buffer that is leased when there is something to read.
    async fn read_leased(&self, lease: Lease) -> BufResult<usize, Buffer> {
        if !runtime::is_io_uring() {
            return self.stream().read(lease.take()).await;
        }
        loop {
            if let Err(error) = self.worth_reading().await {
                return (Err(error), lease.nothing());
            }
            let mut buffer = lease.take();
            if let Some(result) = self.read_at_once(&mut buffer) {
                return (result, buffer);
            }
        }
    }

    fn send_flags(&self) -> SendFlags {
        let more = if self.ends.get() { SendFlags::MORE } else { SendFlags::empty() };
        SendFlags::DONTWAIT | SendFlags::NOSIGNAL | more
    }

    /// Takes what has come; nothing if it has to wait for it.
    fn read_at_once(&self, buffer: &mut Buffer) -> Option<io::Result<usize>> {
        let room = buffer.room();
        let result = buffer.fill(|room| {
            rustix::net::recv(self.fd(), room, RecvFlags::DONTWAIT).map(|((filled, _), _)| filled)
        });
        self.may_have_more.set(result == Ok(room));
        self.count(result.unwrap_or_default());
        match result {
            Err(Errno::AGAIN | Errno::INTR) => None,
            result => Some(result.map_err(io::Error::from)),
        }
    }
}

/// Lets all others that are ready have their turn.
async fn give_way() {
    let mut gave_way = false;
    poll_fn(|context| {
        if std::mem::replace(&mut gave_way, true) {
            return Poll::Ready(());
        }
        // A task that wakes itself is the next again: one behind all others has to do it.
        let waker = context.waker().clone();
        runtime::spawn(async move { waker.wake() });
        Poll::Pending
    })
    .await;
}

impl ReadHalf {
    /// Another descriptor of the socket.
    pub(super) fn duplicate(&self) -> io::Result<OwnedFd> {
        self.0.fd().try_clone_to_owned()
    }

    /// Appends what has come to the buffer, waiting for at least one byte; 0 means that the peer will send no more.
    /// The buffer must have room. Never drop the future before it is done: its bytes would be lost.
    pub async fn read(&mut self, buffer: Buffer) -> (io::Result<usize>, Buffer) {
        debug_assert!(buffer.room() > 0);
        self.0.read(buffer).await
    }

    /// As `read`, into a buffer that is leased when there is something to read: on a ring it holds none while it waits.
    pub async fn wait(&mut self, lease: Lease) -> (io::Result<usize>, Buffer) {
        self.0.read_leased(lease).await
    }

    /// Waits until there is something to read, or the peer has ended, without a buffer. It costs an operation of its
    /// own, so it is for what may have to wait long, or needs a large buffer.
    ///
    /// # Errors
    /// Those of `poll(2)`.
    pub async fn readable(&mut self) -> io::Result<()> {
        self.0.readable().await
    }

    /// After splicing: the ring waits by itself again.
    pub fn rest(&mut self) {
        self.0.may_block();
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.0
    }
}

impl WriteHalf {
    /// Sends all unread bytes of the buffer and gives it back empty, or with what could not be sent.
    ///
    /// What the socket takes at once is sent at once, here and in `send_all`: mostly that is all, and it spares the ring a
    /// completion and the task a wake-up (measured for small messages over TCP: a tenth of all it costs).
    pub async fn send(&mut self, mut buffer: Buffer) -> (io::Result<()>, Buffer) {
        match self.send_at_once(buffer.bytes()) {
            Ok(sent) => buffer.consume(sent),
            Err(error) => return (Err(error), buffer),
        }
        while !buffer.is_empty() {
            let (result, back) = self.write(buffer).await;
            buffer = back;
            match result {
                Ok(0) => return (Err(io::ErrorKind::WriteZero.into()), buffer),
                Ok(sent) => buffer.consume(sent),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return (Err(error), buffer),
            }
        }
        (Ok(()), buffer)
    }

    /// Sends all of `bytes` and gives the memory back, emptied. The error says how much had been sent.
    pub async fn send_all(&mut self, mut bytes: Vec<u8>) -> (Result<(), SendError>, Vec<u8>) {
        let mut sent = match self.send_at_once(&bytes) {
            Ok(sent) => sent,
            Err(error) => return (Err(SendError { sent: 0, error }), bytes),
        };
        while sent < bytes.len() {
            let (result, rest) = self.write(bytes.slice(sent..)).await;
            bytes = rest.into_inner();
            match result {
                Ok(0) => return (Err(SendError { sent, error: io::ErrorKind::WriteZero.into() }), bytes),
                Ok(count) => sent += count,
                Err(error) => return (Err(SendError { sent, error }), bytes),
            }
        }
        bytes.clear();
        (Ok(()), bytes)
    }

    /// Sends what the socket takes without waiting. Says how much that was.
    fn send_at_once(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        match rustix::net::send(self.0.fd(), bytes, self.0.send_flags()) {
            Err(Errno::AGAIN | Errno::INTR) => Ok(0),
            result => Ok(result?),
        }
    }

    /// Sends what the socket takes at once, and forgets the rest: for a last word that nobody waits for.
    pub fn send_now(&self, bytes: &[u8]) {
        let _ = rustix::net::send(self.0.fd(), bytes, self.0.send_flags());
    }

    /// What is sent from now on is the last, and the connection is closed, or this direction of it ended, right after: the
    /// kernel keeps the bytes for that (`MSG_MORE`; for 200 ms at most), so that they and the end are one segment and not two.
    pub fn end_with_next(&mut self) {
        self.0.ends.set(true);
    }

    /// Whether the peer sends no more, or the connection is broken; bytes may still wait to be read.
    pub fn is_peer_gone(&self) -> bool {
        let mut polled = [PollFd::from_borrowed_fd(self.0.fd(), PollFlags::RDHUP)];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        let is_known = rustix::event::poll(&mut polled, Some(&now)).is_ok();
        is_known && polled.iter().any(|polled| !polled.revents().is_empty())
    }

    async fn write<T: IoBuf>(&mut self, mut bytes: T) -> BufResult<usize, T> {
        loop {
            let (result, back) = self.0.stream().write(bytes).await;
            match result {
                // On a ring: the descriptor did not block when this began. It may again by now, if the other direction was
                // spliced and has ended.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => bytes = back,
                result => return (result, back),
            }
            if let Err(error) = self.writable().await {
                return (Err(error), bytes);
            }
        }
    }

    /// Waits until there is room to send, or the connection is broken.
    ///
    /// # Errors
    /// Those of `poll(2)`.
    pub async fn writable(&mut self) -> io::Result<()> {
        self.0.stream().writable(false).await
    }

    /// After splicing: the ring waits by itself again.
    pub fn rest(&mut self) {
        self.0.may_block();
    }

    /// Says that no more will be sent; the other direction stays open.
    pub async fn shutdown(&mut self) {
        // The socket may be gone already; then there is nothing to end.
        let _ = self.0.stream().shutdown().await;
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.0
    }
}

/// Sending ended early.
#[derive(Debug)]
pub struct SendError {
    /// Bytes the kernel had taken before.
    pub sent: usize,
    /// Why it ended.
    pub error: io::Error,
}

#[cfg(test)]
mod tests {
    use crate::{
        buffer::{Class, Pool},
        driver::{Deadlines, DriverChoice, connect, run},
    };
    use std::{cell::Cell, io::Write, net::TcpListener, rc::Rc, time::Duration};

    /// Everything that is read is there already, so no read has to wait.
    async fn reads_much() -> bool {
        const READS: usize = 64;
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().into();
        let deadlines = Deadlines::new();
        let (mut read, _write, _deadline, _) =
            connect(&address, Duration::from_secs(10), None, None, &deadlines).await.unwrap();
        let mut peer = listener.accept().unwrap().0;
        peer.write_all(&[7; READS * Class::Wait.bytes()]).unwrap();
        let pool = Pool::new();
        assert_eq!(read.read(pool.lease(Class::Wait)).await.0.unwrap(), Class::Wait.bytes());
        let has_run = Rc::new(Cell::new(false));
        let other = Rc::clone(&has_run);
        crate::driver::spawn(async move { other.set(true) });
        for _ in 1..READS {
            assert!(read.read(pool.lease(Class::Wait)).await.0.unwrap() > 0);
        }
        has_run.get()
    }

    #[test]
    fn others_have_their_turn_while_much_is_read() {
        for choice in [DriverChoice::Auto, DriverChoice::Epoll] {
            // In a task: the main future of the runtime is polled before all others.
            assert!(run(choice, |_, _| async { monoio::spawn(reads_much()).await }).unwrap(), "{choice:?}");
        }
    }
}
