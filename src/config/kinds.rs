//! Which objects are read: kinds, their API groups and versions.

use super::decode::{Dialect, suggestion};

/// A kind that is read.
pub(super) struct Kind {
    /// `Gateway`
    pub(super) name: &'static str,
    /// `networking.istio.io`; empty for Kubernetes' oldest kinds.
    group: &'static str,
    /// All versions, which have the same fields.
    versions: &'static [&'static str],
    /// How its fields may be written.
    pub(super) dialect: Dialect,
}

/// What `apiVersion` and `kind` say.
pub(super) enum Class {
    /// One that is read.
    Known(&'static Kind),
    /// One that is read, but not with this `apiVersion`; these are the right ones.
    WrongVersion(Vec<String>),
    /// One that is not read; perhaps another one was meant.
    Other(Option<&'static str>),
}

const NETWORKING: &[&str] = &["v1", "v1beta1", "v1alpha3"];

const SECURITY: &[&str] = &["v1", "v1beta1"];

const KINDS: &[Kind] = &[
    istio("Gateway", "networking.istio.io", NETWORKING),
    istio("VirtualService", "networking.istio.io", NETWORKING),
    istio("DestinationRule", "networking.istio.io", NETWORKING),
    istio("ServiceEntry", "networking.istio.io", NETWORKING),
    istio("WorkloadEntry", "networking.istio.io", NETWORKING),
    istio("RequestAuthentication", "security.istio.io", SECURITY),
    istio("AuthorizationPolicy", "security.istio.io", SECURITY),
    istio("Telemetry", "telemetry.istio.io", &["v1", "v1alpha1"]),
    istio("IstioOperator", "install.istio.io", &["v1alpha1"]),
    kubernetes("Service", ""),
    kubernetes("Endpoints", ""),
    kubernetes("EndpointSlice", "discovery.k8s.io"),
    kubernetes("Secret", ""),
    kubernetes("ConfigMap", ""),
];

/// Groups of other projects that have kinds with the same names.
const OTHER_GROUPS: &[(&str, &str)] = &[
    ("Gateway", "gateway.networking.k8s.io"),
    ("Gateway", "gateway.networking.x-k8s.io"),
    ("Service", "serving.knative.dev"),
];

/// Kinds that decide who may do what: not to enforce them must not go unnoticed.
const POLICIES: &[&str] = &["PeerAuthentication", "EnvoyFilter", "WasmPlugin", "TrafficExtension"];

const fn istio(name: &'static str, group: &'static str, versions: &'static [&'static str]) -> Kind {
    Kind { name, group, versions, dialect: Dialect::Proto }
}

const fn kubernetes(name: &'static str, group: &'static str) -> Kind {
    Kind { name, group, versions: &["v1"], dialect: Dialect::Kubernetes }
}

/// Finds the kind of an object.
pub(super) fn classify(api_version: &str, name: &str) -> Class {
    let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
    let Some(kind) = KINDS.iter().find(|kind| kind.name == name) else {
        let names: Vec<&'static str> =
            KINDS.iter().filter(|kind| kind.group == group).map(|kind| kind.name).collect();
        return Class::Other(suggestion(name, &names));
    };
    if kind.group == group && kind.versions.contains(&version) {
        return Class::Known(kind);
    }
    if OTHER_GROUPS.contains(&(name, group)) {
        return Class::Other(None);
    }
    let separator = if kind.group.is_empty() { "" } else { "/" };
    Class::WrongVersion(
        kind.versions.iter().map(|version| format!("{}{separator}{version}", kind.group)).collect(),
    )
}

/// Whether a kind that is not read restricts what traffic may do.
pub(super) fn is_policy(api_version: &str, name: &str) -> bool {
    api_version.contains(".istio.io/") && POLICIES.contains(&name)
}
