//! What can go wrong, and the one place that says what follows from it: status, flag, detail, body, retry.

use crate::{http1::decode::BadResponse, http2::ErrorCode, table::Lost, telemetry::Flag, upstream::Outcome};

/// Whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// The client's.
    Downstream,
    /// The origin's.
    Upstream,
}

/// How far the exchange was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Waiting for a turn to have a connection (limits of the cluster).
    Line,
    /// Opening a connection.
    Connect,
    /// Sending the request; nothing of it may have arrived.
    SendHead,
    /// Moving the request's body.
    RequestBody,
    /// Waiting for the response head.
    ResponseHead,
    /// Moving the response's body, or sending an answer.
    ResponseBody,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The connection ended before the message did.
    Closed,
    /// The connection was reset, or sending failed.
    Reset,
    /// It took too long.
    Timeout,
    /// The peer broke the protocol.
    Protocol(&'static str),
    /// Connecting was refused or impossible; what the operating system said.
    Unreachable(String),
    /// The peer has reset its stream of HTTP/2.
    StreamReset(ErrorCode),
    /// The origin has said that it did not look at the request (GOAWAY).
    Unprocessed,
    /// The time that the client gave its call has passed (`grpc-timeout`).
    Expired,
    /// The cluster's limits allow no more (`connectionPool`).
    Overflow,
    /// The time of the whole exchange has passed (`timeout`).
    ResponseTimeout,
    /// The time of one attempt has passed (`perTryTimeout`).
    TryTimeout,
    /// The request's body is larger than the route takes.
    TooLarge,
}

/// One thing that went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) side: Side,
    pub(super) phase: Phase,
    pub(super) kind: Kind,
    /// The upstream connection had carried an exchange before, so the origin may have closed it as we sent.
    pub(super) reused: bool,
    /// Attempts came before: the answer says so, as Envoy's does.
    pub(super) retried: bool,
}

/// Envoy's words for an upstream that did not answer.
macro_rules! no_answer {
    ($retried:expr, $reason:literal) => {
        if $retried {
            concat!(
                "upstream connect error or disconnect/reset before headers. retried and the latest reset reason: ",
                $reason
            )
        } else {
            concat!("upstream connect error or disconnect/reset before headers. reset reason: ", $reason)
        }
    };
}

impl Failure {
    pub(super) fn upstream(phase: Phase, kind: Kind) -> Failure {
        Failure { side: Side::Upstream, phase, kind, reused: false, retried: false }
    }

    pub(super) fn downstream(phase: Phase, kind: Kind) -> Failure {
        Failure { side: Side::Downstream, phase, kind, reused: false, retried: false }
    }

    /// Whether the request is sent again at once, on a connection that is new, whatever the policy of its route: nobody
    /// has looked at it (RFC 9113 section 8.7), or a reused connection died before the first byte of the response: any
    /// method while nothing had been sent, else the idempotent ones (RFC 9110 section 9.2.2; specification section 8.3).
    pub(super) fn is_sent_again_at_once(&self, replay: Replay) -> bool {
        if self.side == Side::Downstream || !replay.body_is_at_hand {
            return false;
        }
        match (self.phase, &self.kind) {
            (_, Kind::Expired | Kind::ResponseTimeout | Kind::TryTimeout | Kind::Overflow) => false,
            (Phase::ResponseHead | Phase::SendHead, Kind::Unprocessed) => true,
            (Phase::SendHead, _) => self.reused,
            (Phase::ResponseHead, Kind::Closed | Kind::Reset) => self.reused && replay.idempotent,
            _ => false,
        }
    }

    /// What a policy of retries goes by; nothing where no policy tries again.
    pub(super) fn lost(&self) -> Option<Lost> {
        match (self.side, self.phase, &self.kind) {
            (Side::Downstream, ..) => None,
            (_, _, Kind::Expired | Kind::ResponseTimeout | Kind::Overflow) => None,
            (_, Phase::Line, _) => None,
            (_, _, Kind::TryTimeout) => Some(Lost::Reset),
            (_, Phase::Connect, _) => Some(Lost::Unconnected),
            // The gateway's own limit for what is dead.
            (_, _, Kind::Timeout) => None,
            (_, _, Kind::StreamReset(ErrorCode::RefusedStream) | Kind::Unprocessed) => Some(Lost::Refused),
            (_, Phase::SendHead, _) => Some(Lost::BeforeRequest),
            _ => Some(Lost::Reset),
        }
    }

    /// What it shows of the endpoint; nothing where it was the client's doing, or that of a limit.
    pub(super) fn outcome(&self) -> Option<Outcome> {
        Some(match (self.side, self.phase, &self.kind) {
            // A limit of ours is nobody's failure.
            (Side::Downstream, ..) | (_, _, Kind::Overflow) | (_, Phase::Line, _) => return None,
            // The head has come in time, and told what there is to tell; how long a body takes, its reader decides, too.
            (_, Phase::ResponseBody, Kind::ResponseTimeout | Kind::TryTimeout | Kind::Expired) => {
                return None;
            }
            (_, _, Kind::ResponseTimeout | Kind::TryTimeout | Kind::Expired) => Outcome::TimedOut,
            (_, Phase::Connect, _) => Outcome::ConnectFailed,
            (_, _, Kind::Timeout) => Outcome::TimedOut,
            _ => Outcome::Reset,
        })
    }

    /// The flag of the access log.
    pub(super) fn flag(&self) -> Flag {
        match (self.side, self.phase, &self.kind) {
            (Side::Downstream, _, Kind::Protocol(_) | Kind::TooLarge) => Flag::DownstreamProtocolError,
            (Side::Downstream, _, Kind::Timeout) => Flag::StreamIdleTimeout,
            (Side::Downstream, _, Kind::StreamReset(_)) => Flag::DownstreamRemoteReset,
            (Side::Downstream, ..) => Flag::DownstreamDisconnect,
            (_, _, Kind::Expired) => Flag::DurationTimeout,
            (_, _, Kind::Overflow) => Flag::UpstreamOverflow,
            (_, _, Kind::ResponseTimeout | Kind::TryTimeout) => Flag::UpstreamTimeout,
            (_, Phase::Connect | Phase::Line, _) => Flag::UpstreamConnectFailure,
            (_, _, Kind::Protocol(_)) => Flag::UpstreamProtocolError,
            (_, _, Kind::Timeout) => Flag::StreamIdleTimeout,
            (_, _, Kind::Reset | Kind::StreamReset(_) | Kind::Unprocessed) => Flag::UpstreamRemoteReset,
            _ => Flag::UpstreamConnectionTermination,
        }
    }

    /// Envoy's response code details.
    pub(super) fn details(&self) -> &'static str {
        match (self.side, self.phase, &self.kind) {
            (Side::Downstream, _, Kind::Protocol(details)) => details,
            (Side::Downstream, _, Kind::TooLarge) => "request_payload_too_large",
            (Side::Downstream, _, Kind::Timeout) => "stream_idle_timeout",
            (Side::Downstream, _, Kind::StreamReset(code)) => downstream_reset(*code),
            (Side::Downstream, ..) => "downstream_remote_disconnect",
            (_, _, Kind::Expired) => "max_duration_timeout",
            (_, _, Kind::Overflow) => "upstream_reset_before_response_started{overflow}",
            (_, _, Kind::ResponseTimeout) => "response_timeout",
            (_, _, Kind::TryTimeout) => "upstream_per_try_timeout",
            (_, Phase::ResponseBody, Kind::StreamReset(code)) => upstream_reset(*code, When::After),
            (_, _, Kind::StreamReset(code)) => upstream_reset(*code, When::Before),
            (_, _, Kind::Unprocessed) => "upstream_reset_before_response_started{http2.goaway}",
            (_, Phase::Connect | Phase::Line, Kind::Timeout) => {
                "upstream_reset_before_response_started{connection_timeout}"
            }
            (_, Phase::Connect, _) => "upstream_reset_before_response_started{connection_failure}",
            (_, Phase::ResponseBody, Kind::Protocol(_)) => {
                "upstream_reset_after_response_started{protocol_error}"
            }
            (_, Phase::ResponseBody, Kind::Timeout) => "stream_idle_timeout",
            (_, Phase::ResponseBody, Kind::Reset) => "upstream_reset_after_response_started{remote_reset}",
            (_, Phase::ResponseBody, _) => "upstream_reset_after_response_started{connection_termination}",
            (_, _, Kind::Protocol(_)) => "upstream_reset_before_response_started{protocol_error}",
            (_, _, Kind::Timeout) => "stream_idle_timeout",
            (_, _, Kind::Reset) => "upstream_reset_before_response_started{remote_reset}",
            _ => "upstream_reset_before_response_started{connection_termination}",
        }
    }

    /// The status and body of the local reply, if an answer can still be given.
    pub(super) fn answer(&self) -> (u16, &'static str) {
        match (self.side, self.phase, &self.kind) {
            (Side::Downstream, _, Kind::Timeout) => (408, "stream timeout"),
            (Side::Downstream, _, Kind::TooLarge) => (413, "Payload Too Large"),
            (Side::Downstream, ..) => (400, "Bad Request"),
            (_, _, Kind::Overflow) => (503, no_answer!(self.retried, "overflow")),
            (_, _, Kind::Expired) => (504, "upstream max stream duration reached"),
            (_, _, Kind::ResponseTimeout | Kind::TryTimeout) => (504, "upstream request timeout"),
            (_, Phase::Connect | Phase::Line, Kind::Timeout) => {
                (503, no_answer!(self.retried, "connection timeout"))
            }
            (_, Phase::Connect, _) => (503, no_answer!(self.retried, "connection failure")),
            (_, _, Kind::Protocol(_)) => (502, no_answer!(self.retried, "protocol error")),
            (_, _, Kind::Timeout) => (504, "stream timeout"),
            (_, _, Kind::Reset | Kind::StreamReset(_) | Kind::Unprocessed) => {
                (503, no_answer!(self.retried, "remote reset"))
            }
            _ => (503, no_answer!(self.retried, "connection termination")),
        }
    }

    /// What a stream of the client's is reset with when the answer had begun: the origin's own code where it has one.
    pub(super) fn reset_code(&self) -> ErrorCode {
        match self.kind {
            Kind::StreamReset(code @ (ErrorCode::Cancel | ErrorCode::EnhanceYourCalm)) => code,
            _ => ErrorCode::InternalError,
        }
    }

    /// What the operating system said when connecting failed.
    pub(super) fn transport_failure(&self) -> &str {
        match &self.kind {
            Kind::Unreachable(error) => error,
            _ => "",
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    Before,
    After,
}

/// The detail for the access log of a stream that the client has reset.
fn downstream_reset(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::NoError => "http2.remote_reset{NO_ERROR}",
        ErrorCode::ProtocolError => "http2.remote_reset{PROTOCOL_ERROR}",
        ErrorCode::RefusedStream => "http2.remote_refuse{REFUSED_STREAM}",
        ErrorCode::Cancel => "http2.remote_reset{CANCEL}",
        ErrorCode::EnhanceYourCalm => "http2.remote_reset{ENHANCE_YOUR_CALM}",
        ErrorCode::FlowControlError => "http2.remote_reset{FLOW_CONTROL_ERROR}",
        ErrorCode::StreamClosed => "http2.remote_reset{STREAM_CLOSED}",
        ErrorCode::InternalError => "http2.remote_reset{INTERNAL_ERROR}",
        _ => "http2.remote_reset",
    }
}

/// The detail for the access log of a stream that the origin has reset.
fn upstream_reset(code: ErrorCode, when: When) -> &'static str {
    match (code, when) {
        (ErrorCode::RefusedStream, When::Before) => {
            "upstream_reset_before_response_started{http2.remote_refuse|REFUSED_STREAM}"
        }
        (ErrorCode::Cancel, When::Before) => {
            "upstream_reset_before_response_started{http2.remote_reset|CANCEL}"
        }
        (ErrorCode::InternalError, When::Before) => {
            "upstream_reset_before_response_started{http2.remote_reset|INTERNAL_ERROR}"
        }
        (ErrorCode::EnhanceYourCalm, When::Before) => {
            "upstream_reset_before_response_started{http2.remote_reset|ENHANCE_YOUR_CALM}"
        }
        (_, When::Before) => "upstream_reset_before_response_started{http2.remote_reset}",
        (ErrorCode::Cancel, When::After) => {
            "upstream_reset_after_response_started{http2.remote_reset|CANCEL}"
        }
        (ErrorCode::InternalError, When::After) => {
            "upstream_reset_after_response_started{http2.remote_reset|INTERNAL_ERROR}"
        }
        (_, When::After) => "upstream_reset_after_response_started{http2.remote_reset}",
    }
}

/// What of a request can be sent a second time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Replay {
    /// There is no body, or all of it is still in memory.
    pub(super) body_is_at_hand: bool,
    /// The method's effect does not change when it is sent twice.
    pub(super) idempotent: bool,
}

/// Whether a method is idempotent (RFC 9110 section 9.2.2).
pub(super) fn is_idempotent(method: &[u8]) -> bool {
    matches!(method, b"GET" | b"HEAD" | b"OPTIONS" | b"TRACE" | b"PUT" | b"DELETE")
}

impl From<BadResponse> for Kind {
    fn from(bad: BadResponse) -> Kind {
        Kind::Protocol(bad.detail())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GET: Replay = Replay { body_is_at_hand: true, idempotent: true };
    const POST: Replay = Replay { body_is_at_hand: true, idempotent: false };

    #[test]
    fn a_reused_connection_that_died_is_tried_once_more_if_that_is_safe() {
        let died = Failure { reused: true, ..Failure::upstream(Phase::ResponseHead, Kind::Closed) };
        assert!(died.is_sent_again_at_once(GET) && !died.is_sent_again_at_once(POST));
        assert!(!died.is_sent_again_at_once(Replay { body_is_at_hand: false, ..GET }));
        let unsent = Failure { reused: true, ..Failure::upstream(Phase::SendHead, Kind::Reset) };
        assert!(unsent.is_sent_again_at_once(POST));
        assert!(!Failure::upstream(Phase::ResponseHead, Kind::Closed).is_sent_again_at_once(GET));
    }

    #[test]
    fn what_the_limits_refuse_is_503_uo_and_never_tried_again() {
        let full = Failure::upstream(Phase::Connect, Kind::Overflow);
        assert!(!full.is_sent_again_at_once(GET));
        assert_eq!((full.lost(), full.outcome()), (None, None));
        assert_eq!((full.answer().0, full.flag()), (503, Flag::UpstreamOverflow));
        assert_eq!(full.details(), "upstream_reset_before_response_started{overflow}");
    }

    #[test]
    fn a_refused_connect_ends_in_503_uf() {
        let refused = Failure::upstream(Phase::Connect, Kind::Unreachable("Connection refused".into()));
        assert!(!refused.is_sent_again_at_once(POST));
        assert_eq!(refused.lost(), Some(Lost::Unconnected));
        assert_eq!((refused.answer().0, refused.flag()), (503, Flag::UpstreamConnectFailure));
        let last = Failure { retried: true, ..refused };
        assert!(last.answer().1.ends_with("retried and the latest reset reason: connection failure"));
    }
}
