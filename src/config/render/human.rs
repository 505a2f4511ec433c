//! In the manner of rustc, with a piece of the source.

use super::{Color, clean, place::Place, subject};
use crate::config::{Diagnostic, Severity, SourceFile, Sources, Span};
use annotate_snippets::{AnnotationKind, Element, Group, Level, Origin, Renderer, Snippet};
use std::ops::Range;

/// Longer lines are not shown: JSON may have everything in one, and every character of a shown line is looked at.
const LINE_BYTES_MAX: usize = 2_000;

/// Places of one file that are no farther from each other are shown together.
const NEAR_LINES: u32 = 30;

pub(super) fn render(diagnostic: &Diagnostic, sources: &Sources, color: Color) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let title = level.primary_title(clean(&diagnostic.message)).id(diagnostic.code);
    let mut group = Group::with_title(title);
    for shown in together(marks(diagnostic), sources) {
        group = group.elements(element(&shown, sources));
    }
    if let Some(subject) = subject(diagnostic) {
        group = group.element(Level::NOTE.with_name("in").message(clean(&subject)));
    }
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(clean(help)));
    }
    let renderer = if color == Color::Ansi { Renderer::styled() } else { Renderer::plain() };
    renderer.render(&[group]) + "\n"
}

/// A place and what is said about it.
struct Mark {
    span: Span,
    kind: AnnotationKind,
    text: Option<String>,
}

/// The diagnostic's own place first.
fn marks(diagnostic: &Diagnostic) -> Vec<Mark> {
    let own = diagnostic.span.map(|span| Mark { span, kind: AnnotationKind::Primary, text: None });
    let others = diagnostic.labels.iter().map(|label| {
        let text = Some(clean(&label.text));
        Mark { span: label.span, kind: AnnotationKind::Context, text }
    });
    own.into_iter().chain(others).collect()
}

/// Puts marks that are near each other together, in the order of the first of each. What can't be shown stays alone.
fn together(marks: Vec<Mark>, sources: &Sources) -> Vec<Vec<Mark>> {
    let mut groups: Vec<Vec<Mark>> = Vec::new();
    for mark in marks {
        let is_near = |other: &Mark| {
            let same_file = other.span.file == mark.span.file;
            same_file
                && other.span.line.abs_diff(mark.span.line) <= NEAR_LINES
                && is_shown(other.span, sources)
        };
        let is_alone = !is_shown(mark.span, sources);
        match groups.iter_mut().find(|group| !is_alone && group.first().is_some_and(is_near)) {
            Some(group) => group.push(mark),
            None => groups.push(vec![mark]),
        }
    }
    groups
}

fn element<'s>(marks: &[Mark], sources: &'s Sources) -> Option<Element<'s>> {
    let first = marks.first()?;
    let place = Place::of(first.span, sources)?;
    let file = sources.file(first.span.file).filter(|_| is_shown(first.span, sources));
    let Some((file, lines)) = file.and_then(|file| Some((file, shown_lines(file, marks, sources)?))) else {
        let origin = Origin::path(clean(place.file)).line(place.line as usize);
        return Some(origin.char_column(place.column as usize).into());
    };
    let line = marks.iter().map(|mark| mark.span.line).min().unwrap_or(1);
    let source = file.text.get(lines.clone()).unwrap_or("");
    let mut snippet = Snippet::source(source).path(clean(&file.name)).line_start(line as usize);
    for mark in marks {
        let Some(first_line) = first_line(file, mark.span) else { continue };
        let start = boundary(&file.text, mark.span.start).min(first_line.end);
        let end = boundary(&file.text, mark.span.end).clamp(start, first_line.end.max(start));
        let span = start.saturating_sub(lines.start)..end.saturating_sub(lines.start);
        snippet = snippet.annotation(mark.kind.span(span).label(mark.text.clone()));
    }
    Some(snippet.into())
}

/// The lines that have the beginnings of all marks; nothing if a line between them must not be shown.
fn shown_lines(file: &SourceFile, marks: &[Mark], sources: &Sources) -> Option<Range<usize>> {
    let lines = marks.iter().filter_map(|mark| first_line(file, mark.span));
    let lines = lines.reduce(|all, line| all.start.min(line.start)..all.end.max(line.end))?;
    let id = marks.first()?.span.file;
    (!sources.is_hidden(id, lines.start as u32, lines.end as u32 + 1)).then_some(lines)
}

/// Whether the line that a span begins in may be shown.
fn is_shown(span: Span, sources: &Sources) -> bool {
    let Some(file) = sources.file(span.file) else { return false };
    let line = first_line(file, span);
    line.is_some_and(|line| !sources.is_hidden(span.file, line.start as u32, line.end as u32 + 1))
}

/// The line that a span begins in: of a span over several lines only the first is pointed at. Nothing if it is too long,
/// which is found without looking at all of it.
fn first_line(file: &SourceFile, span: Span) -> Option<Range<usize>> {
    let text = &*file.text;
    let start = boundary(text, span.start);
    let window = boundary(text, (start.saturating_sub(LINE_BYTES_MAX)) as u32)
        ..boundary(text, (start + LINE_BYTES_MAX) as u32);
    let before = text.get(window.start..start)?;
    let after = text.get(start..window.end)?;
    let begin = match before.rfind('\n') {
        Some(newline) => window.start + newline + 1,
        None if window.start == 0 => 0,
        None => return None,
    };
    let end = match after.find(['\n', '\r']) {
        Some(length) => start + length,
        None if window.end == text.len() => text.len(),
        None => return None,
    };
    Some(begin..end)
}

/// The beginning of the character at an offset, or the end of the text.
fn boundary(text: &str, offset: u32) -> usize {
    let mut offset = (offset as usize).min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}
