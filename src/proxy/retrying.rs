//! Whether a request is tried again, from what came of an attempt (specification sections 2.7 and 3.4).

use super::{
    answer::Answer, client::Client, download::Broken, exchange::Way, timing::Timing, upload::Progress,
};
use crate::{
    http::Name,
    table::{AnswerHead, Full, Resource, RetryOn},
    telemetry::{Flag, bump},
};

impl Answer<'_> {
    /// Whether the request is tried again rather than answered with the head that is in `scratch.response`. Takes note
    /// where it would be, if any try were left.
    pub(super) fn wants_another(&mut self, way: &Way<'_>, progress: &Progress) -> bool {
        self.end_retry();
        let (policy, response) = (way.retry, &self.scratch.response);
        let mut head = AnswerHead { status: response.status, grpc_status: None, is_rate_limited: false };
        if self.is_call {
            let text = response.fields.get_text(b"grpc-status");
            head.grpc_status = text.and_then(|text| std::str::from_utf8(text).ok()?.parse().ok());
        }
        // Nearly all answers are none of these, and nothing else of them is looked at.
        if policy.attempts == 0 || !(policy.takes_answer(head) || policy.on.has_any(RetryOn::RATE_LIMITED)) {
            return false;
        }
        head.is_rate_limited = response.fields.get_text(b"x-envoy-ratelimited").is_some();
        if !policy.takes_answer(head) {
            return false;
        }
        if self.retries_left == 0 {
            self.retries_are_used_up(way);
            return false;
        }
        if progress.is_lost() {
            bump(&self.env.counters.upstream_retry_abandoned, 1);
            return false;
        }
        // Nothing more comes from a client that waits for this answer to send its body.
        (progress.is_ended() || !self.waits_for_an_answer()) && self.begin_retry(way)
    }

    /// Whether the cluster's limits allow one more retry. It counts as one until what comes of it is known, as in Envoy.
    pub(super) fn begin_retry(&mut self, way: &Way<'_>) -> bool {
        let Some(limits) = &way.cluster.limits else { return true };
        match limits.begin(Resource::Retries) {
            Ok(permit) => {
                self.retrying = permit;
                true
            }
            Err(Full) => {
                way.cluster.count(|series| &series.retry_overflow);
                self.summary.retry_flag = Some(Flag::UpstreamOverflow);
                false
            }
        }
    }

    /// What came of a retry, if this was one, is known.
    pub(super) fn end_retry(&mut self) {
        if self.retrying.is_some() {
            self.retrying = None;
        }
    }

    /// All tries have been made, and another is wanted.
    pub(super) fn retries_are_used_up(&mut self, way: &Way<'_>) {
        way.cluster.count(|series| &series.retry_limit_exceeded);
        bump(&self.env.counters.upstream_retry_limit_exceeded, 1);
        self.summary.retry_flag = Some(Flag::RetryLimitExceeded);
    }

    /// Whether what came of an attempt will be followed by another, while the client still sends.
    pub(super) fn will_try_again<T>(
        &self,
        responded: &Result<T, Broken>,
        way: &Way<'_>,
        timing: &Timing,
        progress: &Progress,
    ) -> bool {
        match responded {
            Err(Broken::Unwanted { .. }) => true,
            Err(Broken::Before(failure)) if !progress.is_lost() && self.retries_left > 0 => {
                let lost = timing.judge(failure.clone()).lost();
                lost.is_some_and(|lost| way.retry.takes_lost(lost)) && !self.waits_for_an_answer()
            }
            _ => false,
        }
    }

    fn waits_for_an_answer(&self) -> bool {
        matches!(self.client, Client::Http1(_)) && self.scratch.request.fields.contains(Name::Expect)
    }
}
