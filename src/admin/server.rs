//! HTTP for the pages. It has a library do the protocol, and a limit on everything that a client can hold.

use super::{
    endpoint,
    guard::{Reach, Sender},
    pages::{Pages, Request},
    reply::{Content, Reply},
};
use crate::{
    control::{Gateway, Sockets, keep_history, log, remove_stale_file},
    table::BindAddress,
};
use hyper::{
    HeaderMap, Method, StatusCode,
    body::Incoming,
    header::{
        ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderName, HeaderValue,
        ORIGIN, REFERRER_POLICY, VARY,
    },
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{Domain, SockAddr, Socket, Type};
use std::{
    cell::Cell,
    convert::Infallible,
    fmt, fs, io,
    net::{SocketAddr, TcpListener},
    os::unix::{fs::PermissionsExt, net::UnixListener},
    path::{Path, PathBuf},
    rc::Rc,
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    task::spawn_local,
    time::sleep,
};

/// Connections to one set of pages at a time: probes, a scraper, a few people. More are closed as they come.
const CONNECTIONS_MAX: usize = 64;
/// A request's head must be whole within this time after the connection, or the answer before it; frees what is dead.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);
/// Heads may be as large; browsers send a few KiB.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// After an accept that failed, such as for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Connections that wait to be accepted.
const BACKLOG: i32 = 128;
/// Of a Unix socket: its owner alone, for whoever can ask can end the gateway.
const SOCKET_MODE: u32 = 0o600;

/// A set of pages with its socket.
pub struct Server {
    pages: Pages,
    socket: Listening,
}

enum Listening {
    Tcp(TcpListener, SocketAddr),
    Unix(UnixListener, PathBuf),
}

/// Takes the address for a set of pages; somebody else may have bound it for this process. Port 0 lets the kernel choose.
///
/// # Errors
/// What `bind(2)` says.
pub fn bind(pages: Pages, address: SocketAddr, sockets: &Sockets) -> io::Result<Server> {
    let (name, at) = (pages.to_string(), BindAddress::Tcp(address));
    let listener = match sockets.page(&name, &at) {
        Some(passed) => TcpListener::from(passed),
        None => {
            let listener = TcpListener::bind(address)?;
            sockets.bound_page(&name, &at, &listener);
            listener
        }
    };
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    Ok(Server { pages, socket: Listening::Tcp(listener, address) })
}

/// Takes a path for a set of pages: a Unix socket that only this user can connect to. A socket that nobody listens on any
/// more is replaced, and the file goes when the process ends that has the socket last.
///
/// # Errors
/// What `bind(2)` says.
pub fn bind_unix(pages: Pages, path: &Path, sockets: &Sockets) -> io::Result<Server> {
    let (name, at) = (pages.to_string(), BindAddress::Unix(path.to_owned()));
    let listener = match sockets.page(&name, &at) {
        Some(passed) => UnixListener::from(passed),
        None => {
            let listener = bind_file(path)?;
            sockets.bound_page(&name, &at, &listener);
            listener
        }
    };
    listener.set_nonblocking(true)?;
    Ok(Server { pages, socket: Listening::Unix(listener, path.to_owned()) })
}

fn bind_file(path: &Path) -> io::Result<UnixListener> {
    remove_stale_file(path);
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    // Nobody can connect before it listens, so that nobody can who may not.
    fs::set_permissions(path, fs::Permissions::from_mode(SOCKET_MODE))?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// The file of a Unix socket, removed when it is dropped, unless another process has the socket.
struct SocketFile(PathBuf, Rc<Gateway>);

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.1.sockets.is_ours(&BindAddress::Unix(self.0.clone())) {
            // Somebody may have removed it already.
            let _ = fs::remove_file(&self.0);
        }
    }
}

impl Server {
    /// Serves until the process ends or another one takes over. Call it within the control thread's runtime.
    ///
    /// # Errors
    /// The runtime does not take the socket.
    pub fn start(self, gateway: Rc<Gateway>) -> io::Result<()> {
        let pages = self.pages;
        if pages == Pages::Admin {
            spawn_local(keep_history(Rc::clone(&gateway)));
        }
        match self.socket {
            Listening::Tcp(listener, address) => {
                let is_loopback = address.ip().to_canonical().is_loopback();
                let reach = if is_loopback { Reach::Loopback } else { Reach::Network };
                let listener = tokio::net::TcpListener::from_std(listener)?;
                spawn_local(async move {
                    let door = Door::open(pages, reach, gateway).await;
                    while let Some(accepted) = door.next(listener.accept()).await {
                        door.admit(accepted).await;
                    }
                });
            }
            Listening::Unix(listener, path) => {
                let listener = tokio::net::UnixListener::from_std(listener)?;
                spawn_local(async move {
                    // Goes when this task does.
                    let _file = SocketFile(path, Rc::clone(&gateway));
                    let door = Door::open(pages, Reach::Socket, gateway).await;
                    while let Some(accepted) = door.next(listener.accept()).await {
                        door.admit(accepted).await;
                    }
                });
            }
        }
        Ok(())
    }
}

/// Where it is, as a URL or as `--admin` takes it.
impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.socket {
            Listening::Tcp(_, address) => write!(f, "http://{address}/"),
            Listening::Unix(_, path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Where connections come in.
struct Door {
    pages: Pages,
    reach: Reach,
    gateway: Rc<Gateway>,
    open: Rc<Cell<usize>>,
}

impl Door {
    /// Another process has the same socket before this one serves.
    async fn open(pages: Pages, reach: Reach, gateway: Rc<Gateway>) -> Door {
        gateway.handover.here().await;
        Door { pages, reach, gateway, open: Rc::default() }
    }

    /// What is accepted next. Nothing when another process has taken over, which then has the same socket.
    async fn next<T>(&self, accept: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            accepted = accept => Some(accepted),
            () = self.gateway.handover.left() => None,
        }
    }

    async fn admit<S, A>(&self, accepted: io::Result<(S, A)>)
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        match accepted {
            Ok(_) if self.open.get() >= CONNECTIONS_MAX => {}
            Ok((stream, _)) => {
                let (pages, reach) = (self.pages, self.reach);
                let (gateway, held) = (Rc::clone(&self.gateway), Held::new(&self.open));
                spawn_local(async move {
                    serve(pages, reach, stream, gateway).await;
                    drop(held);
                });
            }
            Err(error) => {
                log::warn(format_args!("the {} pages can't accept a connection: {error}", self.pages));
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// One of the connections that are open.
struct Held(Rc<Cell<usize>>);

impl Held {
    fn new(open: &Rc<Cell<usize>>) -> Held {
        open.set(open.get() + 1);
        Held(Rc::clone(open))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

async fn serve<S>(pages: Pages, reach: Reach, stream: S, gateway: Rc<Gateway>)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let answer = |request: hyper::Request<Incoming>| {
        let gateway = Rc::clone(&gateway);
        async move { Ok::<_, Infallible>(in_full(pages.answer(in_short(&request), reach, gateway).await)) }
    };
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service_fn(answer))
        .await;
    if let Err(error) = served {
        log::debug(format_args!("a connection to the {pages} pages ended: {error}"));
    }
}

/// What the pages ask of a request. Its body is not read: no page wants one.
fn in_short(request: &hyper::Request<Incoming>) -> Request<'_> {
    let method = match *request.method() {
        Method::GET | Method::HEAD => Some(endpoint::Method::Get),
        Method::POST => Some(endpoint::Method::Post),
        _ => None,
    };
    let text = |name: &HeaderName| request.headers().get(name).map(|value| value.to_str().unwrap_or(""));
    Request {
        method,
        path: request.uri().path(),
        query: request.uri().query().unwrap_or(""),
        accept: text(&ACCEPT),
        sender: Sender {
            host: text(&HOST),
            has_origin: request.headers().contains_key(ORIGIN),
            fetch_site: text(&HeaderName::from_static("sec-fetch-site")),
        },
    }
}

fn in_full(reply: Reply) -> hyper::Response<Content> {
    let mut response = hyper::Response::new(reply.content);
    // Every status of a page is a constant; an unknown number would be a mistake there.
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers: &mut HeaderMap = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(reply.content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    headers.insert(VARY, HeaderValue::from_static("accept"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    for (name, value) in [(ALLOW, reply.allow), (CONTENT_SECURITY_POLICY, reply.policy)] {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(&value).ok()) {
            headers.insert(name, value);
        }
    }
    response
}
