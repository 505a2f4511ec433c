//! What `%START_TIME(...)%` accepts: a subset of strftime, and Envoy's `%s` and `%f`. All in UTC.

use std::io::Write;

/// A format, parsed. The default is `2018-04-03T23:06:09.123Z`.
#[derive(Clone, Debug)]
pub(super) struct Format {
    pieces: Vec<Piece>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    Literal(char),
    /// `%f`, `%3f`: so many digits of the fraction of the second.
    Fraction(u8),
    /// `%s`
    UnixSeconds,
    Year,
    YearOfCentury,
    Month,
    MonthName,
    MonthShort,
    Day,
    DaySpaced,
    DayOfYear,
    WeekdayName,
    WeekdayShort,
    /// From Monday as 1.
    WeekdayFromMonday,
    /// From Sunday as 0.
    WeekdayFromSunday,
    Hour,
    HourOf12,
    AmPm,
    Minute,
    Second,
    Offset,
    ZoneName,
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

impl Format {
    /// Parses a format; an empty one is the default.
    pub(super) fn parse(text: &str) -> Result<Format, &'static str> {
        let mut pieces = Vec::new();
        let text = if text.is_empty() { "%Y-%m-%dT%H:%M:%S.%3fZ" } else { text };
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            if c == '%' {
                specifier(&mut chars, &mut pieces)?;
            } else {
                pieces.push(Piece::Literal(c));
            }
        }
        Ok(Format { pieces })
    }

    /// Appends the time, given in milliseconds of Unix time.
    pub(super) fn render(&self, unix_ms: u64, out: &mut Vec<u8>) {
        let moment = Moment::of(unix_ms);
        for piece in &self.pieces {
            moment.render(*piece, out);
        }
    }
}

fn specifier(chars: &mut std::str::Chars<'_>, pieces: &mut Vec<Piece>) -> Result<(), &'static str> {
    let c = chars.next().ok_or("the time format ends with a single `%`")?;
    let literals = |pieces: &mut Vec<Piece>, text: &str| pieces.extend(text.chars().map(Piece::Literal));
    let expand = |pieces: &mut Vec<Piece>, parts: &[Piece]| pieces.extend_from_slice(parts);
    let colon = Piece::Literal(':');
    match c {
        '%' => literals(pieces, "%"),
        't' => literals(pieces, "\t"),
        'n' => return Err("the time format has a newline"),
        '1'..='9' => {
            let digits = c.to_digit(10).map_or(9, |d| d as u8);
            if chars.next() != Some('f') {
                return Err("the time format has a digit after `%` that is not followed by `f`");
            }
            pieces.push(Piece::Fraction(digits));
        }
        'f' => pieces.push(Piece::Fraction(9)),
        's' => pieces.push(Piece::UnixSeconds),
        'Y' => pieces.push(Piece::Year),
        'y' => pieces.push(Piece::YearOfCentury),
        'm' => pieces.push(Piece::Month),
        'B' => pieces.push(Piece::MonthName),
        'b' | 'h' => pieces.push(Piece::MonthShort),
        'd' => pieces.push(Piece::Day),
        'e' => pieces.push(Piece::DaySpaced),
        'j' => pieces.push(Piece::DayOfYear),
        'A' => pieces.push(Piece::WeekdayName),
        'a' => pieces.push(Piece::WeekdayShort),
        'u' => pieces.push(Piece::WeekdayFromMonday),
        'w' => pieces.push(Piece::WeekdayFromSunday),
        'H' => pieces.push(Piece::Hour),
        'I' => pieces.push(Piece::HourOf12),
        'p' => pieces.push(Piece::AmPm),
        'M' => pieces.push(Piece::Minute),
        'S' => pieces.push(Piece::Second),
        'z' => pieces.push(Piece::Offset),
        'Z' => pieces.push(Piece::ZoneName),
        'F' => {
            let dash = Piece::Literal('-');
            expand(pieces, &[Piece::Year, dash, Piece::Month, dash, Piece::Day]);
        }
        'D' => {
            let slash = Piece::Literal('/');
            expand(pieces, &[Piece::Month, slash, Piece::Day, slash, Piece::YearOfCentury]);
        }
        'T' => expand(pieces, &[Piece::Hour, colon, Piece::Minute, colon, Piece::Second]),
        'R' => expand(pieces, &[Piece::Hour, colon, Piece::Minute]),
        _ => {
            return Err(
                "the time format has an unknown specifier; known are %Y %y %m %B %b %h %d %e %j %A %a %u %w \
                        %H %I %p %M %S %z %Z %F %D %T %R %s %f %1f to %9f %t %%",
            );
        }
    }
    Ok(())
}

/// A moment in the Gregorian calendar, in UTC.
struct Moment {
    unix_seconds: u64,
    millisecond: u64,
    year: u64,
    /// From 0.
    month: usize,
    day: u64,
    /// From 1.
    day_of_year: u64,
    /// From Sunday as 0.
    weekday: usize,
    hour: u64,
    minute: u64,
    second: u64,
}

impl Moment {
    fn of(unix_ms: u64) -> Moment {
        let unix_seconds = unix_ms / 1000;
        let days = unix_seconds / 86_400;
        let of_day = unix_seconds % 86_400;
        let (year, month, day) = date_of(days);
        let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let before_month = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
        let leap_day = u64::from(leap && month >= 2);
        Moment {
            unix_seconds,
            millisecond: unix_ms % 1000,
            year,
            month,
            day,
            day_of_year: before_month.get(month).copied().unwrap_or(0) + leap_day + day,
            weekday: ((days + 4) % 7) as usize, // 1970-01-01 was a Thursday.
            hour: of_day / 3600,
            minute: of_day / 60 % 60,
            second: of_day % 60,
        }
    }

    fn render(&self, piece: Piece, out: &mut Vec<u8>) {
        let month = MONTHS.get(self.month).copied().unwrap_or("");
        let weekday = WEEKDAYS.get(self.weekday).copied().unwrap_or("");
        let hour_of_12 = if self.hour.is_multiple_of(12) { 12 } else { self.hour % 12 };
        // Writing to a Vec does not fail.
        let _ = match piece {
            Piece::Literal(c) => write!(out, "{c}"),
            Piece::Fraction(digits) => {
                // Times have milliseconds; what is asked for beyond them is zero.
                let begin = out.len();
                let written = write!(out, "{:03}000000", self.millisecond);
                out.truncate(begin + usize::from(digits));
                written
            }
            Piece::UnixSeconds => write!(out, "{}", self.unix_seconds),
            Piece::Year => write!(out, "{:04}", self.year),
            Piece::YearOfCentury => write!(out, "{:02}", self.year % 100),
            Piece::Month => write!(out, "{:02}", self.month + 1),
            Piece::MonthName => out.write_all(month.as_bytes()),
            Piece::MonthShort => out.write_all(&month.as_bytes()[..month.len().min(3)]),
            Piece::Day => write!(out, "{:02}", self.day),
            Piece::DaySpaced => write!(out, "{:2}", self.day),
            Piece::DayOfYear => write!(out, "{:03}", self.day_of_year),
            Piece::WeekdayName => out.write_all(weekday.as_bytes()),
            Piece::WeekdayShort => out.write_all(&weekday.as_bytes()[..weekday.len().min(3)]),
            Piece::WeekdayFromMonday => write!(out, "{}", (self.weekday + 6) % 7 + 1),
            Piece::WeekdayFromSunday => write!(out, "{}", self.weekday),
            Piece::Hour => write!(out, "{:02}", self.hour),
            Piece::HourOf12 => write!(out, "{hour_of_12:02}"),
            Piece::AmPm => out.write_all(if self.hour < 12 { b"AM" } else { b"PM" }),
            Piece::Minute => write!(out, "{:02}", self.minute),
            Piece::Second => write!(out, "{:02}", self.second),
            Piece::Offset => out.write_all(b"+0000"),
            Piece::ZoneName => out.write_all(b"GMT"),
        };
    }
}

/// Year, month from 0, and day from 1 of a day since 1970-01-01.
///
/// Years are counted from March, so that the leap day is the last of its year, in eras of 400 years, which all have
/// 146,097 days.
fn date_of(days: u64) -> (u64, usize, u64) {
    let days = days + 719_468; // From 0000-03-01 to 1970-01-01.
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = ((month_from_march + 2) % 12) as usize;
    let year = era * 400 + year_of_era + u64::from(month < 2);
    (year, month, day)
}
