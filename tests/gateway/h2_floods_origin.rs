//! Origins for tests of floods: one that holds requests and counts them, and one that nobody can reach.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::{Domain, Socket, Type};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread,
};

/// Answers `/quick/N` with `quick N` when it has read the whole request, and `/big/N` with so many bytes. It reads nothing of
/// what comes after the head of a request for `/stuck`, and holds all other requests, from their heads on, until the gateway
/// gives up. Its threads end with the test's process.
pub(crate) struct Holding {
    port: u16,
    peak: Arc<AtomicUsize>,
    held: Arc<AtomicUsize>,
}

impl Holding {
    /// On a port of this host.
    pub(crate) fn new() -> Holding {
        let (peak, held) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (sender, receiver) = channel();
        let counts = (Arc::clone(&peak), Arc::clone(&held));
        thread::spawn(move || count(&receiver, &counts.0, &counts.1));
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let sender = sender.clone();
                thread::spawn(move || converse(&stream, &sender));
            }
        });
        Holding { port, peak, held }
    }

    /// Where it is.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The most requests that it held at a time.
    pub(crate) fn peak(&self) -> usize {
        self.peak.load(Ordering::SeqCst)
    }

    /// Requests that it has held so far.
    pub(crate) fn held(&self) -> usize {
        self.held.load(Ordering::SeqCst)
    }
}

/// Counts how many requests are held when another comes: those that the gateway has closed are over, whether or not their
/// threads have noticed.
fn count(receiver: &Receiver<TcpStream>, peak: &AtomicUsize, total: &AtomicUsize) {
    let mut streams: Vec<TcpStream> = Vec::new();
    for stream in receiver {
        streams.push(stream);
        let mut polled: Vec<PollFd<'_>> =
            streams.iter().map(|stream| PollFd::new(stream, PollFlags::RDHUP)).collect();
        poll(&mut polled, Some(&Timespec::default())).unwrap();
        let is_open: Vec<bool> = polled.iter().map(|one| one.revents().is_empty()).collect();
        let mut is_open = is_open.into_iter();
        streams.retain(|_| is_open.next().unwrap());
        peak.fetch_max(streams.len(), Ordering::SeqCst);
        total.fetch_add(1, Ordering::SeqCst);
    }
}

/// Serves one connection to its end.
fn converse(mut stream: &TcpStream, sender: &Sender<TcpStream>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let target = line(&mut reader)?.split(' ').nth(1)?.to_owned();
        let mut is_chunked = false;
        loop {
            let field = line(&mut reader)?.to_ascii_lowercase();
            is_chunked |= field == "transfer-encoding: chunked";
            if field.is_empty() {
                break;
            }
        }
        let mut parts = target[1..].split('/');
        let body = match (parts.next()?, parts.next()) {
            ("quick", turn) => {
                // No test sends one here that is not chunked.
                while is_chunked && skip_chunk(&mut reader)? > 0 {}
                format!("quick {}", turn.unwrap_or_default()).into_bytes()
            }
            ("big", size) => vec![b'x'; size?.parse().ok()?],
            ("stuck", _) => {
                poll(&mut [PollFd::new(stream, PollFlags::RDHUP)], None).ok()?;
                return None;
            }
            _ => {
                sender.send(stream.try_clone().ok()?).ok()?;
                while stream.read(&mut [0; 4096]).ok()? > 0 {}
                return None;
            }
        };
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
        stream.write_all(&[head.as_bytes(), &body].concat()).ok()?;
    }
}

/// Reads one chunk of a body; how long it is.
fn skip_chunk(reader: &mut impl BufRead) -> Option<usize> {
    let size = usize::from_str_radix(&line(reader)?, 16).ok()?;
    reader.read_exact(&mut vec![0; size + 2]).ok()?;
    Some(size)
}

fn line(reader: &mut impl BufRead) -> Option<String> {
    let mut text = String::new();
    let count = reader.read_line(&mut text).ok()?;
    (count > 0).then(|| text.trim_end_matches(['\r', '\n']).to_owned())
}

/// A port on which connections are neither accepted nor refused: what waits to be accepted is full.
pub(crate) struct Nowhere {
    listener: TcpListener,
    _waiting: TcpStream,
}

impl Nowhere {
    /// On a port of this host.
    pub(crate) fn new() -> Nowhere {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        socket.listen(0).unwrap();
        let listener = TcpListener::from(socket);
        // One fits; the handshakes of others are never finished.
        let waiting = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        Nowhere { listener, _waiting: waiting }
    }

    /// Where it is.
    pub(crate) fn port(&self) -> u16 {
        self.listener.local_addr().unwrap().port()
    }
}
