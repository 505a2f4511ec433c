//! Idle connections of one endpoint on one shard, kept alive and watched.

use super::{Connection, Dial, Endpoint};
use crate::driver::Phase;
use std::{
    cell::RefCell,
    rc::Rc,
    time::{Duration, Instant},
};

/// How long an idle connection is kept: shorter than the usual server's limit (nginx 75 s, Apache's load balancers
/// 60 s), so that we end it rather than race with the server's end (specification section 8.3). Istio's own hour is
/// what its users' "503 UC" reports are about.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(55);

/// The same for a connection on which a client's address was sent, and which nobody else can use. As in Envoy, it is kept
/// for the client's next request; but many clients never have one.
pub(super) const IDLE_TIMEOUT_OF_ONE_CLIENT: Duration = Duration::from_secs(5);

/// Idle connections that one shard keeps to one endpoint. More than wrk or h2load open in practice; it bounds
/// descriptors after a burst.
const IDLE_MAX: usize = 1024;

/// The idle connections of one endpoint; the last one used is the first to be used again.
#[derive(Default)]
// They go from here to exchanges and back: a pointer moves, not what it points to.
#[expect(clippy::vec_box)]
pub(super) struct Idle(RefCell<Vec<Box<Connection>>>);

impl Idle {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.borrow().len()
    }

    /// Closes the one that has been without work for longest, if there is one.
    pub(super) fn close_oldest(&self) -> bool {
        let mut list = self.0.borrow_mut();
        if list.is_empty() {
            return false;
        }
        let oldest = list.remove(0);
        drop(list);
        drop(oldest);
        true
    }

    /// Drops those that were closed or timed out. Returns how many.
    pub(super) fn sweep(&self) -> usize {
        let ended: Vec<_> = {
            let mut list = self.0.borrow_mut();
            let ended = |connection: &mut Box<Connection>| {
                connection.deadline.fired() || !connection.reader.is_quiet()
            };
            list.extract_if(.., ended).collect()
        };
        // Their places may be wanted here, and whoever takes one looks into this list.
        ended.len()
    }
}

impl Endpoint {
    /// An idle connection that is still good. Where its certificate was checked for a request's host, for this one; where
    /// a client's address was sent on it, of the same client. `closed` is called for each that was not good.
    pub fn reuse(self: &Rc<Self>, dial: &Dial<'_>, mut closed: impl FnMut()) -> Option<Box<Connection>> {
        loop {
            let mut idle = self.state.idle.0.borrow_mut();
            let position = idle
                .iter()
                .rposition(|connection| dial.may_use(connection.server_name.as_deref(), connection.behind))?;
            let mut connection = idle.remove(position);
            drop(idle);
            if !Rc::ptr_eq(&connection.endpoint, self) {
                // It was opened before something else of the endpoint changed.
                connection.endpoint = Rc::clone(self);
            }
            if !connection.deadline.fired() && !connection.is_expired() && connection.wake() {
                return Some(connection);
            }
            closed();
        }
    }
}

impl Connection {
    /// Puts it back to wait for another request, if it is fit for one; closes it otherwise, and says false.
    pub fn give_back(mut self: Box<Self>) -> bool {
        let endpoint = Rc::clone(&self.endpoint);
        let state = &endpoint.state;
        if !state.gone.get() && state.idle.0.borrow().len() < IDLE_MAX && self.may_rest() && self.rest() {
            self.deadline.arm(Phase::Idle, self.idle_timeout());
            let limits = self.limits.clone();
            state.idle.0.borrow_mut().push(self);
            limits.into_iter().for_each(|limits| limits.wake_first());
            return true;
        }
        false
    }

    /// How long it is kept now; `None`: for ever.
    fn idle_timeout(&self) -> Option<Duration> {
        let own = if self.behind.is_some() { IDLE_TIMEOUT_OF_ONE_CLIENT } else { IDLE_TIMEOUT };
        let Some(limits) = &self.limits else { return Some(own) };
        let idle = limits.idle_timeout(own);
        let left = self.expires.map(|expires| expires.saturating_duration_since(Instant::now()));
        idle.into_iter().chain(left).min()
    }
}
