//! Which objects come first, and which ones a gateway sees.

use crate::config::{
    Resource, Spanned,
    resources::{Map, Timestamp},
};
use std::collections::BTreeMap;

/// What the first of several wins by: creation time, then name, then namespace (specification section 1.2). Files
/// seldom have a creation time; without one an object counts as the oldest, as in istiod.
pub(super) type CreationOrder<'r> = (Option<Timestamp>, &'r str, &'r str);

pub(super) fn creation_order<T>(resource: &Resource<T>) -> CreationOrder<'_> {
    let timestamp = resource.meta.creation_timestamp.as_ref().map(|t| t.value);
    (timestamp, &resource.meta.name, &resource.meta.namespace)
}

/// Objects in creation order.
pub(super) fn in_creation_order<'r, T>(list: impl Iterator<Item = &'r Resource<T>>) -> Vec<&'r Resource<T>> {
    let mut sorted: Vec<_> = list.collect();
    sorted.sort_by(|a, b| creation_order(a).cmp(&creation_order(b)));
    sorted
}

/// How an object is exported to a namespace. The order is that in which VirtualServices come (specification
/// section 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Visibility {
    /// It is in the namespace and exported to this one only.
    Private,
    /// It is exported to this namespace by name.
    Named,
    /// It is exported to all.
    Public,
    /// It is not exported to this one.
    Hidden,
}

/// Reads `exportTo` of an object in namespace `owner` for a gateway workload in namespace `viewer`. `default` is what
/// the mesh says for objects that say nothing.
pub(super) fn visibility(
    export_to: &[Spanned<String>],
    default: &[Spanned<String>],
    Owner(owner): Owner<'_>,
    viewer: &str,
) -> Visibility {
    let list = if export_to.is_empty() { default } else { export_to };
    let has = |wanted: &str| list.iter().any(|name| name.value == wanted);
    if list.is_empty() || has("*") {
        Visibility::Public
    } else if owner == viewer && (has(".") || has(owner)) {
        Visibility::Private
    } else if has(viewer) {
        Visibility::Named
    } else {
        Visibility::Hidden
    }
}

/// The namespace of the object that exports.
#[derive(Clone, Copy)]
pub(super) struct Owner<'a>(pub(super) &'a str);

/// Whether labels have all pairs of a selector.
pub(super) fn selects(selector: &Map<String>, labels: &BTreeMap<String, String>) -> bool {
    selector.iter().all(|(key, value)| labels.get(&key.value) == Some(&value.value))
}

/// Labels or a selector for a message: `istio=ingressgateway, app=web`.
pub(super) fn labels_text<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let list: Vec<String> = pairs.map(|(key, value)| format!("{key}={value}")).collect();
    if list.is_empty() { "no labels".to_owned() } else { list.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(names: &[&str]) -> Vec<Spanned<String>> {
        names.iter().map(|name| Spanned::new((*name).to_owned(), Default::default())).collect()
    }

    #[test]
    fn export_to() {
        let of = |names: &[&str], owner, viewer| visibility(&list(names), &[], Owner(owner), viewer);
        assert_eq!(of(&[], "app", "istio-system"), Visibility::Public);
        assert_eq!(of(&["*"], "app", "istio-system"), Visibility::Public);
        assert_eq!(of(&["."], "app", "istio-system"), Visibility::Hidden);
        assert_eq!(of(&["."], "app", "app"), Visibility::Private);
        assert_eq!(of(&["app"], "app", "app"), Visibility::Private);
        assert_eq!(of(&["app", "istio-system"], "app", "istio-system"), Visibility::Named);
        assert_eq!(of(&["~"], "app", "app"), Visibility::Hidden);
        let default = list(&["."]);
        assert_eq!(visibility(&[], &default, Owner("app"), "other"), Visibility::Hidden);
        assert_eq!(visibility(&list(&["*"]), &default, Owner("app"), "other"), Visibility::Public);
    }
}
