//! Strings, numbers, durations, bytes.

use super::{Decode, Decoder, Diagnostic, Dialect, Node, Resolved, Value, suggestion};
use std::{ops::RangeInclusive, time::Duration};

/// A field that is known and accepted but not looked into: its presence is all that is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Opaque;

/// Bytes, written in base64.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

/// A number of bytes, written as a number or with a unit: `64KiB`, `10MiB`, `1GiB`, `10MB`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ByteSize(pub u64);

/// A number, or the name of something that has one, such as `targetPort`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IntOrString {
    /// A number.
    Int(i32),
    /// A name.
    String(String),
}

/// A moment, as in `metadata.creationTimestamp`; earlier ones are smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub seconds: i64,
    /// Nanoseconds after that.
    pub nanoseconds: u32,
}

impl Bytes {
    /// Reads base64 in either alphabet, with or without padding.
    pub fn from_base64(text: &str) -> Option<Bytes> {
        decode_base64(text).map(Bytes)
    }
}

/// The bytes may be a private key.
impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bytes({})", self.0.len())
    }
}

impl Decode for Opaque {
    const EXPECTED: &'static str = "a value";

    fn decode(_: &Node<'_>, _: &mut Decoder<'_>) -> Option<Self> {
        Some(Opaque)
    }
}

impl Decode for String {
    const EXPECTED: &'static str = "a string";

    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let text = text(node);
        if text.is_none() {
            decoder.mismatch(node, Self::EXPECTED);
        }
        text.map(str::to_owned)
    }
}

impl Decode for bool {
    const EXPECTED: &'static str = "true or false";

    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        match resolved(node) {
            Some(Resolved::Bool(value)) => Some(value),
            _ => {
                decoder.mismatch(node, Self::EXPECTED);
                None
            }
        }
    }
}

macro_rules! integers {
    ($($Type:ty: $expected:literal,)+) => { $(
        impl Decode for $Type {
            const EXPECTED: &'static str = $expected;

            fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
                let range = i128::from(<$Type>::MIN)..=i128::from(<$Type>::MAX);
                decoder.integer(node, range, Self::EXPECTED).and_then(|number| number.try_into().ok())
            }
        }
    )+ };
}

integers! {
    u32: "a whole number from 0 to 4294967295",
    i32: "a whole number from -2147483648 to 2147483647",
    u64: "a whole number, not negative",
    i64: "a whole number",
}

impl Decode for f64 {
    const EXPECTED: &'static str = "a number";

    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let number = match resolved(node) {
            Some(Resolved::Int(whole)) => Some(whole as f64),
            Some(Resolved::Float(number)) => Some(number),
            Some(Resolved::Text) if decoder.dialect() == Dialect::Proto => {
                text(node).and_then(|text| text.parse().ok())
            }
            _ => None,
        };
        let number = number.filter(|number| number.is_finite());
        if number.is_none() {
            decoder.mismatch(node, Self::EXPECTED);
        }
        number
    }
}

/// As Istio reads them: Go's form, of which proto3-JSON's `1.5s` is a part. Negative ones make no sense in any field.
impl Decode for Duration {
    const EXPECTED: &'static str = "a duration such as \"1.5s\", \"100ms\" or \"1h30m\"";

    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let duration = text(node).and_then(parse_duration);
        if duration.is_none() {
            let found = decoder.describe(node);
            let message = format!("expected {}, found {found}", Self::EXPECTED);
            let help = match resolved(node) {
                Some(Resolved::Int(_) | Resolved::Float(_)) => "a unit is needed: h, m, s, ms, us or ns",
                _ => "the units are h, m, s, ms, us and ns; it can't be negative",
            };
            decoder.report(Diagnostic::error("bad-duration", message).at(node.span).help(help));
        }
        duration
    }
}

impl Decode for Bytes {
    const EXPECTED: &'static str = "bytes in base64";

    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let Some(text) = text(node) else {
            decoder.mismatch(node, Self::EXPECTED);
            return None;
        };
        let bytes = Bytes::from_base64(text);
        if bytes.is_none() {
            // The value is not in the message: it may be a key.
            let problem = Diagnostic::error("bad-base64", "expected bytes in base64, found something else")
                .at(node.span);
            decoder.report(problem.help("a Secret's `stringData` and a ConfigMap's `data` take plain text"));
        }
        bytes
    }
}

impl Decode for ByteSize {
    const EXPECTED: &'static str = "a number of bytes such as 65536, 64KiB or \"10MiB\"";

    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let bytes = match resolved(node) {
            Some(Resolved::Int(bytes)) => u64::try_from(bytes).ok(),
            Some(Resolved::Text) => text(node).and_then(parse_byte_size),
            _ => None,
        };
        if bytes.is_none() {
            let message = format!("expected {}, found {}", Self::EXPECTED, decoder.describe(node));
            let problem = Diagnostic::error("bad-size", message).at(node.span);
            decoder
                .report(problem.help("the units are B, kB, MB, GB and KiB, MiB, GiB, behind a whole number"));
        }
        bytes.map(ByteSize)
    }
}

/// A whole number of bytes with a unit behind it, with or without a space between them.
fn parse_byte_size(text: &str) -> Option<u64> {
    const UNITS: [(&str, u64); 8] = [
        ("B", 1),
        ("kB", 1_000),
        ("KB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
    ];
    let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let (_, bytes) = UNITS.iter().find(|(name, _)| *name == unit.trim_start())?;
    digits.parse::<u64>().ok()?.checked_mul(*bytes)
}

impl Decode for IntOrString {
    const EXPECTED: &'static str = "a number or a name";

    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        match resolved(node) {
            Some(Resolved::Int(_)) => i32::decode(node, decoder).map(IntOrString::Int),
            Some(Resolved::Text) => text(node).map(|name| IntOrString::String(name.to_owned())),
            _ => {
                decoder.mismatch(node, Self::EXPECTED);
                None
            }
        }
    }
}

impl Decode for Timestamp {
    const EXPECTED: &'static str = "a time such as \"2026-08-22T10:00:00Z\"";

    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let timestamp = text(node).and_then(parse_timestamp);
        if timestamp.is_none() {
            decoder.mismatch(node, Self::EXPECTED);
        }
        timestamp
    }
}

impl Decoder<'_> {
    /// A whole number in a range.
    fn integer(&mut self, node: &Node<'_>, range: RangeInclusive<i128>, expected: &str) -> Option<i128> {
        let is_proto = self.dialect == Dialect::Proto;
        let number = match resolved(node) {
            Some(Resolved::Int(number)) => Some(number),
            // proto3-JSON: `8e1` is 80, and `"80"` too.
            Some(Resolved::Float(number)) if is_proto => whole(number),
            Some(Resolved::Text) if is_proto => text(node).and_then(|text| text.parse().ok()),
            _ => None,
        };
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            self.mismatch(node, expected);
        }
        number
    }

    /// Which of the names, or of the numbers, a value is.
    pub(in crate::config) fn choose(
        &mut self,
        node: &Node<'_>,
        names: &[(&str, i128)],
        expected: &str,
    ) -> Option<usize> {
        let index = match resolved(node) {
            Some(Resolved::Text) => names.iter().position(|(name, _)| text(node) == Some(name)),
            Some(Resolved::Int(number)) if self.dialect == Dialect::Proto => {
                names.iter().position(|(_, of_name)| *of_name == number)
            }
            _ => None,
        };
        if index.is_none() {
            let known: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
            let message = format!("expected {expected}; found {}", self.describe(node));
            let mut problem = Diagnostic::error("unknown-value", message).at(node.span);
            problem.help = node
                .text()
                .and_then(|text| suggestion(text, &known))
                .map(|name| format!("did you mean {name}?"));
            self.report(problem);
        }
        index
    }
}

fn resolved(node: &Node<'_>) -> Option<Resolved> {
    match node.value() {
        Value::Scalar(scalar) => Some(scalar.resolve()),
        _ => None,
    }
}

/// The text of a value that is a string.
fn text<'n>(node: &'n Node<'_>) -> Option<&'n str> {
    match node.value() {
        Value::Scalar(scalar) if scalar.resolve() == Resolved::Text => Some(scalar.text()),
        _ => None,
    }
}

fn whole(number: f64) -> Option<i128> {
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    (number.fract() == 0.0 && number.abs() <= EXACT_MAX).then_some(number as i128)
}

/// Go's `time.ParseDuration`, without its sign: one or more decimal numbers, each with a unit. `0` needs none.
pub(in crate::config) fn parse_duration(text: &str) -> Option<Duration> {
    /// Longer ones are not durations that anybody wrote.
    const LENGTH_MAX: usize = 64;
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Some(Duration::ZERO);
    }
    if rest.is_empty() || rest.len() > LENGTH_MAX {
        return None;
    }
    let mut nanoseconds: u128 = 0;
    while !rest.is_empty() {
        let (digits, after) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len()));
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => after.split_at(after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len())),
            None => ("", after),
        };
        let (unit, after) = split_unit(after)?;
        if digits.is_empty() && fraction.is_empty() {
            return None;
        }
        let whole: u128 = if digits.is_empty() { 0 } else { digits.parse().ok()? };
        nanoseconds =
            nanoseconds.checked_add(whole.checked_mul(unit)?)?.checked_add(fraction_of(fraction, unit))?;
        rest = after;
    }
    // Go's durations are 64 bits of nanoseconds.
    u64::try_from(nanoseconds).ok().filter(|n| *n <= i64::MAX as u64).map(Duration::from_nanos)
}

/// The longest units first where one begins like another.
fn split_unit(text: &str) -> Option<(u128, &str)> {
    const UNITS: [(&str, u128); 8] = [
        ("ns", 1),
        ("us", 1_000),
        ("\u{b5}s", 1_000),
        ("\u{3bc}s", 1_000),
        ("ms", 1_000_000),
        ("s", 1_000_000_000),
        ("m", 60_000_000_000),
        ("h", 3_600_000_000_000),
    ];
    UNITS.iter().find_map(|(name, nanoseconds)| text.strip_prefix(name).map(|rest| (*nanoseconds, rest)))
}

/// The part after the point, in nanoseconds, rounded down.
fn fraction_of(digits: &str, unit: u128) -> u128 {
    let (mut value, mut scale) = (0, unit);
    for digit in digits.bytes() {
        let tenth = scale / 10;
        value += tenth * u128::from(digit - b'0');
        scale = tenth;
    }
    value
}

/// RFC 4648 with either alphabet; padding may be missing; line breaks, as YAML's blocks have them, are skipped.
fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 3);
    let (mut bits, mut count, mut padding) = (0u32, 0u32, 0u32);
    for c in text.bytes() {
        let value = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            b'=' => {
                padding += 1;
                continue;
            }
            b' ' | b'\r' | b'\n' | b'\t' => continue,
            _ => return None,
        };
        if padding > 0 {
            return None;
        }
        bits = (bits << 6) | u32::from(value);
        count += 1;
        if count.is_multiple_of(4) {
            bytes.extend_from_slice(&bits.to_be_bytes()[1..]);
        }
    }
    let (rest, padding_allowed) = (count % 4, (4 - count % 4) % 4);
    match rest {
        0 => {}
        2 => bytes.push((bits >> 4) as u8),
        3 => bytes.extend_from_slice(&((bits >> 2) as u16).to_be_bytes()),
        _ => return None,
    }
    (padding == 0 || padding == padding_allowed).then_some(bytes)
}

/// RFC 3339.
fn parse_timestamp(text: &str) -> Option<Timestamp> {
    let number = |range: std::ops::Range<usize>| -> Option<i64> {
        let digits = text.get(range)?;
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
    };
    let separators = [(4, '-'), (7, '-'), (13, ':'), (16, ':')];
    let is = |at: usize, c: char| text.get(at..=at).is_some_and(|s| s.starts_with(c));
    if !separators.iter().all(|(at, c)| is(*at, *c)) || !(is(10, 'T') || is(10, 't') || is(10, ' ')) {
        return None;
    }
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    let is_real =
        (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60 && second <= 60;
    let (nanoseconds, zone) = match text.get(19..)?.strip_prefix('.') {
        Some(rest) => {
            let (digits, zone) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
            (!digits.is_empty()).then_some((fraction_of(digits, 1_000_000_000) as u32, zone))?
        }
        None => (0, text.get(19..)?),
    };
    let seconds =
        days_since_epoch(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - offset(zone)?;
    is_real.then_some(Timestamp { seconds, nanoseconds })
}

/// The seconds by which a zone is ahead.
fn offset(zone: &str) -> Option<i64> {
    let (sign, rest) = match zone.split_at_checked(1)? {
        ("Z" | "z", "") => return Some(0),
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    let two = |digits: &str| (digits.len() == 2).then(|| digits.parse::<u8>().ok()).flatten().map(i64::from);
    Some(sign * (two(hours)? * 3_600 + two(minutes)? * 60))
}

/// The proleptic Gregorian calendar, counted in eras of 400 years that begin in March, so that a leap day is the last.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}
