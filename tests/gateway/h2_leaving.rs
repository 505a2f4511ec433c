//! How the gateway leaves a client of HTTP/2 (RFC 9113 section 6.8): it warns, waits until that was heard, and then says which
//! requests it serves. Nothing that was asked meanwhile is lost.

use super::{
    h2_frames::*,
    h2_origin::{Connection, H2Origin, to_origin},
    h2_peer::Peer,
    harness::{Gateway, answering},
};

/// A client that has begun.
fn client(gateway: &Gateway) -> Peer {
    let mut peer = Peer::new(gateway.connect(80), false, "leaving".into());
    peer.handshake(&[]);
    peer
}

/// The last stream of each GOAWAY so far.
fn farewells(peer: &Peer) -> Vec<u32> {
    let all = peer.seen.iter().filter(|frame| frame.kind == GOAWAY);
    all.map(|frame| frame.number(0)).collect()
}

/// Waits for the warning, and for the ping that goes with it: what has to be answered.
fn warned(peer: &mut Peer) -> [u8; 8] {
    let is_ping = |frame: &&Frame| frame.kind == PING && !frame.has(ACK);
    assert!(peer.until(|peer| peer.seen.iter().any(|frame| is_ping(&frame))), "{}", peer.tell());
    assert_eq!(farewells(peer), [WINDOW_MAX], "{}", peer.tell());
    let ping = peer.seen.iter().find(is_ping).unwrap();
    ping.payload.as_slice().try_into().unwrap()
}

/// A client with a request under way on stream 1 has been told to leave: it asks once more before it has heard of it, and both
/// are answered before the connection ends.
fn all_is_answered(peer: &mut Peer, at: &mut Connection, first: &Frame, last: u32) {
    let ping_to_answer = warned(peer);
    peer.get(last);
    let late = at.request();
    peer.send(&ping(ACK, &ping_to_answer));
    assert!(peer.until(|peer| farewells(peer).len() == 2), "{}", peer.tell());
    assert_eq!(farewells(peer), [WINDOW_MAX, last]);
    at.answer(first.stream);
    at.answer(late.stream);
    peer.until(|_| false);
    for stream in [1, last] {
        assert_eq!(peer.answer(stream).and_then(Frame::status), Some(200), "{}", peer.tell());
    }
    assert_eq!((farewells(peer).len(), peer.faults.as_slice()), (2, &[][..]));
    let codes = peer.seen.iter().filter(|frame| frame.kind == GOAWAY).map(Frame::code);
    assert!(codes.into_iter().all(|code| code == NO_ERROR));
}

/// A gateway with these options in front of this origin.
fn gateway(origin: &H2Origin, options: &[&str]) -> Gateway {
    let options = [&["--workers", "1"], options].concat();
    let pool = "h2UpgradePolicy: UPGRADE";
    Gateway::start_with(&[80], &to_origin(origin.port(), pool, ""), &options)
}

#[test]
fn an_old_connection_is_told_to_leave() {
    let origin = H2Origin::new();
    // Far more than it takes until the request is under way.
    let gateway = gateway(&origin, &["--max-connection-age", "2s"]);
    let mut peer = client(&gateway);
    peer.get(1);
    let mut at = origin.accept();
    let first = at.request();
    let mut idle = client(&gateway);
    all_is_answered(&mut peer, &mut at, &first, 3);
    // One on which nothing happens just ends.
    idle.until(|_| false);
    assert_eq!(farewells(&idle), [WINDOW_MAX, 0]);
    // The connection to the origin has no age: the next client finds it as it is.
    let mut next = client(&gateway);
    next.get(1);
    let request = at.request();
    at.answer(request.stream);
    next.until_end_of(1);
    assert_eq!(next.answer(1).and_then(Frame::status), Some(200));
    drop((peer, idle, next));
    gateway.stop();
}

#[test]
fn a_connection_that_has_brought_enough_requests_is_told_to_leave() {
    let origin = H2Origin::new();
    let gateway = gateway(&origin, &["--max-requests-per-connection", "2"]);
    let mut peer = client(&gateway);
    peer.get(1);
    let mut at = origin.accept();
    let first = at.request();
    peer.synchronize();
    assert_eq!(farewells(&peer), [0; 0]);
    peer.get(3);
    let second = at.request();
    at.answer(second.stream);
    all_is_answered(&mut peer, &mut at, &first, 5);
    assert_eq!(peer.answer(3).and_then(Frame::status), Some(200));
    // The client has not closed its side, and is not waited for as long as a drain may take.
    let ended = gateway.stop();
    assert!(ended.said.contains("no connection was cut"), "{}", ended.said);
    drop(peer);
}

#[test]
fn a_drain_tells_busy_and_idle_connections_to_leave() {
    let origin = H2Origin::new();
    let gateway = gateway(&origin, &[]);
    let (mut peer, mut idle, mut silent) = (client(&gateway), client(&gateway), client(&gateway));
    peer.get(1);
    let mut at = origin.accept();
    let first = at.request();
    gateway.signal("TERM");
    gateway.said("draining for at most 30 s");
    let ping_to_answer = warned(&mut idle);
    idle.send(&ping(ACK, &ping_to_answer));
    idle.until(|_| false);
    assert_eq!(farewells(&idle), [WINDOW_MAX, 0]);
    all_is_answered(&mut peer, &mut at, &first, 3);
    // Nobody waits for one that says nothing.
    silent.until(|_| false);
    assert_eq!(farewells(&silent), [WINDOW_MAX, 0]);
    drop((peer, idle, silent));
    let ended = gateway.end();
    assert_eq!(ended.code, Some(0));
    assert!(ended.said.contains("no connection was cut"), "{}", ended.said);
}

#[test]
fn a_client_that_goes_on_behind_the_last_word_is_not_served_and_knows_it() {
    let gateway = Gateway::start_with(&[80], &answering("hi"), &["--max-requests-per-connection", "1"]);
    let mut peer = client(&gateway);
    peer.post(1);
    let ping_to_answer = warned(&mut peer);
    let late = peer.fields("GET").block();
    peer.send(&[ping(ACK, &ping_to_answer), headers(3, END, &late)].concat());
    peer.send(&data(1, END_STREAM, b"body"));
    peer.until(|_| false);
    assert_eq!(farewells(&peer), [WINDOW_MAX, 1], "{}", peer.tell());
    assert_eq!(peer.answer(1).and_then(Frame::status), Some(200), "{}", peer.tell());
    assert!(peer.answer(3).is_none(), "{}", peer.tell());
    drop(peer);
    gateway.stop();
}
