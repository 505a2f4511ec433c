//! Acceptance cases of the specification (section 9) that concern HTTP/2, by their numbers, with clients and origins that are
//! not ours beside raw ones.

use super::{
    access_log::fields,
    certificates::{Authority, Leaf},
    client::Client,
    h2_frames::*,
    h2_origin::{Connection, H2Origin, launch, ok, respond, to_origin},
    h2_peer::Peer,
    harness::{Folder, GATEWAY, Gateway, service_entry, virtual_service},
    origin::{Origin, dead_port},
    tls_client::{believing, connection},
    tls_files::{files, secret},
    tools::{has_for, run},
};
use rustls::{
    ServerConfig, StreamOwned,
    crypto::aws_lc_rs::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::Acceptor,
};
use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    sync::Arc,
    thread,
};

/// What is said where a program is missing.
const ANOTHER: &str = "HTTP/2 that is not ours";

/// Two HTTPS servers on one port with one certificate, each with its VirtualService.
const TWO_SERVERS: &str = "\
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gw}
spec:
  servers:
  - port: {number: 443, name: https-a, protocol: HTTPS}
    bind: 127.0.0.1
    hosts: [a.web.test]
    tls: {mode: SIMPLE, credentialName: web}
  - port: {number: 443, name: https-b, protocol: HTTPS}
    bind: 127.0.0.1
    hosts: [b.web.test]
    tls: {mode: SIMPLE, credentialName: web}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: a}
spec:
  hosts: [a.web.test]
  gateways: [gw]
  http: [{directResponse: {status: 200, body: {string: a}}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: b}
spec:
  hosts: [b.web.test]
  gateways: [gw]
  http: [{directResponse: {status: 200, body: {string: b}}}]
";

/// A client of the plain port that has begun.
fn client(gateway: &Gateway) -> Peer {
    let mut peer = Peer::new(gateway.connect(80), false, "case".into());
    peer.handshake(&[]);
    peer
}

/// Sends a whole `GET` for this host; what came: the status and the body.
fn get(peer: &mut Peer, stream: u32, host: &str) -> (Option<u16>, String) {
    let fields = peer.fields("GET").set(":authority", host);
    peer.send(&headers(stream, END, &fields.block()));
    peer.until_end_of(stream);
    assert_eq!(peer.faults, [""; 0], "{}", peer.tell());
    let body = String::from_utf8(peer.body(stream)).unwrap();
    (peer.answer(stream).and_then(Frame::status), body)
}

#[test]
fn case_50_a_host_of_another_server_on_the_same_connection_is_misdirected() {
    let authority = Authority::new("servers");
    let yaml = [TWO_SERVERS, &secret("web", &authority.leaf(&["*.web.test"]), None)].concat();
    let mut config = believing(&[&authority], None);
    config.alpn_protocols = vec![b"h2".to_vec()];
    let config = Arc::new(config);
    for (arguments, refused) in [(&[][..], 421), (&["--misdirected", "404"][..], 404)] {
        let gateway = Gateway::start_with(&[443], &yaml, &[&["--drain-time", "0s"], arguments].concat());
        let connect = |name: &str| {
            let client = gateway.connect(443).handshake(connection(&config, name)).unwrap();
            let mut peer = Peer::new(client, true, "case-50".into());
            peer.handshake(&[]);
            peer
        };
        let mut peer = connect("a.web.test");
        assert_eq!(get(&mut peer, 1, "a.web.test"), (Some(200), "a".into()));
        let text = if refused == 421 { "Misdirected Request" } else { "" };
        assert_eq!(get(&mut peer, 3, "b.web.test"), (Some(refused), text.into()));
        assert_eq!(get(&mut peer, 5, "a.web.test"), (Some(200), "a".into()));
        // As a browser does after 421: it asks on a connection of its own.
        assert_eq!(get(&mut connect("b.web.test"), 1, "b.web.test"), (Some(200), "b".into()));
        drop(peer);
        let ended = gateway.stop();
        let line =
            ended.log.iter().map(|line| fields(line)).find(|line| line[2] == refused.to_string()).unwrap();
        let detail = if refused == 421 { "misdirected_request" } else { "route_not_found" };
        assert_eq!([&*line[1], &*line[3], &*line[4]], ["GET / HTTP/2", "NR", detail]);
    }
}

#[test]
fn case_103_a_destination_of_http_gets_http1_from_a_client_of_http2() {
    let origin = Origin::echo();
    let gateway = launch(&to_origin(origin.port(), "", ""));
    let mut peer = client(&gateway);
    let (status, body) = get(&mut peer, 1, "web.test");
    assert_eq!((status, body.lines().next()), (Some(200), Some("GET / HTTP/1.1")));
    let request = origin.request();
    assert_eq!((request.line.as_str(), request.field("host")), ("GET / HTTP/1.1", Some("web.test")));
    assert_eq!(fields(&gateway.log_line())[1], "GET / HTTP/2");
    for (flag, version) in [("--http2-prior-knowledge", "2"), ("--http1.1", "1.1")] {
        let Some((version_told, body)) = curl(gateway.port(80), flag) else { continue };
        assert_eq!((version_told.as_str(), body.lines().next()), (version, Some("GET / HTTP/1.1")));
        assert!(fields(&gateway.log_line())[1].ends_with(&format!("HTTP/{version}")));
    }
    drop(peer);
    gateway.stop();
}

/// What curl got, and with which version; nothing if there is no curl.
fn curl(port: u16, flag: &str) -> Option<(String, String)> {
    if !has_for("curl", ANOTHER) {
        return None;
    }
    let mut command = Command::new("curl");
    command.args(["--disable", "--noproxy", "*", "--silent", "--show-error", flag]);
    command.args([
        "--write-out",
        "\ncurl told: %{http_version} %{http_code}",
        &format!("http://127.0.0.1:{port}/"),
    ]);
    let (ended_well, said) = run(&mut command, b"");
    let (body, told) = said.split_once("\ncurl told: ").unwrap_or_else(|| panic!("{said}"));
    let version = told.trim().strip_suffix(" 200").unwrap_or_else(|| panic!("{said}"));
    assert!(ended_well, "{said}");
    Some((version.to_owned(), body.to_owned()))
}

/// An origin of both versions: its first bytes say which a connection is of. Its answer says it, too, by its status: 200 for
/// HTTP/2, 201 for HTTP/1.1.
fn of_both_versions() -> u16 {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || converse(stream));
        }
    });
    port
}

fn converse(mut stream: TcpStream) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut first = [0; 3];
    stream.peek(&mut first).ok()?;
    if &first == b"PRI" {
        let mut connection = Connection::new(Box::new(stream));
        connection.begin(&[]);
        loop {
            let request = connection.find(|frame| frame.kind == HEADERS)?;
            connection.answer(request.stream);
        }
    }
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    loop {
        skip_head(&mut reader)?;
        stream.write_all(b"HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n").ok()?;
    }
}

/// Reads the lines up to the empty one.
fn skip_head(reader: &mut impl BufRead) -> Option<()> {
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
    }
    Some(())
}

#[test]
fn case_104_a_destination_that_takes_both_gets_what_the_client_speaks() {
    let port = of_both_versions();
    let gateway = launch(&to_origin(port, "useClientProtocol: true", ""));
    let mut peer = client(&gateway);
    // In turns, so that connections of both versions wait to be used again.
    for stream in [1, 3, 5] {
        assert_eq!(gateway.get(80, "web.test", "/").status, 201);
        assert_eq!(get(&mut peer, stream, "web.test").0, Some(200));
        let lines = [fields(&gateway.log_line()), fields(&gateway.log_line())];
        assert_eq!(
            lines.map(|line| (line[1].clone(), line[2].clone())),
            [("GET / HTTP/1.1".to_owned(), "201".to_owned()), ("GET / HTTP/2".to_owned(), "200".to_owned()),]
        );
    }
    drop(peer);
    gateway.stop();
}

#[test]
fn h2_upgrade_policy_makes_every_client_one_of_http2_for_the_origin() {
    let origin = H2Origin::new();
    let gateway = origin.gateway("");
    let mut client = gateway.connect(80);
    client.send(b"GET /one HTTP/1.1\r\nHost: web.test\r\nConnection: x-hop\r\nX-Hop: 1\r\nX-End: 2\r\n\r\n");
    let mut at = origin.accept();
    let request = at.request();
    let field = |name| request.field(name);
    assert_eq!(
        [field(":path"), field(":authority"), field(":scheme")],
        [Some("/one"), Some("web.test"), Some("http")]
    );
    assert_eq!(
        [field("connection"), field("x-hop"), field("host"), field("x-end")],
        [None, None, None, Some("2")]
    );
    at.send(&[ok(request.stream, END_HEADERS), data(request.stream, END_STREAM, b"answer")].concat());
    let answer = client.answer("GET");
    assert_eq!((answer.status, answer.text(), answer.complete), (200, "answer", true));
    assert_eq!(fields(&gateway.log_line())[1], "GET /one HTTP/1.1");
    drop(client);
    gateway.stop();
}

/// nghttpd on a port of this host, which serves this folder; with TLS if it gets a key and a certificate.
struct Nghttpd(Child);

impl Nghttpd {
    fn start(port: u16, folder: &Folder, identity: Option<[&str; 2]>) -> Option<Nghttpd> {
        if !has_for("nghttpd", ANOTHER) {
            return None;
        }
        let mut command = Command::new("nghttpd");
        command.args(["--address=127.0.0.1", "--verbose", "--htdocs"]).arg(folder.path());
        match identity {
            None => command.arg("--no-tls").arg(port.to_string()),
            Some(identity) => command.arg(port.to_string()).args(identity),
        };
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        assert!(lines.any(|line| line.contains("listen 127.0.0.1")), "nghttpd does not listen");
        // It says much, and must never wait for a reader.
        thread::spawn(move || lines.for_each(drop));
        Some(Nghttpd(child))
    }
}

impl Drop for Nghttpd {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn nghttpd_is_an_origin_with_and_without_tls() {
    let (authority, folder) = (Authority::new("origins"), Folder::new());
    let file = "nghttpd's\n".repeat(20_000);
    folder.put("file", &file);
    let (certificate, key) = files(folder.path(), "origin", &authority.leaf(&["origin.test"]));
    let ca = folder.put("ca.crt", &authority.pem());
    let tls = format!("mode: SIMPLE, sni: origin.test, caCertificates: {}", ca.display());
    let identity = [key.to_str().unwrap(), certificate.to_str().unwrap()];
    for (tls, identity) in [("", None), (tls.as_str(), Some(identity))] {
        let port = dead_port();
        let Some(_server) = Nghttpd::start(port, &folder, identity) else { return };
        let gateway = launch(&to_origin(port, "h2UpgradePolicy: UPGRADE", tls));
        let answer = gateway.get(80, "web.test", "/file");
        assert_eq!((answer.status, answer.text() == file), (200, true), "{tls}");
        let mut peer = client(&gateway);
        peer.send(&window_update(0, 1 << 20));
        peer.ask(&peer.fields("GET").set(":path", "/file"));
        peer.send(&window_update(1, 1 << 20));
        peer.until_end_of(1);
        assert_eq!(peer.faults, [""; 0]);
        assert_eq!((peer.body(1) == file.as_bytes(), peer.seen.last().unwrap().kind), (true, DATA));
        drop(peer);
        gateway.stop();
    }
}

/// An origin with TLS that answers each connection with what its client has offered by ALPN: by HTTP/2, as a header field, if
/// that was among it.
fn of_offers(leaf: &Leaf) -> u16 {
    let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let chain = CertificateDer::pem_slice_iter(leaf.chain.as_bytes()).map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_slice(leaf.key.as_bytes()).unwrap();
    let mut config = builder.with_single_cert(chain, key).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let config = Arc::new(config);
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let config = Arc::clone(&config);
            thread::spawn(move || tell_offer(stream, config));
        }
    });
    port
}

fn tell_offer(mut stream: TcpStream, config: Arc<ServerConfig>) -> Option<()> {
    let mut acceptor = Acceptor::default();
    let accepted = loop {
        acceptor.read_tls(&mut stream).ok()?;
        if let Some(accepted) = acceptor.accept().ok()? {
            break accepted;
        }
    };
    let offered =
        accepted.client_hello().alpn().map(|names| names.map(String::from_utf8_lossy).collect::<Vec<_>>());
    let offer = offered.map_or("none".into(), |names| names.join(","));
    let server = accepted.into_connection(config).ok()?;
    let mut stream = StreamOwned::new(server, stream);
    if offer.contains("h2") {
        let mut connection = Connection::new(Box::new(stream));
        connection.begin(&[]);
        while let Some(request) = connection.find(|frame| frame.kind == HEADERS) {
            let head = [(":status", "200"), ("x-offer", &offer)];
            connection.send(&respond(request.stream, END, &head));
        }
        return None;
    }
    skip_head(&mut BufReader::new(&mut stream))?;
    let answer =
        format!("HTTP/1.1 200 OK\r\nx-offer: {offer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    stream.write_all(answer.as_bytes()).ok()
}

#[test]
fn a_destination_with_tls_is_offered_h2_where_it_gets_http2_and_nothing_else() {
    let (authority, folder) = (Authority::new("origins"), Folder::new());
    let port = of_offers(&authority.leaf(&["origin.test"]));
    let ca = folder.put("ca.crt", &authority.pem());
    let tls = format!("mode: SIMPLE, sni: origin.test, caCertificates: {}", ca.display());
    for (pool, by_http1, by_http2) in [
        ("", "none", "none"),
        ("h2UpgradePolicy: UPGRADE", "h2", "h2"),
        ("useClientProtocol: true", "none", "h2"),
    ] {
        let gateway = launch(&to_origin(port, pool, &tls));
        let answer = gateway.get(80, "web.test", "/");
        assert_eq!((answer.status, answer.field("x-offer")), (200, Some(by_http1)), "{pool}");
        let mut peer = client(&gateway);
        get(&mut peer, 1, "web.test");
        let answer = peer.answer(1).unwrap();
        assert_eq!((answer.status(), answer.field("x-offer")), (Some(200), Some(by_http2)), "{pool}");
        drop(peer);
        gateway.stop();
    }
}

#[test]
fn a_port_that_says_http2_gets_http2() {
    let origin = H2Origin::new();
    for protocol in ["HTTP2", "GRPC"] {
        let entry = service_entry("a.test", origin.port())
            .replace("protocol: HTTP,", &format!("protocol: {protocol},"));
        let route = virtual_service("  - route: [{destination: {host: a.test}}]");
        let gateway = launch(&format!("{GATEWAY}---\n{route}{entry}"));
        let mut client: Client = gateway.connect(80);
        client.send(b"GET / HTTP/1.1\r\nHost: web.test\r\nConnection: close\r\n\r\n");
        let mut at = origin.accept();
        let request = at.request();
        at.answer(request.stream);
        assert_eq!(client.answer("GET").status, 200);
        gateway.stop();
    }
}
