//! The Huffman code: every symbol, every padding.

use super::super::HpackError;
use super::super::huffman::decode;
use super::super::huffman_codes::{CODE_BITS_MAX, EOS, ORDER};
use super::Numbers;

/// The code of a symbol and its length in bits.
fn code(symbol: u16) -> (u32, u32) {
    let place = ORDER.symbols.iter().position(|other| *other == symbol).unwrap() as u32;
    let is_here = |bits: &u32| u32::from(ORDER.lengths[*bits as usize].first_symbol) <= place;
    let bits = (1..=CODE_BITS_MAX).rev().find(is_here).unwrap();
    let length = &ORDER.lengths[bits as usize];
    (length.first_code + place - u32::from(length.first_symbol), bits)
}

/// The bits of symbols, one byte each, without padding.
fn bits(symbols: impl IntoIterator<Item = u16>) -> Vec<u8> {
    let bits_of = |symbol| {
        let (code, len) = code(symbol);
        (0..len).rev().map(move |place| (code >> place & 1) as u8)
    };
    symbols.into_iter().flat_map(bits_of).collect()
}

/// Bits as bytes, after which comes `fill` up to a whole byte.
fn packed(bits: &[u8], fill: u8) -> Vec<u8> {
    let byte = |eight: &[u8]| (0..8).fold(0, |byte, at| byte << 1 | eight.get(at).unwrap_or(&fill));
    bits.chunks(8).map(byte).collect()
}

/// A string in the Huffman code.
pub(super) fn encode(string: &[u8]) -> Vec<u8> {
    packed(&bits(string.iter().map(|byte| u16::from(*byte))), 1)
}

fn decoded(coded: &[u8]) -> Result<Vec<u8>, HpackError> {
    decode(coded, &mut Vec::new()).map(<[u8]>::to_vec)
}

#[test]
fn codes_are_those_of_the_rfc() {
    let codes = [
        (0, 0x1ff8, 13),
        (1, 0x7f_ffd8, 23),
        (2, 0xfff_ffe2, 28),
        (10, 0x3fff_fffc, 30),
        (22, 0x3fff_fffe, 30),
        (b'0'.into(), 0x0, 5),
        (b't'.into(), 0x9, 5),
        (b' '.into(), 0x14, 6),
        (b'u'.into(), 0x2d, 6),
        (b':'.into(), 0x5c, 7),
        (b'z'.into(), 0x7b, 7),
        (b'Z'.into(), 0xfd, 8),
        (b'!'.into(), 0x3f8, 10),
        (b'|'.into(), 0x7fc, 11),
        (b'>'.into(), 0xffb, 12),
        (b'~'.into(), 0x1ffd, 13),
        (b'}'.into(), 0x3ffd, 14),
        (b'{'.into(), 0x7ffe, 15),
        (b'\\'.into(), 0x7_fff0, 19),
        (226, 0xf_ffed, 20),
        (230, 0x1f_ffe8, 21),
        (233, 0x3f_ffeb, 22),
        (255, 0x3ff_ffee, 26),
        (EOS, 0x3fff_ffff, 30),
    ];
    for (symbol, expected, len) in codes {
        assert_eq!(code(symbol), (expected, len), "{symbol}");
    }
}

#[test]
fn every_byte_at_every_place() {
    for byte in 0..=255u8 {
        for before in 0..12 {
            for after in 0..12 {
                let string = [vec![b'a'; before], vec![byte], vec![b'&'; after]].concat();
                assert_eq!(decoded(&encode(&string)), Ok(string), "{byte} after {before}, before {after}");
            }
        }
    }
}

#[test]
fn random_strings_into_the_same_room() {
    let mut numbers = Numbers(3);
    let mut room = Vec::new();
    for _ in 0..3000 {
        let kinds = [95, 95, 256][numbers.below(3)];
        let string: Vec<u8> = (0..numbers.below(80))
            .map(|_| (numbers.below(kinds) + if kinds < 256 { 32 } else { 0 }) as u8)
            .collect();
        assert_eq!(decode(&encode(&string), &mut room), Ok(&string[..]));
    }
}

#[test]
fn padding_is_less_than_a_byte_of_ones() {
    for len in 0..20 {
        let string = vec![b'a'; len];
        let coded = encode(&string);
        assert_eq!(decoded(&coded), Ok(string.clone()));
        let bits = bits(string.iter().map(|byte| u16::from(*byte)));
        // Whole bytes of padding, and more of them until they are the end of string.
        for more in 1..=4 {
            let longer = [coded.clone(), vec![0xff; more]].concat();
            let is_whole = longer.len() * 8 - bits.len() >= CODE_BITS_MAX as usize;
            let expected = if is_whole { HpackError::HuffmanEos } else { HpackError::HuffmanPadding };
            assert_eq!(decoded(&longer), Err(expected), "{len} and {more}");
        }
        if !bits.len().is_multiple_of(8) {
            let zeros = packed(&bits, 0);
            // Five zeros or more begin with the code of `0`, and what is left are zeros still.
            let padding = 8 - bits.len() % 8;
            let expected =
                if padding == 5 { Ok([&string[..], b"0"].concat()) } else { Err(HpackError::HuffmanPadding) };
            assert_eq!(decoded(&zeros), expected, "{len}");
        }
    }
}

#[test]
fn the_end_of_string_symbol_is_refused_wherever_it_is() {
    for before in 0..20 {
        for after in 0..20 {
            let symbols = [vec![u16::from(b'a'); before], vec![EOS], vec![u16::from(b'b'); after]].concat();
            assert_eq!(decoded(&packed(&bits(symbols), 1)), Err(HpackError::HuffmanEos), "{before}, {after}");
        }
    }
}
