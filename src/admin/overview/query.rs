//! What a request asks for.

use crate::admin::{
    endpoint::{Kind, Parameter},
    request::Asked,
};

/// What a request may ask for.
pub(in crate::admin) const PARAMETERS: &[Parameter] = &[
    Parameter::new("routes", Kind::Text, "only routes with this in their name or host"),
    Parameter::new("clusters", Kind::Text, "only clusters with this in their name or source"),
    Parameter::new("history", Kind::OneOf(&["0", "1"]), "1: the last five minutes, second by second"),
    Parameter::new(
        "loads_since",
        Kind::Number(0, u64::MAX),
        "only loads of the configuration that began later, Unix time in milliseconds",
    ),
];

/// The parameters of the document.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Query {
    /// What rows of routes must have in them, in small letters.
    pub(super) routes: Option<String>,
    /// What rows of clusters must have in them, in small letters.
    pub(super) clusters: Option<String>,
    /// Whether the last minutes are wanted.
    pub(super) history: bool,
    /// Loads that began later than this are wanted; Unix time in milliseconds.
    pub(super) loads_since: u64,
}

impl Query {
    /// What a request asks for.
    pub(super) fn of(asked: &Asked) -> Query {
        let text =
            |name| asked.get(name).map(|text| text.trim().to_lowercase()).filter(|text| !text.is_empty());
        Query {
            routes: text("routes"),
            clusters: text("clusters"),
            history: asked.get("history") == Some("1"),
            loads_since: asked.get("loads_since").and_then(|since| since.parse().ok()).unwrap_or(0),
        }
    }
}

/// Whether one of these has the wanted text in it.
pub(super) fn has(wanted: Option<&str>, texts: &[&str]) -> bool {
    wanted.is_none_or(|wanted| texts.iter().any(|text| text.to_lowercase().contains(wanted)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_found_whatever_their_case() {
        assert!(has(Some("sho"), &["x", "My SHOP"]) && has(None, &[]) && !has(Some("a"), &["b"]));
    }
}
