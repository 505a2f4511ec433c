//! What both directions of an established connection share.

use super::record::{Alert, Opener, Sealer};
use rustls::{
    ConnectionTrafficSecrets, ProtocolVersion, client::ClientConnectionData, kernel::KernelConnection,
    server::ServerConnectionData,
};
use std::cell::{Cell, RefCell};

/// rustls' half of an established connection: it makes new keys and keeps tickets.
pub(super) enum Kernel {
    /// TLS was ended for a client.
    Server(KernelConnection<ServerConnectionData>),
    /// TLS was begun to an upstream.
    Client(KernelConnection<ClientConnectionData>),
}

/// What both directions share.
pub(super) struct Session {
    kernel: RefCell<Kernel>,
    version: ProtocolVersion,
    /// The peer wants our next record to be sealed with another key (RFC 8446 section 4.6.3).
    pub(super) update_wanted: Cell<bool>,
    /// Why reading ended; the peer is told when the connection closes.
    pub(super) alert: Cell<Option<Alert>>,
}

impl Session {
    pub(super) fn new(kernel: Kernel, version: ProtocolVersion) -> Session {
        Session {
            kernel: RefCell::new(kernel),
            version,
            update_wanted: Cell::new(false),
            alert: Cell::new(None),
        }
    }

    pub(super) fn is_tls13(&self) -> bool {
        self.version == ProtocolVersion::TLSv1_3
    }

    /// The next key for what we send.
    pub(super) fn next_sealer(&self) -> Option<Sealer> {
        let secrets: Result<(u64, ConnectionTrafficSecrets), _> = match &mut *self.kernel.borrow_mut() {
            Kernel::Server(kernel) => kernel.update_tx_secret(),
            Kernel::Client(kernel) => kernel.update_tx_secret(),
        };
        secrets.ok().and_then(|secrets| Sealer::new(secrets, self.version).ok())
    }

    /// The next key for what we receive.
    pub(super) fn next_opener(&self) -> Option<Opener> {
        let secrets = match &mut *self.kernel.borrow_mut() {
            Kernel::Server(kernel) => kernel.update_rx_secret(),
            Kernel::Client(kernel) => kernel.update_rx_secret(),
        };
        secrets.ok().and_then(|secrets| Opener::new(secrets, self.version).ok())
    }

    /// Keeps a ticket of an upstream for the next connection to it. Only a client gets any.
    pub(super) fn keep_ticket(&self, ticket: &[u8]) -> Result<(), Alert> {
        match &mut *self.kernel.borrow_mut() {
            Kernel::Server(_) => Err(Alert::UnexpectedMessage),
            Kernel::Client(kernel) => {
                kernel.handle_new_session_ticket(ticket).map_err(|_| Alert::DecodeError)
            }
        }
    }

    /// Whether the peer is a server.
    pub(super) fn is_client(&self) -> bool {
        matches!(*self.kernel.borrow(), Kernel::Client(_))
    }
}
