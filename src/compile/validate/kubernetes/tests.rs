use crate::compile::validate::testing::{diagnostics, expect};

/// A Service whose `spec` is on line 4.
#[track_caller]
fn service(spec: &str, expected: &[&str]) {
    expect(&format!("apiVersion: v1\nkind: Service\nmetadata: {{name: x}}\nspec: {{{spec}}}\n"), expected);
}

#[track_caller]
fn ports(ports: &str, expected: &[&str]) {
    service(&format!("ports: {ports}"), expected);
}

/// An object whose fields begin on line 4.
#[track_caller]
fn object(kind: &str, fields: &str, expected: &[&str]) {
    let version = if kind == "EndpointSlice" { "discovery.k8s.io/v1" } else { "v1" };
    let metadata = "{name: x, labels: {kubernetes.io/service-name: s}}";
    expect(&format!("apiVersion: {version}\nkind: {kind}\nmetadata: {metadata}\n{fields}\n"), expected);
}

#[test]
fn services() {
    service("ports: [{port: 80}]", &[]);
    service("clusterIP: None", &[]);
    service("type: ExternalName, externalName: a.com", &[]);
    service("clusterIP: 10.0.0.1, clusterIPs: [10.0.0.1, '::1'], ports: [{port: 80}]", &[]);
    service("selector: {a: b}", &["error missing-field 1 spec.ports"]);
    service("type: ExternalName", &["error missing-field 1 spec.externalName"]);
    service("type: ExternalName, externalName: a_b", &["error bad-host 4 spec.externalName"]);
    service("clusterIP: none, ports: [{port: 80}]", &["error bad-address 4 spec.clusterIP"]);
    service("clusterIPs: [a], ports: [{port: 80}]", &["error bad-address 4 spec.clusterIPs[0]"]);
}

#[test]
fn ports_of_services() {
    ports(
        "[{port: 80, name: http, targetPort: 8080, nodePort: 30000}, {port: 443, name: https, targetPort: tls}]",
        &[],
    );
    ports("[{port: 53, name: a, protocol: UDP}, {port: 53, name: b}]", &[]);
    ports("[{port: 0}]", &["error bad-port 4 spec.ports[0].port"]);
    ports("[{name: a}]", &["error missing-field 4 spec.ports[0].port"]);
    ports("[{port: 80}, {port: 81, name: a}]", &["error missing-field 4 spec.ports[0].name"]);
    ports("[{port: 80, name: a}, {port: 81, name: a}]", &["error duplicate-port-name 4 spec.ports[1].name"]);
    ports("[{port: 80, name: a}, {port: 80, name: b}]", &["error duplicate-port 4 spec.ports[1].port"]);
    ports("[{port: 80, name: a_b}]", &["error bad-name 4 spec.ports[0].name"]);
    ports("[{port: 80, targetPort: 70000}]", &["error bad-port 4 spec.ports[0].targetPort"]);
    for bad in ["'8080'", "a_b", "sixteen-letters-x", "a--b", "''"] {
        ports(&format!("[{{port: 80, targetPort: {bad}}}]"), &["error bad-name 4 spec.ports[0].targetPort"]);
    }
    ports("[{port: 80, nodePort: 70000}]", &["error bad-port 4 spec.ports[0].nodePort"]);
}

#[test]
fn metadata_of_services() {
    let service = |metadata: &str| {
        format!("apiVersion: v1\nkind: Service\nmetadata: {{{metadata}}}\nspec: {{ports: [{{port: 80}}]}}\n")
    };
    expect(&service("name: a.b"), &["error bad-name 3 metadata.name"]);
    let export =
        |list: &str| service(&format!("name: a, annotations: {{networking.istio.io/exportTo: '{list}'}}"));
    for good in ["*", ".", "~", "a, b"] {
        expect(&export(good), &[]);
    }
    let bad = "warning bad-export-to 3 metadata.annotations[\"networking.istio.io/exportTo\"]";
    expect(&export("a,b_c"), &[bad]);
    expect(&service("name: a, annotations: {istio.io/dry-run: 'true'}"), &[]);
}

#[test]
fn endpoints() {
    let subset = |subset: &str| format!("subsets: [{{{subset}}}]");
    object("Endpoints", &subset("addresses: [{ip: 10.0.0.1}, {ip: '::1'}], ports: [{port: 80}]"), &[]);
    object(
        "Endpoints",
        &subset("addresses: [{ip: a.com}]"),
        &["error bad-address 4 subsets[0].addresses[0].ip"],
    );
    object(
        "Endpoints",
        &subset("addresses: [{hostname: a}]"),
        &["error missing-field 4 subsets[0].addresses[0].ip"],
    );
    object(
        "Endpoints",
        &subset("notReadyAddresses: [{ip: a}]"),
        &["error bad-address 4 subsets[0].notReadyAddresses[0].ip"],
    );
    object("Endpoints", &subset("ports: [{port: 0}]"), &["error bad-port 4 subsets[0].ports[0].port"]);
    object(
        "Endpoints",
        &subset("ports: [{port: 1}, {name: a}]"),
        &["error missing-field 4 subsets[0].ports[1].port", "error missing-field 4 subsets[0].ports[0].name"],
    );
}

#[test]
fn slices() {
    let slice =
        |kind: &str, addresses: &str| format!("addressType: {kind}\nendpoints: [{{addresses: {addresses}}}]");
    object("EndpointSlice", &slice("IPv4", "[10.0.0.1]"), &[]);
    object("EndpointSlice", &slice("IPv6", "['::1']"), &[]);
    object("EndpointSlice", &slice("FQDN", "[a.com]"), &[]);
    for (kind, address) in [("IPv4", "'::1'"), ("IPv6", "10.0.0.1"), ("FQDN", "a_b"), ("IPv4", "a.com")] {
        let bad = "error bad-address 5 endpoints[0].addresses[0]";
        object("EndpointSlice", &slice(kind, &format!("[{address}]")), &[bad]);
    }
    object("EndpointSlice", &slice("IPv4", "[]"), &["error missing-field 5 endpoints[0].addresses"]);
    let many = vec!["10.0.0.1"; 101].join(", ");
    object(
        "EndpointSlice",
        &slice("IPv4", &format!("[{many}]")),
        &["error too-many-items 5 endpoints[0].addresses"],
    );
    object("EndpointSlice", "endpoints: [{addresses: [a]}]", &["error missing-field 1 addressType"]);
    object("EndpointSlice", "addressType: IPv4\nports: [{}]", &[]);
    object("EndpointSlice", "addressType: IPv4\nports: [{port: 70000}]", &["error bad-port 5 ports[0].port"]);
    let orphan =
        "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: x}\naddressType: IPv4\n";
    expect(orphan, &["warning no-service 3 metadata.labels"]);
}

#[test]
fn keys() {
    object("Secret", "data: {tls.crt: QQ==, TLS_key-1: QQ==}\nstringData: {a: b}", &[]);
    object("Secret", "data: {'a b': QQ==}", &["error bad-name 4 data[\"a b\"]"]);
    object("Secret", "stringData: {'..': b}", &["error bad-name 4 stringData[\"..\"]"]);
    object("ConfigMap", "data: {a: b}\nbinaryData: {c: QQ==}", &[]);
    object("ConfigMap", "data: {'': b}", &["error bad-name 4 data[\"\"]"]);
    object("ConfigMap", "data: {a: b}\nbinaryData: {a: QQ==}", &["error duplicate-item 5 binaryData.a"]);
}

#[test]
fn values_of_secrets_are_not_shown() {
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: x}\nstringData: {'a b': hunter2}\n";
    let found = format!("{:?}", diagnostics(secret));
    assert!(found.contains("bad-name") && !found.contains("hunter2"), "{found}");
}
