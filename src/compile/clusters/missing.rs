//! What is said about destinations that do not exist, have no endpoints, or can't be reached as they should.

use super::{
    Clusters, Traffic, Wanted,
    policy::{PolicyPlace, ServicePolicy},
};
use crate::{
    compile::{
        Workload,
        report::{Report, one_of},
        services::{Registry, Service, ServiceId, ServicePort},
        validate::Protocol,
    },
    config::{
        Diagnostic, Span, Spanned,
        resources::{ClientTlsSettings, Map, Subset},
    },
};
use std::collections::HashSet;

pub(super) const NO_EXTERNAL_NAME: &str = "its `externalName` is empty";

/// What every destination that means one cluster is told.
pub(super) struct Missing {
    message: String,
    label: Option<(Span, &'static str)>,
}

impl Clusters<'_, '_> {
    /// Reports subsets of destinations that no rule names (for those it is said where they are named) and that have no
    /// endpoint: who will name them gets 503.
    pub(super) fn report_empty_subsets(&self, report: &mut Report) {
        let mut services: Vec<_> = self.of_services.iter().collect();
        services.sort_unstable_by_key(|(id, _)| **id);
        let named = self.by_key.keys().filter_map(|key| Some((key.service, key.subset.as_deref()?)));
        let named: HashSet<(ServiceId, &str)> = named.collect();
        for (id, policy) in services {
            let Some(service) = self.registry.service(*id).filter(|s| s.external_name().is_none()) else {
                continue;
            };
            let has_any = |labels: &Map<String>| {
                service.ports.iter().any(|port| self.registry.pool(service, port, labels).why_empty.is_none())
            };
            if !has_any(&Map::default()) {
                continue;
            }
            for (rule, subset) in policy.subsets().filter(|(_, subset)| !subset.labels.is_empty()) {
                let Some(name) = &subset.name else { continue };
                let is_named = named.contains(&(*id, name.value.as_str()));
                if is_named || has_any(&subset.labels) {
                    continue;
                }
                report.add("empty-subset", name.span, || {
                    let message = format!(
                        "the subset `{}` selects no endpoint of `{}`: a rule that names it would be answered 503 (UH)",
                        name.value, service.host
                    );
                    Diagnostic::warning("empty-subset", message).about(&rule.object).field("spec.subsets")
                });
            }
        }
    }
}

impl Missing {
    pub(super) fn no_endpoints(
        service: &Service<'_>,
        port: u16,
        subset: Option<&Subset>,
        tls: Option<&Spanned<ClientTlsSettings>>,
        why: String,
    ) -> Missing {
        let of_subset = match subset.and_then(|subset| subset.name.as_ref()) {
            Some(name) => format!(", subset `{}`,", name.value),
            None => String::new(),
        };
        let message = format!("`{}`, port {port}{of_subset} has no endpoints: {why}", service.host);
        let label = match (tls, subset) {
            (Some(tls), _) => (tls.span, "the TLS settings"),
            (None, Some(Subset { name: Some(name), .. })) => (name.span, "the subset"),
            (None, _) => (service.span, "the service"),
        };
        Missing { message, label: Some(label) }
    }

    pub(super) fn report(&self, wanted: &Wanted<'_>, report: &mut Report) {
        report.add("no-endpoints", wanted.destination.span, || {
            let message = format!("{}; {}", self.message, outcome(wanted, "UH"));
            let diagnostic = about("no-endpoints", message, wanted, "");
            self.label.iter().fold(diagnostic, |diagnostic, (span, text)| diagnostic.label(*span, *text))
        });
    }
}

pub(super) fn report_unknown_host(
    host: &str,
    registry: &Registry<'_>,
    wanted: &Wanted<'_>,
    report: &mut Report,
) {
    report.add("unknown-destination", place(wanted), || {
        let message = format!(
            "there is no service `{host}`: no ServiceEntry or Service among the files has this host; {}",
            outcome(wanted, "NC")
        );
        let diagnostic = about("unknown-destination", message, wanted, ".host");
        match likely(host, registry) {
            Some((help, span)) => diagnostic.help(help).label(span, "this one"),
            None => diagnostic,
        }
    });
}

/// A service that may be meant: the same short name in another namespace, or a wildcard that covers the host.
fn likely(host: &str, registry: &Registry<'_>) -> Option<(String, Span)> {
    let first_label = host.split('.').next()?;
    registry.all().find_map(|(_, service)| {
        let suffix = service.host.strip_prefix('*').filter(|suffix| host.ends_with(suffix));
        if suffix.is_some() {
            let help = format!(
                "`{}` has a wildcard, which does not stand for a destination: a ServiceEntry must have the host itself",
                service.host
            );
            return Some((help, service.span));
        }
        let is_namesake = service.host.split('.').next() == Some(first_label);
        is_namesake.then(|| (format!("did you mean `{}`?", service.host), service.span))
    })
}

pub(super) fn report_hidden(
    service: Option<&Service<'_>>,
    wanted: &Wanted<'_>,
    workload: &Workload,
    report: &mut Report,
) {
    let Some(service) = service else { return };
    report.add("destination-not-exported", place(wanted), || {
        let message = format!(
            "{} is not exported to namespace `{}`, where this gateway runs; {}",
            service.object,
            workload.namespace,
            outcome(wanted, "NC")
        );
        about("destination-not-exported", message, wanted, ".host").label(service.span, "see its exportTo")
    });
}

pub(super) fn report_no_port(service: &Service<'_>, wanted: &Wanted<'_>, report: &mut Report) {
    report.add("destination-without-port", wanted.destination.span, || {
        let assumed = wanted.server_port;
        let outcome = match service.port(assumed) {
            Some(_) => String::new(),
            None => format!(", which it does not have; {}", outcome(wanted, "NC")),
        };
        let message = format!(
            "`{}` has {} ports and the destination names none; the server's port {assumed} is assumed{outcome}",
            service.host,
            service.ports.len()
        );
        about("destination-without-port", message, wanted, "")
            .help(format!("add `port: {{number: N}}`, where N is one of {}", ports(service)))
            .label(service.span, "its ports are here")
    });
}

pub(super) fn report_unknown_port(
    service: &Service<'_>,
    number: u16,
    wanted: &Wanted<'_>,
    report: &mut Report,
) {
    report.add("unknown-port", place_of_port(wanted), || {
        let message = format!("`{}` has no port {number}; {}", service.host, outcome(wanted, "NC"));
        let help = match service.ports.is_empty() {
            true => "it has no ports at all".to_owned(),
            false => format!("it has {}", ports(service)),
        };
        about("unknown-port", message, wanted, ".port.number").help(help).label(service.span, "this service")
    });
}

pub(super) fn report_unknown_subset(
    service: &Service<'_>,
    policy: &ServicePolicy<'_>,
    name: &Spanned<String>,
    wanted: &Wanted<'_>,
    report: &mut Report,
) {
    report.add("unknown-subset", name.span, || {
        let message = format!(
            "no DestinationRule that applies to `{}` here has a subset `{}`; {}",
            service.host,
            name.value,
            outcome(wanted, "NC")
        );
        let diagnostic = about("unknown-subset", message, wanted, ".subset");
        let known = one_of(policy.subsets().filter_map(|(_, s)| s.name.as_ref()).map(|n| n.value.clone()));
        match policy.rules.first() {
            None => diagnostic.help(
                "DestinationRules apply from the namespaces of the gateway workload, of the service, and of the root",
            ),
            Some(rule) if known.is_empty() => diagnostic.label(rule.meta.name.span, "this one applies"),
            Some(rule) => {
                diagnostic.help(format!("it has {known}")).label(rule.meta.name.span, "this one applies")
            }
        }
    });
}

/// The port says TLS, and no DestinationRule begins it.
pub(super) fn report_plain_text(service: &Service<'_>, port: &ServicePort<'_>, report: &mut Report) {
    if !port.protocol.is_some_and(Protocol::is_tls) {
        return;
    }
    report.add("plain-text-to-tls-port", port.span, || {
        let message = format!(
            "requests to `{}`, port {}, are sent in plain text, but the port speaks TLS",
            service.host, port.number
        );
        Diagnostic::warning("plain-text-to-tls-port", message).about(service.object).field("spec.ports").help(
            "a DestinationRule with `tls: {mode: SIMPLE}` starts TLS to it; without one Istio sends plain text too",
        )
    });
}

/// What gRPC needs is not spoken to it.
pub(super) fn report_no_grpc(
    (service, port): (&Service<'_>, &ServicePort<'_>),
    wanted: &Wanted<'_>,
    report: &mut Report,
) {
    report.add("grpc-over-http1", wanted.destination.span, || {
        let message = format!(
            "calls of gRPC, which the server is for, fail at `{}`, port {}: they need HTTP/2, and it gets HTTP/1.1",
            service.host, port.number
        );
        about("grpc-over-http1", message, wanted, "").label(port.span, "this port").help(
            "say GRPC or HTTP2 where the port has its protocol (`grpc` or `http2` in the name of a Service's port); or \
             `useClientProtocol: true` in a DestinationRule, if other requests go there too",
        )
    });
}

/// Requests go to a destination whose DestinationRule has `tunnel`.
pub(super) fn report_useless_tunnel(span: Span, place: &PolicyPlace<'_>, report: &mut Report) {
    report.add("tunnel", span, || {
        let message =
            "`tunnel` has no effect on HTTP routes: their requests go to the endpoints, which get no CONNECT";
        Diagnostic::warning("no-effect", message).about(&place.rule.object).field(&*place.path).help(
            "it is for `tcp` and `tls` routes: a subset with a policy of its own can have it for these alone",
        )
    });
}

/// TLS to a destination of TCP connections that name no host.
pub(super) fn report_no_server_name(service: &Service<'_>, wanted: &Wanted<'_>, report: &mut Report) {
    report.add("no-server-name", wanted.destination.span, || {
        let message = format!(
            "TCP connections name no host, so TLS to `{}` begins without a server name, and a certificate for any name is accepted",
            service.host
        );
        about("no-server-name", message, wanted, "")
            .help("say which name is meant in the DestinationRule's `tls`: `sni` and `subjectAltNames`")
    });
}

/// TLS that passes through to a destination whose DestinationRule has `tls`.
pub(super) fn report_tls_in_tls(service: &Service<'_>, wanted: &Wanted<'_>, report: &mut Report) {
    report.add("tls-in-tls", wanted.destination.span, || {
        let message = format!(
            "what passes through is TLS already, and a DestinationRule for `{}` puts TLS around it once more",
            service.host
        );
        about("tls-in-tls", message, wanted, "").help(
            "hardly any server reads that: take `tls` out of the rule, or add a subset with `tls: {mode: DISABLE}` and name it here",
        )
    });
}

fn ports(service: &Service<'_>) -> String {
    let list: Vec<String> = service
        .ports
        .iter()
        .map(|port| match port.name {
            "" => port.number.to_string(),
            name => format!("{} ({name})", port.number),
        })
        .collect();
    list.join(", ")
}

/// What clients see; the flag is that of the access log.
fn outcome(wanted: &Wanted<'_>, flag: &str) -> String {
    match wanted.traffic {
        Traffic::Requests | Traffic::Calls => format!("requests are answered 503 ({flag})"),
        Traffic::Copies => "no copies are sent there".to_owned(),
        Traffic::Connections | Traffic::Tls => format!("connections are closed ({flag})"),
    }
}

fn about(code: &'static str, message: String, wanted: &Wanted<'_>, below: &str) -> Diagnostic {
    Diagnostic::warning(code, message).about(wanted.object).field(format!("{}{below}", (wanted.field)()))
}

fn place(wanted: &Wanted<'_>) -> Span {
    wanted.destination.host.as_ref().map_or(wanted.destination.span, |host| host.span)
}

fn place_of_port(wanted: &Wanted<'_>) -> Span {
    let port = wanted.destination.port.as_ref().and_then(|port| port.number.as_ref());
    port.map_or(wanted.destination.span, |port| port.span)
}
