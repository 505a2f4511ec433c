//! The header fields of one message, in order, in one arena.

use super::Name;

/// The header fields of one message in the order they came. Names are in lower case; values are as received,
/// without the white space around them.
///
/// All bytes live in one arena that is kept when the fields are cleared, so a connection that serves many requests
/// allocates nothing for them. Positions are `u32`: the codec's limits keep a head far below 4 GiB.
///
/// In the arena a field lies as HTTP/1.1 sends it: `name: value` and CRLF. So a line that came in that form is
/// copied once, and neighbours leave in one copy.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    arena: Vec<u8>,
    list: Vec<Entry>,
    /// Memory for values while they are made; empty otherwise.
    scratch: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    at: u32,
    value_len: u32,
    name_len: u16,
    name: Name,
}

/// What lies between a name and its value in the arena.
const SEPARATOR: &[u8] = b": ";
/// What ends a field in the arena.
const LINE_END: &[u8] = b"\r\n";

/// One field of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// The name, in lower case.
    pub text: &'a [u8],
    /// The name as the proxy knows it.
    pub name: Name,
    /// The value, without the white space around it.
    pub value: &'a [u8],
}

impl Fields {
    /// Removes all fields and keeps the memory.
    pub fn clear(&mut self) {
        self.arena.clear();
        self.list.clear();
    }

    /// How many fields there are; a name that occurs twice counts twice.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there is no field at all.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Appends a field. `text` may be in any case; it is stored in lower case.
    pub fn push(&mut self, text: &[u8], value: &[u8]) {
        self.push_named(text, value);
    }

    /// As [`Fields::push`], and says which name it is.
    pub fn push_named(&mut self, text: &[u8], value: &[u8]) -> Name {
        let at = self.arena.len();
        self.arena.extend(text.iter().map(u8::to_ascii_lowercase));
        let name = Name::of(&self.arena[at..]);
        self.push_value(
            Entry { at: at as u32, value_len: value.len() as u32, name_len: text.len() as u16, name },
            value,
        );
        name
    }

    /// Appends a field whose name is already in lower case and known: no look at its text is needed.
    pub fn push_known(&mut self, name: Name, lower: &'static str, value: &[u8]) {
        let at = self.arena.len();
        self.arena.extend_from_slice(lower.as_bytes());
        self.push_value(
            Entry { at: at as u32, value_len: value.len() as u32, name_len: lower.len() as u16, name },
            value,
        );
    }

    fn push_value(&mut self, entry: Entry, value: &[u8]) {
        debug_assert!(
            memchr::memchr3(b'\r', b'\n', 0, value).is_none(),
            "a value that would split the message"
        );
        self.arena.extend_from_slice(SEPARATOR);
        self.arena.extend_from_slice(value);
        self.arena.extend_from_slice(LINE_END);
        self.list.push(entry);
    }

    /// Appends a whole line, `Name: value` and CRLF with exactly one space, and says which name it is. The name may
    /// be in any case. The caller has checked the line.
    pub fn push_line(&mut self, line: &[u8], name_len: usize) -> Name {
        debug_assert!(
            line.get(name_len..).is_some_and(|rest| rest.starts_with(SEPARATOR)) && line.ends_with(LINE_END)
        );
        let at = self.arena.len();
        self.arena.extend_from_slice(line);
        let lower = &mut self.arena[at..][..name_len];
        lower_name(lower);
        let name = Name::of(lower);
        let value_len = line.len() - name_len - SEPARATOR.len() - LINE_END.len();
        self.list.push(Entry { at: at as u32, value_len: value_len as u32, name_len: name_len as u16, name });
        name
    }

    /// Removes the field that was appended last.
    pub fn pop(&mut self) {
        if let Some(entry) = self.list.pop() {
            self.arena.truncate(entry.at as usize);
        }
    }

    /// The first value of a known name.
    pub fn get(&self, name: Name) -> Option<&[u8]> {
        debug_assert!(name != Name::Other && name != Name::XEnvoy);
        self.list.iter().find(|e| e.name == name).map(|e| self.value(e))
    }

    /// The first value of a name in lower case.
    pub fn get_text(&self, lower: &[u8]) -> Option<&[u8]> {
        self.iter().find(|f| f.text == lower).map(|f| f.value)
    }

    /// All values of a name in lower case, in order.
    pub fn get_all<'a>(&'a self, lower: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        self.iter().filter(move |f| f.text == lower).map(|f| f.value)
    }

    /// Removes every field of a known name. Returns how many there were.
    pub fn remove(&mut self, name: Name) -> usize {
        debug_assert!(name != Name::Other);
        let before = self.list.len();
        self.list.retain(|e| e.name != name);
        before - self.list.len()
    }

    /// Removes every field with this name in lower case. Returns how many there were.
    pub fn remove_text(&mut self, lower: &[u8]) -> usize {
        let before = self.list.len();
        let arena = &self.arena;
        self.list.retain(|e| name_of(arena, e) != lower);
        before - self.list.len()
    }

    /// Keeps the fields for which `keep` says so.
    pub fn retain(&mut self, mut keep: impl FnMut(Field<'_>) -> bool) {
        let arena = &self.arena;
        self.list.retain(|e| keep(field_of(arena, e)));
    }

    /// Replaces all fields of this name (in lower case) by one with this value; appends it where there was none.
    pub fn set(&mut self, lower: &[u8], value: &[u8]) {
        self.remove_text(lower);
        self.push(lower, value);
    }

    /// All fields in order.
    pub fn iter(&self) -> impl Iterator<Item = Field<'_>> {
        self.list.iter().map(|e| field_of(&self.arena, e))
    }

    /// Appends all fields to `out` as HTTP/1.1 sends them: `name: value` and CRLF each.
    pub fn write_lines(&self, out: &mut Vec<u8>) {
        let mut run = 0..0;
        for entry in &self.list {
            let at = entry.at as usize;
            if at != run.end {
                out.extend_from_slice(&self.arena[run]);
                run = at..at;
            }
            run.end = entry.value_at() + entry.value_len as usize + LINE_END.len();
        }
        out.extend_from_slice(&self.arena[run]);
    }

    /// Lends out memory that is kept with these fields, so that making values from them allocates nothing.
    pub(crate) fn take_scratch(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.scratch)
    }

    /// Takes the lent memory back, and forgets what is in it.
    pub(crate) fn return_scratch(&mut self, mut scratch: Vec<u8>) {
        scratch.clear();
        self.scratch = scratch;
    }

    fn value(&self, entry: &Entry) -> &[u8] {
        field_of(&self.arena, entry).value
    }
}

impl Entry {
    fn value_at(&self) -> usize {
        self.at as usize + self.name_len as usize + SEPARATOR.len()
    }
}

/// Puts an ASCII name in lower case, a word at a time; the last word overlaps the one before.
fn lower_name(name: &mut [u8]) {
    let last = name.len().wrapping_sub(8);
    if last > name.len() {
        return name.make_ascii_lowercase();
    }
    for at in (0..last).step_by(8).chain([last]) {
        if let Some(word) = name[at..].first_chunk_mut::<8>() {
            *word = lower_word(u64::from_le_bytes(*word)).to_le_bytes();
        }
    }
}

/// Puts eight ASCII bytes in lower case: those from `A` to `Z` get the bit 0x20.
fn lower_word(word: u64) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    let from_a = word + ONES * (0x80 - u64::from(b'A'));
    let after_z = word + ONES * (0x80 - u64::from(b'Z') - 1);
    word | (from_a & !after_z & (ONES * 0x80)) >> 2
}

fn name_of<'a>(arena: &'a [u8], entry: &Entry) -> &'a [u8] {
    &arena[entry.at as usize..][..entry.name_len as usize]
}

fn field_of<'a>(arena: &'a [u8], entry: &Entry) -> Field<'a> {
    let value = &arena[entry.value_at()..][..entry.value_len as usize];
    Field { text: name_of(arena, entry), name: entry.name, value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lowered_and_known() {
        let mut fields = Fields::default();
        fields.push(b"HoSt", b"a.example");
        fields.push(b"X-Envoy-Retry-On", b"5xx");
        fields.push(b"X-A", b"1");
        assert_eq!(fields.get(Name::Host), Some(&b"a.example"[..]));
        assert_eq!(fields.remove(Name::XEnvoy), 1);
        assert_eq!(fields.get_text(b"x-a"), Some(&b"1"[..]));
    }

    #[test]
    fn names_of_every_length_are_lowered() {
        for len in 1..40 {
            let name: Vec<u8> =
                (b'!'..=b'~').filter(|byte| *byte != b':').cycle().skip(len).take(len).collect();
            let mut fields = Fields::default();
            fields.push_line(&[&name, &b": V\r\n"[..]].concat(), len);
            let wanted = name.to_ascii_lowercase();
            assert_eq!(
                fields.iter().map(|field| (field.text, field.value)).next(),
                Some((&wanted[..], &b"V"[..]))
            );
        }
    }

    #[test]
    fn set_replaces_every_line() {
        let mut fields = Fields::default();
        fields.push(b"x", b"1");
        fields.push(b"X", b"2");
        fields.set(b"x", b"3");
        assert_eq!(fields.get_all(b"x").collect::<Vec<_>>(), [b"3"]);
    }

    #[test]
    fn lines_leave_as_they_came_but_for_what_was_removed() {
        let mut fields = Fields::default();
        assert_eq!(fields.push_line(b"Host: a\r\n", 4), Name::Host);
        fields.pop();
        assert_eq!(fields.push_line(b"A: 1\r\n", 1), Name::Other);
        fields.push(b"b", b"2");
        fields.push_line(b"C: \r\n", 1);
        fields.push_known(Name::Date, "date", b"now");
        fields.remove_text(b"b");
        let mut out = Vec::new();
        fields.write_lines(&mut out);
        assert_eq!(out, b"a: 1\r\nc: \r\ndate: now\r\n");
        assert_eq!(fields.get_text(b"c"), Some(&b""[..]));
    }
}
