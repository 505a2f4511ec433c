//! What a policy is for: `selector` and `targetRefs`, which several kinds of security.istio.io share.

use crate::config::{
    Spanned,
    decode::{Map, object},
};

object! {
    /// `WorkloadSelector` of a policy (istio.type.v1beta1): the workloads of a policy, by the labels of their pods.
    pub struct PolicySelector {
        /// The labels that a workload must have, all of them; none: every workload of the namespace.
        match_labels: Map<String> = "matchLabels",
    }
}

object! {
    /// `PolicyTargetReference` (istio.type.v1beta1): an object that a policy is attached to.
    pub struct PolicyTargetReference {
        /// The API group of the object; empty for Kubernetes' oldest kinds.
        group: Option<Spanned<String>> = "group",
        /// The kind of the object, such as `Gateway`.
        kind: Option<Spanned<String>> = "kind",
        /// The name of the object.
        name: Option<Spanned<String>> = "name",
        /// The namespace of the object; it can only be that of the policy.
        namespace: Option<Spanned<String>> = "namespace",
    }
}
