//! Whether an expression is true. What is asked about something that is not there is neither true nor false, as in CEL: it
//! decides nothing unless the other side of `&&` or `||` decides without it, and in the end it is not logged.

use super::{
    super::{
        super::{Flag, TlsFact},
        record::{Facts, Record},
    },
    BoolOf, Comparison, Condition, Expression, NumberOf, TextOf, TextTest,
};

impl Condition {
    /// Whether it holds. `spare` is for texts that have to be put together.
    pub(in super::super) fn holds(
        &self,
        record: &Record<'_>,
        facts: &impl Facts,
        spare: &mut Vec<u8>,
    ) -> bool {
        evaluate(&self.expression, record, facts, spare) == Some(true)
    }
}

fn evaluate(
    expression: &Expression,
    record: &Record<'_>,
    facts: &impl Facts,
    spare: &mut Vec<u8>,
) -> Option<bool> {
    match expression {
        Expression::Constant(value) => Some(*value),
        Expression::Not(inner) => evaluate(inner, record, facts, spare).map(|value| !value),
        Expression::And(sides) => {
            let mut all = Some(true);
            for side in sides.iter() {
                match evaluate(side, record, facts, spare) {
                    Some(false) => return Some(false),
                    Some(true) => {}
                    None => all = None,
                }
            }
            all
        }
        Expression::Or(sides) => {
            let mut any = Some(false);
            for side in sides.iter() {
                match evaluate(side, record, facts, spare) {
                    Some(true) => return Some(true),
                    Some(false) => {}
                    None => any = None,
                }
            }
            any
        }
        Expression::Bool(BoolOf::Mtls) => Some(facts.is_mutual()),
        Expression::Number(of, comparison, value) => {
            Some(comparison.is_true(number(*of, record)?.cmp(value)))
        }
        Expression::NumberIn(of, list) => Some(list.contains(&number(*of, record)?)),
        Expression::HasNumber(of) => Some(number(*of, record).is_some()),
        Expression::HasText(of) => Some(text(of, record, facts, spare).is_some()),
        Expression::Text(of, test) => Some(test.is_true(text(of, record, facts, spare)?)),
    }
}

impl Comparison {
    fn is_true(self, order: std::cmp::Ordering) -> bool {
        match self {
            Comparison::Equal => order.is_eq(),
            Comparison::NotEqual => order.is_ne(),
            Comparison::Less => order.is_lt(),
            Comparison::LessOrEqual => order.is_le(),
            Comparison::Greater => order.is_gt(),
            Comparison::GreaterOrEqual => order.is_ge(),
        }
    }
}

impl TextTest {
    fn is_true(&self, text: &[u8]) -> bool {
        match self {
            TextTest::Compare(comparison, value) => comparison.is_true(text.cmp(value)),
            TextTest::In(list) => list.iter().any(|value| **value == *text),
            TextTest::StartsWith(start) => text.starts_with(start),
            TextTest::EndsWith(end) => text.ends_with(end),
            TextTest::Contains(part) => memchr::memmem::find(text, part).is_some(),
        }
    }
}

fn number(of: NumberOf, r: &Record<'_>) -> Option<i64> {
    let milliseconds = |time: u64| i64::try_from(time.saturating_mul(1_000_000)).unwrap_or(i64::MAX);
    let port = |address: &[u8]| {
        let colon = address.iter().rposition(|byte| *byte == b':')?;
        std::str::from_utf8(address.get(colon + 1..)?).ok()?.parse().ok()
    };
    match of {
        NumberOf::ResponseCode => (r.status > 0).then_some(r.status.into()),
        NumberOf::ResponseFlags => Some(flags(r)),
        NumberOf::GrpcStatus => r.grpc_status.map(i64::from),
        NumberOf::RequestSize => i64::try_from(r.bytes_received).ok(),
        NumberOf::ResponseSize => i64::try_from(r.bytes_sent).ok(),
        NumberOf::Duration => Some(milliseconds(r.duration_ms)),
        NumberOf::BackendLatency => r.upstream_service_ms.map(milliseconds),
        NumberOf::Attempts => (r.attempts > 0).then_some(r.attempts.into()),
        NumberOf::ConnectionId => i64::try_from(r.connection_id).ok().filter(|id| *id > 0),
        NumberOf::SourcePort => port(r.downstream_remote),
        NumberOf::DestinationPort => port(r.downstream_local),
        NumberOf::UpstreamPort => port(r.upstream_host),
    }
}

/// The bits of Envoy's flags (`legacyResponseFlags`).
fn flags(r: &Record<'_>) -> i64 {
    let bit = |flag: Flag| match flag {
        Flag::NoHealthyUpstream => 0x2,
        Flag::UpstreamTimeout => 0x4,
        Flag::UpstreamRemoteReset => 0x10,
        Flag::UpstreamConnectFailure => 0x20,
        Flag::ConnectAttemptsExceeded => 0x8020,
        Flag::UpstreamConnectionTermination => 0x40,
        Flag::UpstreamOverflow => 0x80,
        Flag::NoRoute => 0x100,
        Flag::FaultInjected => 0x400,
        Flag::RateLimited => 0x800,
        Flag::DownstreamDisconnect => 0x4000,
        Flag::RetryLimitExceeded => 0x8000,
        Flag::StreamIdleTimeout => 0x1_0000,
        Flag::DownstreamProtocolError => 0x4_0000,
        Flag::DurationTimeout => 0x40_0000,
        Flag::UpstreamProtocolError => 0x80_0000,
        Flag::NoCluster => 0x100_0000,
        Flag::Overload => 0x200_0000,
        Flag::DownstreamRemoteReset => 0x1000_0000,
    };
    const DELAYED: i64 = 0x200;
    let delayed = if r.is_delayed { DELAYED } else { 0 };
    delayed | r.flag.map_or(0, bit) | r.retry_flag.map_or(0, bit)
}

fn text<'f>(
    of: &TextOf,
    r: &'f Record<'_>,
    facts: &'f impl Facts,
    spare: &'f mut Vec<u8>,
) -> Option<&'f [u8]> {
    let (path, query) = match r.path.iter().position(|byte| *byte == b'?') {
        Some(at) => r.path.split_at(at),
        None => (r.path, &b""[..]),
    };
    let found = match of {
        TextOf::Method => r.method,
        TextOf::Path => r.path,
        TextOf::UrlPath => path,
        TextOf::Query => query.get(1..).unwrap_or_default(),
        TextOf::Host => r.authority,
        TextOf::Scheme => r.scheme.as_bytes(),
        TextOf::Protocol => r.protocol.as_bytes(),
        TextOf::RequestId => r.request_id,
        TextOf::UserAgent => r.user_agent,
        TextOf::ResponseCodeDetails => r.details.as_bytes(),
        TextOf::TerminationDetails => r.termination.as_bytes(),
        TextOf::FailureReason => r.transport_failure.as_bytes(),
        TextOf::ServerName => r.server_name,
        TextOf::TlsVersion => {
            spare.clear();
            facts.tls(TlsFact::Version, spare);
            spare
        }
        TextOf::Source => r.downstream_remote,
        TextOf::Destination => r.downstream_local,
        TextOf::Upstream => r.upstream_host,
        TextOf::Cluster => r.upstream_cluster,
        TextOf::Route => r.route_name,
        TextOf::RequestHeader(name) => return facts.request_field(name),
        TextOf::ResponseHeader(name) => return facts.response_field(name),
    };
    (!found.is_empty()).then_some(found)
}
