//! `ServiceEntry` and `WorkloadEntry`: services and endpoints that Kubernetes does not know.

use crate::config::{
    Spanned,
    decode::{Map, choice, object},
};

object! {
    /// `ServiceEntry` (networking.istio.io): hosts that are services.
    pub struct ServiceEntry {
        /// The hosts; each is a service.
        hosts: Vec<Spanned<String>> = "hosts",
        /// Virtual addresses; without effect on a gateway but as more names.
        addresses: Vec<Spanned<String>> = "addresses",
        /// The ports.
        ports: Vec<Spanned<ServicePort>> = "ports",
        /// Whether it is a part of the mesh.
        location: Option<Spanned<Location>> = "location",
        /// Where the endpoints' addresses come from. Absent is `NONE`.
        resolution: Option<Spanned<Resolution>> = "resolution",
        /// The endpoints.
        endpoints: Vec<Spanned<WorkloadEntry>> = "endpoints",
        /// The workloads of its namespace that are its endpoints.
        workload_selector: Option<Spanned<WorkloadSelector>> = "workloadSelector",
        /// The namespaces of the gateway workloads that it is for.
        export_to: Vec<Spanned<String>> = "exportTo",
        /// The names of which an endpoint's certificate must have one.
        subject_alt_names: Vec<Spanned<String>> = "subjectAltNames",
    }
}

object! {
    /// A port of a [`ServiceEntry`].
    pub struct ServicePort {
        /// The number that destinations use.
        number: Option<Spanned<u32>> = "number",
        /// What is spoken, as on a Gateway; absent: found by looking.
        protocol: Option<Spanned<String>> = "protocol",
        /// Unique within the ServiceEntry.
        name: Option<Spanned<String>> = "name",
        /// The endpoints' port; absent: the same number.
        target_port: Option<Spanned<u32>> = "targetPort",
    }
}

choice! {
    /// `ServiceEntry.Location`.
    pub enum Location {
        /// Outside the mesh: no mesh identity is expected.
        MeshExternal = "MESH_EXTERNAL" (0),
        /// A part of the mesh.
        MeshInternal = "MESH_INTERNAL" (1),
    }
}

choice! {
    /// `ServiceEntry.Resolution`.
    pub enum Resolution {
        /// The address that the client asked for, which a gateway does not know.
        None = "NONE" (0),
        /// The endpoints' own addresses.
        Static = "STATIC" (1),
        /// Names: every address is an endpoint.
        Dns = "DNS" (2),
        /// A name: new connections go to its first address.
        DnsRoundRobin = "DNS_ROUND_ROBIN" (3),
        /// The host of each request is resolved.
        DynamicDns = "DYNAMIC_DNS" (4),
    }
}

object! {
    /// Workloads by labels (`networking.v1alpha3.WorkloadSelector`).
    pub struct WorkloadSelector {
        /// The labels, all of which a workload must have.
        labels: Map<String> = "labels",
    }
}

object! {
    /// `WorkloadEntry` (networking.istio.io), also as an endpoint of a [`ServiceEntry`].
    pub struct WorkloadEntry {
        /// An IP address, a name to resolve, or `unix://` and a path.
        address: Option<Spanned<String>> = "address",
        /// The endpoint's number for ports of the service, by their names.
        ports: Map<u32> = "ports",
        /// The labels, by which subsets and services select it.
        labels: Map<String> = "labels",
        /// The network that it is in.
        network: Option<Spanned<String>> = "network",
        /// Where it is: `region/zone/subzone`.
        locality: Option<Spanned<String>> = "locality",
        /// Its share of the traffic, relative to the others.
        weight: Option<Spanned<u32>> = "weight",
        /// The identity of its workload.
        service_account: Option<Spanned<String>> = "serviceAccount",
    }
}
