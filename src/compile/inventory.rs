//! What is attached to what, for `explain`, `routes` and the admin page.

use super::{
    attach::Attachments,
    merge::{Merged, MergedServer, ServerId},
    origin::Origins,
    select::Selection,
    tables::ServerState,
};
use crate::table::{BindAddress, Source};
use std::collections::HashMap;

/// What became of the Gateways' servers, in merge order.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    /// The servers of the Gateways that apply, those without a listener too.
    pub servers: Vec<ServerEntry>,
}

/// One server of a Gateway.
#[derive(Clone, Debug)]
pub struct ServerEntry {
    /// `Gateway infra/public` and the place of the server.
    pub source: Source,
    /// The port in the Gateway, which `match.port` means.
    pub declared_port: u16,
    /// Where it listens, or would.
    pub bind: BindAddress,
    /// As written, such as `HTTPS`.
    pub protocol: String,
    /// Its hosts without the namespaces, in lower case.
    pub hosts: Vec<String>,
    /// Whether there is a listener, and if not, why.
    pub state: ServerState,
    /// The VirtualServices that are attached to it, in the order in which their rules are tried.
    pub virtual_services: Vec<Source>,
}

impl Inventory {
    pub(super) fn new(
        merged: &Merged<'_>,
        attachments: &Attachments,
        states: &HashMap<ServerId, ServerState>,
        (selection, origins): (&Selection<'_>, &Origins),
    ) -> Inventory {
        let entry = |(server, id): (&MergedServer<'_>, u32)| {
            let gateway = selection.gateway(server.gateway)?;
            let bound = attachments.of(ServerId(id)).iter();
            let services = bound.filter_map(|a| selection.virtual_service(a.virtual_service));
            let protocol = server.server.port.as_ref().and_then(|port| port.protocol.as_ref());
            Some(ServerEntry {
                source: origins.source(&gateway.title, server.server.span),
                declared_port: server.declared_port,
                bind: server.bind.clone(),
                protocol: protocol.map_or(String::new(), |protocol| protocol.value.clone()),
                hosts: server.hosts.iter().map(|host| host.host.clone()).collect(),
                state: states.get(&ServerId(id)).copied().unwrap_or(ServerState::Dropped),
                virtual_services: services
                    .map(|service| origins.source(&service.title, service.resource.meta.name.span))
                    .collect(),
            })
        };
        Inventory { servers: merged.servers.iter().zip(0..).filter_map(entry).collect() }
    }
}
