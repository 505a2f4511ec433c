//! The handshake, by rustls: what comes of it is a stream whose records are ours.

use super::{
    reader::Reader,
    record::{Opener, Sealer},
    session::{Kernel, Session},
    stream::{ReadHalf, WriteHalf},
    writer::Writer,
};
use crate::{
    buffer::{Buffer, Class, Pool},
    driver,
};
use rustls::{
    ClientConfig, ExtractedSecrets, HandshakeKind, ProtocolVersion, ServerConfig,
    client::{ClientConnectionData, UnbufferedClientConnection},
    pki_types::{CertificateDer, ServerName},
    server::{ServerConnectionData, UnbufferedServerConnection},
    unbuffered::{
        ConnectionState, EncodeError, EncodeTlsData, InsufficientSizeError, UnbufferedConnectionCommon,
        UnbufferedStatus,
    },
};
use std::{fmt, io, rc::Rc, sync::Arc};

/// The most bytes of one flight of the peer's that are kept: certificates of a client, at most 64 KiB by RFC 8446, in
/// records. It bounds the memory of a handshake that never ends.
const FLIGHT_MAX: usize = Class::Large.bytes();

/// A connection after its handshake.
pub struct Established {
    /// The half that reads.
    pub read: ReadHalf,
    /// The half that sends.
    pub write: WriteHalf,
    /// What was agreed on.
    pub agreed: Agreed,
}

/// What a handshake agreed on.
#[derive(Debug)]
pub struct Agreed {
    /// The version.
    pub version: ProtocolVersion,
    /// The cipher suite, as IANA names it: `TLS_AES_128_GCM_SHA256`.
    pub suite: &'static str,
    /// By ALPN.
    pub alpn: Option<Box<[u8]>>,
    /// A session was taken up again: no certificate was sent, and no signature made.
    pub resumed: bool,
    /// The peer's certificates, leaf first; empty if it showed none.
    pub peer_certificates: Vec<CertificateDer<'static>>,
}

/// Why there is no connection.
#[derive(Debug)]
pub enum HandshakeError {
    /// rustls, on either side's behalf: what the peer was told, or told us.
    Tls(rustls::Error),
    /// Reading or sending failed; `UnexpectedEof`: the peer left.
    Io(io::Error),
    /// The peer sent more than a handshake needs.
    TooLarge,
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HandshakeError::Tls(error) => error.fmt(f),
            HandshakeError::Io(error) => error.fmt(f),
            HandshakeError::TooLarge => {
                write!(f, "the peer sent more than {FLIGHT_MAX} bytes in a handshake")
            }
        }
    }
}

/// Ends TLS for a client. `hello` is what was received so far. There is no deadline in here: shut the socket down.
///
/// # Errors
/// The client, or we, did not agree; it has been told.
pub async fn accept(
    read: driver::ReadHalf,
    write: driver::WriteHalf,
    hello: Buffer,
    config: Arc<ServerConfig>,
    pool: &Pool,
) -> Result<Established, HandshakeError> {
    let connection = UnbufferedServerConnection::new(config).map_err(HandshakeError::Tls)?;
    run(connection, Wire::new(read, write, hello), pool).await
}

/// Begins TLS to an upstream.
///
/// # Errors
/// As [`accept`].
pub async fn connect(
    read: driver::ReadHalf,
    write: driver::WriteHalf,
    server_name: ServerName<'static>,
    config: Arc<ClientConfig>,
    pool: &Pool,
) -> Result<Established, HandshakeError> {
    let connection = UnbufferedClientConnection::new(config, server_name).map_err(HandshakeError::Tls)?;
    run(connection, Wire::new(read, write, pool.lease(Class::Small)), pool).await
}

/// The socket of a handshake, and the bytes on their way.
struct Wire {
    read: driver::ReadHalf,
    write: driver::WriteHalf,
    incoming: Buffer,
    outgoing: Vec<u8>,
    /// So many bytes of `incoming` are rustls': whole records. It gets one more only when it can't go on without, so that
    /// what comes behind the handshake is left to the stream: after new keys or `close_notify` there would be nothing that
    /// the stream could go on from.
    given: usize,
}

impl Wire {
    fn new(read: driver::ReadHalf, write: driver::WriteHalf, incoming: Buffer) -> Wire {
        Wire { read, write, incoming, outgoing: Vec::new(), given: 0 }
    }
}

/// What has to happen next.
enum Step {
    /// Send what there is, then read.
    Read,
    /// It is done, but for what there is to be sent.
    Done,
}

/// rustls' two kinds of connections, which have no trait in common.
trait Connection {
    type Data;

    fn process<'c, 'i>(&'c mut self, incoming: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data>;

    fn common(&self) -> &UnbufferedConnectionCommon<Self::Data>;

    fn into_kernel(self) -> Result<(ExtractedSecrets, Kernel), rustls::Error>;
}

impl Connection for UnbufferedServerConnection {
    type Data = ServerConnectionData;

    fn process<'c, 'i>(&'c mut self, incoming: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(incoming)
    }

    fn common(&self) -> &UnbufferedConnectionCommon<Self::Data> {
        self
    }

    fn into_kernel(self) -> Result<(ExtractedSecrets, Kernel), rustls::Error> {
        self.dangerous_into_kernel_connection().map(|(secrets, kernel)| (secrets, Kernel::Server(kernel)))
    }
}

impl Connection for UnbufferedClientConnection {
    type Data = ClientConnectionData;

    fn process<'c, 'i>(&'c mut self, incoming: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(incoming)
    }

    fn common(&self) -> &UnbufferedConnectionCommon<Self::Data> {
        self
    }

    fn into_kernel(self) -> Result<(ExtractedSecrets, Kernel), rustls::Error> {
        self.dangerous_into_kernel_connection().map(|(secrets, kernel)| (secrets, Kernel::Client(kernel)))
    }
}

async fn run<C: Connection>(
    mut connection: C,
    mut wire: Wire,
    pool: &Pool,
) -> Result<Established, HandshakeError> {
    loop {
        match advance(&mut connection, &mut wire) {
            Ok(Step::Read) => {
                wire.flush().await?;
                wire.fill().await?;
            }
            Ok(Step::Done) => break,
            Err(error) => {
                say_why(&mut connection, &mut wire);
                // It may be gone; the reason stays the same.
                let _ = wire.flush().await;
                return Err(HandshakeError::Tls(error));
            }
        }
    }
    let agreed = agreed(connection.common());
    // Also tickets, which some clients take before they say anything.
    wire.flush().await?;
    establish(connection, wire, agreed, pool).map_err(HandshakeError::Tls)
}

/// Lets rustls work until it needs something.
fn advance<C: Connection>(connection: &mut C, wire: &mut Wire) -> Result<Step, rustls::Error> {
    loop {
        let given = wire.incoming.bytes_mut().get_mut(..wire.given).unwrap_or_default();
        let UnbufferedStatus { discard, state } = connection.process(given);
        let step = match state {
            Ok(ConnectionState::EncodeTlsData(mut data)) => {
                encode(&mut data, &mut wire.outgoing)?;
                None
            }
            Ok(ConnectionState::TransmitTlsData(data)) => {
                data.done();
                None
            }
            Ok(ConnectionState::BlockedHandshake) => Some(Ok(Step::Read)),
            Ok(ConnectionState::WriteTraffic(_)) => Some(Ok(Step::Done)),
            // The peer has closed too early. Early data is not allowed for, so there is none; other data comes later.
            Ok(_) => Some(Err(rustls::Error::HandshakeNotComplete)),
            Err(error) => Some(Err(error)),
        };
        wire.incoming.consume(discard);
        wire.given = wire.given.saturating_sub(discard);
        match step {
            None => {}
            Some(Ok(Step::Read)) if wire.give() => {}
            Some(step) => return step,
        }
    }
}

/// After an error: the alert that tells the peer is still to be had. rustls must not see again what it took amiss, for it
/// would want to say so again.
fn say_why<C: Connection>(connection: &mut C, wire: &mut Wire) {
    while connection.common().wants_write() {
        let Ok(ConnectionState::EncodeTlsData(mut data)) = connection.process(&mut []).state else { return };
        if encode(&mut data, &mut wire.outgoing).is_err() {
            return;
        }
    }
}

fn encode<D>(data: &mut EncodeTlsData<'_, D>, outgoing: &mut Vec<u8>) -> Result<(), rustls::Error> {
    let before = outgoing.len();
    let mut room = 1024;
    loop {
        outgoing.resize(before + room, 0);
        match data.encode(outgoing.get_mut(before..).unwrap_or_default()) {
            Ok(count) => {
                outgoing.truncate(before + count);
                return Ok(());
            }
            Err(EncodeError::InsufficientSize(InsufficientSizeError { required_size }))
                if required_size > room =>
            {
                room = required_size;
            }
            Err(error) => return Err(rustls::Error::General(error.to_string())),
        }
    }
}

fn agreed<D>(connection: &UnbufferedConnectionCommon<D>) -> Agreed {
    let suite = connection.negotiated_cipher_suite();
    let certificates = connection.peer_certificates().unwrap_or_default();
    Agreed {
        version: connection.protocol_version().unwrap_or(ProtocolVersion::TLSv1_3),
        suite: suite.and_then(|suite| suite.suite().as_str()).unwrap_or_default(),
        alpn: connection.alpn_protocol().map(Box::from),
        resumed: connection.handshake_kind() == Some(HandshakeKind::Resumed),
        peer_certificates: certificates.iter().map(|certificate| certificate.clone().into_owned()).collect(),
    }
}

/// Takes the keys over.
fn establish<C: Connection>(
    connection: C,
    wire: Wire,
    agreed: Agreed,
    pool: &Pool,
) -> Result<Established, rustls::Error> {
    let version = agreed.version;
    let (secrets, kernel) = connection.into_kernel()?;
    let unknown = |_| rustls::Error::General("the cipher is not known".to_owned());
    let opener = Opener::new(secrets.rx, version).map_err(unknown)?;
    let sealer = Sealer::new(secrets.tx, version).map_err(unknown)?;
    let session = Rc::new(Session::new(kernel, version));
    let reader = Reader::new(wire.read, Rc::clone(&session), opener, wire.incoming);
    let writer = Writer::new(wire.write, session, sealer, pool.clone());
    Ok(Established { read: ReadHalf::Tls(Box::new(reader)), write: WriteHalf::Tls(Box::new(writer)), agreed })
}

impl Wire {
    /// Gives rustls one more record, if all of it is there. What can be none is given as it is, for rustls to refuse.
    fn give(&mut self) -> bool {
        const HEADER: usize = 5;
        /// The longest content (RFC 5246 section 6.2.3).
        const LENGTH_MAX: usize = (16 << 10) + (2 << 10);
        let all = self.incoming.bytes();
        let [kind, major, _, high, low, rest @ ..] = all.get(self.given..).unwrap_or_default() else {
            return false;
        };
        let len = usize::from(u16::from_be_bytes([*high, *low]));
        if !(20..=23).contains(kind) || *major != 3 || len > LENGTH_MAX {
            self.given = all.len();
            return true;
        }
        let is_whole = len <= rest.len();
        if is_whole {
            self.given += HEADER + len;
        }
        is_whole
    }

    async fn flush(&mut self) -> Result<(), HandshakeError> {
        if self.outgoing.is_empty() {
            return Ok(());
        }
        let (result, outgoing) = self.write.send_all(std::mem::take(&mut self.outgoing)).await;
        self.outgoing = outgoing;
        self.outgoing.clear();
        result.map_err(|error| HandshakeError::Io(error.error))
    }

    async fn fill(&mut self) -> Result<(), HandshakeError> {
        let nothing = self.incoming.nothing();
        let mut incoming = std::mem::replace(&mut self.incoming, nothing);
        if incoming.room() == 0 {
            if incoming.len() >= FLIGHT_MAX {
                return Err(HandshakeError::TooLarge);
            }
            let class = incoming.class().larger();
            incoming = incoming.grow(class);
        }
        let (result, incoming) = self.read.read(incoming).await;
        self.incoming = incoming;
        match result {
            Ok(0) => Err(HandshakeError::Io(io::ErrorKind::UnexpectedEof.into())),
            Ok(_) => Ok(()),
            Err(error) => Err(HandshakeError::Io(error)),
        }
    }
}
