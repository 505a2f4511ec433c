//! What HTTP/2 cases run against: a gateway with a plain and a TLS port, and origins behind it.

use super::{
    certificates::Authority,
    client::Client,
    h2_peer::Peer,
    harness::{Gateway, service_entry},
    origin::{Origin, Request},
    tls_client::{believing, connection},
    tls_files::secret,
};
use rustls::ClientConfig;
use socket2::{Domain, Socket, Type};
use std::{io::Write, net::SocketAddr, sync::Arc};

/// A gateway with a plain port and a TLS port, in front of an origin that echoes; below `/large` it sends `LARGE` octets,
/// `/local` is answered by the gateway, and nobody reads what is sent to `/sink`.
pub(crate) struct Site {
    gateway: Gateway,
    origin: Origin,
    doors: Doors,
    /// Connections to it are made by the kernel, and nobody ever takes them.
    _sink: Socket,
}

/// Where clients come in.
#[derive(Clone)]
pub(crate) struct Doors {
    plain: u16,
    tls: u16,
    client: Arc<ClientConfig>,
}

/// The length of a large answer: more than any window before it is enlarged.
pub(crate) const LARGE: usize = 300_000;

const SERVERS: &str = "\
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gw}
spec:
  servers:
  - port: {number: 80, name: http, protocol: HTTP}
    bind: 127.0.0.1
    hosts: ['*']
  - port: {number: 443, name: https, protocol: HTTPS}
    bind: 127.0.0.1
    hosts: [web.test]
    tls: {mode: SIMPLE, credentialName: web}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web}
spec:
  hosts: ['*']
  gateways: [gw]
  http:
  - match: [{uri: {prefix: /local}}]
    directResponse: {status: 200, body: {string: local}}
  - match: [{uri: {prefix: /sink}}]
    route: [{destination: {host: sink.internal}}]
  - route: [{destination: {host: web.internal}}]
";

impl Site {
    /// Starts them.
    pub(crate) fn new() -> Site {
        let authority = Authority::new("servers");
        let identity = authority.leaf(&["web.test"]);
        let origin = Origin::serve(|request, stream| {
            let mut text = format!("{}\n", request.line);
            request.fields.iter().for_each(|(name, value)| text.push_str(&format!("{name}: {value}\n")));
            text.push_str(&format!("\n{}", String::from_utf8_lossy(&request.body)));
            let body = if request.target().starts_with("/large") { "x".repeat(LARGE) } else { text };
            let body = if request.line.starts_with("HEAD ") { String::new() } else { body };
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
            stream.write_all(&[head.as_bytes(), body.as_bytes()].concat()).is_ok()
        });
        let sink = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        sink.set_recv_buffer_size(4096).unwrap();
        sink.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        sink.listen(128).unwrap();
        let sink_port = sink.local_addr().unwrap().as_socket().unwrap().port();
        let yaml = [
            SERVERS,
            &service_entry("web.internal", origin.port()),
            &service_entry("sink.internal", sink_port),
            &secret("web", &identity, None),
        ]
        .concat();
        let gateway = Gateway::start_with(&[80, 443], &yaml, &["--access-log", "off"]);
        let mut client = believing(&[&authority], None);
        client.alpn_protocols = vec![b"h2".to_vec()];
        let doors = Doors { plain: gateway.port(80), tls: gateway.port(443), client: Arc::new(client) };
        Site { gateway, origin, doors, _sink: sink }
    }

    /// Where clients come in.
    pub(crate) fn doors(&self) -> &Doors {
        &self.doors
    }

    /// The whole requests that the origin has got so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        std::iter::from_fn(|| self.origin.try_request()).collect()
    }

    /// Ends the gateway.
    pub(crate) fn stop(self) {
        self.gateway.stop();
    }
}

impl Doors {
    /// A connection on which nothing was said yet, beside TLS.
    pub(crate) fn peer(&self, is_tls: bool, case: &str) -> Peer {
        let port = if is_tls { self.tls } else { self.plain };
        let client = Client::connect(port);
        let client =
            if is_tls { client.handshake(connection(&self.client, "web.test")).unwrap() } else { client };
        Peer::new(client, is_tls, format!("{case}-{}", port_name(is_tls)))
    }
}

/// How a port is called in what is said of a case.
pub(crate) fn port_name(is_tls: bool) -> &'static str {
    if is_tls { "tls" } else { "plain" }
}
