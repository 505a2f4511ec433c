//! How long a client waits.

use std::time::Duration;

/// The most digits that a timeout may have (`PROTOCOL-HTTP2.md`, `TimeoutValue`).
pub const TIMEOUT_DIGITS_MAX: usize = 8;

/// The value of `grpc-timeout` (`PROTOCOL-HTTP2.md`, `Timeout`): 1 to 8 digits and a unit, one of `H` hours, `M`
/// minutes, `S` seconds, `m` milliseconds, `u` microseconds, `n` nanoseconds. None if malformed.
///
/// At most 99,999,999 hours. Zero is a time that is already over, and not the absence of a limit.
pub fn parse_timeout(value: &[u8]) -> Option<Duration> {
    let (unit, digits) = value.split_last()?;
    if digits.is_empty() || digits.len() > TIMEOUT_DIGITS_MAX || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    // Eight digits are far below 2^32, and so many hours in seconds far below 2^64.
    let count = digits.iter().fold(0u64, |count, digit| count * 10 + u64::from(digit - b'0'));
    match unit {
        b'H' => Some(Duration::from_secs(count * 3600)),
        b'M' => Some(Duration::from_secs(count * 60)),
        b'S' => Some(Duration::from_secs(count)),
        b'm' => Some(Duration::from_millis(count)),
        b'u' => Some(Duration::from_micros(count)),
        b'n' => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_known() {
        for (text, wanted) in [
            ("2H", Duration::from_secs(7200)),
            ("3M", Duration::from_secs(180)),
            ("4S", Duration::from_secs(4)),
            ("100m", Duration::from_millis(100)),
            ("5u", Duration::from_micros(5)),
            ("6n", Duration::from_nanos(6)),
            ("0S", Duration::ZERO),
            ("00000010S", Duration::from_secs(10)),
            ("99999999H", Duration::from_secs(99_999_999 * 3600)),
            ("99999999n", Duration::from_nanos(99_999_999)),
        ] {
            assert_eq!(parse_timeout(text.as_bytes()), Some(wanted), "{text}");
        }
    }

    #[test]
    fn malformed_timeouts_are_none() {
        for text in [
            "",
            "S",
            "1",
            "10",
            "000000001S",
            "123456789m",
            "1s",
            "1h",
            "1N",
            "-1S",
            "+1S",
            "1.5S",
            " 1S",
            "1 S",
            "1S ",
            "1SS",
            "1ms",
            "0x1S",
            "\u{661}S",
        ] {
            assert_eq!(parse_timeout(text.as_bytes()), None, "{text}");
        }
    }
}
