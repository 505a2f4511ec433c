//! The metrics: Istio's, Envoy's and the gateway's own, and what Prometheus makes of them.

use super::{
    client::Client,
    harness::{Gateway, PATIENCE, routed},
    origin::{Origin, dead_port},
    tcp::{Raw, dial, rest, take, tcp},
    tools::{has_for, run, run_within},
};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write,
    net::Shutdown,
    process::{Child, Command, Stdio},
};

/// One line of the page.
struct Sample {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

/// All samples of a page. No value of a label in these tests has a quote in it.
fn samples(page: &str) -> Vec<Sample> {
    let sample = |line: &str| {
        let (name, value) = line.rsplit_once(' ').unwrap();
        let (name, labels) = name.split_once('{').unwrap_or((name, "}"));
        let labels = labels.strip_suffix('}').unwrap();
        let label = |pair: &str| {
            let (name, value) = pair.split_once("=\"").unwrap();
            (name.to_owned(), value.trim_end_matches('"').to_owned())
        };
        let labels = labels.split("\",").filter(|pair| !pair.is_empty()).map(label).collect();
        Sample { name: name.to_owned(), labels, value: value.parse().unwrap() }
    };
    page.lines().filter(|line| !line.starts_with('#')).map(sample).collect()
}

/// The sum of the samples of this name that have these labels; nothing where there is none.
fn find(gateway: &Gateway, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let page = gateway.status_page("/stats/prometheus");
    let has = |sample: &Sample| {
        let has = |(name, value): &(&str, &str)| sample.labels.get(*name).is_some_and(|v| v == value);
        sample.name == name && labels.iter().all(has)
    };
    let found: Vec<f64> = samples(page.text()).iter().filter(|s| has(s)).map(|s| s.value).collect();
    (!found.is_empty()).then(|| found.iter().sum())
}

fn telemetry(metrics: &str) -> String {
    format!(
        "---\napiVersion: telemetry.istio.io/v1\nkind: Telemetry\nmetadata: {{name: t}}\nspec:\n  metrics:\n{metrics}"
    )
}

const ROUTES: &str = "  - name: dead\n    match: [{uri: {prefix: /dead}}]\n    route: [{destination: {host: b.test}}]\n  \
                      - match: [{uri: {prefix: /old}}]\n    redirect: {uri: /new}\n  \
                      - match: [{uri: {prefix: /a}}]\n    route: [{destination: {host: a.test}}]\n";

/// A gateway in front of one origin that answers and one that is not there, which has been asked for some things.
fn asked(extra: &str, arguments: &[&str]) -> (Gateway, Origin) {
    let origin = Origin::echo();
    let yaml = routed(ROUTES, &[origin.port(), dead_port()]) + extra;
    let gateway = Gateway::start_with(&[80], &yaml, arguments);
    for _ in 0..3 {
        assert_eq!(gateway.get(80, "web.test", "/a").status, 200);
    }
    assert_eq!(gateway.get(80, "web.test", "/old").status, 301);
    assert_eq!(gateway.get(80, "web.test", "/dead").status, 503);
    assert_eq!(gateway.get(80, "web.test", "/nowhere").status, 404);
    let call = [("content-type", "application/grpc")];
    assert_eq!(gateway.request(80, "POST", "web.test", "/x.y/z", &call).status, 200);
    // An answer is counted when it is sent, which its client may know first.
    gateway.until("all are counted", || gateway.metric("envoy_http_downstream_rq_time_count") >= 7.0);
    (gateway, origin)
}

#[test]
fn requests_have_istios_labels() {
    let (gateway, _origin) = asked("", &["--labels", "app=edge,version=v7", "--namespace", "ops"]);
    let counted = |labels: &[(&str, &str)]| find(&gateway, "istio_requests_total", labels);
    let source = [
        ("reporter", "source"),
        ("source_workload", "edge"),
        ("source_workload_namespace", "ops"),
        ("source_canonical_service", "edge"),
        ("source_canonical_revision", "v7"),
        ("source_app", "edge"),
        ("source_version", "v7"),
        ("source_principal", "unknown"),
        ("connection_security_policy", "unknown"),
        ("destination_workload", "unknown"),
    ];
    assert_eq!(counted(&source), Some(7.0));
    let to_a = [
        ("destination_service", "a.test"),
        ("destination_service_name", "a.test"),
        ("destination_service_namespace", "default"),
        ("request_protocol", "http"),
        ("response_code", "200"),
        ("response_flags", "-"),
        ("grpc_response_status", ""),
    ];
    assert_eq!(counted(&to_a), Some(3.0));
    assert_eq!(counted(&[("destination_service", "b.test"), ("response_code", "503")]), Some(1.0));
    assert_eq!(counted(&[("destination_service", "unknown"), ("response_flags", "NR")]), Some(2.0));
    // A call for which there is no route, which its client learns in its own words.
    assert_eq!(counted(&[("request_protocol", "grpc"), ("grpc_response_status", "12")]), Some(1.0));
    let bucket = |bound: &str| {
        let labels = [("destination_service", "a.test"), ("le", bound)];
        find(&gateway, "istio_request_duration_milliseconds_bucket", &labels).unwrap()
    };
    assert!(bucket("0.5") <= bucket("1000") && bucket("3600000") == 3.0 && bucket("+Inf") == 3.0);
    assert_eq!(find(&gateway, "istio_request_duration_seconds_count", &[]), None);
    let sum = find(&gateway, "istio_response_bytes_sum", &[("destination_service", "a.test")]).unwrap();
    assert!(sum > 100.0, "{sum}");
    assert_eq!(find(&gateway, "istio_request_bytes_bucket", &[("le", "0.5")]), Some(7.0));
    gateway.stop();
}

#[test]
fn routes_and_clusters_are_told_apart() {
    let (gateway, _origin) = asked("", &["--duration-metric", "seconds"]);
    let of_route = |route: &str, class: &str| {
        let labels = [("virtual_host", "*"), ("route", route), ("response_code_class", class)];
        find(&gateway, "sluicegate_route_requests_total", &labels)
    };
    assert_eq!(of_route("default/vs#3", "2"), Some(3.0));
    assert_eq!(of_route("default/vs#2", "3"), Some(1.0));
    assert_eq!(of_route("dead", "5"), Some(1.0));
    let flags = [("route", "dead"), ("response_flag", "URX")];
    let refused = [("route", "dead"), ("response_flag", "UF")];
    let flagged = |labels| find(&gateway, "sluicegate_route_response_flags_total", labels);
    assert_eq!(flagged(&flags).or(flagged(&refused)), Some(1.0));
    let count = find(&gateway, "sluicegate_route_duration_seconds_count", &[("route", "default/vs#3")]);
    assert_eq!(count, Some(3.0));
    let nowhere = [("virtual_host", "-"), ("route", "-"), ("response_code_class", "4")];
    assert_eq!(find(&gateway, "sluicegate_route_requests_total", &nowhere), Some(1.0));

    let cluster = |name: &str, cluster: &str| find(&gateway, name, &[("cluster_name", cluster)]);
    let (a, b) = ("outbound|80||a.test", "outbound|80||b.test");
    assert_eq!(cluster("envoy_cluster_upstream_rq_total", a), Some(3.0));
    // The usual policy tries two times more.
    assert_eq!(cluster("envoy_cluster_upstream_rq_total", b), Some(3.0));
    assert_eq!(cluster("envoy_cluster_upstream_rq_retry", b), Some(2.0));
    assert_eq!(cluster("envoy_cluster_upstream_rq_retry_limit_exceeded", b), Some(1.0));
    assert_eq!(cluster("envoy_cluster_upstream_cx_connect_fail", b), Some(3.0));
    assert_eq!(cluster("envoy_cluster_upstream_cx_connect_fail", a), Some(0.0));
    assert_eq!(cluster("envoy_cluster_membership_total", b), Some(1.0));
    assert_eq!(cluster("envoy_cluster_upstream_rq_xx", b), Some(1.0));
    assert_eq!(cluster("envoy_cluster_upstream_rq_time_count", a), Some(3.0));
    let opened = cluster("envoy_cluster_upstream_cx_total", a).unwrap();
    assert!((1.0..=2.0).contains(&opened), "one of each worker: {opened}");
    assert_eq!(cluster("envoy_cluster_upstream_cx_active", a), Some(opened));
    assert_eq!(cluster("envoy_cluster_upstream_rq_active", a), Some(0.0));
    assert_eq!(find(&gateway, "istio_request_duration_milliseconds_count", &[]), None);
    assert_eq!(find(&gateway, "istio_request_duration_seconds_count", &[]), Some(7.0));
    let listener = format!("127.0.0.1_{}", gateway.port(80));
    let accepted = find(&gateway, "envoy_listener_downstream_cx_total", &[("listener_address", &listener)]);
    assert_eq!(accepted, Some(7.0));
    assert!(find(&gateway, "sluicegate_shard_cpu_seconds_total", &[("shard", "1")]).is_some());
    assert_eq!(find(&gateway, "sluicegate_shard_driver_info", &[]), Some(2.0));
    gateway.stop();
}

#[test]
fn connections_are_counted_while_they_are_open() {
    let origin = Raw::new();
    let yaml = tcp("TCP", "{destination: {host: a.test}}", &[&[origin.port()]]);
    let gateway = Gateway::start(&[2000], &yaml);
    let client = dial(&gateway, 2000);
    let server = origin.accept();
    (&client).write_all(b"hello").unwrap();
    assert_eq!(take(&server, 5), b"hello");
    (&server).write_all(b"you").unwrap();
    assert_eq!(take(&client, 3), b"you");
    let of =
        |name: &str| find(&gateway, name, &[("destination_service", "a.test"), ("request_protocol", "tcp")]);
    gateway.until("the bytes are counted", || of("istio_tcp_sent_bytes_total") == Some(3.0));
    assert_eq!(of("istio_tcp_received_bytes_total"), Some(5.0));
    assert_eq!(of("istio_tcp_connections_opened_total"), Some(1.0));
    assert_eq!(of("istio_tcp_connections_closed_total"), Some(0.0));
    let active =
        || find(&gateway, "envoy_cluster_upstream_cx_active", &[("cluster_name", "outbound|3000||a.test")]);
    assert_eq!(active(), Some(1.0));
    client.shutdown(Shutdown::Write).unwrap();
    server.shutdown(Shutdown::Write).unwrap();
    assert!(rest(&client).is_empty());
    gateway.until("its end is counted", || of("istio_tcp_connections_closed_total") == Some(1.0));
    assert_eq!(active(), Some(0.0));
    gateway.stop();
}

#[test]
fn a_telemetry_changes_metrics() {
    let metrics = "  - overrides:\n    - {match: {metric: REQUEST_DURATION}, disabled: true}\n    - match: {metric: REQUEST_COUNT}\n      \
                   tagOverrides:\n        response_code: {operation: REMOVE}\n        response_flags: {operation: REMOVE}\n        \
                   request_protocol: {operation: REMOVE}\n        grpc_response_status: {operation: REMOVE}\n        \
                   fleet: {value: \"'blue'\"}\n        host: {value: request.host}\n";
    let (gateway, _origin) = asked(&telemetry(metrics), &[]);
    assert_eq!(find(&gateway, "istio_request_duration_milliseconds_count", &[]), None);
    assert_eq!(find(&gateway, "istio_requests_total", &[("fleet", "blue")]), Some(7.0));
    let page = gateway.status_page("/stats/prometheus");
    let counts: Vec<_> =
        samples(page.text()).into_iter().filter(|s| s.name == "istio_requests_total").collect();
    assert!(counts.iter().all(|s| !s.labels.contains_key("response_code") && !s.labels.contains_key("host")));
    // What is told apart by a label no more is one series.
    assert_eq!(counts.len(), 3);
    assert!(find(&gateway, "istio_request_bytes_count", &[("response_code", "503")]).is_some());
    assert!(gateway.said_so_far().contains("the label `host` stays as it is"), "{}", gateway.said_so_far());
    gateway.stop();

    let off = telemetry("  - overrides: [{match: {metric: ALL_METRICS}, disabled: true}]\n");
    let (gateway, _origin) = asked(&off, &[]);
    assert!(!gateway.status_page("/stats/prometheus").text().contains("istio_"));
    gateway.stop();
}

#[test]
fn the_metrics_have_a_port_of_their_own() {
    let port = dead_port();
    let (gateway, _origin) = asked("", &["--metrics", &format!("127.0.0.1:{port}")]);
    let mut client = Client::connect(port);
    let mut ask = |path: &str| {
        client.send(format!("GET {path} HTTP/1.1\r\nHost: scraper\r\n\r\n").as_bytes());
        client.answer("GET")
    };
    for path in ["/stats/prometheus", "/metrics"] {
        let page = ask(path);
        assert_eq!(page.status, 200);
        assert_eq!(page.field("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
        assert!(page.text().contains("# TYPE istio_requests_total counter"));
    }
    assert_eq!(ask("/healthz/ready").status, 404);
    assert_eq!(ask("/config_dump").status, 404);
    gateway.stop();
}

/// Names that are Envoy's and Istio's, whatever Prometheus would call them.
fn is_named_elsewhere(line: &str) -> bool {
    line.starts_with("envoy_") || line.starts_with("istio_request_duration_milliseconds")
}

#[test]
fn promtool_has_nothing_to_say_of_our_names() {
    if !has_for("promtool", "what Prometheus thinks of the metrics") {
        return;
    }
    let (gateway, _origin) = asked(&everything(), &["--duration-metric", "both"]);
    let page = gateway.status_page("/stats/prometheus");
    let (_, said) = run(Command::new("promtool").args(["check", "metrics"]), page.text().as_bytes());
    let about_us: Vec<_> =
        said.lines().filter(|line| !line.is_empty() && !is_named_elsewhere(line)).collect();
    assert!(about_us.is_empty(), "{about_us:#?}");
    // It has read the page, for it knows these names.
    assert!(said.contains("envoy_cluster_upstream_rq_retry "), "{said}");
    gateway.stop();
}

/// What makes all metrics appear that depend on the configuration.
fn everything() -> String {
    "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: dr}\nspec:\n  host: a.test\n  \
     trafficPolicy:\n    outlierDetection: {consecutive5xxErrors: 50}\n    connectionPool: {tcp: {maxConnections: 100}, http: {http1MaxPendingRequests: 100}}\n"
        .to_owned()
}

/// A process that ends with its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn prometheus_scrapes_it() {
    if !has_for("prometheus", "a scrape by Prometheus itself") {
        return;
    }
    let (gateway, _origin) = asked("", &[]);
    let port = dead_port();
    let folder = gateway.directory().join("prometheus");
    fs::create_dir_all(&folder).unwrap();
    // The example, at this port and more often.
    let example = fs::read_to_string("config/prometheus/prometheus.yaml").unwrap();
    assert!(example.contains("127.0.0.1:15090") && example.contains("scrape_interval: 15s"));
    let at = format!("127.0.0.1:{}", gateway.status());
    let config =
        example.replace("127.0.0.1:15090", &at).replace("scrape_interval: 15s", "scrape_interval: 200ms");
    fs::write(folder.join("prometheus.yaml"), config).unwrap();
    let listen = format!("127.0.0.1:{port}");
    let mut command = Command::new("prometheus");
    command.arg(format!("--config.file={}", folder.join("prometheus.yaml").display()));
    command.arg(format!("--storage.tsdb.path={}", folder.join("data").display()));
    command.arg(format!("--web.listen-address={listen}")).stdout(Stdio::null()).stderr(Stdio::null());
    let running = Running(command.spawn().unwrap());
    let ask = |query: &str| -> Vec<(Value, f64)> {
        let mut command = Command::new("promtool");
        command.args(["query", "instant", "-o", "json", &format!("http://{listen}"), query]);
        let (good, said) = run_within(&mut command, b"", PATIENCE);
        let found = serde_json::from_str::<Value>(&said).ok().filter(|_| good);
        let found = found.and_then(|found| found.as_array().cloned()).unwrap_or_default();
        let value = |one: &Value| one["value"][1].as_str().unwrap().parse().unwrap();
        found.iter().map(|one| (one["metric"].clone(), value(one))).collect()
    };
    gateway.until("it has been scraped", || ask("up").first().is_some_and(|(_, up)| *up == 1.0));
    let of_a = ask("istio_requests_total{destination_service=\"a.test\"}");
    let [(labels, count)] = of_a.as_slice() else { panic!("{of_a:?}") };
    assert_eq!((labels["response_code"].as_str(), *count), (Some("200"), 3.0));
    let quantile = ask("histogram_quantile(0.99, sum by (le) (sluicegate_route_duration_seconds_bucket))");
    assert!(quantile.first().is_some_and(|(_, seconds)| *seconds > 0.0), "{quantile:?}");
    drop(running);
    gateway.stop();
}

/// The names of metrics in a query.
fn names_in(query: &str) -> impl Iterator<Item = &str> {
    let words = query.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let prefixes = ["istio_", "envoy_", "sluicegate_", "process_"];
    // A label has such a name, too.
    words.filter(move |word| {
        prefixes.iter().any(|p| word.starts_with(p)) && *word != "envoy_response_code_class"
    })
}

fn queries(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if name == "expr" || name == "query" || name == "definition" => {
                        found.push(text.clone());
                    }
                    value => queries(value, found),
                }
            }
        }
        Value::Array(all) => all.iter().for_each(|value| queries(value, found)),
        _ => {}
    }
}

#[test]
fn the_dashboard_asks_for_what_there_is() {
    let (gateway, _origin) = asked(&everything(), &[]);
    let page = gateway.status_page("/stats/prometheus");
    let there: BTreeSet<&str> =
        page.text().lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let dashboard: Value =
        serde_json::from_str(&fs::read_to_string("config/grafana/sluicegate.json").unwrap()).unwrap();
    let mut found = Vec::new();
    queries(&dashboard, &mut found);
    assert!(found.len() > 20, "{}", found.len());
    let is_there = |name: &str| {
        let stem = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix));
        // Only where there is a certificate.
        let is_rare = name == "envoy_server_days_until_first_cert_expiring";
        is_rare || there.contains(name) || stem.is_some_and(|stem| there.contains(stem))
    };
    let missing: BTreeSet<_> =
        found.iter().flat_map(|query| names_in(query)).filter(|n| !is_there(n)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    gateway.stop();
}
