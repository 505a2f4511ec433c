//! Which names and values HTTP/2 lets a field have (RFC 9113 section 8.2.1).

use crate::http::is_token_byte;

/// For each byte, whether a name may hold it: that of a token, but no upper-case letter.
static NAME_BYTES: [bool; 256] = name_bytes();

const fn name_bytes() -> [bool; 256] {
    let mut is_allowed = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        is_allowed[byte] = is_token_byte(byte as u8) && !(byte as u8).is_ascii_uppercase();
        byte += 1;
    }
    is_allowed
}

/// Whether a name is a token without upper-case letters, perhaps after the colon of a pseudo-header.
pub(super) fn is_valid_name(text: &[u8]) -> bool {
    let token = text.strip_prefix(b":").unwrap_or(text);
    !token.is_empty() && token.iter().all(|byte| NAME_BYTES[usize::from(*byte)])
}

/// Whether a value neither begins nor ends with white space, and has no control character but tabs. The RFC forbids
/// NUL, CR and LF only and leaves the others to RFC 9110 section 5.5, which has recipients refuse or replace them.
pub(super) fn is_valid_value(value: &[u8]) -> bool {
    let (Some(first), Some(last)) = (value.first(), value.last()) else { return true };
    !is_blank(*first) && !is_blank(*last) && !has_control(value)
}

fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// Whether any byte is 0x00-0x08, 0x0a-0x1f or 0x7f. Eight bytes are looked at at once, the last eight overlap.
fn has_control(value: &[u8]) -> bool {
    let Some(last) = value.last_chunk::<8>() else {
        return value.iter().any(|byte| (*byte < 0x20 && *byte != b'\t') || *byte == 0x7f);
    };
    let (chunks, _) = value.as_chunks::<8>();
    let found = chunks.iter().fold(0, |found, chunk| found | controls(u64::from_le_bytes(*chunk)));
    (found | controls(u64::from_le_bytes(*last))) != 0
}

const ONES: u64 = u64::from_le_bytes([1; 8]);
const HIGHS: u64 = ONES * 0x80;

/// The high bits of those of eight bytes that are control characters other than tabs. No sum or difference leaves
/// its byte, so this is exact.
fn controls(word: u64) -> u64 {
    let low_bits = word & !HIGHS;
    let from_space = low_bits + ONES * (0x80 - 0x20);
    let not_tab = (low_bits ^ (ONES * u64::from(b'\t'))) + ONES * 0x7f;
    let is_delete = low_bits + ONES;
    ((!from_space & not_tab) | is_delete) & !word & HIGHS
}
