//! Servers of Gateways to listeners: what shares a port, and what loses (specification section 2.1).
//!
//! The result holds all servers, whatever the table can serve today. It differs from istiod where specification
//! appendix D advises so: plain text and TLS on one port are a conflict in both orders, TLS servers are compared by SNI
//! (without the namespace), and a server that loses leaves nothing behind.

use super::{
    host_name::ServerHost,
    report::Report,
    select::{GatewayId, Selection},
    validate::Protocol,
    workload::{Listening, PortMap},
};
use crate::{
    config::{
        Diagnostic, Span, Spanned,
        resources::{Server, ServerTlsMode},
    },
    table::BindAddress,
};
use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

/// A position in [`Merged::servers`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct ServerId(pub(super) u32);

/// All servers of the Gateways that apply, and the listeners that they make.
pub(super) struct Merged<'r> {
    /// In merge order.
    pub(super) servers: Vec<MergedServer<'r>>,
    /// In the order of their first servers.
    pub(super) listeners: Vec<MergedListener>,
}

/// One (bind address, port).
pub(super) struct MergedListener {
    /// As Envoy names it: `0.0.0.0_8080`.
    pub(super) name: String,
    pub(super) bind: BindAddress,
    pub(super) family: Family,
    /// The servers on it, in merge order; one at least.
    pub(super) servers: Vec<ServerId>,
}

/// What goes together on one port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// Plain-text HTTP: the servers share one route table.
    Http,
    /// TLS in any mode: one filter chain for each server, chosen by SNI.
    Tls,
    /// Plain TCP: one server only.
    Tcp,
}

/// The lists of rules in a VirtualService.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RuleKind {
    Http,
    Tls,
    Tcp,
}

impl RuleKind {
    pub(super) fn name(self) -> &'static str {
        match self {
            RuleKind::Http => "http",
            RuleKind::Tls => "tls",
            RuleKind::Tcp => "tcp",
        }
    }
}

/// One server of a Gateway.
pub(super) struct MergedServer<'r> {
    pub(super) gateway: GatewayId,
    /// Its position in `spec.servers`.
    pub(super) position: usize,
    pub(super) server: &'r Spanned<Server>,
    /// The number in the Gateway, which `match.port` means; 0 for a Unix socket.
    pub(super) declared_port: u16,
    pub(super) bind: BindAddress,
    pub(super) protocol: Protocol,
    pub(super) hosts: Vec<ServerHost>,
    /// As istiod names its route table; empty where it has none.
    pub(super) table: String,
    /// It lost against an earlier server.
    pub(super) is_dropped: bool,
}

impl MergedServer<'_> {
    pub(super) fn family(&self) -> Family {
        match self.protocol {
            protocol if protocol.is_http() => Family::Http,
            protocol if protocol.is_tls() => Family::Tls,
            _ => Family::Tcp,
        }
    }

    /// `tls.httpsRedirect` on plain-text HTTP; elsewhere it has no effect (specification section 2.5).
    pub(super) fn redirects(&self) -> bool {
        let switch = self.server.tls.as_ref().and_then(|tls| tls.https_redirect.as_ref());
        self.family() == Family::Http && switch.is_some_and(|switch| switch.value)
    }

    /// Which rules of VirtualServices it uses (specification section 1.4); `AUTO_PASSTHROUGH` uses none.
    pub(super) fn rules(&self) -> Option<RuleKind> {
        match (self.family(), ends_tls(self.server)) {
            (Family::Http, _) => Some(RuleKind::Http),
            (Family::Tcp, _) => Some(RuleKind::Tcp),
            (Family::Tls, true) if self.protocol == Protocol::Https => Some(RuleKind::Http),
            (Family::Tls, true) => Some(RuleKind::Tcp),
            (Family::Tls, false) if is_auto_passthrough(self.server) => None,
            (Family::Tls, false) => Some(RuleKind::Tls),
        }
    }

    /// Where its hosts are written.
    pub(super) fn host_span(&self, host: &ServerHost) -> Span {
        self.server.hosts.get(host.position).map_or(self.server.span, |host| host.span)
    }
}

impl<'r> Merged<'r> {
    pub(super) fn server(&self, id: ServerId) -> Option<&MergedServer<'r>> {
        self.servers.get(id.0 as usize)
    }
}

/// Merges the servers of the selected Gateways.
pub(super) fn merge<'r>(selection: &Selection<'r>, ports: &PortMap, report: &mut Report) -> Merged<'r> {
    let mut merger = Merger {
        selection,
        report,
        merged: Merged { servers: Vec::new(), listeners: Vec::new() },
        by_bind: HashMap::new(),
        tls_hosts: HashMap::new(),
    };
    for (gateway, id) in selection.gateways.iter().zip(0..) {
        for (position, server) in gateway.resource.spec.servers.iter().enumerate() {
            merger.add(GatewayId(id), position, server, ports);
        }
    }
    merger.merged
}

struct Merger<'r, 'w> {
    selection: &'w Selection<'r>,
    report: &'w mut Report,
    merged: Merged<'r>,
    by_bind: HashMap<BindAddress, usize>,
    /// The hosts of the servers with `tls` on a port, and whose they are.
    tls_hosts: HashMap<(BindAddress, String), ServerId>,
}

/// Why a server is left out.
enum Conflict {
    /// The port speaks something else; this server had it first.
    Port(ServerId),
    /// One of its hosts belongs to another server, which had it first.
    Host { winner: ServerId, host: ServerHost },
}

impl<'r> Merger<'r, '_> {
    fn add(&mut self, gateway: GatewayId, position: usize, server: &'r Spanned<Server>, ports: &PortMap) {
        let Some(mut candidate) = self.candidate(gateway, position, server, ports) else { return };
        let id = ServerId(self.merged.servers.len() as u32);
        match self.conflict(&candidate) {
            Some(conflict) => {
                self.report_conflict(&candidate, &conflict);
                candidate.is_dropped = true;
            }
            None => self.keep(id, &candidate),
        }
        self.merged.servers.push(candidate);
    }

    /// Reads one server. What can't be read here is an error of `validate`, and the Gateway takes no part.
    fn candidate(
        &mut self,
        gateway: GatewayId,
        position: usize,
        server: &'r Spanned<Server>,
        ports: &PortMap,
    ) -> Option<MergedServer<'r>> {
        let resource = self.selection.gateway(gateway)?.resource;
        let port = server.port.as_ref()?;
        let protocol = Protocol::parse(port.protocol.as_ref()?)?;
        let declared_port = u16::try_from(port.number.as_ref().map_or(0, |number| number.value)).ok()?;
        let written_bind = server.bind.as_ref().map_or("", |bind| &bind.value);
        let bind = match written_bind.strip_prefix("unix://") {
            Some(path) => BindAddress::Unix(path.into()),
            None => {
                let address = match written_bind {
                    "" => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
                    written => written.parse().ok()?,
                };
                let port = self.listening_port(gateway, position, server, ports.listening(declared_port));
                BindAddress::Tcp(SocketAddr::new(address, port))
            }
        };
        let mut candidate = MergedServer {
            gateway,
            position,
            server,
            declared_port,
            hosts: ServerHost::list(&server.hosts, &resource.meta.namespace),
            bind,
            protocol,
            table: String::new(),
            is_dropped: false,
        };
        let port_name = port.name.as_ref().map_or("", |name| &name.value);
        let (name, namespace) = (&resource.meta.name.value, &resource.meta.namespace.value);
        candidate.table = table_name(&candidate, port_name, &format!("{name}.{namespace}"));
        Some(candidate)
    }

    fn listening_port(
        &mut self,
        gateway: GatewayId,
        position: usize,
        server: &Spanned<Server>,
        listening: Listening,
    ) -> u16 {
        let number = server.port.as_ref().and_then(|port| port.number.as_ref());
        let place = number.map_or(server.span, |number| number.span);
        let object = self.selection.gateway(gateway).map(|gateway| &gateway.resource.object);
        let about = |code, message: String| {
            let diagnostic = Diagnostic::warning(code, message);
            let diagnostic = object.into_iter().fold(diagnostic, |d, object| d.about(object));
            diagnostic.field(format!("spec.servers[{position}].port.number"))
        };
        match listening {
            Listening::At(port) => port,
            Listening::NotInService(port) => {
                self.report.add("port-not-in-service", place, || {
                    about(
                        "port-not-in-service",
                        format!(
                            "the Service in front of this gateway has no port {port}; it listens on {port}"
                        ),
                    )
                    .help(format!(
                        "add the port to the Service, or say where it listens: --port-map {port}=PORT"
                    ))
                });
                port
            }
            Listening::Named { port, name, span } => {
                self.report.add("named-target-port", place, || {
                    let message = format!(
                        "the Service sends port {port} to the pods' port `{name}`, which only the pods know; it listens on {port}"
                    );
                    about("named-target-port", message)
                        .help(format!("say where it listens: --port-map {port}=PORT"))
                        .label(span, "the name is here")
                });
                port
            }
        }
    }

    fn conflict(&self, candidate: &MergedServer<'r>) -> Option<Conflict> {
        if candidate.server.tls.is_some() {
            let owner = candidate.hosts.iter().find_map(|host| {
                let winner = *self.tls_hosts.get(&(candidate.bind.clone(), tls_key(candidate, host)))?;
                Some((winner, host))
            });
            if let Some((winner, host)) = owner {
                return Some(Conflict::Host { winner, host: host.clone() });
            }
        }
        let listener = self.merged.listeners.get(*self.by_bind.get(&candidate.bind)?)?;
        let can_share = listener.family == candidate.family() && listener.family != Family::Tcp;
        if can_share { None } else { listener.servers.first().copied().map(Conflict::Port) }
    }

    fn keep(&mut self, id: ServerId, server: &MergedServer<'r>) {
        if server.server.tls.is_some() {
            for host in &server.hosts {
                self.tls_hosts.entry((server.bind.clone(), tls_key(server, host))).or_insert(id);
            }
        }
        let listeners = &mut self.merged.listeners;
        let position = *self.by_bind.entry(server.bind.clone()).or_insert(listeners.len());
        match listeners.get_mut(position) {
            Some(listener) => listener.servers.push(id),
            None => listeners.push(MergedListener {
                name: listener_name(&server.bind),
                bind: server.bind.clone(),
                family: server.family(),
                servers: vec![id],
            }),
        }
    }

    fn report_conflict(&mut self, loser: &MergedServer<'r>, conflict: &Conflict) {
        let winner_id = match conflict {
            Conflict::Port(winner) | Conflict::Host { winner, .. } => *winner,
        };
        let Some(winner) = self.merged.servers.get(winner_id.0 as usize) else { return };
        let (Some(loser_gateway), Some(winner_gateway)) =
            (self.selection.gateway(loser.gateway), self.selection.gateway(winner.gateway))
        else {
            return;
        };
        let (loser_name, winner_name) = (&loser_gateway.title, &winner_gateway.title);
        let field = format!("spec.servers[{}]", loser.position);
        match conflict {
            Conflict::Port(_) => self.report.add("port-conflict", loser.server.span, || {
                let (mine, theirs) = (protocol_text(loser), protocol_text(winner));
                let message = format!(
                    "this server is left out: {} already speaks {theirs} for {winner_name}, and {mine} can't share a port with it",
                    loser.bind
                );
                Diagnostic::warning("port-conflict", message)
                    .about(&loser_gateway.resource.object)
                    .field(field)
                    .label(winner.server.span, "this server comes first and keeps the port")
                    .help("use another port, or another `bind`")
            }),
            Conflict::Host { host, .. } => self.report.add("duplicate-host", loser.host_span(host), || {
                let message = format!(
                    "this server is left out with all its hosts: `{}` on port {} already belongs to a server of {winner_name}",
                    host.host, loser.declared_port
                );
                let help = match loser.family() {
                    Family::Http => "servers with httpsRedirect can't have a host in common; VirtualServices bound to this Gateway have no effect on this port",
                    _ => "VirtualServices can be bound to both Gateways; to serve more hosts, leave this one out here",
                };
                let same = winner.hosts.iter().find(|other| other.host == host.host);
                Diagnostic::warning("duplicate-host", message)
                    .about(&loser_gateway.resource.object)
                    .field(format!("{field}.hosts[{}]", host.position))
                    .label(
                        same.map_or(winner.server.span, |same| winner.host_span(same)),
                        if loser_name == winner_name { "it comes first here" } else { "that one comes first" },
                    )
                    .help(help)
            }),
        }
    }
}

/// What two servers with `tls` on one port may not have in common: the SNI; for a redirect on plain-text HTTP, which
/// has none, the host with its namespace, as in istiod.
fn tls_key(server: &MergedServer<'_>, host: &ServerHost) -> String {
    match &host.namespace {
        Some(namespace) if server.family() == Family::Http => format!("{namespace}/{}", host.host),
        _ => host.host.clone(),
    }
}

fn protocol_text(server: &MergedServer<'_>) -> String {
    let written = server.server.port.as_ref().and_then(|port| port.protocol.as_ref());
    written.map_or(String::new(), |protocol| protocol.to_ascii_uppercase())
}

fn listener_name(bind: &BindAddress) -> String {
    match bind {
        BindAddress::Tcp(address) => format!("{}_{}", address.ip(), address.port()),
        BindAddress::Unix(_) => bind.to_string(),
    }
}

/// `http.<listening port>` for plain HTTP, `https.<declared port>.<port name>.<gateway>.<namespace>` where TLS ends and
/// HTTP begins; `.<bind>` behind it if there is a bind. The two kinds of ports are istiod's (specification
/// section 2.1).
fn table_name(server: &MergedServer<'_>, port_name: &str, gateway: &str) -> String {
    let mut name = match server.family() {
        Family::Http => match server.bind {
            BindAddress::Tcp(address) => format!("http.{}", address.port()),
            BindAddress::Unix(_) => "http.0".to_owned(),
        },
        Family::Tls if server.protocol == Protocol::Https && ends_tls(server.server) => {
            format!("https.{}.{port_name}.{gateway}", server.declared_port)
        }
        Family::Tls | Family::Tcp => return String::new(),
    };
    if let Some(bind) = server.server.bind.as_ref().filter(|bind| !bind.is_empty()) {
        name.push('.');
        name.push_str(bind);
    }
    name
}

/// Whether TLS ends at the gateway.
pub(super) fn ends_tls(server: &Server) -> bool {
    !matches!(tls_mode(server), ServerTlsMode::Passthrough | ServerTlsMode::AutoPassthrough)
}

/// Whether TLS passes through to where the client says.
pub(super) fn is_auto_passthrough(server: &Server) -> bool {
    tls_mode(server) == ServerTlsMode::AutoPassthrough
}

fn tls_mode(server: &Server) -> ServerTlsMode {
    let mode = server.tls.as_ref().and_then(|tls| tls.mode.as_ref());
    mode.map(|mode| mode.value).unwrap_or_default()
}
