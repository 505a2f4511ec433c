//! What the tests of the rules have in common: objects from YAML, and what is said about them.

use super::validate;
use crate::config::{self, Diagnostic, Severity};

/// Validates a file. It must be free of problems that `config` itself finds.
#[track_caller]
pub(super) fn diagnostics(yaml: &str) -> Vec<Diagnostic> {
    let (resources, problems) = config::parse(vec![("test.yaml".to_owned(), yaml.as_bytes().to_vec())]);
    assert_eq!(problems, [], "{yaml}");
    validate(&resources)
}

/// Validates a file: each problem as `error bad-port 8 spec.servers[0].port.number`, with its line.
#[track_caller]
pub(super) fn found(yaml: &str) -> Vec<String> {
    diagnostics(yaml).iter().map(line).collect()
}

fn line(problem: &Diagnostic) -> String {
    let level = match problem.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    };
    let line = problem.span.map_or(0, |span| span.line);
    assert!(problem.object.is_some(), "{problem:?}");
    assert!(!problem.message.is_empty() && !problem.message.ends_with('.'), "{problem:?}");
    format!("{level} {} {line} {}", problem.code, problem.field)
}

/// Checks what is found in a file.
#[track_caller]
pub(super) fn expect(yaml: &str, expected: &[&str]) {
    assert_eq!(found(yaml), expected, "{:#?}\n{yaml}", diagnostics(yaml));
}

/// An object of networking.istio.io with this `spec`, whose first line is line 5.
pub(super) fn object(kind: &str, spec: &str) -> String {
    let spec: Vec<String> = spec.trim_matches('\n').lines().map(|line| format!("  {line}")).collect();
    let spec = spec.join("\n");
    format!(
        "apiVersion: networking.istio.io/v1\nkind: {kind}\nmetadata: {{name: x, namespace: app}}\nspec:\n{spec}\n"
    )
}

/// What is said about a file, whatever that is.
pub(super) fn problems(yaml: &str) -> Vec<String> {
    let (resources, mut problems) = config::parse(vec![("test.yaml".to_owned(), yaml.as_bytes().to_vec())]);
    problems.extend(validate(&resources));
    problems.iter().map(line).collect()
}
