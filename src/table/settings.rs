//! What holds for the whole gateway: `meshConfig`, its `defaultConfig` (ProxyConfig), and the switches in them.

pub use crate::http::PathNormalization;

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
        }
    }
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
