//! Where the connections of a server go: the first `tcp` rule of the first VirtualService that has one for it takes
//! all of them (specification section 3.6).

use super::{Builder, site, state};
use crate::{
    compile::{
        merge::{MergedServer, ServerId},
        select::RuleSetId,
    },
    config::Diagnostic,
    table::TcpRoute,
};

impl Builder<'_, '_, '_> {
    /// `None`: no VirtualService has a rule for it, which is reported.
    pub(super) fn tcp_route(&mut self, id: ServerId, server: &MergedServer<'_>) -> Option<TcpRoute> {
        let site = site(server);
        let attached = self.attachments.of(id);
        let mut matching = attached.iter().flat_map(|attachment| {
            let rules = self.rules.tcp_rules(attachment.virtual_service, site);
            rules.into_iter().map(|rule| (attachment.virtual_service, rule))
        });
        let winner = matching.next();
        let losers: Vec<(RuleSetId, usize)> = matching.collect();
        let Some(winner) = winner else {
            let found: Vec<RuleSetId> = attached.iter().map(|a| a.virtual_service).collect();
            state::report_no_rule(server, &found, self.rules.selection, self.report);
            return None;
        };
        for loser in losers {
            self.report_unused(server, winner, loser);
        }
        self.rules.tcp_route(winner.0, winner.1, site, self.report)
    }

    fn report_unused(
        &mut self,
        server: &MergedServer<'_>,
        (winner, of_winner): (RuleSetId, usize),
        (loser, of_loser): (RuleSetId, usize),
    ) {
        let selection = self.rules.selection;
        let (Some(winner), Some(loser)) =
            (selection.virtual_service(winner), selection.virtual_service(loser))
        else {
            return;
        };
        let rule = |service: &crate::compile::select::BoundService<'_>, position: usize| {
            service.resource.spec.tcp.get(position).map(|rule| rule.span)
        };
        let (Some(first), Some(unused)) = (rule(winner, of_winner), rule(loser, of_loser)) else { return };
        self.report.add("tcp-rule-not-used", unused, || {
            let message = format!(
                "no connection to port {} comes to this rule: all of them go where {} says",
                server.declared_port, winner.title
            );
            Diagnostic::warning("tcp-rule-not-used", message)
                .about(&loser.resource.object)
                .field(format!("spec.tcp[{of_loser}]"))
                .label(first, "this rule comes first and takes all")
                .help("a gateway tells TCP connections apart by the server's port only: use another port")
        });
    }
}
