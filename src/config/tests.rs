use super::*;

fn parse_one(text: &str) -> (Resources, Vec<Diagnostic>) {
    parse(vec![("test.yaml".to_owned(), text.as_bytes().to_vec())])
}

#[test]
fn a_gateway_and_a_virtual_service() {
    let (resources, diagnostics) = parse_one(
        "apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: public, namespace: infra}
spec:
  selector: {istio: ingressgateway}
  servers:
  - port: {number: 80, name: http, protocol: HTTP}
    hosts: [\"*.example.com\"]
    tls: {httpsRedirect: true}
---
apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata:
  name: web
spec:
  hosts: [\"www.example.com\"]
  gateways: [infra/public]
  http:
  - match: [{uri: {prefix: /api}}]
    timeout: 1.5s
    route:
    - destination: {host: api, port: {number: 8080}}
      weight: 1
    retries:
      attempts: 3
      per_try_timeout: 2s
",
    );
    assert_eq!(diagnostics, []);
    let gateway = &resources.gateways[0];
    assert_eq!(gateway.meta.name.value, "public");
    assert_eq!(
        gateway.spec.servers[0].port.as_ref().and_then(|port| port.number.as_ref()).map(|n| n.value),
        Some(80)
    );
    let service = &resources.virtual_services[0];
    assert_eq!(service.meta.namespace.value, "default");
    let route = &service.spec.http[0];
    assert_eq!(route.timeout.as_ref().map(|t| t.value), Some(std::time::Duration::from_millis(1500)));
    let retries = route.retries.as_ref().unwrap();
    assert_eq!((retries.span.line, retries.span.column), (24, 5));
    assert_eq!(retries.per_try_timeout.as_ref().map(|t| t.span.line), Some(26));
}
