//! How figures are written: three digits that count, with their unit, and what Markdown would take for its own made plain.

/// Three digits that count, and no more than two behind the point.
pub(super) fn figure(value: f64) -> String {
    // Compared with what it is rounded to: 9.996 is 10.0, not 10.00.
    let behind = match value.abs() {
        size if size >= 99.95 => 0,
        size if size >= 9.995 => 1,
        _ => 2,
    };
    format!("{value:.behind$}")
}

/// A figure with the unit that a reader knows it by.
pub(super) fn with_unit(value: f64, unit: &str) -> String {
    let short = short_unit(unit);
    if short.is_empty() { figure(value) } else { format!("{} {short}", figure(value)) }
}

/// `us` of `CPU us/request`: the part of a unit that stands at a figure, with the letter for a millionth.
pub(super) fn short_unit(unit: &str) -> String {
    let amount = unit.split('/').next().unwrap_or_default();
    let short = amount.rsplit(' ').next().unwrap_or_default();
    if short == "us" { "\u{b5}s".to_owned() } else { short.to_owned() }
}

/// Milliseconds, three digits that count.
pub(super) fn milliseconds(value: f64) -> String {
    if value >= 0.9995 { figure(value) } else { format!("{value:.3}") }
}

/// A share as percent: `70 %`.
pub(super) fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}

/// A percentile as one says it: `p99.9`.
pub(super) fn percentile(percentile: f64) -> String {
    format!("p{percentile}")
}

/// A dash where there is nothing to tell.
pub(super) fn or_dash(text: Option<String>) -> String {
    text.unwrap_or_else(|| "-".to_owned())
}

/// Text for a cell of a table in Markdown, or for a line of its own: what is no text there becomes text.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '|' | '*' | '_' | '`' | '[' | ']' | '\\' | '#' => {
                plain.push('\\');
                plain.push(character);
            }
            '<' => plain.push_str("&lt;"),
            '>' => plain.push_str("&gt;"),
            '&' => plain.push_str("&amp;"),
            control if control.is_control() => plain.push(' '),
            other => plain.push(other),
        }
    }
    plain.trim().to_owned()
}

/// Text between marks of code, for a cell of a table too.
pub(super) fn code(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let longest = line.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    let marks = "`".repeat(longest + 1);
    let space = if longest == 0 { "" } else { " " };
    // In a table a bar ends the cell even within code.
    format!("{marks}{space}{}{space}{marks}", line.trim().replace('|', "\\|"))
}

/// A block of code that no line of the text can end.
pub(super) fn block(text: &str) -> String {
    let longest =
        text.lines().map(|line| line.chars().take_while(|c| *c == '`').count()).max().unwrap_or_default();
    let marks = "`".repeat(longest.max(2) + 1);
    let lines: Vec<String> =
        text.lines().map(|line| line.replace('\t', "    ").trim_end().to_owned()).collect();
    format!("{marks}text\n{}\n{marks}\n", lines.join("\n").trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_count_at_every_size() {
        let told = [1151.4, 99.96, 99.94, 12.04, 9.996, 9.994, 0.547].map(figure);
        assert_eq!(told, ["1151", "100", "99.9", "12.0", "10.0", "9.99", "0.55"]);
    }

    #[test]
    fn units_are_short_at_a_figure() {
        assert_eq!(with_unit(12.0, "CPU us/request"), "12.0 \u{b5}s");
        assert_eq!(with_unit(0.55, "KiB/connection"), "0.55 KiB");
        assert_eq!(with_unit(812.0, "CPU ms"), "812 ms");
        assert_eq!(with_unit(1.0, ""), "1.00");
    }

    #[test]
    fn percentiles_and_shares() {
        assert_eq!([50.0, 99.9].map(percentile), ["p50", "p99.9"]);
        assert_eq!(percent(0.7), "70 %");
        assert_eq!([0.1234, 0.9996, 12.34].map(milliseconds), ["0.123", "1.00", "12.3"]);
    }

    #[test]
    fn nothing_of_a_text_ends_its_cell() {
        assert_eq!(plain("a|b\n*c* <d> & `e`"), "a\\|b \\*c\\* &lt;d&gt; &amp; \\`e\\`");
        assert_eq!(code("wrk -H 'a|b'"), "`wrk -H 'a\\|b'`");
        assert_eq!(code("a `` b"), "``` a `` b ```");
        assert_eq!(block("x\n```\n\ty  \n\n"), "````text\nx\n```\n    y\n````\n");
    }
}
