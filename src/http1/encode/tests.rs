use super::*;

#[test]
fn chunk_heads() {
    for (len, wanted) in
        [(1, "1\r\n"), (16, "10\r\n"), (0xabcdef, "abcdef\r\n"), (usize::MAX, "ffffffffffffffff\r\n")]
    {
        let mut out = Vec::new();
        chunk_head(len, &mut out);
        assert_eq!(out, wanted.as_bytes());
        assert!(out.len() <= CHUNK_HEAD_BYTES_MAX);
    }
}
