//! One direction: when it copies and when it splices.
//!
//! Messages that are small are read into small buffers, with one operation of the ring each: that is the cheapest for
//! them. Once a sender fills its buffer, its direction goes over to bulk: it waits without a buffer, and then moves all
//! there is through a pipe, or with large buffers where a tap has to see the bytes or there is no pipe. When little comes
//! for a while it goes back.

pub(super) use super::tap::Tap;
use super::{both::Activity, pipes::Pipes, splice::Burst};
use crate::{
    buffer::{Class, Pool},
    driver::{ReadHalf, WriteHalf},
    telemetry::{Counter, bump},
};
use std::{cell::Cell, pin::Pin};

/// One direction.
pub(super) struct Direction<'a, T> {
    pub(super) read: &'a mut ReadHalf,
    pub(super) write: &'a mut WriteHalf,
    pub(super) tap: T,
    pub(super) buffers: &'a Pool,
    pub(super) pipes: &'a Pipes,
    pub(super) activity: &'a Activity<'a>,
    /// Bytes that the receiver's socket has taken.
    pub(super) total: &'a Cell<u64>,
    /// The same over all connections.
    pub(super) counter: &'a Counter,
}

/// Why a direction can't go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// The sender's connection is broken.
    Reading,
    /// The receiver's is.
    Sending,
}

/// How bulk ends.
enum Bulk {
    Quiet,
    Ended,
}

/// Bursts of less than a small buffer, one after another, after which a direction is no longer bulk.
const SMALL_BURSTS_MAX: u32 = 8;

/// Reads that would have fitted into a smaller buffer, one after another, after which the next is smaller.
const SMALL_READS_MAX: u32 = 2;

/// A burst that moved less than this was cheaper copied.
const SPLICE_BYTES_MIN: u64 = 32 << 10;

impl<T: Tap> Direction<'_, T> {
    /// Moves bytes until the sender has ended, and then says so to the receiver.
    pub(super) async fn run(mut self) -> Result<(), Broken> {
        let mut size = Size { class: Class::Small, small: 0 };
        loop {
            let count = self.copy(size.class).await?;
            if count == 0 {
                break;
            }
            let is_bulk = count >= Class::Small.bytes();
            size.adapt(count);
            if is_bulk && matches!(self.bulk().await?, Bulk::Ended) {
                break;
            }
        }
        self.write.shutdown().await;
        Ok(())
    }

    pub(super) fn moved(&self, count: usize) {
        self.total.set(self.total.get() + count as u64);
        bump(self.counter, count as u64);
        self.activity.happened();
    }

    /// In an allocation of its own, which ends with the bulk.
    fn bulk(&mut self) -> Pin<Box<impl Future<Output = Result<Bulk, Broken>>>> {
        Box::pin(self.run_bulk())
    }

    async fn run_bulk(&mut self) -> Result<Bulk, Broken> {
        let (mut small, mut class, mut splices) = (0, Class::Medium, true);
        while small < SMALL_BURSTS_MAX {
            self.read.readable().await.map_err(|_| Broken::Reading)?;
            let moved = match splices && self.tap.blind() >= SPLICE_BYTES_MIN {
                true => self.burst().await?,
                false => Burst::Nothing,
            };
            let moved = match moved {
                Burst::Moved(count @ 1..) => {
                    splices = count >= SPLICE_BYTES_MIN;
                    count
                }
                _ => {
                    let count = self.copy(class).await?;
                    if count == 0 {
                        return Ok(Bulk::Ended);
                    }
                    splices = count == class.bytes();
                    class = if splices { Class::Large } else { Class::Medium };
                    count as u64
                }
            };
            small = if moved < Class::Small.bytes() as u64 { small + 1 } else { 0 };
        }
        Ok(Bulk::Quiet)
    }
}

/// How large a buffer the next message gets: what waits for it may have to wait long.
struct Size {
    class: Class,
    small: u32,
}

impl Size {
    fn adapt(&mut self, count: usize) {
        if count == self.class.bytes() {
            (self.class, self.small) = (Class::Small, 0);
        } else if Class::for_bytes(count) < self.class {
            self.small += 1;
            if self.small >= SMALL_READS_MAX {
                (self.class, self.small) = (Class::Wait, 0);
            }
        } else {
            self.small = 0;
        }
    }
}
