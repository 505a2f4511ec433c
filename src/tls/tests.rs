//! The whole way of bytes: our streams against rustls' own, over real sockets, on both drivers.

use super::{Established, HandshakeError, ReadHalf, WriteHalf, accept, connect};
use crate::{
    buffer::{Class, Pool},
    driver::{self, Deadlines, DriverChoice},
};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
    SupportedProtocolVersion,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, ServerName},
};
use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

const DRIVERS: [DriverChoice; 2] = [DriverChoice::Auto, DriverChoice::Epoll];
const VERSIONS: [&SupportedProtocolVersion; 2] = [&rustls::version::TLS12, &rustls::version::TLS13];

/// A server's and a client's configuration for `localhost`.
fn configs(version: &'static SupportedProtocolVersion) -> (Arc<ServerConfig>, Arc<ClientConfig>) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    server.enable_secret_extraction = true;
    server.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new().unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let mut client = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.enable_secret_extraction = true;
    (Arc::new(server), Arc::new(client))
}

fn localhost() -> ServerName<'static> {
    ServerName::try_from("localhost").unwrap()
}

/// Runs a future of the driver with a listener, as a shard would.
fn on_driver<F: Future<Output = ()>>(choice: DriverChoice, make: impl FnOnce() -> F) {
    driver::run(choice, |_, _| make()).unwrap();
}

/// Connects by the driver, whichever side of TLS that is to be.
async fn socket(address: SocketAddr) -> (driver::ReadHalf, driver::WriteHalf, driver::Deadline) {
    let deadlines = Deadlines::new();
    let (read, write, deadline, _) =
        driver::connect(&address.into(), Duration::from_secs(5), None, None, &deadlines).await.unwrap();
    (read, write, deadline)
}

/// The other end: a thread that accepts one connection and plays its part.
fn peer<T: Send + 'static>(
    play: impl FnOnce(TcpStream) -> T + Send + 'static,
) -> (SocketAddr, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (address, thread::spawn(move || play(listener.accept().unwrap().0)))
}

fn payload(len: usize) -> Vec<u8> {
    (0..len).map(|index| (index * 31 + index / 251) as u8).collect()
}

/// Ends TLS on a socket that we connected ourselves: who connects and who ends TLS are two things.
async fn accepted(
    address: SocketAddr,
    config: Arc<ServerConfig>,
    pool: &Pool,
) -> (Established, driver::Deadline) {
    let (read, write, deadline) = socket(address).await;
    let hello = pool.lease(Class::Small);
    (accept(read, write, hello, config, pool).await.unwrap(), deadline)
}

async fn read_all(read: &mut ReadHalf, pool: &Pool, class: Class, len: usize) -> Vec<u8> {
    let mut all = Vec::new();
    let mut buffer = pool.lease(class);
    while all.len() < len {
        let (result, filled) = read.read(buffer).await;
        assert_eq!(result.unwrap(), filled.len());
        all.extend_from_slice(filled.bytes());
        buffer = filled;
        let count = buffer.len();
        buffer.consume(count);
        if buffer.room() == 0 {
            buffer = pool.lease(class);
        }
    }
    all
}

async fn send(write: &mut WriteHalf, pool: &Pool, bytes: &[u8], headroom: usize) {
    for piece in bytes.chunks(200_000) {
        let mut buffer = pool.lease(Class::for_bytes(piece.len() + headroom + 32));
        buffer.reset(headroom);
        assert!(buffer.extend(piece));
        let (result, rest) = write.send(buffer).await;
        result.unwrap();
        assert!(rest.is_empty());
    }
}

#[test]
fn bytes_pass_both_ways_at_every_size() {
    for (driver, version) in DRIVERS.into_iter().flat_map(|driver| VERSIONS.map(|version| (driver, version)))
    {
        let (server, client) = configs(version);
        let sizes = [1usize, 480, 512, 16_384, 16_385, 300_000, 1_000_003];
        let (address, thread) = peer(move |socket| {
            let mut stream = StreamOwned::new(ClientConnection::new(client, localhost()).unwrap(), socket);
            for size in sizes {
                stream.write_all(&payload(size)).unwrap();
                let mut back = vec![0; size];
                stream.read_exact(&mut back).unwrap();
                assert!(back == payload(size), "{size}");
                stream.conn.refresh_traffic_keys().ok();
            }
            // The end of the other side has come properly.
            assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0);
        });
        on_driver(driver, || async move {
            let pool = Pool::new();
            let (established, _deadline) = accepted(address, server, &pool).await;
            let Established { mut read, mut write, agreed } = established;
            assert_eq!(agreed.version, version.version);
            for (size, class) in
                sizes.into_iter().zip([Class::Wait, Class::Wait, Class::Large].into_iter().cycle())
            {
                let got = read_all(&mut read, &pool, class, size).await;
                assert!(got == payload(size), "{size}");
                send(&mut write, &pool, &got, if size % 2 == 0 { 16 } else { 0 }).await;
            }
            drop(write);
        });
        thread.join().unwrap();
    }
}

#[test]
fn a_client_of_ours_speaks_with_a_server_of_rustls() {
    for (driver, version) in DRIVERS.into_iter().flat_map(|driver| VERSIONS.map(|version| (driver, version)))
    {
        let (server, client) = configs(version);
        let (address, thread) = peer(move |socket| {
            let mut stream = StreamOwned::new(ServerConnection::new(server).unwrap(), socket);
            let mut got = vec![0; 70_000];
            stream.read_exact(&mut got).unwrap();
            stream.conn.refresh_traffic_keys().ok();
            stream.write_all(&got).unwrap();
            assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0);
            stream.conn.send_close_notify();
            stream.flush().unwrap();
        });
        on_driver(driver, || async move {
            let pool = Pool::new();
            let (read, write, _deadline) = socket(address).await;
            let established = connect(read, write, localhost(), client, &pool).await.unwrap();
            let Established { mut read, mut write, .. } = established;
            let (result, memory) = write.send_all(payload(70_000)).await;
            result.unwrap();
            assert!(memory.is_empty());
            assert!(read_all(&mut read, &pool, Class::Medium, 70_000).await == payload(70_000));
            write.shutdown().await;
            let (result, _) = read.read(pool.lease(Class::Wait)).await;
            assert_eq!(result.unwrap(), 0);
        });
        thread.join().unwrap();
    }
}

#[test]
fn a_connection_that_is_cut_is_told_from_one_that_ends() {
    let (server, client) = configs(&rustls::version::TLS13);
    let (address, thread) = peer(move |socket| {
        let mut stream = StreamOwned::new(ClientConnection::new(client, localhost()).unwrap(), socket);
        stream.write_all(b"begun").unwrap();
        // No close_notify.
        stream.sock.shutdown(std::net::Shutdown::Write).unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest)
    });
    on_driver(DriverChoice::Auto, || async move {
        let pool = Pool::new();
        let (Established { mut read, write, .. }, _deadline) = accepted(address, server, &pool).await;
        assert_eq!(read_all(&mut read, &pool, Class::Wait, 5).await, b"begun");
        let (result, _) = read.read(pool.lease(Class::Wait)).await;
        assert_eq!(result.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        drop(write);
    });
    thread.join().unwrap().unwrap();
}

#[test]
fn a_record_that_was_changed_ends_the_connection_with_an_alert() {
    let (server, client) = configs(&rustls::version::TLS13);
    let (address, thread) = peer(move |socket| {
        let mut stream = StreamOwned::new(ClientConnection::new(client, localhost()).unwrap(), socket);
        stream.write_all(b"fine").unwrap();
        stream
            .sock
            .write_all(&[
                23, 3, 3, 0, 20, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20,
            ])
            .unwrap();
        stream.read(&mut [0; 1])
    });
    on_driver(DriverChoice::Auto, || async move {
        let pool = Pool::new();
        let (Established { mut read, mut write, .. }, _deadline) = accepted(address, server, &pool).await;
        assert_eq!(read_all(&mut read, &pool, Class::Wait, 4).await, b"fine");
        let (result, _) = read.read(pool.lease(Class::Wait)).await;
        assert_eq!(result.unwrap_err().kind(), io::ErrorKind::InvalidData);
        write.shutdown().await;
    });
    let error = thread.join().unwrap().unwrap_err();
    assert!(error.to_string().contains("BadRecordMac"), "{error}");
}

#[test]
fn a_handshake_that_fails_is_answered_with_an_alert() {
    let (server, _) = configs(&rustls::version::TLS13);
    let (_, stranger) = configs(&rustls::version::TLS13);
    let (address, thread) = peer(move |socket| {
        let mut stream = StreamOwned::new(ClientConnection::new(stranger, localhost()).unwrap(), socket);
        stream.write_all(b"never")
    });
    on_driver(DriverChoice::Auto, || async move {
        let pool = Pool::new();
        let (read, write, _deadline) = socket(address).await;
        let failed = accept(read, write, pool.lease(Class::Small), server, &pool).await;
        let Err(HandshakeError::Tls(error)) = failed else { panic!("it must fail") };
        assert!(matches!(error, rustls::Error::AlertReceived(_)), "{error}");
    });
    assert!(thread.join().unwrap().unwrap_err().to_string().contains("invalid peer certificate"));
}
