//! The one error of the tool: a sentence for the person who runs it, or the wish to stop.

use std::fmt;
use std::io;

/// Why a step did not end as meant.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Error {
    /// The person pressed Ctrl-C, or somebody sent SIGTERM.
    Interrupted,
    /// What went wrong, in words that tell what to do where that is known.
    Failed(String),
}

/// What every step returns.
pub(crate) type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// A failure with its sentence.
    pub(crate) fn failed(sentence: impl Into<String>) -> Error {
        Error::Failed(sentence.into())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Interrupted => f.write_str("interrupted"),
            Error::Failed(sentence) => f.write_str(sentence),
        }
    }
}

/// Says what was being done when an operation of the system failed.
pub(crate) trait During<T> {
    /// Turns the error into `WHAT: ERROR`.
    fn during(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T> During<T> for io::Result<T> {
    fn during(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|error| Error::Failed(format!("{}: {error}", what())))
    }
}

impl<T> During<T> for rustix::io::Result<T> {
    fn during(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|error| Error::Failed(format!("{}: {error}", what())))
    }
}
