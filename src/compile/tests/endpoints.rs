//! Where the endpoints of clusters come from (specification section 4.7).

use super::*;
use crate::table::{DnsKind, Endpoints};

/// A Gateway, a rule to this destination, and these objects.
fn to(destination: &str, objects: &str) -> Outcome {
    compiled(&format!(
        "{}{}{objects}",
        http_gateway("name: g", "'*'"),
        rules("name: v", "'*'", "g", &format!("{{route: [{{destination: {destination}}}]}}")),
    ))
}

fn entry(name: &str, more: &str) -> String {
    object(
        "ServiceEntry",
        &format!("name: {name}"),
        &format!("{{hosts: [p.com], ports: [{{number: 80, name: http, protocol: HTTP}}], {more}}}"),
    )
}

fn endpoints(more: &str) -> Vec<String> {
    to("{host: p.com}", &entry("p", more)).endpoints("outbound|80||p.com")
}

fn kubernetes(kind: &str, api: &str, body: &str) -> String {
    format!("apiVersion: {api}\nkind: {kind}\n{body}\n---\n")
}

#[test]
fn case_115_resolution_none() {
    let outcome = to("{host: p.com}", &entry("p", "resolution: NONE"));
    assert_eq!(outcome.endpoints("outbound|80||p.com"), [""; 0]);
    assert!(outcome.diagnostic("no-endpoints").message.contains("its resolution is NONE"));
    assert_eq!(outcome.get("x/"), "outbound|80||p.com");
}

#[test]
fn case_116_static_without_endpoints() {
    let outcome = to("{host: p.com}", &entry("p", "resolution: STATIC"));
    assert_eq!(outcome.endpoints("outbound|80||p.com"), [""; 0]);
    assert!(outcome.of_kind("no-endpoints", "VirtualService").message.contains("has no `endpoints`"));
}

#[test]
fn ports_of_endpoints() {
    // `ports` of the endpoint, then `targetPort`, then the number.
    let with_target = |endpoint: &str| {
        let spec = format!(
            "{{hosts: [p.com], resolution: STATIC, ports: [{{number: 80, name: http, targetPort: 8080}}], endpoints: [{endpoint}]}}"
        );
        to("{host: p.com}", &object("ServiceEntry", "name: p", &spec)).endpoints("outbound|80||p.com")
    };
    assert_eq!(with_target("{address: 10.0.0.1, ports: {http: 9090}}"), ["10.0.0.1:9090"]);
    assert_eq!(with_target("{address: 10.0.0.1}"), ["10.0.0.1:8080"]);
    assert_eq!(endpoints("resolution: STATIC, endpoints: [{address: '::1'}]"), ["[::1]:80"]);
    assert_eq!(endpoints("resolution: STATIC, endpoints: [{address: 'unix:///run/app'}]"), ["/run/app"]);
}

#[test]
fn weights_of_endpoints() {
    let outcome = to(
        "{host: p.com}",
        &entry(
            "p",
            "resolution: STATIC, endpoints: [{address: 10.0.0.1, weight: 5}, {address: 10.0.0.2}, {address: 10.0.0.1}]",
        ),
    );
    let Endpoints::Static(list) = &outcome.cluster("outbound|80||p.com").endpoints else { panic!() };
    assert_eq!(list.iter().map(|e| e.weight).collect::<Vec<_>>(), [5, 1]);
}

#[test]
fn names() {
    assert_eq!(endpoints("resolution: DNS"), ["dns p.com:80"]);
    let two = "resolution: DNS, endpoints: [{address: a.p.com}, {address: b.p.com, ports: {http: 81}}]";
    assert_eq!(endpoints(two), ["dns a.p.com:80", "dns b.p.com:81"]);
    let kind = |resolution: &str| {
        let outcome = to("{host: p.com}", &entry("p", &format!("resolution: {resolution}")));
        match &outcome.cluster("outbound|80||p.com").endpoints {
            Endpoints::Dns { kind, .. } => *kind,
            Endpoints::Static(_) => panic!(),
        }
    };
    assert_eq!(kind("DNS"), DnsKind::Strict);
    assert_eq!(kind("DNS_ROUND_ROBIN"), DnsKind::Logical);
    // Addresses need no resolving.
    assert_eq!(endpoints("resolution: DNS, endpoints: [{address: 127.0.0.1}]"), ["127.0.0.1:80"]);
}

#[test]
fn workload_entries_are_selected_by_label() {
    let workload = |name: &str, metadata: &str, spec: &str| {
        object("WorkloadEntry", &format!("name: {name}{metadata}"), &format!("{{{spec}}}"))
    };
    let objects = [
        entry("p", "resolution: STATIC, workloadSelector: {labels: {app: p}}"),
        workload("a", "", "address: 10.0.0.1, labels: {app: p, version: v1}"),
        workload("b", ", labels: {app: p}", "address: 10.0.0.2, ports: {http: 81}"),
        workload("c", "", "address: 10.0.0.3, labels: {app: q}"),
        workload("d", ", namespace: other", "address: 10.0.0.4, labels: {app: p}"),
        object(
            "DestinationRule",
            "name: r",
            "{host: p.com, subsets: [{name: v1, labels: {version: v1}}, {name: v9, labels: {version: v9}}]}",
        ),
    ]
    .concat();
    assert_eq!(to("{host: p.com}", &objects).endpoints("outbound|80||p.com"), ["10.0.0.1:80", "10.0.0.2:81"]);
    let v1 = to("{host: p.com, subset: v1}", &objects);
    assert_eq!(v1.endpoints("outbound|80|v1|p.com"), ["10.0.0.1:80"]);
    let v9 = to("{host: p.com, subset: v9}", &objects);
    assert!(v9.diagnostic("no-endpoints").message.contains("has the labels of the subset"));
}

#[test]
fn several_service_entries_of_a_host() {
    let more = |address: &str| format!("resolution: STATIC, endpoints: [{{address: {address}}}]");
    let same =
        to("{host: p.com}", &format!("{}{}", entry("b", &more("10.0.0.2")), entry("a", &more("10.0.0.1"))));
    assert_eq!(same.endpoints("outbound|80||p.com"), ["10.0.0.1:80", "10.0.0.2:80"]);
    assert_eq!(same.warnings(), [""; 0]);
    let other =
        to("{host: p.com}", &format!("{}{}", entry("a", &more("10.0.0.1")), entry("b", "resolution: DNS")));
    assert_eq!(other.endpoints("outbound|80||p.com"), ["10.0.0.1:80"]);
    assert_eq!(other.diagnostic("service-conflict").object.as_ref().unwrap().name.as_ref(), "b");
}

const SERVICE: &str = "metadata: {name: web}\nspec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: web}, {name: dns, port: 53, protocol: UDP}]}";
const WEB: &str = "outbound|80||web.default.svc.cluster.local";

#[test]
fn endpoints_of_a_kubernetes_service() {
    let service = kubernetes("Service", "v1", SERVICE);
    let old = kubernetes(
        "Endpoints",
        "v1",
        "metadata: {name: web}\nsubsets: [{addresses: [{ip: 10.1.0.1}], notReadyAddresses: [{ip: 10.1.0.2}], ports: [{name: http, port: 8080}]}]",
    );
    let outcome = to("{host: web}", &format!("{service}{old}"));
    // The port of another transport does not count, so there is only one.
    assert_eq!(outcome.get("x/"), WEB);
    assert_eq!(outcome.endpoints(WEB), ["10.1.0.1:8080"]);
    assert_eq!(outcome.warnings(), [""; 0]);
    let slice = kubernetes(
        "EndpointSlice",
        "discovery.k8s.io/v1",
        "metadata: {name: web-x, labels: {kubernetes.io/service-name: web}}\naddressType: IPv4\nendpoints: [{addresses: [10.1.0.3]}, {addresses: [10.1.0.4], conditions: {ready: false}}]\nports: [{name: http, port: 8081}]",
    );
    let outcome = to("{host: web}", &format!("{service}{old}{slice}"));
    assert_eq!(outcome.endpoints(WEB), ["10.1.0.3:8081"]);
}

#[test]
fn a_kubernetes_service_without_endpoints() {
    let service = kubernetes("Service", "v1", SERVICE);
    let outcome = to("{host: web}", &service);
    assert!(
        outcome.diagnostic("no-endpoints").message.contains("no EndpointSlice or Endpoints of default/web")
    );
    let workload =
        object("WorkloadEntry", "name: w", "{address: 10.0.0.9, labels: {app: web}, ports: {http: 8080}}");
    assert_eq!(to("{host: web}", &format!("{service}{workload}")).endpoints(WEB), ["10.0.0.9:8080"]);
}

#[test]
fn external_names_are_aliases() {
    let alias = kubernetes(
        "Service",
        "v1",
        "metadata: {name: alias}\nspec: {type: ExternalName, externalName: p.com, ports: [{port: 80, name: http}]}",
    );
    let known = to("{host: alias}", &format!("{alias}{}", service("p.com")));
    assert_eq!(known.get("x/"), "outbound|80||p.com");
    assert_eq!(known.endpoints("outbound|80||p.com"), ["10.0.0.1:80"]);
    let unknown = to("{host: alias}", &alias);
    assert_eq!(unknown.endpoints("outbound|80||p.com"), ["dns p.com:80"]);
}

#[test]
fn protocols_of_kubernetes_ports() {
    use crate::table::UpstreamProtocol::{Http1, Http2};
    for (port, expected) in [
        ("name: http", Http1),
        ("name: grpc", Http2),
        ("name: grpc-api", Http2),
        ("name: grpc-web-x", Http2),
        ("name: http2-x", Http2),
        ("name: web", Http1),
        ("name: web, appProtocol: kubernetes.io/h2c", Http2),
        ("name: grpc, appProtocol: http", Http1),
    ] {
        let spec = format!("metadata: {{name: web}}\nspec: {{ports: [{{port: 80, {port}}}]}}");
        let outcome = to("{host: web}", &kubernetes("Service", "v1", &spec));
        assert_eq!(outcome.cluster(WEB).protocol, expected, "{port}");
    }
}

#[test]
fn a_service_is_stronger_than_a_service_entry() {
    let service = kubernetes("Service", "v1", SERVICE);
    let entry = object(
        "ServiceEntry",
        "name: e",
        "{hosts: [web.default.svc.cluster.local], resolution: STATIC, ports: [{number: 80, name: http}], endpoints: [{address: 10.0.0.1}]}",
    );
    let outcome = to("{host: web}", &format!("{entry}{service}"));
    assert_eq!(outcome.endpoints(WEB), [""; 0]);
    assert!(outcome.has("service-conflict"));
}

#[test]
fn services_exported_by_annotation() {
    let service = |export: &str| {
        let metadata = format!(
            "metadata: {{name: web, namespace: default, annotations: {{networking.istio.io/exportTo: '{export}'}}}}"
        );
        to(
            "{host: web}",
            &kubernetes("Service", "v1", &format!("{metadata}\nspec: {{ports: [{{port: 80}}]}}")),
        )
        .get("x/")
    };
    assert_eq!(service("."), WEB);
    assert_eq!(service("other, default"), WEB);
    assert_eq!(service("other"), format!("{WEB} (NC)"));
}
