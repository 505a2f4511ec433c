//! What the user wrote, in messages: escaped, and not longer than is good to read.

use std::fmt::{self, Write};

/// The most characters of one text that are shown.
const SHOWN_MAX: usize = 80;
/// The most names of a list that are shown.
const LISTED_MAX: usize = 8;

/// A text from a file, for a message.
pub(super) fn shown(text: &str) -> Shown<'_> {
    Shown(text)
}

/// See [`shown`].
#[derive(Clone, Copy)]
pub(super) struct Shown<'t>(&'t str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut chars = self.0.chars();
        for c in chars.by_ref().take(SHOWN_MAX).flat_map(char::escape_debug) {
            f.write_char(c)?;
        }
        if chars.next().is_some() { f.write_str("...") } else { Ok(()) }
    }
}

/// The names of a list, or the first of them and how many more there are.
pub(super) fn list<'n>(names: impl ExactSizeIterator<Item = &'n str>) -> String {
    let more = names.len().saturating_sub(LISTED_MAX);
    let names: Vec<String> = names.take(LISTED_MAX).map(|name| shown(name).to_string()).collect();
    let names = names.join(", ");
    if more > 0 { format!("{names} and {more} more") } else { names }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        assert_eq!(shown("a\n`b`").to_string(), "a\\n`b`");
        assert_eq!(shown(&"ä".repeat(80)).to_string(), "ä".repeat(80));
        assert_eq!(shown(&"ä".repeat(81)).to_string(), format!("{}...", "ä".repeat(80)));
    }

    #[test]
    fn lists() {
        assert_eq!(list([].into_iter()), "");
        assert_eq!(list(["a", "b"].into_iter()), "a, b");
        assert_eq!(list(["a"; 10].into_iter()), "a, a, a, a, a, a, a, a and 2 more");
    }
}
