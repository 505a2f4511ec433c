//! Section 8.1.1 of RFC 9113, beyond h2spec: a body is as long as it says; and section 10.3: nothing that comes by HTTP/2 is
//! more than one request to an origin of HTTP/1.1.

use super::{
    h2_cases::{Case, Expect, all_hold, beyond},
    h2_frames::*,
    h2_hpack::literal,
    h2_peer::Peer,
};

/// What would be another request, if somebody took it for one.
const REQUEST: &[u8] = b"GET /smuggled HTTP/1.1\r\nHost: web.test\r\nX-Case: 0-smuggled\r\n\r\n";
/// The same behind the end of a body in chunks.
const CHUNKED: &[u8] = b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: web.test\r\nX-Case: 0-smuggled\r\n\r\n";

const fn malformed(id: &'static str, title: &'static str, run: fn(&mut Peer)) -> Case {
    beyond(id, title, Expect::Malformed, run)
}

/// `POST` with these values of `content-length`, and these frames behind it.
fn post_of(p: &mut Peer, lengths: &[&str], frames: &[Vec<u8>]) {
    let fields = lengths.iter().fold(p.fields("POST"), |fields, length| fields.add("content-length", length));
    p.send(&[headers(1, END_HEADERS, &fields.block()), frames.concat()].concat());
}

/// Fields of a whole request with a length and no body.
fn without_body(p: &mut Peer, length: &str) {
    let fields = p.fields("POST").add("content-length", length);
    p.ask(&fields);
}

const LENGTHS: &[Case] = &[
    beyond("8.1.1", "a body as long as it says", Expect::Answer(200), |p| {
        post_of(p, &["4"], &[data(1, 0, b"te"), padded(DATA, 1, END_STREAM, b"st", 200)]);
        p.until_end_of(1);
        assert!(p.body(1).ends_with(b"\n\ntest"));
    }),
    beyond("8.1.1", "a length of 0, and no body", Expect::Answer(200), |p| without_body(p, "0")),
    beyond("8.1.1", "a length of 0, and an empty body", Expect::Answer(200), |p| {
        post_of(p, &["0"], &[data(1, END_STREAM, b"")]);
    }),
    beyond("8.1", "an empty body in a frame of its own", Expect::Answer(200), |p| {
        post_of(p, &[], &[data(1, END_STREAM, b"")]);
    }),
    beyond("8.1", "an empty body that comes later", Expect::Answer(200), |p| {
        p.post(1);
        p.synchronize();
        p.send(&data(1, END_STREAM, b""));
    }),
    beyond("8.1.1", "a body and trailers", Expect::Answer(200), |p| {
        post_of(p, &["4"], &[data(1, 0, b"test"), headers(1, END, &literal("x-test", "ok"))]);
    }),
    malformed("8.1.1", "a body that is too short", |p| post_of(p, &["5"], &[data(1, END_STREAM, b"test")])),
    malformed("8.1.1", "a body that is too long", |p| post_of(p, &["3"], &[data(1, END_STREAM, b"test")])),
    malformed("8.1.1", "a body that is too long before its end", |p| {
        post_of(p, &["3"], &[data(1, 0, b"te"), data(1, 0, b"st")]);
    }),
    malformed("8.1.1", "a length, and no body", |p| without_body(p, "5")),
    // The origin may have got a whole request before the body came.
    beyond("8.1.1", "a length of 0, and a body", Expect::Stream(1, &[PROTOCOL_ERROR]), |p| {
        post_of(p, &["0"], &[data(1, END_STREAM, b"test")]);
    }),
    malformed("8.1.1", "a body that is too short, and trailers", |p| {
        post_of(p, &["5"], &[data(1, 0, b"test"), headers(1, END, &literal("x-test", "ok"))]);
    }),
    malformed("8.1.1", "a length, and trailers in place of a body", |p| {
        post_of(p, &["5"], &[headers(1, END, &literal("x-test", "ok"))]);
    }),
    malformed("8.1.1", "two lengths", |p| post_of(p, &["4", "5"], &[data(1, END_STREAM, b"test")])),
    malformed("8.1.1", "two lengths in one", |p| post_of(p, &["4, 5"], &[data(1, END_STREAM, b"test")])),
    beyond("8.1.1", "one length twice", Expect::Clean, |p| {
        post_of(p, &["4", "4"], &[data(1, END_STREAM, b"test")]);
        p.until_end_of(1);
    }),
    beyond("8.1.1", "lengths that are none", Expect::Refused, |p| {
        let lengths =
            ["", "+4", "-4", "-0", "0x4", "4.0", "4e0", "4_", "\"4\"", "four", "4 4", "4;", ",4", "4,"];
        let requests = lengths.map(|length| p.fields("POST").add("content-length", length));
        p.each_refused_with(b"test", &requests);
    }),
    beyond("8.1.1", "lengths that no number holds", Expect::Refused, |p| {
        let lengths = ["18446744073709551616", "18446744073709551620", "99999999999999999999999999999999"];
        let requests = lengths.map(|length| p.fields("POST").add("content-length", length));
        p.each_refused_with(b"test", &requests);
    }),
    beyond("8.1.1", "a body of a GET", Expect::Answer(200), |p| {
        let block = p.fields("GET").block();
        p.send(&[headers(1, END_HEADERS, &block), data(1, END_STREAM, REQUEST)].concat());
        p.until_end_of(1);
        assert!(p.body(1).ends_with(REQUEST), "not all of it came");
    }),
    beyond("10.1.1 of RFC 9110", "expect: 100-continue", Expect::Answer(200), |p| {
        let fields = p.fields("POST").add("expect", "100-continue").add("content-length", "4");
        p.send(&[headers(1, END_HEADERS, &fields.block()), data(1, END_STREAM, b"test")].concat());
        p.until_end_of(1);
        assert!(p.body(1).ends_with(b"\n\ntest"));
    }),
];

/// A whole request with one more field.
fn with(p: &mut Peer, name: &str, value: &str) {
    let fields = p.fields("GET").add(name, value);
    p.ask(&fields);
}

/// A whole request with this pseudo-header field.
fn with_pseudo(p: &mut Peer, name: &str, value: &str) {
    let fields = p.fields("GET").set(name, value);
    p.ask(&fields);
}

/// `POST` with one more field, and this body.
fn with_body(p: &mut Peer, name: &str, value: &str, body: &[u8]) {
    let block = p.fields("POST").add(name, value).block();
    p.send(&[headers(1, END_HEADERS, &block), data(1, END_STREAM, body)].concat());
}

/// A body, and one field of trailers.
fn with_trailer(p: &mut Peer, name: &str, value: &str) {
    p.post(1);
    p.send(&[data(1, 0, b"test"), headers(1, END, &literal(name, value))].concat());
    p.until_end_of(1);
}

const SMUGGLING: &[Case] = &[
    beyond(
        "10.3",
        "H2.CL: content-length 0, and a request as body",
        Expect::Stream(1, &[PROTOCOL_ERROR]),
        |p| {
            with_body(p, "content-length", "0", REQUEST);
        },
    ),
    malformed("10.3", "H2.CL: content-length that is shorter", |p| {
        with_body(p, "content-length", "3", &[b"x=1", REQUEST].concat());
    }),
    malformed("10.3", "H2.TE: transfer-encoding", |p| with_body(p, "transfer-encoding", "chunked", CHUNKED)),
    malformed("10.3", "H2.TE: with a space behind its name", |p| {
        with_body(p, "transfer-encoding ", "chunked", CHUNKED);
    }),
    malformed("10.3", "H2.TE: in upper case", |p| with_body(p, "Transfer-Encoding", "chunked", CHUNKED)),
    malformed("10.3", "H2.TE: with a value that has more", |p| {
        with_body(p, "transfer-encoding", "identity, chunked", CHUNKED);
    }),
    malformed("10.3", "H2.TE: behind a line's end in a value", |p| {
        with_body(p, "x-value", "x\r\ntransfer-encoding: chunked", CHUNKED);
    }),
    malformed("10.3", "H2.TE: behind a bare LF in a value", |p| {
        with_body(p, "x-value", "x\ntransfer-encoding: chunked", CHUNKED);
    }),
    malformed("10.3", "H2.TE: behind a line's end in a name", |p| {
        with_body(p, "x: y\r\ntransfer-encoding", "chunked", CHUNKED);
    }),
    malformed("10.3", "H2.TE: with a colon in its name", |p| {
        with_body(p, "transfer-encoding: chunked\r\nx", "y", CHUNKED);
    }),
    malformed("10.3", "H2.CL: with a colon in its name", |p| {
        with_body(p, "content-length: 0", "y", REQUEST);
    }),
    malformed("10.3", "a request in a value", |p| {
        with(p, "x-value", "x\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: web.test\r\n\r\n");
    }),
    malformed("10.3", "a field in a value", |p| with(p, "x-value", "x\r\nsmuggled: yes")),
    malformed("10.3", "a field behind a bare CR in a value", |p| with(p, "x-value", "x\rsmuggled: yes")),
    malformed("10.3", "a field behind NUL in a value", |p| with(p, "x-value", "x\0\nsmuggled: yes")),
    malformed("10.3", "a field in a cookie", |p| with(p, "cookie", "a=b\r\nsmuggled: yes")),
    malformed("10.3", "a field in a name", |p| with(p, "smuggled: yes\r\nx", "y")),
    malformed("10.3", "a field in a name with a colon", |p| with(p, "smuggled: yes", "y")),
    malformed("10.3", "connection: host", |p| with(p, "connection", "host")),
    beyond("10.3", "a field in :path", Expect::Refused, |p| {
        with_pseudo(p, ":path", "/ HTTP/1.1\r\nsmuggled: yes\r\nx: y");
    }),
    beyond("10.3", "another target in :path", Expect::Refused, |p| {
        with_pseudo(p, ":path", "/smuggled HTTP/1.1");
    }),
    beyond("10.3", "a field in :method", Expect::Refused, |p| {
        with_pseudo(p, ":method", "GET /smuggled HTTP/1.1\r\nsmuggled: yes\r\nx: y");
    }),
    beyond("10.3", "another target in :method", Expect::Refused, |p| {
        with_pseudo(p, ":method", "GET /smuggled");
    }),
    beyond("10.3", "a field in :authority", Expect::Refused, |p| {
        with_pseudo(p, ":authority", "web.test\r\nsmuggled: yes");
    }),
    beyond("10.3", "a path in :authority", Expect::Refused, |p| {
        with_pseudo(p, ":authority", "web.test/smuggled?");
    }),
    beyond("10.3", "a target in :scheme", Expect::Refused, |p| {
        with_pseudo(p, ":scheme", "http://web.test/smuggled?");
    }),
    beyond("10.3", "a field in :scheme", Expect::Refused, |p| {
        with_pseudo(p, ":scheme", "http\r\nsmuggled: yes\r\nx");
    }),
    beyond("10.3", "an absolute target in :path", Expect::Refused, |p| {
        with_pseudo(p, ":path", "http://other.test/smuggled");
    }),
    malformed("10.3", "a field in a trailer", |p| with_trailer(p, "x-test", "x\r\nsmuggled: yes")),
    malformed("10.3", "a request in a trailer", |p| {
        with_trailer(p, "x-test", "x\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: web.test\r\n\r\n");
    }),
    beyond("10.3", "trailers with content-length", Expect::Clean, |p| {
        with_trailer(p, "content-length", "99")
    }),
    beyond("10.3", "trailers with host", Expect::Clean, |p| with_trailer(p, "host", "other.test")),
    beyond("10.3", "trailers that name the client", Expect::Clean, |p| {
        with_trailer(p, "x-forwarded-for", "1.2.3.4");
    }),
    beyond("10.3", "a body cut by RST_STREAM", Expect::Clean, |p| {
        p.post(1);
        p.send(&[data(1, 0, REQUEST), rst_stream(1, CANCEL)].concat());
    }),
    beyond("10.3", "a body that is a request", Expect::Answer(200), |p| {
        p.post(1);
        p.send(&[data(1, 0, CHUNKED), data(1, END_STREAM, REQUEST)].concat());
        p.until_end_of(1);
        assert!(p.body(1).ends_with(&[CHUNKED, REQUEST].concat()), "not all of it came");
    }),
];

#[test]
fn lengths() {
    all_hold("RFC 9113 section 8.1.1", LENGTHS);
}

#[test]
fn smuggling() {
    all_hold("RFC 9113 section 10.3", SMUGGLING);
}
