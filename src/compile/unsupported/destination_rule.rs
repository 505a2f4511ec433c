//! `DestinationRule`.

use super::{Field, Fields, at};
use crate::config::{
    Resource, Spanned,
    resources::{DestinationRule, LoadBalancerSettings, TrafficPolicy},
};

pub(super) fn report(resource: &Resource<DestinationRule>, fields: &mut Fields<'_>) {
    if let Some(policy) = &resource.spec.traffic_policy {
        report_policy(policy, &|| "spec.trafficPolicy".to_owned(), fields);
    }
    for (position, subset) in resource.spec.subsets.iter().enumerate() {
        if let Some(policy) = &subset.traffic_policy {
            report_policy(policy, &|| format!("spec.subsets[{position}].trafficPolicy"), fields);
        }
    }
}

fn report_policy(policy: &TrafficPolicy, path: &dyn Fn() -> String, fields: &mut Fields<'_>) {
    report_blocks(&policy.load_balancer, path, fields);
    if let Some(budget) = &policy.retry_budget {
        let interval = budget.budget_interval.as_ref().filter(|interval| !interval.is_zero());
        fields.report(
            &|| format!("{}.retryBudget", path()),
            &[(
                "budgetInterval",
                interval.map(|interval| interval.span),
                "the budget is a share of the requests in flight, not of those of a while",
            )],
        );
    }
    for (position, port) in policy.port_level_settings.iter().enumerate() {
        report_blocks(&port.load_balancer, &|| format!("{}.portLevelSettings[{position}]", path()), fields);
    }
}

fn report_blocks(
    load_balancer: &Option<Spanned<LoadBalancerSettings>>,
    path: &dyn Fn() -> String,
    fields: &mut Fields<'_>,
) {
    if let Some(load_balancer) = load_balancer {
        fields.report(&|| format!("{}.loadBalancer", path()), &load_balancer_fields(load_balancer));
    }
}

fn load_balancer_fields(settings: &LoadBalancerSettings) -> [Field; 1] {
    [(
        "zoneAwareLbSetting",
        at(&settings.zone_aware_lb_setting),
        "a zone's share depends on how many gateways each zone has, which one gateway does not know: all zones are alike",
    )]
}
