//! `sluicegate.io/health-check` of ServiceEntries and DestinationRules.

use super::{
    place::{Findings, Place},
    scalars::{check_percent, check_port},
    wording::shown,
};
use crate::{
    config::{
        Diagnostic, Spanned,
        resources::{GrpcCheck, HealthCheck, HttpCheck, Metadata},
    },
    http::is_token_byte,
};
use std::time::Duration;

#[cfg(test)]
mod tests;

/// The shortest time between two checks: more often, the control thread would do little else.
const INTERVAL_MIN: Duration = Duration::from_millis(100);
/// The longest: what is asked once a day is not watched.
const INTERVAL_MAX: Duration = Duration::from_secs(24 * 3600);
/// The longest that a check may take. Each holds one of a limited number of places as long.
const TIMEOUT_MAX: Duration = Duration::from_secs(60);
/// The highest threshold.
const THRESHOLD_MAX: u32 = 1000;
/// The longest path, host and name of a service, in bytes.
const TEXT_MAX: usize = 1024;

/// Checks the annotation, if the object has it.
pub(super) fn check(meta: &Metadata, findings: &Findings<'_>) {
    let Some(check) = meta.own.as_ref().and_then(|own| own.health_check.as_ref()) else { return };
    let at = findings.root("metadata", meta.name.span);
    let at = at.entry("annotations", "sluicegate.io/health-check", check.span);
    if check.http.is_none() && check.tcp.is_none() && check.grpc.is_none() {
        let problem = Diagnostic::error("missing-field", "the check does not say what is asked");
        at.report(problem.help("write one of `http: {path: /healthz}`, `tcp: {}` and `grpc: {}`"));
    }
    if let Some(http) = &check.http {
        check_http(http, &at.field("http", http));
    }
    if let Some(grpc) = &check.grpc {
        check_grpc(grpc, &at.field("grpc", grpc));
    }
    check_times(check, &at);
    for (name, threshold) in
        [("healthyThreshold", &check.healthy_threshold), ("unhealthyThreshold", &check.unhealthy_threshold)]
    {
        let Some(threshold) = threshold else { continue };
        if !(1..=THRESHOLD_MAX).contains(&threshold.value) {
            let message = format!("{} is not a number of checks", threshold.value);
            let problem = Diagnostic::error("bad-threshold", message);
            at.field(name, threshold).report(problem.help(format!("expected 1 to {THRESHOLD_MAX}")));
        }
    }
    if let Some(port) = &check.port {
        check_port(port.value, &at.field("port", port));
    }
    if let Some(percent) = &check.min_health_percent {
        check_percent(percent.value, &at.field("minHealthPercent", percent));
    }
}

fn check_times(check: &HealthCheck, at: &Place<'_>) {
    let within = |name: &'static str, time: &Option<Spanned<Duration>>, least: Duration, most: Duration| {
        let Some(time) = time.as_ref().filter(|time| !(least..=most).contains(&time.value)) else { return };
        let message = format!("{:?} is not a time for a health check", time.value);
        let problem = Diagnostic::error("bad-duration", message);
        at.field(name, time).report(problem.help(format!("expected {least:?} to {most:?}")));
    };
    within("interval", &check.interval, INTERVAL_MIN, INTERVAL_MAX);
    within("timeout", &check.timeout, Duration::from_millis(1), TIMEOUT_MAX);
}

fn check_http(http: &HttpCheck, at: &Place<'_>) {
    if let Some(path) = at.require("path", &http.path, "write the path to ask for, as `path: /healthz`") {
        let is_visible = |byte: u8| byte.is_ascii_graphic() && byte != b'#';
        if !path.starts_with('/') || !path.bytes().all(is_visible) || path.len() > TEXT_MAX {
            let problem = Diagnostic::error("bad-path", format!("`{}` is not a path", shown(path)));
            let help = "expected `/` and visible characters, with others and `#` as `%` and two digits";
            at.field("path", path).report(problem.help(help));
        }
    }
    check_host(&http.host, at);
    let Some(method) = &http.method else { return };
    let is_token = !method.is_empty() && method.len() <= TEXT_MAX && method.bytes().all(is_token_byte);
    if !is_token || method.as_str() == "CONNECT" {
        let problem = Diagnostic::error("bad-method", format!("`{}` can't be the method", shown(method)));
        at.field("method", method).report(problem.help("expected a method such as GET or HEAD"));
    }
}

fn check_grpc(grpc: &GrpcCheck, at: &Place<'_>) {
    check_host(&grpc.host, at);
    let Some(service) = &grpc.service else { return };
    if service.len() > TEXT_MAX || service.chars().any(char::is_control) {
        let problem = Diagnostic::error("bad-service", format!("`{}` is not a service", shown(service)));
        at.field("service", service).report(problem.help("expected a name such as package.Service"));
    }
}

fn check_host(host: &Option<Spanned<String>>, at: &Place<'_>) {
    let Some(host) = host else { return };
    let is_one = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]~".contains(&byte);
    if host.is_empty() || host.len() > TEXT_MAX || !host.bytes().all(is_one) {
        let problem = Diagnostic::error("bad-host", format!("`{}` is not a host", shown(host)));
        at.field("host", host).report(problem.help("expected a name or an address, with or without a port"));
    }
}
