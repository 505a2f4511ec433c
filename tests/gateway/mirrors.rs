//! Acceptance case 94: copies of requests, and that nobody notices them.

use super::{
    client::{Answer, Client},
    h2_frames::*,
    h2_origin::H2Origin,
    h2_peer::Peer,
    h2_upstream::whole_body,
    harness::{Gateway, in_time, routed},
    origin::{Origin, dead_port},
};
use std::io::{Read, Write};

/// The most requests of a test on one connection.
const REQUESTS: usize = 600;

/// A gateway with one rule: everything to `a`, and what is said besides.
fn mirroring(more: &str, ports: &[u16]) -> Gateway {
    Gateway::start(
        &[80],
        &routed(&format!("  - {{route: [{{destination: {{host: a.test}}}}], {more}}}"), ports),
    )
}

fn ask(client: &mut Client, request: &[u8]) -> Answer {
    client.send(request);
    client.answer("GET")
}

/// Sends so many requests on one connection; each must be answered by the origin itself.
fn send_many(gateway: &Gateway, count: usize) {
    let mut client = gateway.connect(80);
    for _ in 0..count {
        let answer = ask(&mut client, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!((answer.status, answer.echoed("origin")), (200, Some("a")));
    }
}

fn metric(gateway: &Gateway, name: &str) -> usize {
    gateway.metric(&format!("sluicegate_mirrored_requests_{name}")) as usize
}

fn wait(gateway: &Gateway, count: usize) {
    let is_over = || metric(gateway, "total") >= count && metric(gateway, "active") == 0;
    gateway.until("the copies are over", is_over);
}

/// So many of `REQUESTS` are copied with this share.
fn copied(share: &str) -> usize {
    let (origin, mirror) = (Origin::named("a"), Origin::named("b"));
    let gateway = mirroring(share, &[origin.port(), mirror.port()]);
    send_many(&gateway, REQUESTS);
    wait(&gateway, 0);
    let count = metric(&gateway, "total");
    gateway.stop();
    assert_eq!(std::iter::from_fn(|| mirror.try_request()).count(), count);
    count
}

#[test]
fn case_94_without_a_percentage_everything_is_copied() {
    assert_eq!(copied("mirror: {host: b.test}"), REQUESTS);
    assert_eq!(copied("mirrors: [{destination: {host: b.test}}]"), REQUESTS);
}

#[test]
fn case_94_shares_of_requests() {
    // Five standard errors to each side.
    let half = copied("mirror: {host: b.test}, mirrorPercentage: {value: 50}");
    assert!((239..=361).contains(&half), "{half}");
    let tenth = copied("mirrors: [{destination: {host: b.test}, percentage: {value: 10}}]");
    assert!((23..=97).contains(&tenth), "{tenth}");
}

#[test]
fn case_94_a_share_of_nothing_copies_nothing() {
    assert_eq!(copied("mirror: {host: b.test}, mirrorPercentage: {value: 0}"), 0);
}

#[test]
fn several_mirrors_have_dice_of_their_own() {
    let origins: Vec<Origin> = ["a", "b", "c"].map(Origin::named).into_iter().collect();
    let ports: Vec<u16> = origins.iter().map(Origin::port).collect();
    let gateway = mirroring(
        "mirrors: [{destination: {host: b.test}}, {destination: {host: c.test}, percentage: {value: 50}}]",
        &ports,
    );
    send_many(&gateway, REQUESTS);
    wait(&gateway, REQUESTS);
    gateway.stop();
    let count = |origin: &Origin| std::iter::from_fn(|| origin.try_request()).count();
    assert_eq!(count(&origins[1]), REQUESTS);
    assert!((239..=361).contains(&count(&origins[2])));
}

#[test]
fn a_mirror_that_answers_errors_is_not_noticed() {
    let failing = Origin::scripted(vec![
        Some(b"HTTP/1.1 500 No\r\ncontent-length: 2\r\n\r\nno".to_vec()),
        None,
        Some(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n".to_vec()),
        Some(b"no HTTP at all\r\n\r\n".to_vec()),
    ]);
    let origin = Origin::named("a");
    let gateway = mirroring("mirror: {host: b.test}", &[origin.port(), failing.port()]);
    send_many(&gateway, 100);
    wait(&gateway, 100);
    assert!(metric(&gateway, "failed_total") >= 97);
    gateway.stop();
}

#[test]
fn a_mirror_that_is_not_there_is_not_noticed() {
    let origin = Origin::named("a");
    let gateway = mirroring("mirror: {host: b.test}", &[origin.port(), dead_port()]);
    send_many(&gateway, 100);
    wait(&gateway, 100);
    assert_eq!(metric(&gateway, "failed_total"), 100);
    assert_eq!(gateway.metric("envoy_cluster_upstream_cx_active"), 1.0);
    gateway.stop();
    // A host that does not exist has no copies, and that is said when it starts.
    let origin = Origin::named("a");
    let gateway = mirroring("mirror: {host: nobody.test}", &[origin.port()]);
    assert!(gateway.said_so_far().contains("no copies are sent there"), "{}", gateway.said_so_far());
    send_many(&gateway, 3);
    assert_eq!(metric(&gateway, "total"), 0);
    gateway.stop();
}

/// An origin that reads requests and answers none; its connections end when the gateway ends them.
fn hanging() -> Origin {
    Origin::serve(|_, stream| {
        let _ = stream.read(&mut [0]);
        false
    })
}

#[test]
fn a_mirror_that_hangs_is_not_noticed_and_bounded() {
    let mirror = hanging();
    let origin = Origin::named("a");
    let gateway = Gateway::start_with(
        &[80],
        &routed(
            "  - {route: [{destination: {host: a.test}}], mirror: {host: b.test}}",
            &[origin.port(), mirror.port()],
        ),
        &["--workers", "1"],
    );
    send_many(&gateway, 1_100);
    // No copy is over, and no more than a shard may have are under way.
    gateway.until("all copies are decided", || {
        metric(&gateway, "active") + metric(&gateway, "overflow_total") == 1_100
    });
    assert_eq!((metric(&gateway, "active"), metric(&gateway, "overflow_total")), (1_024, 76));
    gateway.stop();
}

#[test]
fn a_copy_has_the_rules_timeout() {
    let (origin, mirror) = (Origin::named("a"), hanging());
    in_time(|times| {
        let rule = format!("mirror: {{host: b.test}}, timeout: {}ms", 200 * times);
        let gateway = mirroring(&rule, &[origin.port(), mirror.port()]);
        let mut client = gateway.connect(80);
        for _ in 0..20 {
            let answer = ask(&mut client, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
            if answer.status == 504 || !answer.complete {
                // It is the requests' own timeout, too.
                return None;
            }
            assert_eq!((answer.status, answer.echoed("origin")), (200, Some("a")));
        }
        wait(&gateway, 20);
        assert_eq!(metric(&gateway, "failed_total"), 20);
        assert_eq!(gateway.metric("envoy_cluster_upstream_cx_active"), 1.0);
        gateway.stop();
        Some(())
    });
}

/// What the mirror gets is what the origin gets; the client is answered by the origin.
fn same_at_both(request: &[u8]) -> (super::origin::Request, super::origin::Request) {
    let (origin, mirror) = (Origin::named("a"), Origin::named("b"));
    let rewrite = "match: [{uri: {prefix: /old}}], rewrite: {uri: /new}, mirror: {host: b.test}, \
                   headers: {request: {set: {x-set: 'yes'}}}";
    let gateway = mirroring(rewrite, &[origin.port(), mirror.port()]);
    let mut client = gateway.connect(80);
    let answer = ask(&mut client, request);
    assert_eq!((answer.status, answer.echoed("origin")), (200, Some("a")));
    let both = (origin.request(), mirror.request());
    wait(&gateway, 1);
    assert_eq!(metric(&gateway, "failed_total"), 0);
    gateway.stop();
    both
}

#[test]
fn a_copy_is_what_the_origin_gets() {
    let (one, other) = same_at_both(b"GET /old/p?q=1 HTTP/1.1\r\nHost: some.host:81\r\nX-Own: 1\r\n\r\n");
    assert_eq!(other.line, "GET /new/p?q=1 HTTP/1.1");
    assert_eq!((one.line, one.fields), (other.line.clone(), other.fields.clone()));
    assert_eq!((other.field("host"), other.field("x-set")), (Some("some.host:81"), Some("yes")));
}

#[test]
fn bodies_are_copied() {
    let (one, other) = same_at_both(b"POST /old HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello");
    assert_eq!((one.body, one.fields), (other.body.clone(), other.fields.clone()));
    assert_eq!(other.body, b"hello");
    let chunked = b"POST /old HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n";
    let (one, other) = same_at_both(chunked);
    assert_eq!((one.body, &other.body[..]), (other.body.clone(), &b"hello world"[..]));
    assert_eq!(other.field("content-length"), Some("11"));
    let (_, other) = same_at_both(b"POST /old HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
    assert_eq!((other.body.len(), other.field("content-length")), (0, Some("0")));
}

#[test]
fn a_body_that_comes_in_pieces_is_copied_when_it_has_passed() {
    let (origin, mirror) = (Origin::named("a"), Origin::named("b"));
    let gateway = mirroring("mirror: {host: b.test}", &[origin.port(), mirror.port()]);
    let body: Vec<u8> = (0..700_000_u32).map(|n| (n % 251) as u8).collect();
    let mut client = gateway.connect(80);
    client.send(format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes());
    for piece in body.chunks(50_000) {
        client.send(piece);
    }
    assert_eq!(client.answer("POST").status, 200);
    assert!(origin.request().body == body);
    assert!(mirror.request().body == body);
    // What is larger than what is kept is not copied, with a length and without.
    let large = vec![7; (1 << 20) + 1];
    client.send(format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n", large.len()).as_bytes());
    client.send(&large);
    assert_eq!(client.answer("POST").status, 200);
    let mut chunked = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for piece in large.chunks(65_536) {
        write!(chunked, "{:x}\r\n", piece.len()).unwrap();
        chunked.extend_from_slice(piece);
        chunked.extend_from_slice(b"\r\n");
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    client.send(&chunked);
    assert_eq!(client.answer("POST").status, 200);
    assert_eq!(origin.request().body.len(), large.len());
    assert_eq!(origin.request().body.len(), large.len());
    wait(&gateway, 1);
    assert_eq!((metric(&gateway, "total"), metric(&gateway, "overflow_total")), (1, 2));
    gateway.stop();
}

#[test]
fn a_client_that_leaves_within_its_body_is_not_copied() {
    let (origin, mirror) = (Origin::named("a"), Origin::named("b"));
    let gateway = mirroring("mirror: {host: b.test}", &[origin.port(), mirror.port()]);
    let mut client = gateway.connect(80);
    client.send(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhello");
    drop(client);
    gateway.log_line();
    send_many(&gateway, 1);
    wait(&gateway, 1);
    assert_eq!(mirror.request().line, "GET / HTTP/1.1");
    assert_eq!((mirror.try_request().is_none(), metric(&gateway, "total")), (true, 1));
    gateway.stop();
}

#[test]
fn an_origin_that_is_not_there_does_not_keep_copies_back() {
    let mirror = Origin::named("b");
    let gateway = mirroring("mirror: {host: b.test}", &[dead_port(), mirror.port()]);
    let mut client = gateway.connect(80);
    client.send(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello");
    assert_eq!(client.answer("POST").status, 503);
    assert_eq!(mirror.request().body, b"hello");
    gateway.stop();
}

#[test]
fn clients_of_http2_are_copied_too() {
    let (origin, mirror) = (Origin::named("a"), Origin::named("b"));
    let gateway = mirroring("mirror: {host: b.test}", &[origin.port(), mirror.port()]);
    let mut peer = Peer::new(gateway.connect(80), false, "mirrors".into());
    peer.handshake(&[]);
    peer.get(1);
    peer.until_end_of(1);
    assert_eq!(mirror.request().line, origin.request().line);
    peer.post(3);
    peer.send(&data(3, 0, b"in two "));
    peer.send(&data(3, END_STREAM, b"pieces"));
    peer.until_end_of(3);
    assert_eq!(
        (&origin.request().body[..], &mirror.request().body[..]),
        (&b"in two pieces"[..], &b"in two pieces"[..])
    );
    wait(&gateway, 2);
    assert_eq!(metric(&gateway, "failed_total"), 0);
    drop(peer);
    gateway.stop();
}

#[test]
fn a_mirror_may_speak_http2() {
    let (origin, mirror) = (Origin::named("a"), H2Origin::new());
    let yaml =
        routed("  - {route: [{destination: {host: a.test}}], mirror: {host: m.test}}", &[origin.port()]);
    let entry =
        super::harness::service_entry("m.test", mirror.port()).replace("protocol: HTTP", "protocol: HTTP2");
    let gateway = Gateway::start_with(&[80], &(yaml + &entry), &["--workers", "1"]);
    let mut client = gateway.connect(80);
    client.send(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello");
    assert_eq!(client.answer("POST").status, 200);
    let mut connection = mirror.accept();
    let request = connection.request();
    assert_eq!(request.field("x-envoy-attempt-count"), Some("1"));
    assert_eq!(whole_body(&mut connection, request.stream), b"hello");
    connection.answer(request.stream);
    wait(&gateway, 1);
    // The next one goes on the same connection, and is reset.
    send_many(&gateway, 1);
    let request = connection.request();
    connection.send(&rst_stream(request.stream, CANCEL));
    wait(&gateway, 2);
    assert_eq!(metric(&gateway, "failed_total"), 1);
    gateway.stop();
}
