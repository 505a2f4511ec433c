//! RE2's syntax, translated into that of the engine that we have, with the same meaning on bytes.
//!
//! The two differ in: braces that are no repetition (text in RE2), `\Q..\E`, octal escapes, `\s` (no vertical tab in
//! RE2), set operations and nested brackets in classes (text in RE2), flags, and counts beyond 1,000. Everything is
//! written anew from what was understood, so that no other difference can slip through.

use super::pattern::{PATTERN_LENGTH_MAX, PatternError};
use std::{fmt::Write, ops::Range};

/// The highest repetition count (RE2's limit).
const REPEAT_MAX: u32 = 1000;

/// An expression in the engine's syntax, to be compiled with Unicode off.
pub(super) struct Translation {
    pub(super) source: String,
    /// If the expression is anchored, every match begins with this.
    pub(super) literal_prefix: Vec<u8>,
    /// Where in `source` the part after the literal prefix begins.
    pub(super) rest_at: usize,
}

pub(super) fn translate(text: &str) -> Result<Translation, PatternError> {
    let chars: Vec<char> = text.chars().collect();
    if chars.len() > PATTERN_LENGTH_MAX {
        return Err(PatternError::TooLong { length: chars.len() });
    }
    let mut translator = Translator {
        chars: &chars,
        at: 0,
        out: String::with_capacity(text.len() * 2),
        depth: 0,
        before: Before::Nothing,
        prefix: Prefix { text: Vec::new(), last_char: 0, rest_at: 0, last_at: 0, open: true },
    };
    translator.run()?;
    let prefix = translator.prefix;
    Ok(Translation { source: translator.out, literal_prefix: prefix.text, rest_at: prefix.rest_at })
}

struct Translator<'a> {
    chars: &'a [char],
    at: usize,
    out: String,
    depth: usize,
    before: Before,
    prefix: Prefix,
}

/// What stands before the present position, for the repetition operators.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    Literal,
    Atom,
    Repetition,
}

/// The literal text that the expression begins with.
struct Prefix {
    text: Vec<u8>,
    /// Length of the last character of `text`.
    last_char: usize,
    /// Where in the translated source what follows `text` begins.
    rest_at: usize,
    /// Where in the translated source the last character of `text` begins.
    last_at: usize,
    open: bool,
}

/// What an escape sequence stands for.
enum Escaped {
    Char(char),
    Class { ranges: &'static [(char, char)], negated: bool },
    Property(String),
}

const DIGIT: &[(char, char)] = &[('0', '9')];
const SPACE: &[(char, char)] = &[('\t', '\n'), ('\x0C', '\r'), (' ', ' ')];
const WORD: &[(char, char)] = &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')];

impl Translator<'_> {
    fn run(&mut self) -> Result<(), PatternError> {
        while let Some(c) = self.next() {
            match c {
                '\\' => self.escape()?,
                '[' => {
                    self.prefix.close();
                    self.class()?;
                    self.before = Before::Atom;
                }
                '(' => self.open_group()?,
                ')' => {
                    self.depth = self.depth.checked_sub(1).ok_or_else(|| self.malformed("unexpected `)`"))?;
                    self.push_operator(')', Before::Atom);
                }
                '|' => {
                    if self.depth == 0 {
                        self.prefix.clear();
                    }
                    self.push_operator('|', Before::Nothing);
                }
                '^' => {
                    // At the very beginning it says nothing new about an anchored match.
                    self.out.push('^');
                    self.before = Before::Atom;
                    if !self.prefix.text.is_empty() {
                        self.prefix.close();
                    }
                }
                '.' | '$' => self.push_operator(c, Before::Atom),
                '*' | '+' | '?' => self.repetition(&c.to_string())?,
                '{' => match self.counts()? {
                    Some(text) => self.repetition(&text)?,
                    None => self.literal('{'),
                },
                c => self.literal(c),
            }
        }
        if self.depth > 0 {
            return Err(PatternError::Malformed { at: self.at, reason: "missing `)`" });
        }
        Ok(())
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += 1;
        Some(c)
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn rest(&self) -> &[char] {
        self.chars.get(self.at..).unwrap_or(&[])
    }

    fn take(&mut self, text: &str) -> bool {
        let found = self.rest().iter().copied().take(text.len()).eq(text.chars());
        if found {
            self.at += text.len();
        }
        found
    }

    /// An error at the character read last.
    fn malformed(&self, reason: &'static str) -> PatternError {
        PatternError::Malformed { at: self.at.saturating_sub(1), reason }
    }

    fn push_operator(&mut self, c: char, before: Before) {
        self.out.push(c);
        self.before = before;
        self.prefix.close();
    }

    fn literal(&mut self, c: char) {
        let at = self.out.len();
        push_literal(&mut self.out, c);
        self.before = Before::Literal;
        self.prefix.push(c, at..self.out.len());
    }

    fn repetition(&mut self, operator: &str) -> Result<(), PatternError> {
        match self.before {
            Before::Nothing => return Err(self.malformed("nothing to repeat before this")),
            Before::Repetition => return Err(self.malformed("a repetition of a repetition")),
            Before::Literal => self.prefix.forget_last(),
            Before::Atom => {}
        }
        self.prefix.close();
        self.out.push_str(operator);
        if self.take("?") {
            self.out.push('?');
        }
        self.before = Before::Repetition;
        Ok(())
    }

    /// What follows `{`, if it is a repetition: `n}`, `n,}` or `n,m}`; else it is text.
    fn counts(&mut self) -> Result<Option<String>, PatternError> {
        let Some(length) = self.rest().iter().position(|&c| c == '}') else { return Ok(None) };
        let inside: String = self.rest().iter().take(length).collect();
        let (least, most) = match inside.split_once(',') {
            None => (inside.as_str(), inside.as_str()),
            Some((least, "")) => (least, least),
            Some(both) => both,
        };
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !is_number(least) || !is_number(most) {
            return Ok(None);
        }
        let (least, most) = (least.parse().unwrap_or(u32::MAX), most.parse().unwrap_or(u32::MAX));
        if least > REPEAT_MAX || most > REPEAT_MAX {
            return Err(self.malformed("a repetition count beyond 1000"));
        }
        if least > most {
            return Err(self.malformed("a repetition count whose end is before its beginning"));
        }
        self.at += length + 1;
        Ok(Some(format!("{{{inside}}}")))
    }

    fn open_group(&mut self) -> Result<(), PatternError> {
        self.push_operator('(', Before::Nothing);
        self.depth += 1;
        if !self.take("?") {
            return Ok(());
        }
        if self.take("=") || self.take("!") || self.take("<=") || self.take("<!") {
            return Err(self.malformed("look-around is not supported"));
        }
        if self.take("P<") || self.take("<") {
            return self.group_name();
        }
        self.flags()
    }

    fn group_name(&mut self) -> Result<(), PatternError> {
        let length = self.rest().iter().position(|&c| c == '>');
        let name: String = self.rest().iter().take(length.unwrap_or(0)).collect();
        let is_name = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if name.is_empty() || !is_name || name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(self.malformed("not the name of a group"));
        }
        self.at += name.len() + 1;
        let _ = write!(self.out, "?P<{name}>");
        Ok(())
    }

    /// `(?i)`, `(?s-m:` and so on, from behind the question mark.
    fn flags(&mut self) -> Result<(), PatternError> {
        let begin = self.at;
        loop {
            match self.next() {
                Some(':') => break,
                Some(')') if self.at - begin > 1 => {
                    self.depth -= 1;
                    break;
                }
                Some('i' | 'm' | 's' | 'U' | '-') => {}
                _ => return Err(self.malformed("an unknown kind of group")),
            }
        }
        let flags: String = self.chars.get(begin..self.at).unwrap_or(&[]).iter().collect();
        self.out.push('?');
        self.out.push_str(&flags);
        Ok(())
    }

    /// What follows a backslash outside a class.
    fn escape(&mut self) -> Result<(), PatternError> {
        match self.peek() {
            Some('A') => {
                self.at += 1;
                self.out.push_str(r"\A");
                self.before = Before::Atom;
                if !self.prefix.text.is_empty() {
                    self.prefix.close();
                }
            }
            Some(c @ ('z' | 'b' | 'B')) => {
                self.at += 1;
                self.out.push('\\');
                self.push_operator(c, Before::Atom);
            }
            Some('Q') => {
                self.at += 1;
                while !self.take(r"\E") {
                    let Some(c) = self.next() else { break };
                    self.literal(c);
                }
            }
            // Without a `\Q` before it RE2 refuses it; with one it was taken above.
            Some('E') => return Err(self.malformed(r"`\E` without `\Q`")),
            _ => match self.escaped()? {
                Escaped::Char(c) => self.literal(c),
                Escaped::Class { ranges, negated } => {
                    self.out.push_str(if negated { "[^" } else { "[" });
                    ranges.iter().for_each(|range| push_range(&mut self.out, *range));
                    self.push_operator(']', Before::Atom);
                }
                Escaped::Property(text) => {
                    let _ = write!(self.out, "(?u:{text}");
                    self.push_operator(')', Before::Atom);
                }
            },
        }
        Ok(())
    }

    /// What follows a backslash and means the same inside and outside a class.
    fn escaped(&mut self) -> Result<Escaped, PatternError> {
        let class = |ranges, negated| Ok(Escaped::Class { ranges, negated });
        let c = self.next().ok_or_else(|| self.malformed("a backslash at the end"))?;
        Ok(Escaped::Char(match c {
            'd' | 'D' => return class(DIGIT, c == 'D'),
            's' | 'S' => return class(SPACE, c == 'S'),
            'w' | 'W' => return class(WORD, c == 'W'),
            'p' | 'P' => return self.property(c).map(Escaped::Property),
            'a' => '\x07',
            'f' => '\x0C',
            't' => '\t',
            'n' => '\n',
            'r' => '\r',
            'v' => '\x0B',
            'x' => self.hex()?,
            '0' => self.octal(0),
            '1'..='7' if self.peek().is_some_and(|next| next.is_digit(8)) => {
                self.octal(c.to_digit(8).unwrap_or(0))
            }
            '1'..='9' => return Err(self.malformed("back-references are not supported")),
            'C' => return Err(self.malformed(r"`\C` is not supported")),
            c if c.is_ascii() && !c.is_ascii_alphanumeric() => c,
            _ => return Err(self.malformed("an unknown escape sequence")),
        }))
    }

    /// `\pN`, `\p{Greek}`, `\p{^Greek}`, `\PN`: the names are for the engine to know.
    fn property(&mut self, p: char) -> Result<String, PatternError> {
        let mut negated = p == 'P';
        let name: String = if self.take("{") {
            negated ^= self.take("^");
            let length = self.rest().iter().position(|&c| c == '}');
            let length = length.ok_or_else(|| self.malformed("missing `}`"))?;
            let name = self.rest().iter().take(length).collect();
            self.at += length + 1;
            name
        } else {
            self.next().into_iter().collect()
        };
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return Err(self.malformed("not the name of a Unicode class"));
        }
        Ok(format!("\\{}{{{name}}}", if negated { 'P' } else { 'p' }))
    }

    fn hex(&mut self) -> Result<char, PatternError> {
        let digits: String = if self.take("{") {
            let length = self.rest().iter().position(|&c| c == '}').unwrap_or(0);
            let digits = self.rest().iter().take(length).collect();
            self.at += length + 1;
            digits
        } else {
            let digits = self.rest().iter().take(2).collect();
            self.at = (self.at + 2).min(self.chars.len());
            digits
        };
        let all_hex = (1..=6).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit());
        let code = if all_hex { u32::from_str_radix(&digits, 16).ok() } else { None };
        code.and_then(char::from_u32).ok_or_else(|| self.malformed("not a hexadecimal character code"))
    }

    fn octal(&mut self, first: u32) -> char {
        let mut code = first;
        for _ in 0..2 {
            let Some(digit) = self.peek().and_then(|c| c.to_digit(8)) else { break };
            code = code * 8 + digit;
            self.at += 1;
        }
        char::from_u32(code).unwrap_or('\0')
    }

    /// What follows `[`. Members that are not ASCII make it a class of characters, else it is one of bytes.
    fn class(&mut self) -> Result<(), PatternError> {
        let negated = self.take("^");
        let mut members = String::new();
        let mut characters = false;
        let mut first = true;
        loop {
            let c = self.next().ok_or_else(|| self.malformed("missing `]`"))?;
            if c == ']' && !first {
                break;
            }
            first = false;
            if c == '[' && self.peek() == Some(':') && self.posix_class(&mut members)? {
                continue;
            }
            let low = match self.class_char(c)? {
                Escaped::Char(low) => low,
                Escaped::Class { ranges, negated } => {
                    members.push_str(if negated { "[^" } else { "[" });
                    ranges.iter().for_each(|range| push_range(&mut members, *range));
                    members.push(']');
                    continue;
                }
                Escaped::Property(text) => {
                    characters = true;
                    members.push_str(&text);
                    continue;
                }
            };
            let is_range = matches!(self.rest(), ['-', end, ..] if *end != ']');
            let mut high = low;
            if is_range {
                self.at += 1;
                let c = self.next().unwrap_or(']');
                let Escaped::Char(end) = self.class_char(c)? else {
                    return Err(self.malformed("a range that ends with a class"));
                };
                high = end;
            }
            if high < low {
                return Err(self.malformed("a range whose end is before its beginning"));
            }
            characters |= !high.is_ascii();
            push_range(&mut members, (low, high));
        }
        let caret = if negated { "^" } else { "" };
        let _ = match characters {
            true => write!(self.out, "(?u:[{caret}{members}])"),
            false => write!(self.out, "[{caret}{members}]"),
        };
        Ok(())
    }

    fn class_char(&mut self, c: char) -> Result<Escaped, PatternError> {
        if c == '\\' { self.escaped() } else { Ok(Escaped::Char(c)) }
    }

    /// `[:alpha:]` and `[:^alpha:]`, from the colon. RE2 takes one without an end as text.
    fn posix_class(&mut self, members: &mut String) -> Result<bool, PatternError> {
        const NAMES: [&str; 14] = [
            "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
            "space", "upper", "word", "xdigit",
        ];
        let text: String = self.rest().iter().collect();
        let Some((name, _)) = text.strip_prefix(':').and_then(|t| t.split_once(":]")) else {
            return Ok(false);
        };
        let bare = name.strip_prefix('^').unwrap_or(name);
        if !NAMES.contains(&bare) {
            return Err(self.malformed("an unknown class such as `[:alpha:]`"));
        }
        self.at += name.len() + 3;
        let _ = write!(members, "[:{name}:]");
        Ok(true)
    }
}

impl Prefix {
    /// A character, and where in the translated source it stands.
    fn push(&mut self, c: char, at: Range<usize>) {
        if self.open {
            let mut buffer = [0; 4];
            let encoded = c.encode_utf8(&mut buffer).as_bytes();
            self.text.extend_from_slice(encoded);
            self.last_char = encoded.len();
            (self.last_at, self.rest_at) = (at.start, at.end);
        }
    }

    /// The last character may be repeated, or may not be there at all, so it is part of the rest.
    fn forget_last(&mut self) {
        if self.open {
            self.text.truncate(self.text.len() - self.last_char);
            self.rest_at = self.last_at;
        }
    }

    fn clear(&mut self) {
        self.text.clear();
        self.rest_at = 0;
    }

    fn close(&mut self) {
        self.open = false;
    }
}

fn push_literal(out: &mut String, c: char) {
    let _ = match c {
        c if c.is_ascii_alphanumeric() => write!(out, "{c}"),
        c if c.is_ascii() => write!(out, "\\x{{{:X}}}", c as u32),
        // A group of its own: the engine folds the case of such a character only where it knows Unicode.
        c => write!(out, "(?u:{c})"),
    };
}

fn push_range(out: &mut String, (low, high): (char, char)) {
    let _ = match low == high {
        true => write!(out, "\\x{{{:X}}}", low as u32),
        false => write!(out, "\\x{{{:X}}}-\\x{{{:X}}}", low as u32, high as u32),
    };
}
