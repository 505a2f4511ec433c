//! The filter chains of a TLS port: one for every server that ends TLS, one for every `tls` match where it passes
//! through (specification sections 2.3 and 3.5).

use super::{Builder, ServerState, site, source, state};
use crate::{
    compile::{
        clusters::NamedByClient,
        merge::{MergedServer, ServerId, ends_tls, is_auto_passthrough},
        rules::{SniName, SniRule},
        select::RuleSetId,
        tls::server_name,
        validate::Protocol,
    },
    config::{Diagnostic, ObjectRef, Span},
    table::{ChainAction, ChainIndex, FilterChain, TcpDestination, TcpRoute},
};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

/// What clients of a mesh offer. Others can't name destinations: what is not encrypted between workloads must not be
/// reached from outside.
const ALPN_MESH: &[&[u8]] =
    &[b"istio", b"istio-peer-exchange", b"istio-http/1.0", b"istio-http/1.1", b"istio-h2"];

/// The server names that a port's chains have so far.
type Taken = HashMap<String, Owner>;

/// What has a server name.
#[derive(Clone)]
struct Owner {
    /// `Gateway infra/public`, `VirtualService app/web`
    title: Arc<str>,
    span: Span,
}

/// A server name that somebody wants.
struct Claim<'a> {
    name: String,
    owner: Owner,
    object: &'a ObjectRef,
    /// The path to the name.
    field: String,
    outcome: &'static str,
}

impl Builder<'_, '_, '_> {
    /// All chains of one port; `None`: there are none, so nothing listens.
    pub(super) fn chains(
        &mut self,
        servers: &[ServerId],
        position: usize,
        states: &mut Vec<(ServerId, ServerState)>,
    ) -> Option<Arc<ChainIndex>> {
        let mut taken = Taken::new();
        let mut chains: Vec<FilterChain> = Vec::new();
        for id in servers {
            let Some(server) = self.merged.server(*id) else { continue };
            let made = match (ends_tls(server.server), is_auto_passthrough(server.server)) {
                (true, _) => self.ending(*id, server, &mut taken).map(|chain| vec![chain]),
                (false, false) => self.passing(*id, server, &mut taken),
                (false, true) => self.passing_by_itself(server, &mut taken),
            };
            let state = made.as_ref().map_or_else(|state| *state, |_| ServerState::Listening(position));
            states.push((*id, state));
            chains.extend(made.into_iter().flatten());
        }
        (!chains.is_empty()).then(|| Arc::new(ChainIndex::new(chains)))
    }

    /// The chain of a server where TLS ends.
    fn ending(
        &mut self,
        id: ServerId,
        server: &MergedServer<'_>,
        taken: &mut Taken,
    ) -> Result<FilterChain, ServerState> {
        let selection = self.rules.selection;
        let gateway = selection.gateway(server.gateway).ok_or(ServerState::LeftOut)?;
        let object = &gateway.resource.object;
        let route = match server.protocol {
            Protocol::Https => None,
            _ => Some(self.tcp_route(id, server).ok_or(ServerState::NoRoutes)?),
        };
        let mut server_names: Vec<Box<str>> = Vec::new();
        let mut seen = HashSet::new();
        for host in &server.hosts {
            // `a/x.com` and `b/x.com` are for different VirtualServices, and one name for clients.
            if !seen.insert(host.host.as_str()) {
                continue;
            }
            let claim = Claim {
                name: host.host.clone(),
                owner: Owner { title: gateway.title.clone(), span: server.host_span(host) },
                object,
                field: format!("spec.servers[{}].hosts[{}]", server.position, host.position),
                outcome: "this server does not get it",
            };
            if self.claim(claim, taken) {
                server_names.push(host.host.as_str().into());
            }
        }
        if server_names.is_empty() {
            return Err(ServerState::LeftOut);
        }
        let spec = self.tls.add(server, gateway, self.report).ok_or(ServerState::LeftOut)?;
        let (name, action) = match route {
            Some(route) => (server_name(gateway, server), ChainAction::TerminateTcp(spec, route)),
            None => {
                let table = self.table(&[id]).ok_or(ServerState::LeftOut)?;
                (server.table.clone(), ChainAction::TerminateHttp(spec, table))
            }
        };
        let source = source(self.rules, server, server.server.span);
        Ok(FilterChain { name: name.into(), server_names, alpn: None, action, source })
    }

    /// The chains of a server where TLS passes through: not its own hosts count, but those in the rules.
    fn passing(
        &mut self,
        id: ServerId,
        server: &MergedServer<'_>,
        taken: &mut Taken,
    ) -> Result<Vec<FilterChain>, ServerState> {
        let attached: Vec<RuleSetId> =
            self.attachments.of(id).iter().map(|attachment| attachment.virtual_service).collect();
        let mut rules: Vec<(RuleSetId, SniRule)> = Vec::new();
        for service in &attached {
            let found = self.rules.sni_rules(*service, site(server), self.report);
            rules.extend(found.into_iter().map(|rule| (*service, rule)));
        }
        if rules.is_empty() {
            state::report_no_rule(server, &attached, self.rules.selection, self.report);
            return Err(ServerState::NoRoutes);
        }
        let chains: Vec<_> =
            rules.into_iter().filter_map(|(service, rule)| self.passing_rule(service, rule, taken)).collect();
        if chains.is_empty() { Err(ServerState::LeftOut) } else { Ok(chains) }
    }

    /// One match, which has all its names or none, as in istiod.
    fn passing_rule(&mut self, service: RuleSetId, rule: SniRule, taken: &mut Taken) -> Option<FilterChain> {
        let service = self.rules.selection.virtual_service(service)?;
        let claim = |name: &SniName| Claim {
            name: name.name.clone(),
            owner: Owner { title: service.title.clone(), span: name.span },
            object: &service.resource.object,
            field: name.field.clone(),
            outcome: "the whole match is left out",
        };
        let is_taken = |name: &&SniName| taken.contains_key(&name.name);
        if let Some(name) = rule.server_names.iter().find(is_taken) {
            self.claim(claim(name), taken);
            return None;
        }
        for name in &rule.server_names {
            self.claim(claim(name), taken);
        }
        Some(FilterChain {
            name: rule.name.into(),
            server_names: rule.server_names.iter().map(|name| name.name.as_str().into()).collect(),
            alpn: None,
            source: rule.route.source.clone(),
            action: ChainAction::Passthrough(rule.route),
        })
    }

    /// The chains of `AUTO_PASSTHROUGH`, which needs no VirtualService: clients of the mesh name the destination.
    fn passing_by_itself(
        &mut self,
        server: &MergedServer<'_>,
        taken: &mut Taken,
    ) -> Result<Vec<FilterChain>, ServerState> {
        let selection = self.rules.selection;
        let gateway = selection.gateway(server.gateway).ok_or(ServerState::LeftOut)?;
        let source = source(self.rules, server, server.server.span);
        let mut chains = Vec::new();
        for NamedByClient { name, cluster } in self.rules.clusters.named_by_clients(&server.hosts) {
            let claim = Claim {
                name: name.clone(),
                owner: Owner { title: gateway.title.clone(), span: server.server.span },
                object: &gateway.resource.object,
                field: format!("spec.servers[{}]", server.position),
                outcome: "this server does not get it",
            };
            if !self.claim(claim, taken) {
                continue;
            }
            let cluster_name = name.as_str().into();
            let destination = TcpDestination { cluster: Some(cluster), cluster_name, weight: 1 };
            chains.push(FilterChain {
                name: name.as_str().into(),
                server_names: vec![name.into()],
                alpn: Some(ALPN_MESH),
                action: ChainAction::Passthrough(TcpRoute {
                    destinations: vec![destination],
                    total_weight: 1,
                    source: source.clone(),
                }),
                source: source.clone(),
            });
        }
        if chains.is_empty() {
            state::report_no_service(server, selection, self.report);
            return Err(ServerState::NoRoutes);
        }
        Ok(chains)
    }

    /// Whether the name was free. If not, that is reported: the first has it.
    fn claim(&mut self, claim: Claim<'_>, taken: &mut Taken) -> bool {
        let Some(owner) = taken.get(&claim.name) else {
            taken.insert(claim.name, claim.owner);
            return true;
        };
        self.report.add("duplicate-server-name", claim.owner.span, || {
            let message = format!(
                "the server name `{}` already belongs to {} on this port: {}",
                claim.name, owner.title, claim.outcome
            );
            Diagnostic::warning("duplicate-server-name", message)
                .about(claim.object)
                .field(claim.field)
                .label(owner.span, "this one comes first")
        });
        false
    }
}
