//! `meshConfig`: what is the same for the whole mesh. `proxy_config` has its `defaultConfig`.

use super::{
    ConnectionPoolSettings, DefaultProviders, ExtensionProvider, HttpRetry, LocalityLbSetting,
    OutlierDetection, ProxyConfig, TcpKeepalive,
};
use crate::config::{
    Spanned,
    decode::{Opaque, choice, object},
};
use std::time::Duration;

object! {
    /// `MeshConfig` (mesh.istio.io/v1alpha1).
    pub struct MeshConfig {
        /// Where the access log goes; empty: nowhere.
        access_log_file: Option<Spanned<String>> = "accessLogFile",
        /// The format of a line of the access log; empty: Istio's.
        access_log_format: Option<Spanned<String>> = "accessLogFormat",
        /// Text or JSON.
        access_log_encoding: Option<Spanned<AccessLogEncoding>> = "accessLogEncoding",
        /// How a proxy starts.
        default_config: Option<Spanned<ProxyConfig>> = "defaultConfig",
        /// How paths are made comparable before they are matched.
        path_normalization: Option<Spanned<PathNormalization>> = "pathNormalization",
        /// The time to connect to an endpoint; absent: 10 s.
        connect_timeout: Option<Spanned<Duration>> = "connectTimeout",
        /// `SO_KEEPALIVE` to endpoints.
        tcp_keepalive: Option<Spanned<TcpKeepalive>> = "tcpKeepalive",
        /// TLS where nothing else is said.
        tls_defaults: Option<Spanned<MeshTlsConfig>> = "tlsDefaults",
        /// Retries where a route says nothing.
        default_http_retry_policy: Option<Spanned<HttpRetry>> = "defaultHttpRetryPolicy",
        /// What is done with destinations that nobody knows; sidecars only.
        outbound_traffic_policy: Option<Spanned<OutboundTrafficPolicy>> = "outboundTrafficPolicy",
        /// The namespace whose DestinationRules are for everybody; absent: `istio-system`.
        root_namespace: Option<Spanned<String>> = "rootNamespace",
        /// The mesh's name in identities.
        trust_domain: Option<Spanned<String>> = "trustDomain",
        /// Other names of it.
        trust_domain_aliases: Vec<Spanned<String>> = "trustDomainAliases",
        /// Whether HTTP/2 is spoken to ports that say HTTP/1.1.
        h2_upgrade_policy: Option<Spanned<MeshH2UpgradePolicy>> = "h2UpgradePolicy",
        /// `exportTo` of VirtualServices that have none.
        default_virtual_service_export_to: Vec<Spanned<String>> = "defaultVirtualServiceExportTo",
        /// `exportTo` of ServiceEntries and Services that have none.
        default_service_export_to: Vec<Spanned<String>> = "defaultServiceExportTo",
        /// `exportTo` of DestinationRules that have none.
        default_destination_rule_export_to: Vec<Spanned<String>> = "defaultDestinationRuleExportTo",
        /// Connection pools and outlier detection where a DestinationRule says nothing.
        default_traffic_policy: Option<Spanned<MeshTrafficPolicy>> = "defaultTrafficPolicy",
        /// Which places are preferred.
        locality_lb_setting: Option<Spanned<LocalityLbSetting>> = "localityLbSetting",
        /// The time between resolutions of a name.
        dns_refresh_rate: Option<Spanned<Duration>> = "dnsRefreshRate",
        /// The Service of the gateway that serves `Ingress` objects.
        ingress_service: Option<Spanned<String>> = "ingressService",
        /// The label `istio` of the gateway that serves `Ingress` objects.
        ingress_selector: Option<Spanned<String>> = "ingressSelector",
        /// The class of `Ingress` objects that are served.
        ingress_class: Option<Spanned<String>> = "ingressClass",
        /// Which `Ingress` objects are served.
        ingress_controller_mode: Option<Spanned<IngressControllerMode>> = "ingressControllerMode",
        /// Whether spans and request ids are made.
        enable_tracing: Option<Spanned<bool>> = "enableTracing",
        /// `fips-140-2`, or nothing.
        compliance_policy: Option<Spanned<String>> = "compliancePolicy",
        /// Known; for sidecars or the control plane.
        proxy_listen_port: Option<Spanned<Opaque>> = "proxyListenPort",
        /// Known; for sidecars or the control plane.
        proxy_inbound_listen_port: Option<Spanned<Opaque>> = "proxyInboundListenPort",
        /// Known; for sidecars or the control plane.
        proxy_http_port: Option<Spanned<Opaque>> = "proxyHttpPort",
        /// Known; for sidecars or the control plane.
        protocol_detection_timeout: Option<Spanned<Opaque>> = "protocolDetectionTimeout",
        /// Known; for sidecars or the control plane.
        enable_envoy_access_log_service: Option<Spanned<Opaque>> = "enableEnvoyAccessLogService",
        /// Known; for sidecars or the control plane.
        disable_envoy_listener_log: Option<Spanned<Opaque>> = "disableEnvoyListenerLog",
        /// Known; for sidecars or the control plane.
        inbound_traffic_policy: Option<Spanned<Opaque>> = "inboundTrafficPolicy",
        /// Known; for sidecars or the control plane.
        config_sources: Option<Spanned<Opaque>> = "configSources",
        /// Known; for sidecars or the control plane.
        enable_auto_mtls: Option<Spanned<Opaque>> = "enableAutoMtls",
        /// Known; for sidecars or the control plane.
        ca_certificates: Option<Spanned<Opaque>> = "caCertificates",
        /// Known; for sidecars or the control plane.
        inbound_cluster_stat_name: Option<Spanned<Opaque>> = "inboundClusterStatName",
        /// Known; for sidecars or the control plane.
        outbound_cluster_stat_name: Option<Spanned<Opaque>> = "outboundClusterStatName",
        /// Known; for sidecars or the control plane.
        certificates: Option<Spanned<Opaque>> = "certificates",
        /// Known; for sidecars or the control plane.
        service_settings: Option<Spanned<Opaque>> = "serviceSettings",
        /// Known; for sidecars or the control plane.
        service_scope_configs: Option<Spanned<Opaque>> = "serviceScopeConfigs",
        /// Known; for sidecars or the control plane.
        enable_prometheus_merge: Option<Spanned<Opaque>> = "enablePrometheusMerge",
        /// Known; for sidecars or the control plane.
        verify_certificate_at_client: Option<Spanned<Opaque>> = "verifyCertificateAtClient",
        /// Known; for sidecars or the control plane.
        ca: Option<Spanned<Opaque>> = "ca",
        /// Who gets logs, spans and metrics, and who is asked for permission.
        extension_providers: Vec<Spanned<ExtensionProvider>> = "extensionProviders",
        /// Who is meant where a `Telemetry` names nobody.
        default_providers: Option<Spanned<DefaultProviders>> = "defaultProviders",
        /// Known; for sidecars or the control plane.
        discovery_selectors: Option<Spanned<Opaque>> = "discoverySelectors",
        /// Known; for sidecars or the control plane.
        mesh_mtls: Option<Spanned<Opaque>> = "meshMTLS",
    }
}

choice! {
    /// `MeshConfig.AccessLogEncoding`.
    pub enum AccessLogEncoding {
        /// A line of text.
        Text = "TEXT" (0),
        /// A JSON object on a line.
        Json = "JSON" (1),
    }
}

choice! {
    /// `MeshConfig.H2UpgradePolicy`.
    pub enum MeshH2UpgradePolicy {
        /// HTTP/1.1 stays.
        DoNotUpgrade = "DO_NOT_UPGRADE" (0),
        /// HTTP/2 with prior knowledge.
        Upgrade = "UPGRADE" (1),
    }
}

choice! {
    /// `MeshConfig.IngressControllerMode`.
    pub enum IngressControllerMode {
        /// As `STRICT`.
        Unspecified = "UNSPECIFIED" (0),
        /// None.
        Off = "OFF" (1),
        /// Those with the class, and those without any.
        Default = "DEFAULT" (2),
        /// Those with the class.
        Strict = "STRICT" (3),
    }
}

object! {
    /// How paths are made comparable (`MeshConfig.ProxyPathNormalization`).
    pub struct PathNormalization {
        /// How.
        normalization: Option<Spanned<NormalizationType>> = "normalization",
    }
}

choice! {
    /// `ProxyPathNormalization.NormalizationType`.
    pub enum NormalizationType {
        /// As `BASE`.
        Default = "DEFAULT" (0),
        /// Not at all.
        None = "NONE" (1),
        /// RFC 3986: dot segments go, and what needs no `%` has none.
        Base = "BASE" (2),
        /// And several slashes become one.
        MergeSlashes = "MERGE_SLASHES" (3),
        /// And `%2F` and `%5C` become slashes before that.
        DecodeAndMergeSlashes = "DECODE_AND_MERGE_SLASHES" (4),
    }
}

object! {
    /// TLS where nothing else is said (`MeshConfig.TLSConfig`).
    pub struct MeshTlsConfig {
        /// The lowest version of TLS.
        min_protocol_version: Option<Spanned<MeshTlsProtocol>> = "minProtocolVersion",
        /// The curves for the key exchange.
        ecdh_curves: Vec<Spanned<String>> = "ecdhCurves",
        /// The cipher suites up to TLS 1.2.
        cipher_suites: Vec<Spanned<String>> = "cipherSuites",
    }
}

choice! {
    /// `MeshConfig.TLSConfig.TLSProtocol`.
    pub enum MeshTlsProtocol {
        /// The default.
        Auto = "TLS_AUTO" (0),
        /// 1.2
        V1_2 = "TLSV1_2" (1),
        /// 1.3
        V1_3 = "TLSV1_3" (2),
    }
}

object! {
    /// What is done with destinations that nobody knows (`MeshConfig.OutboundTrafficPolicy`).
    pub struct OutboundTrafficPolicy {
        /// What.
        mode: Option<Spanned<OutboundTrafficMode>> = "mode",
    }
}

choice! {
    /// `OutboundTrafficPolicy.Mode`.
    pub enum OutboundTrafficMode {
        /// They are refused.
        RegistryOnly = "REGISTRY_ONLY" (0),
        /// They are reached.
        AllowAny = "ALLOW_ANY" (1),
    }
}

object! {
    /// What a DestinationRule does not say (`MeshConfig.DefaultTrafficPolicy`).
    pub struct MeshTrafficPolicy {
        /// Limits and timeouts of connections.
        connection_pool: Option<Spanned<ConnectionPoolSettings>> = "connectionPool",
        /// When an endpoint is left out for a while.
        outlier_detection: Option<Spanned<OutlierDetection>> = "outlierDetection",
    }
}
