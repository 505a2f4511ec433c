//! YAML as nearly everybody writes it, in one walk over its bytes: block mappings and sequences, flow collections on one line,
//! words and simple strings. The parser of all of YAML takes ten times as long, which counts where there are ten thousand
//! VirtualServices.
//!
//! Whatever is not certainly understood here, or not certainly right, is left to that parser: anchors, tags, block scalars,
//! values on several lines, escapes, what is not ASCII, and every mistake. A tree that is made here is the one that it makes,
//! with the same places: the tests hold one against the other.

use super::{
    Diagnostic, Key, Node, Scalar, Span, Style, Value,
    build::{DEPTH_MAX, refuse_duplicates},
    split::Chunk,
};
use std::borrow::Cow;

#[cfg(test)]
mod tests;

/// The longest key; YAML's limit is 1024 characters with all that may stand before the colon.
const KEY_MAX: usize = 1000;

/// Reads one document; nothing if it is not as simple as that. Only keys that occur twice are a problem, and none where
/// there is no tree.
pub(super) fn tree<'t>(chunk: &Chunk<'t>, problems: &mut Vec<Diagnostic>) -> Option<Node<'t>> {
    let is_plain = |byte: &u8| matches!(byte, b' '..=b'~' | b'\n');
    if chunk.span.column != 1 || !chunk.text.as_bytes().iter().all(is_plain) {
        return None;
    }
    let mut reader = Reader {
        text: chunk.text,
        at: 0,
        line_start: 0,
        line: chunk.span.line,
        origin: chunk.span,
        problems,
    };
    reader.skip_marker()?;
    reader.next_content();
    let root = reader.block(0)?;
    (reader.at == reader.text.len()).then_some(root)
}

struct Reader<'t, 'p> {
    text: &'t str,
    /// The next byte; between two nodes, that of the next content.
    at: usize,
    /// Where its line begins.
    line_start: usize,
    line: u32,
    origin: Span,
    problems: &'p mut Vec<Diagnostic>,
}

/// A key with its colon and whatever follows on the line, or a value.
enum Word<'t> {
    Key(Key<'t>),
    Value(Node<'t>),
}

impl<'t> Reader<'t, '_> {
    fn peek(&self) -> Option<u8> {
        self.byte(self.at)
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }

    /// How far the next byte is from the beginning of its line.
    fn column(&self) -> usize {
        self.at - self.line_start
    }

    /// From a place on this line to before the next byte.
    fn span_from(&self, start: usize) -> Span {
        let offset = |at: usize| self.origin.start + at as u32;
        let column = (start - self.line_start) as u32 + 1;
        Span { file: self.origin.file, start: offset(start), end: offset(self.at), line: self.line, column }
    }

    fn skip_spaces(&mut self) {
        while self.peek() == Some(b' ') {
            self.at += 1;
        }
    }

    /// Whether there is nothing more on this line but a comment.
    fn is_at_end_of_line(&self) -> bool {
        match self.peek() {
            None | Some(b'\n') => true,
            Some(b'#') => self.at == self.line_start || self.byte(self.at - 1) == Some(b' '),
            Some(_) => false,
        }
    }

    /// Goes on to the next content: behind the rest of this line, which is a comment if anything, and lines without any.
    fn next_content(&mut self) {
        loop {
            self.skip_spaces();
            if !self.is_at_end_of_line() || self.peek().is_none() {
                return;
            }
            let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
            let Some(end) = memchr::memchr(b'\n', rest) else {
                self.at = self.text.len();
                self.line_start = self.at;
                return;
            };
            self.at += end + 1;
            self.line_start = self.at;
            self.line += 1;
        }
    }

    /// The `---` before the document, alone on its line.
    fn skip_marker(&mut self) -> Option<()> {
        self.next_content();
        if self.column() == 0 && self.text.get(self.at..)?.starts_with("---") {
            self.at += 3;
            self.skip_spaces();
            return self.is_at_end_of_line().then_some(());
        }
        // Directives are not plain.
        (self.peek()? != b'%').then_some(())
    }

    /// Whether the next byte is the dash of an entry of a sequence.
    fn is_at_dash(&self) -> bool {
        self.peek() == Some(b'-') && self.is_gap(self.at + 1)
    }

    /// Whether a word ends before this byte.
    fn is_gap(&self, at: usize) -> bool {
        matches!(self.byte(at), None | Some(b' ' | b'\n'))
    }

    /// A block collection that begins with the next byte.
    fn block(&mut self, depth: usize) -> Option<Node<'t>> {
        if depth >= DEPTH_MAX || self.peek().is_none() {
            return None;
        }
        if self.is_at_dash() {
            return self.sequence(depth);
        }
        match self.word()? {
            Word::Key(key) => self.mapping(key, depth),
            Word::Value(_) => None,
        }
    }

    /// The entries that begin in this column; the first begins with the next byte.
    fn sequence(&mut self, depth: usize) -> Option<Node<'t>> {
        let column = self.column();
        let mut span = self.span_from(self.at);
        let mut items = Vec::new();
        while self.column() == column && self.is_at_dash() {
            self.at += 1;
            self.skip_spaces();
            let item = match self.is_at_end_of_line() {
                true => self.nested(column, depth)?,
                false if self.is_at_dash() => self.block(depth + 1)?,
                false => match self.word_or_flow(depth)? {
                    Word::Key(_) if depth + 1 >= DEPTH_MAX => return None,
                    Word::Key(key) => self.mapping(key, depth + 1)?,
                    Word::Value(node) => self.ended(node, column)?,
                },
            };
            items.push(item);
        }
        self.is_outside(column)?;
        span.end = items.last().map_or(span.end, |item| item.span.end);
        Some(Node { value: Value::List(items), span })
    }

    /// The entries whose keys begin in the column of the first one, which was read.
    fn mapping(&mut self, first: Key<'t>, depth: usize) -> Option<Node<'t>> {
        let mut span = first.span;
        let column = span.column as usize - 1;
        let mut entries = Vec::new();
        let mut key = first;
        loop {
            self.skip_spaces();
            let value = match self.is_at_end_of_line() {
                true => self.nested_in_mapping(column, depth)?,
                false => match self.word_or_flow(depth)? {
                    Word::Value(node) => self.ended(node, column)?,
                    Word::Key(_) => return None,
                },
            };
            span.end = value.span.end;
            entries.push((key, value));
            if self.peek().is_none() || self.column() != column {
                break;
            }
            let Word::Key(next) = self.word()? else { return None };
            key = next;
        }
        self.is_outside(column)?;
        refuse_duplicates(&mut entries, self.problems);
        Some(Node { value: Value::Map(entries), span })
    }

    /// What follows a collection is further left, and nothing is an entry of it.
    fn is_outside(&self, column: usize) -> Option<()> {
        // An entry of a mapping may follow a sequence in the same column.
        (self.peek().is_none() || self.column() <= column).then_some(())
    }

    /// The value of a key with nothing behind it: a block that is further right, or a sequence right below.
    fn nested_in_mapping(&mut self, column: usize, depth: usize) -> Option<Node<'t>> {
        self.next_content();
        let is_below = self.column() == column && self.is_at_dash();
        (is_below || self.column() > column).then_some(())?;
        let mut node = self.block(depth + 1)?;
        // The parser's place of a sequence that is no further right than its key is that of its first entry.
        if let (true, Value::List(items)) = (is_below, &node.value)
            && let Some(first) = items.first()
        {
            // On another line it is elsewhere.
            (first.span.line == node.span.line).then_some(())?;
            node.span = Span { end: node.span.end, ..first.span };
        }
        Some(node)
    }

    /// The same for an entry of a sequence.
    fn nested(&mut self, column: usize, depth: usize) -> Option<Node<'t>> {
        self.next_content();
        (self.column() > column).then_some(())?;
        self.block(depth + 1)
    }

    /// A value that was read is all of it: nothing else is on the line, and the next line is not a part of it.
    fn ended(&mut self, node: Node<'t>, column: usize) -> Option<Node<'t>> {
        self.is_at_end_of_line().then_some(())?;
        self.next_content();
        self.is_outside(column)?;
        Some(node)
    }

    fn word_or_flow(&mut self, depth: usize) -> Option<Word<'t>> {
        match self.peek()? {
            b'[' | b'{' => self.flow(depth + 1).map(Word::Value),
            _ => self.word(),
        }
    }

    /// A key, or a scalar that is all of its line.
    fn word(&mut self) -> Option<Word<'t>> {
        let start = self.at;
        let (text, style) = match self.peek()? {
            quote @ (b'"' | b'\'') => (self.quoted(quote)?, Style::Text),
            _ => (self.plain(false)?, Style::Plain),
        };
        let span = self.span_from(start);
        if self.peek() == Some(b':') && self.is_gap(self.at + 1) {
            self.at += 1;
            return Some(Word::Key(key(text, style, span)?));
        }
        self.skip_spaces();
        Some(Word::Value(scalar(text, style, span)))
    }

    /// A string without escapes, on one line.
    fn quoted(&mut self, quote: u8) -> Option<&'t str> {
        let start = self.at + 1;
        let rest = self.text.get(start..)?;
        let escapes = |byte: u8| byte == b'\\' && quote == b'"';
        let length = rest.bytes().position(|byte| byte == quote || byte == b'\n' || escapes(byte))?;
        let end = start + length;
        let is_doubled = self.byte(end + 1) == Some(quote);
        (self.byte(end) == Some(quote) && !is_doubled).then_some(())?;
        self.at = end + 1;
        rest.get(..length)
    }

    /// A word without quotes, up to the end of the line, a comment or a colon; in a flow collection, up to its punctuation.
    fn plain(&mut self, in_flow: bool) -> Option<&'t str> {
        let start = self.at;
        let first = self.peek()?;
        // The end of a document, and whatever follows on its line.
        if self.column() == 0 && self.text.get(start..)?.starts_with("...") {
            return None;
        }
        let is_sign = first == b'-' && self.byte(start + 1).is_some_and(|byte| byte.is_ascii_alphanumeric());
        (is_sign || first.is_ascii_alphanumeric() || b"/._~(+$^=\\;<".contains(&first)).then_some(())?;
        // Behind the last byte that is no space.
        let mut end = start;
        let mut at = start;
        loop {
            match self.byte(at) {
                None | Some(b'\n') => break,
                // The parser refuses some that end in an indicator.
                Some(b',' | b'[' | b']' | b'{' | b'}') if in_flow => match self.byte(at.saturating_sub(1)) {
                    Some(b'-' | b'?' | b':') => return None,
                    _ => break,
                },
                Some(b' ') => {}
                Some(b'#') if end < at => break,
                Some(b':') => match self.byte(at + 1) {
                    None | Some(b' ' | b'\n') => {
                        // A space before the colon is rare enough.
                        (end == at).then_some(())?;
                        break;
                    }
                    Some(b',' | b'[' | b']' | b'{' | b'}') if in_flow => return None,
                    Some(_) => end = at + 1,
                },
                Some(_) => end = at + 1,
            }
            at += 1;
        }
        self.at = end;
        self.text.get(start..end)
    }

    /// A collection in brackets, on one line. The parser's place of one is as long as the space and the comment behind it, so
    /// there are none.
    fn flow(&mut self, depth: usize) -> Option<Node<'t>> {
        if depth >= DEPTH_MAX {
            return None;
        }
        let start = self.at;
        let is_map = self.peek() == Some(b'{');
        self.at += 1;
        self.skip_spaces();
        let value =
            if is_map { Value::Map(self.flow_entries(depth)?) } else { Value::List(self.flow_items(depth)?) };
        let span = self.span_from(start);
        (self.peek() != Some(b' ')).then_some(Node { value, span })
    }

    fn flow_items(&mut self, depth: usize) -> Option<Vec<Node<'t>>> {
        let mut items = Vec::new();
        if self.take(b']') {
            return Some(items);
        }
        loop {
            items.push(self.flow_value(depth)?);
            if self.take(b']') {
                return Some(items);
            }
            self.comma()?;
        }
    }

    fn flow_entries(&mut self, depth: usize) -> Option<Vec<(Key<'t>, Node<'t>)>> {
        let mut entries = Vec::new();
        if self.take(b'}') {
            return Some(entries);
        }
        loop {
            let start = self.at;
            let (text, style) = self.flow_word()?;
            let key = key(text, style, self.span_from(start))?;
            (self.take(b':') && self.peek() == Some(b' ')).then_some(())?;
            self.skip_spaces();
            entries.push((key, self.flow_value(depth)?));
            if self.take(b'}') {
                refuse_duplicates(&mut entries, self.problems);
                return Some(entries);
            }
            self.comma()?;
        }
    }

    /// A value in a flow collection, and the space behind it.
    fn flow_value(&mut self, depth: usize) -> Option<Node<'t>> {
        let node = match self.peek()? {
            b'[' | b'{' => self.flow(depth + 1)?,
            _ => {
                let start = self.at;
                let (text, style) = self.flow_word()?;
                scalar(text, style, self.span_from(start))
            }
        };
        self.skip_spaces();
        Some(node)
    }

    fn flow_word(&mut self) -> Option<(&'t str, Style)> {
        match self.peek()? {
            quote @ (b'"' | b'\'') => Some((self.quoted(quote)?, Style::Text)),
            _ => Some((self.plain(true)?, Style::Plain)),
        }
    }

    /// The comma between two parts of a flow collection.
    fn comma(&mut self) -> Option<()> {
        self.take(b',').then_some(())?;
        self.skip_spaces();
        Some(())
    }

    fn take(&mut self, byte: u8) -> bool {
        let is_here = self.peek() == Some(byte);
        self.at += usize::from(is_here);
        is_here
    }
}

fn scalar<'t>(text: &'t str, style: Style, span: Span) -> Node<'t> {
    Node { value: Value::Scalar(Scalar { text: Cow::Borrowed(text), style }), span }
}

/// A key that stands for itself: `<<` is a merge.
fn key(text: &str, style: Style, span: Span) -> Option<Key<'_>> {
    let is_merge = style == Style::Plain && text == "<<";
    (!is_merge && text.len() <= KEY_MAX).then_some(Key { text: Cow::Borrowed(text), span })
}
