//! What only some formats of the access log ask for.

use super::{ConnectionInfo, client_cert, environment::Scratch};
use crate::telemetry::{Facts, TlsFact, ValidityEnd};
use std::io::Write;

/// What is known of a connection, and of the exchange on it if there is one.
pub struct LogFacts<'f> {
    info: &'f ConnectionInfo,
    scratch: Option<&'f Scratch>,
}

impl<'f> LogFacts<'f> {
    /// Of a connection without an exchange.
    pub fn of_connection(info: &'f ConnectionInfo) -> LogFacts<'f> {
        LogFacts { info, scratch: None }
    }

    pub(super) fn of_exchange(info: &'f ConnectionInfo, scratch: &'f Scratch) -> LogFacts<'f> {
        LogFacts { info, scratch: Some(scratch) }
    }
}

impl Facts for LogFacts<'_> {
    fn request_field(&self, name: &[u8]) -> Option<&[u8]> {
        let request = &self.scratch?.request;
        match name {
            b":method" => Some(&request.method),
            b":path" => Some(&request.target),
            b":authority" | b"host" => Some(&request.authority),
            b":scheme" => Some(self.info.scheme.as_str().as_bytes()),
            _ => request.fields.get_text(name),
        }
    }

    fn response_field(&self, name: &[u8]) -> Option<&[u8]> {
        self.scratch?.response.fields.get_text(name)
    }

    fn direct_remote(&self, out: &mut Vec<u8>) {
        if let Some(address) = self.info.direct_peer {
            // Writing to memory can't fail.
            let _ = write!(out, "{address}");
        }
    }

    fn tls(&self, fact: TlsFact, out: &mut Vec<u8>) {
        if let Some(tls) = &self.info.tls {
            fact.render(&client_cert::facts(tls), out);
        }
    }

    fn validity(&self, end: ValidityEnd) -> Option<u64> {
        let tls = self.info.tls.as_deref()?;
        client_cert::facts(tls).peer.map(|peer| end.of(&peer))
    }

    fn is_mutual(&self) -> bool {
        self.info.tls.as_ref().is_some_and(|tls| tls.peer.is_some() && tls.is_peer_verified)
    }
}
