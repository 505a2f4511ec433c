//! What the limits of a cluster mean for a request: it gets a connection, waits for one, or is refused (specification
//! section 4.4).

use super::{
    attempt::Attempt,
    client::Client,
    exchange::{Exchange, Way},
    failure::{Failure, Kind, Phase},
};
use crate::{
    driver::Deadline,
    telemetry::bump,
    upstream::{Connection, Dial, Limits, NoConnection, Offer},
};
use std::{
    rc::Rc,
    task::Context,
    time::{Duration, Instant},
};

/// How often a client of HTTP/1.1 is looked at whose request waits for a connection: nobody says when it leaves, and each look
/// is a system call.
const LOOK_EVERY: Duration = Duration::from_secs(1);

impl Exchange<'_> {
    /// A connection of HTTP/1.1 to an endpoint of a cluster that has limits. Waits for its turn.
    pub(super) async fn connect_within(
        &self,
        limits: &Rc<Limits>,
        attempt: &Attempt<'_>,
        way: &Way<'_>,
    ) -> Result<Box<Connection>, Failure> {
        let dial = self.dial(way);
        let counters = &self.env.counters;
        if !attempt.fresh {
            // One that is idle is there most of the time, and needs no memory of its own to wait.
            let idle = attempt.endpoint.reuse_within(limits, &dial, || self.idle_closed());
            if let Some(connection) = idle.map_err(|full| self.not_connected(full.into()))? {
                return Ok(connection);
            }
        }
        let wait = self.wait_for_connection(limits, attempt, way, &dial);
        let opened = Box::pin(wait).await.map_err(|none| self.not_connected(none))?;
        if opened.served == 0 {
            bump(&counters.upstream_connections, 1);
            bump(&counters.upstream_connections_active, 1);
        }
        Ok(opened)
    }

    async fn wait_for_connection(
        &self,
        limits: &Rc<Limits>,
        attempt: &Attempt<'_>,
        way: &Way<'_>,
        dial: &Dial<'_>,
    ) -> Result<Box<Connection>, NoConnection> {
        let whose = (way.cluster, limits);
        let leave = self.leave();
        let offer = attempt.endpoint.offer(whose, dial, attempt.fresh, &self.env.counters, leave);
        match offer.await? {
            Offer::Idle(connection) => Ok(connection),
            Offer::Open(ticket) => Connection::open_with(way.cluster, attempt.endpoint, dial, ticket).await,
        }
    }

    /// Says whether the request waits no longer for a connection: its client has left, or its time is up.
    pub(super) fn leave(&self) -> impl FnMut(&mut Context<'_>) -> bool {
        let ends = Instant::now() + self.env.limits.stream_idle_timeout;
        let mut timer: Option<Deadline> = None;
        move |context| {
            let now = Instant::now();
            if now >= ends || self.timing.is_over(context) || self.has_left(context) {
                return true;
            }
            let next = (ends - now).min(LOOK_EVERY);
            let begin = || self.env.deadlines.timer(next);
            if timer.get_or_insert_with(begin).watch(context.waker()) {
                // It is looked at again by whoever polls, and now somebody will.
                let again = begin();
                again.watch(context.waker());
                timer = Some(again);
            }
            false
        }
    }

    /// A client of HTTP/1.1 that says no more has left, as in Envoy: while it waits in line nobody else can know.
    fn has_left(&self, context: &Context<'_>) -> bool {
        match &self.answer.client {
            Client::Http1(downstream) => downstream.deadline.peer_has_ended(),
            Client::Http2(stream) => stream.poll_end(context).is_ready(),
        }
    }

    /// Why there is no connection.
    pub(super) fn not_connected(&self, none: NoConnection) -> Failure {
        match (none, &self.answer.client) {
            (NoConnection::Full, _) => Failure::upstream(Phase::Connect, Kind::Overflow),
            (NoConnection::Failed(error), _) => self.unreachable(&error),
            (NoConnection::Left, Client::Http2(stream)) if let Some(end) = stream.end() => {
                Failure::downstream(Phase::ResponseHead, end.into())
            }
            (NoConnection::Left, Client::Http1(downstream)) if downstream.deadline.peer_has_ended() => {
                Failure::downstream(Phase::ResponseHead, Kind::Closed)
            }
            (NoConnection::Left, _) => Failure::upstream(Phase::Line, Kind::Timeout),
        }
    }
}
