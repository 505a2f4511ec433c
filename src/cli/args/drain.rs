//! Options about the end of the process, and about the process that takes over from it.

use clap::Args;
use std::{path::PathBuf, time::Duration};

/// How it ends, and how another process takes over.
#[derive(Args, Clone, Debug)]
pub struct DrainArgs {
    /// How long connections in use may go on after SIGTERM, such as `30s`, `2m` or `500ms`
    #[arg(long, value_name = "TIME", default_value = "30s", env = "SLUICEGATE_DRAIN_TIME", value_parser = duration)]
    pub drain_time: Duration,
    /// For how long clients are still accepted after SIGTERM, while /healthz/ready says no already: for load balancers that
    /// need time to notice. The time of --drain-time begins after it
    #[arg(long, value_name = "TIME", default_value = "0s", env = "SLUICEGATE_DRAIN_ACCEPT", value_parser = duration, hide_short_help = true)]
    pub drain_accept: Duration,
    /// How long connections of a listener that a reload has removed may go on
    #[arg(long, value_name = "TIME", default_value = "30s", env = "SLUICEGATE_RELOAD_DRAIN_TIME", value_parser = duration, hide_short_help = true)]
    pub reload_drain_time: Duration,
    /// How long connections in use may go on after another process has taken over (SIGUSR2, `sluicegate upgrade`)
    #[arg(long, value_name = "TIME", default_value = "10m", env = "SLUICEGATE_UPGRADE_DRAIN_TIME", value_parser = duration, hide_short_help = true)]
    pub upgrade_drain_time: Duration,
    /// A process that is to take over must serve within this time; otherwise it is ended, and the old one goes on
    #[arg(long, value_name = "TIME", default_value = "60s", env = "SLUICEGATE_UPGRADE_TIMEOUT", value_parser = duration, hide_short_help = true)]
    pub upgrade_timeout: Duration,
    /// Where the number of the process that serves is written
    #[arg(long, value_name = "FILE", env = "SLUICEGATE_PID_FILE", hide_short_help = true)]
    pub pid_file: Option<PathBuf>,
}

/// The longest drain; a longer one is a mistake in the unit.
const DRAIN_MAX: Duration = Duration::from_secs(24 * 3600);

/// `30s`, `2m`, `500ms`
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(format!("`{text}`: expected a number and ms, s, m or h, such as 30s")),
    };
    let number: u64 =
        number.parse().map_err(|_| format!("`{text}`: expected a number and a unit, such as 30s"))?;
    let duration = Duration::from_millis(number.saturating_mul(unit_ms));
    if duration > DRAIN_MAX {
        return Err(format!("`{text}` is longer than a day"));
    }
    Ok(duration)
}
