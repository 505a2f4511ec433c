//! Servers of Gateways.

use super::{Fields, at};
use crate::config::{Resource, resources::Gateway};

pub(super) fn report(resource: &Resource<Gateway>, fields: &mut Fields<'_>) {
    for (position, server) in resource.spec.servers.iter().enumerate() {
        fields.report_useless(
            &|| format!("spec.servers[{position}]"),
            &[(
                "defaultEndpoint",
                at(&server.default_endpoint),
                "it is in the API, but Istio does not implement it either",
            )],
        );
    }
}
