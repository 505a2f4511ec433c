//! The end of the process, step by step: ready says no, then nobody is accepted any more, then connections end.

use super::{
    State,
    handover::{self, Event, Upgraded},
    log, notify,
    supervise::{DRAIN_GRACE, End, Life, count},
};
use crate::{control::Outcome, shard::Message};
use std::time::Duration;
use tokio::{
    sync::oneshot,
    time::{Instant, sleep_until},
};

/// How often it is said how many connections are left.
const SAID_EVERY: Duration = Duration::from_secs(10);

/// How far the end has come.
#[derive(Default)]
pub(super) struct Ending {
    /// Until then clients are accepted, though ready says no.
    accepts_until: Option<Instant>,
    /// When it is said next how many connections are left.
    says_at: Option<Instant>,
    /// When connections that are left are cut.
    cuts_at: Option<Instant>,
    /// Somebody has asked this process to end, beside the one that has taken over from it.
    is_asked: bool,
}

/// What is due in it.
pub(super) enum Step {
    /// Nobody is accepted any more.
    Close,
    /// It is said how many are left.
    Say,
}

impl Ending {
    /// What is due next. May be dropped and called again.
    pub(super) async fn due(&self) -> Step {
        match (self.accepts_until, self.says_at) {
            (Some(at), _) => {
                sleep_until(at).await;
                Step::Close
            }
            (None, Some(at)) => {
                sleep_until(at).await;
                Step::Say
            }
            (None, None) => std::future::pending().await,
        }
    }
}

impl Life {
    /// Begins to end: ready says no. Whoever sends clients here needs time to notice, if `--drain-accept` says so.
    pub(super) fn drain(&mut self, why: &str) {
        if self.gateway.state() == State::Draining {
            return self.hasten(why);
        }
        self.gateway.state.set(State::Draining);
        notify::stopping();
        self.upgrading.give_up();
        self.refuse_reloads();
        self.ending.is_asked = true;
        let accept = self.gateway.drain_accept;
        let within = self.gateway.drain_time;
        if accept.is_zero() || self.end == End::Failed {
            self.close_doors();
            log::info(format_args!("draining for at most {} s, asked for by {why}", within.as_secs_f64()));
        } else {
            log::info(format_args!(
                "draining, asked for by {why}: not ready from now on, clients are accepted for another {} s, then connections \
                 have {} s",
                accept.as_secs_f64(),
                within.as_secs_f64()
            ));
            self.ending.accepts_until = Some(Instant::now() + accept);
        }
    }

    /// What is due in the end of the process.
    pub(super) fn end_further(&mut self, step: &Step) {
        match step {
            Step::Close => {
                let within = self.gateway.drain_time.as_secs_f64();
                self.close_doors();
                log::info(format_args!("draining for at most {within} s: clients are accepted no more"));
            }
            Step::Say => {
                let left = self.ending.cuts_at.unwrap_or_else(Instant::now) - Instant::now();
                let open: u64 =
                    self.gateway.shards.iter().map(|shard| shard.handle.counters.connections_active()).sum();
                let status =
                    format!("draining: {} left, {} s", count(open as usize, "connection"), left.as_secs());
                log::info(&status);
                notify::status(&status);
                self.ending.says_at = Some(Instant::now() + SAID_EVERY);
            }
        }
    }

    fn close_doors(&mut self) {
        let within = self.gateway.drain_time;
        self.ending.accepts_until = None;
        self.have_ended(within);
        self.gateway.tell_all(|| Message::Drain(within));
    }

    /// Connections have this time, and workers a little more.
    fn have_ended(&mut self, within: Duration) {
        let now = Instant::now();
        self.give_up = Some(now + within + DRAIN_GRACE);
        self.ending.cuts_at = Some(now + within);
        self.ending.says_at = Some(now + SAID_EVERY);
    }

    /// Somebody asks again. One who asks for the first time, after another process has taken over, gets a drain of the usual
    /// length.
    pub(super) fn hasten(&mut self, why: &str) {
        let within = self.gateway.drain_time;
        if !std::mem::replace(&mut self.ending.is_asked, true) {
            let left = self.ending.cuts_at.map(|at| at.saturating_duration_since(Instant::now()));
            if left.is_none_or(|left| left > within) {
                self.have_ended(within);
                self.gateway.tell_all(|| Message::Drain(within));
                log::info(format_args!(
                    "draining for at most {} s from now on, asked for by {why}",
                    within.as_secs_f64()
                ));
            }
        } else if self.ending.accepts_until.is_some() {
            self.end_further(&Step::Close);
        }
    }

    /// SIGTERM or SIGINT: the first drains, the next ends.
    pub(super) fn terminate(&mut self) {
        if self.gateway.state() == State::Draining && self.ending.is_asked {
            log::info("stopping at once");
            self.stop();
        } else {
            self.drain("a signal");
        }
    }

    /// Has another process take over.
    pub(super) fn upgrade(&mut self, answer: Option<oneshot::Sender<Outcome>>) {
        if self.reloads.is_idle() {
            self.upgrading.begin(&self.gateway, answer);
        } else {
            // The new process is to find the sockets that the reload brings.
            self.upgrading.wait(answer);
        }
    }

    /// Begins an upgrade that has waited for a reload.
    pub(super) fn upgrade_next(&mut self) {
        if let Some(answer) = self.upgrading.take_waiting() {
            self.upgrade(answer);
        }
    }

    /// What has become of that.
    pub(super) fn upgraded(&mut self, event: Event) {
        if let Upgraded::Yes(process) = self.upgrading.take(&self.gateway, event) {
            let within = handover::hand_over(&self.gateway);
            self.have_ended(within);
            self.refuse_reloads();
            self.upgrading.handed_over(process);
        }
        self.reload_next();
    }
}
