//! The rules of a VirtualService, by what they are about.

mod actions;
mod destinations;
mod headers;
mod layer4;
mod matches;
mod policies;
mod reach;
mod rule;
mod top;

use crate::compile::validate::testing::{expect, object};

const ROUTE: &str = "route: [{destination: {host: b}}]";

/// A whole `spec`, from line 5.
#[track_caller]
fn service(spec: &str, expected: &[&str]) {
    expect(&object("VirtualService", spec), expected);
}

/// One rule for HTTP, on line 8; fields are relative to it. What is expected is `error code field`.
#[track_caller]
fn rule(rule: &str, expected: &[&str]) {
    let lines: Vec<String> = expected
        .iter()
        .map(|line| {
            let mut words = line.splitn(3, ' ');
            let mut word = || words.next().unwrap_or("");
            let (level, code, field) = (word(), word(), word());
            let separator = if field.is_empty() { "" } else { "." };
            format!("{level} {code} 8 spec.http[0]{separator}{field}")
        })
        .collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    service(&format!("hosts: [a.com]\ngateways: [g]\nhttp:\n- {{{rule}}}"), &lines);
}

/// One match of a rule.
#[track_caller]
fn matcher(matcher: &str, expected: &[&str]) {
    rule(&format!("match: [{{{matcher}}}], {ROUTE}"), expected);
}
