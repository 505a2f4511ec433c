//! Floods of streams that come to nothing: the client resets them, makes the gateway reset them, or opens more than it may.

use super::{
    h2_floods::{Attacker, Flood, Site, Way, get, nth, post},
    h2_frames::{
        CANCEL, END, FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, PRIORITY, PROTOCOL_ERROR, REFUSED_STREAM,
        RST_STREAM, STREAM_CLOSED, WINDOW_MAX, code_name, data, frame, headers, priority, rst_stream,
        window_update,
    },
};

/// Resets that are too many at once: what Envoy allows.
const RESETS: u32 = 250;
/// So few streams that all places are soon taken.
const FEW_STREAMS: &[&str] = &["--http2-max-concurrent-streams", "100"];
/// Streams that a client may be over its limit with, before it has read what the limit is.
const REFUSED: u32 = 250;

/// A request and its end.
fn cancelled(number: u32) -> Vec<u8> {
    [get(nth(number), "/held"), rst_stream(nth(number), CANCEL)].concat()
}

#[test]
fn a_rapid_reset_is_ended() {
    // CVE-2023-44487.
    let site = Site::new();
    let upload = |number| [post(nth(number), "/held"), rst_stream(nth(number), CANCEL)].concat();
    for frame in [&cancelled as &dyn Fn(u32) -> Vec<u8>, &upload] {
        let flood = Flood { kind: "rapid_reset", opening: Vec::new(), frame, many: RESETS };
        flood.judge(&site, Way::Plain);
        flood.judge(&site, Way::Tls);
    }
    site.gateway.stop();
}

#[test]
fn a_rapid_reset_of_requests_that_are_under_way_is_ended() {
    let site = Site::new();
    site.beside(|| {
        let mut attacker = site.attacker(Way::Plain, &[]);
        let mut number = 0;
        // Each batch has reached the origin before it is reset.
        while attacker.seen.goaway.is_none() {
            // Some come back with each second that this takes.
            assert!(number <= 4 * RESETS, "{number} resets are allowed");
            let (batch, held) = (number..number + 25, site.origin.held());
            attacker.send(&batch.clone().flat_map(|number| get(nth(number), "/held")).collect::<Vec<_>>());
            site.gateway.until("the origin has them", || site.origin.held() >= held + 25);
            attacker.send(&batch.flat_map(|number| rst_stream(nth(number), CANCEL)).collect::<Vec<_>>());
            attacker.is_alive();
            number += 25;
        }
        attacker.read_to_end();
        assert_eq!(attacker.seen.code().map(code_name).as_deref(), Some("ENHANCE_YOUR_CALM"));
    });
    assert!(site.origin.peak() <= 50, "{} were held at a time", site.origin.peak());
    site.until_gone();
    site.gateway.stop();
}

#[test]
fn a_page_that_is_left_early_is_no_flood() {
    // Browsers cancel a page's worth of requests at once.
    let site = Site::new();
    for way in [Way::Plain, Way::Tls] {
        let mut attacker = site.attacker(way, &[]);
        attacker.send(&(0..100).flat_map(cancelled).collect::<Vec<_>>());
        assert!(attacker.is_alive(), "{}", attacker.seen.end());
        assert_eq!(serve(&mut attacker, 100), Some(200));
    }
    assert_eq!(site.floods("rapid_reset"), 0.0);
    site.gateway.stop();
}

/// A good request with this number on an attacker's connection: its status.
fn serve(attacker: &mut Attacker, number: u32) -> Option<u16> {
    attacker.send(&get(nth(number), "/quick/0"));
    attacker.until(|seen| seen.complete == Some(nth(number)));
    attacker.seen.statuses.get(&nth(number)).copied()
}

/// What makes the gateway reset a stream, and with which errors it may end the connection instead.
type Trigger = (&'static str, fn(u32) -> Vec<u8>, &'static [u32]);

/// CVE-2025-8671.
const TRIGGERS: &[Trigger] = &[
    ("WINDOW_UPDATE of 0", |stream| window_update(stream, 0), &[PROTOCOL_ERROR]),
    ("a window that overflows", |stream| window_update(stream, WINDOW_MAX), &[FLOW_CONTROL_ERROR]),
    ("PRIORITY of 4 octets", |stream| frame(PRIORITY, 0, stream, &[0; 4]), &[FRAME_SIZE_ERROR]),
    ("PRIORITY on itself", |stream| priority(stream, stream, 1), &[PROTOCOL_ERROR]),
    ("HEADERS after the end", |stream| get(stream, "/held"), &[STREAM_CLOSED, PROTOCOL_ERROR]),
    ("DATA after the end", |stream| data(stream, 0, b"more"), &[STREAM_CLOSED, PROTOCOL_ERROR]),
    (
        "DATA after a reset",
        |stream| [rst_stream(stream, CANCEL), data(stream, 0, b"more")].concat(),
        &[STREAM_CLOSED],
    ),
    ("RST_STREAM of 3 octets", |stream| frame(RST_STREAM, 0, stream, &[0; 3]), &[FRAME_SIZE_ERROR]),
];

#[test]
fn streams_that_the_gateway_is_made_to_reset_count_as_well() {
    let site = Site::new();
    for (what, trigger, codes) in TRIGGERS {
        let (memory, counted) = (site.memory(), site.floods("rapid_reset"));
        let (mut sent, mut calm) = (0, 0);
        site.beside(|| {
            let mut attacker = site.attacker(Way::Plain, &[]);
            let streams = (0..RESETS).map(nth);
            let frames = streams.flat_map(|stream| [get(stream, "/held"), trigger(stream)].concat());
            attacker.send(&frames.collect::<Vec<_>>());
            // PRIORITY on itself may also be ignored, as all of it may be (RFC 9113 section 5.3.2); the streams stay then.
            let is_alive = attacker.is_alive();
            sent += attacker.sent;
            if is_alive && *what == "PRIORITY on itself" && attacker.seen.resets.is_empty() {
                return;
            }
            assert!(!is_alive, "{what}: {RESETS} streams were reset: {:?}", attacker.seen.resets);
            attacker.read_to_end();
            let code = attacker.seen.code().unwrap_or_else(|| panic!("{what}: no GOAWAY"));
            if code_name(code) == "ENHANCE_YOUR_CALM" {
                calm += 1;
            } else {
                assert!(codes.contains(&code), "{what}: {}", attacker.seen.end());
            }
        });
        site.assert_memory(memory, sent);
        site.gateway.until(what, || site.floods("rapid_reset") - counted >= f64::from(calm));
        site.until_gone();
    }
    let limit = site.attacker(Way::Plain, &[]).seen.limit.unwrap() as usize;
    assert!(site.origin.peak() <= limit, "{} were held at a time", site.origin.peak());
    site.gateway.stop();
}

#[test]
fn malformed_requests_without_end_are_a_flood() {
    let site = Site::new();
    // A name in upper case (RFC 9113 section 8.2.1): a stream error each, or a 400 without a reset, which is no work for anybody
    // but costs an answer.
    let malformed = |number| {
        let block = super::h2_floods::fields("GET", "/held").add("Upper", "case").block();
        headers(nth(number), END, &block)
    };
    let flood = Flood { kind: "rapid_reset", opening: Vec::new(), frame: &malformed, many: RESETS };
    flood.judge(&site, Way::Plain);
    assert_eq!(site.origin.held(), 0);
    site.gateway.stop();
}

#[test]
fn streams_over_the_limit_are_refused_and_then_the_connection() {
    let site = Site::with(FEW_STREAMS);
    let limit = site.attacker(Way::Plain, &[]).seen.limit.unwrap();
    assert_eq!(limit, 100);
    let (memory, mut sent) = (site.memory(), 0);
    let rounds = site.beside(|| {
        let mut attacker = site.attacker(Way::Plain, &[]);
        attacker.send(&(0..limit).flat_map(|number| post(nth(number), "/held")).collect::<Vec<_>>());
        assert!(attacker.is_alive(), "up to the limit: {}", attacker.seen.end());
        assert_eq!(attacker.seen.resets.len(), 0);
        // One after another is refused, and the others stay.
        attacker.send(&(0..10).flat_map(|number| post(nth(limit + number), "/held")).collect::<Vec<_>>());
        assert!(attacker.is_alive(), "a few over the limit: {}", attacker.seen.end());
        assert_eq!(attacker.seen.resets.get(&REFUSED_STREAM), Some(&10), "{:?}", attacker.seen.resets);
        let more = (10..1000).flat_map(|number| post(nth(limit + number), "/held"));
        attacker.send(&more.collect::<Vec<_>>());
        assert!(!attacker.is_alive(), "1000 streams over the limit are allowed");
        attacker.read_to_end();
        assert_eq!(attacker.seen.code().map(code_name).as_deref(), Some("ENHANCE_YOUR_CALM"));
        let refused = attacker.seen.resets[&REFUSED_STREAM];
        assert!(refused <= REFUSED as usize, "{refused} were refused before the end");
        sent += attacker.sent;
    });
    site.assert_memory(memory, sent);
    assert!(site.origin.peak() <= limit as usize, "{} were held, {limit} are allowed", site.origin.peak());
    site.gateway.until("all are counted", || site.floods("refused") >= rounds as f64);
    site.until_gone();
    site.gateway.stop();
}

#[test]
fn a_place_is_free_again_only_when_its_request_is_over() {
    // Streams are opened and reset in turn up to the limit: what the origin has to do must never exceed it.
    let site = Site::with(FEW_STREAMS);
    let limit = site.attacker(Way::Plain, &[]).seen.limit.unwrap();
    let mut attacker = site.attacker(Way::Plain, &[]);
    attacker.send(&(0..limit).flat_map(|number| get(nth(number), "/held")).collect::<Vec<_>>());
    site.gateway.until("all are at the origin", || site.origin.held() == limit as usize);
    let swap = |number| [rst_stream(nth(number), CANCEL), get(nth(limit + number), "/held")].concat();
    attacker.send(&(0..100).flat_map(swap).collect::<Vec<_>>());
    assert!(attacker.is_alive(), "{}", attacker.seen.end());
    let refused = attacker.seen.resets.get(&REFUSED_STREAM).copied().unwrap_or(0);
    site.gateway.until("the others are there", || site.origin.held() == limit as usize + 100 - refused);
    assert!(site.origin.peak() <= limit as usize, "{} were held, {limit} are allowed", site.origin.peak());
    drop(attacker);
    site.until_gone();
    site.gateway.stop();
}
