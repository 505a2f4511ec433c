//! One rule for HTTP: which of its parts go together.

use super::{
    super::place::{Place, conflicting, missing, without_effect},
    Scope, actions, destinations, headers, matches, policies,
};
use crate::config::{Diagnostic, Span, resources::HttpRoute};

pub(super) fn check(route: &HttpRoute, scope: &Scope<'_>, at: &Place<'_>) {
    check_actions(route, scope, at);
    for (at, matcher) in at.items("match", &route.r#match) {
        matches::check(matcher, scope, &at);
    }
    if let Some(headers) = &route.headers {
        headers::check(headers, &at.field("headers", headers));
    }
    headers::check_authority(route, at);
    destinations::check_http(&route.route, at);
    actions::check(route, at);
    policies::check(route, at);
    if route.redirect.is_some() || route.direct_response.is_some() {
        warn_of_local_answer(route, at);
    }
}

/// Exactly one action; and what goes with it (the table of specification section 3.4).
fn check_actions(route: &HttpRoute, scope: &Scope<'_>, at: &Place<'_>) {
    let fields = Fields::of(route);
    if let (Some(mirror), Some(mirrors)) = (fields.mirror, fields.mirrors) {
        let problem = conflicting("mirror", "mirrors").label(mirror, "the other one");
        at.absent("mirrors")
            .pointing_at(mirrors)
            .report(problem.help("move `mirror` into the list `mirrors`"));
    }
    if let (Some(delegate), true) = (&route.delegate, scope.is_delegate) {
        let problem = Diagnostic::error("nested-delegate", "a delegate can't delegate any further");
        let help = "this VirtualService has no `hosts`, so it is a delegate itself: write the rules here";
        at.field("delegate", delegate).report(problem.help(help));
        return;
    }
    if let Some(delegate) = fields.delegate {
        fields.exclude(("delegate", delegate), &["redirect", "route"], at);
        if let Some(direct) = fields.get("directResponse") {
            let problem = without_effect("directResponse", "the delegate's rules have actions of their own");
            at.absent("directResponse").pointing_at(direct).report(problem);
        }
        return;
    }
    if let Some(redirect) = fields.get("redirect") {
        fields.exclude(("redirect", redirect), &["route", "fault", "rewrite", "directResponse"], at);
    }
    if let Some(direct) = fields.get("directResponse") {
        fields.exclude(("directResponse", direct), &["route", "fault", "rewrite"], at);
    }
    if ["route", "redirect", "directResponse"].into_iter().all(|name| fields.get(name).is_none()) {
        let help =
            "write `route` with at least one destination, or `redirect`, `directResponse` or `delegate`";
        at.absent("route").report(missing("route").help(help));
    }
}

/// Where the actions of a rule, and what may exclude them, are written.
struct Fields {
    actions: [(&'static str, Option<Span>); 5],
    delegate: Option<Span>,
    mirror: Option<Span>,
    mirrors: Option<Span>,
}

impl Fields {
    fn of(route: &HttpRoute) -> Fields {
        Fields {
            actions: [
                ("route", route.route.first().map(|first| first.span)),
                ("redirect", route.redirect.as_ref().map(|redirect| redirect.span)),
                ("directResponse", route.direct_response.as_ref().map(|direct| direct.span)),
                ("fault", route.fault.as_ref().map(|fault| fault.span)),
                ("rewrite", route.rewrite.as_ref().map(|rewrite| rewrite.span)),
            ],
            delegate: route.delegate.as_ref().map(|delegate| delegate.span),
            mirror: route.mirror.as_ref().map(|mirror| mirror.span),
            mirrors: route.mirrors.first().map(|first| first.span),
        }
    }

    fn get(&self, name: &str) -> Option<Span> {
        self.actions.iter().find(|(field, _)| *field == name).and_then(|(_, span)| *span)
    }

    fn exclude(&self, (name, span): (&'static str, Span), others: &[&'static str], at: &Place<'_>) {
        for other in others {
            if let Some(other_span) = self.get(other) {
                let problem = conflicting(name, other).label(span, "the other one");
                let help = "a rule does one thing: remove one of the two, or make two rules";
                at.absent(other).pointing_at(other_span).report(problem.help(help));
            }
        }
    }
}

/// What is about sending a request on means nothing where it is answered here.
fn warn_of_local_answer(route: &HttpRoute, at: &Place<'_>) {
    let request = route.headers.as_ref().and_then(|headers| headers.request.as_ref());
    let fields = [
        ("timeout", route.timeout.as_ref().map(|timeout| timeout.span)),
        ("retries", route.retries.as_ref().map(|retries| retries.span)),
        ("mirror", route.mirror.as_ref().map(|mirror| mirror.span)),
        ("mirrors", route.mirrors.first().map(|mirror| mirror.span)),
        ("headers.request", request.map(|request| request.span)),
    ];
    for (name, span) in fields.into_iter().filter_map(|(name, span)| Some((name, span?))) {
        let problem = without_effect(name, "the rule answers by itself and sends nothing on");
        at.absent(name).pointing_at(span).report(problem.help("remove it"));
    }
}
