//! Buffers in a few size classes that one shard leases and gets back.
//!
//! An operation of the ring owns its buffer until it completes, so a buffer is moved into the operation and comes
//! back with its result. The pool keeps a bounded number of free buffers of each class; what is beyond goes back to
//! the allocator, so that a burst does not hold its memory for ever.
#![allow(unsafe_code)]

use monoio::buf::{IoBuf, IoBufMut};
use std::{cell::RefCell, mem::MaybeUninit, rc::Rc};

/// The sizes there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(usize)]
pub enum Class {
    /// 512 bytes: waiting for the next request on an idle connection. Small, because there may be many thousands;
    /// enough for the head of most API clients.
    Wait = 0,
    /// 4 KiB: the head of most browsers' requests.
    Small = 1,
    /// 32 KiB: a response that is not large, in one read.
    Medium = 2,
    /// 256 KiB: bodies in bulk (a larger one brings nothing more), and the largest heads.
    Large = 3,
}

impl Class {
    const COUNT: usize = 4;

    /// Bytes of a buffer of this class.
    pub const fn bytes(self) -> usize {
        match self {
            Class::Wait => 512,
            Class::Small => 4 << 10,
            Class::Medium => 32 << 10,
            Class::Large => 256 << 10,
        }
    }

    /// How many free buffers of this class one shard keeps: together at most 12 MiB a shard, enough for about a
    /// thousand busy connections, and what is idle for long is not worth more.
    const fn kept(self) -> usize {
        match self {
            Class::Wait => 1024,
            Class::Small => 256,
            Class::Medium => 64,
            Class::Large => 32,
        }
    }

    /// The next larger class; the largest has none and is its own.
    pub const fn larger(self) -> Class {
        match self {
            Class::Wait => Class::Small,
            Class::Small => Class::Medium,
            Class::Medium | Class::Large => Class::Large,
        }
    }

    /// The smallest class with room for so many bytes; the largest for more.
    pub const fn for_bytes(bytes: usize) -> Class {
        match bytes {
            0..=0x200 => Class::Wait,
            0x201..=0x1000 => Class::Small,
            0x1001..=0x8000 => Class::Medium,
            _ => Class::Large,
        }
    }
}

type Memory = Box<[MaybeUninit<u8>]>;

/// The free buffers of one shard.
#[derive(Clone, Default)]
pub struct Pool {
    free: Rc<[RefCell<Vec<Memory>>; Class::COUNT]>,
}

impl Pool {
    /// A pool without buffers.
    pub fn new() -> Pool {
        Pool::default()
    }

    /// Leases an empty buffer.
    pub fn lease(&self, class: Class) -> Buffer {
        let memory = self.free[class as usize].borrow_mut().pop();
        let memory = memory.unwrap_or_else(|| Box::new_uninit_slice(class.bytes()));
        Buffer { memory, start: 0, end: 0, class, pool: self.clone() }
    }

    /// A buffer that is leased later, with so much room in front of what comes.
    pub fn later(&self, class: Class, headroom: usize) -> Lease {
        Lease { pool: self.clone(), class, headroom }
    }

    /// A buffer without memory, for a place that must hold one.
    pub fn empty(&self) -> Buffer {
        Buffer { memory: Box::default(), start: 0, end: 0, class: Class::Wait, pool: self.clone() }
    }

    /// Bytes of the buffers that are kept for further use.
    pub fn free_bytes(&self) -> usize {
        let classes = [Class::Wait, Class::Small, Class::Medium, Class::Large];
        classes.map(|class| self.free[class as usize].borrow().len() * class.bytes()).iter().sum()
    }

    fn give_back(&self, class: Class, memory: Memory) {
        let mut free = self.free[class as usize].borrow_mut();
        if !memory.is_empty() && free.len() < class.kept() {
            free.push(memory);
        }
    }
}

/// A buffer that is to be leased later, for what may have to be waited for long: on a ring nothing is set aside until then, and
/// then it is the one that was used last, which the processor has at hand.
pub struct Lease {
    pool: Pool,
    class: Class,
    headroom: usize,
}

impl Lease {
    /// Leases the buffer.
    pub fn take(&self) -> Buffer {
        let mut buffer = self.pool.lease(self.class);
        buffer.reset(self.headroom);
        buffer
    }

    /// A buffer without memory.
    pub fn nothing(&self) -> Buffer {
        self.pool.empty()
    }
}

/// A leased buffer with unread bytes in `start..end`. Reading appends behind `end`; sending takes from `start`.
///
/// Dropping it gives the memory back to its pool.
pub struct Buffer {
    /// As large as its class says. Bytes in `start..end` are initialised.
    memory: Memory,
    start: usize,
    end: usize,
    class: Class,
    pool: Pool,
}

impl Buffer {
    /// The unread bytes.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: bytes in `start..end` were written by the kernel (`set_init`), `place_before` or `extend`, and
        // `start <= end <= memory.len()` always holds.
        unsafe { std::slice::from_raw_parts(self.at(self.start), self.end - self.start) }
    }

    /// The unread bytes, to be changed in place.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        let len = self.len();
        // SAFETY: as in `bytes`; `&mut self` makes this the only access.
        unsafe { std::slice::from_raw_parts_mut(self.at_mut(self.start), len) }
    }

    /// How many unread bytes there are.
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// Whether no byte is unread.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Room behind the unread bytes.
    pub fn room(&self) -> usize {
        self.memory.len() - self.end
    }

    /// The class it was leased from.
    pub fn class(&self) -> Class {
        self.class
    }

    /// Takes `count` bytes as read; at most all of them. An empty buffer starts again at its beginning.
    pub fn consume(&mut self, count: usize) {
        self.start += count.min(self.len());
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        }
    }

    /// Forgets the unread bytes behind the first `count`.
    pub fn truncate(&mut self, count: usize) {
        self.end = self.end.min(self.start + count);
    }

    /// Forgets the unread bytes in front of `range` and behind it.
    pub fn narrow(&mut self, range: std::ops::Range<usize>) {
        let end = range.end.min(self.len());
        self.end = self.start + end;
        self.start += range.start.min(end);
    }

    /// Room in front of the unread bytes, for [`place_before`](Self::place_before).
    pub fn headroom(&self) -> usize {
        self.start
    }

    /// An empty buffer from the same pool.
    pub fn sibling(&self, class: Class) -> Buffer {
        self.pool.lease(class)
    }

    /// A buffer without memory, of the same pool.
    pub fn nothing(&self) -> Buffer {
        self.pool.empty()
    }

    /// Forgets all bytes and leaves `headroom` in front of what comes next, for [`place_before`](Self::place_before).
    pub fn reset(&mut self, headroom: usize) {
        debug_assert!(headroom < self.memory.len());
        let headroom = headroom.min(self.memory.len());
        (self.start, self.end) = (headroom, headroom);
    }

    fn at(&self, index: usize) -> *const u8 {
        // SAFETY: callers stay within the memory, whose end is as far as a pointer may go.
        unsafe { self.memory.as_ptr().cast::<u8>().add(index) }
    }

    fn at_mut(&mut self, index: usize) -> *mut u8 {
        // SAFETY: as in `at`.
        unsafe { self.memory.as_mut_ptr().cast::<u8>().add(index) }
    }

    /// Puts `head` directly before the unread bytes, over bytes that were consumed. Says whether there was room.
    pub fn place_before(&mut self, head: &[u8]) -> bool {
        let Some(start) = self.start.checked_sub(head.len()) else { return false };
        // SAFETY: `start + head.len()` is the old start, within the memory; `head` is another allocation.
        unsafe { std::ptr::copy_nonoverlapping(head.as_ptr(), self.at_mut(start), head.len()) };
        self.start = start;
        true
    }

    /// Appends bytes. Says whether there was room for all; nothing is appended where there was not.
    pub fn extend(&mut self, bytes: &[u8]) -> bool {
        if bytes.len() > self.room() {
            return false;
        }
        // SAFETY: there is room behind `end`; `bytes` can't overlap with memory we own mutably.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.at_mut(self.end), bytes.len()) };
        self.end += bytes.len();
        true
    }

    /// Has the room behind the unread bytes filled by `read`, which gives the part at its beginning that it filled. Says how
    /// much that was.
    ///
    /// # Errors
    /// Those of `read`.
    pub fn fill<E>(
        &mut self,
        read: impl FnOnce(&mut [MaybeUninit<u8>]) -> Result<&mut [u8], E>,
    ) -> Result<usize, E> {
        let room = self.memory.get_mut(self.end..).unwrap_or_default();
        let (at, most) = (room.as_ptr().cast::<u8>(), room.len());
        let filled = read(room)?;
        debug_assert!(filled.is_empty() || filled.as_ptr() == at);
        // Initialised, for it is a slice of bytes; and ours, for it begins where our room does and is no longer.
        let count = if filled.as_ptr() == at { filled.len().min(most) } else { 0 };
        self.end += count;
        Ok(count)
    }

    /// Moves the unread bytes to the beginning, so that all room is behind them.
    pub fn compact(&mut self) {
        if self.start > 0 {
            // SAFETY: both ranges lie within the memory; `copy` allows overlap.
            unsafe { std::ptr::copy(self.at(self.start), self.at_mut(0), self.end - self.start) };
            self.end -= self.start;
            self.start = 0;
        }
    }

    /// Moves the unread bytes into a buffer of a larger class; the same buffer if it is large enough already.
    pub fn grow(mut self, class: Class) -> Buffer {
        if class as usize <= self.class as usize {
            self.compact();
            return self;
        }
        let mut larger = self.pool.lease(class);
        larger.extend(self.bytes());
        larger
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.pool.give_back(self.class, std::mem::take(&mut self.memory));
    }
}

// SAFETY: the heap memory does not move when the `Buffer` does; it lives until the operation gives the buffer back;
// `read_ptr..+bytes_init` are the unread, initialised bytes.
unsafe impl IoBuf for Buffer {
    fn read_ptr(&self) -> *const u8 {
        self.bytes().as_ptr()
    }

    fn bytes_init(&self) -> usize {
        self.len()
    }
}

// SAFETY: as above; `write_ptr..+bytes_total` is the room behind the unread bytes.
unsafe impl IoBufMut for Buffer {
    fn write_ptr(&mut self) -> *mut u8 {
        self.at_mut(self.end)
    }

    fn bytes_total(&mut self) -> usize {
        self.room()
    }

    unsafe fn set_init(&mut self, count: usize) {
        debug_assert!(count <= self.room());
        self.end += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_fits_before_the_body() {
        let pool = Pool::new();
        let mut buffer = pool.lease(Class::Small);
        buffer.reset(16);
        assert!(buffer.extend(b"HEADbody"));
        buffer.consume(4);
        assert!(buffer.place_before(b"longer head "));
        assert_eq!(buffer.bytes(), b"longer head body");
        assert!(!buffer.place_before(&[0; 64]));
    }

    #[test]
    fn a_part_is_kept_and_changed_in_place() {
        let mut buffer = Pool::new().lease(Class::Wait);
        assert!(buffer.extend(b"header|body|trailer"));
        buffer.narrow(7..11);
        buffer.bytes_mut()[0] = b'B';
        assert_eq!((buffer.bytes(), buffer.headroom()), (&b"Body"[..], 7));
        buffer.narrow(2..100);
        assert_eq!(buffer.bytes(), b"dy");
        buffer.narrow(9..9);
        assert!(buffer.is_empty());
    }

    #[test]
    fn memory_comes_back_and_is_used_again() {
        let pool = Pool::new();
        let first = pool.lease(Class::Large).memory.as_ptr();
        assert_eq!(pool.free_bytes(), Class::Large.bytes());
        assert_eq!(pool.lease(Class::Large).memory.as_ptr(), first);
    }

    #[test]
    fn growing_keeps_the_bytes() {
        let pool = Pool::new();
        let mut buffer = pool.lease(Class::Wait);
        assert!(buffer.extend(&[7; 512]));
        assert!(!buffer.extend(b"x"));
        buffer.consume(488);
        let mut grown = buffer.grow(Class::Small);
        assert_eq!(grown.bytes(), [7; 24]);
        assert!(grown.extend(b"x"));
    }
}
