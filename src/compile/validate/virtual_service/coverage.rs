//! Whether everything that one match is for is also what another one is for. Where that is not certain, it is not.

use super::{super::names::is_subset, is_presence};
use crate::config::{
    Span, Spanned,
    resources::{HttpMatchRequest, L4MatchAttributes, Map, StringMatch, TlsMatchAttributes},
};

/// The conditions of a rule, which can be wider or narrower than those of another one.
pub(super) trait Conditions {
    /// The conditions of a rule that has none.
    fn everything() -> Self;

    /// Whether whatever matches `later` matches this as well.
    fn covers(&self, later: &Self) -> bool;

    /// Paths or names that it is for; it may be for fewer. By these it is found.
    fn ranges(&self) -> Vec<Range>;
}

/// What a text may be, so that matches for it are found. Names are backwards, so that `*.b` has a beginning too.
pub(super) enum Range {
    All,
    Exact(String),
    Beginning(String),
    Pattern(String),
}

impl Conditions for HttpMatchRequest {
    fn everything() -> Self {
        HttpMatchRequest::default()
    }

    fn covers(&self, later: &Self) -> bool {
        covers_number(&self.port, &later.port)
            && covers_gateways(&self.gateways, &later.gateways)
            && covers_labels(&self.source_labels, &later.source_labels)
            && covers_name(&self.source_namespace, &later.source_namespace)
            && covers_path(self, later)
            && covers_pseudo(self.scheme.as_deref(), later.scheme.as_deref())
            && covers_pseudo(self.method.as_deref(), later.method.as_deref())
            && covers_pseudo(self.authority.as_deref(), later.authority.as_deref())
            && covers_fields(&self.headers, &later.headers, covers_text)
            && covers_fields(&self.query_params, &later.query_params, covers_text)
            && covers_fields(&self.without_headers, &later.without_headers, |one, other| one == other)
    }

    fn ranges(&self) -> Vec<Range> {
        let uri = self.uri.as_ref().filter(|_| !is_any_path(self.uri.as_deref()));
        let range = uri.map(|uri| match &uri.value {
            StringMatch { exact: Some(path), .. } => Range::Exact(path.to_ascii_lowercase()),
            StringMatch { prefix: Some(path), .. } => Range::Beginning(path.to_ascii_lowercase()),
            StringMatch { regex: Some(regex), .. } => Range::Pattern(regex.value.clone()),
            StringMatch { .. } => Range::All,
        });
        vec![range.unwrap_or(Range::All)]
    }
}

impl Conditions for TlsMatchAttributes {
    /// A rule for TLS without matches is refused elsewhere.
    fn everything() -> Self {
        TlsMatchAttributes {
            sni_hosts: vec![Spanned::new("*".to_owned(), Span::default())],
            ..Self::default()
        }
    }

    fn covers(&self, later: &Self) -> bool {
        let covers_name = |name: &Spanned<String>| self.sni_hosts.iter().any(|wider| is_subset(name, wider));
        covers_number(&self.port, &later.port)
            && covers_gateways(&self.gateways, &later.gateways)
            && are_few(&self.sni_hosts, &later.sni_hosts)
            && later.sni_hosts.iter().all(covers_name)
    }

    fn ranges(&self) -> Vec<Range> {
        let backwards = |name: &str| name.to_ascii_lowercase().chars().rev().collect();
        let range = |name: &Spanned<String>| match name.strip_prefix('*') {
            Some("") => Range::All,
            Some(suffix) => Range::Beginning(backwards(suffix)),
            None => Range::Exact(backwards(name)),
        };
        self.sni_hosts.iter().map(range).collect()
    }
}

impl Conditions for L4MatchAttributes {
    fn everything() -> Self {
        L4MatchAttributes::default()
    }

    fn covers(&self, later: &Self) -> bool {
        covers_number(&self.port, &later.port) && covers_gateways(&self.gateways, &later.gateways)
    }

    fn ranges(&self) -> Vec<Range> {
        vec![Range::All]
    }
}

/// The most pairs of conditions of two matches that are compared. People write a handful of each.
const PAIRS_MAX: usize = 10_000;

/// Whether two lists may be compared element by element.
fn are_few<T>(one: &[T], other: &[T]) -> bool {
    one.len().saturating_mul(other.len()) <= PAIRS_MAX
}

/// Whether every path is matched: no condition, or one that is always met.
fn is_any_path(uri: Option<&Spanned<StringMatch>>) -> bool {
    let Some(uri) = uri else { return true };
    let StringMatch { exact, prefix, regex } = &**uri;
    exact.is_none()
        && prefix.as_ref().is_none_or(|prefix| prefix.is_empty() || **prefix == "/")
        && regex.as_ref().is_none_or(|regex| matches!(regex.as_str(), ".*" | "/.*"))
}

fn covers_number(one: &Option<Spanned<u32>>, later: &Option<Spanned<u32>>) -> bool {
    one.is_none() || one == later
}

fn covers_name(one: &Option<Spanned<String>>, later: &Option<Spanned<String>>) -> bool {
    one.is_none() || one == later
}

fn covers_gateways(one: &[Spanned<String>], later: &[Spanned<String>]) -> bool {
    let is_listed = |gateway| one.contains(gateway);
    one.is_empty() || (!later.is_empty() && are_few(one, later) && later.iter().all(is_listed))
}

fn covers_labels(one: &Map<String>, later: &Map<String>) -> bool {
    are_few(one, later) && one.iter().all(|(key, value)| later.get(key).is_some_and(|other| other == value))
}

fn covers_path(one: &HttpMatchRequest, later: &HttpMatchRequest) -> bool {
    if is_any_path(one.uri.as_deref()) {
        return true;
    }
    let (Some(uri), Some(later_uri)) = (&one.uri, &later.uri) else { return false };
    let ignores =
        |matcher: &HttpMatchRequest| matcher.ignore_uri_case.as_ref().is_some_and(|ignore| **ignore);
    if uri.regex.is_some() {
        return uri.regex == later_uri.regex;
    }
    match (ignores(one), ignores(later)) {
        (true, _) => covers_text(&lower_case(uri), &lower_case(later_uri)),
        (false, false) => covers_text(uri, later_uri),
        (false, true) => false,
    }
}

/// Without the regular expression, for which case is not ignored.
fn lower_case(text: &StringMatch) -> StringMatch {
    let lower = |text: &Option<Spanned<String>>| {
        text.as_ref().map(|text| Spanned::new(text.to_ascii_lowercase(), text.span))
    };
    StringMatch { exact: lower(&text.exact), prefix: lower(&text.prefix), regex: None }
}

/// A pseudo header is always there.
fn covers_pseudo(one: Option<&Spanned<StringMatch>>, later: Option<&Spanned<StringMatch>>) -> bool {
    match (one, later) {
        (None, _) => true,
        (Some(one), _) if one.value == StringMatch::default() => true,
        (Some(one), Some(later)) => covers_text(one, later),
        (Some(_), None) => false,
    }
}

/// `later` asks for something that is there; whether `one` holds for it.
fn covers_text(one: &StringMatch, later: &StringMatch) -> bool {
    if is_presence(one) || one.regex.as_ref().is_some_and(|regex| **regex == ".*") {
        return true;
    }
    if let Some(prefix) = &one.prefix {
        return later
            .exact
            .as_ref()
            .or(later.prefix.as_ref())
            .is_some_and(|text| text.starts_with(&**prefix));
    }
    one == later
}

/// Every field that `one` asks for is asked for by `later` too. Names do not care for case; that of parameters does,
/// but then a pair that differs in case alone is only not found.
fn covers_fields(
    one: &Map<StringMatch>,
    later: &Map<StringMatch>,
    covers: impl Fn(&StringMatch, &StringMatch) -> bool,
) -> bool {
    let is_covered = |name: &str, matcher| later.get(name).is_some_and(|other| covers(matcher, other));
    are_few(one, later) && one.iter().all(|(name, matcher)| is_covered(name, matcher))
}
