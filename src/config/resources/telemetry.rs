//! `Telemetry`: what is logged, traced and counted.

use super::{PolicySelector, PolicyTargetReference};
use crate::config::{
    Spanned,
    decode::{Map, choice, object},
};
use std::time::Duration;

object! {
    /// `Telemetry` (telemetry.istio.io): access log, spans and metrics of the selected workloads.
    pub struct Telemetry {
        /// The workloads; none: all of the namespace.
        selector: Option<Spanned<PolicySelector>> = "selector",
        /// The object it is attached to; the old form of `targetRefs`.
        target_ref: Option<Spanned<PolicyTargetReference>> = "targetRef",
        /// The objects it is attached to.
        target_refs: Vec<Spanned<PolicyTargetReference>> = "targetRefs",
        /// Spans. Later entries are stronger.
        tracing: Vec<Spanned<TracingRule>> = "tracing",
        /// Metrics. Later entries are stronger.
        metrics: Vec<Spanned<MetricsRule>> = "metrics",
        /// The access log. Later entries are stronger.
        access_logging: Vec<Spanned<AccessLoggingRule>> = "accessLogging",
    }
}

choice! {
    /// `WorkloadMode`: whether a workload asks or is asked. A gateway's traffic is that of a client.
    pub enum WorkloadMode {
        /// Either.
        ClientAndServer = "CLIENT_AND_SERVER" (0),
        /// The workload is the source of the traffic.
        Client = "CLIENT" (1),
        /// The workload is its destination.
        Server = "SERVER" (2),
    }
}

impl WorkloadMode {
    /// Whether a rule with this mode holds for a gateway, which is a client to Istio (istiod's `workloadMode`).
    pub fn is_for_gateway(self) -> bool {
        self != WorkloadMode::Server
    }
}

object! {
    /// `ProviderRef`: the name of an extension provider.
    pub struct ProviderRef {
        /// A name of `meshConfig.extensionProviders`, or one that Istio has anyway: `envoy`, `prometheus`.
        name: Option<Spanned<String>> = "name",
    }
}

object! {
    /// `Tracing`: which requests have spans, and what is in them.
    pub struct TracingRule {
        /// The direction it is for.
        mode: Option<Spanned<ModeSelector>> = "match",
        /// Where spans go; the first counts.
        providers: Vec<Spanned<ProviderRef>> = "providers",
        /// The share of requests that have spans where nobody before has decided, in percent, 0 to 100.
        random_sampling_percentage: Option<Spanned<f64>> = "randomSamplingPercentage",
        /// No spans are reported. Contexts are passed on all the same.
        disable_span_reporting: Option<Spanned<bool>> = "disableSpanReporting",
        /// Contexts are not passed on.
        disable_context_propagation: Option<Spanned<bool>> = "disableContextPropagation",
        /// Attributes of spans, by name. They replace those of weaker rules as a whole.
        custom_tags: Map<CustomTag> = "customTags",
        /// `x-request-id` says whether a request is sampled. Absent: yes.
        use_request_id_for_trace_sampling: Option<Spanned<bool>> = "useRequestIdForTraceSampling",
        /// Spans have Istio's own attributes (`istio.mesh_id` and the like). Absent: yes.
        enable_istio_tags: Option<Spanned<bool>> = "enableIstioTags",
    }
}

object! {
    /// `TracingSelector` and `LogSelector`: the direction that a rule is for.
    pub struct ModeSelector {
        /// Which.
        mode: Option<Spanned<WorkloadMode>> = "mode",
    }
}

object! {
    /// `Tracing.CustomTag`: where the value of an attribute comes from.
    pub struct CustomTag {
        /// A text.
        literal: Option<Spanned<LiteralTag>> = "literal",
        /// A variable of the environment.
        environment: Option<Spanned<NamedTag>> = "environment",
        /// A field of the request.
        header: Option<Spanned<NamedTag>> = "header",
        /// A format string with Envoy's operators.
        formatter: Option<Spanned<LiteralTag>> = "formatter",
    }
    one_of ["literal", "environment", "header", "formatter"]
}

object! {
    /// `Tracing.Literal` and `Tracing.Formatter`.
    pub struct LiteralTag {
        /// The value.
        value: Option<Spanned<String>> = "value",
    }
}

object! {
    /// `Tracing.Environment` and `Tracing.RequestHeader`.
    pub struct NamedTag {
        /// The name of the variable or of the field.
        name: Option<Spanned<String>> = "name",
        /// The value where there is none.
        default_value: Option<Spanned<String>> = "defaultValue",
    }
}

object! {
    /// `Metrics`: which metrics there are, and which labels they have.
    pub struct MetricsRule {
        /// Whose metrics.
        providers: Vec<Spanned<ProviderRef>> = "providers",
        /// Changes, in order: later ones are stronger.
        overrides: Vec<Spanned<MetricsOverrides>> = "overrides",
        /// The time between two reports of TCP connections.
        reporting_interval: Option<Spanned<Duration>> = "reportingInterval",
    }
}

object! {
    /// `MetricsOverrides`: a change of some metrics.
    pub struct MetricsOverrides {
        /// Which metrics; absent: all, in both directions.
        selector: Option<Spanned<MetricSelector>> = "match",
        /// They are not counted.
        disabled: Option<Spanned<bool>> = "disabled",
        /// Labels, by name.
        tag_overrides: Map<TagOverride> = "tagOverrides",
    }
}

object! {
    /// `MetricSelector`.
    pub struct MetricSelector {
        /// One of Istio's own.
        metric: Option<Spanned<IstioMetric>> = "metric",
        /// Another one.
        custom_metric: Option<Spanned<String>> = "customMetric",
        /// The direction.
        mode: Option<Spanned<WorkloadMode>> = "mode",
    }
    one_of ["metric", "customMetric"]
}

choice! {
    /// `MetricSelector.IstioMetric`.
    pub enum IstioMetric {
        /// All of them.
        All = "ALL_METRICS" (0),
        /// `istio_requests_total`
        RequestCount = "REQUEST_COUNT" (1),
        /// `istio_request_duration_milliseconds`
        RequestDuration = "REQUEST_DURATION" (2),
        /// `istio_request_bytes`
        RequestSize = "REQUEST_SIZE" (3),
        /// `istio_response_bytes`
        ResponseSize = "RESPONSE_SIZE" (4),
        /// `istio_tcp_connections_opened_total`
        TcpOpenedConnections = "TCP_OPENED_CONNECTIONS" (5),
        /// `istio_tcp_connections_closed_total`
        TcpClosedConnections = "TCP_CLOSED_CONNECTIONS" (6),
        /// `istio_tcp_sent_bytes_total`
        TcpSentBytes = "TCP_SENT_BYTES" (7),
        /// `istio_tcp_received_bytes_total`
        TcpReceivedBytes = "TCP_RECEIVED_BYTES" (8),
        /// `istio_request_messages_total`
        GrpcRequestMessages = "GRPC_REQUEST_MESSAGES" (9),
        /// `istio_response_messages_total`
        GrpcResponseMessages = "GRPC_RESPONSE_MESSAGES" (10),
    }
}

object! {
    /// `MetricsOverrides.TagOverride`: what is done with a label.
    pub struct TagOverride {
        /// Absent: `UPSERT`.
        operation: Option<Spanned<TagOperation>> = "operation",
        /// A CEL expression, with `UPSERT`.
        value: Option<Spanned<String>> = "value",
    }
}

choice! {
    /// `TagOverride.Operation`.
    pub enum TagOperation {
        /// The label has this value.
        Upsert = "UPSERT" (0),
        /// There is no such label.
        Remove = "REMOVE" (1),
    }
}

object! {
    /// `AccessLogging`: which requests and connections are logged, and where.
    pub struct AccessLoggingRule {
        /// The direction it is for.
        mode: Option<Spanned<ModeSelector>> = "match",
        /// Where lines go; none: where those of a weaker rule go, else `meshConfig.defaultProviders.accessLogging`.
        providers: Vec<Spanned<ProviderRef>> = "providers",
        /// Nothing is logged there.
        disabled: Option<Spanned<bool>> = "disabled",
        /// Which requests are logged; absent: all.
        filter: Option<Spanned<LogFilter>> = "filter",
    }
}

object! {
    /// `AccessLogging.Filter`.
    pub struct LogFilter {
        /// A CEL expression; a request or connection for which it is true is logged.
        expression: Option<Spanned<String>> = "expression",
    }
}
