//! What clients may say first on a TLS port, and what they may not: byte by byte.

use super::{
    certificates::Authority,
    client::Client,
    harness::{Gateway, service_entry},
    hello::{Hello, Reply, read_reply, records, reply},
    origin::Origin,
    tls_client::{believing, connection},
    tls_files::secret,
    tls_origin::TlsOrigin,
};
use rustls::{ClientConfig, ClientConnection};
use std::sync::Arc;

/// Alerts (RFC 8446 section 6.2).
const RECORD_OVERFLOW: Reply = Reply::Alert(22);
const ILLEGAL_PARAMETER: Reply = Reply::Alert(47);
const DECODE_ERROR: Reply = Reply::Alert(50);

/// A gateway that ends TLS for `web.test` on port 443 and for every name on port 8443, and passes it on for `pass.test` on
/// port 9443 and for every name on port 10443.
struct Site {
    gateway: Gateway,
    client: Arc<ClientConfig>,
}

const SERVERS: &str = "\
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gw}
spec:
  servers:
  - port: {number: 443, name: web, protocol: HTTPS}
    bind: 127.0.0.1
    hosts: [web.test]
    tls: {mode: SIMPLE, credentialName: web}
  - port: {number: 8443, name: any, protocol: HTTPS}
    bind: 127.0.0.1
    hosts: ['*']
    tls: {mode: SIMPLE, credentialName: web}
  - port: {number: 9443, name: pass, protocol: TLS}
    bind: 127.0.0.1
    hosts: [pass.test]
    tls: {mode: PASSTHROUGH}
  - port: {number: 10443, name: pass-any, protocol: TLS}
    bind: 127.0.0.1
    hosts: ['*']
    tls: {mode: PASSTHROUGH}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web}
spec:
  hosts: ['*']
  gateways: [gw]
  http:
  - route: [{destination: {host: web.internal}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: pass}
spec:
  hosts: ['*']
  gateways: [gw]
  tls:
  - match: [{port: 9443, sniHosts: [pass.test]}]
    route: [{destination: {host: tls.internal}}]
  - match: [{port: 10443, sniHosts: ['*']}]
    route: [{destination: {host: tls.internal}}]
";

impl Site {
    fn new() -> Site {
        Site::with(&[])
    }

    fn with(arguments: &[&str]) -> Site {
        let authority = Authority::new("servers");
        let identity = authority.leaf(&["web.test", "pass.test"]);
        let origin = TlsOrigin::echo("passed", &identity);
        let yaml = [
            SERVERS,
            &service_entry("web.internal", Origin::named("web").port()),
            &service_entry("tls.internal", origin.port()).replace("protocol: HTTP,", "protocol: TLS,"),
            &secret("web", &identity, None),
        ];
        let gateway = Gateway::start_with(&[443, 8443, 9443, 10443], &yaml.concat(), arguments);
        Site { gateway, client: Arc::new(believing(&[&authority], None)) }
    }

    fn reply(&self, declared: u16, bytes: &[u8]) -> Reply {
        reply(self.gateway.port(declared), bytes)
    }
}

/// A request over TLS whose first flight goes through `shape` and is sent as the pieces it returns.
fn served(site: &Site, (declared, name): (u16, &str), shape: impl Fn(&[u8]) -> Vec<Vec<u8>>) -> String {
    let mut connection: ClientConnection = connection(&site.client, name);
    let mut first = Vec::new();
    connection.write_tls(&mut first).unwrap();
    let mut client = site.gateway.connect(declared);
    for piece in shape(&first) {
        client.send(&piece);
    }
    let mut client: Client = client.handshake(connection).unwrap();
    client.send(format!("GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n").as_bytes());
    client.answer("GET").text().to_owned()
}

#[test]
fn a_hello_may_come_in_any_pieces() {
    let site = Site::new();
    // What is behind the header of the one record.
    let message = |first: &[u8]| first[5..].to_vec();
    for target in [(443, "web.test"), (9443, "pass.test")] {
        let origin = if target.0 == 443 { "origin: web\n" } else { "origin: passed\n" };
        let expect = |what: &str, shape: &dyn Fn(&[u8]) -> Vec<Vec<u8>>| {
            let body = served(&site, target, shape);
            assert!(body.starts_with(origin), "{what}, {target:?}: {body}");
        };
        expect("at once", &|first| vec![first.to_vec()]);
        expect("in segments of a byte", &|first| first.iter().map(|byte| vec![*byte]).collect());
        expect("in records of a byte", &|first| vec![records(&message(first), 1)]);
        expect("in records of 100 bytes", &|first| vec![records(&message(first), 100)]);
        expect("a segment for each record of 7 bytes", &|first| {
            message(first).chunks(7).map(|piece| records(piece, 7)).collect()
        });
        expect("cut in the header of the record", &|first| vec![first[..3].to_vec(), first[3..].to_vec()]);
        expect("cut before the last byte", &|first| {
            let (most, last) = first.split_at(first.len() - 1);
            vec![most.to_vec(), last.to_vec()]
        });
    }
    site.gateway.stop();
}

#[test]
fn what_clients_add_to_a_hello_is_passed_over() {
    let site = Site::new();
    let hello = || Hello::named(b"web.test");
    for (what, hello) in [
        ("nothing", hello()),
        ("values that mean nothing", hello().greased()),
        ("an encrypted hello", hello().with_encrypted_noise()),
        ("an unknown extension", hello().with(0x1234, vec![7; 1000])),
        ("padding to 512 bytes", hello().padded_to(512)),
        ("padding to 16 KiB", hello().padded_to(1 << 14)),
        ("padding to 20 KiB, in two records", hello().padded_to(20 << 10)),
        ("all of them", hello().greased().with_encrypted_noise().padded_to(18 << 10)),
    ] {
        assert_eq!(site.reply(443, &hello.bytes()), Reply::Hello, "{what}");
        assert_eq!(site.reply(8443, &hello.bytes()), Reply::Hello, "{what}");
        assert_eq!(site.reply(10443, &hello.bytes()), Reply::Hello, "{what}");
    }
    site.gateway.stop();
}

#[test]
fn the_name_in_a_hello_is_one_or_none() {
    let site = Site::new();
    let (longest, too_long) = ([&b"a."[..]; 126].concat(), [&b"a."[..]; 150].concat());
    let label = [b'a'; 64];
    for (what, hello, named, any) in [
        ("a name", Hello::named(b"web.test"), Reply::Hello, Reply::Hello),
        ("upper case", Hello::named(b"WEB.test"), Reply::Hello, Reply::Hello),
        ("a dot at the end", Hello::named(b"web.test."), Reply::Hello, Reply::Hello),
        ("an underscore", Hello::named(b"a_b.test"), Reply::Closed, Reply::Hello),
        ("punycode", Hello::named(b"xn--bcher-kva.test"), Reply::Closed, Reply::Hello),
        ("250 bytes", Hello::named(&longest[..250]), Reply::Closed, Reply::Hello),
        ("no name", Hello::nameless(), Reply::Closed, Reply::Hello),
        ("an address", Hello::named(b"127.0.0.1"), Reply::Closed, Reply::Hello),
        ("an address of 16 bytes", Hello::named(b"::1"), Reply::Closed, Reply::Hello),
        ("an unknown name", Hello::named(b"other.test"), Reply::Closed, Reply::Hello),
        ("an address in brackets", Hello::named(b"[::1]"), ILLEGAL_PARAMETER, ILLEGAL_PARAMETER),
        (
            "two names",
            Hello::nameless().names(&[(0, b"web.test"), (0, b"b.test")]),
            ILLEGAL_PARAMETER,
            ILLEGAL_PARAMETER,
        ),
        (
            "a name twice",
            Hello::nameless().names(&[(0, b"web.test"), (0, b"web.test")]),
            ILLEGAL_PARAMETER,
            ILLEGAL_PARAMETER,
        ),
        ("an empty name", Hello::named(b""), ILLEGAL_PARAMETER, ILLEGAL_PARAMETER),
        ("only a dot", Hello::named(b"."), ILLEGAL_PARAMETER, ILLEGAL_PARAMETER),
        ("a NUL at the end", Hello::named(b"web.test\0"), ILLEGAL_PARAMETER, ILLEGAL_PARAMETER),
        ("a NUL within", Hello::named(b"web.test\0.other.test"), ILLEGAL_PARAMETER, ILLEGAL_PARAMETER),
        ("UTF-8", Hello::named("b\u{fc}cher.test".as_bytes()), ILLEGAL_PARAMETER, ILLEGAL_PARAMETER),
        ("no UTF-8", Hello::named(b"\xff\xfe.test"), ILLEGAL_PARAMETER, ILLEGAL_PARAMETER),
        ("a blank", Hello::named(b"web test"), ILLEGAL_PARAMETER, ILLEGAL_PARAMETER),
        ("a wildcard", Hello::named(b"*.test"), ILLEGAL_PARAMETER, ILLEGAL_PARAMETER),
        ("a port", Hello::named(b"web.test:443"), ILLEGAL_PARAMETER, ILLEGAL_PARAMETER),
        ("two dots", Hello::named(b"web..test"), ILLEGAL_PARAMETER, ILLEGAL_PARAMETER),
        ("a label of 64 bytes", Hello::named(&label), ILLEGAL_PARAMETER, ILLEGAL_PARAMETER),
        ("300 bytes", Hello::named(&too_long), ILLEGAL_PARAMETER, ILLEGAL_PARAMETER),
        ("16,000 bytes", Hello::named(&[b'a'; 16_000]), ILLEGAL_PARAMETER, ILLEGAL_PARAMETER),
    ] {
        assert_eq!(site.reply(443, &hello.bytes()), named, "{what}, port of one name");
        assert_eq!(site.reply(8443, &hello.bytes()), any, "{what}, port of every name");
        // What is passed on is judged in the same way.
        let passed = if named == Reply::Hello { Reply::Closed } else { named };
        assert_eq!(site.reply(9443, &hello.bytes()), passed, "{what}, passthrough of another name");
        assert_eq!(site.reply(10443, &hello.bytes()), any, "{what}, passthrough of every name");
    }
    site.gateway.stop();
}

#[test]
fn what_is_no_hello_is_refused() {
    let site = Site::new();
    let hello = Hello::named(b"web.test");
    let (message, bytes) = (hello.message(), hello.bytes());
    let in_one = |message: &[u8]| records(message, 1 << 14);
    let mut longer_list = message.clone();
    // The length of the list of extensions, behind version, random, session, suites and compression.
    longer_list[4 + 2 + 32 + 33 + 12 + 2 + 1] += 1;
    for declared in [443, 8443, 9443, 10443] {
        for (what, bytes, expected) in [
            ("an alert", vec![21, 3, 1, 0, 2, 1, 0], Reply::Closed),
            ("application data", vec![23, 3, 3, 0, 5, 1, 2, 3, 4, 5], Reply::Closed),
            ("a ServerHello", in_one(&[&[2][..], &message[1..]].concat()), Reply::Closed),
            ("SSHv2", b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(), Reply::Closed),
            // A hello of SSLv2 (RFC 5246 appendix E.2): two bytes of length, then its kind.
            ("SSLv2", [&[0x80, 46, 1, 3, 3, 0, 21, 0, 0, 0, 16][..], &[7; 37]].concat(), Reply::Closed),
            ("zeros", vec![0; 600], Reply::Closed),
            ("an empty record", [&[22, 3, 1, 0, 0][..], &bytes].concat(), DECODE_ERROR),
            ("an empty hello", in_one(&[1, 0, 0, 0]), DECODE_ERROR),
            ("a hello cut short", in_one(&[&[1, 0, 0, 40][..], &message[4..44]].concat()), DECODE_ERROR),
            ("a list longer than the hello", in_one(&longer_list), DECODE_ERROR),
            (
                "a record of 20,000 bytes",
                [&[22, 3, 1, 0x4e, 0x20][..], &[1; 20_000]].concat(),
                RECORD_OVERFLOW,
            ),
            ("a hello of 16 MiB", in_one(&[1, 0xff, 0xff, 0xff, 3, 3]), RECORD_OVERFLOW),
            ("a hello of 40 KiB", Hello::named(b"web.test").padded_to(40 << 10).bytes(), RECORD_OVERFLOW),
        ] {
            assert_eq!(site.reply(declared, &bytes), expected, "{what}, port {declared}");
        }
        let Reply::Other(answer) = site.reply(declared, b"GET / HTTP/1.1\r\nHost: web.test\r\n\r\n") else {
            panic!("plain HTTP got no answer on port {declared}");
        };
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
    site.gateway.stop();
}

#[test]
fn a_client_that_does_not_end_its_hello_is_closed() {
    let site = Site::new();
    let bytes = Hello::named(b"web.test").bytes();
    for declared in [443, 9443] {
        for said in [0, 1, 5, 60, bytes.len() - 1] {
            // It says that no more will come.
            let mut client = site.gateway.connect(declared);
            client.send(&bytes[..said]);
            client.half_close();
            assert_eq!(read_reply(&mut client), Reply::Closed, "{said} bytes on port {declared}");
        }
    }
    site.gateway.stop();
}

#[test]
fn a_client_that_falls_silent_is_closed_when_its_time_is_over() {
    let site = Site::with(&["--handshake-timeout", "300ms"]);
    let hello = Hello::named(b"web.test");
    let (in_one, in_many) = (hello.bytes(), hello.in_records_of(50));
    // All of them at once, and none says that no more will come.
    let mut clients = Vec::new();
    for declared in [443, 9443] {
        for (bytes, said) in
            [(&in_one, 0), (&in_one, 1), (&in_one, 60), (&in_one, in_one.len() - 1), (&in_many, 100)]
        {
            let mut client = site.gateway.connect(declared);
            client.send(&bytes[..said]);
            clients.push(client);
        }
    }
    for client in &mut clients {
        assert_eq!(read_reply(client), Reply::Closed);
    }
    // The hello is whole, and what should follow the server's never comes.
    let mut client = site.gateway.connect(443);
    client.send(&in_one);
    assert_eq!(read_reply(&mut client), Reply::Hello);
    while !client.is_closed() {
        client.raw(1 << 16);
    }
    // The socket is shut down first.
    let counted = || site.gateway.metric("envoy_listener_downstream_pre_cx_timeout");
    site.gateway.until("all are counted", || counted() >= 11.0);
    // Somebody else has all the time there is after the handshake.
    let mut client = site.gateway.connect(443).handshake(connection(&site.client, "web.test")).unwrap();
    client.send(b"GET / HTTP/1.1\r\nHost: web.test\r\n\r\n");
    assert_eq!(client.answer("GET").status, 200);
    site.gateway.stop();
}
