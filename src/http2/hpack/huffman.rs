//! The Huffman code of string literals, decoded (RFC 7541 section 5.2).

use super::HpackError;
use super::huffman_codes::{CODE_BITS_MAX, CODE_BITS_MIN, EOS, LOOK_BITS, LOOKS, Look, ORDER};

/// How many looks are taken between two refills: after a refill there are at least 56 bits.
const LOOKS_PER_REFILL: u32 = 56 / LOOK_BITS;

/// Decodes a string into `room`, which grows as needed and keeps its bytes for the next string.
pub(super) fn decode<'a>(coded: &[u8], room: &'a mut Vec<u8>) -> Result<&'a [u8], HpackError> {
    // A look always writes two bytes, even where the second is nothing.
    let len_max = coded.len() * 8 / CODE_BITS_MIN + 2;
    if room.len() < len_max {
        room.resize(len_max, 0);
    }
    let mut bits = Bits { word: 0, count: 0, rest: coded };
    let mut at = 0;
    'refill: while bits.refill() {
        for _ in 0..LOOKS_PER_REFILL {
            let look = look(bits.word);
            let Some(two) = room.get_mut(at..at + 2) else { return Err(HpackError::HuffmanPadding) };
            two.copy_from_slice(&look.symbols);
            if look.bits == 0 {
                if bits.count < CODE_BITS_MAX {
                    continue 'refill;
                }
                let (symbol, len) = bits.long_symbol();
                *two.first_mut().ok_or(HpackError::HuffmanPadding)? = byte(symbol)?;
                bits.skip(len);
                at += 1;
                continue 'refill;
            }
            bits.skip(u32::from(look.bits));
            at += look.count();
        }
    }
    loop {
        bits.refill_at_end();
        if bits.is_padding() {
            break;
        }
        let look = look(bits.filled());
        let (symbols, len, count) = if look.bits != 0 && u32::from(look.bits) <= bits.count {
            (look.symbols, u32::from(look.bits), look.count())
        } else if look.bits != 0 {
            (look.symbols, look.first_bits(), 1)
        } else {
            let (symbol, len) = bits.long_symbol();
            // The end of string is padding if only its start is there.
            let symbol = if len > bits.count { 0 } else { byte(symbol)? };
            ([symbol, 0], len, 1)
        };
        if len > bits.count {
            return Err(HpackError::HuffmanPadding);
        }
        let Some(two) = room.get_mut(at..at + 2) else { return Err(HpackError::HuffmanPadding) };
        two.copy_from_slice(&symbols);
        bits.skip(len);
        at += count;
    }
    room.get(..at).ok_or(HpackError::HuffmanPadding)
}

/// What a word begins with.
#[inline]
fn look(word: u64) -> Look {
    LOOKS[(word >> (64 - LOOK_BITS)) as usize]
}

fn byte(symbol: u16) -> Result<u8, HpackError> {
    if symbol == EOS { Err(HpackError::HuffmanEos) } else { Ok(symbol as u8) }
}

/// The bits of a string that are still to be decoded.
struct Bits<'a> {
    /// The next bits, the first one highest.
    word: u64,
    /// How many bits of `word` count.
    count: u32,
    /// The bytes after these bits.
    rest: &'a [u8],
}

impl Bits<'_> {
    /// Adds whole bytes until there are at least 56 bits, or says that fewer than eight bytes are left.
    #[inline]
    fn refill(&mut self) -> bool {
        let Some(next) = self.rest.first_chunk::<8>() else { return false };
        // What does not fit whole is added too, and once more with the next refill: the same bits in the same place.
        self.word |= u64::from_be_bytes(*next) >> self.count;
        let added = (63 - self.count) / 8;
        self.rest = self.rest.get(added as usize..).unwrap_or_default();
        self.count += 8 * added;
        true
    }

    /// Adds what bytes there is room for, up to the last one.
    fn refill_at_end(&mut self) {
        while self.count <= 56
            && let Some((&next, after)) = self.rest.split_first()
        {
            self.word |= u64::from(next) << (56 - self.count);
            self.count += 8;
            self.rest = after;
        }
    }

    /// The next bits; ones after the last bit, as in the padding.
    #[inline]
    fn filled(&self) -> u64 {
        self.word | u64::MAX.checked_shr(self.count).unwrap_or(0)
    }

    /// Whether nothing but padding is left: less than a byte, all ones.
    fn is_padding(&self) -> bool {
        self.count < 8 && self.filled() == u64::MAX
    }

    /// The next symbol and its length, if it is longer than [`LOOK_BITS`].
    #[cold]
    fn long_symbol(&self) -> (u16, u32) {
        let word = (self.filled() >> 32) as u32;
        for bits in LOOK_BITS + 1..=CODE_BITS_MAX {
            let length = &ORDER.lengths[bits as usize];
            if u64::from(word) < length.end {
                let place = u32::from(length.first_symbol) + ((word >> (32 - bits)) - length.first_code);
                return (ORDER.symbols[place as usize], bits);
            }
        }
        (EOS, CODE_BITS_MAX)
    }

    #[inline]
    fn skip(&mut self, bits: u32) {
        self.word <<= bits;
        self.count -= bits;
    }
}
