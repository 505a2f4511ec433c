//! Diagnostics as text: for people, for tools, for code review.
//!
//! - `human`: in the manner of rustc, with a piece of the source
//! - `json`: one object a line
//! - `github`: workflow commands, which become annotations of a pull request
//! - `place`: lines and columns of a span

mod github;
mod human;
mod json;
mod place;
#[cfg(test)]
mod tests;

use super::{Diagnostic, Severity, Sources};
use std::fmt;

/// How diagnostics are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Human(Color),
    /// One JSON object a line. Its members: `severity` (`error`, `warning`, `note`), `code`, `file`, `line`, `column`,
    /// `end_line`, `end_column` (from 1, in characters; the end is after the last), `object` (`kind`, `namespace`,
    /// `name`), `field`, `message`, `help`, `labels` (each with the members of a place and `text`). What is not known is
    /// `null`; `labels` is never absent.
    Json,
    /// GitHub's workflow commands: `::error file=...::...`.
    Github,
}

/// Whether text has colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Color {
    /// For a terminal.
    Ansi,
    /// For everything else.
    None,
}

/// How many diagnostics there are of each severity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// [`Severity::Error`]
    pub errors: usize,
    /// [`Severity::Warning`]
    pub warnings: usize,
    /// [`Severity::Note`]
    pub notes: usize,
}

/// Writes all diagnostics. What is in a Secret is never written.
pub fn render(diagnostics: &[Diagnostic], sources: &Sources, format: Format) -> String {
    let mut text = String::new();
    for diagnostic in diagnostics {
        text.push_str(&match format {
            Format::Human(color) => human::render(diagnostic, sources, color),
            Format::Json => json::render(diagnostic, sources),
            Format::Github => github::render(diagnostic, sources),
        });
        text.push('\n');
    }
    text
}

impl Counts {
    /// Counts.
    pub fn of(diagnostics: &[Diagnostic]) -> Self {
        let mut counts = Counts::default();
        for diagnostic in diagnostics {
            match diagnostic.severity {
                Severity::Error => counts.errors += 1,
                Severity::Warning => counts.warnings += 1,
                Severity::Note => counts.notes += 1,
            }
        }
        counts
    }
}

/// `2 errors, 1 warning`; notes are not worth counting; `no problems`.
impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let many = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
        match (self.errors, self.warnings) {
            (0, 0) => f.write_str("no problems"),
            (0, warnings) => f.write_str(&many(warnings, "warning")),
            (errors, 0) => f.write_str(&many(errors, "error")),
            (errors, warnings) => write!(f, "{}, {}", many(errors, "error"), many(warnings, "warning")),
        }
    }
}

/// `VirtualService default/web: spec.http[0]`: what a diagnostic is about, in one line.
fn subject(diagnostic: &Diagnostic) -> Option<String> {
    match (&diagnostic.object, diagnostic.field.as_str()) {
        (None, "") => None,
        (None, field) => Some(field.to_owned()),
        (Some(object), "") => Some(object.to_string()),
        (Some(object), field) => Some(format!("{object}: {field}")),
    }
}

/// Text of a file in a message must not move the cursor of a terminal or begin a new line.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
