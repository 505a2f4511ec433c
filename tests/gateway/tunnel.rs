//! `tunnel`: connections through an HTTP proxy (acceptance case 119, specification section 4.6), with a proxy that is in here.

use super::{
    access_log::fields,
    certificates::Authority,
    harness::{Gateway, PATIENCE, service_entry},
    tcp::{Raw, dial, policy, rest, take, tcp},
    tls_client::{ask, believing},
    tls_origin::TlsOrigin,
};
use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::mpsc::{Receiver, channel},
    thread,
};

const TO_A: &str = "{destination: {host: a.test}}";

/// A proxy that connects to this port whatever it is asked for, and tells what it was asked.
struct Proxy {
    port: u16,
    asked: Receiver<String>,
}

impl Proxy {
    fn new(target: u16) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, asked) = channel();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let head = head(&client);
                (&client).write_all(b"HTTP/1.1 200 Connection established\r\nvia: proxy\r\n\r\n").unwrap();
                let target = TcpStream::connect(("127.0.0.1", target)).unwrap();
                pass(client.try_clone().unwrap(), target.try_clone().unwrap());
                pass(target, client);
                if sender.send(head).is_err() {
                    break;
                }
            }
        });
        Proxy { port, asked }
    }
}

/// The head of a request, without the empty line.
fn head(mut stream: &TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap().trim_end().to_owned()
}

fn pass(mut from: TcpStream, mut to: TcpStream) {
    thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
}

fn tunnel(extra: &str) -> String {
    policy(&format!("{{tunnel: {{targetHost: db.example.com, targetPort: 5432{extra}}}}}"))
}

/// A gateway in front of this port, through a tunnel.
fn gateway(port: u16, extra: &str) -> Gateway {
    Gateway::start(&[2000], &(tcp("TCP", TO_A, &[&[port]]) + &tunnel(extra)))
}

#[test]
fn a_tcp_connection_goes_through_the_proxy_both_ways() {
    let origin = Raw::new();
    let proxy = Proxy::new(origin.port());
    let gateway = gateway(proxy.port, "");
    let client = dial(&gateway, 2000);
    // It speaks before the tunnel stands.
    (&client).write_all(b"question").unwrap();
    let server = origin.accept();
    assert_eq!(take(&server, 8), b"question");
    let asked = proxy.asked.recv_timeout(PATIENCE).unwrap();
    assert_eq!(asked, "CONNECT db.example.com:5432 HTTP/1.1\r\nhost: db.example.com:5432");
    (&server).write_all(b"an answer").unwrap();
    assert_eq!(take(&client, 9), b"an answer");
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(rest(&server), b"");
    (&server).write_all(b"and more").unwrap();
    drop(server);
    assert_eq!(rest(&client), b"and more");
    let line = gateway.log_line();
    assert_eq!(fields(&line)[3], "-", "{line}");
    gateway.stop();
}

#[test]
fn bytes_that_come_with_the_proxys_answer_are_the_tunnels() {
    let proxy = Raw::new();
    let gateway = gateway(proxy.port(), ", protocol: CONNECT");
    let client = dial(&gateway, 2000);
    let server = proxy.accept();
    assert!(head(&server).starts_with("CONNECT "));
    (&server).write_all(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\nwelcome").unwrap();
    assert_eq!(take(&client, 7), b"welcome");
    drop((client, server));
    gateway.stop();
}

#[test]
fn a_proxy_that_does_not_agree_is_a_failure_to_connect_and_says_why() {
    for (answer, reason) in [
        (&b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n"[..], "the proxy answered 403"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", "the proxy answered 204"),
        (b"SSH-2.0-x\r\n\r\n", "the proxy's answer is broken"),
        (b"", "the proxy closed the connection"),
    ] {
        let proxy = Raw::new();
        let gateway = gateway(proxy.port(), "");
        let client = dial(&gateway, 2000);
        let server = proxy.accept();
        head(&server);
        (&server).write_all(answer).unwrap();
        drop(server);
        assert_eq!(rest(&client), b"");
        let line = gateway.log_line();
        let fields = fields(&line);
        assert_eq!(fields[3], "UF,URX", "{line}");
        assert!(fields[6].contains(reason), "{line}");
        gateway.stop();
    }
}

#[test]
fn by_post_the_bytes_are_bodies() {
    let proxy = Raw::new();
    let gateway = gateway(proxy.port(), ", protocol: POST");
    let client = dial(&gateway, 2000);
    let server = proxy.accept();
    let asked = head(&server);
    assert_eq!(asked, "POST / HTTP/1.1\r\nhost: db.example.com:5432\r\ntransfer-encoding: chunked");
    (&server).write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n").unwrap();
    assert_eq!(take(&client, 5), b"first");
    (&client).write_all(b"question").unwrap();
    assert_eq!(take(&server, 13), b"8\r\nquestion\r\n");
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(take(&server, 5), b"0\r\n\r\n");
    (&server).write_all(b"3\r\nend\r\n0\r\n\r\n").unwrap();
    assert_eq!(rest(&client), b"end");
    let line = gateway.log_line();
    let fields = fields(&line);
    assert_eq!((fields[3].as_str(), fields[7].as_str(), fields[8].as_str()), ("-", "8", "8"), "{line}");
    gateway.stop();
}

#[test]
fn case_119_tls_that_passes_through_goes_through_the_proxy_as_it_is() {
    let authority = Authority::new("servers");
    let leaf = authority.leaf(&["pass.test"]);
    let origin = TlsOrigin::echo("behind the proxy", &leaf);
    let proxy = Proxy::new(origin.port());
    let service =
        service_entry("a.test", proxy.port).replace("name: http, protocol: HTTP", "name: tls, protocol: TLS");
    let yaml = format!("{SERVER}{service}{}", tunnel(""));
    let gateway = Gateway::start(&[443], &yaml);
    let (shown, status, body) = ask(gateway.port(443), &believing(&[&authority], None), "pass.test").unwrap();
    assert_eq!((status, shown.as_slice()), (200, leaf.der.as_slice()));
    assert!(body.contains("behind the proxy"), "{body}");
    let asked = proxy.asked.recv_timeout(PATIENCE).unwrap();
    assert!(asked.starts_with("CONNECT db.example.com:5432 HTTP/1.1"), "{asked}");
    gateway.stop();
}

const SERVER: &str = "\
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gw}
spec:
  servers:
  - port: {number: 443, name: pass, protocol: TLS}
    bind: 127.0.0.1
    hosts: [pass.test]
    tls: {mode: PASSTHROUGH}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: pass}
spec:
  hosts: [pass.test]
  gateways: [gw]
  tls:
  - match: [{port: 443, sniHosts: [pass.test]}]
    route: [{destination: {host: a.test, port: {number: 80}}}]
";
