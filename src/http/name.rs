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

impl Name {
    /// The variant for a name that is already in lower case.
    pub fn of(lower: &[u8]) -> Name {
        match lower.len() {
            2 if lower == b"te" => Name::Te,
            4 if lower == b"host" => Name::Host,
            4 if lower == b"date" => Name::Date,
            6 if lower == b"expect" => Name::Expect,
            6 if lower == b"server" => Name::Server,
            7 if lower == b"trailer" => Name::Trailer,
            7 if lower == b"upgrade" => Name::Upgrade,
            8 if lower == b"location" => Name::Location,
            10 if lower == b"connection" => Name::Connection,
            10 if lower == b"keep-alive" => Name::KeepAlive,
            10 if lower == b"user-agent" => Name::UserAgent,
            12 if lower == b"content-type" => Name::ContentType,
            12 if lower == b"x-request-id" => Name::XRequestId,
            14 if lower == b"content-length" => Name::ContentLength,
            14 if lower == b"http2-settings" => Name::Http2Settings,
            15 if lower == b"x-forwarded-for" => Name::XForwardedFor,
            16 if lower == b"proxy-connection" => Name::ProxyConnection,
            16 if lower == b"x-forwarded-host" => Name::XForwardedHost,
            17 if lower == b"transfer-encoding" => Name::TransferEncoding,
            17 if lower == b"x-forwarded-proto" => Name::XForwardedProto,
            23 if lower == b"x-forwarded-client-cert" => Name::XForwardedClientCert,
            _ if lower.starts_with(b"x-envoy-") => Name::XEnvoy,
            _ => Name::Other,
        }
    }
}

/// Whether a byte may be part of a token: a method, a field name (RFC 9110 section 5.6.2).
pub fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
