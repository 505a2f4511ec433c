use super::*;

mod annotations;
mod mutations;

fn parse_one(text: &str) -> (Resources, Vec<Diagnostic>) {
    parse(vec![("test.yaml".to_owned(), text.as_bytes().to_vec())])
}

fn good(text: &str) -> Resources {
    let (resources, diagnostics) = parse_one(text);
    assert_eq!(diagnostics, [], "{text}");
    resources
}

/// `code object field line` of each problem.
fn problems(text: &str) -> Vec<String> {
    let (_, diagnostics) = parse_one(text);
    let line = |diagnostic: &Diagnostic| diagnostic.span.map_or(0, |span| span.line);
    let object =
        |diagnostic: &Diagnostic| diagnostic.object.as_ref().map_or("-".to_owned(), ObjectRef::to_string);
    diagnostics
        .iter()
        .map(|d| format!("{} {} {} {}", d.code, object(d), d.field, line(d)).replace("  ", " "))
        .collect()
}

#[test]
fn a_gateway_and_a_virtual_service() {
    let resources = good(
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
status: {validationMessages: []}
",
    );
    let gateway = &resources.gateways[0];
    assert_eq!(gateway.object.to_string(), "Gateway infra/public");
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

#[test]
fn every_kind_in_every_version() {
    let kinds = [
        (
            "Gateway",
            vec!["networking.istio.io/v1", "networking.istio.io/v1beta1", "networking.istio.io/v1alpha3"],
        ),
        (
            "VirtualService",
            vec!["networking.istio.io/v1", "networking.istio.io/v1beta1", "networking.istio.io/v1alpha3"],
        ),
        (
            "DestinationRule",
            vec!["networking.istio.io/v1", "networking.istio.io/v1beta1", "networking.istio.io/v1alpha3"],
        ),
        (
            "ServiceEntry",
            vec!["networking.istio.io/v1", "networking.istio.io/v1beta1", "networking.istio.io/v1alpha3"],
        ),
        (
            "WorkloadEntry",
            vec!["networking.istio.io/v1", "networking.istio.io/v1beta1", "networking.istio.io/v1alpha3"],
        ),
        ("IstioOperator", vec!["install.istio.io/v1alpha1"]),
        ("Service", vec!["v1"]),
        ("Endpoints", vec!["v1"]),
        ("EndpointSlice", vec!["discovery.k8s.io/v1"]),
        ("Secret", vec!["v1"]),
        ("ConfigMap", vec!["v1"]),
    ];
    for (kind, versions) in kinds {
        let spec = if ["Endpoints", "EndpointSlice", "Secret", "ConfigMap"].contains(&kind) {
            ""
        } else {
            "spec: {}\n"
        };
        for version in versions {
            let resources =
                good(&format!("apiVersion: {version}\nkind: {kind}\nmetadata: {{name: a}}\n{spec}"));
            assert!(resources.other_kinds.is_empty(), "{kind}");
        }
        let wrong =
            format!("apiVersion: networking.istio.io/v9\nkind: {kind}\nmetadata: {{name: a}}\nspec: {{}}\n");
        assert_eq!(problems(&wrong), [format!("unknown-version {kind} default/a apiVersion 1")]);
    }
}

#[test]
fn other_kinds_are_noted_once() {
    let text = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\n---
apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: b}\n---
apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: c}\nwhatever: [1]\n---
apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: d}\n";
    let (resources, diagnostics) = parse_one(text);
    assert_eq!(resources.other_kinds[0].count, 2);
    assert_eq!(diagnostics[0].severity, Severity::Note);
    assert_eq!(
        diagnostics[0].message,
        "objects that are not used: 2 Deployment (apps/v1), 1 Gateway (gateway.networking.k8s.io/v1), \
         1 PeerAuthentication (security.istio.io/v1)"
    );
    assert_eq!(problems(text)[1], "policy-not-enforced PeerAuthentication default/d kind 15");
    assert_eq!(diagnostics.len(), 2);
}

#[test]
fn what_is_no_object() {
    assert_eq!(problems("just words"), ["not-an-object - 1"]);
    assert_eq!(problems("[1, 2]"), ["not-an-object - 1"]);
    assert_eq!(problems("kind: Gateway\nmetadata: {name: a}"), ["not-an-object - 1"]);
    assert_eq!(problems("apiVersion: v1"), ["not-an-object - 1"]);
    assert_eq!(problems("{}"), ["not-an-object - 1"]);
    assert_eq!(problems("# nothing\n---\n---\n"), Vec::<String>::new());
    let gateway = "apiVersion: networking.istio.io/v1\nkind: Gateway\n";
    assert_eq!(
        problems(&format!("{gateway}spec: {{}}")),
        ["missing-field Gateway without a name metadata.name 1"]
    );
    assert_eq!(problems(&format!("{gateway}metadata: {{name: ''}}\nspec: {{}}")).len(), 1);
    assert_eq!(
        problems(&format!("{gateway}metadata: {{name: a}}")),
        ["missing-field Gateway default/a spec 1"]
    );
    let wrong =
        format!("{gateway}metadata: {{name: a, labels: [], creationTimestamp: null}}\nspec: {{}}\nspecs: 1");
    assert_eq!(
        problems(&wrong),
        ["wrong-type Gateway default/a metadata.labels 3", "unknown-field Gateway default/a specs 5"]
    );
}

/// As in Istio's own profiles.
#[test]
fn an_operator_needs_no_name() {
    let operator = "apiVersion: install.istio.io/v1alpha1
kind: IstioOperator
spec:
  hub: docker.io/istio
  meshConfig:
    accessLogFile: /dev/stdout
    enablePrometheusMerge: true
    defaultConfig: {proxyMetadata: {}, holdApplicationUntilProxyStarts: true}
  components:
    base: {enabled: true}
    ingressGateways:
    - name: istio-ingressgateway
      enabled: true
      label: {istio: ingressgateway}
      k8s:
        resources: {requests: {cpu: 10m}}
        service:
          ports: [{port: 80, targetPort: 8080, name: http2}]
  values:
    defaultRevision: ''
    global: {proxy: {clusterDomain: cluster.local}}
    gateways: {istio-ingressgateway: {autoscaleEnabled: false}}
";
    let resources = good(&format!("{operator}---\n{operator}"));
    assert_eq!(resources.istio_operators.len(), 2);
}

#[test]
fn lists() {
    let item = |name: &str| format!("{{apiVersion: v1, kind: ConfigMap, metadata: {{name: {name}}}}}");
    let resources =
        good(&format!("apiVersion: v1\nkind: List\nmetadata: {{}}\nitems: [{}, {}]", item("a"), item("b")));
    assert_eq!(resources.config_maps.len(), 2);
    // What `kubectl get --raw` answers: the items do not say what they are.
    let typed = "apiVersion: v1\nkind: ConfigMapList\nitems: [{metadata: {name: a}}, {metadata: {name: b}}]";
    assert_eq!(good(typed).config_maps.len(), 2);
    let json = "{\"kind\":\"List\",\"apiVersion\":\"v1\",\"items\":[{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"a\"}}]}";
    assert_eq!(good(json).config_maps.len(), 1);
    assert_eq!(
        problems("apiVersion: v1\nkind: List\nitems: [1, {}]\nitem: 2"),
        ["not-an-object - items[0] 3", "not-an-object - items[1] 3", "unknown-field - item 4"]
    );
    let nested = format!(
        "apiVersion: v1\nkind: List\nitems: [{{apiVersion: v1, kind: List, items: [{}]}}]",
        item("a")
    );
    assert_eq!(parse_one(&nested).0.config_maps.len(), 0);
}

#[test]
fn the_first_of_two_stays() {
    let object =
        |data: &str| format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata: {{k: {data}}}\n");
    let files = vec![
        ("1.yaml".to_owned(), object("x").into_bytes()),
        ("2.yaml".to_owned(), object("y").into_bytes()),
    ];
    let (resources, diagnostics) = parse(files);
    assert_eq!(resources.config_maps[0].spec.data.get("k").map(|value| value.as_str()), Some("x"));
    assert_eq!(resources.config_maps.len(), 1);
    assert_eq!((diagnostics[0].code, diagnostics[0].labels[0].span.file), ("duplicate-object", FileId(0)));
    assert_eq!(diagnostics[0].span.map(|span| span.file), Some(FileId(1)));
}

#[test]
fn broken_objects_are_left_out_and_remembered() {
    let texts = [
        "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: a, namespace: n}\nspec: {serverss: []}",
        "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: a, namespace: n}\nspec: {servers: [}",
        "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: a, namespace: n}\nspec: {}\nspec: {}",
        "apiVersion: networking.istio.io/v2\nkind: Gateway\nmetadata: {name: a, namespace: n}\nspec: {}",
        "apiVersion: networking.istio.io/v1\nkind: Gatway\nmetadata: {name: a, namespace: n}\nspec: {}",
    ];
    for text in texts {
        let (resources, diagnostics) = parse_one(text);
        assert_eq!((resources.gateways.len(), diagnostics.len()), (0, 1), "{text}");
        assert!(resources.is_broken("Gateway", "n", "a"), "{text}");
        assert!(!resources.is_broken("Gateway", "n", "b"));
    }
}

#[test]
fn ten_mistakes_are_ten_problems() {
    let text = "apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: web
  label: {}
spec:
  host: [a.com]
  gateways: public
  http:
  - match:
    - uri: {prefx: /}
      headers: {x: null}
    route:
    - destination: {host: 5}
      weight: heavy
    timeout: 10
    redirect: {derivePort: FROM_PORT}
    corsPolicy: {allowCredentials: yes}
";
    assert_eq!(
        problems(text),
        [
            "unknown-field VirtualService default/web metadata.label 5",
            "unknown-field VirtualService default/web spec.host 7",
            "wrong-type VirtualService default/web spec.gateways 8",
            "unknown-field VirtualService default/web spec.http[0].match[0].uri.prefx 11",
            "null-value VirtualService default/web spec.http[0].match[0].headers.x 12",
            "wrong-type VirtualService default/web spec.http[0].route[0].destination.host 14",
            "wrong-type VirtualService default/web spec.http[0].route[0].weight 15",
            "bad-duration VirtualService default/web spec.http[0].timeout 16",
            "unknown-value VirtualService default/web spec.http[0].redirect.derivePort 17",
            "wrong-type VirtualService default/web spec.http[0].corsPolicy.allowCredentials 18",
        ]
    );
}

#[test]
fn not_utf8_and_too_large() {
    let (resources, diagnostics) = parse(vec![("a".to_owned(), b"a: b\nc: \xc3\xa9 \xff\xfe".to_vec())]);
    assert_eq!(diagnostics[0].code, "not-utf8");
    assert_eq!(diagnostics[0].span.map(|span| (span.line, span.column)), Some((2, 6)));
    assert_eq!(resources.sources.file(FileId(0)).map(|file| file.text.len()), Some(17));
    let (_, diagnostics) = parse(vec![("a".to_owned(), vec![b'#'; (64 << 20) + 1])]);
    assert_eq!(diagnostics[0].code, "file-too-large");
}

#[test]
fn there_is_an_end_to_problems() {
    let text = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata:\n{}",
        "  k: 1\n".repeat(5_000)
    );
    assert_eq!(parse_one(&text).1.len(), 2_001);
    assert_eq!(parse_one(&"---\n- x\n".repeat(5_000)).1.len(), 2_001);
}

#[test]
fn files_and_directories() {
    let directory = std::env::temp_dir().join(format!("sluicegate-config-{}", std::process::id()));
    std::fs::create_dir_all(directory.join("below.yaml")).unwrap();
    let map = |name: &str| format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n");
    for (file, name) in
        [("b.yaml", "b"), ("a.yml", "a"), ("c.json", "c"), (".hidden.yaml", "d"), ("e.txt", "e")]
    {
        std::fs::write(directory.join(file), map(name)).unwrap();
    }
    let names = |inputs: &[Input]| -> Vec<String> {
        load(inputs).0.config_maps.iter().map(|map| map.meta.name.value.clone()).collect()
    };
    assert_eq!(names(&[Input::Path(directory.clone())]), ["a", "b"]);
    assert_eq!(
        names(&[Input::Path(directory.join("c.json")), Input::Path(directory.join("e.txt"))]),
        ["c", "e"]
    );
    let (_, diagnostics) =
        load(&[Input::Path(directory.join("none.yaml")), Input::Path(directory.join("below.yaml"))]);
    let codes: Vec<_> = diagnostics.iter().map(|diagnostic| diagnostic.code).collect();
    assert_eq!(codes, ["unreadable-file", "no-files"]);
    std::fs::remove_dir_all(&directory).unwrap();
    assert_eq!(Input::from_argument("-".as_ref()), Input::Stdin);
}
