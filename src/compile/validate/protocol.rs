//! The protocols that a Gateway or ServiceEntry can say for a port.

/// What is spoken on a port (specification section 1.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::compile) enum Protocol {
    /// `HTTP`: HTTP/1.1 or HTTP/2, whichever the client speaks.
    Http,
    /// `HTTP2`
    Http2,
    /// `HTTP_PROXY`
    HttpProxy,
    /// `GRPC`
    Grpc,
    /// `GRPC-WEB`
    GrpcWeb,
    /// `HTTPS`: TLS with HTTP in it.
    Https,
    /// `TLS`: TLS with anything in it.
    Tls,
    /// `TCP`: bytes.
    Tcp,
    /// `MONGO`: bytes.
    Mongo,
    /// `MYSQL`: bytes.
    MySql,
    /// `REDIS`: bytes.
    Redis,
    /// `UDP`: datagrams, which a gateway does not carry.
    Udp,
}

impl Protocol {
    /// For messages.
    pub(super) const NAMES: &str =
        "HTTP, HTTPS, HTTP2, GRPC, GRPC-WEB, TLS, TCP, MONGO, MYSQL, REDIS or HTTP_PROXY";

    /// Reads a protocol as it is written, in any case.
    pub(in crate::compile) fn parse(text: &str) -> Option<Protocol> {
        Some(match text.to_ascii_uppercase().as_str() {
            "HTTP" => Protocol::Http,
            "HTTP2" => Protocol::Http2,
            "HTTP_PROXY" => Protocol::HttpProxy,
            "GRPC" => Protocol::Grpc,
            "GRPC-WEB" => Protocol::GrpcWeb,
            "HTTPS" => Protocol::Https,
            "TLS" => Protocol::Tls,
            "TCP" => Protocol::Tcp,
            "MONGO" => Protocol::Mongo,
            "MYSQL" => Protocol::MySql,
            "REDIS" => Protocol::Redis,
            "UDP" => Protocol::Udp,
            _ => return None,
        })
    }

    /// Whether it is plain-text HTTP.
    pub(in crate::compile) fn is_http(self) -> bool {
        matches!(
            self,
            Protocol::Http | Protocol::Http2 | Protocol::HttpProxy | Protocol::Grpc | Protocol::GrpcWeb
        )
    }

    /// Whether it is gRPC, as such or as gRPC-Web.
    pub(in crate::compile) fn is_grpc(self) -> bool {
        matches!(self, Protocol::Grpc | Protocol::GrpcWeb)
    }

    /// Whether it begins with a TLS handshake.
    pub(in crate::compile) fn is_tls(self) -> bool {
        matches!(self, Protocol::Https | Protocol::Tls)
    }
}
