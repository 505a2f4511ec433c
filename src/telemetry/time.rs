//! Dates as HTTP and the access log write them. Pure arithmetic: the time comes from the caller.

use std::io::Write;

const DAY_NAMES: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTH_NAMES: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A moment in the Gregorian calendar, in UTC.
pub(crate) struct Civil {
    pub(crate) year: u64,
    /// 1 to 12.
    pub(crate) month: u64,
    /// 1 to 31.
    pub(crate) day: u64,
    pub(crate) hour: u64,
    pub(crate) minute: u64,
    pub(crate) second: u64,
    /// From Thursday, the day of the Unix epoch, as 0.
    pub(crate) weekday: usize,
}

/// The Gregorian date of a Unix time, by counting days in eras of 400 years that begin on 1 March.
pub(crate) fn civil(unix_seconds: u64) -> Civil {
    let (days, second_of_day) = (unix_seconds / 86_400, unix_seconds % 86_400);
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    Civil {
        year: year_of_era + era * 400 + u64::from(month <= 2),
        month,
        day: day_of_year - (153 * from_march + 2) / 5 + 1,
        hour: second_of_day / 3_600,
        minute: second_of_day / 60 % 60,
        second: second_of_day % 60,
        weekday: (days % 7) as usize,
    }
}

/// Appends an IMF-fixdate (RFC 9110 section 5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`.
pub fn http_date(unix_seconds: u64, out: &mut Vec<u8>) {
    let c = civil(unix_seconds);
    let (weekday, month) = (DAY_NAMES[c.weekday], MONTH_NAMES[(c.month - 1) as usize % 12]);
    // Writing to memory can't fail.
    let _ = write!(
        out,
        "{weekday}, {:02} {month} {:04} {:02}:{:02}:{:02} GMT",
        c.day, c.year, c.hour, c.minute, c.second
    );
}

/// The `date` header of the current second, made once a second.
#[derive(Default)]
pub struct DateCache {
    second: u64,
    text: Vec<u8>,
}

impl DateCache {
    /// The header's value at this time.
    pub fn at(&mut self, unix_seconds: u64) -> &[u8] {
        if self.second != unix_seconds || self.text.is_empty() {
            self.second = unix_seconds;
            self.text.clear();
            http_date(unix_seconds, &mut self.text);
        }
        &self.text
    }
}

/// Timestamps like `2026-11-23T16:18:52.123Z`, of which all but the milliseconds is made once a second.
#[derive(Default)]
pub struct TimestampCache {
    second: u64,
    text: Vec<u8>,
}

impl TimestampCache {
    /// Appends the timestamp of a Unix time in milliseconds.
    pub fn append(&mut self, unix_ms: u64, out: &mut Vec<u8>) {
        let (second, millisecond) = (unix_ms / 1_000, unix_ms % 1_000);
        if self.second != second || self.text.is_empty() {
            let c = civil(second);
            self.second = second;
            self.text.clear();
            let _ = write!(
                self.text,
                "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.",
                c.year, c.month, c.day, c.hour, c.minute, c.second
            );
        }
        out.extend_from_slice(&self.text);
        let digit = |value: u64| b'0' + (value % 10) as u8;
        out.extend_from_slice(&[digit(millisecond / 100), digit(millisecond / 10), digit(millisecond), b'Z']);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_rfc_and_of_leap_years() {
        let date = |seconds| {
            let mut out = Vec::new();
            http_date(seconds, &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(date(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(date(1_709_164_800), "Thu, 29 Feb 2024 00:00:00 GMT");
        assert_eq!(date(4_107_542_399), "Sun, 28 Feb 2100 23:59:59 GMT");
        assert_eq!(date(4_107_542_400), "Mon, 01 Mar 2100 00:00:00 GMT");
    }

    #[test]
    fn timestamps_have_milliseconds() {
        let mut cache = TimestampCache::default();
        let mut out = Vec::new();
        cache.append(784_111_777_042, &mut out);
        cache.append(784_111_778_999, &mut out);
        assert_eq!(out, b"1994-11-06T08:49:37.042Z1994-11-06T08:49:38.999Z");
    }
}
