//! A TLS client over rustls that says exactly what it saw.

use super::certificates::{Authority, Leaf};
use rustls::{
    AlertDescription, ClientConfig, ClientConnection, Error, RootCertStore, StreamOwned,
    client::Resumption,
    crypto::aws_lc_rs::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use std::{
    io::{self, ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::Duration,
};

/// A client that believes these authorities, shows a certificate or none, and takes up no session again.
pub(crate) fn believing(authorities: &[&Authority], own: Option<&Leaf>) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots);
    let mut config = match own {
        None => builder.with_no_client_auth(),
        Some(leaf) => {
            let chain = CertificateDer::pem_slice_iter(leaf.chain.as_bytes()).collect::<Result<_, _>>();
            let key = PrivateKeyDer::from_pem_slice(leaf.key.as_bytes()).unwrap();
            builder.with_client_auth_cert(chain.unwrap(), key).unwrap()
        }
    };
    config.resumption = Resumption::disabled();
    config
}

/// A client's side of a connection to a server of this name, which is also its SNI: nothing has been sent yet.
pub(crate) fn connection(config: &Arc<ClientConfig>, name: &str) -> ClientConnection {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    ClientConnection::new(Arc::clone(config), name).unwrap()
}

/// A connection after its handshake.
pub(crate) struct TlsClient {
    stream: StreamOwned<ClientConnection, TcpStream>,
}

/// How a connection ended.
#[derive(Debug, PartialEq)]
pub(crate) enum Refused {
    /// Without a word.
    Closed,
    /// With this alert.
    Alert(AlertDescription),
    /// By the client itself.
    Client(Error),
}

impl Refused {
    fn of(error: &io::Error) -> Refused {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
            Some(Error::AlertReceived(alert)) => Refused::Alert(*alert),
            Some(error) => Refused::Client(error.clone()),
            None => {
                let kinds = [ErrorKind::UnexpectedEof, ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
                assert!(kinds.contains(&error.kind()), "{error:?}");
                Refused::Closed
            }
        }
    }
}

impl TlsClient {
    /// Connects to a port of this host and makes the handshake, with this name as SNI.
    pub(crate) fn connect(port: u16, config: &Arc<ClientConfig>, name: &str) -> Result<TlsClient, Refused> {
        let stream = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let mut stream = StreamOwned::new(connection(config, name), stream);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock).map_err(|error| Refused::of(&error))?;
        }
        Ok(TlsClient { stream })
    }

    /// The certificate that the server showed.
    pub(crate) fn shown(&self) -> Vec<u8> {
        self.stream.conn.peer_certificates().unwrap().first().unwrap().to_vec()
    }

    /// `GET /` with this `Host` and header lines: the status and the body.
    pub(crate) fn get(&mut self, host: &str, headers: &[(&str, &str)]) -> Result<(u16, String), Refused> {
        let mut request = format!("GET / HTTP/1.1\r\nHost: {host}\r\n");
        headers.iter().for_each(|(name, value)| request.push_str(&format!("{name}: {value}\r\n")));
        request.push_str("\r\n");
        self.stream.write_all(request.as_bytes()).map_err(|error| Refused::of(&error))?;
        let mut bytes = Vec::new();
        loop {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
                if body.len() >= length.parse().unwrap() {
                    return Ok((head[9..12].parse().unwrap(), body.to_owned()));
                }
            }
            let mut buffer = [0; 8192];
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(Refused::Closed),
                Ok(count) => bytes.extend_from_slice(&buffer[..count]),
                Err(error) => return Err(Refused::of(&error)),
            }
        }
    }
}

/// A handshake, and one request with the same name: what the server showed, the status and the body.
pub(crate) fn ask(port: u16, config: &ClientConfig, name: &str) -> Result<(Vec<u8>, u16, String), Refused> {
    let mut client = TlsClient::connect(port, &Arc::new(config.clone()), name)?;
    let (status, body) = client.get(name, &[])?;
    Ok((client.shown(), status, body))
}
