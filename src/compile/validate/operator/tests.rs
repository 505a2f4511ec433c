use crate::compile::validate::testing::expect;

/// An IstioOperator with one ingress gateway, on line 6.
#[track_caller]
fn gateway(gateway: &str, expected: &[&str]) {
    gateways(&format!("[{{{gateway}}}]"), expected);
}

#[track_caller]
fn gateways(gateways: &str, expected: &[&str]) {
    operator(&format!("  components:\n    ingressGateways: {gateways}"), expected);
}

/// The `spec` begins on line 5.
#[track_caller]
fn operator(spec: &str, expected: &[&str]) {
    let head = "apiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\nmetadata: {name: x}\nspec:\n";
    expect(&format!("{head}{spec}\n"), expected);
}

#[test]
fn names() {
    gateway("name: istio-ingressgateway, enabled: true, label: {istio: ingressgateway}", &[]);
    gateway("enabled: true", &["error missing-field 6 spec.components.ingressGateways[0].name"]);
    gateway("name: a_b", &["error bad-name 6 spec.components.ingressGateways[0].name"]);
    gateway("name: a, namespace: b.c", &["error bad-name 6 spec.components.ingressGateways[0].namespace"]);
    gateway("name: a, label: {b: 'c d'}", &["error bad-label 6 spec.components.ingressGateways[0].label.b"]);
    operator("  namespace: a.b", &["error bad-name 5 spec.namespace"]);
}

#[test]
fn two_with_one_name() {
    gateways("[{name: a}, {name: b}, {name: a, namespace: other}]", &[]);
    let twice = ["error duplicate-gateway 6 spec.components.ingressGateways[1].name"];
    gateways("[{name: a}, {name: a}]", &twice);
    gateways("[{name: a}, {name: a, namespace: istio-system}]", &twice);
    operator(
        "  components:\n    ingressGateways: [{name: a}]\n    egressGateways: [{name: a}]",
        &["error duplicate-gateway 7 spec.components.egressGateways[0].name"],
    );
}

#[test]
fn ports() {
    let with = |ports: &str| format!("name: a, k8s: {{service: {{ports: {ports}}}}}");
    let at = "6 spec.components.ingressGateways[0].k8s.service";
    gateway(
        &with("[{name: http2, port: 80, targetPort: 8080}, {name: https, port: 443, targetPort: 8443}]"),
        &[],
    );
    gateway(&with("[{name: http2}]"), &[&format!("error missing-field {at}.ports[0].port")]);
    gateway(&with("[{port: 0}]"), &[&format!("error bad-port {at}.ports[0].port")]);
    gateway(&with("[{port: 80, targetPort: 0}]"), &[&format!("error bad-port {at}.ports[0].targetPort")]);
    gateway(
        &with("[{port: 80, name: a}, {port: 81, name: a}]"),
        &[&format!("error duplicate-port-name {at}.ports[1].name")],
    );
    gateway(
        &with("[{port: 80, name: a}, {port: 80, name: b}]"),
        &[&format!("error duplicate-port {at}.ports[1].port")],
    );
    gateway(&with("[{port: 53, name: a}, {port: 53, name: b, protocol: UDP}]"), &[]);
    gateway(
        "name: a, k8s: {env: [{value: b}]}",
        &["error missing-field 6 spec.components.ingressGateways[0].k8s.env[0].name"],
    );
}
