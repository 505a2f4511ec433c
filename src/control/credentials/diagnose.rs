//! Problems as diagnostics.

use super::entry::{Entry, Spec};
use crate::{
    config::{Diagnostic, FileId, ObjectRef, Sources, Span},
    tls::{Place, Problem, ProblemKind},
};

/// What is wrong with what a spec names, at the place where it is named. What is missing in a Secret is not among it: the
/// compiler has said that where the Secret's name is written.
pub(super) fn diagnostics<S: Spec>(entry: &Entry<S>, sources: &Sources) -> Vec<Diagnostic> {
    let told = entry.problems().filter(|problem| problem.kind != ProblemKind::MissingSecret);
    told.map(|problem| diagnostic(problem, entry.spec.place(), S::outage(), sources)).collect()
}

fn diagnostic(problem: &Problem, place: &Place, outage: &str, sources: &Sources) -> Diagnostic {
    let (code, consequence) = match problem.kind {
        ProblemKind::MissingFile | ProblemKind::MissingSecret => ("missing-certificate", outage),
        ProblemKind::Broken => ("broken-certificate", outage),
        ProblemKind::Partial => ("partial-certificates", "the rest is used"),
        ProblemKind::Time => ("expired-certificate", "it is used all the same"),
    };
    let mut diagnostic =
        Diagnostic::warning(code, format!("{problem}: {consequence}")).field(place.field.to_string());
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
