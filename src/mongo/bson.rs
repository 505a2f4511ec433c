//! The elements of a BSON document, one level deep, as far as its bytes are there.

/// Elements that are looked at in one document. Commands have some ten; what follows the first thousands of a document
/// that somebody made up is of no interest.
const ELEMENTS_MAX: usize = 100;

/// One element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Element<'a> {
    /// Its type (bsonspec.org).
    pub(super) kind: u8,
    /// Its name.
    pub(super) key: &'a [u8],
    /// Its value's bytes, as far as they are there.
    pub(super) value: &'a [u8],
}

/// The elements of the document at the beginning of these bytes, until it ends, or the bytes do, or it is not BSON.
pub(super) fn elements(document: &[u8]) -> impl Iterator<Item = Element<'_>> {
    let mut rest = document.get(4..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (element, behind) = element(rest)?;
        rest = behind;
        Some(element)
    })
    .take(ELEMENTS_MAX)
}

/// A little-endian number at a place.
pub(super) fn int32(bytes: &[u8], at: usize) -> Option<i32> {
    let field = bytes.get(at..)?.first_chunk::<4>()?;
    Some(i32::from_le_bytes(*field))
}

/// The bytes up to a zero, and what is behind it.
pub(super) fn text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr::memchr(0, bytes)?;
    Some((bytes.get(..end)?, bytes.get(end + 1..)?))
}

fn element(bytes: &[u8]) -> Option<(Element<'_>, &[u8])> {
    let (kind, rest) = bytes.split_first()?;
    if *kind == 0 {
        return None;
    }
    let (key, rest) = text(rest)?;
    let size = size(*kind, rest)?;
    let value = rest.get(..size).unwrap_or(rest);
    Some((Element { kind: *kind, key, value }, rest.get(size..).unwrap_or_default()))
}

/// How long a value is. Nothing, if that can't be known.
fn size(kind: u8, value: &[u8]) -> Option<usize> {
    // A length, and what is counted by it or not.
    let counted = |more: usize| usize::try_from(int32(value, 0)?).ok()?.checked_add(more);
    Some(match kind {
        // Undefined, null, the smallest and the largest key.
        0x06 | 0x0a | 0x7f | 0xff => 0,
        // A truth value.
        0x08 => 1,
        0x10 => 4,
        // Double, date, timestamp, 64 bits.
        0x01 | 0x09 | 0x11 | 0x12 => 8,
        0x07 => 12,
        // Decimal.
        0x13 => 16,
        // Text, code, symbol.
        0x02 | 0x0d | 0x0e => counted(4)?,
        // Document, array, code with its scope: the length counts itself.
        0x03 | 0x04 | 0x0f => counted(0).filter(|size| *size >= 5)?,
        // Binary: a byte says of what kind.
        0x05 => counted(5)?,
        // A pointer: text and an id.
        0x0c => counted(16)?,
        // A regular expression: two texts.
        0x0b => {
            let (_, options) = text(value)?;
            let (_, behind) = text(options)?;
            value.len() - behind.len()
        }
        _ => return None,
    })
}
