//! How endpoints are chosen: by hash, by turns, by place (specification section 4.3).

use super::{
    client::Answer,
    harness::Gateway,
    origin::{Origin, dead_port},
};
use sluicegate::{
    filter::hash_text,
    table::{HashAlgorithm, HashEntry, HashTable},
};
use socket2::{Domain, Socket, Type};
use std::{
    collections::BTreeMap,
    io::Read,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
};

/// An origin at every address of 127.0.0.0/8, which answers with the one that it was asked at.
fn everywhere() -> Origin {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    Origin::serve_on(listener, |_, stream| {
        use std::io::Write;
        let name = stream.local_addr().unwrap().ip().to_string();
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{name}", name.len());
        stream.write_all(answer.as_bytes()).is_ok()
    })
}

/// A gateway on port 80, and one for TCP on port 9000, whose only destination has these endpoints and this policy.
fn yaml(port: u16, endpoints: &str, policy: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: g}}
spec:
  servers:
  - {{port: {{number: 80, name: http, protocol: HTTP}}, hosts: ['*']}}
  - {{port: {{number: 9000, name: tcp, protocol: TCP}}, hosts: ['*']}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: v}}
spec:
  hosts: ['*']
  gateways: [g]
  http: [{{route: [{{destination: {{host: p.com, port: {{number: 80}}}}}}]}}]
  tcp: [{{match: [{{port: 9000}}], route: [{{destination: {{host: p.com, port: {{number: 90}}}}}}]}}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: p}}
spec:
  hosts: [p.com]
  resolution: STATIC
  ports: [{{number: 80, name: http, protocol: HTTP, targetPort: {port}}}, {{number: 90, name: tcp, protocol: TCP, targetPort: {port}}}]
  endpoints: [{endpoints}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: r}}
spec: {{host: p.com, trafficPolicy: {policy}}}
"
    )
}

fn start(port: u16, endpoints: &str, policy: &str, arguments: &[&str]) -> Gateway {
    Gateway::start_with(&[80, 9000], &yaml(port, endpoints, policy), arguments)
}

fn five() -> String {
    (1..=5).map(|number| format!("{{address: 127.0.0.{number}}}")).collect::<Vec<_>>().join(", ")
}

fn by(hash: &str) -> String {
    format!("{{loadBalancer: {{consistentHash: {hash}}}}}")
}

/// Where the program's own tables send a key: the last number of the address.
fn owner(algorithm: HashAlgorithm, port: u16, key: &str) -> String {
    let entry = |number: u32| HashEntry { text: format!("127.0.0.{number}:{port}").into(), share: 1.0 / 5.0 };
    let entries: Vec<_> = (1..=5).map(entry).collect();
    let at = HashTable::new(algorithm, &entries).find(hash_text(key.as_bytes(), 0), 0).unwrap();
    format!("127.0.0.{}", at + 1)
}

fn with(gateway: &Gateway, headers: &[(&str, &str)]) -> Answer {
    let answer = gateway.request(80, "GET", "x", "/", headers);
    assert_eq!(answer.status, 200);
    answer
}

#[test]
fn a_key_belongs_to_one_endpoint_on_every_connection_and_shard() {
    let origin = everywhere();
    for (written, algorithm) in [
        ("{httpHeaderName: x-user}", HashAlgorithm::Ring(1024)),
        ("{httpHeaderName: x-user, maglev: {tableSize: 65537}}", HashAlgorithm::Maglev(65537)),
    ] {
        let gateway = start(origin.port(), &five(), &by(written), &[]);
        for number in 0..40 {
            let key = format!("user-{}", number % 20);
            let answer = with(&gateway, &[("x-user", &key)]);
            assert_eq!(answer.text(), owner(algorithm, origin.port(), &key), "{key}");
        }
        // Without the field it goes anywhere.
        let anywhere: BTreeMap<String, u32> = (0..60).fold(BTreeMap::new(), |mut counts, _| {
            *counts.entry(with(&gateway, &[]).text().to_owned()).or_default() += 1;
            counts
        });
        assert!(anywhere.len() > 2, "{anywhere:?}");
        gateway.stop();
    }
}

#[test]
fn a_parameter_and_the_clients_address_are_keys_too() {
    let origin = everywhere();
    let gateway = start(origin.port(), &five(), &by("{httpQueryParameterName: user}"), &[]);
    for key in ["a", "b", "a%20b", ""] {
        let answer = gateway.get(80, "x", &format!("/p?x=1&user={key}"));
        assert_eq!(answer.text(), owner(HashAlgorithm::Ring(1024), origin.port(), key));
    }
    gateway.stop();
    let gateway = start(origin.port(), &five(), &by("{useSourceIp: true}"), &[]);
    for _ in 0..10 {
        let expected = owner(HashAlgorithm::Ring(1024), origin.port(), "127.0.0.1");
        assert_eq!(with(&gateway, &[]).text(), expected);
    }
    gateway.stop();
}

#[test]
fn case_109_http_cookie_with_ttl() {
    let origin = everywhere();
    let policy = by("{httpCookie: {name: sid, ttl: 60s}}");
    let gateway = start(origin.port(), &five(), &policy, &[]);
    let first = with(&gateway, &[]);
    let given: Vec<_> = first.fields.iter().filter(|(name, _)| name == "set-cookie").collect();
    let [(_, line)] = given.as_slice() else { panic!("{given:?}") };
    let value = line.strip_prefix("sid=\"").and_then(|rest| rest.strip_suffix("\"; Max-Age=60; HttpOnly"));
    let value = value.unwrap_or_else(|| panic!("{line}"));
    assert!(value.len() == 16 && value.bytes().all(|byte| byte.is_ascii_hexdigit()), "{value}");
    assert_eq!(first.text(), owner(HashAlgorithm::Ring(1024), origin.port(), value));
    for cookie in [format!("sid={value}"), format!("a=b; sid=\"{value}\"; c=d")] {
        for _ in 0..5 {
            let again = with(&gateway, &[("Cookie", &cookie)]);
            assert_eq!((again.text(), again.field("set-cookie")), (first.text(), None));
        }
    }
    gateway.stop();
}

/// RTE "cookie hash policy with attributes".
#[test]
fn cookie_hash_policy_with_attributes() {
    let origin = everywhere();
    let cookie = |more: &str| {
        let policy = by(&format!("{{httpCookie: {{name: sid{more}}}}}"));
        let gateway = start(origin.port(), &five(), &policy, &[]);
        let line = with(&gateway, &[]).field("set-cookie").map(str::to_owned);
        gateway.stop();
        line.map(|line| line.split_once(';').unwrap().1.to_owned())
    };
    let attributes = ", ttl: 1h, path: /p, attributes: [{name: SameSite, value: Lax}, {name: Secure}]";
    assert_eq!(cookie(attributes).unwrap(), " Max-Age=3600; Path=/p; SameSite=Lax; Secure; HttpOnly");
    assert_eq!(cookie(", ttl: 0s").unwrap(), " HttpOnly");
    assert_eq!(cookie(""), None);
}

#[test]
fn case_95_another_endpoint_answers_where_one_refuses() {
    let origin = everywhere();
    let endpoints =
        format!("{{address: 127.0.0.1, ports: {{http: {}}}}}, {{address: 127.0.0.2}}", dead_port());
    let gateway = start(origin.port(), &endpoints, "{loadBalancer: {simple: ROUND_ROBIN}}", &[]);
    for _ in 0..12 {
        assert_eq!(with(&gateway, &[]).text(), "127.0.0.2");
    }
    gateway.stop();
}

#[test]
fn case_100_a_hash_stays_where_it_is_when_it_is_tried_again() {
    let (origin, dead) = (everywhere(), dead_port());
    let entries = [format!("127.0.0.1:{dead}"), format!("127.0.0.2:{}", origin.port())]
        .map(|text| HashEntry { text: text.into(), share: 0.5 });
    let table = HashTable::new(HashAlgorithm::Ring(1024), &entries);
    let endpoints = format!("{{address: 127.0.0.1, ports: {{http: {dead}}}}}, {{address: 127.0.0.2}}");
    let gateway = start(origin.port(), &endpoints, &by("{httpHeaderName: x-user}"), &[]);
    let mut seen = [0, 0];
    for number in 0..20 {
        let key = format!("user-{number}");
        let at = table.find(hash_text(key.as_bytes(), 0), 0).unwrap();
        seen[at] += 1;
        let status = gateway.request(80, "GET", "x", "/", &[("x-user", &key)]).status;
        assert_eq!(status, if at == 0 { 503 } else { 200 }, "{key}");
    }
    assert!(seen[0] > 0 && seen[1] > 0);
    gateway.stop();
}

fn shares(gateway: &Gateway, requests: u32) -> BTreeMap<String, u32> {
    let mut counts = BTreeMap::new();
    let mut client = gateway.connect(80);
    for _ in 0..requests {
        client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        let answer = client.answer("GET");
        assert_eq!(answer.status, 200);
        *counts.entry(answer.text().to_owned()).or_default() += 1;
    }
    counts
}

#[test]
fn turns_follow_weights() {
    let origin = everywhere();
    let endpoints = "{address: 127.0.0.1, weight: 1}, {address: 127.0.0.2, weight: 3}";
    let gateway =
        start(origin.port(), endpoints, "{loadBalancer: {simple: ROUND_ROBIN}}", &["--workers", "1"]);
    let counts = shares(&gateway, 400);
    assert!(counts["127.0.0.1"].abs_diff(100) <= 1 && counts["127.0.0.2"].abs_diff(300) <= 1, "{counts:?}");
    gateway.stop();
}

const PLACES: &str = "{address: 127.0.0.1, locality: r/z/s}, {address: 127.0.0.2, locality: r/y/s}, {address: 127.0.0.3, locality: q/x/s}";

#[test]
fn near_endpoints_come_first() {
    let origin = everywhere();
    let of = |locality: &str| {
        let gateway = start(origin.port(), PLACES, "{outlierDetection: {}}", &["--locality", locality]);
        let counts = shares(&gateway, 30);
        gateway.stop();
        counts.into_keys().collect::<Vec<_>>()
    };
    assert_eq!(of("r/z/s"), ["127.0.0.1"]);
    assert_eq!(of("q/x"), ["127.0.0.3"]);
    assert_eq!(of("r/w"), ["127.0.0.1", "127.0.0.2"]);
}

#[test]
fn places_have_shares() {
    let origin = everywhere();
    let policy = "{loadBalancer: {localityLbSetting: {distribute: [{from: r/*, to: {r/z/*: 80, q/*: 20}}]}}}";
    let gateway = start(origin.port(), PLACES, policy, &["--locality", "r/z/s", "--workers", "1"]);
    let counts = shares(&gateway, 300);
    assert_eq!(counts.len(), 2);
    assert!(counts["127.0.0.1"].abs_diff(240) <= 2, "{counts:?}");
    gateway.stop();
}

/// A connection from one of this host's addresses.
fn from(address: Ipv4Addr, port: u16) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((address, 0)).into()).unwrap();
    socket.connect(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into()).unwrap();
    socket.into()
}

#[test]
fn connections_of_one_client_go_to_one_endpoint() {
    let origin = everywhere();
    let policy = by("{useSourceIp: true, maglev: {tableSize: 65537}}");
    let gateway = start(origin.port(), &five(), &policy, &[]);
    for number in 1..=8 {
        let client = Ipv4Addr::new(127, 0, 0, number);
        for _ in 0..2 {
            use std::io::Write;
            let mut stream = from(client, gateway.port(9000));
            stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
            let expected = owner(HashAlgorithm::Maglev(65537), origin.port(), &client.to_string());
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{expected}", expected.len());
            let mut got = vec![0; answer.len()];
            stream.read_exact(&mut got).unwrap();
            assert_eq!(String::from_utf8(got).unwrap(), answer);
        }
    }
    gateway.stop();
}
