//! `ServiceEntry`, `WorkloadEntry`, `Service` and `EndpointSlice`.

use super::{Fields, at};
use crate::compile::services::Near;
use crate::config::{
    Resource,
    resources::{AddressType, EndpointSlice, Resolution, Service, ServiceEntry, WorkloadEntry},
};

pub(super) fn report_entry(resource: &Resource<ServiceEntry>, fields: &mut Fields<'_>) {
    let spec = &resource.spec;
    let dynamic = spec.resolution.as_ref().filter(|r| r.value == Resolution::DynamicDns).map(|r| r.span);
    fields.report(
        &|| "spec".to_owned(),
        &[("resolution", dynamic, "DYNAMIC_DNS has no endpoints on a gateway; requests are answered 503")],
    );
    for (position, endpoint) in spec.endpoints.iter().enumerate() {
        report_endpoint(endpoint, &|| format!("spec.endpoints[{position}]"), fields);
    }
}

pub(super) fn report_workload(resource: &Resource<WorkloadEntry>, fields: &mut Fields<'_>) {
    report_endpoint(&resource.spec, &|| "spec".to_owned(), fields);
}

fn report_endpoint(endpoint: &WorkloadEntry, path: &dyn Fn() -> String, fields: &mut Fields<'_>) {
    fields.report(
        path,
        &[("network", at(&endpoint.network), "the endpoint is reached directly, whatever its network")],
    );
    fields.report_useless(
        path,
        &[(
            "serviceAccount",
            at(&endpoint.service_account),
            "there are no mesh identities between this gateway and its destinations",
        )],
    );
}

pub(super) fn report_service(resource: &Resource<Service>, fields: &mut Fields<'_>) {
    let unknown = resource.spec.traffic_distribution.as_ref().filter(|value| Near::of(value).is_none());
    fields.report(
        &|| "spec".to_owned(),
        &[(
            "trafficDistribution",
            unknown.map(|value| value.span),
            "PreferClose, PreferSameZone and PreferSameNode are known; all places are alike",
        )],
    );
}

pub(super) fn report_slice(resource: &Resource<EndpointSlice>, fields: &mut Fields<'_>) {
    let names = resource.spec.address_type.as_ref().filter(|kind| kind.value == AddressType::Fqdn);
    fields.report(
        &String::new,
        &[("addressType", names.map(|kind| kind.span), "names in an EndpointSlice are not resolved")],
    );
}
