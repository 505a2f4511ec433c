//! The options about metrics.

use super::Listen;
use crate::control::DurationUnits;
use clap::{Args, ValueEnum};
use std::net::SocketAddr;

/// Where Istio's proxies have their metrics.
const METRICS_PORT: u16 = 15090;
/// And where they have their status.
const STATUS_PORT: u16 = 15021;

/// Where metrics are, and which.
#[derive(Args, Clone, Debug)]
pub struct MetricsArgs {
    /// Where /stats/prometheus is besides the status and admin pages: an address with a port, `unix:PATH`, or `off`. It
    /// names the hosts and clusters of the configuration [default: port 15090 beside --status where that has port 15021,
    /// as in Istio; else off]
    #[arg(long, value_name = "ADDR", env = "SLUICEGATE_METRICS")]
    metrics: Option<Listen>,
    /// Which of Istio's metrics of durations there are: milliseconds, seconds or both
    #[arg(long, value_name = "UNITS", value_enum, default_value_t = DurationMetric::Milliseconds, env = "SLUICEGATE_DURATION_METRIC", hide_short_help = true)]
    duration_metric: DurationMetric,
}

/// `--duration-metric`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum DurationMetric {
    /// istio_request_duration_milliseconds
    #[default]
    Milliseconds,
    /// istio_request_duration_seconds
    Seconds,
    /// Both of them.
    Both,
}

impl MetricsArgs {
    /// Where the metrics are, given where the status pages are.
    pub(crate) fn at(&self, status: &Listen) -> Listen {
        match (&self.metrics, status) {
            (Some(metrics), _) => metrics.clone(),
            (None, Listen::At(status)) if status.port() == STATUS_PORT => {
                Listen::At(SocketAddr::new(status.ip(), METRICS_PORT))
            }
            // A second gateway on the host, or a test, has moved its pages away from the ports that all know.
            (None, _) => Listen::Off,
        }
    }

    /// The units of durations.
    pub(crate) fn durations(&self) -> DurationUnits {
        match self.duration_metric {
            DurationMetric::Milliseconds => DurationUnits::Milliseconds,
            DurationMetric::Seconds => DurationUnits::Seconds,
            DurationMetric::Both => DurationUnits::Both,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_beside_the_status_pages() {
        let at = |metrics: Option<&str>, status: &str| {
            let metrics = metrics.map(|text| text.parse().unwrap());
            MetricsArgs { metrics, duration_metric: DurationMetric::Both }.at(&status.parse().unwrap())
        };
        let there = |text: &str| Listen::At(text.parse().unwrap());
        assert_eq!(at(None, "0.0.0.0:15021"), there("0.0.0.0:15090"));
        assert_eq!(at(None, "[::1]:15021"), there("[::1]:15090"));
        assert_eq!(at(None, "127.0.0.1:0"), Listen::Off);
        assert_eq!(at(None, "unix:/run/status"), Listen::Off);
        assert_eq!(at(None, "off"), Listen::Off);
        assert_eq!(at(Some("off"), "0.0.0.0:15021"), Listen::Off);
        assert_eq!(at(Some("10.0.0.1:9090"), "off"), there("10.0.0.1:9090"));
    }
}
