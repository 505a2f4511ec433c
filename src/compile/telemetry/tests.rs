//! `Telemetry` resources: which apply, which is stronger, and what becomes of their rules.

use super::super::testing::*;
use crate::table::{TagSource, Telemetry, TracingBackend};

fn telemetry(metadata: &str, spec: &str) -> String {
    format!(
        "apiVersion: telemetry.istio.io/v1\nkind: Telemetry\nmetadata: {{{metadata}}}\nspec: {spec}\n---\n"
    )
}

fn operator(mesh: &str) -> String {
    format!(
        "apiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\nmetadata: {{name: o, namespace: istio-system}}\nspec: {{meshConfig: {mesh}}}\n---\n"
    )
}

/// The gateway in namespace `edge`; the root namespace is `istio-system`.
fn outcome(yaml: &str) -> Outcome {
    let options = super::super::Options { namespace: Some("edge".to_owned()), ..ingress() };
    compiled_with(&options, &format!("{}{yaml}", http_gateway("name: g, namespace: edge", "'*'")))
}

fn compiled(yaml: &str) -> Telemetry {
    outcome(yaml).0.snapshot.telemetry
}

const PROVIDERS: &str = "extensionProviders: [{name: otel, opentelemetry: {service: ns/c.example, port: 4318, http: {path: v1/traces, timeout: 5s, headers: [{name: X-A, value: b}, {name: x-c, envName: C}]}, resourceDetectors: {environment: {}}}}, {name: zip, zipkin: {service: z, port: 9411, maxTagLength: 10}}, {name: grpc, opentelemetry: {service: c, port: 4317}}, {name: sky, skywalking: {service: s, port: 1}}]";

#[test]
fn nothing_is_said_by_nobody() {
    assert_eq!(compiled(""), Telemetry::default());
    assert_eq!(compiled(&operator(&format!("{{{PROVIDERS}}}"))).tracing, None);
}

#[test]
fn a_workload_is_stronger_than_its_namespace_and_that_than_the_root() {
    let spec = |percent: u32| format!("{{tracing: [{{randomSamplingPercentage: {percent}}}]}}");
    let workload =
        "{selector: {matchLabels: {istio: ingressgateway}}, tracing: [{randomSamplingPercentage: 3}]}";
    let others = "{selector: {matchLabels: {app: web}}, tracing: [{randomSamplingPercentage: 9}]}";
    let percent = |yaml: &[String]| compiled(&yaml.concat()).tracing.and_then(|t| t.sampling_percent);
    let root = telemetry("name: a, namespace: istio-system", &spec(1));
    let namespace = telemetry("name: b, namespace: edge", &spec(2));
    let own = telemetry("name: c, namespace: edge", workload);
    let other = telemetry("name: d, namespace: edge", others);
    let elsewhere = telemetry("name: e, namespace: web", &spec(8));
    let of_root = telemetry("name: f, namespace: istio-system", workload);
    assert_eq!(percent(&[own.clone(), namespace.clone(), root.clone()]), Some(3.0));
    assert_eq!(percent(&[namespace.clone(), root.clone(), other.clone()]), Some(2.0));
    assert_eq!(percent(&[elsewhere.clone(), root.clone()]), Some(1.0));
    assert_eq!(percent(&[elsewhere, other, of_root]), None);
}

#[test]
fn what_does_not_apply_is_said() {
    let said = |yaml: &str| {
        let outcome = outcome(yaml);
        let said = outcome.0.diagnostics.iter().filter(|d| d.code.contains("telemetry"));
        said.map(|d| format!("{:?} {} {}", d.severity, d.code, d.object.as_ref().unwrap().name))
            .collect::<Vec<_>>()
    };
    let selecting = |labels: &str| format!("{{selector: {{matchLabels: {{{labels}}}}}}}");
    let two =
        ["name: b, namespace: edge", "name: a, namespace: edge"].map(|meta| telemetry(meta, "{}")).concat();
    assert_eq!(said(&two), ["Warning second-telemetry b"]);
    let ours = selecting("istio: ingressgateway");
    let both = ["name: a, namespace: edge", "name: b, namespace: edge"].map(|meta| telemetry(meta, &ours));
    assert_eq!(said(&both.concat()), ["Warning second-telemetry b"]);
    let of_root = telemetry("name: r, namespace: istio-system", &ours);
    assert_eq!(said(&of_root), ["Warning telemetry-not-selected r"]);
    assert_eq!(said(&telemetry("name: w, namespace: web", "{}")), ["Note telemetry-not-selected w"]);
    let other = telemetry("name: o, namespace: edge", &selecting("app: web"));
    assert_eq!(said(&other), ["Note telemetry-not-selected o"]);
    let attached = "{targetRefs: [{group: networking.istio.io, kind: Gateway, name: g}]}";
    assert_eq!(said(&telemetry("name: t, namespace: edge", attached)), [""; 0]);
}

#[test]
fn every_field_of_tracing_is_that_of_the_strongest_rule_that_has_it() {
    let yaml = [
        operator(&format!("{{{PROVIDERS}, defaultProviders: {{tracing: [zip]}}}}")),
        telemetry(
            "name: a, namespace: istio-system",
            "{tracing: [{customTags: {a: {literal: {value: x}}, b: {header: {name: X-B, defaultValue: y}}}, randomSamplingPercentage: 5, useRequestIdForTraceSampling: false}]}",
        ),
        telemetry(
            "name: b, namespace: edge",
            "{tracing: [{providers: [{name: OTEL}], disableSpanReporting: true, enableIstioTags: false}, {match: {mode: SERVER}, randomSamplingPercentage: 9}, {match: {mode: CLIENT}, customTags: {c: {environment: {name: C}}, d: {formatter: {value: '%PROTOCOL%'}}}}]}",
        ),
    ]
    .concat();
    let tracing = compiled(&yaml).tracing.unwrap();
    assert!(
        !tracing.reports && !tracing.uses_request_id && !tracing.has_istio_tags && tracing.passes_context_on
    );
    assert_eq!(tracing.sampling_percent, Some(5.0));
    let tags: Vec<_> = tracing.custom_tags.iter().map(|(name, tag)| (&**name, tag.clone())).collect();
    let environment = TagSource::Environment { name: "C".into(), otherwise: "".into() };
    assert_eq!(tags, [("c", environment), ("d", TagSource::Formatter("%PROTOCOL%".into()))]);
    assert_eq!(&*tracing.source.unwrap().object, "Telemetry edge/b");
    let provider = tracing.provider.unwrap();
    assert_eq!((&*provider.name, provider.tag_length_max), ("OTEL", 256));
    let TracingBackend::OpenTelemetry { service, port, http, reads_environment } = provider.backend else {
        panic!("it is OpenTelemetry");
    };
    assert_eq!((&*service, port, reads_environment), ("c.example", 4318, true));
    let http = http.unwrap();
    assert_eq!(
        (&*http.path, http.timeout.map(|t| t.as_secs()), http.headers.len()),
        ("/v1/traces", Some(5), 2)
    );
}

#[test]
fn who_gets_spans() {
    let backend = |name: &str| {
        let rule = telemetry(
            "name: a, namespace: edge",
            &format!("{{tracing: [{{providers: [{{name: {name}}}]}}]}}"),
        );
        let outcome = outcome(&format!("{}{rule}", operator(&format!("{{{PROVIDERS}}}"))));
        let warned = outcome.0.diagnostics.iter().any(|d| d.code == "unknown-provider");
        (outcome.0.snapshot.telemetry.tracing.unwrap().provider.map(|p| p.backend), warned)
    };
    assert!(matches!(backend("zip"), (Some(TracingBackend::Zipkin { port: 9411, .. }), false)));
    assert!(matches!(backend("grpc"), (Some(TracingBackend::OpenTelemetry { http: None, .. }), false)));
    for nobody in ["sky", "nobody", "envoy", "prometheus"] {
        assert_eq!(backend(nobody), (None, true), "{nobody}");
    }
}

#[test]
fn changes_of_metrics() {
    let changes = |rules: &str| {
        compiled(&telemetry("name: a, namespace: edge", &format!("{{metrics: [{rules}]}}"))).metrics
    };
    let off = "{overrides: [{match: {metric: ALL_METRICS}, disabled: true}]}";
    assert!(changes(off).is_off);
    let back =
        changes(&format!("{off}, {{overrides: [{{match: {{metric: REQUEST_COUNT}}, disabled: false}}]}}"));
    assert!(!back.is_off && back.changes.len() == 1 && !back.changes[0].is_disabled);
    let all = changes("{overrides: [{disabled: true}]}");
    assert!(all.changes.len() == 10 && all.changes.iter().all(|change| change.is_disabled));
    let some = changes(
        "{providers: [{name: prometheus}], reportingInterval: 3s, overrides: [{match: {metric: REQUEST_COUNT}, tagOverrides: {a: {operation: REMOVE}, b: {value: 'request.host'}}}, {match: {metric: REQUEST_COUNT, mode: CLIENT}, tagOverrides: {b: {operation: REMOVE}}}, {match: {metric: REQUEST_SIZE, mode: SERVER}, disabled: true}]}",
    );
    assert_eq!(some.reporting_interval.map(|interval| interval.as_secs()), Some(3));
    let [count] = some.changes.as_slice() else { panic!("{some:?}") };
    assert_eq!(&*count.metric, "REQUEST_COUNT");
    let labels: Vec<_> = count.labels.iter().map(|label| (&*label.name, label.value.as_deref())).collect();
    assert_eq!(labels, [("a", None), ("b", None)]);
    assert!(changes("{providers: [{name: stackdriver}], overrides: [{disabled: true}]}").changes.is_empty());
}

fn logs(yaml: &str) -> Option<Vec<String>> {
    let logs = compiled(yaml).access_log.logs?;
    let text = |log: &crate::table::FileLog| {
        let condition = log.condition.as_ref().map_or(String::new(), |c| format!(" where {}", c.text()));
        format!("{} as {}{condition}", log.target, log.format.name())
    };
    Some(logs.iter().map(text).collect())
}

fn logging(metadata: &str, rules: &str) -> String {
    telemetry(metadata, &format!("{{accessLogging: [{rules}]}}"))
}

const FILES: &str = "extensionProviders: [{name: f, envoyFileAccessLog: {path: /f, logFormat: {text: '%PROTOCOL%'}}}, {name: j, envoyFileAccessLog: {logFormat: {labels: {a: '%PROTOCOL%', b: {c: 1}}}, omitEmptyValues: true}}, {name: als, envoyHttpAls: {}}]";

#[test]
fn the_mesh_says_where_logs_go_unless_a_telemetry_does() {
    assert_eq!(logs(""), None);
    assert_eq!(logs(&operator("{accessLogFile: /a}")), Some(vec!["/a as istio".into()]));
    assert_eq!(logs(&operator("{accessLogFile: ''}")), Some(vec!["off as istio".into()]));
    let json = operator("{accessLogFile: 'syslog:', accessLogEncoding: JSON}");
    assert_eq!(logs(&json), Some(vec!["syslog at /dev/log as json".into()]));
    let own = operator(
        "{accessLogFile: /dev/stdout, accessLogEncoding: JSON, accessLogFormat: '{\"z\": \"%PROTOCOL%\", \"a\": 1}'}",
    );
    let own_json = "JSON {\"z\":\"%PROTOCOL%\",\"a\":1}";
    assert_eq!(logs(&own), Some(vec![format!("standard output as {own_json}")]));
    let envoy = logging("name: a, namespace: edge", "{providers: [{name: envoy}]}");
    assert_eq!(logs(&format!("{own}{envoy}")), Some(vec![format!("standard output as {own_json}")]));
    assert_eq!(logs(&envoy), Some(vec!["standard output as istio".into()]));
    let defaults =
        operator(&format!("{{accessLogFile: /a, {FILES}, defaultProviders: {{accessLogging: [f]}}}}"));
    assert_eq!(logs(&defaults), Some(vec!["/f as %PROTOCOL%".into()]));
    let labels = operator(&format!("{{{FILES}, defaultProviders: {{accessLogging: [J]}}}}"));
    let object = "JSON {\"a\":\"%PROTOCOL%\",\"b\":{\"c\":1}} (without empty values)";
    assert_eq!(logs(&labels), Some(vec![format!("standard output as {object}")]));
}

#[test]
fn stronger_rules_replace_providers_and_switch_them_off() {
    let mesh = operator(&format!("{{accessLogFile: /a, {FILES}}}"));
    let root = "name: r, namespace: istio-system";
    let namespace = "name: n, namespace: edge";
    let both = |weak: &str, strong: &str| {
        logs(&format!("{mesh}{}{}", logging(root, weak), logging(namespace, strong))).unwrap()
    };
    let (envoy, f) = ("standard output as istio", "/f as %PROTOCOL%");
    assert_eq!(both("{providers: [{name: envoy}]}", "{disabled: true}"), [""; 0]);
    assert_eq!(both("{providers: [{name: envoy}]}", "{providers: [{name: f}]}"), [f]);
    assert_eq!(both("{providers: [{name: envoy}, {name: f}]}", "{disabled: false}"), [envoy, f]);
    assert_eq!(both("{providers: [{name: envoy}], disabled: true}", "{providers: [{name: envoy}]}"), [envoy]);
    assert_eq!(
        both(
            "{providers: [{name: envoy}, {name: f}]}",
            "{providers: [{name: envoy}]}, {providers: [{name: f}], disabled: true}"
        ),
        [envoy]
    );
    // For a sidecar's other direction only.
    assert_eq!(both("{providers: [{name: envoy}]}", "{match: {mode: SERVER}, disabled: true}"), [envoy]);
    assert_eq!(
        both("{providers: [{name: envoy}]}", "{match: {mode: SERVER}, providers: [{name: f}]}"),
        [envoy]
    );
    assert_eq!(both("{providers: [{name: envoy}]}", "{match: {mode: CLIENT}, disabled: true}"), [""; 0]);
    let filter = "filter: {expression: response.code >= 400}";
    assert_eq!(
        both("{providers: [{name: envoy}]}", &format!("{{providers: [{{name: envoy}}], {filter}}}")),
        [format!("{envoy} where response.code >= 400")]
    );
    // A rule without providers changes none of their filters, as in istiod.
    assert_eq!(both("{providers: [{name: envoy}]}", &format!("{{{filter}}}")), [envoy]);
}

#[test]
fn what_is_wrong_with_logs_is_said() {
    let said = |yaml: &str| {
        let outcome = outcome(yaml);
        let found = outcome.0.diagnostics.iter().filter(|d| !d.code.contains("not-supported-yet"));
        found.map(|d| format!("{:?} {} {}", d.severity, d.code, d.field)).collect::<Vec<_>>()
    };
    let of_mesh = |fields: &str| said(&operator(&format!("{{{fields}}}")));
    assert_eq!(
        of_mesh("accessLogFormat: '%NOPE%'"),
        ["Error bad-log-format spec.meshConfig.accessLogFormat"]
    );
    assert_eq!(
        of_mesh("accessLogEncoding: JSON, accessLogFormat: '[1]'"),
        ["Error bad-log-format spec.meshConfig.accessLogFormat"]
    );
    assert_eq!(of_mesh("accessLogFile: 'unix:'"), ["Error bad-log-target spec.meshConfig.accessLogFile"]);
    let mesh = operator(&format!("{{{FILES}}}"));
    let als = "Warning provider-not-supported spec.meshConfig.extensionProviders[2].envoyHttpAls";
    let rule = |rule: &str| said(&format!("{mesh}{}", logging("name: n, namespace: edge", rule)));
    let unknown = "Warning unknown-provider spec.accessLogging[0]";
    assert_eq!(rule("{providers: [{name: als}]}"), [als, unknown]);
    assert_eq!(rule("{providers: [{name: nobody}]}"), [als, unknown]);
    assert_eq!(
        rule("{providers: [{name: envoy}], filter: {expression: request.path.matches('a')}}"),
        [als, "Warning unsupported-expression spec.accessLogging[0].filter.expression"]
    );
}

#[test]
fn a_virtual_service_says_which_lines_it_has() {
    let choice = |annotation: &str| {
        let meta =
            format!("name: v, namespace: edge, annotations: {{sluicegate.io/access-log: '{annotation}'}}");
        let direct = |name: &str, path: &str| {
            format!("{{name: {name}, match: [{{uri: {{prefix: {path}}}}}], directResponse: {{status: 200}}}}")
        };
        let http = format!("{}, {}", direct("a", "/a"), direct("b", "/b"));
        let outcome = outcome(&rules(&meta, "'*'", "g", &http));
        let errors = outcome.0.has_errors();
        let tables = &outcome.0.snapshot.route_tables;
        let routes = tables.iter().flat_map(|table| &table.virtual_hosts).flat_map(|host| &host.routes);
        (routes.map(|route| route.log.to_string()).collect::<Vec<_>>(), errors)
    };
    assert_eq!(choice("off"), (vec!["off".into(), "off".into()], false));
    assert_eq!(choice("sample 2.5%"), (vec!["sample 2.5%".into(), "sample 2.5%".into()], false));
    assert_eq!(choice("[errors, {route: b, lines: off}]"), (vec!["errors".into(), "off".into()], false));
    assert!(choice("sometimes").1);
    assert!(choice("{route: b}").1);
}
