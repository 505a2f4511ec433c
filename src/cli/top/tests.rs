//! The screen, as a terminal would show it.

use super::{
    encoded,
    model::Model,
    plain,
    screen::{Pane, Screen},
    view::{Asked, draw},
};
use ratatui::{Terminal, backend::TestBackend};
use serde_json::{Value, json};

fn answer(uptime_ms: u64, requests: u64) -> Value {
    let latency = json!([[1024, requests / 2], [4096, requests / 2]]);
    json!({
        "schema": 1,
        "now_ms": 1_000_000 + uptime_ms,
        "process": {"id": 4711, "version": "0.1.0", "started_ms": 1_000_000, "uptime_ms": uptime_ms},
        "state": "ready",
        "configuration": {
            "generation": 2,
            "serving_since_ms": 1_000_000,
            "failing_since_ms": null,
            "loads": [{"at_ms": 1_000_000, "why": "start", "generation": 1, "took_ms": 12, "errors": 0, "warnings": 1,
                       "diagnostics": ["warning[no-effect]: nothing\n --> a.yaml:1:1"]}],
        },
        "totals": {"requests": requests, "requests_active": 3, "responses_4xx": 0, "responses_5xx": 0,
                   "connections": requests, "connections_active": 17, "bytes_sent": 0, "bytes_received": 0,
                   "upstream_connections_active": 1},
        "flags": [{"flag": "UT", "meaning": "The destination did not answer.", "requests": 7}],
        "latency": latency,
        "workers": [{"id": 0, "cpu": 1, "driver": "io_uring", "ended": false, "connections": 17,
                     "accepted": requests, "requests": requests, "cpu_ms": uptime_ms / 2}],
        "routes": {"total": 2, "matching": 1, "rows": [
            {"name": "shop", "host": "shop.test", "requests": requests, "client_errors": 0, "server_errors": 0, "latency": latency},
        ]},
        "clusters": {"total": 1, "matching": 1, "rows": [
            {"name": "outbound|80||a.test", "source": "ServiceEntry a", "requests": requests, "client_errors": 0,
             "server_errors": 0, "latency": latency, "good": 1, "endpoints": {"total": 2, "rows": [
                {"address": "10.0.0.1:80", "weight": 1, "good": false, "failing_checks": true,
                 "ejected": {"reason": "too many failures", "left_ms": 65_000}, "ejections": 1},
                {"address": "10.0.0.2:80", "weight": 1, "good": true, "failing_checks": false, "ejected": null, "ejections": 0},
             ]}},
        ]},
        "certificates": {"total": 1, "rows": [
            {"name": "Gateway a servers[0]", "state": "good", "problems": [], "subject": "CN=a", "names": ["a.test"],
             "not_after_ms": 1_000_000 + uptime_ms + 5 * 86_400_000},
        ]},
    })
}

fn model() -> Model {
    let mut model = Model::default();
    (0..4u64).for_each(|second| {
        model.take(answer(10_000 + second * 1000, 1000 + second * 250));
    });
    model
}

fn drawn(model: &Model, screen: &Screen, lost: Option<(&str, u64)>, size: (u16, u16)) -> String {
    let mut terminal = Terminal::new(TestBackend::new(size.0, size.1)).unwrap();
    terminal.draw(|frame| draw(frame, model, screen, &Asked { address: "127.0.0.1:15000", lost })).unwrap();
    terminal.backend().to_string()
}

fn has(text: &str, all: &[&str]) {
    for part in all {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
}

#[test]
fn every_pane_shows_what_it_is_there_for() {
    let model = model();
    let pane = |pane| drawn(&model, &Screen { pane, ..Screen::default() }, None, (120, 40));
    let summary = pane(Pane::Summary);
    has(
        &summary,
        &["ready, serving generation 2 for 13 s", "250/s", "p99 4.1 ms", "UT", "did not answer", "5 days"],
    );
    has(&pane(Pane::Routes), &["1 of 2", "shop.test", "↓REQ/S", "250", "1,750"]);
    has(&pane(Pane::Workers), &["CPU 1", "io_uring", "50 %", "████"]);
    has(
        &pane(Pane::Clusters),
        &["1 of 2 endpoints good", "10.0.0.1:80", "back in 1 min 5 s; fails its health check"],
    );
    has(&pane(Pane::Reloads), &["start", "generation 1", "warning[no-effect]: nothing", "--> a.yaml:1:1"]);
}

#[test]
fn who_is_gone_is_missed() {
    let lost = Some(("connection refused", 61_000));
    has(
        &drawn(&model(), &Screen::default(), lost, (80, 24)),
        &["■ not reachable for 1 min 1 s: connection refused"],
    );
    has(&drawn(&Model::default(), &Screen::default(), None, (80, 24)), &["asking", "q quit"]);
}

#[test]
fn no_terminal_is_too_small() {
    let model = model();
    for size in [(1, 1), (10, 3), (40, 8), (500, 100)] {
        for pane in Pane::ALL {
            for has_help in [false, true] {
                drawn(&model, &Screen { pane, has_help, chosen: 99, ..Screen::default() }, None, size);
            }
        }
    }
}

#[test]
fn a_failed_reload_is_said_on_every_pane() {
    let mut failed = answer(20_000, 5000);
    failed["configuration"]["failing_since_ms"] = json!(1_018_000);
    failed["configuration"]["loads"] =
        json!([{"at_ms": 1_018_000, "why": "SIGHUP", "generation": null, "errors": 2}]);
    let mut model = model();
    model.take(failed);
    for pane in Pane::ALL {
        let text = drawn(&model, &Screen { pane, ..Screen::default() }, None, (120, 30));
        has(&text, &["■ the reload 2 s ago failed (2 errors): generation 2 from 20 s ago is still served"]);
    }
}

#[test]
fn one_look_has_everything_in_it() {
    let text = plain::snapshot(&model(), "127.0.0.1:15000");
    has(
        &text,
        &[
            "sluicegate 0.1.0 on 127.0.0.1:15000: ready, serving generation 2",
            "requests     250/s, 1,750 since the start",
            "shop shop.test",
            "outbound|80||a.test: 1 of 2 endpoints good",
            "10.0.0.1:80",
            "start: generation 1 in 12 ms, 0 errors, 1 warning",
            "a.test",
        ],
    );
    assert!(!text.contains('\u{1b}') && text.lines().all(|line| !line.ends_with(' ')), "{text}");
}

#[test]
fn filters_are_encoded() {
    assert_eq!(encoded("a b&ä"), "a%20b%26%C3%A4");
}
