//! The PROXY protocol: who is behind a connection that a proxy has opened for them (HAProxy's `proxy-protocol.txt`).
//!
//! - `decode`: a header's bytes to addresses
//! - `encode`: addresses to a header's bytes
//! - `read`: reading a header from a connection

mod decode;
mod encode;
mod read;

pub use decode::{Decoded, HEADER_MAX, decode};
pub use encode::{v1, v2};
pub use read::{Unread, read};

use std::net::SocketAddr;

/// Whom a connection was opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Behind {
    /// The client.
    pub source: SocketAddr,
    /// Where the client connected to.
    pub destination: SocketAddr,
}

impl Behind {
    /// Both addresses, in one family: an IPv4 address beside an IPv6 one is mapped. A header has one family for both.
    fn in_one_family(self) -> Behind {
        let map = |address: SocketAddr| match address {
            SocketAddr::V4(v4) => SocketAddr::new(v4.ip().to_ipv6_mapped().into(), v4.port()),
            v6 => v6,
        };
        if self.source.is_ipv4() == self.destination.is_ipv4() {
            return self;
        }
        Behind { source: map(self.source), destination: map(self.destination) }
    }
}
