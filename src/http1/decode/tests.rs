//! What the cases in `tests/http1` do not say: each choice of policy, each member of the heads, each status.

use super::*;
use crate::http::{BodyLength, RequestHead, ResponseHead, Scheme, Upgrade, Version, is_token_byte};

fn decode(bytes: &str) -> Result<RequestHead, BadRequest> {
    decode_with(bytes, &Policy::default())
}

fn decode_with(bytes: &str, policy: &Policy) -> Result<RequestHead, BadRequest> {
    let mut head = RequestHead::default();
    match request(bytes.as_bytes(), policy, &mut head)? {
        Decoded::Head { len } => assert_eq!(len, head.wire_len as usize),
        Decoded::Incomplete => panic!("incomplete: {bytes}"),
    }
    Ok(head)
}

fn with_fields(fields: &str) -> Result<RequestHead, BadRequest> {
    decode(&format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n"))
}

fn text(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

#[test]
fn the_parts_of_a_request() {
    let mut head = RequestHead::default();
    let bytes = b"\r\nGET /a?b HTTP/1.1\r\nHost: example.com\r\nX-A:  1 \r\n\r\nrest";
    assert_eq!(request(bytes, &Policy::default(), &mut head), Ok(Decoded::Head { len: bytes.len() - 4 }));
    assert_eq!((head.method.as_slice(), head.path(), head.query()), (&b"GET"[..], &b"/a"[..], &b"?b"[..]));
    assert_eq!((head.authority.as_slice(), head.fields.len()), (&b"example.com"[..], 1));
    assert_eq!(head.fields.get_text(b"x-a"), Some(&b"1"[..]));
    assert_eq!((head.version, head.keep_alive, head.body), (Version::Http11, true, BodyLength::None));
}

#[test]
fn a_head_is_used_again_without_a_trace_of_the_last() {
    let mut head = RequestHead { scheme: Scheme::Https, ..RequestHead::default() };
    let first = b"POST /long/path?q HTTP/1.1\r\nHost: one\r\nExpect: 100-continue\r\nContent-Length: 5\r\nA: b\r\n\r\n";
    request(first, &Policy::default(), &mut head).unwrap();
    assert!(head.expects_continue);
    request(b"GET / HTTP/1.1\r\nHost: two\r\n\r\n", &Policy::default(), &mut head).unwrap();
    assert_eq!((text(&head.target), text(&head.authority), head.fields.len()), ("/".into(), "two".into(), 0));
    assert_eq!((head.body, head.expects_continue, head.scheme), (BodyLength::None, false, Scheme::Https));
}

#[test]
fn targets() {
    for (target, path, query) in [
        ("/app#foo", "/app", ""),
        ("/app?x=1#foo", "/app", "?x=1"),
        ("/app#foo?x", "/app", ""),
        ("//a//b", "//a//b", ""),
        ("/?", "/", "?"),
        ("/a?b?c", "/a", "?b?c"),
        ("http://a", "/", ""),
        ("HTTP://A:80/x?y", "/x", "?y"),
        ("http://a:?y", "/", "?y"),
        ("http://a#f", "/", ""),
        ("http://a/b#f", "/b", ""),
    ] {
        let head = decode(&format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")).unwrap();
        assert_eq!((text(head.path()), text(head.query())), (path.to_owned(), query.to_owned()), "{target}");
    }
    for (target, bad) in [
        ("/?#f", BadRequest::Fragment),
        ("#f", BadRequest::Target),
        ("?q", BadRequest::Target),
        ("a", BadRequest::Target),
        ("a:80", BadRequest::Target),
        ("*", BadRequest::Target),
        ("http://", BadRequest::Authority),
        ("http:///x", BadRequest::Authority),
        ("http://u@a/", BadRequest::Authority),
        ("http://b/", BadRequest::AuthorityMismatch),
        ("http://a:81/", BadRequest::AuthorityMismatch),
        ("https://a/", BadRequest::Scheme),
        ("ws://a/", BadRequest::Scheme),
        ("/ü", BadRequest::Target),
    ] {
        assert_eq!(decode(&format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")).err(), Some(bad), "{target}");
    }
}

#[test]
fn a_secure_connection_takes_both_schemes() {
    for (target, host) in [("https://a/x", "a:443"), ("http://a/x", "a")] {
        let mut head = RequestHead { scheme: Scheme::Https, ..RequestHead::default() };
        let bytes = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        request(bytes.as_bytes(), &Policy::default(), &mut head).unwrap();
        assert_eq!(
            (text(&head.target), text(&head.authority), head.scheme),
            ("/x".into(), "a".into(), Scheme::Https)
        );
    }
}

#[test]
fn options_has_a_target_of_its_own() {
    let head = decode("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    assert_eq!(head.path(), b"*");
}

#[test]
fn every_reason_has_its_status() {
    for (bytes, status) in [
        ("CONNECT a:80 HTTP/1.1\r\n", 403),
        ("TRACE / HTTP/1.1\r\n", 405),
        ("GET / HTTP/1.0\r\n", 426),
        ("GET / HTTP/3.0\r\n", 505),
        ("GET / HTTP/1\r\n\r\n\r\n", 400),
        ("GET /\r\n", 400),
        ("GETGETGETGETGETGETGETGETGETGETGETG", 501),
        ("G\u{7f}", 400),
        ("\n", 400),
        ("\r\n\r\n\r\n\r\n\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
        ("POST / HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\n\r\n", 417),
    ] {
        let mut head = RequestHead::default();
        let bad = request(bytes.as_bytes(), &Policy::default(), &mut head).unwrap_err();
        assert_eq!(bad.status(), status, "{bytes:?}: {bad:?}");
        assert!(!bad.detail().is_empty());
    }
}

#[test]
fn http10_where_it_is_accepted() {
    let policy = Policy { http10: Http10::Accept, ..Policy::default() };
    let decode = |bytes: &str| decode_with(bytes, &policy);
    let head = decode("GET / HTTP/1.0\r\nHost: a\r\n\r\n").unwrap();
    assert_eq!((head.version, head.keep_alive), (Version::Http10, false));
    assert!(decode("GET / HTTP/1.0\r\nHost: a\r\nConnection: Keep-Alive\r\n\r\n").unwrap().keep_alive);
    let head =
        decode("POST / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n").unwrap();
    assert_eq!((head.expects_continue, head.fields.len()), (false, 0));
    let upgrade = "GET / HTTP/1.0\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
    assert_eq!(decode(upgrade).unwrap().upgrade, Upgrade::None);
    let status = |bytes: &str| decode(bytes).map(drop).map_err(BadRequest::status);
    assert_eq!(status("POST / HTTP/1.0\r\nHost: a\r\n\r\n"), Err(411));
    assert_eq!(status("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"), Err(501));
    assert_eq!(status("GET / HTTP/1.0\r\n\r\n"), Err(400));
}

#[test]
fn names_with_underscores() {
    let decode = |underscores, field: &str| {
        let policy = Policy { underscores, ..Policy::default() };
        let bytes = format!("GET / HTTP/1.1\r\nHost: a\r\n{field}: 1\r\nB: 2\r\n\r\n");
        decode_with(&bytes, &policy).map(|head| head.fields.len())
    };
    assert_eq!(decode(Underscores::Allow, "a_b"), Ok(2));
    assert_eq!(decode(Underscores::Drop, "a_b"), Ok(1));
    assert_eq!(decode(Underscores::Reject, "a_b"), Err(BadRequest::Underscore));
    for name in ["Content_Length", "transfer_encoding", "TRANSFER_ENCODING"] {
        for underscores in [Underscores::Allow, Underscores::Drop, Underscores::Reject] {
            assert_eq!(decode(underscores, name), Err(BadRequest::Underscore));
        }
    }
}

#[test]
fn upgrades() {
    let decode = |other_upgrades, upgrade: &str| {
        let policy = Policy { other_upgrades, ..Policy::default() };
        let bytes = format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Upgrade\r\n{upgrade}\r\n\r\n");
        decode_with(&bytes, &policy).map(|head| (head.upgrade, head.fields.len()))
    };
    for policy in [OtherUpgrades::Ignore, OtherUpgrades::Refuse] {
        assert_eq!(decode(policy, "Upgrade: WebSocket"), Ok((Upgrade::WebSocket, 0)));
        assert_eq!(decode(policy, "Upgrade: h2c"), Ok((Upgrade::None, 0)));
    }
    for other in ["Upgrade: foo", "Upgrade: websocket,websocket", "Upgrade: websocket\r\nUpgrade: websocket"]
    {
        assert_eq!(decode(OtherUpgrades::Ignore, other), Ok((Upgrade::None, 0)));
        assert_eq!(decode(OtherUpgrades::Refuse, other), Err(BadRequest::Upgrade));
    }
    assert_eq!(with_fields("Upgrade: websocket\r\n").unwrap().upgrade, Upgrade::None);
    let post = "POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
    assert_eq!(decode_with(post, &Policy::default()).unwrap().upgrade, Upgrade::None);
}

#[test]
fn what_is_for_this_hop_stays_here() {
    let left = |fields: &str| -> Vec<String> {
        with_fields(fields).unwrap().fields.iter().map(|field| text(field.text)).collect()
    };
    assert_eq!(
        left("Connection: close, b\r\nA: 1\r\nB: 2\r\nKeep-Alive: 3\r\nProxy-Connection: 4\r\n"),
        ["a"]
    );
    assert_eq!(left("B: 1\r\nConnection: A\r\nA: 1\r\nconnection: b , ,\tc\r\nC: 1\r\nD: 2\r\n"), ["d"]);
    assert_eq!(left("TE: trailers\r\nConnection: te\r\nTrailer: x\r\nHTTP2-Settings: a\r\n"), ["te"]);
    assert_eq!(left("TE: trailers, deflate\r\nTE: gzip\r\n"), Vec::<String>::new());
    assert_eq!(with_fields("Connection: Transfer-Encoding\r\n").err(), Some(BadRequest::FramingNominated));
    assert!(!with_fields("Connection: keep-alive\r\nConnection: Close\r\n").unwrap().keep_alive);
    let members = |count: usize| with_fields(&format!("Connection: {}\r\n", "x,".repeat(count))).map(drop);
    assert_eq!(members(99), Ok(()));
    assert_eq!(members(100), Err(BadRequest::Fields(BadFields::ConnectionTooLong)));
}

#[test]
fn expectations() {
    let decode = |fields: &str| decode(&format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n"));
    let head = decode("Expect: 100-Continue\r\nTransfer-Encoding: chunked\r\n").unwrap();
    assert_eq!((head.expects_continue, head.fields.len(), head.body), (true, 1, BodyLength::Unknown));
    let head = decode("Expect: 100-continue\r\nContent-Length: 0\r\n").unwrap();
    assert_eq!((head.expects_continue, head.fields.len(), head.body), (false, 0, BodyLength::None));
    let head = decode("Expect: 100-continue\r\nContent-Length: 1\r\nConnection: expect\r\n").unwrap();
    assert_eq!((head.expects_continue, head.fields.len()), (true, 1));
}

#[test]
fn lengths() {
    let body = |value: &str| with_fields(&format!("Content-Length: {value}\r\n")).map(|head| head.body);
    assert_eq!(body("9223372036854775807"), Ok(BodyLength::Sized(i64::MAX as u64)));
    assert_eq!(body("00000000000000000001"), Ok(BodyLength::Sized(1)));
    for bad in [
        "9223372036854775808",
        "18446744073709551616",
        "000000000000000000001",
        "",
        "-0",
        "1,1",
        "1 1",
        "0x1",
        "1_0",
        "1.",
    ] {
        assert_eq!(body(bad), Err(BadRequest::Fields(BadFields::ContentLength)), "{bad}");
    }
}

fn answer(bytes: &str, method: &str) -> Result<ResponseHead, BadResponse> {
    let mut head = ResponseHead::default();
    match response(bytes.as_bytes(), &Limits::default(), method.as_bytes(), Upgrade::None, &mut head)? {
        Decoded::Head { len } => assert_eq!(len, bytes.len()),
        Decoded::Incomplete => panic!("incomplete: {bytes}"),
    }
    Ok(head)
}

#[test]
fn how_a_response_body_ends() {
    let head = |bytes: &str, method: &str| {
        let head = answer(&format!("HTTP/1.1 {bytes}\r\n\r\n"), method).unwrap();
        (head.body, head.content_length, head.keep_alive)
    };
    assert_eq!(head("200 OK\r\nContent-Length: 5", "GET"), (BodyLength::Sized(5), Some(5), true));
    assert_eq!(head("200 OK\r\nContent-Length: 0", "GET"), (BodyLength::None, Some(0), true));
    assert_eq!(head("200 OK\r\nContent-Length: 5", "HEAD"), (BodyLength::None, Some(5), true));
    assert_eq!(head("304 Not Modified\r\nContent-Length: 5", "GET"), (BodyLength::None, Some(5), true));
    assert_eq!(head("200 OK\r\nTransfer-Encoding: Chunked", "GET"), (BodyLength::Unknown, None, true));
    assert_eq!(head("200 OK", "GET"), (BodyLength::UntilClose, None, false));
    assert_eq!(head("200 OK", "HEAD"), (BodyLength::None, None, true));
    assert_eq!(head("204 No Content\r\nContent-Length: 0", "GET"), (BodyLength::None, None, true));
    assert_eq!(head("204 No Content\r\nContent-Length: 5", "GET"), (BodyLength::None, None, false));
    assert_eq!(head("103 Early Hints", "GET"), (BodyLength::None, None, true));
}

#[test]
fn status_lines() {
    for good in
        ["HTTP/1.1 200 OK", "HTTP/1.1 200 ", "HTTP/1.1 200", "HTTP/1.9 200 caf\u{e9} \t!", "HTTP/1.1 999 X"]
    {
        assert!(answer(&format!("{good}\r\nContent-Length: 0\r\n\r\n"), "GET").is_ok(), "{good}");
    }
    for bad in [
        "HTTP/1.1 20 OK ",
        "HTTP/1.1 2000 OK",
        "HTTP/1.1 000 X",
        "HTTP/1.1  200 OK",
        "HTTP/2.0 200 OK",
        "HTTP/1.1 200\tOK",
        "ICY 200 OK   ",
    ] {
        assert!(answer(&format!("{bad}\r\n\r\n"), "GET").is_err(), "{bad}");
    }
    assert_eq!(answer("HTTP/1.1 200 a\rb\r\n\r\n", "GET").err(), Some(BadResponse::StatusLine));
    assert_eq!(BadResponse::Status.status(), 502);
}

#[test]
fn a_switch_must_be_the_one_that_was_asked_for() {
    let decode = |asked, upgrade: &str| {
        let mut head = ResponseHead::default();
        let bytes =
            format!("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: {upgrade}\r\n\r\n");
        response(bytes.as_bytes(), &Limits::default(), b"GET", asked, &mut head).map(|_| head.upgrade)
    };
    assert_eq!(decode(Upgrade::WebSocket, "websocket"), Ok(Upgrade::WebSocket));
    assert_eq!(decode(Upgrade::WebSocket, "foo"), Err(BadResponse::SwitchingUnasked));
    assert_eq!(decode(Upgrade::None, "websocket"), Err(BadResponse::SwitchingUnasked));
}

#[test]
fn a_slow_sender_of_a_long_head_is_not_parsed_anew() {
    let mut bytes = b"GET / HTTP/1.1\r\nHost: a\r\nno colon here\r\nA: ".to_vec();
    bytes.resize(REPARSED_BYTES_MAX + 1, b'a');
    let mut head = RequestHead::default();
    assert_eq!(request(&bytes, &Policy::default(), &mut head), Ok(Decoded::Incomplete));
    bytes.extend_from_slice(b"\r\n\r\n");
    assert_eq!(request(&bytes, &Policy::default(), &mut head), Err(BadRequest::Fields(BadFields::Name)));
}

/// Puts each byte at each place of `len` bytes, in a head made from them, and says which were allowed.
fn every_byte_at_every_place(len: usize, is_allowed: fn(u8, usize) -> bool, accepts: impl Fn(&[u8]) -> bool) {
    for byte in 0..=255 {
        for place in 0..len {
            let mut part = vec![b'x'; len];
            part[place] = byte;
            assert_eq!(accepts(&part), is_allowed(byte, place), "{byte:#x} at {place}");
        }
    }
}

#[test]
fn which_bytes_a_request_may_have() {
    let accepts = |bytes: &[u8]| {
        let decoded = request(bytes, &Policy::default(), &mut RequestHead::default());
        decoded == Ok(Decoded::Head { len: bytes.len() })
    };
    let head = |start: &[u8], part: &[u8], end: &[u8]| accepts(&[start, part, end].concat());
    every_byte_at_every_place(
        10,
        |byte, _| is_token_byte(byte),
        |part| head(b"", part, b" / HTTP/1.1\r\nHost: a\r\n\r\n"),
    );
    every_byte_at_every_place(
        70,
        |byte, _| byte.is_ascii_graphic(),
        |part| head(b"GET /", part, b" HTTP/1.1\r\nHost: a\r\n\r\n"),
    );
    every_byte_at_every_place(
        20,
        |byte, place| is_token_byte(byte) || (byte == b':' && place > 0),
        |part| head(b"GET / HTTP/1.1\r\nHost: a\r\n", part, b": v\r\n\r\n"),
    );
    every_byte_at_every_place(
        70,
        |byte, _| byte == b'\t' || (byte >= b' ' && byte != 0x7f),
        |part| head(b"GET / HTTP/1.1\r\nHost: a\r\nA:", part, b"\r\n\r\n"),
    );
}

#[test]
fn which_bytes_a_reason_may_have() {
    every_byte_at_every_place(
        20,
        |byte, _| byte == b'\t' || (byte >= b' ' && byte != 0x7f),
        |part| {
            let bytes = [b"HTTP/1.1 200 ", part, b"\r\n\r\n"].concat();
            let mut head = ResponseHead::default();
            let decoded = response(&bytes, &Limits::default(), b"GET", Upgrade::None, &mut head);
            decoded == Ok(Decoded::Head { len: bytes.len() })
        },
    );
}

#[test]
fn what_httparse_tolerates_is_refused() {
    use BadRequest as Bad;
    for (bytes, bad) in [
        ("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", Bad::RequestLine),
        ("\r\n\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", Bad::RequestLine),
        ("\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", Bad::RequestLine),
        ("GET / HTTP/1.1\nHost: a\r\n\r\n", Bad::Version),
        ("GET / HTTP/1.1\r\nHost: a\n\r\n", Bad::Fields(BadFields::Value)),
        ("GET / HTTP/1.1\r\nHost: a\nB: c\r\n\r\n", Bad::Fields(BadFields::Value)),
        ("GET / HTTP/1.1\r\nHost: a\r\nB:\n\r\n", Bad::Fields(BadFields::Value)),
        ("GET / HTTP/1.1\r\nHost: a\r\nB: \t\n\r\n", Bad::Fields(BadFields::Value)),
        ("GET / HTTP/1.1\r\nHost: a\r\n\n", Bad::Fields(BadFields::End)),
        ("GET / HTTP/1.1\r\n\nHost: a\r\n\r\n", Bad::Fields(BadFields::End)),
        ("GET /\u{fc} HTTP/1.1\r\nHost: a\r\n\r\n", Bad::Target),
        // Seen before the head is whole.
        ("GET / HTTP/1.1\n", Bad::Version),
        ("GET / HTTP/1.1\r\nHost: a\nB", Bad::Fields(BadFields::Value)),
        ("GET / HTTP/1.1\r\nHost: a\r\nB: c\n", Bad::Fields(BadFields::Value)),
        ("GET /\u{fc}", Bad::Target),
    ] {
        let decoded = request(bytes.as_bytes(), &Policy::default(), &mut RequestHead::default());
        assert_eq!(decoded, Err(bad), "{bytes:?}");
    }
    for (bytes, bad) in [
        ("\r\nHTTP/1.1 200 OK\r\n\r\n", BadResponse::StatusLine),
        ("HTTP/1.1 200 OK\n\r\n", BadResponse::StatusLine),
        ("HTTP/1.1 200\n\r\n", BadResponse::StatusLine),
        ("HTTP/1.1 200 caf\u{e9}\n\r\n", BadResponse::StatusLine),
        ("HTTP/1.1 200 OK\r\nA: b\n\r\n", BadResponse::Fields(BadFields::Value)),
        ("HTTP/1.1 200 OK\r\n\n", BadResponse::Fields(BadFields::End)),
        ("HTTP/1.1 200 OK\r\nA: b\nC", BadResponse::Fields(BadFields::Value)),
    ] {
        assert_eq!(answer(bytes, "GET").err(), Some(bad), "{bytes:?}");
    }
}

#[test]
fn a_higher_minor_version_is_read_as_1_1() {
    let whole = "GET /a HTTP/1.2\r\nHost: a\r\nB: c\r\n\r\n";
    let head = decode(whole).unwrap();
    assert_eq!((head.version, text(&head.target), head.fields.len()), (Version::Http11, "/a".into(), 1));
    for len in 0..whole.len() {
        let decoded = request(&whole.as_bytes()[..len], &Policy::default(), &mut RequestHead::default());
        assert_eq!(decoded, Ok(Decoded::Incomplete), "{len}");
    }
    let repeated = "GET / HTTP/1.9\r\nHost: a\r\nHost: a\r\n\r\n";
    assert_eq!(decode(repeated).err(), Some(BadRequest::HostRepeated));
    assert_eq!(decode("GET / HTTP/1.2\nHost: a\r\n\r\n").err(), Some(BadRequest::Version));
    let head = answer("HTTP/1.2 204 No Content\r\nB: c\r\n\r\n", "GET").unwrap();
    assert_eq!((head.version, head.status, head.fields.len()), (Version::Http11, 204, 1));
}
