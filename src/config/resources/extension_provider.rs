//! `meshConfig.extensionProviders` and `defaultProviders`: who gets logs, spans and metrics, and who is asked for permission.

use crate::config::{
    Spanned,
    decode::{Opaque, Structure, object},
};
use std::time::Duration;

object! {
    /// `MeshConfig.ExtensionProvider`.
    pub struct ExtensionProvider {
        /// By which others name it; capital and small letters are the same.
        name: Option<Spanned<String>> = "name",
        /// A file or a terminal that gets the access log.
        envoy_file_access_log: Option<Spanned<FileAccessLogProvider>> = "envoyFileAccessLog",
        /// A collector of OpenTelemetry that gets spans.
        opentelemetry: Option<Spanned<OpenTelemetryProvider>> = "opentelemetry",
        /// A server of Zipkin that gets spans.
        zipkin: Option<Spanned<ZipkinProvider>> = "zipkin",
        /// Metrics that are scraped.
        prometheus: Option<Spanned<Opaque>> = "prometheus",
        /// Known; without effect.
        envoy_http_als: Option<Spanned<Opaque>> = "envoyHttpAls",
        /// Known; without effect.
        envoy_tcp_als: Option<Spanned<Opaque>> = "envoyTcpAls",
        /// Known; without effect.
        envoy_otel_als: Option<Spanned<Opaque>> = "envoyOtelAls",
        /// Known; without effect.
        envoy_ext_authz_http: Option<Spanned<Opaque>> = "envoyExtAuthzHttp",
        /// Known; without effect.
        envoy_ext_authz_grpc: Option<Spanned<Opaque>> = "envoyExtAuthzGrpc",
        /// Known; without effect.
        lightstep: Option<Spanned<Opaque>> = "lightstep",
        /// Known; without effect.
        datadog: Option<Spanned<Opaque>> = "datadog",
        /// Known; without effect.
        stackdriver: Option<Spanned<Opaque>> = "stackdriver",
        /// Known; without effect.
        opencensus: Option<Spanned<Opaque>> = "opencensus",
        /// Known; without effect.
        skywalking: Option<Spanned<Opaque>> = "skywalking",
        /// Known; without effect.
        sds: Option<Spanned<Opaque>> = "sds",
    }
    one_of [
        "envoyFileAccessLog", "opentelemetry", "zipkin", "prometheus", "envoyHttpAls", "envoyTcpAls", "envoyOtelAls",
        "envoyExtAuthzHttp", "envoyExtAuthzGrpc", "lightstep", "datadog", "stackdriver", "opencensus", "skywalking", "sds"
    ]
}

object! {
    /// `MeshConfig.DefaultProviders`: who is meant where a `Telemetry` names nobody.
    pub struct DefaultProviders {
        /// Who gets spans; the first counts.
        tracing: Vec<Spanned<String>> = "tracing",
        /// Who gets metrics. Absent: `prometheus`.
        metrics: Vec<Spanned<String>> = "metrics",
        /// Who gets the access log.
        access_logging: Vec<Spanned<String>> = "accessLogging",
    }
}

object! {
    /// `EnvoyFileAccessLogProvider`.
    pub struct FileAccessLogProvider {
        /// The file. Absent: `/dev/stdout`.
        path: Option<Spanned<String>> = "path",
        /// What a line has. Absent: Istio's text.
        log_format: Option<Spanned<FileLogFormat>> = "logFormat",
        /// Values that are not known are left out, in place of `-` or `null`.
        omit_empty_values: Option<Spanned<bool>> = "omitEmptyValues",
    }
}

object! {
    /// `EnvoyFileAccessLogProvider.LogFormat`.
    pub struct FileLogFormat {
        /// A line of text with Envoy's operators.
        text: Option<Spanned<String>> = "text",
        /// A JSON object whose values have Envoy's operators.
        labels: Option<Spanned<Structure>> = "labels",
    }
    one_of ["text", "labels"]
}

object! {
    /// `OpenTelemetryTracingProvider`.
    pub struct OpenTelemetryProvider {
        /// The collector's host, as a destination names it; a namespace and `/` may stand in front.
        service: Option<Spanned<String>> = "service",
        /// Its port.
        port: Option<Spanned<u32>> = "port",
        /// Bytes of a path that a span has at most. Absent: 256.
        max_tag_length: Option<Spanned<u32>> = "maxTagLength",
        /// Spans go by HTTP. Absent: by gRPC.
        http: Option<Spanned<OtlpHttp>> = "http",
        /// How gRPC is spoken.
        grpc: Option<Spanned<Opaque>> = "grpc",
        /// Where attributes of the resource come from.
        resource_detectors: Option<Spanned<ResourceDetectors>> = "resourceDetectors",
        /// Known; without effect.
        dynatrace_sampler: Option<Spanned<Opaque>> = "dynatraceSampler",
        /// Known; without effect.
        service_attribute_enrichment: Option<Spanned<Opaque>> = "serviceAttributeEnrichment",
        /// Known; without effect.
        disable_context_propagation: Option<Spanned<bool>> = "disableContextPropagation",
    }
}

object! {
    /// `HttpService`: how OTLP is spoken by HTTP.
    pub struct OtlpHttp {
        /// The path, such as `/v1/traces`.
        path: Option<Spanned<String>> = "path",
        /// How long one export may take. Absent: no limit of its own.
        timeout: Option<Spanned<Duration>> = "timeout",
        /// Header fields of each export.
        headers: Vec<Spanned<ProviderHeader>> = "headers",
    }
}

object! {
    /// `HttpHeader`.
    pub struct ProviderHeader {
        /// Its name.
        name: Option<Spanned<String>> = "name",
        /// Its value.
        value: Option<Spanned<String>> = "value",
        /// The variable of the environment that has its value.
        env_name: Option<Spanned<String>> = "envName",
    }
    one_of ["value", "envName"]
}

object! {
    /// `ResourceDetectors`.
    pub struct ResourceDetectors {
        /// `OTEL_RESOURCE_ATTRIBUTES` of the environment is read.
        environment: Option<Spanned<Opaque>> = "environment",
        /// Known; without effect.
        dynatrace: Option<Spanned<Opaque>> = "dynatrace",
    }
}

object! {
    /// `ZipkinTracingProvider`.
    pub struct ZipkinProvider {
        /// The server's host.
        service: Option<Spanned<String>> = "service",
        /// Its port.
        port: Option<Spanned<u32>> = "port",
        /// Bytes of a path that a span has at most. Absent: 256.
        max_tag_length: Option<Spanned<u32>> = "maxTagLength",
        /// Ids of traces have 64 bits.
        enable64bit_trace_id: Option<Spanned<bool>> = "enable64bitTraceId",
        /// Where spans go. Absent: `/api/v2/spans`.
        path: Option<Spanned<String>> = "path",
        /// How long one export may take.
        timeout: Option<Spanned<Duration>> = "timeout",
        /// Header fields of each export.
        headers: Vec<Spanned<ProviderHeader>> = "headers",
        /// Which contexts are read and passed on.
        trace_context_option: Option<Spanned<String>> = "traceContextOption",
    }
}
