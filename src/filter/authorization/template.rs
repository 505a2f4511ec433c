//! Path templates: `/foo/{*}/bar`, `/foo/{**}`.

use std::fmt;

/// A path with operators: `{*}` is one segment that is not empty, `{**}` is what comes, slashes too, perhaps nothing
/// (`AuthorizationPolicy`, `to.operation.paths`). No automaton is needed: the segments are compared one by one, and behind
/// `{**}` there is text only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathTemplate {
    /// Segments in front of `{**}`, without slashes; nothing stands for `{*}`.
    segments: Box<[Option<Box<[u8]>>]>,
    end: End,
}

/// How the path ends.
#[derive(Clone, Debug, PartialEq, Eq)]
enum End {
    /// With the last segment.
    Here,
    /// With one more segment: something, and then this.
    Segment(Box<[u8]>),
    /// With whatever comes (`{**}`), and then this, with slashes.
    Anything(Box<[u8]>),
}

/// Why a text is not a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadTemplate {
    /// It does not begin with `/`.
    NoSlash,
    /// There is text in front of an operator in the same segment.
    TextBefore,
    /// There is an operator behind `{**}`.
    AfterAnything,
    /// There is text behind `{*}` in a segment that is not the last.
    TextWithin,
    /// There is `{` or `}` that belongs to no operator, or a `*` without braces.
    Unknown,
}

impl fmt::Display for BadTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BadTemplate::NoSlash => "it does not begin with `/`",
            BadTemplate::TextBefore => "an operator must stand right behind a `/`",
            BadTemplate::AfterAnything => "there can't be an operator behind `{**}`",
            BadTemplate::TextWithin => "behind `{*}` text can stand only in the last segment",
            BadTemplate::Unknown => "beside `{*}` and `{**}` there can't be `{`, `}` and `*`",
        })
    }
}

const ONE: &str = "{*}";
const ANYTHING: &str = "{**}";

/// Whether a path of a policy is a template.
pub fn is_template(path: &str) -> bool {
    path.contains(ONE) || path.contains(ANYTHING)
}

impl PathTemplate {
    /// Reads a template.
    ///
    /// # Errors
    /// What Envoy's templates (`uri_template`) can't say; istiod accepts some of it, and Envoy then refuses all of its
    /// configuration.
    pub fn parse(text: &str) -> Result<PathTemplate, BadTemplate> {
        let mut rest = text.strip_prefix('/').ok_or(BadTemplate::NoSlash)?;
        let mut segments = Vec::new();
        loop {
            if let Some(tail) = rest.strip_prefix(ANYTHING) {
                let tail = literal(tail, BadTemplate::AfterAnything)?;
                return Ok(PathTemplate { segments: segments.into(), end: End::Anything(tail) });
            }
            let (segment, next) = match rest.split_once('/') {
                Some((segment, next)) => (segment, Some(next)),
                None => (rest, None),
            };
            match (segment.strip_prefix(ONE), next) {
                (Some(""), _) => segments.push(None),
                (Some(suffix), None) => {
                    let suffix = literal(suffix, BadTemplate::TextBefore)?;
                    return Ok(PathTemplate { segments: segments.into(), end: End::Segment(suffix) });
                }
                (Some(_), Some(_)) => return Err(BadTemplate::TextWithin),
                (None, _) => segments.push(Some(literal(segment, BadTemplate::TextBefore)?)),
            }
            match next {
                Some(next) => rest = next,
                None => return Ok(PathTemplate { segments: segments.into(), end: End::Here }),
            }
        }
    }

    /// Whether a path is one of those meant. `narrow`: an operator stands for the characters only that Envoy lets it stand
    /// for, those of RFC 3986 section 3.3 but `*`; else for whatever a path can have, so that nobody gets around a refusal
    /// with an odd character.
    pub fn matches(&self, path: &[u8], narrow: bool) -> bool {
        let is_fit = |text: &[u8]| !narrow || text.iter().all(|byte| is_path_character(*byte));
        let Some(mut rest) = path.strip_prefix(b"/") else { return false };
        for (position, segment) in self.segments.iter().enumerate() {
            let end = memchr::memchr(b'/', rest);
            let found = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
            let is_same = match segment {
                Some(literal) => **literal == *found,
                None => !found.is_empty() && is_fit(found),
            };
            let is_last = position + 1 == self.segments.len() && self.end == End::Here;
            match end.and_then(|end| rest.get(end + 1..)) {
                _ if !is_same => return false,
                Some(next) if !is_last => rest = next,
                next => return is_last && next.is_none(),
            }
        }
        match &self.end {
            End::Here => rest.is_empty(),
            End::Segment(suffix) => rest
                .strip_suffix(&**suffix)
                .is_some_and(|one| !one.is_empty() && !one.contains(&b'/') && is_fit(one)),
            End::Anything(suffix) => {
                rest.strip_suffix(&**suffix).is_some_and(|any| any.split(|byte| *byte == b'/').all(is_fit))
            }
        }
    }
}

/// Text without operators.
fn literal(text: &str, operator: BadTemplate) -> Result<Box<[u8]>, BadTemplate> {
    match () {
        () if is_template(text) => Err(operator),
        () if text.contains(['{', '}', '*']) => Err(BadTemplate::Unknown),
        () => Ok(text.as_bytes().into()),
    }
}

/// What Envoy's operators stand for.
fn is_path_character(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~%!$&'()+,;:@=".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(template: &str, good: &[&str], bad: &[&str]) {
        let parsed = PathTemplate::parse(template).unwrap();
        for narrow in [true, false] {
            good.iter().for_each(|p| assert!(parsed.matches(p.as_bytes(), narrow), "{template} {p}"));
            bad.iter().for_each(|p| assert!(!parsed.matches(p.as_bytes(), narrow), "{template} {p}"));
        }
    }

    #[test]
    fn one_segment() {
        check("/{*}", &["/a", "/a.b;c=d"], &["/", "/a/", "/a/b", "", "a", "*"]);
        check("/foo/{*}/bar", &["/foo/x/bar"], &["/foo/bar", "/foo//bar", "/foo/x/y/bar", "/foo/x/bar/"]);
        check("/foo/{*}/", &["/foo/x/"], &["/foo/x", "/foo//", "/foo/x/y", "/foo/x//"]);
        check("/{*}/{*}/c", &["/a/b/c"], &["/a/c", "/a/b/c/d"]);
        check(
            "/a/{*}.jpg",
            &["/a/b.jpg", "/a/b.jpg.jpg"],
            &["/a/.jpg", "/a/b/c.jpg", "/a/b.jpg/", "/a/b.png"],
        );
    }

    #[test]
    fn anything() {
        check("/{**}", &["/", "/a", "/a/b/", "//"], &["", "*"]);
        check("/foo/{**}", &["/foo/", "/foo/a", "/foo/a/b"], &["/foo", "/fo/", "/foox/"]);
        check("/foo/{*}/{**}", &["/foo/a/", "/foo/a/b/c"], &["/foo/a", "/foo//b"]);
        check("/foo/{**}/bar", &["/foo//bar", "/foo/a/b/bar"], &["/foo/bar", "/foo/a/bar/"]);
        check("/foo/{**}.js", &["/foo/.js", "/foo/a/b.js"], &["/foo/a.jsx", "/foo.js"]);
        check("/a/{*}/c/{**}", &["/a/b/c/", "/a/b/c/d/e"], &["/a/b/c", "/a/c/d", "/a/b/b/c/d"]);
    }

    #[test]
    fn odd_characters_are_no_way_around() {
        let template = PathTemplate::parse("/a/{*}/b").unwrap();
        for path in [&b"/a/x*y/b"[..], b"/a/\"/b", b"/a/\xff/b", b"/a/[/b"] {
            assert!(template.matches(path, false) && !template.matches(path, true));
        }
        let template = PathTemplate::parse("/a/{**}").unwrap();
        assert!(template.matches(b"/a/b/*", false) && !template.matches(b"/a/b/*", true));
    }

    #[test]
    fn what_is_no_template() {
        for (text, why) in [
            ("foo/{*}", BadTemplate::NoSlash),
            ("", BadTemplate::NoSlash),
            ("/foo{*}", BadTemplate::TextBefore),
            ("/{*}{*}", BadTemplate::TextBefore),
            ("/{*}x/y", BadTemplate::TextWithin),
            ("/{**}/{*}", BadTemplate::AfterAnything),
            ("/{**}/{**}", BadTemplate::AfterAnything),
            ("/{*}/{name}", BadTemplate::Unknown),
            ("/{*}/*", BadTemplate::Unknown),
            ("/{**}*", BadTemplate::Unknown),
            ("/{name=*}/{*}", BadTemplate::Unknown),
        ] {
            assert_eq!(PathTemplate::parse(text), Err(why), "{text}");
        }
    }
}
