//! Numbers and times as people read them; the dashboard writes them alike.

/// Stands where nothing is known.
pub(super) const NONE: &str = "-";

/// A whole number: `1832`, `99,058`, `1.63M`.
pub(super) fn count(number: u64) -> String {
    if number < 100_000 {
        return grouped(number);
    }
    let mut scaled = number as f64;
    for unit in ["k", "M", "G", "T"] {
        scaled /= 1000.0;
        // What would be rounded to four digits belongs to the next unit.
        if scaled < 999.5 {
            let decimals = if scaled < 9.995 { 2 } else { usize::from(scaled < 99.95) };
            return format!("{scaled:.decimals$}{unit}");
        }
    }
    format!("{scaled:.0}T")
}

fn grouped(number: u64) -> String {
    if number < 1000 { number.to_string() } else { format!("{},{:03}", number / 1000, number % 1000) }
}

/// A rate: one decimal where it is small, for 0.2 a second is not none.
pub(super) fn rate(number: Option<f64>) -> String {
    match number {
        None => NONE.to_owned(),
        Some(number) if number <= 0.0 => "0".to_owned(),
        Some(number) if number < 0.1 => "<0.1".to_owned(),
        Some(number) if number < 99.95 => format!("{number:.1}"),
        Some(number) => count(number.round() as u64),
    }
}

/// A part of a whole, in percent.
pub(super) fn share(part: Option<f64>, all: Option<f64>) -> String {
    let (Some(part), Some(all)) = (part, all.filter(|all| *all > 0.0)) else { return NONE.to_owned() };
    match 100.0 * part / all {
        percent if percent <= 0.0 => "0 %".to_owned(),
        percent if percent < 0.1 => "<0.1 %".to_owned(),
        percent if percent < 9.95 => format!("{percent:.1} %"),
        percent => format!("{percent:.0} %"),
    }
}

/// How long something took.
pub(super) fn latency(micros: Option<u64>) -> String {
    let Some(micros) = micros else { return NONE.to_owned() };
    let ms = micros as f64 / 1000.0;
    match micros {
        0..1_000 => format!("{ms:.2} ms"),
        1_000..9_950 => format!("{ms:.1} ms"),
        9_950..999_500 => format!("{ms:.0} ms"),
        999_500..99_500_000 => format!("{:.1} s", ms / 1000.0),
        _ => format!("{:.0} s", ms / 1000.0),
    }
}

/// Bytes in the largest unit that leaves something before the point.
pub(super) fn bytes(number: Option<f64>) -> String {
    let Some(mut number) = number else { return NONE.to_owned() };
    let mut units = ["B", "KiB", "MiB", "GiB"].into_iter();
    let mut unit = units.next().unwrap_or_default();
    while number >= 1000.0
        && let Some(next) = units.next()
    {
        number /= 1024.0;
        unit = next;
    }
    if unit == "B" || number >= 99.95 { format!("{number:.0} {unit}") } else { format!("{number:.1} {unit}") }
}

/// How long something lasts: the two largest units that are not nothing.
pub(super) fn span(ms: u64) -> String {
    let seconds = ms / 1000;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, ..) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

/// `1 error`, `2 errors`
pub(super) fn plural(number: u64, one: &str) -> String {
    format!("{} {one}{}", count(number), if number == 1 { "" } else { "s" })
}

/// A name as it may stand in a terminal: what would move the cursor, or change the direction of writing, is shown as a sign that
/// something is there.
pub(super) fn clean(text: &str) -> String {
    let is_odd = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if is_odd(c) { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let counts = [0, 999, 1000, 99_058, 100_000, 999_499, 999_500, 1_634_000, 12_345_678_901];
        let wanted = ["0", "999", "1,000", "99,058", "100k", "999k", "1.00M", "1.63M", "12.3G"];
        assert_eq!(counts.map(count), wanted);
        let rates = [None, Some(0.0), Some(0.04), Some(3.13), Some(99.94), Some(99.96), Some(123_456.0)];
        assert_eq!(rates.map(rate), ["-", "0", "<0.1", "3.1", "99.9", "100", "123k"]);
        let shares =
            [(None, Some(1.0)), (Some(0.0), Some(0.0)), (Some(0.0), Some(2.0)), (Some(0.01), Some(100.0))];
        assert_eq!(shares.map(|(part, all)| share(part, all)), ["-", "-", "0 %", "<0.1 %"]);
        assert_eq!(
            (share(Some(1.0), Some(40.0)), share(Some(1.0), Some(2.0))),
            ("2.5 %".into(), "50 %".into())
        );
    }

    #[test]
    fn times_and_bytes_have_units() {
        let latencies = [None, Some(420), Some(4_200), Some(42_000), Some(1_240_000), Some(120_000_000)];
        assert_eq!(latencies.map(latency), ["-", "0.42 ms", "4.2 ms", "42 ms", "1.2 s", "120 s"]);
        let sizes = [None, Some(0.0), Some(999.0), Some(1000.0), Some(14_200_000.0), Some(5e15)];
        assert_eq!(sizes.map(bytes), ["-", "0 B", "999 B", "1.0 KiB", "13.5 MiB", "4656613 GiB"]);
        let spans = [999, 59_000, 61_000, 3_661_000, 90_000_000];
        assert_eq!(spans.map(span), ["0 s", "59 s", "1 min 1 s", "1 h 1 min", "1 d 1 h"]);
    }

    #[test]
    fn nothing_moves_the_cursor() {
        assert_eq!(clean("a\u{1b}[2J\u{202e}b\n"), "a\u{fffd}[2J\u{fffd}b\u{fffd}");
    }
}
