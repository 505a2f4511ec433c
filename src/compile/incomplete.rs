//! What is wrong with objects that could not be read completely, beside what could not be read: one run finds it all.

use super::validate;
use crate::config::{Diagnostic, ObjectRef, Resources};
use std::collections::HashMap;

/// Checks those objects by themselves, and leaves out what only follows from the fields that could not be read.
pub(super) fn validate(resources: &Resources) -> Vec<Diagnostic> {
    let Some(incomplete) = resources.incomplete() else { return Vec::new() };
    let mut found = validate::validate(&incomplete.objects);
    found.retain(|problem| !follows(problem, &incomplete.unread));
    found
}

fn follows(problem: &Diagnostic, unread: &HashMap<ObjectRef, Vec<String>>) -> bool {
    let unread = problem.object.as_ref().and_then(|object| unread.get(object));
    let is_about_order = ["unreachable-rule", "ineffective-match"].contains(&problem.code);
    unread.is_some_and(|paths| {
        paths
            .iter()
            .any(|path| follows_from(problem, path) || is_about_order && is_in_same_list(problem, path))
    })
}

/// A rule without what could not be read may take more, or less, than the one in the file: what it leaves for others of its
/// list is not known.
fn is_in_same_list(problem: &Diagnostic, path: &str) -> bool {
    let list = |path: &str| path.split('[').next().map(str::to_owned);
    list(&problem.field) == list(path)
}

/// Whether a problem may be there only because the field at `path` could not be read.
fn follows_from(problem: &Diagnostic, path: &str) -> bool {
    let field = problem.field.as_str();
    if is_within(field, path) || is_within(path, field) {
        return true;
    }
    // An element that could not be read is not in its list, so the numbers of others are not those in the file.
    if let Some((list, _)) = path.strip_suffix(']').and_then(|path| path.rsplit_once('['))
        && is_within(field, list)
    {
        return true;
    }
    // The missing field may be the one with the unknown name.
    problem.code == "missing-field" && parent(field) == parent(path)
}

/// `a.b[1].c` is within `a.b[1]`, `a.b` and `a`.
fn is_within(field: &str, other: &str) -> bool {
    field.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

fn parent(field: &str) -> &str {
    field.rsplit_once('.').map_or("", |(parent, _)| parent)
}

#[cfg(test)]
mod tests {
    use crate::{compile, config};

    /// Code and line of every error.
    fn errors(yaml: &str) -> Vec<(&'static str, u32)> {
        let (resources, mut problems) = config::parse(vec![("a.yaml".to_owned(), yaml.into())]);
        problems.extend(compile::compile(&resources, &compile::Options::default()).diagnostics);
        problems.retain(|problem| problem.severity == config::Severity::Error);
        problems.sort_by_key(|problem| problem.span.map(|span| span.start));
        problems.iter().map(|problem| (problem.code, problem.span.map_or(0, |span| span.line))).collect()
    }

    fn gateway(server: &str) -> String {
        format!(
            "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {{name: a}}\nspec:\n  servers:\n{server}"
        )
    }

    #[test]
    fn what_can_be_read_is_checked() {
        let yaml = gateway(
            "  - port: {number: eighty, name: a, protocol: HTTP}\n    hosts: [short]\n  - port: {number: 81, name: b, protocol: HTPP}\n    hosts: ['*']\n",
        );
        let found = errors(&yaml);
        let lines: Vec<u32> = found.iter().map(|(_, line)| *line).collect();
        assert_eq!(lines, [6, 7, 8], "{found:?}");
    }

    #[test]
    fn a_rule_that_is_not_whole_hides_nothing() {
        let rules = |first: &str| {
            format!(
                "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: a}}\nspec:\n  hosts: [a.com]\n  gateways: [g]\n  http:\n  - {first}\n  - match: [{{uri: {{prefix: /b}}}}]\n    redirect: {{uri: /c}}\n"
            )
        };
        let codes = |yaml: &str| {
            let (resources, mut problems) = config::parse(vec![("a.yaml".to_owned(), yaml.into())]);
            problems.extend(compile::compile(&resources, &compile::Options::default()).diagnostics);
            problems.iter().map(|problem| problem.code).collect::<Vec<_>>()
        };
        let unknown = rules("{match: [{urii: {prefix: /a}}], redirect: {uri: /}}");
        assert_eq!(codes(&unknown), ["unknown-field"]);
        let unknown = rules("{matches: [{uri: {prefix: /a}}], redirect: {uri: /}}");
        assert_eq!(codes(&unknown), ["unknown-field"]);
        assert!(codes(&rules("{redirect: {uri: /}}")).contains(&"unreachable-rule"));
    }

    #[test]
    fn what_follows_is_not_said() {
        // The misspelled field is the missing one.
        let yaml = gateway("  - prot: {number: 80, name: a, protocol: HTTP}\n    hosts: ['*']\n");
        assert_eq!(errors(&yaml), [("unknown-field", 6)]);
        // The number could not be read, so that there is none is no news.
        let yaml = gateway("  - port: {number: eighty, name: a, protocol: HTTP}\n    hosts: ['*']\n");
        assert_eq!(errors(&yaml), [("wrong-type", 6)]);
        // The list has another element that is good.
        let yaml = gateway("  - port: {number: 80, name: a, protocol: HTTP}\n    hosts: [{}, '*']\n");
        assert_eq!(errors(&yaml), [("wrong-type", 7)]);
    }
}
