//! `meshConfig.defaultConfig.tracing`: spans, as they were configured before there was `Telemetry`.

use super::{CustomTag, Map};
use crate::config::{
    Spanned,
    decode::{Opaque, choice, object},
};

object! {
    /// `Tracing` (mesh.istio.io/v1alpha1).
    pub struct ProxyTracing {
        /// Known; without effect: spans go by OTLP.
        zipkin: Option<Spanned<Opaque>> = "zipkin",
        /// Known; without effect: spans go by OTLP.
        lightstep: Option<Spanned<Opaque>> = "lightstep",
        /// Known; without effect: spans go by OTLP.
        datadog: Option<Spanned<Opaque>> = "datadog",
        /// Known; without effect: spans go by OTLP.
        stackdriver: Option<Spanned<Opaque>> = "stackdriver",
        /// Known; without effect: spans go by OTLP.
        open_census_agent: Option<Spanned<Opaque>> = "openCensusAgent",
        /// Attributes of spans, by name.
        custom_tags: Map<CustomTag> = "customTags",
        /// Bytes of a path that a span has at most. Absent: 256.
        max_path_tag_length: Option<Spanned<u32>> = "maxPathTagLength",
        /// The share of requests that have spans, in percent, 0 to 100. Absent: 1.
        sampling: Option<Spanned<f64>> = "sampling",
        /// Known; without effect.
        tls_settings: Option<Spanned<Opaque>> = "tlsSettings",
        /// Spans have Istio's own attributes. Absent: yes.
        enable_istio_tags: Option<Spanned<bool>> = "enableIstioTags",
    }
}

choice! {
    /// `ProxyConfig.TracingServiceName`: what a gateway calls itself in spans.
    pub enum TracingServiceName {
        /// `app.namespace`, by the label `app`.
        AppLabelAndNamespace = "APP_LABEL_AND_NAMESPACE" (0),
        /// The canonical name.
        CanonicalNameOnly = "CANONICAL_NAME_ONLY" (1),
        /// The canonical name and the namespace.
        CanonicalNameAndNamespace = "CANONICAL_NAME_AND_NAMESPACE" (2),
    }
}
