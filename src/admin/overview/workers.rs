//! What each worker does: whether they share the work evenly.

use crate::{
    control::{Gateway, Shard},
    telemetry::{Counter, Counters},
};
use rustix::param;
use serde_json::{Value, json};
use std::{collections::HashMap, fs, sync::atomic::Ordering};

/// The part `workers`.
pub(super) fn all(gateway: &Gateway) -> Vec<Value> {
    let busy = cpu_times();
    gateway.shards.iter().map(|shard| of(shard, &busy)).collect()
}

fn of(shard: &Shard, busy: &HashMap<usize, u64>) -> Value {
    let number = |of: fn(&Counters) -> &Counter| of(&shard.handle.counters).load(Ordering::Relaxed);
    let accepted = number(|c| &c.downstream_connections).wrapping_add(number(|c| &c.tcp_connections));
    json!({
        "id": shard.handle.id.0,
        "cpu": shard.cpu,
        "driver": shard.driver.get().map(ToString::to_string),
        "ended": shard.ended.get(),
        "connections": shard.handle.counters.connections_active(),
        "accepted": accepted,
        "requests": number(|c| &c.requests),
        "cpu_ms": busy.get(&shard.handle.id.0),
    })
}

/// The CPU time of each worker's thread in milliseconds, user and system, by its number: what the kernel does in a ring is part of
/// it. Empty where the kernel does not tell.
fn cpu_times() -> HashMap<usize, u64> {
    let tick_ms = 1000 / param::clock_ticks_per_second().max(1);
    let threads = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let stats = threads.filter_map(|thread| fs::read_to_string(thread.path().join("stat")).ok());
    stats.filter_map(|stat| cpu_ticks(&stat)).map(|(id, ticks)| (id, ticks.saturating_mul(tick_ms))).collect()
}

/// A worker's number and its CPU time, out of proc(5)'s `stat` of a thread; nothing for another thread.
fn cpu_ticks(stat: &str) -> Option<(usize, u64)> {
    let (before, after) = stat.rsplit_once(") ")?;
    let (_, name) = before.split_once('(')?;
    let id = name.strip_prefix("shard-")?.parse().ok()?;
    let mut fields = after.split(' ').skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some((id, user.saturating_add(system)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_are_found_among_the_threads() {
        let stat =
            |name: &str| format!("7 ({name}) S 1 7 7 0 -1 4194560 900 0 0 0 50 25 0 0 20 0 4 0 100 0 0");
        assert_eq!(cpu_ticks(&stat("shard-12")), Some((12, 75)));
        assert_eq!(cpu_ticks(&stat("sluicegate")), None);
        assert_eq!(cpu_ticks(&stat("shard-x")), None);
        assert_eq!(cpu_ticks("7 (shard-1) S 1"), None);
    }
}
