//! What all load generators have in common: where and for how long they are let loose, and what they report.

use std::time::Duration;

/// What a load generator may take beyond the time that it is told, to connect and to end its last requests.
pub(crate) const GRACE: Duration = Duration::from_secs(15);

/// Where and how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shot {
    /// The proxy's port on 127.0.0.1.
    pub(crate) port: u16,
    /// For this long.
    pub(crate) secs: u64,
    /// The core that the load generator runs on.
    pub(crate) core: usize,
}

/// What the load generator saw.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Report {
    /// Answers in full.
    pub(crate) requests: u64,
    /// 99 of 100 answers came within this, if the generator tells it.
    pub(crate) p99_ms: Option<f64>,
    /// The slowest answer, if it tells it.
    pub(crate) slowest_ms: Option<f64>,
    /// What it has to complain of.
    pub(crate) errors: Option<String>,
    /// From its start to its end, without pauses.
    pub(crate) wall: Duration,
}

/// Milliseconds: wrk and h2load write `123.00us`, `1.23ms`, `1.23s`, `1.23m` and `1.23h`.
pub(crate) fn parse_ms(text: &str) -> Option<f64> {
    let unit = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(unit);
    let scale = match unit {
        "us" => 1e-3,
        "ms" => 1.0,
        "s" => 1e3,
        "m" => 6e4,
        "h" => 3.6e6,
        _ => return None,
    };
    Some(number.parse::<f64>().ok()? * scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_all_units_of_time() {
        assert_eq!(parse_ms("1.50ms"), Some(1.5));
        assert_eq!(parse_ms("2.00s"), Some(2000.0));
        assert_eq!(parse_ms("1.00m"), Some(60_000.0));
        assert_eq!(parse_ms("5"), None);
        assert_eq!(parse_ms("5parsecs"), None);
    }
}
