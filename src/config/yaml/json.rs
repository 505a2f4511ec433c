//! JSON (RFC 8259) into the same tree. YAML's own reading of JSON knows no surrogate pairs (`"\ud83d\ude00"`), and no
//! values one after another as `jq` writes them.

use super::{
    Diagnostic, Key, Node, Scalar, Span, Style, Value,
    build::{DEPTH_MAX, refuse_duplicates},
    split::Chunk,
};
use std::borrow::Cow;

/// Reads one document; nothing if it is not JSON as a whole. Only keys that occur twice are a problem, and none where
/// there is no tree.
pub(super) fn tree<'t>(chunk: &Chunk<'t>, problems: &mut Vec<Diagnostic>) -> Option<Node<'t>> {
    let (line, column) = (chunk.span.line, chunk.span.column);
    let mut reader =
        Reader { text: chunk.text, offset: 0, origin: chunk.span, line, column, counted: 0, problems };
    let node = reader.value(0)?;
    reader.skip_space();
    (reader.offset == reader.text.len()).then_some(node)
}

/// Whether a text is one JSON value.
pub(super) fn is_value(text: &str) -> bool {
    tree(&Chunk { text, span: Span::default() }, &mut Vec::new()).is_some()
}

/// Where the values of a text end that is JSON values one after another; only brackets are looked at.
pub(super) fn ends_of_values(text: &str) -> Vec<usize> {
    let (mut ends, mut depth, mut in_string, mut is_escaped) = (Vec::new(), 0usize, false, false);
    for (offset, byte) in text.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_string => is_escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    ends.push(offset + 1);
                }
            }
            _ => {}
        }
    }
    ends
}

struct Reader<'t, 'p> {
    text: &'t str,
    offset: usize,
    origin: Span,
    /// The place of byte `counted`.
    line: u32,
    column: u32,
    counted: usize,
    problems: &'p mut Vec<Diagnostic>,
}

impl<'t> Reader<'t, '_> {
    fn value(&mut self, depth: usize) -> Option<Node<'t>> {
        if depth >= DEPTH_MAX {
            return None;
        }
        self.skip_space();
        let start = self.place();
        let value = match self.peek()? {
            b'{' => self.object(depth)?,
            b'[' => self.array(depth)?,
            b'"' => Value::Scalar(Scalar { text: self.string()?, style: Style::Text }),
            _ => Value::Scalar(Scalar { text: Cow::Borrowed(self.word()?), style: Style::Plain }),
        };
        Some(Node { value, span: self.until_here(start) })
    }

    fn object(&mut self, depth: usize) -> Option<Value<'t>> {
        let mut entries = Vec::new();
        self.take(b'{')?;
        self.skip_space();
        if self.take(b'}').is_some() {
            return Some(Value::Map(entries));
        }
        loop {
            self.skip_space();
            let start = self.place();
            let text = self.string()?;
            let key = Key { text, span: self.until_here(start) };
            self.skip_space();
            self.take(b':')?;
            entries.push((key, self.value(depth + 1)?));
            self.skip_space();
            if self.take(b',').is_none() {
                self.take(b'}')?;
                refuse_duplicates(&mut entries, self.problems);
                return Some(Value::Map(entries));
            }
        }
    }

    fn array(&mut self, depth: usize) -> Option<Value<'t>> {
        let mut items = Vec::new();
        self.take(b'[')?;
        self.skip_space();
        if self.take(b']').is_some() {
            return Some(Value::List(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.skip_space();
            if self.take(b',').is_none() {
                self.take(b']')?;
                return Some(Value::List(items));
            }
        }
    }

    /// A number, `true`, `false` or `null`.
    fn word(&mut self) -> Option<&'t str> {
        let rest = self.rest();
        let end = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.')))
            .unwrap_or(rest.len());
        let word = rest.get(..end)?;
        let is_number =
            word.starts_with(|c: char| c.is_ascii_digit() || c == '-') && word.parse::<f64>().is_ok();
        self.offset += end;
        (is_number || matches!(word, "true" | "false" | "null")).then_some(word)
    }

    fn string(&mut self) -> Option<Cow<'t, str>> {
        self.take(b'"')?;
        let mut unescaped: Option<String> = None;
        loop {
            let rest = self.rest();
            let end = rest.find(|c: char| matches!(c, '"' | '\\') || c < ' ')?;
            let plain = rest.get(..end)?;
            self.offset += end;
            if self.take(b'"').is_some() {
                return Some(match unescaped {
                    Some(text) => Cow::Owned(text + plain),
                    None => Cow::Borrowed(plain),
                });
            }
            self.take(b'\\')?;
            let text = unescaped.get_or_insert_default();
            text.push_str(plain);
            text.push(self.escape()?);
        }
    }

    fn escape(&mut self) -> Option<char> {
        let letter = self.peek()?;
        self.offset += 1;
        Some(match letter {
            b'"' | b'\\' | b'/' => char::from(letter),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode(),
            _ => return None,
        })
    }

    /// RFC 8259 section 7: a character above U+FFFF is two escapes.
    fn unicode(&mut self) -> Option<char> {
        let first = self.hexadecimal()?;
        if !(0xd800..0xdc00).contains(&first) {
            return char::from_u32(first);
        }
        self.take(b'\\')?;
        self.take(b'u')?;
        let second = self.hexadecimal()?.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
        char::from_u32(0x10000 + ((first - 0xd800) << 10) + second)
    }

    fn hexadecimal(&mut self) -> Option<u32> {
        let digits =
            self.rest().get(..4).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        self.offset += 4;
        u32::from_str_radix(digits, 16).ok()
    }

    fn skip_space(&mut self) {
        let rest = self.rest();
        self.offset += rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek() == Some(byte)).then(|| self.offset += 1)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.offset).copied()
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.offset..).unwrap_or("")
    }

    /// The place that has been reached. Places are asked for in order, so each character is counted once.
    fn place(&mut self) -> Span {
        for c in self.text.get(self.counted..self.offset).unwrap_or("").chars() {
            (self.line, self.column) =
                if c == '\n' { (self.line + 1, 1) } else { (self.line, self.column + 1) };
        }
        self.counted = self.offset;
        let start = self.origin.start + self.offset as u32;
        Span { file: self.origin.file, start, end: start, line: self.line, column: self.column }
    }

    fn until_here(&self, start: Span) -> Span {
        Span { end: self.origin.start + self.offset as u32, ..start }
    }
}
