//! Traces: contexts on their way to origins, and spans at a collector that parses them with the types of OpenTelemetry.

use super::{
    client::Client,
    harness::{Ended, Gateway, Launch, PATIENCE, routed},
    origin::{Origin, dead_port},
    python,
};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
};

/// The types of OTLP, as OpenTelemetry ships them.
const PACKAGES: &[&str] = &["opentelemetry-proto==1.45.2"];

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

/// A collector: the program in `tests/tracing/`.
struct Collector {
    child: Child,
    port: u16,
    said: Receiver<String>,
}

impl Collector {
    /// Nothing where there is no Python with the types; that has been said.
    fn start() -> Option<Collector> {
        let python = python::with_packages("tracing", PACKAGES)?;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tracing/collector.py");
        let mut command = Command::new(python);
        command.arg(script).env("PYTHONDONTWRITEBYTECODE", "1");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let out = child.stdout.take().unwrap();
        let (sender, said) = channel();
        thread::spawn(move || {
            BufReader::new(out).lines().map_while(Result::ok).try_for_each(|l| sender.send(l))
        });
        let port = said.recv_timeout(PATIENCE).unwrap().parse().unwrap();
        Some(Collector { child, port, said })
    }

    /// The arguments that send every trace there, to this path.
    fn arguments(&self, path: &str) -> [String; 4] {
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        ["--tracing-endpoint".into(), url, "--tracing-sample".into(), "100%".into()]
    }

    /// The next request that it got.
    fn request(&self) -> Value {
        let said = self.said.recv_timeout(PATIENCE).expect("an export");
        let said: Value = serde_json::from_str(&said).unwrap();
        assert!(said["broken"].is_null(), "{said}");
        said
    }

    /// So many spans, from as many requests as it takes.
    fn spans(&self, count: usize) -> Vec<Value> {
        let mut spans = Vec::new();
        while spans.len() < count {
            spans.extend(self.request()["spans"].as_array().unwrap().iter().cloned());
        }
        assert_eq!(spans.len(), count, "{spans:#?}");
        spans
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn launch(yaml: &str, arguments: &[String]) -> Gateway {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    Gateway::launch(Launch { declared: &[80], yaml, arguments: &arguments, ..Launch::default() })
}

/// The only span of this kind: 2 is a server's, 3 a client's.
fn only(spans: &[Value], kind: u64) -> &Value {
    let mut of_kind = spans.iter().filter(|span| span["kind"] == kind);
    let only = of_kind.next().expect("a span of this kind");
    assert!(of_kind.next().is_none());
    only
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_else(|| panic!("{key} in {value:#}"))
}

const ROUTE: &str = "  - route: [{destination: {host: a.test}}]";

/// The ids of a `traceparent`, and its flags.
fn parts(traceparent: &str) -> (String, String, String) {
    let parts: Vec<&str> = traceparent.split('-').collect();
    assert_eq!((parts.len(), parts[0]), (4, "00"), "{traceparent}");
    (parts[1].into(), parts[2].into(), parts[3].into())
}

#[test]
fn without_tracing_contexts_pass_as_they_are() {
    let origin = Origin::echo();
    let gateway = Gateway::start(&[80], &routed(ROUTE, &[origin.port()]));
    let broken = "00-not-a-context-01";
    let fields = [("traceparent", broken), ("tracestate", "A=1"), ("b3", "1"), ("x-client-trace-id", "7")];
    let answer = gateway.request(80, "GET", "a.test", "/", &fields);
    for (name, value) in fields {
        assert_eq!(answer.echoed(name), Some(value));
    }
    assert_eq!(&answer.echoed("x-request-id").unwrap()[14..15], "4");
    gateway.stop();
}

#[test]
fn a_request_has_a_span_for_each_side() {
    let Some(collector) = Collector::start() else { return };
    let origin = Origin::echo();
    let gateway = launch(&routed(ROUTE, &[origin.port()]), &collector.arguments(""));
    let incoming = format!("00-{TRACE}-{SPAN}-01");
    let fields =
        [("traceparent", &*incoming), ("tracestate", "a=1"), ("tracestate", "b=2"), ("user-agent", "test")];
    let answer = gateway.request(80, "GET", "shop.example:8080", "/a/b?c=d", &fields);
    let (trace, told, flags) = parts(answer.echoed("traceparent").unwrap());
    assert_eq!((&*trace, &*flags), (TRACE, "01"));

    let export = collector.request();
    assert_eq!((text(&export, "path"), text(&export, "scope")), ("/v1/traces", "sluicegate"));
    assert_eq!(text(&export["resource"], "service.name"), "istio-proxy.default");
    let spans = export["spans"].as_array().unwrap();
    let (server, client) = (only(spans, 2), only(spans, 3));
    assert_eq!(
        (text(server, "trace"), text(server, "parent"), text(server, "state")),
        (TRACE, SPAN, "a=1,b=2")
    );
    assert_eq!((text(client, "trace"), text(client, "parent")), (TRACE, text(server, "id")));
    assert_eq!(text(client, "id"), told, "the origin's parent is the span of its attempt");
    assert_ne!(text(server, "id"), SPAN);
    assert_eq!((server["flags"].as_u64(), client["flags"].as_u64()), (Some(0x301), Some(0x101)));
    assert!(
        server["start"].as_u64() <= client["start"].as_u64()
            && client["end"].as_u64() <= server["end"].as_u64()
    );
    assert_eq!(text(server, "name"), "a.test:80/*");
    assert_eq!(text(client, "name"), "router outbound|80||a.test egress");
    let said = &server["attributes"];
    for (name, value) in [
        ("http.request.method", "GET"),
        ("url.scheme", "http"),
        ("url.path", "/a/b"),
        ("url.query", "c=d"),
        ("server.address", "shop.example"),
        ("client.address", "127.0.0.1"),
        ("network.peer.address", "127.0.0.1"),
        ("network.protocol.version", "1.1"),
        ("user_agent.original", "test"),
        ("upstream_cluster", "outbound|80||a.test"),
        ("response_flags", "-"),
        ("response_code_details", "via_upstream"),
        ("istio.namespace", "default"),
    ] {
        assert_eq!(text(said, name), value, "{name}");
    }
    assert_eq!(text(said, "guid:x-request-id"), answer.echoed("x-request-id").unwrap());
    assert_eq!(&text(said, "guid:x-request-id")[14..15], "9");
    assert_eq!(
        (said["http.response.status_code"].as_u64(), said["server.port"].as_u64()),
        (Some(200), Some(8080))
    );
    assert_eq!(said["http.response.body.size"].as_u64(), Some(answer.body.len() as u64));
    let said = &client["attributes"];
    assert_eq!(text(said, "upstream_address"), format!("127.0.0.1:{}", origin.port()));
    assert_eq!(said["server.port"].as_u64(), Some(u64::from(origin.port())));
    assert_eq!(text(said, "url.full"), "http://shop.example:8080/a/b?c=d");
    assert!(
        [server, client].iter().all(|span| span["error"] == false && span["events"] == Value::Array(vec![]))
    );
    gateway.stop();
}

#[test]
fn what_others_decided_holds_and_b3_goes_on_in_its_own_form() {
    let Some(collector) = Collector::start() else { return };
    let origin = Origin::echo();
    let gateway = launch(&routed(ROUTE, &[origin.port()]), &collector.arguments(""));
    let denied = format!("00-{TRACE}-{SPAN}-00");
    let answer = gateway.request(80, "GET", "a.test", "/", &[("traceparent", &denied)]);
    let (trace, told, flags) = parts(answer.echoed("traceparent").unwrap());
    assert_eq!((&*trace, &*flags), (TRACE, "00"));
    assert_ne!(told, SPAN);
    assert_eq!(&answer.echoed("x-request-id").unwrap()[14..15], "4");

    let b3 = format!("{TRACE}-{SPAN}-1");
    let answer = gateway.request(80, "GET", "a.test", "/", &[("b3", &b3)]);
    let spans = collector.spans(2);
    let (server, client) = (only(&spans, 2), only(&spans, 3));
    assert_eq!((text(server, "trace"), text(server, "parent")), (TRACE, SPAN));
    let told = format!("{TRACE}-{}-1-{}", text(client, "id"), text(server, "id"));
    assert_eq!(answer.echoed("b3"), Some(&*told));
    assert_eq!(answer.echoed("traceparent"), Some(&*format!("00-{TRACE}-{}-01", text(client, "id"))));

    // What is no context begins another trace, without the state that came with it.
    let fields = [("traceparent", "00-0-0-01"), ("tracestate", "a=1")];
    let answer = gateway.request(80, "GET", "a.test", "/", &fields);
    let (trace, ..) = parts(answer.echoed("traceparent").unwrap());
    let spans = collector.spans(2);
    assert_eq!((text(only(&spans, 2), "trace"), text(only(&spans, 2), "parent")), (&*trace, ""));
    assert_eq!(answer.echoed("tracestate"), None);
    assert_eq!(gateway.metric("envoy_http_tracing_not_traceable"), 1.0);
    gateway.stop();
}

#[test]
fn retries_and_answers_of_the_gateways_own_are_told() {
    let Some(collector) = Collector::start() else { return };
    let origin = Origin::scripted(vec![Some(b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n".to_vec())]);
    let route = "  - match: [{uri: {prefix: /busy}}]\n    retries: {attempts: 1, retryOn: 5xx}\n    route: [{destination: {host: a.test}}]\n  \
                 - match: [{uri: {exact: /gone}}]\n    retries: {attempts: 0}\n    route: [{destination: {host: b.test}}]\n  \
                 - match: [{uri: {exact: /direct}}]\n    directResponse: {status: 418}\n";
    let gateway = launch(&routed(route, &[origin.port(), dead_port()]), &collector.arguments(""));
    assert_eq!(gateway.get(80, "a.test", "/busy").status, 503);
    let spans = collector.spans(3);
    let server = only(&spans, 2);
    assert_eq!((text(server, "name"), server["error"] == true), ("a.test:80/busy*", true));
    assert_eq!(text(&server["attributes"], "response_flags"), "URX");
    assert_eq!(text(&server["attributes"], "error.type"), "503");
    let retry = &server["events"][0];
    assert_eq!((text(retry, "name"), text(retry, "reason")), ("retry", "503"));
    let clients: Vec<_> = spans.iter().filter(|span| span["kind"] == 3).collect();
    let resent: Vec<_> =
        clients.iter().map(|span| span["attributes"]["http.request.resend_count"].as_u64()).collect();
    assert_eq!(resent, [None, Some(1)]);
    let sent: Vec<_> = (0..2).map(|_| parts(origin.request().field("traceparent").unwrap()).1).collect();
    assert_eq!(sent, clients.iter().map(|span| text(span, "id")).collect::<Vec<_>>());

    assert_eq!(gateway.get(80, "a.test", "/gone").status, 503);
    let spans = collector.spans(2);
    let details = "upstream_reset_before_response_started{connection_failure}";
    let client = only(&spans, 3);
    assert_eq!((client["error"] == true, text(&client["attributes"], "error.type")), (true, details));
    assert!(text(client, "message").contains("refused"), "{client:#}");
    let event = &only(&spans, 2)["events"][0];
    assert_eq!((text(event, "name"), text(event, "response_code_details")), ("local_reply", details));

    assert_eq!(gateway.get(80, "a.test", "/direct").status, 418);
    let spans = collector.spans(1);
    assert_eq!(
        (text(&spans[0], "name"), spans[0]["error"] == true),
        (&*format!("vs:{}/direct", gateway.port(80)), false)
    );
    assert_eq!(gateway.get(80, "a.test", "/other").status, 404);
    let spans = collector.spans(1);
    assert_eq!(text(&spans[0], "name"), "GET");
    assert_eq!(text(&spans[0]["attributes"], "response_flags"), "NR");
    gateway.stop();
}

/// An IstioOperator with this `meshConfig`, six spaces deep, and a Telemetry with these rules of tracing.
fn configured(mesh: &str, tracing: &str) -> String {
    format!(
        "---\napiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\nmetadata: {{name: io, namespace: istio-system}}\n\
         spec:\n  meshConfig:\n{mesh}\n---\napiVersion: telemetry.istio.io/v1\nkind: Telemetry\nmetadata: {{name: t, namespace: istio-system}}\n\
         spec:\n  tracing:\n{tracing}\n"
    )
}

#[test]
fn telemetry_and_a_provider_say_who_gets_what() {
    let Some(collector) = Collector::start() else { return };
    let origin = Origin::echo();
    let mut yaml = routed(ROUTE, &[origin.port(), collector.port]);
    let mesh = "    extensionProviders:\n    - name: otel\n      opentelemetry:\n        service: b.test\n        port: 80\n        \
                resourceDetectors: {environment: {}}\n        http:\n          path: /v1/traces\n          timeout: 5s\n          headers:\n          \
                - {name: x-fixed, value: one}\n          - {name: Authorization, envName: SECRET}";
    let tracing = "  - providers: [{name: otel}]\n    randomSamplingPercentage: 100\n    enableIstioTags: false\n    customTags:\n      \
                   env: {literal: {value: prod}}\n      zone: {environment: {name: ZONE, defaultValue: none}}\n      \
                   gone: {environment: {name: NOT_THERE, defaultValue: none}}\n      user: {header: {name: X-User, defaultValue: nobody}}\n      \
                   absent: {header: {name: x-absent}}\n      line: {formatter: {value: '%PROTOCOL% %RESPONSE_CODE%'}}";
    yaml.push_str(&configured(mesh, tracing));
    let variables = [
        ("SECRET", "Bearer s3cret"),
        ("ZONE", "z1"),
        ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test%20run,team=a"),
    ];
    let labels = ["--labels", "app=edge,version=v3", "--namespace", "ingress"];
    let gateway = Gateway::launch(Launch {
        declared: &[80],
        yaml: &yaml,
        arguments: &labels,
        variables: &variables,
        ..Launch::default()
    });
    assert_eq!(gateway.request(80, "GET", "a.test", "/", &[("x-user", "ann")]).status, 200);
    let export = collector.request();
    let fields = &export["fields"];
    assert_eq!((text(fields, "x-fixed"), text(fields, "authorization")), ("one", "Bearer s3cret"));
    assert_eq!(text(fields, "host"), "b.test:80");
    let resource = &export["resource"];
    assert_eq!(text(resource, "service.name"), "edge.ingress");
    assert_eq!((text(resource, "deployment.environment"), text(resource, "team")), ("test run", "a"));
    for span in export["spans"].as_array().unwrap() {
        let said = &span["attributes"];
        let tags = ["env", "zone", "gone", "user", "line"].map(|name| text(said, name));
        assert_eq!(tags, ["prod", "z1", "none", "ann", "HTTP/1.1 200"]);
        assert!(said["absent"].is_null() && said["istio.namespace"].is_null());
    }
    let dump = gateway.admin_page("/config_dump");
    assert!(!dump.text().contains("s3cret"), "secrets are for the collector alone");
    gateway.stop();
}

#[test]
fn the_share_of_requests_that_are_recorded_is_as_configured() {
    const REQUESTS: usize = 10_000;
    const SHARE: u32 = 1_000;
    let Some(collector) = Collector::start() else { return };
    let origin = Origin::echo();
    let mut arguments = collector.arguments("");
    arguments[3] = "10%".into();
    let gateway = launch(&routed(ROUTE, &[origin.port()]), &arguments);
    let mut client = gateway.connect(80);
    let (mut recorded, mut sampled) = (Vec::new(), 0);
    for _ in 0..REQUESTS / 50 {
        client.send("GET / HTTP/1.1\r\nhost: a.test\r\n\r\n".repeat(50).as_bytes());
        for _ in 0..50 {
            let answer = client.answer("GET");
            let (trace, _, flags) = parts(answer.echoed("traceparent").unwrap());
            let id = answer.echoed("x-request-id").unwrap();
            let is_chosen = u32::from_str_radix(&id[..8], 16).unwrap() % 10_000 < SHARE;
            assert_eq!((&*flags == "01", &id[14..15] == "9"), (is_chosen, is_chosen), "{id}");
            sampled += usize::from(is_chosen);
            if is_chosen {
                recorded.push(trace);
            }
        }
    }
    // Six standard errors: what fails once in ten thousand years of CI. Three are what one run is to be within.
    let (mean, error) = (REQUESTS as f64 * 0.1, (REQUESTS as f64 * 0.1 * 0.9).sqrt());
    assert!((sampled as f64 - mean).abs() < 6.0 * error, "{sampled}");
    let mut exported: Vec<_> = collector
        .spans(2 * sampled)
        .iter()
        .filter(|span| span["kind"] == 2)
        .map(|span| text(span, "trace").to_owned())
        .collect();
    exported.sort();
    recorded.sort();
    assert_eq!(exported, recorded);
    println!("{sampled} of {REQUESTS} at 10 %: {:.2} standard errors", (sampled as f64 - mean) / error);
    gateway.stop();
}

#[test]
fn a_collector_that_wants_time_gets_it_and_one_that_refuses_is_left_alone() {
    let Some(collector) = Collector::start() else { return };
    let origin = Origin::echo();
    let of = |path: &str| launch(&routed(ROUTE, &[origin.port()]), &collector.arguments(path));
    let later = of("/later");
    let limited = of("/limited");
    let refusing = of("/refuse");
    let partial = of("/partial");
    for gateway in [&later, &limited, &refusing, &partial] {
        assert_eq!(gateway.get(80, "a.test", "/").status, 200);
    }
    refusing.said("spans can't be sent");
    refusing.until("two are lost", || refusing.metric("sluicegate_tracing_spans_failed_total") == 2.0);
    partial.said("one is enough");
    partial.until("one is lost", || partial.metric("sluicegate_tracing_spans_failed_total") == 1.0);
    assert_eq!(partial.metric("sluicegate_tracing_spans_exported_total"), 1.0);
    later.said("spans can be sent again");
    limited.said("spans can be sent again");
    for gateway in [&later, &limited] {
        assert_eq!(gateway.metric("sluicegate_tracing_spans_exported_total"), 2.0);
        assert_eq!(gateway.metric("sluicegate_tracing_spans_failed_total"), 0.0);
    }
    [later, limited, refusing, partial].into_iter().for_each(|gateway| drop(gateway.stop()));
}

#[test]
fn traffic_does_not_notice_a_collector_that_is_gone_or_silent() {
    let origin = Origin::echo();
    let collector = Collector::start();
    let silent = collector.as_ref().map(|collector| collector.arguments("/silent"));
    let gone = [
        "--tracing-endpoint".into(),
        format!("http://127.0.0.1:{}", dead_port()),
        "--tracing-sample".into(),
        "100".into(),
    ];
    for arguments in silent.into_iter().chain([gone]) {
        let gateway = launch(&routed(ROUTE, &[origin.port()]), &arguments);
        let mut client = gateway.connect(80);
        // More spans than the queue has room for: some 3 KiB for each pair with such a path.
        let path = "x".repeat(200);
        for _ in 0..120 {
            client.send(
                format!("GET /{path} HTTP/1.1\r\nhost: a.test\r\nuser-agent: {}\r\n\r\n", "y".repeat(1_000))
                    .repeat(50)
                    .as_bytes(),
            );
            for _ in 0..50 {
                assert_eq!(client.answer("GET").status, 200);
            }
        }
        gateway.until("all are counted", || gateway.metric("sluicegate_tracing_spans_total") == 12_000.0);
        let lost = ["dropped", "overflow"].map(|how| format!("sluicegate_tracing_spans_{how}_total"));
        gateway.until("some are lost", || lost.iter().any(|name| gateway.metric(name) > 0.0));
        assert!(gateway.metric("sluicegate_tracing_waiting_bytes") <= (8 << 20) as f64);
        let Ended { code, said, .. } = {
            gateway.signal("TERM");
            gateway.end()
        };
        assert_eq!(code, Some(0), "{said}");
    }
}

#[test]
fn http2_has_spans_too_and_the_last_of_them_come_before_the_end() {
    let Some(collector) = Collector::start() else { return };
    let origin = Origin::echo();
    let gateway = launch(&routed(ROUTE, &[origin.port()]), &collector.arguments(""));
    let mut client: Client = gateway.connect(80);
    // Preface, SETTINGS, and a request with the static table's fields: GET, /, http, and a host.
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    let block = b"\x82\x84\x86\x41\x06a.test";
    bytes.extend_from_slice(&[0, 0, block.len() as u8, 1, 5, 0, 0, 0, 1]);
    bytes.extend_from_slice(block);
    client.send(&bytes);
    origin.request();
    gateway.until("it is over", || gateway.metric("envoy_http_downstream_rq_active") == 0.0);
    // At once, without the time that spans wait for others.
    gateway.stop();
    let spans = collector.spans(2);
    assert_eq!(text(&only(&spans, 2)["attributes"], "network.protocol.version"), "2");
}

#[test]
fn what_can_not_be_done_is_said() {
    let check = |mesh: &str, tracing: &str| {
        let folder = super::harness::Folder::new();
        let path = folder.put("c.yaml", &configured(mesh, tracing));
        let (code, out, err) =
            super::harness::run(&["check", path.to_str().unwrap(), "--namespace", "istio-system"]);
        assert_eq!(code, Some(0), "{out}{err}");
        out + &err
    };
    let rule = "  - providers: [{name: p}]";
    let grpc = check(
        "    extensionProviders:\n    - name: p\n      opentelemetry: {service: c.test, port: 4317}",
        rule,
    );
    assert!(grpc.contains("has no `http`, and OTLP by gRPC is not spoken"), "{grpc}");
    let zipkin =
        check("    extensionProviders:\n    - name: p\n      zipkin: {service: z.test, port: 9411}", rule);
    assert!(zipkin.contains("is Zipkin's, and spans go by OTLP"), "{zipkin}");
    let unknown = check(
        "    extensionProviders:\n    - name: p\n      opentelemetry: {service: c.test, port: 4318, http: {path: /v1/traces}}",
        rule,
    );
    assert!(unknown.contains("no service in the files has the host `c.test`"), "{unknown}");
    let nobody = check("    enableTracing: true", "  - match: {mode: SERVER}");
    assert!(nobody.contains("no spans are made: nobody who could get them is named"), "{nobody}");
}
