//! One io_uring with registered files and buffers that the kernel fills by itself: what the relay stands on.
//!
//! All that is unsafe in this package is here. What makes it sound: the kernel writes only into the buffers of a [`Pool`],
//! which are never moved, and given back to it only when nobody reads them; and it reads for a send only from these buffers,
//! which the caller holds (as a [`Piece`]) until the send has ended. Pools live to the end of the process.

use std::alloc::{Layout, alloc_zeroed, handle_alloc_error};
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::types::{BufRingEntry, Fd, Fixed};
use io_uring::{IoUring, cqueue, opcode, squeue};

/// Entries of the submission queue; a full one is submitted at once.
const SUBMISSIONS: u32 = 4096;
/// Completions that may wait: all buffers of all pools, received and sent.
const COMPLETIONS: u32 = 16_384;
/// What the ring of buffers must be aligned to (io_uring_register(2)).
const PAGE: usize = 4096;
/// `MSG_WAITALL` and `MSG_NOSIGNAL` of Linux.
const WAIT_ALL: i32 = 0x100;
const NO_SIGNAL: i32 = 0x4000;
/// `POLLIN`.
const READABLE: u32 = 1;

/// Bytes that were received: in this buffer of this pool. Given back with [`Ring::give_back`], once.
#[derive(Debug)]
pub(crate) struct Piece {
    pool: u16,
    buffer: u16,
    start: u32,
    len: u32,
}

impl Piece {
    /// Without its first bytes.
    pub(crate) fn skip(&mut self, bytes: u32) {
        let bytes = bytes.min(self.len);
        self.start += bytes;
        self.len -= bytes;
    }

    /// What is left of it.
    pub(crate) fn len(&self) -> u32 {
        self.len
    }
}

/// What the kernel tells of an operation.
#[derive(Debug)]
pub(crate) struct Completion {
    /// As it was given with the operation.
    pub(crate) tag: u64,
    /// What it returned, an error number as a negative one.
    pub(crate) result: i32,
    /// Whether more completions of it come.
    pub(crate) more: bool,
    /// What was received.
    pub(crate) piece: Option<Piece>,
}

/// Buffers of one size that the kernel chooses from.
struct Pool {
    entries: *mut BufRingEntry,
    memory: *mut u8,
    buffers: u16,
    bytes: u32,
    tail: u16,
}

impl Pool {
    /// Memory for so many buffers, a power of two, of so many bytes. It is kept to the end of the process.
    fn new(buffers: u16, bytes: u32) -> io::Result<Pool> {
        let zeroed = |bytes: usize| {
            let layout = Layout::from_size_align(bytes, PAGE).map_err(io::Error::other)?;
            // SAFETY: the layout is not empty, for neither number is 0 (checked just below, before the call).
            let memory = unsafe { alloc_zeroed(layout) };
            if memory.is_null() { handle_alloc_error(layout) } else { Ok::<_, io::Error>(memory) }
        };
        if !buffers.is_power_of_two() || bytes == 0 {
            return Err(io::Error::other("the number of buffers is no power of two, or they are empty"));
        }
        let entries = zeroed(usize::from(buffers) * size_of::<BufRingEntry>())?.cast();
        let memory = zeroed(usize::from(buffers) * bytes as usize)?;
        Ok(Pool { entries, memory, buffers, bytes, tail: 0 })
    }

    fn address(&self, buffer: u16, start: u32) -> *const u8 {
        // SAFETY: the kernel names only buffers that it was given, and `start` stays within what it has filled.
        unsafe { self.memory.add(usize::from(buffer) * self.bytes as usize + start as usize) }
    }

    /// The kernel may fill it again, once [`Self::publish`] has told it so.
    fn give_back(&mut self, buffer: u16) {
        let place = usize::from(self.tail & (self.buffers - 1));
        let address = self.address(buffer, 0) as u64;
        // SAFETY: `place` is below the number of entries; nothing else refers to the entry, which the kernel does not
        // read until the tail has passed it.
        let entry = unsafe { &mut *self.entries.add(place) };
        entry.set_addr(address);
        entry.set_len(self.bytes);
        entry.set_bid(buffer);
        self.tail = self.tail.wrapping_add(1);
    }

    fn publish(&self) {
        // SAFETY: the tail is in the first entry, which is aligned, initialised, and lives as long as the process; both
        // sides reach it by atomic operations only.
        let tail = unsafe { &*BufRingEntry::tail(self.entries).cast::<AtomicU16>() };
        tail.store(self.tail, Ordering::Release);
    }
}

/// See the module.
pub(crate) struct Ring {
    ring: IoUring,
    pools: Vec<Pool>,
    got_back: bool,
}

impl Ring {
    /// With so many places for registered files, and these pools: the number of buffers of each, and their bytes.
    pub(crate) fn new(files: u32, pools: &[(u16, u32)]) -> io::Result<Ring> {
        let ring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_cqsize(COMPLETIONS)
            .build(SUBMISSIONS)?;
        ring.submitter().register_files_sparse(files)?;
        let mut made = Ring { ring, pools: Vec::new(), got_back: false };
        for (group, (buffers, bytes)) in (0_u16..).zip(pools) {
            let mut pool = Pool::new(*buffers, *bytes)?;
            // SAFETY: the memory is as long as so many entries need, aligned to a page, and never freed.
            unsafe { made.ring.submitter().register_buf_ring(pool.entries as u64, *buffers, group)? };
            (0..*buffers).for_each(|buffer| pool.give_back(buffer));
            pool.publish();
            made.pools.push(pool);
        }
        Ok(made)
    }

    /// Puts files into places of the table; -1 empties one.
    pub(crate) fn register(&self, place: u32, files: &[RawFd]) -> io::Result<()> {
        self.ring.submitter().register_files_update(place, files).map(|_| ())
    }

    /// Completes each time the listener has a connection.
    pub(crate) fn watch(&mut self, listener: &impl AsRawFd, tag: u64) -> io::Result<()> {
        let poll = opcode::PollAdd::new(Fd(listener.as_raw_fd()), READABLE).multi(true);
        self.push(&poll.build().user_data(tag))
    }

    /// Receives from the file at that place, again and again, into buffers of that pool.
    pub(crate) fn receive(&mut self, place: u32, pool: u16, tag: u64) -> io::Result<()> {
        self.push(&opcode::RecvMulti::new(Fixed(place), pool).build().user_data(tag))
    }

    /// Sends a piece, which must be kept until the send has completed: when all bytes went, or none can go any more.
    pub(crate) fn send(&mut self, place: u32, piece: &Piece, tag: u64) -> io::Result<()> {
        let Some(pool) = self.pools.get(usize::from(piece.pool)) else {
            return Err(io::Error::other("a piece of no pool"));
        };
        let address = pool.address(piece.buffer, piece.start);
        let send = opcode::Send::new(Fixed(place), address, piece.len).flags(NO_SIGNAL | WAIT_ALL);
        self.push(&send.build().user_data(tag))
    }

    /// The kernel may use the buffer again, from the next [`Self::turn`] on.
    pub(crate) fn give_back(&mut self, piece: &Piece) {
        if let Some(pool) = self.pools.get_mut(usize::from(piece.pool)) {
            pool.give_back(piece.buffer);
            self.got_back = true;
        }
    }

    /// Whether a buffer has been given back since the last turn began.
    pub(crate) fn has_got_back(&self) -> bool {
        self.got_back
    }

    /// Submits all that was asked, waits for a completion, and takes all there are. `pool_of` tells which pool an operation
    /// received into, by its tag.
    pub(crate) fn turn(
        &mut self,
        completions: &mut Vec<Completion>,
        pool_of: impl Fn(u64) -> u16,
    ) -> io::Result<()> {
        self.pools.iter().for_each(Pool::publish);
        self.got_back = false;
        match self.ring.submit_and_wait(1) {
            Ok(_) => {}
            // Completions wait to be taken, or a signal came.
            Err(error)
                if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::ResourceBusy) => {}
            Err(error) => return Err(error),
        }
        completions.extend(self.ring.completion().map(|entry| {
            let (tag, result) = (entry.user_data(), entry.result());
            let len = u32::try_from(result).unwrap_or(0);
            let buffer = cqueue::buffer_select(entry.flags());
            let piece = buffer.map(|buffer| Piece { pool: pool_of(tag), buffer, start: 0, len });
            Completion { tag, result, more: cqueue::more(entry.flags()), piece }
        }));
        Ok(())
    }

    fn push(&mut self, entry: &squeue::Entry) -> io::Result<()> {
        loop {
            // SAFETY: the operations made above refer to registered files, to pools (which are never freed), or to nothing.
            if unsafe { self.ring.submission().push(entry) }.is_ok() {
                return Ok(());
            }
            self.ring.submit()?;
        }
    }
}
