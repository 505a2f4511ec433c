//! Floods of DATA, and clients that are slow on purpose: those that take nothing, and those that give little.

use super::{
    h2_floods::{Attacker, Flood, Site, Way, fields, get, nth, post},
    h2_frames::{
        DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, FLOW_CONTROL_ERROR, INITIAL_WINDOW_SIZE, PREFACE,
        WINDOW_MAX, data, headers, padded, settings, window_update,
    },
};

/// Empty frames that are too many at once.
const EMPTY: u32 = 250;
/// Answers that are asked for and not taken.
const ANSWERS: u32 = 50;
/// How large each of them is: all of them together are far more than the gateway may hold.
const ANSWER_BYTES: usize = 2_000_000;
/// Octets that a client trickles.
const TRICKLED: usize = 200;

#[test]
fn empty_data_without_end_is_a_flood() {
    // CVE-2019-9518. Frames of padding alone are as empty.
    let site = Site::new();
    let (empty, padding) = (|_| data(1, 0, b""), |_| padded(DATA, 1, 0, b"", 100));
    for frame in [&empty as &dyn Fn(u32) -> Vec<u8>, &padding] {
        let flood = Flood { kind: "empty_data", opening: post(1, "/held"), frame, many: EMPTY };
        flood.judge(&site, Way::Plain);
        flood.judge(&site, Way::Tls);
    }
    site.gateway.stop();
}

#[test]
fn padding_around_next_to_nothing_is_a_flood() {
    let site = Site::new();
    let frame = |_| padded(DATA, 1, 0, b"x", 255);
    let flood = Flood { kind: "overhead", opening: post(1, "/held"), frame: &frame, many: 5000 };
    flood.judge(&site, Way::Plain);
    site.gateway.stop();
}

#[test]
fn an_end_in_an_empty_frame_is_no_flood() {
    // Many clients end every upload so.
    let site = Site::new();
    let mut attacker = site.attacker(Way::Plain, &[]);
    for stream in (0..300).map(nth) {
        attacker.send(
            &[post(stream, "/quick/1"), data(stream, 0, b"body"), data(stream, END_STREAM, b"")].concat(),
        );
        assert!(attacker.until(|seen| seen.complete == Some(stream)), "{stream}: {}", attacker.seen.end());
        assert_eq!(attacker.seen.statuses[&stream], 200);
    }
    site.gateway.stop();
}

#[test]
fn data_of_one_octet_each_harms_nobody() {
    let site = Site::new();
    site.tolerates(&post(1, "/held"), &|_| data(1, 0, b"x"), &|attacker, is_alive| {
        assert!(is_alive || attacker.seen.code() == Some(ENHANCE_YOUR_CALM), "{}", attacker.seen.end());
    });
    // Of a stream that the gateway has reset, as its request was malformed.
    let malformed = headers(1, END_HEADERS, &fields("POST", "/held").add("Upper", "case").block());
    site.tolerates(&malformed, &|_| data(1, 0, b"x"), &|attacker, is_alive| {
        assert!(is_alive || attacker.seen.code() == Some(ENHANCE_YOUR_CALM), "{}", attacker.seen.end());
    });
    site.gateway.stop();
}

#[test]
fn more_data_than_the_window_ends_the_connection() {
    // Of an upload that nobody takes, as the origin of another is slow: 64 MiB on a window of at most 24.
    let site = Site::new();
    let memory = site.memory();
    let mut attacker = site.attacker(Way::Plain, &[]);
    attacker.send(&post(1, "/stuck"));
    let piece = data(1, 0, &[0; 16_384]);
    let pieces = (0..4096).take_while(|_| attacker.send(&piece)).count();
    attacker.read_to_end();
    assert_eq!(attacker.seen.code(), Some(FLOW_CONTROL_ERROR), "{pieces}: {}", attacker.seen.end());
    site.assert_memory(memory, attacker.sent);
    site.until_gone();
    site.gateway.stop();
}

#[test]
fn answers_that_may_not_be_sent_are_not_fetched() {
    // The window is 0 and stays so.
    for way in [Way::Plain, Way::Tls] {
        let site = Site::new();
        let memory = site.memory();
        let mut attacker = site.attacker(way, &[(INITIAL_WINDOW_SIZE, 0)]);
        let path = format!("/big/{ANSWER_BYTES}");
        attacker.send(&(0..ANSWERS).flat_map(|number| get(nth(number), &path)).collect::<Vec<_>>());
        let all = |seen: &super::h2_floods::Seen| seen.statuses.len() == ANSWERS as usize;
        assert!(attacker.until(all), "{}", attacker.seen.end());
        assert!(attacker.seen.bodies.values().all(Vec::is_empty));
        site.beside(|| {
            site.attacker(way, &[]);
        });
        site.assert_memory(memory, 0);
        // One of them is wanted after all, and is whole.
        let stream = nth(ANSWERS / 2);
        attacker.send(&[window_update(0, WINDOW_MAX - 65_535), window_update(stream, WINDOW_MAX)].concat());
        assert!(attacker.until(|seen| seen.complete == Some(stream)), "{}", attacker.seen.end());
        assert_eq!(attacker.seen.bodies[&stream], vec![b'x'; ANSWER_BYTES]);
        drop(attacker);
        site.until_gone();
        site.gateway.stop();
    }
}

#[test]
fn answers_that_are_not_read_are_not_fetched() {
    // CVE-2019-9517: the windows are as large as can be, and the client does not read.
    for way in [Way::Plain, Way::Tls] {
        let site = Site::new();
        let memory = site.memory();
        let mut attacker = site.attacker(way, &[(INITIAL_WINDOW_SIZE, WINDOW_MAX)]);
        attacker.send(&window_update(0, WINDOW_MAX - 65_535));
        let path = format!("/big/{ANSWER_BYTES}");
        attacker.send(&(0..ANSWERS).flat_map(|number| get(nth(number), &path)).collect::<Vec<_>>());
        let is_asked = || site.gateway.metric("envoy_http_downstream_rq_active") > 1.0;
        site.gateway.until("they are asked for", is_asked);
        site.beside(|| {
            // It asks for more answers that it will not read.
            attacker.send(&[settings(&[]), super::h2_frames::ping(0, b"pile up!")].concat().repeat(2));
            site.attacker(way, &[]);
        });
        site.assert_memory(memory, 0);
        drop(attacker);
        site.until_gone();
        site.gateway.stop();
    }
}

#[test]
fn answers_octet_by_octet_harm_nobody() {
    // CVE-2019-9511: each WINDOW_UPDATE is for one octet, which then wants a frame of its own.
    let site = Site::new();
    let (memory, mut sent) = (site.memory(), 0);
    site.beside(|| {
        let mut attacker = site.attacker(Way::Plain, &[(INITIAL_WINDOW_SIZE, 0)]);
        attacker.send(&get(1, "/big/100000"));
        assert!(attacker.until(|seen| seen.statuses.contains_key(&1)), "{}", attacker.seen.end());
        attacker.send(&window_update(1, 1).repeat(900));
        let is_alive = attacker.is_alive();
        assert!(is_alive || attacker.seen.code() == Some(ENHANCE_YOUR_CALM), "{}", attacker.seen.end());
        if is_alive {
            let octets = |seen: &super::h2_floods::Seen| seen.bodies.get(&1).map_or(0, Vec::len);
            assert!(attacker.until(|seen| octets(seen) == 900), "{}", attacker.seen.end());
        }
        sent += attacker.sent;
    });
    site.assert_memory(memory, sent);
    site.until_gone();
    site.gateway.stop();
}

/// A client that sends one octet at a time.
struct Trickle {
    client: super::client::Client,
    bytes: Vec<u8>,
    at: usize,
}

#[test]
fn frames_octet_by_octet_are_understood_and_harm_nobody() {
    // Each octet comes on its own, in TLS in a record of its own; it ends with a request that is answered.
    let site = Site::new();
    let memory = site.memory();
    let bytes = [
        PREFACE.to_vec(),
        settings(&[]),
        post(1, "/quick/7"),
        data(1, 0, &[b'x'; 50]),
        data(1, END_STREAM, b""),
    ];
    let bytes = bytes.concat();
    assert!(bytes.len() <= TRICKLED + 50, "{}", bytes.len());
    let ways = [Way::Plain, Way::Tls].into_iter().cycle().take(20);
    let mut slow: Vec<Trickle> =
        ways.map(|way| Trickle { client: site.connect(way), bytes: bytes.clone(), at: 0 }).collect();
    site.beside(|| {
        // As long as the good clients take, at the pace of requests.
        assert_eq!(site.gateway.get(80, "web.test", "/quick/0").status, 200);
        for one in &mut slow {
            // All but the last ones, until the good clients are done.
            if one.at + 10 < one.bytes.len() {
                one.client.send(&one.bytes[one.at..=one.at]);
                one.at += 1;
            }
        }
    });
    site.assert_memory(memory, 0);
    for mut one in slow {
        for at in one.at..one.bytes.len() {
            one.client.send(&one.bytes[at..=at]);
        }
        let mut attacker = Attacker::listening(one.client);
        assert!(attacker.until(|seen| seen.complete == Some(1)), "{}", attacker.seen.end());
        assert_eq!(attacker.seen.statuses[&1], 200);
        assert_eq!(attacker.seen.bodies[&1], b"quick 7");
    }
    site.until_gone();
    site.gateway.stop();
}

#[test]
fn uploads_that_nobody_takes_hold_what_was_sent_and_little_more() {
    // The origin's address does not answer, so each upload waits; every one has sent a little more than fits into the buffer
    // that it began with.
    let site = Site::new();
    let memory = site.memory();
    let mut attackers = Vec::new();
    site.beside(|| {
        if attackers.len() == 10 {
            return;
        }
        let mut attacker = site.attacker(Way::Plain, &[]);
        for stream in (0..200).map(nth) {
            attacker.send(
                &[post(stream, "/nowhere"), data(stream, 0, &[b'x'; 4096]), data(stream, 0, b"y")].concat(),
            );
        }
        assert!(attacker.is_alive(), "{}", attacker.seen.end());
        attackers.push(attacker);
    });
    let sent: usize = attackers.iter().map(|attacker| attacker.sent).sum();
    site.assert_memory(memory, sent);
    drop(attackers);
    site.until_gone();
    site.gateway.stop();
}
