//! One file into its documents.
//!
//! A line that begins with `---` or `...` and a space or its end is a document marker wherever it stands, also inside
//! quotes and block scalars (YAML 1.2, 9.1.2 and rule `c-forbidden`), so lines are all that has to be looked at.

use super::{DOCUMENTS_MAX, Diagnostic, FileId, Span, json};

/// One document's text and where it is in its file.
pub(in crate::config) struct Chunk<'t> {
    /// From its `---`, if it has one, to the next marker.
    pub(in crate::config) text: &'t str,
    /// The whole of it: `start` and `line` are what positions inside it count from.
    pub(in crate::config) span: Span,
}

/// Cuts a file at its document markers.
pub(in crate::config) fn chunks<'t>(
    text: &'t str,
    file: FileId,
    problems: &mut Vec<Diagnostic>,
) -> Vec<Chunk<'t>> {
    let mut cutter =
        Cutter { text, file, chunks: Vec::new(), start: 0, line: 1, directives: Directives::Possible };
    // A byte order mark is not part of the text.
    cutter.start = text.strip_prefix('\u{feff}').map_or(0, |rest| text.len() - rest.len());
    let mut offset = cutter.start;
    let mut line = 1;
    for text_line in text[cutter.start..].split_inclusive('\n') {
        match marker(text_line) {
            Marker::Begin => cutter.begin(offset, line),
            Marker::End => cutter.cut(offset + text_line.len(), line + 1),
            Marker::None => cutter.look(text_line),
        }
        offset += text_line.len();
        line += 1;
        if cutter.chunks.len() >= DOCUMENTS_MAX {
            let message = format!("the file has more than {DOCUMENTS_MAX} documents");
            problems.push(
                Diagnostic::error("too-many-documents", message)
                    .at(span(file, offset, text.len(), line))
                    .help("what follows here is not read; put it into a second file"),
            );
            return cutter.chunks;
        }
    }
    cutter.cut(text.len(), line);
    cutter.chunks
}

struct Cutter<'t> {
    text: &'t str,
    file: FileId,
    chunks: Vec<Chunk<'t>>,
    /// Where the document that is being looked at begins.
    start: usize,
    /// The line of `start`.
    line: u32,
    directives: Directives,
}

/// Directives (`%YAML`, `%TAG`) stand before the `---` of the document that they belong to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Directives {
    /// Only comments and empty lines so far.
    Possible,
    /// At least one, and nothing else.
    Present,
    /// The content has begun.
    Over,
}

impl Cutter<'_> {
    fn begin(&mut self, offset: usize, line: u32) {
        if self.directives != Directives::Present {
            self.cut(offset, line);
        }
        self.directives = Directives::Over;
    }

    fn cut(&mut self, end: usize, next_line: u32) {
        let text = self.text.get(self.start..end).unwrap_or("");
        if !text.trim().is_empty() {
            let place = span(self.file, self.start, end, self.line);
            let json = text.trim_start();
            match json.starts_with(['{', '[']) {
                true => self.cut_values(json, place_after(place, text, text.len() - json.len())),
                false => self.push(text, place),
            }
        }
        (self.start, self.line, self.directives) = (end, next_line, Directives::Possible);
    }

    /// JSON values may follow each other without a marker.
    fn cut_values(&mut self, mut text: &str, mut place: Span) {
        let (whole, mut done) = (text, 0);
        for end in json::ends_of_values(whole) {
            let (value, rest) = text.split_at_checked(end - done).unwrap_or((text, ""));
            let next = rest.trim_start();
            let is_followed = next.starts_with(['{', '[']) && self.chunks.len() < DOCUMENTS_MAX;
            if is_followed {
                if !json::is_value(value) {
                    break;
                }
                self.push(value, place);
                let bytes = text.len() - next.len();
                place = place_after(place, text, bytes);
                (text, done) = (next, done + bytes);
            }
        }
        self.push(text, place);
    }

    fn push(&mut self, text: &str, place: Span) {
        let (start, end) = (place.start as usize, place.start as usize + text.len());
        let text = self.text.get(start..end).unwrap_or("");
        self.chunks.push(Chunk { text, span: Span { end: end as u32, ..place } });
    }

    fn look(&mut self, line: &str) {
        if self.directives == Directives::Over || line.trim_end().is_empty() || line.starts_with('#') {
            return;
        }
        self.directives = if line.starts_with('%') { Directives::Present } else { Directives::Over };
    }
}

enum Marker {
    Begin,
    End,
    None,
}

fn marker(line: &str) -> Marker {
    let is = |sign| {
        line.strip_prefix(sign)
            .is_some_and(|rest: &str| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
    };
    match line.as_bytes().first() {
        Some(b'-') if is("---") => Marker::Begin,
        Some(b'.') if is("...") => Marker::End,
        _ => Marker::None,
    }
}

/// The place some bytes further on.
pub(super) fn place_after(mut place: Span, text: &str, bytes: usize) -> Span {
    for c in text.get(..bytes).unwrap_or("").chars() {
        (place.line, place.column) =
            if c == '\n' { (place.line + 1, 1) } else { (place.line, place.column + 1) };
    }
    place.start += bytes as u32;
    place
}

fn span(file: FileId, start: usize, end: usize, line: u32) -> Span {
    Span { file, start: start as u32, end: end as u32, line, column: 1 }
}
