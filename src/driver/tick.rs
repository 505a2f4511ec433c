//! The shard's 100 ms tick and the bell that other threads ring.
//!
//! The runtime's own timers would add a timeout to every wait on the ring; one timer descriptor that the ring polls
//! costs nothing between ticks. The bell is an eventfd that the control thread writes to after it has put a message
//! into the shard's mailbox.
#![allow(unsafe_code)]

use super::TICK;
use monoio::net::TcpStream;
use std::{
    fs::File,
    io::{self, Read},
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    sync::OnceLock,
};

/// Ends once every tick.
pub struct Ticker {
    timer: File,
    poll: TcpStream,
}

impl Ticker {
    /// Starts to tick. Call it on the shard's thread, within its runtime.
    pub fn new() -> io::Result<Ticker> {
        // SAFETY: plain system calls; the result is checked.
        let fd =
            unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, libc::TFD_CLOEXEC | libc::TFD_NONBLOCK) };
        let timer = own(fd)?;
        let period = libc::timespec { tv_sec: 0, tv_nsec: TICK.subsec_nanos() as libc::c_long };
        let every = libc::itimerspec { it_interval: period, it_value: period };
        // SAFETY: the descriptor is open, and `every` outlives the call.
        if unsafe { libc::timerfd_settime(fd, 0, &every, std::ptr::null_mut()) } < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Ticker { poll: pollable(&timer)?, timer: File::from(timer) })
    }

    /// Waits for the next tick; ticks that were missed count as one.
    pub async fn next(&mut self) -> io::Result<()> {
        self.poll.readable(false).await?;
        drain(&self.timer)
    }
}

/// What other threads ring to make a shard look into its mailbox.
pub struct Bell {
    event: OwnedFd,
}

impl Bell {
    /// A bell that nobody has rung.
    pub fn new() -> io::Result<Bell> {
        // SAFETY: a plain system call; the result is checked.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        Ok(Bell { event: own(fd)? })
    }

    /// Another handle to the same bell.
    pub fn handle(&self) -> io::Result<Bell> {
        Ok(Bell { event: self.event.try_clone()? })
    }

    /// Rings it. Ringing a bell that already rings changes nothing.
    pub fn ring(&self) {
        let _ = rustix::io::write(&self.event, &1u64.to_ne_bytes());
    }

    /// Waits until it rings, for ever again: calls `heard` each time. Call it within the shard's runtime.
    pub async fn listen(self, mut heard: impl FnMut()) -> io::Result<()> {
        let poll = pollable(&self.event)?;
        let event = File::from(self.event);
        loop {
            poll.readable(false).await?;
            drain(&event)?;
            heard();
        }
    }
}

/// The bells of all shards, for a shard that has something for another one.
#[derive(Default)]
pub struct Bells(Vec<OnceLock<Bell>>);

impl Bells {
    /// Places for so many shards; none has a bell yet.
    pub fn new(shards: usize) -> Bells {
        Bells((0..shards).map(|_| OnceLock::new()).collect())
    }

    /// The bell of this shard; the first one stays.
    pub fn put(&self, shard: usize, bell: Bell) {
        if let Some(place) = self.0.get(shard) {
            let _ = place.set(bell);
        }
    }

    /// Rings the bells of the shards whose bit is set: bit 0 is that of shard 0, of shard 64, and so on. A shard that has not
    /// started yet hears nothing; it looks when it starts to wait.
    pub fn ring(&self, mut bits: u64) {
        while bits != 0 {
            let first = bits.trailing_zeros() as usize;
            bits &= bits - 1;
            self.0
                .iter()
                .skip(first)
                .step_by(u64::BITS as usize)
                .filter_map(OnceLock::get)
                .for_each(Bell::ring);
        }
    }
}

pub(super) fn own(fd: i32) -> io::Result<OwnedFd> {
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor was just made and nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A second descriptor of the same file that the runtime can poll: it polls sockets only by type, not by kind.
pub(super) fn pollable(fd: &OwnedFd) -> io::Result<TcpStream> {
    debug_assert!(fd.as_raw_fd() >= 0);
    TcpStream::from_std(std::net::TcpStream::from(fd.try_clone()?))
}

fn drain(mut file: &File) -> io::Result<()> {
    match file.read(&mut [0; 8]) {
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
        _ => Ok(()),
    }
}
