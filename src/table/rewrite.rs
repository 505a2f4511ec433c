//! `rewrite.uri` and `rewrite.uriRegexRewrite`: how the path changes.

use super::{PatternError, pattern};
use regex::bytes::Regex;
use std::fmt;

/// How the path changes; the query stays.
#[derive(Clone, Debug)]
pub enum PathRewrite {
    /// The first `matched` bytes of the path are replaced.
    Prefix {
        /// Length of the prefix that the route matched.
        matched: usize,
        /// What stands there instead.
        replacement: Box<[u8]>,
    },
    /// The whole path is replaced.
    Full(Box<[u8]>),
    /// Every match of an expression is replaced.
    Regex(Box<RegexRewrite>),
}

/// `uriRegexRewrite`: an expression in RE2's syntax, not anchored, and what stands in place of each match.
#[derive(Clone, Debug)]
pub struct RegexRewrite {
    pattern: Regex,
    pattern_text: Box<str>,
    replacement_text: Box<str>,
    replacement: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(Box<[u8]>),
    Group(usize),
}

impl PathRewrite {
    /// `uriRegexRewrite`. In the replacement `\1` is the first group, `\0` all that matched, `\\` a backslash; no
    /// other escape exists.
    pub fn regex(pattern: &str, replacement: &str) -> Result<PathRewrite, RewriteError> {
        let (regex, groups) = pattern::search_regex(pattern).map_err(RewriteError::Pattern)?;
        Ok(PathRewrite::Regex(Box::new(RegexRewrite {
            pattern: regex,
            pattern_text: pattern.into(),
            replacement_text: replacement.into(),
            replacement: parse_replacement(replacement, groups)?,
        })))
    }

    /// Appends what a path (without the query) becomes.
    ///
    /// Two things are set right that Envoy would forward as they are: a result that does not begin with `/` gets one
    /// in front, and a byte that no path may have (white space, controls) is escaped.
    pub fn apply(&self, path: &[u8], out: &mut Vec<u8>) {
        let begin = out.len();
        match self {
            PathRewrite::Prefix { matched, replacement } => {
                out.extend_from_slice(replacement);
                out.extend_from_slice(path.get(*matched..).unwrap_or_default());
            }
            PathRewrite::Full(replacement) => out.extend_from_slice(replacement),
            PathRewrite::Regex(rewrite) => rewrite.apply(path, out),
        }
        if out.get(begin) != Some(&b'/') {
            out.insert(begin, b'/');
        }
        escape_from(out, begin);
    }
}

impl RegexRewrite {
    fn apply(&self, path: &[u8], out: &mut Vec<u8>) {
        let mut copied = 0;
        for captures in self.pattern.captures_iter(path) {
            let Some(whole) = captures.get(0) else { continue };
            out.extend_from_slice(path.get(copied..whole.start()).unwrap_or_default());
            for piece in &self.replacement {
                match piece {
                    Piece::Text(text) => out.extend_from_slice(text),
                    Piece::Group(group) => {
                        out.extend(captures.get(*group).map_or(&b""[..], |m| m.as_bytes()))
                    }
                }
            }
            copied = whole.end();
        }
        out.extend_from_slice(path.get(copied..).unwrap_or_default());
    }
}

/// Percent-encodes what would end the path on the wire, from `begin` on.
pub(super) fn escape_from(out: &mut Vec<u8>, begin: usize) {
    let is_bad = |b: &u8| *b <= b' ' || *b == 0x7F;
    let mut at = begin;
    while let Some(found) = out.get(at..).and_then(|rest| rest.iter().position(is_bad)) {
        at += found;
        let byte = out.get(at).copied().unwrap_or(0);
        let hex = |digit: u8| b"0123456789ABCDEF".get(usize::from(digit)).copied().unwrap_or(b'0');
        out.splice(at..=at, [b'%', hex(byte >> 4), hex(byte & 15)]);
        at += 3;
    }
}

fn parse_replacement(text: &str, groups: usize) -> Result<Vec<Piece>, RewriteError> {
    let mut pieces = Vec::new();
    let mut literal = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            literal.push(byte);
            continue;
        }
        match bytes.next() {
            Some(b'\\') => literal.push(b'\\'),
            Some(digit @ b'0'..=b'9') => {
                let group = usize::from(digit - b'0');
                if group > groups {
                    return Err(RewriteError::NoSuchGroup { group, groups });
                }
                if !literal.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut literal).into()));
                }
                pieces.push(Piece::Group(group));
            }
            _ => return Err(RewriteError::BadEscape),
        }
    }
    if !literal.is_empty() {
        pieces.push(Piece::Text(literal.into()));
    }
    Ok(pieces)
}

impl fmt::Display for RegexRewrite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` -> `{}`", self.pattern_text, self.replacement_text)
    }
}

/// Why an `uriRegexRewrite` is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RewriteError {
    /// `match` is not an expression.
    Pattern(PatternError),
    /// `rewrite` names a group that `match` does not have.
    NoSuchGroup {
        /// The group.
        group: usize,
        /// How many there are.
        groups: usize,
    },
    /// A backslash in `rewrite` that is not followed by a digit or another backslash.
    BadEscape,
}

impl fmt::Display for RewriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RewriteError::Pattern(error) => error.fmt(f),
            RewriteError::NoSuchGroup { group, groups } => {
                write!(f, "`\\{group}` names a group, but the expression has {groups}")
            }
            RewriteError::BadEscape => {
                f.write_str("a backslash must be followed by a digit or another backslash")
            }
        }
    }
}

impl std::error::Error for RewriteError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn becomes(rewrite: &PathRewrite, path: &str, expected: &str) {
        let mut out = b"kept ".to_vec();
        rewrite.apply(path.as_bytes(), &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), format!("kept {expected}"), "{rewrite:?} {path}");
    }

    fn prefix(matched: &str, replacement: &str) -> PathRewrite {
        PathRewrite::Prefix { matched: matched.len(), replacement: replacement.as_bytes().into() }
    }

    #[test]
    fn case_82_prefix() {
        becomes(&prefix("/p", "/replace-prefix"), "/p/x", "/replace-prefix/x");
        becomes(&prefix("/foo", "/bar"), "/foobar", "/barbar");
        becomes(&prefix("/foo/", "/"), "/foo/x", "/x");
        becomes(&prefix("/foo", "/"), "/foo/x", "//x");
        // No URI match is the prefix `/`.
        becomes(&prefix("/", "/new"), "/x", "/newx");
    }

    #[test]
    fn case_83_regex() {
        let rewrite = PathRewrite::regex("^/service/([^/]+)(/.*)$", r"\2/instance/\1").unwrap();
        becomes(&rewrite, "/service/foo/v1", "/v1/instance/foo");
        becomes(&rewrite, "/other", "/other");
    }

    #[test]
    fn every_match_is_replaced() {
        becomes(&PathRewrite::regex("a", r"<\0\0>").unwrap(), "/banana", "/b<aa>n<aa>n<aa>");
        becomes(&PathRewrite::regex("x*", "-").unwrap(), "/bxb", "/-/-b-b-");
        becomes(&PathRewrite::regex("/(a)?b", r"/\1\\").unwrap(), "/b/ab", r"/\/a\");
        becomes(&PathRewrite::regex("/old", "").unwrap(), "/old", "/");
    }

    #[test]
    fn the_result_is_a_path() {
        becomes(&PathRewrite::Full(b"new".as_slice().into()), "/x", "/new");
        becomes(&PathRewrite::Full(b"/a b\r\n".as_slice().into()), "/x", "/a%20b%0D%0A");
        becomes(&prefix("/a", ""), "/ab", "/b");
    }

    #[test]
    fn what_is_refused_says_why() {
        let error = |pattern, replacement| PathRewrite::regex(pattern, replacement).unwrap_err();
        assert_eq!(error("(a)", r"\2"), RewriteError::NoSuchGroup { group: 2, groups: 1 });
        assert_eq!(error("a", r"\x"), RewriteError::BadEscape);
        assert_eq!(error("a", "\\"), RewriteError::BadEscape);
        assert!(matches!(error("(", "a"), RewriteError::Pattern(_)));
    }
}
