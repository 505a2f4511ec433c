//! How TLS connections end: `close_notify` both ways, and what is missing where one is cut (RFC 8446 section 6.1).

use super::{
    certificates::Authority,
    client::{Client, End},
    harness::{Gateway, service_entry},
    origin::Origin,
    tls_client::{believing, connection},
    tls_files::secret,
    tls_origin::{Stream, TlsOrigin},
};
use rustls::ClientConfig;
use std::{io::Write, sync::Arc};

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
  - port: {number: 80, name: http, protocol: HTTP}
    bind: 127.0.0.1
    hosts: ['*']
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web}
spec:
  hosts: ['*']
  gateways: [gw]
  http:
  - match: [{uri: {prefix: /secure}}]
    route: [{destination: {host: secure.internal}}]
  - route: [{destination: {host: web.internal}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: secure}
spec:
  host: secure.internal
  trafficPolicy:
    tls: {mode: SIMPLE, sni: secure.internal, insecureSkipVerify: true}
";

struct Site {
    gateway: Gateway,
    origin: Origin,
    client: Arc<ClientConfig>,
}

impl Site {
    /// A gateway whose `/secure` is answered by this, over TLS.
    fn new(answer: impl Fn(&str, &mut Stream) + Send + Sync + 'static) -> Site {
        let authority = Authority::new("servers");
        let identity = authority.leaf(&["web.test"]);
        let secure = TlsOrigin::serve(&identity, answer);
        let origin = Origin::named("web");
        let yaml = [
            SERVERS,
            &service_entry("web.internal", origin.port()),
            &service_entry("secure.internal", secure.port()),
            &secret("web", &identity, None),
        ];
        let gateway = Gateway::start(&[80, 443], &yaml.concat());
        Site { gateway, origin, client: Arc::new(believing(&[&authority], None)) }
    }

    fn connect(&self) -> Client {
        self.gateway.connect(443).handshake(connection(&self.client, "web.test")).unwrap()
    }
}

#[test]
fn the_gateway_says_that_it_closes() {
    let site = Site::new(|_, _| {});
    let mut client = site.connect();
    client.send(b"GET / HTTP/1.1\r\nHost: web.test\r\nConnection: close\r\n\r\n");
    assert_eq!(client.answer("GET").status, 200);
    assert!(client.is_closed());
    assert_eq!(client.end(), End::Clean);
    drop(client);
    // After a request that is none, too.
    let mut client = site.connect();
    client.send(b"no HTTP\r\n\r\n");
    assert_eq!(client.answer("GET").status, 400);
    assert!(client.is_closed());
    assert_eq!(client.end(), End::Clean);
    drop(client);
    site.gateway.stop();
}

#[test]
fn a_client_that_says_that_it_closes_gets_its_answer() {
    let site = Site::new(|_, _| {});
    let mut client = site.connect();
    client.send(b"POST / HTTP/1.1\r\nHost: web.test\r\nContent-Length: 5\r\n\r\nhello");
    client.half_close();
    let answer = client.answer("POST");
    assert!(answer.status == 200 && answer.text().ends_with("\n\nhello"), "{answer:?}");
    assert!(client.is_closed());
    assert_eq!(client.end(), End::Clean);
    // An idle one is closed in turn.
    let mut client = site.connect();
    client.send(b"GET / HTTP/1.1\r\nHost: web.test\r\n\r\n");
    assert_eq!(client.answer("GET").status, 200);
    client.half_close();
    assert!(client.is_closed());
    assert_eq!(client.end(), End::Clean);
    site.gateway.stop();
}

#[test]
fn a_request_that_is_cut_is_not_taken_for_a_whole_one() {
    let site = Site::new(|_, _| {});
    for is_announced in [true, false] {
        let mut client = site.connect();
        client.send(b"POST /cut HTTP/1.1\r\nHost: web.test\r\nContent-Length: 10\r\n\r\nhello");
        if is_announced {
            client.half_close();
        } else {
            client.truncate();
        }
        while !client.is_closed() {
            client.raw(1 << 16);
        }
    }
    // The next request that is whole is the first that the origin has got.
    let mut client = site.connect();
    client.send(b"GET /whole HTTP/1.1\r\nHost: web.test\r\n\r\n");
    assert_eq!(client.answer("GET").status, 200);
    assert_eq!(site.origin.request().target(), "/whole");
    site.gateway.stop();
}

#[test]
fn the_end_of_an_upstreams_answer_is_believed_only_if_it_says_so() {
    let site = Site::new(|head, stream| {
        // The length is the end of the connection.
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\nas much as there is");
        if head.starts_with("GET /secure/whole ") {
            stream.conn.send_close_notify();
        }
        let _ = stream.flush();
    });
    let whole = site.gateway.get(80, "web.test", "/secure/whole");
    assert_eq!((whole.status, whole.text(), whole.complete), (200, "as much as there is", true));
    let cut = site.gateway.get(80, "web.test", "/secure/cut");
    assert_eq!((cut.status, cut.complete), (200, false), "{cut:?}");
    site.gateway.stop();
}

#[test]
fn an_upstream_that_ends_with_an_alert_has_given_no_answer() {
    let site = Site::new(|head, stream| {
        if head.starts_with("GET /secure/later ") {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nthe beginning");
        }
        let _ = stream.flush();
        // A fatal alert in plain text, which no record of this connection may be.
        let _ = stream.sock.write_all(&[21, 3, 3, 0, 2, 2, 80]);
    });
    let answer = site.gateway.get(80, "web.test", "/secure/at-once");
    assert_eq!(answer.status, 503);
    let line = site.gateway.log_line();
    assert!(line.contains(" 503 U"), "{line}");
    let cut = site.gateway.get(80, "web.test", "/secure/later");
    assert!(!cut.complete, "{cut:?}");
    site.gateway.stop();
}
