//! The codec against the examples of RFC 7541, each rule it holds a peer to, and itself.

mod appendix_c;
mod huffman;
mod remembered;
mod round_trip;
mod strictness;
mod tables;

use super::{Decoder, HpackError};

/// A name and a value.
type Pair = (Vec<u8>, Vec<u8>);

/// The fields of a block.
fn fields(decoder: &mut Decoder, block: &[u8]) -> Result<Vec<Pair>, HpackError> {
    let mut fields = Vec::new();
    decoder.decode(block, |header| fields.push((header.text.to_vec(), header.value.to_vec())))?;
    Ok(fields)
}

/// Names and values from text.
fn pairs(texts: &[(&str, &str)]) -> Vec<Pair> {
    texts.iter().map(|(text, value)| (text.as_bytes().to_vec(), value.as_bytes().to_vec())).collect()
}

/// Bytes from hexadecimal digits, between which there may be spaces.
fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let digit = |byte: u8| (byte as char).to_digit(16).unwrap() as u8;
    digits.chunks(2).map(|two| digit(two[0]) << 4 | digit(two[1])).collect()
}

/// Numbers that look random, the same in every run (xorshift64*).
struct Numbers(u64);

impl Numbers {
    /// A number below `end`.
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % end
    }
}
