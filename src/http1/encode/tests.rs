use super::*;

fn encoded(head: &ResponseHead, body: BodyLength, recipient: Recipient<'_>) -> (String, Framing) {
    let mut out = Vec::new();
    let framing = response(head, body, recipient, &mut out);
    (String::from_utf8(out).unwrap(), framing)
}

const CLIENT: Recipient<'_> =
    Recipient { method: b"GET", version: Version::Http11, connection: KeepAlive::Keep };

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

#[test]
fn requests() {
    let mut head = RequestHead {
        method: b"GET".into(),
        target: b"/a?b".into(),
        authority: b"h:80".into(),
        ..RequestHead::default()
    };
    head.fields.push(b"A", b"1");
    let encoded = |head: &RequestHead, body| {
        let mut out = Vec::new();
        let framing = request(head, body, &mut out);
        (String::from_utf8(out).unwrap(), framing)
    };
    let line = "GET /a?b HTTP/1.1\r\nhost: h:80\r\na: 1\r\n";
    assert_eq!(encoded(&head, BodyLength::None), (format!("{line}\r\n"), Framing::None));
    assert_eq!(
        encoded(&head, BodyLength::Sized(7)),
        (format!("{line}content-length: 7\r\n\r\n"), Framing::Sized)
    );
    let chunked = (format!("{line}transfer-encoding: chunked\r\n\r\n"), Framing::Chunked);
    assert_eq!(encoded(&head, BodyLength::Unknown), chunked);
    assert_eq!(encoded(&head, BodyLength::UntilClose), chunked);
    for method in ["POST", "PUT", "PATCH"] {
        head.method = method.into();
        let (text, framing) = encoded(&head, BodyLength::None);
        assert!(text.ends_with("\r\ncontent-length: 0\r\n\r\n") && framing == Framing::None);
    }
}

#[test]
fn responses_without_a_body() {
    let mut head = ResponseHead { status: 200, ..ResponseHead::default() };
    assert_eq!(encoded(&head, BodyLength::None, CLIENT).0, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    let to_head = Recipient { method: b"HEAD", ..CLIENT };
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    assert_eq!(encoded(&head, BodyLength::None, to_head), (chunked.to_owned(), Framing::None));
    let to_old_head = Recipient { version: Version::Http10, ..to_head };
    let kept = "HTTP/1.1 200 OK\r\nconnection: keep-alive\r\n\r\n";
    assert_eq!(encoded(&head, BodyLength::None, to_old_head).0, kept);
    head.content_length = Some(9);
    assert_eq!(encoded(&head, BodyLength::None, to_head).0, "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n");
    head.status = 304;
    assert_eq!(
        encoded(&head, BodyLength::None, CLIENT).0,
        "HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n"
    );
    head.status = 204;
    assert_eq!(encoded(&head, BodyLength::None, CLIENT).0, "HTTP/1.1 204 No Content\r\n\r\n");
    head.status = 103;
    let closing = Recipient { connection: KeepAlive::Close, ..CLIENT };
    assert_eq!(encoded(&head, BodyLength::None, closing).0, "HTTP/1.1 103 Early Hints\r\n\r\n");
    head.status = 101;
    let switched = "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n";
    assert_eq!(encoded(&head, BodyLength::None, CLIENT), (switched.to_owned(), Framing::None));
}

#[test]
fn responses_with_a_body() {
    let head = ResponseHead { status: 599, ..ResponseHead::default() };
    let closing = Recipient { connection: KeepAlive::Close, ..CLIENT };
    let sized = "HTTP/1.1 599 \r\ncontent-length: 18446744073709551615\r\nconnection: close\r\n\r\n";
    assert_eq!(encoded(&head, BodyLength::Sized(u64::MAX), closing), (sized.to_owned(), Framing::Sized));
    for body in [BodyLength::Unknown, BodyLength::UntilClose] {
        let chunked = "HTTP/1.1 599 \r\ntransfer-encoding: chunked\r\n\r\n";
        assert_eq!(encoded(&head, body, CLIENT), (chunked.to_owned(), Framing::Chunked));
        let old = Recipient { version: Version::Http10, ..CLIENT };
        let unframed = "HTTP/1.1 599 \r\nconnection: close\r\n\r\n";
        assert_eq!(encoded(&head, body, old), (unframed.to_owned(), Framing::UntilClose));
    }
}

#[test]
fn an_old_client_is_told_that_its_connection_stays() {
    let head = ResponseHead { status: 200, ..ResponseHead::default() };
    let old = Recipient { version: Version::Http10, ..CLIENT };
    let kept = "HTTP/1.1 200 OK\r\ncontent-length: 1\r\nconnection: keep-alive\r\n\r\n";
    assert_eq!(encoded(&head, BodyLength::Sized(1), old).0, kept);
}
