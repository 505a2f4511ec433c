//! What the whole gateway did in each of the last seconds, so that who opens the pages after something has happened sees it.

use super::Gateway;
use crate::telemetry::{Counter, Counters};
use std::{collections::VecDeque, rc::Rc, sync::atomic::Ordering, time::Duration};
use tokio::time::{MissedTickBehavior, interval};

/// Samples that are kept: those of the last five minutes, and the one that the first difference is taken from.
pub const SAMPLES_KEPT: usize = 301;
/// The time between two samples.
const SAMPLE_TIME: Duration = Duration::from_secs(1);

/// Numbers of all workers together at one moment; all but the time are sums since the start, so that the difference of two
/// samples is what happened between them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// Milliseconds since the start of the process.
    pub uptime_ms: u64,
    /// Requests whose head was complete.
    pub requests: u64,
    /// Answers with a 4xx status.
    pub client_errors: u64,
    /// Answers with a 5xx status.
    pub server_errors: u64,
    /// Connections accepted from clients, whatever is spoken on them.
    pub connections: u64,
}

/// The last samples, the latest one at the end.
#[derive(Debug, Default)]
pub struct History(VecDeque<Sample>);

impl History {
    /// Adds one; the oldest goes where there are [`SAMPLES_KEPT`].
    pub fn push(&mut self, sample: Sample) {
        while self.0.len() >= SAMPLES_KEPT {
            self.0.pop_front();
        }
        self.0.push_back(sample);
    }

    /// All of them, the latest one at the end.
    pub fn samples(&self) -> impl Iterator<Item = &Sample> {
        self.0.iter()
    }
}

impl Sample {
    /// How it is now.
    pub fn of(gateway: &Gateway) -> Sample {
        let sum = |of: fn(&Counters) -> &Counter| {
            let values =
                gateway.shards.iter().map(|shard| of(&shard.handle.counters).load(Ordering::Relaxed));
            values.fold(0, u64::wrapping_add)
        };
        Sample {
            uptime_ms: u64::try_from(gateway.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            requests: sum(|counters| &counters.requests),
            client_errors: sum(|counters| &counters.responses_4xx),
            server_errors: sum(|counters| &counters.responses_5xx),
            connections: sum(|counters| &counters.downstream_connections)
                .wrapping_add(sum(|counters| &counters.tcp_connections)),
        }
    }
}

/// Takes a sample every second, for as long as the process lives.
pub async fn keep_history(gateway: Rc<Gateway>) {
    let mut ticks = interval(SAMPLE_TIME);
    // After a pause there is one sample, not one for each second of it.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let sample = Sample::of(&gateway);
        gateway.history.borrow_mut().push(sample);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_samples_go() {
        let mut history = History::default();
        let sample = |uptime_ms| Sample { uptime_ms, ..Sample::default() };
        (0..SAMPLES_KEPT as u64 + 7).for_each(|at| history.push(sample(at)));
        let times: Vec<u64> = history.samples().map(|sample| sample.uptime_ms).collect();
        assert_eq!(
            (times.len(), times[0], times[SAMPLES_KEPT - 1]),
            (SAMPLES_KEPT, 7, SAMPLES_KEPT as u64 + 6)
        );
    }
}
