//! Where an endpoint is, and what labels it has.

use super::{Definitions, Kind, Service, workload_label};
use crate::{
    compile::Locality,
    config::{
        Resource,
        resources::{self, WorkloadEntry},
    },
};
use std::borrow::Cow;

/// The label of a workload that says where it is, with `.` in place of `/` where `/` is not allowed.
pub(in crate::compile) const LOCALITY_LABEL: &str = "istio-locality";
pub(in crate::compile) const REGION_LABEL: &str = "topology.kubernetes.io/region";
pub(in crate::compile) const ZONE_LABEL: &str = "topology.kubernetes.io/zone";
pub(in crate::compile) const SUBZONE_LABEL: &str = "topology.istio.io/subzone";
pub(in crate::compile) const NETWORK_LABEL: &str = "topology.istio.io/network";
pub(in crate::compile) const NODE_LABEL: &str = "kubernetes.io/hostname";

/// What is known of an endpoint beside its address.
#[derive(Clone, Copy, Default)]
pub(in crate::compile) enum Site<'r> {
    /// Nothing.
    #[default]
    Unknown,
    /// What is written in a ServiceEntry.
    Inline(&'r WorkloadEntry),
    /// What is written in an object of its own.
    Object(&'r Resource<WorkloadEntry>),
    /// What EndpointSlices and Endpoints say: the zone and the node.
    Pod(Option<&'r str>, Option<&'r str>),
}

impl<'r> Site<'r> {
    /// Where it is. EndpointSlices say zones only, and a zone is in one region: who is in the gateway's zone is in its region.
    pub(in crate::compile) fn locality(&self, of_gateway: &Locality) -> Locality {
        let written = match self {
            Site::Unknown => None,
            Site::Pod(zone, _) => {
                let Some(zone) = zone else { return Locality::default() };
                let is_near = of_gateway.zone == *zone;
                let region = if is_near { of_gateway.region.clone() } else { String::new() };
                return Locality { region, zone: (*zone).to_owned(), subzone: String::new() };
            }
            Site::Inline(entry) => entry.locality.as_ref().map(|locality| locality.as_str()),
            Site::Object(object) => object.spec.locality.as_ref().map(|locality| locality.as_str()),
        };
        match written.filter(|text| !text.is_empty()) {
            Some(text) => Locality::of_text(text),
            None => self.own_label(LOCALITY_LABEL).map_or_else(Locality::default, Locality::of_label),
        }
    }

    /// The value of a label, with those that istiod adds.
    pub(in crate::compile) fn label(&self, key: &str, of_gateway: &Locality) -> Cow<'r, str> {
        let added = match key {
            REGION_LABEL => self.locality(of_gateway).region,
            ZONE_LABEL => self.locality(of_gateway).zone,
            SUBZONE_LABEL => self.locality(of_gateway).subzone,
            NETWORK_LABEL => self.network().to_owned(),
            _ => String::new(),
        };
        if !added.is_empty() {
            return Cow::Owned(added);
        }
        let node = match self {
            Site::Pod(_, Some(node)) if key == NODE_LABEL => Some(*node),
            _ => None,
        };
        Cow::Borrowed(node.or_else(|| self.own_label(key)).unwrap_or_default())
    }

    fn own_label(&self, key: &str) -> Option<&'r str> {
        match self {
            Site::Unknown | Site::Pod(..) => None,
            Site::Inline(entry) => entry.labels.get(key).map(|label| label.as_str()),
            Site::Object(object) => workload_label(object, key),
        }
    }

    fn network(&self) -> &'r str {
        let network = match self {
            Site::Unknown | Site::Pod(..) => None,
            Site::Inline(entry) => entry.network.as_ref(),
            Site::Object(object) => object.spec.network.as_ref(),
        };
        network.map_or("", |network| network.as_str())
    }
}

/// What a service itself asks for (`trafficDistribution`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::compile) enum Near {
    /// `PreferClose`, `PreferSameZone`: the same network, region, zone.
    Zone,
    /// `PreferSameNode`: the same network, region, zone, subzone, node.
    Node,
}

impl Near {
    /// The value of `spec.trafficDistribution`, or, in any case of letters, of the annotation.
    pub(in crate::compile) fn of(value: &str) -> Option<Near> {
        let is = |name: &str| value.eq_ignore_ascii_case(name);
        match () {
            () if is("PreferClose") || is("PreferSameZone") => Some(Near::Zone),
            () if is("PreferSameNode") => Some(Near::Node),
            () => None,
        }
    }

    /// The labels that an endpoint must share with the gateway, the most important first.
    pub(in crate::compile) fn labels(self) -> &'static [&'static str] {
        match self {
            Near::Zone => &[NETWORK_LABEL, REGION_LABEL, ZONE_LABEL],
            Near::Node => &[NETWORK_LABEL, REGION_LABEL, ZONE_LABEL, SUBZONE_LABEL, NODE_LABEL],
        }
    }
}

impl Service<'_> {
    /// What the service itself asks for: its field is stronger than its annotation.
    pub(in crate::compile) fn traffic_distribution(&self) -> Option<Near> {
        const ANNOTATION: &str = "networking.istio.io/traffic-distribution";
        let of_meta = |meta: &resources::Metadata| Near::of(&meta.annotations.get(ANNOTATION)?.value);
        match (self.kind, self.ports.first().map(|port| &port.definitions)) {
            (Kind::Kubernetes(resource), _) => {
                let field = resource.spec.traffic_distribution.as_ref().and_then(|value| Near::of(value));
                field.or_else(|| of_meta(&resource.meta))
            }
            (Kind::Entries, Some(Definitions::Entries(list))) => {
                list.first().and_then(|first| of_meta(&first.entry.meta))
            }
            (Kind::Entries, _) => None,
        }
    }
}
