//! When to look again.

use super::watch::Watch;
use super::{Credentials, Found, Reread};
use crate::tls::TicketSecret;
use std::time::{Duration, SystemTime};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

/// What is not heard of, such as changes on a network's file system, is looked for this often; and certificates end.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// A look finds new directories, whose content may have changed before they were watched; after so many looks in a row,
/// the next waits for a change.
const LOOKS_MAX: usize = 4;

/// What has to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::control) enum Due {
    /// Files have changed, or it is time to look again.
    Look,
    /// The secrets of session tickets are old.
    Tickets,
}

/// Knows when to look again, and looks.
pub(in crate::control) struct Keeper {
    watch: Watch,
    reread: Option<Reread>,
    /// Nothing is watched yet.
    is_new: bool,
    look: Interval,
    tickets: Interval,
}

impl Keeper {
    /// Begins to watch. Call it within the runtime.
    pub(in crate::control) fn new(reread: Option<Reread>) -> Keeper {
        let every = |period| {
            let mut interval = interval_at(Instant::now() + period, period);
            interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
            interval
        };
        let (look, tickets) = (every(LOOK_AGAIN), every(TicketSecret::LIFETIME));
        Keeper { watch: Watch::new(), reread, is_new: true, look, tickets }
    }

    /// Waits until something has to be done. May be dropped and called again: nothing is lost.
    pub(in crate::control) async fn due(&mut self) -> Due {
        if self.is_new {
            return Due::Look;
        }
        tokio::select! {
            () = self.watch.changed() => Due::Look,
            _ = self.look.tick() => Due::Look,
            _ = self.tickets.tick() => Due::Tickets,
        }
    }

    /// Looks at everything, and watches what has to be watched now.
    pub(in crate::control) fn look(&mut self, credentials: &mut Credentials) -> Found {
        self.is_new = false;
        let mut all = Found::default();
        for _ in 0..LOOKS_MAX {
            self.read_secrets(credentials);
            all.extend(credentials.refresh(SystemTime::now()));
            let mut interest = credentials.interest();
            if let Some(reread) = &self.reread {
                interest.extend(reread.interest());
            }
            if !self.watch.follow(interest) {
                break;
            }
        }
        all
    }

    /// Another configuration is served: what it names is looked at next.
    pub(in crate::control) fn replace(&mut self, reread: Reread) {
        self.reread = Some(reread);
        self.is_new = true;
    }

    fn read_secrets(&mut self, credentials: &mut Credentials) {
        let secrets = self.reread.as_mut().and_then(|reread| reread.secrets(credentials.secrets()));
        if let Some(secrets) = secrets {
            credentials.set_secrets(secrets);
        }
    }
}
