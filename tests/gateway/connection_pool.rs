//! `connectionPool`: how many requests a connection carries, how long it is kept and how old it becomes, and probes
//! (specification section 4.4).

use super::{
    access_log::fields,
    client::Client,
    h2_frames::GOAWAY,
    h2_origin::{H2Origin, launch, to_origin},
    h2_upstream::{client as h2_client, status},
    harness::{Gateway, PATIENCE, routed},
    origin::Origin,
    tcp::{Raw, dial, rest, tcp},
};
use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Instant,
};

const ROUTE: &str = "  - route: [{destination: {host: a.test}}]";

fn rule(policy: &str) -> String {
    super::tcp::policy(policy)
}

fn gateway(port: u16, policy: &str) -> Gateway {
    let yaml = routed(ROUTE, &[port]) + &rule(policy);
    Gateway::start_with(&[80], &yaml, &["--workers", "1"])
}

fn get(client: &mut Client) {
    client.send(b"GET / HTTP/1.1\r\nHost: web.test\r\n\r\n");
    assert_eq!(client.answer("GET").status, 200);
}

/// Reads the head of a request and answers it.
fn answer(mut server: &TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        server.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    server.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
}

#[test]
fn a_connection_carries_so_many_requests_and_no_more() {
    for (most, connections) in [(1, 6), (2, 3), (4, 2), (0, 1)] {
        let origin = Origin::echo();
        let policy = format!("{{connectionPool: {{http: {{maxRequestsPerConnection: {most}}}}}}}");
        let gateway = gateway(origin.port(), &policy);
        let mut client = gateway.connect(80);
        (0..6).for_each(|_| get(&mut client));
        assert_eq!(origin.connections(), connections, "maxRequestsPerConnection: {most}");
        gateway.stop();
    }
}

#[test]
fn so_does_one_of_http2() {
    let origin = H2Origin::new();
    let gateway = origin.gateway(", maxRequestsPerConnection: 2");
    let mut peer = h2_client(&gateway);
    peer.get(1);
    let mut first = origin.accept();
    let request = first.request();
    first.answer(request.stream);
    assert_eq!(status(&mut peer, 1), Some(200));
    peer.get(3);
    let request = first.request();
    first.answer(request.stream);
    assert_eq!(status(&mut peer, 3), Some(200));
    assert!(first.find(|frame| frame.kind == GOAWAY).is_some());
    assert!(first.ends());
    peer.get(5);
    let mut second = origin.accept();
    let request = second.request();
    second.answer(request.stream);
    assert_eq!(status(&mut peer, 5), Some(200));
    drop(peer);
    gateway.stop();
}

#[test]
fn a_connection_without_requests_ends_at_its_idle_time() {
    // That of TCP stands in for that of HTTP.
    for policy in ["http: {idleTimeout: 300ms}", "tcp: {idleTimeout: 300ms}"] {
        let origin = Raw::new();
        let gateway = gateway(origin.port(), &format!("{{connectionPool: {{{policy}}}}}"));
        let mut client = gateway.connect(80);
        client.send(b"GET / HTTP/1.1\r\nHost: web.test\r\n\r\n");
        let server = origin.accept();
        answer(&server);
        assert_eq!(client.answer("GET").status, 200);
        assert_eq!(rest(&server), b"", "{policy}");
        drop(client);
        gateway.stop();
    }
}

#[test]
fn one_of_http2_ends_at_its_idle_time() {
    let origin = H2Origin::new();
    let gateway = origin.gateway(", idleTimeout: 300ms");
    let mut peer = h2_client(&gateway);
    peer.get(1);
    let mut connection = origin.accept();
    let request = connection.request();
    connection.answer(request.stream);
    assert_eq!(status(&mut peer, 1), Some(200));
    assert!(connection.ends());
    drop(peer);
    gateway.stop();
}

#[test]
fn a_connection_that_is_old_takes_no_new_request() {
    let origin = Raw::new();
    let gateway = gateway(origin.port(), "{connectionPool: {tcp: {maxConnectionDuration: 300ms}}}");
    let mut client = gateway.connect(80);
    client.send(b"GET / HTTP/1.1\r\nHost: web.test\r\n\r\n");
    let old = origin.accept();
    let mut head = [0; 16];
    (&old).read_exact(&mut head).unwrap();
    // It gets old while its request is under way, and that one is served.
    let mut other = gateway.connect(80);
    other.send(b"GET / HTTP/1.1\r\nHost: web.test\r\n\r\n");
    let young = origin.accept();
    answer(&young);
    assert_eq!(other.answer("GET").status, 200);
    assert_eq!(rest(&young), b"");
    (&old).write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
    assert_eq!(client.answer("GET").status, 200);
    client.send(b"GET / HTTP/1.1\r\nHost: web.test\r\n\r\n");
    answer(&origin.accept());
    assert_eq!(client.answer("GET").status, 200);
    gateway.stop();
}

#[test]
fn one_of_http2_that_is_old_says_so_and_ends() {
    let origin = H2Origin::new();
    let policy =
        rule("{connectionPool: {tcp: {maxConnectionDuration: 100ms}, http: {h2UpgradePolicy: UPGRADE}}}");
    let gateway = launch(&(to_origin(origin.port(), "", "") + &policy));
    let mut peer = h2_client(&gateway);
    peer.get(1);
    let mut connection = origin.accept();
    let request = connection.request();
    // It is old enough when the shard has looked at it.
    assert!(connection.find(|frame| frame.kind == GOAWAY).is_some());
    connection.answer(request.stream);
    assert_eq!(status(&mut peer, 1), Some(200));
    assert!(connection.ends());
    peer.get(3);
    let mut next = origin.accept();
    let request = next.request();
    next.answer(request.stream);
    assert_eq!(status(&mut peer, 3), Some(200));
    drop(peer);
    gateway.stop();
}

#[test]
fn a_tcp_connection_that_is_old_is_closed_whatever_moves_on_it() {
    let origin = Raw::new();
    let yaml = tcp("TCP", "{destination: {host: a.test}}", &[&[origin.port()]])
        + &rule("{connectionPool: {tcp: {maxConnectionDuration: 300ms}}}");
    let gateway = Gateway::start(&[2000], &yaml);
    let client = dial(&gateway, 2000);
    let server = origin.accept();
    // It writes until it can't any more.
    while (&server).write_all(b"on and on").is_ok() {
        let mut bytes = [0; 9];
        if (&client).read_exact(&mut bytes).is_err() {
            break;
        }
    }
    let line = gateway.log_line();
    let fields = fields(&line);
    assert_eq!(fields[3], "DT", "{line}");
    assert!(fields[9].parse::<u64>().unwrap() >= 300, "{line}");
    gateway.stop();
}

/// The timer of the gateway's socket to this peer, as proc(5) has it in `net/tcp`: 2 is that of probes.
fn timer(server: &TcpStream) -> Option<String> {
    // By both ends: an older connection of the same port may still be in TIME_WAIT, with a timer of its own.
    let at = |address: SocketAddr| format!("0100007F:{:04X}", address.port());
    let wanted = [at(server.peer_addr().unwrap()), at(server.local_addr().unwrap())];
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    // What changes while the table is read may hide a line of it.
    let line = table.lines().find(|line| line.split_whitespace().skip(1).take(2).eq(&wanted))?;
    Some(line.split_whitespace().nth(5)?.to_owned())
}

#[test]
fn silent_connections_are_probed_where_a_rule_or_the_mesh_says_so() {
    if !fs::exists("/proc/net/tcp").unwrap() {
        return println!("skipped: no /proc/net/tcp");
    }
    let of_mesh = "---\napiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\nmetadata: {name: io}\nspec: \
                   {meshConfig: {tcpKeepalive: {time: 90s}}}\n";
    let of_rule = rule("{connectionPool: {tcp: {tcpKeepalive: {probes: 3, time: 60s, interval: 10s}}}}");
    for (extra, most) in [(of_rule.as_str(), 60), (of_mesh, 90), ("", 0)] {
        let origin = Raw::new();
        let yaml = tcp("TCP", "{destination: {host: a.test}}", &[&[origin.port()]]) + extra;
        let gateway = Gateway::start(&[2000], &yaml);
        let client = dial(&gateway, 2000);
        (&client).write_all(b"a").unwrap();
        let server = origin.accept();
        (&server).read_exact(&mut [0]).unwrap();
        // What was sent last may not be acknowledged yet, which is another timer: that of sending it again, 1.
        let too_late = Instant::now() + PATIENCE;
        let timer = loop {
            match timer(&server) {
                Some(timer) if !timer.starts_with("01") => break timer,
                _ => assert!(Instant::now() < too_late, "it is never acknowledged"),
            }
        };
        let (kind, ticks) = timer.split_once(':').unwrap();
        let seconds = u64::from_str_radix(ticks, 16).unwrap() / 100;
        match most {
            0 => assert_ne!(kind, "02", "{timer}"),
            most => assert!(kind == "02" && seconds <= most, "{timer}"),
        }
        drop((client, server));
        gateway.stop();
    }
}
