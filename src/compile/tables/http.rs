//! One route table: servers, attachments and rules to virtual hosts (specification section 2.4).

use super::{site, source};
use crate::{
    compile::{
        attach::{AttachedHost, Attachment, Attachments},
        merge::{Merged, MergedServer, ServerId},
        report::Report,
        rules::{RouteOfRule, RuleCompiler},
        select::{GatewayId, RuleSetId, Selection},
        shadow::Shadows,
    },
    config::{Diagnostic, Span},
    table::{ConnectionAge, RouteTable, Source, VirtualHost},
};
use std::{collections::HashMap, rc::Rc};

/// The most routes of all virtual hosts together. Every host of a VirtualService has all its routes, so a small file
/// can ask for very many; this is forty times what the largest gateways have, and some 200 MiB of lists.
const ROUTES_MAX: usize = 4_000_000;

/// The table of these servers: all that share a port with plain-text HTTP, or one that ends TLS. `count` is the number
/// of routes in all tables so far.
pub(super) fn route_table(
    merged: &Merged<'_>,
    servers: &[ServerId],
    attachments: &Attachments,
    rules: &mut RuleCompiler<'_, '_>,
    count: &mut usize,
    report: &mut Report,
) -> Option<RouteTable> {
    let first = merged.server(*servers.first()?)?;
    let mut builder = TableBuilder {
        rules,
        report,
        hosts: Vec::new(),
        by_name: HashMap::new(),
        routes: HashMap::new(),
        count: *count,
    };
    for id in servers {
        if let Some(server) = merged.server(*id) {
            builder.server(server, attachments.of(*id));
        }
    }
    let virtual_hosts;
    (virtual_hosts, *count) = builder.finish(merged, servers);
    let mut table = RouteTable::new(first.table.clone(), virtual_hosts);
    let ages = servers.iter().filter_map(|id| connection_age(merged.server(*id)?, rules.selection));
    table.connection_age = ages.min_by_key(|age| age.age);
    Some(table)
}

/// What the Gateway says of the connections to one of its servers: for its port, or for all.
fn connection_age(server: &MergedServer<'_>, selection: &Selection<'_>) -> Option<ConnectionAge> {
    /// Without a word about it.
    const JITTER_PERCENT: u32 = 10;
    let ages = &selection.gateway(server.gateway)?.resource.meta.own.as_ref()?.max_connection_age;
    let is_own = |port: u32| port == u32::from(server.declared_port);
    let own = ages.iter().find(|age| age.port.as_ref().is_some_and(|port| is_own(port.value)));
    let entry = own.or_else(|| ages.iter().find(|age| age.port.is_none()))?;
    let age = entry.age.as_ref()?.value;
    let percent = entry.jitter_percent.as_ref().map_or(JITTER_PERCENT, |percent| percent.value);
    Some(ConnectionAge { age, jitter: age * percent / 100 })
}

/// Builds one route table.
struct TableBuilder<'b, 'r, 'w> {
    rules: &'b mut RuleCompiler<'r, 'w>,
    report: &'b mut Report,
    hosts: Vec<HostBuilder>,
    by_name: HashMap<String, usize>,
    /// Routes are made once for a Gateway and VirtualService, with the declared port of the first server that needs
    /// them (specification section 2.4).
    routes: HashMap<(GatewayId, RuleSetId), Rc<Vec<RouteOfRule>>>,
    /// The routes of all tables so far.
    count: usize,
}

/// A virtual host on its way.
struct HostBuilder {
    name: String,
    require_tls: bool,
    routes: Vec<RouteOfRule>,
    /// Whose routes there are.
    members: Vec<RuleSetId>,
    source: Source,
}

impl TableBuilder<'_, '_, '_> {
    fn server(&mut self, server: &MergedServer<'_>, attachments: &[Attachment]) {
        for attachment in attachments {
            self.attachment(server, attachment);
        }
        if !server.redirects() {
            return;
        }
        // A redirect needs no VirtualService.
        for host in &server.hosts {
            let span = server.host_span(host);
            let position = self.host(&host.host, server, span);
            if let Some(host) = self.hosts.get_mut(position) {
                host.require_tls = true;
            }
        }
    }

    fn attachment(&mut self, server: &MergedServer<'_>, attachment: &Attachment) {
        let id = attachment.virtual_service;
        let site = site(server);
        let routes = match self.routes.get(&(server.gateway, id)) {
            Some(known) => Rc::clone(known),
            None => {
                let made = Rc::new(self.rules.routes(id, site, self.report));
                self.routes.insert((server.gateway, id), Rc::clone(&made));
                made
            }
        };
        // A VirtualService without a rule for this port gives no virtual host.
        if routes.is_empty() {
            return;
        }
        for host in &attachment.hosts {
            if self.count + routes.len() > ROUTES_MAX {
                return self.report_limit(id);
            }
            self.add(server, host, id, &routes);
        }
    }

    fn add(
        &mut self,
        server: &MergedServer<'_>,
        attached: &AttachedHost,
        id: RuleSetId,
        routes: &[RouteOfRule],
    ) {
        let position = self.host(&attached.name, server, attached.server_span);
        let Some(host) = self.hosts.get_mut(position) else { return };
        host.require_tls |= server.redirects();
        let before = host.routes.len();
        if host.members.contains(&id) {
            // The VirtualService is here already, by another server or Gateway. The same match once more can't be
            // reached, but another Gateway or port may have other matches.
            let own = host.routes.iter().filter(|known| known.rule.virtual_service == id);
            let known: std::collections::HashSet<_> = own.map(|known| known.rule).collect();
            host.routes.extend(routes.iter().filter(|route| !known.contains(&route.rule)).cloned());
        } else {
            host.members.push(id);
            host.routes.extend(routes.iter().cloned());
        }
        self.count += host.routes.len() - before;
    }

    /// Finds or makes a virtual host.
    fn host(&mut self, name: &str, server: &MergedServer<'_>, span: Span) -> usize {
        if let Some(known) = self.by_name.get(name) {
            return *known;
        }
        self.hosts.push(HostBuilder {
            name: name.to_owned(),
            require_tls: false,
            routes: Vec::new(),
            members: Vec::new(),
            source: source(self.rules, server, span),
        });
        self.by_name.insert(name.to_owned(), self.hosts.len() - 1);
        self.hosts.len() - 1
    }

    fn report_limit(&mut self, id: RuleSetId) {
        let Some(service) = self.rules.selection.virtual_service(id) else { return };
        self.report.add("too-many-routes", service.resource.meta.name.span, || {
            let message = format!(
                "there are more than {ROUTES_MAX} routes in all virtual hosts; those of this VirtualService are left out"
            );
            Diagnostic::error("too-many-routes", message)
                .about(&service.resource.object)
                .help("every host of a VirtualService has all its rules: use fewer hosts, or a wildcard")
        });
    }

    /// Catch-alls go to the end; a table without virtual hosts gets one that has no routes.
    fn finish(mut self, merged: &Merged<'_>, servers: &[ServerId]) -> (Vec<VirtualHost>, usize) {
        let mut shadows = Shadows::new(self.rules.selection, self.rules.http);
        for host in &mut self.hosts {
            // Stable: the order of the VirtualServices and of their rules holds.
            host.routes.sort_by_key(|route| route.is_catch_all);
            let is_mixed = host.members.len() > 1 || Shadows::has_delegated(&host.routes);
            if is_mixed && !host.require_tls {
                shadows.look_at(&host.name, &host.routes, self.report);
            }
        }
        let summaries = self.hosts.iter().map(|host| (host.name.as_str(), host.routes.as_slice()));
        shadows.look_at_wildcards(summaries, self.report);
        let virtual_host = |host: HostBuilder| {
            let routes = host.routes.into_iter().map(|route| route.route).collect::<Box<[_]>>();
            VirtualHost::new(&host.name, host.require_tls, routes.into(), host.source)
        };
        let mut virtual_hosts: Vec<_> = self.hosts.into_iter().map(virtual_host).collect();
        if virtual_hosts.is_empty() {
            let first = servers.first().and_then(|id| merged.server(*id));
            let source = first.map(|server| source(self.rules, server, server.server.span));
            let source = source.unwrap_or_else(|| Source::built_in("Gateway"));
            virtual_hosts.push(VirtualHost::new("*", false, Vec::new(), source));
        }
        (virtual_hosts, self.count)
    }
}
