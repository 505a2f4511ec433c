//! `VirtualService`: which requests and connections go where. `http_route` has what is about HTTP.

use super::{HttpRoute, PortSelector};
use crate::config::{
    Spanned,
    decode::{Map, object},
};

object! {
    /// `VirtualService` (networking.istio.io).
    pub struct VirtualService {
        /// The hosts that it is about; none: it is a delegate.
        hosts: Vec<Spanned<String>> = "hosts",
        /// The Gateways that it is bound to, as `[namespace/]name`; none: `mesh`, which is no gateway.
        gateways: Vec<Spanned<String>> = "gateways",
        /// The rules for HTTP, the first that matches wins.
        http: Vec<Spanned<HttpRoute>> = "http",
        /// The rules for TLS that is passed through.
        tls: Vec<Spanned<TlsRoute>> = "tls",
        /// The rules for TCP.
        tcp: Vec<Spanned<TcpRoute>> = "tcp",
        /// The namespaces of the gateway workloads that it is for.
        export_to: Vec<Spanned<String>> = "exportTo",
    }
}

object! {
    /// Where to send something.
    pub struct Destination {
        /// The service: a full name, or a short one in the namespace of the VirtualService.
        host: Option<Spanned<String>> = "host",
        /// One of the subsets that the service's DestinationRule defines.
        subset: Option<Spanned<String>> = "subset",
        /// The service's port; it may be absent if there is only one.
        port: Option<Spanned<PortSelector>> = "port",
    }
}

object! {
    /// A rule for TLS that is not ended here.
    pub struct TlsRoute {
        /// The connections that it is for; any of them is enough.
        r#match: Vec<Spanned<TlsMatchAttributes>> = "match",
        /// Where they go, by weight.
        route: Vec<Spanned<RouteDestination>> = "route",
    }
}

object! {
    /// A rule for TCP connections.
    pub struct TcpRoute {
        /// The connections that it is for; any of them is enough; none: all.
        r#match: Vec<Spanned<L4MatchAttributes>> = "match",
        /// Where they go, by weight.
        route: Vec<Spanned<RouteDestination>> = "route",
    }
}

object! {
    /// What a TLS connection must have; all of it.
    pub struct TlsMatchAttributes {
        /// The names in the ClientHello.
        sni_hosts: Vec<Spanned<String>> = "sniHosts",
        /// The addresses that the client connected to; without effect on a gateway.
        destination_subnets: Vec<Spanned<String>> = "destinationSubnets",
        /// The declared port of the server.
        port: Option<Spanned<u32>> = "port",
        /// The labels of the client's workload; on a gateway, of the gateway.
        source_labels: Map<String> = "sourceLabels",
        /// The Gateways that the match is for.
        gateways: Vec<Spanned<String>> = "gateways",
        /// The namespace of the client's workload; on a gateway, of the gateway.
        source_namespace: Option<Spanned<String>> = "sourceNamespace",
    }
}

object! {
    /// What a TCP connection must have; all of it.
    pub struct L4MatchAttributes {
        /// The addresses that the client connected to; without effect on a gateway.
        destination_subnets: Vec<Spanned<String>> = "destinationSubnets",
        /// The declared port of the server.
        port: Option<Spanned<u32>> = "port",
        /// The client's addresses; without effect on a gateway.
        source_subnet: Option<Spanned<String>> = "sourceSubnet",
        /// The labels of the client's workload; on a gateway, of the gateway.
        source_labels: Map<String> = "sourceLabels",
        /// The Gateways that the match is for.
        gateways: Vec<Spanned<String>> = "gateways",
        /// The namespace of the client's workload; on a gateway, of the gateway.
        source_namespace: Option<Spanned<String>> = "sourceNamespace",
    }
}

object! {
    /// A destination and its share of the connections.
    pub struct RouteDestination {
        /// Where.
        destination: Option<Spanned<Destination>> = "destination",
        /// The share, relative to the sum of all.
        weight: Option<Spanned<i32>> = "weight",
    }
}
