//! `Telemetry`.

use super::Fields;
use crate::config::{Resource, resources::Telemetry};

pub(super) fn report(resource: &Resource<Telemetry>, fields: &mut Fields<'_>) {
    let spec = &resource.spec;
    fields.report(
        &|| "spec".to_owned(),
        &[
            ("tracing", spec.tracing.first().map(|rule| rule.span), "no spans are made"),
            ("metrics", spec.metrics.first().map(|rule| rule.span), "metrics are as they are"),
        ],
    );
}
