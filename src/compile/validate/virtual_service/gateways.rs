//! References to Gateways: `namespace/name`, `name`, `mesh`.

use super::super::{names, place::Place, wording::shown};
use crate::config::{Diagnostic, Spanned};

/// The word for all sidecars, which is no gateway.
pub(super) const MESH: &str = "mesh";

/// Checks the `gateways` of a VirtualService or a match.
pub(super) fn check(list: &[Spanned<String>], at: &Place<'_>) {
    const EXPECTED: &str =
        "expected `namespace/name`, the name of a Gateway in the same namespace, or `mesh`";
    for (at, entry) in at.items("gateways", list) {
        let written = shown(entry);
        if let Some((namespace, name)) = entry.split_once('/') {
            if namespace != "." && !names::is_dns_label(namespace) {
                let message = format!("`{}` in `{written}` is not a namespace", shown(namespace));
                at.report(Diagnostic::error("bad-gateway-name", message).help(EXPECTED));
            }
            if !names::is_dns_label(name) {
                let message = format!("`{}` in `{written}` is not the name of a Gateway", shown(name));
                at.report(Diagnostic::error("bad-gateway-name", message).help(EXPECTED));
            }
        } else if names::check_domain(entry).is_err() {
            let message = format!("`{written}` is not the name of a Gateway");
            at.report(Diagnostic::error("bad-gateway-name", message).help(EXPECTED));
        } else if entry.contains('.') {
            let problem = Diagnostic::warning(
                "legacy-gateway-name",
                format!("`{written}` is the old form of a Gateway's name"),
            );
            at.report(problem.help(format!("write `{}`", resolve(entry, ""))));
        }
    }
}

/// A reference as `namespace/name`, or `mesh`. What is not a good reference stays as it is.
pub(super) fn resolve(entry: &str, namespace: &str) -> String {
    if let Some(name) = entry.strip_prefix("./") {
        return format!("{namespace}/{name}");
    }
    match entry.split_once('.') {
        _ if entry == MESH || entry.contains('/') => entry.to_owned(),
        None => format!("{namespace}/{entry}"),
        Some((name, rest)) => format!("{}/{name}", rest.split('.').next().unwrap_or(rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references() {
        for (entry, resolved) in [
            ("mesh", "mesh"),
            ("a", "own/a"),
            ("./a", "own/a"),
            ("b/a", "b/a"),
            ("a.b", "b/a"),
            ("a.b.svc.cluster.local", "b/a"),
        ] {
            assert_eq!(resolve(entry, "own"), resolved);
        }
    }
}
