//! Which `Telemetry` resources apply, the weakest first: that of the root namespace, that of the workload's namespace, and
//! those that select the workload.

use super::super::{
    Workload,
    policy_selection::{PolicySelection, Targeted, named_targets},
    report::Report,
    scope::in_creation_order,
};
use crate::config::{
    Diagnostic, Resource, Spanned,
    resources::{PolicySelector, PolicyTargetReference, Telemetry},
};

impl Targeted for Telemetry {
    fn selector(&self) -> Option<&Spanned<PolicySelector>> {
        self.selector.as_ref()
    }

    fn target_refs(&self) -> Vec<&Spanned<PolicyTargetReference>> {
        named_targets(&self.target_refs, &self.target_ref)
    }
}

/// The objects that apply, the weakest first.
pub(super) struct Layers<'r>(pub(super) Vec<&'r Resource<Telemetry>>);

impl<'r> Layers<'r> {
    /// Finds them. What is wrong or surprising about the others is said.
    pub(super) fn new(
        list: &'r [Resource<Telemetry>],
        selection: &PolicySelection<'_>,
        report: &mut Report,
    ) -> Layers<'r> {
        let Workload { namespace, root_namespace, .. } = selection.workload();
        let good = list.iter().filter(|telemetry| !report.is_broken(&telemetry.object));
        let ordered = in_creation_order(good);
        let mut layers = Vec::new();
        let whole = |wanted: &str, report: &mut Report| {
            let mut of_it = ordered
                .iter()
                .filter(|telemetry| telemetry.meta.namespace.value == wanted && is_whole(telemetry));
            let first = of_it.next().copied();
            of_it.for_each(|other| report_second(other, first, report));
            first
        };
        layers.extend(whole(root_namespace, report));
        if namespace != root_namespace {
            layers.extend(whole(namespace, report));
        }
        let mut of_workload: Option<&Resource<Telemetry>> = None;
        for &telemetry in ordered.iter().filter(|telemetry| !is_whole(telemetry)) {
            let is_here = telemetry.meta.namespace.value == *namespace;
            if !is_here || !selection.is_for_workload(telemetry) {
                report_elsewhere(telemetry, selection, report);
                continue;
            }
            if let Some(other) = of_workload {
                report_both(telemetry, other, report);
            }
            of_workload = Some(telemetry);
            layers.push(telemetry);
        }
        for other in ordered.iter().filter(|telemetry| is_whole(telemetry)) {
            if ![namespace, root_namespace].contains(&&other.meta.namespace.value) {
                report_elsewhere(other, selection, report);
            }
        }
        Layers(layers)
    }
}

/// It is for a whole namespace.
fn is_whole(telemetry: &Resource<Telemetry>) -> bool {
    let labels = telemetry.spec.selector.as_ref().map(|selector| &selector.match_labels);
    labels.is_none_or(|labels| labels.is_empty()) && telemetry.spec.target_refs().is_empty()
}

fn report_second(other: &Resource<Telemetry>, first: Option<&Resource<Telemetry>>, report: &mut Report) {
    report.add("second-telemetry", other.meta.namespace.span, || {
        let used = first.map(|first| first.object.to_string()).unwrap_or_default();
        let message = format!("it is not used: {used} is for the whole of its namespace already");
        let problem = Diagnostic::warning("second-telemetry", message).about(&other.object).field("metadata");
        match first {
            Some(first) => problem.label(first.meta.namespace.span, "this one is used"),
            None => problem,
        }
        .help("put both into one, or give one a `selector`")
    });
}

fn report_both(strong: &Resource<Telemetry>, weak: &Resource<Telemetry>, report: &mut Report) {
    report.add("second-telemetry", strong.meta.namespace.span, || {
        let message =
            format!("it and {} select this workload; what both say, this one says last", weak.object);
        Diagnostic::warning("second-telemetry", message)
            .about(&strong.object)
            .field("metadata")
            .label(weak.meta.namespace.span, "this one is weaker")
            .help("Istio allows one for each workload")
    });
}

/// It is for others. Where it looks as if it were meant for this workload, that is a warning.
fn report_elsewhere(telemetry: &Resource<Telemetry>, selection: &PolicySelection<'_>, report: &mut Report) {
    let Workload { namespace, root_namespace, labels, .. } = selection.workload();
    let of = &telemetry.meta.namespace;
    report.add("telemetry-not-selected", of.span, || {
        let is_of_root = of.value == *root_namespace && namespace != root_namespace;
        let (is_surprise, message) = if is_of_root {
            (
                true,
                "it is not used: one in the root namespace is for all workloads, and can select none".into(),
            )
        } else if of.value != *namespace {
            (
                false,
                format!("it is for the workloads of namespace {}, not for this one in {namespace}", of.value),
            )
        } else {
            (labels.is_none(), "it is for other workloads of the namespace".into())
        };
        let problem = match is_surprise {
            true => Diagnostic::warning("telemetry-not-selected", message),
            false => Diagnostic::note("telemetry-not-selected", message),
        };
        let problem = problem.about(&telemetry.object).field("metadata.namespace");
        match (is_of_root, labels) {
            (true, _) => problem.help(format!("move it to namespace {namespace}, or take the selector out")),
            (false, None) if of.value == *namespace => problem
                .help("what labels this gateway workload has is unknown; say it with --labels or --gateway"),
            _ => problem.help("see --namespace and --labels"),
        }
    });
}
