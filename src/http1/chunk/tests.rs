use super::*;

fn decode(input: &[u8]) -> Result<Chunked, BadChunk> {
    ChunkDecoder::default().decode(input)
}

#[test]
fn data_and_end_in_one_look() {
    assert_eq!(decode(b"5\r\nhello\r\n0\r\n\r\nGET"), Ok(Chunked { data: 3..8, consumed: 15, is_end: true }));
}

#[test]
fn the_next_chunk_is_left_for_the_next_look() {
    let mut decoder = ChunkDecoder::default();
    let input = b"1\r\na\r\n2\r\nbc";
    assert_eq!(decoder.decode(input), Ok(Chunked { data: 3..4, consumed: 9, is_end: false }));
    assert_eq!(decoder.decode(&input[9..]), Ok(Chunked { data: 0..2, consumed: 2, is_end: false }));
    assert_eq!(decoder.decode(b""), Ok(Chunked { data: 0..0, consumed: 0, is_end: false }));
    assert_eq!(decoder.decode(b"\r\n0\r\n\r\n"), Ok(Chunked { data: 7..7, consumed: 7, is_end: true }));
    assert!(decoder.is_done());
}

#[test]
fn sizes() {
    assert_eq!(decode(b"0000000000000001\r\na").map(|found| found.data), Ok(18..19));
    assert_eq!(decode(b"00000000000000001\r\na"), Err(BadChunk::SizeTooLong));
    assert_eq!(decode(b"ffffffffffffffff\r\nab").map(|found| found.data), Ok(18..20));
    for bad in ["\r\n", "g", "-1", "+1", " 1", ";a", "0x1", "1 \r\n"] {
        assert_eq!(decode(bad.as_bytes()), Err(BadChunk::Size), "{bad}");
    }
}

#[test]
fn extensions() {
    for good in ["1;a\r\nx", "1;a=b\r\nx", "1;a=\"\"\r\nx", "1;a=\"\\\"\t\u{e9};\";b;c=d\r\nx"] {
        assert!(decode(good.as_bytes()).is_ok_and(|found| found.data.len() == 1), "{good}");
    }
    for bad in [
        "1;\r",
        "1;;",
        "1;a;;",
        "1;a=\r",
        "1;a=b=c",
        "1;a=\"\"b",
        "1;a=\"\r",
        "1;a=\"\\\r",
        "1;a =b",
        "1; a",
        "1;a= b",
        "1;a\n",
    ] {
        assert_eq!(decode(bad.as_bytes()), Err(BadChunk::Extension), "{bad}");
    }
}

#[test]
fn extensions_are_bounded_in_a_chunk_and_in_a_body() {
    let chunk = |len: usize| format!("1;{}\r\nx\r\n", "a".repeat(len));
    let most = usize::from(CHUNK_EXTENSION_BYTES_MAX) - 1; // The CR counts too.
    assert!(decode(chunk(most).as_bytes()).is_ok());
    assert_eq!(decode(chunk(most + 1).as_bytes()), Err(BadChunk::ExtensionsTooLong));
    let mut decoder = ChunkDecoder::default();
    let fit = usize::from(EXTENSION_BYTES_MAX / 64);
    for _ in 0..fit {
        assert!(decoder.decode(chunk(63).as_bytes()).is_ok());
    }
    assert_eq!(decoder.decode(chunk(63).as_bytes()), Err(BadChunk::ExtensionsTooLong));
}

#[test]
fn trailers_are_checked_and_dropped() {
    assert!(decode(b"0\r\nA: b\r\nc:\r\n\r\n").is_ok_and(|found| found.is_end && found.data.is_empty()));
    for bad in ["A\r", ":", " a", "a b", "A: b\n", "A: \0", "A: b\r\n c"] {
        assert_eq!(decode(format!("0\r\n{bad}").as_bytes()), Err(BadChunk::Trailer), "{bad}");
    }
    assert_eq!(decode(b"0\r\nA: b\rc"), Err(BadChunk::LineEnd));
    let long = format!("0\r\nA: {}", "b".repeat(usize::from(TRAILER_BYTES_MAX)));
    assert_eq!(decode(long.as_bytes()), Err(BadChunk::TrailersTooLong));
}

#[test]
fn line_ends() {
    for bad in ["1\rx", "1\r\nabc", "1\r\na\n", "1\r\na\rb", "0\r\n\rx"] {
        assert_eq!(decode(bad.as_bytes()), Err(BadChunk::LineEnd), "{bad}");
    }
}
