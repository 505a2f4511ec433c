//! What holds for the whole gateway: `meshConfig`, its `defaultConfig` (ProxyConfig), and the switches in them.

use super::RetryPolicy;
pub use crate::http::PathNormalization;
use std::time::Duration;

/// Settings of the whole gateway (specification sections 2.6 and 2.7).
#[derive(Clone, Debug)]
pub struct Settings {
    /// `pathNormalization.normalization`
    pub path_normalization: PathNormalization,
    /// `gatewayTopology.numTrustedProxies`: how many proxies in front may be believed.
    pub trusted_proxies: u32,
    /// `proxyHeaders.server`
    pub server_header: ServerHeader,
    /// `proxyHeaders.requestId`: make and pass on `x-request-id`.
    pub request_id: bool,
    /// `proxyHeaders.attemptCount`: pass on `x-envoy-attempt-count`.
    pub attempt_count: bool,
    /// `proxyHeaders.envoyDebugHeaders`: `x-envoy-*` headers in both directions.
    pub envoy_debug_headers: bool,
    /// `proxyHeaders.xForwardedHost`: pass on the original authority when it is rewritten.
    pub x_forwarded_host: bool,
    /// `proxyHeaders.xForwardedPort`: pass on the port the request came in on.
    pub x_forwarded_port: bool,
    /// `connectionSettings.httpHeadersWithUnderscoresAction`
    pub underscores: UnderscoreAction,
    /// Accept HTTP/1.0 requests (istiod's `PILOT_HTTP10`, or proxy metadata `HTTP10`); otherwise 426.
    pub http10: bool,
    /// `gatewayTopology.forwardClientCertDetails`: what happens to `x-forwarded-client-cert`.
    pub forward_client_cert: ForwardClientCert,
    /// `gatewayTopology.proxyProtocol`: every TCP connection begins with a PROXY header, v1 or v2. `None`: none does.
    pub proxy_protocol: Option<ProxyProtocol>,
    /// A Host that another server of the same TLS port owns is answered with 421 (RFC 9110 section 15.5.20); otherwise it
    /// is looked up in the chosen server's table alone, which is Istio's 404.
    pub misdirected_421: bool,
    /// How HTTP/2 is spoken with clients, and how long their connections may live.
    pub http2: Http2Settings,
    /// What is tried again where a rule says nothing (`defaultHttpRetryPolicy`).
    pub retry: RetryPolicy,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            path_normalization: PathNormalization::Base,
            trusted_proxies: 0,
            server_header: ServerHeader::Overwrite(b"istio-envoy".to_vec()),
            request_id: true,
            attempt_count: true,
            envoy_debug_headers: true,
            x_forwarded_host: false,
            x_forwarded_port: false,
            underscores: UnderscoreAction::Allow,
            http10: false,
            forward_client_cert: ForwardClientCert::SanitizeSet,
            proxy_protocol: None,
            misdirected_421: true,
            http2: Http2Settings::default(),
            retry: RetryPolicy::default(),
        }
    }
}

/// How HTTP/2 is spoken with clients, and how long clients' connections of any version may live (`connectionSettings`, and
/// options of the command line). The default is what Istio's Envoy has since 1.36.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Http2Settings {
    /// SETTINGS_MAX_CONCURRENT_STREAMS: the most requests at a time on one connection, 1 to 2^31-1.
    pub max_concurrent_streams: u32,
    /// SETTINGS_INITIAL_WINDOW_SIZE: bytes of a request's body that a client may send ahead, 65,535 to 2^31-1.
    pub initial_stream_window: u32,
    /// The same for all requests of a connection together, 65,535 to 2^31-1.
    pub initial_connection_window: u32,
    /// A connection is drained when it is so old; `None`: it lives as long as it is used.
    pub connection_age_max: Option<Duration>,
    /// A connection is drained when it has brought so many requests, at least 1; `None`: however many it brings.
    pub connection_requests_max: Option<u64>,
    /// SETTINGS_ENABLE_CONNECT_PROTOCOL: WebSockets over HTTP/2 (RFC 8441).
    pub extended_connect: bool,
}

/// How old connections of clients to a server may become (`sluicegate.io/max-connection-age`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionAge {
    /// So old at least before they are drained.
    pub age: Duration,
    /// By at most so much more, at random, so that clients that came together do not leave together.
    pub jitter: Duration,
}

impl Default for Http2Settings {
    fn default() -> Self {
        Http2Settings {
            max_concurrent_streams: 1024,
            initial_stream_window: 16 << 20,
            initial_connection_window: 24 << 20,
            connection_age_max: None,
            connection_requests_max: None,
            extended_connect: true,
        }
    }
}

impl Http2Settings {
    /// `connectionSettings.profile: EDGE`: for a gateway that faces the internet.
    pub fn edge() -> Http2Settings {
        Http2Settings {
            max_concurrent_streams: 100,
            initial_stream_window: 64 << 10,
            initial_connection_window: 1 << 20,
            ..Http2Settings::default()
        }
    }
}

/// `gatewayTopology.forwardClientCertDetails`: what happens to `x-forwarded-client-cert` (XFCC).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ForwardClientCert {
    /// `SANITIZE`: the client's field is removed.
    Sanitize,
    /// `FORWARD_ONLY`: the client's field passes where the client has shown a certificate, and is removed otherwise.
    ForwardOnly,
    /// `APPEND_FORWARD`: as `FORWARD_ONLY`, with what is known of the certificate appended.
    AppendForward,
    /// `SANITIZE_SET`: the client's field is replaced by what is known of its certificate. The default.
    #[default]
    SanitizeSet,
    /// `ALWAYS_FORWARD_ONLY`: the client's field passes, always.
    AlwaysForwardOnly,
}

/// `gatewayTopology.proxyProtocol`
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ProxyProtocol {
    /// Networks whose PROXY headers are believed, as address and prefix length. A connection from elsewhere is closed.
    /// Empty: everybody is believed, as in Istio.
    pub trusted: Vec<(std::net::IpAddr, u8)>,
}

impl ProxyProtocol {
    /// Whether the header of a connection from this address is believed.
    pub fn trusts(&self, peer: std::net::IpAddr) -> bool {
        self.trusted.is_empty() || self.trusted.iter().any(|network| contains(*network, peer))
    }
}

fn contains((network, length): (std::net::IpAddr, u8), address: std::net::IpAddr) -> bool {
    use std::net::IpAddr;
    let (differing, bits) = match (network, address.to_canonical()) {
        (IpAddr::V4(network), IpAddr::V4(address)) => (u128::from(network.to_bits() ^ address.to_bits()), 32),
        (IpAddr::V6(network), IpAddr::V6(address)) => (network.to_bits() ^ address.to_bits(), 128),
        _ => return false,
    };
    // What is behind the prefix does not count.
    let behind = u32::saturating_sub(bits, u32::from(length));
    differing.checked_shr(behind).unwrap_or(0) == 0
}

/// What happens to `server` in a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerHeader {
    /// Always this value, whatever the origin said.
    Overwrite(Vec<u8>),
    /// The origin's value, if it has one; local replies have none.
    PassThrough,
}

/// `connectionSettings.httpHeadersWithUnderscoresAction`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnderscoreAction {
    /// Field names with `_` pass.
    Allow,
    /// The request is refused with 400.
    Reject,
    /// The field is dropped.
    Drop,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_trusted_by_their_prefix() {
        let trusts = |networks: &[(&str, u8)], peer: &str| {
            let trusted = networks.iter().map(|(ip, length)| (ip.parse().unwrap(), *length)).collect();
            ProxyProtocol { trusted }.trusts(peer.parse().unwrap())
        };
        assert!(trusts(&[], "203.0.113.9"));
        let some = [("10.1.0.0", 16), ("192.0.2.7", 32), ("2001:db8::", 33)];
        for peer in ["10.1.255.255", "::ffff:10.1.2.3", "192.0.2.7", "2001:db8:7fff::1"] {
            assert!(trusts(&some, peer), "{peer}");
        }
        for peer in ["10.2.0.0", "192.0.2.6", "2001:db8:8000::1", "::1"] {
            assert!(!trusts(&some, peer), "{peer}");
        }
        assert!(trusts(&[("0.0.0.0", 0)], "203.0.113.9") && !trusts(&[("0.0.0.0", 0)], "2001:db8::1"));
        assert!(trusts(&[("::", 0)], "2001:db8::1") && !trusts(&[("::", 0)], "203.0.113.9"));
    }
}
