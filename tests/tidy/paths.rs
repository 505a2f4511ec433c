//! The paths that code names.

use crate::scan::{is_word, places};

/// A path such as `crate::table::Snapshot`, without generic arguments, and where it begins.
#[derive(Debug, PartialEq)]
pub(crate) struct NamedPath {
    /// Where its first segment, or for one of a list the segment of its own, stands.
    pub(crate) at: usize,
    /// `["crate", "table", "Snapshot"]`
    pub(crate) segments: Vec<String>,
}

impl NamedPath {
    /// Whether it is this path or goes on from it.
    pub(crate) fn starts_with(&self, path: &str) -> bool {
        let mut segments = self.segments.iter();
        path.split("::").all(|segment| segments.next().is_some_and(|own| own == segment))
    }
}

/// Every path in `code` that begins with `root`: in `use`, with its lists taken apart, and anywhere else.
pub(crate) fn paths(code: &str, root: &str) -> Vec<NamedPath> {
    let mut found = Vec::new();
    for at in places(code, root) {
        let before = code[..at].trim_end();
        // `a::std` is another one; `::std` is not.
        let inner = before.ends_with("::") && before[..before.len() - 2].ends_with(|c| is_word(c as u8));
        let named_elsewhere = before.ends_with('.') || before.ends_with("mod") || before.ends_with("fn");
        if !inner && !named_elsewhere {
            Walk { code, found: &mut found }.path(at, Vec::new());
        }
    }
    found
}

struct Walk<'a> {
    code: &'a str,
    found: &'a mut Vec<NamedPath>,
}

impl Walk<'_> {
    /// Follows a path or a list of paths; returns where it ends.
    fn path(&mut self, at: usize, mut segments: Vec<String>) -> usize {
        let at = self.skip_blank(at);
        let mut end = at;
        loop {
            let word = self.code[end..].bytes().take_while(|&byte| is_word(byte) || byte == b'*').count();
            if word == 0 {
                break;
            }
            segments.push(self.code[end..end + word].to_owned());
            end += word;
            let Some(rest) = self.code[end..].trim_start().strip_prefix("::") else { break };
            end = self.skip_blank(self.code.len() - rest.len());
            if rest.trim_start().starts_with('{') {
                return self.list(end, &segments);
            }
        }
        self.found.push(NamedPath { at, segments });
        end
    }

    fn list(&mut self, open: usize, segments: &[String]) -> usize {
        let mut at = self.skip_blank(open + 1);
        while !self.code[at..].starts_with('}') {
            let end = self.path(at, segments.to_vec());
            // To what comes after the comma: `as name` may stand before it.
            let Some(next) = self.code[end..].find([',', '}']).map(|offset| end + offset) else { break };
            at = if self.code[next..].starts_with(',') { self.skip_blank(next + 1) } else { next };
        }
        (at + 1).min(self.code.len())
    }

    fn skip_blank(&self, at: usize) -> usize {
        self.code.len() - self.code[at..].trim_start().len()
    }
}

#[test]
fn lists_are_taken_apart() {
    let code =
        "use crate::{a::{B, c::*}, d::{self as e}, f};\nlet x = crate::g::h::<T>(); x.crate_(); y::crate::z";
    let found = paths(code, "crate");
    let found: Vec<String> = found.into_iter().map(|path| path.segments.join("::")).collect();
    let expected =
        ["crate::a::B", "crate::a::c::*", "crate::d::self", "crate::f", "crate::g::h"].map(str::to_owned);
    assert_eq!(found, expected);
}

#[test]
fn a_path_begins_with_whole_names() {
    let path = &paths("std::fs::File", "std")[0];
    assert!(path.starts_with("std::fs") && path.starts_with("std") && !path.starts_with("std::f"));
    assert!(!path.starts_with("std::fs::File::open"));
}

#[test]
fn an_unfinished_list_ends_with_the_text() {
    for code in ["use crate::{", "use crate::{a,", "use crate::", "use crate::{a::{b}"] {
        let _ = paths(code, "crate");
    }
}
