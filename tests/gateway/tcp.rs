//! Raw TCP: weights, half-close, endpoints that do not answer, idle time, drain, and what is told of it.

use super::{
    access_log::fields,
    harness::{Gateway, PATIENCE},
    origin::dead_port,
};
use std::{
    fs,
    io::{ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    thread,
};

/// Where an origin listens; the test accepts its connections itself.
pub(crate) struct Raw {
    listener: TcpListener,
}

impl Raw {
    pub(crate) fn new() -> Raw {
        Raw { listener: TcpListener::bind("127.0.0.1:0").unwrap() }
    }

    pub(crate) fn port(&self) -> u16 {
        self.listener.local_addr().unwrap().port()
    }

    /// The next connection.
    pub(crate) fn accept(&self) -> TcpStream {
        patient(self.listener.accept().unwrap().0)
    }
}

/// A connection of a client.
pub(crate) fn dial(gateway: &Gateway, declared: u16) -> TcpStream {
    patient(TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], gateway.port(declared)))).unwrap())
}

fn patient(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Exactly so many bytes.
pub(crate) fn take(mut from: &TcpStream, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    from.read_exact(&mut bytes).unwrap();
    bytes
}

/// Everything until the end; nothing more if the connection breaks.
pub(crate) fn rest(mut from: &TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    match from.read_to_end(&mut bytes) {
        Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("{error}"),
        _ => bytes,
    }
}

/// A server of this protocol on port 2000, with this `route` and one ServiceEntry `a.test`, `b.test`, ... for the ports in
/// each list.
pub(crate) fn tcp(protocol: &str, route: &str, services: &[&[u16]]) -> String {
    let mut yaml = format!(
        "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {{name: gw}}\nspec:\n  servers:\n  \
         - {{port: {{number: 2000, name: raw, protocol: {protocol}}}, bind: 127.0.0.1, hosts: [\"*\"]}}\n---\n\
         apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: vs}}\nspec:\n  hosts: [\"*\"]\n  \
         gateways: [gw]\n  tcp:\n  - route: [{route}]\n"
    );
    for (name, ports) in ('a'..).zip(services) {
        let endpoint = |port: &u16| format!("{{address: 127.0.0.1, ports: {{tcp: {port}}}}}");
        let endpoints: Vec<_> = ports.iter().map(endpoint).collect();
        yaml.push_str(&format!(
            "---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: {name}}}\nspec:\n  \
             hosts: [{name}.test]\n  ports: [{{number: 3000, name: tcp, protocol: TCP}}]\n  resolution: STATIC\n  \
             endpoints: [{}]\n",
            endpoints.join(", ")
        ));
    }
    yaml
}

const TO_A: &str = "{destination: {host: a.test}}";

/// A rule for `a.test`.
pub(crate) fn policy(policy: &str) -> String {
    format!(
        "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: dr}}\nspec:\n  \
         host: a.test\n  trafficPolicy: {policy}\n"
    )
}

/// A gateway in front of one origin.
fn relaying(extra: &str) -> (Gateway, Raw) {
    let origin = Raw::new();
    let yaml = tcp("TCP", TO_A, &[&[origin.port()]]) + extra;
    (Gateway::start(&[2000], &yaml), origin)
}

/// The line of a connection is written just before it counts as ended.
fn none_is_open(gateway: &Gateway) {
    gateway.until("none is open", || gateway.metric("envoy_tcp_downstream_cx_active") == 0.0);
}

#[test]
fn a_connection_goes_both_ways_and_has_its_line() {
    let (gateway, origin) = relaying("");
    let client = dial(&gateway, 2000);
    let server = origin.accept();
    (&client).write_all(b"question").unwrap();
    assert_eq!(take(&server, 8), b"question");
    (&server).write_all(b"an answer").unwrap();
    assert_eq!(take(&client, 9), b"an answer");
    let (from, seen) = (client.local_addr().unwrap(), server.peer_addr().unwrap());
    drop((client, server));
    let line = gateway.log_line();
    let fields = fields(&line);
    let wanted = [
        (1, "- - -"),
        (2, "0"),
        (3, "-"),
        (4, "-"),
        (5, "-"),
        (6, "-"),
        (7, "8"),
        (8, "9"),
        (10, "-"),
        (15, &format!("127.0.0.1:{}", origin.port())),
        (16, "outbound|3000||a.test"),
        (17, &seen.to_string()),
        (18, &format!("127.0.0.1:{}", gateway.port(2000))),
        (19, &from.to_string()),
        (20, "-"),
        (21, "-"),
    ];
    for (at, value) in wanted {
        assert_eq!(fields[at], value, "field {at} of {line}");
    }
    for (name, value) in [("cx_total", 1.0), ("cx_rx_bytes_total", 8.0)] {
        assert_eq!(gateway.metric(&format!("envoy_tcp_downstream_{name}")), value, "{name}");
    }
    none_is_open(&gateway);
    gateway.stop();
}

#[test]
fn a_server_may_speak_first() {
    for protocol in ["TCP", "MYSQL", "MONGO", "REDIS"] {
        let origin = Raw::new();
        let gateway = Gateway::start(&[2000], &tcp(protocol, TO_A, &[&[origin.port()]]));
        let client = dial(&gateway, 2000);
        let server = origin.accept();
        (&server).write_all(b"welcome").unwrap();
        assert_eq!(take(&client, 7), b"welcome", "{protocol}");
        drop((client, server));
        gateway.stop();
    }
}

#[test]
fn each_direction_ends_on_its_own() {
    let (gateway, origin) = relaying("");
    let (client, server) = (dial(&gateway, 2000), origin.accept());
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(rest(&server), b"");
    (&server).write_all(b"after your end").unwrap();
    server.shutdown(Shutdown::Write).unwrap();
    assert_eq!(rest(&client), b"after your end");
    let (client, server) = (dial(&gateway, 2000), origin.accept());
    server.shutdown(Shutdown::Write).unwrap();
    assert_eq!(rest(&client), b"");
    (&client).write_all(b"after yours").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(rest(&server), b"after yours");
    gateway.stop();
}

#[test]
fn destinations_are_chosen_by_weight_for_each_connection() {
    let origins = [Raw::new(), Raw::new()];
    let route = "{destination: {host: a.test}, weight: 75}, {destination: {host: b.test}, weight: 25}";
    let ports = origins.each_ref().map(Raw::port);
    let gateway = Gateway::start(&[2000], &tcp("TCP", route, &[&ports[..1], &ports[1..]]));
    for (name, origin) in ["a", "b"].into_iter().zip(origins) {
        thread::spawn(move || {
            loop {
                let _ = origin.accept().write_all(name.as_bytes());
            }
        });
    }
    let count = (0..400).filter(|_| rest(&dial(&gateway, 2000)) == b"a").count();
    assert!((250..350).contains(&count), "{count}");
    gateway.stop();
}

#[test]
fn an_endpoint_that_refuses_is_passed_over() {
    let origin = Raw::new();
    let ports = [dead_port(), dead_port(), origin.port()];
    let gateway = Gateway::start(&[2000], &tcp("TCP", TO_A, &[&ports]));
    for _ in 0..10 {
        let client = dial(&gateway, 2000);
        (&client).write_all(b"x").unwrap();
        let server = origin.accept();
        assert_eq!(take(&server, 1), b"x");
        drop(server);
        assert_eq!(rest(&client), b"");
        drop(client);
        assert_eq!(fields(&gateway.log_line())[3], "-");
    }
    assert!(gateway.metric("envoy_cluster_upstream_cx_connect_fail") > 0.0);
    gateway.stop();
}

#[test]
fn without_an_endpoint_the_connection_is_closed_and_the_log_says_why() {
    let nobody = [dead_port(), dead_port()];
    let cases: [(&str, &[u16], &str, &str); 3] = [
        (TO_A, &nobody, "UF,URX", "Connection refused"),
        (TO_A, &[], "UH", "-"),
        ("{destination: {host: nowhere.test, port: {number: 3000}}}", &nobody, "NC", "-"),
    ];
    for (route, ports, flag, failure) in cases {
        let gateway = Gateway::start(&[2000], &tcp("TCP", route, &[ports]));
        assert_eq!(rest(&dial(&gateway, 2000)), b"");
        let line = gateway.log_line();
        let fields = fields(&line);
        assert_eq!(fields[3], flag, "{line}");
        assert!(fields[6].starts_with(failure), "{line}");
        none_is_open(&gateway);
        gateway.stop();
    }
}

/// Bytes that show where they belong.
fn pattern(len: usize) -> Vec<u8> {
    (0..len as u64).map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
}

#[test]
fn much_passes_both_ways_unchanged() {
    let (gateway, origin) = relaying("");
    let (client, server) = (dial(&gateway, 2000), origin.accept());
    let bytes = pattern(30 << 20);
    thread::scope(|scope| {
        for end in [&client, &server] {
            let bytes = &bytes;
            scope.spawn(move || {
                let mut end = end;
                end.write_all(bytes).unwrap();
                end.shutdown(Shutdown::Write).unwrap();
            });
        }
        let back = scope.spawn(|| rest(&client));
        assert!(rest(&server) == bytes);
        assert!(back.join().unwrap() == bytes);
    });
    assert_eq!(gateway.metric("envoy_tcp_downstream_cx_tx_bytes_total"), bytes.len() as f64);
    gateway.stop();
}

/// Memory of the process that is its own, in KiB.
fn memory(gateway: &Gateway) -> u64 {
    let text = fs::read_to_string(format!("/proc/{}/status", gateway.pid())).unwrap();
    let line = text.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_client_that_does_not_read_costs_little_and_stops_nobody() {
    let (gateway, origin) = relaying("");
    let before = memory(&gateway);
    let stuck: Vec<_> = (0..20)
        .map(|_| {
            let (client, server) = (dial(&gateway, 2000), origin.accept());
            server.set_nonblocking(true).unwrap();
            // Until nothing has moved for a while: the gateway has answered ten requests meanwhile.
            let mut still = 0;
            while still < 10 {
                match (&server).write(&[7; 1 << 16]) {
                    Ok(1..) => still = 0,
                    _ => {
                        assert_eq!(gateway.status_page("/healthz/live").status, 200);
                        still += 1;
                    }
                }
            }
            (client, server)
        })
        .collect();
    let grown = memory(&gateway).saturating_sub(before);
    assert!(grown < 20 * 300, "{grown} KiB");
    let (client, server) = (dial(&gateway, 2000), origin.accept());
    (&server).write_all(b"still fast").unwrap();
    assert_eq!(take(&client, 10), b"still fast");
    drop((stuck, client, server));
    gateway.stop();
}

#[test]
fn a_connection_on_which_nothing_moves_is_closed() {
    let (gateway, origin) = relaying(&policy("{connectionPool: {tcp: {idleTimeout: 1s}}}"));
    let (client, server) = (dial(&gateway, 2000), origin.accept());
    (&client).write_all(b"x").unwrap();
    assert_eq!(rest(&client), b"");
    assert_eq!(rest(&server), b"x");
    assert_eq!(fields(&gateway.log_line())[5], "tcp_session_idle_timeout");
    assert_eq!(gateway.metric("envoy_tcp_idle_timeout"), 1.0);
    gateway.stop();
}

#[test]
fn a_drain_waits_for_connections_and_ends_them_when_its_time_is_nearly_up() {
    let origin = Raw::new();
    let yaml = tcp("TCP", TO_A, &[&[origin.port()]]);
    // Of this two thirds are far more than what comes before they are over takes.
    let gateway = Gateway::start_with(&[2000], &yaml, &["--drain-time", "12s"]);
    let pairs = [(); 2].map(|()| (dial(&gateway, 2000), origin.accept()));
    gateway.signal("TERM");
    gateway.said("draining");
    // Idle for longer than an HTTP connection would be left open: 15 ticks of two workers.
    let ticks = || gateway.metric("sluicegate_shard_ticks_total");
    let before = ticks();
    gateway.until("a second and a half has passed", || ticks() > before + 30.0);
    let [(client, server), (stays, _server)] = pairs;
    (&client).write_all(b"still here").unwrap();
    assert_eq!(take(&server, 10), b"still here");
    drop((client, server));
    assert_eq!(fields(&gateway.log_line())[5], "-");
    assert_eq!(rest(&stays), b"");
    let ended = gateway.end();
    // Its end was asked for when two thirds of the time had passed.
    assert!(ended.said.contains("no connection was cut"), "{}", ended.said);
    assert_eq!(fields(&ended.log[0])[5], "drain_timeout");
}
