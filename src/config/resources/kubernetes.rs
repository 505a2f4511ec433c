//! Kubernetes' own kinds: `Service`, `Endpoints`, `EndpointSlice`, `Secret`, `ConfigMap`.

use crate::config::{
    Spanned,
    decode::{Bytes, IntOrString, Map, Opaque, choice, object},
};

object! {
    /// `spec` of a `Service` (core/v1).
    pub struct Service {
        /// The ports.
        ports: Vec<Spanned<KubernetesServicePort>> = "ports",
        /// The labels of its pods; none: its endpoints are written by hand.
        selector: Map<String> = "selector",
        /// What kind of service it is; absent: `ClusterIP`.
        r#type: Option<Spanned<ServiceType>> = "type",
        /// Its virtual address; `None`: it is headless.
        cluster_ip: Option<Spanned<String>> = "clusterIP",
        /// All its virtual addresses.
        cluster_ips: Vec<Spanned<String>> = "clusterIPs",
        /// The name that it stands for, with the type `ExternalName`.
        external_name: Option<Spanned<String>> = "externalName",
        /// Endpoints that are not ready count too.
        publish_not_ready_addresses: Option<Spanned<bool>> = "publishNotReadyAddresses",
        /// Which endpoints are preferred: `PreferClose`, `PreferSameZone`, `PreferSameNode`.
        traffic_distribution: Option<Spanned<String>> = "trafficDistribution",
        /// Known; without meaning to who reaches the endpoints directly.
        external_ips: Option<Spanned<Opaque>> = "externalIPs",
        /// Known; without meaning to who reaches the endpoints directly.
        session_affinity: Option<Spanned<Opaque>> = "sessionAffinity",
        /// Known; without meaning to who reaches the endpoints directly.
        session_affinity_config: Option<Spanned<Opaque>> = "sessionAffinityConfig",
        /// Known; without meaning to who reaches the endpoints directly.
        load_balancer_ip: Option<Spanned<Opaque>> = "loadBalancerIP",
        /// Known; without meaning to who reaches the endpoints directly.
        load_balancer_source_ranges: Option<Spanned<Opaque>> = "loadBalancerSourceRanges",
        /// Known; without meaning to who reaches the endpoints directly.
        load_balancer_class: Option<Spanned<Opaque>> = "loadBalancerClass",
        /// Known; without meaning to who reaches the endpoints directly.
        allocate_load_balancer_node_ports: Option<Spanned<Opaque>> = "allocateLoadBalancerNodePorts",
        /// Known; without meaning to who reaches the endpoints directly.
        external_traffic_policy: Option<Spanned<Opaque>> = "externalTrafficPolicy",
        /// Known; without meaning to who reaches the endpoints directly.
        internal_traffic_policy: Option<Spanned<Opaque>> = "internalTrafficPolicy",
        /// Known; without meaning to who reaches the endpoints directly.
        health_check_node_port: Option<Spanned<Opaque>> = "healthCheckNodePort",
        /// Known; without meaning to who reaches the endpoints directly.
        ip_families: Option<Spanned<Opaque>> = "ipFamilies",
        /// Known; without meaning to who reaches the endpoints directly.
        ip_family_policy: Option<Spanned<Opaque>> = "ipFamilyPolicy",
    }
}

choice! {
    /// `Service.spec.type`.
    pub enum ServiceType {
        /// A virtual address inside the cluster.
        ClusterIp = "ClusterIP" (0),
        /// And a port of every node.
        NodePort = "NodePort" (1),
        /// And an address outside.
        LoadBalancer = "LoadBalancer" (2),
        /// Another name.
        ExternalName = "ExternalName" (3),
    }
}

object! {
    /// A port of a [`Service`].
    pub struct KubernetesServicePort {
        /// Its name; what stands before the first `-` says the protocol.
        name: Option<Spanned<String>> = "name",
        /// `TCP`, `UDP` or `SCTP`; absent: `TCP`.
        protocol: Option<Spanned<TransportProtocol>> = "protocol",
        /// What is spoken; stronger than the name.
        app_protocol: Option<Spanned<String>> = "appProtocol",
        /// The number that destinations use.
        port: Option<Spanned<i32>> = "port",
        /// The pods' port, or its name there; absent: the same number.
        target_port: Option<Spanned<IntOrString>> = "targetPort",
        /// The nodes' port.
        node_port: Option<Spanned<i32>> = "nodePort",
    }
}

choice! {
    /// What carries the bytes of a port.
    pub enum TransportProtocol {
        /// TCP
        Tcp = "TCP" (0),
        /// UDP
        Udp = "UDP" (1),
        /// SCTP
        Sctp = "SCTP" (2),
    }
}

object! {
    /// `Endpoints` (core/v1), which has no `spec`: the endpoints of the Service with the same name.
    pub struct Endpoints {
        /// Addresses with the ports that they share.
        subsets: Vec<Spanned<EndpointSubset>> = "subsets",
    }
}

object! {
    /// Addresses with the ports that they share.
    pub struct EndpointSubset {
        /// Those that are ready.
        addresses: Vec<Spanned<EndpointAddress>> = "addresses",
        /// Those that are not.
        not_ready_addresses: Vec<Spanned<EndpointAddress>> = "notReadyAddresses",
        /// Their ports.
        ports: Vec<Spanned<EndpointPort>> = "ports",
    }
}

object! {
    /// An address of [`Endpoints`].
    pub struct EndpointAddress {
        /// The IP address.
        ip: Option<Spanned<String>> = "ip",
        /// The pod's name in DNS.
        hostname: Option<Spanned<String>> = "hostname",
        /// The node that it runs on.
        node_name: Option<Spanned<String>> = "nodeName",
        /// Known and without meaning here.
        target_ref: Option<Spanned<Opaque>> = "targetRef",
    }
}

object! {
    /// A port of endpoints.
    pub struct EndpointPort {
        /// The name of the Service's port.
        name: Option<Spanned<String>> = "name",
        /// The number.
        port: Option<Spanned<i32>> = "port",
        /// `TCP`, `UDP` or `SCTP`; absent: `TCP`.
        protocol: Option<Spanned<TransportProtocol>> = "protocol",
        /// What is spoken.
        app_protocol: Option<Spanned<String>> = "appProtocol",
    }
}

object! {
    /// `EndpointSlice` (discovery.k8s.io/v1), which has no `spec`: endpoints of the Service that its label
    /// `kubernetes.io/service-name` names.
    pub struct EndpointSlice {
        /// What the addresses are.
        address_type: Option<Spanned<AddressType>> = "addressType",
        /// The endpoints.
        endpoints: Vec<Spanned<SliceEndpoint>> = "endpoints",
        /// Their ports.
        ports: Vec<Spanned<EndpointPort>> = "ports",
    }
}

choice! {
    /// `EndpointSlice.addressType`.
    pub enum AddressType {
        /// IPv4 addresses.
        Ipv4 = "IPv4" (0),
        /// IPv6 addresses.
        Ipv6 = "IPv6" (1),
        /// Names.
        Fqdn = "FQDN" (2),
    }
}

object! {
    /// One endpoint of an [`EndpointSlice`].
    pub struct SliceEndpoint {
        /// Its addresses, all of the same endpoint.
        addresses: Vec<Spanned<String>> = "addresses",
        /// Whether it can be used.
        conditions: Option<Spanned<EndpointConditions>> = "conditions",
        /// The pod's name in DNS.
        hostname: Option<Spanned<String>> = "hostname",
        /// The node that it runs on.
        node_name: Option<Spanned<String>> = "nodeName",
        /// The zone that it is in.
        zone: Option<Spanned<String>> = "zone",
        /// Known and without meaning here.
        target_ref: Option<Spanned<Opaque>> = "targetRef",
        /// Known and without meaning here.
        deprecated_topology: Option<Spanned<Opaque>> = "deprecatedTopology",
        /// Known and without meaning here.
        hints: Option<Spanned<Opaque>> = "hints",
    }
}

object! {
    /// Whether an endpoint can be used.
    pub struct EndpointConditions {
        /// It takes traffic; absent: yes.
        ready: Option<Spanned<bool>> = "ready",
        /// It takes traffic, even if it is about to end.
        serving: Option<Spanned<bool>> = "serving",
        /// It is about to end.
        terminating: Option<Spanned<bool>> = "terminating",
    }
}

object! {
    /// `Secret` (core/v1), which has no `spec`: certificates and keys.
    pub struct Secret {
        /// What it is for; not looked at.
        r#type: Option<Spanned<String>> = "type",
        /// Its content.
        data: Map<Bytes> = "data",
        /// Its content as plain text, stronger than `data`.
        string_data: Map<String> = "stringData",
        /// Whether it may change.
        immutable: Option<Spanned<bool>> = "immutable",
    }
}

object! {
    /// `ConfigMap` (core/v1), which has no `spec`: certificates, or the mesh's configuration.
    pub struct ConfigMap {
        /// Its content.
        data: Map<String> = "data",
        /// Its content where it is not text.
        binary_data: Map<Bytes> = "binaryData",
        /// Whether it may change.
        immutable: Option<Spanned<bool>> = "immutable",
    }
}
