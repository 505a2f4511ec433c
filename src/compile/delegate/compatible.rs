//! Whether a match of a delegate is within a match of its root. It is asked of each property by itself, as istiod does.

use super::{super::select::GatewayName, Home};
use crate::config::{
    Span, Spanned,
    resources::{HttpMatchRequest, Map, StringMatch},
};

/// Why a rule of a delegate is left out.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Conflict {
    /// The delegate's match.
    pub(super) own: Span,
    /// The root's match.
    pub(super) root: Span,
    /// The path to the delegate's match within its rule.
    pub(super) field: String,
    /// `its uri is /b..., the root's is /a...`
    pub(super) why: String,
}

/// Why a match of a delegate is not within one of the root; nothing if it is.
pub(super) fn conflict(
    (root_home, root): (&Home<'_>, &HttpMatchRequest),
    (own_home, own): (&Home<'_>, &HttpMatchRequest),
) -> Option<String> {
    let texts = [
        ("uri", &root.uri, &own.uri),
        ("scheme", &root.scheme, &own.scheme),
        ("method", &root.method, &own.method),
        ("authority", &root.authority, &own.authority),
    ];
    let of_texts = texts.into_iter().find_map(|(name, root, own)| {
        let (root, own) = (root.as_ref()?, own.as_ref()?);
        is_conflict(root, own).then(|| difference(name, &describe(root), &describe(own)))
    });
    let maps = [
        ("headers", &root.headers, &own.headers),
        ("withoutHeaders", &root.without_headers, &own.without_headers),
        ("queryParams", &root.query_params, &own.query_params),
    ];
    of_texts
        .or_else(|| maps.into_iter().find_map(|(name, root, own)| of_maps(name, root, own)))
        .or_else(|| of_switches(root, own))
        .or_else(|| of_source(root, own))
        .or_else(|| of_gateways((root_home, &root.gateways), (own_home, &own.gateways)))
        .or_else(|| of_places(root, own))
}

/// Where a match has `gateways`, its labels and namespace are not looked at (specification section 3.4); a delegate's must
/// not set the root's aside.
fn of_places(root: &HttpMatchRequest, own: &HttpMatchRequest) -> Option<String> {
    let namespace = root.source_namespace.as_ref().filter(|namespace| !namespace.is_empty());
    let asks = !root.source_labels.is_empty() || namespace.is_some();
    (asks && root.gateways.is_empty() && !own.gateways.is_empty())
        .then(|| "its `gateways` would set the root's `sourceLabels` or `sourceNamespace` aside".to_owned())
}

fn difference(name: &str, root: &str, own: &str) -> String {
    format!("its `{name}` is {own}, and the root's is {root}")
}

fn of_maps(name: &str, root: &Map<StringMatch>, own: &Map<StringMatch>) -> Option<String> {
    own.iter().find_map(|(key, own)| {
        let root = root.get(key)?;
        let name = format!("{name}.{}", key.value.escape_debug());
        is_conflict(root, own).then(|| difference(&name, &describe(root), &describe(own)))
    })
}

fn of_switches(root: &HttpMatchRequest, own: &HttpMatchRequest) -> Option<String> {
    let ignores = |matched: &HttpMatchRequest| matched.ignore_uri_case.as_ref().is_some_and(|on| on.value);
    if ignores(root) != ignores(own) {
        return Some(difference("ignoreUriCase", &ignores(root).to_string(), &ignores(own).to_string()));
    }
    let port = |matched: &HttpMatchRequest| matched.port.as_ref().map_or(0, |port| port.value);
    let (theirs, its) = (port(root), port(own));
    (theirs != 0 && its != 0 && theirs != its)
        .then(|| difference("port", &theirs.to_string(), &its.to_string()))
}

/// The root's namespace must be said again; labels may only not contradict.
fn of_source(root: &HttpMatchRequest, own: &HttpMatchRequest) -> Option<String> {
    let namespace = |matched: &HttpMatchRequest| {
        let written = matched.source_namespace.as_ref().filter(|namespace| !namespace.is_empty());
        written.map(|namespace| format!("`{}`", namespace.value.escape_debug()))
    };
    if let Some(theirs) = namespace(root)
        && namespace(own).as_ref() != Some(&theirs)
    {
        let its = namespace(own).unwrap_or_else(|| "not set".to_owned());
        return Some(difference("sourceNamespace", &theirs, &its));
    }
    own.source_labels.iter().find_map(|(key, own)| {
        let root = root.source_labels.get(key).filter(|root| root.value != own.value)?;
        let name = format!("sourceLabels.{}", key.value.escape_debug());
        let text = |value: &Spanned<String>| format!("`{}`", value.value.escape_debug());
        Some(difference(&name, &text(root), &text(own)))
    })
}

/// Names are compared in full: the same short name in another namespace is another Gateway.
fn of_gateways(
    (root_home, root): (&Home<'_>, &[Spanned<String>]),
    (own_home, own): (&Home<'_>, &[Spanned<String>]),
) -> Option<String> {
    if root.is_empty() || own.is_empty() {
        return None;
    }
    let full = |name: &'_ Spanned<String>, home: &Home<'_>| match GatewayName::parse(name, home.namespace()) {
        GatewayName::Mesh => "mesh".to_owned(),
        GatewayName::Named { namespace, name } => format!("{namespace}/{name}"),
    };
    let allowed: std::collections::HashSet<String> = root.iter().map(|name| full(name, root_home)).collect();
    let other = own.iter().map(|name| full(name, own_home)).find(|name| !allowed.contains(name))?;
    Some(format!("its `gateways` has `{}`, which the root's has not", other.escape_debug()))
}

/// Regular expressions can't be compared, so they are within nothing. Everything is within a match that asks for presence.
fn is_conflict(root: &StringMatch, own: &StringMatch) -> bool {
    let has_regex = |text: &StringMatch| text.regex.as_ref().is_some_and(|regex| regex.value != "*");
    if has_regex(root) || has_regex(own) {
        return true;
    }
    let literal =
        |text: &'_ StringMatch| text.exact.as_ref().or(text.prefix.as_ref()).map(|t| t.value.clone());
    match (&root.exact, &root.prefix) {
        (Some(exact), _) => own.exact.as_ref().is_none_or(|own| own.value != exact.value),
        (None, Some(prefix)) => literal(own).is_none_or(|own| !own.starts_with(&prefix.value)),
        (None, None) => false,
    }
}

fn describe(text: &StringMatch) -> String {
    let StringMatch { exact, prefix, regex } = text;
    let regex = regex.as_ref().filter(|regex| regex.value != "*");
    match (exact, prefix, regex) {
        (Some(exact), ..) => format!("exactly `{}`", exact.value.escape_debug()),
        (None, Some(prefix), _) => format!("the prefix `{}`", prefix.value.escape_debug()),
        (None, None, Some(regex)) => format!("the regex `{}`", regex.value.escape_debug()),
        (None, None, None) => "any value".to_owned(),
    }
}
