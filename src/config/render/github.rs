//! GitHub's workflow commands, which become annotations of a pull request.

use super::{clean, place::Place, subject};
use crate::config::{Diagnostic, Severity, Sources};

pub(super) fn render(diagnostic: &Diagnostic, sources: &Sources) -> String {
    let command = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "notice",
    };
    let mut properties = Vec::new();
    if let Some(place) = diagnostic.span.and_then(|span| Place::of(span, sources)) {
        properties.push(format!("file={}", escape_property(place.file)));
        properties.push(format!("line={},col={},endLine={}", place.line, place.column, place.end_line));
        // GitHub takes columns only within a line.
        if place.end_line == place.line {
            properties.push(format!("endColumn={}", place.end_column));
        }
    }
    properties.push(format!("title={}", escape_property(diagnostic.code)));
    let mut text = clean(&diagnostic.message);
    for more in [subject(diagnostic), diagnostic.help.clone()].into_iter().flatten() {
        text.push('\n');
        text.push_str(&clean(&more));
    }
    format!("::{command} {}::{}", properties.join(","), escape_data(&text))
}

fn escape_data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn escape_property(text: &str) -> String {
    escape_data(text).replace(':', "%3A").replace(',', "%2C")
}
