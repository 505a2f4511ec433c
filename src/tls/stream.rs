//! A stream in two halves, plain or TLS; nobody outside has to know which.

use super::{reader::Reader, writer::Writer};
use crate::{
    buffer::{Buffer, Lease},
    driver::{self, SendError},
};
use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
};

/// The half that reads.
pub enum ReadHalf {
    /// Bytes as they come.
    Plain(driver::ReadHalf),
    /// Records.
    Tls(Box<Reader>),
}

/// The half that sends. The connection ends when both halves are dropped.
pub enum WriteHalf {
    /// Bytes as they are.
    Plain(driver::WriteHalf),
    /// Records.
    Tls(Box<Writer>),
}

impl ReadHalf {
    /// As [`driver::ReadHalf::read`]; a TLS stream may give back another buffer, of the same class or a larger one.
    pub async fn read(&mut self, buffer: Buffer) -> (io::Result<usize>, Buffer) {
        match self {
            ReadHalf::Plain(half) => half.read(buffer).await,
            ReadHalf::Tls(reader) => reader.read(buffer).await,
        }
    }

    /// As [`driver::ReadHalf::wait`], where a TLS stream holds a buffer once a part of a record has come, or a record
    /// without data.
    pub async fn wait(&mut self, lease: Lease) -> (io::Result<usize>, Buffer) {
        match self {
            ReadHalf::Plain(half) => half.wait(lease).await,
            ReadHalf::Tls(reader) => {
                if let Err(error) = reader.readable().await {
                    return (Err(error), lease.nothing());
                }
                // A future of its own, for which those that wait have no room set aside.
                Box::pin(reader.read(lease.take())).await
            }
        }
    }

    /// A read that is under way, to be kept while nobody waits for it. The socket is watched from the first poll on.
    pub fn start_read(mut self, lease: Lease) -> PendingRead {
        PendingRead(Box::pin(async move {
            let (result, buffer) = self.wait(lease).await;
            (result, buffer, self)
        }))
    }

    /// Whether the bytes are the peer's as they are.
    pub fn is_plain(&self) -> bool {
        matches!(self, ReadHalf::Plain(_))
    }

    /// As [`driver::ReadHalf::readable`]; there may turn out to be nothing but a part of a record.
    ///
    /// # Errors
    /// Those of `poll(2)`.
    pub async fn readable(&mut self) -> io::Result<()> {
        match self {
            ReadHalf::Plain(half) => half.readable().await,
            ReadHalf::Tls(reader) => reader.readable().await,
        }
    }

    /// The socket's half, if the bytes are the peer's as they are.
    pub fn plain(&mut self) -> Option<&mut driver::ReadHalf> {
        match self {
            ReadHalf::Plain(half) => Some(half),
            ReadHalf::Tls(_) => None,
        }
    }
}

/// A read that is under way and owns its half. An idle upstream connection keeps one: it becomes
/// ready when the origin closes or speaks out of turn, and otherwise reads the next response.
// The runtime gives the operation's type no name; one allocation is what keeping it costs.
pub struct PendingRead(Pin<Box<dyn Future<Output = Read>>>);

/// What a read gave: how many bytes, or why none; the buffer; and the half, to read again.
pub type Read = (io::Result<usize>, Buffer, ReadHalf);

impl Future for PendingRead {
    type Output = Read;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Read> {
        self.0.as_mut().poll(context)
    }
}

impl WriteHalf {
    /// As [`driver::WriteHalf::send`].
    pub async fn send(&mut self, buffer: Buffer) -> (io::Result<()>, Buffer) {
        match self {
            WriteHalf::Plain(half) => half.send(buffer).await,
            WriteHalf::Tls(writer) => writer.send(buffer).await,
        }
    }

    /// As [`driver::WriteHalf::is_peer_gone`].
    pub fn is_peer_gone(&self) -> bool {
        match self {
            WriteHalf::Plain(half) => half.is_peer_gone(),
            WriteHalf::Tls(writer) => writer.is_peer_gone(),
        }
    }

    /// As [`driver::WriteHalf::send_all`].
    pub async fn send_all(&mut self, bytes: Vec<u8>) -> (Result<(), SendError>, Vec<u8>) {
        match self {
            WriteHalf::Plain(half) => half.send_all(bytes).await,
            WriteHalf::Tls(writer) => writer.send_all(bytes).await,
        }
    }

    /// As [`driver::WriteHalf::end_with_next`]; of a TLS stream `close_notify` goes with it.
    pub fn end_with_next(&mut self) {
        match self {
            WriteHalf::Plain(half) => half.end_with_next(),
            WriteHalf::Tls(writer) => writer.end_with_next(),
        }
    }

    /// The socket's half, if the bytes go out as they are.
    pub fn plain(&mut self) -> Option<&mut driver::WriteHalf> {
        match self {
            WriteHalf::Plain(half) => Some(half),
            WriteHalf::Tls(_) => None,
        }
    }

    /// Says that no more will be sent (TLS: `close_notify`, then the end of the TCP stream); the other direction stays open.
    pub async fn shutdown(&mut self) {
        match self {
            WriteHalf::Plain(half) => half.shutdown().await,
            WriteHalf::Tls(writer) => writer.shutdown().await,
        }
    }
}
