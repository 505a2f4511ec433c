//! Sections 8.2 and 8.3 of RFC 9113, beyond h2spec: which fields a request may have.

use super::{
    h2_cases::{Case, Expect, all_hold, beyond},
    h2_frames::*,
    h2_hpack::literal,
    h2_peer::Peer,
};

/// A case with many requests on one connection, each of which is malformed; one more on stream 1 is, too.
const fn malformed(id: &'static str, title: &'static str, run: fn(&mut Peer)) -> Case {
    beyond(id, title, Expect::Malformed, run)
}

/// `GET` with one more field, for each of these names.
fn named(p: &Peer, names: &[&str]) -> Vec<Fields> {
    names.iter().map(|name| p.fields("GET").add(name, "value")).collect()
}

/// `GET` with a field of each of these values.
fn valued(p: &Peer, values: &[&str]) -> Vec<Fields> {
    values.iter().map(|value| p.fields("GET").add("x-value", value)).collect()
}

/// `GET` with this pseudo-header field set to each of these values.
fn set(p: &Peer, name: &str, values: &[&str]) -> Vec<Fields> {
    values.iter().map(|value| p.fields("GET").set(name, value)).collect()
}

/// A body, and these trailers.
fn trailers(p: &mut Peer, block: &[u8]) {
    p.post(1);
    p.send(&[data(1, 0, b"test"), headers(1, END, block)].concat());
}

const FIELDS: &[Case] = &[
    malformed("8.2.1", "names that may not be", |p| {
        let mut requests =
            named(p, &["X-Upper", "x-uppeR", "x y", "x\0y", "x\ry", "x\ny", "x\r\ny", " x", "x "]);
        requests.extend(named(p, &["x:y", "x:", "\tx", "x\x7f", "x\u{80}", "x\u{e9}", "x\x01"]));
        p.each_malformed(&requests);
    }),
    malformed("8.2.1", "a name that is empty", |p| {
        let requests = named(p, &[""]);
        p.each_malformed(&requests);
    }),
    // Section 5.1 of RFC 9110 says what a name is; section 8.2.1 leaves it to others to hold it.
    beyond("8.2.1", "names that are no tokens", Expect::Refused, |p| {
        let requests = named(p, &["x\"y", "x(y", "x,y", "x/y", "x;y", "x=y", "x@y", "x[y", "x\\y", "x{y"]);
        p.each_refused(&requests);
    }),
    malformed("8.2.1", "values that may not be", |p| {
        let mut requests = valued(p, &["a\0b", "\0", "a\rb", "a\nb", "a\r\nb", "a\r\n", "\n", "\r"]);
        requests.extend(valued(p, &[" a", "a ", "\ta", "a\t", " ", "\t"]));
        p.each_malformed(&requests);
    }),
    beyond("8.2.1", "values that may be", Expect::Answer(200), |p| {
        let mut requests = valued(p, &["", "a b", "a\tb", "\u{e9}", "\"", "a,b", ":", "a: b"]);
        requests.extend(named(p, &["!#$%&'*+-.^_`|~0a", "0", "x_y"]));
        p.each_answered(&requests);
    }),
    malformed("8.2.2", "fields of a connection", |p| {
        let fields = [
            ("connection", "close"),
            ("connection", "x-case"),
            ("connection", ""),
            ("proxy-connection", "keep-alive"),
            ("keep-alive", "timeout=5"),
            ("transfer-encoding", "chunked"),
            ("transfer-encoding", "identity"),
            ("upgrade", "websocket"),
            ("upgrade", "h2c"),
            ("te", "gzip"),
            ("te", "trailers, deflate"),
            ("te", "chunked"),
        ];
        let requests = fields.map(|(name, value)| p.fields("GET").add(name, value));
        p.each_malformed(&requests);
    }),
    beyond("8.2.2", "te: trailers", Expect::Answer(200), |p| {
        let fields = p.fields("GET").add("te", "trailers");
        p.ask(&fields);
    }),
    beyond("8.2.3", "cookies come as one field", Expect::Answer(200), |p| {
        let fields = p.fields("GET").add("cookie", "a=b").add("x-between", "x").add("cookie", "c=d");
        p.ask(&fields.add("cookie", "e=f"));
        p.until_end_of(1);
        let body = String::from_utf8(p.body(1)).unwrap();
        assert!(body.contains("\ncookie: a=b; c=d; e=f\n"), "{body}");
    }),
    malformed("8.1", "trailers with a pseudo-header field", |p| trailers(p, &literal(":path", "/"))),
    malformed("8.1", "trailers with a response's pseudo-header field", |p| {
        trailers(p, &literal(":status", "200"))
    }),
    malformed("8.2.1", "trailers with a name in upper case", |p| trailers(p, &literal("X-Upper", "case"))),
    malformed("8.2.1", "trailers with a value that may not be", |p| {
        trailers(p, &literal("x-test", "a\r\nb: c"))
    }),
    malformed("8.2.2", "trailers with a field of a connection", |p| {
        trailers(p, &literal("connection", "close"))
    }),
    malformed("8.2.2", "trailers with transfer-encoding", |p| {
        trailers(p, &literal("transfer-encoding", "chunked"));
    }),
    malformed("8.1", "trailers that do not end the stream, and more DATA", |p| {
        p.post(1);
        p.send(&headers(1, END_HEADERS, &literal("x-test", "ok")));
        p.send(&data(1, END_STREAM, b"test"));
    }),
    beyond("8.1", "trailers without a body", Expect::Answer(200), |p| {
        p.post(1);
        p.send(&headers(1, END, &literal("x-test", "ok")));
    }),
    beyond("8.1", "trailers that are empty", Expect::Answer(200), |p| trailers(p, b"")),
];

const PSEUDO: &[Case] = &[
    malformed("8.3", "pseudo-header fields that nobody knows", |p| {
        let mut requests = Vec::new();
        for name in [":", ":host", ":version", ":Method", ":PATH", ":authority ", ": path", ":status"] {
            requests.push(p.fields("GET").pseudo(name, "200"));
        }
        p.each_malformed(&requests);
    }),
    malformed("8.3", "pseudo-header fields behind others", |p| {
        let late = |name: &str, value: &str| p.fields("GET").without(name).add(name, value);
        let requests = [late(":method", "GET"), late(":path", "/"), late(":authority", "web.test")];
        p.each_malformed(&requests);
    }),
    malformed("8.3.1", "one of them twice", |p| {
        let twice = |name: &str, value: &str| p.fields("GET").pseudo(name, value);
        let requests = [
            twice(":method", "POST"),
            twice(":path", "/other"),
            twice(":scheme", "http"),
            twice(":scheme", "https"),
            twice(":authority", "web.test"),
            twice(":authority", "other.test"),
        ];
        p.each_malformed(&requests);
    }),
    malformed("8.3.1", "one of them missing", |p| {
        let requests = [":method", ":scheme", ":path"].map(|name| p.fields("GET").without(name));
        p.each_malformed(&requests);
    }),
    malformed("8.3.1", "none of them", |p| {
        let requests = [Fields(Vec::new()).add("x-test", "ok"), Fields(Vec::new())];
        p.each_malformed(&requests);
    }),
    beyond("8.3.1", "methods that may not be", Expect::Refused, |p| {
        let requests =
            set(p, ":method", &["", " GET", "GET ", "GE T", "G\0T", "GET\r\n", "G:T", "G\"T", "\u{e9}"]);
        p.each_refused(&requests);
    }),
    beyond("8.3.1", "schemes that may not be", Expect::Refused, |p| {
        let requests = set(p, ":scheme", &["", "ht tp", "http:", "http://", "1http", "http\0", "ht\r\ntp"]);
        p.each_refused(&requests);
    }),
    beyond("8.3.1", "paths that may not be", Expect::Refused, |p| {
        let mut requests =
            set(p, ":path", &["", "relative", "?query", "*", "**", "/a b", "/a\tb", " /", "/ "]);
        requests.extend(set(p, ":path", &["/\0", "/\r", "/\n", "/a\r\nb", "/\x7f", "http://web.test/"]));
        p.each_refused(&requests);
    }),
    beyond("8.3.1", "paths that may be", Expect::Answer(200), |p| {
        let requests = set(p, ":path", &["/", "/?", "/a?b=c&d", "/%00", "/;a=b", "/a:b", "/~!$&'()*+,;=@"]);
        p.each_answered(&requests);
    }),
    beyond("8.3.1", "a path with a fragment", Expect::Clean, |p| {
        let fields = p.fields("GET").set(":path", "/a#b");
        p.ask(&fields);
        p.until_end_of(1);
        assert!(!String::from_utf8(p.body(1)).unwrap().starts_with("GET /a#b "));
    }),
    beyond("8.3.1", "an asterisk is for OPTIONS", Expect::Clean, |p| {
        let fields = p.fields("OPTIONS").set(":path", "*");
        p.ask(&fields);
        p.until_end_of(1);
    }),
    beyond("8.3.1", "authorities that may not be", Expect::Refused, |p| {
        let mut requests = set(
            p,
            ":authority",
            &["user@web.test", "user:pass@web.test", "@web.test", "web test", " web.test"],
        );
        requests.extend(set(
            p,
            ":authority",
            &["web.test ", "web.test/", "web.test/path", "web.test?a", "web.test#a"],
        ));
        requests.extend(set(
            p,
            ":authority",
            &["web.test:port", "web.test:99999", "web.test:-1", "web.test:80:80"],
        ));
        requests.extend(set(
            p,
            ":authority",
            &["web.test,other.test", "web.test\0", "web.test\r\n", "[::1", "::1"],
        ));
        p.each_refused(&requests);
    }),
    beyond("8.3.1", "an authority that is empty", Expect::Refused, |p| {
        let requests = set(p, ":authority", &[""]);
        p.each_refused(&requests);
    }),
    beyond("8.3.1", "neither :authority nor host", Expect::Refused, |p| {
        let fields = p.fields("GET").without(":authority");
        p.ask(&fields);
    }),
    beyond("8.3.1", "host in place of :authority", Expect::Answer(200), |p| {
        let requests = [p.fields("GET").without(":authority").add("host", "web.test")];
        p.each_answered(&requests);
    }),
    beyond("8.3.1", "host beside an :authority that is the same", Expect::Answer(200), |p| {
        let requests = [p.fields("GET").add("host", "web.test"), p.fields("GET").add("host", "WEB.test")];
        p.each_answered(&requests);
    }),
    beyond("8.3.1", "host that is another one", Expect::Clean, |p| {
        for (host, stream) in
            ["other.test", "", "web.test:1", "web.test.other.test", "a@web.test"].iter().zip([1, 3, 5, 7, 9])
        {
            let block = p.fields("GET").add("host", host).block();
            p.send(&headers(stream, END, &block));
            p.until_end_of(stream);
        }
    }),
    beyond("8.3.1", "host twice", Expect::Refused, |p| {
        let fields = p.fields("GET").without(":authority");
        let requests = [
            fields.clone().add("host", "web.test").add("host", "web.test"),
            fields.add("host", "web.test").add("host", "other.test"),
        ];
        p.each_refused(&requests);
    }),
];

/// A CONNECT request, without what it may not have.
fn connect(p: &Peer) -> Fields {
    p.fields("CONNECT").without(":scheme").without(":path")
}

const CONNECT: &[Case] = &[
    malformed("8.5", "CONNECT with :scheme or :path", |p| {
        let requests = [
            p.fields("CONNECT"),
            p.fields("CONNECT").without(":scheme"),
            p.fields("CONNECT").without(":path"),
            connect(p).without(":authority"),
        ];
        p.each_malformed(&requests);
    }),
    beyond("8.5", "CONNECT", Expect::Refused, |p| {
        let requests =
            [connect(p), connect(p).set(":authority", "web.test:443"), connect(p).set(":authority", "x")];
        p.each_refused(&requests);
    }),
    malformed("RFC 8441 section 4", ":protocol without CONNECT", |p| {
        let requests = ["GET", "POST"].map(|method| p.fields(method).pseudo(":protocol", "websocket"));
        p.each_malformed(&requests);
    }),
    malformed("RFC 8441 section 4", ":protocol without what it needs", |p| {
        let all = p.fields("CONNECT").pseudo(":protocol", "websocket");
        let mut requests: Vec<_> = [":scheme", ":path"].map(|name| all.clone().without(name)).to_vec();
        requests.push(all.pseudo(":protocol", "websocket"));
        p.each_malformed(&requests);
    }),
    beyond("RFC 8441 section 4", "a :protocol that nobody knows", Expect::Refused, |p| {
        let requests = ["", "nothing", "web socket", "websocket\r\n"]
            .map(|protocol| p.fields("CONNECT").pseudo(":protocol", protocol));
        p.each_refused(&requests);
    }),
    malformed("RFC 8441 section 4", "fields of the handshake of HTTP/1.1", |p| {
        let all = p.fields("CONNECT").pseudo(":protocol", "websocket").add("sec-websocket-version", "13");
        p.each_malformed(&[all.clone().add("upgrade", "websocket"), all.add("connection", "upgrade")]);
    }),
];

#[test]
fn fields() {
    all_hold("RFC 9113 section 8.2", FIELDS);
}

#[test]
fn pseudo_header_fields() {
    all_hold("RFC 9113 section 8.3", PSEUDO);
}

#[test]
fn connect_requests() {
    all_hold("RFC 9113 section 8.5 and RFC 8441", CONNECT);
}
