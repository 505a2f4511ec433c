//! A rule that delegates and a rule of its delegate made one.

use super::{
    Home, MatchOrigin,
    compatible::{Conflict, conflict},
};
use crate::config::{
    Span, Spanned,
    resources::{HttpMatchRequest, HttpRoute, Map},
};

/// One rule made of two.
pub(super) struct Merged {
    pub(super) route: Spanned<HttpRoute>,
    /// Where each of its matches comes from.
    pub(super) matches: Vec<MatchOrigin>,
}

/// The delegate's rule with what the root's rule asks besides, and says where the delegate says nothing. Every match of the
/// delegate must be within one of the root, or the whole rule is left out.
pub(super) fn merge(
    (root_home, root): (&Home<'_>, &Spanned<HttpRoute>),
    (own_home, own): (&Home<'_>, &Spanned<HttpRoute>),
) -> Result<Merged, Box<Conflict>> {
    let mut list: Vec<Spanned<HttpMatchRequest>> = Vec::new();
    let mut matches: Vec<MatchOrigin> = Vec::new();
    if own.r#match.is_empty() {
        list.extend(root.r#match.iter().map(|matched| Spanned::new(matched.value.clone(), own.span)));
        matches.extend(root.r#match.iter().map(|matched| MatchOrigin { own: None, root: matched.span }));
    }
    for (position, matched) in own.r#match.iter().enumerate() {
        if root.r#match.is_empty() {
            list.push(matched.clone());
            matches.push(MatchOrigin { own: Some(position), root: root.span });
            continue;
        }
        let before = list.len();
        let mut first: Option<(Span, String)> = None;
        for wider in &root.r#match {
            match conflict((root_home, wider), (own_home, matched)) {
                None => {
                    list.push(Spanned::new(of_matches(wider, matched), matched.span));
                    matches.push(MatchOrigin { own: Some(position), root: wider.span });
                }
                Some(why) => first = first.or(Some((wider.span, why))),
            }
        }
        if let Some((root, why)) = first.filter(|_| list.len() == before) {
            let field = format!(".match[{position}]");
            return Err(Box::new(Conflict { own: matched.span, root, field, why }));
        }
    }
    Ok(Merged { route: of_routes(root, own, list), matches })
}

/// Blocks are taken whole: a delegate that has `headers` has none of the root's.
fn of_routes(
    root: &HttpRoute,
    own: &Spanned<HttpRoute>,
    matches: Vec<Spanned<HttpMatchRequest>>,
) -> Spanned<HttpRoute> {
    let it = &own.value;
    let either = |own: &Vec<_>, root: &Vec<_>| if own.is_empty() { root.clone() } else { own.clone() };
    let route = HttpRoute {
        name: names(root.name.as_ref(), it.name.as_ref()),
        r#match: matches,
        route: it.route.clone(),
        redirect: it.redirect.clone(),
        direct_response: first(&it.direct_response, &root.direct_response),
        delegate: None,
        rewrite: first(&it.rewrite, &root.rewrite),
        timeout: first(&it.timeout, &root.timeout),
        retries: first(&it.retries, &root.retries),
        fault: first(&it.fault, &root.fault),
        mirror: first(&it.mirror, &root.mirror),
        mirrors: either(&it.mirrors, &root.mirrors),
        mirror_percent: first(&it.mirror_percent, &root.mirror_percent),
        mirror_percentage: first(&it.mirror_percentage, &root.mirror_percentage),
        cors_policy: first(&it.cors_policy, &root.cors_policy),
        headers: first(&it.headers, &root.headers),
    };
    Spanned::new(route, own.span)
}

/// All that both ask; where both ask the same thing, what the delegate asks, which is narrower.
fn of_matches(root: &HttpMatchRequest, own: &HttpMatchRequest) -> HttpMatchRequest {
    let port = own.port.clone().filter(|port| port.value != 0);
    let namespace = own.source_namespace.clone().filter(|namespace| !namespace.is_empty());
    HttpMatchRequest {
        name: names(root.name.as_ref(), own.name.as_ref()),
        uri: first(&own.uri, &root.uri),
        scheme: first(&own.scheme, &root.scheme),
        method: first(&own.method, &root.method),
        authority: first(&own.authority, &root.authority),
        headers: of_maps(&root.headers, &own.headers),
        port: port.or_else(|| root.port.clone()),
        source_labels: of_maps(&root.source_labels, &own.source_labels),
        gateways: if own.gateways.is_empty() { root.gateways.clone() } else { own.gateways.clone() },
        query_params: of_maps(&root.query_params, &own.query_params),
        ignore_uri_case: first(&own.ignore_uri_case, &root.ignore_uri_case),
        // What the root excludes stays excluded: of two that are compatible, its set is the larger one.
        without_headers: of_maps(&own.without_headers, &root.without_headers),
        source_namespace: namespace.or_else(|| root.source_namespace.clone()),
        stat_prefix: first(&own.stat_prefix, &root.stat_prefix),
    }
}

fn first<T: Clone>(own: &Option<T>, root: &Option<T>) -> Option<T> {
    own.as_ref().or(root.as_ref()).cloned()
}

fn of_maps<T: Clone>(root: &Map<T>, own: &Map<T>) -> Map<T> {
    let only_root = root.iter().filter(|(key, _)| own.get(key).is_none());
    only_root.chain(own.iter()).cloned().collect()
}

/// `root-delegate`; the one name that there is if there is only one.
fn names(root: Option<&Spanned<String>>, own: Option<&Spanned<String>>) -> Option<Spanned<String>> {
    let root = root.filter(|name| !name.is_empty());
    let own = own.filter(|name| !name.is_empty());
    match (root, own) {
        (Some(root), Some(own)) => Some(Spanned::new(format!("{}-{}", root.value, own.value), own.span)),
        (root, own) => own.or(root).cloned(),
    }
}
