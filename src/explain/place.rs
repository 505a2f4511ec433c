//! What stands at a place in the user's files.

use crate::{
    config::{FileId, Sources},
    table::Source,
};

/// Characters of a line that are shown.
const LINE_SHOWN_MAX: usize = 100;

/// The line that a thing comes from, as far as it may be shown and is worth it.
pub(super) fn line_of(source: &Source, sources: &Sources) -> Option<String> {
    let (id, file) = (0..).zip(sources.iter()).find(|(_, file)| file.name == source.file)?;
    let number = usize::try_from(source.line).ok()?.checked_sub(1)?;
    let line = file.text.split('\n').nth(number)?;
    let begin = file.text.split('\n').take(number).map(|line| line.len() + 1).sum::<usize>();
    let (begin, end) = (u32::try_from(begin).ok()?, u32::try_from(begin + line.len() + 1).ok()?);
    if sources.is_hidden(FileId(id), begin, end) {
        return None;
    }
    let line = line.trim();
    let shown: String = line.chars().take(LINE_SHOWN_MAX).collect();
    Some(if shown.len() < line.len() { format!("{shown}...") } else { shown })
}
