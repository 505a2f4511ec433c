//! The dashboard in a real browser: the program in `tests/dashboard/`.

use super::{
    harness::{GATEWAY, Gateway, answering, run, service_entry, virtual_service},
    origin::dead_port,
    python,
    tools::has_for,
    websocket::{ENVIRONMENT, PACKAGES},
};

/// A rule with a name that would be a picture if it were markup, one whose destination has a bad endpoint that is put out for
/// five minutes, and no rule for `/nothing`.
const RULES: &str = "  - {name: shop, match: [{uri: {prefix: /shop}}], route: [{destination: {host: good.test}}]}
  - {name: \"<img src=x onerror=\\\"window.caught='route'\\\">\", match: [{uri: {prefix: /evil}}], route: [{destination: {host: good.test}}]}
  - {name: moody, match: [{uri: {prefix: /moody}}], retries: {attempts: 0}, route: [{destination: {host: moody.test}}]}";

fn moody(good: u16, bad: u16) -> String {
    format!(
        "---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: moody}}\nspec:\n  \
         hosts: [moody.test]\n  ports: [{{number: 80, name: http, protocol: HTTP}}]\n  resolution: STATIC\n  endpoints:\n  \
         - {{address: 127.0.0.1, ports: {{http: {good}}}}}\n  - {{address: 127.0.0.1, ports: {{http: {bad}}}}}\n---\n\
         apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: moody}}\nspec:\n  host: moody.test\n  \
         trafficPolicy: {{loadBalancer: {{simple: ROUND_ROBIN}}, outlierDetection: {{consecutive5xxErrors: 1, \
         baseEjectionTime: 5m, maxEjectionPercent: 100}}}}\n"
    )
}

#[test]
fn a_browser_sees_what_happens() {
    if !has_for("chromium", "a browser that shows the dashboard") {
        return;
    }
    let (good, bad) = (dead_port(), dead_port());
    let rules = virtual_service(RULES);
    let yaml = format!("{GATEWAY}---\n{rules}{}{}", service_entry("good.test", good), moody(good, bad));
    let gateway = Gateway::start(&[80], &yaml);
    let [admin, port, good, bad] =
        [gateway.admin(), gateway.port(80), good, bad].map(|port| port.to_string());
    let configuration = gateway.directory().join("config.yaml").display().to_string();
    let arguments = [admin, port, good, bad, gateway.pid().to_string(), configuration];
    let said = python::cases(ENVIRONMENT, PACKAGES, "dashboard/dashboard.py", arguments);
    if let Some(said) = said {
        println!("{said}");
    } else {
        gateway.stop();
    }
}

#[test]
fn one_look_from_a_terminal() {
    let gateway = Gateway::start(&[80], &answering("hi"));
    assert_eq!(gateway.get(80, "web.test", "/").text(), "hi");
    gateway.until("it is counted", || gateway.metric("sluicegate_responses_2xx_total") == 1.0);
    let (code, out, err) = run(&["top", "--once", "--admin", &format!("127.0.0.1:{}", gateway.admin())]);
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    for part in [
        ": ready, serving generation 1 for ",
        "/s, 1 since the start\n",
        "ROUTES (1)\n",
        " *\n",
        "CLUSTERS (0)\n",
    ] {
        assert!(out.contains(part), "no {part:?} in\n{out}");
    }
    gateway.stop();
}
