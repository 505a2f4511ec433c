//! `VirtualService`.

use super::{Fields, at};
use crate::config::{
    Resource,
    resources::{HttpRoute, VirtualService},
};

pub(super) fn report(resource: &Resource<VirtualService>, fields: &mut Fields<'_>) {
    for (position, rule) in resource.spec.http.iter().enumerate() {
        report_rule(position, rule, fields);
    }
}

fn report_rule(position: usize, rule: &HttpRoute, fields: &mut Fields<'_>) {
    for (matched, request) in rule.r#match.iter().enumerate() {
        fields.report(
            &|| format!("spec.http[{position}].match[{matched}]"),
            &[("statPrefix", at(&request.stat_prefix), "there are no statistics of single routes")],
        );
    }
}
