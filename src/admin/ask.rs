//! A client of the admin pages, for the command line.

use super::endpoint::Method;
use http_body_util::{BodyExt, Empty};
use hyper::{Request, body::Bytes, client::conn::http1, header::HOST};
use hyper_util::rt::TokioIo;
use std::{fmt, io, net::SocketAddr, path::PathBuf, str::FromStr, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
    task::spawn_local,
    time::{sleep, timeout},
};

/// Somebody who is there takes a connection within this time.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Between two looks at whether somebody is still there.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Where admin pages are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// `127.0.0.1:15000`
    Tcp(SocketAddr),
    /// `unix:/run/sluicegate/admin.sock`
    Unix(PathBuf),
}

/// What a page has said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The status of HTTP.
    pub status: u16,
    /// The content.
    pub text: String,
}

/// Why a page has said nothing.
#[derive(Debug)]
pub enum AskError {
    /// Nobody is there.
    Connect(Address, io::Error),
    /// It went wrong on the way. The gateway may have done what was asked.
    Broken(Address, hyper::Error),
    /// The path is none.
    Path(String),
}

/// Asks a page: `POST` if something is to change, else `GET`. An answer may take as long as it takes, such as that to
/// `/reload`. Call it within the control thread's runtime.
///
/// # Errors
/// Nobody answers. A status that is no success is an answer.
pub async fn ask(address: &Address, changes: bool, path: &str) -> Result<Told, AskError> {
    let connect = |error| AskError::Connect(address.clone(), error);
    let method = if changes { Method::Post } else { Method::Get };
    match address {
        Address::Tcp(socket) => {
            let stream = in_time(TcpStream::connect(socket)).await.map_err(connect)?;
            send(address, stream, method, path).await
        }
        Address::Unix(file) => {
            let stream = in_time(UnixStream::connect(file)).await.map_err(connect)?;
            send(address, stream, method, path).await
        }
    }
}

/// Waits until nobody takes connections there any more.
pub async fn gone(address: &Address) {
    loop {
        let is_there = match address {
            Address::Tcp(socket) => in_time(TcpStream::connect(socket)).await.is_ok(),
            Address::Unix(file) => in_time(UnixStream::connect(file)).await.is_ok(),
        };
        if !is_there {
            return;
        }
        sleep(LOOK_AGAIN).await;
    }
}

async fn in_time<T>(connect: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(CONNECT_TIMEOUT, connect).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

async fn send<S>(address: &Address, stream: S, method: Method, path: &str) -> Result<Told, AskError>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let host = match address {
        Address::Tcp(socket) => socket.to_string(),
        Address::Unix(_) => "localhost".to_owned(),
    };
    let request = Request::builder().method(&*method.to_string()).uri(path).header(HOST, host);
    let request = request.body(Empty::<Bytes>::new()).map_err(|error| AskError::Path(error.to_string()))?;
    let broken = |error| AskError::Broken(address.clone(), error);
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    // What goes wrong on the connection, the request says.
    spawn_local(async { drop(connection.await) });
    let response = sender.send_request(request).await.map_err(broken)?;
    let status = response.status().as_u16();
    let content = response.into_body().collect().await.map_err(broken)?.to_bytes();
    Ok(Told { status, text: String::from_utf8_lossy(&content).into_owned() })
}

impl Told {
    /// Whether it is a success.
    pub fn is_good(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

impl FromStr for Address {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix("unix:") {
            Some("") => Err("`unix:` is followed by the path of a socket".into()),
            // `unix:///run/x` is how a URL would have it.
            Some(path) => Ok(Address::Unix(path.strip_prefix("//").unwrap_or(path).into())),
            None => text.parse().map(Address::Tcp).map_err(|_| {
                format!(
                    "`{text}` is not an IP address with a port, such as 127.0.0.1:15000, nor a socket, such as \
                     unix:/run/sluicegate/admin.sock"
                )
            }),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp(address) => address.fmt(f),
            Address::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl fmt::Display for AskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AskError::Connect(address, error) => write!(
                f,
                "no gateway answers on {address}: {error}\n  help: --admin (or SLUICEGATE_ADMIN) names the address that \
                 `run` has with its own --admin"
            ),
            AskError::Broken(address, error) => write!(f, "the gateway on {address} did not answer: {error}"),
            AskError::Path(error) => write!(f, "no page can be asked for that: {error}"),
        }
    }
}

impl std::error::Error for AskError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written() {
        for (text, written) in [
            ("127.0.0.1:15000", "127.0.0.1:15000"),
            ("[::1]:1", "[::1]:1"),
            ("unix:/run/a.sock", "unix:/run/a.sock"),
            ("unix:///run/a.sock", "unix:/run/a.sock"),
            ("unix:a.sock", "unix:a.sock"),
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), written);
        }
        for wrong in ["", "off", "localhost", "unix:", "127.0.0.1", "/run/a.sock"] {
            assert!(wrong.parse::<Address>().is_err(), "{wrong}");
        }
    }
}
