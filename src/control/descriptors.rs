//! How many files may be open, and what that means for connections.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that are not connections: per worker a ring, timers, bells and listening sockets; the log, the pages,
/// the resolver; and upstream connections that wait for work.
const RESERVED: u64 = 256;
/// The part of [`RESERVED`] that grows with the workers.
const RESERVED_PER_WORKER: u64 = 64;
/// A connection in use needs one descriptor for its client and one for its upstream.
const PER_CONNECTION: u64 = 2;

/// The limit of open files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptors {
    /// As many may be open.
    pub limit: u64,
    /// As many might have been open before it was raised.
    pub before: u64,
}

impl Descriptors {
    /// Raises the limit as far as this process may. It stays as it is where that fails.
    pub fn raise() -> Descriptors {
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        let before = current.unwrap_or(u64::MAX);
        if current != maximum {
            // Can only fail where a sandbox forbids it; then there is what there was.
            let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
        }
        let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        Descriptors { limit, before }
    }

    /// Connections of clients that each of so many workers may hold, at most `most`.
    pub fn connections_per_worker(self, workers: usize, most: usize) -> usize {
        let workers = workers.max(1) as u64;
        let free = self.limit.saturating_sub(RESERVED + RESERVED_PER_WORKER * workers);
        let each = free / PER_CONNECTION / workers;
        usize::try_from(each).unwrap_or(most).clamp(1, most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connections(limit: u64, workers: usize) -> usize {
        Descriptors { limit, before: 0 }.connections_per_worker(workers, 500_000)
    }

    #[test]
    fn connections_leave_room_for_their_upstreams_and_for_the_rest() {
        assert_eq!(connections(1024, 1), 352);
        assert_eq!(connections(1 << 20, 4), (1048576 - 512) / 8);
        assert_eq!(connections(u64::MAX, 4), 500_000);
        assert_eq!(connections(64, 2), 1);
    }
}
