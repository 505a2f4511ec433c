//! Origins that speak TLS: for passthrough, for TLS towards upstreams, and to try clients on.

use super::certificates::{Authority, Leaf};
use rustls::{
    RootCertStore, ServerConfig, ServerConnection, StreamOwned,
    crypto::aws_lc_rs::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{NoClientAuth, WebPkiClientVerifier, danger::ClientCertVerifier},
};
use sluicegate::tls::CertificateFacts;
use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    thread,
};

/// A connection of a client.
pub(crate) type Stream = StreamOwned<ServerConnection, TcpStream>;

/// An origin on a port of this host. Its threads end with the test's process.
pub(crate) struct TlsOrigin {
    port: u16,
}

impl TlsOrigin {
    /// Answers one request on each connection with 200 and, as text, `origin: NAME`, what was agreed, and the head that it
    /// got.
    pub(crate) fn echo(name: &str, leaf: &Leaf) -> TlsOrigin {
        let name = name.to_owned();
        TlsOrigin::serve(leaf, move |head, stream| {
            let alpn = String::from_utf8_lossy(stream.conn.alpn_protocol().unwrap_or_default()).into_owned();
            let sni = stream.conn.server_name().unwrap_or_default().to_owned();
            let body = format!("origin: {name}\nsni: {sni}\nalpn: {alpn}\n{head}");
            let length = body.len();
            let answer =
                format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
            let _ = stream.write_all(answer.as_bytes());
            stream.conn.send_close_notify();
            let _ = stream.flush();
        })
    }

    /// Calls `answer` with the head of the first request of each connection, which is closed when it returns.
    pub(crate) fn serve(
        leaf: &Leaf,
        answer: impl Fn(&str, &mut Stream) + Send + Sync + 'static,
    ) -> TlsOrigin {
        TlsOrigin::run(showing(leaf, Arc::new(NoClientAuth)), answer)
    }

    /// Answers one request on each connection with the certificate of its client, which it wants to be this authority's: 200
    /// and, as text, its serial number.
    pub(crate) fn asking(leaf: &Leaf, clients: &Authority) -> TlsOrigin {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(clients.pem().as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
        TlsOrigin::run(showing(leaf, verifier.unwrap()), |_, stream| {
            let shown = stream.conn.peer_certificates().unwrap().first().unwrap();
            let serial = CertificateFacts::parse(shown).unwrap().serial;
            let length = serial.len();
            let answer =
                format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{serial}");
            let _ = stream.write_all(answer.as_bytes());
            stream.conn.send_close_notify();
            let _ = stream.flush();
        })
    }

    fn run(
        config: Arc<ServerConfig>,
        answer: impl Fn(&str, &mut Stream) + Send + Sync + 'static,
    ) -> TlsOrigin {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let port = listener.local_addr().unwrap().port();
        let answer = Arc::new(answer);
        thread::spawn(move || {
            for socket in listener.incoming().map_while(Result::ok) {
                let (config, answer) = (Arc::clone(&config), Arc::clone(&answer));
                thread::spawn(move || {
                    let Ok(connection) = ServerConnection::new(config) else { return };
                    let _ = socket.set_nodelay(true);
                    let mut stream = StreamOwned::new(connection, socket);
                    if let Some(head) = head(&mut stream) {
                        answer(&head, &mut stream);
                    }
                });
            }
        });
        TlsOrigin { port }
    }

    /// Its port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

/// A server that shows this certificate.
fn showing(leaf: &Leaf, clients: Arc<dyn ClientCertVerifier>) -> Arc<ServerConfig> {
    let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap().with_client_cert_verifier(clients);
    let chain = CertificateDer::pem_slice_iter(leaf.chain.as_bytes()).map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_slice(leaf.key.as_bytes()).unwrap();
    Arc::new(builder.with_single_cert(chain, key).unwrap())
}

/// The lines up to the first empty one. What follows them in the same record is lost, and no test sends that.
fn head(stream: &mut Stream) -> Option<String> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while reader.read_line(&mut head).ok()? > 0 {
        if head.ends_with("\r\n\r\n") {
            return Some(head);
        }
    }
    None
}
