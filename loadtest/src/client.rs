//! A small HTTP client, with TLS or without: asks once before a measurement, holds idle connections, reads the gateway's
//! counters.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use rustls::{ClientConnection, HandshakeKind, StreamOwned};

use crate::error::{During, Error, Result};
use crate::tls;

/// A proxy that takes longer than this for one small request is not measured.
const ANSWER_MAX: Duration = Duration::from_secs(5);
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// More than any work asks for, and than any page of counters has.
const BODY_BYTES_MAX: usize = 128 << 20;

/// What came back.
#[derive(Debug, PartialEq)]
pub(crate) struct Answer {
    /// The status code.
    pub(crate) status: u16,
    /// Length of the body.
    pub(crate) body: Vec<u8>,
}

/// A connection to a port on 127.0.0.1.
pub(crate) struct Connection(Stream);

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Connection {
    /// Connects.
    pub(crate) fn open(port: u16) -> Result<Connection> {
        Ok(Connection(Stream::Plain(connect(port)?)))
    }

    /// Connects; TLS begins with the first request.
    pub(crate) fn open_tls(port: u16, client: &tls::Client) -> Result<Connection> {
        let stream = StreamOwned::new(client.connection()?, connect(port)?);
        Ok(Connection(Stream::Tls(Box::new(stream))))
    }

    /// Whether it goes on with the session of an earlier one. Known once there was an answer.
    pub(crate) fn is_resumed(&self) -> bool {
        match &self.0 {
            Stream::Plain(_) => false,
            Stream::Tls(stream) => stream.conn.handshake_kind() == Some(HandshakeKind::Resumed),
        }
    }

    /// One GET, whose answer must have a `Content-Length`; the connection stays open.
    pub(crate) fn get(&mut self, path: &str, headers: &[&str]) -> Result<Answer> {
        self.send("GET", path, "HTTP/1.1", headers)?;
        self.answer()
    }

    /// One POST of so many bytes, as [`Self::get`].
    pub(crate) fn post(&mut self, path: &str, headers: &[&str], bytes: usize) -> Result<Answer> {
        let length = format!("Content-Length: {bytes}");
        self.send("POST", path, "HTTP/1.1", &[headers, &[length.as_str()]].concat())?;
        self.0.write_all(&vec![b'x'; bytes]).during(|| "sending the body".to_owned())?;
        self.answer()
    }

    fn answer(&mut self) -> Result<Answer> {
        let mut bytes = Vec::new();
        let head = self.read_head(&mut bytes)?;
        let length = head.length.ok_or_else(|| Error::failed("the answer has no Content-Length"))?;
        if length > BODY_BYTES_MAX {
            return Err(Error::Failed(format!("the answer is {length} bytes long")));
        }
        let mut body = bytes.split_off(head.bytes);
        while body.len() < length {
            self.read_more(&mut body)?;
        }
        if body.len() > length {
            return Err(Error::failed("the answer is longer than its Content-Length"));
        }
        Ok(Answer { status: head.status, body })
    }

    /// One GET, answered up to the end of the connection.
    pub(crate) fn get_last(mut self, path: &str) -> Result<Answer> {
        self.send("GET", path, "HTTP/1.0", &[])?;
        let mut bytes = Vec::new();
        let head = self.read_head(&mut bytes)?;
        let mut body = bytes.split_off(head.bytes);
        let limit = BODY_BYTES_MAX as u64;
        self.0.take(limit).read_to_end(&mut body).during(|| "reading the answer".to_owned())?;
        Ok(Answer { status: head.status, body })
    }

    /// Whether the other side has neither closed it nor said anything.
    pub(crate) fn is_idle(&mut self) -> bool {
        let silent = self.0.socket().set_nonblocking(true).is_ok()
            && matches!(self.0.read(&mut [0; 1]), Err(error) if error.kind() == ErrorKind::WouldBlock);
        silent && self.0.socket().set_nonblocking(false).is_ok()
    }

    fn send(&mut self, method: &str, path: &str, version: &str, headers: &[&str]) -> Result<()> {
        let host = if headers.iter().any(|header| header.starts_with("Host:")) {
            ""
        } else {
            "Host: bench.test\r\n"
        };
        let more: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
        let request = format!("{method} {path} {version}\r\n{host}{more}\r\n");
        self.0.write_all(request.as_bytes()).during(|| "sending the request".to_owned())
    }

    fn read_head(&mut self, bytes: &mut Vec<u8>) -> Result<Head> {
        loop {
            if let Some(head) = parse_head(bytes)? {
                return Ok(head);
            }
            if bytes.len() > HEAD_BYTES_MAX {
                return Err(Error::failed("the head of the answer does not end"));
            }
            self.read_more(bytes)?;
        }
    }

    fn read_more(&mut self, bytes: &mut Vec<u8>) -> Result<()> {
        let mut piece = [0; 16 * 1024];
        let count = self.0.read(&mut piece).during(|| "reading the answer".to_owned())?;
        if count == 0 {
            return Err(Error::failed("the connection was closed before the answer was complete"));
        }
        bytes.extend(piece.iter().take(count));
        Ok(())
    }
}

impl Stream {
    fn socket(&self) -> &TcpStream {
        match self {
            Stream::Plain(socket) => socket,
            Stream::Tls(stream) => &stream.sock,
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(socket) => socket.read(buffer),
            Stream::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(socket) => socket.write(bytes),
            Stream::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Stream::Plain(socket) => socket.flush(),
            Stream::Tls(stream) => stream.flush(),
        }
    }
}

fn connect(port: u16) -> Result<TcpStream> {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let stream =
        TcpStream::connect_timeout(&address, ANSWER_MAX).during(|| format!("connecting to {address}"))?;
    // The end of a handshake and the request after it would else wait for each other's acknowledgement.
    stream.set_nodelay(true).during(|| "setting TCP_NODELAY".to_owned())?;
    stream.set_read_timeout(Some(ANSWER_MAX)).during(|| "setting a timeout".to_owned())?;
    stream.set_write_timeout(Some(ANSWER_MAX)).during(|| "setting a timeout".to_owned())?;
    Ok(stream)
}

#[derive(Debug, PartialEq)]
struct Head {
    bytes: usize,
    status: u16,
    length: Option<usize>,
}

/// None while the head is not complete.
fn parse_head(bytes: &[u8]) -> Result<Option<Head>> {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(bytes.get(..end).unwrap_or_default());
    let mut lines = text.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let status = first.strip_prefix("HTTP/1.").and_then(|rest| rest.split(' ').nth(1)?.parse().ok());
    let status =
        status.ok_or_else(|| Error::Failed(format!("the answer does not begin as HTTP does: {first}")))?;
    let length = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        if name.eq_ignore_ascii_case("content-length") { value.trim().parse().ok() } else { None }
    });
    Ok(Some(Head { bytes: end + 4, status, length }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_head() {
        let bytes = b"HTTP/1.1 200 OK\r\nServer: x\r\ncontent-length: 12\r\n\r\nhello world\n";
        assert_eq!(
            parse_head(bytes),
            Ok(Some(Head { bytes: bytes.len() - 12, status: 200, length: Some(12) }))
        );
    }

    #[test]
    fn a_head_may_have_no_length_and_no_reason() {
        let bytes = b"HTTP/1.0 503\r\nServer: x\r\n\r\n";
        assert_eq!(parse_head(bytes), Ok(Some(Head { bytes: bytes.len(), status: 503, length: None })));
    }

    #[test]
    fn half_a_head_and_no_head() {
        assert_eq!(parse_head(b"HTTP/1.1 200 OK\r\nServer: x\r\n"), Ok(None));
        assert!(parse_head(b"SSH-2.0-x\r\n\r\n").is_err());
    }
}
