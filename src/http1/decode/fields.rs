//! The field section that both heads share: each line that httparse found is checked, shown to its message's rules
//! and kept or not.

use super::{BadFields, Stop};
use crate::http::{Fields, RawName, SectionLine, Spacing};

/// What becomes of a field.
pub(super) enum Fate {
    /// It stays in the head.
    Keep,
    /// It leaves the head: it is not for the next hop, or another member of the head holds what it said.
    Drop,
}

/// Takes what httparse found in `section`, which ends with the empty line. `judge` sees every line, whatever it then
/// becomes.
///
/// The lines must account for every byte: `name ":" OWS value OWS CRLF` each (RFC 9112 section 5), and CRLF after the
/// last. So nothing that httparse may pass over, and no bare LF, gets past this.
pub(super) fn take<'a, E: From<BadFields>>(
    section: &'a [u8],
    lines: &[httparse::Header<'a>],
    fields: &mut Fields,
    mut judge: impl FnMut(&SectionLine<'a>) -> Result<Fate, E>,
) -> Result<(), E> {
    let mut kept = fields.copy_section(section, lines.len());
    let mut at = 0;
    for line in lines {
        let (text, value) = (line.name.as_bytes(), line.value);
        if text.len() > usize::from(u16::MAX) {
            return Err(BadFields::Name.into());
        }
        let (spacing, len) = spacing(&section[at..], text.len(), value.len())?;
        let text = RawName::new(text);
        let line = SectionLine { at, name: text.name(), text, value, spacing };
        if let Fate::Keep = judge(&line)? {
            kept.keep(&line);
        }
        at += len;
    }
    match &section[at..] {
        b"\r\n" => Ok(()),
        _ => Err(BadFields::End.into()),
    }
}

/// Why a field section that follows a good start line is not whole: what httparse says, and what it does not mind.
#[cold]
pub(super) fn stop<E: From<BadFields>>(section: &[u8], outcome: Result<(), httparse::Error>) -> Stop<E> {
    let bad = match outcome {
        Ok(()) => match bare_line_end(section) {
            None => return Stop::Short,
            Some(bad) => bad,
        },
        Err(httparse::Error::HeaderValue) => BadFields::Value,
        Err(httparse::Error::NewLine) => BadFields::End,
        Err(httparse::Error::TooManyHeaders) => BadFields::TooMany,
        Err(_) => BadFields::Name,
    };
    Stop::Bad(bad.into())
}

/// The white space in the line that `bytes` begin with, and the length of that line.
fn spacing(bytes: &[u8], name_len: usize, value_len: usize) -> Result<(Spacing, usize), BadFields> {
    let len = name_len + value_len + 4;
    if let Some(line) = bytes.get(..len)
        && let Some(after_name) = line.get(name_len..)
        && after_name.first_chunk() == Some(b": ")
        && after_name.last_chunk() == Some(b"\r\n")
    {
        return Ok((Spacing::Canonical, len));
    }
    other_spacing(bytes, name_len)
}

#[cold]
fn other_spacing(bytes: &[u8], name_len: usize) -> Result<(Spacing, usize), BadFields> {
    // Neither name nor value has a line end in it, so the next LF ends this line.
    match memchr::memchr(b'\n', bytes) {
        Some(at) if at > name_len && bytes[at - 1] == b'\r' => Ok((Spacing::Other, at + 1)),
        _ => Err(BadFields::Value),
    }
}

/// What is wrong with the first line that ends without CR, which httparse allows.
fn bare_line_end(section: &[u8]) -> Option<BadFields> {
    let is_bare = |at: &usize| section[..*at].last() != Some(&b'\r');
    let at = memchr::memchr_iter(b'\n', section).find(is_bare)?;
    Some(match section[..at].last() {
        None | Some(b'\n') => BadFields::End,
        Some(_) => BadFields::Value,
    })
}
