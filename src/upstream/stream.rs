//! Opening a connection to an endpoint, whatever is spoken on it: plain or TLS.

use super::{
    Active, Cluster, Counted, Endpoint, NoConnection, Ticket,
    limits::Slot,
    tunnel::{self, Tunneled},
};
use crate::{
    buffer::Pool,
    driver::{self, Deadline, Deadlines, Phase},
    proxy_protocol::{self, Behind},
    table::{ProxyVersion, ServerName, UpstreamTls},
    tls::{self, Alpn, ClientContext, Established, ReadHalf, WriteHalf},
};
use std::{io, rc::Rc, sync::Arc, time::Instant};

/// A connection to an endpoint, whatever is spoken on it.
pub struct Stream {
    /// Its deadline. Declared before the halves, for it must be dropped before the socket is closed.
    pub deadline: Deadline,
    /// The half that receives.
    pub read: ReadHalf,
    /// The half that sends.
    pub write: WriteHalf,
    /// The endpoint it goes to.
    pub endpoint: Rc<Endpoint>,
    /// Counts at the endpoint.
    pub active: Active,
    /// Our address, as the access log writes it.
    pub local: Rc<str>,
    /// Whose address was sent on it, where the cluster asks for that: nobody else may use it.
    pub behind: Option<Option<Behind>>,
    /// The name in its certificate that was asked for, where that depends on the request: nobody else may use it.
    pub server_name: Option<Box<str>>,
    /// What the HTTP proxy said that it goes through, where it goes through one.
    pub tunneled: Option<Box<Tunneled>>,
    /// Counts as open.
    pub counted: Counted,
    /// Its place among the cluster's connections; the last to be dropped.
    pub slot: Option<Slot>,
}

impl Stream {
    /// Opens a connection to an endpoint for bytes of TCP. It does not wait for the cluster's limits.
    ///
    /// # Errors
    /// There are as many connections to the cluster as there may be; those of connecting, of TLS, and of asking a proxy for a
    /// tunnel.
    pub async fn open(
        cluster: &Cluster,
        endpoint: &Rc<Endpoint>,
        dial: &Dial<'_>,
    ) -> Result<Stream, NoConnection> {
        let Ticket { slot, .. } = Ticket::at_once(cluster)?;
        let mut stream = open_stream(cluster, endpoint, dial, slot).await?;
        if let Some(tunnel) = &cluster.tunnel {
            tunnel::begin(&mut stream, tunnel, dial.pool, cluster.connect_timeout).await?;
        }
        Ok(stream)
    }
}

/// What opening a connection takes from the shard and from the request.
#[derive(Clone, Copy)]
pub struct Dial<'a> {
    /// Buffers.
    pub pool: &'a Pool,
    /// Deadlines of sockets.
    pub deadlines: &'a Rc<Deadlines>,
    /// The host of the request as the destination sees it, without its port; nothing for TCP.
    pub host: Option<&'a str>,
    /// The client's addresses, for a PROXY header; nothing if it has none.
    pub behind: Option<Behind>,
    /// What is offered by ALPN.
    pub alpn: Alpn,
    /// The request's time is over then: nobody waits for the connection any longer. Exact.
    pub due: Option<Instant>,
}

impl Dial<'_> {
    /// Whether a connection is good for this request: where its certificate was checked for a request's host, for this one;
    /// where a client's address was sent on it, of the same client.
    pub(super) fn may_use(&self, server_name: Option<&str>, behind: Option<Option<Behind>>) -> bool {
        server_name.is_none_or(|name| Some(name) == self.host)
            && behind.is_none_or(|behind| behind == self.behind)
    }
}

/// Connects to an endpoint, sends a PROXY header before everything else and begins TLS, where the cluster asks for that. All of it within the cluster's time to connect, each half.
///
/// # Errors
/// Those of [`driver::connect`], and of sending the header; `TLS_error: ...` where TLS can't be had, with the reason.
pub(super) async fn open_stream(
    cluster: &Cluster,
    endpoint: &Rc<Endpoint>,
    dial: &Dial<'_>,
    slot: Option<Slot>,
) -> io::Result<Stream> {
    let opened = try_to_open(cluster, endpoint, dial, slot).await;
    // The end of the request's own time tells nothing of the cluster.
    if opened.is_err() && dial.due.is_none_or(|due| due > Instant::now()) {
        cluster.count(|series| &series.connect_failures);
    }
    opened
}

async fn try_to_open(
    cluster: &Cluster,
    endpoint: &Rc<Endpoint>,
    dial: &Dial<'_>,
    slot: Option<Slot>,
) -> io::Result<Stream> {
    let active = endpoint.begin();
    let keepalive = cluster.limits.as_ref().and_then(|limits| limits.keepalive());
    let (read, mut write, deadline, local) = driver::connect(
        endpoint.address(),
        cluster.connect_timeout,
        dial.due,
        keepalive.as_ref(),
        dial.deadlines,
    )
    .await?;
    if dial.due.is_some() {
        deadline.due_at(dial.due);
    }
    if let Some(version) = cluster.proxy_protocol {
        let header = match version {
            ProxyVersion::V1 => proxy_protocol::v1(dial.behind),
            ProxyVersion::V2 => proxy_protocol::v2(dial.behind),
        };
        write.send_all(header).await.0.map_err(|failed| failed.error)?;
    }
    let behind = cluster.proxy_protocol.map(|_| dial.behind);
    let local = local.map_or_else(|| "".into(), |local| local.to_string().into());
    let endpoint = Rc::clone(endpoint);
    let (read, write, server_name) = match &cluster.tls {
        None => (ReadHalf::Plain(read), WriteHalf::Plain(write), None),
        Some(tls) => {
            deadline.arm(Phase::Both, Some(cluster.connect_timeout));
            let Established { read, write, .. } = match begin_tls((cluster, tls), dial, read, write).await {
                Err(_) if deadline.fired() => return Err(io::ErrorKind::TimedOut.into()),
                established => established?,
            };
            deadline.disarm();
            (read, write, tls.depends_on_request().then(|| dial.host.unwrap_or_default().into()))
        }
    };
    end_dial(&deadline, dial);
    let (counted, tunneled) = (Counted::opened(cluster), None);
    Ok(Stream {
        deadline,
        read,
        write,
        endpoint,
        active,
        local,
        behind,
        server_name,
        tunneled,
        counted,
        slot,
    })
}

/// The connection is there: its request's time does not end it any more.
fn end_dial(deadline: &Deadline, dial: &Dial<'_>) {
    if dial.due.is_some() {
        deadline.due_at(None);
    }
}

async fn begin_tls(
    (cluster, tls): (&Cluster, &UpstreamTls),
    dial: &Dial<'_>,
    read: driver::ReadHalf,
    write: driver::WriteHalf,
) -> io::Result<Established> {
    let context = cluster
        .client_context()
        .ok_or_else(|| failed("there is no usable certificate for it (see the log, or `check`)"))?;
    let name = match &tls.server_name {
        ServerName::Fixed(name) => Some(&**name),
        ServerName::FromAuthority => dial.host,
    };
    let name =
        ClientContext::server_name(name).ok_or_else(|| failed("the host is no name for a certificate"))?;
    tls::connect(read, write, name, Arc::clone(context.config_for(dial.alpn)), dial.pool)
        .await
        .map_err(failed)
}

/// In Envoy's words.
fn failed(reason: impl std::fmt::Display) -> io::Error {
    io::Error::other(format!("TLS_error: {reason}"))
}
