//! Which header lists are malformed, and which are refused: a row for each rule.

use super::*;
use crate::http2::{
    Refused,
    request::{ListLimits, RequestList},
    response::{ResponseList, TrailerList},
};

type List<'a> = &'a [(&'a str, &'a str)];

const LIMITS: ListLimits = ListLimits { bytes: 2000, fields: 20, underscores: Underscores::Allow };

/// Has a decoder give each field of a list, as they come from a peer.
fn each_field(list: List<'_>, mut take: impl FnMut(&hpack::Header<'_>)) {
    let block = block(list);
    hpack::Decoder::new(4096).decode(&block, |field| take(&field)).unwrap();
}

fn read(
    list: List<'_>,
    limits: ListLimits,
    ends: bool,
) -> Result<(RequestHead, Option<Refused>), &'static str> {
    let mut head = RequestHead::default();
    let mut reader = RequestList::new(&mut head, limits);
    each_field(list, |field| reader.take(field));
    let request = reader.finish(ends, true)?;
    Ok((head, request.refused))
}

/// A good request with these fields behind the pseudo-header fields.
fn with(more: List<'_>) -> Vec<(&'static str, String)> {
    let own = PSEUDO.iter().map(|(name, value)| (*name, (*value).to_owned()));
    own.chain(more.iter().map(|(name, value)| (leak(name), (*value).to_owned()))).collect()
}

fn leak(text: &str) -> &'static str {
    Box::leak(text.to_owned().into_boxed_str())
}

fn borrowed<'a>(list: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    list.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

#[test]
fn fields_that_make_a_request_malformed() {
    for (field, reason) in [
        // Smuggling by what HTTP/1.1 would make of it.
        (("transfer-encoding", "chunked"), "http2.connection_specific_header"),
        (("connection", "x-a"), "http2.connection_specific_header"),
        (("keep-alive", "1"), "http2.connection_specific_header"),
        (("proxy-connection", "close"), "http2.connection_specific_header"),
        (("upgrade", "h2c"), "http2.connection_specific_header"),
        (("x-a", "b\r\ntransfer-encoding: chunked"), "http2.invalid.header.field"),
        (("x-a", "b\nc: d"), "http2.invalid.header.field"),
        (("x-a", "b\0"), "http2.invalid.header.field"),
        (("x-a", " b"), "http2.invalid.header.field"),
        (("x-a", "b "), "http2.invalid.header.field"),
        (("x-a\r\nhost", "b"), "http2.invalid.header.field"),
        (("x-a: b\r\ntransfer-encoding", "chunked"), "http2.invalid.header.field"),
        (("x a", "b"), "http2.invalid.header.field"),
        (("x-a ", "b"), "http2.invalid.header.field"),
        (("x:a", "b"), "http2.invalid.header.field"),
        (("Host", "a.example"), "http2.invalid.header.field"),
        (("Transfer-Encoding", "chunked"), "http2.invalid.header.field"),
        (("", "b"), "http2.invalid.header.field"),
        (("content-length", "-1"), "http2.invalid_content_length"),
        (("content-length", "+1"), "http2.invalid_content_length"),
        (("content-length", "0x1"), "http2.invalid_content_length"),
        (("content-length", "1, 1"), "http2.invalid_content_length"),
        (("content-length", ""), "http2.invalid_content_length"),
        (("content-length", "9223372036854775808"), "http2.invalid_content_length"),
        (("te", "trailers, chunked"), "http2.invalid_te"),
        (("te", "gzip"), "http2.invalid_te"),
        (("host", "b.example"), "http2.host_mismatch"),
        (("host", "a.example:8080"), "http2.host_mismatch"),
        (("host", ""), "http2.host_mismatch"),
        ((":path", "/b"), "http2.violation.pseudo_header_order"),
    ] {
        // Behind an ordinary field, so that pseudo-header fields are late.
        let list = with(&[("accept", "*/*"), field]);
        let said = read(&borrowed(&list), LIMITS, false);
        assert_eq!(said.map(drop), Err(reason), "{field:?}");
    }
}

#[test]
fn pseudo_header_fields_that_make_a_request_malformed() {
    let (method, scheme) = ((":method", "GET"), (":scheme", "https"));
    let (path, authority) = ((":path", "/"), (":authority", "a.example"));
    let connect = (":method", "CONNECT");
    let protocol = (":protocol", "websocket");
    let rows: [(List<'_>, &str); 25] = [
        (&[scheme, path, authority], "http2.missing_pseudo_header"),
        (&[method, path, authority], "http2.missing_pseudo_header"),
        (&[method, scheme, authority], "http2.missing_pseudo_header"),
        (&[], "http2.missing_pseudo_header"),
        (&[method, method, scheme, path], "http2.violation.repeated_pseudo_header"),
        (&[method, scheme, scheme, path], "http2.violation.repeated_pseudo_header"),
        (&[method, scheme, path, path], "http2.violation.repeated_pseudo_header"),
        (&[method, scheme, path, authority, authority], "http2.violation.repeated_pseudo_header"),
        (&[method, scheme, path, (":status", "200")], "http2.unknown_pseudo_header"),
        (&[method, scheme, path, (":x", "y")], "http2.unknown_pseudo_header"),
        (&[(":method", ""), scheme, path], "http2.invalid_method"),
        (&[(":method", "GET / HTTP/1.1"), scheme, path], "http2.invalid_method"),
        (&[(":method", "GET\r\n"), scheme, path], "http2.invalid.header.field"),
        (&[method, (":scheme", "ftp"), path], "http2.invalid_scheme"),
        (&[method, (":scheme", "http://a.example/?"), path], "http2.invalid_scheme"),
        (&[method, scheme, (":path", "")], "http2.invalid_path"),
        (&[method, scheme, (":path", "a")], "http2.invalid_path"),
        (&[method, scheme, (":path", "http://b.example/")], "http2.invalid_path"),
        (&[method, scheme, (":path", "/ HTTP/1.1")], "http2.invalid_path"),
        (&[method, scheme, (":path", "/\u{e9}")], "http2.invalid_path"),
        (&[method, scheme, (":path", "*"), authority], "http2.invalid_path"),
        (&[connect, scheme, path, authority], "http2.missing_pseudo_header"),
        (&[method, scheme, path, authority, protocol], "http2.missing_pseudo_header"),
        (&[connect, authority, protocol], "http2.missing_pseudo_header"),
        (&[connect, scheme, path, authority, protocol, ("content-length", "1")], "http2.connect_with_body"),
    ];
    for (list, reason) in rows {
        assert_eq!(read(list, LIMITS, false).map(drop), Err(reason), "{list:?}");
    }
    // Some are so only where the head is all of it, or where extended CONNECT was not announced.
    let tunnel = [connect, scheme, path, authority, protocol];
    assert_eq!(read(&tunnel, LIMITS, true).map(drop), Err("http2.connect_with_body"));
    let mut head = RequestHead::default();
    let mut reader = RequestList::new(&mut head, LIMITS);
    each_field(&tunnel, |field| reader.take(field));
    assert_eq!(reader.finish(false, false).map(drop), Err("http2.missing_pseudo_header"));
    let list = with(&[("content-length", "1")]);
    assert_eq!(read(&borrowed(&list), LIMITS, true).map(drop), Err("http2.content_length_mismatch"));
    let list = with(&[("content-length", "1"), ("content-length", "1")]);
    assert_eq!(read(&borrowed(&list), LIMITS, false).map(drop), Err("http2.invalid_content_length"));
    let list = [method, scheme, path, ("host", "a.example"), ("host", "a.example")];
    assert_eq!(read(&list, LIMITS, false).map(drop), Err("http2.multiple_host_headers"));
}

#[test]
fn requests_that_are_refused() {
    let (method, scheme) = ((":method", "GET"), (":scheme", "https"));
    let (path, authority) = ((":path", "/"), (":authority", "a.example"));
    let long = "v".repeat(2000);
    let rows: [(List<'_>, Refused); 12] = [
        (&[(":method", "TRACE"), scheme, path, authority], Refused::Trace),
        (&[(":method", "CONNECT"), authority], Refused::Connect),
        (&[(":method", "CONNECT"), scheme, path, authority, (":protocol", "connect-udp")], Refused::Connect),
        (&[method, scheme, path], Refused::HostMissing),
        (&[method, scheme, path, (":authority", "")], Refused::HostMissing),
        (&[method, scheme, path, (":authority", "u@a.example")], Refused::Authority),
        (&[method, scheme, path, ("host", "a.example/b")], Refused::Authority),
        (&[method, scheme, (":path", "/?#a"), authority], Refused::Fragment),
        (&[method, scheme, path, authority, ("content_length", "1")], Refused::Underscore),
        (&[method, scheme, path, authority, ("transfer_encoding", "chunked")], Refused::Underscore),
        (&[method, scheme, path, authority, ("expect", "200-ok")], Refused::Expectation),
        (&[method, scheme, path, authority, ("x-a", &long)], Refused::TooLarge),
    ];
    for (list, refused) in rows {
        assert_eq!(read(list, LIMITS, false).map(|read| read.1), Ok(Some(refused)), "{list:?}");
    }
    let list = with(&[("x-a", "b"); 17]);
    assert_eq!(read(&borrowed(&list), LIMITS, false).unwrap().1, Some(Refused::TooMany));
}

#[test]
fn underscores_follow_policy() {
    for (underscores, refused, kept) in [
        (Underscores::Allow, None, 1),
        (Underscores::Drop, None, 0),
        (Underscores::Reject, Some(Refused::Underscore), 0),
    ] {
        let list = with(&[("x_a", "b")]);
        let (head, said) = read(&borrowed(&list), ListLimits { underscores, ..LIMITS }, false).unwrap();
        assert_eq!((said, head.fields.len()), (refused, kept), "{underscores:?}");
    }
}

#[test]
fn what_a_good_request_becomes() {
    let list = with(&[
        ("cookie", "a=b"),
        ("te", "trailers"),
        ("host", "A.example"),
        ("cookie", "c=d"),
        ("content-length", "007"),
        ("http2-settings", "AAAA"),
        ("expect", "100-continue"),
    ]);
    let (head, refused) = read(&borrowed(&list), LIMITS, false).unwrap();
    assert_eq!(refused, None);
    assert_eq!(head.fields.get_all(b"cookie").collect::<Vec<_>>(), [b"a=b; c=d"]);
    assert_eq!((head.body, head.expects_continue), (BodyLength::Sized(7), true));
    // What frames the message, and what was for this connection, is no field any more.
    let names: Vec<&[u8]> = head.fields.iter().map(|field| field.text).collect();
    assert_eq!(names, [&b"te"[..], b"expect", b"cookie"]);
    let (head, _) =
        read(&[(":method", "OPTIONS"), (":scheme", "http"), (":path", "*"), ("host", "a")], LIMITS, true)
            .unwrap();
    assert_eq!((&*head.target, &*head.authority, head.body), (&b"*"[..], &b"a"[..], BodyLength::None));
    let (head, _) = read(&borrowed(&with(&[("expect", "100-continue")])), LIMITS, true).unwrap();
    assert!(!head.expects_continue && !head.fields.contains(Name::Expect));
}

fn answer(list: List<'_>, ends: bool, is_head: bool) -> Result<ResponseHead, &'static str> {
    let mut head = ResponseHead::default();
    let mut reader = ResponseList::new(&mut head, LIMITS);
    each_field(list, |field| reader.take(field));
    reader.finish(ends, is_head).map(|_| head)
}

#[test]
fn what_makes_a_response_malformed() {
    let ok = (":status", "200");
    let long = "v".repeat(2000);
    let rows: [(List<'_>, bool, &str); 21] = [
        (&[], false, "http2.invalid_status"),
        (&[("server", "a")], false, "http2.invalid_status"),
        (&[(":status", "20")], false, "http2.invalid_status"),
        (&[(":status", "0200")], false, "http2.invalid_status"),
        (&[(":status", "099")], false, "http2.invalid_status"),
        (&[(":status", "2x0")], false, "http2.invalid_status"),
        (&[ok, ok], false, "http2.invalid_status"),
        (&[("server", "a"), ok], false, "http2.invalid_status"),
        (&[ok, (":path", "/")], false, "http2.invalid_status"),
        (&[(":status", "101")], false, "http2.switching_protocols"),
        (&[(":status", "100")], true, "http2.interim_ends_stream"),
        (&[ok, ("transfer-encoding", "chunked")], false, "http2.connection_specific_header"),
        (&[ok, ("connection", "close")], false, "http2.connection_specific_header"),
        (&[ok, ("upgrade", "a")], false, "http2.connection_specific_header"),
        (&[ok, ("x-a", "b\r\nc: d")], false, "http2.invalid.header.field"),
        (&[ok, ("X-a", "b")], false, "http2.invalid.header.field"),
        (&[ok, ("content-length", "1x")], false, "http2.invalid_content_length"),
        (&[ok, ("content-length", "1"), ("content-length", "2")], false, "http2.invalid_content_length"),
        (&[ok, ("content-length", "1")], true, "http2.content_length_mismatch"),
        (&[ok, ("x-a", &long)], false, "response_headers_too_large"),
        (&[ok, ("x-a", "\u{7f}")], false, "http2.invalid.header.field"),
    ];
    for (list, ends, reason) in rows {
        assert_eq!(answer(list, ends, false).map(drop), Err(reason), "{list:?}");
    }
    let many: Vec<(&str, &str)> = std::iter::once(ok).chain([("x-a", "b"); 20]).collect();
    assert_eq!(answer(&many, false, false).map(drop), Err("response_headers_too_large"));
    let sized = answer(&[ok, ("content-length", "1"), ("content-length", "1")], false, false).unwrap();
    assert_eq!(sized.body, BodyLength::Sized(1));
    let of_head = answer(&[ok, ("content-length", "1")], true, true).unwrap();
    assert_eq!((of_head.body, of_head.content_length), (BodyLength::None, Some(1)));
}

#[test]
fn what_becomes_of_trailers() {
    let trailers = |list: List<'_>| {
        let mut reader = TrailerList::new(LIMITS);
        each_field(list, |field| reader.take(field));
        reader.finish().map(|fields| fields.len())
    };
    let long = "v".repeat(2000);
    let rows: [(List<'_>, Result<usize, &str>); 12] = [
        (&[("grpc-status", "0"), ("grpc-message", "ok"), ("x-sum", "1")], Ok(3)),
        // Whoever merged these into a head would take them for what was checked.
        (&[("content-length", "1"), ("host", "b"), ("authorization", "c"), ("set-cookie", "d=e")], Ok(0)),
        (
            &[("x-forwarded-for", "1.2.3.4"), ("x-envoy-original-path", "/"), ("expect", "100-continue")],
            Ok(0),
        ),
        (&[], Ok(0)),
        (&[(":status", "200")], Err("http2.pseudo_header_in_trailers")),
        (&[(":path", "/")], Err("http2.pseudo_header_in_trailers")),
        (&[("transfer-encoding", "chunked")], Err("http2.connection_specific_header")),
        (&[("connection", "close")], Err("http2.connection_specific_header")),
        (&[("x-a", "b\nc")], Err("http2.invalid.header.field")),
        (&[("X-a", "b")], Err("http2.invalid.header.field")),
        (&[("x-a", &long)], Err("trailers_too_large")),
        (&[("x-a", "b"); 21], Err("trailers_too_large")),
    ];
    for (list, said) in rows {
        assert_eq!(trailers(list), said, "{list:?}");
    }
}
