//! HTTP for the pages. It has a library do the protocol, and a limit on everything that a client can hold.

use super::{
    endpoint,
    guard::{Reach, Sender},
    pages::{Pages, Request},
    reply::{Content, Reply},
};
use crate::control::{Gateway, Sockets, keep_history, log, remove_stale_file};
use crate::table::BindAddress;
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
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        net::UnixListener,
    },
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
    Unix(UnixListener, SocketFile),
}

/// The file of a Unix socket, removed when it is dropped, unless it has become somebody else's.
struct SocketFile {
    path: PathBuf,
    /// Device and number: which file it is.
    identity: Option<(u64, u64)>,
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
/// more is replaced, and the file goes when the pages end.
///
/// # Errors
/// What `bind(2)` says.
pub fn bind_unix(pages: Pages, path: &Path, sockets: &Sockets) -> io::Result<Server> {
    let (name, at) = (pages.to_string(), BindAddress::Unix(path.to_owned()));
    if let Some(passed) = sockets.page(&name, &at) {
        let listener = UnixListener::from(passed);
        listener.set_nonblocking(true)?;
        // That of a service manager stays.
        let identity = if sockets.is_ours(&at) { identity(path) } else { None };
        let file = SocketFile { path: path.to_owned(), identity };
        return Ok(Server { pages, socket: Listening::Unix(listener, file) });
    }
    remove_stale_file(path);
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    let file = SocketFile { path: path.to_owned(), identity: identity(path) };
    // Nobody can connect before it listens, so that nobody can who may not.
    fs::set_permissions(path, fs::Permissions::from_mode(SOCKET_MODE))?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    sockets.bound_page(&name, &at, &socket);
    Ok(Server { pages, socket: Listening::Unix(socket.into(), file) })
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::symlink_metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

impl SocketFile {
    /// Somebody else goes on with it.
    fn leave(&mut self) {
        self.identity = None;
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.identity.is_some() && identity(&self.path) == self.identity {
            // It may have gone in this moment.
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Server {
    /// Serves until the process ends. Call it within the control thread's runtime.
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
                let reach =
                    if address.ip().to_canonical().is_loopback() { Reach::Loopback } else { Reach::Network };
                let listener = tokio::net::TcpListener::from_std(listener)?;
                spawn_local(async move {
                    let mut door = Door::new(pages, reach, Rc::clone(&gateway));
                    // Another process has the same socket before this one serves, and after the next one does.
                    gateway.handover.here().await;
                    loop {
                        tokio::select! {
                            accepted = listener.accept() => door.admit(accepted).await,
                            () = gateway.handover.left() => return,
                        }
                    }
                });
            }
            Listening::Unix(listener, mut file) => {
                let listener = tokio::net::UnixListener::from_std(listener)?;
                spawn_local(async move {
                    let mut door = Door::new(pages, Reach::Socket, Rc::clone(&gateway));
                    gateway.handover.here().await;
                    loop {
                        tokio::select! {
                            accepted = listener.accept() => door.admit(accepted).await,
                            // The file is the next process's.
                            () = gateway.handover.left() => return file.leave(),
                        }
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
            Listening::Unix(_, file) => write!(f, "unix:{}", file.path.display()),
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
    fn new(pages: Pages, reach: Reach, gateway: Rc<Gateway>) -> Door {
        Door { pages, reach, gateway, open: Rc::default() }
    }

    async fn admit<S, A>(&mut self, accepted: io::Result<(S, A)>)
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
    if let Some(policy) = reply.policy {
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        headers.insert(VARY, HeaderValue::from_static("accept"));
    }
    if let Some(allow) = reply.allow.and_then(|methods| HeaderValue::from_str(&methods).ok()) {
        headers.insert(ALLOW, allow);
    }
    response
}
