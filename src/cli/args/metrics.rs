//! The options about metrics.

use super::Listen;
use crate::control::DurationUnits;
use clap::{Args, ValueEnum};
use std::net::SocketAddr;

/// Where Istio's proxies have their metrics.
const METRICS_PORT: u16 = 15090;

/// Where metrics are, and which.
#[derive(Args, Clone, Debug)]
pub struct MetricsArgs {
    /// Where /stats/prometheus is for scrapers that may see nothing else: an address with a port, or `off`. It names the
    /// hosts and clusters of the configuration [default: where --status is, but port 15090, as in Istio; port 0 where
    /// that has it]
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
            // Nobody scrapes a Unix socket unless asked to.
            (None, Listen::Off | Listen::Unix(_)) => Listen::Off,
            (None, Listen::At(status)) => {
                let port = if status.port() == 0 { 0 } else { METRICS_PORT };
                Listen::At(SocketAddr::new(status.ip(), port))
            }
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
        assert_eq!(at(None, "[::1]:8080"), there("[::1]:15090"));
        assert_eq!(at(None, "127.0.0.1:0"), there("127.0.0.1:0"));
        assert_eq!(at(None, "off"), Listen::Off);
        assert_eq!(at(Some("off"), "0.0.0.0:15021"), Listen::Off);
        assert_eq!(at(Some("10.0.0.1:9090"), "off"), there("10.0.0.1:9090"));
    }
}
