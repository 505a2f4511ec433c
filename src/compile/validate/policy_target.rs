//! What a policy is for: `selector` or `targetRefs` (istiod's `validatePolicySelector` and
//! `validatePolicyTargetReferences`).

use super::place::{Place, conflicting, text};
use crate::config::{
    Diagnostic, Spanned,
    resources::{PolicySelector, PolicyTargetReference},
};

/// The objects that one policy may be attached to, as in the custom resource's schema.
const TARGETS_MAX: usize = 16;

/// Checks the fields of a `spec`. `namespace` is that of the policy.
pub(super) fn check(
    spec: &Place<'_>,
    selector: Option<&Spanned<PolicySelector>>,
    (target, targets): (Option<&Spanned<PolicyTargetReference>>, &[Spanned<PolicyTargetReference>]),
    namespace: &str,
) {
    if let Some(selector) = selector {
        let place = spec.field("selector", selector);
        if target.is_some() || !targets.is_empty() {
            place.report(conflicting("selector", "targetRefs"));
        }
        check_labels(&place, selector);
    }
    if let Some(target) = target {
        let place = spec.field("targetRef", target);
        if !targets.is_empty() {
            place.report(conflicting("targetRef", "targetRefs"));
        }
        check_target(&place, target, namespace);
    }
    for (place, target) in spec.items("targetRefs", targets) {
        check_target(&place, target, namespace);
    }
    if targets.len() > TARGETS_MAX {
        let message = format!("there are {} `targetRefs`; at most {TARGETS_MAX} can be", targets.len());
        spec.absent("targetRefs").report(Diagnostic::error("too-many-items", message));
    }
}

fn check_labels(place: &Place<'_>, selector: &PolicySelector) {
    for (of_value, key, value) in place.entries("matchLabels", &selector.match_labels) {
        if key.is_empty() {
            of_value.report(Diagnostic::error("invalid-label", "the name of a label is empty"));
        } else if key.contains('*') || value.contains('*') {
            let problem =
                Diagnostic::error("invalid-label", "a selector has whole labels: `*` has no meaning");
            of_value.report(problem.help("leave `selector` out to select every workload of the namespace"));
        }
    }
    if selector.match_labels.is_empty() {
        let message = "the selector has no labels: it selects every workload of the namespace";
        place.report(Diagnostic::warning("empty-selector", message));
    }
}

fn check_target(place: &Place<'_>, target: &PolicyTargetReference, namespace: &str) {
    place.require_text("kind", &target.kind, "such as `Gateway`");
    place.require_text("name", &target.name, "the name of the object");
    if let Some(other) = text(&target.namespace).filter(|other| other.value != namespace) {
        let message =
            format!("a policy can't be attached to an object in another namespace, {}", other.value);
        place.field("namespace", other).report(Diagnostic::error("wrong-namespace", message));
    }
}
