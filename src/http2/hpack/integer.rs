//! Integers with a prefix (RFC 7541 section 5.1).

use super::HpackError;

/// The largest integer that is taken. Nothing in a block is meant to be this long, and it leaves sums room.
const INTEGER_MAX: u64 = 1 << 31;
/// How many bytes may follow the prefix. Five bytes of seven bits hold more than [`INTEGER_MAX`], and a limit keeps
/// a peer from sending zeros without end.
const CONTINUATIONS_MAX: usize = 5;

/// Reads an integer whose prefix is the low `bits` bits of `first`, which `rest` follows, and moves `rest` past it.
#[inline]
pub(super) fn read(first: u8, bits: u8, rest: &mut &[u8]) -> Result<usize, HpackError> {
    let prefix_max = prefix_max(bits);
    let prefix = first & prefix_max;
    if prefix < prefix_max { Ok(usize::from(prefix)) } else { read_long(prefix, rest) }
}

/// Reads the bytes that follow a full prefix.
fn read_long(prefix: u8, rest: &mut &[u8]) -> Result<usize, HpackError> {
    let mut value = u64::from(prefix);
    for place in 0..CONTINUATIONS_MAX {
        let Some((&byte, after)) = rest.split_first() else { return Err(HpackError::Truncated) };
        *rest = after;
        value += u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return if value > INTEGER_MAX { Err(HpackError::IntegerTooLarge) } else { Ok(value as usize) };
        }
    }
    Err(HpackError::IntegerTooLarge)
}

/// Writes an integer with a prefix of `bits` bits, below the bits that are set in `pattern`.
#[inline]
pub(super) fn write(pattern: u8, bits: u8, value: usize, out: &mut Vec<u8>) {
    let prefix_max = prefix_max(bits);
    if value < usize::from(prefix_max) {
        out.push(pattern | value as u8);
    } else {
        out.push(pattern | prefix_max);
        write_long(value - usize::from(prefix_max), out);
    }
}

/// Writes the bytes that follow a full prefix.
fn write_long(mut value: usize, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// The prefix that says that more bytes follow.
const fn prefix_max(bits: u8) -> u8 {
    ((1u16 << bits) - 1) as u8
}
