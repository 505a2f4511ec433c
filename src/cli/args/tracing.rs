//! Options about tracing.

use crate::compile::{TracingEndpoint, TracingOptions};
use clap::Args;

/// Where spans of requests go, and of how many requests there are any.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Tracing")]
pub struct TracingArgs {
    /// The collector that gets spans, by OTLP over HTTP, such as http://127.0.0.1:4318; it turns tracing on
    #[arg(long, value_name = "URL", env = "SLUICEGATE_TRACING_ENDPOINT")]
    pub tracing_endpoint: Option<TracingEndpoint>,
    /// The share of requests that have spans where nobody before has decided, such as `100%` or `0.5%` [default: that of the
    /// configuration, else 1%]
    #[arg(long, value_name = "PERCENT", env = "SLUICEGATE_TRACING_SAMPLE", value_parser = percent)]
    pub tracing_sample: Option<f64>,
}

impl TracingArgs {
    /// For the compiler.
    pub fn options(&self) -> TracingOptions {
        TracingOptions { endpoint: self.tracing_endpoint.clone(), sampling_percent: self.tracing_sample }
    }
}

fn percent(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').unwrap_or(text).trim().parse::<f64>();
    let number = number.ok().filter(|number| (0.0..=100.0).contains(number));
    number.ok_or_else(|| format!("`{text}` is not a share from 0% to 100%"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_in_percent() {
        assert_eq!(percent("0.5%"), Ok(0.5));
        assert_eq!(percent("100"), Ok(100.0));
        for bad in ["", "%", "101%", "-1", "NaN", "1/2"] {
            assert!(percent(bad).is_err(), "{bad}");
        }
    }
}
