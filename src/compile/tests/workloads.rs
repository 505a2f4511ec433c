//! Labels, namespaces, ports and what an IstioOperator says (specification sections 1.2, 2.2 and 6.1).

use super::*;
use crate::table::{ForwardClientCert, PathNormalization, ProxyProtocol, ServerHeader, UnderscoreAction};

fn selecting(name: &str, selector: &str, port: u16) -> String {
    let spec = format!(
        "{{selector: {selector}, servers: [{{port: {{number: {port}, name: http, protocol: HTTP}}, hosts: ['*']}}]}}"
    );
    object("Gateway", &format!("name: {name}"), &spec)
}

fn operator(spec: &str) -> String {
    format!(
        "apiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\nmetadata: {{name: o, namespace: istio-system}}\nspec: {spec}\n---\n"
    )
}

fn kubernetes_service(metadata: &str, ports: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{namespace: istio-system, {metadata}}}\nspec: {{selector: {{istio: ingressgateway}}, ports: [{ports}]}}\n---\n"
    )
}

fn with_gateway(name: &str) -> Options {
    Options { gateway: Some(name.to_owned()), ..Options::default() }
}

#[test]
fn selectors_choose_workloads() {
    let yaml = format!(
        "{}{}{}",
        selecting("a", "{istio: ingressgateway}", 80),
        selecting("b", "{istio: egressgateway}", 81),
        selecting("c", "{}", 82)
    );
    assert_eq!(compiled_with(&ingress(), &yaml).listeners(), ["0.0.0.0_80", "0.0.0.0_82"]);
    assert!(compiled_with(&ingress(), &yaml).has("gateway-not-selected"));
    assert_eq!(compiled(&yaml).listeners(), ["0.0.0.0_80", "0.0.0.0_81", "0.0.0.0_82"]);
    let nobody = compiled_with(&ingress(), &selecting("b", "{istio: egressgateway}", 81));
    assert!(nobody.diagnostic("no-gateway-selected").help.as_ref().unwrap().contains("istio=ingressgateway"));
}

#[test]
fn gateways_come_by_age_then_name_then_namespace() {
    let made = |name: &str, namespace: &str, time: &str| {
        let time = if time.is_empty() { String::new() } else { format!(", creationTimestamp: '{time}'") };
        http_gateway(&format!("name: {name}, namespace: {namespace}{time}"), "'*'")
    };
    let yaml = format!(
        "{}{}{}{}",
        made("z", "a", "2020-01-01T00:00:00Z"),
        made("a", "z", "2021-01-01T00:00:00Z"),
        made("y", "b", ""),
        made("y", "a", "")
    );
    let outcome = compiled(&yaml);
    let order: Vec<_> = outcome.0.inventory.servers.iter().map(|s| s.source.object.to_string()).collect();
    assert_eq!(order, ["Gateway a/y", "Gateway b/y", "Gateway a/z", "Gateway z/a"]);
}

#[test]
fn case_22_two_numbers_on_one_target_port_merge() {
    let yaml = format!(
        "{}{}{}",
        kubernetes_service("name: s", "{port: 80, targetPort: 8080}, {port: 8080, targetPort: 8080}"),
        http_gateway("name: a", "'*'"),
        gateway("name: b", &[("HTTP", 8080, "'*'", "")])
    );
    let outcome = compiled_with(&ingress(), &yaml);
    assert_eq!(outcome.listeners(), ["0.0.0.0_8080"]);
    assert_eq!(outcome.tables(), ["http.8080"]);
    let declared: Vec<_> = outcome.0.inventory.servers.iter().map(|server| server.declared_port).collect();
    assert_eq!(declared, [80, 8080]);
}

#[test]
fn case_22_the_rules_of_both_numbers_are_in_the_one_table() {
    let bound = |name: &str, path: &str| {
        let gateway = format!("default/{name}");
        rules(
            &format!("name: {name}"),
            "a.com",
            &gateway,
            &rule(&format!("{{uri: {{prefix: {path}}}}}"), "p.com"),
        )
    };
    let yaml = format!(
        "{}{}{}{}{}{}",
        kubernetes_service("name: s", "{port: 80, targetPort: 8080}, {port: 8080, targetPort: 8080}"),
        http_gateway("name: a", "a.com"),
        gateway("name: b", &[("HTTP", 8080, "a.com", "")]),
        bound("a", "/a"),
        bound("b", "/b"),
        service("p.com")
    );
    let outcome = compiled_with(&ingress(), &yaml);
    assert_eq!(outcome.hosts(8080), ["a.com 2"]);
    let answers = ["/a", "/b", "/c"].map(|path| outcome.answer(8080, &request(&format!("a.com{path}"))));
    assert_eq!(answers, ["outbound|80||p.com", "outbound|80||p.com", "404"]);
}

#[test]
fn case_23_a_service_whose_ports_are_not_translated() {
    let yaml = format!(
        "{}{}{}{}",
        kubernetes_service(
            "name: a, labels: {experimental.istio.io/disable-gateway-port-translation: 'true'}",
            "{port: 80, targetPort: 8081}"
        ),
        kubernetes_service("name: b", "{port: 80, targetPort: 8080}"),
        http_gateway("name: a", "'*'"),
        gateway("name: b", &[("HTTP", 8081, "'*'", "")])
    );
    assert_eq!(compiled_with(&ingress(), &yaml).listeners(), ["0.0.0.0_8080", "0.0.0.0_8081"]);
}

#[test]
fn the_port_map_is_stronger_than_services() {
    let yaml = format!(
        "{}{}",
        kubernetes_service("name: s", "{port: 80, targetPort: 8080}"),
        http_gateway("name: a", "'*'")
    );
    let options = Options { port_map: [(80, 9080)].into(), ..ingress() };
    assert_eq!(compiled_with(&options, &yaml).listeners(), ["0.0.0.0_9080"]);
}

#[test]
fn ports_that_no_service_explains() {
    let yaml = format!(
        "{}{}",
        kubernetes_service("name: s", "{port: 443, targetPort: 8443}"),
        http_gateway("name: a", "'*'")
    );
    let outcome = compiled_with(&ingress(), &yaml);
    assert_eq!(outcome.listeners(), ["0.0.0.0_80"]);
    assert!(outcome.has("port-not-in-service"));
    let yaml = format!(
        "{}{}",
        kubernetes_service("name: s", "{port: 80, targetPort: web}"),
        http_gateway("name: a", "'*'")
    );
    let outcome = compiled_with(&ingress(), &yaml);
    assert_eq!(outcome.listeners(), ["0.0.0.0_80"]);
    assert_eq!(
        outcome.diagnostic("named-target-port").help.as_deref(),
        Some("say where it listens: --port-map 80=PORT")
    );
}

#[test]
fn a_deployment_gives_labels_ports_and_namespace() {
    let yaml = format!(
        "{}{}{}",
        operator(
            "{components: {ingressGateways: [{name: first, label: {istio: one}, k8s: {service: {ports: [{name: http, port: 80, targetPort: 8000}]}}}, {name: usual}], egressGateways: [{name: out, namespace: egress}]}}"
        ),
        selecting("a", "{istio: one}", 80),
        selecting("b", "{istio: ingressgateway}", 443),
    );
    let first = compiled_with(&with_gateway("first"), &yaml);
    assert_eq!(first.listeners(), ["0.0.0.0_8000"]);
    assert_eq!(first.0.workload.namespace, "istio-system");
    // One that says nothing has the labels and ports of the charts.
    let usual = compiled_with(&with_gateway("usual"), &yaml);
    assert_eq!(usual.listeners(), ["0.0.0.0_8443"]);
    let out = compiled_with(&with_gateway("out"), &yaml);
    assert_eq!(out.0.workload.namespace, "egress");
    assert_eq!(out.listeners(), [""; 0]);
    // What is said on the command line is stronger.
    let options =
        Options { port_map: [(80, 1)].into(), namespace: Some("n".to_owned()), ..with_gateway("first") };
    let outcome = compiled_with(&options, &yaml);
    assert_eq!((outcome.listeners(), outcome.0.workload.namespace.as_str()), (vec!["0.0.0.0_1"], "n"));
    let unknown = compiled_with(&with_gateway("other"), &yaml);
    assert_eq!(
        unknown.diagnostic("unknown-deployment").help.as_deref(),
        Some("there are: first, out, usual")
    );
    assert!(unknown.0.has_errors());
}

#[test]
fn mesh_settings() {
    let mesh = "{meshConfig: {accessLogFile: /dev/stdout, connectTimeout: 3s, pathNormalization: {normalization: MERGE_SLASHES}, rootNamespace: root, defaultConfig: {gatewayTopology: {numTrustedProxies: 2}, proxyMetadata: {ISTIO_META_HTTP10: '1'}, connectionSettings: {httpHeadersWithUnderscoresAction: REJECT_REQUEST}, proxyHeaders: {server: {value: me}, requestId: {disabled: true}, attemptCount: {disabled: true}, envoyDebugHeaders: {disabled: true}, xForwardedHost: {enabled: true}, xForwardedPort: {enabled: true}}}}}";
    let yaml = format!(
        "{}{}{}{}",
        operator(mesh),
        http_gateway("name: g", "'*'"),
        rules("name: v", "'*'", "g", &everything_to("p.com")),
        service("p.com")
    );
    let outcome = compiled(&yaml);
    let settings = &outcome.0.snapshot.settings;
    assert_eq!(settings.path_normalization, PathNormalization::MergeSlashes);
    assert_eq!(settings.trusted_proxies, 2);
    assert_eq!(settings.server_header, ServerHeader::Overwrite(b"me".to_vec()));
    assert!(!settings.request_id && !settings.attempt_count && !settings.envoy_debug_headers);
    assert!(settings.x_forwarded_host && settings.x_forwarded_port && settings.http10);
    assert_eq!(settings.underscores, UnderscoreAction::Reject);
    assert_eq!(outcome.0.access_log_file.as_deref(), Some("/dev/stdout"));
    assert_eq!(outcome.0.workload.root_namespace, "root");
    assert_eq!(outcome.cluster("outbound|80||p.com").connect_timeout.as_secs(), 3);
    assert_eq!(outcome.warnings(), [""; 0]);
}

#[test]
fn settings_of_clients_connections() {
    let settings = |options: &Options, proxy: &str| {
        let outcome =
            compiled_with(options, &operator(&format!("{{meshConfig: {{defaultConfig: {{{proxy}}}}}}}")));
        assert_eq!(outcome.warnings(), [""; 0]);
        outcome.0.snapshot.settings
    };
    let none = settings(&Options::default(), "");
    assert_eq!((none.forward_client_cert, none.proxy_protocol), (ForwardClientCert::SanitizeSet, None));
    assert!(none.misdirected_421);
    let topology = "gatewayTopology: {proxyProtocol: {}, forwardClientCertDetails: APPEND_FORWARD}";
    let of_topology = settings(&Options::default(), topology);
    assert_eq!(of_topology.forward_client_cert, ForwardClientCert::AppendForward);
    assert_eq!(of_topology.proxy_protocol, Some(ProxyProtocol::default()));
    let stronger = format!("{topology}, proxyHeaders: {{forwardedClientCert: ALWAYS_FORWARD_ONLY}}");
    assert_eq!(
        settings(&Options::default(), &stronger).forward_client_cert,
        ForwardClientCert::AlwaysForwardOnly
    );
    let trusted = vec![(std::net::IpAddr::from([10, 0, 0, 0]), 8)];
    let options = Options {
        proxy_protocol_from: trusted.clone(),
        misdirected: Misdirected::Status404,
        ..Options::default()
    };
    let of_options = settings(&options, "");
    assert_eq!(of_options.proxy_protocol, Some(ProxyProtocol { trusted }));
    assert!(!of_options.misdirected_421);
}

#[test]
fn one_mesh_config_holds() {
    let second = operator("{meshConfig: {connectTimeout: 4s}}").replace("name: o,", "name: p,");
    let yaml =
        format!("{}{second}{}", operator("{meshConfig: {accessLogFile: a}}"), http_gateway("name: g", "'*'"));
    let outcome = compiled(&yaml);
    assert_eq!(outcome.0.access_log_file.as_deref(), Some("a"));
    assert_eq!(outcome.diagnostic("second-mesh-config").object.as_ref().unwrap().name.as_ref(), "p");
}

#[test]
fn settings_that_make_no_sense_are_errors() {
    let underscores = operator(
        "{meshConfig: {defaultConfig: {connectionSettings: {httpHeadersWithUnderscoresAction: MAYBE}}}}",
    );
    assert!(
        compiled(&underscores).diagnostic("unknown-value").help.as_ref().unwrap().contains("DROP_HEADER")
    );
    let server =
        operator("{meshConfig: {defaultConfig: {proxyHeaders: {server: {value: \"a\\r\\nb: c\"}}}}}");
    let outcome = compiled(&server);
    assert!(outcome.has("bad-header-value"));
    assert_eq!(outcome.0.snapshot.settings.server_header, ServerHeader::Overwrite(b"istio-envoy".to_vec()));
}
