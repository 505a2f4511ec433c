//! `DestinationRule`: how a service is reached. `load_balancer` has how an endpoint is chosen.

use super::LoadBalancerSettings;
use crate::config::{
    Spanned,
    decode::{Map, choice, object},
};
use std::time::Duration;

object! {
    /// `DestinationRule` (networking.istio.io).
    pub struct DestinationRule {
        /// The service, or a wildcard of services.
        host: Option<Spanned<String>> = "host",
        /// How it is reached.
        traffic_policy: Option<Spanned<TrafficPolicy>> = "trafficPolicy",
        /// Parts of its endpoints, with names.
        subsets: Vec<Spanned<Subset>> = "subsets",
        /// The namespaces of the gateway workloads that it is for.
        export_to: Vec<Spanned<String>> = "exportTo",
        /// The workloads of its namespace that it is for.
        workload_selector: Option<Spanned<WorkloadLabelSelector>> = "workloadSelector",
    }
}

object! {
    /// Workloads by labels (`type.v1beta1.WorkloadSelector`).
    pub struct WorkloadLabelSelector {
        /// The labels, all of which a workload must have.
        match_labels: Map<String> = "matchLabels",
    }
}

object! {
    /// Some of a service's endpoints.
    pub struct Subset {
        /// The name that destinations use.
        name: Option<Spanned<String>> = "name",
        /// The labels that the endpoints have; none: all endpoints.
        labels: Map<String> = "labels",
        /// What is different for them.
        traffic_policy: Option<Spanned<TrafficPolicy>> = "trafficPolicy",
    }
}

object! {
    /// How a destination is reached.
    pub struct TrafficPolicy {
        /// How an endpoint is chosen.
        load_balancer: Option<Spanned<LoadBalancerSettings>> = "loadBalancer",
        /// Limits and timeouts of connections.
        connection_pool: Option<Spanned<ConnectionPoolSettings>> = "connectionPool",
        /// When an endpoint is left out for a while.
        outlier_detection: Option<Spanned<OutlierDetection>> = "outlierDetection",
        /// TLS to the endpoints.
        tls: Option<Spanned<ClientTlsSettings>> = "tls",
        /// Policies of single ports, which replace all of the above.
        port_level_settings: Vec<Spanned<PortTrafficPolicy>> = "portLevelSettings",
        /// TCP through an HTTP proxy.
        tunnel: Option<Spanned<TunnelSettings>> = "tunnel",
        /// The PROXY protocol to the endpoints.
        proxy_protocol: Option<Spanned<ProxyProtocol>> = "proxyProtocol",
        /// The share of requests that may be retries.
        retry_budget: Option<Spanned<RetryBudget>> = "retryBudget",
    }
}

object! {
    /// The policy of one port (`TrafficPolicy.PortTrafficPolicy`).
    pub struct PortTrafficPolicy {
        /// The service's port.
        port: Option<Spanned<PortSelector>> = "port",
        /// How an endpoint is chosen.
        load_balancer: Option<Spanned<LoadBalancerSettings>> = "loadBalancer",
        /// Limits and timeouts of connections.
        connection_pool: Option<Spanned<ConnectionPoolSettings>> = "connectionPool",
        /// When an endpoint is left out for a while.
        outlier_detection: Option<Spanned<OutlierDetection>> = "outlierDetection",
        /// TLS to the endpoints.
        tls: Option<Spanned<ClientTlsSettings>> = "tls",
    }
}

object! {
    /// A port by number.
    pub struct PortSelector {
        /// The number.
        number: Option<Spanned<u32>> = "number",
    }
}

object! {
    /// TCP through an HTTP proxy (`TrafficPolicy.TunnelSettings`).
    pub struct TunnelSettings {
        /// `CONNECT` or `POST`; absent: `CONNECT`.
        protocol: Option<Spanned<String>> = "protocol",
        /// The host to reach through the proxy.
        target_host: Option<Spanned<String>> = "targetHost",
        /// Its port.
        target_port: Option<Spanned<u32>> = "targetPort",
    }
}

object! {
    /// The PROXY protocol to the endpoints (`TrafficPolicy.ProxyProtocol`).
    pub struct ProxyProtocol {
        /// Its version.
        version: Option<Spanned<ProxyProtocolVersion>> = "version",
    }
}

choice! {
    /// `TrafficPolicy.ProxyProtocol.VERSION`.
    pub enum ProxyProtocolVersion {
        /// The text form.
        V1 = "V1" (0),
        /// The binary form.
        V2 = "V2" (1),
    }
}

object! {
    /// The share of requests that may be retries (`TrafficPolicy.RetryBudget`).
    pub struct RetryBudget {
        /// Percent of the requests in flight; absent: 20.
        percent: Option<Spanned<f64>> = "percent",
        /// The retries that are always allowed; absent: 3.
        min_retry_concurrency: Option<Spanned<u32>> = "minRetryConcurrency",
        /// The time that requests count for.
        budget_interval: Option<Spanned<Duration>> = "budgetInterval",
    }
}

object! {
    /// Limits and timeouts of connections.
    pub struct ConnectionPoolSettings {
        /// Of every connection.
        tcp: Option<Spanned<TcpSettings>> = "tcp",
        /// Of HTTP.
        http: Option<Spanned<HttpSettings>> = "http",
    }
}

object! {
    /// Limits of every connection (`ConnectionPoolSettings.TCPSettings`).
    pub struct TcpSettings {
        /// The most connections to the destination.
        max_connections: Option<Spanned<i32>> = "maxConnections",
        /// The time to connect; absent: 10 s.
        connect_timeout: Option<Spanned<Duration>> = "connectTimeout",
        /// `SO_KEEPALIVE`.
        tcp_keepalive: Option<Spanned<TcpKeepalive>> = "tcpKeepalive",
        /// The age at which a connection is closed.
        max_connection_duration: Option<Spanned<Duration>> = "maxConnectionDuration",
        /// The time without traffic after which a connection is closed; absent: 1 h; 0: never.
        idle_timeout: Option<Spanned<Duration>> = "idleTimeout",
    }
}

object! {
    /// Probes on silent connections (`TCPSettings.TcpKeepalive`).
    pub struct TcpKeepalive {
        /// Unanswered probes before the connection is given up.
        probes: Option<Spanned<u32>> = "probes",
        /// The silence before the first probe.
        time: Option<Spanned<Duration>> = "time",
        /// The time between probes.
        interval: Option<Spanned<Duration>> = "interval",
    }
}

object! {
    /// Limits of HTTP (`ConnectionPoolSettings.HTTPSettings`).
    pub struct HttpSettings {
        /// The most requests that wait for a connection.
        http1_max_pending_requests: Option<Spanned<i32>> = "http1MaxPendingRequests",
        /// The most requests at a time, whatever the version.
        http2_max_requests: Option<Spanned<i32>> = "http2MaxRequests",
        /// The most requests on one connection; 0: no limit.
        max_requests_per_connection: Option<Spanned<i32>> = "maxRequestsPerConnection",
        /// The most retries at a time.
        max_retries: Option<Spanned<i32>> = "maxRetries",
        /// The time without requests after which a connection is closed; absent: 1 h.
        idle_timeout: Option<Spanned<Duration>> = "idleTimeout",
        /// Whether HTTP/2 is spoken where the port says HTTP/1.1.
        h2_upgrade_policy: Option<Spanned<H2UpgradePolicy>> = "h2UpgradePolicy",
        /// The client's version is used.
        use_client_protocol: Option<Spanned<bool>> = "useClientProtocol",
        /// The most requests at a time on one HTTP/2 connection.
        max_concurrent_streams: Option<Spanned<i32>> = "maxConcurrentStreams",
        /// HTTP/2 pings on silent connections.
        http2_keep_alive: Option<Spanned<Http2KeepAlive>> = "http2KeepAlive",
    }
}

object! {
    /// HTTP/2 pings on silent connections.
    pub struct Http2KeepAlive {
        /// The time between pings.
        interval: Option<Spanned<Duration>> = "interval",
        /// The time for an answer.
        timeout: Option<Spanned<Duration>> = "timeout",
    }
}

choice! {
    /// `ConnectionPoolSettings.HTTPSettings.H2UpgradePolicy`.
    pub enum H2UpgradePolicy {
        /// As the mesh says.
        Default = "DEFAULT" (0),
        /// HTTP/1.1 stays.
        DoNotUpgrade = "DO_NOT_UPGRADE" (1),
        /// HTTP/2 with prior knowledge.
        Upgrade = "UPGRADE" (2),
    }
}

object! {
    /// When an endpoint is left out for a while.
    pub struct OutlierDetection {
        /// Deprecated and without effect.
        consecutive_errors: Option<Spanned<i32>> = "consecutiveErrors",
        /// Failures to connect are counted apart from answers.
        split_external_local_origin_errors: Option<Spanned<bool>> = "splitExternalLocalOriginErrors",
        /// Failures to connect in a row, if they are counted apart; absent: 5.
        consecutive_local_origin_failures: Option<Spanned<u32>> = "consecutiveLocalOriginFailures",
        /// 502, 503 and 504 in a row; absent: not counted.
        consecutive_gateway_errors: Option<Spanned<u32>> = "consecutiveGatewayErrors",
        /// Answers from 500 on in a row; absent: 5; 0: not counted.
        consecutive_5xx_errors: Option<Spanned<u32>> = "consecutive5xxErrors",
        /// The time between looks at who may come back; absent: 10 s.
        interval: Option<Spanned<Duration>> = "interval",
        /// The time out, times the number of times; absent: 30 s.
        base_ejection_time: Option<Spanned<Duration>> = "baseEjectionTime",
        /// The most endpoints that are out, in percent; absent: 10.
        max_ejection_percent: Option<Spanned<i32>> = "maxEjectionPercent",
        /// The share of good endpoints below which all are used, in percent; absent: 0.
        min_health_percent: Option<Spanned<i32>> = "minHealthPercent",
        /// The statuses that count as failures.
        outlier_detection_http_error_codes: Vec<Spanned<u32>> = "outlierDetectionHttpErrorCodes",
    }
}

object! {
    /// TLS to the endpoints (`ClientTLSSettings`).
    pub struct ClientTlsSettings {
        /// Whether, and with what certificate.
        mode: Option<Spanned<ClientTlsMode>> = "mode",
        /// The file with the gateway's certificate.
        client_certificate: Option<Spanned<String>> = "clientCertificate",
        /// The file with its private key.
        private_key: Option<Spanned<String>> = "privateKey",
        /// The file with the authorities that the endpoints' certificates must come from.
        ca_certificates: Option<Spanned<String>> = "caCertificates",
        /// The Secret with all three.
        credential_name: Option<Spanned<String>> = "credentialName",
        /// The names of which an endpoint's certificate must have one.
        subject_alt_names: Vec<Spanned<String>> = "subjectAltNames",
        /// The name in the ClientHello; absent: the host of the request.
        sni: Option<Spanned<String>> = "sni",
        /// The endpoints' certificates are not verified.
        insecure_skip_verify: Option<Spanned<bool>> = "insecureSkipVerify",
        /// The file with revoked certificates.
        ca_crl: Option<Spanned<String>> = "caCrl",
    }
}

choice! {
    /// `ClientTLSSettings.TLSmode`.
    pub enum ClientTlsMode {
        /// Plain text.
        Disable = "DISABLE" (0),
        /// TLS without a certificate of the gateway.
        Simple = "SIMPLE" (1),
        /// TLS with a certificate of the gateway.
        Mutual = "MUTUAL" (2),
        /// TLS with the mesh's own identity.
        IstioMutual = "ISTIO_MUTUAL" (3),
    }
}
