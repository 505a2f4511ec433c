//! Two versions of an origin, on a thread of their own.

use super::pages;
use crate::control::{block_on, log};
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use std::{
    cell::Cell,
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    rc::Rc,
    thread,
    time::Duration,
};
use tokio::{task::spawn_local, time::sleep, try_join};

/// Connections at a time: the workers of a large machine with some each. More are closed as they come.
const CONNECTIONS_MAX: usize = 4096;
/// After an accept that failed, such as for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Starts both; they end with the process. Returns where they are.
///
/// # Errors
/// No port or no thread to be had.
pub(super) fn start() -> io::Result<[SocketAddr; 2]> {
    let (v1, v2) = (bind()?, bind()?);
    let addresses = [v1.local_addr()?, v2.local_addr()?];
    thread::Builder::new().name("origin".into()).spawn(move || {
        let served = block_on(async { try_join!(accept("v1", v1), accept("v2", v2)) });
        if let Err(error) = served.and_then(|served| served) {
            log::error(format_args!("the demo's origin ended: {error}"));
        }
    })?;
    Ok(addresses)
}

fn bind() -> io::Result<TcpListener> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

async fn accept(version: &'static str, listener: TcpListener) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let open = Rc::new(Cell::new(0usize));
    loop {
        match listener.accept().await {
            Ok(_) if open.get() >= CONNECTIONS_MAX => {}
            Ok((stream, _)) => {
                let open = Rc::clone(&open);
                open.set(open.get() + 1);
                spawn_local(async move {
                    let answer = service_fn(|request| pages::answer(version, request));
                    // A page closes the connection, and so may the gateway: neither is worth a word.
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
                    open.set(open.get() - 1);
                });
            }
            Err(error) => {
                log::warn(format_args!("the demo's origin can't accept a connection: {error}"));
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}
