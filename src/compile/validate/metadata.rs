//! `metadata` of every object, and the annotations that Istio keeps to itself.

use super::{names, place::Findings, wording::shown};
use crate::config::{Diagnostic, resources::Metadata};

/// Annotations that a user may not set on an Istio object, and why.
const REFUSED_ANNOTATIONS: &[(&str, &str)] = &[
    ("istio.io/dry-run", "only an AuthorizationPolicy can be tried out"),
    ("internal.istio.io/parents", "it is for objects that istiod makes itself"),
    ("internal.istio.io/parent-namespace", "it is for objects that istiod makes itself"),
    ("internal.istio.io/webhook-always-reject", "it asks for the object to be refused"),
];

/// Name and namespace, which are the same for all kinds.
pub(super) fn check(meta: &Metadata, findings: &Findings<'_>) {
    let at = findings.root("metadata", meta.name.span);
    if !names::is_object_name(&meta.name) {
        let message = format!("`{}` can't be the name of an object", shown(&meta.name));
        let help = "expected letters, digits, inner dashes and dots, at most 253 of them";
        at.field("name", &meta.name).report(Diagnostic::error("bad-name", message).help(help));
    }
    if !names::is_dns_label(&meta.namespace) {
        let message = format!("`{}` can't be a namespace", shown(&meta.namespace));
        let help = "expected letters, digits and inner dashes, at most 63 of them";
        at.field("namespace", &meta.namespace).report(Diagnostic::error("bad-name", message).help(help));
    }
}

/// What only Istio's own kinds have.
pub(super) fn check_annotations(meta: &Metadata, findings: &Findings<'_>) {
    check_annotations_but("", meta, findings);
}

/// The same for a kind that may have this one of them.
pub(super) fn check_annotations_but(allowed: &str, meta: &Metadata, findings: &Findings<'_>) {
    let at = findings.root("metadata", meta.name.span);
    for (at, key, _) in at.entries("annotations", &meta.annotations) {
        let refused = REFUSED_ANNOTATIONS.iter().find(|(name, _)| *name == **key && *name != allowed);
        if let Some((_, why)) = refused {
            let problem = Diagnostic::error(
                "refused-annotation",
                format!("the annotation `{}` is refused: {why}", **key),
            );
            at.pointing_at(key.span).report(problem.help("remove the annotation"));
        }
    }
}
