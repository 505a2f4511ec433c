//! `Telemetry` resources, the weaker ones under the stronger ones, to what is logged, traced and counted (specification
//! section 5; istiod's `applicableTelemetries`).
//!
//! - `layers`: which of them apply, the weakest first
//! - `access_log`: the access logs
//! - `providers`: what the names of providers mean
//! - `tracing`: spans
//! - `metrics`: changes of metrics

mod access_log;
mod layers;
mod metrics;
mod providers;
mod tracing;
#[cfg(test)]
mod tests;

use super::{
    mesh::Mesh,
    origin::{Origins, title},
    policy_selection::PolicySelection,
    report::Report,
};
use crate::{
    config::{Diagnostic, Resource, Resources, Span, resources::Telemetry},
    table::{self, Source},
};
use layers::Layers;
use providers::Providers;
pub(super) use tracing::custom_tags;

/// Compiles what applies.
pub(super) fn telemetry(
    resources: &Resources,
    (mesh, selection, origins): (Mesh<'_>, &PolicySelection<'_>, &Origins),
    report: &mut Report,
) -> table::Telemetry {
    let layers = Layers::new(&resources.telemetries, selection, report);
    let providers = Providers::new(mesh, origins, report);
    let mut compiler = Compiler { layers: &layers, providers: &providers, origins, report };
    let access_log = compiler.access_logging(mesh);
    table::Telemetry { tracing: compiler.tracing().map(Box::new), metrics: compiler.metrics(), access_log }
}

/// What the parts of this module share.
struct Compiler<'c, 'r> {
    layers: &'c Layers<'r>,
    providers: &'c Providers<'r>,
    origins: &'c Origins,
    report: &'c mut Report,
}

impl Compiler<'_, '_> {
    /// A place within an object.
    fn source(&self, of: &Resource<Telemetry>, span: Span) -> Source {
        self.origins.source(&title(&of.object), span)
    }

    /// Says something about a field of an object.
    fn say(&mut self, of: &Resource<Telemetry>, (field, span): (String, Span), problem: Diagnostic) {
        let kind = problem.code;
        self.report.add(kind, span, || problem.about(&of.object).field(field));
    }
}
