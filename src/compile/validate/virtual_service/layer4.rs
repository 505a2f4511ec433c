//! Rules for TLS that is passed through, and for TCP.

use super::{
    super::{
        names,
        place::{Place, missing, text, without_effect},
        scalars::{check_labels, check_port},
        wording::shown,
    },
    Scope, destinations, gateways, hosts,
    matches::check_listed,
};
use crate::config::{
    Diagnostic, Span, Spanned,
    resources::{L4MatchAttributes, Map, TcpRoute, TlsMatchAttributes, TlsRoute},
};

pub(super) fn check_tls(route: &TlsRoute, scope: &Scope<'_>, at: &Place<'_>) {
    if route.r#match.is_empty() {
        at.absent("match").report(missing("match").help("write `match: [{sniHosts: [...]}]`"));
    }
    for (at, matcher) in at.items("match", &route.r#match) {
        check_tls_match(matcher, scope, &at);
    }
    destinations::check_layer4(&route.route, at);
}

pub(super) fn check_tcp(route: &TcpRoute, scope: &Scope<'_>, at: &Place<'_>) {
    for (at, matcher) in at.items("match", &route.r#match) {
        check_tcp_match(matcher, scope, &at);
    }
    destinations::check_layer4(&route.route, at);
}

fn check_tls_match(matcher: &TlsMatchAttributes, scope: &Scope<'_>, at: &Place<'_>) {
    if matcher.sni_hosts.is_empty() {
        at.absent("sniHosts")
            .report(missing("sniHosts").help("list the names that clients ask for, or `\"*\"`"));
    }
    for (at, host) in at.items("sniHosts", &matcher.sni_hosts) {
        check_sni(host, scope, &at);
    }
    Common {
        destination_subnets: &matcher.destination_subnets,
        port: &matcher.port,
        source_labels: &matcher.source_labels,
        gateways: &matcher.gateways,
        source_namespace: &matcher.source_namespace,
    }
    .check(scope, at);
}

fn check_tcp_match(matcher: &L4MatchAttributes, scope: &Scope<'_>, at: &Place<'_>) {
    if let Some(subnet) = text(&matcher.source_subnet) {
        let at = at.field("sourceSubnet", subnet);
        check_subnet(subnet, &at);
        at.report(unused_at_gateways("sourceSubnet"));
    }
    Common {
        destination_subnets: &matcher.destination_subnets,
        port: &matcher.port,
        source_labels: &matcher.source_labels,
        gateways: &matcher.gateways,
        source_namespace: &matcher.source_namespace,
    }
    .check(scope, at);
}

/// What matches for TLS and for TCP have in common. A gateway looks at port and Gateways only.
struct Common<'m> {
    destination_subnets: &'m [Spanned<String>],
    port: &'m Option<Spanned<u32>>,
    source_labels: &'m Map<String>,
    gateways: &'m [Spanned<String>],
    source_namespace: &'m Option<Spanned<String>>,
}

impl Common<'_> {
    fn check(&self, scope: &Scope<'_>, at: &Place<'_>) {
        for (at, subnet) in at.items("destinationSubnets", self.destination_subnets) {
            check_subnet(subnet, &at);
        }
        if let Some(port) = self.port {
            check_port(**port, &at.field("port", port));
        }
        check_labels("sourceLabels", self.source_labels, at);
        gateways::check(self.gateways, at);
        check_listed(self.gateways, scope, at);
        self.warn_of_unused(at);
    }

    fn warn_of_unused(&self, at: &Place<'_>) {
        let fields: [(&'static str, Option<Span>); 3] = [
            ("destinationSubnets", self.destination_subnets.first().map(|subnet| subnet.span)),
            ("sourceLabels", self.source_labels.first().map(|(key, _)| key.span)),
            ("sourceNamespace", text(self.source_namespace).map(|namespace| namespace.span)),
        ];
        for (name, span) in fields.into_iter().filter_map(|(name, span)| Some((name, span?))) {
            at.absent(name).pointing_at(span).report(unused_at_gateways(name));
        }
    }
}

fn unused_at_gateways(name: &str) -> Diagnostic {
    without_effect(name, "for TLS and TCP it is for sidecars only; a gateway matches all the same")
        .help("a gateway looks at `port` and `gateways`, and for TLS at `sniHosts`")
}

fn check_subnet(subnet: &str, at: &Place<'_>) {
    if !names::is_subnet(subnet) {
        let problem =
            Diagnostic::error("bad-subnet", format!("`{}` is not a range of addresses", shown(subnet)));
        at.report(
            problem.help("expected an IP address, or one with the length of its prefix as in 10.0.0.0/8"),
        );
    }
}

/// A name in a ClientHello: one of the VirtualService's hosts, or narrower.
fn check_sni(sni: &str, scope: &Scope<'_>, at: &Place<'_>) {
    let shown = shown(sni);
    if hosts::is_auto_passthrough(sni) {
    } else if names::is_ip(sni) {
        let problem = Diagnostic::warning(
            "address-as-sni",
            format!("hardly any client sends the address `{shown}` as SNI"),
        );
        return at.report(problem.help("RFC 6066 allows names only"));
    } else if let Err(error) = names::check_wildcard_domain(sni) {
        let problem = Diagnostic::error("bad-host", format!("`{shown}` is not a host: {error}"));
        return at.report(problem.help("expected a domain name, `*.` and one, or `*`"));
    } else if names::is_partial_wildcard(sni) {
        let problem = Diagnostic::error("bad-host", format!("`*` in `{shown}` is not its whole first part"));
        return at.report(problem.help("connections are told apart by full names, `*.example.com` and `*`"));
    }
    if !scope.hosts.covers(sni) {
        let problem = Diagnostic::error(
            "sni-not-in-hosts",
            format!("`{shown}` is not covered by the hosts of the VirtualService"),
        );
        at.report(problem.help(format!("add it to `hosts`, which are: {}", scope.hosts.list())));
    }
}
