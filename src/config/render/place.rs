//! Lines and columns of a span.

use crate::config::{Sources, Span};

/// A span as people and tools count.
pub(super) struct Place<'s> {
    /// The file's name.
    pub(super) file: &'s str,
    /// From 1.
    pub(super) line: u32,
    /// From 1, in characters.
    pub(super) column: u32,
    /// The line of the last character.
    pub(super) end_line: u32,
    /// The column after the last character.
    pub(super) end_column: u32,
}

impl<'s> Place<'s> {
    /// Nothing if there is no such file.
    pub(super) fn of(span: Span, sources: &'s Sources) -> Option<Self> {
        let file = sources.file(span.file)?;
        let text = file.text.get(span.start as usize..span.end as usize).unwrap_or("");
        let (line, column) = (span.line.max(1), span.column.max(1));
        let last_line = text.rsplit('\n').next().unwrap_or("");
        let end_line = line + text.bytes().filter(|byte| *byte == b'\n').count() as u32;
        let begin = if end_line == line { column } else { 1 };
        let end_column = begin + last_line.chars().count() as u32;
        Some(Place { file: &file.name, line, column, end_line, end_column })
    }
}
