//! One direction: when it copies and when it splices.
//!
//! Messages that are small are read into small buffers, as soon as the ring says that there is something: that is the cheapest
//! for them. Once a sender fills its buffer, its direction goes over to bulk: it waits without a buffer, and then moves all
//! there is through a pipe, or with large buffers where a tap has to see the bytes or there is no pipe. When little comes
//! for a while it goes back.

pub(super) use super::tap::Tap;
use super::{both::Activity, pipes::Pipes};
use crate::{
    buffer::{Class, Pool},
    telemetry::{Counter, bump},
    tls::{ReadHalf, WriteHalf},
};
use std::{cell::Cell, pin::Pin};

/// One direction.
pub(super) struct Direction<'a, T> {
    pub(super) read: &'a mut ReadHalf,
    pub(super) write: &'a mut WriteHalf,
    pub(super) tap: T,
    /// What the receiver is told before the end, if the tunnel is asked to end while nothing is on its way.
    pub(super) farewell: &'static [u8],
    pub(super) buffers: &'a Pool,
    pub(super) pipes: &'a Pipes,
    pub(super) meter: Meter<'a>,
}

/// What is noted of the bytes that the receiver's socket has taken.
pub(super) struct Meter<'a> {
    pub(super) activity: &'a Activity<'a>,
    /// How many they are.
    pub(super) total: &'a Cell<u64>,
    /// How many over all connections, and to the cluster.
    pub(super) counters: [&'a Counter; 2],
}

impl Meter<'_> {
    pub(super) fn moved(&self, count: usize) {
        self.total.set(self.total.get() + count as u64);
        self.counters.iter().for_each(|counter| bump(counter, count as u64));
        self.activity.happened();
    }
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

/// After so much at a time, the next is moved through a pipe, or with the largest buffers.
const LARGE_BYTES: u64 = 16 << 10;

impl<T: Tap> Direction<'_, T> {
    /// Moves bytes until the sender has ended, and then says so to the receiver.
    pub(super) async fn run(mut self) -> Result<(), Broken> {
        let mut size = Size { class: Class::Small, small: 0 };
        loop {
            let count = self.copy(size.class).await?;
            if count == 0 {
                break;
            }
            size.adapt(count);
            if count >= Class::Small.bytes() && matches!(self.bulk().await?, Bulk::Ended) {
                break;
            }
        }
        if !self.farewell.is_empty() && self.meter.activity.is_quietly_asked() {
            let mut words = self.buffers.lease(Class::Small);
            if words.extend(self.farewell) {
                // Whoever does not take it learns from the end of the connection.
                drop(self.write.send(words).await);
            }
        }
        self.write.shutdown().await;
        Ok(())
    }

    /// In an allocation of its own, which ends with the bulk.
    fn bulk(&mut self) -> Pin<Box<impl Future<Output = Result<Bulk, Broken>>>> {
        Box::pin(self.run_bulk())
    }

    async fn run_bulk(&mut self) -> Result<Bulk, Broken> {
        let (mut small, mut is_large) = (0, true);
        while small < SMALL_BURSTS_MAX {
            self.read.readable().await.map_err(|_| Broken::Reading)?;
            let mut moved = if is_large { self.burst().await? } else { 0 };
            if moved == 0 {
                let class = if is_large { Class::Large } else { Class::Medium };
                moved = self.copy(class).await? as u64;
                if moved == 0 {
                    return Ok(Bulk::Ended);
                }
            }
            is_large = moved >= LARGE_BYTES;
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
        if count >= self.class.bytes() {
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
