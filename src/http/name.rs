//! The field names that the proxy itself looks at, found once when a head is decoded.

/// A field name that some part of the proxy reads or writes. Everything else is [`Name::Other`]: passed on, and
/// found by comparing its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Name {
    /// Any name without a variant of its own.
    Other,
    /// `connection`
    Connection,
    /// `content-length`
    ContentLength,
    /// `content-type`
    ContentType,
    /// `date`
    Date,
    /// `expect`
    Expect,
    /// `host`
    Host,
    /// `http2-settings`
    Http2Settings,
    /// `keep-alive`
    KeepAlive,
    /// `location`
    Location,
    /// `proxy-connection`
    ProxyConnection,
    /// `server`
    Server,
    /// `te`
    Te,
    /// `trailer`
    Trailer,
    /// `transfer-encoding`
    TransferEncoding,
    /// `upgrade`
    Upgrade,
    /// `user-agent`
    UserAgent,
    /// `x-forwarded-client-cert`
    XForwardedClientCert,
    /// `x-forwarded-for`
    XForwardedFor,
    /// `x-forwarded-host`
    XForwardedHost,
    /// `x-forwarded-proto`
    XForwardedProto,
    /// `x-request-id`
    XRequestId,
    /// Any name that begins with `x-envoy-`.
    XEnvoy,
}

/// All names with a variant of their own.
const KNOWN: [(&[u8], Name); 21] = [
    (b"connection", Name::Connection),
    (b"content-length", Name::ContentLength),
    (b"content-type", Name::ContentType),
    (b"date", Name::Date),
    (b"expect", Name::Expect),
    (b"host", Name::Host),
    (b"http2-settings", Name::Http2Settings),
    (b"keep-alive", Name::KeepAlive),
    (b"location", Name::Location),
    (b"proxy-connection", Name::ProxyConnection),
    (b"server", Name::Server),
    (b"te", Name::Te),
    (b"trailer", Name::Trailer),
    (b"transfer-encoding", Name::TransferEncoding),
    (b"upgrade", Name::Upgrade),
    (b"user-agent", Name::UserAgent),
    (b"x-forwarded-client-cert", Name::XForwardedClientCert),
    (b"x-forwarded-for", Name::XForwardedFor),
    (b"x-forwarded-host", Name::XForwardedHost),
    (b"x-forwarded-proto", Name::XForwardedProto),
    (b"x-request-id", Name::XRequestId),
];

/// For each first letter (its low five bits), a bit for each length that a known name has. Most names are not known,
/// and this says so with one look.
const LENGTHS: [u32; 32] = lengths();

const fn lengths() -> [u32; 32] {
    let mut lengths = [0; 32];
    let mut at = 0;
    while at < KNOWN.len() {
        let text = KNOWN[at].0;
        assert!(text.len() < 32);
        lengths[(text[0] & 31) as usize] |= 1 << text.len();
        at += 1;
    }
    lengths
}

impl Name {
    /// The variant for a name that is already in lower case.
    pub fn of(lower: &[u8]) -> Name {
        let Some(first) = lower.first() else { return Name::Other };
        let lengths = LENGTHS[usize::from(first & 31)];
        if lower.len() < 32 && lengths >> lower.len() & 1 != 0 {
            for (text, name) in KNOWN {
                if text == lower {
                    return name;
                }
            }
        }
        if *first == b'x' && lower.starts_with(b"x-envoy-") { Name::XEnvoy } else { Name::Other }
    }
}

/// Whether a byte may be part of a token: a method, a field name (RFC 9110 section 5.6.2).
pub const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_name_is_found() {
        for (text, name) in KNOWN {
            assert_eq!(Name::of(text), name);
            let longer = [text, b"s"].concat();
            assert_eq!(Name::of(&longer), Name::Other);
        }
        for other in ["", "x-envoy", "cookie", "hosu", "\u{0}", "x-forwarded-client-certificate-and-more"] {
            assert_eq!(Name::of(other.as_bytes()), Name::Other, "{other}");
        }
        assert_eq!(Name::of(b"x-envoy-retry-on"), Name::XEnvoy);
    }
}
