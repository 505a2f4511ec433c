//! Real WebSocket stacks through the gateway: the programs in `tests/websocket/`.

use super::{
    certificates::Authority,
    harness::{Folder, Gateway, routed, service_entry},
    origin::dead_port,
    python,
    tls_files::secret,
    tools::has_for,
};
use std::path::PathBuf;

/// The environment of these programs.
pub(crate) const ENVIRONMENT: &str = "websocket";
/// Autobahn's cases; a server, and the browser's remote control; HTTP/2 frame by frame, and WebSocket's.
pub(crate) const PACKAGES: &[&str] = &["kosoku==0.1.0", "websockets==17.4", "h2==4.4.1", "wsproto==1.3.2"];

/// Plain text and TLS.
const GATEWAY: &str = "\
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gw}
spec:
  servers:
  - {port: {number: 80, name: http, protocol: HTTP}, bind: 127.0.0.1, hosts: ['*']}
  - port: {number: 443, name: https, protocol: HTTPS}
    bind: 127.0.0.1
    hosts: ['*']
    tls: {mode: SIMPLE, credentialName: web}
";

/// A gateway that leads `web.test` to a port, the file of its authority, and that port.
fn site(folder: &Folder) -> (Gateway, PathBuf, u16) {
    let (root, server) = (Authority::new("root"), dead_port());
    let mut yaml = GATEWAY.to_owned() + &secret("web", &root.leaf(&["web.test"]), None);
    for (host, port) in [("web.test", server), ("gone.web.test", dead_port())] {
        let (name, internal) = (host.replace('.', "-"), format!("{host}.internal"));
        yaml.push_str(&format!(
            "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: {name}}}\nspec:\n  \
             hosts: [{host}]\n  gateways: [gw]\n  http:\n  - route: [{{destination: {{host: {internal}}}}}]\n"
        ));
        yaml.push_str(&service_entry(&internal, port));
    }
    (Gateway::start(&[80, 443], &yaml), folder.put("ca.crt", &root.pem()), server)
}

#[test]
fn the_verdicts_of_autobahn_are_those_without_a_gateway() {
    let server = dead_port();
    let gateway = Gateway::start(&[80], &routed("  - route: [{destination: {host: a.test}}]", &[server]));
    let ports = [gateway.port(80), server].map(|port| port.to_string());
    python::cases(ENVIRONMENT, PACKAGES, "websocket/autobahn.py", ports);
    gateway.stop();
}

#[test]
fn over_http2_frame_by_frame() {
    let folder = Folder::new();
    let (gateway, authority, server) = site(&folder);
    let [plain, secure, server] = [gateway.port(80), gateway.port(443), server].map(|port| port.to_string());
    let authority = authority.to_str().unwrap().to_owned();
    python::cases(ENVIRONMENT, PACKAGES, "websocket/extended.py", [plain, secure, authority, server]);
    gateway.stop();
}

#[test]
fn a_browser_opens_them_over_http2() {
    if !has_for("chromium", "a browser that opens WebSockets over HTTP/2") {
        return;
    }
    let folder = Folder::new();
    let (gateway, _, server) = site(&folder);
    let ports = [gateway.port(443), server].map(|port| port.to_string());
    let said = python::cases(ENVIRONMENT, PACKAGES, "websocket/browser.py", ports);
    let ended = gateway.stop();
    let Some(said) = said else { return };
    // What a browser does by itself it may do over HTTP/1.1 without anybody's notice, but for the log.
    let opened = said.lines().find_map(|line| line.strip_prefix("opened: ")).unwrap();
    for path in opened.split(' ') {
        let lines: Vec<_> =
            ended.log.iter().filter(|line| line.contains(&format!(" {path} HTTP/"))).collect();
        assert!(lines.len() == 1 && lines[0].contains(&format!(" {path} HTTP/2\" ")), "{path}: {lines:?}");
    }
}
