//! Connections to servers that a URL names: the issuers of tokens, collectors of spans.

use super::resolver::Resolver;
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs::default_provider};
use std::{
    ffi::OsStr,
    net::SocketAddr,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{net::TcpStream, time::timeout};

/// One address has so long to answer to a connection before the next is tried.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Connects to the first address of a name that answers.
///
/// # Errors
/// What the last of them said, for people.
pub(super) async fn connect(host: &str, port: u16, resolver: &Resolver) -> Result<TcpStream, String> {
    let mut last = String::new();
    for address in resolver.find(host).await?.addresses {
        let address = SocketAddr::new(address, port);
        match timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = format!("{address}: {error}"),
            Err(_) => last = format!("{address} does not answer"),
        }
    }
    Err(last)
}

/// The operating system's authorities, as they are now: a connection is seldom, and they may have been renewed.
///
/// # Errors
/// There are none.
pub(super) fn tls() -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err("the operating system has no authorities: install ca-certificates".to_owned());
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}

/// The path of a Unix socket as the operating system takes it: one with `@` in front is of the abstract namespace.
pub(super) fn unix_path(path: &Path) -> PathBuf {
    match path.as_os_str().as_bytes() {
        [b'@', name @ ..] => std::ffi::OsString::from_vec([b"\0", name].concat()).into(),
        bytes => OsStr::from_bytes(bytes).into(),
    }
}
