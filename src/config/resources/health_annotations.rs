//! What the gateway's own annotations of ServiceEntries and DestinationRules say about health.

use crate::config::{
    Diagnostic, Spanned,
    decode::{Decode, Decoder, choice, object},
    yaml::Node,
};
use std::{ops::RangeInclusive, time::Duration};

object! {
    /// `sluicegate.io/health-check`: how endpoints are asked whether they are well.
    pub struct HealthCheck {
        /// By a request.
        http: Option<Spanned<HttpCheck>> = "http",
        /// By a connection.
        tcp: Option<Spanned<TcpCheck>> = "tcp",
        /// By a call of `grpc.health.v1`.
        grpc: Option<Spanned<GrpcCheck>> = "grpc",
        /// The time between two checks; absent: 5 s.
        interval: Option<Spanned<Duration>> = "interval",
        /// How long one may take; absent: 1 s.
        timeout: Option<Spanned<Duration>> = "timeout",
        /// Successes in a row that make a bad endpoint good; absent: 2.
        healthy_threshold: Option<Spanned<u32>> = "healthyThreshold",
        /// Failures in a row that make a good endpoint bad; absent: 3.
        unhealthy_threshold: Option<Spanned<u32>> = "unhealthyThreshold",
        /// The port that is asked; absent: the endpoint's own.
        port: Option<Spanned<u32>> = "port",
        /// What a new endpoint is before its first check; absent: healthy.
        initially: Option<Spanned<Initially>> = "initially",
        /// The share of good endpoints below which all are used, in percent; absent: that of `outlierDetection`, else 0.
        min_health_percent: Option<Spanned<u32>> = "minHealthPercent",
    }
    one_of ["http", "tcp", "grpc"]
}

object! {
    /// A check by a request.
    pub struct HttpCheck {
        /// The path, with its query.
        path: Option<Spanned<String>> = "path",
        /// The `Host`; absent: that of the service.
        host: Option<Spanned<String>> = "host",
        /// The method; absent: GET.
        method: Option<Spanned<String>> = "method",
        /// What is a success; absent: 200.
        expected_statuses: Vec<Spanned<StatusRange>> = "expectedStatuses",
    }
}

object! {
    /// A check by a connection, with its handshake where there is TLS.
    pub struct TcpCheck {}
}

object! {
    /// A check by a call of `grpc.health.v1.Health/Check`.
    pub struct GrpcCheck {
        /// The service that is asked about; absent: the whole server.
        service: Option<Spanned<String>> = "service",
        /// The `:authority`; absent: the host of the service.
        host: Option<Spanned<String>> = "host",
    }
}

choice! {
    /// What an endpoint is that has not been asked yet.
    pub enum Initially {
        /// It is used.
        Healthy = "healthy" (0),
        /// It is not used.
        Unhealthy = "unhealthy" (1),
    }
}

/// A status, or all from one to another: `200`, `"200-299"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusRange(pub RangeInclusive<u16>);

impl Decode for StatusRange {
    const EXPECTED: &'static str = "a status such as 200, or a range such as \"200-299\"";

    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let range = node.text().and_then(|text| {
            let (from, to) = text.split_once('-').unwrap_or((text, text));
            Some((from.trim().parse().ok()?, to.trim().parse().ok()?))
        });
        let range = range.filter(|(from, to)| 100 <= *from && from <= to && *to <= 599);
        if range.is_none() {
            let message = format!("expected {}, found {}", Self::EXPECTED, decoder.describe(node));
            let problem = Diagnostic::error("bad-status", message).at(node.span);
            decoder.report(problem.help("a status is between 100 and 599"));
        }
        range.map(|(from, to)| StatusRange(from..=to))
    }
}
