use super::*;

#[test]
fn a_sized_body_ends_with_its_last_byte() {
    let mut body = BodyDecoder::new(BodyLength::Sized(3));
    assert_eq!(body.next(b"ab"), Ok(Piece { data: 0..2, consumed: 2, next: Next::Read }));
    assert_eq!(body.close(), Err(BadBody::Truncated));
    assert_eq!(body.next(b"cGET"), Ok(Piece { data: 0..1, consumed: 1, next: Next::End }));
    assert_eq!(body.close(), Ok(()));
}

#[test]
fn a_connection_may_close_only_where_the_body_is_over() {
    let mut chunked = BodyDecoder::new(BodyLength::Unknown);
    assert_eq!(chunked.next(b"1\r\na"), Ok(Piece { data: 3..4, consumed: 4, next: Next::Read }));
    assert_eq!(chunked.close(), Err(BadBody::Truncated));
    assert_eq!(chunked.next(b"\r\n0\r\n\r\nGET"), Ok(Piece { data: 7..7, consumed: 7, next: Next::End }));
    assert_eq!((chunked.close(), chunked.is_over(), chunked.sized_left()), (Ok(()), true, None));
    let mut open = BodyDecoder::new(BodyLength::UntilClose);
    assert_eq!(open.next(b"ab"), Ok(Piece { data: 0..2, consumed: 2, next: Next::Read }));
    assert_eq!((open.close(), open.is_over()), (Ok(()), false));
    let mut none = BodyDecoder::new(BodyLength::Sized(0));
    assert_eq!(none.next(b"GET"), Ok(Piece { data: 0..0, consumed: 0, next: Next::End }));
    assert_eq!((none.is_over(), none.sized_left()), (true, Some(0)));
}

#[test]
fn chunks_are_given_out_one_by_one() {
    let mut body = BodyDecoder::new(BodyLength::Unknown);
    let input = b"1\r\na\r\n2\r\nbc\r\n";
    assert_eq!(body.next(input), Ok(Piece { data: 3..4, consumed: 9, next: Next::Look }));
    assert_eq!(body.next(&input[9..]), Ok(Piece { data: 0..2, consumed: 4, next: Next::Read }));
    assert_eq!(body.next(b"x"), Err(BadBody::Chunk(BadChunk::Size)));
}
