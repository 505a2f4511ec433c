//! Servers, attachments and rules to listeners, filter chains and route tables.
//!
//! - `http`: one route table
//! - `chains`: the filter chains of a TLS port
//! - `tcp`: where the connections of a server go
//! - `state`: what becomes of a server, and what is said where nothing does

mod chains;
mod http;
mod state;
mod tcp;

pub use state::ServerState;

use super::{
    attach::Attachments,
    merge::{Family, Merged, MergedListener, MergedServer, ServerId},
    report::Report,
    rules::{RuleCompiler, Site},
    tls::ServerTls,
};
use crate::{
    config::Span,
    table::{Chain, Listener, RouteTable, Source, TableId, TcpChain, TcpProtocol},
};
use std::{collections::HashMap, sync::Arc};

/// Listeners and their route tables.
#[derive(Default)]
pub(super) struct Tables {
    pub(super) listeners: Vec<Listener>,
    pub(super) tables: Vec<RouteTable>,
    /// What became of the servers that did not lose a conflict.
    pub(super) states: HashMap<ServerId, ServerState>,
    /// The routes in all tables.
    routes: usize,
}

/// Builds what can be served, and reports servers of which nothing comes.
pub(super) fn build<'r, 'w>(
    (merged, attachments): (&Merged<'r>, &Attachments),
    rules: &mut RuleCompiler<'r, 'w>,
    tls: &mut ServerTls<'r, 'w>,
    report: &mut Report,
) -> Tables {
    let mut builder = Builder { merged, attachments, rules, tls, report, made: Tables::default() };
    for listener in &merged.listeners {
        builder.listener(listener);
    }
    builder.made
}

struct Builder<'b, 'r, 'w> {
    merged: &'b Merged<'r>,
    attachments: &'b Attachments,
    rules: &'b mut RuleCompiler<'r, 'w>,
    tls: &'b mut ServerTls<'r, 'w>,
    report: &'b mut Report,
    made: Tables,
}

impl Builder<'_, '_, '_> {
    fn listener(&mut self, listener: &MergedListener) {
        let Some(first) = listener.servers.first().and_then(|id| self.merged.server(*id)) else { return };
        let position = self.made.listeners.len();
        let mut states: Vec<(ServerId, ServerState)> = Vec::new();
        let chain = match listener.family {
            Family::Http => {
                states.extend(listener.servers.iter().map(|id| (*id, ServerState::Listening(position))));
                self.table(&listener.servers).map(Chain::Http)
            }
            Family::Tls => self.chains(&listener.servers, position, &mut states).map(Chain::Tls),
            Family::Tcp => {
                let chain = listener.servers.first().and_then(|id| self.tcp(*id));
                let state =
                    chain.as_ref().map_or(ServerState::NoRoutes, |_| ServerState::Listening(position));
                states.extend(listener.servers.iter().map(|id| (*id, state)));
                chain.map(Chain::Tcp)
            }
        };
        self.made.states.extend(states);
        let Some(chain) = chain else { return };
        self.made.listeners.push(Listener {
            name: listener.name.clone(),
            bind: listener.bind.clone(),
            chain,
            source: source(self.rules, first, first.server.span),
        });
    }

    fn table(&mut self, servers: &[ServerId]) -> Option<TableId> {
        let Builder { merged, attachments, rules, report, made, .. } = self;
        let table = http::route_table(merged, servers, attachments, rules, &mut made.routes, report)?;
        let id = TableId(made.tables.len() as u32);
        made.tables.push(table);
        Some(id)
    }

    fn tcp(&mut self, id: ServerId) -> Option<Arc<TcpChain>> {
        let server = self.merged.server(id)?;
        let route = self.tcp_route(id, server)?;
        let protocol = match server.protocol {
            super::validate::Protocol::Mongo => TcpProtocol::Mongo,
            _ => TcpProtocol::Opaque,
        };
        Some(Arc::new(TcpChain { route, protocol }))
    }
}

/// Where the rules of a VirtualService are to apply.
fn site(server: &MergedServer<'_>) -> Site {
    Site { gateway: server.gateway, port: server.declared_port, is_grpc: server.protocol.is_grpc() }
}

/// A place in the Gateway of a server.
fn source(rules: &RuleCompiler<'_, '_>, server: &MergedServer<'_>, span: Span) -> Source {
    match rules.selection.gateway(server.gateway) {
        Some(gateway) => rules.origins.source(&gateway.title, span),
        None => Source::built_in("Gateway"),
    }
}
