//! Rules that another VirtualService has: both are named.

use crate::program::{Files, run};

const DELEGATED: &str = "\
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gw}
spec:
  servers:
  - {port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: root}
spec:
  hosts: ['*']
  gateways: [gw]
  http:
  - match: [{uri: {prefix: /x}}]
    delegate: {name: d, namespace: rules}
  - match: [{uri: {prefix: /z}}]
    delegate: {name: nobody}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: d, namespace: rules}
spec:
  http:
  - match: [{uri: {prefix: /x/y}}]
    directResponse: {status: 200}
  - match: [{uri: {prefix: /y}}]
    directResponse: {status: 200}
";

#[test]
fn explain_names_both() {
    let files = Files::new(&[("delegated.yaml", DELEGATED)]);
    let path = files.path("delegated.yaml");
    run(&["explain", "-c", &path, "--url", "http://any.example/x/y"]).with(0).tells(&[
        "route             1 of 1: uri prefix /x/y\n",
        "VirtualService rules/d (",
        "delegated.yaml:25:13)\n",
        "- delegated by, VirtualService default/root (",
        "delegated.yaml:15:13)\n",
    ]);
}

#[test]
fn routes_name_both() {
    let files = Files::new(&[("delegated.yaml", DELEGATED)]);
    let path = files.path("delegated.yaml");
    run(&["routes", "-c", &path])
        .with(0)
        .tells(&["\tVirtualService rules/d (", ":25) for VirtualService default/root ("]);
    let ended = run(&["routes", "-c", &path, "--format", "json"]).with(0);
    let row: serde_json::Value = serde_json::from_str(ended.out.trim()).unwrap();
    assert!(row["route"]["delegatedBy"].as_str().unwrap().starts_with("VirtualService default/root ("));
}

#[test]
fn check_says_what_is_left_out() {
    let files = Files::new(&[("delegated.yaml", DELEGATED)]);
    run(&["check", &files.path("delegated.yaml")]).with(0).complains(&[
        "unknown-delegate",
        "there is no VirtualService `default/nobody` to delegate to",
        "delegate-conflict",
        "its `uri` is the prefix `/y`, and the root's is the prefix `/x`",
        "VirtualService rules/d: spec.http[1].match[0]",
    ]);
}
