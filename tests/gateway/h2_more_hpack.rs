//! RFC 7541 beyond h2spec: what can't be decoded, and the tables of both sides.

use super::{
    h2_cases::{Case, Expect, all_hold, beyond},
    h2_frames::*,
    h2_hpack::{integer, literal, size_update, string},
    h2_peer::Peer,
};

/// A block that can't be decoded.
const fn broken(id: &'static str, title: &'static str, run: fn(&mut Peer)) -> Case {
    beyond(id, title, Expect::Connection(&[COMPRESSION_ERROR]), run)
}

/// A literal that is indexed (RFC 7541 section 6.2.1).
fn indexed(name: &str, value: &str) -> Vec<u8> {
    [vec![0x40], string(name), string(value)].concat()
}

/// A whole request with this before and behind its fields.
fn request(p: &mut Peer, stream: u32, before: &[u8], behind: &[u8]) {
    let block = [before, &p.fields("GET").block(), behind].concat();
    p.send(&headers(stream, END, &block));
}

/// A whole request whose block has this behind it; the origin has to get this line.
fn echoes(p: &mut Peer, stream: u32, behind: &[u8], line: &str) {
    request(p, stream, b"", behind);
    p.until_end_of(stream);
    let body = String::from_utf8(p.body(stream)).unwrap();
    assert!(body.lines().any(|l| l == line), "no `{line}` in {body:?}");
}

const DECODING: &[Case] = &[
    broken("5.1", "an integer that is cut", |p| p.get_with(b"", b"\xff")),
    broken("5.1", "an integer that is cut later", |p| p.get_with(b"", b"\xff\x80\x80")),
    broken("5.1", "an index that no number holds", |p| {
        p.get_with(b"", &[&[0xff][..], &[0xff; 20], &[0x7f]].concat())
    }),
    broken("5.1", "a length that no number holds", |p| {
        p.get_with(b"", &[&[0, 0x7f][..], &[0xff; 20], &[0x7f]].concat());
    }),
    broken("5.1", "a length that wraps to 1", |p| {
        p.get_with(b"", b"\x00\x7f\x82\xff\xff\xff\xff\xff\xff\xff\xff\x01xy");
    }),
    broken("5.2", "a name longer than the block", |p| p.get_with(b"", b"\x00\x09x-test")),
    broken("5.2", "a value that is missing", |p| p.get_with(b"", b"\x00\x06x-test")),
    broken("5.2", "a value longer than the block", |p| p.get_with(b"", b"\x00\x06x-test\x03ok")),
    broken("5.2", "a value longer than any block", |p| {
        p.get_with(b"", &[&[0], &string("x-test")[..], &integer(0, 7, 1 << 27), b"ok"].concat());
    }),
    broken("5.2", "a Huffman code that is not ended", |p| p.get_with(b"", b"\x00\x06x-test\x81\xfe")),
    broken("5.2", "a Huffman code of nothing but padding", |p| p.get_with(b"", b"\x00\x06x-test\x81\xff")),
    broken("6.1", "the dynamic table is empty", |p| p.get_with(b"", b"\xbe")),
    broken("6.2.1", "a name of the dynamic table, which is empty", |p| p.get_with(b"", b"\x7e\x01x")),
    broken("6.2.2", "a name that is in no table", |p| p.get_with(b"", b"\x0f\x70\x01x")),
    broken("6.2.3", "a name that is in no table, never indexed", |p| p.get_with(b"", b"\x1f\x70\x01x")),
    broken("4.2", "a table size update between fields", |p| {
        p.get_with(b"", &[&[0x20], &literal("x-test", "ok")[..]].concat());
    }),
    broken("6.3", "a table size update that no number holds", |p| {
        p.get_with(&[&[0x3f][..], &[0xff; 20], &[0x7f]].concat(), b"");
    }),
    broken("6.3", "a second table size update beyond the limit", |p| {
        let update = [size_update(0), size_update(p.table_max() + 1)].concat();
        p.get_with(&update, b"");
    }),
    beyond("6.3", "a table size update to the limit", Expect::Answer(200), |p| {
        let update = size_update(p.table_max());
        p.get_with(&update, b"");
    }),
    broken("4.3", "trailers that can't be decoded", |p| {
        p.post(1);
        p.send(&[data(1, 0, b"test"), headers(1, END, b"\xbe")].concat());
    }),
];

const TABLES: &[Case] = &[
    beyond("2.3.2", "a field is known to later requests", Expect::Answer(200), |p| {
        echoes(p, 1, &indexed("x-test", "one"), "x-test: one");
        echoes(p, 3, b"\xbe", "x-test: one");
        echoes(p, 5, &[indexed("x-other", "two"), vec![0xbf]].concat(), "x-test: one");
        echoes(p, 7, b"\x7f\x00\x05three", "x-test: three");
    }),
    beyond("2.3.2", "literals that are not indexed are not known", Expect::Answer(200), |p| {
        echoes(p, 1, &indexed("x-test", "one"), "x-test: one");
        request(
            p,
            3,
            b"",
            &[literal("x-a", "b"), [vec![0x10], string("x-c"), string("d")].concat()].concat(),
        );
        echoes(p, 5, b"\xbe", "x-test: one");
    }),
    broken("4.3", "a table size update to 0 forgets all", |p| {
        echoes(p, 1, &indexed("x-test", "one"), "x-test: one");
        request(p, 3, &size_update(0), b"\xbe");
    }),
    broken("4.4", "what does not fit is not known", |p| {
        request(p, 1, &size_update(64), &indexed("x-test", &"x".repeat(64)));
        p.until_end_of(1);
        request(p, 3, b"", b"\xbe");
    }),
    broken("4.4", "what does not fit makes others forgotten", |p| {
        request(
            p,
            1,
            &size_update(64),
            &[indexed("x-test", "one"), indexed("x-y", &"x".repeat(64))].concat(),
        );
        p.until_end_of(1);
        request(p, 3, b"", b"\xbe");
    }),
    broken("4.4", "the oldest is forgotten first", |p| {
        request(
            p,
            1,
            &size_update(100),
            &[indexed("x-a", "1"), indexed("x-b", "2"), indexed("x-c", "3")].concat(),
        );
        p.until_end_of(1);
        echoes(p, 3, b"\xbf", "x-b: 2");
        request(p, 5, b"", b"\xc0");
    }),
    beyond("4.4", "a name outlives the entry that has to go for it", Expect::Answer(200), |p| {
        request(p, 1, &size_update(64), &indexed("x-test", &"a".repeat(26)));
        p.until_end_of(1);
        let again = [vec![0x7e], string(&"b".repeat(26))].concat();
        echoes(p, 3, &again, &format!("x-test: {}", "b".repeat(26)));
        echoes(p, 5, b"\xbe", &format!("x-test: {}", "b".repeat(26)));
    }),
    beyond("2.2", "a malformed request is decoded to its end", Expect::Malformed, |p| {
        let behind = [literal("X-Upper", "case"), indexed("x-test", "one")].concat();
        request(p, 1, b"", &behind);
        let fields = p.fields("GET").set("x-case", "later").block();
        p.send(&headers(3, END, &[fields, vec![0xbe]].concat()));
        p.until_end_of(3);
        assert!(String::from_utf8(p.body(3)).unwrap().contains("\nx-test: one\n"));
    }),
    beyond("2.2", "trailers of a stream that was reset are decoded", Expect::Malformed, |p| {
        let block = p.fields("POST").add("X-Upper", "case").block();
        p.send(&headers(1, END_HEADERS, &block));
        p.send(&[data(1, 0, b"test"), headers(1, END, &indexed("x-test", "one"))].concat());
        let fields = p.fields("GET").set("x-case", "later").block();
        p.send(&headers(3, END, &[fields, vec![0xbe]].concat()));
        p.until_end_of(3);
        assert!(String::from_utf8(p.body(3)).unwrap().contains("\nx-test: one\n"));
    }),
];

/// Announces these settings, and makes some requests with them; that their answers can be decoded is seen to by the peer.
fn with_table(p: &mut Peer, first: u32, sizes: &[u32]) {
    let all: Vec<(u16, u32)> = sizes.iter().map(|size| (HEADER_TABLE_SIZE, *size)).collect();
    p.send(&settings(&all));
    for stream in [first, first + 2, first + 4] {
        p.get(stream);
        p.until_end_of(stream);
        assert_eq!(p.answer(stream).and_then(Frame::status), Some(200));
    }
}

const OUR_TABLE: &[Case] = &[
    beyond("6.5.2 of RFC 9113", "HEADER_TABLE_SIZE 0 from the beginning", Expect::Answer(200), |p| {
        p.handshake(&[(HEADER_TABLE_SIZE, 0)]);
        with_table(p, 1, &[]);
    })
    .bare(),
    beyond("6.5.2 of RFC 9113", "HEADER_TABLE_SIZE down, and up again", Expect::Answer(200), |p| {
        with_table(p, 1, &[]);
        with_table(p, 7, &[0]);
        with_table(p, 13, &[4096]);
        with_table(p, 19, &[100]);
        with_table(p, 25, &[1 << 20]);
    }),
    beyond("4.2", "two changes of HEADER_TABLE_SIZE at once", Expect::Answer(200), |p| {
        with_table(p, 1, &[]);
        with_table(p, 7, &[0, 4096]);
        with_table(p, 13, &[50, 60, 4096, 2000]);
    }),
    beyond("6.5.2 of RFC 9113", "HEADER_TABLE_SIZE of all bits", Expect::Answer(200), |p| {
        with_table(p, 1, &[u32::MAX]);
        with_table(p, 7, &[0]);
    }),
];

#[test]
fn decoding() {
    all_hold("RFC 7541: decoding", DECODING);
}

#[test]
fn tables() {
    all_hold("RFC 7541: tables", TABLES);
}

#[test]
fn tables_of_the_gateway() {
    all_hold("RFC 7541: the gateway's encoder", OUR_TABLE);
}
