//! A connected socket in two halves that own their buffers while they work.
#![allow(unsafe_code)]

use super::{Deadline, Deadlines};
use crate::buffer::Buffer;
use monoio::{
    BufResult,
    buf::IoBuf,
    io::{AsyncReadRent, AsyncWriteRent},
    net::TcpStream,
};
use std::{
    cell::UnsafeCell,
    future::Future,
    io,
    os::fd::AsRawFd,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

/// The half that reads. TCP and Unix sockets are the same to the ring.
pub struct ReadHalf(Rc<UnsafeCell<TcpStream>>);

/// The half that sends. The socket is closed when both halves are dropped. (The runtime's own halves end the sending
/// direction with a system call of its own first, which a connection per request would feel.)
pub struct WriteHalf(Rc<UnsafeCell<TcpStream>>);

/// Splits a connected socket and gives it a deadline, which must be dropped before the halves.
pub(super) fn split(stream: TcpStream, deadlines: &Rc<Deadlines>) -> (ReadHalf, WriteHalf, Deadline) {
    let deadline = deadlines.register(stream.as_raw_fd());
    let shared = Rc::new(UnsafeCell::new(stream));
    (ReadHalf(Rc::clone(&shared)), WriteHalf(shared), deadline)
}

impl ReadHalf {
    /// Appends what has come to the buffer, waiting for at least one byte; 0 means that the peer will send no more.
    /// The buffer must have room. Never drop the future before it is done: its bytes would be lost.
    pub async fn read(&mut self, buffer: Buffer) -> (io::Result<usize>, Buffer) {
        debug_assert!(buffer.room() > 0);
        // SAFETY: the stream takes `&mut self` only to submit an operation on its shared descriptor; it has no state
        // that a read and a send would both change, and this half does one read at a time (`&mut self`).
        unsafe { &mut *self.0.get() }.read(buffer).await
    }

    /// A read that is under way, to be kept while nobody waits for it. The ring has it from now on.
    pub fn start_read(self, buffer: Buffer) -> PendingRead {
        debug_assert!(buffer.room() > 0);
        // SAFETY: as in `read`. The future borrows nothing: the operation owns the buffer and shares the descriptor.
        let future = unsafe { &mut *self.0.get() }.read(buffer);
        PendingRead { future: Box::pin(future), half: Some(self) }
    }
}

/// A read that is under way and owns its half and its buffer. An idle upstream connection keeps one: it becomes
/// ready when the origin closes or speaks out of turn, and otherwise reads the next response.
pub struct PendingRead {
    // The runtime gives the operation's type no name; one allocation is what keeping it costs.
    future: Pin<Box<dyn Future<Output = BufResult<usize, Buffer>>>>,
    half: Option<ReadHalf>,
}

/// What a read gave: how many bytes, or why none; the buffer; and the half, to read again.
pub type Read = (io::Result<usize>, Buffer, ReadHalf);

impl Future for PendingRead {
    type Output = Read;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Read> {
        let Poll::Ready((result, buffer)) = self.future.as_mut().poll(context) else { return Poll::Pending };
        match self.half.take() {
            Some(half) => Poll::Ready((result, buffer, half)),
            // Polled after it was ready: there is nothing to give.
            None => Poll::Pending,
        }
    }
}

impl WriteHalf {
    /// Sends all unread bytes of the buffer and gives it back empty, or with what could not be sent.
    pub async fn send(&mut self, mut buffer: Buffer) -> (io::Result<()>, Buffer) {
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
    pub async fn send_all(&mut self, bytes: Vec<u8>) -> (Result<(), SendError>, Vec<u8>) {
        let total = bytes.len();
        let (result, mut bytes) = self.write(bytes).await;
        let mut sent = match result {
            Ok(sent) if sent == total => {
                bytes.clear();
                return (Ok(()), bytes);
            }
            Ok(sent) if sent > 0 => sent,
            Ok(_) => return (Err(SendError { sent: 0, error: io::ErrorKind::WriteZero.into() }), bytes),
            Err(error) => return (Err(SendError { sent: 0, error }), bytes),
        };
        while sent < total {
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

    /// Sends what the socket takes at once, and forgets the rest: for a last word that nobody waits for.
    pub fn send_now(&self, bytes: &[u8]) {
        // SAFETY: as in `ReadHalf::read`; only the descriptor is looked at.
        let fd = unsafe { &*self.0.get() }.as_raw_fd();
        let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        // SAFETY: a plain system call on an open descriptor, with memory that outlives it.
        unsafe { libc::send(fd, bytes.as_ptr().cast(), bytes.len(), flags) };
    }

    async fn write<T: IoBuf>(&mut self, bytes: T) -> BufResult<usize, T> {
        // SAFETY: as in `ReadHalf::read`: one send at a time, nothing shared with reads.
        unsafe { &mut *self.0.get() }.write(bytes).await
    }

    /// Says that no more will be sent; the other direction stays open.
    pub async fn shutdown(&mut self) {
        // The socket may be gone already; then there is nothing to end.
        // SAFETY: as in `ReadHalf::read`.
        let _ = unsafe { &mut *self.0.get() }.shutdown().await;
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
