//! `meshConfig` of an IstioOperator, and its `defaultConfig`.

use super::{
    destination_rule::{check_keepalive, check_locality, check_outlier_detection, check_pool},
    extension_provider, names,
    place::{Place, text},
    scalars::{
        OMIT_FOR_DEFAULT, check_dns_label, check_duration, check_export_to, check_not_negative, check_port,
    },
    tls_parameters::{check_cipher_suites, check_curves},
    virtual_service::check_retries,
    wording::shown,
};
use crate::config::{
    Diagnostic,
    resources::{ConnectionSettings, MeshConfig, ProxyConfig},
};

#[cfg(test)]
mod tests;

pub(super) fn check(mesh: &MeshConfig, at: &Place<'_>) {
    for (name, duration) in
        [("connectTimeout", &mesh.connect_timeout), ("dnsRefreshRate", &mesh.dns_refresh_rate)]
    {
        if let Some(duration) = duration {
            check_duration(**duration, &at.field(name, duration), OMIT_FOR_DEFAULT);
        }
    }
    if let Some(keepalive) = &mesh.tcp_keepalive {
        check_keepalive(keepalive, &at.field("tcpKeepalive", keepalive));
    }
    if let Some(tls) = &mesh.tls_defaults {
        let at = at.field("tlsDefaults", tls);
        check_cipher_suites(&tls.cipher_suites, &at);
        check_curves(&tls.ecdh_curves, &at);
    }
    if let Some(retries) = &mesh.default_http_retry_policy {
        check_retries(retries, &at.field("defaultHttpRetryPolicy", retries));
    }
    if let Some(policy) = &mesh.default_traffic_policy {
        let at = at.field("defaultTrafficPolicy", policy);
        if let Some(pool) = &policy.connection_pool {
            check_pool(pool, &at.field("connectionPool", pool));
        }
        if let Some(outlier) = &policy.outlier_detection {
            check_outlier_detection(outlier, &at.field("outlierDetection", outlier));
        }
    }
    if let Some(locality) = &mesh.locality_lb_setting {
        // Whether endpoints are left out is up to each DestinationRule.
        check_locality(locality, true, &at.field("localityLbSetting", locality));
    }
    extension_provider::check(mesh, at);
    check_names(mesh, at);
    if let Some(proxy) = &mesh.default_config {
        check_proxy(proxy, &at.field("defaultConfig", proxy));
    }
}

fn check_names(mesh: &MeshConfig, at: &Place<'_>) {
    if let Some(namespace) = text(&mesh.root_namespace) {
        check_dns_label(namespace, "a namespace", "bad-name", &at.field("rootNamespace", namespace));
    }
    let check_trust_domain = |domain: &str, at: &Place<'_>| {
        let labels = domain.strip_suffix('.').unwrap_or(domain);
        if !labels.split('.').all(names::is_dns_label) {
            let problem =
                Diagnostic::error("bad-name", format!("`{}` can't be a trust domain", shown(domain)));
            at.report(problem.help("expected a domain name, such as cluster.local"));
        }
    };
    if let Some(domain) = text(&mesh.trust_domain) {
        check_trust_domain(domain, &at.field("trustDomain", domain));
    }
    for (at, domain) in at.items("trustDomainAliases", &mesh.trust_domain_aliases) {
        check_trust_domain(domain, &at);
    }
    // `.` is the namespace of each object, so it is no other entry.
    check_export_to("defaultVirtualServiceExportTo", &mesh.default_virtual_service_export_to, ".", false, at);
    check_export_to(
        "defaultDestinationRuleExportTo",
        &mesh.default_destination_rule_export_to,
        ".",
        false,
        at,
    );
    check_export_to("defaultServiceExportTo", &mesh.default_service_export_to, ".", true, at);
}

fn check_proxy(proxy: &ProxyConfig, at: &Place<'_>) {
    if let Some(workers) = &proxy.concurrency {
        check_not_negative(**workers, &at.field("concurrency", workers));
    }
    if let Some(drain) = &proxy.drain_duration {
        check_duration(**drain, &at.field("drainDuration", drain), OMIT_FOR_DEFAULT);
    }
    for (name, port) in [("proxyAdminPort", &proxy.proxy_admin_port), ("statusPort", &proxy.status_port)] {
        if let Some(port) = port {
            check_port(**port, &at.field(name, port));
        }
    }
    if let Some(settings) = &proxy.connection_settings {
        check_connections(settings, &at.field("connectionSettings", settings));
    }
}

/// The least window of HTTP/2: what it is before anybody says anything (RFC 9113 section 6.9.2), and Envoy takes no less.
const WINDOW_MIN: i32 = 65_535;

fn check_connections(settings: &ConnectionSettings, at: &Place<'_>) {
    let numbers = [
        ("httpMaxConcurrentStreams", &settings.http_max_concurrent_streams, 1),
        ("http2InitialStreamWindowSize", &settings.http2_initial_stream_window_size, WINDOW_MIN),
        ("http2InitialConnectionWindowSize", &settings.http2_initial_connection_window_size, WINDOW_MIN),
    ];
    for (name, number, least) in numbers {
        if let Some(number) = number.as_ref().filter(|number| ***number < least) {
            let problem = Diagnostic::error("bad-number", format!("{} is too small", **number));
            at.field(name, number).report(problem.help(format!("expected {least} to {}", i32::MAX)));
        }
    }
    if let Some(age) = &settings.http_max_connection_duration {
        check_duration(**age, &at.field("httpMaxConnectionDuration", age), "leave it out for no limit");
    }
}
