//! What of a Rust file is code, what is comment, and what is only for tests.
//!
//! It knows comments, strings, raw strings, characters and lifetimes; it is no parser. All results have the length and
//! the lines of the text, so that a place in one is a place in all.

/// A file's text taken apart: what does not belong is blank.
pub(crate) struct Scanned {
    /// Without comments, and without what is inside of strings and characters.
    pub(crate) code: String,
    /// Comments alone.
    pub(crate) comments: String,
}

/// What the bytes at a place are.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    Code,
    Comment,
    Quoted,
}

/// Takes a file's text apart.
pub(crate) fn scan(text: &str) -> Scanned {
    let bytes = text.as_bytes();
    let mut parts = Vec::with_capacity(bytes.len());
    while parts.len() < bytes.len() {
        let at = parts.len();
        let (part, open, len, close) = next(bytes, at);
        // The quotes themselves are code.
        parts.resize(at + open, Part::Code);
        parts.resize((at + len - close).min(bytes.len()), part);
        parts.resize((at + len).min(bytes.len()), Part::Code);
    }
    let only = |wanted: Part| {
        let kept = bytes.iter().zip(&parts).map(|(&byte, &part)| match byte {
            b'\n' => '\n',
            _ if part == wanted && byte.is_ascii() => char::from(byte),
            _ => ' ',
        });
        kept.collect()
    };
    Scanned { code: only(Part::Code), comments: only(Part::Comment) }
}

/// What begins here: its kind, how many bytes open it, how many it has in all, how many close it.
fn next(bytes: &[u8], at: usize) -> (Part, usize, usize, usize) {
    let rest = &bytes[at..];
    let fresh = at == 0 || !is_word(bytes[at - 1]);
    if rest.starts_with(b"//") {
        return (Part::Comment, 0, find(rest, b"\n").unwrap_or(rest.len()), 0);
    }
    if rest.starts_with(b"/*") {
        return (Part::Comment, 0, block_comment(rest), 0);
    }
    if let Some(raw) = raw_string(rest).filter(|_| fresh || matches!(bytes[at - 1], b'b' | b'c')) {
        return raw;
    }
    match rest {
        [b'"', inside @ ..] => (Part::Quoted, 1, 2 + quoted(inside, b'"'), 1),
        [b'\'', b'\\', ..] => (Part::Quoted, 1, 2 + quoted(&rest[1..], b'\''), 1),
        [b'\'', first, ..] => {
            let width = match first {
                0xF0.. => 4,
                0xE0.. => 3,
                0xC0.. => 2,
                _ => 1,
            };
            // Otherwise it is a lifetime.
            if rest.get(1 + width) == Some(&b'\'') {
                (Part::Quoted, 1, width + 2, 1)
            } else {
                (Part::Code, 0, 1, 0)
            }
        }
        _ => (Part::Code, 0, 1, 0),
    }
}

/// Bytes before the closing quote.
fn quoted(inside: &[u8], quote: u8) -> usize {
    let mut at = 0;
    while at < inside.len() && inside[at] != quote {
        at += if inside[at] == b'\\' { 2 } else { 1 };
    }
    at
}

fn raw_string(rest: &[u8]) -> Option<(Part, usize, usize, usize)> {
    let hashes = rest.strip_prefix(b"r")?.iter().take_while(|&&byte| byte == b'#').count();
    let open = hashes + 2;
    if rest.get(open - 1) != Some(&b'"') {
        return None;
    }
    let mut close = vec![b'"'];
    close.resize(1 + hashes, b'#');
    let inside = find(&rest[open..], &close).unwrap_or(rest.len() - open);
    Some((Part::Quoted, open, open + inside + close.len(), close.len()))
}

fn block_comment(rest: &[u8]) -> usize {
    let (mut at, mut depth) = (0, 0);
    while at < rest.len() {
        let step = &rest[at..];
        if step.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if step.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// Whether a byte can be part of a name.
pub(crate) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Where `what` stands in `code`, not as a part of longer names.
pub(crate) fn places<'a>(code: &'a str, what: &'a str) -> impl Iterator<Item = usize> + 'a {
    let bytes = code.as_bytes();
    let word_at = move |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(|byte| is_word(*byte));
    let starts = what.as_bytes().first().is_some_and(|byte| is_word(*byte));
    let ends = what.as_bytes().last().is_some_and(|byte| is_word(*byte));
    code.match_indices(what).map(|(at, _)| at).filter(move |&at| {
        let longer = (starts && word_at(at.checked_sub(1))) || (ends && word_at(Some(at + what.len())));
        !longer
    })
}

/// The line of a place, from 1.
pub(crate) fn line_of(text: &str, at: usize) -> usize {
    1 + text.as_bytes()[..at].iter().filter(|&&byte| byte == b'\n').count()
}

/// The place after the bracket that closes the one at `open`; the end if none does.
pub(crate) fn after_closing(code: &str, open: usize) -> usize {
    let mut depth = 0_usize;
    for (offset, byte) in code.as_bytes()[open..].iter().enumerate() {
        match byte {
            b'{' | b'(' | b'[' => depth += 1,
            b'}' | b')' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return open + offset + 1;
                }
            }
            _ => {}
        }
    }
    code.len()
}

/// Where an item's body opens, or where the item ends if it has none: the first `{` or `;` outside of brackets.
pub(crate) fn body_of(code: &str, mut at: usize) -> Option<usize> {
    let bytes = code.as_bytes();
    loop {
        match bytes.get(at)? {
            b'(' | b'[' => at = after_closing(code, at),
            b'{' | b';' => return Some(at),
            _ => at += 1,
        }
    }
}

/// The parts of `code` that are only compiled for tests.
pub(crate) fn test_items(code: &str) -> Vec<std::ops::Range<usize>> {
    let end_of = |start: usize| {
        let mut at = start;
        // Further attributes may stand between the first and the item.
        while code[at..].trim_start().starts_with('#') {
            at += code[at..].find('[').unwrap_or(0);
            at = after_closing(code, at);
        }
        match body_of(code, at) {
            Some(body) if code.as_bytes()[body] == b'{' => after_closing(code, body),
            Some(semicolon) => semicolon + 1,
            None => code.len(),
        }
    };
    code.match_indices("#[cfg(test)]").map(|(at, _)| at..end_of(at)).collect()
}

#[test]
fn comments_and_strings_are_told_from_code() {
    let scanned =
        scan("a(\"x // {\\\"\", 'b', '\\'', r#\"}\"#) /* { /* */ } */; // tail\nfn f<'l>(b: b\"}\");\n");
    assert_eq!(scanned.code.len(), scanned.comments.len());
    let squeezed: String = scanned.code.split(' ').collect();
    assert_eq!(squeezed, "a(\"\",'','',r#\"\"#);\nfnf<'l>(b:b\"\");\n");
    assert!(scanned.comments.contains("// tail") && !scanned.comments.contains("\\\""));
}

#[test]
fn an_apostrophe_is_a_lifetime_or_a_character() {
    let code = scan("fn f<'a>(x: &'a str) { match c { 'ä' => 1, '{' => 2, '\\u{7d}' => 3, _ => 4 } }").code;
    assert_eq!(code.matches('{').count(), code.matches('}').count());
    assert!(code.contains("&'a str"));
}

#[test]
fn an_unfinished_string_ends_with_the_text() {
    for text in ["\"a", "r#\"a\"", "/* a", "'\\", "\"a\\"] {
        assert_eq!(scan(text).code.len(), text.len(), "{text}");
    }
}

#[test]
fn test_items_end_with_their_bodies() {
    let code = "fn a() {}\n#[cfg(test)]\n#[allow(x)]\nmod tests {\n  { }\n}\nfn b() {}\n#[cfg(test)]\nmod t;\nfn c() {}";
    let items: Vec<&str> = test_items(code).into_iter().map(|range| &code[range]).collect();
    assert_eq!(items.len(), 2);
    assert!(items[0].starts_with("#[cfg(test)]") && items[0].ends_with("{ }\n}"));
    assert!(items[1].ends_with("mod t;"));
}

#[test]
fn names_are_found_whole() {
    assert_eq!(places("dyn dynamic a_dyn dyn", "dyn").collect::<Vec<_>>(), [0, 18]);
    assert_eq!(places("x.unwrap() y.unwrap_or()", ".unwrap()").count(), 1);
}
