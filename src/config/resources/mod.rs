//! Every kind of object that a gateway reads, with every field, as it is written.
//!
//! A field is `Option<Spanned<T>>` where it may be absent, `Vec<Spanned<T>>` for a list and [`Map`] for a mapping with any
//! keys. Nothing is checked here but names and types: what values mean and which go together is `compile`'s.
//!
//! - `gateway`, `virtual_service`, `http_route`, `http_policy`, `destination_rule`, `load_balancer`, `service_entry`:
//!   networking.istio.io
//! - `request_authentication`, `authorization_policy`, `policy_target`: security.istio.io, and what its policies are for
//! - `telemetry`: telemetry.istio.io
//! - `istio_operator`, `mesh_config`, `proxy_config`, `proxy_tracing`, `extension_provider`: install.istio.io
//! - `kubernetes`: Services, endpoints, Secrets and ConfigMaps
//! - `metadata`: what every object has
//! - `annotations`, `traffic_annotations`, `health_annotations`: what this gateway takes besides, in annotations

mod annotations;
mod authorization_policy;
mod destination_rule;
mod extension_provider;
mod gateway;
mod health_annotations;
mod http_policy;
mod http_route;
mod istio_operator;
mod kubernetes;
mod load_balancer;
mod mesh_config;
mod metadata;
mod policy_target;
mod proxy_config;
mod proxy_tracing;
mod request_authentication;
mod service_entry;
mod telemetry;
mod traffic_annotations;
mod virtual_service;

pub use super::decode::{
    ByteSize, Bytes, IntOrString, Map, Opaque, STRUCTURE_DEPTH_MAX, Structure, Timestamp,
};
pub use annotations::*;
pub use authorization_policy::*;
pub use destination_rule::*;
pub use extension_provider::*;
pub use gateway::*;
pub use health_annotations::*;
pub use http_policy::*;
pub use http_route::*;
pub use istio_operator::*;
pub use kubernetes::*;
pub use load_balancer::*;
pub use mesh_config::*;
pub use metadata::*;
pub use policy_target::*;
pub use proxy_config::*;
pub use proxy_tracing::*;
pub use request_authentication::*;
pub use service_entry::*;
pub use telemetry::*;
pub use traffic_annotations::*;
pub use virtual_service::*;

use super::{Diagnostic, ObjectRef, Sources, Span};
use std::collections::{HashMap, HashSet};

/// One object.
#[derive(Clone, Debug)]
pub struct Resource<T> {
    /// Name, namespace, labels.
    pub meta: Metadata,
    /// `spec`; for kinds without one (`Endpoints`, `EndpointSlice`, `Secret`, `ConfigMap`) the fields beside `metadata`.
    pub spec: T,
    /// Where the object is.
    pub span: Span,
    /// What it is called in diagnostics.
    pub object: ObjectRef,
}

/// All objects of a configuration, each list in the order of the files. Objects with an error are not here.
#[derive(Clone, Debug, Default)]
pub struct Resources {
    /// `Gateway`
    pub gateways: Vec<Resource<Gateway>>,
    /// `VirtualService`
    pub virtual_services: Vec<Resource<VirtualService>>,
    /// `DestinationRule`
    pub destination_rules: Vec<Resource<DestinationRule>>,
    /// `ServiceEntry`
    pub service_entries: Vec<Resource<ServiceEntry>>,
    /// `WorkloadEntry`
    pub workload_entries: Vec<Resource<WorkloadEntry>>,
    /// `RequestAuthentication`
    pub request_authentications: Vec<Resource<RequestAuthentication>>,
    /// `AuthorizationPolicy`
    pub authorization_policies: Vec<Resource<AuthorizationPolicy>>,
    /// `Telemetry`
    pub telemetries: Vec<Resource<Telemetry>>,
    /// `IstioOperator`
    pub istio_operators: Vec<Resource<IstioOperator>>,
    /// `Service`
    pub services: Vec<Resource<Service>>,
    /// `Endpoints`
    pub endpoints: Vec<Resource<Endpoints>>,
    /// `EndpointSlice`
    pub endpoint_slices: Vec<Resource<EndpointSlice>>,
    /// `Secret`
    pub secrets: Vec<Resource<Secret>>,
    /// `ConfigMap`
    pub config_maps: Vec<Resource<ConfigMap>>,
    /// The kinds that are not used, in the order of their first objects.
    pub other_kinds: Vec<OtherKind>,
    /// The files.
    pub sources: Sources,
    /// The objects that are left out because of an error.
    pub(super) broken: HashSet<ObjectRef>,
    /// Those of them of which most could be read, so that all their problems are found in one run.
    pub(super) incomplete: Option<Box<Incomplete>>,
}

/// Objects that have fields which could not be read. Nothing may be served by them.
#[derive(Clone, Debug, Default)]
pub struct Incomplete {
    /// What could be read.
    pub objects: Resources,
    /// For each object the paths to the fields that could not be read.
    pub unread: HashMap<ObjectRef, Vec<String>>,
}

/// Objects of a kind that is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherKind {
    /// `apps/v1`
    pub api_version: String,
    /// `Deployment`
    pub kind: String,
    /// How many there are.
    pub count: usize,
    /// Where the first is.
    pub first: Span,
}

/// A cluster's whole configuration has fewer; more are made to fill the screen.
const OTHER_KINDS_SHOWN_MAX: usize = 50;

impl Resources {
    /// Whether an object is in the files but was left out because of an error, so that a reference to it is not wrong.
    pub fn is_broken(&self, kind: &str, namespace: &str, name: &str) -> bool {
        let object = ObjectRef { kind: kind.into(), namespace: namespace.into(), name: name.into() };
        self.broken.contains(&object)
    }

    /// The objects of a kind that are in the files but were left out because of an error, in any order.
    pub fn broken(&self, kind: &str) -> impl Iterator<Item = &ObjectRef> {
        self.broken.iter().filter(move |object| &*object.kind == kind)
    }

    /// The objects that have fields which could not be read; they are in none of the lists.
    pub fn incomplete(&self) -> Option<&Incomplete> {
        self.incomplete.as_deref()
    }

    /// The note about kinds that are not used.
    pub(super) fn note_other_kinds(&self) -> Option<Diagnostic> {
        let first = self.other_kinds.first()?;
        let name = |other: &OtherKind| {
            format!("{} {} ({})", other.count, other.kind.escape_debug(), other.api_version.escape_debug())
        };
        let mut list: Vec<String> = self.other_kinds.iter().take(OTHER_KINDS_SHOWN_MAX).map(name).collect();
        if let Some(more) = self.other_kinds.len().checked_sub(list.len()).filter(|more| *more > 0) {
            list.push(format!("and {more} more kinds"));
        }
        let note = Diagnostic::note("other-kinds", format!("objects that are not used: {}", list.join(", ")));
        let is_gateway_api = |other: &OtherKind| other.api_version.starts_with("gateway.networking.k8s.io/");
        let note = match self.other_kinds.iter().any(is_gateway_api) {
            true => note.help(
                "the Kubernetes Gateway API is not supported; Istio's own Gateway and VirtualService are",
            ),
            false => note,
        };
        Some(note.at(first.first))
    }
}
