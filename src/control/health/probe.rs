//! One check of one endpoint, on a connection of its own: what a new client would meet.

use super::{checks::Target, grpc};
use crate::{
    control::fetch::unix_path,
    proxy_protocol,
    table::{EndpointAddress, HttpProbe, Probe, ProxyVersion, ServerName},
    tls::{Alpn, ClientContext},
};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    client::conn::{http1, http2},
    header::{CONTENT_TYPE, HOST, HeaderMap, TE, USER_AGENT},
    rt::Executor,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{cell::RefCell, error::Error, pin::pin, rc::Rc, sync::Arc};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    net::{TcpStream, UnixStream},
    task::{AbortHandle, spawn_local},
};
use tokio_rustls::TlsConnector;

/// More than an answer of `grpc.health.v1` has; what is larger is none.
const ANSWER_BYTES_MAX: usize = 4 << 10;
/// Heads of answers to HTTP/1.1 checks may be as large.
const HEAD_BYTES_MAX: usize = 16 << 10;

/// How checks name themselves.
const AGENT: &str = "sluicegate-health-check";

/// Both ways of a connection.
trait Io: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Io for T {}

/// Asks once. The caller gives it its time; whatever it has opened is closed when it is dropped. `context` is how TLS begins,
/// where the cluster has TLS: nothing in it where there is no usable certificate.
///
/// # Errors
/// Why the endpoint is not well, for people.
pub(super) async fn ask(target: &Target, context: Option<Option<Arc<ClientContext>>>) -> Result<(), String> {
    let stream = connect(target, context).await?;
    match &target.check.probe {
        Probe::Tcp => Ok(()),
        Probe::Http(probe) => {
            let request = http_request(probe, target)?;
            let judge = async |answer: Response<Incoming>| expect(probe, answer.status().as_u16());
            match target.is_http2 {
                true => over_http2(stream, request, judge).await,
                false => over_http1(stream, request, judge).await,
            }
        }
        Probe::Grpc { service, host } => {
            let body = Full::new(Bytes::from(grpc::request(service)));
            let request = Request::post(format!("{}://{host}{}", scheme(target), grpc::PATH))
                .header(CONTENT_TYPE, "application/grpc")
                .header(TE, "trailers")
                .header(USER_AGENT, AGENT)
                .body(body)
                .map_err(text)?;
            over_http2(stream, request, judge_grpc).await
        }
    }
}

async fn connect(
    target: &Target,
    context: Option<Option<Arc<ClientContext>>>,
) -> Result<Box<dyn Io>, String> {
    let mut stream: Box<dyn Io> = match &target.address {
        EndpointAddress::Tcp(address) => {
            let stream = TcpStream::connect(address).await.map_err(text)?;
            // A check is one packet each way; waiting for more would be for nothing.
            stream.set_nodelay(true).map_err(text)?;
            Box::new(stream)
        }
        EndpointAddress::Unix(path) => Box::new(UnixStream::connect(unix_path(path)).await.map_err(text)?),
    };
    if let Some(version) = target.proxy_protocol {
        let header = match version {
            ProxyVersion::V1 => proxy_protocol::v1(None),
            ProxyVersion::V2 => proxy_protocol::v2(None),
        };
        stream.write_all(&header).await.map_err(text)?;
    }
    let (Some(tls), Some(context)) = (&target.tls, context) else { return Ok(stream) };
    let context = context.ok_or("there is no usable certificate for it")?;
    let name = match &tls.server_name {
        ServerName::Fixed(name) => Some(&**name),
        ServerName::FromAuthority => target.check.host(),
    };
    let name = ClientContext::server_name(name).ok_or("the host is no name for a certificate")?;
    let alpn = if target.is_http2 { Alpn::Http2 } else { Alpn::None };
    let connector = TlsConnector::from(Arc::clone(context.config_for(alpn)));
    let stream = connector.connect(name, stream).await;
    Ok(Box::new(stream.map_err(|error| format!("TLS_error: {error}"))?))
}

fn scheme(target: &Target) -> &'static str {
    if target.tls.is_some() { "https" } else { "http" }
}

fn http_request(probe: &HttpProbe, target: &Target) -> Result<Request<Full<Bytes>>, String> {
    let HttpProbe { method, path, host, .. } = probe;
    let request = match target.is_http2 {
        true => Request::builder().uri(format!("{}://{host}{path}", scheme(target))),
        false => Request::builder().uri(&**path).header(HOST, &**host).header("connection", "close"),
    };
    request.method(&**method).header(USER_AGENT, AGENT).body(Full::default()).map_err(text)
}

fn expect(probe: &HttpProbe, status: u16) -> Result<(), String> {
    match probe.statuses.iter().any(|range| range.contains(&status)) {
        true => Ok(()),
        false => Err(format!("it answers {status}")),
    }
}

async fn judge_grpc(answer: Response<Incoming>) -> Result<(), String> {
    let status = answer.status().as_u16();
    if status != 200 {
        return Err(format!("it answers {status}"));
    }
    // An answer without a message has its status in its head.
    call_succeeded(answer.headers()).unwrap_or(Ok(()))?;
    let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await.map_err(text)?;
    let ended = body.trailers().and_then(call_succeeded);
    ended.unwrap_or_else(|| Err("the call has no status".to_owned()))?;
    grpc::judge(&body.to_bytes())
}

/// Nothing where there is no `grpc-status`.
fn call_succeeded(fields: &HeaderMap) -> Option<Result<(), String>> {
    let status = fields.get("grpc-status")?;
    if status == "0" {
        return Some(Ok(()));
    }
    let message = fields.get("grpc-message").map(|message| String::from_utf8_lossy(message.as_bytes()));
    let status = String::from_utf8_lossy(status.as_bytes());
    Some(Err(format!("grpc-status {status} {}", message.unwrap_or_default()).trim_end().to_owned()))
}

async fn over_http1(
    stream: Box<dyn Io>,
    request: Request<Full<Bytes>>,
    judge: impl AsyncFnOnce(Response<Incoming>) -> Result<(), String>,
) -> Result<(), String> {
    let handshake = http1::Builder::new().max_buf_size(HEAD_BYTES_MAX).handshake(TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.map_err(text)?;
    let exchange = async { judge(sender.send_request(request).await.map_err(text)?).await };
    beside(connection, exchange).await
}

async fn over_http2(
    stream: Box<dyn Io>,
    request: Request<Full<Bytes>>,
    judge: impl AsyncFnOnce(Response<Incoming>) -> Result<(), String>,
) -> Result<(), String> {
    let tasks = Tasks::default();
    let mut builder = http2::Builder::new(tasks.clone());
    let handshake = builder.timer(TokioTimer::new()).handshake(TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.map_err(text)?;
    let exchange = async { judge(sender.send_request(request).await.map_err(text)?).await };
    let result = beside(connection, exchange).await;
    drop(tasks);
    result
}

/// Runs an exchange, and the connection that it needs.
async fn beside<E>(
    connection: impl Future<Output = Result<(), E>>,
    exchange: impl Future<Output = Result<(), String>>,
) -> Result<(), String> {
    let (mut connection, mut exchange) = (pin!(connection), pin!(exchange));
    tokio::select! {
        biased;
        result = &mut exchange => result,
        // All that comes has come; what there is of the answer decides.
        _ = &mut connection => exchange.await,
    }
}

/// Tasks of a connection of HTTP/2, which end with the check.
#[derive(Clone, Default)]
struct Tasks(Rc<Ended>);

#[derive(Default)]
struct Ended(RefCell<Vec<AbortHandle>>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.borrow().iter().for_each(AbortHandle::abort);
    }
}

impl<F: Future + 'static> Executor<F> for Tasks
where
    F::Output: 'static,
{
    fn execute(&self, task: F) {
        self.0.0.borrow_mut().push(spawn_local(task).abort_handle());
    }
}

/// What went wrong, with what was behind it.
fn text(error: impl Into<Box<dyn Error + Send + Sync>>) -> String {
    let error = error.into();
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
