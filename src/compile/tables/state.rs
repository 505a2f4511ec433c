//! What becomes of a server, and what is said where nothing does.

use crate::{
    compile::{
        merge::{MergedServer, RuleKind},
        report::{Report, one_of},
        select::{RuleSetId, Selection},
    },
    config::Diagnostic,
};

/// Whether a server of a Gateway listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerState {
    /// The position of its listener in [`Snapshot::listeners`](crate::table::Snapshot::listeners).
    Listening(usize),
    /// It lost against an earlier server on the same port; a diagnostic names that one.
    Dropped,
    /// No VirtualService has a rule for its connections; a diagnostic says which kind of rule it needs.
    NoRoutes,
    /// It has an error, or all its server names belong to others; a diagnostic says which.
    LeftOut,
}

/// Reports a server of TCP or TLS for whose connections no VirtualService has a rule. `attached` are those that could.
pub(super) fn report_no_rule(
    server: &MergedServer<'_>,
    attached: &[RuleSetId],
    selection: &Selection<'_>,
    report: &mut Report,
) {
    let Some(gateway) = selection.gateway(server.gateway) else { return };
    let Some(kind) = server.rules() else { return };
    let protocol = server.server.port.as_ref().and_then(|port| port.protocol.as_ref());
    let place = protocol.map_or(server.server.span, |protocol| protocol.span);
    report.add("no-route-for-server", place, || {
        let name = protocol.map_or(String::new(), |protocol| protocol.to_ascii_uppercase());
        let message = format!(
            "no VirtualService has a `{}` rule for this {name} server on port {}: it takes no connections",
            kind.name(),
            server.declared_port
        );
        let names = attached.iter().filter_map(|id| selection.virtual_service(*id));
        let names = one_of(names.map(|service| service.title.to_string()));
        let help = match (names.is_empty(), kind) {
            (true, _) => "bind one to this Gateway, with one of its hosts".to_owned(),
            (false, RuleKind::Tls) => format!("attached to it: {names}; where TLS passes through, `tls[].match[].sniHosts` decide, `http` and `tcp` do not"),
            (false, RuleKind::Tcp | RuleKind::Http) => format!("attached to it: {names}; their `http` and `tls` rules are not for this server, nor `tcp` rules for another port"),
        };
        Diagnostic::warning("no-route-for-server", message)
            .about(&gateway.resource.object)
            .field(format!("spec.servers[{}]", server.position))
            .help(help)
    });
}

/// Reports a server of `AUTO_PASSTHROUGH` whose hosts cover no service of the mesh.
pub(super) fn report_no_service(server: &MergedServer<'_>, selection: &Selection<'_>, report: &mut Report) {
    let Some(gateway) = selection.gateway(server.gateway) else { return };
    let place = server.server.hosts.first().map_or(server.server.span, |host| host.span);
    report.add("no-route-for-server", place, || {
        let message = format!(
            "no host of this server on port {} covers a service of the mesh: it takes no connections",
            server.declared_port
        );
        Diagnostic::warning("no-route-for-server", message)
            .about(&gateway.resource.object)
            .field(format!("spec.servers[{}].hosts", server.position))
            .help("AUTO_PASSTHROUGH is for Services, and for ServiceEntries with `location: MESH_INTERNAL`; `*.local` covers all Services")
    });
}
