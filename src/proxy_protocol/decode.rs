//! A header's bytes to addresses.
//!
//! Where a header ends is found here, within our limits; what the addresses are is left to the `ppp` crate, which sees
//! whole headers only. So a part of a header never depends on what that crate thinks of parts.

use super::Behind;
use ppp::{v1, v2};
use std::net::SocketAddr;

/// The longest line of version 1, with its end (section 2.1).
const LINE_MAX: usize = 107;
/// What every header of version 2 begins with.
const SIGNATURE: &[u8] = v2::PROTOCOL_PREFIX;
/// Signature, version and command, family and protocol, length.
const FIXED: usize = 16;
/// What may follow: addresses, and what else the proxy tells (its client's certificate, say). Two addresses of Unix
/// sockets are 216 bytes; TLVs of cloud balancers are some 20 to 60 bytes. HAProxy's own limit is of this order.
const REST_MAX: usize = 512;

/// The longest header that is accepted.
pub const HEADER_MAX: usize = FIXED + REST_MAX;

/// What bytes at the beginning of a connection are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// The beginning of a header.
    Incomplete,
    /// A header of this length. `None`: the proxy speaks for itself (`LOCAL`, `UNKNOWN`), or its client has no IP address.
    Header {
        /// Its bytes.
        len: usize,
        /// For whom.
        behind: Option<Behind>,
    },
    /// Something else, or a header that breaks the rules.
    Broken,
}

/// Looks at the beginning of a connection.
pub fn decode(bytes: &[u8]) -> Decoded {
    if bytes.starts_with(SIGNATURE) {
        return version_2(bytes);
    }
    let prefix = b"PROXY ";
    let known = bytes.len().min(prefix.len());
    if bytes.get(..known) == prefix.get(..known) && !bytes.is_empty() {
        return version_1(bytes);
    }
    if SIGNATURE.starts_with(bytes) { Decoded::Incomplete } else { Decoded::Broken }
}

fn version_1(bytes: &[u8]) -> Decoded {
    let within = bytes.get(..LINE_MAX).unwrap_or(bytes);
    let Some(end) = within.iter().position(|byte| *byte == b'\n') else {
        return if bytes.len() < LINE_MAX { Decoded::Incomplete } else { Decoded::Broken };
    };
    let len = end + 1;
    let line = within.get(..len).unwrap_or_default();
    // What stands behind it on the line has to be ignored (section 2.1).
    if line.starts_with(b"PROXY UNKNOWN") && line.ends_with(b"\r\n") {
        return match line.get(13) {
            Some(b' ' | b'\r') => Decoded::Header { len, behind: None },
            _ => Decoded::Broken,
        };
    }
    match v1::Header::try_from(line) {
        Ok(header) if header.header.len() == len => Decoded::Header {
            len,
            behind: match header.addresses {
                v1::Addresses::Tcp4(a) => behind(
                    (a.source_address.into(), a.source_port),
                    (a.destination_address.into(), a.destination_port),
                ),
                v1::Addresses::Tcp6(a) => behind(
                    (a.source_address.into(), a.source_port),
                    (a.destination_address.into(), a.destination_port),
                ),
                v1::Addresses::Unknown => None,
            },
        },
        _ => Decoded::Broken,
    }
}

fn version_2(bytes: &[u8]) -> Decoded {
    let Some(fixed) = bytes.get(..FIXED) else { return Decoded::Incomplete };
    let rest = u16::from_be_bytes([fixed[14], fixed[15]]) as usize;
    if rest > REST_MAX {
        return Decoded::Broken;
    }
    let len = FIXED + rest;
    let Some(whole) = bytes.get(..len) else { return Decoded::Incomplete };
    let Ok(header) = v2::Header::try_from(whole) else { return Decoded::Broken };
    if header.command == v2::Command::Local {
        return Decoded::Header { len, behind: None };
    }
    // A client of UDP can't be behind a TCP connection.
    if header.protocol == v2::Protocol::Datagram {
        return Decoded::Broken;
    }
    let behind = match header.addresses {
        v2::Addresses::IPv4(a) => behind(
            (a.source_address.into(), a.source_port),
            (a.destination_address.into(), a.destination_port),
        ),
        v2::Addresses::IPv6(a) => behind(
            (a.source_address.into(), a.source_port),
            (a.destination_address.into(), a.destination_port),
        ),
        v2::Addresses::Unspecified | v2::Addresses::Unix(_) => None,
    };
    Decoded::Header { len, behind }
}

fn behind(source: (std::net::IpAddr, u16), destination: (std::net::IpAddr, u16)) -> Option<Behind> {
    // Mapped addresses are IPv4 addresses to everybody who reads them.
    let address = |(ip, port): (std::net::IpAddr, u16)| SocketAddr::new(ip.to_canonical(), port);
    Some(Behind { source: address(source), destination: address(destination) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy_protocol::{v1, v2};

    fn of(source: &str, destination: &str) -> Behind {
        Behind { source: source.parse().unwrap(), destination: destination.parse().unwrap() }
    }

    fn header(bytes: &[u8], behind: Option<Behind>) {
        assert_eq!(decode(bytes), Decoded::Header { len: bytes.len(), behind }, "{}", bytes.escape_ascii());
        // Every part of it is incomplete, and what follows does not matter.
        for end in 0..bytes.len() {
            assert_eq!(decode(&bytes[..end]), Decoded::Incomplete, "{}", bytes[..end].escape_ascii());
        }
        let more = [bytes, b"GET / HTTP/1.1\r\n\r\n"].concat();
        assert_eq!(decode(&more), Decoded::Header { len: bytes.len(), behind });
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        for behind in [
            of("192.0.2.1:65535", "198.51.100.7:443"),
            of("[2001:db8::1]:1", "[2001:db8:ffff:ffff:ffff:ffff:ffff:ffff]:65535"),
        ] {
            header(&v1(Some(behind)), Some(behind));
            header(&v2(Some(behind)), Some(behind));
        }
        header(&v1(None), None);
        header(&v2(None), None);
        let mixed = of("192.0.2.1:80", "[2001:db8::1]:443");
        header(&v1(Some(mixed)), Some(mixed));
        header(&v2(Some(mixed)), Some(mixed));
    }

    #[test]
    fn headers_of_other_proxies() {
        header(
            b"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n",
            Some(of("192.168.0.1:56324", "192.168.0.11:443")),
        );
        header(b"PROXY UNKNOWN\r\n", None);
        header(b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n", None);
        header(b"PROXY UNKNOWN of what kind nobody knows and nobody may ask\r\n", None);
        let local = [SIGNATURE, &[0x20, 0x00, 0, 0]].concat();
        header(&local, None);
        // With a TLV behind the addresses.
        let told =
            [SIGNATURE, &[0x21, 0x11, 0, 16, 10, 0, 0, 1, 10, 0, 0, 2, 0, 80, 1, 187, 4, 0, 1, 42]].concat();
        header(&told, Some(of("10.0.0.1:80", "10.0.0.2:443")));
        // Unix sockets have no address that could be told on.
        let unix = [SIGNATURE, &[0x21, 0x31, 0, 216], &[0; 216]].concat();
        header(&unix, None);
    }

    #[test]
    fn what_breaks_the_rules_is_broken_as_soon_as_it_shows() {
        let long = format!("PROXY TCP4 {} 1.1.1.1 1 1\r\n", "1".repeat(100));
        for bytes in [
            &b"GET / HTTP/1.1\r\n"[..],
            b"\x16\x03\x01\x02\x00",
            b"PROXX",
            b"\r\n\r\n\0\r\nQUIT\r",
            b"PROXY TCP5 1.1.1.1 1.1.1.1 1 1\r\n",
            b"PROXY TCP4 1.1.1.1 1.1.1.1 1 1\n",
            b"PROXY TCP4 1.1.1.1 1.1.1.1 01 1\r\n",
            b"PROXY TCP4 1.1.1.1 1.1.1.1 1 65536\r\n",
            b"PROXY TCP4 1.1.1.1  1.1.1.1 1 1\r\n",
            b"PROXY TCP4 ::1 ::1 1 1\r\n",
            b"PROXY TCP6 1.1.1.1 1.1.1.1 1 1\r\n",
            b"PROXY TCP4 1.1.1.1 1.1.1.1 1\r\n",
            b"PROXY TCP4 1.1.1.1 1.1.1.1 1 1 1\r\n",
            b"PROXY \xff\r\n",
            b"PROXY UNKNOWNS\r\n",
            b"PROXY UNKNOWN\n",
            b"PROXY\r\n",
            long.as_bytes(),
        ] {
            assert_eq!(decode(bytes), Decoded::Broken, "{}", bytes.escape_ascii());
        }
        let second = |rest: &[u8]| decode(&[SIGNATURE, rest].concat());
        for rest in [
            &[0x11, 0x11, 0, 0][..],
            &[0x22, 0x11, 0, 0],
            &[0x21, 0x41, 0, 0],
            &[0x21, 0x13, 0, 0],
            // Too short for its addresses, too long altogether, UDP.
            &[0x21, 0x11, 0, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            &[0x21, 0x11, 2, 1],
            &[0x21, 0x12, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        ] {
            assert_eq!(second(rest), Decoded::Broken, "{rest:?}");
        }
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let mut state = 1u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize
        };
        let seeds = [v1(Some(of("1.2.3.4:5", "6.7.8.9:10"))), v2(Some(of("[::1]:5", "[::2]:10"))), v1(None)];
        for _ in 0..200_000 {
            let mut bytes = seeds[next() % seeds.len()].clone();
            for _ in 0..=next() % 4 {
                let at = next() % bytes.len();
                bytes[at] = next() as u8;
            }
            bytes.truncate(next() % (bytes.len() + 1));
            decode(&bytes);
        }
    }
}
