use super::*;
use crate::http::RequestHead;

#[test]
fn a_plain_request() {
    let mut head = RequestHead::default();
    let bytes = b"GET /a?b HTTP/1.1\r\nHost: example.com\r\nX-A:  1 \r\n\r\nrest";
    let decoded = request(bytes, &Policy::default(), &mut head);
    assert_eq!(decoded, Ok(Decoded::Head { len: bytes.len() - 4 }));
    assert_eq!((head.path(), head.query()), (&b"/a"[..], &b"?b"[..]));
    assert_eq!(head.authority, b"example.com");
    assert_eq!(head.fields.get_text(b"x-a"), Some(&b"1"[..]));
}
