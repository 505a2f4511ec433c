//! When an exchange and its attempts have to be over (`timeout`, `retries.perTryTimeout`, `grpc-timeout`).

use super::{
    client::Client,
    failure::{Failure, Kind, Side},
    upload::Progress,
};
use crate::{
    driver::{Deadline, Deadlines, Remote},
    http2::ErrorCode,
    mux::Stream,
};
use std::{
    cell::Cell,
    future::poll_fn,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

/// Whose time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    /// That of the exchange (`timeout`).
    Exchange,
    /// That of one attempt (`perTryTimeout`).
    Attempt,
    /// That which the client gave its call (`grpc-timeout`).
    Call,
}

/// When an exchange and its attempts have to be over; for most, never, and then there is nothing in memory.
///
/// As in Envoy, the time of the exchange runs from when all of the request has come, so a slow upload does not count; it
/// includes connecting, all attempts, the pauses between them and the body of the answer. That of an attempt runs from
/// when its connection is there (connecting has a limit of its own) and the request is whole.
#[derive(Default)]
pub(super) struct Timing(Option<Box<Bounds>>);

struct Bounds {
    alarm: Deadline,
    exchange: Option<Duration>,
    attempt: Option<Duration>,
    call: Option<Instant>,
    /// When all of the request had come.
    whole: Cell<Option<Instant>>,
    /// When the attempt had its connection.
    connected: Cell<Option<Instant>>,
    over: Cell<Option<Over>>,
}

impl Timing {
    /// `exchange`: of the exchange, with all its attempts; `attempt`: of each; `call`: when the client gives up.
    pub(super) fn new(
        deadlines: &Rc<Deadlines>,
        exchange: Option<Duration>,
        attempt: Option<Duration>,
        call: Option<Instant>,
    ) -> Timing {
        if exchange.is_none() && attempt.is_none() && call.is_none() {
            return Timing(None);
        }
        // One that is not shorter than the whole time limits nothing.
        let attempt = attempt.filter(|attempt| exchange.is_none_or(|exchange| *attempt < exchange));
        let bounds = Bounds {
            alarm: deadlines.alarm(),
            exchange,
            attempt,
            call,
            whole: Cell::new(None),
            connected: Cell::new(None),
            over: Cell::new(None),
        };
        bounds.set();
        Timing(Some(Box::new(bounds)))
    }

    /// Whether there is any limit.
    pub(super) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// All of the request has come.
    pub(super) fn request_is_whole(&self) {
        if let Some(bounds) = &self.0
            && bounds.whole.get().is_none()
        {
            bounds.whole.set(Some(Instant::now()));
            bounds.set();
        }
    }

    /// An attempt has ended: its time counts no more.
    pub(super) fn end_attempt(&self) {
        if let Some(bounds) = &self.0 {
            bounds.connected.set(None);
            bounds.over.set(None);
            bounds.set();
        }
    }

    /// The attempt has its connection.
    pub(super) fn is_connected(&self) {
        if let Some(bounds) = self.0.as_ref().filter(|bounds| bounds.attempt.is_some()) {
            bounds.connected.set(Some(Instant::now()));
            bounds.set();
        }
    }

    /// When the time of the exchange, or of the attempt, is over, as far as that is known.
    pub(super) fn due(&self) -> Option<Instant> {
        self.0.as_ref().and_then(|bounds| bounds.due()).map(|(at, _)| at)
    }

    /// Whether the time is over. If not, the task is woken when it is.
    pub(super) fn is_over(&self, context: &Context<'_>) -> bool {
        self.0.as_ref().is_some_and(|bounds| bounds.is_over(context))
    }

    /// Polls a future to its end. When the time is over, `end` is called, which must make the future end. It says whether it has
    /// ended all that the future may wait for; if not it is called again: an answer may begin in the very moment.
    pub(super) async fn within<F: Future>(
        &self,
        mut future: Pin<&mut F>,
        mut end: impl FnMut() -> bool,
    ) -> F::Output {
        let mut is_ended = false;
        poll_fn(|context| {
            let is_over = !is_ended && self.is_over(context);
            if is_over {
                is_ended = end();
            }
            let polled = future.as_mut().poll(context);
            if is_over && !is_ended && polled.is_pending() && end() {
                is_ended = true;
                context.waker().wake_by_ref();
            }
            polled
        })
        .await
    }

    /// Waits for so long, or until the time is over, or until `gone` says that nobody waits any more.
    pub(super) async fn pause(
        &self,
        deadlines: &Rc<Deadlines>,
        pause: Duration,
        gone: impl Fn(&Context<'_>) -> bool,
    ) {
        let timer = deadlines.timer_at(Instant::now() + pause);
        poll_fn(|context| {
            let is_done = timer.watch(context.waker()) || self.is_over(context) || gone(context);
            if is_done { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Tells what failed from what was ended because its time was over.
    pub(super) fn judge(&self, failure: Failure) -> Failure {
        let Some(bounds) = &self.0 else { return failure };
        let by_clock = || {
            let due = bounds.due().filter(|(at, _)| *at <= Instant::now());
            due.map(|(_, over)| over).filter(|_| failure.side == Side::Upstream)
        };
        match bounds.over.get().or_else(by_clock) {
            Some(over) => Failure { side: Side::Upstream, kind: over.into(), ..failure },
            None => failure,
        }
    }

    /// The failure where the exchange's time is over between two attempts.
    pub(super) fn over(&self) -> Option<Over> {
        let bounds = self.0.as_ref()?;
        let due = bounds.due().filter(|(at, _)| *at <= Instant::now());
        bounds.over.get().or(due.map(|(_, over)| over))
    }

    /// How long the origin may take, in milliseconds, for `x-envoy-expected-rq-timeout-ms`: the time of an attempt, or what
    /// is left of that of the exchange, at least 1. The first attempt is told the whole time.
    pub(super) fn expected_ms(&self, attempt: usize) -> Option<u64> {
        let bounds = self.0.as_ref()?;
        let whole = bounds.whole.get().filter(|_| attempt > 1);
        let begun = whole.map_or(Duration::ZERO, |whole| whole.elapsed());
        let left = bounds.exchange.map(|exchange| exchange.saturating_sub(begun));
        let expected = [bounds.attempt, left].into_iter().flatten().min()?;
        Some(u64::try_from(expected.as_millis()).unwrap_or(u64::MAX).max(1))
    }
}

impl Bounds {
    fn due(&self) -> Option<(Instant, Over)> {
        let whole = self.whole.get();
        let exchange = whole.zip(self.exchange).map(|(whole, limit)| (whole + limit, Over::Exchange));
        let began = whole.zip(self.connected.get()).map(|(whole, connected)| whole.max(connected));
        let attempt = began.zip(self.attempt).map(|(began, limit)| (began + limit, Over::Attempt));
        let call = self.call.map(|at| (at, Over::Call));
        [exchange, attempt, call].into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    fn set(&self) {
        self.alarm.due_at(self.due().map(|(at, _)| at));
    }

    fn is_over(&self, context: &Context<'_>) -> bool {
        if self.over.get().is_some() {
            return true;
        }
        if self.alarm.watch(context.waker()) {
            self.over.set(self.due().map(|(_, over)| over));
        }
        self.over.get().is_some()
    }
}

impl From<Over> for Kind {
    fn from(over: Over) -> Kind {
        match over {
            Over::Exchange => Kind::ResponseTimeout,
            Over::Attempt => Kind::TryTimeout,
            Over::Call => Kind::Expired,
        }
    }
}

/// Ends a client's waiting for the rest of an answer that had begun.
pub(super) enum Cut<'a> {
    Connection(Remote),
    Stream(&'a Stream),
}

impl<'a> Cut<'a> {
    /// Of this client.
    pub(super) fn of(client: &Client<'a>) -> Cut<'a> {
        match client {
            Client::Http1(downstream) => Cut::Connection(downstream.deadline.remote()),
            Client::Http2(stream) => Cut::Stream(stream),
        }
    }

    /// Ends it, if the answer has begun; says whether it has.
    pub(super) fn if_begun(&self, progress: &Progress) -> bool {
        if progress.has_begun() {
            match self {
                Cut::Connection(remote) => remote.end_now(),
                Cut::Stream(stream) => stream.reset(ErrorCode::InternalError),
            }
        }
        progress.has_begun()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::failure::Phase;
    use std::{pin::pin, task::Waker};

    const MINUTE: Duration = Duration::from_secs(60);

    fn failed(kind: Kind) -> Failure {
        Failure::upstream(Phase::ResponseHead, kind)
    }

    #[test]
    fn without_a_limit_there_is_nothing() {
        let timing = Timing::new(&Deadlines::new(), None, None, None);
        timing.request_is_whole();
        assert_eq!((timing.is_on(), timing.due(), timing.expected_ms(1)), (false, None, None));
        assert_eq!(timing.judge(failed(Kind::Closed)).kind, Kind::Closed);
    }

    #[test]
    fn the_exchanges_time_runs_from_the_end_of_the_request() {
        let timing = Timing::new(&Deadlines::new(), Some(MINUTE), None, None);
        assert_eq!((timing.due(), timing.expected_ms(1)), (None, Some(60_000)));
        timing.request_is_whole();
        assert!(timing.due().is_some_and(|due| due > Instant::now()));
    }

    #[test]
    fn an_attempts_time_runs_from_its_connection_and_is_said_to_the_origin() {
        let timing = Timing::new(&Deadlines::new(), Some(MINUTE), Some(MINUTE / 2), None);
        timing.request_is_whole();
        let whole = timing.due();
        timing.end_attempt();
        assert_eq!(timing.due(), whole);
        timing.is_connected();
        assert!(timing.due() < whole);
        assert_eq!(timing.expected_ms(1), Some(30_000));
        let longer = Timing::new(&Deadlines::new(), Some(MINUTE), Some(MINUTE * 2), None);
        longer.request_is_whole();
        longer.is_connected();
        assert!(longer.due().is_some_and(|due| due < Instant::now() + MINUTE * 2 - MINUTE / 2));
    }

    #[test]
    fn an_answer_that_begins_in_the_moment_in_which_its_time_is_over_is_ended_too() {
        let mut context = Context::from_waker(Waker::noop());
        let deadlines = Deadlines::new();
        let timing = Timing::new(&deadlines, Some(Duration::ZERO), None, None);
        timing.request_is_whole();
        while !timing.is_over(&context) {
            deadlines.tick();
        }
        let (has_begun, is_cut) = (Cell::new(false), Cell::new(false));
        let answer = pin!(poll_fn(|_| {
            has_begun.set(true);
            if is_cut.get() { Poll::Ready(()) } else { Poll::Pending }
        }));
        let end = || {
            is_cut.set(has_begun.get());
            has_begun.get()
        };
        let mut within = pin!(timing.within(answer, end));
        assert!(within.as_mut().poll(&mut context).is_pending());
        assert!(within.as_mut().poll(&mut context).is_ready());
    }

    #[test]
    fn what_ended_because_its_time_was_over_is_told_from_what_failed() {
        let timing = Timing::new(&Deadlines::new(), Some(Duration::ZERO), None, None);
        assert_eq!(timing.judge(failed(Kind::Closed)).kind, Kind::Closed);
        timing.request_is_whole();
        assert_eq!(timing.judge(failed(Kind::Closed)).kind, Kind::ResponseTimeout);
        assert_eq!(timing.over(), Some(Over::Exchange));
    }
}
