//! A connection whose client must take what is sent within some time: one that does not would hold its place for ever.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep},
};

/// The connection.
pub(super) struct Patient<S> {
    stream: S,
    patience: Duration,
    due: Pin<Box<Sleep>>,
    /// The client has not taken what is to be sent.
    is_waiting: bool,
}

impl<S> Patient<S> {
    /// With a client that has so long for each piece.
    pub(super) fn new(stream: S, patience: Duration) -> Patient<S> {
        Patient { stream, patience, due: Box::pin(sleep(patience)), is_waiting: false }
    }

    /// What became of sending; an error if it has waited for too long.
    fn judge<T>(&mut self, context: &mut Context<'_>, sent: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if sent.is_ready() {
            self.is_waiting = false;
            return sent;
        }
        if !std::mem::replace(&mut self.is_waiting, true) {
            self.due.as_mut().reset(Instant::now() + self.patience);
        }
        ready!(self.due.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let sent = Pin::new(&mut this.stream).poll_write(context, bytes);
        this.judge(context, sent)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let sent = Pin::new(&mut this.stream).poll_write_vectored(context, slices);
        this.judge(context, sent)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let sent = Pin::new(&mut this.stream).poll_flush(context);
        this.judge(context, sent)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let sent = Pin::new(&mut this.stream).poll_shutdown(context);
        this.judge(context, sent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::block_on;
    use std::future::poll_fn;
    use tokio::net::UnixStream;

    #[test]
    fn a_client_that_takes_nothing_is_given_up() {
        let ended = block_on(async {
            let (ours, _theirs) = UnixStream::pair().unwrap();
            let mut patient = Patient::new(ours, Duration::ZERO);
            loop {
                let sent = poll_fn(|context| Pin::new(&mut patient).poll_write(context, &[0; 4096])).await;
                if let Err(error) = sent {
                    return error;
                }
            }
        });
        assert_eq!(ended.unwrap().kind(), io::ErrorKind::TimedOut);
    }
}
