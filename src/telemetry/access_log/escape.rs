//! Text that somebody else chose, made harmless: no client can forge a field or a line.

/// Appends text for a line of text: a quote, a backslash or a control character is written as `\x22`.
pub(super) fn text(value: &[u8], out: &mut Vec<u8>) {
    let odd = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..=31 | 127);
    // Without an early end the compiler looks at many bytes at a time, and nearly always all of them are plain.
    if !value.iter().fold(false, |any, byte| any | odd(byte)) {
        return out.extend_from_slice(value);
    }
    for byte in value {
        if odd(byte) {
            out.extend_from_slice(&[b'\\', b'x', digit(byte >> 4), digit(byte & 15)]);
        } else {
            out.push(*byte);
        }
    }
}

/// Appends a JSON string without its quotes (RFC 8259, section 7). What is not UTF-8 is written byte for byte, as `\u00ff`.
pub(super) fn json(value: &[u8], out: &mut Vec<u8>) {
    let odd = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..=31 | 127..);
    if !value.iter().fold(false, |any, byte| any | odd(byte)) {
        return out.extend_from_slice(value);
    }
    for chunk in value.utf8_chunks() {
        for byte in chunk.valid().bytes() {
            match byte {
                b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
                b'\n' => out.extend_from_slice(b"\\n"),
                b'\r' => out.extend_from_slice(b"\\r"),
                b'\t' => out.extend_from_slice(b"\\t"),
                0..=31 | 127 => code(byte, out),
                _ => out.push(byte),
            }
        }
        chunk.invalid().iter().for_each(|byte| code(*byte, out));
    }
}

fn code(byte: u8, out: &mut Vec<u8>) {
    out.extend_from_slice(&[b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte & 15)]);
}

fn digit(nibble: u8) -> u8 {
    char::from_digit(u32::from(nibble), 16).unwrap_or('0') as u8
}
