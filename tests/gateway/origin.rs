//! Origins that echo what they got, or say what a script says.

use sluicegate::control::PortMap;
use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::Duration,
};

/// An origin on a port of this host. Its threads end with the test's process.
pub(crate) struct Origin {
    port: u16,
    requests: Receiver<Request>,
    connections: Arc<AtomicUsize>,
}

/// A request as the origin got it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    /// `GET /path HTTP/1.1`
    pub(crate) line: String,
    /// Header lines as they came.
    pub(crate) fields: Vec<(String, String)>,
    /// The body, without the framing.
    pub(crate) body: Vec<u8>,
    /// The lines behind a body in chunks.
    pub(crate) trailers: Vec<(String, String)>,
}

impl Request {
    /// The first value of a field; the name in lower case.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The target of the request line.
    pub(crate) fn target(&self) -> &str {
        self.line.split(' ').nth(1).unwrap_or("")
    }
}

impl Origin {
    /// Answers every request with 200 and, as text, the request line and the fields it got, then an empty line and the body.
    pub(crate) fn echo() -> Origin {
        Origin::named("")
    }

    /// As `echo`, with a first line `origin: NAME`.
    pub(crate) fn named(name: &str) -> Origin {
        let name = name.to_owned();
        Origin::serve(move |request, stream| {
            let mut text = if name.is_empty() { String::new() } else { format!("origin: {name}\n") };
            text.push_str(&request.line);
            text.push('\n');
            request.fields.iter().for_each(|(name, value)| text.push_str(&format!("{name}: {value}\n")));
            text.push('\n');
            text.push_str(&String::from_utf8_lossy(&request.body));
            let is_head = request.line.starts_with("HEAD ");
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {}\r\n\r\n",
                text.len()
            );
            stream.write_all(head.as_bytes()).is_ok()
                && (is_head || stream.write_all(text.as_bytes()).is_ok())
        })
    }

    /// Says the bytes of the script one after another, one entry a request, and the last one for ever. A `None` closes
    /// the connection instead of answering.
    pub(crate) fn scripted(script: Vec<Option<Vec<u8>>>) -> Origin {
        let turn = AtomicUsize::new(0);
        Origin::serve(move |_, stream| {
            let at = turn.fetch_add(1, Ordering::SeqCst).min(script.len() - 1);
            script[at].as_ref().is_some_and(|answer| stream.write_all(answer).is_ok())
        })
    }

    /// Calls `answer` for each request; the connection goes on as long as it says so.
    pub(crate) fn serve(answer: impl Fn(&Request, &mut TcpStream) -> bool + Send + Sync + 'static) -> Origin {
        Origin::serve_on(TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap(), answer)
    }

    /// As `serve`, on a socket that is there already.
    pub(crate) fn serve_on(
        listener: TcpListener,
        answer: impl Fn(&Request, &mut TcpStream) -> bool + Send + Sync + 'static,
    ) -> Origin {
        let port = listener.local_addr().unwrap().port();
        let (sender, requests) = channel();
        let connections = Arc::new(AtomicUsize::new(0));
        let (count, answer) = (Arc::clone(&connections), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                count.fetch_add(1, Ordering::SeqCst);
                let (answer, sender) = (Arc::clone(&answer), sender.clone());
                thread::spawn(move || converse(stream, &*answer, &sender));
            }
        });
        Origin { port, requests, connections }
    }

    /// Its port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The next request that it got, in order.
    pub(crate) fn request(&self) -> Request {
        self.requests.recv_timeout(Duration::from_secs(30)).expect("a request at the origin")
    }

    /// A request, if it got another.
    pub(crate) fn try_request(&self) -> Option<Request> {
        self.requests.try_recv().ok()
    }

    /// Connections it has accepted.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// A port of this host on which nobody listens. The kernel gives it to nobody else as long as this process lives; who asks for
/// it by its number can listen there, also after somebody else has done so: a gateway, a program, or an origin that comes back.
pub(crate) fn dead_port() -> u16 {
    let (map, reserved) = "1=0".parse::<PortMap>().unwrap().reserve().unwrap();
    // The ports of a process are free again when it ends.
    std::mem::forget(reserved);
    map.entries()[0].1
}

/// Reads requests from a connection, tells of each, and has each answered, until that says that it is enough.
pub(crate) fn converse(
    mut stream: TcpStream,
    answer: &dyn Fn(&Request, &mut TcpStream) -> bool,
    requests: &Sender<Request>,
) {
    let _ = stream.set_nodelay(true);
    let Ok(clone) = stream.try_clone() else { return };
    let mut reader = BufReader::new(clone);
    while let Some(request) = read_request(&mut reader) {
        let _ = requests.send(request.clone());
        if !answer(&request, &mut stream) {
            break;
        }
    }
}

fn read_request(reader: &mut impl BufRead) -> Option<Request> {
    let mut request = Request { line: line(reader)?, ..Request::default() };
    request.fields = fields(reader)?;
    if request.field("transfer-encoding").is_some() {
        loop {
            let size = usize::from_str_radix(&line(reader)?, 16).ok()?;
            if size == 0 {
                break;
            }
            let mut chunk = vec![0; size + 2];
            reader.read_exact(&mut chunk).ok()?;
            request.body.extend_from_slice(&chunk[..size]);
        }
        request.trailers = fields(reader)?;
    } else if let Some(length) = request.field("content-length") {
        request.body = vec![0; length.parse().ok()?];
        reader.read_exact(&mut request.body).ok()?;
    }
    Some(request)
}

/// Lines of fields up to the empty one; names in lower case.
fn fields(reader: &mut impl BufRead) -> Option<Vec<(String, String)>> {
    let mut fields = Vec::new();
    loop {
        let text = line(reader)?;
        let Some((name, value)) = text.split_once(':') else { return Some(fields) };
        fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}

fn line(reader: &mut impl BufRead) -> Option<String> {
    let mut bytes = Vec::new();
    if reader.read_until(b'\n', &mut bytes).ok()? == 0 {
        return None;
    }
    let text = String::from_utf8_lossy(&bytes);
    Some(text.trim_end_matches(['\r', '\n']).to_owned())
}
