//! What every object has: name, namespace, labels.

use super::{Annotations, Opaque};
use crate::config::{
    Spanned,
    decode::{Map, Timestamp, object},
};

object! {
    /// `metadata` as written (Kubernetes `ObjectMeta`). [`Metadata`] is what is made of it.
    pub struct ObjectMeta {
        /// The name within kind and namespace.
        name: Option<Spanned<String>> = "name",
        /// The namespace.
        namespace: Option<Spanned<String>> = "namespace",
        /// Words by which others select the object.
        labels: Map<String> = "labels",
        /// Words for tools.
        annotations: Map<String> = "annotations",
        /// When the object was made in its cluster.
        creation_timestamp: Option<Spanned<Timestamp>> = "creationTimestamp",
        /// Known and without meaning here.
        generate_name: Option<Spanned<Opaque>> = "generateName",
        /// Known and without meaning here.
        self_link: Option<Spanned<Opaque>> = "selfLink",
        /// Known and without meaning here.
        uid: Option<Spanned<Opaque>> = "uid",
        /// Known and without meaning here.
        resource_version: Option<Spanned<Opaque>> = "resourceVersion",
        /// Known and without meaning here.
        generation: Option<Spanned<Opaque>> = "generation",
        /// Known and without meaning here.
        deletion_timestamp: Option<Spanned<Opaque>> = "deletionTimestamp",
        /// Known and without meaning here.
        deletion_grace_period_seconds: Option<Spanned<Opaque>> = "deletionGracePeriodSeconds",
        /// Known and without meaning here.
        owner_references: Option<Spanned<Opaque>> = "ownerReferences",
        /// Known and without meaning here.
        finalizers: Option<Spanned<Opaque>> = "finalizers",
        /// Known and without meaning here.
        managed_fields: Option<Spanned<Opaque>> = "managedFields",
        /// Known and without meaning here.
        cluster_name: Option<Spanned<Opaque>> = "clusterName",
    }
}

/// `metadata` of an object.
#[derive(Clone, Debug, PartialEq)]
pub struct Metadata {
    /// The name within kind and namespace; empty only for an `IstioOperator` without one.
    pub name: Spanned<String>,
    /// The namespace; `default`, at the place of the name, if it is not written.
    pub namespace: Spanned<String>,
    /// Words by which others select the object.
    pub labels: Map<String>,
    /// Words for tools.
    pub annotations: Map<String>,
    /// Those of them that are the gateway's own, `sluicegate.io/<name>`; most objects have none.
    pub own: Option<Box<Annotations>>,
    /// When the object was made in its cluster; earlier ones come first wherever the first wins.
    pub creation_timestamp: Option<Spanned<Timestamp>>,
}
