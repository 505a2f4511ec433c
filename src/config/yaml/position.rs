//! The parser's positions to places of the file.

use super::{
    Span,
    split::{Chunk, place_after},
};
use saphyr_parser::{Marker, ScalarStyle};
use std::cell::{Cell, OnceCell};

/// Turns the parser's positions, which are lines and columns of one document, into places of the file. Its own count of
/// characters is not used where they are not bytes: it is wrong after some comments.
pub(super) struct Positions<'t> {
    text: &'t str,
    origin: Span,
    is_ascii: bool,
    /// Where each line begins; empty if every character is one byte.
    lines: Vec<u32>,
    /// The last position: line, column and offset. The next one is near, so a long line is not walked over each time.
    cursor: Cell<(usize, usize, usize)>,
    end: OnceCell<Span>,
}

impl<'t> Positions<'t> {
    pub(super) fn new(chunk: &Chunk<'t>) -> Self {
        let text = chunk.text;
        let is_ascii = text.is_ascii();
        let starts =
            || std::iter::once(0).chain(text.match_indices('\n').map(|(offset, _)| offset as u32 + 1));
        let lines = if is_ascii { Vec::new() } else { starts().collect() };
        Positions { text, origin: chunk.span, is_ascii, lines, cursor: Cell::default(), end: OnceCell::new() }
    }

    pub(super) fn span(&self, place: &saphyr_parser::Span) -> Span {
        let start = self.at(&place.start);
        Span { end: (self.origin.start + self.offset(&place.end) as u32).max(start.start), ..start }
    }

    /// The parser takes space and a comment behind a closing quote for a part of the scalar.
    pub(super) fn of_scalar(&self, span: Span, style: ScalarStyle) -> Span {
        let quote = match style {
            ScalarStyle::SingleQuoted => '\'',
            ScalarStyle::DoubleQuoted => '"',
            ScalarStyle::Plain | ScalarStyle::Literal | ScalarStyle::Folded => return span,
        };
        let range = (span.start - self.origin.start) as usize..(span.end - self.origin.start) as usize;
        let text = self.text.get(range).unwrap_or("");
        match text.ends_with(quote) && !text.contains('#') {
            true => span,
            false => Span { end: span.start + quoted_length(text, quote) as u32, ..span },
        }
    }

    pub(super) fn at(&self, marker: &Marker) -> Span {
        let offset = self.offset(marker);
        if offset >= self.text.len() {
            return self.end();
        }
        let start = self.origin.start + offset as u32;
        let line = marker.line().max(1) as u32 - 1;
        // Only a JSON value that follows another one begins within a line.
        let indent = if line == 0 { self.origin.column } else { 1 };
        let column = marker.col() as u32 + indent;
        Span { file: self.origin.file, start, end: start, line: self.origin.line + line, column }
    }

    /// The place after the last character: at the end of a text without a newline the parser is a line ahead.
    fn end(&self) -> Span {
        *self.end.get_or_init(|| {
            let end = place_after(self.origin, self.text, self.text.len());
            Span { end: end.start, ..end }
        })
    }

    /// The byte offset in the document.
    fn offset(&self, marker: &Marker) -> usize {
        if self.is_ascii {
            return marker.index().min(self.text.len());
        }
        let (line, column) = (marker.line().max(1) - 1, marker.col());
        let Some(&start) = self.lines.get(line) else { return self.text.len() };
        let (last_line, last_column, last_offset) = self.cursor.get();
        let (from_column, from) =
            if last_line == line { (last_column, last_offset) } else { (0, start as usize) };
        let (before, after) = self.text.split_at_checked(from).unwrap_or((self.text, ""));
        let offset = match column.checked_sub(from_column) {
            Some(forward) => {
                let mut characters = after.char_indices().enumerate();
                let end = characters.find(|(count, (_, c))| *count == forward || *c == '\n');
                from + end.map_or(after.len(), |(_, (offset, _))| offset)
            }
            // The beginning of a mapping may be known only after its first key.
            None => {
                let back = from_column - column;
                before.char_indices().rev().nth(back - 1).map_or(0, |(offset, _)| offset).max(start as usize)
            }
        };
        self.cursor.set((line, column, offset));
        offset
    }

    /// Where the character at a place of the file ends.
    pub(super) fn after(&self, start: u32) -> u32 {
        let rest = self.text.get((start - self.origin.start) as usize..).unwrap_or("");
        start + rest.chars().next().filter(|c| *c != '\n').map_or(0, char::len_utf8) as u32
    }
}

/// How long a quoted scalar is, with the tag or anchor before it.
fn quoted_length(text: &str, quote: char) -> usize {
    let mut characters = text.char_indices().skip_while(|(_, c)| *c != quote).skip(1).peekable();
    while let Some((offset, c)) = characters.next() {
        let is_doubled = quote == '\'' && characters.peek().is_some_and(|(_, next)| *next == quote);
        if c == quote && !is_doubled {
            return offset + quote.len_utf8();
        }
        if c == quote || (c == '\\' && quote == '"') {
            characters.next();
        }
    }
    text.len()
}
