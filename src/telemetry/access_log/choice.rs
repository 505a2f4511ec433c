//! Which lines a route, or the whole gateway, leaves out.

use std::{fmt, str::FromStr};

/// What a route says of its lines (`sluicegate.io/access-log`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogChoice {
    /// Nothing: as all others.
    #[default]
    Usual,
    /// It has none.
    Off,
    /// Errors only: a status from 400, or a flag.
    Errors,
    /// So many of them.
    Sample(Share),
}

/// A share of all, in parts of ten thousand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share(u16);

impl Share {
    /// All of them.
    pub const ALL: Share = Share(10_000);

    /// Reads a percentage, such as `1%` or `0.5`, of at most two places behind the point.
    pub fn parse(text: &str) -> Option<Share> {
        let number = text.strip_suffix('%').unwrap_or(text).trim_end();
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let is_plain = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty()
            || whole.len() > 3
            || fraction.len() > 2
            || !is_plain(whole)
            || !is_plain(fraction)
        {
            return None;
        }
        let hundredths: u16 = format!("{fraction:0<2}").parse().ok()?;
        let share = whole.parse::<u16>().ok()?.checked_mul(100)?.checked_add(hundredths)?;
        (share <= 10_000).then_some(Share(share))
    }

    /// Whether one is in it, by a random number.
    pub(super) fn has(self, random: u64) -> bool {
        // The upper half of a product is the number below 10,000 without a division.
        ((u128::from(random) * 10_000) >> 64) < u128::from(self.0)
    }
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Share::parse(text).ok_or_else(|| "expected a percentage from 0 to 100, such as 1% or 0.5%".into())
    }
}

impl LogChoice {
    /// Reads the annotation: `on`, `off`, `errors` or `sample 10%`.
    pub fn parse(text: &str) -> Option<LogChoice> {
        Some(match text {
            "on" => LogChoice::Usual,
            "off" => LogChoice::Off,
            "errors" => LogChoice::Errors,
            _ => LogChoice::Sample(Share::parse(text.strip_prefix("sample ")?.trim_start())?),
        })
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0 / 100, self.0 % 100) {
            (whole, 0) => write!(f, "{whole}%"),
            (whole, hundredths) => write!(f, "{}%", format!("{whole}.{hundredths:02}").trim_end_matches('0')),
        }
    }
}

impl fmt::Display for LogChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LogChoice::Usual => f.write_str("on"),
            LogChoice::Off => f.write_str("off"),
            LogChoice::Errors => f.write_str("errors"),
            LogChoice::Sample(share) => write!(f, "sample {share}"),
        }
    }
}
