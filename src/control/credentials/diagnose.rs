//! Problems as diagnostics.

use super::entry::{Entry, Spec};
use crate::{
    config::{Diagnostic, FileId, ObjectRef, Sources, Span},
    tls::{Place, Problem, ProblemKind},
};
use std::collections::BTreeMap;

/// The most diagnostics of one kind that are listed: a directory that is missing takes a thousand servers with it, and is
/// one piece of news. The rest is counted.
const SAME_KIND_MAX: usize = 200;

/// What is wrong with what specs name, at the places where it is named.
pub(super) struct Listed<'s> {
    sources: &'s Sources,
    diagnostics: Vec<Diagnostic>,
    counts: BTreeMap<&'static str, usize>,
}

impl<'s> Listed<'s> {
    pub(super) fn new(sources: &'s Sources) -> Listed<'s> {
        Listed { sources, diagnostics: Vec::new(), counts: BTreeMap::new() }
    }

    /// Adds what is wrong with an entry. What is missing in a Secret is not among it: the compiler has said that where the
    /// Secret's name is written.
    pub(super) fn add<S: Spec>(&mut self, entry: &Entry<S>) {
        for problem in entry.problems().filter(|problem| problem.kind != ProblemKind::MissingSecret) {
            let count = self.counts.entry(code(problem.kind)).or_default();
            *count += 1;
            if *count <= SAME_KIND_MAX {
                self.diagnostics.push(diagnostic(problem, entry.spec.place(), S::outage(), self.sources));
            }
        }
    }

    pub(super) fn finish(self) -> Vec<Diagnostic> {
        let Listed { mut diagnostics, counts, .. } = self;
        for (code, count) in counts.into_iter().filter(|(_, count)| *count > SAME_KIND_MAX) {
            let message = format!("{} more diagnostics like `{code}` are not listed", count - SAME_KIND_MAX);
            diagnostics.push(Diagnostic::note("more-of-the-same", message));
        }
        diagnostics
    }
}

fn code(kind: ProblemKind) -> &'static str {
    match kind {
        ProblemKind::MissingFile | ProblemKind::MissingSecret => "missing-certificate",
        ProblemKind::Broken => "broken-certificate",
        ProblemKind::Partial => "partial-certificates",
        ProblemKind::Time => "expired-certificate",
    }
}

fn diagnostic(problem: &Problem, place: &Place, outage: &str, sources: &Sources) -> Diagnostic {
    let consequence = match problem.kind {
        ProblemKind::Partial => "the rest is used",
        ProblemKind::Time => "it is used all the same",
        _ => outage,
    };
    let mut diagnostic = Diagnostic::warning(code(problem.kind), format!("{problem}: {consequence}"))
        .field(place.field.to_string());
    if let Some(object) = object(place) {
        diagnostic = diagnostic.about(&object);
    }
    match span(place, sources) {
        Some(span) => diagnostic.at(span),
        None => diagnostic,
    }
}

/// `Gateway infra/public`
fn object(place: &Place) -> Option<ObjectRef> {
    let (kind, name) = place.object.split_once(' ')?;
    let (namespace, name) = name.split_once('/')?;
    Some(ObjectRef { kind: kind.into(), namespace: namespace.into(), name: name.into() })
}

/// From the place to the end of its line.
fn span(place: &Place, sources: &Sources) -> Option<Span> {
    let (id, file) = (0..).map(FileId).zip(sources.iter()).find(|(_, file)| file.name == place.file)?;
    let above = usize::try_from(place.line).ok()?.checked_sub(1)?;
    let line = file.text.split_inclusive('\n').nth(above)?;
    let begin: usize = file.text.split_inclusive('\n').take(above).map(str::len).sum();
    let left: usize = line.chars().take(place.column.saturating_sub(1) as usize).map(char::len_utf8).sum();
    let end = u32::try_from(begin + line.trim_end().len().max(left)).ok()?;
    let start = u32::try_from(begin + left).ok()?;
    Some(Span { file: id, start, end, line: place.line, column: place.column })
}
