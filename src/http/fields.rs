//! The header fields of one message, in order, in one arena.

use super::Name;
use super::name::RawName;

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
    /// The bit of each [`Name`] that a field has, and no other: most questions are for names that are absent, and
    /// this answers them without a walk.
    present: u32,
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
        self.present = 0;
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
        self.push_in_any_case(Name::of(text), text, value);
    }

    /// Appends a field whose name, `lower`, is in lower case, and known to be `name`.
    pub fn push_lower(&mut self, name: Name, lower: &[u8], value: &[u8]) {
        debug_assert!(Name::of(lower) == name && !lower.iter().any(u8::is_ascii_uppercase));
        let at = self.arena.len();
        self.arena.extend_from_slice(lower);
        self.push_value(at, name, value);
    }

    /// Appends a field whose name is already in lower case and known: no look at its text is needed.
    pub fn push_known(&mut self, name: Name, lower: &'static str, value: &[u8]) {
        let at = self.arena.len();
        self.arena.extend_from_slice(lower.as_bytes());
        self.push_value(at, name, value);
    }

    /// Copies a whole field section, lines that end in CRLF each, into the arena. What becomes a field of it is
    /// chosen with [`Section::keep`].
    pub(crate) fn copy_section(&mut self, bytes: &[u8], lines: usize) -> Section<'_> {
        let at = self.arena.len();
        self.arena.extend_from_slice(bytes);
        self.list.reserve(lines);
        Section { fields: self, at }
    }

    /// Whether any field has this name; for [`Name::Other`], whether any has a name that is not known.
    pub fn contains(&self, name: Name) -> bool {
        self.present & name.bit() != 0
    }

    /// The first value of a known name.
    pub fn get(&self, name: Name) -> Option<&[u8]> {
        debug_assert!(name != Name::Other && name != Name::XEnvoy);
        if !self.contains(name) {
            return None;
        }
        self.list.iter().find(|e| e.name == name).map(|e| self.value(e))
    }

    /// The first value of a known name, to be changed in place.
    pub fn get_mut(&mut self, name: Name) -> Option<&mut [u8]> {
        debug_assert!(name != Name::Other && name != Name::XEnvoy);
        let entry = self.list.iter().find(|e| e.name == name)?;
        self.arena.get_mut(entry.value_at()..entry.value_at() + entry.value_len as usize)
    }

    /// The first value of a name in lower case.
    pub fn get_text(&self, lower: &[u8]) -> Option<&[u8]> {
        self.iter().find(|f| f.text == lower).map(|f| f.value)
    }

    /// All values of a known name, in order. Where there is none, this says so without a walk.
    pub fn get_all_known(&self, name: Name) -> impl Iterator<Item = &[u8]> {
        debug_assert!(name != Name::Other && name != Name::XEnvoy);
        let list = if self.contains(name) { self.list.as_slice() } else { &[] };
        list.iter().filter(move |entry| entry.name == name).map(|entry| self.value(entry))
    }

    /// All values of a name in lower case, in order.
    pub fn get_all<'a>(&'a self, lower: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        self.iter().filter(move |f| f.text == lower).map(|f| f.value)
    }

    /// Removes every field of a known name. Returns how many there were.
    pub fn remove(&mut self, name: Name) -> usize {
        debug_assert!(name != Name::Other);
        if !self.contains(name) {
            return 0;
        }
        let before = self.list.len();
        self.list.retain(|e| e.name != name);
        self.present &= !name.bit();
        before - self.list.len()
    }

    /// Removes every field with this name in lower case. Returns how many there were.
    pub fn remove_text(&mut self, lower: &[u8]) -> usize {
        let before = self.list.len();
        self.retain(|field| field.text != lower);
        before - self.list.len()
    }

    /// Keeps the fields for which `keep` says so.
    pub fn retain(&mut self, mut keep: impl FnMut(Field<'_>) -> bool) {
        let arena = &self.arena;
        let mut present = 0;
        self.list.retain(|entry| {
            let keeps = keep(field_of(arena, entry));
            if keeps {
                present |= entry.name.bit();
            }
            keeps
        });
        self.present = present;
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

    /// Appends a field whose name is known to be `name`.
    fn push_in_any_case(&mut self, name: Name, text: &[u8], value: &[u8]) {
        let at = self.arena.len();
        self.arena.extend(text.iter().map(u8::to_ascii_lowercase));
        self.push_value(at, name, value);
    }

    /// Appends the value to the name that lies in the arena from `at` on, and lists the field.
    fn push_value(&mut self, at: usize, name: Name, value: &[u8]) {
        debug_assert!(
            memchr::memchr3(b'\r', b'\n', 0, value).is_none(),
            "a value that would split the message"
        );
        let name_len = self.arena.len() - at;
        self.arena.extend_from_slice(SEPARATOR);
        self.arena.extend_from_slice(value);
        self.arena.extend_from_slice(LINE_END);
        self.list(Entry { at: at as u32, value_len: value.len() as u32, name_len: name_len as u16, name });
    }

    #[inline]
    fn list(&mut self, entry: Entry) {
        self.present |= entry.name.bit();
        self.list.push(entry);
    }

    fn value(&self, entry: &Entry) -> &[u8] {
        field_of(&self.arena, entry).value
    }
}

/// A field section in the arena of some [`Fields`]. None of its lines is a field before it is kept.
pub(crate) struct Section<'a> {
    fields: &'a mut Fields,
    at: usize,
}

/// A line of a [`Section`], which its owner has checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SectionLine<'a> {
    /// Where it begins in the section.
    pub(crate) at: usize,
    /// What the proxy knows the name as.
    pub(crate) name: Name,
    /// The name.
    pub(crate) text: RawName<'a>,
    /// The value, without the white space around it.
    pub(crate) value: &'a [u8],
    /// Whether it lies in the arena as a field must.
    pub(crate) spacing: Spacing,
}

/// What is in a line besides name, colon and value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spacing {
    /// One space before the value, and CRLF right after it.
    Canonical,
    /// Other white space, or none.
    Other,
}

impl Section<'_> {
    /// Makes a field of a line: of where it lies, or of a copy where that is not as a field must lie.
    #[inline(always)]
    pub(crate) fn keep(&mut self, line: &SectionLine<'_>) {
        let at = self.at + line.at;
        if line.spacing == Spacing::Other {
            return self.copy(line);
        }
        let name_len = line.text.bytes().len();
        line.text.lower_into(&mut self.fields.arena[at..][..name_len]);
        self.fields.list(Entry {
            at: at as u32,
            value_len: line.value.len() as u32,
            name_len: name_len as u16,
            name: line.name,
        });
    }

    #[cold]
    fn copy(&mut self, line: &SectionLine<'_>) {
        self.fields.push_in_any_case(line.name, line.text.bytes(), line.value);
    }
}

impl Entry {
    fn value_at(&self) -> usize {
        self.at as usize + self.name_len as usize + SEPARATOR.len()
    }
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

    /// Keeps one line of a section.
    fn keep(fields: &mut Fields, line: &str) -> Name {
        let (name, value) = line.split_once(':').unwrap();
        let spacing = if value.starts_with(' ') { Spacing::Canonical } else { Spacing::Other };
        let mut section = fields.copy_section(line.as_bytes(), 1);
        let (text, value) = (RawName::new(name.as_bytes()), value.trim_ascii().as_bytes());
        section.keep(&SectionLine { at: 0, name: text.name(), text, value, spacing });
        text.name()
    }

    #[test]
    fn names_of_every_length_are_lowered() {
        for len in 1..40 {
            let name: String = ('!'..='~').filter(|byte| *byte != ':').cycle().skip(len).take(len).collect();
            let mut fields = Fields::default();
            keep(&mut fields, &format!("{name}: V\r\n"));
            let wanted = name.to_ascii_lowercase();
            assert_eq!(
                fields.iter().map(|field| (field.text, field.value)).next(),
                Some((wanted.as_bytes(), &b"V"[..]))
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
        fields.copy_section(b"Not: kept\r\n", 1);
        assert_eq!(keep(&mut fields, "A: 1\r\n"), Name::Other);
        fields.push(b"b", b"2");
        keep(&mut fields, "C: \r\n");
        assert_eq!(keep(&mut fields, "Server:d \r\n"), Name::Server);
        fields.push_known(Name::Date, "date", b"now");
        fields.remove_text(b"b");
        let mut out = Vec::new();
        fields.write_lines(&mut out);
        assert_eq!(out, b"a: 1\r\nc: \r\nserver: d\r\ndate: now\r\n");
        assert_eq!(fields.get_text(b"c"), Some(&b""[..]));
    }

    #[test]
    fn absent_names_are_known_to_be_absent() {
        let mut fields = Fields::default();
        let known = |fields: &Fields| {
            [Name::Date, Name::Server, Name::XEnvoy, Name::Other].map(|name| fields.contains(name))
        };
        assert_eq!(known(&fields), [false; 4]);
        fields.push(b"Date", b"now");
        fields.push_known(Name::Server, "server", b"a");
        fields.push(b"x-envoy-a", b"1");
        keep(&mut fields, "X-Envoy-B: 2\r\n");
        keep(&mut fields, "B:1\r\n");
        assert_eq!(known(&fields), [true; 4]);
        assert_eq!((fields.remove(Name::Server), fields.remove(Name::Server)), (1, 0));
        assert_eq!((fields.get(Name::Server), fields.get(Name::Date)), (None, Some(&b"now"[..])));
        fields.remove_text(b"x-envoy-a");
        assert_eq!(known(&fields), [true, false, true, true]);
        fields.retain(|field| field.name != Name::XEnvoy);
        assert_eq!(known(&fields), [true, false, false, true]);
        fields.set(b"date", b"then");
        fields.remove_text(b"b");
        assert_eq!(known(&fields), [true, false, false, false]);
        fields.clear();
        assert_eq!(known(&fields), [false; 4]);
    }
}
