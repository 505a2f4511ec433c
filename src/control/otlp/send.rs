//! One request to a collector, on a connection that is kept for the next.

use crate::{
    control::{Gateway, fetch, resolver::Resolver},
    table::{Collector, CollectorPlace, EndpointAddress, ServerName},
    tls::{Alpn, ClientContext},
};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Request, StatusCode,
    body::Bytes,
    client::conn::http1::{self, SendRequest},
    header::{CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT},
};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName as TlsName;
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
    task::spawn_local,
};
use tokio_rustls::TlsConnector;

/// An answer has a few bytes; more of it is of no use.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// A collector that asks for more time than this is asked again all the same.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);

/// What a collector said.
pub(super) enum Sent {
    /// It has taken the spans; the body of its answer.
    Taken(Bytes),
    /// It may take them later: after this time, where it says one.
    Later(String, Option<Duration>),
    /// It will not take them.
    Refused(String),
}

/// Both ways of a connection.
trait Io: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Io for T {}

/// A connection to a collector.
#[derive(Default)]
pub(super) struct Sender {
    kept: Option<Kept>,
    /// Which of the endpoints is asked next.
    turn: usize,
}

struct Kept {
    place: CollectorPlace,
    sender: SendRequest<Full<Bytes>>,
}

impl Sender {
    /// Sends a body. There is no time limit here.
    pub(super) async fn send(
        &mut self,
        collector: &Collector,
        body: &Bytes,
        gateway: &Gateway,
        resolver: &Resolver,
    ) -> Sent {
        // It may have been closed for want of use; then a new one is opened once.
        if let Some(mut kept) = self.kept.take_if(|kept| kept.place == collector.place)
            && kept.sender.ready().await.is_ok()
            && let Ok(sent) = ask(&mut kept.sender, collector, body).await
        {
            self.kept = Some(kept);
            return sent;
        }
        let opened = self.open(collector, gateway, resolver).await;
        let mut sender = match opened {
            Ok(sender) => sender,
            Err(why) => return Sent::Later(why, None),
        };
        match ask(&mut sender, collector, body).await {
            Ok(sent) => {
                self.kept = Some(Kept { place: collector.place.clone(), sender });
                sent
            }
            Err(why) => Sent::Later(why, None),
        }
    }

    async fn open(
        &mut self,
        collector: &Collector,
        gateway: &Gateway,
        resolver: &Resolver,
    ) -> Result<SendRequest<Full<Bytes>>, String> {
        let stream: Box<dyn Io> = match &collector.place {
            CollectorPlace::Host { host, port, is_tls } => {
                let stream = fetch::connect(host, *port, resolver).await?;
                match is_tls {
                    false => Box::new(stream),
                    true => {
                        let name = TlsName::try_from(host.to_string()).map_err(text)?;
                        let connector = TlsConnector::from(fetch::tls()?);
                        Box::new(connector.connect(name, stream).await.map_err(text)?)
                    }
                }
            }
            CollectorPlace::Cluster(id) => {
                let snapshot = gateway.snapshot();
                let cluster = snapshot.clusters.get(id.0 as usize).ok_or("its cluster is gone")?;
                self.turn = self.turn.wrapping_add(1);
                let turn = self.turn;
                let address = gateway.with_endpoints(*id, |all| {
                    let good = |at: &usize| all.get(*at).map(|endpoint| endpoint.address.clone());
                    good(&(turn.checked_rem(all.len())?))
                });
                let address = address.ok_or("it has no endpoints")?;
                let stream = connect(&address).await?;
                let Some(tls) = &cluster.tls else { return handshake(stream).await };
                let context = gateway.credentials.borrow().client(tls.context);
                let context = context.ok_or("there is no usable certificate for it")?;
                let name = match &tls.server_name {
                    ServerName::Fixed(name) => Some(&**name),
                    ServerName::FromAuthority => collector.authority.rsplit_once(':').map(|(host, _)| host),
                };
                let name = ClientContext::server_name(name).ok_or("the host is no name for a certificate")?;
                let connector = TlsConnector::from(Arc::clone(context.config_for(Alpn::None)));
                Box::new(connector.connect(name, stream).await.map_err(text)?)
            }
        };
        handshake(stream).await
    }
}

async fn connect(address: &EndpointAddress) -> Result<Box<dyn Io>, String> {
    Ok(match address {
        EndpointAddress::Tcp(address) => Box::new(open_tcp(*address).await?),
        EndpointAddress::Unix(path) => {
            Box::new(UnixStream::connect(fetch::unix_path(path)).await.map_err(text)?)
        }
    })
}

async fn open_tcp(address: SocketAddr) -> Result<TcpStream, String> {
    TcpStream::connect(address).await.map_err(|error| format!("{address}: {error}"))
}

async fn handshake(stream: Box<dyn Io>) -> Result<SendRequest<Full<Bytes>>, String> {
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(text)?;
    // It ends when the sender is dropped, or the other side closes it; then the next request finds out.
    spawn_local(async move {
        let _ = connection.await;
    });
    Ok(sender)
}

async fn ask(
    sender: &mut SendRequest<Full<Bytes>>,
    collector: &Collector,
    body: &Bytes,
) -> Result<Sent, String> {
    let mut request = Request::post(&*collector.path)
        .header(HOST, &*collector.authority)
        .header(CONTENT_TYPE, "application/x-protobuf")
        .header(USER_AGENT, concat!("sluicegate/", env!("CARGO_PKG_VERSION")));
    for (name, value) in &collector.headers {
        request = request.header(&**name, &**value);
    }
    let request = match request.body(Full::new(body.clone())) {
        Ok(request) => request,
        Err(error) => return Ok(Sent::Refused(error.to_string())),
    };
    let answer = sender.send_request(request).await.map_err(text)?;
    let status = answer.status();
    let seconds = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let wait = seconds.map(Duration::from_secs).map(|wait| wait.min(RETRY_AFTER_MAX));
    let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
    let body = body.map_err(|error| error.to_string())?.to_bytes();
    Ok(match status {
        status if status.is_success() => Sent::Taken(body),
        // Those that the protocol has for "later" (section "Retryable Response Codes").
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => Sent::Later(format!("it answers {status}"), wait),
        status => Sent::Refused(format!("it answers {status}")),
    })
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
