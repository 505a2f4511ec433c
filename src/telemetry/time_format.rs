//! What `%START_TIME(...)%` accepts: a subset of strftime, and Envoy's `%s` and `%f`. All in UTC.

use super::{Civil, civil};
use std::io::Write;

/// A format, parsed. The default is `2018-04-03T23:06:09.123Z`.
#[derive(Clone, Debug)]
pub(crate) struct TimeFormat {
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

impl TimeFormat {
    /// Parses a format; an empty one is the default.
    pub(crate) fn parse(text: &str) -> Result<TimeFormat, &'static str> {
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
        Ok(TimeFormat { pieces })
    }

    /// Appends the time, given in milliseconds of Unix time.
    pub(crate) fn render(&self, unix_ms: u64, out: &mut Vec<u8>) {
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

/// A time with what only formats ask for.
struct Moment {
    unix_ms: u64,
    date: Civil,
    /// From 1.
    day_of_year: u64,
    /// From Sunday as 0.
    weekday: usize,
}

impl Moment {
    fn of(unix_ms: u64) -> Moment {
        let date = civil(unix_ms / 1000);
        let leap =
            date.year.is_multiple_of(4) && (!date.year.is_multiple_of(100) || date.year.is_multiple_of(400));
        let before_month = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
        let leap_day = u64::from(leap && date.month > 2);
        Moment {
            unix_ms,
            day_of_year: before_month.get(date.month as usize - 1).copied().unwrap_or(0)
                + leap_day
                + date.day,
            weekday: (date.weekday + 4) % 7,
            date,
        }
    }

    fn render(&self, piece: Piece, out: &mut Vec<u8>) {
        let date = &self.date;
        let month = MONTHS.get(date.month as usize - 1).copied().unwrap_or("");
        let weekday = WEEKDAYS.get(self.weekday).copied().unwrap_or("");
        let hour_of_12 = if date.hour.is_multiple_of(12) { 12 } else { date.hour % 12 };
        // Writing to a Vec does not fail.
        let _ = match piece {
            Piece::Literal(c) => write!(out, "{c}"),
            Piece::Fraction(digits) => {
                // Times have milliseconds; what is asked for beyond them is zero.
                let begin = out.len();
                let written = write!(out, "{:03}000000", self.unix_ms % 1000);
                out.truncate(begin + usize::from(digits));
                written
            }
            Piece::UnixSeconds => write!(out, "{}", self.unix_ms / 1000),
            Piece::Year => write!(out, "{:04}", date.year),
            Piece::YearOfCentury => write!(out, "{:02}", date.year % 100),
            Piece::Month => write!(out, "{:02}", date.month),
            Piece::MonthName => out.write_all(month.as_bytes()),
            Piece::MonthShort => out.write_all(&month.as_bytes()[..month.len().min(3)]),
            Piece::Day => write!(out, "{:02}", date.day),
            Piece::DaySpaced => write!(out, "{:2}", date.day),
            Piece::DayOfYear => write!(out, "{:03}", self.day_of_year),
            Piece::WeekdayName => out.write_all(weekday.as_bytes()),
            Piece::WeekdayShort => out.write_all(&weekday.as_bytes()[..weekday.len().min(3)]),
            Piece::WeekdayFromMonday => write!(out, "{}", (self.weekday + 6) % 7 + 1),
            Piece::WeekdayFromSunday => write!(out, "{}", self.weekday),
            Piece::Hour => write!(out, "{:02}", date.hour),
            Piece::HourOf12 => write!(out, "{hour_of_12:02}"),
            Piece::AmPm => out.write_all(if date.hour < 12 { b"AM" } else { b"PM" }),
            Piece::Minute => write!(out, "{:02}", date.minute),
            Piece::Second => write!(out, "{:02}", date.second),
            Piece::Offset => out.write_all(b"+0000"),
            Piece::ZoneName => out.write_all(b"GMT"),
        };
    }
}
