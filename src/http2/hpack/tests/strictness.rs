//! Each rule that a peer is held to, and which fields are valid.

use super::super::{Decoder, HpackError};
use super::huffman::encode;
use super::{fields, hex};
use crate::http::Name;

fn error(block: &str) -> Option<HpackError> {
    fields(&mut Decoder::new(4096), &hex(block)).err()
}

#[test]
fn indexes_have_a_field() {
    // Index 0 as a field, and the first one after the static table while the dynamic table is empty.
    for block in ["80", "be", "7e 00", "0f 2f 00", "1f 2f 00", "ff 80 ff ff ff 07"] {
        assert_eq!(error(block), Some(HpackError::BadIndex), "{block}");
    }
    assert_eq!(error("40 01 61 01 62 be"), None);
    assert_eq!(error("40 01 61 01 62 bf"), Some(HpackError::BadIndex));
    assert_eq!(error("bd"), None);
    // A field that was evicted has no index any more.
    assert_eq!(fields(&mut Decoder::new(34), &hex("40 01 61 01 62 be 40 01 63 01 64 be")).unwrap().len(), 4);
    assert_eq!(
        fields(&mut Decoder::new(34), &hex("40 01 61 01 62 40 01 63 01 64 bf")),
        Err(HpackError::BadIndex)
    );
}

#[test]
fn integers_end_and_are_not_too_large() {
    // 127 + 2^31 - 127 is the largest; it is no index.
    assert_eq!(error("ff 81 ff ff ff 07"), Some(HpackError::BadIndex));
    assert_eq!(error("ff 82 ff ff ff 07"), Some(HpackError::IntegerTooLarge));
    assert_eq!(error("ff ff ff ff ff 7f"), Some(HpackError::IntegerTooLarge));
    assert_eq!(error("ff 80 80 80 80 80 00"), Some(HpackError::IntegerTooLarge));
    assert_eq!(error("ff ff ff ff ff ff ff ff ff ff ff 7f"), Some(HpackError::IntegerTooLarge));
    assert_eq!(error("3f ff ff ff ff 0f"), Some(HpackError::IntegerTooLarge));
    // Zeros that change nothing are allowed, up to five bytes.
    assert_eq!(error("ff 80 80 80 80 00"), Some(HpackError::BadIndex));
    for block in ["ff", "ff 80", "7f", "0f", "1f 80", "3f", "40", "40 7f", "40 01 61 7f ff"] {
        assert_eq!(error(block), Some(HpackError::Truncated), "{block}");
    }
}

#[test]
fn strings_end_within_the_block() {
    for block in ["40 02 61", "40 01 61", "40 01 61 02 62", "00 82 ff", "41", "41 01", "00 7f 80 80 80 80 07"]
    {
        assert_eq!(error(block), Some(HpackError::Truncated), "{block}");
    }
}

#[test]
fn huffman_errors_are_those_of_the_block() {
    assert_eq!(error("00 81 ff 00"), Some(HpackError::HuffmanPadding));
    assert_eq!(error("00 01 61 84 ff ff ff ff"), Some(HpackError::HuffmanEos));
    assert_eq!(error("00 01 61 81 18"), Some(HpackError::HuffmanPadding));
    assert_eq!(error("00 01 61 81 1f"), None);
}

#[test]
fn sizes_come_first_are_two_and_no_larger_than_announced() {
    assert_eq!(error("3f e1 1f"), None);
    assert_eq!(error("3f e2 1f"), Some(HpackError::SizeTooLarge));
    assert_eq!(error("82 20"), Some(HpackError::SizeTooLate));
    assert_eq!(error("20 82 20"), Some(HpackError::SizeTooLate));
    assert_eq!(error("20 3f e1 1f 82"), None);
    assert_eq!(error("20 21 22"), Some(HpackError::TooManySizes));
    let mut decoder = Decoder::new(0);
    assert_eq!(fields(&mut decoder, &hex("21")), Err(HpackError::SizeTooLarge));
    // A size of nothing evicts everything, and the table may grow again.
    let mut decoder = Decoder::new(4096);
    assert!(fields(&mut decoder, &hex("40 01 61 01 62 be")).is_ok());
    assert!(fields(&mut decoder, &hex("20 3f e1 1f")).is_ok());
    assert_eq!(decoder.table_bytes(), 0);
    assert_eq!(fields(&mut decoder, &hex("be")), Err(HpackError::BadIndex));
}

#[test]
fn an_entry_larger_than_the_table_empties_it() {
    let mut decoder = Decoder::new(64);
    assert!(fields(&mut decoder, &hex("40 01 61 01 62")).is_ok());
    assert_eq!(decoder.table_bytes(), 34);
    let large = [hex("40 01 61 20"), vec![b'v'; 32]].concat();
    assert_eq!(fields(&mut decoder, &large).unwrap()[0].1, [b'v'; 32]);
    assert_eq!(decoder.table_bytes(), 0);
}

#[test]
fn a_name_may_come_from_the_entry_that_is_evicted_for_it() {
    let mut decoder = Decoder::new(40);
    let mut fields_of = |block| fields(&mut decoder, &hex(block)).unwrap();
    fields_of("40 03 61 62 63 01 62");
    for _ in 0..50 {
        assert_eq!(fields_of("7e 02 78 79 be"), vec![(b"abc".to_vec(), b"xy".to_vec()); 2]);
    }
}

/// Whether a field is valid: as a literal, and whenever it comes from the table.
fn is_valid(text: &[u8], value: &[u8]) -> bool {
    let coded = |string: &[u8]| [&[0x80 | string.len() as u8], string].concat();
    let plain = |string: &[u8]| [&[string.len() as u8], string].concat();
    let literal = [plain(text), plain(value)].concat();
    let huffman = [coded(&encode(text)), coded(&encode(value))].concat();
    let mut decoder = Decoder::new(4096);
    let mut seen = Vec::new();
    let with_same_name = [&[0x7e][..], &plain(value), &[0x0f, 0x2f], &plain(value)].concat();
    for block in [[&[0][..], &literal].concat(), [&[0x50], &plain(value)[..]].concat()] {
        decoder.decode(&block, |header| seen.push((header.text == text, header.is_valid))).unwrap();
    }
    // The second one had a name of the static table: it is the value alone that counts.
    let value_alone = seen.pop().unwrap().1;
    for block in [[&[0x40][..], &literal].concat(), vec![0xbe], with_same_name, vec![0xbe, 0xbf]] {
        decoder.decode(&block, |header| seen.push((header.text == text, header.is_valid))).unwrap();
    }
    decoder
        .decode(&[&[0x40][..], &huffman, &[0xbe]].concat(), |header| seen.push((true, header.is_valid)))
        .unwrap();
    let first = seen[0];
    assert!(first.0 && seen.iter().all(|other| *other == first), "{seen:?}");
    assert!(value_alone || !first.1);
    first.1
}

#[test]
fn names_are_lower_case_tokens() {
    for byte in 0..=255u8 {
        let expected =
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"!#$%&'*+-.^_`|~".contains(&byte);
        assert_eq!(is_valid(&[b'x', byte, b'y'], b"v"), expected, "{byte}");
        assert_eq!(is_valid(&[byte, b'y'], b"v"), expected || byte == b':', "{byte}");
    }
    assert!(
        !is_valid(b"", b"v") && !is_valid(b":", b"v") && !is_valid(b"::a", b"v") && !is_valid(b"a:", b"v")
    );
    assert!(is_valid(b":path", b"/") && is_valid(b":protocol", b"websocket"));
}

#[test]
fn values_have_no_controls_and_no_white_space_around_them() {
    for len in 1..20 {
        for place in 0..len {
            for byte in 0..=255u8 {
                let mut value = vec![b'v'; len];
                value[place] = byte;
                let is_end = place == 0 || place == len - 1;
                let expected = match byte {
                    b' ' | b'\t' => !is_end,
                    0..0x20 | 0x7f => false,
                    _ => true,
                };
                assert_eq!(is_valid(b"a", &value), expected, "{byte} at {place} of {len}");
            }
        }
    }
    assert!(is_valid(b"a", b""));
}

#[test]
fn names_are_known_wherever_they_come_from() {
    let mut decoder = Decoder::new(4096);
    let mut seen = Vec::new();
    let literal = [
        hex("40 0c"),
        b"x-request-id".to_vec(),
        hex("01 61 be 7e 01 62 5c 01 31 bf 00 05"),
        b":path".to_vec(),
    ];
    let block = [literal.concat(), hex("01 2f 10 01 61 01 62")].concat();
    decoder.decode(&block, |header| seen.push((header.name, header.never_indexed))).unwrap();
    let (id, len, other) = (Name::XRequestId, Name::ContentLength, Name::Other);
    let expected =
        [(id, false), (id, false), (id, false), (len, false), (id, false), (other, false), (other, true)];
    assert_eq!(seen, expected);
}
