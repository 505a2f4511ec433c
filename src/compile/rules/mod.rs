//! The rules of one VirtualService to the routes that one Gateway and port get (specification sections 2.4 and 3.3).
//!
//! - `matches`: what a rule asks of a request
//! - `actions`: what it does with it
//! - `headers`: how it changes heads
//! - `checks`: what it decides before its action
//! - `mirrors`: where it sends copies
//! - `retries`: what it tries again
//! - `places`: where its policies are written
//! - `layer4`: rules for connections

mod actions;
mod checks;
mod headers;
mod layer4;
mod matches;
mod mirrors;
mod places;
mod retries;

pub(super) use layer4::{SniName, SniRule};

pub(super) use retries::compile as retry_policy;

use super::{
    Workload,
    clusters::Clusters,
    delegate::{Home, HttpRule, HttpRules},
    origin::Origins,
    report::Report,
    scope::selects,
    select::{GatewayId, GatewayName, RuleSetId, Selection},
};
use crate::{
    config::{
        Diagnostic, ObjectRef, Span, Spanned,
        resources::{HttpMatchRequest, HttpRoute},
    },
    table::{Pattern, PatternError, Route},
};
use std::{collections::HashMap, sync::Arc};

/// Makes routes.
pub(super) struct RuleCompiler<'r, 'w> {
    pub(super) selection: &'w Selection<'r>,
    pub(super) http: &'r HttpRules<'r>,
    pub(super) workload: &'w Workload,
    pub(super) origins: &'w Origins,
    pub(super) clusters: Clusters<'r, 'w>,
    patterns: HashMap<String, Result<Pattern, PatternError>>,
    /// Some RequestAuthentication applies, so that requests can have claims.
    pub(super) verifies_tokens: bool,
    shared: checks::Shared,
}

/// A route, and the rule that it comes from.
#[derive(Clone)]
pub(super) struct RouteOfRule {
    pub(super) route: Arc<Route>,
    pub(super) rule: RuleId,
    pub(super) is_catch_all: bool,
}

/// One match of one rule of one VirtualService. Rules are counted as in [`HttpRules`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct RuleId {
    pub(super) virtual_service: RuleSetId,
    pub(super) rule: u32,
    /// `None`: the rule has no matches.
    pub(super) matched: Option<u32>,
}

/// Where the rules are to apply.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Site {
    pub(super) gateway: GatewayId,
    /// As declared in the Gateway.
    pub(super) port: u16,
    /// The server says that gRPC comes in.
    pub(super) is_grpc: bool,
}

/// One rule on its way.
struct Rule<'a, 'r> {
    /// The VirtualService that it is written in: a delegate, if it is delegated.
    service: &'a Home<'r>,
    written: &'a HttpRule<'r>,
    matched_position: Option<u32>,
    route: &'r Spanned<HttpRoute>,
    matched: Option<&'r Spanned<HttpMatchRequest>>,
    port: u16,
    is_grpc: bool,
}

impl<'r> Rule<'_, 'r> {
    /// The path to something in the rule.
    fn field(&self, below: &str) -> String {
        format!("spec.http[{}]{below}", self.written.position)
    }

    /// Whose words are at a place: a delegated rule has some of the rule that delegates to it. With the path to what is
    /// `below`.
    fn whose(&self, span: Span, below: &str) -> (&'r ObjectRef, String) {
        (self.written.object_of(span), self.written.field_of(span, below))
    }
}

impl<'r, 'w> RuleCompiler<'r, 'w> {
    pub(super) fn new(
        (selection, http): (&'w Selection<'r>, &'r HttpRules<'r>),
        workload: &'w Workload,
        origins: &'w Origins,
        clusters: Clusters<'r, 'w>,
    ) -> RuleCompiler<'r, 'w> {
        RuleCompiler {
            selection,
            http,
            workload,
            origins,
            clusters,
            patterns: HashMap::new(),
            verifies_tokens: false,
            shared: checks::Shared::default(),
        }
    }

    /// The routes of a VirtualService at a site: one for every match, up to the first catch-all, behind which nothing
    /// can be reached.
    pub(super) fn routes(&mut self, id: RuleSetId, site: Site, report: &mut Report) -> Vec<RouteOfRule> {
        let http = self.http;
        let mut routes = Vec::new();
        for (written, number) in http.of(id).iter().zip(0..) {
            let route: &'r Spanned<HttpRoute> = &written.route;
            let matches = route.r#match.iter().map(Some).zip((0..).map(Some));
            let without = route.r#match.is_empty().then_some((None, None));
            for (matched, position) in matches.chain(without) {
                if matched.is_some_and(|matched| !self.applies(matched, written, site, report)) {
                    continue;
                }
                let Site { port, is_grpc, .. } = site;
                let service = &written.home;
                let rule =
                    Rule { service, written, matched_position: position, route, matched, port, is_grpc };
                let Some(route) = self.route(&rule, report) else { continue };
                let is_catch_all = route.matcher.is_catch_all();
                let rule = RuleId { virtual_service: id, rule: number, matched: position };
                routes.push(RouteOfRule { route: Arc::new(route), rule, is_catch_all });
                if is_catch_all {
                    return routes;
                }
            }
            if route.r#match.is_empty() {
                return routes;
            }
        }
        routes
    }

    /// What is decided while compiling: port, Gateways, and the gateway workload's own labels and namespace.
    fn applies(
        &self,
        matched: &Spanned<HttpMatchRequest>,
        written: &HttpRule<'_>,
        site: Site,
        report: &mut Report,
    ) -> bool {
        let wanted_port = matched.port.as_ref().map_or(0, |port| port.value);
        if wanted_port != 0 && wanted_port != u32::from(site.port) {
            return false;
        }
        if !matched.gateways.is_empty() {
            let namespace = |name: &Spanned<String>| written.home_of(name.span).namespace();
            return self.names_gateway(&matched.gateways, namespace, site.gateway);
        }
        let namespace = matched.source_namespace.as_ref().filter(|namespace| !namespace.is_empty());
        if namespace.is_some_and(|namespace| namespace.value != self.workload.namespace) {
            return false;
        }
        match (&self.workload.labels, matched.source_labels.first()) {
            (Some(labels), Some(_)) => selects(&matched.source_labels, labels),
            (None, Some((key, _))) => {
                report.add("source-labels-unknown", key.span, || {
                    let message = "the match is left out: it is for a gateway with these labels, and this one's are not known";
                    Diagnostic::warning("source-labels-unknown", message)
                        .about(written.object_of(key.span))
                        .field("spec.http")
                        .help("say which labels this gateway has: --labels")
                });
                false
            }
            (_, None) => true,
        }
    }

    /// Whether a Gateway is in a list; `namespace` is that which a name without one has.
    fn names_gateway<'n>(
        &self,
        names: &'n [Spanned<String>],
        namespace: impl Fn(&Spanned<String>) -> &'n str,
        id: GatewayId,
    ) -> bool {
        let Some(gateway) = self.selection.gateway(id) else { return false };
        let meta = &gateway.resource.meta;
        let own = GatewayName::Named { namespace: &meta.namespace, name: &meta.name };
        names.iter().any(|name| GatewayName::parse(name, namespace(name)) == own)
    }

    fn route(&mut self, rule: &Rule<'_, 'r>, report: &mut Report) -> Option<Route> {
        let matcher = self.matcher(rule, report)?;
        let action = self.action(rule, report)?;
        let checks = self.checks(rule, &action, report)?;
        let (request_headers, response_headers) =
            headers::of_level(rule, rule.route.headers.as_deref(), ".headers", report)?;
        let place = rule.written.place(rule.matched_position);
        let root = rule.written.root_place(rule.matched_position);
        Some(Route {
            name: name(rule).into(),
            matcher,
            action,
            request_headers,
            response_headers,
            checks,
            log: checks::log_choice(rule),
            source: self.origins.source(&rule.service.title, place),
            root: root.map(|(home, span)| Box::new(self.origins.source(&home.title, span))),
            places: places::places(rule),
        })
    }

    /// Compiles an expression once, however many rules have it.
    fn pattern(&mut self, text: &str) -> Result<Pattern, PatternError> {
        if let Some(known) = self.patterns.get(text) {
            return known.clone();
        }
        let compiled = Pattern::new(text);
        self.patterns.insert(text.to_owned(), compiled.clone());
        compiled
    }
}

/// `<route name>.<match name>` where the match has a name.
fn name(rule: &Rule<'_, '_>) -> String {
    let route = rule.route.name.as_ref().map_or("", |name| name.value.as_str());
    match rule.matched.and_then(|matched| matched.name.as_ref()).filter(|name| !name.is_empty()) {
        Some(of_match) => format!("{route}.{}", of_match.value),
        None => route.to_owned(),
    }
}
