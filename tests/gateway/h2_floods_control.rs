//! Floods of frames that carry no request: each is small and legal, and costs the gateway an answer or a look.

use super::{
    h2_floods::{Flood, Site, Way, get, nth},
    h2_frames::{
        ACK, CANCEL, ENHANCE_YOUR_CALM, GOAWAY, NO_ERROR, PROTOCOL_ERROR, PUSH_PROMISE, SETTINGS, UNKNOWN,
        code_name, frame, goaway, ping, priority, rst_stream, settings, window_update,
    },
};

/// Frames that are sent whatever comes back.
const FRAMES: u32 = 6000;
/// SETTINGS, PING, PRIORITY and unknown frames that are too many at once.
const FEW: u32 = 250;
/// WINDOW_UPDATE frames that are too many at once: good clients send many.
const UPDATES: u32 = 2000;

/// Judges a flood of one frame again and again, in plain text.
fn judge(kind: &str, opening: Vec<u8>, frame: &dyn Fn(u32) -> Vec<u8>, many: u32) {
    let site = Site::new();
    Flood { kind, opening, frame, many }.judge(&site, Way::Plain);
    site.gateway.stop();
}

#[test]
fn settings_without_end_are_a_flood() {
    // CVE-2019-9515: each wants an acknowledgement. Those that change something cost more.
    let site = Site::new();
    let empty = |_| settings(&[]);
    let tables = |number| settings(&[(1, number % 2 * 4096), (4, 65_535 + number % 2)]);
    let acknowledgements = |_| frame(SETTINGS, ACK, 0, b"");
    for frame in [&empty as &dyn Fn(u32) -> Vec<u8>, &tables, &acknowledgements] {
        Flood { kind: "settings", opening: Vec::new(), frame, many: FEW }.judge(&site, Way::Plain);
    }
    Flood { kind: "settings", opening: Vec::new(), frame: &empty, many: FEW }.judge(&site, Way::Tls);
    site.gateway.stop();
}

#[test]
fn settings_that_change_the_windows_of_many_streams_are_a_flood() {
    let opening = (0..200).flat_map(|number| get(nth(number), "/held")).collect();
    judge("settings", opening, &|number| settings(&[(4, 65_535 - number % 2)]), FEW);
}

#[test]
fn settings_with_thousands_of_entries_are_a_flood() {
    let site = Site::new();
    // As many as anybody has a use for.
    let mut attacker = site.attacker(Way::Plain, &[]);
    let entries = |count: u32| (0..count).map(|_| (0xfff0, 1)).collect::<Vec<_>>();
    attacker.send(&settings(&entries(32)));
    assert!(attacker.is_alive(), "{}", attacker.seen.end());
    drop(attacker);
    for count in [65, 2730] {
        let flood = |_| settings(&entries(count));
        Flood { kind: "settings", opening: Vec::new(), frame: &flood, many: 1 }.judge(&site, Way::Plain);
    }
    site.gateway.stop();
}

#[test]
fn pings_without_end_are_a_flood() {
    // CVE-2019-9512.
    let site = Site::new();
    let (asked, answered) = (|_| ping(0, b"flooding"), |_| ping(ACK, b"flooding"));
    for frame in [&asked as &dyn Fn(u32) -> Vec<u8>, &answered] {
        Flood { kind: "ping", opening: Vec::new(), frame, many: FEW }.judge(&site, Way::Plain);
    }
    Flood { kind: "ping", opening: Vec::new(), frame: &asked, many: FEW }.judge(&site, Way::Tls);
    site.gateway.stop();
}

#[test]
fn priorities_without_end_are_a_flood() {
    // CVE-2019-9513: the tree is shuffled again and again. Of streams that are idle, and of one that is open.
    judge("priority", Vec::new(), &|number| priority(nth(number), 0, 16), FEW);
    judge("priority", get(1, "/held"), &|number| priority(1, nth(number % 50 + 1), 255), FEW);
}

#[test]
fn window_updates_without_end_are_a_flood() {
    judge("window_update", Vec::new(), &|_| window_update(0, 1), UPDATES);
    judge("window_update", get(1, "/held"), &|_| window_update(1, 1), UPDATES);
    // Of a stream that is over.
    let over = [get(1, "/held"), rst_stream(1, CANCEL)].concat();
    judge("window_update", over, &|_| window_update(1, 1), UPDATES);
}

#[test]
fn unknown_frames_without_end_are_a_flood() {
    judge("unknown", Vec::new(), &|number| frame(UNKNOWN, 0, number % 2, b"?"), FEW);
    judge("unknown", Vec::new(), &|_| frame(0xff, 0xff, 0, &[0; 16_384]), FEW);
}

#[test]
fn a_few_of_each_are_no_flood() {
    let site = Site::new();
    for way in [Way::Plain, Way::Tls] {
        let mut attacker = site.attacker(way, &[]);
        for number in 0..10 {
            attacker.send(&settings(&[(0xfff0, 1)]));
            attacker.send(&ping(0, b"fine....").repeat(3));
            attacker.send(&priority(nth(number + 500), 0, 16));
            attacker.send(&window_update(0, 1).repeat(20));
            attacker.send(&frame(UNKNOWN, 0, 0, b"grease"));
            let stream = nth(number);
            attacker.send(&get(stream, "/quick/1"));
            assert!(attacker.until(|seen| seen.complete == Some(stream)), "{}", attacker.seen.end());
        }
        assert!(attacker.is_alive() && attacker.seen.acks >= 10, "{:?}", attacker.seen);
    }
    site.gateway.stop();
}

#[test]
fn resets_of_a_stream_that_is_over_harm_nobody() {
    let opening = [get(1, "/held"), rst_stream(1, CANCEL)].concat();
    let site = Site::new();
    site.tolerates(&opening, &|_| rst_stream(1, CANCEL), &|attacker, is_alive| {
        let code = attacker.seen.code();
        assert!(is_alive || code == Some(ENHANCE_YOUR_CALM), "{}", attacker.seen.end());
        assert!(attacker.seen.resets.is_empty(), "{:?}", attacker.seen.resets);
    });
    site.gateway.stop();
}

#[test]
fn goaways_without_end_harm_nobody() {
    // The client says that it leaves: the gateway may do the same.
    let site = Site::new();
    site.tolerates(&[], &|_| goaway(0, NO_ERROR), &|attacker, is_alive| {
        let is_calm = matches!(attacker.seen.code(), None | Some(NO_ERROR | ENHANCE_YOUR_CALM));
        assert!(is_alive || is_calm, "{}", attacker.seen.end());
    });
    // With as much to say as a frame holds.
    let long = frame(GOAWAY, 0, 0, &[0; 16_384]);
    let memory = site.memory();
    site.beside(|| {
        let mut attacker = site.attacker(Way::Plain, &[]);
        attacker.send(&long.repeat(100));
        attacker.is_alive();
    });
    site.assert_memory(memory, 100 * long.len());
    site.until_gone();
    site.gateway.stop();
}

#[test]
fn push_promises_end_the_connection_at_once() {
    // No client may send one (RFC 9113 section 8.4).
    let promise = frame(PUSH_PROMISE, 4, 1, &2_u32.to_be_bytes());
    let site = Site::new();
    site.tolerates(&get(1, "/held"), &|_| promise.clone(), &|attacker, is_alive| {
        assert!(!is_alive);
        attacker.read_to_end();
        assert_eq!(attacker.seen.code(), Some(PROTOCOL_ERROR), "{}", attacker.seen.end());
    });
    site.gateway.stop();
}

#[test]
fn a_client_that_never_reads_does_not_make_answers_pile_up() {
    let site = Site::new();
    for (way, kind) in [(Way::Plain, "ping"), (Way::Tls, "ping"), (Way::Plain, "settings")] {
        let (memory, counted) = (site.memory(), site.floods(kind));
        let mut sent = 0;
        let one = if kind == "ping" { ping(0, b"answer!!") } else { settings(&[(4, 70_000)]) };
        let rounds = site.beside(|| {
            let mut attacker = site.attacker(way, &[]);
            for _ in 0..FRAMES / 100 {
                // It sends on whatever comes back, until it can't.
                if !attacker.send(&one.repeat(100)) {
                    break;
                }
            }
            sent += attacker.sent;
            attacker.read_to_end();
            let code = attacker.seen.code().map(code_name);
            // A reset may have overtaken what was said, as it does where nobody reads.
            assert!(code.is_none_or(|code| code == "ENHANCE_YOUR_CALM"), "{}", attacker.seen.end());
        });
        site.gateway.until("all are counted", || site.floods(kind) - counted >= rounds as f64);
        site.assert_memory(memory, sent);
        site.until_gone();
    }
    site.gateway.stop();
}
