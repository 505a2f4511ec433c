//! Where the policies of a rule are written.

use super::{Rule, checks::levels};
use crate::{
    config::{Span, Spanned, resources::HttpRoute},
    table::{PolicyField, PolicyPlace},
};

/// The places of all policies that a rule has, its own and its root's.
pub(super) fn places(rule: &Rule<'_, '_>) -> Box<[PolicyPlace]> {
    let mut found: Vec<(PolicyField, Span)> = of_route(rule.route);
    for level in levels(rule) {
        let own = level.own;
        let networks = level.entry(&own.networks, |entry| &entry.route);
        found.extend(networks.map(|entry| (PolicyField::Networks, entry.span)));
        let limits = own.rate_limit.iter().filter(|entry| level.is_for(&entry.route) != Some(false));
        found.extend(limits.map(|entry| (PolicyField::RateLimit, entry.span)));
        let body = level.entry(&own.body_limit, |entry| &entry.route);
        found.extend(body.map(|entry| (PolicyField::BodyLimit, entry.span)));
        let split = level.entry(&own.sticky_split, |entry| &entry.route);
        found.extend(split.map(|entry| (PolicyField::StickySplit, entry.span)));
    }
    let place = |(field, span): (PolicyField, Span)| {
        let of_root = !std::ptr::eq(rule.written.home_of(span), &rule.written.home);
        PolicyPlace { field, of_root, line: span.line, column: span.column }
    };
    found.into_iter().map(place).collect()
}

fn of_route(route: &HttpRoute) -> Vec<(PolicyField, Span)> {
    fn at<T>(field: &Option<Box<Spanned<T>>>) -> Option<Span> {
        field.as_ref().map(|field| field.span)
    }
    let single = [
        (PolicyField::Timeout, route.timeout.as_ref().map(|timeout| timeout.span)),
        (PolicyField::Retries, at(&route.retries)),
        (PolicyField::Fault, at(&route.fault)),
        (PolicyField::Cors, at(&route.cors_policy)),
        (PolicyField::Mirror, at(&route.mirror)),
    ];
    let single = single.into_iter().filter_map(|(field, span)| Some((field, span?)));
    single.chain(route.mirrors.iter().map(|mirror| (PolicyField::Mirror, mirror.span))).collect()
}
