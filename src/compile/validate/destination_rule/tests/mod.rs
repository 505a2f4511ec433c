//! The rules of a DestinationRule, by what they are about.

mod balancing;
mod pool;
mod rule;
mod tls;

use crate::compile::validate::testing::{expect, object};

/// A whole `spec`, from line 5.
#[track_caller]
fn rule(spec: &str, expected: &[&str]) {
    expect(&object("DestinationRule", spec), expected);
}

/// A traffic policy on line 6. What is expected is `error code field`.
#[track_caller]
fn policy(policy: &str, expected: &[&str]) {
    let lines: Vec<String> = expected
        .iter()
        .map(|line| {
            let mut words = line.splitn(3, ' ');
            let mut word = || words.next().unwrap_or("");
            let (level, code, field) = (word(), word(), word());
            let separator = if field.is_empty() { "" } else { "." };
            format!("{level} {code} 6 spec.trafficPolicy{separator}{field}")
        })
        .collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    rule(&format!("host: b\ntrafficPolicy: {{{policy}}}"), &lines);
}
