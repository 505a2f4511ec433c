//! The table.

use crate::program::{Files, run};
use serde_json::Value;

#[test]
fn one_line_a_route() {
    let ended = run(&["routes", "-c", "config/demo"]).with(0);
    let lines: Vec<Vec<&str>> = ended.out.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(lines.len(), 14, "{}", ended.out);
    assert!(lines.iter().all(|cells| cells[..3] == ["0.0.0.0:8080", "-", "*"] && cells.len() == 6));
    let action = |asked: &str| {
        let line = lines.iter().find(|cells| cells[3] == asked);
        line.unwrap_or_else(|| panic!("no {asked:?} in:\n{}", ended.out))[4]
    };
    assert_eq!(action("uri exact /hello"), "directResponse 200, 23 bytes");
    assert_eq!(action("uri exact /old"), "redirect 301 *://*/hello");
    assert_eq!(
        action("uri prefix /api/"),
        "route outbound|80|v1|origin.demo.internal; rewrite first 5 bytes -> /"
    );
    assert_eq!(
        action("uri exact /split"),
        "route 80% outbound|80|v1|origin.demo.internal, 20% outbound|80|v2|origin.demo.internal; rewrite whole path -> /version"
    );
    assert!(action("uri exact /headers").contains("; response headers add x-demo: added by the gateway"));
    assert_eq!(
        action("uri exact /version, header x-tester exact yes"),
        "route outbound|80|v2|origin.demo.internal"
    );
    assert!(lines[0][5].starts_with("VirtualService default/demo (config/demo/demo.yaml:"), "{:?}", lines[0]);
    // The first to be tried comes first.
    let position = |asked: &str| lines.iter().position(|cells| cells[3] == asked);
    assert!(position("uri exact /version, header x-tester exact yes") < position("uri exact /version"));
}

#[test]
fn redirects_of_hosts() {
    let ended = run(&["routes", "-c", "config/bookinfo", "--port-map", "80=8000"]).with(0);
    let redirect = "0.0.0.0:8000\t-\tuk.bookinfo.com\tscheme http\thttpsRedirect 301 https://*/*\tGateway ";
    ended.tells(&[redirect]);
}

#[test]
fn tls_and_tcp_are_listed_too() {
    let ended = run(&["routes", "-c", "config/bookinfo"]).with(0);
    ended.tells(&[
        "0.0.0.0:443\tuk.bookinfo.com,eu.bookinfo.com\tuk.bookinfo.com\turi prefix /ratings/\troute ",
        "0.0.0.0:9443\t*.bookinfo.com\t",
        "0.0.0.0:2379\t-\t-\tconnections\ttcp outbound|27017||mongo.prod.svc.cluster.local\tVirtualService ",
    ]);
    let files = Files::new(&[("pass.yaml", PASSTHROUGH)]);
    let pass = ["routes", "-c", &files.path("pass.yaml"), "--format", "json"];
    let ended = run(&pass).with(0).complains(&["note: the TLS server on port 443 for b.example"]);
    let row: Value = serde_json::from_str(ended.out.trim()).unwrap();
    assert_eq!(row["sni"][0], "a.example");
    assert_eq!((&row["host"], &row["number"]), (&Value::Null, &Value::Null));
    assert_eq!(row["action"], "passthrough outbound|443||nobody.example (does not exist: closed)");
    assert_eq!(row["route"]["destinations"][0]["exists"], false);
}

#[test]
fn versions_of_http_are_listed_where_they_differ() {
    run(&["routes", "-c", "config/grpc.yaml"]).with(0).tells(&[
        "\turi prefix /chat.Rooms/\troute outbound|9811||rooms.chat.internal (HTTP/2)\t",
        "\turi exact /\troute outbound|9813||pages.chat.internal (HTTP/2 if the client speaks it)\t",
        "\troute outbound|9812||history.chat.internal (HTTP/2)\t",
    ]);
    let ended = run(&["routes", "-c", "config/grpc.yaml", "--format", "json"]).with(0);
    let rows: Vec<Value> = ended.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows[0]["protocols"]["outbound|9811||rooms.chat.internal"], "HTTP/2");
}

const PASSTHROUGH: &str = "\
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: g}
spec:
  servers:
  - {port: {number: 443, name: a, protocol: TLS}, hosts: [a.example], tls: {mode: PASSTHROUGH}}
  - {port: {number: 443, name: b, protocol: TLS}, hosts: [b.example], tls: {mode: PASSTHROUGH}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: v}
spec:
  hosts: [a.example]
  gateways: [g]
  tls: [{match: [{sniHosts: [a.example]}], route: [{destination: {host: nobody.example}}]}]
";

#[test]
fn tools_get_objects() {
    let ended = run(&["routes", "-c", "config/canary.yaml", "--format", "json"]).with(0);
    let routes: Vec<Value> = ended.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let last = routes.last().unwrap();
    assert_eq!((&last["number"], &last["host"]), (&4.into(), &"shop.example.com".into()));
    assert_eq!(last["route"]["name"], "everybody");
    assert_eq!(last["route"]["route"]["destinations"][1]["weight"], 5);
    assert_eq!(last["source"]["file"], "config/canary.yaml");
}

#[test]
fn what_is_right_is_listed_beside_errors() {
    let hello = std::fs::read_to_string("config/hello.yaml").unwrap();
    let wrong = "kind: Gateway\napiVersion: networking.istio.io/v1\nmetadata: {name: wrong}\nspec: {}\n";
    let files = Files::new(&[("hello.yaml", &hello), ("wrong.yaml", wrong)]);
    run(&["routes", "-c", files.directory().to_str().unwrap()])
        .with(1)
        .tells(&["0.0.0.0:8080\t-\t*\turi prefix /\troute outbound|9000||hello.internal\t"])
        .complains(&["error[", "wrong.yaml:", "`run` does not start with these errors"]);
}
