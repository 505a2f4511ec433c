//! Which VirtualServices are attached to which servers, and with which hosts (specification section 3.2).

use super::{
    host_name::{HostSet, ServerHost, covers},
    merge::{Merged, ServerId},
    report::{Report, one_of},
    select::{GatewayId, RuleSetId, Selection},
};
use crate::config::{Diagnostic, Span};

/// For every server, the VirtualServices on it.
pub(super) struct Attachments {
    by_server: Vec<Vec<Attachment>>,
}

/// A VirtualService on a server.
pub(super) struct Attachment {
    pub(super) virtual_service: RuleSetId,
    /// The hosts that both have: of a name and a wildcard, the narrower one.
    pub(super) hosts: Vec<AttachedHost>,
}

/// A host that a server and a VirtualService have in common.
pub(super) struct AttachedHost {
    pub(super) name: String,
    /// Where the server has it.
    pub(super) server_span: Span,
}

impl Attachments {
    /// In the order in which their routes are tried.
    pub(super) fn of(&self, server: ServerId) -> &[Attachment] {
        self.by_server.get(server.0 as usize).map_or(&[], Vec::as_slice)
    }
}

/// Attaches what is bound.
pub(super) fn attach(selection: &Selection<'_>, merged: &Merged<'_>, report: &mut Report) -> Attachments {
    let mut attacher = Attacher {
        selection,
        merged,
        by_server: merged.servers.iter().map(|_| Vec::new()).collect(),
        uses: selection.virtual_services.iter().map(|s| vec![HostUse::Uncovered; s.hosts.len()]).collect(),
    };
    let mut servers: Vec<Vec<ServerId>> = selection.gateways.iter().map(|_| Vec::new()).collect();
    for (server, id) in merged.servers.iter().zip(0..) {
        if let Some(list) = servers.get_mut(server.gateway.0 as usize) {
            list.push(ServerId(id));
        }
    }
    for (servers, id) in servers.iter().zip(0..) {
        attacher.gateway(GatewayId(id), servers);
    }
    attacher.report(report);
    Attachments { by_server: attacher.by_server }
}

/// What became of a host of a VirtualService.
#[derive(Clone, Debug, PartialEq, Eq)]
enum HostUse {
    /// No host of the Gateways has anything in common with it.
    Uncovered,
    /// A host would cover it, but is for VirtualServices of another namespace.
    OtherNamespace { server: ServerId, host: ServerHost },
    /// It is attached; or would be, if the server had not lost a conflict.
    Attached,
}

struct Attacher<'r, 'w> {
    selection: &'w Selection<'r>,
    merged: &'w Merged<'r>,
    by_server: Vec<Vec<Attachment>>,
    /// For every VirtualService, for every host of it.
    uses: Vec<Vec<HostUse>>,
}

impl Attacher<'_, '_> {
    /// Attaches the VirtualServices of one Gateway: each asks once for all servers that overlap with its hosts, so the
    /// work is what is found, not servers times VirtualServices.
    fn gateway(&mut self, gateway: GatewayId, servers: &[ServerId]) {
        let mut hosts = Vec::new();
        for id in servers {
            let Some(server) = self.merged.server(*id) else { continue };
            hosts.extend(server.hosts.iter().map(|host| (host.host.clone(), (*id, host))));
        }
        let hosts = HostSet::new(hosts);
        let Some(gateway) = self.selection.gateway(gateway) else { return };
        for id in &gateway.bound {
            let Some(service) = self.selection.virtual_service(*id) else { continue };
            let namespace = &service.resource.meta.namespace.value;
            for (position, host) in service.hosts.iter().enumerate() {
                for (server_host, (server, entry)) in hosts.overlapping(host) {
                    if entry.admits(namespace) {
                        let name = if covers(server_host, host) { host } else { server_host };
                        self.attach(*server, *id, name, entry);
                        self.mark(*id, position, HostUse::Attached);
                    } else {
                        let excluded = HostUse::OtherNamespace { server: *server, host: (*entry).clone() };
                        self.mark(*id, position, excluded);
                    }
                }
            }
        }
    }

    fn attach(&mut self, server: ServerId, virtual_service: RuleSetId, name: &str, entry: &ServerHost) {
        let Some(merged) = self.merged.server(server) else { return };
        let Some(list) = self.by_server.get_mut(server.0 as usize) else { return };
        if merged.is_dropped {
            return;
        }
        let host = AttachedHost { name: name.to_owned(), server_span: merged.host_span(entry) };
        match list.last_mut().filter(|last| last.virtual_service == virtual_service) {
            // Several hosts of one VirtualService are few, except where all of them differ.
            Some(last) => last.hosts.push(host),
            None => list.push(Attachment { virtual_service, hosts: vec![host] }),
        }
    }

    fn mark(&mut self, id: RuleSetId, position: usize, found: HostUse) {
        let Some(host) = self.uses.get_mut(id.0 as usize).and_then(|hosts| hosts.get_mut(position)) else {
            return;
        };
        if *host != HostUse::Attached && (found == HostUse::Attached || *host == HostUse::Uncovered) {
            *host = found;
        }
    }

    fn report(&self, report: &mut Report) {
        for ((service, uses), id) in self.selection.virtual_services.iter().zip(&self.uses).zip(0..) {
            for (position, (written, found)) in service.resource.spec.hosts.iter().zip(uses).enumerate() {
                let about = |code, message: String| {
                    Diagnostic::warning(code, message)
                        .about(&service.resource.object)
                        .field(format!("spec.hosts[{position}]"))
                };
                match found {
                    HostUse::Attached => {}
                    HostUse::Uncovered => report.add("host-not-covered", written.span, || {
                        let message = format!(
                            "no Gateway that this VirtualService is bound to has the host `{}`, so it has no effect",
                            written.value
                        );
                        about("host-not-covered", message)
                            .help(format!("they have: {}", self.gateway_hosts(RuleSetId(id))))
                    }),
                    HostUse::OtherNamespace { server, host } => {
                        report.add("host-of-other-namespace", written.span, || {
                            let own = &service.resource.meta.namespace.value;
                            let only = host.namespace.as_deref().unwrap_or("*");
                            let message = format!(
                                "the Gateway has `{}` only for VirtualServices in namespace `{only}`, and this one is in `{own}`, so the host has no effect",
                                host.host
                            );
                            let server = self.merged.server(*server);
                            let diagnostic = about("host-of-other-namespace", message);
                            server.into_iter().fold(diagnostic, |diagnostic, server| {
                                diagnostic.label(server.host_span(host), "the namespace before the host")
                            })
                        });
                    }
                }
            }
        }
    }

    /// The hosts of the Gateways that a VirtualService is bound to, for a message.
    fn gateway_hosts(&self, id: RuleSetId) -> String {
        let is_bound = |gateway: GatewayId| {
            self.selection.gateway(gateway).is_some_and(|gateway| gateway.bound.contains(&id))
        };
        let servers = self.merged.servers.iter().filter(|server| is_bound(server.gateway));
        one_of(servers.flat_map(|server| server.hosts.iter().map(|host| host.host.clone())))
    }
}
