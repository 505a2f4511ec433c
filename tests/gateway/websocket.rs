//! Real WebSocket stacks through the gateway: the programs in `tests/websocket/`.

use super::{
    harness::{Gateway, routed},
    origin::dead_port,
    python,
};

/// The environment of these programs.
const ENVIRONMENT: &str = "websocket";
/// Autobahn's cases; a server, and the browser's remote control; HTTP/2 frame by frame, and WebSocket's.
const PACKAGES: &[&str] = &["kosoku==0.1.0", "websockets==17.4", "h2==4.4.1", "wsproto==1.3.2"];

#[test]
fn the_verdicts_of_autobahn_are_those_without_a_gateway() {
    let server = dead_port();
    let gateway = Gateway::start(&[80], &routed("  - route: [{destination: {host: a.test}}]", &[server]));
    let ports = [gateway.port(80), server].map(|port| port.to_string());
    python::cases(ENVIRONMENT, PACKAGES, "websocket/autobahn.py", ports);
    gateway.stop();
}
