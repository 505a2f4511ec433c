//! A client that sends bytes as they are and reads answers strictly.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    time::Duration,
};

/// A connection.
pub(crate) struct Client {
    stream: TcpStream,
    unread: Vec<u8>,
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
        Ok(Client { stream, unread: Vec::new() })
    }

    /// This end's address.
    pub(crate) fn local_address(&self) -> SocketAddr {
        self.stream.local_addr().unwrap()
    }

    /// Sends bytes.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Sends bytes; false if the other side takes no more.
    pub(crate) fn try_send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Says that no more will be sent.
    pub(crate) fn half_close(&self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// Reads more; false at the end.
    fn more(&mut self) -> bool {
        let mut buffer = [0; 65536];
        match self.stream.read(&mut buffer) {
            Ok(0) => false,
            Ok(count) => {
                self.unread.extend_from_slice(&buffer[..count]);
                true
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            Err(error) => panic!("nothing came: {error}"),
        }
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
