//! What is logged, traced and counted: the `Telemetry` resources that apply, merged, with the providers they name.

use super::Source;
use crate::telemetry::{Condition, Format, LogTarget};
use std::{sync::Arc, time::Duration};

/// What the `Telemetry` resources that apply to this workload and `meshConfig`'s providers say together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Telemetry {
    /// Spans. `None`: neither a `Telemetry` nor `meshConfig.defaultProviders.tracing` says anything.
    pub tracing: Option<Box<Tracing>>,
    /// Changes of metrics.
    pub metrics: MetricChanges,
    /// The access log.
    pub access_log: AccessLogging,
}

/// Which access logs there are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AccessLogging {
    /// How lines are written where nobody says another format (`meshConfig.accessLogEncoding`, `accessLogFormat`).
    pub format: Arc<Format>,
    /// All of them. `None`: neither a `Telemetry` nor `meshConfig` says anything.
    pub logs: Option<Vec<FileLog>>,
}

/// An access log of a `Telemetry`, or of `meshConfig.accessLogFile`.
#[derive(Clone, Debug, PartialEq)]
pub struct FileLog {
    /// Where lines go.
    pub target: LogTarget,
    /// How they are written.
    pub format: Arc<Format>,
    /// Which requests and connections have one; nothing: all.
    pub condition: Option<Arc<Condition>>,
    /// Where it is asked for.
    pub source: Source,
}

/// Which requests have spans, and where those go.
#[derive(Clone, Debug, PartialEq)]
pub struct Tracing {
    /// Who gets spans. `None`: nobody is named, or one that is not supported; then no span is made.
    pub provider: Option<TracingProvider>,
    /// Spans are reported: no `disableSpanReporting` holds.
    pub reports: bool,
    /// `randomSamplingPercentage`, 0 to 100. `None`: nobody says.
    pub sampling_percent: Option<f64>,
    /// `customTags`, in the order of the file.
    pub custom_tags: Vec<(Box<str>, TagSource)>,
    /// `useRequestIdForTraceSampling`
    pub uses_request_id: bool,
    /// `enableIstioTags`
    pub has_istio_tags: bool,
    /// Contexts are passed on: no `disableContextPropagation` holds.
    pub passes_context_on: bool,
    /// The strongest of the objects that say something of tracing. `None`: only `meshConfig` does.
    pub source: Option<Source>,
}

/// Who gets spans: an extension provider of `meshConfig`.
#[derive(Clone, Debug, PartialEq)]
pub struct TracingProvider {
    /// Its name.
    pub name: Box<str>,
    /// Where it is, and what it speaks.
    pub backend: TracingBackend,
    /// Bytes that a path in a span has at most (`maxTagLength`); Istio's default is 256.
    pub tag_length_max: u32,
    /// Where it is written.
    pub source: Source,
}

/// Where spans go.
#[derive(Clone, Debug, PartialEq)]
pub enum TracingBackend {
    /// OTLP. Without `http` it would be gRPC.
    OpenTelemetry {
        /// The collector's host, without a namespace before it.
        service: Box<str>,
        /// Its port.
        port: u16,
        /// How HTTP is spoken.
        http: Option<ProviderHttp>,
        /// `OTEL_RESOURCE_ATTRIBUTES` of the environment is a part of the resource.
        reads_environment: bool,
    },
    /// Zipkin's JSON, version 2.
    Zipkin {
        /// The server's host.
        service: Box<str>,
        /// Its port.
        port: u16,
        /// How HTTP is spoken.
        http: ProviderHttp,
    },
}

/// How a provider is spoken to by HTTP.
#[derive(Clone, Debug, PartialEq)]
pub struct ProviderHttp {
    /// The path, with `/` in front.
    pub path: Box<str>,
    /// How long one export may take. `None`: nobody says.
    pub timeout: Option<Duration>,
    /// Header fields: names in lower case, and values.
    pub headers: Vec<(Box<str>, ProviderValue)>,
}

/// The value of a header field of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProviderValue {
    /// This.
    Text(Box<str>),
    /// That of this variable of the environment.
    Environment(Box<str>),
}

/// Where the value of an attribute of spans comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TagSource {
    /// It is this.
    Literal(Box<str>),
    /// A variable of the environment.
    Environment {
        /// Its name.
        name: Box<str>,
        /// The value where there is none; empty: no attribute.
        otherwise: Box<str>,
    },
    /// A field of the request.
    Header {
        /// Its name, in lower case.
        name: Box<str>,
        /// The value where there is none; empty: no attribute.
        otherwise: Box<str>,
    },
    /// A format string with Envoy's operators.
    Formatter(Box<str>),
}

/// What `Telemetry` resources change of Istio's standard metrics.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MetricChanges {
    /// All are off (`ALL_METRICS`, `disabled`).
    pub is_off: bool,
    /// Metrics that are changed, each once.
    pub changes: Vec<MetricChange>,
    /// `reportingInterval`: the time between two reports of TCP connections.
    pub reporting_interval: Option<Duration>,
}

/// What is changed of one metric.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricChange {
    /// Which: Istio's name, such as `REQUEST_COUNT`, or that of a custom metric.
    pub metric: Box<str>,
    /// It is not counted.
    pub is_disabled: bool,
    /// Its labels that are changed, each once, in the order of the files.
    pub labels: Vec<LabelChange>,
}

impl LabelChange {
    /// The text that its value always is; nothing where the label is removed, or where its value is reckoned from a request,
    /// which is not supported.
    pub fn literal(&self) -> Option<&str> {
        let value = self.value.as_deref()?.trim();
        let quote = value.chars().next().filter(|quote| matches!(quote, '\'' | '"'))?;
        let text = value.strip_prefix(quote)?.strip_suffix(quote)?;
        (!text.contains(['\\', quote])).then_some(text)
    }
}

/// What is changed of a label of a metric.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelChange {
    /// Its name.
    pub name: Box<str>,
    /// The CEL expression of its value. `None`: there is no such label.
    pub value: Option<Box<str>>,
    /// Where it is written.
    pub source: Source,
}
