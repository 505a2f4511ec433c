//! `meshConfig`: which one holds, and what of it the gateway uses.

use super::{
    Misdirected, Options,
    http2::{http2_settings, is_edge},
    report::Report,
    rules::retry_policy,
    scope::in_creation_order,
    workload::Deployment,
};
use crate::{
    config::{
        Diagnostic, ObjectRef, Resource, Resources, Spanned,
        resources::{
            ConnectionPoolSettings, ForwardClientCertDetails, IstioOperator, LocalityLbSetting, MeshConfig,
            MeshH2UpgradePolicy, MeshTlsConfig, NormalizationType, OutlierDetection, ProxyConfig,
            ProxyHeaders, TcpKeepalive,
        },
    },
    table::{ForwardClientCert, PathNormalization, ProxyProtocol, ServerHeader, Settings, UnderscoreAction},
};
use std::time::Duration;

/// The `meshConfig` that holds.
#[derive(Clone, Copy, Default)]
pub(super) struct Mesh<'r> {
    pub(super) config: Option<&'r MeshConfig>,
    /// Whose it is.
    pub(super) object: Option<&'r ObjectRef>,
    /// It is in `values`, where it used to be.
    is_of_values: bool,
    /// The deployment's environment says that HTTP/1.0 is spoken.
    http10: bool,
}

/// Finds the `meshConfig` that holds: that of the deployment's IstioOperator, else the first one in creation order.
pub(super) fn mesh<'r>(
    resources: &'r Resources,
    deployment: Option<&Deployment<'r>>,
    report: &mut Report,
) -> Mesh<'r> {
    let own = deployment.map(|deployment| deployment.operator).filter(|o| mesh_config(o).is_some());
    let good = resources.istio_operators.iter().filter(|operator| !report.is_broken(&operator.object));
    let all: Vec<_> = in_creation_order(good).into_iter().filter(|o| mesh_config(o).is_some()).collect();
    let chosen = own.or_else(|| all.first().copied());
    let Some((operator, config)) = chosen.and_then(|operator| Some((operator, mesh_config(operator)?)))
    else {
        return Mesh { http10: deployment.is_some_and(http10_in_environment), ..Mesh::default() };
    };
    for loser in all.into_iter().filter(|other| other.object != operator.object) {
        let Some(unused) = mesh_config(loser) else { continue };
        report.add("second-mesh-config", unused.span, || {
            let message = format!("this meshConfig is not used: there is one in {}", operator.object);
            Diagnostic::warning("second-mesh-config", message)
                .about(&loser.object)
                .field("spec.meshConfig")
                .label(config.span, "this one is used")
        });
    }
    report_old_place(operator, report);
    let http10 = deployment.is_some_and(http10_in_environment)
        || config.default_config.as_ref().is_some_and(|proxy| http10_in_metadata(proxy));
    let is_of_values = operator.spec.mesh_config.is_none();
    Mesh { config: Some(config), object: Some(&operator.object), is_of_values, http10 }
}

fn mesh_config(operator: &Resource<IstioOperator>) -> Option<&Spanned<MeshConfig>> {
    let of_values = || operator.spec.values.as_ref()?.mesh_config.as_ref();
    operator.spec.mesh_config.as_ref().or_else(of_values)
}

fn report_old_place(operator: &Resource<IstioOperator>, report: &mut Report) {
    let of_values = operator.spec.values.as_ref().and_then(|values| values.mesh_config.as_ref());
    let (Some(used), Some(unused)) = (&operator.spec.mesh_config, of_values) else { return };
    report.add("second-mesh-config", unused.span, || {
        Diagnostic::warning("second-mesh-config", "values.meshConfig is not used: there is spec.meshConfig")
            .about(&operator.object)
            .field("spec.values.meshConfig")
            .label(used.span, "this one is used")
            .help("move its fields there")
    });
}

/// The names under which a proxy's environment says that it speaks HTTP/1.0 (specification section 2.6).
const HTTP10_NAMES: [&str; 2] = ["ISTIO_META_HTTP10", "HTTP10"];

fn http10_in_environment(deployment: &Deployment<'_>) -> bool {
    let Some(k8s) = &deployment.component.k8s else { return false };
    k8s.env.iter().any(|variable| {
        let name = variable.name.as_ref().map_or("", |name| &name.value);
        HTTP10_NAMES.contains(&name) && variable.value.value.as_ref().is_some_and(|value| is_on(&value.value))
    })
}

fn http10_in_metadata(proxy: &ProxyConfig) -> bool {
    let is_set = |name: &&str| proxy.proxy_metadata.get(name).is_some_and(|value| is_on(&value.value));
    HTTP10_NAMES.iter().any(is_set)
}

fn is_on(value: &str) -> bool {
    matches!(value, "1" | "true" | "TRUE" | "True")
}

impl<'r> Mesh<'r> {
    pub(super) fn root_namespace(&self) -> Option<&'r str> {
        let namespace = self.config?.root_namespace.as_ref()?;
        Some(namespace.value.as_str()).filter(|namespace| !namespace.is_empty())
    }

    /// The path to it in its object.
    pub(super) fn path(&self) -> &'static str {
        if self.is_of_values { "spec.values.meshConfig" } else { "spec.meshConfig" }
    }

    /// The name of the trust domain, and its other names.
    pub(super) fn trust_domains(&self) -> Vec<&'r str> {
        const DEFAULT: &str = "cluster.local";
        let own = self.config.and_then(|config| config.trust_domain.as_ref()).map(|domain| domain.as_str());
        let aliases = self.config.map_or(&[][..], |config| &config.trust_domain_aliases);
        let own = own.filter(|domain| !domain.is_empty()).unwrap_or(DEFAULT);
        std::iter::once(own).chain(aliases.iter().map(|domain| domain.as_str())).collect()
    }

    /// The time to connect where no DestinationRule says another (specification section 2.7).
    pub(super) fn connect_timeout(&self) -> Duration {
        const DEFAULT: Duration = Duration::from_secs(10);
        let of_mesh = self.config.and_then(|config| config.connect_timeout.as_ref()).map(|t| t.value);
        of_mesh.filter(|timeout| !timeout.is_zero()).unwrap_or(DEFAULT)
    }

    /// What DestinationRules without `connectionPool` have.
    pub(super) fn connection_pool(&self) -> Option<&'r Spanned<ConnectionPoolSettings>> {
        self.config?.default_traffic_policy.as_ref()?.connection_pool.as_ref()
    }

    /// Probes on connections to endpoints, where no DestinationRule has its own.
    pub(super) fn tcp_keepalive(&self) -> Option<&'r TcpKeepalive> {
        self.config?.tcp_keepalive.as_ref().map(|keepalive| &keepalive.value)
    }

    /// `localityLbSetting`, for those who have none of their own.
    pub(super) fn locality(&self) -> Option<&'r LocalityLbSetting> {
        self.config?.locality_lb_setting.as_ref().map(|setting| &setting.value)
    }

    /// What DestinationRules without `outlierDetection` have.
    pub(super) fn outlier_detection(&self) -> Option<&'r Spanned<OutlierDetection>> {
        self.config?.default_traffic_policy.as_ref()?.outlier_detection.as_ref()
    }

    /// Whether ports of HTTP/1.1 get HTTP/2 where no DestinationRule says anything.
    pub(super) fn upgrades_to_http2(&self) -> bool {
        let policy = self.config.and_then(|config| config.h2_upgrade_policy.as_ref());
        policy.is_some_and(|policy| policy.value == MeshH2UpgradePolicy::Upgrade)
    }

    pub(super) fn virtual_service_export_to(&self) -> &'r [Spanned<String>] {
        self.config.map_or(&[], |config| &config.default_virtual_service_export_to)
    }

    pub(super) fn service_export_to(&self) -> &'r [Spanned<String>] {
        self.config.map_or(&[], |config| &config.default_service_export_to)
    }

    pub(super) fn destination_rule_export_to(&self) -> &'r [Spanned<String>] {
        self.config.map_or(&[], |config| &config.default_destination_rule_export_to)
    }

    /// What servers of TLS have where they say nothing.
    pub(super) fn tls_defaults(&self) -> Option<&'r MeshTlsConfig> {
        self.config?.tls_defaults.as_ref().map(|defaults| &defaults.value)
    }

    pub(super) fn access_log_file(&self) -> Option<String> {
        self.config?.access_log_file.as_ref().map(|file| file.value.clone())
    }

    /// What holds for the whole gateway.
    pub(super) fn settings(&self, options: &Options) -> Settings {
        let mut settings = self.own_settings();
        let proxy = self.config.and_then(|config| config.default_config.as_ref());
        let connections = proxy.and_then(|proxy| proxy.connection_settings.as_ref());
        settings.http2 = http2_settings(connections.map(|settings| &settings.value), &options.http2);
        settings.misdirected_421 = options.misdirected == Misdirected::Status421;
        if !options.proxy_protocol_from.is_empty() {
            settings.proxy_protocol = Some(ProxyProtocol { trusted: options.proxy_protocol_from.clone() });
        }
        settings
    }

    fn own_settings(&self) -> Settings {
        let mut settings = Settings { http10: self.http10, ..Settings::default() };
        let Some(config) = self.config else { return settings };
        if let Some(retries) = &config.default_http_retry_policy {
            settings.retry = retry_policy(&retries.value);
        }
        if let Some(normalization) = config.path_normalization.as_ref().and_then(|p| p.normalization.as_ref())
        {
            settings.path_normalization = path_normalization(normalization.value);
        }
        let Some(proxy) = &config.default_config else { return settings };
        if let Some(count) = proxy.gateway_topology.as_ref().and_then(|t| t.num_trusted_proxies.as_ref()) {
            settings.trusted_proxies = count.value;
        }
        if let Some(topology) = &proxy.gateway_topology {
            let details = topology.forward_client_cert_details.as_ref();
            settings.forward_client_cert = forward_client_cert(details).unwrap_or_default();
            settings.proxy_protocol = topology.proxy_protocol.as_ref().map(|_| ProxyProtocol::default());
        }
        if let Some(headers) = &proxy.proxy_headers {
            apply_headers(headers, &mut settings);
        }
        if let Some(connections) = &proxy.connection_settings {
            if is_edge(connections) {
                settings.underscores = UnderscoreAction::Reject;
            }
            let action = connections.http_headers_with_underscores_action.as_ref();
            if let Some(action) = action.and_then(|action| underscore_action(&action.value)) {
                settings.underscores = action;
            }
        }
        settings
    }
}

fn path_normalization(kind: NormalizationType) -> PathNormalization {
    match kind {
        NormalizationType::Default | NormalizationType::Base => PathNormalization::Base,
        NormalizationType::None => PathNormalization::None,
        NormalizationType::MergeSlashes => PathNormalization::MergeSlashes,
        NormalizationType::DecodeAndMergeSlashes => PathNormalization::DecodeAndMergeSlashes,
    }
}

/// `UNDEFINED` says nothing.
fn forward_client_cert(details: Option<&Spanned<ForwardClientCertDetails>>) -> Option<ForwardClientCert> {
    match details?.value {
        ForwardClientCertDetails::Undefined => None,
        ForwardClientCertDetails::Sanitize => Some(ForwardClientCert::Sanitize),
        ForwardClientCertDetails::ForwardOnly => Some(ForwardClientCert::ForwardOnly),
        ForwardClientCertDetails::AppendForward => Some(ForwardClientCert::AppendForward),
        ForwardClientCertDetails::SanitizeSet => Some(ForwardClientCert::SanitizeSet),
        ForwardClientCertDetails::AlwaysForwardOnly => Some(ForwardClientCert::AlwaysForwardOnly),
    }
}

fn apply_headers(headers: &ProxyHeaders, settings: &mut Settings) {
    let is_true = |switch: Option<&Spanned<bool>>| switch.is_some_and(|switch| switch.value);
    if let Some(server) = &headers.server {
        let value = server.value.value.as_ref().filter(|value| !value.is_empty());
        if let Some(value) = value {
            settings.server_header = ServerHeader::Overwrite(value.value.clone().into_bytes());
        }
        if is_true(server.disabled.as_ref()) {
            settings.server_header = ServerHeader::PassThrough;
        }
    }
    let is_disabled = |switch: &Option<Spanned<crate::config::resources::HeaderSwitch>>| {
        is_true(switch.as_ref().and_then(|switch| switch.disabled.as_ref()))
    };
    let is_enabled = |switch: &Option<Spanned<crate::config::resources::HeaderOptIn>>| {
        is_true(switch.as_ref().and_then(|switch| switch.enabled.as_ref()))
    };
    // It is stronger than that of `gatewayTopology`, as in istiod.
    if let Some(details) = forward_client_cert(headers.forwarded_client_cert.as_ref()) {
        settings.forward_client_cert = details;
    }
    settings.request_id = !is_disabled(&headers.request_id);
    settings.attempt_count = !is_disabled(&headers.attempt_count);
    settings.envoy_debug_headers = !is_disabled(&headers.envoy_debug_headers);
    settings.x_forwarded_host = is_enabled(&headers.x_forwarded_host);
    settings.x_forwarded_port = is_enabled(&headers.x_forwarded_port);
}

/// By the names of the API, and those of Istio's documentation, which are shorter; `unsupported` reports others.
pub(super) fn underscore_action(name: &str) -> Option<UnderscoreAction> {
    match name.strip_prefix("HEADERS_WITH_UNDERSCORES_").unwrap_or(name) {
        "ALLOW" => Some(UnderscoreAction::Allow),
        "REJECT_REQUEST" => Some(UnderscoreAction::Reject),
        "DROP_HEADER" => Some(UnderscoreAction::Drop),
        _ => None,
    }
}
