//! Addresses to a header's bytes.

use super::Behind;
use ppp::v2::{Builder, Command, Protocol, Version};

/// A header of version 1. Without addresses (a client of a Unix socket) it says `UNKNOWN`.
pub fn v1(behind: Option<Behind>) -> Vec<u8> {
    let Some(Behind { source, destination }) = behind.map(Behind::in_one_family) else {
        return b"PROXY UNKNOWN\r\n".to_vec();
    };
    let family = if source.is_ipv4() { "TCP4" } else { "TCP6" };
    format!(
        "PROXY {family} {} {} {} {}\r\n",
        source.ip(),
        destination.ip(),
        source.port(),
        destination.port()
    )
    .into_bytes()
}

/// A header of version 2. Without addresses (a client of a Unix socket) it says `LOCAL`.
pub fn v2(behind: Option<Behind>) -> Vec<u8> {
    let builder = match behind.map(Behind::in_one_family) {
        Some(Behind { source, destination }) => {
            Builder::with_addresses(Version::Two | Command::Proxy, Protocol::Stream, (source, destination))
        }
        None => Builder::new(Version::Two | Command::Local, 0),
    };
    // Only too many TLVs could fail, and there are none.
    builder.build().unwrap_or_default()
}
