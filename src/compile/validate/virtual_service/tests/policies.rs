//! Tests: timeout, retries, faults, mirrors, CORS.

use super::{ROUTE, rule};
use crate::compile::validate::testing::{diagnostics, object};

#[track_caller]
fn with(field: &str, expected: &[&str]) {
    rule(&format!("{ROUTE}, {field}"), expected);
}

#[track_caller]
fn retries(retries: &str, expected: &[&str]) {
    with(&format!("retries: {{{retries}}}"), expected);
}

#[track_caller]
fn cors(cors: &str, expected: &[&str]) {
    with(&format!("corsPolicy: {{{cors}}}"), expected);
}

#[test]
fn timeouts() {
    with("timeout: 1ms", &[]);
    with("timeout: 1.5s", &[]);
    with("timeout: 0s", &["error bad-duration timeout"]);
    with("timeout: 1us", &["error bad-duration timeout"]);
    with("timeout: 1.0001s", &["error bad-duration timeout"]);
    let spec = object("VirtualService", &format!("hosts: [a.com]\nhttp: [{{{ROUTE}, timeout: 0s}}]"));
    assert!(diagnostics(&spec)[0].help.as_ref().unwrap().starts_with("omit it"));
}

#[test]
fn case_164_retries() {
    retries("attempts: 0, retryOn: 5xx", &["error conflicting-fields retries.retryOn"]);
    retries("attempts: 2, retryOn: '5xx,invalid policy'", &["error bad-retry-on retries.retryOn"]);
    retries("attempts: 2, retryOn: '600,connect-failure'", &["error bad-retry-on retries.retryOn"]);
    retries("attempts: -1", &["error negative-number retries.attempts"]);
    for good in ["", "attempts: 0", "attempts: 3, perTryTimeout: 2s, retryOn: 'gateway-error,503,reset'"] {
        retries(good, &[]);
    }
}

#[test]
fn more_about_retries() {
    retries("retryOn: 5xx", &["error conflicting-fields retries.retryOn"]);
    retries("perTryTimeout: 1s", &["error conflicting-fields retries.perTryTimeout"]);
    retries(
        "attempts: 0, retryRemoteLocalities: true",
        &["error conflicting-fields retries.retryRemoteLocalities"],
    );
    retries("attempts: 1, perTryTimeout: 0s", &["error bad-duration retries.perTryTimeout"]);
    retries("attempts: 1, backoff: 1us", &["error bad-duration retries.backoff"]);
    for bad in ["'5xx, reset'", "'5xx,'", "5XX", "'306'", "'419'", "'503 '"] {
        retries(&format!("attempts: 1, retryOn: {bad}"), &["error bad-retry-on retries.retryOn"]);
    }
}

#[test]
fn case_167_faults() {
    let abort =
        |share: &str, error: &str| format!("fault: {{abort: {{percentage: {{value: {share}}}, {error}}}}}");
    with(&abort("50", "httpStatus: 503"), &[]);
    with(&abort("0", "httpStatus: 503"), &[]);
    with(&abort("0.0001", "grpcStatus: NOT_FOUND"), &[]);
    for share in ["-1", "100.1", "0.00001"] {
        let found = "error bad-percentage fault.abort.percentage.value";
        with(&abort(share, "httpStatus: 503"), &[found]);
    }
    for status in ["199", "601", "-1"] {
        with(&abort("1", &format!("httpStatus: {status}")), &["error bad-status fault.abort.httpStatus"]);
    }
    with(&abort("1", "grpcStatus: not_found"), &["error bad-status fault.abort.grpcStatus"]);
    with(&abort("1", "http2Error: x"), &["error not-implemented fault.abort.http2Error"]);
    let delay =
        |share: &str, delay: &str| format!("fault: {{delay: {{percentage: {{value: {share}}}, {delay}}}}}");
    with(&delay("1", "fixedDelay: 1s"), &[]);
    with(&delay("101", "fixedDelay: 1s"), &["error bad-percentage fault.delay.percentage.value"]);
    with(&delay("1", "fixedDelay: 0s"), &["error bad-duration fault.delay.fixedDelay"]);
    with(&delay("1", "fixedDelay: 999us"), &["error bad-duration fault.delay.fixedDelay"]);
    with(&delay("1", "exponentialDelay: 1s"), &["error not-implemented fault.delay.exponentialDelay"]);
}

#[test]
fn faults_that_do_nothing() {
    with("fault: {}", &["error missing-field fault"]);
    with("fault: {abort: {percentage: {value: 1}}}", &["warning no-effect fault.abort"]);
    with("fault: {abort: {httpStatus: 503}}", &["warning never-happens fault.abort.percentage"]);
    with("fault: {delay: {fixedDelay: 1s}}", &["warning never-happens fault.delay.percentage"]);
    with("fault: {delay: {percentage: {value: 1}}}", &["warning no-effect fault.delay.fixedDelay"]);
    with(
        "fault: {delay: {percent: 101, fixedDelay: 1s}}",
        &["warning deprecated-field fault.delay.percent", "error bad-percentage fault.delay.percent"],
    );
}

#[test]
fn mirrors() {
    with("mirror: {host: m}, mirrorPercentage: {value: 50}", &[]);
    with("mirror: {host: '*'}", &["error bad-host mirror.host"]);
    let share = "error bad-percentage mirrorPercentage.value";
    with("mirror: {host: m}, mirrorPercentage: {value: 101}", &[share]);
    with("mirror: {host: m}, mirrorPercentage: {value: -1}", &[share]);
    with("mirror: {host: m}, mirrorPercent: 50", &["warning deprecated-field mirrorPercent"]);
    with(
        "mirror: {host: m}, mirrorPercent: 101",
        &["warning deprecated-field mirrorPercent", "error bad-percentage mirrorPercent"],
    );
    with("mirrorPercentage: {value: 1}", &["warning no-effect mirrorPercentage"]);
    with("mirrors: [{destination: {host: m}, percentage: {value: 0}}, {destination: {host: n}}]", &[]);
    with("mirrors: [{percentage: {value: 1}}]", &["error missing-field mirrors[0].destination"]);
    with("mirrors: [{destination: {}}]", &["error missing-field mirrors[0].destination.host"]);
    with(
        "mirrors: [{destination: {host: m}, percentage: {value: 100.5}}]",
        &["error bad-percentage mirrors[0].percentage.value"],
    );
}

#[test]
fn cross_origin() {
    let origins = "allowOrigins: [{exact: '*'}, {exact: 'https://a.com'}, {prefix: 'https://b'}, {regex: 'https://.*'}]";
    cors(&format!("{origins}, allowMethods: [GET, '*'], allowHeaders: ['*', x-a], maxAge: 24h"), &[]);
    cors("", &["warning no-effect corsPolicy.allowOrigins"]);
    cors("allowOrigins: [{exact: ''}]", &["error empty-value corsPolicy.allowOrigins[0].exact"]);
    cors("allowOrigins: [{prefix: ''}]", &["error empty-value corsPolicy.allowOrigins[0].prefix"]);
    cors("allowOrigins: [{}]", &["error missing-field corsPolicy.allowOrigins[0].exact"]);
    cors("allowOrigins: [{regex: '*'}]", &["error bad-regex corsPolicy.allowOrigins[0].regex"]);
    cors("allowOrigins: [{exact: a.com}]", &["warning never-matches corsPolicy.allowOrigins[0].exact"]);
    cors("allowOrigin: ['*']", &["warning deprecated-field corsPolicy.allowOrigin"]);
    cors(&format!("{origins}, allowMethods: [get]"), &["error bad-method corsPolicy.allowMethods[0]"]);
    cors(
        &format!("{origins}, exposeHeaders: ['a b']"),
        &["error bad-header-name corsPolicy.exposeHeaders[0]"],
    );
    cors(&format!("{origins}, maxAge: 1.5s"), &["error bad-duration corsPolicy.maxAge"]);
}
