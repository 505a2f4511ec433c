//! What the files and the command line say of tracing together, as the data path needs it: istiod's
//! `configureTracingFromTelemetry`, and `meshConfig.enableTracing` where no `Telemetry` says anything.

use super::{
    Options, Workload,
    clusters::{Clusters, FoundCollector},
    mesh::Mesh,
    report::Report,
    telemetry,
};
use crate::{
    config::{
        Diagnostic, Spanned,
        resources::{
            ExtensionProvider, OpenTelemetryProvider, ProxyConfig, ProxyTracing, TracingServiceName,
        },
    },
    filter::Template,
    table::{
        Collector, CollectorPlace, ProviderHttp, ProviderValue, SAMPLING_PARTS, Source, TagSource, TagValue,
        TracePolicy, Tracing, TracingBackend, TracingProvider,
    },
};
use std::{collections::BTreeMap, time::Duration};

/// istiod's `PILOT_TRACE_SAMPLING`, in percent.
const SAMPLING_DEFAULT: f64 = 1.0;
/// Bytes of a path in a span where nobody says another number.
const PATH_DEFAULT: u32 = 256;
/// How long an export may take where its provider says nothing (`OTEL_EXPORTER_OTLP_TIMEOUT`).
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);
/// The variable that `resourceDetectors.environment` reads.
const RESOURCE_ATTRIBUTES: &str = "OTEL_RESOURCE_ATTRIBUTES";

/// What tracing is made of.
pub(super) struct Inputs<'i, 'r> {
    /// What `Telemetry` resources and default providers say.
    pub(super) told: Option<&'i Tracing>,
    pub(super) mesh: Mesh<'r>,
    pub(super) workload: &'i Workload,
    pub(super) options: &'i Options,
}

/// How requests are traced; nothing where they are not.
pub(super) fn tracing(
    inputs: &Inputs<'_, '_>,
    clusters: &mut Clusters<'_, '_>,
    report: &mut Report,
) -> Option<Box<TracePolicy>> {
    let Inputs { told, mesh, options, .. } = inputs;
    inputs.report_sampling(report);
    let is_wanted = match told {
        Some(told) => told.reports,
        None => options.tracing.endpoint.is_some() || inputs.is_enabled(),
    };
    if !is_wanted {
        return None;
    }
    let provider = told.and_then(|told| told.provider.as_ref());
    let collector = match (&options.tracing.endpoint, provider) {
        (Some(_), _) => inputs.named_collector()?,
        (None, Some(provider)) => inputs.collector(provider, clusters, report)?,
        (None, None) => {
            inputs.report_no_provider(report);
            return None;
        }
    };
    let own = inputs.written(provider);
    let otel = own.and_then(|own| own.opentelemetry.as_ref());
    let is_off = |otel: &Spanned<OpenTelemetryProvider>| {
        otel.disable_context_propagation.as_ref().is_some_and(|disabled| disabled.value)
    };
    let percent = inputs.sampling_percent();
    let proxy = proxy_tracing(*mesh);
    let of_proxy = proxy.and_then(|proxy| proxy.max_path_tag_length.as_ref()).map(|max| max.value);
    let of_provider = otel.and_then(|otel| otel.max_tag_length.as_ref()).map(|max| max.value);
    let path_max = of_provider.or(of_proxy).filter(|max| *max > 0).unwrap_or(PATH_DEFAULT);
    Some(Box::new(TracePolicy {
        sampling: (percent / 100.0 * f64::from(SAMPLING_PARTS)).round() as u32,
        uses_request_id: told.is_none_or(|told| told.uses_request_id),
        passes_context_on: told.is_none_or(|told| told.passes_context_on) && !otel.is_some_and(is_off),
        path_max: path_max as usize,
        tags: inputs.tags(report),
        collector,
        source: inputs.source(provider),
    }))
}

fn proxy_config(mesh: Mesh<'_>) -> Option<&ProxyConfig> {
    mesh.config?.default_config.as_ref().map(|proxy| &proxy.value)
}

fn proxy_tracing(mesh: Mesh<'_>) -> Option<&ProxyTracing> {
    proxy_config(mesh)?.tracing.as_ref().map(|tracing| &tracing.value)
}

impl<'i, 'r> Inputs<'i, 'r> {
    /// `meshConfig.enableTracing`
    fn is_enabled(&self) -> bool {
        let switch = self.mesh.config.and_then(|config| config.enable_tracing.as_ref());
        switch.is_some_and(|switch| switch.value)
    }

    fn source(&self, provider: Option<&TracingProvider>) -> Source {
        if self.options.tracing.endpoint.is_some() {
            return Source::built_in("--tracing-endpoint");
        }
        let told = self.told.and_then(|told| told.source.clone());
        told.or(provider.map(|provider| provider.source.clone()))
            .unwrap_or_else(|| Source::built_in("meshConfig"))
    }

    /// A provider as it is written.
    fn written(&self, provider: Option<&TracingProvider>) -> Option<&'r Spanned<ExtensionProvider>> {
        let name = &*provider?.name;
        let mut all = self.mesh.config?.extension_providers.iter();
        all.find(|own| own.name.as_ref().is_some_and(|own| own.eq_ignore_ascii_case(name)))
    }

    /// The option, else `Telemetry`, else `defaultConfig`, else 1 %.
    fn sampling_percent(&self) -> f64 {
        let told = || self.told.and_then(|told| told.sampling_percent);
        let of_proxy = || {
            let sampling = proxy_tracing(self.mesh)?.sampling.as_ref()?.value;
            // As in istiod: nothing is nothing said, and what can't be is the default.
            (sampling > 0.0).then_some(if sampling > 100.0 { SAMPLING_DEFAULT } else { sampling })
        };
        let percent = self.options.tracing.sampling_percent.or_else(told).or_else(of_proxy);
        percent.unwrap_or(SAMPLING_DEFAULT).clamp(0.0, 100.0)
    }

    fn report_sampling(&self, report: &mut Report) {
        let Some(sampling) = proxy_tracing(self.mesh).and_then(|proxy| proxy.sampling.as_ref()) else {
            return;
        };
        if !(0.0..=100.0).contains(&sampling.value) {
            let message =
                format!("{} is not a share from 0 to 100; 1 is taken for it, as in Istio", sampling.value);
            self.say(
                ("defaultConfig.tracing.sampling", sampling),
                Diagnostic::warning("bad-share", message),
                report,
            );
        }
    }

    fn report_no_provider(&self, report: &mut Report) {
        const CODE: &str = "no-tracing-provider";
        let help = "add an `opentelemetry` provider to `meshConfig.extensionProviders` and name it in \
                    `defaultProviders.tracing`, or use --tracing-endpoint";
        let switch = self.mesh.config.and_then(|config| config.enable_tracing.as_ref());
        let message = "no spans are made: nobody who could get them is named";
        let diagnostic = Diagnostic::warning(CODE, message).help(help);
        match (switch.filter(|switch| switch.value), self.told) {
            (Some(switch), None) => self.say(("enableTracing", switch), diagnostic, report),
            (_, Some(told)) => {
                let of = told.source.as_ref().map_or_else(String::new, |source| format!("{source}: "));
                let message = format!("{of}{message}");
                report.add_without_place(Diagnostic::warning(CODE, message).help(help));
            }
            (None, None) => {}
        }
    }

    /// Says something about a field of `meshConfig`.
    fn say<T>(&self, (field, place): (&str, &Spanned<T>), problem: Diagnostic, report: &mut Report) {
        let Some(object) = self.mesh.object else { return };
        report.add(problem.code, place.span, || {
            problem.about(object).field(format!("{}.{field}", self.mesh.path()))
        });
    }

    /// The collector that `--tracing-endpoint` names.
    fn named_collector(&self) -> Option<Collector> {
        let endpoint = self.options.tracing.endpoint.as_ref()?;
        Some(Collector {
            place: CollectorPlace::Host {
                host: endpoint.host.as_str().into(),
                port: endpoint.port,
                is_tls: endpoint.is_tls,
            },
            authority: endpoint.authority.as_str().into(),
            path: endpoint.path.as_str().into(),
            timeout: TIMEOUT_DEFAULT,
            headers: Vec::new(),
            // Whoever names a collector by hand names the rest in the environment, as for every other exporter.
            resource: self.resource(true),
        })
    }

    /// The collector of a provider; nothing where it is none that this gateway can send to, which is said.
    fn collector(
        &self,
        provider: &TracingProvider,
        clusters: &mut Clusters<'_, '_>,
        report: &mut Report,
    ) -> Option<Collector> {
        const CODE: &str = "tracing-provider-not-supported";
        let name = provider.name.escape_debug();
        let (service, port, http, reads_environment) = match &provider.backend {
            TracingBackend::OpenTelemetry { service, port, http: Some(http), reads_environment } => {
                (service, *port, http, *reads_environment)
            }
            TracingBackend::OpenTelemetry { http: None, .. } => {
                let message = format!(
                    "no spans are made: provider `{name}` has no `http`, and OTLP by gRPC is not spoken"
                );
                let help = "add `http: {path: /v1/traces}` and the port that the collector has for that, usually 4318";
                self.say_of(provider, Diagnostic::warning(CODE, message).help(help), report);
                return None;
            }
            TracingBackend::Zipkin { .. } => {
                let message =
                    format!("no spans are made: provider `{name}` is Zipkin's, and spans go by OTLP");
                let help = "use an `opentelemetry` provider with `http`: Jaeger, Tempo and OpenTelemetry's collector take OTLP, and the collector hands spans on to Zipkin. B3 contexts are read and passed on all the same";
                self.say_of(provider, Diagnostic::warning(CODE, message).help(help), report);
                return None;
            }
        };
        let place = match clusters.collector(service, port) {
            FoundCollector::Cluster(id) => CollectorPlace::Cluster(id),
            other => {
                let what = match other {
                    FoundCollector::NoPort => format!("`{service}` has no port {port}"),
                    _ => format!("no service in the files has the host `{service}`"),
                };
                let message =
                    format!("{what}: the collector is looked for by DNS, and spoken to without TLS");
                let diagnostic = Diagnostic::warning("unknown-collector", message);
                self.say_of(
                    provider,
                    diagnostic.help("a ServiceEntry can say where it is; istiod would make no spans"),
                    report,
                );
                CollectorPlace::Host { host: service.clone(), port, is_tls: false }
            }
        };
        Some(Collector {
            place,
            authority: format!("{service}:{port}").into(),
            path: http.path.clone(),
            timeout: http.timeout.filter(|timeout| !timeout.is_zero()).unwrap_or(TIMEOUT_DEFAULT),
            headers: self.headers(http),
            resource: self.resource(reads_environment),
        })
    }

    fn say_of(&self, provider: &TracingProvider, problem: Diagnostic, report: &mut Report) {
        if let Some(own) = self.written(Some(provider)) {
            self.say(("extensionProviders", own), problem, report);
        }
    }

    fn headers(&self, http: &ProviderHttp) -> Vec<(Box<str>, Box<str>)> {
        let value = |value: &ProviderValue| match value {
            ProviderValue::Text(text) => text.clone(),
            ProviderValue::Environment(name) => self.variable(name).unwrap_or_default().into(),
        };
        http.headers.iter().map(|(name, text)| (name.clone(), value(text))).collect()
    }

    fn variable(&self, name: &str) -> Option<&'i str> {
        self.options.environment.get(name).map(String::as_str)
    }

    /// What this gateway is: `service.name` as istiod has it for a proxy, and what the environment says besides.
    fn resource(&self, reads_environment: bool) -> Vec<(Box<str>, Box<str>)> {
        let mut all = BTreeMap::from([
            ("service.name".to_owned(), self.service_name()),
            ("service.namespace".to_owned(), self.workload.namespace.clone()),
            ("telemetry.sdk.language".to_owned(), "rust".to_owned()),
            ("telemetry.sdk.name".to_owned(), "sluicegate".to_owned()),
            ("telemetry.sdk.version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        ]);
        if reads_environment {
            let text = self.variable(RESOURCE_ATTRIBUTES).unwrap_or_default();
            all.extend(text.split(',').filter_map(|pair| {
                let (key, value) = pair.split_once('=')?;
                Some((key.trim().to_owned(), decoded(value.trim())))
            }));
            if let Some(name) = self.variable("OTEL_SERVICE_NAME").filter(|name| !name.is_empty()) {
                all.insert("service.name".to_owned(), name.to_owned());
            }
        }
        all.into_iter().map(|(key, value)| (key.into(), value.into())).collect()
    }

    fn label(&self, names: &[&str]) -> Option<&'i str> {
        let labels = self.workload.labels.as_ref()?;
        names.iter().find_map(|name| labels.get(*name)).map(String::as_str)
    }

    /// `tracingServiceName`: `istio-ingressgateway.istio-system`.
    fn service_name(&self) -> String {
        const NAMELESS: &str = "istio-proxy";
        let kind = proxy_config(self.mesh).and_then(|proxy| proxy.tracing_service_name.as_ref());
        let namespace = &self.workload.namespace;
        let canonical = self.label(&["service.istio.io/canonical-name", "app.kubernetes.io/name", "app"]);
        match kind.map(|kind| kind.value).unwrap_or_default() {
            TracingServiceName::CanonicalNameOnly => canonical.unwrap_or(NAMELESS).to_owned(),
            TracingServiceName::CanonicalNameAndNamespace => {
                format!("{}.{namespace}", canonical.unwrap_or(NAMELESS))
            }
            TracingServiceName::AppLabelAndNamespace => match self.label(&["app"]) {
                Some(app) => format!("{app}.{namespace}"),
                None => format!("{NAMELESS}.{namespace}"),
            },
        }
    }

    /// Istio's own attributes, then the user's: those of `Telemetry`, else those of `defaultConfig`.
    fn tags(&self, report: &mut Report) -> Vec<(Box<str>, TagValue)> {
        let proxy = proxy_tracing(self.mesh);
        let of_proxy = proxy.and_then(|proxy| proxy.enable_istio_tags.as_ref()).is_none_or(|on| on.value);
        let mut all: BTreeMap<Box<str>, TagValue> = BTreeMap::new();
        if self.told.map_or(of_proxy, |told| told.has_istio_tags) {
            all.extend(self.istio_tags());
        }
        let told = self.told.map(|told| &told.custom_tags).filter(|tags| !tags.is_empty());
        let written = match told {
            Some(tags) => tags.clone(),
            None => proxy.map_or_else(Vec::new, |proxy| telemetry::custom_tags(&proxy.custom_tags)),
        };
        for (name, source) in written {
            if let Some(value) = self.tag(&name, source, report) {
                all.insert(name, value);
            }
        }
        all.into_iter().collect()
    }

    fn tag(&self, name: &str, source: TagSource, report: &mut Report) -> Option<TagValue> {
        match source {
            TagSource::Literal(text) => Some(TagValue::Fixed(text)),
            TagSource::Environment { name, otherwise } => {
                Some(TagValue::Fixed(self.variable(&name).map_or(otherwise, Into::into)))
            }
            TagSource::Header { name, otherwise } => {
                Some(TagValue::Header { name: name.as_bytes().into(), otherwise })
            }
            TagSource::Formatter(text) => match Template::parse(&text) {
                Ok(template) => Some(TagValue::Template(template)),
                Err(error) => {
                    let message = format!(
                        "the value of the tag `{}` {error}; spans do not have it",
                        name.escape_debug()
                    );
                    report.add_without_place(Diagnostic::warning("bad-tag", message));
                    None
                }
            },
        }
    }

    /// istiod's `buildServiceTags`.
    fn istio_tags(&self) -> [(Box<str>, TagValue); 5] {
        let proxy = proxy_config(self.mesh);
        let metadata = |name: &str| {
            let found = proxy.and_then(|proxy| proxy.proxy_metadata.get(name));
            found.map_or("unknown", |value| value.value.as_str())
        };
        let canonical = ["service.istio.io/canonical-name", "app.kubernetes.io/name", "app"];
        let revision = ["service.istio.io/canonical-revision", "app.kubernetes.io/version", "version"];
        let fixed = |name: &str, value: &str| (name.into(), TagValue::Fixed(value.into()));
        [
            fixed("istio.canonical_revision", self.label(&revision).unwrap_or("latest")),
            fixed("istio.canonical_service", self.label(&canonical).unwrap_or("unknown")),
            fixed("istio.mesh_id", metadata("ISTIO_META_MESH_ID")),
            fixed("istio.namespace", &self.workload.namespace),
            fixed("istio.cluster_id", metadata("ISTIO_META_CLUSTER_ID")),
        ]
    }
}

/// Values of `OTEL_RESOURCE_ATTRIBUTES` may have `%XX` in them (W3C Baggage).
fn decoded(value: &str) -> String {
    let mut out = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let digits = behind.get(..2).filter(|_| *first == b'%');
        let byte = digits.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        match byte {
            Some(byte) => {
                out.push(byte);
                rest = behind.get(2..).unwrap_or_default();
            }
            None => {
                out.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
