//! Options about clients' connections, most of them about HTTP/2.

use super::duration;
use crate::compile::Http2Options;
use clap::{Args, ValueEnum, value_parser};
use std::time::Duration;

/// The least window of HTTP/2 (RFC 9113 section 6.9.2: what it is before anybody says anything).
const WINDOW_MIN: i64 = 65_535;
/// The largest window of HTTP/2, and the most streams that Envoy takes.
const MAX: i64 = i32::MAX as i64;

/// How clients' connections are served; every option is stronger than `connectionSettings` in the configuration.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Clients' connections")]
pub struct Http2Args {
    /// The most requests at a time on one HTTP/2 connection [default: that of the configuration, else 1024]
    #[arg(long, value_name = "N", env = "SLUICEGATE_HTTP2_MAX_CONCURRENT_STREAMS", hide_short_help = true)]
    #[arg(value_parser = value_parser!(u32).range(1..=MAX))]
    pub http2_max_concurrent_streams: Option<u32>,
    /// How much of one request's body a client of HTTP/2 may send ahead, in bytes, 65535 or more [default: that of the
    /// configuration, else 16777216]
    #[arg(long, value_name = "BYTES", env = "SLUICEGATE_HTTP2_STREAM_WINDOW", hide_short_help = true)]
    #[arg(value_parser = value_parser!(u32).range(WINDOW_MIN..=MAX))]
    pub http2_stream_window: Option<u32>,
    /// The same for all requests of an HTTP/2 connection together [default: that of the configuration, else 25165824]
    #[arg(long, value_name = "BYTES", env = "SLUICEGATE_HTTP2_CONNECTION_WINDOW", hide_short_help = true)]
    #[arg(value_parser = value_parser!(u32).range(WINDOW_MIN..=MAX))]
    pub http2_connection_window: Option<u32>,
    /// How old a connection may become before its client is asked to open another one, such as `30m`: behind a load
    /// balancer that knows nothing of requests, new gateways then get their share [default: that of the configuration,
    /// else no limit]
    #[arg(long, value_name = "TIME", env = "SLUICEGATE_MAX_CONNECTION_AGE", hide_short_help = true)]
    #[arg(value_parser = age)]
    pub max_connection_age: Option<Duration>,
    /// How many requests a connection may bring before its client is asked to open another one [default: no limit]
    #[arg(long, value_name = "N", env = "SLUICEGATE_MAX_REQUESTS_PER_CONNECTION", hide_short_help = true)]
    #[arg(value_parser = value_parser!(u64).range(1..))]
    pub max_requests_per_connection: Option<u64>,
    /// Whether WebSockets are served over HTTP/2, by extended CONNECT: on, or off, which is Istio's default [default: on]
    #[arg(
        long,
        value_name = "SWITCH",
        value_enum,
        env = "SLUICEGATE_EXTENDED_CONNECT",
        hide_short_help = true
    )]
    pub extended_connect: Option<ExtendedConnect>,
}

/// `--extended-connect`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExtendedConnect {
    /// SETTINGS_ENABLE_CONNECT_PROTOCOL is sent.
    On,
    /// It is not.
    Off,
}

impl Http2Args {
    /// What the compiler takes.
    pub fn options(&self) -> Http2Options {
        Http2Options {
            max_concurrent_streams: self.http2_max_concurrent_streams,
            stream_window: self.http2_stream_window,
            connection_window: self.http2_connection_window,
            connection_age_max: self.max_connection_age,
            connection_requests_max: self.max_requests_per_connection,
            extended_connect: self.extended_connect.map(|switch| switch == ExtendedConnect::On),
        }
    }
}

fn age(text: &str) -> Result<Duration, String> {
    let age = duration(text)?;
    if age.is_zero() { Err(format!("`{text}`: no connection is that young")) } else { Ok(age) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::{Arguments, Subcommand};
    use clap::Parser;

    fn options(options: &[&str]) -> Result<Http2Options, clap::Error> {
        let line = ["sluicegate", "run", "-c", "a"].iter().chain(options);
        let Subcommand::Run(run) = Arguments::try_parse_from(line)?.subcommand else { panic!("it is `run`") };
        Ok(run.http2.options())
    }

    #[test]
    fn what_is_not_said_is_left_to_the_configuration() {
        assert_eq!(options(&[]).unwrap(), Http2Options::default());
        let all = [
            "--http2-max-concurrent-streams=7",
            "--http2-stream-window=65535",
            "--http2-connection-window=2147483647",
            "--max-connection-age=30m",
            "--max-requests-per-connection=1000",
            "--extended-connect=off",
        ];
        let expected = Http2Options {
            max_concurrent_streams: Some(7),
            stream_window: Some(65_535),
            connection_window: Some(2_147_483_647),
            connection_age_max: Some(Duration::from_secs(1800)),
            connection_requests_max: Some(1000),
            extended_connect: Some(false),
        };
        assert_eq!(options(&all).unwrap(), expected);
        assert_eq!(options(&["--extended-connect=on"]).unwrap().extended_connect, Some(true));
    }

    #[test]
    fn bounds_are_said() {
        for (option, said) in [
            ("--http2-max-concurrent-streams=0", "0 is not in 1..=2147483647"),
            ("--http2-max-concurrent-streams=2147483648", "2147483648 is not in 1..=2147483647"),
            ("--http2-stream-window=65534", "65534 is not in 65535..=2147483647"),
            ("--http2-connection-window=64k", "invalid digit"),
            ("--max-connection-age=0s", "no connection is that young"),
            ("--max-requests-per-connection=0", "0 is not in 1.."),
            ("--extended-connect=maybe", "possible values: on, off"),
        ] {
            let error = options(&[option]).unwrap_err().to_string();
            assert!(error.contains(said), "{option}: {error}");
        }
    }
}
