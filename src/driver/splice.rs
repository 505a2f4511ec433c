//! Moving bytes between two sockets through a pipe, without copying them.
//!
//! The ring has an operation for it, but hands it to worker threads of the kernel; `splice(2)`, called when a socket is
//! ready, is done at once. It looks at the flags of the sockets, not only at its own: on a descriptor that blocks it waits
//! for bytes, and for room to send, and the whole shard with it. So a socket is made not to block before its first splice.

use super::{ReadHalf, WriteHalf};
use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_getpipe_size, fcntl_setpipe_size, pipe_with, splice};
use std::{io, os::fd::OwnedFd};

/// What a pipe is to hold. Measured for bodies of 1 MiB: 64 KiB costs 8 % more, 1 MiB 4 %.
pub const PIPE_BYTES: usize = 256 << 10;

/// The least that is worth it. A user who has had `fs.pipe-user-pages-soft` of them, and may not have more, gets pipes of
/// two pages.
const PIPE_BYTES_MIN: usize = 64 << 10;

/// A pipe, with what is on its way through it.
pub struct Pipe {
    out: OwnedFd,
    into: OwnedFd,
    held: usize,
}

impl Pipe {
    /// A pipe.
    ///
    /// # Errors
    /// No descriptors or memory to be had, or only for one so small that copying is faster (`QuotaExceeded`).
    pub fn open() -> io::Result<Pipe> {
        let (out, into) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        if fcntl_setpipe_size(&into, PIPE_BYTES).is_err() && fcntl_getpipe_size(&into)? < PIPE_BYTES_MIN {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        Ok(Pipe { out, into, held: 0 })
    }

    /// Bytes that are in it.
    pub fn held(&self) -> usize {
        self.held
    }

    /// Takes up to `limit` bytes from a socket. 0 means that the peer will send no more.
    ///
    /// # Errors
    /// `WouldBlock` if nothing has come, or the pipe is full; those of `recv(2)`.
    pub fn fill(&mut self, from: &mut ReadHalf, limit: usize) -> io::Result<usize> {
        from.shared().never_block()?;
        let flags = SpliceFlags::MOVE | SpliceFlags::NONBLOCK;
        let count = splice(from.shared().fd(), None, &self.into, None, limit, flags)?;
        self.held += count;
        Ok(count)
    }

    /// Sends what is in it, as much as the socket takes. Says how much that was.
    ///
    /// # Errors
    /// `WouldBlock` if the socket takes nothing now; those of `send(2)`.
    pub fn drain(&mut self, to: &mut WriteHalf) -> io::Result<usize> {
        to.shared().never_block()?;
        let flags = SpliceFlags::MOVE | SpliceFlags::NONBLOCK;
        let count = splice(&self.out, None, to.shared().fd(), None, self.held, flags)?;
        self.held -= count.min(self.held);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::{Deadlines, DriverChoice, connect, run};
    use std::{io::Write, net::TcpListener, time::Duration};

    /// Neither call waits: if one did, this test would not end.
    async fn never_blocks() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().into();
        let deadlines = Deadlines::new();
        let (mut read, mut write, _deadline, _) =
            connect(&address, Duration::from_secs(10), None, None, &deadlines).await.unwrap();
        let mut peer = listener.accept().unwrap().0;
        let mut pipe = Pipe::open().unwrap();
        let nothing = pipe.fill(&mut read, PIPE_BYTES);
        assert_eq!(nothing.unwrap_err().kind(), io::ErrorKind::WouldBlock);
        // The peer reads nothing, so at some time its socket and ours are full.
        let full = loop {
            if pipe.held() == 0 {
                peer.write_all(&[7; 4096]).unwrap();
                read.readable().await.unwrap();
                assert!(pipe.fill(&mut read, PIPE_BYTES).unwrap() > 0);
            }
            if let Err(error) = pipe.drain(&mut write) {
                break error;
            }
        };
        assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
        assert!(pipe.held() > 0);
        drop(peer);
        // The ring, too, waits where it must and not longer.
        assert!(write.writable().await.is_ok() && pipe.drain(&mut write).is_err());
    }

    #[test]
    fn a_splice_never_waits() {
        for choice in [DriverChoice::Auto, DriverChoice::Epoll] {
            run(choice, |_, _| never_blocks()).unwrap();
        }
    }
}
