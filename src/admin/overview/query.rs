//! What a request asks for.

use crate::admin::request::Asked;

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
    /// Out of the parameters of a request.
    pub(super) fn of(asked: &Asked) -> Query {
        let text = |name| {
            let text = asked.get(name)?.trim().to_lowercase();
            Some(text).filter(|text| !text.is_empty())
        };
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
