//! Where runs of allowed bytes end.
//!
//! Long runs are looked at eight bytes at a time: a word whose every byte is allowed is passed over whole.

use crate::http::is_token_byte;

const ONES: u64 = u64::from_le_bytes([0x01; 8]);
const HIGHS: u64 = u64::from_le_bytes([0x80; 8]);

/// Where a field name ends, and whether it has an underscore.
pub(crate) struct NameEnd {
    /// The index of the first byte that no name may have, or the length of the bytes.
    pub(crate) at: usize,
    /// Whether there is an underscore before it.
    pub(crate) has_underscore: bool,
}

/// Where the name that begins at `from` ends.
pub(crate) fn name_end(bytes: &[u8], from: usize) -> NameEnd {
    let mut classes = 0;
    let mut at = from;
    for &byte in bytes.get(from..).unwrap_or_default() {
        let class = TOKEN[usize::from(byte)];
        if class == NO_TOKEN {
            break;
        }
        classes |= class;
        at += 1;
    }
    NameEnd { at, has_underscore: classes & UNDERSCORE != 0 }
}

/// The index of the first byte from `from` on that no field value may have: a control byte but HTAB (RFC 9110
/// section 5.5). In a good head that is the CR at the end of the line.
pub(crate) fn value_end(bytes: &[u8], from: usize) -> usize {
    run_end(bytes, from, |word| beyond(word, 0x20) & !word, is_text)
}

/// The index of the first byte from `from` on that is no visible ASCII character.
pub(crate) fn visible_end(bytes: &[u8], from: usize) -> usize {
    run_end(bytes, from, |word| beyond(word, 0x21) | word, |byte| byte.is_ascii_graphic())
}

/// Whether a byte may be in a value: HTAB, SP, VCHAR and obs-text.
pub(crate) fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= 0x20 && byte != 0x7f)
}

/// Passes over whole words in which `suspects` sets no high bit, and over single bytes that `allows` lets pass.
/// `suspects` may mark too much, but never too little.
fn run_end(bytes: &[u8], from: usize, suspects: impl Fn(u64) -> u64, allows: impl Fn(u8) -> bool) -> usize {
    let mut at = from;
    while let Some(word) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let marks = suspects(u64::from_le_bytes(*word)) & HIGHS;
        if marks == 0 {
            at += 8;
            continue;
        }
        at += (marks.trailing_zeros() / 8) as usize;
        match bytes.get(at) {
            Some(&byte) if allows(byte) => at += 1,
            _ => return at,
        }
    }
    while bytes.get(at).is_some_and(|&byte| allows(byte)) {
        at += 1;
    }
    at
}

/// Sets the high bit of every byte of `word` below `low`, and of 0x7f and above. Carries may set more of them.
fn beyond(word: u64, low: u8) -> u64 {
    word.wrapping_sub(ONES * u64::from(low)) | word.wrapping_add(ONES)
}

const NO_TOKEN: u8 = 0;
const TOKEN_BYTE: u8 = 1;
const UNDERSCORE: u8 = 2;

/// What each byte is in a token (RFC 9110 section 5.6.2).
const TOKEN: [u8; 256] = token_classes();

const fn token_classes() -> [u8; 256] {
    let mut classes = [NO_TOKEN; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b'_' => UNDERSCORE,
            token if is_token_byte(token) => TOKEN_BYTE,
            _ => NO_TOKEN,
        };
        byte += 1;
    }
    classes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_at_every_place_of_a_word() {
        for byte in 0..=255u8 {
            for place in 0..20 {
                let mut bytes = [b'x'; 20];
                bytes[place] = byte;
                let in_value = byte == b'\t' || (byte >= 0x20 && byte != 0x7f);
                assert_eq!(value_end(&bytes, 0), if in_value { 20 } else { place }, "{byte} at {place}");
                let visible = (0x21..0x7f).contains(&byte);
                assert_eq!(visible_end(&bytes, 0), if visible { 20 } else { place }, "{byte} at {place}");
            }
        }
    }

    #[test]
    fn a_tab_does_not_hide_what_follows() {
        for gap in 0..9 {
            let mut bytes = vec![b'\t'; 3];
            bytes.extend(std::iter::repeat_n(b' ', gap));
            bytes.extend_from_slice(b"\r\n\r\n\r\n\r\n\r\n");
            assert_eq!(value_end(&bytes, 0), 3 + gap);
        }
    }

    #[test]
    fn names_end_at_the_colon() {
        let end = name_end(b"x-a_b: 1", 0);
        assert_eq!((end.at, end.has_underscore), (5, true));
        let end = name_end(b"x-a: _", 0);
        assert_eq!((end.at, end.has_underscore), (3, false));
    }
}
