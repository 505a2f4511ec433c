//! `IstioOperator` and its `meshConfig`.

use super::{Field, Fields, at, first_key, on};
use crate::{
    compile::{http2::is_edge, mesh::underscore_action},
    config::{
        Diagnostic, Resource,
        resources::{
            ConnectionSettings, IstioOperator, MeshConfig, OpenTelemetryProvider, ProxyConfig, ProxyHeaders,
            ProxyTracing,
        },
    },
};

pub(super) fn report(resource: &Resource<IstioOperator>, fields: &mut Fields<'_>) {
    let of_values = resource.spec.values.as_ref().and_then(|values| values.mesh_config.as_ref());
    if let Some(mesh) = resource.spec.mesh_config.as_ref() {
        report_mesh(mesh, "spec.meshConfig", fields);
    } else if let Some(mesh) = of_values {
        report_mesh(mesh, "spec.values.meshConfig", fields);
    }
}

fn report_mesh(mesh: &MeshConfig, path: &str, fields: &mut Fields<'_>) {
    fields.report(&|| path.to_owned(), &mesh_fields(mesh));
    for (position, provider) in mesh.extension_providers.iter().enumerate() {
        let Some(otel) = &provider.opentelemetry else { continue };
        let path = || format!("{path}.extensionProviders[{position}].opentelemetry");
        fields.report(&path, &otel_fields(otel));
    }
    if let Some(proxy) = &mesh.default_config {
        report_proxy(proxy, &format!("{path}.defaultConfig"), fields);
    }
}

fn mesh_fields(mesh: &MeshConfig) -> [Field; 7] {
    let no_ingress = "Ingress objects are not served";
    [
        ("dnsRefreshRate", at(&mesh.dns_refresh_rate), "names are resolved again at the gateway's own times"),
        ("ingressService", at(&mesh.ingress_service), no_ingress),
        ("ingressSelector", at(&mesh.ingress_selector), no_ingress),
        ("ingressClass", at(&mesh.ingress_class), no_ingress),
        ("ingressControllerMode", at(&mesh.ingress_controller_mode), no_ingress),
        (
            "compliancePolicy",
            at(&mesh.compliance_policy),
            "versions, suites and curves of TLS are those of `tlsDefaults` and of the servers",
        ),
        (
            "enableEnvoyAccessLogService",
            at(&mesh.enable_envoy_access_log_service),
            "the access log goes to a file only",
        ),
    ]
}

fn report_proxy(proxy: &ProxyConfig, path: &str, fields: &mut Fields<'_>) {
    fields.report(
        &|| path.to_owned(),
        &[
            ("concurrency", at(&proxy.concurrency), "the number of workers is that of --workers"),
            ("drainDuration", at(&proxy.drain_duration), "connections drain in the gateway's own time"),
            (
                "terminationDrainDuration",
                at(&proxy.termination_drain_duration),
                "connections drain in the gateway's own time",
            ),
            ("runtimeValues", first_key(&proxy.runtime_values), "they are switches of Envoy"),
            ("proxyAdminPort", at(&proxy.proxy_admin_port), "see --admin"),
            ("statusPort", at(&proxy.status_port), "see --status"),
            (
                "privateKeyProvider",
                at(&proxy.private_key_provider),
                "private keys are used by the gateway itself",
            ),
            (
                "envoyAccessLogService",
                at(&proxy.envoy_access_log_service),
                "the access log goes to a file only",
            ),
            ("envoyMetricsService", at(&proxy.envoy_metrics_service), "metrics are scraped, not sent"),
        ],
    );
    if let Some(tracing) = &proxy.tracing {
        fields.report(&|| format!("{path}.tracing"), &tracing_fields(tracing));
    }
    if let Some(headers) = &proxy.proxy_headers {
        fields.report(&|| format!("{path}.proxyHeaders"), &header_fields(headers));
        report_server_value(headers, path, fields);
    }
    report_connections(proxy, path, fields);
}

fn tracing_fields(tracing: &ProxyTracing) -> [Field; 6] {
    let otlp = "spans go by OTLP to a provider of `extensionProviders`";
    [
        ("zipkin", at(&tracing.zipkin), otlp),
        ("lightstep", at(&tracing.lightstep), otlp),
        ("datadog", at(&tracing.datadog), otlp),
        ("stackdriver", at(&tracing.stackdriver), otlp),
        ("openCensusAgent", at(&tracing.open_census_agent), otlp),
        ("tlsSettings", at(&tracing.tls_settings), "TLS to a collector is that of its DestinationRule"),
    ]
}

fn otel_fields(otel: &OpenTelemetryProvider) -> [Field; 4] {
    let detectors = otel.resource_detectors.as_ref();
    let dynatrace = detectors.and_then(|detectors| detectors.dynatrace.as_ref());
    [
        ("grpc", at(&otel.grpc), "OTLP is spoken by HTTP"),
        (
            "dynatraceSampler",
            at(&otel.dynatrace_sampler),
            "requests are sampled by `randomSamplingPercentage`",
        ),
        (
            "serviceAttributeEnrichment",
            at(&otel.service_attribute_enrichment),
            "the resource has `service.name` and what `resourceDetectors` find",
        ),
        ("resourceDetectors", dynatrace.map(|dynatrace| dynatrace.span), "`dynatrace` finds nothing here"),
    ]
}

fn header_fields(headers: &ProxyHeaders) -> [Field; 2] {
    [
        (
            "setCurrentClientCertDetails",
            at(&headers.set_current_client_cert_details),
            "x-forwarded-client-cert always has hash, subject, URI, DNS names and the whole of the client's certificate",
        ),
        ("preserveHttp1HeaderCase", on(&headers.preserve_http1_header_case), "header names are lowered"),
    ]
}

/// A value with a line break in it would become two header fields.
fn report_server_value(headers: &ProxyHeaders, path: &str, fields: &mut Fields<'_>) {
    let value = headers.server.as_ref().and_then(|server| server.value.value.as_ref());
    let Some(value) = value.filter(|value| value.chars().any(char::is_control)) else { return };
    fields.report.add("bad-header-value", value.span, || {
        Diagnostic::error("bad-header-value", "the value of `server` has a control character")
            .about(fields.object)
            .field(format!("{path}.proxyHeaders.server.value"))
    });
}

fn report_connections(proxy: &ProxyConfig, path: &str, fields: &mut Fields<'_>) {
    let Some(settings) = &proxy.connection_settings else { return };
    fields.report(&|| format!("{path}.connectionSettings"), &connection_fields(settings));
    let Some(action) = &settings.http_headers_with_underscores_action else { return };
    if underscore_action(action).is_none() {
        fields.report.add("unknown-value", action.span, || {
            let message = format!("unknown action `{}`", action.value.escape_debug());
            Diagnostic::error("unknown-value", message)
                .about(fields.object)
                .field(format!("{path}.connectionSettings.httpHeadersWithUnderscoresAction"))
                .help("expected ALLOW, REJECT_REQUEST or DROP_HEADER")
        });
    }
}

fn connection_fields(settings: &ConnectionSettings) -> [Field; 11] {
    let of_profile = match is_edge(settings) {
        true => {
            "only its limits of HTTP/2 and the refusal of header names with `_` hold; buffers, timeouts and paths are as without it"
        }
        false => "only EDGE is known",
    };
    let own_time = "the gateway has times of its own for clients' connections";
    let own_buffers = "buffers are the gateway's own";
    let paths = "see `meshConfig.pathNormalization`";
    [
        ("profile", at(&settings.profile), of_profile),
        (
            "listenerPerConnectionBufferLimitBytes",
            at(&settings.listener_per_connection_buffer_limit_bytes),
            own_buffers,
        ),
        (
            "clusterPerConnectionBufferLimitBytes",
            at(&settings.cluster_per_connection_buffer_limit_bytes),
            own_buffers,
        ),
        ("httpIdleTimeout", at(&settings.http_idle_timeout), own_time),
        ("httpStreamIdleTimeout", at(&settings.http_stream_idle_timeout), own_time),
        ("httpRequestTimeout", at(&settings.http_request_timeout), own_time),
        ("httpRequestHeadersTimeout", at(&settings.http_request_headers_timeout), own_time),
        ("httpMaxStreamDuration", at(&settings.http_max_stream_duration), own_time),
        ("httpDrainTimeout", at(&settings.http_drain_timeout), own_time),
        ("httpMergeSlashes", at(&settings.http_merge_slashes), paths),
        ("httpPathWithEscapedSlashesAction", at(&settings.http_path_with_escaped_slashes_action), paths),
    ]
}
