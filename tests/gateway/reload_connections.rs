//! What connections notice of a reload: what is asked next goes by the new configuration, and nothing is closed because something
//! else has changed.

use super::{
    client::Client,
    h2_frames::*,
    h2_origin::{H2Origin, to_origin},
    h2_peer::Peer,
    h2_upstream::status,
    harness::{GATEWAY, Gateway, Launch, routed, service_entry, virtual_service},
    held_origin::HeldOrigin,
    origin::Origin,
    tcp::policy,
};
use std::{cell::Cell, collections::BTreeMap, fs, io::Write};

pub(crate) const TO_A: &str = "  - route: [{destination: {host: a.test}}]";
pub(crate) const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: web.test\r\n\r\n";

/// A gateway whose configuration is replaced.
pub(crate) struct Site {
    pub(crate) gateway: Gateway,
    generation: Cell<u32>,
}

impl Site {
    pub(crate) fn start(declared: &[u16], yaml: &str) -> Site {
        Site::start_with(declared, yaml, &["--workers", "1", "--drain-time", "0s"])
    }

    pub(crate) fn start_with(declared: &[u16], yaml: &str, arguments: &[&str]) -> Site {
        // It is said when files are to be looked at.
        let variables = &[("SLUICEGATE_WATCH", "off")];
        let gateway = Gateway::launch(Launch { declared, yaml, arguments, variables, ..Launch::default() });
        Site { gateway, generation: Cell::new(1) }
    }

    /// Replaces the configuration; every worker serves it when this returns.
    pub(crate) fn reload(&self, yaml: &str) {
        let file = self.gateway.directory().join("config.yaml");
        fs::write(file.with_extension("new"), yaml).unwrap();
        fs::rename(file.with_extension("new"), file).unwrap();
        self.gateway.signal("HUP");
        self.generation.set(self.generation.get() + 1);
        self.gateway.said(&format!("generation {}:", self.generation.get()));
    }
}

/// An answer made by the gateway.
pub(crate) fn saying(text: &str) -> String {
    format!("  - directResponse: {{status: 200, body: {{string: {text}}}}}")
}

/// What a client gets next on its connection, and whether it is told that this is the end of it.
pub(crate) fn next(client: &mut Client) -> (u16, String, bool) {
    client.send(GET);
    let answer = client.answer("GET");
    (answer.status, answer.text().to_owned(), answer.field("connection") == Some("close"))
}

pub(crate) fn is_ok(client: &mut Client, text: &str) {
    assert_eq!(next(client), (200, text.to_owned(), false));
}

/// It is answered once more, with the word that this is the end.
fn is_last(client: &mut Client, text: &str) {
    assert_eq!(next(client), (200, text.to_owned(), true));
    assert!(client.is_closed());
}

#[test]
fn the_next_request_on_a_connection_goes_by_the_new_routes() {
    let origin = Origin::echo();
    let site = Site::start(&[80], &routed(&saying("one"), &[origin.port()]));
    let mut client = site.gateway.connect(80);
    let mut peer = Peer::new(site.gateway.connect(80), false, "reload".into());
    peer.handshake(&[]);
    is_ok(&mut client, "one");
    peer.get(1);
    assert_eq!(status(&mut peer, 1), Some(200));
    site.reload(&routed(&saying("two"), &[origin.port()]));
    is_ok(&mut client, "two");
    peer.get(3);
    peer.until_end_of(3);
    assert_eq!(peer.body(3), b"two");
    site.reload(&routed(TO_A, &[origin.port()]));
    assert!(next(&mut client).1.contains("GET / HTTP/1.1"));
    peer.get(5);
    assert_eq!(status(&mut peer, 5), Some(200));
    assert!(!peer.seen.iter().any(|frame| frame.kind == GOAWAY), "{}", peer.tell());
}

#[test]
fn requests_in_flight_end_by_what_they_began_with() {
    let origin = HeldOrigin::new();
    let site = Site::start(&[80], &routed(TO_A, &[origin.port()]));
    let mut client = site.gateway.connect(80);
    client.send(GET);
    let mut peer = Peer::new(site.gateway.connect(80), false, "reload".into());
    peer.handshake(&[]);
    peer.get(1);
    origin.until_held(2);
    // The route is gone, and with it the cluster.
    site.reload(&routed(&saying("new"), &[]));
    peer.get(3);
    peer.until_end_of(3);
    assert_eq!(peer.body(3), b"new");
    origin.answer(2);
    assert_eq!(client.answer("GET").status, 200);
    assert_eq!(status(&mut peer, 1), Some(200));
    is_ok(&mut client, "new");
}

#[test]
fn a_cluster_keeps_the_connections_that_it_would_open_in_the_same_way() {
    let origin = Origin::echo();
    let yaml = |more: &str| routed(TO_A, &[origin.port()]) + more;
    let site = Site::start(&[80], &yaml(""));
    let mut client = site.gateway.connect(80);
    let mut ask = |connections: usize, what: &str| {
        assert_eq!(next(&mut client).0, 200);
        assert_eq!(origin.connections(), connections, "{what}");
    };
    ask(1, "the first");
    // Nothing of the cluster changes, but it is another one by number.
    let other = yaml(&service_entry("0.test", 1));
    site.reload(&other.replace(
        "  http:\n",
        "  http:\n  - {match: [{uri: {prefix: /0}}], route: [{destination: {host: 0.test}}]}\n",
    ));
    ask(1, "another cluster");
    site.reload(&yaml(&policy("{connectionPool: {tcp: {connectTimeout: 3s}}}")));
    ask(1, "time to connect");
    site.reload(&yaml(&policy("{loadBalancer: {simple: RANDOM}}")));
    ask(1, "balancer");
    site.reload(&yaml(&policy(
        "{loadBalancer: {simple: RANDOM}, connectionPool: {http: {maxRequestsPerConnection: 9}}}",
    )));
    ask(2, "requests for each connection");
    // What it had open is closed.
    let active = || site.gateway.metric("envoy_cluster_upstream_cx_active");
    site.gateway.until("one connection is left", || active() == 1.0);
}

#[test]
fn endpoints_that_stay_keep_their_connections_and_those_that_go_close_theirs() {
    let (stays, goes) = (Origin::named("stays"), Origin::named("goes"));
    let entry = |endpoints: &str| {
        let service = service_entry("a.test", 1);
        let (before, _) = service.split_once("endpoints:").unwrap();
        format!("{GATEWAY}---\n{}{before}endpoints: [{endpoints}]\n", virtual_service(TO_A))
    };
    let at = |origin: &Origin, weight: u32| {
        format!("{{address: 127.0.0.1, ports: {{http: {}}}, weight: {weight}}}", origin.port())
    };
    let site = Site::start(&[80], &entry(&format!("{}, {}", at(&stays, 1), at(&goes, 1))));
    let mut client = site.gateway.connect(80);
    let mut ask = || next(&mut client).1;
    while stays.connections() == 0 || goes.connections() == 0 {
        ask();
    }
    site.reload(&entry(&at(&stays, 5)));
    assert!((0..10).all(|_| ask().contains("origin: stays")));
    assert_eq!(stays.connections(), 1);
    let active = || site.gateway.metric("envoy_cluster_upstream_cx_active");
    site.gateway.until("that of the other is closed", || active() == 1.0);
}

/// Sessions of HTTP/2 to an origin go on, or end when their streams have.
#[test]
fn sessions_to_an_origin_go_on_or_end_gently() {
    let origin = H2Origin::new();
    let yaml = |pool: &str| to_origin(origin.port(), &format!("h2UpgradePolicy: UPGRADE{pool}"), "");
    let site = Site::start(&[80], &yaml(""));
    let mut peer = Peer::new(site.gateway.connect(80), false, "reload".into());
    peer.handshake(&[]);
    peer.get(1);
    let mut first = origin.accept();
    let one = first.request();
    // More streams at a time is no reason for another connection.
    site.reload(&yaml(", maxConcurrentStreams: 70"));
    peer.get(3);
    let two = first.request();
    first.answer(two.stream);
    assert_eq!(status(&mut peer, 3), Some(200));
    // Pings are.
    site.reload(&yaml(", http2KeepAlive: {interval: 300s, timeout: 5s}"));
    assert!(first.find(|frame| frame.kind == GOAWAY).is_some());
    peer.get(5);
    let mut second = origin.accept();
    let three = second.request();
    second.answer(three.stream);
    assert_eq!(status(&mut peer, 5), Some(200));
    first.answer(one.stream);
    assert_eq!(status(&mut peer, 1), Some(200));
    assert!(first.ends());
}

/// Two servers.
pub(crate) fn two_ports(second: bool) -> String {
    let server = "  - {port: {number: 81, name: more, protocol: HTTP}, bind: 127.0.0.1, hosts: [\"*\"]}\n";
    let both = GATEWAY.to_owned() + if second { server } else { "" };
    format!("{both}---\n{}", virtual_service(&saying("hi")))
}

#[test]
fn a_listener_comes_and_goes_and_nobody_else_notices() {
    let site = Site::start(&[80, 81], &two_ports(false));
    let mut stays = site.gateway.connect(80);
    is_ok(&mut stays, "hi");
    assert!(Client::try_connect(site.gateway.port(81)).is_err());
    site.reload(&two_ports(true));
    let mut idle = site.gateway.connect(81);
    let mut asks = site.gateway.connect(81);
    let mut peer = Peer::new(site.gateway.connect(81), false, "reload".into());
    peer.handshake(&[]);
    is_ok(&mut idle, "hi");
    is_ok(&mut asks, "hi");
    peer.get(1);
    assert_eq!(status(&mut peer, 1), Some(200));
    site.reload(&two_ports(false));
    is_last(&mut asks, "hi");
    assert!(idle.is_closed(), "one that waits for nothing ends by itself");
    peer.until(|_| false);
    assert!(peer.seen.iter().any(|frame| frame.kind == GOAWAY), "{}", peer.tell());
    site.gateway.until("nobody listens", || Client::try_connect(site.gateway.port(81)).is_err());
    is_ok(&mut stays, "hi");
}

#[test]
fn what_a_listener_has_under_way_ends_when_the_listener_goes() {
    let origin = HeldOrigin::new();
    let yaml = |second: bool| {
        two_ports(second).replace(&saying("hi"), TO_A) + &service_entry("a.test", origin.port())
    };
    let site = Site::start(&[80, 81], &yaml(true));
    let mut client = site.gateway.connect(81);
    client.send(GET);
    // Nobody has heard of it yet, but its handshake is done.
    let mut quiet = site.gateway.connect(81);
    origin.until_held(1);
    site.reload(&yaml(false));
    quiet.send(GET);
    origin.until_held(2);
    origin.answer(2);
    for client in [&mut client, &mut quiet] {
        assert_eq!(client.answer("GET").status, 200);
    }
    assert!(quiet.is_closed());
}

#[test]
fn connections_and_requests_that_are_open_count_on() {
    let origin = HeldOrigin::new();
    let limits = "{connectionPool: {tcp: {maxConnections: 1}}}";
    let yaml = |http: &str, policies: &str| routed(http, &[origin.port()]) + &policy(policies);
    let site = Site::start_with(&[80], &yaml(TO_A, limits), &["--workers", "2", "--drain-time", "0s"]);
    let ask = || {
        let mut client = site.gateway.connect(80);
        client.send(GET);
        client
    };
    let first = ask();
    origin.until_held(1);
    let mut clients = vec![first];
    // The routes change; then the cluster, but not what limits it.
    let routes = format!("  - match: [{{uri: {{prefix: /x}}}}]\n    directResponse: {{status: 204}}\n{TO_A}");
    site.reload(&yaml(&routes, limits));
    clients.push(ask());
    site.reload(&yaml(TO_A, &limits.replace("maxConnections: 1", "maxConnections: 1, connectTimeout: 7s")));
    clients.push(ask());
    // In which order two workers get the place is theirs.
    for _ in 0..clients.len() {
        origin.until_held(1);
        origin.answer(1);
    }
    for mut client in clients {
        assert_eq!(client.answer("GET").status, 200);
    }
    assert_eq!(origin.held_most(), 1);
}

#[test]
fn an_endpoint_that_was_ejected_stays_out() {
    let good = Origin::named("good");
    let bad = Origin::serve(|_, stream| {
        stream.write_all(b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 3\r\n\r\nbad").is_ok()
    });
    let entry = service_entry("a.test", 1);
    let (before, _) = entry.split_once("endpoints:").unwrap();
    let at = |origin: &Origin| format!("{{address: 127.0.0.1, ports: {{http: {}}}}}", origin.port());
    let outliers =
        "outlierDetection: {consecutive5xxErrors: 1, maxEjectionPercent: 100, baseEjectionTime: 600s}";
    let yaml = |http: &str, more: &str| {
        format!(
            "{GATEWAY}---\n{}{before}endpoints: [{}, {}]\n{}",
            virtual_service(http),
            at(&bad),
            at(&good),
            policy(&format!("{{{outliers}{more}}}"))
        )
    };
    let route = format!("{TO_A}\n    retries: {{attempts: 0}}");
    let site = Site::start(&[80], &yaml(&route, ""));
    let mut client = site.gateway.connect(80);
    while next(&mut client).0 == 200 {}
    let routes =
        format!("  - match: [{{uri: {{prefix: /x}}}}]\n    directResponse: {{status: 204}}\n{route}");
    for yaml in [yaml(&routes, ""), yaml(&route, ", connectionPool: {tcp: {connectTimeout: 7s}}")] {
        site.reload(&yaml);
        assert!((0..20).all(|_| next(&mut client).1.contains("origin: good")));
    }
}

#[test]
fn keys_go_where_they_went() {
    let origins: Vec<Origin> = (0..5).map(|number| Origin::named(&number.to_string())).collect();
    let entry = service_entry("a.test", 1);
    let (before, _) = entry.split_once("endpoints:").unwrap();
    let at = |origin: &Origin| format!("{{address: 127.0.0.1, ports: {{http: {}}}}}", origin.port());
    let all = origins.iter().map(at).collect::<Vec<_>>().join(", ");
    let yaml = |more: &str| {
        let hash = "{loadBalancer: {consistentHash: {httpHeaderName: key}}";
        format!(
            "{GATEWAY}---\n{}{before}endpoints: [{all}]\n{}",
            virtual_service(TO_A),
            policy(&format!("{hash}{more}}}"))
        )
    };
    let site = Site::start_with(&[80], &yaml(""), &["--workers", "2", "--drain-time", "0s"]);
    let places = || {
        let mut client = site.gateway.connect(80);
        let mut place = |key: u32| {
            client.send(format!("GET / HTTP/1.1\r\nHost: web.test\r\nkey: {key}\r\n\r\n").as_bytes());
            (key, client.answer("GET").text().lines().next().unwrap().to_owned())
        };
        (0..40).map(&mut place).collect::<BTreeMap<_, _>>()
    };
    let first = places();
    site.reload(&yaml(", connectionPool: {tcp: {connectTimeout: 7s}}"));
    assert_eq!(places(), first);
    site.reload(&yaml(""));
    assert_eq!(places(), first);
}
