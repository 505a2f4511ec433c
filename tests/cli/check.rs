//! Every problem in one run.

use crate::program::{Files, run, run_with_input};
use serde_json::Value;

/// Twelve mistakes, some of them in one object; each line with one says so.
const MISTAKES: &str = "\
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge}
spec:
  servers:
  - port: {number: 80, name: http, protocol: HTPP} # bad-protocol
    hosts: ['*']
  - port: {number: eighty, name: web, protocol: HTTP} # wrong-type
    hosts: [foo.*.com] # bad-host
  - port: {number: 8080, name: plain, protocol: HTTP}
    hosts: [a.example]
    tls: {mode: SIMPLE, credentialName: c} # tls-on-plain-port
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web}
spec:
  hosts: [a.example]
  gateway: [edge] # unknown-field
  http:
  - match: [{uri: {regex: '/a('}}] # bad-regex
    redirect: {uri: /b, redirectCode: 306} # bad-status
  - route:
    - {destination: {host: b.example}, weight: -1} # bad-weight
    headers: {request: {set: {x-a: '50%'}}} # bad-header-value
---
apiVersion: networking.istio.io/v7 # unknown-version
kind: VirtualService
metadata: {name: old}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: broken, labels: {a: b}}} # bad-yaml
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: b}
spec:
  hosts: [b.example]
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: STATIK # unknown-value
";

/// Line and code of every mistake.
fn mistakes() -> Vec<(u64, String)> {
    let lines = (1..).zip(MISTAKES.lines());
    lines.filter_map(|(number, line)| Some((number, line.rsplit_once("# ")?.1.to_owned()))).collect()
}

#[test]
fn every_mistake_is_reported_at_its_line() {
    let files = Files::new(&[("mistakes.yaml", MISTAKES)]);
    let path = files.path("mistakes.yaml");
    let ended = run(&["check", &path, "--format", "json"]).with(1);
    let reported: Vec<(u64, String)> = ended
        .out
        .lines()
        .map(|line| {
            let problem: Value = serde_json::from_str(line).unwrap();
            assert_eq!((&problem["severity"], &problem["file"]), (&"error".into(), &path.clone().into()));
            (problem["line"].as_u64().unwrap(), problem["code"].as_str().unwrap().to_owned())
        })
        .collect();
    assert_eq!(mistakes().len(), 12);
    assert_eq!(reported, mistakes());
    ended.complains(&["failed: 1 file, 12 errors, 0 warnings\n"]);
}

#[test]
fn people_see_the_source() {
    let files = Files::new(&[("mistakes.yaml", MISTAKES)]);
    let path = files.path("mistakes.yaml");
    let ended = run(&["check", &path]).with(1).complains(&[
        "error[bad-protocol]: `HTPP` is not a protocol\n",
        &format!("--> {path}:6:46\n"),
        "6 |   - port: {number: 80, name: http, protocol: HTPP} # bad-protocol\n",
        "^^^^\n",
        "in: Gateway default/edge: spec.servers[0].port.protocol\n",
        "help: did you mean `gateways`?",
        "failed: 1 file, 12 errors, 0 warnings\n",
    ]);
    assert_eq!(ended.out, "", "what is wrong goes to standard error");
    assert!(!ended.err.contains('\x1b'), "colours are for terminals:\n{}", ended.err);
}

#[test]
fn code_review_sees_annotations() {
    let files = Files::new(&[("mistakes.yaml", MISTAKES)]);
    let path = files.path("mistakes.yaml");
    run(&["check", &path, "--format", "github"])
        .with(1)
        .tells(&[&format!("::error file={path},line=6,col=46,endLine=6,endColumn=50,title=bad-protocol::")]);
}

#[test]
fn the_examples_are_good() {
    let ended = run(&["check", "config/hello.yaml"]).with(0);
    assert_eq!(ended.out, "ok: 1 file, 1 Gateway, 1 VirtualService, 1 ServiceEntry, 0 errors, 0 warnings\n");
    assert_eq!(ended.err, "");
    run(&["check", "config", "--locality", "eu/a", "--deny-warnings"])
        .with(0)
        .tells(&["ok: ", ", 0 errors, 0 warnings\n"]);
    run(&["check", "config/demo", "--format", "json"]).with(0).complains(&["ok: 1 file, "]);
}

const UNROUTED: &str = "\
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: g}
spec: {servers: [{port: {number: 9000, name: tcp, protocol: TCP}, hosts: ['*']}]}
";

#[test]
fn warnings_fail_only_if_denied() {
    let files = Files::new(&[("gateway.yaml", UNROUTED)]);
    let path = files.path("gateway.yaml");
    run(&["check", &path]).with(0).tells(&["ok: ", ", 0 errors, 1 warning\n"]).complains(&[
        "warning[no-route-for-server]: no VirtualService has a `tcp` rule for this TCP server on port 9000",
        "gateway.yaml:",
    ]);
    run(&["check", &path, "--deny-warnings"]).with(1).complains(&["failed: ", "1 warning\n"]);
}

#[test]
fn files_directories_and_standard_input() {
    let hello = std::fs::read_to_string("config/hello.yaml").unwrap();
    run_with_input(&["check", "-"], &hello).with(0).tells(&["ok: 1 file, 1 Gateway,"]);
    run_with_input(&["check", "-"], "kind: [").with(1).complains(&["<stdin>:1:"]);
    let files = Files::new(&[("a.yaml", "a: b\n"), ("b.yml", "c: d\n"), ("c.txt", "e: f\n")]);
    run(&["check", files.directory().to_str().unwrap()]).with(1).complains(&[
        "a.yaml:1:1",
        "b.yml:1:1",
        "failed: 2 files, 2 errors",
    ]);
    run(&["check", "config/hello.yaml", &files.path("none.yaml")])
        .with(1)
        .complains(&["error[unreadable-file]: ", "none.yaml` can't be read: No such file"]);
}

#[test]
fn the_workload_decides_what_applies() {
    let gateway = "\
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: a}
spec:
  selector: {app: edge}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]
";
    let files = Files::new(&[("a.yaml", gateway)]);
    let path = files.path("a.yaml");
    let note = |labels: &str| run(&["check", &path, "--labels", labels]).with(0);
    assert_ne!(note("app=edge").err, note("app=other").err);
}
