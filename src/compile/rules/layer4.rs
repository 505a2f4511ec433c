//! Rules for connections: `tcp`, and `tls` for those that pass through (specification sections 3.5 and 3.6).
//!
//! A gateway looks at `port`, `gateways` and `sniHosts`; `validate` has warned of what else is written.

use super::{Report, RuleCompiler, Site};
use crate::{
    compile::{
        clusters::{Traffic, Wanted},
        host_name::normalized,
        select::{BoundService, RuleSetId},
    },
    config::{Diagnostic, Span, Spanned, resources::RouteDestination},
    table::{TcpDestination, TcpRoute},
};
use std::collections::HashSet;

/// A rule of a VirtualService on its way: its path, such as `spec.tcp[0]`, and its place.
struct Rule<'a, 'r> {
    service: &'a BoundService<'r>,
    path: String,
    span: Span,
}

/// A `match` of a `tls` rule.
pub(in crate::compile) struct SniRule {
    /// `VirtualService default/web tls[0].match[0]`
    pub(in crate::compile) name: String,
    /// Lower case, each once.
    pub(in crate::compile) server_names: Vec<SniName>,
    pub(in crate::compile) route: TcpRoute,
}

/// An entry of `sniHosts`.
pub(in crate::compile) struct SniName {
    pub(in crate::compile) name: String,
    /// The path to it.
    pub(in crate::compile) field: String,
    pub(in crate::compile) span: Span,
}

impl<'r> RuleCompiler<'r, '_> {
    /// The places of the `tcp` rules that apply to a server, in order. The first of the first VirtualService wins.
    pub(in crate::compile) fn tcp_rules(&self, id: RuleSetId, site: Site) -> Vec<usize> {
        let Some(service) = self.selection.virtual_service(id) else { return Vec::new() };
        let rules = service.resource.spec.tcp.iter().enumerate();
        let matching = rules.filter(|(_, rule)| {
            let is_match = |matched: &Spanned<crate::config::resources::L4MatchAttributes>| {
                self.matches_site(matched.port.as_ref(), &matched.gateways, service, site)
            };
            rule.r#match.is_empty() || rule.r#match.iter().any(is_match)
        });
        matching.map(|(position, _)| position).collect()
    }

    /// The destinations of a `tcp` rule.
    pub(in crate::compile) fn tcp_route(
        &mut self,
        id: RuleSetId,
        position: usize,
        site: Site,
        report: &mut Report,
    ) -> Option<TcpRoute> {
        let service = self.selection.virtual_service(id)?;
        let route = service.resource.spec.tcp.get(position)?;
        let rule = Rule { service, path: format!("spec.tcp[{position}]"), span: route.span };
        self.destinations(&rule, &route.route, (site, Traffic::Connections), report)
    }

    /// What the `tls` rules of a VirtualService make of a server that passes TLS through: one for every match.
    pub(in crate::compile) fn sni_rules(
        &mut self,
        id: RuleSetId,
        site: Site,
        report: &mut Report,
    ) -> Vec<SniRule> {
        let selection = self.selection;
        let Some(service) = selection.virtual_service(id) else { return Vec::new() };
        let mut rules = Vec::new();
        for (position, route) in service.resource.spec.tls.iter().enumerate() {
            for (of_match, matched) in route.r#match.iter().enumerate() {
                if !self.matches_site(matched.port.as_ref(), &matched.gateways, service, site) {
                    continue;
                }
                let rule = Rule { service, path: format!("spec.tls[{position}]"), span: matched.span };
                let Some(route) = self.destinations(&rule, &route.route, (site, Traffic::Tls), report) else {
                    continue;
                };
                let (mut server_names, mut seen) = (Vec::new(), HashSet::new());
                for (of_host, host) in matched.sni_hosts.iter().enumerate() {
                    let name = normalized(host);
                    if seen.insert(name.clone()) {
                        let field = format!("{}.match[{of_match}].sniHosts[{of_host}]", rule.path);
                        server_names.push(SniName { name, field, span: host.span });
                    }
                }
                rules.push(SniRule {
                    name: format!("{} tls[{position}].match[{of_match}]", service.title),
                    server_names,
                    route,
                });
            }
        }
        rules
    }

    fn matches_site(
        &self,
        port: Option<&Spanned<u32>>,
        gateways: &[Spanned<String>],
        service: &BoundService<'_>,
        site: Site,
    ) -> bool {
        let wanted = port.map_or(0, |port| port.value);
        (wanted == 0 || wanted == u32::from(site.port))
            && (gateways.is_empty()
                || self.names_gateway(gateways, |_| &service.resource.meta.namespace, site.gateway))
    }

    fn destinations(
        &mut self,
        rule: &Rule<'_, 'r>,
        list: &'r [Spanned<RouteDestination>],
        (site, traffic): (Site, Traffic),
        report: &mut Report,
    ) -> Option<TcpRoute> {
        // The weight of an only destination says nothing.
        let only_weight = (list.len() == 1).then_some(1);
        let mut destinations = Vec::with_capacity(list.len());
        for (position, entry) in list.iter().enumerate() {
            let written = entry.weight.as_ref().map_or(0, |weight| weight.value);
            let weight = only_weight.or(u32::try_from(written).ok()).unwrap_or(0);
            if weight == 0 {
                continue;
            }
            let field = || format!("{}.route[{position}].destination", rule.path);
            let wanted = Wanted {
                destination: entry.destination.as_ref()?,
                object: &rule.service.resource.object,
                field: &field,
                server_port: site.port,
                traffic,
            };
            let resolved = self.clusters.resolve(&wanted, report);
            destinations.push(TcpDestination {
                cluster: resolved.cluster,
                cluster_name: resolved.name,
                weight,
            });
        }
        let total_weight = destinations.iter().map(|d| u64::from(d.weight)).sum();
        if total_weight == 0 {
            report.add("no-weight", rule.span, || {
                let message = "all destinations have the weight 0, so no connection could go anywhere";
                Diagnostic::error("no-weight", message)
                    .about(&rule.service.resource.object)
                    .field(format!("{}.route", rule.path))
            });
            return None;
        }
        let source = self.origins.source(&rule.service.title, rule.span);
        Some(TcpRoute { destinations, total_weight, source })
    }
}
