//! HTTP for the pages. It has a library do the protocol, and a limit on everything that a client can hold.

use super::pages::{Pages, Reply, Request};
use crate::control::{Gateway, Sockets, keep_history, log};
use crate::table::BindAddress;
use http_body_util::Full;
use hyper::{
    HeaderMap, Method, StatusCode,
    body::{Bytes, Incoming},
    header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, ORIGIN},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{
    cell::Cell,
    convert::Infallible,
    io,
    net::{SocketAddr, TcpListener},
    rc::Rc,
    time::Duration,
};
use tokio::{task::spawn_local, time::sleep};

/// Connections to one set of pages at a time: probes, a scraper, a few people. More are closed as they come.
const CONNECTIONS_MAX: usize = 64;
/// A request's head must be whole within this time after the connection, or the answer before it; frees what is dead.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);
/// Heads may be as large; browsers send a few KiB.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// After an accept that failed, such as for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A set of pages with its socket.
pub struct Server {
    pages: Pages,
    listener: TcpListener,
    address: SocketAddr,
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
    Ok(Server { pages, listener, address })
}

impl Server {
    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until the process ends. Call it within the control thread's runtime.
    ///
    /// # Errors
    /// The runtime does not take the socket.
    pub fn start(self, gateway: Rc<Gateway>) -> io::Result<()> {
        let listener = tokio::net::TcpListener::from_std(self.listener)?;
        if self.pages == Pages::Admin {
            spawn_local(keep_history(Rc::clone(&gateway)));
        }
        spawn_local(accept(self.pages, listener, gateway));
        Ok(())
    }
}

async fn accept(pages: Pages, listener: tokio::net::TcpListener, gateway: Rc<Gateway>) {
    let open = Rc::new(Cell::new(0usize));
    // Another process has the same socket before this one serves, and after the next one does.
    gateway.handover.here().await;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = gateway.handover.left() => return,
        };
        match accepted {
            Ok(_) if open.get() >= CONNECTIONS_MAX => {}
            Ok((stream, _)) => {
                let (gateway, held) = (Rc::clone(&gateway), Held::new(&open));
                spawn_local(async move {
                    serve(pages, stream, gateway).await;
                    drop(held);
                });
            }
            Err(error) => {
                log::warn(format_args!("the {pages} pages can't accept a connection: {error}"));
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

async fn serve(pages: Pages, stream: tokio::net::TcpStream, gateway: Rc<Gateway>) {
    let answer = |request: hyper::Request<Incoming>| {
        let reply = pages.answer(&in_short(&request), &gateway);
        std::future::ready(Ok::<_, Infallible>(in_full(reply)))
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
        Method::GET | Method::HEAD => super::pages::Method::Get,
        Method::POST => super::pages::Method::Post,
        _ => super::pages::Method::Other,
    };
    Request {
        method,
        path: request.uri().path(),
        query: request.uri().query().unwrap_or(""),
        from_a_site: request.headers().contains_key(ORIGIN),
    }
}

fn in_full(reply: Reply) -> hyper::Response<Full<Bytes>> {
    let mut response = hyper::Response::new(Full::new(Bytes::from(reply.body)));
    // Every status of a page is a constant; an unknown number would be a mistake there.
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers: &mut HeaderMap = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(reply.content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    if let Some(allow) = reply.allow {
        headers.insert(ALLOW, HeaderValue::from_static(allow));
    }
    response
}
