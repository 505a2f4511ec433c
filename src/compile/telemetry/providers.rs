//! `meshConfig.extensionProviders`: what the names of providers mean.

use super::super::{
    mesh::Mesh,
    origin::{Origins, Title, title},
    report::Report,
};
use crate::{
    config::{
        Diagnostic, ObjectRef, Span, Spanned,
        resources::{DefaultProviders, ExtensionProvider, ProviderHeader},
    },
    table::{ProviderHttp, ProviderValue, Source, TracingBackend, TracingProvider},
};
use std::time::Duration;

/// Bytes of a path in a span where a provider says nothing (`maxTagLength`).
const TAG_LENGTH_DEFAULT: u32 = 256;
/// Where Zipkin's spans go where its provider says nothing.
const ZIPKIN_PATH: &str = "/api/v2/spans";

/// The providers of the mesh.
pub(super) struct Providers<'r> {
    list: &'r [Spanned<ExtensionProvider>],
    defaults: Option<&'r DefaultProviders>,
    title: Title,
    /// Whose they are, and the path to them.
    place: Option<(&'r ObjectRef, String)>,
    origins: &'r Origins,
}

/// What a name means.
pub(super) enum Named<'p> {
    /// This provider.
    Provider(&'p Spanned<ExtensionProvider>),
    /// `envoy`, which is there without being written: the access log of `meshConfig`.
    Envoy,
    /// `prometheus`, which is there without being written.
    Prometheus,
    /// Nobody.
    Nobody,
}

impl<'r> Providers<'r> {
    /// Those of the `meshConfig` that holds. Providers that have no effect are said.
    pub(super) fn new(mesh: Mesh<'r>, origins: &'r Origins, report: &mut Report) -> Providers<'r> {
        let list = mesh.config.map_or(&[][..], |config| &config.extension_providers);
        let defaults = mesh.config.and_then(|config| config.default_providers.as_ref());
        let place = mesh.object.map(|object| (object, mesh.path().to_owned()));
        let title = mesh.object.map_or_else(|| "meshConfig".into(), title);
        let defaults = defaults.map(|defaults| &defaults.value);
        let providers = Providers { list, defaults, title, place, origins };
        providers.report_without_effect(report);
        providers
    }

    /// `meshConfig.defaultProviders`
    pub(super) fn defaults(&self) -> Option<&'r DefaultProviders> {
        self.defaults
    }

    /// What a name means; capital and small letters are the same (istiod's `fetchProvider`).
    pub(super) fn find(&self, name: &str) -> Named<'r> {
        let is_it = |provider: &&Spanned<ExtensionProvider>| {
            provider.name.as_ref().is_some_and(|own| own.eq_ignore_ascii_case(name))
        };
        match self.list.iter().find(is_it) {
            Some(provider) => Named::Provider(provider),
            None if name.eq_ignore_ascii_case("envoy") => Named::Envoy,
            None if name.eq_ignore_ascii_case("prometheus") => Named::Prometheus,
            None => Named::Nobody,
        }
    }

    /// The names that there are, for messages.
    pub(super) fn names(&self) -> String {
        let own = self.list.iter().filter_map(|provider| Some(provider.name.as_ref()?.value.clone()));
        super::super::report::one_of(own.chain(["envoy".to_owned(), "prometheus".to_owned()]))
    }

    pub(super) fn source(&self, span: Span) -> Source {
        self.origins.source(&self.title, span)
    }

    fn report_without_effect(&self, report: &mut Report) {
        for (position, provider) in self.list.iter().enumerate() {
            let als = "the access log goes to files and sockets; see `envoyFileAccessLog`";
            let spans = "spans go by OTLP; see `opentelemetry`";
            let others = [
                ("envoyHttpAls", &provider.envoy_http_als, als),
                ("envoyTcpAls", &provider.envoy_tcp_als, als),
                ("envoyOtelAls", &provider.envoy_otel_als, als),
                ("lightstep", &provider.lightstep, spans),
                ("datadog", &provider.datadog, spans),
                ("stackdriver", &provider.stackdriver, spans),
                ("opencensus", &provider.opencensus, spans),
                ("skywalking", &provider.skywalking, spans),
                ("envoyExtAuthzHttp", &provider.envoy_ext_authz_http, "nobody is asked for permission"),
                ("envoyExtAuthzGrpc", &provider.envoy_ext_authz_grpc, "nobody is asked for permission"),
                ("sds", &provider.sds, "certificates come from Secrets and files"),
            ];
            for (kind, place, why) in others {
                let Some(place) = place else { continue };
                let field = format!("extensionProviders[{position}].{kind}");
                let message = format!("`{kind}` is not supported: {why}");
                self.say((field, place.span), Diagnostic::warning("provider-not-supported", message), report);
            }
        }
    }

    /// Says something about a field of `meshConfig`.
    pub(super) fn say(&self, (field, span): (String, Span), problem: Diagnostic, report: &mut Report) {
        let Some((object, path)) = &self.place else { return };
        report.add(problem.code, span, || problem.about(object).field(format!("{path}.{field}")));
    }

    /// Who gets spans by this name; an error text where it can't.
    pub(super) fn tracing(&self, name: &str) -> Result<TracingProvider, String> {
        let provider = match self.find(name) {
            Named::Provider(provider) => provider,
            Named::Nobody => {
                return Err(format!(
                    "there is no provider `{}`; there are {}",
                    name.escape_debug(),
                    self.names()
                ));
            }
            Named::Envoy | Named::Prometheus => {
                return Err(format!("`{}` takes no spans", name.escape_debug()));
            }
        };
        let text =
            |field: &Option<Spanned<String>>| field.as_ref().map_or("", |text| text.as_str()).to_owned();
        let (backend, tag_length) = if let Some(otel) = &provider.opentelemetry {
            let http = otel.http.as_ref().map(|http| ProviderHttp {
                path: absolute(&text(&http.path)),
                timeout: http.timeout.as_ref().map(|timeout| timeout.value),
                headers: headers(&http.headers),
            });
            let environment =
                otel.resource_detectors.as_ref().is_some_and(|detectors| detectors.environment.is_some());
            let backend = TracingBackend::OpenTelemetry {
                service: host(&text(&otel.service)),
                port: port(&otel.port),
                http,
                reads_environment: environment,
            };
            (backend, &otel.max_tag_length)
        } else if let Some(zipkin) = &provider.zipkin {
            let path = zipkin.path.as_ref().map_or(ZIPKIN_PATH, |path| path.as_str());
            let http = ProviderHttp {
                path: absolute(path),
                timeout: zipkin.timeout.as_ref().map(|timeout: &Spanned<Duration>| timeout.value),
                headers: headers(&zipkin.headers),
            };
            let backend = TracingBackend::Zipkin {
                service: host(&text(&zipkin.service)),
                port: port(&zipkin.port),
                http,
            };
            (backend, &zipkin.max_tag_length)
        } else {
            return Err(format!(
                "the provider `{}` takes no spans that this gateway can send; see `opentelemetry`",
                name.escape_debug()
            ));
        };
        Ok(TracingProvider {
            name: name.into(),
            backend,
            tag_length_max: tag_length.as_ref().map_or(TAG_LENGTH_DEFAULT, |length| length.value),
            source: self.source(provider.span),
        })
    }
}

/// `service` may have a namespace in front, which says nothing to a resolver.
fn host(service: &str) -> Box<str> {
    service.rsplit_once('/').map_or(service, |(_, host)| host).into()
}

/// One that is no port is an error of `meshConfig`.
fn port(port: &Option<Spanned<u32>>) -> u16 {
    port.as_ref().and_then(|port| u16::try_from(port.value).ok()).unwrap_or_default()
}

fn absolute(path: &str) -> Box<str> {
    if path.starts_with('/') { path.into() } else { format!("/{path}").into() }
}

fn headers(list: &[Spanned<ProviderHeader>]) -> Vec<(Box<str>, ProviderValue)> {
    let header = |header: &Spanned<ProviderHeader>| {
        let name = header.value.name.as_ref()?.to_ascii_lowercase();
        let value = match (&header.value.env_name, &header.value.value) {
            (Some(variable), _) => ProviderValue::Environment(variable.as_str().into()),
            (None, value) => ProviderValue::Text(value.as_ref().map_or("", |value| value.as_str()).into()),
        };
        Some((name.into(), value))
    };
    list.iter().filter_map(header).collect()
}
