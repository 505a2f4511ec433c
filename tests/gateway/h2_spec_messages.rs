//! Sections 7 and 8 of h2spec 2.6: error codes, and what a request may be.

use super::{
    h2_cases::{Case, Expect, H2spec, all_hold, h2spec},
    h2_frames::*,
    h2_hpack::literal,
    h2_peer::Peer,
    h2_spec_streams::connection,
};

/// A request that is malformed: an error of its stream.
const fn malformed(id: &'static str, title: &'static str, run: fn(&mut Peer)) -> Case {
    h2spec(id, title, H2spec::Stream(&[PROTOCOL_ERROR]), Expect::Malformed, run)
}

/// Sends `POST`, a body, and trailers with these flags.
fn with_trailers(p: &mut Peer, flags: u8, block: &[u8]) {
    p.post(1);
    p.send(&[data(1, 0, b"test"), headers(1, flags, block)].concat());
}

/// Sends `POST` with a `content-length` of 1 and these bodies.
fn of_length_1(p: &mut Peer, bodies: &[Vec<u8>]) {
    let block = p.fields("POST").add("content-length", "1").block();
    p.send(&[headers(1, END_HEADERS, &block), bodies.concat()].concat());
}

const CODES: &[Case] = &[
    h2spec("http2/7/1", "GOAWAY with an unknown code", H2spec::Closed, Expect::End, |p| {
        p.send(&goaway(0, 0xff));
    }),
    h2spec("http2/7/2", "RST_STREAM with an unknown code", H2spec::Pong, Expect::Alive, |p| {
        p.post(1);
        p.send(&rst_stream(1, 0xff));
    }),
];

const REQUESTS: &[Case] = &[
    malformed("http2/8.1/1", "trailers that do not end the stream", |p| {
        with_trailers(p, END_HEADERS, &literal("x-test", "ok"));
    }),
    malformed("http2/8.1.2/1", "a name in upper case", |p| {
        let fields = p.fields("GET").add("X-TEST", "ok");
        p.ask(&fields);
    }),
    malformed("http2/8.1.2.1/1", "an unknown pseudo-header field", |p| {
        let fields = p.fields("GET").pseudo(":test", "ok");
        p.ask(&fields);
    }),
    malformed("http2/8.1.2.1/2", "a response's pseudo-header field", |p| {
        let fields = p.fields("GET").pseudo(":status", "200");
        p.ask(&fields);
    }),
    malformed("http2/8.1.2.1/3", "a pseudo-header field in trailers", |p| {
        with_trailers(p, END_HEADERS, &literal(":method", "POST"));
    }),
    malformed("http2/8.1.2.1/4", "a pseudo-header field behind others", |p| {
        let fields = p.fields("GET").first("x-test", "ok");
        p.ask(&fields);
    }),
    malformed("http2/8.1.2.2/1", "a field of the connection", |p| {
        let fields = p.fields("GET").add("connection", "keep-alive");
        p.ask(&fields);
    }),
    malformed("http2/8.1.2.2/2", "te that is not `trailers`", |p| {
        let fields = p.fields("GET").add("trailers", "test").add("te", "trailers, deflate");
        p.ask(&fields);
    }),
    malformed("http2/8.1.2.3/1", "an empty :path", |p| {
        let fields = p.fields("GET").set(":path", "");
        p.ask(&fields);
    }),
    malformed("http2/8.1.2.3/2", "no :method", |p| {
        let fields = p.fields("GET").without(":method");
        p.ask(&fields);
    }),
    malformed("http2/8.1.2.3/3", "no :scheme", |p| {
        let fields = p.fields("GET").without(":scheme");
        p.ask(&fields);
    }),
    malformed("http2/8.1.2.3/4", "no :path", |p| {
        let fields = p.fields("GET").without(":path");
        p.ask(&fields);
    }),
    malformed("http2/8.1.2.3/5", ":method twice", |p| {
        let fields = p.fields("GET").pseudo(":method", "GET");
        p.ask(&fields);
    }),
    malformed("http2/8.1.2.3/6", ":scheme twice", |p| {
        let scheme = if p.is_tls() { "https" } else { "http" };
        let fields = p.fields("GET").pseudo(":scheme", scheme);
        p.ask(&fields);
    }),
    malformed("http2/8.1.2.3/7", ":path twice", |p| {
        let fields = p.fields("GET").pseudo(":path", "/");
        p.ask(&fields);
    }),
    malformed("http2/8.1.2.6/1", "a content-length that is not the body's", |p| {
        of_length_1(p, &[data(1, END_STREAM, b"test")]);
    }),
    malformed("http2/8.1.2.6/2", "the same with two frames", |p| {
        of_length_1(p, &[data(1, 0, b"test"), data(1, END_STREAM, b"test")]);
    }),
    connection("http2/8.2/1", "PUSH_PROMISE", &[PROTOCOL_ERROR], |p| {
        let block = [3_u32.to_be_bytes().to_vec(), p.fields("GET").block()].concat();
        p.send(&frame(PUSH_PROMISE, END_HEADERS, 1, &block));
    }),
];

#[test]
fn error_codes() {
    all_hold("http2/7", CODES);
}

#[test]
fn requests() {
    all_hold("http2/8", REQUESTS);
}
