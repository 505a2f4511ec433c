use super::*;

fn vector16(content: &[u8]) -> Vec<u8> {
    [&(content.len() as u16).to_be_bytes(), content].concat()
}

fn name(host: &[u8]) -> Vec<u8> {
    [&[0], &vector16(host)[..]].concat()
}

fn extension(kind: u16, content: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes(), &vector16(content)[..]].concat()
}

fn message(extensions: &[Vec<u8>]) -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.extend([0, 0, 2, 0x13, 1, 1, 0]);
    body.extend(vector16(&extensions.concat()));
    [&[1, 0], &(body.len() as u16).to_be_bytes()[..], &body].concat()
}

fn in_records(message: &[u8], size: usize) -> Vec<u8> {
    let record = |piece: &[u8]| [&[22, 3, 1], &vector16(piece)[..]].concat();
    message.chunks(size).flat_map(record).collect()
}

fn with_names(names: &[Vec<u8>]) -> Vec<u8> {
    in_records(&message(&[extension(0, &vector16(&names.concat()))]), 16_000)
}

fn server_name_of(bytes: &[u8]) -> Result<Option<String>, BadHello> {
    match peek(bytes)? {
        Peeked::Hello(hello) => Ok(hello.server_name.map(String::from)),
        Peeked::Incomplete => panic!("incomplete"),
    }
}

#[test]
fn names_are_lower_case_and_without_a_dot() {
    for (sent, expected) in [
        (&b"a.example.com"[..], Some("a.example.com")),
        (b"A.Example.COM.", Some("a.example.com")),
        (b"under_score.example.com", Some("under_score.example.com")),
        (b"xn--bcher-kva.example", Some("xn--bcher-kva.example")),
        (b"localhost", Some("localhost")),
        (b"10.0.0.1", None),
        (b"2001:db8::1", None),
    ] {
        assert_eq!(server_name_of(&with_names(&[name(sent)])), Ok(expected.map(str::to_owned)));
    }
}

#[test]
fn names_that_are_none_are_refused() {
    let long = [b"a".repeat(63), b"b".repeat(63), b"c".repeat(63), b"d".repeat(63)].join(&b'.');
    for bad in
        [&b""[..], b".", b"a..b", b"a\0b.com", b"[foo.com]", "b\u{fc}cher.de".as_bytes(), b"a b", &long]
    {
        assert_eq!(server_name_of(&with_names(&[name(bad)])), Err(BadHello::BadName), "{bad:?}");
    }
    assert_eq!(server_name_of(&with_names(&[name(b"a.b"), name(b"c.d")])), Err(BadHello::BadName));
    assert_eq!(server_name_of(&with_names(&[])), Err(BadHello::BadName));
}

#[test]
fn protocols_come_in_the_clients_order() {
    let alpn = extension(16, &vector16(b"\x02h2\x08http/1.1"));
    let grease = extension(0x0a0a, b"");
    let bytes = in_records(&message(&[grease, alpn]), 16_000);
    let Ok(Peeked::Hello(hello)) = peek(&bytes) else { panic!() };
    assert_eq!(hello.alpn, [Box::from(&b"h2"[..]), Box::from(&b"http/1.1"[..])]);
    assert_eq!(hello.server_name, None);
}

#[test]
fn the_cipher_that_is_named_first() {
    for (suites, expected) in [
        (&[0x13, 0x01, 0x13, 0x03][..], false),
        (&[0x13, 0x03, 0x13, 0x01], true),
        (&[0x0a, 0x0a, 0x00, 0xff, 0xcc, 0xa9, 0xc0, 0x2b], true),
        (&[0x00, 0x2f, 0xc0, 0x30, 0xcc, 0xa8], false),
        (&[0x00], false),
        (&[], false),
    ] {
        assert_eq!(prefers_chacha(suites), expected, "{suites:?}");
    }
}

#[test]
fn a_hello_may_be_spread_over_records_and_reads() {
    let padding = extension(21, &[0; 1500]);
    let whole = message(&[extension(0, &vector16(&name(b"a.b"))), padding]);
    for size in [1, 3, 700, 16_000] {
        let bytes = in_records(&whole, size);
        assert_eq!(server_name_of(&bytes), Ok(Some("a.b".to_owned())));
        for cut in (0..bytes.len()).step_by(61) {
            assert_eq!(peek(&bytes[..cut]), Ok(Peeked::Incomplete), "{size} {cut}");
        }
    }
}

#[test]
fn what_is_no_hello_is_told_from_what_is_broken() {
    assert_eq!(peek(b"GET / HTTP/1.1\r\n"), Err(BadHello::PlainHttp));
    assert_eq!(peek(b"\x80\x2e\x01\x03\x01"), Err(BadHello::NotTls));
    assert_eq!(peek(b"\x16\x02"), Err(BadHello::NotTls));
    assert_eq!(peek(b"\x16\x03\x01\x00\x00"), Err(BadHello::Malformed));
    assert_eq!(peek(b"\x16\x03\x01\x40\x01"), Err(BadHello::TooLarge));
    assert_eq!(peek(b"\x16\x03\x01\x00\x04\x02\x00\x00\x00"), Err(BadHello::NotTls));
    assert_eq!(peek(b"\x16\x03\x01\x00\x04\x01\xff\xff\xff"), Err(BadHello::TooLarge));
    let mut broken = with_names(&[name(b"a.b")]);
    broken[9 + 34] = 200; // the session id's length
    assert_eq!(peek(&broken), Err(BadHello::Malformed));
    assert_eq!(BadHello::NotTls.alert(), None);
}

#[test]
fn nothing_that_is_sent_panics() {
    let good = with_names(&[name(b"a.example.com")]);
    for at in 0..good.len() {
        for value in [0, 1, 127, 255] {
            let mut mutant = good.clone();
            mutant[at] = value;
            let _ = peek(&mutant);
            let _ = peek(&mutant[..at]);
        }
    }
}
