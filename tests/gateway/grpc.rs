//! Real gRPC stacks through the gateway: the programs in `tests/grpc/`.

use super::{
    certificates::Authority,
    harness::{Folder, Gateway, service_entry},
    origin::dead_port,
    python,
    tls_files::{files, secret},
    tools::{has_for, run_within},
};
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// The environment of these programs.
const ENVIRONMENT: &str = "grpc";
/// A client and server; HTTP/2 frame by frame; a client of HTTP/1.1 and HTTP/2.
const PACKAGES: &[&str] = &["grpcio==1.85.1", "h2==4.4.1", "httpx==0.28.1"];

/// A second client and server, and a third client, which speaks gRPC-Web, too.
const NODE_PACKAGES: &[&str] = &[
    "@grpc/grpc-js@1.14.7",
    "@connectrpc/connect@2.2.0",
    "@connectrpc/connect-node@2.2.0",
    "@bufbuild/protobuf@2.17.0",
];

/// A port of each kind.
const GATEWAY: &str = "\
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gw}
spec:
  servers:
  - {port: {number: 80, name: grpc, protocol: GRPC}, bind: 127.0.0.1, hosts: ['*']}
  - {port: {number: 8080, name: http, protocol: HTTP}, bind: 127.0.0.1, hosts: ['*']}
  - {port: {number: 8081, name: web, protocol: GRPC-WEB}, bind: 127.0.0.1, hosts: ['*']}
  - port: {number: 443, name: https, protocol: HTTPS}
    bind: 127.0.0.1
    hosts: ['*.grpc.test']
    tls: {mode: SIMPLE, credentialName: web}
";

/// A gateway with a way to each origin, and what the programs need to know.
struct Site {
    gateway: Gateway,
    authority: PathBuf,
    certificate: (PathBuf, PathBuf),
    /// In plain text, by TLS, frame by frame, and one that gets HTTP/1.1.
    origins: [u16; 4],
    _folder: Folder,
}

impl Site {
    fn new() -> Site {
        let (root, folder) = (Authority::new("root"), Folder::new());
        let leaf = root.leaf(&["*.grpc.test"]);
        let authority = folder.put("ca.crt", &root.pem());
        let origins = [dead_port(), dead_port(), dead_port(), dead_port()];
        let mut yaml = GATEWAY.to_owned();
        let [plain, tls, raw, old] = origins;
        let gone = dead_port();
        for (name, port) in [("plain", plain), ("tls", tls), ("raw", raw), ("old", old), ("gone", gone)] {
            let protocol = if name == "old" { "protocol: HTTP," } else { "protocol: GRPC," };
            let (host, internal) = (format!("{name}.grpc.test"), format!("{name}.internal"));
            yaml.push_str(&format!(
                "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: {name}}}\nspec:\n  \
                 hosts: [{host}]\n  gateways: [gw]\n  http:\n  - route: [{{destination: {{host: {internal}}}}}]\n"
            ));
            yaml.push_str(&service_entry(&internal, port).replace("protocol: HTTP,", protocol));
        }
        yaml.push_str(&format!(
            "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: tls}}\nspec:\n  \
             host: tls.internal\n  trafficPolicy:\n    tls: {{mode: SIMPLE, sni: tls.grpc.test, caCertificates: {}}}\n",
            authority.display()
        ));
        yaml.push_str(&secret("web", &leaf, None));
        let certificate = files(folder.path(), "server", &leaf);
        let gateway = Gateway::start(&[80, 443, 8080, 8081], &yaml);
        Site { gateway, authority, certificate, origins, _folder: folder }
    }

    /// Runs a program of Python with these arguments.
    fn cases(&self, script: &str, words: &[&str]) {
        python::cases(ENVIRONMENT, PACKAGES, script, self.arguments(words));
    }

    /// These of the gateway's ports, an authority, origins, and a certificate.
    fn arguments(&self, words: &[&str]) -> Vec<String> {
        let path = |path: &PathBuf| path.to_str().unwrap().to_owned();
        let arguments = words.iter().map(|word| match *word {
            "plain" => self.origins[0].to_string(),
            "tls" => self.origins[1].to_string(),
            "raw" => self.origins[2].to_string(),
            "old" => self.origins[3].to_string(),
            "ca" => path(&self.authority),
            "certificate" => path(&self.certificate.0),
            "key" => path(&self.certificate.1),
            port => self.gateway.port(port.parse().unwrap()).to_string(),
        });
        arguments.collect()
    }
}

/// Where the packages of npm are, installed on first use; says why if they can't be.
fn node_modules() -> Option<PathBuf> {
    if !["node", "npm"].iter().all(|program| has_for(program, "a second and a third stack of gRPC")) {
        return None;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/node_modules");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("node");
    let mut command = Command::new(script);
    let (ended_well, said) = run_within(command.arg(folder).args(NODE_PACKAGES), b"", python::CASES_PATIENCE);
    let last = said.trim().lines().last().unwrap_or_default();
    if ended_well {
        return Some(last.into());
    }
    println!("skipped: no packages of npm: {last}");
    None
}

/// Runs a program of JavaScript with these arguments, if it can be run.
fn node_cases(script: &str, words: &[&str]) {
    let Some(modules) = node_modules() else { return };
    let site = Site::new();
    let mut command = Command::new("node");
    command.env("NODE_PATH", modules).arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(script));
    command.args(site.arguments(words));
    python::run_cases(command, script);
    site.gateway.stop();
}

/// The ports and files that both stacks need.
const INTEROPERABILITY: &[&str] = &["80", "443", "ca", "plain", "tls", "certificate", "key"];

#[test]
fn the_interoperability_cases() {
    let site = Site::new();
    site.cases("grpc/cases.py", INTEROPERABILITY);
    site.gateway.stop();
}

#[test]
fn a_second_stack() {
    node_cases("grpc/second.js", INTEROPERABILITY);
}

#[test]
fn a_third_client_which_speaks_grpc_web_too() {
    node_cases("grpc/connect.js", &["8081", "80", "443", "ca", "plain"]);
}

#[test]
fn servers_that_break_and_clients_that_insist() {
    let site = Site::new();
    site.cases("grpc/broken.py", &["80", "443", "ca", "raw"]);
    site.gateway.stop();
}

#[test]
fn grpc_web() {
    let site = Site::new();
    site.cases("grpc/web.py", &["8081", "8080", "plain", "raw", "old"]);
    site.gateway.stop();
}

#[test]
fn calls_that_are_under_way_end_well_when_it_ends() {
    let site = Site::new();
    let mut arguments = site.arguments(&["80", "443", "ca", "plain"]);
    arguments.push(site.gateway.pid().to_string());
    if python::cases(ENVIRONMENT, PACKAGES, "grpc/drain.py", arguments).is_none() {
        site.gateway.stop();
        return;
    }
    let ended = site.gateway.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(ended.said.contains("no connection was cut"), "{}", ended.said);
}
