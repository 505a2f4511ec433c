//! Outlier detection (specification section 4.5), by what clients see, with one worker and with two.

use super::{
    dns::DnsServer,
    harness::{GATEWAY, Gateway, virtual_service},
    origin::{Origin, dead_port},
};
use std::{
    io::Write,
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
};

/// An origin whose answers have a status that can be changed, and its name as their body.
struct Moody {
    origin: Origin,
    status: Arc<AtomicU16>,
}

impl Moody {
    fn new(name: &'static str) -> Moody {
        Moody::on(TcpListener::bind(("127.0.0.1", 0)).unwrap(), name)
    }

    fn on(listener: TcpListener, name: &'static str) -> Moody {
        let status = Arc::new(AtomicU16::new(200));
        let now = Arc::clone(&status);
        let origin = Origin::serve_on(listener, move |_, stream| {
            let (status, length) = (now.load(Ordering::SeqCst), name.len());
            write!(stream, "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n\r\n{name}").is_ok()
        });
        Moody { origin, status }
    }

    fn answers(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    fn port(&self) -> u16 {
        self.origin.port()
    }
}

/// A service `o.test` with these ports of this host, and its outlier detection.
fn site(ports: &[u16], outlier: &str, http: &str) -> String {
    let endpoint = |port: &u16| format!("{{address: 127.0.0.1, ports: {{http: {port}}}}}");
    let endpoints: Vec<String> = ports.iter().map(endpoint).collect();
    format!(
        "{GATEWAY}---\n{}---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: o}}\nspec:\n  \
         hosts: [o.test]\n  ports: [{{number: 80, name: http, protocol: HTTP}}]\n  resolution: STATIC\n  endpoints: \
         [{}]\n---\n{}",
        virtual_service(http),
        endpoints.join(", "),
        rule(outlier)
    )
}

fn rule(outlier: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: o}}\nspec:\n  host: o.test\n  \
         trafficPolicy: {{loadBalancer: {{simple: ROUND_ROBIN}}, outlierDetection: {outlier}}}\n"
    )
}

const ALL: &str = "  - route: [{destination: {host: o.test}}]";

fn start(yaml: &str, workers: &str) -> Gateway {
    Gateway::start_with(&[80], yaml, &["--workers", workers])
}

fn status(gateway: &Gateway) -> u16 {
    gateway.get(80, "o.test", "/").status
}

/// The bodies of some answers, each once, sorted.
fn names(gateway: &Gateway) -> Vec<String> {
    let mut names: Vec<String> = (0..20).map(|_| gateway.get(80, "o.test", "/").text().to_owned()).collect();
    names.sort();
    names.dedup();
    names
}

fn gone_and_back(workers: &str) {
    let origin = Moody::new("o");
    // Far more than a request takes.
    let outlier = "{consecutive5xxErrors: 1, maxEjectionPercent: 100, interval: 100ms, baseEjectionTime: 6s}";
    let gateway = start(&site(&[origin.port()], outlier, ALL), workers);
    assert_eq!(status(&gateway), 200);
    origin.answers(500);
    assert_eq!(status(&gateway), 500);
    origin.answers(200);
    // Whichever worker takes the connection.
    let answer = gateway.get(80, "o.test", "/");
    assert_eq!((answer.status, answer.text()), (503, "no healthy upstream"));
    gateway.said("left out for 6 s: too many failures in a row");
    let lines: Vec<String> = (0..3).map(|_| gateway.log_line()).collect();
    // Each worker has a log of its own, so they come in any order.
    for wanted in ["\" 500 - via_upstream", "\" 503 UH no_healthy_upstream"] {
        assert_eq!(lines.iter().filter(|line| line.contains(wanted)).count(), 1, "{lines:?}");
    }
    gateway.until("it is back", || status(&gateway) == 200);
    gateway.said("is used again");
    assert_eq!(gateway.metric("envoy_cluster_outlier_detection_ejections_active"), 0.0);
    assert_eq!(gateway.metric("envoy_cluster_outlier_detection_ejections_enforced_total"), 1.0);
}

#[test]
fn case_113_one_host_is_out_until_its_time_has_passed() {
    gone_and_back("1");
}

#[test]
fn case_113_with_two_workers() {
    gone_and_back("2");
}

#[test]
fn case_113b_with_ten_percent_neither_of_two_hosts_is_out() {
    let (bad, good) = (Moody::new("bad"), Moody::new("good"));
    bad.answers(500);
    let gateway = start(&site(&[bad.port(), good.port()], "{consecutive5xxErrors: 1}", ALL), "2");
    for _ in 0..3 {
        assert_eq!(names(&gateway), ["bad", "good"]);
    }
    assert_eq!(gateway.metric("envoy_cluster_outlier_detection_ejections_enforced_total"), 0.0);
    assert!(gateway.metric("envoy_cluster_outlier_detection_ejections_overflow") > 0.0);
    assert_eq!(gateway.metric("envoy_cluster_membership_healthy"), 2.0);
}

#[test]
fn failures_in_a_row_are_those_of_all_workers() {
    let origin = Moody::new("o");
    let outlier = "{consecutive5xxErrors: 6, maxEjectionPercent: 100}";
    let gateway = start(&site(&[origin.port()], outlier, ALL), "4");
    origin.answers(502);
    let statuses: Vec<u16> = (0..8).map(|_| status(&gateway)).collect();
    assert_eq!(statuses, [502, 502, 502, 502, 502, 502, 503, 503]);
}

#[test]
fn a_success_between_them_makes_them_no_row() {
    let origin = Moody::new("o");
    let gateway =
        start(&site(&[origin.port()], "{consecutive5xxErrors: 3, maxEjectionPercent: 100}", ALL), "2");
    for wanted in [500, 500, 200, 500, 500, 404, 500, 500] {
        origin.answers(wanted);
        assert_eq!(status(&gateway), wanted);
    }
    assert_eq!(status(&gateway), 500);
    assert_eq!(status(&gateway), 503);
}

#[test]
fn who_can_not_be_reached_is_left_out() {
    let good = Moody::new("good");
    let outlier = "{consecutive5xxErrors: 2, maxEjectionPercent: 50}";
    let gateway = start(&site(&[dead_port(), good.port()], outlier, ALL), "2");
    gateway.until("nobody tries it any more", || {
        gateway.get(80, "o.test", "/");
        gateway.metric("envoy_cluster_outlier_detection_ejections_active") == 1.0
    });
    let failures = gateway.metric("envoy_cluster_upstream_cx_connect_fail");
    assert_eq!(names(&gateway), ["good"]);
    assert_eq!(gateway.metric("envoy_cluster_upstream_cx_connect_fail"), failures);
    let clusters = gateway.admin_page("/clusters");
    assert!(clusters.text().contains("::health_flags::/failed_outlier_check\n"), "{}", clusters.text());
    assert!(clusters.text().contains("::health_flags::healthy\n"), "{}", clusters.text());
}

#[test]
fn what_fails_here_counts_apart_where_that_is_asked() {
    let dead = dead_port();
    let split = "{consecutive5xxErrors: 1, splitExternalLocalOriginErrors: true, consecutiveLocalOriginFailures: 3, maxEjectionPercent: 100}";
    let no_retries = format!("{ALL}\n    retries: {{attempts: 0}}");
    let gateway = start(&site(&[dead], split, &no_retries), "2");
    let bodies: Vec<bool> =
        (0..4).map(|_| gateway.get(80, "o.test", "/").text() == "no healthy upstream").collect();
    assert_eq!(bodies.last(), Some(&true));
    let page = gateway.admin_page("/stats/prometheus");
    let counted = "envoy_cluster_outlier_detection_ejections_enforced_consecutive_local_origin_failure{cluster_name=\"outbound|80||o.test\"} 1\n";
    assert!(page.text().contains(counted), "{}", page.text());
}

#[test]
fn only_listed_statuses_count() {
    let origin = Moody::new("o");
    let outlier = "{consecutive5xxErrors: 2, maxEjectionPercent: 100, outlierDetectionHttpErrorCodes: [429]}";
    let gateway = start(&site(&[origin.port()], outlier, ALL), "2");
    origin.answers(500);
    assert!((0..6).all(|_| status(&gateway) == 500));
    origin.answers(429);
    let statuses: Vec<u16> = (0..3).map(|_| status(&gateway)).collect();
    assert_eq!(statuses, [429, 429, 503]);
}

#[test]
fn all_are_used_where_too_few_are_good() {
    let (one, two) = (Moody::new("one"), Moody::new("two"));
    let outlier = "{consecutive5xxErrors: 1, maxEjectionPercent: 100, minHealthPercent: 60}";
    let gateway = start(&site(&[one.port(), two.port()], outlier, ALL), "2");
    one.answers(500);
    assert_eq!(names(&gateway), ["one", "two"]);
    assert_eq!(gateway.metric("envoy_cluster_outlier_detection_ejections_active"), 1.0);
    assert_eq!(names(&gateway), ["one", "two"]);
}

#[test]
fn an_ejection_outlives_an_answer_of_the_resolver() {
    let (one, _two) = loop {
        let one = TcpListener::bind(("127.0.0.2", 0)).unwrap();
        let port = one.local_addr().unwrap().port();
        if let Ok(two) = TcpListener::bind(("127.0.0.3", port)) {
            break (Moody::on(one, "one"), Moody::on(two, "two"));
        }
    };
    one.answers(500);
    let dns = DnsServer::start();
    dns.set("o.test", &["127.0.0.2"], 1);
    let entry = format!(
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: o}}\nspec:\n  hosts: [o.test]\n  ports: \
         [{{number: 80, name: http, protocol: HTTP, targetPort: {}}}]\n  resolution: DNS\n",
        one.port()
    );
    let outlier = rule("{consecutive5xxErrors: 1, maxEjectionPercent: 100}");
    let yaml = format!("{GATEWAY}---\n{}---\n{entry}---\n{outlier}", virtual_service(ALL));
    let gateway = Gateway::start_with(&[80], &yaml, &["--resolver", &dns.address().to_string()]);
    assert_eq!([status(&gateway), status(&gateway)], [500, 503]);
    dns.set("o.test", &["127.0.0.2", "127.0.0.3"], 1);
    gateway.until("there is another one", || status(&gateway) == 200);
    assert_eq!(names(&gateway), ["two"]);
    assert_eq!(gateway.metric("envoy_cluster_outlier_detection_ejections_active"), 1.0);
    assert_eq!(gateway.metric("envoy_cluster_membership_total"), 2.0);
    dns.set("o.test", &["127.0.0.3"], 1);
    gateway.until("who is gone counts no longer", || {
        gateway.metric("envoy_cluster_outlier_detection_ejections_active") == 0.0
    });
    assert_eq!(names(&gateway), ["two"]);
}

#[test]
fn connections_that_are_not_http_count() {
    let dead = dead_port();
    let yaml = format!(
        "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {{name: gw}}\nspec:\n  servers:\n  - {{port: {{number: \
         90, name: tcp, protocol: TCP}}, bind: 127.0.0.1, hosts: [\"*\"]}}\n---\napiVersion: networking.istio.io/v1\nkind: \
         VirtualService\nmetadata: {{name: vs}}\nspec:\n  hosts: [\"*\"]\n  gateways: [gw]\n  tcp: [{{route: \
         [{{destination: {{host: o.test}}}}]}}]\n---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: \
         {{name: o}}\nspec:\n  hosts: [o.test]\n  ports: [{{number: 90, name: tcp, protocol: TCP, targetPort: \
         {dead}}}]\n  resolution: STATIC\n  endpoints: [{{address: 127.0.0.1}}]\n---\n{}",
        rule("{consecutive5xxErrors: 2, maxEjectionPercent: 100}")
    );
    let gateway = Gateway::start_with(&[90], &yaml, &["--workers", "2"]);
    let flags: Vec<String> = (0..3)
        .map(|_| {
            gateway.connect(90).drain();
            let line = gateway.log_line();
            line.split(' ')
                .find(|word| ["URX,UF", "URX", "UH", "UF"].contains(word))
                .unwrap_or("?")
                .to_owned()
        })
        .collect();
    assert_eq!(flags[2], "UH", "{flags:?}");
    assert_ne!(flags[1], "UH", "{flags:?}");
}
