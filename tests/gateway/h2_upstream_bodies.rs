//! Requests of HTTP/1.1 clients that an origin of HTTP/2 does not take: what is sent again, and what becomes of the client's
//! connection.

use super::{
    h2_frames::{DATA, INTERNAL_ERROR, REFUSED_STREAM, rst_stream},
    h2_origin::H2Origin,
    h2_upstream::whole_body,
};

#[test]
fn a_refused_request_of_http1_is_sent_again_while_its_body_is_at_hand() {
    let origin = H2Origin::new();
    let gateway = origin.gateway("");
    let mut client = gateway.connect(80);
    // One segment: the body has come with its head. What follows is the next request.
    client.send(b"POST / HTTP/1.1\r\nhost: web.test\r\ncontent-length: 9\r\n\r\nonce moreGET /next HTTP/1.1\r\nhost: web.test\r\n\r\n");
    let mut connection = origin.accept();
    for _ in 0..2 {
        let request = connection.request();
        assert_eq!(whole_body(&mut connection, request.stream), b"once more");
        connection.send(&rst_stream(request.stream, REFUSED_STREAM));
    }
    let request = connection.request();
    assert_eq!(whole_body(&mut connection, request.stream), b"once more");
    connection.answer(request.stream);
    assert_eq!(client.answer("POST").status, 200);
    let next = connection.request();
    assert_eq!(next.field(":path"), Some("/next"));
    connection.answer(next.stream);
    assert_eq!(client.answer("GET").status, 200);
    drop(client);
    gateway.stop();
}

#[test]
fn a_body_of_http1_that_is_gone_ends_its_connection_when_the_request_fails() {
    let origin = H2Origin::new();
    let gateway = origin.gateway("");
    let mut client = gateway.connect(80);
    client.send(b"POST / HTTP/1.1\r\nhost: web.test\r\ncontent-length: 9\r\n\r\nonce ");
    let mut connection = origin.accept();
    let request = connection.request();
    connection.next(|frame| frame.is(DATA, request.stream));
    client.send(b"moreGET /next HTTP/1.1\r\nhost: web.test\r\n\r\n");
    assert_eq!(whole_body(&mut connection, request.stream), b"once more");
    connection.send(&rst_stream(request.stream, INTERNAL_ERROR));
    // Where the next request begins in what is left nobody can say any more, so there is none.
    assert_eq!(client.answer("GET").status, 503);
    assert!(client.is_closed());
    gateway.stop();
}

#[test]
fn who_is_refused_in_the_midst_of_a_body_hears_of_it() {
    let origin = H2Origin::new();
    let gateway = origin.gateway("");
    let mut client = gateway.connect(80);
    client.send(b"POST / HTTP/1.1\r\nhost: web.test\r\ncontent-length: 9\r\n\r\nonce ");
    let mut connection = origin.accept();
    let request = connection.request();
    connection.next(|frame| frame.is(DATA, request.stream));
    connection.send(&rst_stream(request.stream, INTERNAL_ERROR));
    // It sends nothing more, and is not waited for without end.
    assert_eq!(client.answer("POST").status, 503);
    assert!(client.is_closed());
    gateway.stop();
}
