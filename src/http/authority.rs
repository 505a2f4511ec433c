//! Authorities: `host [":" port]` of RFC 3986, as strict as a gateway that routes by them must be.

use std::net::Ipv6Addr;

/// The longest authority: a DNS name has at most 253 bytes, and a port adds six.
pub const AUTHORITY_BYTES_MAX: usize = 260;

/// Whether these bytes are a host and perhaps a port.
///
/// A host is letters, digits, `-`, `.`, `_` and `~`, or an IPv6 address in brackets. User information has no place in
/// `host` (RFC 9110 section 7.2). Percent escapes and the sub-delimiters of RFC 3986 section 3.2.2 are refused: no
/// DNS name has them, and parsers disagree on what they name. A port may be empty (`port = *DIGIT`) but not zero.
pub fn is_authority(bytes: &[u8]) -> bool {
    if bytes.is_empty() || bytes.len() > AUTHORITY_BYTES_MAX {
        return false;
    }
    let host_len = match bytes {
        [b'[', rest @ ..] => match memchr::memchr(b']', rest) {
            Some(end) if is_ipv6(&rest[..end]) => end + 2,
            _ => return false,
        },
        _ => bytes.iter().position(|&byte| !NAME[usize::from(byte)]).unwrap_or(bytes.len()),
    };
    match &bytes[host_len..] {
        _ if host_len == 0 => false,
        [] => true,
        [b':', port @ ..] => is_port(port),
        _ => false,
    }
}

/// Whether two authorities name the same host and port: without regard to case, and with the scheme's own port
/// being the same as none (RFC 3986 section 6.2.3).
pub fn same_authority(one: &[u8], other: &[u8], default_port: &[u8]) -> bool {
    let (one_host, one_port) = split_port(one);
    let (other_host, other_port) = split_port(other);
    let one_port = one_port.filter(|digits| !digits.is_empty()).unwrap_or(default_port);
    let other_port = other_port.filter(|digits| !digits.is_empty()).unwrap_or(default_port);
    one_host.eq_ignore_ascii_case(other_host) && one_port == other_port
}

/// The host, brackets kept, and what follows its colon.
pub fn split_port(authority: &[u8]) -> (&[u8], Option<&[u8]>) {
    let name_end = match authority.first() {
        Some(b'[') => memchr::memchr(b']', authority).map_or(authority.len(), |at| at + 1),
        _ => 0,
    };
    match memchr::memchr(b':', &authority[name_end..]) {
        Some(colon) => (&authority[..name_end + colon], Some(&authority[name_end + colon + 1..])),
        None => (authority, None),
    }
}

/// The bytes of a host that is a name.
const NAME: [bool; 256] = name_bytes();

const fn name_bytes() -> [bool; 256] {
    let mut allowed = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        allowed[byte] =
            (byte as u8).is_ascii_alphanumeric() || matches!(byte as u8, b'-' | b'.' | b'_' | b'~');
        byte += 1;
    }
    allowed
}

fn is_port(digits: &[u8]) -> bool {
    let value = digits.iter().try_fold(0u32, |sum, digit| match digit {
        b'0'..=b'9' if sum <= 65535 => Some(sum * 10 + u32::from(digit - b'0')),
        _ => None,
    });
    digits.is_empty() || value.is_some_and(|value| (1..=65535).contains(&value))
}

fn is_ipv6(address: &[u8]) -> bool {
    std::str::from_utf8(address).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities_that_hold() {
        for good in [
            "a",
            "example.com",
            "EXAMPLE.com.",
            "a_b:8080",
            "a:",
            "127.0.0.1:1",
            "[::1]",
            "[2001:db8::1]:443",
            "a:65535",
        ] {
            assert!(is_authority(good.as_bytes()), "{good}");
        }
    }

    #[test]
    fn authorities_that_do_not() {
        let bad = [
            "",
            ":80",
            "a:0",
            "a:65536",
            "a:80:81",
            "a:8x",
            "u@a",
            "a/b",
            "a b",
            "a,b",
            "[::1",
            "[::gg]",
            "[::1]x",
            "[]",
            "::1",
            "a%61",
            "a\\b",
            "<a>",
            "\"a\"",
            "a^b",
            "a?b",
            "a#b",
            "[::1%25eth0]",
            "[v1.a]",
            "*",
            "a\tb",
            "a\u{80}",
        ];
        for bad in bad {
            assert!(!is_authority(bad.as_bytes()), "{bad}");
        }
        assert!(!is_authority(&[b'a'; AUTHORITY_BYTES_MAX + 1]));
    }

    #[test]
    fn the_default_port_is_the_same_as_none() {
        assert!(same_authority(b"A.example", b"a.example:80", b"80"));
        assert!(same_authority(b"a:", b"a", b"80"));
        assert!(!same_authority(b"a:81", b"a", b"80"));
        assert!(!same_authority(b"a", b"b", b"80"));
    }
}
