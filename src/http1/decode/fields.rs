//! The field section that both heads share: line after line, each checked, copied and shown to its message's rules.

use super::{BadFields, Stop, scan};
use crate::http::{Fields, Name};

/// One field line as it came.
pub(super) struct Line<'a> {
    /// What the proxy knows the name as.
    pub(super) name: Name,
    /// The name, case kept.
    pub(super) text: &'a [u8],
    /// The value, without the white space around it.
    pub(super) value: &'a [u8],
    /// Whether the name has an underscore.
    pub(super) has_underscore: bool,
}

/// What becomes of a field.
pub(super) enum Fate {
    /// It stays in the head.
    Keep,
    /// It leaves the head: it is not for the next hop, or another member of the head holds what it said.
    Drop,
}

/// Decodes the field section that begins at `at` and returns where it ends, after the empty line.
/// `judge` sees every line, whatever it then becomes.
pub(super) fn decode<'a, E: From<BadFields>>(
    bytes: &'a [u8],
    mut at: usize,
    fields_max: usize,
    fields: &mut Fields,
    mut judge: impl FnMut(Line<'a>) -> Result<Fate, E>,
) -> Result<usize, Stop<E>> {
    let mut lines = 0;
    loop {
        match bytes.get(at..) {
            None | Some([]) | Some([b'\r']) => return Err(Stop::Short),
            Some([b'\r', b'\n', ..]) => return Ok(at + 2),
            Some([b'\r', ..]) => return Err(Stop::Bad(BadFields::End.into())),
            Some([b'\n', ..]) => return Err(Stop::Bad(BadFields::End.into())),
            Some(_) => {}
        }
        let parts = split(bytes, at)?;
        lines += 1;
        if lines > fields_max {
            return Err(Stop::Bad(BadFields::TooMany.into()));
        }
        let text = &bytes[at..parts.name_end];
        let value = &bytes[parts.value_at..parts.value_end];
        let name = if parts.is_canonical(bytes) {
            fields.push_line(&bytes[at..parts.next], text.len())
        } else {
            fields.push_named(text, value)
        };
        let line = Line { name, text, value, has_underscore: parts.has_underscore };
        if let Fate::Drop = judge(line).map_err(Stop::Bad)? {
            fields.pop();
        }
        at = parts.next;
    }
}

/// Where the parts of a line are. All lie within the bytes.
struct Parts {
    name_end: usize,
    has_underscore: bool,
    value_at: usize,
    value_end: usize,
    next: usize,
}

impl Parts {
    /// Whether the line has exactly one space before its value, and nothing but CRLF after it.
    fn is_canonical(&self, bytes: &[u8]) -> bool {
        self.value_at == self.name_end + 2
            && bytes.get(self.name_end + 1) == Some(&b' ')
            && self.next == self.value_end + 2
    }
}

/// Splits the line that begins at `at`: `field-name ":" OWS field-value OWS CRLF` (RFC 9112 section 5).
fn split<E: From<BadFields>>(bytes: &[u8], at: usize) -> Result<Parts, Stop<E>> {
    let name = scan::name_end(bytes, at);
    match bytes.get(name.at) {
        None => return Err(Stop::Short),
        Some(b':') if name.at > at && name.at - at <= usize::from(u16::MAX) => {}
        Some(_) => return Err(Stop::Bad(BadFields::Name.into())),
    }
    let mut value_at = name.at + 1;
    while is_space(bytes, value_at) {
        value_at += 1;
    }
    let line_end = scan::value_end(bytes, value_at);
    match bytes.get(line_end..) {
        None | Some([]) | Some([b'\r']) => return Err(Stop::Short),
        Some([b'\r', b'\n', ..]) => {}
        Some(_) => return Err(Stop::Bad(BadFields::Value.into())),
    }
    let mut value_end = line_end;
    while value_end > value_at && is_space(bytes, value_end - 1) {
        value_end -= 1;
    }
    Ok(Parts {
        name_end: name.at,
        has_underscore: name.has_underscore,
        value_at,
        value_end,
        next: line_end + 2,
    })
}

/// Whether there is optional white space at this index.
fn is_space(bytes: &[u8], at: usize) -> bool {
    matches!(bytes.get(at), Some(b' ' | b'\t'))
}
