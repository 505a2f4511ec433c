//! A traffic policy: of a rule, of a subset, of a port.

use super::{
    super::{
        names,
        place::{Place, conflicting, missing, text},
        scalars::{check_percent, check_port},
        wording::shown,
    },
    client_tls,
    connection_pool::{check_outlier_detection, check_pool},
    load_balancer,
};
use crate::config::{
    Diagnostic, Span, Spanned,
    resources::{
        ClientTlsMode, ClientTlsSettings, ConnectionPoolSettings, LoadBalancerSettings, OutlierDetection,
        PortTrafficPolicy, TrafficPolicy, TunnelSettings,
    },
};
use std::collections::HashMap;

/// `inherited` is the policy of the whole rule where this is that of a subset.
pub(super) fn check(
    policy: &TrafficPolicy,
    inherited: Option<&TrafficPolicy>,
    namespace: &str,
    at: &Place<'_>,
) {
    if *policy == TrafficPolicy::default() {
        let problem = Diagnostic::error("missing-field", "the traffic policy is empty");
        at.report(problem.help("write at least one setting, or leave the policy out"));
    }
    let outlier_of_rule = inherited.and_then(|whole| whole.outlier_detection.as_ref());
    let blocks = Blocks {
        load_balancer: &policy.load_balancer,
        connection_pool: &policy.connection_pool,
        outlier_detection: &policy.outlier_detection,
        tls: &policy.tls,
    };
    blocks.check(outlier_of_rule.is_some(), namespace, at);
    if let (Some(tunnel), Some(proxy)) = (&policy.tunnel, &policy.proxy_protocol) {
        let problem = conflicting("tunnel", "proxyProtocol").label(tunnel.span, "the other one");
        at.field("proxyProtocol", proxy).report(problem.help("remove one of the two"));
    }
    if let Some(tunnel) = &policy.tunnel {
        check_tunnel(tunnel, &at.field("tunnel", tunnel));
    }
    if let Some(budget) = &policy.retry_budget
        && let Some(percent) = &budget.percent
    {
        check_percent(**percent, &at.field("retryBudget", budget).field("percent", percent));
    }
    check_ports(policy, inherited, namespace, at);
}

/// What a whole policy and that of a port have in common.
struct Blocks<'p> {
    load_balancer: &'p Option<Spanned<LoadBalancerSettings>>,
    connection_pool: &'p Option<Spanned<ConnectionPoolSettings>>,
    outlier_detection: &'p Option<Spanned<OutlierDetection>>,
    tls: &'p Option<Spanned<ClientTlsSettings>>,
}

impl Blocks<'_> {
    fn check(&self, inherits_outlier: bool, namespace: &str, at: &Place<'_>) {
        let has_outlier = inherits_outlier || self.outlier_detection.is_some();
        if let Some(settings) = self.load_balancer {
            load_balancer::check(settings, has_outlier, &at.field("loadBalancer", settings));
        }
        if let Some(pool) = self.connection_pool {
            check_pool(pool, &at.field("connectionPool", pool));
        }
        if let Some(outlier) = self.outlier_detection {
            check_outlier_detection(outlier, &at.field("outlierDetection", outlier));
        }
        if let Some(tls) = self.tls {
            client_tls::check(tls, namespace, &at.field("tls", tls));
        }
    }

    fn is_empty(&self) -> bool {
        let has_limits = self.connection_pool.is_some() || self.outlier_detection.is_some();
        !(has_limits || self.load_balancer.is_some() || self.tls.is_some())
    }
}

fn check_ports(policy: &TrafficPolicy, inherited: Option<&TrafficPolicy>, namespace: &str, at: &Place<'_>) {
    let mut numbers: HashMap<u32, Span> = HashMap::new();
    for (at, port) in at.items("portLevelSettings", &policy.port_level_settings) {
        if let Some(selector) =
            at.require("port", &port.port, "write `port: {number: 80}`, the service's port")
        {
            let at = at.field("port", selector);
            if let Some(number) =
                at.require("number", &selector.number, "expected the service's port, 1 to 65535")
            {
                let at = at.field("number", number);
                check_port(**number, &at);
                if let Some(first) = numbers.insert(**number, number.span) {
                    let problem = Diagnostic::warning(
                        "duplicate-port",
                        format!("there are two policies for port {}", **number),
                    );
                    at.report(
                        problem.label(first, "the first one").help("the first one is used: remove the other"),
                    );
                }
            }
        }
        let blocks = Blocks {
            load_balancer: &port.load_balancer,
            connection_pool: &port.connection_pool,
            outlier_detection: &port.outlier_detection,
            tls: &port.tls,
        };
        if blocks.is_empty() {
            at.report(
                missing("loadBalancer").help("write loadBalancer, connectionPool, outlierDetection or tls"),
            );
        }
        blocks.check(false, namespace, &at);
        warn_of_losses(port, policy, inherited, &at);
    }
}

/// The settings of a port replace those of the policy; what they do not say is the default, not the policy's.
fn warn_of_losses(
    port: &PortTrafficPolicy,
    policy: &TrafficPolicy,
    inherited: Option<&TrafficPolicy>,
    at: &Place<'_>,
) {
    let lose = |name: &'static str, setting: Option<Span>, help: &str| {
        let Some(setting) = setting else { return };
        let message = format!("this port does without `{name}`: the settings of a port replace all others");
        let problem =
            Diagnostic::warning("lost-setting", message).label(setting, "this is not used for the port");
        at.report(problem.help(help));
    };
    let tls = policy.tls.as_ref().or(inherited.and_then(|whole| whole.tls.as_ref()));
    let is_encrypted = |tls: &&Spanned<ClientTlsSettings>| {
        tls.mode.as_ref().is_some_and(|mode| **mode != ClientTlsMode::Disable)
    };
    if port.tls.is_none() {
        let tls = tls.filter(is_encrypted).map(|tls| tls.span);
        lose("tls", tls, "repeat `tls` here; `mode: DISABLE` says that plain text is meant");
    }
    let settings = [
        ("tunnel", span(&policy.tunnel), inherited.and_then(|whole| span(&whole.tunnel))),
        (
            "proxyProtocol",
            span(&policy.proxy_protocol),
            inherited.and_then(|whole| span(&whole.proxy_protocol)),
        ),
        ("retryBudget", span(&policy.retry_budget), inherited.and_then(|whole| span(&whole.retry_budget))),
    ];
    for (name, own, of_rule) in settings {
        lose(
            name,
            own.or(of_rule),
            "a port can't have it: put the port's settings into the policy of the whole service",
        );
    }
}

fn span<T>(field: &Option<Spanned<T>>) -> Option<Span> {
    field.as_ref().map(|field| field.span)
}

fn check_tunnel(tunnel: &TunnelSettings, at: &Place<'_>) {
    if let Some(protocol) =
        text(&tunnel.protocol).filter(|protocol| !["CONNECT", "POST"].contains(&protocol.as_str()))
    {
        let problem =
            Diagnostic::error("bad-protocol", format!("`{}` is not a way to make a tunnel", shown(protocol)));
        at.field("protocol", protocol).report(problem.help("expected CONNECT or POST; absent: CONNECT"));
    }
    if let Some(host) = at.require_text("targetHost", &tunnel.target_host, "name the host behind the proxy")
        && !names::is_ip(host)
        && let Err(error) = names::check_domain(host)
    {
        let problem = Diagnostic::error("bad-host", format!("`{}` is not a host: {error}", shown(host)));
        at.field("targetHost", host).report(problem.help("expected a full domain name or an IP address"));
    }
    if let Some(port) = at.require("targetPort", &tunnel.target_port, "name the port behind the proxy") {
        check_port(**port, &at.field("targetPort", port));
    }
}
