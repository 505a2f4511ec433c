//! Why a request finds what it finds: for every condition of a route whether it holds, and what comes nearest where
//! nothing matches. For `explain`, not for the data path: it allocates as it likes.

use super::{
    ClaimMatch, HeaderMatch, PathMatch, QueryMatch, Route, RouteMatch, RouteTable, StringMatch, ValueMatch,
    VirtualHost,
    display::Quoted,
    host::host_of,
    matcher::{query_value, with_value},
    pattern::search_regex,
};
use crate::{
    http::{RequestHead, Scheme},
    jwt::Claims,
};
use std::sync::Arc;

#[cfg(test)]
mod tests;

/// One condition of a route, and whether a request meets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// What is asked, in Istio's words: `header x-a exact 1`.
    pub asked: String,
    /// Whether it holds.
    pub verdict: Verdict,
}

/// Whether a condition holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It does.
    Holds,
    /// It does not, and this is why: ``header `x-a` is absent, must be exactly `1` ``.
    Fails(String),
}

/// One route of a virtual host, and what a request lacks to match it.
#[derive(Clone, Debug)]
pub struct RouteReport<'a> {
    /// Its place in [`VirtualHost::routes`].
    pub position: usize,
    /// The route, with its source.
    pub route: &'a Route,
    /// Every condition, that on the path first. The default path condition (prefix `/`) is among them.
    pub conditions: Vec<Condition>,
}

impl RouteReport<'_> {
    /// Whether the route matches. It is taken only if no earlier one does.
    pub fn matches(&self) -> bool {
        self.failures().next().is_none()
    }

    /// The reasons why it does not match.
    pub fn failures(&self) -> impl Iterator<Item = &str> {
        self.conditions.iter().filter_map(|condition| match &condition.verdict {
            Verdict::Holds => None,
            Verdict::Fails(reason) => Some(reason.as_str()),
        })
    }
}

/// Reports on every route of a virtual host, in order. `claims` are those of the request's token.
pub fn explain_routes<'a>(
    host: &'a VirtualHost,
    request: &RequestHead,
    scheme: Scheme,
    claims: Option<&Claims>,
) -> Vec<RouteReport<'a>> {
    let report = |(position, route): (usize, &'a Arc<Route>)| {
        let conditions = explain_match(&route.matcher, request, scheme, claims);
        RouteReport { position, route, conditions }
    };
    host.routes.iter().enumerate().map(report).collect()
}

/// The routes that come nearest to matching: the fewest conditions that fail, then the most that hold, then the
/// longest beginning that its path and that of the request share, then order. At most `count`.
pub fn nearest_routes<'a>(
    host: &'a VirtualHost,
    request: &RequestHead,
    scheme: Scheme,
    claims: Option<&Claims>,
    count: usize,
) -> Vec<RouteReport<'a>> {
    let mut reports = explain_routes(host, request, scheme, claims);
    reports.sort_by_cached_key(|report| {
        let failed = report.failures().count();
        let held = report.conditions.len() - failed;
        let literal = match &report.route.matcher.path {
            PathMatch::Exact { path, .. } | PathMatch::Prefix { path, .. } => path,
            PathMatch::Regex(pattern) => pattern.literal_prefix(),
        };
        let shared =
            literal.iter().zip(request.path()).take_while(|(a, b)| a.eq_ignore_ascii_case(b)).count();
        (failed, usize::MAX - held, usize::MAX - shared)
    });
    reports.truncate(count);
    reports
}

/// Every condition of a match, and whether it holds.
pub fn explain_match(
    matcher: &RouteMatch,
    request: &RequestHead,
    scheme: Scheme,
    claims: Option<&Claims>,
) -> Vec<Condition> {
    let mut conditions =
        vec![condition(matcher.path.to_string(), path_failure(&matcher.path, request.path()))];
    for (name, wanted, value) in [
        ("method", &matcher.method, request.method.as_slice()),
        ("scheme", &matcher.scheme, scheme.as_str().as_bytes()),
        ("authority", &matcher.authority, &request.authority),
    ] {
        let Some(wanted) = wanted else { continue };
        let subject = format!("{name} is {}", Quoted(value));
        let failure = string_failure(&subject, wanted, value).map(|reason| match name {
            "authority" if host_of(value) != value => format!("{reason} (the port is part of it)"),
            _ => reason,
        });
        conditions.push(condition(format!("{name} {wanted}"), failure));
    }
    let headers = matcher.headers.iter();
    conditions.extend(headers.map(|h| condition(h.to_string(), header_failure(h, request, scheme))));
    let query = matcher.query.iter();
    conditions.extend(query.map(|q| condition(q.to_string(), query_failure(q, request.query()))));
    let wanted = matcher.claims.iter().flatten();
    conditions.extend(wanted.map(|claim| condition(claim.to_string(), claim_failure(claim, claims))));
    conditions
}

fn condition(asked: String, failure: Option<String>) -> Condition {
    Condition { asked, verdict: failure.map_or(Verdict::Holds, Verdict::Fails) }
}

fn path_failure(wanted: &PathMatch, path: &[u8]) -> Option<String> {
    if wanted.matches(path) {
        return None;
    }
    let shown = Quoted(path);
    Some(match wanted {
        PathMatch::Exact { path: exact, .. } => {
            let hint = match path {
                _ if path.eq_ignore_ascii_case(exact) => " (they differ in case only)",
                _ if path.strip_suffix(b"/").unwrap_or(path) == exact.strip_suffix(b"/").unwrap_or(exact) => {
                    " (they differ in the slash at the end only)"
                }
                _ => "",
            };
            format!("path {shown} is not {}{hint}", Quoted(exact))
        }
        PathMatch::Prefix { path: prefix, .. } => {
            let begin = path.get(..prefix.len());
            let in_case_only = begin.is_some_and(|begin| begin.eq_ignore_ascii_case(prefix));
            let hint = if in_case_only { " (they differ in case only)" } else { "" };
            format!("path {shown} does not begin with {}{hint}", Quoted(prefix))
        }
        PathMatch::Regex(pattern) => {
            format!("path {shown} does not match `{}`{}", pattern.text(), part_hint(pattern.text(), path))
        }
    })
}

fn header_failure(wanted: &HeaderMatch, request: &RequestHead, scheme: Scheme) -> Option<String> {
    if wanted.matches(request, scheme) {
        return None;
    }
    let name = Quoted(wanted.name.as_bytes());
    with_value(&wanted.name, request, scheme, |value| {
        let is = match value {
            Some(value) => format!("header {name} is {}", Quoted(value)),
            None if wanted.negate => format!("header {name} is absent, which counts as empty"),
            None => format!("header {name} is absent"),
        };
        Some(match (&wanted.value, wanted.negate) {
            (ValueMatch::Present, true) => format!("{is}, must be absent"),
            (ValueMatch::Present, false) => format!("{is}, must be present"),
            (ValueMatch::Is(wanted), true) => format!("{is}, must not {}", demand(wanted)),
            (ValueMatch::Is(wanted), false) => {
                let hint = regex_hint(wanted, value.unwrap_or_default());
                format!("{is}, must {}{hint}", demand(wanted))
            }
        })
    })
}

fn query_failure(wanted: &QueryMatch, query: &[u8]) -> Option<String> {
    if wanted.matches(query) {
        return None;
    }
    let name = Quoted(&wanted.name);
    let is = match query_value(query, &wanted.name) {
        Some(value) => format!("query parameter {name} is {}", Quoted(value)),
        None => format!("query parameter {name} is absent"),
    };
    Some(match &wanted.value {
        ValueMatch::Present => format!("{is}, must be present"),
        ValueMatch::Is(wanted) => format!("{is}, must {}", demand(wanted)),
    })
}

fn claim_failure(wanted: &ClaimMatch, claims: Option<&Claims>) -> Option<String> {
    if wanted.matches(claims) {
        return None;
    }
    let name = wanted.name();
    let is = match claims.map(|claims| claims.find(&wanted.path)) {
        None => format!("there is no token with a claim `{name}`"),
        Some(None) => format!("the token has no claim `{name}`"),
        Some(Some(value)) => format!("claim `{name}` is {value}"),
    };
    let must = if wanted.negate { "must not" } else { "must" };
    Some(match &wanted.value {
        ValueMatch::Present => format!("{is}, {must} be there"),
        ValueMatch::Is(value) => format!("{is}, {must} {}", demand(value)),
    })
}

fn string_failure(subject: &str, wanted: &StringMatch, value: &[u8]) -> Option<String> {
    let failed = !wanted.matches(value);
    failed.then(|| format!("{subject}, must {}{}", demand(wanted), regex_hint(wanted, value)))
}

fn demand(wanted: &StringMatch) -> String {
    match wanted {
        StringMatch::Exact(text) => format!("be exactly {}", Quoted(text)),
        StringMatch::Prefix(text) => format!("begin with {}", Quoted(text)),
        StringMatch::Regex(pattern) => format!("match `{}`", pattern.text()),
    }
}

fn regex_hint(wanted: &StringMatch, value: &[u8]) -> &'static str {
    match wanted {
        StringMatch::Regex(pattern) => part_hint(pattern.text(), value),
        StringMatch::Exact(_) | StringMatch::Prefix(_) => "",
    }
}

/// The usual mistake with expressions is to expect that a part is enough.
fn part_hint(pattern: &str, value: &[u8]) -> &'static str {
    let part_matches = search_regex(pattern).is_ok_and(|(regex, _)| regex.is_match(value));
    if part_matches { " (a part matches, but the whole must)" } else { "" }
}

/// A virtual host that a request does not reach but perhaps was meant to.
#[derive(Clone, Debug)]
pub struct NearHost<'a> {
    /// The virtual host, with its source.
    pub host: &'a VirtualHost,
    /// What brings it near.
    pub nearness: Nearness,
}

/// What brings a virtual host near to the host of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nearness {
    /// It covers the request's host, but a more specific one hides it.
    Hidden,
    /// It is `*.example.com` and the request's host `example.com`: a wildcard does not cover its own domain.
    OwnDomain,
    /// So many characters would have to be changed, added or removed.
    Misspelled(usize),
    /// So many labels at the end are the same.
    SameDomain(usize),
}

impl Nearness {
    /// The lower, the nearer.
    fn rank(self) -> (u8, usize) {
        match self {
            Nearness::Hidden => (0, 0),
            Nearness::OwnDomain => (1, 0),
            Nearness::Misspelled(characters) => (2, characters),
            Nearness::SameDomain(labels) => (3, usize::MAX - labels),
        }
    }
}

/// How many characters may be wrong for a host to count as misspelled.
const MISSPELLED_MAX: usize = 3;

/// The virtual hosts that an authority does not reach and that come nearest to it. At most `count`.
pub fn nearest_hosts<'a>(table: &'a RouteTable, authority: &[u8], count: usize) -> Vec<NearHost<'a>> {
    let name = String::from_utf8_lossy(host_of(authority)).to_ascii_lowercase();
    let reached = table.virtual_host(authority).map(|host| host.host.as_ref());
    let mut near: Vec<NearHost<'a>> = table
        .virtual_hosts
        .iter()
        .filter(|host| Some(host.host.as_ref()) != reached)
        .filter_map(|host| Some(NearHost { host, nearness: nearness(&host.host, &name)? }))
        .collect();
    // Of several that are hidden, the longest would have been next.
    near.sort_by_key(|near| (near.nearness.rank(), usize::MAX - near.host.host.len()));
    near.truncate(count);
    near
}

fn nearness(host: &str, name: &str) -> Option<Nearness> {
    if let Some(suffix) = host.strip_prefix('*') {
        if name.len() > suffix.len() && name.ends_with(suffix) {
            return Some(Nearness::Hidden);
        }
        if suffix.strip_prefix('.') == Some(name) {
            return Some(Nearness::OwnDomain);
        }
    }
    let bare = host.trim_start_matches("*.");
    let distance = edit_distance(bare, name);
    if distance <= MISSPELLED_MAX.min(name.len() / 3) {
        return Some(Nearness::Misspelled(distance));
    }
    let labels = bare.rsplit('.').zip(name.rsplit('.')).take_while(|(a, b)| a == b).count();
    (labels >= 2).then_some(Nearness::SameDomain(labels))
}

/// Levenshtein's distance in characters. Names are short, so the plain table will do; what is too long is far.
fn edit_distance(a: &str, b: &str) -> usize {
    const NAME_LENGTH_MAX: usize = 255;
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().abs_diff(b.len()) > MISSPELLED_MAX || a.len().max(b.len()) > NAME_LENGTH_MAX {
        return usize::MAX;
    }
    // The row of the table for the characters of `a` that have been looked at.
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (done, from) in a.iter().enumerate() {
        let mut left = done + 1;
        let mut next = vec![left];
        for (to, (diagonal, above)) in b.iter().zip(row.iter().zip(row.iter().skip(1))) {
            let changed = diagonal + usize::from(from != to);
            left = changed.min(above + 1).min(left + 1);
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(usize::MAX)
}
