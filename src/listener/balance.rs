//! Accepted connections are served by the worker that has fewest (`--balance connections`).
//!
//! The kernel gives a connection to the socket, and so to the worker, that a hash of its addresses says. Over many clients
//! that is even; with few of them, or with connections that live for days, it need not be. Then the worker that accepts a
//! connection hands it to one that has clearly fewer: through that one's bounded queue, with its bell. What finds no room
//! stays where it is. A connection that was handed over is not handed on.

use crate::{
    driver::{Bells, Handed},
    table::BindAddress,
    telemetry::{Counters, bump},
};
use std::{
    cell::Cell,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
};

/// Connections that may wait for a worker to take them. It takes all there are at every turn; with more than these it has no
/// time for others'.
const WAITING_MAX: usize = 128;
/// A connection goes elsewhere only if that leaves its worker with at least as many: moving one costs two system calls here and
/// one there, and a difference of a few evens out by itself.
const DIFFERENCE_MIN: u64 = 4;
/// And if the difference is at least this part of what the worker has: one in 32, some 3 %.
const DIFFERENCE_PART: u64 = 32;
/// Other workers whose numbers are looked at for one connection, beginning anywhere: each is memory that its worker writes all
/// the time, which takes some 100 ns to fetch. With more workers than these, chance finds one of the emptiest soon enough.
const LOOKED_AT_MAX: usize = 8;

/// A connection for another worker.
#[derive(Debug)]
pub struct HandedOver {
    /// The connection.
    pub connection: Handed,
    /// Where it came in.
    pub bind: BindAddress,
}

/// All workers' places.
struct Places(Vec<Place>);

struct Place {
    /// What the worker counts; nothing before it has started.
    counters: OnceLock<Arc<Counters>>,
    /// Connections that are on their way to it.
    coming: AtomicU64,
    queue: SyncSender<HandedOver>,
}

impl Place {
    /// Connections that the worker has or will have.
    fn load(&self) -> Option<u64> {
        let counters = self.counters.get()?;
        let handshakes = counters.tls_handshakes_active.load(Ordering::Relaxed);
        Some(counters.connections_active() + handshakes + self.coming.load(Ordering::Relaxed))
    }
}

/// One worker's part in it.
pub struct Balance {
    own: usize,
    places: Arc<Places>,
    queue: Receiver<HandedOver>,
    bells: Arc<Bells>,
    /// Where the next look begins.
    turn: Cell<usize>,
}

impl Balance {
    /// The parts of so many workers, in order. With one there is nothing to balance.
    pub fn new(workers: usize, bells: &Arc<Bells>) -> Vec<Option<Balance>> {
        if workers < 2 {
            return (0..workers).map(|_| None).collect();
        }
        let (places, queues): (Vec<_>, Vec<_>) = (0..workers)
            .map(|_| {
                let (queue, waiting) = sync_channel(WAITING_MAX);
                (Place { counters: OnceLock::new(), coming: AtomicU64::new(0), queue }, waiting)
            })
            .unzip();
        let places = Arc::new(Places(places));
        let part = |(own, queue)| {
            Some(Balance {
                own,
                places: Arc::clone(&places),
                queue,
                bells: Arc::clone(bells),
                turn: Cell::new(own),
            })
        };
        queues.into_iter().enumerate().map(part).collect()
    }

    /// The worker begins, and counts here.
    pub fn begin(&self, counters: &Arc<Counters>) {
        if let Some(place) = self.places.0.get(self.own) {
            // It begins once.
            let _ = place.counters.set(Arc::clone(counters));
        }
    }

    /// The worker that a connection is better served by than by this one, which has so many with it; nothing if it stays.
    pub(super) fn elsewhere(&self, own_load: u64) -> Option<usize> {
        let workers = self.places.0.len();
        let begin = self.turn.get();
        self.turn.set((begin + 1) % workers);
        let others = (0..workers).map(|offset| (begin + offset) % workers).filter(|other| *other != self.own);
        let loads =
            others.take(LOOKED_AT_MAX).filter_map(|other| Some((self.places.0.get(other)?.load()?, other)));
        let (least, emptiest) = loads.min_by_key(|(load, _)| *load)?;
        let worth = DIFFERENCE_MIN.max(own_load / DIFFERENCE_PART);
        (own_load >= least + worth).then_some(emptiest)
    }

    /// Hands a connection to a worker.
    ///
    /// # Errors
    /// It has no room, and the connection stays here.
    pub(super) fn hand_over(
        &self,
        connection: HandedOver,
        to: usize,
        counters: &Counters,
    ) -> Result<(), HandedOver> {
        let Some(place) = self.places.0.get(to) else { return Err(connection) };
        // Before it goes, so that nobody sees less than there is.
        place.coming.fetch_add(1, Ordering::Relaxed);
        if let Err(error) = place.queue.try_send(connection) {
            place.coming.fetch_sub(1, Ordering::Relaxed);
            return Err(match error {
                std::sync::mpsc::TrySendError::Full(back)
                | std::sync::mpsc::TrySendError::Disconnected(back) => back,
            });
        }
        bump(&counters.handed_over, 1);
        // Its bit is its number modulo 64; others that have the same find nothing.
        self.bells.ring(1 << (to % u64::BITS as usize));
        Ok(())
    }

    /// Takes what other workers have handed to this one: `take` admits a connection.
    pub fn take(&self, mut take: impl FnMut(HandedOver)) {
        let Some(place) = self.places.0.get(self.own) else { return };
        for connection in self.queue.try_iter() {
            take(connection);
            // It is counted as open by now, or closed.
            place.coming.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Connections that are on their way to this worker.
    pub fn coming(&self) -> u64 {
        self.places.0.get(self.own).map_or(0, |place| place.coming.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workers(loads: &[u64]) -> Vec<Balance> {
        let parts: Vec<Balance> = Balance::new(loads.len(), &Arc::default()).into_iter().flatten().collect();
        for (part, load) in parts.iter().zip(loads) {
            let counters = Arc::new(Counters::default());
            bump(&counters.downstream_connections_active, *load);
            part.begin(&counters);
        }
        parts
    }

    #[test]
    fn a_connection_goes_to_the_emptiest_if_that_is_worth_it() {
        let elsewhere = |loads: &[u64]| workers(loads)[0].elsewhere(loads[0]);
        assert_eq!(elsewhere(&[0, 0, 0]), None);
        assert_eq!(elsewhere(&[3, 0, 0]), None);
        assert_eq!(elsewhere(&[9, 5, 4]), Some(2));
        assert_eq!(elsewhere(&[1_000, 990, 995]), None);
        assert_eq!(elsewhere(&[1_000, 990, 900]), Some(2));
        assert_eq!(elsewhere(&[5, 90]), None);
    }

    #[test]
    fn with_one_worker_there_is_nothing_to_balance() {
        assert!(Balance::new(1, &Arc::default()).iter().all(Option::is_none));
    }

    #[test]
    fn a_worker_that_has_not_started_gets_nothing() {
        let parts: Vec<Balance> = Balance::new(2, &Arc::default()).into_iter().flatten().collect();
        assert_eq!(parts[0].elsewhere(100), None);
    }
}
