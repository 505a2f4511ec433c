//! `top`

use super::{AskArgs, drain::duration};
use clap::Args;
use std::time::Duration;

/// `top`
#[derive(Args, Clone, Debug)]
pub struct TopArgs {
    /// Which gateway is asked.
    #[command(flatten)]
    pub ask: AskArgs,
    /// The time between two looks, 100ms to 60s
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = interval)]
    pub interval: Duration,
    /// Look once and print it as plain text; so it is where standard output or input is no terminal
    #[arg(long)]
    pub once: bool,
}

/// Rates and percentiles are those of the last minute, so that there must be two looks in one.
const INTERVAL_MAX: Duration = Duration::from_secs(60);
/// More often nobody sees.
const INTERVAL_MIN: Duration = Duration::from_millis(100);

fn interval(text: &str) -> Result<Duration, String> {
    let interval = duration(text)?;
    if !(INTERVAL_MIN..=INTERVAL_MAX).contains(&interval) {
        return Err(format!("`{text}`: expected 100ms to 60s"));
    }
    Ok(interval)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_two_looks_in_a_minute() {
        assert_eq!(interval("100ms"), Ok(Duration::from_millis(100)));
        assert_eq!(interval("1m"), Ok(Duration::from_secs(60)));
        for wrong in ["99ms", "61s", "0s", "1"] {
            assert!(interval(wrong).is_err(), "{wrong}");
        }
    }
}
