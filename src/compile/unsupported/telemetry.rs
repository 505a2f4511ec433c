//! `Telemetry`.

use super::Fields;
use crate::config::{Resource, resources::Telemetry};

pub(super) fn report(resource: &Resource<Telemetry>, fields: &mut Fields<'_>) {
    let spec = &resource.spec;
    fields.report(
        &|| "spec".to_owned(),
        &[(
            "accessLogging",
            spec.access_logging.first().map(|rule| rule.span),
            "see `meshConfig.accessLogFile`",
        )],
    );
}
