//! `meshConfig.defaultConfig`: how a proxy starts.

use super::{ProxyTracing, TracingServiceName};
use crate::config::{
    Spanned,
    decode::{Map, Opaque, choice, object},
};
use std::time::Duration;

object! {
    /// `ProxyConfig` (mesh.istio.io/v1alpha1).
    pub struct ProxyConfig {
        /// What stands in front of the gateway.
        gateway_topology: Option<Spanned<Topology>> = "gatewayTopology",
        /// Which header fields a proxy adds by itself.
        proxy_headers: Option<Spanned<ProxyHeaders>> = "proxyHeaders",
        /// Limits and timeouts of clients' connections.
        connection_settings: Option<Spanned<ConnectionSettings>> = "connectionSettings",
        /// Worker threads; 0: one for each core.
        concurrency: Option<Spanned<i32>> = "concurrency",
        /// The time that connections of a removed listener have to end.
        drain_duration: Option<Spanned<Duration>> = "drainDuration",
        /// The time that connections have to end when the process stops.
        termination_drain_duration: Option<Spanned<Duration>> = "terminationDrainDuration",
        /// Environment variables of the proxy.
        proxy_metadata: Map<String> = "proxyMetadata",
        /// Switches of Envoy.
        runtime_values: Map<String> = "runtimeValues",
        /// The port of the administration.
        proxy_admin_port: Option<Spanned<i32>> = "proxyAdminPort",
        /// The port of the readiness probe.
        status_port: Option<Spanned<i32>> = "statusPort",
        /// Known; for sidecars, or for how Envoy is started.
        config_path: Option<Spanned<Opaque>> = "configPath",
        /// Known; for sidecars, or for how Envoy is started.
        binary_path: Option<Spanned<Opaque>> = "binaryPath",
        /// Known; for sidecars, or for how Envoy is started.
        service_cluster: Option<Spanned<Opaque>> = "serviceCluster",
        /// What the gateway calls itself in spans.
        tracing_service_name: Option<Spanned<TracingServiceName>> = "tracingServiceName",
        /// Known; for sidecars, or for how Envoy is started.
        parent_shutdown_duration: Option<Spanned<Opaque>> = "parentShutdownDuration",
        /// Known; for sidecars, or for how Envoy is started.
        discovery_address: Option<Spanned<Opaque>> = "discoveryAddress",
        /// Known; for sidecars, or for how Envoy is started.
        discovery_refresh_delay: Option<Spanned<Opaque>> = "discoveryRefreshDelay",
        /// Known; for sidecars, or for how Envoy is started.
        zipkin_address: Option<Spanned<Opaque>> = "zipkinAddress",
        /// Known; for sidecars, or for how Envoy is started.
        statsd_udp_address: Option<Spanned<Opaque>> = "statsdUdpAddress",
        /// Known; for sidecars, or for how Envoy is started.
        envoy_metrics_service_address: Option<Spanned<Opaque>> = "envoyMetricsServiceAddress",
        /// Known; for sidecars, or for how Envoy is started.
        availability_zone: Option<Spanned<Opaque>> = "availabilityZone",
        /// Known; for sidecars, or for how Envoy is started.
        control_plane_auth_policy: Option<Spanned<Opaque>> = "controlPlaneAuthPolicy",
        /// Known; for sidecars, or for how Envoy is started.
        custom_config_file: Option<Spanned<Opaque>> = "customConfigFile",
        /// Known; for sidecars, or for how Envoy is started.
        stat_name_length: Option<Spanned<Opaque>> = "statNameLength",
        /// Known; for sidecars, or for how Envoy is started.
        proxy_bootstrap_template_path: Option<Spanned<Opaque>> = "proxyBootstrapTemplatePath",
        /// Known; for sidecars, or for how Envoy is started.
        interception_mode: Option<Spanned<Opaque>> = "interceptionMode",
        /// Spans, where no `Telemetry` says something else.
        tracing: Option<Spanned<ProxyTracing>> = "tracing",
        /// Known; for sidecars, or for how Envoy is started.
        sds: Option<Spanned<Opaque>> = "sds",
        /// Known; for sidecars, or for how Envoy is started.
        envoy_access_log_service: Option<Spanned<Opaque>> = "envoyAccessLogService",
        /// Known; for sidecars, or for how Envoy is started.
        envoy_metrics_service: Option<Spanned<Opaque>> = "envoyMetricsService",
        /// Known; for sidecars, or for how Envoy is started.
        extra_stat_tags: Option<Spanned<Opaque>> = "extraStatTags",
        /// Known; for sidecars, or for how Envoy is started.
        mesh_id: Option<Spanned<Opaque>> = "meshId",
        /// Known; for sidecars, or for how Envoy is started.
        readiness_probe: Option<Spanned<Opaque>> = "readinessProbe",
        /// Known; for sidecars, or for how Envoy is started.
        proxy_stats_matcher: Option<Spanned<Opaque>> = "proxyStatsMatcher",
        /// Known; for sidecars, or for how Envoy is started.
        hold_application_until_proxy_starts: Option<Spanned<Opaque>> = "holdApplicationUntilProxyStarts",
        /// Known; for sidecars, or for how Envoy is started.
        ca_certificates_pem: Option<Spanned<Opaque>> = "caCertificatesPem",
        /// Known; for sidecars, or for how Envoy is started.
        image: Option<Spanned<Opaque>> = "image",
        /// Known; for sidecars, or for how Envoy is started.
        private_key_provider: Option<Spanned<Opaque>> = "privateKeyProvider",
        /// Known; for sidecars, or for how Envoy is started.
        file_flush_interval: Option<Spanned<Opaque>> = "fileFlushInterval",
        /// Known; for sidecars, or for how Envoy is started.
        file_flush_min_size_kb: Option<Spanned<Opaque>> = "fileFlushMinSizeKb",
        /// Known; for sidecars, or for how Envoy is started.
        stats_eviction_interval: Option<Spanned<Opaque>> = "statsEvictionInterval",
    }
}

object! {
    /// What stands in front of the gateway.
    pub struct Topology {
        /// How many proxies that are trusted stand in front.
        num_trusted_proxies: Option<Spanned<u32>> = "numTrustedProxies",
        /// What is done with `x-forwarded-client-cert`.
        forward_client_cert_details: Option<Spanned<ForwardClientCertDetails>> = "forwardClientCertDetails",
        /// Every TCP connection must begin with the PROXY protocol.
        proxy_protocol: Option<Spanned<TopologyProxyProtocol>> = "proxyProtocol",
    }
}

object! {
    /// Settings of the PROXY protocol: there are none.
    pub struct TopologyProxyProtocol {}
}

choice! {
    /// `Topology.ForwardClientCertDetails`.
    pub enum ForwardClientCertDetails {
        /// As `SANITIZE_SET` on a gateway.
        Undefined = "UNDEFINED" (0),
        /// The field is removed.
        Sanitize = "SANITIZE" (1),
        /// The field is kept from clients with a certificate.
        ForwardOnly = "FORWARD_ONLY" (2),
        /// The client's certificate is added to it.
        AppendForward = "APPEND_FORWARD" (3),
        /// The client's certificate replaces it.
        SanitizeSet = "SANITIZE_SET" (4),
        /// The field is kept.
        AlwaysForwardOnly = "ALWAYS_FORWARD_ONLY" (5),
    }
}

object! {
    /// Which header fields a proxy adds by itself (`ProxyConfig.ProxyHeaders`).
    pub struct ProxyHeaders {
        /// What is done with `x-forwarded-client-cert`.
        forwarded_client_cert: Option<Spanned<ForwardClientCertDetails>> = "forwardedClientCert",
        /// What of a client's certificate is in it.
        set_current_client_cert_details: Option<Spanned<CurrentClientCertDetails>> = "setCurrentClientCertDetails",
        /// `x-request-id`.
        request_id: Option<Spanned<HeaderSwitch>> = "requestId",
        /// `server`.
        server: Option<Spanned<ServerHeader>> = "server",
        /// `x-envoy-attempt-count`.
        attempt_count: Option<Spanned<HeaderSwitch>> = "attemptCount",
        /// `x-envoy-upstream-service-time` and its like.
        envoy_debug_headers: Option<Spanned<HeaderSwitch>> = "envoyDebugHeaders",
        /// Istio's own fields between proxies.
        metadata_exchange_headers: Option<Spanned<MetadataExchangeHeaders>> = "metadataExchangeHeaders",
        /// Names of fields keep their case to HTTP/1.1.
        preserve_http1_header_case: Option<Spanned<bool>> = "preserveHttp1HeaderCase",
        /// `x-forwarded-host` where the host is rewritten.
        x_forwarded_host: Option<Spanned<HeaderOptIn>> = "xForwardedHost",
        /// `x-forwarded-port`.
        x_forwarded_port: Option<Spanned<HeaderOptIn>> = "xForwardedPort",
    }
}

object! {
    /// What of a client's certificate is in `x-forwarded-client-cert`.
    pub struct CurrentClientCertDetails {
        /// Its subject; absent: yes.
        subject: Option<Spanned<bool>> = "subject",
        /// All of it.
        cert: Option<Spanned<bool>> = "cert",
        /// And the chain.
        chain: Option<Spanned<bool>> = "chain",
        /// Its DNS names; absent: yes.
        dns: Option<Spanned<bool>> = "dns",
        /// Its URI; absent: yes.
        uri: Option<Spanned<bool>> = "uri",
    }
}

object! {
    /// A field that is added unless it is switched off.
    pub struct HeaderSwitch {
        /// It is not added.
        disabled: Option<Spanned<bool>> = "disabled",
    }
}

object! {
    /// A field that is added if it is switched on.
    pub struct HeaderOptIn {
        /// It is added.
        enabled: Option<Spanned<bool>> = "enabled",
    }
}

object! {
    /// The field `server`.
    pub struct ServerHeader {
        /// It is not set.
        disabled: Option<Spanned<bool>> = "disabled",
        /// What it says; absent: `istio-envoy`.
        value: Option<Spanned<String>> = "value",
    }
}

object! {
    /// Istio's own fields between proxies.
    pub struct MetadataExchangeHeaders {
        /// To whom.
        mode: Option<Spanned<MetadataExchangeMode>> = "mode",
    }
}

choice! {
    /// `ProxyHeaders.MetadataExchangeMode`.
    pub enum MetadataExchangeMode {
        /// To everybody.
        Undefined = "UNDEFINED" (0),
        /// Inside the mesh.
        InMesh = "IN_MESH" (1),
    }
}

object! {
    /// Limits and timeouts of clients' connections (`ProxyConfig.ConnectionSettings`).
    pub struct ConnectionSettings {
        /// A set of values: `EDGE` for a gateway that faces the internet.
        profile: Option<Spanned<String>> = "profile",
        /// What is done with requests that have header names with underscores.
        http_headers_with_underscores_action: Option<Spanned<String>> = "httpHeadersWithUnderscoresAction",
        /// The most requests at a time on one HTTP/2 connection; absent: 1024.
        http_max_concurrent_streams: Option<Spanned<i32>> = "httpMaxConcurrentStreams",
        /// Bytes of one request's body that a client of HTTP/2 may send ahead; absent: 16 MiB.
        http2_initial_stream_window_size: Option<Spanned<i32>> = "http2InitialStreamWindowSize",
        /// The same for all requests of a connection together; absent: 24 MiB.
        http2_initial_connection_window_size: Option<Spanned<i32>> = "http2InitialConnectionWindowSize",
        /// The age at which a connection is drained; absent: it lives as long as it is used.
        http_max_connection_duration: Option<Spanned<Duration>> = "httpMaxConnectionDuration",
        /// Known; without effect yet.
        listener_per_connection_buffer_limit_bytes: Option<Spanned<Opaque>> = "listenerPerConnectionBufferLimitBytes",
        /// Known; without effect yet.
        cluster_per_connection_buffer_limit_bytes: Option<Spanned<Opaque>> = "clusterPerConnectionBufferLimitBytes",
        /// Known; without effect yet.
        http_idle_timeout: Option<Spanned<Opaque>> = "httpIdleTimeout",
        /// Known; without effect yet.
        http_stream_idle_timeout: Option<Spanned<Opaque>> = "httpStreamIdleTimeout",
        /// Known; without effect yet.
        http_request_timeout: Option<Spanned<Opaque>> = "httpRequestTimeout",
        /// Known; without effect yet.
        http_request_headers_timeout: Option<Spanned<Opaque>> = "httpRequestHeadersTimeout",
        /// Known; without effect yet.
        http_max_stream_duration: Option<Spanned<Opaque>> = "httpMaxStreamDuration",
        /// Known; without effect yet.
        http_drain_timeout: Option<Spanned<Opaque>> = "httpDrainTimeout",
        /// Known; without effect yet.
        http_merge_slashes: Option<Spanned<Opaque>> = "httpMergeSlashes",
        /// Known; without effect yet.
        http_path_with_escaped_slashes_action: Option<Spanned<Opaque>> = "httpPathWithEscapedSlashesAction",
    }
    others accepted
}
