//! Header blocks that are too long, too large once they are decoded, or never whole.

use super::{
    h2_floods::{Attacker, Flood, Site, Way, fields, get, nth},
    h2_frames::{
        COMPRESSION_ERROR, CONTINUATION, END, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, HEADERS,
        PROTOCOL_ERROR, code_name, continuation, data, frame, headers,
    },
    h2_hpack::{integer, literal, string},
};

/// CONTINUATION frames of one block that are too many.
const CONTINUATIONS: u32 = 20;
/// The largest payload of a frame.
const FRAME: usize = 16_384;
/// The limit of a header list: HTTP/1.1 has the same.
const LIST: usize = 60 << 10;

/// A block in HEADERS and as few CONTINUATION frames as it fits into.
fn in_frames(stream: u32, block: &[u8]) -> Vec<u8> {
    let mut pieces = block.chunks(FRAME).peekable();
    let mut bytes = Vec::new();
    while let Some(piece) = pieces.next() {
        let end = if pieces.peek().is_none() { END_HEADERS } else { 0 };
        let (kind, more) = if bytes.is_empty() { (HEADERS, END_STREAM) } else { (CONTINUATION, 0) };
        bytes.extend(frame(kind, end | more, stream, piece));
    }
    bytes
}

/// A block of one request, and this behind it.
fn block(path: &str, behind: &[u8]) -> Vec<u8> {
    [&fields("GET", path).block(), behind].concat()
}

#[test]
fn continuations_without_end_are_a_flood() {
    // CVE-2024-27316 and its like. Nothing can be asked within a block: its end comes with the last of them, and a PING.
    let site = Site::new();
    let begin = headers(1, END_STREAM, &fields("GET", "/held").block());
    let end = |number| if number + 1 == CONTINUATIONS { END_HEADERS } else { 0 };
    let field = literal("x-aaa", &"v".repeat(400));
    let whole = |number| continuation(1, end(number), &field);
    let empty = |number| continuation(1, end(number), b"");
    // One octet of a field each.
    let tiny = literal("x", "seventeen octets.");
    let tiny = |number| continuation(1, end(number), &tiny[number as usize..=number as usize]);
    for frame in [&whole as &dyn Fn(u32) -> Vec<u8>, &empty, &tiny] {
        let flood = Flood { kind: "continuation", opening: begin.clone(), frame, many: CONTINUATIONS };
        flood.judge(&site, Way::Plain);
        flood.judge(&site, Way::Tls);
    }
    assert_eq!(site.origin.held(), 0, "none of these requests was whole");
    site.gateway.stop();
}

#[test]
fn a_block_in_a_few_frames_is_no_flood() {
    let site = Site::new();
    let mut attacker = site.attacker(Way::Plain, &[]);
    let block = block("/quick/0", &literal("x-aaa", &"v".repeat(400)));
    let mut bytes = headers(1, END_STREAM, &block[..100]);
    bytes.extend(continuation(1, 0, &block[100..200]));
    bytes.extend(continuation(1, 0, b""));
    bytes.extend(continuation(1, END_HEADERS, &block[200..]));
    attacker.send(&bytes);
    assert!(attacker.until(|seen| seen.complete == Some(1)), "{}", attacker.seen.end());
    assert_eq!(attacker.seen.statuses[&1], 200);
    site.gateway.stop();
}

#[test]
fn blocks_without_end_are_ended_by_their_size() {
    let site = Site::new();
    // Few frames and many bytes: beyond what is taken in only to be answered.
    let begin = headers(1, END_STREAM, &fields("GET", "/held").block());
    let field = [literal("x-long", &"v".repeat(16_000)), literal("x-rest", &"v".repeat(300))].concat();
    let frame = |number| continuation(1, if number == 11 { END_HEADERS } else { 0 }, &field);
    let flood = Flood { kind: "header_list", opening: begin, frame: &frame, many: 12 };
    flood.judge(&site, Way::Plain);
    flood.judge(&site, Way::Tls);
    assert_eq!(site.origin.held(), 0);
    site.gateway.stop();
}

#[test]
fn a_list_that_is_too_large_is_answered_as_in_http_1() {
    let site = Site::new();
    for (what, large) in [
        ("one field", literal("x-long", &"v".repeat(LIST + 2000))),
        ("some fields", literal("x-long", &"v".repeat(4000)).repeat(LIST / 4000 + 1)),
        ("many fields", literal("x-many", "v").repeat(101)),
    ] {
        // HTTP/1.1's answer to the same.
        let names = ["x-long", "x-many"];
        let lines = match what {
            "one field" => format!("{}: {}\r\n", names[0], "v".repeat(LIST + 2000)),
            "some fields" => format!("{}: {}\r\n", names[0], "v".repeat(4000)).repeat(LIST / 4000 + 1),
            _ => format!("{}: v\r\n", names[1]).repeat(101),
        };
        let mut client = site.gateway.connect(80);
        client.send(format!("GET /held HTTP/1.1\r\nHost: web.test\r\n{lines}\r\n").as_bytes());
        assert_eq!(client.answer("GET").status, 431, "{what}, HTTP/1.1");
        for way in [Way::Plain, Way::Tls] {
            let mut attacker = site.attacker(way, &[]);
            attacker.send(&in_frames(1, &block("/held", &large)));
            assert!(attacker.until(|seen| seen.complete == Some(1)), "{what}: {}", attacker.seen.end());
            assert_eq!(attacker.seen.statuses[&1], 431, "{what}");
            // It is this request that is wrong, not the connection.
            attacker.send(&get(3, "/quick/0"));
            assert!(attacker.until(|seen| seen.complete == Some(3)), "{what}: {}", attacker.seen.end());
            assert_eq!(attacker.seen.statuses[&3], 200, "{what}");
        }
    }
    assert_eq!(site.origin.held(), 0);
    site.gateway.stop();
}

/// A field of so many octets, of which the table is to keep one.
fn kept(name: &str, length: usize) -> Vec<u8> {
    [vec![0x40], string(name), string(&"v".repeat(length))].concat()
}

/// What refers to the latest entry of the table.
const LATEST: u8 = 0xbe;

#[test]
fn an_hpack_bomb_is_defused() {
    // CVE-2016-6581: 16 KB become 6 MB, as often as one likes.
    let site = Site::new();
    let opening = headers(1, END, &block("/quick/0", &kept("x-bomb", 400)));
    let references = vec![LATEST; FRAME - 100];
    let bomb = |number| headers(nth(number + 1), END, &block("/held", &references));
    let flood = Flood { kind: "header_list", opening, frame: &bomb, many: 20 };
    flood.judge(&site, Way::Plain);
    flood.judge(&site, Way::Tls);
    assert_eq!(site.origin.held(), 0);
    site.gateway.stop();
}

#[test]
fn blocks_on_a_stream_that_is_over_harm_nobody() {
    // They have to be decoded for the sake of the table, whoever reset the stream.
    let site = Site::new();
    let malformed = headers(1, END, &fields("GET", "/held").add("Upper", "case").block());
    let opening = [malformed, headers(3, END, &block("/quick/0", &kept("x-bomb", 400)))].concat();
    let references = headers(1, END, &vec![LATEST; 4000]);
    site.tolerates(
        &opening,
        &|number| references.clone().repeat((number % 10 == 0).into()),
        &|attacker, is_alive| {
            let code = attacker.seen.code().map(code_name);
            let is_right = matches!(code.as_deref(), Some("ENHANCE_YOUR_CALM" | "STREAM_CLOSED"));
            assert!(is_alive || is_right, "{}", attacker.seen.end());
        },
    );
    assert_eq!(site.origin.held(), 0);
    site.gateway.stop();
}

#[test]
fn a_small_bomb_is_refused_and_the_table_stays_right() {
    // Just over the limit: 200 references to 400 octets. Later requests refer to the same entry.
    let site = Site::new();
    let (memory, mut sent) = (site.memory(), 0);
    site.beside(|| {
        let mut attacker = site.attacker(Way::Plain, &[]);
        attacker.send(&headers(1, END, &block("/quick/0", &kept("x-bomb", 400))));
        for stream in (3..30).step_by(4) {
            attacker.send(&headers(stream, END, &block("/held", &[LATEST; 200])));
            let good = stream + 2;
            attacker.send(&headers(good, END, &block("/quick/0", &[LATEST; 3])));
            assert!(attacker.until(|seen| seen.statuses.contains_key(&good)), "{}", attacker.seen.end());
            attacker.until(|seen| seen.statuses.contains_key(&stream));
            assert_eq!((attacker.seen.statuses[&stream], attacker.seen.statuses[&good]), (431, 200));
        }
        sent += attacker.sent;
    });
    site.assert_memory(memory, sent);
    assert_eq!(site.origin.held(), 0);
    site.gateway.stop();
}

#[test]
fn a_table_that_is_filled_again_and_again_stays_small() {
    // Each request evicts what the one before has left; and a table of 0 and 4096 octets in turn.
    let site = Site::new();
    let (memory, mut sent) = (site.memory(), 0);
    site.beside(|| {
        let mut attacker = site.attacker(Way::Plain, &[]);
        for number in 0..50 {
            let resize = [integer(0x20, 5, 0), integer(0x20, 5, 4096)].concat();
            let fill = (0..60).flat_map(|field| kept(&format!("x-{number}-{field}"), 100));
            let block = [resize, block("/quick/0", &fill.collect::<Vec<_>>())].concat();
            attacker.send(&headers(nth(number), END, &block));
            assert!(attacker.until(|seen| seen.complete == Some(nth(number))), "{}", attacker.seen.end());
            assert_eq!(attacker.seen.statuses[&nth(number)], 200);
        }
        sent += attacker.sent;
    });
    site.assert_memory(memory, sent);
    site.gateway.stop();
}

#[test]
fn fields_of_no_length_do_not_pile_up() {
    // CVE-2019-9516: names and values of length 0, which cost memory all the same.
    let site = Site::new();
    let (memory, mut sent) = (site.memory(), 0);
    site.beside(|| {
        let mut attacker = site.attacker(Way::Plain, &[]);
        for number in 0..20 {
            attacker.send(&headers(nth(number), END, &block("/held", &[0; 15_000])));
        }
        attacker.is_alive();
        let refused = attacker.seen.statuses.values().all(|status| matches!(status, 400 | 431));
        assert!(refused, "{:?}", attacker.seen.statuses);
        assert!(matches!(attacker.seen.code(), None | Some(ENHANCE_YOUR_CALM)), "{}", attacker.seen.end());
        sent += attacker.sent;
    });
    site.assert_memory(memory, sent);
    assert_eq!(site.origin.held(), 0);
    site.gateway.stop();
}

#[test]
fn half_a_block_and_then_silence_holds_little() {
    const SILENT: usize = 50;
    let site = Site::with(&["--drain-time", "1s"]);
    let memory = site.memory();
    let half = headers(1, END_STREAM, &block("/held", &literal("x-long", &"v".repeat(16_000))));
    let silent = |way| {
        let mut attacker = site.attacker(way, &[]);
        attacker.send(&half);
        attacker
    };
    let mut attackers: Vec<Attacker> = (0..SILENT).map(|_| silent(Way::Plain)).collect();
    attackers.extend((0..SILENT / 5).map(|_| silent(Way::Tls)));
    site.beside(|| drop(silent(Way::Plain)));
    site.assert_memory(memory, 0);
    // Nothing but the rest of the block may follow (RFC 9113 section 6.10).
    for (attacker, intruder) in
        attackers.iter_mut().zip([get(3, "/quick/0"), data(1, 0, b"x"), frame(6, 0, 0, &[0; 8])])
    {
        attacker.send(&intruder);
        attacker.read_to_end();
        assert_eq!(attacker.seen.code(), Some(PROTOCOL_ERROR), "{}", attacker.seen.end());
    }
    // The others are there to the end, and do not put it off for longer than is allowed.
    assert_eq!(site.gateway.metric("envoy_http_downstream_rq_active"), 0.0);
    assert_eq!(site.origin.held(), 0);
    site.gateway.stop();
    drop(attackers);
}

#[test]
fn blocks_that_never_were_compressed_end_the_connection() {
    // Integers, strings and indices that are none (RFC 7541): the state of both sides is lost.
    let site = Site::new();
    let wrong: [&[u8]; 6] = [
        &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
        &[0x80],
        &[0xff, 0x80, 0x80, 0x80, 0x80, 0x00],
        &[0x00, 0x7f, 0xff, 0xff, 0xff, 0xff, 0x0f],
        &[0x00, 0x81, 0xff, 0x81],
        &[0x3f, 0xff, 0xff, 0xff, 0xff, 0x0f],
    ];
    let (memory, mut sent, mut turn) = (site.memory(), 0, 0);
    site.beside(|| {
        let mut attacker = site.attacker(Way::Plain, &[]);
        attacker.send(&headers(1, END, &block("/held", wrong[turn % wrong.len()])).repeat(3));
        attacker.read_to_end();
        let code = attacker.seen.code();
        assert_eq!(code, Some(COMPRESSION_ERROR), "{turn}: {:?}", code.map(code_name));
        (sent, turn) = (sent + attacker.sent, turn + 1);
    });
    assert!(turn >= wrong.len(), "only {turn} of them were sent");
    site.assert_memory(memory, sent);
    assert_eq!(site.origin.held(), 0);
    site.gateway.stop();
}
