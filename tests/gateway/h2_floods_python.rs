//! Every pattern of `tests/http2/attacks.py` against the whole gateway, and what is made of its report.

use super::{
    harness::{Gateway, routed},
    origin::dead_port,
    python,
    tools::run_within,
};
use serde_json::Value;
use std::{fs, path::Path, process::Command};

/// What decodes header blocks there.
const PACKAGES: &[&str] = &["hpack==4.1.0"];
const CALM: &str = "GOAWAY ENHANCE_YOUR_CALM";

/// What the gateway may do about a pattern, and after how many frames at most; the script looks after 50, 150, 350, 750, 1550
/// and 3150 of them. `nothing` is allowed where good clients do the same, or where it costs nothing.
const RULES: &[(&str, &[&str], u64)] = &[
    ("rapid-reset", &[CALM], 350),
    ("reset-before-end", &[CALM], 350),
    ("made-you-reset-window-zero", &[CALM, "GOAWAY PROTOCOL_ERROR"], 350),
    ("made-you-reset-window-overflow", &[CALM, "GOAWAY FLOW_CONTROL_ERROR"], 350),
    ("made-you-reset-priority-short", &[CALM, "GOAWAY FRAME_SIZE_ERROR"], 350),
    ("made-you-reset-priority-self", &[CALM, "GOAWAY PROTOCOL_ERROR"], 350),
    ("made-you-reset-headers-after-end", &[CALM, "GOAWAY STREAM_CLOSED"], 350),
    ("made-you-reset-data-after-end", &[CALM, "GOAWAY STREAM_CLOSED"], 350),
    ("malformed-requests", &[CALM], 350),
    ("continuation", &[CALM], 50),
    ("continuation-empty", &[CALM], 50),
    ("continuation-tiny", &[CALM], 50),
    ("hpack-bomb", &[CALM], 50),
    ("settings", &[CALM], 150),
    ("settings-entries", &[CALM], 50),
    ("ping", &[CALM], 350),
    ("priority", &[CALM], 350),
    ("window-update", &[CALM], 1550),
    ("window-update-stream", &[CALM], 1550),
    ("unknown-type", &[CALM], 350),
    ("empty-data", &[CALM], 350),
    ("padded-data", &[CALM], 350),
    ("one-byte-data", &[CALM, "nothing"], 6000),
    ("streams-at-once", &["nothing"], 1000),
    ("reset-twice", &[CALM, "nothing"], 6000),
    ("goaway", &[CALM, "GOAWAY NO_ERROR", "closed", "nothing"], 6000),
    ("push-promise", &["GOAWAY PROTOCOL_ERROR"], 50),
    ("window-zero-stall", &["nothing"], 50),
];

#[test]
fn every_pattern_is_met_as_it_should_be() {
    let Some(python) = python::with_packages("http2", PACKAGES) else { return };
    // The script is the origin, on a port that we choose.
    let origin = dead_port();
    let route = "  - route: [{destination: {host: a.test}}]";
    let arguments = ["--workers", "1", "--access-log", "off"];
    let gateway = Gateway::start_with(&[80], &routed(route, &[origin]), &arguments);
    let report = gateway.directory().join("report.json");
    let mut command = Command::new(python);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/http2/attacks.py"));
    command.args([gateway.port(80).to_string(), "--origin".into(), origin.to_string()]);
    command.arg("--json").arg(&report).env("PYTHONDONTWRITEBYTECODE", "1");
    let (ended_well, table) = run_within(&mut command, b"", python::CASES_PATIENCE);
    assert!(ended_well, "somebody else was harmed:\n{table}");
    let report: Value = serde_json::from_str(&fs::read_to_string(report).unwrap()).unwrap();
    let report = report.as_object().unwrap();
    assert_eq!(report.len(), RULES.len(), "patterns without a rule, or rules without a pattern:\n{table}");
    let wrong: Vec<String> = RULES.iter().filter_map(|rule| wrong(rule, &report[rule.0])).collect();
    assert!(wrong.is_empty(), "{}\n{table}", wrong.join("\n"));
    gateway.until("nobody is left", || gateway.metric("envoy_http_downstream_cx_active") == 0.0);
    gateway.stop();
}

/// What is wrong with how a pattern was met, if anything is.
fn wrong((name, acts, most): &(&str, &[&str], u64), result: &Value) -> Option<String> {
    let number = |field: &str| result[field].as_u64().unwrap();
    let act = result["acted"].as_str().unwrap();
    if !acts.contains(&act) || number("frames") > *most {
        return Some(format!(
            "{name}: {act} after {} frames, wanted {acts:?} after {most}",
            number("frames")
        ));
    }
    let is_closed = result["closed"].as_bool().unwrap();
    if act == CALM && !is_closed {
        return Some(format!("{name}: the connection stays open"));
    }
    if number("peak") > number("limit") {
        return Some(format!("{name}: {} in flight, {} are allowed", number("peak"), number("limit")));
    }
    None
}
