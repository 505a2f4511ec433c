//! What is tried again (specification sections 2.7 and 3.4).

use std::{
    ops::{BitOr, BitOrAssign},
    time::Duration,
};

/// `retries` of a rule, `meshConfig.defaultHttpRetryPolicy`, or Istio's default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Tries after the first; 0: none.
    pub attempts: u32,
    /// `perTryTimeout`; `None`: no limit of its own.
    pub per_try_timeout: Option<Duration>,
    /// `retryOn`, without its numbers.
    pub on: RetryOn,
    /// The statuses in `retryOn`.
    pub statuses: Box<[u16]>,
    /// `backoff`: what the pauses grow from; at least a millisecond.
    pub backoff: Duration,
    /// `retryRemoteLocalities`: after two tries, endpoints of a lower priority may be asked.
    pub remote_localities: bool,
    /// `retryIgnorePreviousHosts`; `None`: they are ignored unless a consistent hash chooses the endpoint.
    pub ignore_previous_hosts: Option<bool>,
}

/// Istio's base for the pauses.
const BACKOFF: Duration = Duration::from_millis(25);

/// Pauses are at most so many times the base (Envoy's default for `max_interval`).
const BACKOFF_GROWTH_MAX: u32 = 10;

impl Default for RetryPolicy {
    /// Istio's since 1.24: an upstream's own 503 is not tried again.
    fn default() -> Self {
        RetryPolicy {
            attempts: 2,
            per_try_timeout: None,
            on: RetryOn::DEFAULT,
            statuses: Box::default(),
            backoff: BACKOFF,
            remote_localities: false,
            ignore_previous_hosts: None,
        }
    }
}

/// The conditions of `retryOn`, a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetryOn(u32);

impl RetryOn {
    /// `5xx`: any 5xx, or no answer.
    pub const ANY_5XX: RetryOn = RetryOn(1);
    /// `gateway-error`: 502, 503 or 504, or no answer.
    pub const GATEWAY_ERROR: RetryOn = RetryOn(1 << 1);
    /// `reset`: no answer.
    pub const RESET: RetryOn = RetryOn(1 << 2);
    /// `reset-before-request`: no answer, and nothing had been sent.
    pub const RESET_BEFORE_REQUEST: RetryOn = RetryOn(1 << 3);
    /// `connect-failure`: no connection.
    pub const CONNECT_FAILURE: RetryOn = RetryOn(1 << 4);
    /// `retriable-4xx`: 409.
    pub const RETRIABLE_4XX: RetryOn = RetryOn(1 << 5);
    /// `refused-stream`: the endpoint has said that it did not look at the request.
    pub const REFUSED_STREAM: RetryOn = RetryOn(1 << 6);
    /// `retriable-status-codes`: those with a number.
    pub const STATUS_CODES: RetryOn = RetryOn(1 << 7);
    /// `envoy-ratelimited`: answers with `x-envoy-ratelimited`, which nothing else retries.
    pub const RATE_LIMITED: RetryOn = RetryOn(1 << 8);
    /// `cancelled`, gRPC's status 1 in the head of an answer.
    pub const CANCELLED: RetryOn = RetryOn(1 << 9);
    /// `deadline-exceeded`, 4.
    pub const DEADLINE_EXCEEDED: RetryOn = RetryOn(1 << 10);
    /// `internal`, 13.
    pub const INTERNAL: RetryOn = RetryOn(1 << 11);
    /// `resource-exhausted`, 8.
    pub const RESOURCE_EXHAUSTED: RetryOn = RetryOn(1 << 12);
    /// `unavailable`, 14.
    pub const UNAVAILABLE: RetryOn = RetryOn(1 << 13);
    /// Conditions that never hold here: `retriable-headers` (Istio has no place for the headers) and
    /// `http3-post-connect-failure` (no upstream speaks HTTP/3).
    pub const NEVER: RetryOn = RetryOn(0);

    /// What Istio writes where `retryOn` is absent.
    pub const DEFAULT: RetryOn = RetryOn(
        RetryOn::CONNECT_FAILURE.0
            | RetryOn::REFUSED_STREAM.0
            | RetryOn::UNAVAILABLE.0
            | RetryOn::CANCELLED.0
            | RetryOn::STATUS_CODES.0,
    );

    /// All of gRPC's.
    const GRPC: RetryOn = RetryOn(
        RetryOn::CANCELLED.0
            | RetryOn::DEADLINE_EXCEEDED.0
            | RetryOn::INTERNAL.0
            | RetryOn::RESOURCE_EXHAUSTED.0
            | RetryOn::UNAVAILABLE.0,
    );

    /// The condition of this name, as `retryOn` writes it; nothing for a number or an unknown one.
    pub fn of(name: &str) -> Option<RetryOn> {
        Some(match name {
            "5xx" => RetryOn::ANY_5XX,
            "gateway-error" => RetryOn::GATEWAY_ERROR,
            "reset" => RetryOn::RESET,
            "reset-before-request" => RetryOn::RESET_BEFORE_REQUEST,
            "connect-failure" => RetryOn::CONNECT_FAILURE,
            "retriable-4xx" => RetryOn::RETRIABLE_4XX,
            "refused-stream" => RetryOn::REFUSED_STREAM,
            "retriable-status-codes" => RetryOn::STATUS_CODES,
            "retriable-headers" | "http3-post-connect-failure" => RetryOn::NEVER,
            "envoy-ratelimited" => RetryOn::RATE_LIMITED,
            "cancelled" => RetryOn::CANCELLED,
            "deadline-exceeded" => RetryOn::DEADLINE_EXCEEDED,
            "internal" => RetryOn::INTERNAL,
            "resource-exhausted" => RetryOn::RESOURCE_EXHAUSTED,
            "unavailable" => RetryOn::UNAVAILABLE,
            _ => return None,
        })
    }

    /// Whether any of these conditions is in the set.
    pub fn has_any(self, of: RetryOn) -> bool {
        self.0 & of.0 != 0
    }

    fn of_grpc_status(status: u8) -> RetryOn {
        match status {
            1 => RetryOn::CANCELLED,
            4 => RetryOn::DEADLINE_EXCEEDED,
            8 => RetryOn::RESOURCE_EXHAUSTED,
            13 => RetryOn::INTERNAL,
            14 => RetryOn::UNAVAILABLE,
            _ => RetryOn::NEVER,
        }
    }
}

impl BitOr for RetryOn {
    type Output = RetryOn;
    fn bitor(self, other: RetryOn) -> RetryOn {
        RetryOn(self.0 | other.0)
    }
}

impl BitOrAssign for RetryOn {
    fn bitor_assign(&mut self, other: RetryOn) {
        self.0 |= other.0;
    }
}

/// How a try ended without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// There was no connection.
    Unconnected,
    /// The endpoint has said that it did not look at the request.
    Refused,
    /// The connection or stream ended, or the try took too long, before any of the request was sent.
    BeforeRequest,
    /// The same after some of it was.
    Reset,
}

/// What of an answer's head decides.
#[derive(Clone, Copy, Debug, Default)]
pub struct AnswerHead {
    /// The status.
    pub status: u16,
    /// `grpc-status`, where the head is all of an answer of gRPC.
    pub grpc_status: Option<u8>,
    /// It has `x-envoy-ratelimited`.
    pub is_rate_limited: bool,
}

impl RetryPolicy {
    /// Whether a request is tried again that got no answer. As in Envoy: what ends in a 5xx of our own is one.
    pub fn takes_lost(&self, lost: Lost) -> bool {
        let any = RetryOn::RESET | RetryOn::ANY_5XX | RetryOn::GATEWAY_ERROR;
        let unsent = RetryOn::RESET_BEFORE_REQUEST;
        self.on.has_any(match lost {
            Lost::Unconnected => any | unsent | RetryOn::CONNECT_FAILURE,
            Lost::Refused => any | RetryOn::REFUSED_STREAM,
            Lost::BeforeRequest => any | unsent,
            Lost::Reset => any,
        })
    }

    /// Whether a request with this answer is tried again.
    pub fn takes_answer(&self, head: AnswerHead) -> bool {
        let AnswerHead { status, grpc_status, is_rate_limited } = head;
        if is_rate_limited {
            return self.on.has_any(RetryOn::RATE_LIMITED);
        }
        let is_on = |on, holds: bool| holds && self.on.has_any(on);
        is_on(RetryOn::ANY_5XX, (500..600).contains(&status))
            || is_on(RetryOn::GATEWAY_ERROR, (502..=504).contains(&status))
            || is_on(RetryOn::RETRIABLE_4XX, status == 409)
            || is_on(RetryOn::STATUS_CODES, self.statuses.contains(&status))
            || grpc_status.is_some_and(|status| self.on.has_any(RetryOn::of_grpc_status(status)))
    }

    /// Whether a request may be tried again that a server has looked at, so that all of its body has to be kept.
    /// `is_call`: it is one of gRPC.
    pub fn takes_what_was_sent(&self, is_call: bool) -> bool {
        let always = RetryOn::ANY_5XX
            | RetryOn::GATEWAY_ERROR
            | RetryOn::RESET
            | RetryOn::RETRIABLE_4XX
            | RetryOn::RATE_LIMITED;
        let by_status = self.on.has_any(RetryOn::STATUS_CODES) && !self.statuses.is_empty();
        let by_call = is_call && self.on.has_any(RetryOn::GRPC);
        self.attempts > 0 && (self.on.has_any(always) || by_status || by_call)
    }

    /// The pause before a retry, the first of which is 1, is less than this: Envoy's fully jittered exponential back-off
    /// draws from 0 up to (2^n - 1) times the base, and never more than ten times it.
    pub fn pause_below(&self, retry: u32) -> Duration {
        let growth = 1u32.checked_shl(retry).unwrap_or(u32::MAX).saturating_sub(1);
        self.backoff.saturating_mul(growth.min(BACKOFF_GROWTH_MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(names: &[&str], statuses: &[u16]) -> RetryPolicy {
        let on = names.iter().fold(RetryOn::NEVER, |on, name| on | RetryOn::of(name).unwrap());
        RetryPolicy { on, statuses: statuses.into(), ..RetryPolicy::default() }
    }

    fn status(status: u16) -> AnswerHead {
        AnswerHead { status, ..AnswerHead::default() }
    }

    #[test]
    fn each_condition_takes_what_it_says() {
        const ALL: [Lost; 4] = [Lost::Unconnected, Lost::Refused, Lost::BeforeRequest, Lost::Reset];
        let cases: [(&str, &[u16], &[Lost]); 11] = [
            ("5xx", &[500, 501, 502, 503, 504, 599], &ALL),
            ("gateway-error", &[502, 503, 504], &ALL),
            ("reset", &[], &ALL),
            ("reset-before-request", &[], &[Lost::Unconnected, Lost::BeforeRequest]),
            ("connect-failure", &[], &[Lost::Unconnected]),
            ("retriable-4xx", &[409], &[]),
            ("refused-stream", &[], &[Lost::Refused]),
            ("retriable-status-codes", &[418, 503], &[]),
            ("retriable-headers", &[], &[]),
            ("http3-post-connect-failure", &[], &[]),
            ("envoy-ratelimited", &[], &[]),
        ];
        for (name, answers, lost) in cases {
            let policy = on(&[name], &[418, 503]);
            let taken: Vec<u16> = (200..600).filter(|code| policy.takes_answer(status(*code))).collect();
            let wanted: Vec<u16> = (200..600)
                .filter(|code| match name {
                    "5xx" => *code >= 500,
                    _ => answers.contains(code),
                })
                .collect();
            assert_eq!(taken, wanted, "{name}");
            let taken: Vec<Lost> = ALL.into_iter().filter(|lost| policy.takes_lost(*lost)).collect();
            assert_eq!(taken, lost, "{name}");
        }
    }

    #[test]
    fn grpcs_conditions_look_at_its_status() {
        let names = ["cancelled", "deadline-exceeded", "resource-exhausted", "internal", "unavailable"];
        for (name, wanted) in names.into_iter().zip([1, 4, 8, 13, 14]) {
            let policy = on(&[name], &[]);
            for code in 0..=20 {
                let head = AnswerHead { grpc_status: Some(code), ..status(200) };
                assert_eq!(policy.takes_answer(head), code == wanted, "{name} {code}");
            }
            assert!(policy.takes_what_was_sent(true) && !policy.takes_what_was_sent(false));
        }
    }

    #[test]
    fn rate_limited_answers_are_tried_again_only_by_their_own_condition() {
        let head = AnswerHead { is_rate_limited: true, ..status(503) };
        assert!(!on(&["5xx"], &[]).takes_answer(head));
        assert!(on(&["envoy-ratelimited"], &[]).takes_answer(head));
    }

    #[test]
    fn the_default_takes_no_status_of_http() {
        let policy = RetryPolicy::default();
        assert!((200..600).all(|code| !policy.takes_answer(status(code))));
        assert!(policy.takes_lost(Lost::Unconnected) && policy.takes_lost(Lost::Refused));
        assert!(!policy.takes_lost(Lost::Reset) && !policy.takes_lost(Lost::BeforeRequest));
        assert!(policy.takes_what_was_sent(true) && !policy.takes_what_was_sent(false));
        assert!(!RetryPolicy { attempts: 0, ..on(&["5xx"], &[]) }.takes_what_was_sent(true));
    }

    #[test]
    fn pauses_grow_to_ten_times_the_base() {
        let policy = RetryPolicy::default();
        let below: Vec<_> = (1..=6).map(|retry| policy.pause_below(retry).as_millis()).collect();
        assert_eq!(below, [25, 75, 175, 250, 250, 250]);
        assert_eq!(policy.pause_below(u32::MAX).as_millis(), 250);
    }
}
