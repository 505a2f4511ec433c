//! The attempts of an exchange: which endpoint is asked, what is learned of it, and whether another is asked.
//!
//! Every attempt passes here, from the choice of its endpoint to what became of it. Whoever has a say in that (admission,
//! outlier detection, a budget of retries) has it here.

use super::{
    attempt::{Attempt, Failed},
    client::Incoming,
    exchange::{After, Exchange, Way},
    failure::{Failure, Kind, Phase, Replay},
    kept::{KEPT_BYTES_MAX, KEPT_BYTES_USUAL},
    timing::Timing,
};
use crate::{
    http::BodyLength,
    http1::body::{BodyDecoder, Next},
    telemetry::bump,
    upstream::{Endpoint, Outcome},
};
use std::{
    rc::Rc,
    task::Context,
    time::{Duration, Instant},
};

/// How often one request is sent again at once, whatever its policy: each time a connection of the pool had died, or an
/// origin of HTTP/2 was leaving. Who does so again and again is not to be followed for ever.
const RESENT_MAX: u32 = 3;

/// Why no attempt delivered an answer.
pub(super) enum Ended {
    NoEndpoint,
    Failed(Failure),
    /// After the answer had begun.
    Cut(Failure),
}

/// What has been tried.
#[derive(Default)]
struct Tried {
    /// Endpoints that failed, or gave an answer that nobody wants.
    endpoints: Vec<Rc<Endpoint>>,
    attempts: usize,
    /// Of those, how many the policy asked for.
    retries: u32,
    /// How many were made at once.
    resent: u32,
}

impl Exchange<'_> {
    /// Tries, and tries again what may be tried again.
    pub(super) async fn attempts(&mut self, way: &Way<'_>) -> Result<After, Ended> {
        self.begin_timing(way);
        self.begin_keeping(way);
        self.answer.retries_left = way.retry.attempts;
        let mut tried = Tried::default();
        let mut again = None;
        loop {
            // Who is gone wants nothing any more: it would cost an origin more than the client.
            if let Some(end) = self.answer.client.end() {
                return Err(Ended::Cut(Failure::downstream(Phase::ResponseHead, end.into())));
            }
            let fresh = again.is_some();
            let Some(endpoint) = again.take().or_else(|| self.choose_endpoint(way, &tried.endpoints)) else {
                return Err(Ended::NoEndpoint);
            };
            tried.attempts += 1;
            let attempt = Attempt { endpoint: &endpoint, number: tried.attempts, fresh };
            self.begin_attempt_span(&endpoint);
            let series = way.cluster.series();
            if let Some(series) = series {
                bump(&series.attempts, 1);
                bump(&series.attempts_active, 1);
            }
            let ended = self.attempt(attempt, way).await.map_err(|failed| failed.judge(&self.timing));
            if let Some(series) = series {
                bump(&series.attempts_active, 1u64.wrapping_neg());
            }
            self.end_attempt_span(&ended);
            self.timing.end_attempt();
            let is_resent = |failure: &Failure, replay: &Replay| {
                tried.resent < RESENT_MAX && failure.is_sent_again_at_once(*replay)
            };
            if matches!(&ended, Err(Failed::Before(failure, replay)) if is_resent(failure, replay)) {
                // It tells more of the pool than of the endpoint, so nothing is learned.
                tried.resent += 1;
                bump(&self.env.counters.upstream_resent, 1);
                again = Some(endpoint);
                continue;
            }
            self.learn(way, &endpoint, &ended);
            match ended {
                Ok(after) => {
                    if tried.retries > 0 && self.answer.summary.retry_flag.is_none() {
                        bump(&self.env.counters.upstream_retry_successes, 1);
                        way.cluster.count(|series| &series.retry_successes);
                    }
                    return Ok(after);
                }
                Err(Failed::Within(failure)) => return Err(Ended::Cut(failure)),
                Err(Failed::Unwanted(_)) => {}
                Err(Failed::Before(failure, replay)) => {
                    let failure = Failure { retried: tried.retries > 0, ..failure };
                    if !self.is_tried_again(way, &failure, replay) {
                        return Err(Ended::Failed(failure));
                    }
                }
            }
            tried.endpoints.push(endpoint);
            tried.retries += 1;
            self.answer.retries_left -= 1;
            bump(&self.env.counters.upstream_retries, 1);
            way.cluster.count(|series| &series.retries);
            self.back_off(way, tried.retries).await;
            if let Some(over) = self.timing.over() {
                return Err(Ended::Failed(Failure::upstream(Phase::ResponseHead, over.into())));
            }
        }
    }

    /// Whether the policy tries a request again that got no answer. Takes note where it would, if that could be.
    fn is_tried_again(&mut self, way: &Way<'_>, failure: &Failure, replay: Replay) -> bool {
        let is_wanted = failure.lost().is_some_and(|lost| way.retry.takes_lost(lost));
        self.answer.end_retry();
        if way.retry.attempts == 0 || !is_wanted {
            return false;
        }
        if self.answer.retries_left == 0 {
            self.answer.retries_are_used_up(way);
            return false;
        }
        if !replay.body_is_at_hand {
            bump(&self.env.counters.upstream_retry_abandoned, 1);
            return false;
        }
        self.answer.begin_retry(way)
    }

    /// The pause before a retry, the first of which is 1.
    async fn back_off(&self, way: &Way<'_>, retry: u32) {
        let below = u64::try_from(way.retry.pause_below(retry).as_micros()).unwrap_or(u64::MAX);
        let pause = Duration::from_micros(self.env.random.below(below));
        let client = &self.answer.client;
        let gone =
            |context: &Context<'_>| client.stream().is_some_and(|stream| stream.poll_end(context).is_ready());
        self.timing.pause(&self.env.deadlines, pause, gone).await;
    }

    /// How much of the body is kept for other attempts. By the usual policy an origin has looked at nothing that is tried
    /// again, so little is kept, and of what goes to an origin of HTTP/1.1 nothing: it is not sent before there is a
    /// connection.
    fn begin_keeping(&mut self, way: &Way<'_>) {
        let length = match self.answer.client_body {
            BodyLength::None => return,
            BodyLength::Sized(length) => Some(length),
            BodyLength::Unknown | BodyLength::UntilClose => None,
        };
        let head = &self.answer.scratch.request;
        let takes_what_was_sent = way.retry.takes_what_was_sent(self.answer.is_call);
        let usual = if way.cluster.speaks_http2(head.version) { KEPT_BYTES_USUAL } else { 0 };
        match &mut self.incoming {
            Incoming::Http1(_) if takes_what_was_sent => self.kept.allow(KEPT_BYTES_MAX, length),
            Incoming::Http1(_) => self.kept.allow(usual, length),
            Incoming::Http2(body) if takes_what_was_sent => body.allow(KEPT_BYTES_MAX, length),
            Incoming::Http2(_) => {}
        }
    }

    /// What an attempt has shown of its endpoint. Of an answer, that was learned as its head came.
    fn learn(&self, way: &Way<'_>, endpoint: &Rc<Endpoint>, tried: &Result<After, Failed>) {
        let Err(Failed::Before(failure, _) | Failed::Within(failure)) = tried else { return };
        if failure.kind == Kind::Overflow {
            way.cluster.count(|series| &series.overflow);
        }
        let Some(outcome) = failure.outcome() else { return };
        let counters = &self.env.counters;
        match outcome {
            Outcome::TimedOut => {
                bump(&counters.upstream_timeouts, 1);
                way.cluster.count(|series| &series.timeouts);
            }
            Outcome::Reset => {
                bump(&counters.upstream_resets, 1);
                way.cluster.count(|series| &series.resets);
                if matches!(failure.kind, Kind::Closed | Kind::Reset) {
                    way.cluster.count(|series| &series.ended_with_requests);
                }
            }
            Outcome::Answered(_) | Outcome::ConnectFailed => {}
        }
        if way.cluster.keeps_health() {
            way.cluster.learn(endpoint, outcome, Instant::now());
        }
    }

    /// When all of this has to be over.
    fn begin_timing(&mut self, way: &Way<'_>) {
        let (exchange, attempt) = (way.forward.timeout, way.retry.per_try_timeout);
        // Both hold, so the time of the exchange is the most that a call may ask for.
        let call = self.answer.call_timeout;
        let call = call.and_then(|call| self.answer.summary.started.checked_add(call));
        self.timing = Timing::new(&self.env.deadlines, exchange, attempt, call);
        if self.timing.is_on() && self.has_all_come() {
            self.timing.request_is_whole();
        }
    }

    /// Whether all of the request is here already.
    fn has_all_come(&self) -> bool {
        let inbound = match &self.incoming {
            Incoming::Http2(body) => return body.is_whole(),
            Incoming::Http1(inbound) => inbound,
        };
        let mut decoder = BodyDecoder::new(self.answer.client_body);
        let mut at = 0;
        while !decoder.is_over() {
            let Ok(piece) = decoder.next(inbound.buffer.bytes().get(at..).unwrap_or_default()) else { break };
            at += piece.consumed;
            if piece.next == Next::Read {
                break;
            }
        }
        decoder.is_over()
    }
}
