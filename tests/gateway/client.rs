//! A client that sends bytes as they are, in TLS if it is told to, and reads answers strictly.

use rustls::{ClientConnection, StreamOwned};
use std::{
    io::{self, ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    time::Duration,
};

/// A connection.
pub(crate) struct Client {
    stream: Stream,
    unread: Vec<u8>,
    end: End,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

/// How the other side ended its direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum End {
    /// It has not, as far as was read.
    #[default]
    Open,
    /// With the end of the stream; in TLS with a `close_notify` before it.
    Clean,
    /// In TLS, with the end of the stream and no `close_notify`.
    Truncated,
    /// With an alert of TLS, such as one on the client's certificate.
    Alert,
    /// With a reset.
    Reset,
}

/// One answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    /// Its status.
    pub(crate) status: u16,
    /// Its header fields; names in lower case.
    pub(crate) fields: Vec<(String, String)>,
    /// Its body, without the framing.
    pub(crate) body: Vec<u8>,
    /// It had a body, and all of it came.
    pub(crate) complete: bool,
}

impl Answer {
    /// The first value of a field.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The line of an echo that begins with `name: `, which is what the origin got.
    pub(crate) fn echoed(&self, name: &str) -> Option<&str> {
        let prefix = format!("{name}: ");
        self.text().lines().find_map(|line| line.strip_prefix(&prefix))
    }
}

impl Client {
    /// Connects to a port of this host.
    pub(crate) fn connect(port: u16) -> Client {
        Client::try_connect(port).unwrap()
    }

    /// Connects to a port of this host, if somebody listens.
    pub(crate) fn try_connect(port: u16) -> io::Result<Client> {
        let stream = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port)))?;
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        Ok(Client { stream: Stream::Plain(stream), unread: Vec::new(), end: End::Open })
    }

    /// Makes a TLS handshake on what has been plain so far. An error says how it failed; with TLS 1.3 a server that
    /// refuses a client's certificate says so only later, in place of an answer.
    pub(crate) fn handshake(self, mut connection: ClientConnection) -> Result<Client, String> {
        let Stream::Plain(mut socket) = self.stream else { panic!("TLS in TLS") };
        while connection.is_handshaking() {
            connection.complete_io(&mut socket).map_err(|error| error.to_string())?;
        }
        let stream = Stream::Tls(Box::new(StreamOwned::new(connection, socket)));
        Ok(Client { stream, unread: Vec::new(), end: End::Open })
    }

    /// Begins to send with new keys and asks the server to do the same (RFC 8446 section 4.6.3); says whether it was sent.
    pub(crate) fn update_keys(&mut self) -> bool {
        let Stream::Tls(stream) = &mut self.stream else { panic!("no TLS") };
        stream.conn.refresh_traffic_keys().unwrap();
        stream.flush().is_ok()
    }

    /// Sends bytes below TLS, between two records.
    pub(crate) fn inject(&mut self, bytes: &[u8]) {
        let _ = self.socket().write_all(bytes);
    }

    /// How the other side ended its direction, as far as was read.
    pub(crate) fn end(&self) -> End {
        self.end
    }

    /// Reads to the end.
    pub(crate) fn drain(&mut self) -> End {
        while self.more() {
            self.unread.clear();
        }
        self.end
    }

    fn socket(&self) -> &TcpStream {
        match &self.stream {
            Stream::Plain(socket) => socket,
            Stream::Tls(stream) => &stream.sock,
        }
    }

    /// This end's address.
    pub(crate) fn local_address(&self) -> SocketAddr {
        self.socket().local_addr().unwrap()
    }

    /// Sends bytes.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        assert!(self.try_send(bytes), "the other side takes no more");
    }

    /// Sends bytes; false if the other side takes no more.
    pub(crate) fn try_send(&mut self, bytes: &[u8]) -> bool {
        match &mut self.stream {
            Stream::Plain(socket) => socket.write_all(bytes).is_ok(),
            Stream::Tls(stream) => stream.write_all(bytes).and_then(|()| stream.flush()).is_ok(),
        }
    }

    /// Says that no more will be sent: with `close_notify` in TLS, and the end of the stream.
    pub(crate) fn half_close(&mut self) {
        if let Stream::Tls(stream) = &mut self.stream {
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
        self.truncate();
    }

    /// Ends its direction of the stream, in TLS without a `close_notify`.
    pub(crate) fn truncate(&self) {
        // The other side may have ended it.
        let _ = self.socket().shutdown(Shutdown::Write);
    }

    /// Reads more; false at the end.
    fn more(&mut self) -> bool {
        let mut buffer = [0; 65536];
        let result = match &mut self.stream {
            Stream::Plain(socket) => socket.read(&mut buffer),
            Stream::Tls(stream) => stream.read(&mut buffer),
        };
        self.end = match result {
            Ok(0) => End::Clean,
            Ok(count) => {
                self.unread.extend_from_slice(&buffer[..count]);
                return true;
            }
            // TLS sends what it has to say of its own accord, such as new keys, before it reads.
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => {
                End::Reset
            }
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => End::Truncated,
            Err(error) if error.kind() == ErrorKind::InvalidData => End::Alert,
            Err(error) => panic!("nothing came: {error}"),
        };
        false
    }

    /// Reads one final answer to a request with this method; skips interim ones.
    pub(crate) fn answer(&mut self, method: &str) -> Answer {
        loop {
            let answer = self.next(method).expect("an answer, not the end of the connection");
            if answer.status >= 200 || answer.status == 101 {
                return answer;
            }
        }
    }

    /// Reads one answer, final or interim; nothing if the connection ends first.
    pub(crate) fn next(&mut self, method: &str) -> Option<Answer> {
        let end = loop {
            if let Some(end) = self.unread.windows(4).position(|w| w == b"\r\n\r\n") {
                break end;
            }
            if !self.more() {
                assert!(self.unread.is_empty(), "cut: {:?}", String::from_utf8_lossy(&self.unread));
                return None;
            }
        };
        let head = String::from_utf8(self.unread[..end].to_vec()).unwrap();
        self.unread.drain(..end + 4);
        let mut lines = head.split("\r\n");
        let status_line = lines.next().unwrap();
        let status = status_line.strip_prefix("HTTP/1.1 ").unwrap()[..3].parse().unwrap();
        let field = |line: &str| {
            let (name, value) = line.split_once(": ").unwrap();
            (name.to_ascii_lowercase(), value.to_owned())
        };
        let mut answer = Answer { status, fields: lines.map(field).collect(), ..Answer::default() };
        if status >= 200 && !matches!(status, 204 | 304) && method != "HEAD" {
            self.body(&mut answer);
        } else {
            answer.complete = true;
        }
        Some(answer)
    }

    fn body(&mut self, answer: &mut Answer) {
        if let Some(length) = answer.field("content-length") {
            let length: usize = length.parse().unwrap();
            while self.unread.len() < length && self.more() {}
            answer.complete = self.unread.len() >= length;
            let length = length.min(self.unread.len());
            answer.body = self.unread.drain(..length).collect();
        } else if answer.field("transfer-encoding") == Some("chunked") {
            answer.complete = self.chunks(&mut answer.body);
        } else {
            while self.more() {}
            answer.body = std::mem::take(&mut self.unread);
            answer.complete = true;
        }
    }

    fn chunks(&mut self, body: &mut Vec<u8>) -> bool {
        loop {
            let Some(line) = self.line() else { return false };
            let size = usize::from_str_radix(&line, 16).unwrap();
            if size == 0 {
                return self.line().as_deref() == Some("");
            }
            while self.unread.len() < size + 2 && self.more() {}
            if self.unread.len() < size + 2 {
                body.append(&mut self.unread);
                return false;
            }
            body.extend(self.unread.drain(..size));
            assert_eq!(self.unread.drain(..2).collect::<Vec<_>>(), b"\r\n");
        }
    }

    fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.unread.windows(2).position(|w| w == b"\r\n") {
                let line = self.unread.drain(..end + 2).collect::<Vec<_>>();
                return Some(String::from_utf8(line[..end].to_vec()).unwrap());
            }
            if !self.more() {
                return None;
            }
        }
    }

    /// Reads so many raw bytes, as after an upgrade.
    pub(crate) fn raw(&mut self, count: usize) -> Vec<u8> {
        while self.unread.len() < count && self.more() {}
        let count = count.min(self.unread.len());
        self.unread.drain(..count).collect()
    }

    /// Whether the other side has ended, and nothing is left to read.
    pub(crate) fn is_closed(&mut self) -> bool {
        self.unread.is_empty() && !self.more()
    }
}
