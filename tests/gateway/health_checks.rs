//! Active health checks (`sluicegate.io/health-check`), by what clients and origins see.

use super::{
    certificates::Authority,
    dns::DnsServer,
    h2_frames::{DATA, END, END_HEADERS, data},
    h2_origin::{H2Origin, respond},
    harness::{Folder, GATEWAY, Gateway, run, virtual_service},
    origin::{Origin, Request, dead_port},
    tls_origin::TlsOrigin,
};
use std::{
    io::Write,
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

/// An origin that serves its name, and can be told to fail its checks.
struct Patient {
    origin: Origin,
    is_well: Arc<AtomicBool>,
    checks: Arc<AtomicUsize>,
}

impl Patient {
    fn new(name: &'static str, is_well: bool) -> Patient {
        Patient::on(TcpListener::bind(("127.0.0.1", 0)).unwrap(), name, is_well)
    }

    fn on(listener: TcpListener, name: &'static str, is_well: bool) -> Patient {
        let is_well = Arc::new(AtomicBool::new(is_well));
        let checks = Arc::new(AtomicUsize::new(0));
        let (now, count) = (Arc::clone(&is_well), Arc::clone(&checks));
        let origin = Origin::serve_on(listener, move |request: &Request, stream| {
            let is_check = request.target().starts_with("/healthz");
            let status = match is_check && !now.load(Ordering::SeqCst) {
                true => 503,
                false => 200,
            };
            if is_check {
                count.fetch_add(1, Ordering::SeqCst);
            }
            let length = name.len();
            write!(stream, "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n\r\n{name}").is_ok()
        });
        Patient { origin, is_well, checks }
    }

    fn is(&self, well: bool) {
        self.is_well.store(well, Ordering::SeqCst);
    }

    fn port(&self) -> u16 {
        self.origin.port()
    }
}

/// A service `o.test` with these ports of this host, the check on its ServiceEntry, and more objects.
fn site(ports: &[u16], protocol: &str, check: &str, more: &str) -> String {
    let endpoint = |port: &u16| format!("{{address: 127.0.0.1, ports: {{main: {port}}}, labels: {{v: a}}}}");
    let endpoints: Vec<String> = ports.iter().map(endpoint).collect();
    format!(
        "{GATEWAY}---\n{}---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata:\n  name: o\n  annotations:\n    \
         sluicegate.io/health-check: |\n      {check}\nspec:\n  hosts: [o.test]\n  ports: [{{number: 80, name: main, \
         protocol: {protocol}}}]\n  resolution: STATIC\n  endpoints: [{}]\n{more}",
        virtual_service("  - route: [{destination: {host: o.test}}]"),
        endpoints.join(", "),
    )
}

const QUICK: &str = "interval: 100ms, healthyThreshold: 2, unhealthyThreshold: 2";

fn http_check(more: &str) -> String {
    format!("{{http: {{path: '/healthz?x=1'{more}}}, {QUICK}}}")
}

fn start(yaml: &str, workers: &str) -> Gateway {
    Gateway::start_with(&[80], yaml, &["--workers", workers])
}

/// The bodies of some answers, each once, sorted.
fn names(gateway: &Gateway) -> Vec<String> {
    // By chance; that only one of two answers is less likely than one in 10^8.
    let mut names: Vec<String> =
        (0..30).map(|_| gateway.get(80, "web.test", "/").text().to_owned()).collect();
    names.sort();
    names.dedup();
    names
}

/// Waits until it has said this, which may have been before it was ready.
fn has_said(gateway: &Gateway, what: &str) {
    gateway.until(what, || gateway.said_so_far().contains(what));
}

fn ill_and_well_again(workers: &str) {
    let (one, two) = (Patient::new("one", true), Patient::new("two", true));
    let gateway = start(&site(&[one.port(), two.port()], "HTTP", &http_check(""), ""), workers);
    let check = one.origin.request();
    assert_eq!(check.line, "GET /healthz?x=1 HTTP/1.1");
    assert_eq!(
        (check.field("host"), check.field("user-agent")),
        (Some("o.test"), Some("sluicegate-health-check"))
    );
    assert_eq!(names(&gateway), ["one", "two"]);
    one.is(false);
    gateway.said("fails its health check: it answers 503");
    assert_eq!(names(&gateway), ["two"]);
    assert_eq!(gateway.metric("envoy_cluster_membership_healthy"), 1.0);
    assert_eq!(gateway.metric("sluicegate_endpoint_healthy"), 1.0);
    assert!(gateway.admin_page("/clusters").text().contains("::health_flags::/failed_active_hc\n"));
    one.is(true);
    gateway.said("answers its health check");
    gateway.until("both are used", || names(&gateway) == ["one", "two"]);
    assert_eq!(gateway.metric("envoy_cluster_membership_healthy"), 2.0);
    let failures = gateway.metric("envoy_cluster_health_check_failure");
    assert!(failures >= 2.0 && gateway.metric("envoy_cluster_health_check_success") >= 2.0);
    gateway.stop();
}

#[test]
fn who_fails_its_checks_gets_no_requests_until_it_is_well() {
    ill_and_well_again("1");
}

#[test]
fn with_two_workers() {
    ill_and_well_again("2");
}

#[test]
fn where_all_are_ill_nobody_is_asked() {
    let patient = Patient::new("o", false);
    let gateway = start(&site(&[patient.port()], "HTTP", &http_check(""), ""), "2");
    has_said(&gateway, "fails its health check");
    let answer = gateway.get(80, "web.test", "/");
    assert_eq!((answer.status, answer.text()), (503, "no healthy upstream"));
    assert!(gateway.log_line().contains(" 503 UH "));
}

#[test]
fn all_are_asked_where_too_few_are_well() {
    let (one, two) = (Patient::new("one", false), Patient::new("two", true));
    let check = http_check("").replace("interval", "minHealthPercent: 51, interval");
    let gateway = start(&site(&[one.port(), two.port()], "HTTP", &check, ""), "2");
    has_said(&gateway, "fails its health check");
    assert_eq!(names(&gateway), ["one", "two"]);
}

#[test]
fn who_is_to_wait_gets_nothing_before_its_first_success() {
    let patient = Patient::new("o", false);
    let check = http_check("").replace("interval", "initially: unhealthy, interval");
    let gateway = start(&site(&[patient.port()], "HTTP", &check, ""), "2");
    assert_eq!(gateway.get(80, "web.test", "/").status, 503);
    patient.is(true);
    gateway.until("it is used", || gateway.get(80, "web.test", "/").status == 200);
    let before =
        std::iter::from_fn(|| patient.origin.try_request()).take_while(|request| request.target() != "/");
    assert!(before.count() > 0, "a request came before a check");
}

#[test]
fn statuses_method_host_and_port_are_as_written() {
    let (served, asked) = (Patient::new("served", true), Patient::new("asked", true));
    asked.is(false);
    let check = format!(
        "{{http: {{path: /healthz, method: HEAD, host: 'x.test:1', expectedStatuses: ['500-503']}}, port: {}, {QUICK}}}",
        asked.port()
    );
    let gateway = start(&site(&[served.port()], "HTTP", &check, ""), "2");
    let request = asked.origin.request();
    assert_eq!((request.line.as_str(), request.field("host")), ("HEAD /healthz HTTP/1.1", Some("x.test:1")));
    asked.is(true);
    gateway.said("fails its health check: it answers 200");
    assert_eq!(gateway.get(80, "web.test", "/").status, 503);
    assert_eq!(served.checks.load(Ordering::SeqCst), 0);
}

#[test]
fn an_endpoint_is_asked_once_for_all_workers_and_clusters() {
    let patient = Patient::new("o", true);
    let rule = "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: o}\nspec: {host: o.test, \
                subsets: [{name: a, labels: {v: a}}, {name: b, labels: {v: a}}]}\n";
    let yaml = site(&[patient.port()], "HTTP", &http_check(""), rule).replace(
        "route: [{destination: {host: o.test}}]",
        "route: [{destination: {host: o.test, subset: a}, weight: 50}, {destination: {host: o.test, subset: b}, weight: 50}]",
    );
    let gateway = start(&yaml, "4");
    gateway.until("some checks", || gateway.metric("envoy_cluster_health_check_attempt") >= 8.0);
    let seen = patient.checks.load(Ordering::SeqCst) as f64;
    // Each counts for both clusters; the last one may be under way.
    assert!(gateway.metric("envoy_cluster_health_check_attempt") >= 2.0 * (seen - 1.0));
}

#[test]
fn a_connection_can_be_enough() {
    // It stays ours while nobody listens.
    let port = dead_port();
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let gateway = start(&site(&[port], "HTTP", &format!("{{tcp: {{}}, {QUICK}}}"), ""), "2");
    gateway.until("it is well", || gateway.metric("envoy_cluster_health_check_success") >= 2.0);
    drop(listener);
    gateway.said("fails its health check: Connection refused");
    assert_eq!(gateway.metric("envoy_cluster_membership_healthy"), 0.0);
    let patient = Patient::on(TcpListener::bind(("127.0.0.1", port)).unwrap(), "o", true);
    gateway.said("answers its health check");
    assert_eq!(gateway.get(80, "web.test", "/").text(), "o");
    assert_eq!(patient.checks.load(Ordering::SeqCst), 0);
}

#[test]
fn who_does_not_answer_in_time_fails() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let check = http_check("").replace("interval", "timeout: 50ms, interval");
    let gateway = start(&site(&[port], "HTTP", &check, ""), "1");
    has_said(&gateway, "fails its health check: no answer within 0.05 s");
}

/// Answers every call of `grpc.health.v1` as it is told, as an origin of HTTP/2.
fn grpc_origin(is_well: Arc<AtomicBool>) -> u16 {
    let origin = H2Origin::new();
    let port = origin.port();
    thread::spawn(move || {
        loop {
            let mut connection = origin.accept();
            let request = connection.request();
            assert_eq!(request.field(":path"), Some("/grpc.health.v1.Health/Check"));
            assert_eq!(request.field("content-type"), Some("application/grpc"));
            let message = connection.next(|frame| frame.kind == DATA);
            assert_eq!(message.payload, [0, 0, 0, 0, 5, 0x0a, 3, b'a', b'.', b'B']);
            let status = if is_well.load(Ordering::SeqCst) { 1 } else { 2 };
            let head = [(":status", "200"), ("content-type", "application/grpc")];
            let mut answer = respond(request.stream, END_HEADERS, &head);
            answer.extend(data(request.stream, 0, &[0, 0, 0, 0, 2, 8, status]));
            answer.extend(respond(request.stream, END, &[("grpc-status", "0")]));
            connection.send(&answer);
        }
    });
    port
}

#[test]
fn servers_of_grpc_say_it_themselves() {
    let is_well = Arc::new(AtomicBool::new(true));
    let port = grpc_origin(Arc::clone(&is_well));
    let check = format!("{{grpc: {{service: a.B}}, {QUICK}}}");
    let gateway = start(&site(&[port], "GRPC", &check, ""), "2");
    gateway.until("it is well", || gateway.metric("envoy_cluster_health_check_success") >= 2.0);
    is_well.store(false, Ordering::SeqCst);
    gateway.said("fails its health check: it says NOT_SERVING");
    is_well.store(true, Ordering::SeqCst);
    gateway.said("answers its health check");
}

#[test]
fn checks_speak_tls_where_the_destination_does() {
    let (root, folder) = (Authority::new("root"), Folder::new());
    let ours = folder.put("ca.crt", &root.pem());
    let origin = TlsOrigin::echo("o", &root.leaf(&["o.test"]));
    let rule = |authorities: &str| {
        format!(
            "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: o}}\nspec: {{host: o.test, \
             trafficPolicy: {{tls: {{mode: SIMPLE, caCertificates: {authorities}}}}}}}\n"
        )
    };
    let good = site(&[origin.port()], "HTTP", &http_check(""), &rule(&ours.display().to_string()));
    let gateway = start(&good, "1");
    gateway.until("it is well", || gateway.metric("envoy_cluster_health_check_success") >= 2.0);
    assert_eq!(gateway.metric("envoy_cluster_health_check_failure"), 0.0);
    gateway.stop();
    let theirs = folder.put("other.crt", &Authority::new("other").pem());
    let bad = site(&[origin.port()], "HTTP", &http_check(""), &rule(&theirs.display().to_string()));
    has_said(&start(&bad, "1"), "fails its health check: TLS_error: ");
}

#[test]
fn what_the_resolver_finds_is_checked() {
    let (one, two) = loop {
        let one = TcpListener::bind(("127.0.0.2", 0)).unwrap();
        let port = one.local_addr().unwrap().port();
        if let Ok(two) = TcpListener::bind(("127.0.0.3", port)) {
            break (Patient::on(one, "one", true), Patient::on(two, "two", false));
        }
    };
    let dns = DnsServer::start();
    dns.set("o.test", &["127.0.0.2"], 1);
    let yaml = site(&[], "HTTP", &http_check(""), "")
        .replace("resolution: STATIC\n  endpoints: []", "resolution: DNS")
        .replace(
            "protocol: HTTP}]\n  resolution",
            &format!("protocol: HTTP, targetPort: {}}}]\n  resolution", one.port()),
        );
    let gateway = Gateway::start_with(&[80], &yaml, &["--resolver", &dns.address().to_string()]);
    assert_eq!(gateway.get(80, "web.test", "/").text(), "one");
    dns.set("o.test", &["127.0.0.2", "127.0.0.3"], 1);
    gateway.said("127.0.0.3:");
    gateway.until("it is left out", || names(&gateway) == ["one"]);
    dns.set("o.test", &["127.0.0.2"], 1);
    gateway.until("it is gone", || gateway.metric("envoy_cluster_membership_total") == 1.0);
    let left = two.checks.load(Ordering::SeqCst);
    let attempts = gateway.metric("envoy_cluster_health_check_attempt");
    gateway.until("more checks", || gateway.metric("envoy_cluster_health_check_attempt") >= attempts + 3.0);
    // One may have been under way.
    assert!(two.checks.load(Ordering::SeqCst) <= left + 1);
}

#[test]
fn explain_and_check_know_it() {
    let folder = Folder::new();
    let good = folder.put("good.yaml", &site(&[1], "HTTP", &http_check(""), ""));
    let (code, text, errors) =
        run(&["explain", "-c", &good.display().to_string(), "--url", "http://web.test/"]);
    assert_eq!(code, Some(0), "{errors}");
    assert!(text.contains("asked every 0.1 s: GET /healthz?x=1 of o.test"), "{text}");
    let bad = folder.put("bad.yaml", &site(&[1], "HTTP", "{http: {path: x}}", ""));
    let (code, text, errors) = run(&["check", &bad.display().to_string()]);
    assert_ne!(code, Some(0));
    assert!(format!("{text}{errors}").contains("`x` is not a path"), "{text}{errors}");
}
