//! The admin and status pages.

use super::{
    client::Client,
    harness::{Gateway, answering, routed},
    origin::Origin,
};
use serde_json::Value;

fn start(origin: &Origin) -> Gateway {
    Gateway::start(&[80], &routed("  - route: [{destination: {host: a.test}}]", &[origin.port()]))
}

#[test]
fn probes_are_answered() {
    let gateway = Gateway::start(&[80], &answering("hi"));
    for path in ["/healthz/ready", "/healthz/live"] {
        assert_eq!(gateway.status_page(path).status, 200);
    }
    assert_eq!(gateway.status_page("/").status, 404);
    assert_eq!(gateway.status_page("/config_dump").status, 404);
    assert_eq!(gateway.admin_page("/ready").text(), "ready\n");
    gateway.stop();
}

#[test]
fn methods_that_a_page_does_not_have_are_405_and_head_is_get_without_a_body() {
    let gateway = Gateway::start(&[80], &answering("hi"));
    let mut client = Client::connect(gateway.status());
    client.send(b"PUT /healthz/live HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n\r\nhi");
    let put = client.answer("PUT");
    assert_eq!((put.status, put.field("allow")), (405, Some("GET, HEAD")));
    // The same connection goes on.
    client.send(b"HEAD /healthz/live HTTP/1.1\r\nhost: localhost\r\n\r\n");
    let head = client.answer("HEAD");
    assert_eq!((head.status, head.field("content-length")), (200, Some("5")));
    client.send(b"GET /healthz/live HTTP/1.1\r\nhost: localhost\r\n\r\n");
    assert_eq!(client.answer("GET").text(), "live\n");
    gateway.stop();
}

#[test]
fn metrics_are_well_formed_and_count() {
    let origin = Origin::echo();
    let gateway = start(&origin);
    for _ in 0..2 {
        assert_eq!(gateway.get(80, "web.test", "/").status, 200);
    }
    assert_eq!(gateway.metric("envoy_http_downstream_rq_total"), 2.0);
    // An answer is counted when it is sent, which its client may know first.
    gateway.until("two answers are counted", || gateway.metric("sluicegate_responses_2xx_total") == 2.0);
    assert_eq!(gateway.metric("sluicegate_shard_connections_total"), 2.0);
    assert!(gateway.metric("process_open_fds") > 10.0);
    assert!(gateway.metric("process_resident_memory_bytes") > 1e6);
    let page = gateway.admin_page("/stats/prometheus");
    assert_eq!(page.field("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let mut described = std::collections::HashSet::new();
    for line in page.text().lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            assert!(described.insert(rest.split(' ').next().unwrap().to_owned()), "described twice: {line}");
        } else if !line.starts_with('#') {
            let name = line.split([' ', '{']).next().unwrap();
            let stem = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix));
            let is_described = described.contains(name) || stem.is_some_and(|stem| described.contains(stem));
            assert!(is_described, "not described: {line}");
            assert!(line.rsplit(' ').next().unwrap().parse::<f64>().is_ok(), "{line}");
        }
    }
    gateway.stop();
}

#[test]
fn the_dump_tells_what_is_served_and_from_where() {
    let origin = Origin::echo();
    let gateway = start(&origin);
    let dump: Value = serde_json::from_str(gateway.admin_page("/config_dump").text()).unwrap();
    let at = |path: &str| dump.pointer(path).unwrap_or_else(|| panic!("no {path}: {dump:#}")).clone();
    assert_eq!(at("/generation"), 1);
    let address = format!("127.0.0.1:{}", gateway.port(80));
    assert_eq!(at("/listeners/0/address"), address.as_str());
    let route = "/route_tables/0/virtual_hosts/0/routes/0";
    assert_eq!(at(&format!("{route}/route/destinations/0/cluster")), "outbound|80||a.test");
    assert!(at(&format!("{route}/source")).as_str().unwrap().contains("VirtualService default/vs"));
    let upstream = format!("127.0.0.1:{}", origin.port());
    assert_eq!(at("/clusters/0/endpoints/0/address"), upstream.as_str());
    let clusters = gateway.admin_page("/clusters");
    for line in [format!("{upstream}::weight::1"), "protocol::HTTP/1.1".to_owned()] {
        let line = format!("outbound|80||a.test::{line}\n");
        assert!(clusters.text().contains(&line), "{}", clusters.text());
    }
    assert_eq!(at("/settings/http2/max_concurrent_streams"), 1024);
    assert_eq!(at("/listeners/0/chain/protocols"), serde_json::json!(["HTTP/1.1", "HTTP/2"]));
    assert_eq!(at("/clusters/0/protocol"), "HTTP/1.1");
    assert!(gateway.admin_page("/listeners").text().contains(&address));
    gateway.stop();
}

#[test]
fn the_server_tells_about_itself() {
    let gateway = Gateway::start(&[80], &answering("hi"));
    let info: Value = serde_json::from_str(gateway.admin_page("/server_info").text()).unwrap();
    assert_eq!(info["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(info["state"], "ready");
    assert_eq!(info["process_id"], gateway.pid());
    assert_eq!(info["workers"].as_array().map(Vec::len), Some(2));
    let driver = info["workers"][0]["driver"].as_str().unwrap();
    assert!(driver == "epoll" || driver.starts_with("io_uring"), "{driver}");
    gateway.stop();
}

#[test]
fn the_level_of_the_log_can_be_changed() {
    let gateway = Gateway::start(&[80], &answering("hi"));
    let mut client = Client::connect(gateway.admin());
    let mut post = |path: &str, more: &str| {
        client.send(
            format!("POST {path} HTTP/1.1\r\nhost: localhost\r\n{more}content-length: 0\r\n\r\n").as_bytes(),
        );
        client.answer("POST")
    };
    assert_eq!(post("/logging?level=debug", "").text(), "level: debug\n");
    assert_eq!(post("/logging?level=loud", "").status, 400);
    assert_eq!(post("/logging?level=error", "origin: http://evil.test\r\n").status, 403);
    assert_eq!(gateway.admin_page("/logging").text(), "level: debug\n");
    assert_eq!(gateway.admin_page("/logging?level=error").status, 405);
    gateway.stop();
}

#[test]
fn pages_can_be_off() {
    let gateway = Gateway::start_with(&[80], &answering("hi"), &["--admin", "off", "--status", "off"]);
    assert!(!gateway.said_so_far().contains("pages on"), "{}", gateway.said_so_far());
    assert_eq!(gateway.get(80, "web.test", "/").text(), "hi");
    gateway.stop();
}

#[test]
fn an_address_in_use_is_an_error_that_names_the_option() {
    let first = Gateway::start(&[80], &answering("hi"));
    let taken = format!("127.0.0.1:{}", first.admin());
    let second = Gateway::try_start(&[80], &answering("hi"), &["--admin", &taken]);
    let ended = second.err().unwrap();
    assert_eq!(ended.code, Some(1));
    assert!(ended.said.contains(&format!("can't listen on {taken} for the admin pages")), "{}", ended.said);
    assert!(ended.said.contains("--admin off"), "{}", ended.said);
    first.stop();
}
