use super::*;

#[test]
fn a_sized_body_ends_with_its_last_byte() {
    let mut body = BodyDecoder::new(BodyLength::Sized(3));
    assert_eq!(body.next(b"ab"), Ok(Piece { data: 0..2, consumed: 2, next: Next::Read }));
    assert_eq!(body.close(), Err(BadBody::Truncated));
    assert_eq!(body.next(b"cGET"), Ok(Piece { data: 0..1, consumed: 1, next: Next::End }));
    assert_eq!(body.close(), Ok(()));
}
