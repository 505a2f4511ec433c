//! Where in the user's files a thing comes from.

use std::{fmt, sync::Arc};

/// The place in the user's files that a compiled thing comes from, for `explain`, diagnostics and the admin page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// `VirtualService default/web`
    pub object: Arc<str>,
    /// The file as the user named it.
    pub file: Arc<str>,
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
}

impl Source {
    /// The source of a thing that no file mentions, such as a default.
    pub fn built_in(what: &str) -> Source {
        Source { object: what.into(), file: "".into(), line: 0, column: 0 }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            return f.write_str(&self.object);
        }
        write!(f, "{} ({}:{}:{})", self.object, self.file, self.line, self.column)
    }
}
