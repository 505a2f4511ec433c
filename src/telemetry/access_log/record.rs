//! Everything a line can say.

use super::super::{Flag, TlsFact, ValidityEnd};

/// What is known of a request and its answer, or of a connection. What is not known is empty, and written as `-`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Record<'a> {
    /// When the first byte of the request came, Unix time in milliseconds.
    pub start_ms: u64,
    /// The method.
    pub method: &'a [u8],
    /// The path before any rewrite, with the query.
    pub path: &'a [u8],
    /// `HTTP/1.1`
    pub protocol: &'static str,
    /// The status sent to the client; 0 if none was.
    pub status: u16,
    /// Why it ended as it did.
    pub flag: Option<Flag>,
    /// Why there was no other attempt, where one was wanted (`URX`, `UO`); written before the other, as `URX,UF`.
    pub retry_flag: Option<Flag>,
    /// It was made to wait: `DI`, beside the flag.
    pub is_delayed: bool,
    /// Envoy's response code details, such as `via_upstream`.
    pub details: &'a str,
    /// Why a connection was ended, where neither side asked for it (`%CONNECTION_TERMINATION_DETAILS%`).
    pub termination: &'a str,
    /// What the operating system said when connecting failed.
    pub transport_failure: &'a str,
    /// Body bytes from the client.
    pub bytes_received: u64,
    /// Body bytes to the client.
    pub bytes_sent: u64,
    /// From the first byte of the request to the last of the answer, in milliseconds.
    pub duration_ms: u64,
    /// Until the response head came, in milliseconds.
    pub upstream_service_ms: Option<u64>,
    /// `x-forwarded-for` as the upstream saw it.
    pub forwarded_for: &'a [u8],
    /// `user-agent`
    pub user_agent: &'a [u8],
    /// `x-request-id`
    pub request_id: &'a [u8],
    /// The authority as the upstream saw it.
    pub authority: &'a [u8],
    /// `http` or `https`; nothing for a connection without HTTP.
    pub scheme: &'static str,
    /// The endpoint's address.
    pub upstream_host: &'a [u8],
    /// The cluster's name.
    pub upstream_cluster: &'a [u8],
    /// Our address on the upstream connection.
    pub upstream_local: &'a [u8],
    /// What was spoken to the endpoint: `HTTP/1.1`.
    pub upstream_protocol: &'static str,
    /// How often an endpoint was asked; 0 if none was.
    pub attempts: u32,
    /// Our address on the downstream connection.
    pub downstream_local: &'a [u8],
    /// The client's address.
    pub downstream_remote: &'a [u8],
    /// The SNI.
    pub server_name: &'a [u8],
    /// The route's name.
    pub route_name: &'a [u8],
    /// The number of the client's connection, of all since the start; 0: not known.
    pub connection_id: u64,
    /// `grpc-status`, where the answer had one.
    pub grpc_status: Option<u32>,
    /// The trace's id, where the request has a span.
    pub trace_id: Option<u128>,
    /// The id of the server's span.
    pub span_id: Option<u64>,
    /// What the route says of its lines.
    pub choice: super::LogChoice,
}

/// What only some formats and conditions ask for, and is looked for then. What is not known is nothing.
pub trait Facts {
    /// A field of the request as the upstream saw it; the name is in lower case and may be that of a pseudo header.
    fn request_field(&self, name: &[u8]) -> Option<&[u8]>;
    /// A field of the answer as the client saw it.
    fn response_field(&self, name: &[u8]) -> Option<&[u8]>;
    /// The address at the other end of the connection, which may be a proxy's.
    fn direct_remote(&self, out: &mut Vec<u8>);
    /// Appends a fact about the client's TLS.
    fn tls(&self, fact: TlsFact, out: &mut Vec<u8>);
    /// From or until when the client's certificate holds, Unix time in milliseconds.
    fn validity(&self, end: ValidityEnd) -> Option<u64>;
    /// Whether the client has shown a certificate that somebody who is trusted vouches for.
    fn is_mutual(&self) -> bool;
}

/// Nothing is known.
impl Facts for () {
    fn request_field(&self, _: &[u8]) -> Option<&[u8]> {
        None
    }

    fn response_field(&self, _: &[u8]) -> Option<&[u8]> {
        None
    }

    fn direct_remote(&self, _: &mut Vec<u8>) {}

    fn tls(&self, _: TlsFact, _: &mut Vec<u8>) {}

    fn validity(&self, _: ValidityEnd) -> Option<u64> {
        None
    }

    fn is_mutual(&self) -> bool {
        false
    }
}

impl Record<'_> {
    /// It is an error to those who log only these: a status from 400, or a flag that says that it ended badly.
    pub fn is_error(&self) -> bool {
        self.status >= 400 || self.flag.is_some() || self.retry_flag.is_some()
    }

    /// The flags in the order in which Envoy has written them since 1.30, that in which things happened: it was made to
    /// wait, no try was left, and why it ended.
    pub(super) fn flags(&self) -> [&'static str; 3] {
        let delayed = if self.is_delayed { "DI" } else { "" };
        let [retry, flag] = [self.retry_flag, self.flag].map(|flag| flag.map_or("", Flag::as_str));
        [delayed, retry, flag]
    }
}
