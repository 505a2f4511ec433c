//! What an expression can ask about: Envoy's attributes, as far as a gateway has them.

/// A number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NumberOf {
    ResponseCode,
    /// Envoy's bits of the flags.
    ResponseFlags,
    GrpcStatus,
    RequestSize,
    ResponseSize,
    /// In nanoseconds.
    Duration,
    /// In nanoseconds.
    BackendLatency,
    Attempts,
    ConnectionId,
    SourcePort,
    DestinationPort,
    UpstreamPort,
}

/// A text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TextOf {
    Method,
    /// With the query.
    Path,
    /// Without the query.
    UrlPath,
    Query,
    Host,
    Scheme,
    Protocol,
    RequestId,
    UserAgent,
    ResponseCodeDetails,
    TerminationDetails,
    FailureReason,
    ServerName,
    TlsVersion,
    Source,
    Destination,
    Upstream,
    Cluster,
    Route,
    /// A field of the request, in lower case.
    RequestHeader(Box<[u8]>),
    /// A field of the answer, in lower case.
    ResponseHeader(Box<[u8]>),
}

/// Yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BoolOf {
    Mtls,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Attribute {
    Number(NumberOf),
    Text(TextOf),
    Bool(BoolOf),
    /// A mapping, which needs a key.
    Fields(Fields),
}

/// A mapping of fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fields {
    Request,
    Response,
}

impl Fields {
    pub(super) fn get(self, name: &str) -> TextOf {
        let name = name.to_ascii_lowercase().into_bytes().into();
        match self {
            Fields::Request => TextOf::RequestHeader(name),
            Fields::Response => TextOf::ResponseHeader(name),
        }
    }
}

/// Those that are known, for messages.
pub(super) const KNOWN: &str = "response.code, response.flags, response.code_details, response.grpc_status, \
    response.size, response.headers, response.backend_latency, request.method, request.path, \
    request.url_path, request.query, request.host, request.scheme, request.protocol, request.id, request.useragent, \
    request.referer, request.headers, request.size, request.duration, source.address, source.port, \
    destination.address, destination.port, connection.id, connection.mtls, connection.requested_server_name, \
    connection.tls_version, connection.termination_details, upstream.address, upstream.port, \
    upstream.request_attempt_count, upstream.transport_failure_reason, xds.cluster_name, xds.route_name";

/// By its name.
pub(super) fn attribute(name: &str) -> Option<Attribute> {
    use Attribute::{Bool, Number, Text};
    Some(match name {
        "response.code" => Number(NumberOf::ResponseCode),
        "response.flags" => Number(NumberOf::ResponseFlags),
        "response.grpc_status" => Number(NumberOf::GrpcStatus),
        "request.size" | "request.total_size" => Number(NumberOf::RequestSize),
        "response.size" | "response.total_size" => Number(NumberOf::ResponseSize),
        "request.duration" | "response.duration" => Number(NumberOf::Duration),
        "response.backend_latency" => Number(NumberOf::BackendLatency),
        "upstream.request_attempt_count" => Number(NumberOf::Attempts),
        "connection.id" => Number(NumberOf::ConnectionId),
        "source.port" => Number(NumberOf::SourcePort),
        "destination.port" => Number(NumberOf::DestinationPort),
        "upstream.port" => Number(NumberOf::UpstreamPort),
        "connection.mtls" => Bool(BoolOf::Mtls),
        "request.headers" => Attribute::Fields(Fields::Request),
        "response.headers" => Attribute::Fields(Fields::Response),
        "request.method" => Text(TextOf::Method),
        "request.path" => Text(TextOf::Path),
        "request.url_path" => Text(TextOf::UrlPath),
        "request.query" => Text(TextOf::Query),
        "request.host" => Text(TextOf::Host),
        "request.scheme" => Text(TextOf::Scheme),
        "request.protocol" => Text(TextOf::Protocol),
        "request.id" => Text(TextOf::RequestId),
        "request.useragent" => Text(TextOf::UserAgent),
        "request.referer" => Text(Fields::Request.get("referer")),
        "response.code_details" => Text(TextOf::ResponseCodeDetails),
        "connection.termination_details" => Text(TextOf::TerminationDetails),
        "connection.requested_server_name" => Text(TextOf::ServerName),
        "connection.tls_version" => Text(TextOf::TlsVersion),
        "source.address" => Text(TextOf::Source),
        "destination.address" => Text(TextOf::Destination),
        "upstream.address" => Text(TextOf::Upstream),
        "upstream.transport_failure_reason" => Text(TextOf::FailureReason),
        "xds.cluster_name" => Text(TextOf::Cluster),
        "xds.route_name" => Text(TextOf::Route),
        _ => return None,
    })
}

impl NumberOf {
    /// It is compared with durations.
    pub(super) fn is_duration(self) -> bool {
        matches!(self, NumberOf::Duration | NumberOf::BackendLatency)
    }
}
