//! What is right by itself but surprises together: Gateways that share hosts, DestinationRules that no one asks.

use super::{
    Workload,
    attach::Attachments,
    clusters::Policies,
    delegate::HttpRules,
    host_name::{ClusterDomain, HostSet, full_name},
    merge::{Family, Merged, MergedServer, RuleKind, ServerId},
    report::Report,
    scope::{Owner, Visibility, in_creation_order, visibility},
    select::{BoundService, RuleSetId, Selection},
    services::{Registry, Service},
};
use crate::config::{Diagnostic, ObjectRef, Resource, Resources, Span, Spanned, resources::DestinationRule};
use std::collections::HashMap;

/// Reports hosts that several Gateways have on one plain HTTP port: that is fine, as long as one knows.
pub(super) fn report_shared_hosts(merged: &Merged<'_>, selection: &Selection<'_>, report: &mut Report) {
    for listener in merged.listeners.iter().filter(|listener| listener.family == Family::Http) {
        let mut owners: HashMap<&str, ServerId> = HashMap::new();
        for id in &listener.servers {
            let Some(server) = merged.server(*id) else { continue };
            for host in &server.hosts {
                let first = *owners.entry(&host.host).or_insert(*id);
                let Some(owner) = merged.server(first).filter(|_| first != *id) else { continue };
                report_shared_host((owner, server), &host.host, selection, report);
            }
        }
    }
}

/// Reports lists of rules that no server uses which the VirtualService is attached to. For sidecars they may be good.
pub(super) fn report_unused_rules(
    merged: &Merged<'_>,
    attachments: &Attachments,
    selection: &Selection<'_>,
    report: &mut Report,
) {
    let mut used: HashMap<RuleSetId, Vec<Option<RuleKind>>> = HashMap::new();
    for (server, id) in merged.servers.iter().zip(0..) {
        for attachment in attachments.of(ServerId(id)) {
            used.entry(attachment.virtual_service).or_default().push(server.rules());
        }
    }
    for (service, id) in selection.virtual_services.iter().zip(0..) {
        let Some(used) = used.get(&RuleSetId(id)) else { continue };
        let spec = &service.resource.spec;
        if spec.gateways.iter().any(|name| name.value == "mesh") {
            continue;
        }
        let first = [
            (RuleKind::Http, spec.http.first().map(|rule| rule.span)),
            (RuleKind::Tls, spec.tls.first().map(|rule| rule.span)),
            (RuleKind::Tcp, spec.tcp.first().map(|rule| rule.span)),
        ];
        for (kind, place) in first {
            let Some(place) = place.filter(|_| !used.contains(&Some(kind))) else { continue };
            report.add("unused-rules", place, || report_unused(service, kind, used));
        }
    }
}

fn report_unused(service: &BoundService<'_>, kind: RuleKind, used: &[Option<RuleKind>]) -> Diagnostic {
    let wanted =
        [RuleKind::Http, RuleKind::Tls, RuleKind::Tcp].into_iter().filter(|k| used.contains(&Some(*k)));
    let wanted: Vec<String> = wanted.map(|kind| format!("`{}`", kind.name())).collect();
    let servers = match wanted.is_empty() {
        true => "the servers that it is attached to (AUTO_PASSTHROUGH) use no rules".to_owned(),
        false => format!("the servers that it is attached to use {} rules", wanted.join(" and ")),
    };
    let message = format!("the `{}` rules have no effect: {servers}", kind.name());
    Diagnostic::warning("unused-rules", message)
        .about(&service.resource.object)
        .field(format!("spec.{}", kind.name()))
        .help("`http` is for HTTP, and HTTPS that ends here; `tls` for TLS that passes through; `tcp` for TCP, and TLS that ends here")
}

fn report_shared_host(
    (first, second): (&MergedServer<'_>, &MergedServer<'_>),
    host: &str,
    selection: &Selection<'_>,
    report: &mut Report,
) {
    let of = |server: &MergedServer<'_>| server.hosts.iter().find(|h| h.host == host).cloned();
    let (Some(one), Some(other)) = (of(first), of(second)) else { return };
    let (Some(theirs), Some(own)) = (selection.gateway(first.gateway), selection.gateway(second.gateway))
    else {
        return;
    };
    let are_apart = one.namespace.is_some() && other.namespace.is_some() && one.namespace != other.namespace;
    if are_apart || first.gateway == second.gateway && first.redirects() == second.redirects() {
        return;
    }
    let place = second.host_span(&other);
    let field = format!("spec.servers[{}].hosts[{}]", second.position, other.position);
    if first.redirects() != second.redirects() {
        report.add("redirect-for-all", place, || {
            let message = format!(
                "`{host}` is redirected to https for both Gateways, because one of two servers on {} says httpsRedirect: {} and {}",
                first.bind, theirs.title, own.title
            );
            Diagnostic::warning("redirect-for-all", message)
                .about(&own.resource.object)
                .field(field)
                .label(first.host_span(&one), "the other server")
                .help("the redirect is for a host, not for a server; exceptions need `redirect` rules in a VirtualService instead")
        });
    } else {
        report.add("shared-host", place, || {
            let message = format!(
                "{} has `{host}` on {} too: the VirtualServices of both are tried, in their own order",
                theirs.title, first.bind
            );
            Diagnostic::note("shared-host", message)
                .about(&own.resource.object)
                .field(field)
                .label(first.host_span(&one), "the other server")
        });
    }
}

/// Reports VirtualServices for sidecars that are about a destination of this gateway: whoever comes through the gateway is
/// not routed by them, which those who split a service's traffic there expect (Istio's IST0140).
pub(super) fn report_mesh_rules(
    resources: &Resources,
    (selection, http): (&Selection<'_>, &HttpRules<'_>),
    workload: &Workload,
    report: &mut Report,
) {
    let domain = ClusterDomain(&workload.cluster_domain);
    let mut destinations: HashMap<String, (&ObjectRef, Span)> = HashMap::new();
    for (service, id) in selection.virtual_services.iter().zip(0..) {
        for rule in http.of(RuleSetId(id)) {
            for destination in rule.route.route.iter().filter_map(|entry| entry.destination.as_ref()) {
                let Some(host) = &destination.host else { continue };
                let full = full_name(host, rule.home.namespace(), domain);
                destinations.entry(full).or_insert((&service.resource.object, host.span));
            }
        }
    }
    for service in &resources.virtual_services {
        let spec = &service.spec;
        let is_for_sidecars = spec.gateways.iter().all(|name| name.value == "mesh");
        if !is_for_sidecars || spec.http.is_empty() || report.is_broken(&service.object) {
            continue;
        }
        let mut hosts = spec.hosts.iter().enumerate();
        let found = hosts.find_map(|(position, host)| {
            let full = full_name(host, &service.meta.namespace, domain);
            Some((position, host, destinations.get(&full)?))
        });
        let Some((position, host, (winner, span))) = found else { continue };
        report.add("mesh-rules", host.span, || {
            let message = format!(
                "requests that {winner} sends to `{}` are not routed by these rules: they are for sidecars (`mesh`)",
                host.value.escape_debug()
            );
            Diagnostic::warning("mesh-rules", message)
                .about(&service.object)
                .field(format!("spec.hosts[{position}]"))
                .label(*span, "this destination")
                .help("repeat subsets and weights in the VirtualService of the Gateway")
        });
    }
}

/// How many of the services that a wildcard covers are asked whether they use its rule.
const COVERED_MAX: usize = 1_000;

/// Reports DestinationRules that apply to nothing here.
pub(super) fn report_destination_rules(
    resources: &Resources,
    workload: &Workload,
    (registry, policies): (&Registry<'_>, &Policies<'_>),
    export_to: &[Spanned<String>],
    report: &mut Report,
) {
    let services = HostSet::new(registry.all().map(|(_, s)| (s.host.clone(), s)).collect());
    let good: Vec<_> = resources.destination_rules.iter().filter(|r| !report.is_broken(&r.object)).collect();
    for rule in in_creation_order(good.into_iter()) {
        let Some(host) = &rule.spec.host else { continue };
        let domain = ClusterDomain(&workload.cluster_domain);
        let full = full_name(host, &rule.meta.namespace, domain);
        let covered: Vec<&Service<'_>> = services
            .overlapping(&full)
            .filter(|(of_service, _)| super::host_name::covers(&full, of_service))
            .map(|(_, service)| *service)
            .take(COVERED_MAX)
            .collect();
        let how =
            visibility(&rule.spec.export_to, export_to, Owner(&rule.meta.namespace), &workload.namespace);
        if let Some(diagnostic) = unused(rule, host, &full, &covered, how, workload, policies) {
            report.add(diagnostic.code, host.span, || diagnostic.about(&rule.object));
        }
    }
}

/// Why a rule applies to nothing.
fn unused(
    rule: &Resource<DestinationRule>,
    host: &Spanned<String>,
    full: &str,
    covered: &[&Service<'_>],
    how: Visibility,
    workload: &Workload,
    policies: &Policies<'_>,
) -> Option<Diagnostic> {
    if !policies.selects_workload(rule) {
        let message = match workload.labels {
            None => {
                "the rule is for workloads with certain labels, and this gateway's are not known: it does not apply"
            }
            Some(_) => "the rule is for other workloads: it does not apply",
        };
        let note = Diagnostic::note("rule-for-others", message).field("spec.workloadSelector");
        return Some(note.help("see --labels and --namespace"));
    }
    let namespace = &rule.meta.namespace.value;
    if how == Visibility::Hidden && *namespace != workload.namespace {
        let message = format!(
            "the rule is not exported to namespace `{}`, where this gateway runs: it does not apply",
            workload.namespace
        );
        return Some(Diagnostic::note("rule-for-others", message).field("spec.exportTo"));
    }
    let Some(first) = covered.first() else {
        let message = format!("the rule applies to nothing: no service has the host `{full}`");
        let diagnostic = Diagnostic::warning("no-service", message).field("spec.host");
        let is_short = !host.contains('.');
        return Some(if is_short {
            diagnostic
                .help(format!("a name without dots is a Service in the rule's own namespace, `{namespace}`"))
        } else {
            diagnostic
        });
    };
    let is_used = |service: &&&Service<'_>| {
        policies.of(service).rules.iter().any(|used| std::ptr::eq(*used, rule) || used.object == rule.object)
    };
    if covered.iter().find(is_used).is_some() {
        return None;
    }
    let winner = policies.of(first).rules.first().copied();
    let is_looked_at = *namespace == workload.namespace
        || *namespace == workload.root_namespace
        || covered.iter().any(|service| service.namespace == namespace);
    let message = match winner.filter(|_| is_looked_at) {
        Some(winner) => format!("the rule is not used: {} comes first for `{}`", winner.object, first.host),
        None => format!(
            "the rule is not used: rules for `{}` are taken from namespaces `{}` (the gateway), `{}` (the service) and `{}` (the root), not from `{namespace}`",
            first.host, workload.namespace, first.namespace, workload.root_namespace
        ),
    };
    let diagnostic = Diagnostic::warning("rule-not-used", message).field("spec.host");
    Some(match winner {
        Some(winner) => diagnostic.label(winner.meta.name.span, "this one is used"),
        None => diagnostic,
    })
}
