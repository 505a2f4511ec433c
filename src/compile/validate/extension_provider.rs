//! `meshConfig.extensionProviders` (istiod's `validateExtensionProvider`).

use super::{
    place::{Place, missing, text},
    wording::shown,
};
use crate::{
    config::{
        Diagnostic, Spanned,
        resources::{ExtensionProvider, MeshConfig, ProviderHeader},
    },
    http::is_token_byte,
};

pub(super) fn check(mesh: &MeshConfig, at: &Place<'_>) {
    let mut known: Vec<String> = Vec::new();
    for (at, provider) in at.items("extensionProviders", &mesh.extension_providers) {
        if let Some(name) = at.require_text("name", &provider.name, "by which others name the provider") {
            let lower = name.to_ascii_lowercase();
            if known.contains(&lower) {
                let message = format!("there are two providers `{}`", shown(name));
                at.field("name", name).report(Diagnostic::error("duplicate-name", message));
            }
            known.push(lower);
        }
        check_kind(provider, &at);
    }
}

fn check_kind(provider: &ExtensionProvider, at: &Place<'_>) {
    if let Some(otel) = &provider.opentelemetry {
        let at = at.field("opentelemetry", otel);
        check_server(&otel.service, &otel.port, &at);
        if let Some(http) = &otel.http {
            let at = at.field("http", http);
            at.require_text("path", &http.path, "the path of the collector, such as /v1/traces");
            check_headers(&http.headers, &at);
        }
    } else if let Some(zipkin) = &provider.zipkin {
        let at = at.field("zipkin", zipkin);
        check_server(&zipkin.service, &zipkin.port, &at);
        check_headers(&zipkin.headers, &at);
    } else if !has_other_kind(provider) {
        at.report(missing("envoyFileAccessLog").help("say what kind of provider it is"));
    }
}

fn has_other_kind(provider: &ExtensionProvider) -> bool {
    let opaque = [
        &provider.prometheus,
        &provider.envoy_http_als,
        &provider.envoy_tcp_als,
        &provider.envoy_otel_als,
        &provider.envoy_ext_authz_http,
        &provider.envoy_ext_authz_grpc,
        &provider.lightstep,
        &provider.datadog,
        &provider.stackdriver,
        &provider.opencensus,
        &provider.skywalking,
        &provider.sds,
    ];
    provider.envoy_file_access_log.is_some() || opaque.iter().any(|kind| kind.is_some())
}

fn check_server(service: &Option<Spanned<String>>, port: &Option<Spanned<u32>>, at: &Place<'_>) {
    at.require_text("service", service, "the host of the server");
    let Some(port) = at.require("port", port, "the port of the server") else { return };
    if !(1..=65_535).contains(&port.value) {
        let problem = Diagnostic::error("bad-port", format!("{} is not a port", port.value));
        at.field("port", port).report(problem.help("expected 1 to 65535"));
    }
}

fn check_headers(headers: &[Spanned<ProviderHeader>], at: &Place<'_>) {
    for (at, header) in at.items("headers", headers) {
        let name = at.require_text("name", &header.value.name, "the name of the field");
        if let Some(name) = name.filter(|name| !name.bytes().all(is_token_byte)) {
            let message = format!("`{}` is not the name of a header field", shown(name));
            at.field("name", name).report(Diagnostic::error("bad-header-name", message));
        }
        if let Some(value) = text(&header.value.value).filter(|value| value.chars().any(char::is_control)) {
            at.field("value", value)
                .report(Diagnostic::error("bad-header-value", "the value has a control character"));
        }
    }
}
