//! What is attached to what, for `explain`, `routes` and the admin page.

use crate::table::{BindAddress, Source};

/// What became of the Gateways' servers, in merge order.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    /// The servers of the Gateways that apply, those without a listener too.
    pub servers: Vec<ServerEntry>,
}

/// One server of a Gateway.
#[derive(Clone, Debug)]
pub struct ServerEntry {
    /// `Gateway infra/public` and the place of the server.
    pub source: Source,
    /// The port in the Gateway, which `match.port` means.
    pub declared_port: u16,
    /// Where it listens, or would.
    pub bind: BindAddress,
    /// As written, such as `HTTPS`.
    pub protocol: String,
    /// Its hosts without the namespaces, in lower case.
    pub hosts: Vec<String>,
    /// Whether there is a listener, and if not, why.
    pub state: ServerState,
    /// The VirtualServices that are attached to it, in the order in which their rules are tried.
    pub virtual_services: Vec<Source>,
}

/// Whether a server of a Gateway listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerState {
    /// The position of its listener in [`Snapshot::listeners`](crate::table::Snapshot::listeners).
    Listening(usize),
    /// It lost against an earlier server on the same port; a diagnostic names that one.
    Dropped,
    /// Its protocol is not supported yet.
    NotSupported,
}
