//! The attempts of an exchange: which endpoint is asked, what is learned of it, and whether another is asked.
//!
//! Every attempt passes here, from the choice of its endpoint to what became of it. Whoever has a say in that (admission,
//! outlier detection, a budget of retries) has it here.

use super::{
    attempt::{Attempt, Failed},
    client::Incoming,
    exchange::{After, Exchange, Way},
    failure::{Failure, Phase, Retry},
    timing::Timing,
};
use crate::{
    http1::body::{BodyDecoder, Next},
    telemetry::bump,
    upstream::{Endpoint, Outcome, Pick},
};
use std::rc::Rc;

/// Tries after the first, for what may be tried again (Istio's default retry policy).
const RETRIES: usize = 2;

/// Why no attempt delivered an answer.
pub(super) enum Ended {
    NoEndpoint,
    Failed(Failure),
    /// After the answer had begun.
    Cut(Failure),
}

impl Exchange<'_> {
    /// Tries, and tries again what may be tried again.
    pub(super) async fn attempts(&mut self, way: &Way<'_>) -> Result<After, Ended> {
        self.begin_timing(way);
        let mut tried: Vec<Rc<Endpoint>> = Vec::new();
        let mut retry = Retry::No;
        loop {
            // Who is gone wants nothing any more: it would cost an origin more than the client.
            if let Some(end) = self.answer.client.end() {
                return Err(Ended::Cut(Failure::downstream(Phase::ResponseHead, end.into())));
            }
            let chosen = match (retry, tried.last()) {
                (Retry::FreshConnection, Some(endpoint)) => Some(Rc::clone(endpoint)),
                _ => {
                    let first = Pick::first(&self.env.random, self.answer.summary.started);
                    way.cluster.choose(&Pick { tried: &tried, ..first })
                }
            };
            let Some(endpoint) = chosen else { return Err(Ended::NoEndpoint) };
            let attempt = Attempt { endpoint: &endpoint, number: tried.len() + 1, fresh: retry != Retry::No };
            self.timing.begin_attempt();
            let tried_once = self.attempt(attempt, way).await;
            let tried_once = tried_once.map_err(|failed| failed.judge(&self.timing));
            self.learn(way, &endpoint, &tried_once);
            let (failure, replay) = match tried_once {
                Ok(after) => return Ok(after),
                Err(Failed::Before(failure, replay)) => (failure, replay),
                Err(Failed::Within(failure)) => return Err(Ended::Cut(failure)),
            };
            if let Some(over) = self.timing.over() {
                return Err(Ended::Failed(Failure { kind: over.into(), ..failure }));
            }
            tried.push(endpoint);
            retry = failure.retry(replay);
            if retry == Retry::No || tried.len() > RETRIES {
                return Err(Ended::Failed(failure));
            }
            bump(&self.env.counters.upstream_retries, 1);
        }
    }

    /// What an attempt has shown of its endpoint.
    fn learn(&self, _way: &Way<'_>, _endpoint: &Rc<Endpoint>, tried: &Result<After, Failed>) {
        let outcome = match tried {
            // As it came: nothing of it is changed on its way but fields.
            Ok(_) => Some(Outcome::Answered(self.answer.summary.status)),
            Err(Failed::Before(failure, _) | Failed::Within(failure)) => failure.outcome(),
        };
        let counters = &self.env.counters;
        match outcome {
            Some(Outcome::TimedOut) => bump(&counters.upstream_timeouts, 1),
            Some(Outcome::Reset) => bump(&counters.upstream_resets, 1),
            Some(Outcome::Answered(_) | Outcome::ConnectFailed) | None => {}
        }
    }

    /// When all of this has to be over.
    fn begin_timing(&mut self, way: &Way<'_>) {
        let (exchange, attempt) = (way.forward.timeout, way.retry.per_try_timeout);
        let call = match (self.answer.call_timeout, exchange) {
            (Some(call), Some(exchange)) => Some(call.min(exchange)),
            (call, _) => call,
        };
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
