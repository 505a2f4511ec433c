//! Where connections come in.

use super::{ChainIndex, Source, TableId, TcpChain};
use std::{fmt, net::SocketAddr, path::PathBuf, sync::Arc};

/// One (bind address, port) with what happens to the connections that it accepts.
#[derive(Clone, Debug)]
pub struct Listener {
    /// As Envoy names it: `0.0.0.0_8080`.
    pub name: String,
    /// Where it listens, after the port map.
    pub bind: BindAddress,
    /// What happens to a connection.
    pub chain: Chain,
    /// The server that opened it first.
    pub source: Source,
}

/// An address to listen on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum BindAddress {
    /// An IP address and port.
    Tcp(SocketAddr),
    /// A path of a Unix socket; one that begins with `@` is in the abstract namespace.
    Unix(PathBuf),
}

impl fmt::Display for BindAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BindAddress::Tcp(address) => address.fmt(f),
            BindAddress::Unix(path) => write!(f, "unix://{}", path.display()),
        }
    }
}

/// What a listener does for its connections.
#[derive(Clone, Debug)]
pub enum Chain {
    /// Plain-text HTTP, routed by this table.
    Http(TableId),
    /// Plain TCP.
    Tcp(Arc<TcpChain>),
    /// TLS: the ClientHello's SNI chooses one of several filter chains.
    Tls(Arc<ChainIndex>),
}
