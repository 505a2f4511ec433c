//! When to look again, and at what.

use super::{
    Interest, Signature,
    files::{Watch, What},
};
use crate::{
    config::Input,
    control::credentials::{Credentials, Found},
    tls::TicketSecret,
};
use std::time::{Duration, SystemTime};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

/// What is not heard of, such as changes on a network's file system, is looked for this often; and certificates end.
const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// Where nothing is heard at all, files of the configuration are looked at this often.
const LOOK_AT_CONFIGURATION: Duration = Duration::from_secs(5);

/// A look finds new directories, whose content may have changed before they were watched; after so many looks in a row,
/// the next waits for a change.
const LOOKS_MAX: usize = 4;

/// What has to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::control) enum Due {
    /// Certificates have changed, or it is time to look again.
    Look,
    /// The configuration has changed.
    Reload,
    /// The secrets of session tickets are old.
    Tickets,
}

/// Knows when to look again, and looks.
pub(in crate::control) struct Keeper {
    watch: Watch,
    /// The configuration; empty: nobody wants to know of its changes.
    inputs: Vec<Input>,
    /// Of the configuration, from before it was read last.
    signature: Signature,
    /// Nothing is watched yet.
    is_new: bool,
    look: Interval,
    poll: Interval,
    tickets: Interval,
}

impl Keeper {
    /// Begins to watch, also these inputs. Call it within the runtime.
    pub(in crate::control) fn new(inputs: Vec<Input>, signature: Signature) -> Keeper {
        let every = |period| {
            let mut interval = interval_at(Instant::now() + period, period);
            interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
            interval
        };
        let (look, poll) = (every(LOOK_AGAIN), every(LOOK_AT_CONFIGURATION));
        let tickets = every(TicketSecret::LIFETIME);
        Keeper { watch: Watch::new(), inputs, signature, is_new: true, look, poll, tickets }
    }

    /// Waits until something has to be done. May be dropped and called again: nothing is lost.
    pub(in crate::control) async fn due(&mut self) -> Due {
        if self.is_new {
            return Due::Look;
        }
        let polls = !self.inputs.is_empty() && !self.watch.hears_all();
        loop {
            tokio::select! {
                what = self.watch.changed() => return match what {
                    What::Certificates => Due::Look,
                    What::Configuration => Due::Reload,
                },
                _ = self.look.tick() => return Due::Look,
                _ = self.tickets.tick() => return Due::Tickets,
                _ = self.poll.tick(), if polls => self.look_at_configuration(),
            }
        }
    }

    /// Looks at certificates, keys and authorities, and watches what has to be watched now.
    pub(in crate::control) fn look(&mut self, credentials: &mut Credentials) -> Found {
        self.is_new = false;
        let mut all = Found::default();
        for _ in 0..LOOKS_MAX {
            all.extend(credentials.refresh(SystemTime::now()));
            let mut configuration = Interest::default();
            for input in &self.inputs {
                if let Input::Path(path) = input {
                    configuration.add_whole(path);
                }
            }
            if !self.watch.follow(credentials.interest(), configuration) {
                break;
            }
        }
        self.look_at_configuration();
        all
    }

    /// The configuration that is there now may be another one than was read, though nothing was heard of a change.
    fn look_at_configuration(&mut self) {
        if !self.inputs.is_empty() {
            let signature = Signature::of(&self.inputs);
            if self.signature != signature {
                self.signature = signature;
                self.watch.change(What::Configuration);
            }
        }
    }

    /// The configuration was read; this was its signature before that. What it names is looked at next, and what has to be
    /// watched may be something else.
    pub(in crate::control) fn has_read(&mut self, signature: Signature) {
        self.signature = signature;
        self.is_new = true;
    }
}
