//! The Huffman code of string literals (RFC 7541 appendix B), and the table it is decoded with.
//!
//! The code is canonical: it follows from the lengths alone, as codes of the same length grow with their symbols, and
//! longer codes come after shorter ones. So this has the lengths, and the compiler finds the codes.

/// How many symbols there are: 256 bytes and the end of string.
const SYMBOLS: usize = 257;
/// The symbol that no string may hold. Its code is 30 ones.
pub(super) const EOS: u16 = 256;
/// The longest code, in bits.
pub(super) const CODE_BITS_MAX: u32 = 30;
/// The shortest code, in bits: a string of `n` bytes never stands for more than `n * 8 / 5`.
pub(super) const CODE_BITS_MIN: usize = 5;
/// How many bits are looked up at once. With 12, two letters or digits are found with one look, and the table of 16
/// KiB still stays in the first-level cache.
pub(super) const LOOK_BITS: u32 = 12;

/// How many bits the code of each symbol has.
static LENGTHS: [u8; SYMBOLS] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28,
    28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6,
    6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7,
    8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7,
    15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24,
    23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23,
    23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26,
    26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20,
    21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27,
    27, 27, 26, 30,
];

/// What stands at the beginning of some bits: one or two whole symbols, or the start of one that is longer.
#[derive(Clone, Copy)]
pub(super) struct Look {
    /// One symbol or two. The second is 0 if there is only one.
    pub(super) symbols: [u8; 2],
    /// How many bits the symbols have together; 0 if the first one is longer than [`LOOK_BITS`].
    pub(super) bits: u8,
    /// How many bits the first symbol has, in the low five bits, and above them how many symbols there are.
    pub(super) first: u8,
}

impl Look {
    /// How many bits the first symbol has.
    pub(super) const fn first_bits(self) -> u32 {
        (self.first & 31) as u32
    }

    /// How many symbols there are, 0 to 2.
    pub(super) const fn count(self) -> usize {
        (self.first >> 5) as usize
    }
}

/// What each value of the next [`LOOK_BITS`] bits begins with.
pub(super) static LOOKS: [Look; 1 << LOOK_BITS] = looks();

/// The symbols in the order of their codes, and for each length of a code where its symbols are.
pub(super) static ORDER: Order = order();

/// See [`ORDER`].
pub(super) struct Order {
    /// All symbols, those with shorter codes first.
    pub(super) symbols: [u16; SYMBOLS],
    /// For each length, the codes of this length.
    pub(super) lengths: [Length; CODE_BITS_MAX as usize + 1],
}

/// The codes that have the same length.
#[derive(Clone, Copy)]
pub(super) struct Length {
    /// The lowest of them.
    pub(super) first_code: u32,
    /// One more than the highest of them, as the first bits of 32: whatever is below is no longer than this.
    pub(super) end: u64,
    /// Where the symbol of the lowest one is in the order of all symbols.
    pub(super) first_symbol: u16,
}

const fn order() -> Order {
    let none = Length { first_code: 0, end: 0, first_symbol: 0 };
    let mut order = Order { symbols: [0; SYMBOLS], lengths: [none; CODE_BITS_MAX as usize + 1] };
    let mut code = 0u32;
    let mut place = 0;
    let mut bits = 1;
    while bits <= CODE_BITS_MAX {
        code <<= 1;
        let length = &mut order.lengths[bits as usize];
        length.first_code = code;
        length.first_symbol = place as u16;
        let mut symbol = 0;
        while symbol < SYMBOLS {
            if LENGTHS[symbol] as u32 == bits {
                order.symbols[place] = symbol as u16;
                place += 1;
                code += 1;
            }
            symbol += 1;
        }
        length.end = (code as u64) << (32 - bits);
        bits += 1;
    }
    // A code with a gap would leave some bits without a meaning.
    assert!(code == 1 << CODE_BITS_MAX && place == SYMBOLS);
    order
}

const fn looks() -> [Look; 1 << LOOK_BITS] {
    let order = order();
    let mut looks = [Look { symbols: [0; 2], bits: 0, first: 0 }; 1 << LOOK_BITS];
    let mut bits = 0;
    while bits < looks.len() {
        let word = (bits as u32) << (32 - LOOK_BITS);
        if let Some((symbol, first_bits)) = short_symbol(&order, word, LOOK_BITS) {
            let look = &mut looks[bits];
            look.symbols[0] = symbol;
            look.bits = first_bits as u8;
            look.first = 1 << 5 | first_bits as u8;
            if let Some((symbol, more)) = short_symbol(&order, word << first_bits, LOOK_BITS - first_bits) {
                look.symbols[1] = symbol;
                look.bits += more as u8;
                look.first += 1 << 5;
            }
        }
        bits += 1;
    }
    looks
}

/// The symbol at the beginning of a word of which only the first `known` bits are known, and its length.
const fn short_symbol(order: &Order, word: u32, known: u32) -> Option<(u8, u32)> {
    let mut bits = 1;
    while bits <= known {
        let length = order.lengths[bits as usize];
        if (word as u64) < length.end {
            let place = length.first_symbol as u32 + ((word >> (32 - bits)) - length.first_code);
            return Some((order.symbols[place as usize] as u8, bits));
        }
        bits += 1;
    }
    None
}
