//! The byte-exact HTTP/1 cases of `tests/http1`, through the whole gateway.

use super::harness::{Gateway, routed};
use super::origin::dead_port;
use std::{path::Path, process::Command};

/// The one case that can't hold: it wants the very head forwarded that `ds-hop-cl` wants refused (a `Connection` field that
/// names `Content-Length`). Refusing is the safe one of the two; both answers are allowed by both cases' statuses.
const CONTRADICTED: &str = "hop-nominate-content-length: status 400; our choice is to forward";

/// HTTP/2's preface in clear text: we speak HTTP/2 then, as the case allows, but its runner has no word for the SETTINGS frame
/// that comes back.
const SPOKEN: &str = "rl-h2-preface-cleartext: no answer and not closed";

#[test]
fn every_case_holds_in_strict_mode() {
    // The runner is the origin, on a port that we choose.
    let origin = dead_port();
    let gateway = Gateway::start_with(
        &[80],
        &routed("  - route: [{destination: {host: a.test}}]", &[origin]),
        &["--access-log", "off"],
    );
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/http1");
    let output = Command::new("python3")
        .arg(folder.join("http1.py"))
        .args([gateway.port(80).to_string(), origin.to_string()])
        .args([folder.join("http1-cases.json"), folder.join("http1-upstream-cases.json")])
        .arg("--strict")
        .output();
    let Ok(output) = output else {
        println!("skipped: python3 is missing: it runs the HTTP/1 cases");
        return;
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let failed: Vec<_> =
        text.lines().filter(|line| line.contains(": ") && !line.contains(" passed")).collect();
    assert_eq!(failed, [SPOKEN, CONTRADICTED], "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("399 passed, 2 failed"), "{text}");
    gateway.stop();
}
