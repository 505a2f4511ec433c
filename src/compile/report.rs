//! Where diagnostics go: each once, and not without end.

use crate::config::{Diagnostic, ObjectRef, Severity, Span};
use std::collections::{HashMap, HashSet};

/// The most diagnostics of one kind that are listed. A table of ten thousand routes that all have the same unsupported
/// field is one piece of news; the rest is counted.
const SAME_KIND_MAX: usize = 200;

/// The diagnostics of one compilation.
#[derive(Default)]
pub(super) struct Report {
    diagnostics: Vec<Diagnostic>,
    seen: HashSet<(&'static str, Span)>,
    counts: HashMap<&'static str, usize>,
    /// The objects that have an error.
    broken: HashSet<ObjectRef>,
}

impl Report {
    /// Begins with the diagnostics of single objects.
    pub(super) fn new(diagnostics: Vec<Diagnostic>) -> Report {
        let is_error = |d: &&Diagnostic| d.severity == Severity::Error;
        let broken = diagnostics.iter().filter(is_error).filter_map(|d| d.object.clone()).collect();
        Report { diagnostics, broken, ..Report::default() }
    }

    /// Whether an object has an error and takes no part.
    pub(super) fn is_broken(&self, object: &ObjectRef) -> bool {
        self.broken.contains(object)
    }

    /// Reports something about a place, unless the same was said about it before: one VirtualService is looked at once
    /// for every Gateway and port. `kind` is what is counted together; usually the code.
    pub(super) fn add(&mut self, kind: &'static str, span: Span, make: impl FnOnce() -> Diagnostic) {
        if !self.seen.insert((kind, span)) {
            return;
        }
        let count = self.counts.entry(kind).or_default();
        *count += 1;
        if *count <= SAME_KIND_MAX {
            let diagnostic = make().at(span);
            self.broken.extend(diagnostic.object.clone().filter(|_| diagnostic.severity == Severity::Error));
            self.diagnostics.push(diagnostic);
        }
    }

    /// Reports something that is about no place of a file.
    pub(super) fn add_without_place(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// All of them, by place; those without a place come first.
    pub(super) fn finish(self) -> Vec<Diagnostic> {
        let Report { mut diagnostics, counts, .. } = self;
        diagnostics.sort_by_key(|d| d.span.map(|span| (span.file, span.start)));
        let mut cut: Vec<_> = counts.into_iter().filter(|(_, count)| *count > SAME_KIND_MAX).collect();
        cut.sort_unstable();
        diagnostics.extend(cut.into_iter().map(|(kind, count)| {
            let rest = count - SAME_KIND_MAX;
            Diagnostic::note(
                "more-of-the-same",
                format!("{rest} more diagnostics like `{kind}` are not listed"),
            )
        }));
        diagnostics
    }
}

/// Names from a list for a message: the closest to `written` first, at most a handful.
pub(super) fn one_of(names: impl IntoIterator<Item = String>) -> String {
    const LISTED_MAX: usize = 8;
    let mut names: Vec<String> = names.into_iter().collect();
    names.sort();
    names.dedup();
    let more = names.len().saturating_sub(LISTED_MAX);
    names.truncate(LISTED_MAX);
    let list = names.join(", ");
    if more > 0 { format!("{list} and {more} more") } else { list }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(line: u32) -> Span {
        Span { line, start: line, ..Span::default() }
    }

    #[test]
    fn each_place_once_and_not_without_end() {
        let mut report = Report::default();
        for round in 0..2 {
            for line in 0..(SAME_KIND_MAX as u32 + 5) {
                report.add("x", span(line), || Diagnostic::warning("x", format!("{round}")));
            }
        }
        report.add("y", span(1), || Diagnostic::warning("y", "y"));
        let all = report.finish();
        assert_eq!(all.len(), SAME_KIND_MAX + 2);
        assert!(all.iter().filter(|d| d.code == "x").all(|d| d.message == "0"));
        assert_eq!(all.last().unwrap().message, "5 more diagnostics like `x` are not listed");
    }

    #[test]
    fn lists_are_short() {
        assert_eq!(one_of(["b".to_owned(), "a".to_owned(), "b".to_owned()]), "a, b");
        assert!(one_of((0..20).map(|n| n.to_string())).ends_with("and 12 more"));
    }
}
