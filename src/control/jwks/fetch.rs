//! One key set, fetched: by HTTP or HTTPS, with limits on everything that the other side can make long.

use crate::{
    control::{
        fetch::{connect, tls},
        resolver::Resolver,
    },
    jwt::JWKS_BYTES_MAX,
};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{
    Request, Response, Uri,
    body::{Bytes, Incoming},
    client::conn::http1,
    header::{ACCEPT, HOST, LOCATION, USER_AGENT},
};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    task::spawn_local,
};
use tokio_rustls::TlsConnector;

/// Redirects that are followed: from `http` to `https`, from one name to another.
const REDIRECTS_MAX: usize = 3;

/// Fetches the body of a URL. There is no time limit here.
///
/// # Errors
/// What went wrong, for people.
pub(super) async fn get(url: &str, resolver: &Resolver) -> Result<Bytes, String> {
    let mut url: Uri = url.parse().map_err(|error| format!("{error}"))?;
    for _ in 0..=REDIRECTS_MAX {
        let response = ask(&url, resolver).await?;
        if !response.status().is_redirection() {
            if response.status() != hyper::StatusCode::OK {
                return Err(format!("the answer is {}", response.status()));
            }
            let body = Limited::new(response.into_body(), JWKS_BYTES_MAX).collect().await;
            return Ok(body.map_err(|error| error.to_string())?.to_bytes());
        }
        url = target(&url, &response)?;
    }
    Err(format!("there are more than {REDIRECTS_MAX} redirects"))
}

/// Where a redirect leads. What was asked for with TLS is not asked for without.
fn target(from: &Uri, response: &Response<Incoming>) -> Result<Uri, String> {
    let location = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
    let location = location.ok_or("a redirect does not say where to")?;
    let is_path = location.starts_with('/') && !location.starts_with("//");
    let absolute = match (from.scheme_str(), from.authority()) {
        (Some(scheme), Some(authority)) if is_path => format!("{scheme}://{authority}{location}"),
        _ => location.to_owned(),
    };
    let to: Uri = absolute.parse().map_err(|error| format!("a redirect leads nowhere: {error}"))?;
    match (from.scheme_str(), to.scheme_str()) {
        (Some("https"), Some("https")) | (Some("http"), Some("http" | "https")) => Ok(to),
        _ => Err("a redirect leads away from HTTPS".to_owned()),
    }
}

async fn ask(url: &Uri, resolver: &Resolver) -> Result<Response<Incoming>, String> {
    let host = url.host().ok_or("the URL has no host")?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let is_tls = url.scheme_str() == Some("https");
    let port = url.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
    let stream = connect(bare, port, resolver).await?;
    if !is_tls {
        return send(url, stream).await;
    }
    let name = ServerName::try_from(bare.to_owned()).map_err(|error| error.to_string())?;
    let connector = TlsConnector::from(tls()?);
    send(url, connector.connect(name, stream).await.map_err(|error| error.to_string())?).await
}

async fn send(
    url: &Uri,
    stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
) -> Result<Response<Incoming>, String> {
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    // It ends when the response is read, or dropped; then there is nobody to tell what became of it.
    spawn_local(async move {
        let _ = connection.await;
    });
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let request = Request::get(path)
        .header(HOST, url.authority().map_or("", |authority| authority.as_str()))
        .header(ACCEPT, "application/json, application/jwk-set+json")
        .header(USER_AGENT, concat!("sluicegate/", env!("CARGO_PKG_VERSION")))
        .body(Empty::<Bytes>::new());
    let request = request.map_err(|error| error.to_string())?;
    sender.send_request(request).await.map_err(|error| error.to_string())
}
