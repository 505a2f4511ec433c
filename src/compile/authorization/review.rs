//! What is right by itself but does not do what it seems to: values that nothing can have, and denials by mistake.

use super::{
    Inputs,
    attribute::{Attribute, Twin, of_operation, of_source},
};
use crate::{
    compile::report::Report,
    config::{
        Diagnostic, ObjectRef, Resource, Spanned,
        resources::{AuthorizationAction, AuthorizationPolicy, AuthorizationRule},
    },
    filter::authorization::is_template,
    http::{PathNormalization, normalize_path},
    table::{BindAddress, Chain, ChainAction, Listener},
    tls::ClientAuthentication,
};
use std::collections::{BTreeMap, BTreeSet};

/// What there is around the policies.
pub(super) struct Surroundings<'s> {
    /// The trust domain of the mesh, and its other names.
    pub(super) trust_domains: Vec<&'s str>,
    /// How paths are made comparable.
    normalization: PathNormalization,
    /// The ports that are listened on.
    listening: BTreeSet<u16>,
    /// Where the declared ports of servers listen, where that is elsewhere.
    moved: BTreeMap<u16, u16>,
    /// Some connections are not HTTP.
    has_tcp: bool,
    /// Some server asks its clients for certificates.
    asks_certificates: bool,
    /// A RequestAuthentication applies.
    verifies_tokens: bool,
}

impl<'s> Surroundings<'s> {
    pub(super) fn new(inputs: &Inputs<'s>) -> Surroundings<'s> {
        let (mesh, settings, merged) = inputs.around;
        let (listeners, server_tls) = inputs.servers;
        let port = |bind: &BindAddress| match bind {
            BindAddress::Tcp(address) => Some(address.port()),
            BindAddress::Unix(_) => None,
        };
        let is_tcp = |listener: &Listener| match &listener.chain {
            Chain::Http(_) => false,
            Chain::Tcp(_) => true,
            Chain::Tls(chains) => {
                chains.chains().iter().any(|chain| !matches!(chain.action, ChainAction::TerminateHttp(..)))
            }
        };
        let servers = merged.servers.iter().filter(|server| !server.is_dropped);
        let moved = servers.filter_map(|server| Some((server.declared_port, port(&server.bind)?)));
        Surroundings {
            trust_domains: mesh.trust_domains(),
            normalization: settings.path_normalization,
            listening: listeners.iter().filter_map(|listener| port(&listener.bind)).collect(),
            moved: moved.filter(|(declared, port)| declared != port).collect(),
            has_tcp: listeners.iter().any(is_tcp),
            asks_certificates: server_tls.iter().any(|spec| spec.client != ClientAuthentication::None),
            verifies_tokens: inputs.policies.has_any(&inputs.resources.request_authentications),
        }
    }
}

/// Reports what surprises in one policy.
pub(super) fn policy(
    policy: &Resource<AuthorizationPolicy>,
    surroundings: &Surroundings<'_>,
    report: &mut Report,
) {
    let action = policy.spec.action.as_ref().map(|action| action.value).unwrap_or_default();
    let rules = policy.spec.rules.as_ref().map_or(&[][..], |rules| rules);
    let mut review = Review { object: &policy.object, surroundings, report };
    if rules.is_empty() {
        review.without_rules(policy, action);
    }
    for (rule, number) in rules.iter().zip(0..) {
        review.rule(rule, number, action);
    }
}

struct Review<'r> {
    object: &'r ObjectRef,
    surroundings: &'r Surroundings<'r>,
    report: &'r mut Report,
}

impl Review<'_> {
    fn without_rules(&mut self, policy: &Resource<AuthorizationPolicy>, action: AuthorizationAction) {
        let place = policy.spec.action.as_ref().map_or(policy.meta.name.span, |action| action.span);
        let object = self.object;
        match action {
            AuthorizationAction::Allow => self.report.add("denies-everything", place, || {
                let message =
                    "without `rules` the policy allows nothing: what no other ALLOW matches is denied";
                let help = "write `rules: [{}]` to allow everything; this note is only to say what happens";
                Diagnostic::note("denies-everything", message).about(object).field("spec.rules").help(help)
            }),
            _ => self.report.add("policy-without-effect", place, || {
                Diagnostic::warning("policy-without-effect", "without `rules` the policy matches nothing")
                    .about(object)
                    .field("spec.rules")
                    .help("write `rules: [{}]` to match everything")
            }),
        }
    }

    fn rule(&mut self, rule: &Spanned<AuthorizationRule>, number: usize, action: AuthorizationAction) {
        let at = format!("spec.rules[{number}]");
        let (mut asks_http, mut asks_tcp) = (false, false);
        let mut ask = |is_http: bool| if is_http { asks_http = true } else { asks_tcp = true };
        for (from, index) in rule.from.as_ref().map_or(&[][..], |list| list).iter().zip(0..) {
            let Some(source) = &from.source else { continue };
            for twin in of_source(source) {
                self.twin(&twin, &format!("{at}.from[{index}].source"));
                twin.values.iter().chain(twin.not_values).for_each(|_| ask(twin.attribute.is_about_http()));
            }
        }
        for (to, index) in rule.to.as_ref().map_or(&[][..], |list| list).iter().zip(0..) {
            let Some(operation) = &to.operation else { continue };
            for twin in of_operation(operation) {
                self.twin(&twin, &format!("{at}.to[{index}].operation"));
                twin.values.iter().chain(twin.not_values).for_each(|_| ask(twin.attribute.is_about_http()));
            }
        }
        for (condition, index) in rule.when.iter().zip(0..) {
            let Some(Ok(attribute)) = condition.key.as_ref().map(|key| Attribute::of_key(key)) else {
                continue;
            };
            ask(attribute.is_about_http());
            for (name, values) in [("values", &condition.values), ("notValues", &condition.not_values)] {
                self.values(attribute, values, name, &format!("{at}.when[{index}]"));
            }
        }
        if action == AuthorizationAction::Deny && asks_http && !asks_tcp && self.surroundings.has_tcp {
            let object = self.object;
            self.report.add("denies-tcp", rule.span, || {
                let message = "the rule denies every connection that is not HTTP: it asks only for what those do not have";
                let help = "say with `to.operation.ports` which ports it is for";
                Diagnostic::warning("denies-tcp", message).about(object).field(at).help(help)
            });
        }
    }

    fn twin(&mut self, twin: &Twin<'_>, at: &str) {
        self.values(twin.attribute, twin.values, twin.name, at);
        self.values(twin.attribute, twin.not_values, twin.not_name, at);
    }

    fn values(&mut self, attribute: Attribute<'_>, values: &[Spanned<String>], name: &str, at: &str) {
        let Some(first) = values.first() else { return };
        let (object, field) = (self.object, format!("{at}.{name}"));
        if let Some((why, help)) = self.nobody_has(attribute) {
            self.report.add("never-matches", first.span, || {
                Diagnostic::warning("never-matches", format!("`{name}` matches nothing: {why}"))
                    .about(object)
                    .field(field.clone())
                    .help(help)
            });
        }
        for (value, index) in values.iter().zip(0..) {
            let Some((why, help)) = self.never(attribute, value) else { continue };
            self.report.add("never-matches", value.span, || {
                let value = value.escape_debug();
                Diagnostic::warning("never-matches", format!("`{value}` matches nothing: {why}"))
                    .about(object)
                    .field(format!("{field}[{index}]"))
                    .help(help)
            });
        }
    }

    /// Why nothing has an attribute here.
    fn nobody_has(&self, attribute: Attribute<'_>) -> Option<(&'static str, &'static str)> {
        if attribute.is_of_certificate() && !self.surroundings.asks_certificates {
            let why = "no server of this gateway asks its clients for certificates";
            return Some((why, "a server with `tls.mode: MUTUAL` does"));
        }
        if attribute.is_of_token() && !self.surroundings.verifies_tokens {
            let why = "no RequestAuthentication applies to this gateway, so no token is verified";
            return Some((why, "write one for the same workload"));
        }
        None
    }

    /// Why nothing has a value.
    fn never(&self, attribute: Attribute<'_>, value: &str) -> Option<(String, String)> {
        let of = |why: &str, help: &str| Some((why.to_owned(), help.to_owned()));
        let body = value.strip_prefix('*').or(value.strip_suffix('*')).unwrap_or(value);
        let is_template = attribute == Attribute::Path && is_template(value);
        if attribute.has_wildcards_at_ends() && body.contains('*') && !is_template {
            return of(
                "only one `*`, at the beginning or the end, stands for anything; others are characters",
                "list the values; in `paths` there are `{*}` for a segment and `{**}` for all that follows",
            );
        }
        match attribute {
            Attribute::Path => self.never_path(value),
            Attribute::Host if body.contains("://") || body.contains('/') => {
                of("a host has neither a scheme nor a path", "write the name, and a port behind `:`")
            }
            Attribute::Host if body.len() > 1 && body.ends_with('.') => {
                of("a dot at the end of a host is not looked at", "leave it out")
            }
            Attribute::Method if value.chars().any(|c| c.is_ascii_lowercase()) => {
                of("methods are in upper case", "write `GET`, `POST` and the like")
            }
            Attribute::Principal if value.starts_with("spiffe://") => of(
                "principals are written without `spiffe://`",
                "write `<trust domain>/ns/<namespace>/sa/<name>`",
            ),
            Attribute::RequestPrincipal if is_url_prefix(value) => of(
                "what stands behind the last slash is the subject, and what stands before it is no issuer",
                "write `<issuer>/*` for every subject of an issuer",
            ),
            Attribute::Header(name) | Attribute::InlineHeader(name) if is_removed(name) => {
                of("the gateway removes this field from what clients send", "choose another one")
            }
            Attribute::Port => {
                let port: u16 = value.parse().ok()?;
                let is_served =
                    self.surroundings.listening.is_empty() || self.surroundings.listening.contains(&port);
                (!is_served).then(|| self.unserved(port))
            }
            _ => None,
        }
    }

    fn unserved(&self, port: u16) -> (String, String) {
        let ports: Vec<String> = self.surroundings.listening.iter().map(u16::to_string).collect();
        let help = match self.surroundings.moved.get(&port) {
            Some(target) => format!("the servers with port {port} listen on {target}: write \"{target}\""),
            None => format!("it listens on {}", ports.join(", ")),
        };
        ("the gateway does not listen on this port".to_owned(), help)
    }

    fn never_path(&self, value: &str) -> Option<(String, String)> {
        let of = |why: &str, help: &str| Some((why.to_owned(), help.to_owned()));
        let is_suffix = value.starts_with('*');
        match () {
            () if value.contains('?') => {
                of("the query is no part of the path", "leave out what is behind `?`")
            }
            () if value.contains('#') => of("a fragment is cut off before", "leave out what is behind `#`"),
            () if !is_suffix && !value.starts_with('/') => {
                of("a path begins with `/`", "write it with `/` in front")
            }
            () if is_suffix || is_template(value) => None,
            () => {
                let mut normal = value.as_bytes().to_vec();
                let mut length = normal.len();
                normalize_path(&mut normal, &mut length, self.surroundings.normalization).ok()?;
                (normal != value.as_bytes()).then(|| {
                    let normal = String::from_utf8_lossy(&normal).into_owned();
                    (
                        "paths are normalized before they are compared".to_owned(),
                        format!("write it as it is then: `{}`", normal.escape_debug()),
                    )
                })
            }
        }
    }
}

/// `https://accounts.example.com*` is not what it looks like: `https:/` would be the issuer.
fn is_url_prefix(value: &str) -> bool {
    let issuer = value.rsplit_once('/').map(|(issuer, _)| issuer);
    matches!(issuer, Some("https:/" | "http:/"))
}

/// Fields of clients that never reach a policy (`standard::request`).
fn is_removed(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    lower.starts_with("x-envoy-") && lower != "x-envoy-external-address"
}
