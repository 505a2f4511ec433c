//! Messages in one piece, in pieces, and made up.

use super::{bson::elements, *};

/// A document of these elements: type, key, value.
fn document(parts: &[(u8, &str, &[u8])]) -> Vec<u8> {
    let mut inner = Vec::new();
    for (kind, key, value) in parts {
        inner.push(*kind);
        inner.extend_from_slice(key.as_bytes());
        inner.push(0);
        inner.extend_from_slice(value);
    }
    inner.push(0);
    [&(inner.len() as i32 + 4).to_le_bytes()[..], &inner].concat()
}

fn string(text: &str) -> Vec<u8> {
    [&(text.len() as i32 + 1).to_le_bytes()[..], text.as_bytes(), b"\0"].concat()
}

fn message(id: i32, response_to: i32, operation: i32, body: &[u8]) -> Vec<u8> {
    let numbers = [body.len() as i32 + 16, id, response_to, operation];
    let mut bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    bytes.extend_from_slice(body);
    bytes
}

fn op_msg(id: i32, response_to: i32, flags: i32, document: &[u8]) -> Vec<u8> {
    message(id, response_to, 2013, &[&flags.to_le_bytes()[..], &[0], document].concat())
}

/// `{<command>: "things", lsid: {...}, $db: "shop"}`
fn find(id: i32) -> Vec<u8> {
    let session = document(&[(5, "id", &[&16i32.to_le_bytes()[..], &[4; 17]].concat())]);
    op_msg(
        id,
        0,
        0,
        &document(&[(2, "find", &string("things")), (3, "lsid", &session), (2, "$db", &string("shop"))]),
    )
}

fn collect(bytes: &[u8], piece: usize) -> Result<Vec<(i32, String, String, bool)>, NotMongo> {
    let mut framer = Framer::default();
    let mut seen = Vec::new();
    for piece in bytes.chunks(piece) {
        framer.see(piece, |message| {
            let call = message.call();
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            seen.push((message.header.id, text(call.command), text(call.database), call.is_answered));
        })?;
    }
    Ok(seen)
}

fn answer(bytes: &[u8]) -> Answer {
    let mut answer = None;
    Framer::default().see(bytes, |message| answer = Some(message.answer())).unwrap();
    answer.unwrap()
}

#[test]
fn commands_and_databases_are_seen_however_the_bytes_come() {
    let insert = {
        let inserted = document(&[(1, "x", &1f64.to_le_bytes())]);
        let section = [&(inserted.len() as i32 + 14).to_le_bytes()[..], b"documents\0", &inserted].concat();
        let command =
            document(&[(2, "insert", &string("t")), (8, "ordered", &[1]), (2, "$db", &string("log"))]);
        // The documents stand before the command, and nobody waits.
        message(2, 0, 2013, &[&2i32.to_le_bytes()[..], &[1], &section, &[0], &command].concat())
    };
    let hello = |wrapped: bool| {
        let inner = document(&[(16, "isMaster", &1i32.to_le_bytes()), (8, "helloOk", &[1])]);
        let outer = if wrapped { document(&[(3, "$query", &inner)]) } else { inner };
        message(3, 0, 2004, &[&4i32.to_le_bytes()[..], b"admin.$cmd\0", &[0; 8], &outer].concat())
    };
    let old_query =
        message(4, 0, 2004, &[&[0; 4][..], b"shop.things.old\0", &[0; 8], &document(&[])].concat());
    let old_insert = message(5, 0, 2002, &[&[0; 4][..], b"shop.things\0", &document(&[])].concat());
    let compressed = message(6, 0, 2012, &[&2013i32.to_le_bytes()[..], &[9, 9, 0, 0, 2], &[7; 40]].concat());
    let large = {
        let filter = document(&[(5, "blob", &[&100_000i32.to_le_bytes()[..], &vec![1; 100_001]].concat())]);
        op_msg(
            7,
            0,
            0,
            &document(&[(2, "find", &string("t")), (3, "filter", &filter), (2, "$db", &string("shop"))]),
        )
    };
    let all = [find(1), insert, hello(false), hello(true), old_query, old_insert, compressed, large].concat();
    let wanted = |id: i32, command: &str, database: &str, is_answered: bool| {
        (id, command.to_owned(), database.to_owned(), is_answered)
    };
    let mut expected = vec![
        wanted(1, "find", "shop", true),
        wanted(2, "insert", "log", false),
        wanted(3, "isMaster", "admin", true),
        wanted(3, "isMaster", "admin", true),
        wanted(4, "query", "shop", true),
        wanted(5, "insert", "shop", false),
        wanted(6, "compressed", "", true),
        wanted(7, "find", "shop", true),
    ];
    assert_eq!(collect(&all, usize::MAX).unwrap(), expected);
    // In pieces only the beginning of a message is kept, and what stands behind a large value is not seen.
    expected[7] = wanted(7, "find", "", true);
    for piece in [1, 2, 3, 7, 15, 16, 17, 100, 333] {
        assert_eq!(collect(&all, piece).unwrap(), expected, "in pieces of {piece}");
    }
}

#[test]
fn what_need_not_be_seen_may_be_skipped() {
    let mut framer = Framer::default();
    let (first, second) = (op_msg(1, 0, 0, &vec![0; 1_000_000]), find(2));
    let mut seen = 0;
    framer.see(&first[..5000], |_| seen += 1).unwrap();
    assert_eq!((seen, framer.blind()), (1, first.len() as u64 - 5000));
    framer.skip(framer.blind());
    assert_eq!(framer.blind(), 0);
    framer.see(&second, |message| seen += message.header.id).unwrap();
    assert_eq!((seen, framer.blind()), (3, 0));
}

#[test]
fn answers_tell_whether_it_worked() {
    let ok =
        |kind, value: &[u8]| op_msg(9, 1, 0, &document(&[(16, "n", &[1, 0, 0, 0]), (kind, "ok", value)]));
    assert_eq!(answer(&ok(1, &1f64.to_le_bytes())), Answer::Done);
    assert_eq!(answer(&ok(1, &0f64.to_le_bytes())), Answer::Failed);
    assert_eq!(answer(&ok(16, &[0; 4])), Answer::Failed);
    assert_eq!(answer(&ok(8, &[1])), Answer::Done);
    assert_eq!(answer(&op_msg(9, 1, 0, &document(&[]))), Answer::Done);
    let reply = |flags: i32, ok: f64| {
        let failed = document(&[(1, "ok", &ok.to_le_bytes())]);
        message(9, 1, 1, &[&flags.to_le_bytes()[..], &[0; 16], &failed].concat())
    };
    assert_eq!(answer(&reply(8, 1.0)), Answer::Done);
    assert_eq!(answer(&reply(8, 0.0)), Answer::Failed);
    assert_eq!(answer(&reply(2, 1.0)), Answer::Failed);
}

#[test]
fn all_types_are_stepped_over() {
    let regex = b"a.*b\0i\0";
    let nested = document(&[(10, "null", b"")]);
    let pointer = [string("ns"), vec![1; 12]].concat();
    let scoped = [&[21, 0, 0, 0][..], &string("f"), &[11; 11]].concat();
    let parts: [(u8, &str, &[u8]); 14] = [
        (0x01, "a", &[1; 8]),
        (0x03, "b", &nested),
        (0x04, "c", &nested),
        (0x06, "d", b""),
        (0x07, "e", &[1; 12]),
        (0x09, "f", &[1; 8]),
        (0x0b, "g", regex),
        (0x0c, "h", &pointer),
        (0x0f, "i", &scoped),
        (0x11, "j", &[1; 8]),
        (0x13, "k", &[1; 16]),
        (0x7f, "l", b""),
        (0xff, "m", b""),
        (0x12, "last", &[0; 8]),
    ];
    let bytes = document(&parts);
    let found: Vec<_> = elements(&bytes).map(|element| (element.kind, element.key, element.value)).collect();
    let wanted: Vec<_> = parts.iter().map(|(kind, key, value)| (*kind, key.as_bytes(), *value)).collect();
    assert_eq!(found, wanted);
}

#[test]
fn a_header_that_can_be_none_ends_the_looking() {
    let header =
        |numbers: [i32; 4]| numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>();
    for bytes in [
        header([15, 1, 0, 2013]),
        header([-1, 1, 0, 2013]),
        header([48_000_001, 1, 0, 2013]),
        header([100, 1, 0, 2003]),
        header([100, 1, 0, 0]),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 and more".to_vec(),
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
    ] {
        for piece in [1, 5, 100] {
            let good_then_bad = [find(1), bytes.clone()].concat();
            assert_eq!(collect(&good_then_bad, piece), Err(NotMongo));
        }
        let mut framer = Framer::default();
        assert!(framer.see(&bytes, |_| {}).is_err());
        assert_eq!(framer.blind(), u64::MAX);
        framer.see(&find(1), |_| panic!("it looks")).unwrap();
    }
}

#[test]
fn no_bytes_make_it_panic() {
    let mut state = 7u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    };
    let seed = [find(1), op_msg(2, 1, 0, &document(&[(1, "ok", &[0; 8])])), find(3)].concat();
    for _ in 0..100_000 {
        let mut bytes = seed.clone();
        for _ in 0..=next() % 4 {
            let at = next() % bytes.len();
            bytes[at] = next() as u8;
        }
        let mut framer = Framer::default();
        for piece in bytes.chunks(1 + next() % 200) {
            let seen = framer.see(piece, |message| {
                message.call();
                message.answer();
            });
            if seen.is_err() {
                break;
            }
            let blind = framer.blind();
            assert!(blind <= 48_000_000);
        }
    }
}
