//! Places in the user's files.

use std::{ops::Deref, sync::Arc};

/// An index into [`Sources`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct FileId(pub u32);

/// A stretch of one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Span {
    /// Which file.
    pub file: FileId,
    /// Byte offset of the first byte.
    pub start: u32,
    /// Byte offset after the last byte.
    pub end: u32,
    /// Line of `start`, from 1.
    pub line: u32,
    /// Column of `start` in characters, from 1.
    pub column: u32,
}

/// A value with the place where it is written. Where a field is absent its type is `Option<Spanned<T>>`.
#[derive(Clone, Debug, Default)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it is written.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// A value and its place.
    pub fn new(value: T, span: Span) -> Self {
        Spanned { value, span }
    }
}

impl<T> Deref for Spanned<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

/// Two values are equal wherever they are written.
impl<T: PartialEq> PartialEq for Spanned<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: Eq> Eq for Spanned<T> {}

/// One file as it was read.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// As the user named it; `<stdin>` for standard input.
    pub name: Arc<str>,
    /// Its whole text.
    pub text: Arc<str>,
}

/// All files of one configuration.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<SourceFile>,
    secrets: Vec<Span>,
}

impl Sources {
    /// Adds a file.
    pub fn add(&mut self, name: &str, text: impl Into<Arc<str>>) -> FileId {
        self.files.push(SourceFile { name: name.into(), text: text.into() });
        FileId(self.files.len() as u32 - 1)
    }

    /// All files, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = &SourceFile> {
        self.files.iter()
    }

    /// The file with this id.
    pub fn file(&self, id: FileId) -> Option<&SourceFile> {
        self.files.get(id.0 as usize)
    }

    /// Marks a place whose text must never be shown, such as a Secret.
    pub fn hide(&mut self, span: Span) {
        self.secrets.push(span);
    }

    /// Whether bytes `start..end` of a file touch a place that must never be shown.
    pub fn is_hidden(&self, file: FileId, start: u32, end: u32) -> bool {
        self.secrets.iter().any(|secret| secret.file == file && secret.start < end && start < secret.end)
    }
}
