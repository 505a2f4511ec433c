//! What the service manager is told, if one started this process and wants to know (`sd_notify(3)`).

use super::{Gateway, State, log};
use sd_notify::NotifyState;
use std::{
    process,
    rc::Rc,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};
use tokio::time::{MissedTickBehavior, interval};

/// Another process is the service now, and this one has nothing more to say.
static IS_QUIET: AtomicBool = AtomicBool::new(false);

/// A watchdog that is shorter has no room for two looks at the workers, which tick every 100 ms.
const WATCHDOG_MIN: Duration = Duration::from_millis(500);

/// The service is up. A process that has taken over is the main one from now on.
pub(super) fn ready(has_taken_over: bool) {
    let main = has_taken_over.then(|| NotifyState::MainPid(process::id()));
    let states: Vec<NotifyState<'_>> =
        main.into_iter().chain([NotifyState::Ready, NotifyState::Status("serving")]).collect();
    notify(&states);
}

/// The configuration is read again; [`reloaded`] has to follow.
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => notify(&[NotifyState::Reloading, now, NotifyState::Status("reloading")]),
        Err(error) => log::warn(format_args!("there is no clock for the service manager: {error}")),
    }
}

/// The configuration has been read again, or the old one goes on.
pub(super) fn reloaded() {
    notify(&[NotifyState::Ready, NotifyState::Status("serving")]);
}

/// The service ends.
pub(super) fn stopping() {
    notify(&[NotifyState::Stopping, NotifyState::Status("draining")]);
}

/// What people read in `systemctl status`.
pub(super) fn status(text: &str) {
    notify(&[NotifyState::Status(text)]);
}

/// Another process is the service from now on: nothing is said any more.
pub(super) fn be_quiet() {
    IS_QUIET.store(true, Ordering::Relaxed);
}

fn notify(states: &[NotifyState<'_>]) {
    if IS_QUIET.load(Ordering::Relaxed) {
        return;
    }
    if let Err(error) = sd_notify::notify(states) {
        log::warn(format_args!("the service manager can't be told: {error}"));
    }
}

/// Tells the service manager twice in its time that all workers tick. It ends and restarts a service that does not say so:
/// one whose workers are stuck is of no use.
pub(super) async fn watchdog(gateway: Rc<Gateway>) {
    let Some(limit) = sd_notify::watchdog_enabled() else { return };
    if limit < WATCHDOG_MIN {
        log::warn(format_args!("WatchdogSec= is too short for this program: {limit:?}"));
    }
    let mut every = interval((limit / 2).max(Duration::from_millis(1)));
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before = Vec::new();
    loop {
        every.tick().await;
        let now = ticks(&gateway);
        let stuck = before.iter().zip(&now).position(|(before, now)| before == now && *now != u64::MAX);
        before = now;
        match stuck {
            // While workers start, the manager has a time of its own for that.
            _ if gateway.state() == State::Starting => {}
            None => notify(&[NotifyState::Watchdog]),
            Some(worker) => {
                log::error(format_args!(
                    "worker {worker} does not tick: the service manager is not told that all is well"
                ));
            }
        }
    }
}

/// The ticks of all workers; those that have ended do not tick, and are well.
fn ticks(gateway: &Gateway) -> Vec<u64> {
    let ticks = gateway.shards.iter().map(|shard| match shard.ended.get() {
        true => u64::MAX,
        false => shard.handle.counters.ticks.load(Ordering::Relaxed),
    });
    ticks.collect()
}
