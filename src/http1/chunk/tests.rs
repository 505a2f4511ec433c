use super::*;

#[test]
fn data_and_end_in_one_look() {
    let mut decoder = ChunkDecoder::default();
    let input = b"5\r\nhello\r\n0\r\n\r\nGET";
    assert_eq!(decoder.decode(input), Ok(Chunked { data: 3..8, consumed: 15, is_end: true }));
}
